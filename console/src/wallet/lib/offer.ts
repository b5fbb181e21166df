// Receiving by OpenID4VCI 1.0: offer, issuer metadata, token (pre-authorised or by code with PKCE), nonce,
// key proof, credential, deferred. One attempt is one `Receiving`, plain data that the vault can keep.

import { SignJWT, importJWK, type JWK } from "jose";
import { type Json, type JsonObject, fromBase64Url, isObject, list, parseJson, randomId, sha256Text, text } from "./bytes";
import { didJwk } from "./did";
import { proofsAddress } from "./issuance";
import { type Answer, address, form, getJson, jsonOf, metadata, request } from "./net";
import { newHolderKey, publicPart } from "./sdjwt";
import { Trouble } from "./trouble";

const PRE_AUTHORISED = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
/** Copies of one paper, each with its own key, so that two verifiers cannot compare keys and signatures. */
const COPIES_MAX = 4;

export interface TxCode {
  numeric: boolean;
  length: number | undefined;
  description: string | undefined;
}
export interface Offer {
  issuer: string;
  configurations: string[];
  preAuthorised: { code: string; txCode: TxCode | undefined } | undefined;
  authorisation: { issuerState: string | undefined } | undefined;
  authorisationServer: string | undefined;
}
export interface Configuration {
  id: string;
  name: string;
  kind: string;
  scope: string | undefined;
  /** Display names of claims by their path, joined by "/". */
  labels: Record<string, string>;
  bindings: string[];
}
export interface Issuer {
  id: string;
  name: string;
  tokenEndpoint: string;
  authorisationEndpoint: string | undefined;
  parEndpoint: string | undefined;
  authorisationServer: string;
  credentialEndpoint: string;
  nonceEndpoint: string | undefined;
  deferredEndpoint: string | undefined;
  notificationEndpoint: string | undefined;
  batchSize: number;
  /** Where it gives proofs of issuance, as Stele's issuers do. */
  proofsAt?: string;
  configurations: Configuration[];
}
export interface Token {
  accessToken: string;
  /** Identifiers by configuration, where the server names them. */
  identifiers: Record<string, string[]>;
}
export interface Received {
  credential: string;
  key: JWK;
}
export interface Deferred {
  transactionId: string;
  keys: JWK[];
  token: Token;
  intervalSeconds: number;
}

const offerFault = (what: string) => new Trouble("offer.malformed", `This is not an offer that the wallet can read (${what}).`, "Ask the issuer for a new link or code.");

/** Reads an offer from a deep link, a link to a wallet, or the offer itself as JSON. */
export async function readOffer(value: string): Promise<Offer> {
  const trimmed = value.trim();
  let offer: Json;
  if (trimmed.startsWith("{")) offer = parsed(trimmed);
  else {
    const query = queryOf(trimmed);
    const uri = query.get("credential_offer_uri");
    const inline = query.get("credential_offer");
    if (!uri === !inline) throw offerFault("it has no credential_offer");
    offer = uri ? await getJson(uri, "the offer") : parsed(inline as string);
  }
  if (!isObject(offer)) throw offerFault("not an object");
  const issuer = text(offer["credential_issuer"]);
  const configurations = list(offer["credential_configuration_ids"]).filter((id): id is string => typeof id === "string");
  if (!issuer || configurations.length === 0 || configurations.length > 20) throw offerFault("credential_issuer or credential_configuration_ids");
  address(issuer, "the issuer");
  const grants = isObject(offer["grants"]) ? offer["grants"] : {};
  const pre = isObject(grants[PRE_AUTHORISED]) ? grants[PRE_AUTHORISED] : undefined;
  const code = isObject(grants["authorization_code"]) ? grants["authorization_code"] : undefined;
  const preCode = text(pre?.["pre-authorized_code"]);
  return {
    issuer,
    configurations,
    preAuthorised: preCode ? { code: preCode, txCode: txCode(pre?.["tx_code"]) } : undefined,
    // Without grants, the wallet finds out from the server's metadata: that is by authorisation code.
    authorisation: code || !preCode ? { issuerState: text(code?.["issuer_state"]) } : undefined,
    authorisationServer: text(pre?.["authorization_server"]) ?? text(code?.["authorization_server"]),
  };
}

