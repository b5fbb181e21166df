// SD-JWT VC, both ways: @sd-jwt/sd-jwt-vc verifies what we issue and present, we verify what it does.
import assert from 'node:assert/strict';
import {createHash, createPublicKey, generateKeyPairSync, randomBytes, sign, verify} from 'node:crypto';
import {test} from 'node:test';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import {ask, ours} from './ours.mjs';

const ISSUER = 'https://university.example';
const VCT = 'https://university.example/diploma';
const AUDIENCE = 'https://verifier.example';
const NOW = Math.floor(Date.now() / 1000);
const CLAIMS = {
  given_name: 'Fictional Ada',
  family_name: 'Example',
  degree: {name: 'BSc', grade: '1.3'},
  languages: ['de', 'fr'],
};
const HIDDEN = [['given_name'], ['family_name'], ['degree', 'grade'], ['languages', null]];

const seed = (byte) => Buffer.alloc(32, byte).toString('base64url');
const ourKey = (suite, byte) => ({suite, seed: seed(byte)});

// Node's own cryptography signs and verifies for their library.
const hashOf = {EdDSA: null, ES256: 'sha256'};
const signerOf = (alg, key) => (data) =>
  sign(hashOf[alg], Buffer.from(data), {key, dsaEncoding: 'ieee-p1363'}).toString('base64url');
const verifierOf = (alg, jwk) => (data, signature) =>
  verify(hashOf[alg], Buffer.from(data), {key: createPublicKey({key: jwk, format: 'jwk'}), dsaEncoding: 'ieee-p1363'},
    Buffer.from(signature, 'base64url'));
const common = {
  hasher: (data, alg) => createHash(alg.replace('-', '')).update(typeof data === 'string' ? data : Buffer.from(data)).digest(),
  hashAlg: 'sha-256',
  saltGenerator: () => randomBytes(16).toString('base64url'),
};

const theirVerifier = (alg, issuerKey, holderAlg) => new SDJwtVcInstance({
  ...common,
  verifier: verifierOf(alg, issuerKey),
  kbVerifier: (data, signature, payload) => verifierOf(holderAlg, payload.cnf.jwk)(data, signature),
});

function ourPresentation(suite, holderSuite, change = {}) {
  const issuer = ourKey(suite, 1);
  const holder = ourKey(holderSuite, 2);
  const {credential} = ours('issue', {
    ...issuer, vct: VCT, issuer: ISSUER, issued_at: NOW, expires_at: NOW + 600, decoys: 2,
    holder: ours('key', holder).jwk, claims: CLAIMS, hidden: HIDDEN,
  });
  const {presentation} = ours('present', {
    ...holder, credential, paths: [['given_name'], ['degree', 'grade'], ['languages', 1]],
    audience: AUDIENCE, nonce: 'n-1', issued_at: NOW, ...change,
  });
  return {presentation, issuerKey: ours('key', issuer).jwk};
}

const ALG = {Ed25519: 'EdDSA', ES256: 'ES256'};
const SUITE = {EdDSA: 'Ed25519', ES256: 'ES256'};
for (const [suite, holderSuite] of [['Ed25519', 'ES256'], ['ES256', 'Ed25519']]) {
  test(`they verify our presentation with key binding, ${suite} and ${holderSuite}`, async () => {
    const {presentation, issuerKey} = ourPresentation(suite, holderSuite);
    const verifier = theirVerifier(ALG[suite], issuerKey, ALG[holderSuite]);
    const {payload, kb} = await verifier.verify(presentation, {keyBindingNonce: 'n-1'});
    assert.equal(payload.given_name, 'Fictional Ada');
    assert.equal(payload.family_name, undefined);
    assert.deepEqual(payload.degree, {name: 'BSc', grade: '1.3'});
    assert.deepEqual(payload.languages, ['fr']);
    assert.equal(kb.payload.aud, AUDIENCE);
    await assert.rejects(verifier.verify(presentation, {keyBindingNonce: 'n-2'}));
    const parts = presentation.split('~');
    await assert.rejects(verifier.verify([parts[0], ...parts.slice(2)].join('~'), {keyBindingNonce: 'n-1'}));
    const other = theirVerifier(ALG[suite], ours('key', ourKey(suite, 9)).jwk, ALG[holderSuite]);
    await assert.rejects(other.verify(presentation, {keyBindingNonce: 'n-1'}));
  });
}

