// A verifier for the tests that speaks OpenID4VP 1.0 and verifies with @sd-jwt/sd-jwt-vc and jose: none
// of it is the wallet's own code.

import { createHash } from "node:crypto";
import { type CryptoKey, type JWK, SignJWT, compactDecrypt, exportJWK, generateKeyPair, importJWK, jwtVerify } from "jose";
import { certificateFor } from "./wallet-certificate";
import { type TestIssuer, instance, json, page, random } from "./wallet-issuer";
import type { Reply, Request } from "./wallet-services";

type Fault = "other-signature" | "other-client" | "no-nonce" | "expired-request" | "wrong-audience";
export interface Ask {
  dcql: object;
  mode: "direct_post" | "direct_post.jwt";
  purpose?: string;
  fault?: Fault;
  method?: "post";
  /** How the verifier names itself; by its DID if nothing is said. */
  as?: "x509_san_dns:localhost" | "x509_san_dns:other.example" | "x509_hash" | "https://unknown-verifier.example";
  /** What the verifier believes it asked with, where a test replays an answer. */
  expectedNonce?: string;
}
export interface Transaction extends Ask {
  id: string;
  nonce: string;
  state: string;
  /** Claims by query, after verification. */
  shown?: Record<string, Record<string, unknown>>;
  error?: string;
  refusal?: string;
  /** As it came, for replays. */
  raw?: string;
}

export class TestVerifier {
  readonly transactions = new Map<string, Transaction>();
  clientId!: string;
  /** A certificate for this verifier's host and key, as it stands in `x5c`. */
  certificate!: string;
  private key!: CryptoKey;
  private encryption!: { publicKey: CryptoKey; privateKey: CryptoKey };

  constructor(
    readonly origin: string,
    readonly path: string,
    readonly issuers: TestIssuer[],
  ) {}

  async start(): Promise<this> {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    this.key = privateKey;
    const { kty, crv, x, y } = await exportJWK(publicKey);
    this.clientId = `decentralized_identifier:did:jwk:${Buffer.from(JSON.stringify({ kty, crv, x, y })).toString("base64url")}`;
    this.certificate = certificateFor("localhost", publicKey, privateKey);
    this.encryption = await generateKeyPair("ECDH-ES", { crv: "P-256", extractable: true });
    return this;
  }

  ask(ask: Ask): { transaction: Transaction; link: string; start: string } {
    const transaction: Transaction = { ...ask, id: random(), nonce: random(), state: random() };
    this.transactions.set(transaction.id, transaction);
    return { transaction, link: this.link(transaction), start: `.${this.path}/start/${transaction.id}` };
  }

  nameFor({ as }: Ask): string {
    if (as === "x509_hash") return `x509_hash:${createHash("sha256").update(Buffer.from(this.certificate, "base64")).digest("base64url")}`;
    return as ?? this.clientId;
  }

  private link({ id, method, as }: Transaction): string {
    return `./wallet#/present?${new URLSearchParams({ client_id: this.nameFor({ as } as Ask), request_uri: `${this.origin}${this.path}/request/${id}`, ...(method ? { request_uri_method: method } : {}) })}`;
  }

  async handle(request: Request): Promise<Reply | undefined> {
    if (!request.path.startsWith(`${this.path}/`)) return undefined;
    const [what = "", id = ""] = request.path.slice(this.path.length + 1).split("/");
    const transaction = this.transactions.get(id);
    if (!transaction) return json({ error: "not_found" }, 404);
    if (what === "start") return page("Fictional Employer", `<p>Apply with your diploma.</p><p><a href="${new URL(this.link(transaction), this.origin).href.replaceAll("&", "&amp;")}">Open my wallet</a></p>`);
    if (what === "request") return this.request(transaction, new URLSearchParams(request.body).get("wallet_nonce"));
    if (what === "response" && request.method === "POST") return this.response(transaction, request.body);
    if (what === "done") return page("Fictional Employer", `<h2>Received</h2><dl>${Object.values(transaction.shown ?? {}).flatMap(Object.entries).filter(([name]) => !["iss", "vct", "iat", "exp", "cnf", "status"].includes(name)).sort().map(([name, value]) => `<dt>${name}</dt><dd>${typeof value === "string" ? value : JSON.stringify(value)}</dd>`).join("")}</dl>`);
    return json({ error: "not_found" }, 404);
  }

