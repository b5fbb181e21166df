// Data Integrity proofs, both ways: @digitalbazaar's libraries against ours. Contexts come from our binary alone.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {test} from 'node:test';

import * as Bls12381Multikey from '@digitalbazaar/bls12-381-multikey';
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import * as bbs from '@digitalbazaar/bbs-2023-cryptosuite';
import * as eddsaJcs from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import * as vc from '@digitalbazaar/vc';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {cryptosuite as ecdsaRdfc} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import {cryptosuite as eddsaRdfc} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import jsonld from 'jsonld';

const program = process.env.STELE_FOREIGN_INTEGRITY;

/** What our program answers; a refusal is an answer too. */
function ask(command, input) {
  assert.ok(program, 'STELE_FOREIGN_INTEGRITY names no program; ./test foreign-npm sets it');
  const run = spawnSync(program, [command], {input: JSON.stringify(input), encoding: 'utf8'});
  assert.equal(run.status, 0, run.stderr || String(run.error));
  return JSON.parse(run.stdout);
}

function ours(command, input) {
  const answer = ask(command, input);
  assert.equal(answer.refusal, undefined, JSON.stringify(answer.refusal));
  return answer;
}

const contexts = ours('contexts', {});
const now = Math.floor(Date.now() / 1000);

/** Our bundled contexts, and documents of did:key; anything else is an error, as it is with us. */
async function documentLoader(url) {
  if (contexts[url]) {
    return {contextUrl: null, documentUrl: url, document: contexts[url]};
  }
  const [controller, key] = url.split('#');
  if (controller.startsWith('did:key:z')) {
    const publicKeyMultibase = controller.slice('did:key:'.length);
    const method = {
      '@context': 'https://w3id.org/security/multikey/v1',
      id: `${controller}#${publicKeyMultibase}`, type: 'Multikey', controller, publicKeyMultibase,
    };
    const document = key ? method : {
      '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
      id: controller, verificationMethod: [method], assertionMethod: [method.id],
    };
    return {contextUrl: null, documentUrl: url, document};
  }
  throw new Error(`nothing is fetched: ${url}`);
}

const credential = {
  '@context': ['https://www.w3.org/ns/credentials/v2', 'https://www.w3.org/ns/credentials/examples/v2'],
  type: ['VerifiableCredential', 'ExampleDegree'],
  issuer: 'did:example:replaced',
  validFrom: '2024-01-01T00:00:00Z',
  credentialSubject: {name: 'Fictional Student', degree: 'Bachelor', grades: [1.3, 2, {of: 'Algebra', grade: 1.7}]},
};

const suites = {
  'eddsa-jcs-2022': {verify: () => eddsaJcs.createVerifyCryptosuite(), sign: () => eddsaJcs.createSignCryptosuite(), keys: Ed25519Multikey, options: {}},
  'eddsa-rdfc-2022': {verify: () => eddsaRdfc, sign: () => eddsaRdfc, keys: Ed25519Multikey, options: {}},
  'ecdsa-rdfc-2019': {verify: () => ecdsaRdfc, sign: () => ecdsaRdfc, keys: EcdsaMultikey, options: {curve: 'P-256'}},
  'bbs-2023': {
    verify: () => bbs.createVerifyCryptosuite(),
    sign: () => bbs.createSignCryptosuite({mandatoryPointers: ['/issuer', '/validFrom']}),
    keys: Bls12381Multikey,
    options: {algorithm: 'BBS-BLS12-381-SHA-256'},
  },
};

async function theyVerify(document, name) {
  const suite = new DataIntegrityProof({cryptosuite: suites[name].verify()});
  const result = await vc.verifyCredential({credential: document, suite, documentLoader});
  return result.verified || (console.error(JSON.stringify(result.error?.errors ?? result.error, null, 1)?.slice(0, 600)), false);
}

async function theySign(name) {
  const {keys, options, sign} = suites[name];
  const key = await keys.generateBbsKeyPair?.(options) ?? await keys.generate(options);
  const {publicKeyMultibase} = await key.export({publicKey: true});
  key.controller = `did:key:${publicKeyMultibase}`;
  key.id = `${key.controller}#${publicKeyMultibase}`;
  const signer = {...key.signer(), id: key.id};
  const suite = new DataIntegrityProof({signer, cryptosuite: sign()});
  const document = {...structuredClone(credential), issuer: key.controller};
  return vc.issue({credential: document, suite, documentLoader});
}

const altered = document => {
  const copy = structuredClone(document);
  copy.credentialSubject.degree = 'Master';
  return copy;
};

for (const name of Object.keys(suites)) {
  test(`${name}: they verify ours, and refuse an altered copy`, async () => {
    let {document} = ours('sign', {suite: name, seed: 7, document: credential, now, mandatory: ['/issuer', '/validFrom']});
    if (name === 'bbs-2023') {
      ({document} = ours('derive', {document, selective: ['/credentialSubject/degree', '/credentialSubject/grades/2']}));
      assert.equal(document.credentialSubject.name, undefined);
    }
    assert.ok(await theyVerify(document, name));
    assert.equal(await theyVerify(altered(document), name), false);
  });

  test(`${name}: we verify theirs, and refuse an altered copy`, async () => {
    let document = await theySign(name);
    if (name === 'bbs-2023') {
      assert.equal(ask('verify', {document, now}).refusal.code, 'integrity.base-proof');
      const selectivePointers = ['/credentialSubject/degree', '/credentialSubject/grades/2'];
      const suite = new DataIntegrityProof({cryptosuite: bbs.createDiscloseCryptosuite({selectivePointers})});
      const theirs = await vc.derive({verifiableCredential: document, suite, documentLoader});
      assert.deepEqual(ours('verify', {document: theirs, now}).suites, [name]);
      // Their base proof, shown by our holder to their verifier.
      ({document} = ours('derive', {document, selective: selectivePointers}));
      assert.ok(await theyVerify(document, name));
    }
    assert.deepEqual(ours('verify', {document, now}).suites, [name]);
    assert.equal(ask('verify', {document: altered(document), now}).refusal.code, 'integrity.signature-bad');
  });
}

for (const [name, input, count] of [['elm', {courses: 30}, 619], ['badge', {}, 16]]) {
  test(`${name}: both read the same statements from our document`, async () => {
    const {document} = ours(name, input);
    const theirs = await jsonld.canonize(document, {algorithm: 'RDFC-1.0', format: 'application/n-quads', documentLoader, safe: true});
    const {text, statements} = ours('canonical', {document});
    assert.equal(text, theirs);
    assert.equal(statements, count);
    assert.equal(statements, theirs.trim().split('\n').length);
  });
}