for (const [alg, type, options] of [['EdDSA', 'ed25519'], ['ES256', 'ec', {namedCurve: 'P-256'}]]) {
  test(`we verify their presentation with key binding, ${alg}`, async () => {
    const issuer = generateKeyPairSync(type, options);
    const holder = generateKeyPairSync(type, options);
    const publicJwk = (pair) => pair.publicKey.export({format: 'jwk'});
    const theirs = new SDJwtVcInstance({
      ...common,
      signer: signerOf(alg, issuer.privateKey), signAlg: alg,
      kbSigner: signerOf(alg, holder.privateKey), kbSignAlg: alg,
    });
    const status = {status_list: {idx: 7, uri: 'https://university.example/status/0'}};
    const credential = await theirs.issue(
      {iss: ISSUER, vct: VCT, iat: NOW, exp: NOW + 600, cnf: {jwk: publicJwk(holder)}, status, ...CLAIMS},
      {_sd: ['given_name', 'family_name'], degree: {_sd: ['grade']}, languages: {_sd: [0, 1]}},
    );
    const presentation = await theirs.present(
      credential,
      {given_name: true, degree: {grade: true}, languages: {1: true}},
      {kb: {payload: {aud: AUDIENCE, nonce: 'n-1', iat: NOW}}},
    );
    const request = {
      text: presentation, issuer_key: publicJwk(issuer), issuer: ISSUER, now: NOW, vcts: [VCT],
      required: [['given_name']], binding: {audience: AUDIENCE, nonce: 'n-1', age_seconds_max: 60},
    };
    const verified = ours('verify', request);
    assert.equal(verified.bound, true);
    assert.equal(verified.claims.given_name, 'Fictional Ada');
    assert.deepEqual(verified.claims.degree, {name: 'BSc', grade: '1.3'});
    assert.deepEqual(verified.claims.languages, ['fr']);
    assert.equal(verified.claims.family_name, undefined);
    assert.deepEqual(verified.status, {idx: 7, uri: 'https://university.example/status/0'});
    const parts = presentation.split('~');
    const wrong = [
      ['credential.nonce', {binding: {...request.binding, nonce: 'n-2'}}],
      ['credential.audience', {binding: {...request.binding, audience: ISSUER}}],
      ['credential.claim-missing', {required: [['family_name']]}],
      ['credential.expired', {now: NOW + 700, binding: {...request.binding, age_seconds_max: 1000}}],
      ['credential.other-type', {vcts: [ISSUER]}],
      ['credential.other-issuer', {issuer: AUDIENCE}],
      ['credential.presentation-altered', {text: [parts[0], ...parts.slice(2)].join('~')}],
      ['jose.signature', {issuer_key: publicJwk(generateKeyPairSync(type, options))}],
    ];
    for (const [code, change] of wrong) {
      assert.equal(ask('verify', {...request, ...change}).refusal?.code, code);
    }
    // Our holder presents their credential too. They accept it while our list calls it valid, and refuse it when revoked.
    const {d} = holder.privateKey.export({format: 'jwk'});
    const ourHolder = {suite: SUITE[alg], seed: d};
    const shown = ours('present', {...ourHolder, credential, paths: [['family_name']], audience: AUDIENCE, nonce: 'n-3', issued_at: NOW});
    for (const [index, good] of [[6, true], [7, false]]) {
      const values = Array(16).fill(0).with(index, 1);
      const list = ours('status-make', {...ourKey('ES256', 3), uri: status.status_list.uri, bits: 1, issued_at: NOW, expires_at: NOW + 60, values});
      const verifier = new SDJwtVcInstance({
        ...common,
        verifier: verifierOf(alg, publicJwk(issuer)),
        kbVerifier: (data, signature, payload) => verifierOf(alg, payload.cnf.jwk)(data, signature),
        statusListFetcher: async (uri) => (assert.equal(uri, status.status_list.uri), list.jwt),
        statusVerifier: verifierOf('ES256', ours('key', ourKey('ES256', 3)).jwk),
      });
      const verdict = verifier.verify(shown.presentation, {keyBindingNonce: 'n-3'});
      if (good) {
        assert.equal((await verdict).payload.family_name, 'Example');
      } else {
        await assert.rejects(verdict, /Status is not valid/);
      }
    }
  });
}
