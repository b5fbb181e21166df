import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, fromHex, toHex } from "../src/bytes.js";
import { encodeArray, encodeBytes, encodeInt, encodeMap, encodeText } from "../src/cbor.js";
import { decodeEntry, entrySignatureHolds } from "../src/entry.js";
import { publicKeyFromCose } from "../src/keys.js";
import { inclusionPath, leafHash } from "../src/merkle.js";
import { NetworkError, networkFromJson } from "../src/network.js";
import { type FailureCode, STEPS, type Verification, verifyReceipt } from "../src/verify.js";
import * as build from "./build.js";

const world = build.world();
const { network } = world;
const networkId = network.networkId;
const state = world.state[4] as (typeof world.state)[number];
const presence = build.stateClaim(state.register, state.key, state.value, world.leaves);

function expectValid(bytes: Uint8Array): Extract<Verification, { valid: true }> {
  const result = verifyReceipt(bytes, network);
  if (!result.valid) assert.fail(`${result.code}: ${result.detail}`);
  return result;
}

function expectCode(code: FailureCode, bytes: Uint8Array): void {
  const result = verifyReceipt(bytes, network);
  assert.equal(result.valid ? "valid" : result.code, code);
  for (const step of result.steps) {
    const at = STEPS.find((definition) => definition.code === code)?.step as number;
    const allowed = step.step < at ? ["passed", "skipped"] : step.step === at ? ["failed"] : ["not-reached"];
    assert.ok(allowed.includes(step.status), `step ${step.step} is ${step.status}`);
  }
}

test("an entry receipt says who, what, when and by which rule", () => {
  const { facts, receipt } = expectValid(build.receipt(world, { witnesses: ["a witness line"] }));
  assert.equal(facts.record?.rule, "trace@1");
  assert.equal(facts.record?.height, 3n);
  assert.deepEqual(facts.record?.outcome.applied, true);
  assert.equal(facts.entry?.commands[0]?.name, "record");
  assert.equal(receipt.entryClaim?.events?.[0]?.name, "recorded");
  assert.deepEqual(receipt.witnesses, ["a witness line"]);
  assert.deepEqual(facts.inclusion?.at(-1)?.parent, facts.logRoot);
});

test("every suite can be the network's", () => {
  for (const suite of ["ES256", "ML-DSA-65", "Ed25519+ML-DSA-65"] as const) {
    const other = build.world(suite);
    assert.ok(verifyReceipt(build.receipt(other), other.network).valid, suite);
  }
});

test("every index of every tree size verifies", () => {
  for (let size = 1; size <= 20; size++) {
    const leaves = Array.from({ length: size }, (_, i) => leafHash(Uint8Array.of(i)));
    const root = build.treeRoot(leaves);
    for (let index = 0; index < size; index++) {
      const path = build.treePath(index, leaves);
      const leaf = leaves[index] as Uint8Array;
      assert.deepEqual(inclusionPath(leaf, BigInt(index), BigInt(size), path)?.root, root);
      assert.equal(inclusionPath(leaf, BigInt(index), BigInt(size), [...path, root]), undefined);
      if (path.length > 0) assert.equal(inclusionPath(leaf, BigInt(index), BigInt(size), path.slice(1)), undefined);
    }
  }
});

test("state claims: presence, and absence with and without a neighbour", () => {
  const terminals = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const bytes = build.receipt(world, { entry: null, entryClaim: false, claims: [build.stateClaim("trace", Uint8Array.of(2, i), null, world.leaves)] });
    const { receipt } = expectValid(bytes);
    terminals.add(receipt.stateClaims[0]?.proof.terminal.kind ?? "");
  }
  assert.deepEqual([...terminals].sort(), ["empty", "other"]);
  for (const { register, key, value } of world.state) {
    expectValid(build.receipt(world, { claims: [build.stateClaim(register, key, value, world.leaves)] }));
  }
});

test("an absence in an empty state verifies", () => {
  const empty = { ...world, leaves: [] };
  expectValid(build.receipt(empty, { entryClaim: false, entry: null, claims: [build.stateClaim("trace", Uint8Array.of(1), null, [])] }));
});

