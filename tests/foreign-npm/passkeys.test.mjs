// Passkeys: an emulated browser with its authenticator (nid-webauthn-emulator) registers and signs in at our service, and
// @simplewebauthn/server judges the same answers independently of us.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {verifyAuthenticationResponse, verifyRegistrationResponse} from '@simplewebauthn/server';
import {AuthenticatorEmulator, PasskeysCredentialsMemoryRepository, RpId, WebAuthnEmulator} from 'nid-webauthn-emulator';
import {conversation} from './ours.mjs';

const RP_ID = 'university.example';
const ORIGIN = 'https://issuer.university.example';
let site;

before(() => {
  site = conversation('foreign_passkeys', {rp_id: RP_ID, origins: [ORIGIN]});
});

after(() => site.end());

/** What our service answers when it must not refuse. */
async function allowed(line) {
  const answer = await site.ask(line);
  assert.equal(answer.refusal, undefined, JSON.stringify(answer.refusal));
  return answer;
}

/** The code by which our service refuses. */
async function refused(line) {
  const {refusal, ...rest} = await site.ask(line);
  assert.ok(refusal, `accepted: ${JSON.stringify(rest)}`);
  assert.ok(refusal.sentence.endsWith('.') && refusal.hint.endsWith('.'));
  return refusal.code;
}

/** A browser with an authenticator of its own. */
function device(parameters = {}) {
  const credentialsRepository = new PasskeysCredentialsMemoryRepository();
  const browser = new WebAuthnEmulator(new AuthenticatorEmulator({algorithmIdentifiers: ['ES256'], credentialsRepository, ...parameters}));
  return {browser, keys: credentialsRepository};
}

/** The other library's opinion on a registration: the credential, or it throws. */
async function otherRegistration(options, response) {
  const {verified, registrationInfo} = await verifyRegistrationResponse({
    response, expectedChallenge: options.challenge, expectedOrigin: ORIGIN, expectedRPID: RP_ID,
    supportedAlgorithmIDs: options.pubKeyCredParams.map(({alg}) => alg),
  });
  assert.equal(verified, true);
  return registrationInfo.credential;
}

/** The other library's opinion on a sign-in: the new counter, or it throws. */
async function otherAuthentication(options, response, credential) {
  const {verified, authenticationInfo} = await verifyAuthenticationResponse({
    response, credential, expectedChallenge: options.challenge, expectedOrigin: ORIGIN, expectedRPID: RP_ID,
  });
  assert.equal(verified, true);
  return authenticationInfo.newCounter;
}

/** Registers a passkey with a code of the office, seen as right by both. */
async function enrol(subject, {browser}) {
  const {code} = await allowed({call: 'invite', subject, display_name: `Fictional ${subject}`});
  const {ceremony, options} = await allowed({call: 'start_enrolment', code});
  const answer = browser.createJSON(ORIGIN, options);
  const credential = await otherRegistration(options, answer);
  const {id} = await allowed({call: 'finish_registration', ceremony, answer});
  assert.equal(id, credential.id);
  assert.equal(await refused({call: 'start_enrolment', code}), 'passkey.unknown-code');
  return credential;
}

for (const algorithm of ['ES256', 'RS256']) {
  test(`a person enrols with ${algorithm} and signs in, named or not`, async () => {
    const own = device({algorithmIdentifiers: [algorithm]});
    const subject = `ada-${algorithm}`;
    const credential = await enrol(subject, own);
    for (const named of [undefined, subject]) {
      const {ceremony, options} = await allowed({call: 'start_authentication', subject: named});
      const answer = own.browser.getJSON(ORIGIN, options);
      const counter = await otherAuthentication(options, answer, credential);
      assert.equal(counter, credential.counter + 1);
      credential.counter = counter;
      assert.deepEqual(await allowed({call: 'finish_authentication', ceremony, answer}), {subject, credential: credential.id});
    }
  });
}

test('the authenticator that has this person already is left out, and one without our algorithms', async () => {
  const own = device();
  await enrol('ben', own);
  const {options} = await allowed({call: 'start_registration', subject: 'ben', display_name: 'Fictional Ben'});
  assert.throws(() => own.browser.createJSON(ORIGIN, options), {name: 'NotAllowedError'});
  assert.throws(() => device({algorithmIdentifiers: ['EdDSA']}).browser.createJSON(ORIGIN, options), {name: 'NotSupportedError'});
});

test('an answer counts once, for its own attempt and in its time', async () => {
  const own = device();
  await enrol('cleo', own);
  const first = await allowed({call: 'start_authentication'});
  const second = await allowed({call: 'start_authentication'});
  const answer = own.browser.getJSON(ORIGIN, first.options);
  assert.equal(await refused({call: 'finish_authentication', ceremony: second.ceremony, answer}), 'passkey.replayed');
  await allowed({call: 'finish_authentication', ceremony: first.ceremony, answer});
  assert.equal(await refused({call: 'finish_authentication', ceremony: first.ceremony, answer}), 'passkey.replayed');
  const late = await allowed({call: 'start_authentication'});
  const lateAnswer = own.browser.getJSON(ORIGIN, late.options);
  assert.equal(await refused({call: 'finish_authentication', ceremony: late.ceremony, answer: lateAnswer, later: 300}), 'passkey.expired');
  const registration = await allowed({call: 'start_registration', subject: 'cleo', display_name: 'Fictional Cleo'});
  const created = device().browser.createJSON(ORIGIN, registration.options);
  await allowed({call: 'finish_registration', ceremony: registration.ceremony, answer: created});
  assert.equal(await refused({call: 'finish_registration', ceremony: registration.ceremony, answer: created}), 'passkey.replayed');
});

