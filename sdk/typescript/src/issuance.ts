// Proofs of issuance: docs/format.md section 11. That an accredited issuer committed to a credential, under a key that was its own then.

import { sha256 } from "@noble/hashes/sha2.js";
import { concat, equal, toHex, utf8 } from "./bytes.js";
import { type Item, decodeStrict } from "./cbor.js";
import type { Json } from "./json.js";
import { type PublicKey, partyDid } from "./keys.js";
import { inclusionPath, leafHash } from "./merkle.js";
import type { Network } from "./network.js";
import * as shape from "./shape.js";
import type { StateClaim } from "./state.js";
import { type FailureCode, verifyReceipt } from "./verify.js";

const PROOF_BYTES_MAX = 64 << 10;
const PATH_MAX = 24;
const CHAIN_MAX = 8;
const TEXT_BYTES_MAX = 256;
const REGISTER = "credential";
const ISSUANCE_PREFIX = utf8("issuance/");
const COMPROMISE_PREFIX = utf8("compromise/");
const COMMITMENT_PREFIX = utf8("stele/credential/commitment/v1");

/** Why a proof of issuance is refused, in words for the person at the counter. */
export const ISSUANCE_RULES = {
  "trust.proof-malformed": "The proof of issuance is not in the form that it should have.",
  "trust.receipt": "The receipt in the proof of issuance does not verify under this network's key.",
  "trust.not-committed": "The issuer did not commit to this credential in the shown batch.",
  "trust.other-key": "The credential is signed by another key than the one that the issuer was committed to.",
  "trust.key-compromised": "The credential was committed to when the issuer's key was no longer safe.",
  "trust.other-issuer": "The credential names another issuer than the one that committed to it.",
  "trust.other-type": "The issuer committed to credentials of another type.",
  "trust.outside-scope": "The issuer was accredited for another field than the one that is asked for.",
} as const;

/** The code of a refusal; they are judged in the order of `ISSUANCE_RULES`. */
export type IssuanceCode = keyof typeof ISSUANCE_RULES;

/** Salt, place and path of a credential in its batch, and the receipt of the batch. */
export interface IssuanceProof {
  readonly salt: Uint8Array;
  readonly index: bigint;
  /** From the credential's leaf to the batch's root, lowest first. */
  readonly path: readonly Uint8Array[];
  readonly receipt: Uint8Array;
}

/** What the network keeps of a batch. */
export interface IssuanceRecord {
  readonly entry: Uint8Array;
  readonly height: bigint;
  /** The time of the block that took the commitment: the credentials existed by then. */
  readonly timeMs: bigint;
  /** The key that signs the credentials; it was an active key of the issuer. */
  readonly kid: Uint8Array;
  readonly type: string;
  /** Within which scope the issuer was accredited for it; null for an accreditation without one. */
  readonly scope: string | null;
  readonly count: bigint;
  /** SHA-256 of the published schema. */
  readonly schema: Uint8Array | null;
  /** The accreditations that allowed it, from the issuer's own up to the one that a steward granted. */
  readonly chain: readonly Uint8Array[];
}

/** What the receipt says about reports that the issuer's key is not its own alone any more. */
export type KeyReport =
  | { readonly state: "not-asked" }
  | { readonly state: "none"; readonly height: bigint; readonly timeMs: bigint }
  | { readonly state: "later"; readonly sinceMs: bigint; readonly height: bigint; readonly by: Uint8Array };

/** What a proof of issuance shows. */
export interface Issued {
  readonly network: Network;
  /** The party id of who committed to the credential. */
  readonly issuer: Uint8Array;
  readonly root: Uint8Array;
  readonly index: bigint;
  readonly record: IssuanceRecord;
  readonly keyReport: KeyReport;
}

/** What the credential says of itself, and what the verifier needs. */
export interface Asked {
  /** The DID that the credential names as its issuer. */
  readonly issuer: string;
  /** The type that it names: the `vct` of an SD-JWT VC. */
  readonly type: string;
  /** The field that the issuer must be accredited in, such as `XX/universities`; left out, any will do. */
  readonly scope?: string | undefined;
}

