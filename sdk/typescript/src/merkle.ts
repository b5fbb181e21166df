// RFC 9162 Merkle tree of the log, with SHA-256.

import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "./bytes.js";

/** The hash of a leaf (RFC 9162 section 2.1.1). */
export function leafHash(record: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(0), record));
}

/** The hash of an inner node. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(1), left, right));
}

/** One step from a leaf to the root: the node so far, the hash beside it, and what they make. */
export interface PathStep {
  readonly node: Uint8Array;
  readonly sibling: Uint8Array;
  readonly siblingSide: "left" | "right";
  readonly parent: Uint8Array;
}

/**
 * The way from a leaf to the root (RFC 9162 section 2.1.3.2), or `undefined` when the index is
 * not below the size or the path has not the length that index and size ask for.
 */
export function inclusionPath(
  leaf: Uint8Array,
  index: bigint,
  size: bigint,
  path: readonly Uint8Array[],
): { root: Uint8Array; steps: PathStep[] } | undefined {
  if (index < 0n || index >= size) return undefined;
  let fn = index;
  let sn = size - 1n;
  let node = leaf;
  const steps: PathStep[] = [];
  for (const sibling of path) {
    if (sn === 0n) return undefined;
    const left = (fn & 1n) === 1n || fn === sn;
    const parent = left ? nodeHash(sibling, node) : nodeHash(node, sibling);
    steps.push({ node, sibling, siblingSide: left ? "left" : "right", parent });
    node = parent;
    // A right edge node without a sibling on its level rises until it has one.
    while (left && (fn & 1n) === 0n && fn !== 0n) {
      fn >>= 1n;
      sn >>= 1n;
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n ? { root: node, steps } : undefined;
}
