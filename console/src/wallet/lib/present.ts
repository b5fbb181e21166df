// Presenting by OpenID4VP 1.0: the request and who signed it, and the answer by direct_post or direct_post.jwt.

import { CompactEncrypt, importJWK, type JWK } from "jose";
import { type Json, type JsonObject, isObject, list, parseJson, random, sha256, text, toBase64Url, utf8 } from "./bytes";
import { certificate } from "./certificate";
import { ALGORITHMS, CLOCK_SECONDS_MAX, type Check, verifyJws } from "./check";
import { type Query, readQuery } from "./dcql";
import { keyOfDid } from "./did";
import { address, form, jsonOf, request } from "./net";
import { queryOf } from "./offer";
import { readJwt } from "./sdjwt";
import { Trouble } from "./trouble";

export interface PresentationRequest {
  clientId: string;
  /** What the verifier calls itself: nobody vouches for it. */
  calledName: string | undefined;
  purpose: string | undefined;
  /** Who asks, and how far that was checked. */
  who: Check;
  nonce: string;
  state: string | undefined;
  responseUri: string;
  encrypted: { key: JWK; enc: string } | undefined;
  query: Query;
}

const fault = (code: string, sentence: string) => new Trouble(code, sentence, "Nothing was sent. Ask the office for a new link or code.");
const SELF_ISSUED = "https://self-issued.me/v2";

/** Reads `openid4vp://?…` or a link to this wallet; fetches and checks the signed request. */
export async function readRequest(link: string, nowSeconds: number): Promise<PresentationRequest> {
  const query = queryOf(link.trim());
  const clientId = query.get("client_id");
  if (!clientId) throw fault("request.malformed", "This is not a request that the wallet can read (it has no client_id).");
  const uri = query.get("request_uri");
  const inline = query.get("request");
  if (!uri && !inline) return unsigned(query, clientId);
  let jwt = inline ?? "";
  let walletNonce: string | undefined;
  if (uri) {
    const post = query.get("request_uri_method") === "post";
    walletNonce = post ? toBase64Url(random(16)) : undefined;
    const accept = { accept: "application/oauth-authz-req+jwt" };
    const answer = await request(uri, "the request", post ? { method: "POST", headers: accept, body: form({ wallet_nonce: walletNonce }) } : { headers: accept });
    if (answer.status !== 200) throw fault("request.gone", `The verifier no longer has this request (HTTP ${answer.status}).`);
    jwt = answer.body.trim();
  }
  const { header, payload } = readJwt(jwt, "request.malformed", "The request of the verifier cannot be read.");
  if (header["typ"] !== "oauth-authz-req+jwt") throw fault("request.typ", "The signed text of the verifier is not a request.");
  if (payload["client_id"] !== clientId) throw fault("request.client", "The request names another verifier than the link.");
  const audience = list(Array.isArray(payload["aud"]) ? payload["aud"] : [payload["aud"] ?? null]);
  if (!audience.includes(SELF_ISSUED)) throw fault("request.audience", "The request was made for another wallet.");
  if (walletNonce && payload["wallet_nonce"] !== walletNonce) throw fault("request.wallet-nonce", "The verifier's request was not made for this occasion.");
  if (typeof payload["exp"] === "number" && payload["exp"] < nowSeconds - CLOCK_SECONDS_MAX) throw fault("request.expired", "The request of the verifier has expired.");
  return build(clientId, payload, await whoSigned(clientId, jwt, header, payload, nowSeconds));
}

async function unsigned(query: URLSearchParams, clientId: string): Promise<PresentationRequest> {
  const payload: JsonObject = {};
  for (const [name, value] of query) {
    try {
      payload[name] = name === "dcql_query" || name === "client_metadata" ? parseJson(value) : value;
    } catch {
      throw fault("request.malformed", "The request of the verifier cannot be read.");
    }
  }
  // Only this prefix may come unsigned (OpenID4VP 1.0, section 5.9.3), and only for its own address.
  if (clientId !== `redirect_uri:${String(payload["response_uri"])}`) throw fault("request.unsigned", "The request is not signed, so nobody can say who asks.");
  const host = new URL(address(String(payload["response_uri"]), "the verifier")).host;
  return build(clientId, payload, { name: "Who asks", state: "unchecked", text: `Not signed. The answer would go to ${host}.` });
}

/** Checks the signature by the kind of client_id (OpenID4VP 1.0, section 5.9.3). */
async function whoSigned(clientId: string, jwt: string, header: JsonObject, payload: JsonObject, nowSeconds: number): Promise<Check> {
  const name = "Who asks";
  const host = address(String(payload["response_uri"]), "the verifier").host;
  const [prefix, ...rest] = clientId.split(":");
  const id = rest.join(":");
  if (prefix === "decentralized_identifier" || prefix === "did") {
    const did = prefix === "did" ? clientId : id;
    const { jwk, source } = await keyOfDid(did, text(header["kid"]), text(header["alg"]) ?? "");
    await verifyJws(jwt, jwk, "request");
    if (source === "self") return { name, state: "verified", text: `Signed by the key ${short(did)}. The key is part of that name; who stands behind it could not be checked. The answer goes to ${host}.` };
    return { name, state: source === "site" ? "verified" : "reported", text: source === "site" ? `Signed with the key that ${did} lists on its own site. The answer goes to ${host}.` : `Signed with the key that this node reports for ${did}. The answer goes to ${host}.` };
  }
  if (prefix === "x509_san_dns" || prefix === "x509_hash") {
    const { jwk, names, der } = certificate(list(header["x5c"])[0], nowSeconds);
    await verifyJws(jwt, jwk, "request");
    if (prefix === "x509_hash" && toBase64Url(await sha256(der)) !== id) throw fault("request.client", "The certificate of the request is another one than the verifier's name says.");
    if (prefix === "x509_san_dns" && (!names.includes(id) || address(String(payload["response_uri"]), "the verifier").hostname !== id)) throw fault("request.client", `The certificate of the request is not one for ${id}, or the answer would go elsewhere.`);
    return { name, state: "reported", text: `Signed with the certificate that it sent along${names[0] ? `, for ${names.join(", ")}` : ""}. Who vouches for the certificate could not be checked. The answer goes to ${host}.` };
  }
  if (prefix === "redirect_uri") throw fault("request.client", "A verifier of this kind must not sign, and this one did.");
  if (!ALGORITHMS.includes(String(header["alg"]))) throw fault("request.alg", "The request carries no signature that the wallet takes.");
  return { name, state: "unchecked", text: `It calls itself ${clientId.slice(0, 80)}. Its signature could not be checked, as its key is not known here. The answer goes to ${host}.` };
}