test("a refused entry verifies with its reason", () => {
  const outcome = encodeArray(encodeInt(1), encodeInt(0), encodeText("trace.custody.not-holder"));
  const { facts } = expectValid(build.receipt(world, { outcome, events: null }));
  assert.deepEqual(facts.record?.outcome, { applied: false, commandIndex: 0n, code: "trace.custody.not-holder" });
});

test("each step refuses with its code", () => {
  const good = build.receipt(world);
  const other = build.world("ES256");
  const hex = toHex(good);
  const cases: [FailureCode, Uint8Array][] = [
    ["too-large", new Uint8Array(2 * 1024 * 1024 + 1)],
    ["malformed", new Uint8Array(0)],
    ["malformed", concat(good, Uint8Array.of(0))],
    ["malformed", encodeMap([encodeInt(0), encodeText("stele-receipt/1")])],
    ["malformed", build.receipt(world, { path: [new Uint8Array(31)] })],
    ["malformed", build.receipt(world, { recordRegister: "Trace" })],
    ["malformed", build.receipt(world, { events: encodeArray(encodeArray(encodeText("x"), encodeArray())) })],
    // A wrong type and another encoding at once: the structure is judged first.
    ["malformed", fromHex("bf" + hex.slice(2) + "05f6ff")],
    ["not-canonical", fromHex("bf" + hex.slice(2) + "ff")],
    ["not-canonical", fromHex("a31800" + hex.slice(4))],
    ["not-canonical", build.receipt(world, { events: Uint8Array.of(0x9f, 0xff) })],
    ["unsupported-version", build.receipt(world, { format: "stele-receipt/2" })],
    ["unsupported-version", build.receipt(world, { blockVersion: 2 })],
    ["unsupported-version", build.receipt(world, { recordVersion: 2 })],
    ["no-claim", build.receipt(world, { entryClaim: false, entry: null })],
    ["wrong-network", build.receipt(world, { networkId: new Uint8Array(32) })],
    ["wrong-key", build.receipt(world, { kid: new Uint8Array(32) })],
    ["wrong-key", build.receipt(world, { alg: other.networkKey.alg })],
    ["wrong-tree-size", build.receipt(world, { provenSize: 12 })],
    ["bad-inclusion-proof", build.receipt(world, { provenIndex: 11 })],
    ["bad-inclusion-proof", build.receipt(world, { path: [] })],
    ["bad-signature", build.receipt(world, { provenIndex: 4 })],
    ["bad-signature", build.receipt({ ...world, networkKey: { ...world.networkKey, sign: build.signer("Ed25519", 3).sign } })],
    ["bad-signature", build.receipt({ ...world, networkKey: { ...world.networkKey, sign: () => new Uint8Array(0) } })],
    ["record-mismatch", build.receipt(world, { recordHeight: 5 })],
    ["record-mismatch", build.receipt(world, { recordTime: 40_001 })],
    ["entry-mismatch", build.receipt(world, { entryClaim: false, claims: [presence] })],
    ["entry-mismatch", build.receipt(world, { recordRegister: "identity" })],
    ["entry-mismatch", build.receipt(world, { entry: build.entry(world.party, { network: new Uint8Array(32) }) })],
    ["events-mismatch", build.receipt(world, { events: encodeArray() })],
    ["events-mismatch", build.receipt(world, { outcome: encodeArray(encodeInt(1), encodeInt(0), encodeText("x.y.z")) })],
    ["bad-state-proof", build.receipt(world, { claims: [presence, build.stateClaim("trace", state.key, new Uint8Array(1), world.leaves)] })],
  ];
  for (const [code, bytes] of cases) expectCode(code, bytes);
  // The last step needs a policy: vectors/witnesses.json.
  assert.equal(new Set(cases.map(([code]) => code)).size, STEPS.length - 1);
});

