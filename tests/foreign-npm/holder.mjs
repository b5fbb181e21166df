// A wallet built on the client of @openid4vc/openid4vci, with keys of Node's own.
import assert from 'node:assert/strict';
import {createHash, generateKeyPairSync, randomBytes, sign} from 'node:crypto';
import {Openid4vciClient} from '@openid4vc/openid4vci';

const hashName = (alg) => alg.toLowerCase().replace('-', '');

/** A wallet with one key of each given algorithm. */
export function wallet(algorithms, clientAuthentication) {
  const keys = algorithms.map((alg) => ({
    alg,
    ...(alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', {namedCurve: 'P-256'})),
  }));
  const publicJwk = (key) => key.publicKey.export({format: 'jwk'});
  const signJwt = (signer, {header, payload}) => {
    const key = keys.find((one) => publicJwk(one).x === signer.publicJwk.x);
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${encode(header)}.${encode(payload)}`;
    const signature = sign(key.alg === 'EdDSA' ? null : 'sha256', Buffer.from(signed), {key: key.privateKey, dsaEncoding: 'ieee-p1363'});
    return {jwt: `${signed}.${signature.toString('base64url')}`, signerJwk: publicJwk(key)};
  };
  const never = () => assert.fail('not used here');
  const client = new Openid4vciClient({
    callbacks: {
      hash: (data, alg) => createHash(hashName(alg)).update(data).digest(),
      generateRandom: (length) => randomBytes(length),
      signJwt,
      verifyJwt: never,
      encryptJwe: never,
      decryptJwe: never,
      clientAuthentication,
    },
  });
  const signers = keys.map((key) => ({method: 'jwk', alg: key.alg, publicJwk: publicJwk(key)}));
  return {client, signers};
}

export async function proofs({client, signers}, issuerMetadata, credentialConfigurationId, change = {}) {
  const {c_nonce: nonce} = await client.requestNonce({issuerMetadata});
  const made = signers.map((signer) => client.createCredentialRequestJwtProof({issuerMetadata, credentialConfigurationId, signer, nonce, ...change}));
  return {jwt: (await Promise.all(made)).map(({jwt}) => jwt)};
}
