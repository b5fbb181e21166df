// An issuer for the tests that speaks OpenID4VCI 1.0 and issues with @sd-jwt/sd-jwt-vc: none of it is
// the wallet's own code. Its persons and offices are fictional.

import { createHash, randomBytes } from "node:crypto";
import { deflateSync } from "node:zlib";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { type CryptoKey, type JWK, CompactSign, SignJWT, calculateJwkThumbprint, decodeProtectedHeader, exportJWK, generateKeyPair, importJWK, jwtVerify } from "jose";
import type { Reports, TestLedger } from "./wallet-ledger";
import type { Reply, Request } from "./wallet-services";

export const sha256 = (data: string | ArrayBuffer): Uint8Array => new Uint8Array(createHash("sha256").update(typeof data === "string" ? data : Buffer.from(data)).digest());
const PRE_AUTHORISED = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

export const DIPLOMA = {
  given_name: "Fictional Ada",
  family_name: "Fictional Bell",
  birthdate: "1999-04-05",
  degree: "Master of Science in Geology",
  final_grade: "1.3",
  ects: 120,
  address: { locality: "Fictionville", country: "AT" },
};

/** What an offer's paper shall be wrong in. */
export type Fault = "altered-disclosure" | "wrong-holder" | "expired" | "not-yet-valid" | "other-signature" | "alg-none" | "revoked" | "disclosure-repeated";

interface OfferState {
  id: string;
  code: string;
  txCode: string | undefined;
  fault: Fault | undefined;
  deferred: boolean;
  /** The nonce that its first proof carries is not accepted. */
  staleNonceOnce: boolean;
  flow: "pre-authorised" | "code";
  kind: "diploma" | "library-card";
  used: boolean;
  issuerState: string;
}

export class TestIssuer {
  readonly events: string[] = [];
  readonly proofKeys: string[] = [];
  statusListFetches = 0;
  readonly proofFetches: string[] = [];
  /** Commits to what it signs at once, with what the receipt says of its key; else when `commit` is called. */
  commitsAtOnce: Reports | undefined;
  private key!: CryptoKey;
  publicJwk!: JWK;
  private offers = new Map<string, OfferState>();
  private tokens = new Map<string, OfferState>();
  private nonces = new Set<string>();
  private codes = new Map<string, { offer: OfferState; challenge: string; redirectUri: string; clientId: string }>();
  private waiting = new Map<string, { offer: OfferState; jwks: JWK[]; ready: boolean }>();
  private revoked = new Set<number>();
  private nextIndex = 40;
  /** Signed and not committed to yet, by kind of paper. */
  private uncommitted: { kind: string; jwt: string }[] = [];

  constructor(
    readonly origin: string,
    readonly path: string,
    readonly name: string,
    /** Whether the issuer's site answers for its keys. */
    readonly keysPublished = true,
    readonly batchSize = 2,
    /** An Ed25519 issuer signs as a did:key, any other as its site. */
    readonly alg: "ES256" | "EdDSA" = "ES256",
    /** The network on which it is a party, and commits to what it issues. */
    readonly ledger?: TestLedger,
  ) {}

  get id(): string {
    return this.origin + this.path;
  }

  /** What its papers name as their issuer. */
  get signsAs(): string {
    if (this.ledger) return this.ledger.did(this.publicJwk);
    if (this.alg === "ES256") return this.id;
    return `did:key:z${base58(Buffer.concat([Buffer.from([0xed, 0x01]), Buffer.from(this.publicJwk.x as string, "base64url")]))}`;
  }

  async start(): Promise<this> {
    const { publicKey, privateKey } = await generateKeyPair(this.alg, { extractable: true });
    this.key = privateKey;
    const jwk = await exportJWK(publicKey);
    this.publicJwk = { ...jwk, alg: this.alg, use: "sig", kid: await calculateJwkThumbprint(jwk) };
    return this;
  }

  offer(options: Partial<Pick<OfferState, "txCode" | "fault" | "deferred" | "staleNonceOnce" | "flow" | "kind">> = {}): { link: string; offer: object; deepLink: string } {
    const state: OfferState = { txCode: undefined, fault: undefined, deferred: false, staleNonceOnce: false, flow: "pre-authorised", kind: "diploma", ...options, id: random(), code: random(), used: false, issuerState: random() };
    this.offers.set(state.id, state);
    const uri = `${this.id}/offers/${state.id}`;
    return { offer: this.offerObject(state), deepLink: `openid-credential-offer://?credential_offer_uri=${encodeURIComponent(uri)}`, link: `./wallet#/offer?credential_offer_uri=${encodeURIComponent(uri)}` };
  }