function parsed(value: string): Json {
  try {
    return parseJson(value);
  } catch {
    throw offerFault("not JSON");
  }
}

/** The query of `scheme://?…`, of `…/wallet#/offer?…`, or of a bare query. */
export function queryOf(value: string): URLSearchParams {
  const at = value.lastIndexOf("?", value.indexOf("=") < 0 ? undefined : value.indexOf("="));
  return new URLSearchParams(at < 0 ? value : value.slice(at + 1));
}

function txCode(value: Json | undefined): TxCode | undefined {
  if (!isObject(value)) return undefined;
  return { numeric: value["input_mode"] !== "text", length: typeof value["length"] === "number" ? value["length"] : undefined, description: text(value["description"])?.slice(0, 300) };
}

function displayName(value: Json | undefined): string | undefined {
  const shown = list(value).filter(isObject);
  const mine = shown.find((entry) => typeof entry["locale"] === "string" && navigator.language.startsWith(entry["locale"].slice(0, 2))) ?? shown[0];
  return text(mine?.["name"])?.slice(0, 120);
}

export async function readIssuer(offer: Offer): Promise<Issuer> {
  const about = await metadata(offer.issuer, "openid-credential-issuer", "the issuer's description");
  if (about["credential_issuer"] !== offer.issuer) throw new Trouble("issuer.other", "The issuer's description names another issuer than the offer.", "Ask the issuer for a new link.");
  const servers = list(about["authorization_servers"]).map(String);
  const server = offer.authorisationServer ?? servers[0] ?? offer.issuer;
  if (server !== offer.issuer && !servers.includes(server)) throw new Trouble("issuer.other", "The offer sends the wallet to a server that the issuer does not name.", "Do not go on.");
  const oauth = await metadata(server, "oauth-authorization-server", "the issuer's sign-in description").catch(() => metadata(server, "openid-configuration", "the issuer's sign-in description"));
  if (oauth["issuer"] !== server) throw new Trouble("issuer.other", "The sign-in description names another server than the issuer does.", "Do not go on.");
  const tokenEndpoint = text(oauth["token_endpoint"]);
  const credentialEndpoint = text(about["credential_endpoint"]);
  if (!tokenEndpoint || !credentialEndpoint) throw new Trouble("issuer.incomplete", "The issuer's description lacks the addresses that the wallet needs.", "Tell the issuer.");
  const supported = isObject(about["credential_configurations_supported"]) ? about["credential_configurations_supported"] : {};
  const proofsAt = proofsAddress(about, offer.issuer);
  const batch = isObject(about["batch_credential_issuance"]) ? about["batch_credential_issuance"]["batch_size"] : 1;
  return {
    id: offer.issuer,
    name: displayName(about["display"]) ?? new URL(offer.issuer).host,
    tokenEndpoint,
    authorisationEndpoint: text(oauth["authorization_endpoint"]),
    parEndpoint: text(oauth["pushed_authorization_request_endpoint"]),
    authorisationServer: server,
    credentialEndpoint,
    nonceEndpoint: text(about["nonce_endpoint"]),
    deferredEndpoint: text(about["deferred_credential_endpoint"]),
    notificationEndpoint: text(about["notification_endpoint"]),
    batchSize: typeof batch === "number" && batch >= 1 ? Math.min(COPIES_MAX, Math.floor(batch)) : 1,
    ...(proofsAt ? { proofsAt } : {}),
    configurations: offer.configurations.map((id) => configuration(id, supported[id])),
  };
}

