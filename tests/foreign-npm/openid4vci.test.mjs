// OpenID4VCI 1.0: the client of @openid4vc/openid4vci receives credentials from our issuer over HTTP.
//
// The issuer is the state machine of stele-credentials in a process of its own; the server here only moves bytes.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {dirname, join} from 'node:path';
import {createInterface} from 'node:readline';
import {after, before, test} from 'node:test';
import {clientAuthenticationAnonymous, clientAuthenticationNone} from '@openid4vc/oauth2';
import {setGlobalConfig} from '@openid4vc/openid4vci';
import {proofs, wallet} from './holder.mjs';
import {ours} from './ours.mjs';

const CALLBACK = 'https://wallet.example/callback';
const TX_CODE = '493536';
let issuer, server, identifier;

/** Sends one line to our issuer and waits for its answer; answers come in order. */
let turn = Promise.resolve();
function ask(line) {
  turn = turn.then(async () => {
    issuer.process.stdin.write(`${JSON.stringify(line)}\n`);
    const {value, done} = await issuer.lines.next();
    assert.ok(!done, 'the issuer ended');
    return JSON.parse(value);
  });
  return turn;
}

before(async () => {
  const program = process.env.STELE_FOREIGN_CREDENTIALS;
  assert.ok(program, 'STELE_FOREIGN_CREDENTIALS names no program; ./test foreign-npm sets it');
  const child = spawn(join(dirname(program), 'foreign_issuer'), {stdio: ['pipe', 'pipe', 'inherit']});
  issuer = {process: child, lines: createInterface({input: child.stdout})[Symbol.asyncIterator]()};
  server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url, identifier);
    const wellKnown = url.pathname.match(/^\/\.well-known\/([a-z-]+)\/openid$/);
    const answer = await ask({
      path: wellKnown ? wellKnown[1] : url.pathname.replace('/openid/', ''),
      query: url.search.slice(1),
      body: Buffer.concat(chunks).toString(),
      bearer: (request.headers.authorization ?? '').replace(/^Bearer /, ''),
    });
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  identifier = `http://127.0.0.1:${server.address().port}/openid`;
  issuer.process.stdin.write(`${JSON.stringify({identifier})}\n`);
  setGlobalConfig({allowInsecureUrls: true});
});

after(async () => {
  server.close();
  issuer.process.stdin.end();
  const [code] = await once(issuer.process, 'exit');
  assert.equal(code, 0);
});

async function redeem({client}, issuerMetadata, configurations, txCode = TX_CODE) {
  const {link} = await ask({offer: configurations, tx_code: TX_CODE});
  const credentialOffer = await client.resolveCredentialOffer(link);
  assert.equal(credentialOffer.credential_issuer, identifier);
  const {accessTokenResponse} = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({credentialOffer, issuerMetadata, txCode});
  return accessTokenResponse.access_token;
}

function verified(credential, signer) {
  const answer = ours('verify', {
    text: credential,
    issuer_key: ours('key', {suite: 'Ed25519', seed: Buffer.alloc(32, 1).toString('base64url')}).jwk,
    issuer: identifier,
    now: Math.floor(Date.now() / 1000),
  });
  assert.equal(answer.holder.x, signer.publicJwk.x);
  return answer.claims;
}

test('a batch by a pre-authorised code, and the notification', async () => {
  const holder = wallet(['ES256', 'EdDSA'], clientAuthenticationAnonymous());
  const issuerMetadata = await holder.client.resolveIssuerMetadata(identifier);
  assert.equal(issuerMetadata.originalDraftVersion, 'V1');
  await assert.rejects(redeem(holder, issuerMetadata, ['diploma'], '000000'), /invalid_grant/);
  const accessToken = await redeem(holder, issuerMetadata, ['diploma']);
  const request = {issuerMetadata, accessToken, credentialConfigurationId: 'diploma'};
  const {credentialResponse} = await holder.client.retrieveCredentials({...request, proofs: await proofs(holder, issuerMetadata, 'diploma')});
  assert.equal(credentialResponse.credentials.length, 2);
  credentialResponse.credentials.forEach(({credential}, position) => {
    assert.equal(verified(credential, holder.signers[position]).given_name, 'Fictional Ada');
  });
  const notification = {notificationId: credentialResponse.notification_id, event: 'credential_accepted'};
  await holder.client.sendNotification({issuerMetadata, accessToken, notification});
  await assert.rejects(holder.client.sendNotification({issuerMetadata, accessToken, notification: {...notification, notificationId: 'x'}}));
});

