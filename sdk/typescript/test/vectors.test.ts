// The shared vectors at vectors/ in the repository: all of them, good and bad.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { concat, fromHex, toHex } from "../src/bytes.js";
import { CborError, decode, decodeStrict, encodeBytes, encodeInt, encodeMap } from "../src/cbor.js";
import { type Entry, decodeEntry, entrySignatureHolds } from "../src/entry.js";
import { partyDid, partyIdOfFirstKey, publicKeyFromCose } from "../src/keys.js";
import { networkFromJson, parseNetwork } from "../src/network.js";
import { isInputError } from "../src/shape.js";
import { stateClaim, stateClaimFault } from "../src/state.js";
import { type Verification, verifyReceipt } from "../src/verify.js";
import { witnessPolicy } from "../src/witness.js";

// dist/test/vectors.test.js is four folders below the repository's root.
const VECTORS = fileURLToPath(new URL("../../../../vectors/", import.meta.url));

function read(path: string): Buffer {
  assert.ok(existsSync(join(VECTORS, path)), `vectors/${path} is missing: see vectors/README.md`);
  return readFileSync(join(VECTORS, path));
}

function list<T>(file: string): T[] {
  const vectors = JSON.parse(read(file).toString()) as T[];
  assert.ok(vectors.length > 0, `${file} is empty`);
  return vectors;
}

/** Runs every vector and names all that fail, not only the first. */
function each<T extends { name: string }>(file: string, check: (vector: T) => void): void {
  const failures: string[] = [];
  for (const vector of list<T>(file)) {
    try {
      check(vector);
    } catch (error) {
      failures.push(`${vector.name}: ${(error as Error).message.split("\n").slice(0, 12).join(" ")}`);
    }
  }
  assert.deepEqual(failures, []);
}

/** "valid", or what kind of fault a decoder finds. */
function judged(run: () => void): string {
  try {
    run();
    return "valid";
  } catch (error) {
    if (isInputError(error)) return "refused";
    throw error;
  }
}

/** Bytes that a row gives as hexadecimal, as a file, or in parts. */
interface Given {
  hex?: string;
  file?: string;
  parts?: ({ hex: string } | { repeat: string; times: number })[];
}

function given({ hex, file, parts }: Given): Uint8Array {
  if (hex !== undefined) return fromHex(hex);
  if (file !== undefined) return read(file);
  assert.ok(parts, "a row without bytes");
  return concat(...parts.map((part) => ("hex" in part ? fromHex(part.hex) : new Uint8Array(Buffer.alloc((part.times * part.repeat.length) / 2, part.repeat, "hex")))));
}

test("receipts.json", () => {
  each<ReceiptVector>("receipts.json", ({ network, valid, step, code, expect, ...bytes }) => {
    const result = verifyReceipt(given(bytes), parseNetwork(read(network).toString()));
    if (!valid) {
      assert.deepEqual(result.valid ? "valid" : { step: result.step, code: result.code }, { step, code });
      return;
    }
    if (!result.valid) assert.fail(`${result.code}: ${result.detail}`);
    assert.deepEqual(answer(result), expect);
  });
});

test("witnesses.json", () => {
  each<WitnessVector>("witnesses.json", ({ network, policy, valid, step, code, witnessed, ...bytes }) => {
    const trusted = parseNetwork(read(network).toString());
    const result = verifyReceipt(given(bytes), trusted, witnessPolicy(policy.keys, policy.min));
    if (!valid) {
      assert.deepEqual(result.valid ? "valid" : { step: result.step, code: result.code }, { step, code });
      if (step === 15) assert.ok(verifyReceipt(given(bytes), trusted).valid, "without a policy nobody is asked");
      return;
    }
    if (!result.valid) assert.fail(`${result.code}: ${result.detail}`);
    const found = result.facts.cosigned?.map(({ name, time }) => ({ name, time: Number(time) }));
    assert.deepEqual(found, witnessed);
  });
});

interface WitnessVector extends Given {
  name: string;
  network: string;
  policy: { keys: string[]; min: number };
  valid: boolean;
  step?: number;
  code?: string;
  witnessed?: { name: string; time: number }[];
}

test("witness-policies.json", () => {
  each<{ name: string; policy: { keys: string[]; min: number } }>("witness-policies.json", ({ policy }) => {
    assert.throws(() => witnessPolicy(policy.keys, policy.min), { name: "PolicyError" });
  });
});

interface ReceiptVector extends Given {
  name: string;
  network: string;
  valid: boolean;
  step?: number;
  code?: string;
  expect?: unknown;
}

