// A whole node as issuer: other people's client receives over HTTP, other people's verifier checks signature, holder and status.
import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {createHash, createPublicKey, verify} from 'node:crypto';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {after, before, test} from 'node:test';
import {inflateSync} from 'node:zlib';
import {clientAuthenticationAnonymous} from '@openid4vc/oauth2';
import {setGlobalConfig} from '@openid4vc/openid4vci';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import {proofs, wallet} from './holder.mjs';

const VCT = 'https://university.example/diploma';
const START_MS = 60_000;
let node, folder, url, did;

async function call(method, path, body) {
  const answer = await fetch(`${url}${path}`, {method, headers: {'content-type': 'application/json'}, body: body && JSON.stringify(body)});
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

before(async () => {
  const program = process.env.STELE_BIN;
  assert.ok(program, 'STELE_BIN names no program; ./test foreign-npm sets it');
  setGlobalConfig({allowInsecureUrls: true});
  folder = mkdtempSync(join(tmpdir(), 'stele-foreign-'));
  const ready = join(folder, 'ready.json');
  node = spawn(program, ['up', '--data', join(folder, 'data'), '--listen', '127.0.0.1:0', '--ready-file', ready], {stdio: ['ignore', 'ignore', 'inherit']});
  for (const until = Date.now() + START_MS; !url; await sleep(50)) {
    assert.ok(Date.now() < until && node.exitCode === null, 'the node did not start');
    try {
      url = JSON.parse(readFileSync(ready, 'utf8')).url.replace(/\/$/, '');
    } catch {
      // Not there yet, or half written.
    }
  }
  ({party: did} = await call('POST', '/v1/parties', {kind: 'organisation', name: 'Fictional University', key: 'university'}));
  const grant = {name: 'accreditation.grant', body: {subject: did, action: 'credential/issue'}};
  await call('POST', '/v1/commands', {key: 'operator', register: 'identity', commands: [grant]});
  const claim = (name, more = {}) => ({name, display_name: name, ...more});
  await call('PUT', '/v1/issuers/university', {
    display_name: 'Fictional University',
    key: 'university',
    kinds: [{id: 'diploma', vct: VCT, display_name: 'Fictional diploma', valid_days: 30, claims: [claim('given_name'), claim('degree'), claim('ects', {value: 'integer', shown: 'always'})]}],
  });
});

after(async () => {
  node.kill('SIGTERM');
  if (node.exitCode === null) await once(node, 'exit');
  rmSync(folder, {recursive: true, force: true});
});

async function receive(algorithms) {
  const claims = {given_name: 'Fictional Ada', degree: 'Master', ects: 120};
  const {items: [offer]} = await call('POST', '/v1/issuers/university/offers', {offers: [{kind: 'diploma', claims, with_code: true}]});
  const holder = wallet(algorithms, clientAuthenticationAnonymous());
  const credentialOffer = await holder.client.resolveCredentialOffer(offer.link);
  const issuerMetadata = await holder.client.resolveIssuerMetadata(credentialOffer.credential_issuer);
  const {accessTokenResponse} = await holder.client.retrievePreAuthorizedCodeAccessTokenFromOffer({credentialOffer, issuerMetadata, txCode: offer.tx_code});
  const {credentialResponse} = await holder.client.retrieveCredentials({
    issuerMetadata,
    accessToken: accessTokenResponse.access_token,
    credentialConfigurationId: 'diploma',
    proofs: await proofs(holder, issuerMetadata, 'diploma'),
  });
  return {offer, holder, issuerMetadata, credentials: credentialResponse.credentials.map(({credential}) => credential)};
}

/** The issuer's key as any DID resolver's client finds it. */
async function issuerKey(kid) {
  const {didDocument} = await call('GET', `/1.0/identifiers/${did}`);
  const method = didDocument.verificationMethod.find(({id}) => id === kid);
  assert.ok(didDocument.assertionMethod.includes(kid), 'the key may assert');
  return createPublicKey({key: method.publicKeyJwk, format: 'jwk'});
}

async function statusOf({uri, idx}) {
  const answer = await fetch(uri);
  assert.equal(answer.headers.get('content-type'), 'application/statuslist+jwt');
  const [header, payload, signature] = (await answer.text()).split('.');
  const {kid, typ} = JSON.parse(Buffer.from(header, 'base64url'));
  assert.equal(typ, 'statuslist+jwt');
  assert.ok(verify(null, Buffer.from(`${header}.${payload}`), await issuerKey(kid), Buffer.from(signature, 'base64url')));
  const {sub, status_list: list} = JSON.parse(Buffer.from(payload, 'base64url'));
  assert.equal(sub, uri);
  const bytes = inflateSync(Buffer.from(list.lst, 'base64url'));
  const perByte = 8 / list.bits;
  return (bytes[Math.floor(idx / perByte)] >> ((idx % perByte) * list.bits)) & ((1 << list.bits) - 1);
}

test('a batch is received, verified, and revoked', async () => {
  const {offer, holder, issuerMetadata, credentials} = await receive(['ES256', 'EdDSA']);
  assert.equal(issuerMetadata.originalDraftVersion, 'V1');
  assert.equal(credentials.length, 2);
  for (const [at, credential] of credentials.entries()) {
    const kid = JSON.parse(Buffer.from(credential.split('.')[0], 'base64url')).kid;
    const key = await issuerKey(kid);
    const instance = new SDJwtVcInstance({
      hasher: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
      verifier: (data, signature) => verify(null, Buffer.from(data), key, Buffer.from(signature, 'base64url')),
    });
    const {payload} = await instance.verify(credential);
    assert.deepEqual([payload.vct, payload.iss, payload.degree, payload.ects], [VCT, did, 'Master', 120]);
    assert.equal(payload.cnf.jwk.x, holder.signers[at].publicJwk.x);
    assert.equal(await statusOf(payload.status.status_list), 0);
  }
  await call('PUT', `/v1/issuers/university/issued/${offer.id}/status`, {status: 'revoked'});
  for (const credential of credentials) {
    const payload = JSON.parse(Buffer.from(credential.split('.')[1], 'base64url'));
    assert.equal(await statusOf(payload.status.status_list), 1);
  }
});

test('copies differ in all that a verifier could compare', async () => {
  const {credentials: [one, other]} = await receive(['ES256', 'ES256']);
  const parts = (credential) => {
    const [jwt, ...disclosures] = credential.split('~');
    const {cnf, status, _sd} = JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
    return [cnf.jwk.x, status.status_list.idx, ..._sd, ...disclosures.filter(Boolean)];
  };
  const seen = new Set(parts(one).map(String));
  assert.ok(parts(other).every((part) => !seen.has(String(part))));
});

test('the program verifies what was received, with its proof of issuance and without the node', async () => {
  const {issuerMetadata, credentials: [credential]} = await receive(['ES256']);
  const signed = credential.split('~')[0];
  const proofs = issuerMetadata.credentialIssuer.stele_issuance_proofs;
  const hash = createHash('sha256').update(signed).digest('base64url');
  const proof = await fetch(`${proofs}/${hash}`);
  assert.equal(proof.status, 200);
  const file = (name, bytes) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  const key = await issuerKey(JSON.parse(Buffer.from(signed.split('.')[0], 'base64url')).kid);
  const given = ['--proof', file('proof.cbor', Buffer.from(await proof.arrayBuffer())), '--network', join(folder, 'data', 'network.json'),
    '--issuer-key', file('key.json', JSON.stringify(key.export({format: 'jwk'}))), '--format', 'json'];
  const judge = (text) => {
    const run = spawnSync(process.env.STELE_BIN, ['credential', 'verify', file('credential.txt', text), ...given], {encoding: 'utf8', env: {}});
    return {exit: run.status, ...JSON.parse(run.stdout)};
  };
  const judged = judge(credential);
  assert.deepEqual([judged.exit, judged.valid, judged.issuer, judged.claims.degree, judged.issuance.issuer], [0, true, did, 'Master', did]);
  const other = (await receive(['ES256'])).credentials[0];
  const refused = judge(other);
  assert.deepEqual([refused.exit, refused.valid, refused.code], [1, false, 'trust.not-committed']);
});
