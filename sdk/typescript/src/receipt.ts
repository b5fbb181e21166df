// Receipts as structures: docs/format.md sections 4, 5 and 7. Nothing is judged here but shape.

import { COSE_SIGN1_TAG, type Item, decode } from "./cbor.js";
import * as shape from "./shape.js";
import { type StateClaim, stateClaim } from "./state.js";

/** What came of an entry: applied with these events, or refused by a rule at one of its commands. */
export type RecordOutcome =
  | { readonly applied: true; readonly eventsHash: Uint8Array }
  | { readonly applied: false; readonly commandIndex: bigint; readonly code: string };

/** A leaf of the log. */
export interface LogRecord {
  readonly version: bigint;
  readonly entryId: Uint8Array;
  readonly envelopeHash: Uint8Array;
  readonly party: Uint8Array;
  readonly register: string;
  readonly rule: string;
  readonly height: bigint;
  readonly timeMs: bigint;
  readonly outcome: RecordOutcome;
}

/** The protected header of a block's certificate. */
export interface BlockHeader {
  readonly version: bigint;
  readonly alg: bigint;
  readonly kid: Uint8Array;
  readonly network: Uint8Array;
  readonly height: bigint;
  readonly timeMs: bigint;
  readonly previous: Uint8Array;
  readonly treeSize: bigint;
  readonly stateRoot: Uint8Array;
}

/** An event that an applied entry left. */
export interface Event {
  readonly name: string;
  readonly body: Item;
}

/** The proof that a record is in the log that the certificate signs. */
export interface EntryClaim {
  readonly treeSize: bigint;
  readonly leafIndex: bigint;
  readonly path: readonly Uint8Array[];
  readonly recordBytes: Uint8Array;
  readonly record: LogRecord;
  readonly eventsBytes?: Uint8Array;
  readonly events?: readonly Event[];
}

/** A decoded receipt. */
export interface Receipt {
  readonly format: string;
  readonly protectedHeader: Uint8Array;
  readonly header: BlockHeader;
  readonly signature: Uint8Array;
  /** The log root, where the certificate carries it: in a receipt without an entry claim. */
  readonly carriedRoot?: Uint8Array;
  readonly entryClaim?: EntryClaim;
  readonly entryBytes?: Uint8Array;
  readonly stateClaims: readonly StateClaim[];
  readonly witnesses: readonly string[];
}

/**
 * Decodes a receipt and everything embedded in it but the entry. Throws ShapeError or CborError;
 * what is not deterministic is collected in `faults`.
 */
export function decodeReceipt(encoded: Uint8Array, faults: string[]): Receipt {
  const parts = shape.labels(decode(encoded, faults), "the receipt", [0, 1], [2, 3, 4]);
  const format = shape.text(parts[0], "the receipt's format");
  const embedded = (item: Item, where: string) => decode(shape.bytes(item, where), faults);

  const [protectedItem, unprotectedItem, payloadItem, signatureItem] = shape.coseSign1(
    decode(shape.bytes(parts[1], "the certificate"), faults, COSE_SIGN1_TAG),
    "the certificate",
  );
  const header = blockHeader(embedded(protectedItem, "the block header"));
  const entryClaim = readEntryClaim(unprotectedItem, embedded);
  const carriedRoot = payloadItem.kind === "null" ? undefined : shape.hash(payloadItem, "the certificate's payload");
  if (entryClaim && carriedRoot) shape.refuse("the certificate", "carries a log root beside an inclusion proof");
  if (!entryClaim && !carriedRoot) shape.refuse("the certificate", "carries neither a log root nor an inclusion proof");

  return {
    format,
    protectedHeader: shape.bytes(protectedItem, "the block header"),
    header,
    signature: shape.bytes(signatureItem, "the certificate's signature"),
    ...(carriedRoot && { carriedRoot }),
    ...(entryClaim && { entryClaim }),
    ...(parts[2] && { entryBytes: shape.bytes(parts[2], "the entry") }),
    stateClaims: parts[3] ? shape.array(parts[3], "the state claims", 1, 64).map((item, i) => stateClaim(item, `state claim ${i}`)) : [],
    witnesses: parts[4] ? shape.array(parts[4], "the witness lines", 1, 64).map((item, i) => shape.text(item, `witness line ${i}`)) : [],
  };
}