/** The answer in the vectors' own shape. */
function answer({ receipt, facts }: Extract<Verification, { valid: true }>): unknown {
  const { record, entry } = facts;
  const { header } = receipt;
  const outcome = record?.outcome;
  const events = receipt.entryClaim?.events;
  return {
    who: record ? { party: partyDid(record.party), party_id: toHex(record.party), kid: entry ? toHex(entry.kid) : null } : null,
    what: {
      register: record?.register ?? null,
      entry_id: record ? toHex(record.entryId) : null,
      outcome: !outcome
        ? null
        : outcome.applied
          ? { applied: true, events_hash: toHex(outcome.eventsHash) }
          : { applied: false, command_index: Number(outcome.commandIndex), code: outcome.code },
      commands: entry ? entry.commands.map(({ register, name, body }) => ({ register, name, body_hex: toHex(body.raw) })) : null,
      events: events ? events.map(({ name, body }) => ({ name, body_hex: toHex(body.raw) })) : null,
      state: receipt.stateClaims.map(({ register, key, value }) => ({ register, key: toHex(key), value: value && toHex(value) })),
    },
    when: {
      record: record ? { height: Number(record.height), time_ms: Number(record.timeMs) } : null,
      certificate: { height: Number(header.height), time_ms: Number(header.timeMs) },
    },
    rule: record?.rule ?? null,
    witnesses: receipt.witnesses,
  };
}

test("cbor.json", () => {
  each<{ name: string; hex: string; valid: boolean; code?: string }>("cbor.json", ({ hex, valid, code }) => {
    const faults: string[] = [];
    let found = "valid";
    try {
      decode(fromHex(hex), faults);
      if (faults.length > 0) found = "not-canonical";
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
      found = "malformed";
    }
    assert.equal(found, valid ? "valid" : code);
    assert.equal(judged(() => decodeStrict(fromHex(hex))) === "valid", valid);
  });
});

test("ed25519.json", () => {
  each<{ name: string; public: string; message: string; signature: string; valid: boolean }>("ed25519.json", (vector) => {
    const cose = encodeMap([encodeInt(1), encodeInt(1)], [encodeInt(-1), encodeInt(6)], [encodeInt(-2), encodeBytes(fromHex(vector.public))]);
    // A key that is no point is refused before any signature is.
    const usable = judged(() => publicKeyFromCose(cose)) === "valid";
    assert.equal(usable && publicKeyFromCose(cose).verify(fromHex(vector.message), fromHex(vector.signature)), vector.valid);
  });
});

test("keys.json", () => {
  each<{ name: string; cose_key: string; valid: boolean; feature?: string; suite?: string; kid?: string; party_id?: string; did?: string }>("keys.json", (vector) => {
    // SM2 is an optional feature that this verifier lacks: its keys are refused here.
    if (!vector.valid || vector.feature) {
      assert.equal(judged(() => publicKeyFromCose(fromHex(vector.cose_key))), "refused");
      return;
    }
    const key = publicKeyFromCose(fromHex(vector.cose_key));
    const party = partyIdOfFirstKey(key.kid);
    assert.deepEqual([key.suite, toHex(key.kid), toHex(party), partyDid(party)], [vector.suite, vector.kid, vector.party_id, vector.did]);
  });
});

test("networks.json", () => {
  each<{ name: string; descriptor: unknown; usable: boolean; code?: string }>("networks.json", ({ descriptor, usable, code }) => {
    if (usable) networkFromJson(descriptor);
    else assert.throws(() => networkFromJson(descriptor), { name: "NetworkError", code });
  });
});

interface EntryVector extends Given {
  name: string;
  valid: boolean;
  entry_id?: string;
  envelope_hash?: string;
  register?: string;
  signer?: string;
  countersigners?: string[];
  signature?: "valid" | "invalid" | "unknown-algorithm";
}

test("entries.json", () => {
  each<EntryVector>("entries.json", ({ valid, signature, signer, countersigners, ...vector }) => {
    let entry: Entry | undefined;
    assert.equal(judged(() => (entry = decodeEntry(given(vector)))), valid ? "valid" : "refused");
    if (!entry) return;
    const { id, envelopeHash, register } = entry;
    assert.deepEqual([toHex(id), toHex(envelopeHash), register], [vector.entry_id, vector.envelope_hash, vector.register]);
    const holds = (key: string) => entrySignatureHolds(entry as Entry, publicKeyFromCose(fromHex(key)));
    assert.equal(holds(signer as string), signature === "valid");
    assert.deepEqual(entry.countersignatures.length, countersigners?.length);
    for (const key of countersigners ?? []) assert.ok(holds(key), `countersignature of ${key}`);
  });
});

test("state.json", () => {
  each<{ name: string; root?: string; claims: { about: string; claim: string; root: string; valid: boolean }[] }>("state.json", ({ claims }) => {
    for (const { about, claim, root, valid } of claims) {
      let holds = false;
      judged(() => (holds = stateClaimFault(stateClaim(decodeStrict(fromHex(claim)), "the claim"), fromHex(root)) === undefined));
      assert.equal(holds, valid, about);
    }
  });
});