function configuration(id: string, value: Json | undefined): Configuration {
  if (!isObject(value)) throw new Trouble("offer.unknown-kind", `The issuer offers a paper that it does not describe (${id.slice(0, 60)}).`, "Tell the issuer.");
  if (value["format"] !== "dc+sd-jwt" && value["format"] !== "vc+sd-jwt") throw new Trouble("offer.format", `This paper comes in a form that the wallet cannot keep (${String(value["format"]).slice(0, 30)}).`, "The wallet keeps papers of the form dc+sd-jwt. Ask the issuer for that form.");
  const about = isObject(value["credential_metadata"]) ? value["credential_metadata"] : value;
  const labels: Record<string, string> = {};
  for (const claim of list(about["claims"]).filter(isObject)) {
    const label = displayName(claim["display"]);
    if (label) labels[list(claim["path"]).join("/")] = label;
  }
  const kind = text(value["vct"]) ?? id;
  return { id, name: displayName(about["display"]) ?? kind, kind, scope: text(value["scope"]), labels, bindings: list(value["cryptographic_binding_methods_supported"]).map(String) };
}

/** A refusal of the issuer's, in our words where the standard names it. */
function refused(answer: Answer, what: string): Trouble {
  let body: JsonObject = {};
  try {
    body = jsonOf(answer, what);
  } catch {
    // The status code has to do.
  }
  const error = text(body["error"]) ?? `HTTP ${answer.status}`;
  const said = text(body["error_description"])?.slice(0, 300);
  const words: Record<string, [string, string]> = {
    invalid_grant: ["The issuer did not accept the code of this offer.", "The number may be mistyped, or the offer used up or expired. Check it, or ask for a new offer."],
    invalid_nonce: ["The issuer did not accept the proof of the wallet's key, twice.", "Start again with a new offer."],
    invalid_proof: ["The issuer did not accept the proof of the wallet's key.", "Start again with a new offer."],
    access_denied: ["The issuer refused.", "Ask the issuer why."],
    issuance_pending: ["The paper is not ready yet.", "Ask again later."],
    invalid_transaction_id: ["The issuer no longer knows this request.", "Ask for a new offer."],
    credential_request_denied: ["The issuer declined to give this paper.", "Ask the issuer why."],
  };
  const [sentence, hint] = words[error] ?? [`The issuer refused ${what} (${error.slice(0, 60)}).`, "Ask the issuer, or try again later."];
  return new Trouble(`issuer.${error.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}`, said ? `${sentence} It says: ${said}` : sentence, hint);
}

async function token(issuer: Issuer, values: Record<string, string | undefined>): Promise<Token> {
  const answer = await request(issuer.tokenEndpoint, "permission to receive", { method: "POST", body: form(values), headers: { accept: "application/json" } });
  if (answer.status !== 200) throw refused(answer, "permission to receive");
  const body = jsonOf(answer, "permission to receive");
  const accessToken = text(body["access_token"]);
  if (!accessToken || String(body["token_type"]).toLowerCase() !== "bearer") throw new Trouble("issuer.token", "The issuer gave a permission of a kind that the wallet does not know.", "Tell the issuer.");
  const identifiers: Record<string, string[]> = {};
  for (const detail of list(body["authorization_details"]).filter(isObject)) {
    const id = text(detail["credential_configuration_id"]);
    if (id) identifiers[id] = list(detail["credential_identifiers"]).map(String);
  }
  return { accessToken, identifiers };
}

export const tokenByPreAuthorisedCode = (offer: Offer, issuer: Issuer, txCodeText: string | undefined): Promise<Token> =>
  token(issuer, { grant_type: PRE_AUTHORISED, "pre-authorized_code": offer.preAuthorised?.code, tx_code: txCodeText || undefined });

export interface Authorisation {
  state: string;
  verifier: string;
  clientId: string;
  redirectUri: string;
}