function blockHeader(item: Item): BlockHeader {
  const header = shape.labels(item, "the block header", [1, 4, 395, -65538]);
  if (shape.int(header[395], "the verifiable data structure") !== 1n) {
    shape.refuse("the verifiable data structure", "is not RFC9162_SHA256");
  }
  const [version, network, height, time, previous, treeSize, stateRoot] = shape.tuple(header[-65538], "the block's terms", 7);
  return {
    version: shape.uint(version, "the block's version"),
    alg: shape.int(header[1], "the algorithm"),
    kid: shape.hash(header[4], "the kid"),
    network: shape.hash(network, "the network"),
    height: shape.uint(height, "the block's height"),
    timeMs: shape.uint(time, "the block's time"),
    previous: shape.hash(previous, "the previous block's hash"),
    treeSize: shape.uint(treeSize, "the tree size"),
    stateRoot: shape.hash(stateRoot, "the state root"),
  };
}

function readEntryClaim(item: Item, embedded: (item: Item, where: string) => Item): EntryClaim | undefined {
  if (item.kind === "map" && item.value.length === 0) return undefined;
  const unprotected = shape.labels(item, "the certificate's unprotected header", [396, -65539], [-65540]);
  const proofs = shape.labels(unprotected[396], "the proofs", [-1]);
  const [proofItem] = shape.tuple(proofs[-1], "the inclusion proofs", 1);
  const [treeSize, leafIndex, path] = shape.tuple(embedded(proofItem, "the inclusion proof"), "the inclusion proof", 3);
  const record = embedded(unprotected[-65539], "the record");
  const events = unprotected[-65540];
  return {
    treeSize: shape.uint(treeSize, "the proof's tree size"),
    leafIndex: shape.uint(leafIndex, "the leaf index"),
    path: shape.array(path, "the inclusion path").map((node, i) => shape.hash(node, `node ${i} of the path`)),
    recordBytes: shape.bytes(unprotected[-65539], "the record"),
    record: logRecord(record),
    ...(events && {
      eventsBytes: shape.bytes(events, "the events"),
      events: shape.array(embedded(events, "the events"), "the events").map(readEvent),
    }),
  };
}

function logRecord(item: Item): LogRecord {
  const [version, entryId, envelopeHash, party, register, rule, height, time, outcome] = shape.tuple(item, "the record", 9);
  return {
    version: shape.uint(version, "the record's version"),
    entryId: shape.hash(entryId, "the entry id"),
    envelopeHash: shape.hash(envelopeHash, "the envelope hash"),
    party: shape.hash(party, "the party"),
    register: shape.registerName(register, "the record's register"),
    rule: shape.text(rule, "the rule"),
    height: shape.uint(height, "the record's height"),
    timeMs: shape.uint(time, "the record's time"),
    outcome: recordOutcome(outcome),
  };
}

function recordOutcome(item: Item): RecordOutcome {
  const [kind] = shape.array(item, "the outcome", 2, 3) as [Item, ...Item[]];
  if (shape.uint(kind, "the kind of outcome") === 0n) {
    const [, eventsHash] = shape.tuple(item, "the outcome", 2);
    return { applied: true, eventsHash: shape.hash(eventsHash, "the events hash") };
  }
  if (shape.uint(kind, "the kind of outcome") !== 1n) shape.refuse("the kind of outcome", "is neither 0 nor 1");
  const [, commandIndex, code] = shape.tuple(item, "the outcome", 3);
  return { applied: false, commandIndex: shape.uint(commandIndex, "the command index"), code: shape.text(code, "the refusal code") };
}

function readEvent(item: Item, index: number): Event {
  const where = `event ${index}`;
  const [name, body] = shape.tuple(item, where, 2);
  return { name: shape.text(name, `the name of ${where}`), body: shape.body(body, `the body of ${where}`) };
}
