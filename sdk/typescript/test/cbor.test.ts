import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../src/bytes.js";
import { CborError, NESTING_MAX, decode, decodeStrict, encodeArray, encodeInt, encodeMap, encodeText } from "../src/cbor.js";
import { type Json, itemToJson } from "../src/json.js";

// From RFC 8949 appendix A, those that the profile allows.
const ACCEPTED: [string, Json][] = [
  ["00", 0],
  ["17", 23],
  ["1818", 24],
  ["1903e8", 1000],
  ["1a000f4240", 1000000],
  ["1b000000e8d4a51000", 1000000000000],
  ["1bffffffffffffffff", "18446744073709551615"],
  ["3bffffffffffffffff", "-18446744073709551616"],
  ["20", -1],
  ["3903e7", -1000],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["40", "h''"],
  ["4401020304", "h'01020304'"],
  ["60", ""],
  ["62c3bc", "ü"],
  ["64f0908591", "𐅑"],
  ["83010203", [1, 2, 3]],
  ["8301820203820405", [1, [2, 3], [4, 5]]],
  ["a201020304", { "1": 2, "3": 4 }],
  ["a26161016162820203", { a: 1, b: [2, 3] }],
];

const NOT_CANONICAL = {
  "one byte for a small integer": "1817",
  "two bytes for one": "190018",
  "four bytes for two": "1a0000ffff",
  "eight bytes for four": "1b00000000ffffffff",
  "a long string head": "5801aa",
  "an indefinite byte string": "5f42010243030405ff",
  "an indefinite text": "7f657374726561646d696e67ff",
  "an indefinite array": "9f01ff",
  "an indefinite map": "bf616101ff",
  "keys out of order": "a203040102",
  "keys in length-last order": "a2626161016162" + "02",
  "a repeated key": "a201020103",
};

const MALFORMED = {
  "nothing": "",
  "a float": "f93c00",
  "a double": "fb3ff199999999999a",
  "undefined": "f7",
  "simple value 16": "f0",
  "a two-byte simple value": "f8ff",
  "reserved additional information": "1c",
  "an indefinite integer": "1f",
  "a lone break": "ff",
  "a break in a definite array": "81ff",
  "a map that breaks after its key": "bf01ff",
  "an early end": "1901",
  "a short string": "44010203",
  "a string of 2^64 - 1 bytes": "5bffffffffffffffff",
  "an array of 2^64 - 1 items": "9bffffffffffffffff01",
  "bytes after the value": "0000",
  "text that is not UTF-8": "61ff",
  "a surrogate in UTF-8": "63eda080",
  "a chunk of another type": "5f6161ff",
};

test("values of the profile decode", () => {
  for (const [hex, value] of ACCEPTED) assert.deepEqual(itemToJson(decodeStrict(fromHex(hex))), value, hex);
});

test("other encodings of the same value are faults, not errors", () => {
  for (const [name, hex] of Object.entries(NOT_CANONICAL)) {
    const faults: string[] = [];
    decode(fromHex(hex), faults);
    assert.notEqual(faults.length, 0, name);
    assert.throws(() => decodeStrict(fromHex(hex)), CborError, name);
  }
});

test("what is not a value of the profile is an error", () => {
  for (const [name, hex] of Object.entries(MALFORMED)) assert.throws(() => decode(fromHex(hex), []), CborError, name);
});

test("nesting is bounded", () => {
  const nested = (depth: number) => fromHex("81".repeat(depth) + "00");
  decodeStrict(nested(NESTING_MAX));
  assert.throws(() => decodeStrict(nested(NESTING_MAX + 1)), CborError);
  assert.throws(() => decodeStrict(nested(1_000_000)), CborError);
});

test("a byte order mark in text is kept", () => {
  assert.equal(itemToJson(decodeStrict(fromHex("63efbbbf"))), "\ufeff");
});

test("the encoder is deterministic and its output decodes", () => {
  const item = encodeMap([encodeText("bb"), encodeInt(-1)], [encodeText("c"), encodeInt(2n ** 64n - 1n)], [encodeInt(24), encodeArray()]);
  assert.equal(toHex(item), "a31818806163" + "1bffffffffffffffff" + "626262" + "20");
  decodeStrict(item);
});
