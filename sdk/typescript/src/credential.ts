// The signed part of an SD-JWT, its key and its signature: what a proof of issuance is checked beside.
//
// Only that. Dates, holder, disclosures and status of a credential are the business of whoever reads its fields.

import { fromBase64Url, utf8 } from "./bytes.js";
import { encodeBytes, encodeInt, encodeMap } from "./cbor.js";
import { type PublicKey, UnsupportedSuiteError, publicKeyFromCose } from "./keys.js";
import { ShapeError } from "./shape.js";

const TEXT_MAX = 256 * 1024;

/** A credential that is refused before its proof is looked at; `code` is one of docs/credentials/refusals.md. */
export class CredentialError extends Error {
  override readonly name = "CredentialError";
  constructor(
    readonly code: "jose.malformed" | "jose.crit-unknown" | "jose.key-algorithm" | "jose.signature",
    message: string,
  ) {
    super(message);
  }
}

/** What an issuer signed, and whom and what it names. */
export interface SignedCredential {
  /** The JWT without disclosures, in ASCII: what an issuer commits to. */
  readonly signed: Uint8Array;
  /** `iss`; empty where it is none. */
  readonly issuer: string;
  /** `vct`; empty where there is none. */
  readonly type: string;
}

/** The key of a JWK (RFC 7517): Ed25519 or P-256. Throws ShapeError, UnsupportedSuiteError for others. */
export function publicKeyFromJwk(jwk: unknown): PublicKey {
  const members = (typeof jwk === "object" && jwk !== null ? jwk : {}) as Record<string, unknown>;
  if (members["d"] !== undefined) throw new ShapeError("the JWK is a private key");
  const coordinate = (name: string) => {
    const value = members[name];
    try {
      return encodeBytes(fromBase64Url(typeof value === "string" ? value : "="));
    } catch {
      throw new ShapeError(`the JWK's ${name} is not base64url`);
    }
  };
  const { kty, crv } = members;
  if (kty === "OKP" && crv === "Ed25519") return publicKeyFromCose(encodeMap([encodeInt(1), encodeInt(1)], [encodeInt(-1), encodeInt(6)], [encodeInt(-2), coordinate("x")]));
  if (kty === "EC" && crv === "P-256") {
    return publicKeyFromCose(encodeMap([encodeInt(1), encodeInt(2)], [encodeInt(-1), encodeInt(1)], [encodeInt(-2), coordinate("x")], [encodeInt(-3), coordinate("y")]));
  }
  throw new UnsupportedSuiteError("the JWK is neither of Ed25519 nor of P-256");
}

/** Reads the signed part of an SD-JWT (or a bare JWT) and verifies its signature. Throws CredentialError. */
export function readSignedCredential(text: string, key: PublicKey): SignedCredential {
  const jwt = text.trim().split("~", 1)[0] as string;
  const parts = jwt.split(".");
  if (text.length > TEXT_MAX || parts.length !== 3) throw new CredentialError("jose.malformed", "the credential is not a signed token of three parts");
  const [header, payload, signature] = parts as [string, string, string];
  const head = jsonObject(base64Url(header));
  if (head["crit"] !== undefined) throw new CredentialError("jose.crit-unknown", "the credential asks for a critical extension");
  const names: Partial<Record<string, readonly string[]>> = { Ed25519: ["EdDSA", "Ed25519"], ES256: ["ES256"] };
  if (!names[key.suite]?.includes(String(head["alg"]))) throw new CredentialError("jose.key-algorithm", `the credential's algorithm is not one of the key's (${key.suite})`);
  const content = base64Url(payload);
  if (!key.isForParties || !key.verify(utf8(`${header}.${payload}`), base64Url(signature))) {
    throw new CredentialError("jose.signature", "the signature does not fit the credential and the key");
  }
  const claims = jsonObject(content);
  const member = (name: string) => (typeof claims[name] === "string" ? claims[name] : "");
  return { signed: utf8(jwt), issuer: member("iss"), type: member("vct") };
}

function base64Url(text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch {
    throw new CredentialError("jose.malformed", "a part of the credential is not base64url");
  }
}

function jsonObject(content: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Falls through: one sentence for each way of not being an object.
  }
  throw new CredentialError("jose.malformed", "a part of the credential is not a JSON object");
}