test('a deferred credential', async () => {
  const holder = wallet(['ES256'], clientAuthenticationAnonymous());
  const issuerMetadata = await holder.client.resolveIssuerMetadata(identifier);
  const accessToken = await redeem(holder, issuerMetadata, ['transcript']);
  const first = await holder.client.retrieveCredentials({
    issuerMetadata, accessToken, credentialConfigurationId: 'transcript', proofs: await proofs(holder, issuerMetadata, 'transcript'),
  });
  assert.equal(first.credentialResponse.interval, 1);
  const transactionId = first.credentialResponse.transaction_id;
  const {deferredCredentialResponse} = await holder.client.retrieveDeferredCredentials({issuerMetadata, accessToken, transactionId});
  const [{credential}] = deferredCredentialResponse.credentials;
  assert.equal(verified(credential, holder.signers[0]).vct, `${identifier}/transcript`);
  await assert.rejects(holder.client.retrieveDeferredCredentials({issuerMetadata, accessToken, transactionId}));
});

test('the authorisation code flow, with a pushed request and PKCE', async () => {
  const holder = wallet(['EdDSA'], clientAuthenticationNone({clientId: 'wallet'}));
  const issuerMetadata = await holder.client.resolveIssuerMetadata(identifier);
  const {link} = await ask({offer: ['diploma']});
  const credentialOffer = await holder.client.resolveCredentialOffer(link);
  const start = () => holder.client.initiateAuthorization({
    clientId: 'wallet', redirectUri: CALLBACK, credentialOffer, issuerMetadata, scope: 'diploma',
  });
  const authorize = async ({authorizationRequestUrl}) => {
    assert.match(authorizationRequestUrl, /request_uri=urn/);
    const answer = await fetch(authorizationRequestUrl, {redirect: 'manual'});
    assert.equal(answer.status, 302);
    const location = answer.headers.get('location');
    const parameters = holder.client.parseAndVerifyAuthorizationResponseRedirectUrl({
      url: location, authorizationServerMetadata: issuerMetadata.authorizationServers[0],
    });
    assert.equal(parameters.iss, identifier);
    return parameters.code;
  };
  const redeemCode = (authorizationCode, pkceCodeVerifier) => holder.client.retrieveAuthorizationCodeAccessTokenFromOffer({
    issuerMetadata, credentialOffer, authorizationCode, pkceCodeVerifier, redirectUri: CALLBACK,
  });
  const stolen = await authorize(await start());
  await assert.rejects(redeemCode(stolen, 'x'.repeat(43)), /invalid_grant/);
  const started = await start();
  const {accessTokenResponse} = await redeemCode(await authorize(started), started.pkce.codeVerifier);
  const {credentialResponse} = await holder.client.retrieveCredentials({
    issuerMetadata, accessToken: accessTokenResponse.access_token, credentialConfigurationId: 'diploma',
    proofs: await proofs(holder, issuerMetadata, 'diploma', {clientId: 'wallet'}),
  });
  assert.equal(verified(credentialResponse.credentials[0].credential, holder.signers[0]).given_name, 'Fictional Ada');
});

test('what is refused comes back under the names of the specification', async () => {
  const holder = wallet(['ES256'], clientAuthenticationAnonymous());
  const issuerMetadata = await holder.client.resolveIssuerMetadata(identifier);
  const accessToken = await redeem(holder, issuerMetadata, ['diploma']);
  const good = await proofs(holder, issuerMetadata, 'diploma');
  const request = {issuerMetadata, accessToken, credentialConfigurationId: 'diploma', proofs: good};
  const error = async (change) => {
    const failed = await holder.client.retrieveCredentials({...request, ...change}).then(() => assert.fail('accepted'), (failed) => failed);
    return failed.response?.credentialErrorResponseResult?.data?.error ?? String(failed);
  };
  const stale = await proofs(holder, issuerMetadata, 'diploma', {nonce: 'x'});
  assert.equal(await error({proofs: stale}), 'invalid_nonce');
  assert.equal(await error({proofs: {jwt: [`${good.jwt[0].slice(0, -4)}AAAA`]}}), 'invalid_proof');
  assert.equal(await error({credentialConfigurationId: 'transcript'}), 'unknown_credential_configuration');
  await holder.client.retrieveCredentials(request);
  assert.equal(await error({}), 'invalid_nonce');
});