/** The result of a verification. `receipt` is the step of the receipt that failed, where it is the receipt. */
export type IssuanceVerification =
  | { readonly valid: true; readonly issued: Issued }
  | { readonly valid: false; readonly code: IssuanceCode; readonly detail: string; readonly receipt?: FailureCode };

class Refusal extends Error {
  constructor(
    readonly code: IssuanceCode,
    detail = "",
    readonly receipt?: FailureCode,
  ) {
    super(detail);
  }
}

/** What an issuer commits to: the salted hash of the signed part of a credential. */
export function issuanceCommitment(salt: Uint8Array, credential: Uint8Array): Uint8Array {
  return sha256(concat(COMMITMENT_PREFIX, salt, sha256(credential)));
}

/**
 * Verifies that an accredited issuer committed to a credential. `credential` is the part that the issuer signed: of an
 * SD-JWT the JWT without disclosures, in ASCII. `signingKey` is the key under which its signature was verified: that
 * is not done here. Never throws on bad input: the first rule that is broken names the reason.
 */
export function verifyIssuance(proof: Uint8Array, credential: Uint8Array, signingKey: PublicKey, network: Network, asked: Asked): IssuanceVerification {
  try {
    const issued = judge(readProof(proof), credential, signingKey, network);
    checkAsked(issued, asked);
    return { valid: true, issued };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message: detail, receipt } = error;
    return { valid: false, code, detail, ...(receipt && { receipt }) };
  }
}

/** Reads a proof. Throws ShapeError or CborError. */
export function decodeIssuanceProof(encoded: Uint8Array): IssuanceProof {
  if (encoded.length > PROOF_BYTES_MAX) shape.refuse("the proof", `has ${encoded.length} bytes`);
  const [version, salt, index, path, receipt] = shape.tuple(decodeStrict(encoded), "the proof", 5);
  if (shape.uint(version, "the proof's version") !== 1n) shape.refuse("the proof's version", "is not 1");
  return {
    salt: shape.hash(salt, "the salt"),
    index: shape.uint(index, "the place"),
    path: shape.array(path, "the path", 0, PATH_MAX).map((node, i) => shape.hash(node, `node ${i} of the path`)),
    receipt: shape.bytes(receipt, "the receipt"),
  };
}

const readProof = (encoded: Uint8Array) => wellFormed(() => decodeIssuanceProof(encoded));

function wellFormed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (shape.isInputError(error)) throw new Refusal("trust.proof-malformed", error.message);
    throw error;
  }
}

function judge(proof: IssuanceProof, credential: Uint8Array, signingKey: PublicKey, network: Network): Issued {
  const verified = verifyReceipt(proof.receipt, network);
  if (!verified.valid) throw new Refusal("trust.receipt", `${verified.code} (step ${verified.step}): ${verified.detail}`, verified.code);
  const { header, stateClaims } = verified.receipt;
  const claims = stateClaims.filter(({ register }) => register === REGISTER);
  const found = claims.find((claim): claim is StateClaim & { value: Uint8Array } => claim.value !== null && isIssuanceKey(claim.key));
  if (!found) throw new Refusal("trust.proof-malformed", "the receipt proves no issuance");
  const issuer = found.key.subarray(ISSUANCE_PREFIX.length, ISSUANCE_PREFIX.length + 32);
  const root = found.key.subarray(ISSUANCE_PREFIX.length + 32);
  const record = wellFormed(() => issuanceRecord(decodeStrict(found.value)));

  const leaf = leafHash(issuanceCommitment(proof.salt, credential));
  const inclusion = inclusionPath(leaf, proof.index, record.count, proof.path);
  if (!inclusion || !equal(inclusion.root, root)) throw new Refusal("trust.not-committed", `place ${proof.index} of ${record.count} does not hold it`);
  if (!equal(signingKey.kid, record.kid)) throw new Refusal("trust.other-key", `committed to for the key ${toHex(record.kid)}`);
  const keyReport = reportOf(claims, record, header);
  return { network, issuer, root, index: proof.index, record, keyReport };
}

