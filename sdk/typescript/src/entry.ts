// Entries: docs/format.md section 3.

import { sha256 } from "@noble/hashes/sha2.js";
import { equal } from "./bytes.js";
import { COSE_SIGN1_TAG, type Item, decodeStrict } from "./cbor.js";
import { countersignStructure, sigStructure } from "./cose.js";
import type { PublicKey } from "./keys.js";
import * as shape from "./shape.js";

const ENTRY_BYTES_MAX = 1_048_576;
const WINDOW_MS_MAX = 3_600_000n;

/** A command of an entry. */
export interface Command {
  /** The register that the command is for. */
  readonly register: string;
  /** The command's name within that register. */
  readonly name: string;
  /** Its fields: a CBOR map with text keys. */
  readonly body: Item;
}

/** A further signature over an entry. */
export interface Countersignature {
  readonly alg: bigint;
  readonly kid: Uint8Array;
  readonly signature: Uint8Array;
  /** The bytes that it covers. */
  readonly signed: Uint8Array;
}

/** A decoded entry. Its signature has not been judged: that takes the signer's key. */
export interface Entry {
  readonly id: Uint8Array;
  readonly envelopeHash: Uint8Array;
  readonly alg: bigint;
  readonly kid: Uint8Array;
  readonly network: Uint8Array;
  readonly register: string;
  readonly notBefore: bigint;
  readonly notAfter: bigint;
  readonly commands: readonly Command[];
  readonly countersignatures: readonly Countersignature[];
  readonly signature: Uint8Array;
  /** The Sig_structure, whose hash is the entry id. */
  readonly signed: Uint8Array;
}

/** Decodes an entry. Throws ShapeError or CborError, also for an encoding that is not deterministic. */
export function decodeEntry(encoded: Uint8Array): Entry {
  if (encoded.length > ENTRY_BYTES_MAX) shape.refuse("the entry", `has ${encoded.length} bytes`);
  const [protectedItem, unprotectedItem, payloadItem, signatureItem] = shape.coseSign1(decodeStrict(encoded, COSE_SIGN1_TAG), "the entry");
  const protectedHeader = shape.bytes(protectedItem, "the protected header");
  const payload = shape.bytes(payloadItem, "the payload");
  const signature = shape.bytes(signatureItem, "the signature");

  const header = shape.labels(decodeStrict(protectedHeader), "the entry header", [1, 4, -65537]);
  const [network, registerItem, notBeforeItem, notAfterItem, nonce] = shape.tuple(header[-65537], "the entry's terms", 5);
  const register = shape.registerName(registerItem, "the entry's register");
  const notBefore = shape.uint(notBeforeItem, "not-before");
  const notAfter = shape.uint(notAfterItem, "not-after");
  shape.bytes(nonce, "the nonce", 8, 16);
  if (notAfter <= notBefore) shape.refuse("the window", "is empty");
  if (notAfter - notBefore > WINDOW_MS_MAX) shape.refuse("the window", "is longer than an hour");

  const kid = shape.hash(header[4], "the kid");
  const signed = sigStructure(protectedHeader, payload);
  return {
    id: sha256(signed),
    envelopeHash: sha256(encoded),
    alg: shape.int(header[1], "the algorithm"),
    kid,
    network: shape.hash(network, "the network"),
    register,
    notBefore,
    notAfter,
    commands: shape.array(decodeStrict(payload), "the commands", 1, 4096).map((item, i) => command(item, i, register)),
    countersignatures: countersignatures(unprotectedItem, { protectedHeader, payload, signature, kid }),
    signature,
    signed,
  };
}

function command(item: Item, index: number, headerRegister: string): Command {
  const where = `command ${index}`;
  const [nameItem, bodyItem] = shape.tuple(item, where, 2);
  const name = shape.text(nameItem, `the name of ${where}`, 1, 64);
  const body = shape.body(bodyItem, `the body of ${where}`);
  const slash = name.indexOf("/");
  if (slash < 0) return { register: headerRegister, name, body };
  const register = name.slice(0, slash);
  const local = name.slice(slash + 1);
  if (!shape.isRegisterName(register)) shape.refuse(`the name of ${where}`, "is qualified with no register name");
  if (register === headerRegister) shape.refuse(`the name of ${where}`, "is qualified with the entry's own register");
  if (local === "" || local.includes("/")) shape.refuse(`the name of ${where}`, "is not register/name");
  return { register, name: local, body };
}

interface Signed {
  protectedHeader: Uint8Array;
  payload: Uint8Array;
  signature: Uint8Array;
  kid: Uint8Array;
}

function countersignatures(item: Item, entry: Signed): Countersignature[] {
  const unprotected = shape.labels(item, "the unprotected header", [], [11]);
  if (unprotected[11] === undefined) return [];
  const seen = [entry.kid];
  return shape.array(unprotected[11], "the countersignatures", 1, 16).map((countersignature, i) => {
    const where = `countersignature ${i}`;
    const [protectedItem, empty, signatureItem] = shape.tuple(countersignature, where, 3);
    const signProtected = shape.bytes(protectedItem, `the protected header of ${where}`);
    shape.labels(empty, `the unprotected header of ${where}`, []);
    const header = shape.labels(decodeStrict(signProtected), `the header of ${where}`, [1, 4]);
    const kid = shape.hash(header[4], `the kid of ${where}`);
    if (seen.some((other) => equal(other, kid))) shape.refuse(`the kid of ${where}`, "has signed already");
    seen.push(kid);
    return {
      alg: shape.int(header[1], `the algorithm of ${where}`),
      kid,
      signature: shape.bytes(signatureItem, `the signature of ${where}`),
      signed: countersignStructure(entry.protectedHeader, signProtected, entry.payload, entry.signature),
    };
  });
}

/**
 * Judges the signature or countersignature of the holder of a key: for a reader who knows the
 * party's key and does not want to rely on the network's check at admission.
 */
export function entrySignatureHolds(entry: Entry, key: PublicKey): boolean {
  const all = [entry, ...entry.countersignatures];
  const mine = all.find((signature) => equal(signature.kid, key.kid));
  return mine !== undefined && key.fits(mine.alg) && key.verify(mine.signed, mine.signature);
}