const short = (did: string): string => (did.length > 40 ? `${did.slice(0, 28)}…${did.slice(-8)}` : did);

function build(clientId: string, payload: JsonObject, who: Check): PresentationRequest {
  const refuse = (what: string) => fault("request.unsupported", `The request asks for something that the wallet does not do (${what}).`);
  const nonce = text(payload["nonce"]);
  const responseUri = text(payload["response_uri"]);
  const mode = payload["response_mode"];
  if (payload["response_type"] !== "vp_token") throw refuse(`response_type ${String(payload["response_type"]).slice(0, 40)}`);
  if (mode !== "direct_post" && mode !== "direct_post.jwt") throw refuse(`response_mode ${String(mode).slice(0, 40)}`);
  if (!nonce || nonce.length > 512) throw fault("request.nonce", "The request has no nonce, so an answer could be used a second time.");
  if (!responseUri) throw fault("request.malformed", "The request does not say where the answer goes.");
  if (payload["redirect_uri"] !== undefined) throw fault("request.malformed", "The request names two places for the answer.");
  if (payload["transaction_data"] !== undefined) throw refuse("transaction_data");
  address(responseUri, "the verifier");
  const about = isObject(payload["client_metadata"]) ? payload["client_metadata"] : {};
  return {
    clientId,
    calledName: text(about["client_name"])?.slice(0, 120),
    purpose: text(payload["purpose"])?.slice(0, 300) ?? text(about["purpose"])?.slice(0, 300),
    who,
    nonce,
    state: text(payload["state"]),
    responseUri,
    encrypted: mode === "direct_post.jwt" ? encryption(about) : undefined,
    query: readQuery(payload["dcql_query"]),
  };
}

function encryption(about: JsonObject): { key: JWK; enc: string } {
  const keys = list(isObject(about["jwks"]) ? about["jwks"]["keys"] : []).filter(isObject) as JWK[];
  const key = keys.find(({ kty, crv, use, alg }) => kty === "EC" && (crv === "P-256" || crv === "P-384") && (use ?? "enc") === "enc" && (alg ?? "ECDH-ES") === "ECDH-ES");
  const offered = list(about["encrypted_response_enc_values_supported"]).map(String);
  const enc = ["A256GCM", "A128GCM"].find((value) => (offered.length > 0 ? offered.includes(value) : value === "A128GCM"));
  if (!key || !enc) throw fault("request.encryption", "The verifier asks for an encrypted answer but gives no key that the wallet can encrypt to.");
  return { key, enc };
}

/** What the verifier answers: where to go on, if it says so. */
export interface Delivered {
  goOn: string | undefined;
}

export async function answer(asked: PresentationRequest, tokens: Record<string, string[]>): Promise<Delivered> {
  if (!asked.encrypted) return deliver(asked, { vp_token: JSON.stringify(tokens), state: asked.state });
  const body: JsonObject = { vp_token: tokens as unknown as Json, ...(asked.state ? { state: asked.state } : {}) };
  const { key, enc } = asked.encrypted;
  const sealed = await new CompactEncrypt(utf8(JSON.stringify(body)))
    .setProtectedHeader({ alg: "ECDH-ES", enc, ...(key.kid ? { kid: key.kid } : {}) })
    .setKeyManagementParameters({ apv: utf8(asked.nonce) })
    .encrypt(await importJWK(key, "ECDH-ES"));
  return deliver(asked, { response: sealed });
}

/** Tells the verifier that the holder declined, or that the wallet has nothing fitting: nothing else. */
export const decline = (asked: PresentationRequest): Promise<Delivered> =>
  deliver(asked, { error: "access_denied", error_description: "The holder declined.", state: asked.state });

async function deliver(asked: PresentationRequest, values: Record<string, string | undefined>): Promise<Delivered> {
  const reply = await request(asked.responseUri, "the verifier", { method: "POST", body: form(values), headers: { accept: "application/json" } });
  if (reply.status !== 200) {
    let said: string | undefined;
    try {
      const body = jsonOf(reply, "the verifier");
      said = text(body["error_description"]) ?? text(body["detail"]) ?? text(body["error"]);
    } catch {
      // The status code has to do.
    }
    throw new Trouble("verifier.refused", `The verifier did not accept the answer (HTTP ${reply.status})${said ? `. It says: ${said.slice(0, 300)}` : "."}`, "Ask the verifier for a new request.");
  }
  const go = reply.body.trim() ? text(jsonOf(reply, "the verifier")["redirect_uri"]) : undefined;
  return { goOn: go ? address(go, "the verifier's page").href : undefined };
}