function isIssuanceKey(key: Uint8Array): boolean {
  return key.length === ISSUANCE_PREFIX.length + 64 && equal(key.subarray(0, ISSUANCE_PREFIX.length), ISSUANCE_PREFIX);
}

function issuanceRecord(item: Item): IssuanceRecord {
  const [entry, height, time, kid, type, scope, count, schema, chain] = shape.tuple(item, "the issuance", 9);
  return {
    entry: shape.hash(entry, "the issuance's entry"),
    height: shape.uint(height, "the issuance's height"),
    timeMs: shape.uint(time, "the issuance's time"),
    kid: shape.hash(kid, "the issuance's key id"),
    type: shape.text(type, "the issuance's type", 0, TEXT_BYTES_MAX),
    scope: scope.kind === "null" ? null : shape.text(scope, "the issuance's scope", 0, TEXT_BYTES_MAX),
    count: shape.uint(count, "the issuance's count"),
    schema: schema.kind === "null" ? null : shape.hash(schema, "the issuance's schema"),
    chain: shape.array(chain, "the accreditations", 0, CHAIN_MAX).map((id, i) => shape.hash(id, `accreditation ${i}`)),
  };
}

function reportOf(claims: readonly StateClaim[], record: IssuanceRecord, certificate: { height: bigint; timeMs: bigint }): KeyReport {
  const key = concat(COMPROMISE_PREFIX, record.kid);
  const claim = claims.find((other) => equal(other.key, key));
  if (!claim) return { state: "not-asked" };
  const { value } = claim;
  if (value === null) return { state: "none", height: certificate.height, timeMs: certificate.timeMs };
  const report = wellFormed(() => {
    const [since, height, by] = shape.tuple(decodeStrict(value), "the report", 3);
    return { sinceMs: shape.uint(since, "the report's time"), height: shape.uint(height, "the report's height"), by: shape.hash(by, "the reporter") };
  });
  if (report.sinceMs <= record.timeMs) throw new Refusal("trust.key-compromised", `doubtful since ${report.sinceMs}, committed to at ${record.timeMs}`);
  return { state: "later", ...report };
}

function checkAsked({ issuer, record }: Issued, asked: Asked): void {
  if (asked.issuer !== partyDid(issuer)) throw new Refusal("trust.other-issuer", `${partyDid(issuer)} committed to it`);
  if (asked.type !== record.type) throw new Refusal("trust.other-type", `committed to as ${JSON.stringify(record.type)}`);
  if (asked.scope === undefined) return;
  const held = record.scope ?? "";
  // Whole parts between slashes: `XX/uni` does not cover `XX/universities`.
  if (held !== asked.scope && !held.startsWith(`${asked.scope}/`)) throw new Refusal("trust.outside-scope", `accredited within ${JSON.stringify(held)}`);
}

/** The answer of a verifier as plain JSON, in the shape of vectors/README.md. */
export function issuanceToJson(result: IssuanceVerification): Json {
  if (!result.valid) return { valid: false, code: result.code, sentence: ISSUANCE_RULES[result.code], detail: result.detail };
  const { network, issuer, root, index, record, keyReport } = result.issued;
  return {
    valid: true,
    network: { name: network.name, network_id: toHex(network.networkId), kid: toHex(network.key.kid) },
    issuer: partyDid(issuer),
    root: toHex(root),
    index: integer(index),
    entry: toHex(record.entry),
    height: integer(record.height),
    time_ms: integer(record.timeMs),
    kid: toHex(record.kid),
    type: record.type,
    scope: record.scope,
    count: integer(record.count),
    schema: record.schema && toHex(record.schema),
    chain: record.chain.map(toHex),
    key_report: reportToJson(keyReport),
  };
}

function reportToJson(report: KeyReport): Json {
  switch (report.state) {
    case "not-asked":
      return null;
    case "none":
      return { reported: false, height: integer(report.height), time_ms: integer(report.timeMs) };
    case "later":
      return { reported: true, since_ms: integer(report.sinceMs), height: integer(report.height), by: partyDid(report.by) };
  }
}

function integer(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