  private offerObject(state: OfferState): object {
    const grants =
      state.flow === "code"
        ? { authorization_code: { issuer_state: state.issuerState } }
        : { [PRE_AUTHORISED]: { "pre-authorized_code": state.code, ...(state.txCode ? { tx_code: { input_mode: "numeric", length: state.txCode.length, description: "The number from the letter of the Fictional University." } } : {}) } };
    return { credential_issuer: this.id, credential_configuration_ids: [state.kind], grants };
  }

  /** A deferred paper can be fetched from now on. */
  finish(): void {
    for (const entry of this.waiting.values()) entry.ready = true;
  }

  async handle(request: Request): Promise<Reply | undefined> {
    const { path, method } = request;
    const wellKnown = (name: string) => path === `/.well-known/${name}${this.path}`;
    if (wellKnown("openid-credential-issuer")) return json(this.metadata());
    if (wellKnown("oauth-authorization-server")) return json({ issuer: this.id, token_endpoint: `${this.id}/token`, authorization_endpoint: `${this.id}/authorize`, code_challenge_methods_supported: ["S256"], "pre-authorized_grant_anonymous_access_supported": true });
    if (wellKnown("jwt-vc-issuer")) return this.keysPublished ? json({ issuer: this.id, jwks: { keys: [this.publicJwk] } }) : json({ error: "not_found" }, 404);
    if (this.ledger && path === "/v1/network") return json(this.ledger.shown);
    if (this.ledger && path === `/1.0/identifiers/${this.signsAs}`) return json({ didDocument: this.document() });
    if (!path.startsWith(`${this.path}/`)) return undefined;
    const [what = "", id = ""] = path.slice(this.path.length + 1).split("/");
    if (what === "offers" && this.offers.has(id)) return json(this.offerObject(this.offers.get(id) as OfferState));
    if (what === "status") return this.statusList();
    if (what === "proofs") return this.proof(id);
    if (what === "authorize") return this.signIn(request);
    if (method !== "POST") return json({ error: "not_found" }, 404);
    if (what === "token") return this.token(new URLSearchParams(request.body));
    if (what === "nonce") {
      const nonce = random();
      this.nonces.add(nonce);
      return json({ c_nonce: nonce });
    }
    const offer = this.tokens.get(String(request.headers["authorization"]).replace("Bearer ", ""));
    if (!offer) return json({ error: "invalid_token" }, 401);
    const body = JSON.parse(request.body) as Record<string, unknown>;
    if (what === "credential") return this.credential(offer, body);
    if (what === "deferred") return this.deferred(String(body["transaction_id"]));
    if (what === "notification") {
      this.events.push(String(body["event"]));
      return { status: 204, type: "application/json", body: "" };
    }
    return json({ error: "not_found" }, 404);
  }

  /** Commits to all that it signed since the last time. */
  commit(reports: Reports = "none"): void {
    for (const kind of new Set(this.uncommitted.map((one) => one.kind))) {
      const jwts = this.uncommitted.filter((one) => one.kind === kind).map(({ jwt }) => jwt);
      this.ledger?.commit(jwts, this.publicJwk, this.vct(kind), reports);
    }
    this.uncommitted = [];
  }

  private proof(name: string): Reply {
    this.proofFetches.push(name);
    const proof = this.ledger?.proofs.get(name);
    return proof ? { status: 200, type: "application/vnd.stele.issuance-proof+cbor", body: proof } : json({ error: "not_found" }, 404);
  }

  private document(): object {
    const id = `${this.signsAs}#${this.publicJwk.kid}`;
    return { id: this.signsAs, verificationMethod: [{ id, type: "JsonWebKey", controller: this.signsAs, publicKeyJwk: this.publicJwk }] };
  }

  private metadata(): object {
    const claim = (path: string[], name: string) => ({ path, display: [{ name, locale: "en" }] });
    const configuration = (kind: string, name: string) => ({
      format: "dc+sd-jwt",
      scope: kind,
      vct: this.vct(kind),
      cryptographic_binding_methods_supported: ["jwk"],
      credential_signing_alg_values_supported: ["ES256"],
      proof_types_supported: { jwt: { proof_signing_alg_values_supported: ["ES256"] } },
      credential_metadata: { display: [{ name, locale: "en" }], claims: [claim(["given_name"], "Given name"), claim(["family_name"], "Family name"), claim(["final_grade"], "Final grade"), claim(["ects"], "ECTS points"), claim(["degree"], "Degree"), claim(["birthdate"], "Date of birth"), claim(["address", "locality"], "Town"), claim(["address", "country"], "Country")] },
    });
    return {
      credential_issuer: this.id,
      credential_endpoint: `${this.id}/credential`,
      nonce_endpoint: `${this.id}/nonce`,
      deferred_credential_endpoint: `${this.id}/deferred`,
      notification_endpoint: `${this.id}/notification`,
      batch_credential_issuance: { batch_size: this.batchSize },
      ...(this.ledger ? { stele_issuance_proofs: `${this.id}/proofs` } : {}),
      display: [{ name: this.name, locale: "en" }],
      credential_configurations_supported: { diploma: configuration("diploma", "Fictional diploma"), "library-card": configuration("library-card", "Fictional library card") },
    };
  }