/** Where to send the citizen to sign in (RFC 6749 with PKCE, RFC 7636), and what to remember until the return. */
export async function authorise(offer: Offer, issuer: Issuer, redirectUri: string): Promise<{ go: string; remember: Authorisation }> {
  if (!issuer.authorisationEndpoint) throw new Trouble("issuer.incomplete", "The issuer does not say where to sign in.", "Ask for an offer with a code.");
  const remember: Authorisation = { state: randomId(), verifier: randomId() + randomId(), clientId: redirectUri, redirectUri };
  const scopes = issuer.configurations.map(({ scope }) => scope);
  const values: Record<string, string | undefined> = {
    response_type: "code",
    client_id: remember.clientId,
    redirect_uri: redirectUri,
    code_challenge: await sha256Text(remember.verifier),
    code_challenge_method: "S256",
    state: remember.state,
    issuer_state: offer.authorisation?.issuerState,
    ...(scopes.every((scope) => scope)
      ? { scope: [...new Set(scopes)].join(" ") }
      : { authorization_details: JSON.stringify(issuer.configurations.map(({ id }) => ({ type: "openid_credential", credential_configuration_id: id }))) }),
  };
  const go = address(issuer.authorisationEndpoint, "the sign-in page");
  let asked = form(values);
  if (issuer.parEndpoint) {
    const answer = await request(issuer.parEndpoint, "the sign-in page", { method: "POST", body: asked });
    if (answer.status !== 201 && answer.status !== 200) throw refused(answer, "the sign-in page");
    asked = form({ client_id: remember.clientId, request_uri: text(jsonOf(answer, "the sign-in page")["request_uri"]) });
  }
  for (const [name, value] of asked) go.searchParams.set(name, value);
  return { go: go.href, remember };
}

/** Continues after the return from the sign-in page, with the address it returned to. */
export async function tokenByCode(issuer: Issuer, remembered: Authorisation, returned: URLSearchParams): Promise<Token> {
  if (returned.get("state") !== remembered.state) throw new Trouble("offer.state", "The answer of the sign-in page belongs to another request.", "Start again from the offer.");
  const from = returned.get("iss");
  if (from && from !== issuer.authorisationServer) throw new Trouble("offer.mix-up", "The answer comes from another sign-in page than the wallet sent you to.", "Start again from the offer.");
  const code = returned.get("code");
  if (!code) throw new Trouble("issuer.access-denied", `The sign-in page gave no permission${returned.get("error") ? ` (${returned.get("error")?.slice(0, 60)})` : ""}.`, "Start again from the offer if you want the paper.");
  return token(issuer, { grant_type: "authorization_code", code, redirect_uri: remembered.redirectUri, client_id: remembered.clientId, code_verifier: remembered.verifier });
}

async function nonceOf(issuer: Issuer): Promise<string | undefined> {
  if (!issuer.nonceEndpoint) return undefined;
  const answer = await request(issuer.nonceEndpoint, "a nonce", { method: "POST" });
  if (answer.status !== 200) throw refused(answer, "a nonce");
  return text(jsonOf(answer, "a nonce")["c_nonce"]);
}

/** `openid4vci-proof+jwt` (OpenID4VCI 1.0, appendix F.1): the wallet has the key that the paper shall be bound to. */
async function proof(key: JWK, issuer: Issuer, how: Configuration, nonce: string | undefined, clientId: string | undefined): Promise<string> {
  const byDid = how.bindings.length > 0 && !how.bindings.includes("jwk") && how.bindings.some((method) => method === "did:jwk");
  return new SignJWT({ aud: issuer.id, iat: Math.floor(Date.now() / 1000), ...(nonce ? { nonce } : {}), ...(clientId ? { iss: clientId } : {}) })
    .setProtectedHeader({ typ: "openid4vci-proof+jwt", alg: "ES256", ...(byDid ? { kid: `${didJwk(key)}#0` } : { jwk: publicPart(key) }) })
    .sign(await importJWK(key, "ES256"));
}

