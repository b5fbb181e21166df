// Claims about the state and their sparse Merkle proofs: docs/format.md section 6.

import { sha256 } from "@noble/hashes/sha2.js";
import { concat, equal, utf8 } from "./bytes.js";
import type { Item } from "./cbor.js";
import * as shape from "./shape.js";

/** What ends a proof: the claimed leaf, nothing, or another leaf. */
export type Terminal =
  | { readonly kind: "leaf" }
  | { readonly kind: "empty" }
  | { readonly kind: "other"; readonly path: Uint8Array; readonly valueHash: Uint8Array };

/** That a register's key has a value, or (null) that it has none. */
export interface StateClaim {
  readonly register: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly proof: {
    readonly depth: number;
    readonly bitmap: Uint8Array;
    readonly siblings: Uint8Array;
    readonly terminal: Terminal;
  };
}

/** Reads a state claim. */
export function stateClaim(item: Item, where: string): StateClaim {
  const [register, key, value, proof] = shape.tuple(item, where, 4);
  const [depth, bitmap, siblings, terminal] = shape.tuple(proof, `the proof of ${where}`, 4);
  const levels = shape.uint(depth, `the depth of ${where}`);
  if (levels > 256n) shape.refuse(`the depth of ${where}`, "is above 256");
  return {
    register: shape.registerName(register, `the register of ${where}`),
    key: shape.bytes(key, `the key of ${where}`, 1, 255),
    value: value.kind === "null" ? null : shape.bytes(value, `the value of ${where}`),
    proof: {
      depth: Number(levels),
      bitmap: shape.bytes(bitmap, `the bitmap of ${where}`),
      siblings: shape.bytes(siblings, `the siblings of ${where}`),
      terminal: stateTerminal(terminal, `the terminal of ${where}`),
    },
  };
}

function stateTerminal(item: Item, where: string): Terminal {
  if (item.kind === "int") {
    if (item.value === 0n) return { kind: "leaf" };
    if (item.value === 1n) return { kind: "empty" };
    shape.refuse(where, "is neither 0 nor 1");
  }
  const [path, valueHash] = shape.tuple(item, where, 2);
  return { kind: "other", path: shape.hash(path, `the path of ${where}`), valueHash: shape.hash(valueHash, `the value hash of ${where}`) };
}

/** The path of a key in the state tree. */
export function statePath(register: string, key: Uint8Array): Uint8Array {
  const name = utf8(register);
  return sha256(concat(Uint8Array.of(name.length), name, key));
}

/** Why a claim does not hold under a state root, or `undefined` when it does. */
export function stateClaimFault(claim: StateClaim, root: Uint8Array): string | undefined {
  const { depth, bitmap, siblings } = claim.proof;
  if (bitmap.length !== Math.ceil(depth / 8)) return "the bitmap has the wrong length";
  for (let i = depth; i < 8 * bitmap.length; i++) if (bit(bitmap, i) === 1) return "the bitmap's padding is not zero";
  let present = 0;
  for (let i = 0; i < depth; i++) present += bit(bitmap, i);
  if (siblings.length !== 32 * present) return "the siblings are not as many as the bitmap says";

  const path = statePath(claim.register, claim.key);
  const end = terminalHash(claim, path);
  if (typeof end === "string") return end;

  let node = end;
  let offset = siblings.length;
  for (let i = depth - 1; i >= 0; i--) {
    let sibling: Uint8Array = EMPTY;
    if (bit(bitmap, i) === 1) {
      offset -= 32;
      sibling = siblings.subarray(offset, offset + 32);
      if (equal(sibling, EMPTY)) return "a sibling that the bitmap says is there is empty";
    }
    node = bit(path, i) === 0 ? branch(node, sibling) : branch(sibling, node);
  }
  return equal(node, root) ? undefined : "the proof leads to another state root";
}

function terminalHash(claim: StateClaim, path: Uint8Array): Uint8Array | string {
  const { depth, terminal } = claim.proof;
  if (claim.value !== null) {
    return terminal.kind === "leaf" ? leaf(path, sha256(claim.value)) : "a value is claimed, but the proof shows its absence";
  }
  switch (terminal.kind) {
    case "leaf":
      return "an absence is claimed, but the proof shows a value";
    case "empty":
      return EMPTY;
    case "other": {
      if (equal(terminal.path, path)) return "the other leaf is the claimed one";
      for (let i = 0; i < depth; i++) {
        if (bit(terminal.path, i) !== bit(path, i)) return "the other leaf lies elsewhere";
      }
      return leaf(terminal.path, terminal.valueHash);
    }
  }
}

const EMPTY = new Uint8Array(32);

function leaf(path: Uint8Array, valueHash: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(0), path, valueHash));
}

function branch(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(1), left, right));
}

/** Bit i, counted from the most significant of byte 0. */
function bit(bytes: Uint8Array, i: number): number {
  return ((bytes[i >> 3] ?? 0) >> (7 - (i & 7))) & 1;
}