  vct(kind: string): string {
    return `${this.id}/kinds/${kind}`;
  }

  private signIn({ query }: Request): Reply {
    const offer = [...this.offers.values()].find(({ issuerState }) => issuerState === query.get("issuer_state"));
    if (!offer || query.get("response_type") !== "code" || query.get("code_challenge_method") !== "S256" || query.get("scope") !== offer.kind) return { status: 400, type: "text/plain", body: "a wrong request" };
    const code = random();
    this.codes.set(code, { offer, challenge: query.get("code_challenge") ?? "", redirectUri: query.get("redirect_uri") ?? "", clientId: query.get("client_id") ?? "" });
    const back = new URL(query.get("redirect_uri") ?? "");
    back.search = new URLSearchParams({ code, state: query.get("state") ?? "", iss: this.id }).toString();
    return page("Fictional University, sign in", `<p><a href="${back.href.replaceAll("&", "&amp;")}">Sign in as Fictional Ada</a></p>`);
  }

  private token(body: URLSearchParams): Reply {
    let offer: OfferState | undefined;
    if (body.get("grant_type") === PRE_AUTHORISED) {
      offer = [...this.offers.values()].find(({ code, used }) => code === body.get("pre-authorized_code") && !used);
      if (!offer || (offer.txCode ?? null) !== body.get("tx_code")) return json({ error: "invalid_grant", error_description: "The code is not right." }, 400);
    } else {
      const grant = this.codes.get(body.get("code") ?? "");
      this.codes.delete(body.get("code") ?? "");
      const fits = grant && Buffer.from(sha256(body.get("code_verifier") ?? "")).toString("base64url") === grant.challenge && body.get("redirect_uri") === grant.redirectUri && body.get("client_id") === grant.clientId;
      if (!fits) return json({ error: "invalid_grant" }, 400);
      offer = grant.offer;
    }
    offer.used = true;
    const token = random();
    this.tokens.set(token, offer);
    return json({ access_token: token, token_type: "Bearer", expires_in: 300 });
  }

  private async credential(offer: OfferState, body: Record<string, unknown>): Promise<Reply> {
    if (body["credential_configuration_id"] !== offer.kind) return json({ error: "unknown_credential_configuration" }, 400);
    const proofs = (body["proofs"] as { jwt?: string[] } | undefined)?.jwt ?? [];
    if (proofs.length === 0 || proofs.length > this.batchSize) return json({ error: "invalid_proof" }, 400);
    const nonces = new Set<string>();
    const jwks: JWK[] = [];
    for (const proof of proofs) {
      const { jwk, typ } = decodeProtectedHeader(proof);
      if (!jwk || typ !== "openid4vci-proof+jwt") return json({ error: "invalid_proof" }, 400);
      const { payload } = await jwtVerify(proof, await importJWK(jwk as JWK, "ES256"), { audience: this.id });
      nonces.add(String(payload["nonce"]));
      jwks.push(jwk as JWK);
      this.proofKeys.push(String((jwk as JWK).x));
    }
    const [nonce = ""] = nonces;
    const known = nonces.size === 1 && this.nonces.delete(nonce);
    if (!known || offer.staleNonceOnce) {
      offer.staleNonceOnce = false;
      return json({ error: "invalid_nonce" }, 400);
    }
    if (offer.deferred) {
      const id = random();
      this.waiting.set(id, { offer, jwks, ready: false });
      return json({ transaction_id: id, interval: 1 }, 202);
    }
    return this.issued(offer, jwks);
  }

  private deferred(id: string): Reply | Promise<Reply> {
    const waiting = this.waiting.get(id);
    if (!waiting) return json({ error: "invalid_transaction_id" }, 400);
    if (!waiting.ready) return json({ transaction_id: id, interval: 1 }, 202);
    this.waiting.delete(id);
    return this.issued(waiting.offer, waiting.jwks);
  }

  private async issued(offer: OfferState, jwks: JWK[]): Promise<Reply> {
    const credentials = await Promise.all(jwks.map(async (jwk) => ({ credential: await this.issue(offer, jwk) })));
    for (const { credential } of credentials) this.uncommitted.push({ kind: offer.kind, jwt: credential.split("~", 1)[0] as string });
    if (this.commitsAtOnce) this.commit(this.commitsAtOnce);
    return json({ credentials, notification_id: random() });
  }