test("faults inside the entry are entry-mismatch", () => {
  const { party } = world;
  const cases = {
    "an empty window": { window: [5, 5] as [number, number] },
    "a long window": { window: [0, 3_600_001] as [number, number] },
    "a short nonce": { nonce: new Uint8Array(7) },
    "no commands": { commands: encodeArray() },
    "its own register's name": { commands: encodeArray(build.command("trace/record")) },
    "no name": { commands: encodeArray(build.command("")) },
    "a name of 65 bytes": { commands: encodeArray(build.command("x".repeat(65))) },
    "a body that is no map": { commands: encodeArray(build.command("record", encodeArray())) },
    "another encoding": { commands: Uint8Array.of(0x9f, 0xff) },
  };
  for (const [name, options] of Object.entries(cases)) {
    const entry = build.entry(party, { network: networkId, ...options });
    assert.throws(() => decodeEntry(entry), name);
    expectCode("entry-mismatch", build.receipt(world, { entry }));
  }
  const many = build.entry(party, { network: networkId, commands: encodeArray(build.command("record"), build.command("identity/attest")) });
  assert.deepEqual(decodeEntry(many).commands.map(({ register, name }) => `${register}/${name}`), ["trace/record", "identity/attest"]);
});

test("a reader who knows the party's key can check the entry's signatures", () => {
  const entry = decodeEntry(build.entry(world.party, { network: networkId }));
  assert.ok(entrySignatureHolds(entry, publicKeyFromCose(world.party.cose)));
  assert.ok(!entrySignatureHolds(entry, publicKeyFromCose(build.signer("Ed25519", 5).cose)));
  assert.ok(!entrySignatureHolds({ ...entry, signed: sha256(entry.signed) }, publicKeyFromCose(world.party.cose)));
});

test("countersignatures cover the entry, by other keys", () => {
  const second = build.signer("ES256", 4);
  const plain = decodeEntry(build.entry(world.party, { network: networkId }));
  const withOne = (kid: Uint8Array) => {
    const header = encodeBytes(encodeMap([encodeInt(1), encodeInt(second.alg)], [encodeInt(4), encodeBytes(kid)]));
    return build.entry(world.party, { network: networkId, unprotected: encodeMap([encodeInt(11), encodeArray(encodeArray(header, encodeMap(), encodeBytes(new Uint8Array(64))))]) });
  };
  const entry = decodeEntry(withOne(second.kid));
  assert.deepEqual(entry.id, plain.id);
  assert.notDeepEqual(entry.envelopeHash, plain.envelopeHash);
  const [countersignature] = entry.countersignatures;
  assert.ok(countersignature);
  const signature = second.sign(countersignature.signed);
  assert.ok(entrySignatureHolds({ ...entry, countersignatures: [{ ...countersignature, signature }] }, publicKeyFromCose(second.cose)));
  assert.ok(!entrySignatureHolds(entry, publicKeyFromCose(second.cose)));
  assert.throws(() => decodeEntry(withOne(world.party.kid)), /has signed already/);
});

test("no flipped bit and no missing byte leaves a receipt valid", () => {
  const good = build.receipt(world, { claims: [presence, build.stateClaim("trace", Uint8Array.of(2, 1), null, world.leaves)] });
  expectValid(good);
  for (let at = 0; at < good.length; at++) {
    assert.ok(!verifyReceipt(good.subarray(0, at), network).valid, `the first ${at} bytes`);
    const changed = good.slice();
    changed[at] = (changed[at] as number) ^ (1 << at % 8);
    assert.ok(!verifyReceipt(changed, network).valid, `byte ${at}`);
  }
});

test("a network descriptor is checked against its genesis", () => {
  const good = build.descriptor(world.networkKey);
  assert.ok(networkFromJson(good).genesisChecked);
  const { genesis: _, ...bare } = good;
  assert.ok(!networkFromJson(bare).genesisChecked);
  const other = build.signer("Ed25519", 8);
  for (const change of [{ network_id: "00".repeat(32) }, { key: toHex(other.cose) }, { key: "00" }, { format: "stele-network/2" }, { network_id: "00" }, { genesis: "zz" }]) {
    assert.throws(() => networkFromJson({ ...good, ...change }), NetworkError, JSON.stringify(change));
  }
});