test('another website is refused, by both', async () => {
  const own = device();
  const credential = await enrol('dora', own);
  for (const origin of ['https://evil.example', 'https://www.university.example', 'https://issuer.university.example:8443']) {
    const {ceremony, options} = await allowed({call: 'start_authentication'});
    const answer = own.browser.getJSON(origin, options, [origin]);
    await assert.rejects(otherAuthentication(options, answer, credential), /origin/);
    assert.equal(await refused({call: 'finish_authentication', ceremony, answer}), 'passkey.wrong-origin', origin);
    const registration = await allowed({call: 'start_registration', subject: 'dora', display_name: 'Fictional Dora'});
    const created = device().browser.createJSON(origin, registration.options, [origin]);
    await assert.rejects(otherRegistration(registration.options, created), /origin/);
    assert.equal(await refused({call: 'finish_registration', ceremony: registration.ceremony, answer: created}), 'passkey.wrong-origin', origin);
  }
});

test('a passkey of another site is refused, by both', async () => {
  const own = device();
  const credential = await enrol('emil', own);
  const registration = await allowed({call: 'start_registration', subject: 'emil', display_name: 'Fictional Emil'});
  const elsewhere = {...registration.options, rp: {id: 'other.example', name: 'Fictional other'}};
  const created = device().browser.createJSON(ORIGIN, elsewhere, [ORIGIN]);
  await assert.rejects(otherRegistration(registration.options, created), /RP ID/);
  assert.equal(await refused({call: 'finish_registration', ceremony: registration.ceremony, answer: created}), 'passkey.wrong-site');
  // The right key and id, used for the other site.
  const [held] = own.keys.loadCredentials();
  own.keys.saveCredential({...held, publicKeyCredentialSource: {...held.publicKeyCredentialSource, rpId: new RpId('other.example')}});
  const {ceremony, options} = await allowed({call: 'start_authentication'});
  const answer = own.browser.getJSON(ORIGIN, {...options, rpId: 'other.example'}, [ORIGIN]);
  assert.equal(answer.id, credential.id);
  await assert.rejects(otherAuthentication(options, answer, credential), /RP ID/);
  assert.equal(await refused({call: 'finish_authentication', ceremony, answer}), 'passkey.wrong-site');
});

test('a person whom the device did not verify is refused, by both', async () => {
  const own = device();
  const credential = await enrol('fritz', own);
  own.browser.authenticator.params.userGetAssertionInteraction = (user) => ({user, options: {up: true, uv: false}});
  const {ceremony, options} = await allowed({call: 'start_authentication'});
  const answer = own.browser.getJSON(ORIGIN, options);
  await assert.rejects(otherAuthentication(options, answer, credential), /verif/);
  assert.equal(await refused({call: 'finish_authentication', ceremony, answer}), 'passkey.not-verified');
  const careless = device({userMakeCredentialInteraction: (user) => ({user, options: {up: true, uv: false}})});
  const registration = await allowed({call: 'start_registration', subject: 'fritz', display_name: 'Fictional Fritz'});
  const created = careless.browser.createJSON(ORIGIN, registration.options);
  await assert.rejects(otherRegistration(registration.options, created), /verif/);
  assert.equal(await refused({call: 'finish_registration', ceremony: registration.ceremony, answer: created}), 'passkey.not-verified');
});

test('a copied passkey is found by its counter, by both, and neither copy signs in any more', async () => {
  const own = device();
  const copy = device();
  const credential = await enrol('gerd', own);
  copy.keys.saveCredential(own.keys.loadCredentials()[0]);
  const attempt = async ({browser}) => {
    const {ceremony, options} = await allowed({call: 'start_authentication'});
    return {options, answer: browser.getJSON(ORIGIN, options), ceremony};
  };
  const first = await attempt(own);
  credential.counter = await otherAuthentication(first.options, first.answer, credential);
  await allowed({call: 'finish_authentication', ceremony: first.ceremony, answer: first.answer});
  const {options, answer, ceremony} = await attempt(copy);
  await assert.rejects(otherAuthentication(options, answer, credential), /counter/);
  assert.equal(await refused({call: 'finish_authentication', ceremony, answer}), 'passkey.cloned');
  const again = await attempt(own);
  assert.equal(await refused({call: 'finish_authentication', ceremony: again.ceremony, answer: again.answer}), 'passkey.cloned');
});

test('a changed answer and an unknown passkey are refused', async () => {
  const own = device();
  const credential = await enrol('hanna', own);
  const {ceremony, options} = await allowed({call: 'start_authentication'});
  const answer = own.browser.getJSON(ORIGIN, options);
  const data = Buffer.from(answer.response.authenticatorData, 'base64url');
  data[data.length - 1] ^= 1;
  const changed = {...answer, response: {...answer.response, authenticatorData: data.toString('base64url')}};
  const judged = verifyAuthenticationResponse({
    response: changed, credential, expectedChallenge: options.challenge, expectedOrigin: ORIGIN, expectedRPID: RP_ID,
  });
  assert.equal((await judged).verified, false);
  assert.equal(await refused({call: 'finish_authentication', ceremony, answer: changed}), 'passkey.bad-signature');
  const stranger = device();
  const registration = await allowed({call: 'start_registration', subject: 'ilse', display_name: 'Fictional Ilse'});
  stranger.browser.createJSON(ORIGIN, registration.options);
  const unknown = await allowed({call: 'start_authentication'});
  const foreign = stranger.browser.getJSON(ORIGIN, unknown.options);
  assert.equal(await refused({call: 'finish_authentication', ceremony: unknown.ceremony, answer: foreign}), 'passkey.unknown-credential');
});