  private async issue({ fault, kind }: OfferState, holder: JWK): Promise<string> {
    const signer = fault === "other-signature" ? (await generateKeyPair(this.alg)).privateKey : this.key;
    const vc = instance({ signer: rawSigner(signer), signAlg: this.alg });
    const now = Math.floor(Date.now() / 1000);
    const index = this.nextIndex++;
    if (fault === "revoked") this.revoked.add(index);
    const bound = fault === "wrong-holder" ? await exportJWK((await generateKeyPair("ES256", { extractable: true })).publicKey) : holder;
    const contents = kind === "diploma" ? DIPLOMA : { given_name: DIPLOMA.given_name, card_number: "L-0042" };
    const payload = {
      iss: this.signsAs,
      vct: this.vct(kind),
      iat: fault === "expired" ? now - 7200 : now,
      ...(fault === "not-yet-valid" ? { nbf: now + 86_400 } : {}),
      exp: fault === "expired" ? now - 3600 : now + 365 * 86_400,
      cnf: { jwk: bound },
      status: { status_list: { idx: index, uri: `${this.id}/status` } },
      ...contents,
    };
    const frame = kind === "diploma" ? { _sd: ["given_name", "family_name", "birthdate", "degree", "final_grade", "ects", "address"], address: { _sd: ["locality", "country"] } } : { _sd: ["given_name", "card_number"] };
    const issued = await vc.issue(payload as never, frame as never, { header: { kid: this.publicJwk.kid } });
    return damaged(issued, fault);
  }

  private async statusList(): Promise<Reply> {
    this.statusListFetches += 1;
    const bytes = Buffer.alloc(128);
    for (const index of this.revoked) bytes[index >> 3] = (bytes[index >> 3] as number) | (1 << (index & 7));
    const jwt = await new SignJWT({ sub: `${this.id}/status`, iat: Math.floor(Date.now() / 1000), ttl: 3600, status_list: { bits: 1, lst: deflateSync(bytes).toString("base64url") } }).setProtectedHeader({ alg: this.alg, typ: "statuslist+jwt", kid: this.publicJwk.kid as string }).sign(this.key);
    return { status: 200, type: "application/statuslist+jwt", body: jwt };
  }
}

function damaged(issued: string, fault: Fault | undefined): string {
  const [jwt = "", ...disclosures] = issued.split("~").filter(Boolean);
  if (fault === "altered-disclosure") {
    const altered = disclosures.map((disclosure) => {
      const value = JSON.parse(Buffer.from(disclosure, "base64url").toString()) as unknown[];
      return value[1] === "final_grade" ? Buffer.from(JSON.stringify([value[0], "final_grade", "1.0"])).toString("base64url") : disclosure;
    });
    return [jwt, ...altered, ""].join("~");
  }
  if (fault === "disclosure-repeated") return [jwt, ...disclosures, disclosures[0], ""].join("~");
  if (fault === "alg-none") {
    const [header = "", payload = ""] = jwt.split(".");
    const none = { ...(JSON.parse(Buffer.from(header, "base64url").toString()) as object), alg: "none" };
    return [`${Buffer.from(JSON.stringify(none)).toString("base64url")}.${payload}.`, ...disclosures, ""].join("~");
  }
  return issued;
}

export const rawSigner = (key: CryptoKey) => async (data: string) => {
  // jose signs header.payload; the library hands over exactly that text.
  const [header = "", payload = ""] = data.split(".");
  const jws = await new CompactSign(Buffer.from(payload, "base64url")).setProtectedHeader(JSON.parse(Buffer.from(header, "base64url").toString()) as { alg: string }).sign(key);
  if (!jws.startsWith(`${header}.${payload}.`)) throw new Error("the header changed on its way");
  return jws.split(".")[2] as string;
};

export const instance = (more: ConstructorParameters<typeof SDJwtVcInstance>[0]) => new SDJwtVcInstance({ hasher: sha256, hashAlg: "sha-256", saltGenerator: () => random(), signAlg: "ES256", ...more });

function base58(bytes: Buffer): string {
  const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  let number = BigInt(`0x${bytes.toString("hex")}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = (alphabet[Number(number % 58n)] as string) + text;
  return text;
}

export const random = (): string => randomBytes(16).toString("base64url");
export const json = (value: unknown, status = 200): Reply => ({ status, type: "application/json", body: JSON.stringify(value) });
export const page = (title: string, body: string): Reply => ({ status: 200, type: "text/html; charset=utf-8", body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title></head><body><main><h1>${title}</h1>${body}</main></body></html>` });