  private async request(transaction: Transaction, walletNonce: string | null): Promise<Reply> {
    const now = Math.floor(Date.now() / 1000);
    const { fault } = transaction;
    const key = { ...(await exportJWK(this.encryption.publicKey)), use: "enc", alg: "ECDH-ES", kid: "enc-1" } satisfies JWK;
    const payload = {
      iss: this.nameFor(transaction),
      aud: fault === "wrong-audience" ? "https://other-wallet.example" : "https://self-issued.me/v2",
      client_id: fault === "other-client" ? "decentralized_identifier:did:jwk:e30" : this.nameFor(transaction),
      response_type: "vp_token",
      response_mode: transaction.mode,
      response_uri: `${this.origin}${this.path}/response/${transaction.id}`,
      ...(fault === "no-nonce" ? {} : { nonce: transaction.nonce }),
      state: transaction.state,
      dcql_query: transaction.dcql,
      client_metadata: { client_name: "Fictional Employer", vp_formats_supported: { "dc+sd-jwt": { "sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"] } }, jwks: { keys: [key] }, encrypted_response_enc_values_supported: ["A256GCM"] },
      ...(transaction.purpose ? { purpose: transaction.purpose } : {}),
      ...(walletNonce ? { wallet_nonce: walletNonce } : {}),
      iat: now,
      exp: fault === "expired-request" ? now - 3600 : now + 300,
    };
    const signer = fault === "other-signature" ? (await generateKeyPair("ES256")).privateKey : this.key;
    const jwt = await new SignJWT(payload).setProtectedHeader({ alg: "ES256", typ: "oauth-authz-req+jwt", ...(transaction.as ? { x5c: [this.certificate] } : { kid: `${this.clientId.replace("decentralized_identifier:", "")}#0` }) }).sign(signer);
    return { status: 200, type: "application/oauth-authz-req+jwt", body: jwt };
  }

  async response(transaction: Transaction, body: string): Promise<Reply> {
    transaction.raw = body;
    const form = new URLSearchParams(body);
    if (form.has("error")) {
      transaction.error = form.get("error") ?? "";
      return form.get("state") === transaction.state ? json({}) : json({ error: "wrong_state" }, 400);
    }
    let state = form.get("state");
    let tokens: Record<string, string[]>;
    try {
      if (transaction.mode === "direct_post.jwt") {
        const { plaintext, protectedHeader } = await compactDecrypt(form.get("response") ?? "", this.encryption.privateKey);
        if (protectedHeader.alg !== "ECDH-ES" || protectedHeader.enc !== "A256GCM" || protectedHeader.kid !== "enc-1") throw new Error("not encrypted as asked");
        const inner = JSON.parse(new TextDecoder().decode(plaintext)) as { vp_token: Record<string, string[]>; state: string };
        ({ vp_token: tokens, state } = inner);
      } else tokens = JSON.parse(form.get("vp_token") ?? "") as Record<string, string[]>;
      if (state !== transaction.state) throw new Error("The state is not the one of this request.");
      const shown: Record<string, Record<string, unknown>> = {};
      for (const [query, [token = ""]] of Object.entries(tokens)) shown[query] = await this.verified(token, transaction.expectedNonce ?? transaction.nonce, this.nameFor(transaction));
      transaction.shown = shown;
      return json({ redirect_uri: `${this.origin}${this.path}/done/${transaction.id}` });
    } catch (error) {
      transaction.refusal = (error as Error).message;
      return json({ error: "invalid_presentation", error_description: transaction.refusal }, 400);
    }
  }

  private async verified(token: string, nonce: string, audience: string): Promise<Record<string, unknown>> {
    const issuerJwt = token.split("~", 1)[0] as string;
    const iss = (JSON.parse(Buffer.from(issuerJwt.split(".")[1] ?? "", "base64url").toString()) as { iss: string }).iss;
    const issuer = this.issuers.find(({ signsAs }) => signsAs === iss);
    if (!issuer) throw new Error("The issuer is unknown here.");
    const check = (jwk: JWK) => async (data: string, signature: string) => jwtVerify(`${data}.${signature}`, await importJWK(jwk, jwk.crv === "Ed25519" ? "EdDSA" : "ES256"), { currentDate: new Date(0) }).then(() => true, (error: { code?: string }) => error.code !== "ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
    const vc = instance({ verifier: check(issuer.publicJwk), kbVerifier: (data, signature, payload) => check((payload as { cnf: { jwk: JWK } }).cnf.jwk)(data, signature) });
    const { payload, kb } = await vc.verify(token, { keyBindingNonce: nonce });
    if (!kb) throw new Error("There is no key binding.");
    if (kb.payload.aud !== audience) throw new Error("The audience is another verifier.");
    return payload as unknown as Record<string, unknown>;
  }
}