export interface Outcome {
  received: Received[];
  deferred: Deferred | undefined;
  notificationId: string | undefined;
}

/** Asks for one kind of paper, in as many copies as the issuer lets, each for a new key. */
export async function receive(issuer: Issuer, how: Configuration, permission: Token, clientId?: string): Promise<Outcome> {
  const keys = await Promise.all(Array.from({ length: issuer.batchSize }, newHolderKey));
  const identifier = permission.identifiers[how.id]?.[0];
  for (let attempt = 0; ; attempt += 1) {
    const nonce = await nonceOf(issuer);
    const jwt = await Promise.all(keys.map((key) => proof(key, issuer, how, nonce, clientId)));
    const answer = await posted(issuer.credentialEndpoint, permission, { ...(identifier ? { credential_identifier: identifier } : { credential_configuration_id: how.id }), proofs: { jwt } });
    if (answer.status === 200 || answer.status === 202) return outcome(answer, keys, permission);
    const trouble = refused(answer, "the paper");
    // A nonce may have run out between two requests; once is bad luck, twice a fault.
    if (trouble.code !== "issuer.invalid-nonce" || attempt > 0) throw trouble;
  }
}

const posted = (endpoint: string, permission: Token, body: JsonObject): Promise<Answer> =>
  request(endpoint, "the paper", { method: "POST", headers: { "content-type": "application/json", accept: "application/json", authorization: `Bearer ${permission.accessToken}` }, body: JSON.stringify(body) });

function outcome(answer: Answer, keys: JWK[], permission: Token): Outcome {
  const body = jsonOf(answer, "the paper");
  const transactionId = text(body["transaction_id"]);
  if (transactionId) {
    const interval = body["interval"];
    return { received: [], deferred: { transactionId, keys, token: permission, intervalSeconds: typeof interval === "number" ? interval : 5 }, notificationId: undefined };
  }
  const credentials = list(body["credentials"]).map((entry) => (isObject(entry) ? text(entry["credential"]) : undefined));
  if (credentials.length === 0 || credentials.length > keys.length || credentials.some((credential) => !credential)) throw new Trouble("issuer.answer", "The issuer's answer holds no paper.", "Ask the issuer.");
  return { received: credentials.map((credential) => ({ credential: credential as string, key: keyFor(credential as string, keys) })), deferred: undefined, notificationId: text(body["notification_id"]) };
}

/** Copies come in any order: each belongs to the key it names, or to none of ours, which the checks then say. */
function keyFor(credential: string, keys: JWK[]): JWK {
  try {
    const payload = parseJson(new TextDecoder().decode(fromBase64Url(credential.split(".")[1] ?? "")));
    const jwk = isObject(payload) && isObject(payload["cnf"]) && isObject(payload["cnf"]["jwk"]) ? payload["cnf"]["jwk"] : {};
    return keys.find(({ x, y }) => x === jwk["x"] && y === jwk["y"]) ?? (keys[0] as JWK);
  } catch {
    return keys[0] as JWK;
  }
}

export async function askAgain(issuer: Issuer, deferred: Deferred): Promise<Outcome> {
  if (!issuer.deferredEndpoint) throw new Trouble("issuer.incomplete", "The issuer does not say where to ask again.", "Ask the issuer.");
  const answer = await posted(issuer.deferredEndpoint, deferred.token, { transaction_id: deferred.transactionId });
  if (answer.status === 200 || answer.status === 202) return outcome(answer, deferred.keys, deferred.token);
  throw refused(answer, "the paper");
}

/** Tells the issuer what became of the paper, if it wants to know; the paper does not depend on it. */
export async function notify(issuer: Issuer, permission: Token, notificationId: string | undefined, event: "credential_accepted" | "credential_deleted" | "credential_failure"): Promise<void> {
  if (!issuer.notificationEndpoint || !notificationId) return;
  await posted(issuer.notificationEndpoint, permission, { notification_id: notificationId, event }).catch(() => undefined);
}
