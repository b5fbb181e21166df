import assert from "node:assert/strict";
import { test } from "node:test";
import { p256 } from "@noble/curves/nist.js";
import { concat, fromHex, toHex, utf8 } from "../src/bytes.js";
import { encodeBytes, encodeInt, encodeMap } from "../src/cbor.js";
import { type SuiteName, partyDid, partyIdOfDid, publicKeyFromCose } from "../src/keys.js";
import { signer } from "./build.js";

const SUITES: SuiteName[] = ["Ed25519", "ES256", "ML-DSA-65", "Ed25519+ML-DSA-65"];
const MESSAGE = utf8("a decree");

test("each suite accepts its own signature and nothing near it", () => {
  for (const suite of SUITES) {
    const mine = signer(suite, 1);
    const key = publicKeyFromCose(mine.cose);
    const signature = mine.sign(MESSAGE);
    assert.equal(key.suite, suite);
    assert.ok(key.fits(BigInt(mine.alg)));
    assert.ok(key.verify(MESSAGE, signature), suite);
    assert.ok(!key.verify(utf8("another decree"), signature), suite);
    assert.ok(!publicKeyFromCose(signer(suite, 2).cose).verify(MESSAGE, signature), suite);
    assert.ok(!key.verify(MESSAGE, signature.subarray(1)), suite);
    assert.ok(!key.verify(MESSAGE, concat(signature, Uint8Array.of(0))), suite);
    for (const at of [0, 31, 63, signature.length - 1]) {
      const changed = signature.slice();
      changed[at] = (changed[at] as number) ^ 1;
      assert.ok(!key.verify(MESSAGE, changed), `${suite} byte ${at}`);
    }
  }
});

test("both halves of a hybrid signature must hold", () => {
  const [one, two] = [signer("Ed25519+ML-DSA-65", 1), signer("Ed25519+ML-DSA-65", 2)];
  const key = publicKeyFromCose(one.cose);
  assert.ok(!key.verify(MESSAGE, concat(one.sign(MESSAGE).subarray(0, 64), two.sign(MESSAGE).subarray(64))));
  assert.ok(!key.verify(MESSAGE, concat(two.sign(MESSAGE).subarray(0, 64), one.sign(MESSAGE).subarray(64))));
});

test("ES256 accepts either s", () => {
  const mine = signer("ES256", 1);
  const key = publicKeyFromCose(mine.cose);
  const signature = p256.Signature.fromBytes(mine.sign(MESSAGE), "compact");
  const other = new p256.Signature(signature.r, p256.Point.Fn.ORDER - signature.s);
  assert.ok(key.verify(MESSAGE, signature.toBytes("compact")));
  assert.ok(key.verify(MESSAGE, other.toBytes("compact")));
});

test("Ed25519 goes by both of its algorithm numbers, and by no other suite's", () => {
  const key = publicKeyFromCose(signer("Ed25519", 1).cose);
  assert.deepEqual([-19n, -8n, -7n, -49n, -65600n].map((alg) => key.fits(alg)), [true, true, false, false, false]);
});

// The small-order points in all their encodings, canonical or not: under ZIP-215 each of the 196
// pairs of key and R with s = 0 is a valid signature (the test vectors of ZIP 215 itself).
const SMALL_ORDER = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "0000000000000000000000000000000000000000000000000000000000000080",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
  "0100000000000000000000000000000000000000000000000000000000000080",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

test("Ed25519 is judged by ZIP-215", () => {
  for (const a of SMALL_ORDER) {
    const key = publicKeyFromCose(encodeMap([encodeInt(1), encodeInt(1)], [encodeInt(-1), encodeInt(6)], [encodeInt(-2), encodeBytes(fromHex(a))]));
    for (const r of SMALL_ORDER) assert.ok(key.verify(utf8("Zcash"), concat(fromHex(r), new Uint8Array(32))), `${a} ${r}`);
  }
});

test("Ed25519 refuses an s that is not reduced", () => {
  const mine = signer("Ed25519", 1);
  const signature = mine.sign(MESSAGE);
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let s = order;
  for (let i = 31; i >= 0; i--) s += BigInt(signature[32 + i] as number) << BigInt(8 * i);
  const changed = signature.slice();
  for (let i = 0; i < 32; i++) changed[32 + i] = Number((s >> BigInt(8 * i)) & 255n);
  assert.ok(!publicKeyFromCose(mine.cose).verify(MESSAGE, changed));
});

test("a key has exactly the members of its thumbprint", () => {
  const x = encodeBytes(new Uint8Array(32).fill(3));
  const okp = [
    [encodeInt(1), encodeInt(1)],
    [encodeInt(-1), encodeInt(6)],
    [encodeInt(-2), x],
  ] as const;
  publicKeyFromCose(encodeMap(...okp));
  const bad = {
    "an algorithm beside": encodeMap(...okp, [encodeInt(3), encodeInt(-19)]),
    "a private part": encodeMap(...okp, [encodeInt(-4), x]),
    "no x": encodeMap(okp[0], okp[1]),
    "another curve": encodeMap(okp[0], [encodeInt(-1), encodeInt(4)], okp[2]),
    "a short x": encodeMap(okp[0], okp[1], [encodeInt(-2), encodeBytes(new Uint8Array(31))]),
    "a symmetric key": encodeMap([encodeInt(1), encodeInt(4)], [encodeInt(-1), x]),
    "a point off the curve": encodeMap([encodeInt(1), encodeInt(2)], [encodeInt(-1), encodeInt(1)], [encodeInt(-2), x], [encodeInt(-3), x]),
    "another encoding": fromHex("bf" + toHex(encodeMap(...okp)).slice(2) + "ff"),
    "a short ML-DSA-65 key": encodeMap([encodeInt(1), encodeInt(7)], [encodeInt(3), encodeInt(-49)], [encodeInt(-1), x]),
  };
  for (const [name, cose] of Object.entries(bad)) assert.throws(() => publicKeyFromCose(cose), name);
});

test("a DID is 52 characters of base32", () => {
  assert.equal(partyDid(new Uint8Array(32)), `did:stele:${"a".repeat(52)}`);
  assert.equal(partyDid(new Uint8Array(32).fill(255)), `did:stele:${"7".repeat(51)}q`);
});

test("a DID leads back to its party id, and nothing else does", () => {
  for (const id of [new Uint8Array(32), new Uint8Array(32).fill(255), Uint8Array.from({ length: 32 }, (_, i) => 7 * i)]) {
    assert.deepEqual(partyIdOfDid(partyDid(id)), id);
  }
  const good = partyDid(new Uint8Array(32).fill(1));
  for (const did of ["", good.slice(1), good.slice(0, -1), `${good}a`, good.toUpperCase(), `did:stele:${"a".repeat(51)}b`, `did:stele:${"1".repeat(52)}`]) {
    assert.throws(() => partyIdOfDid(did), { name: "TextError" }, did);
  }
});
