// Builds networks, entries and receipts for the tests, with the key material in hand.

import { bls12_381 } from "@noble/curves/bls12-381.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { concat, equal, toHex } from "../src/bytes.js";
import { NULL, encodeArray, encodeBytes, encodeInt, encodeMap, encodeTag, encodeText } from "../src/cbor.js";
import { sigStructure } from "../src/cose.js";
import { type SuiteName, publicKeyFromCose } from "../src/keys.js";
import { leafHash, nodeHash } from "../src/merkle.js";
import { type Network, networkFromJson, networkIdOfGenesis } from "../src/network.js";
import { statePath } from "../src/state.js";

export interface Signer {
  alg: number;
  cose: Uint8Array;
  kid: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

const seed = (n: number) => new Uint8Array(32).fill(n);

export function signer(suite: SuiteName, n: number): Signer {
  const make = (alg: number, cose: Uint8Array, sign: Signer["sign"]): Signer => ({ alg, cose, kid: publicKeyFromCose(cose).kid, sign });
  const edPublic = ed25519.getPublicKey(seed(n));
  const edSign = (message: Uint8Array) => ed25519.sign(message, seed(n));
  const pq = () => ml_dsa65.keygen(seed(n));
  switch (suite) {
    case "Ed25519":
      return make(-19, encodeMap([encodeInt(1), encodeInt(1)], [encodeInt(-1), encodeInt(6)], [encodeInt(-2), encodeBytes(edPublic)]), edSign);
    case "ES256": {
      const point = p256.getPublicKey(seed(n), false);
      const cose = encodeMap(
        [encodeInt(1), encodeInt(2)],
        [encodeInt(-1), encodeInt(1)],
        [encodeInt(-2), encodeBytes(point.subarray(1, 33))],
        [encodeInt(-3), encodeBytes(point.subarray(33))],
      );
      return make(-7, cose, (message) => p256.sign(message, seed(n), { lowS: false }));
    }
    case "BLS12-381": {
      const scheme = bls12_381.shortSignatures;
      const secret = seed(n);
      const hash = (message: Uint8Array) => scheme.hash(message, "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_");
      const cose = akp(-65602, scheme.getPublicKey(secret).toBytes());
      return make(-65602, cose, (message) => scheme.sign(hash(message), secret).toBytes());
    }
    case "ML-DSA-65": {
      const { publicKey, secretKey } = pq();
      return make(-49, akp(-49, publicKey), (message) => ml_dsa65.sign(message, secretKey));
    }
    case "Ed25519+ML-DSA-65": {
      const { publicKey, secretKey } = pq();
      return make(-65600, akp(-65600, concat(edPublic, publicKey)), (message) => concat(edSign(message), ml_dsa65.sign(message, secretKey)));
    }
  }
}

function akp(alg: number, key: Uint8Array): Uint8Array {
  return encodeMap([encodeInt(1), encodeInt(7)], [encodeInt(3), encodeInt(alg)], [encodeInt(-1), encodeBytes(key)]);
}

export function descriptor(key: Signer): Record<string, string> {
  const genesis = encodeArray(
    encodeInt(1),
    encodeText("test"),
    encodeInt(0),
    key.cose,
    encodeArray(encodeArray(encodeText("Fictional Port Authority"), key.cose)),
    encodeArray(encodeArray(encodeText("trace"), encodeInt(1))),
  );
  return { format: "stele-network/1", name: "test", network_id: toHex(networkIdOfGenesis(genesis)), key: toHex(key.cose), genesis: toHex(genesis) };
}

export interface EntryOptions {
  network: Uint8Array;
  register?: string;
  window?: [number, number];
  nonce?: Uint8Array;
  commands?: Uint8Array;
  unprotected?: Uint8Array;
}

export function command(name: string, body: Uint8Array = encodeMap()): Uint8Array {
  return encodeArray(encodeText(name), body);
}

export function entry(key: Signer, options: EntryOptions): Uint8Array {
  const { network, register = "trace", window = [1_000, 61_000], nonce = seed(9).subarray(0, 8), unprotected = encodeMap() } = options;
  const commands = options.commands ?? encodeArray(command("record", encodeMap([encodeText("item"), encodeText("urn:epc:id:sgtin:0614141.107346.2017")])));
  const header = encodeMap(
    [encodeInt(1), encodeInt(key.alg)],
    [encodeInt(4), encodeBytes(key.kid)],
    [encodeInt(-65537), encodeArray(encodeBytes(network), encodeText(register), encodeInt(window[0]), encodeInt(window[1]), encodeBytes(nonce))],
  );
  const signature = key.sign(sigStructure(header, commands));
  return encodeTag(18, encodeArray(encodeBytes(header), unprotected, encodeBytes(commands), encodeBytes(signature)));
}

/** A plain RFC 9162 tree: the recursive definition of section 2.1.1, not the verifier's loop. */
export function treeRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  const split = splitPoint(leaves.length);
  return nodeHash(treeRoot(leaves.slice(0, split)), treeRoot(leaves.slice(split)));
}

export function treePath(index: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return [];
  const split = splitPoint(leaves.length);
  return index < split
    ? [...treePath(index, leaves.slice(0, split)), treeRoot(leaves.slice(split))]
    : [...treePath(index - split, leaves.slice(split)), treeRoot(leaves.slice(0, split))];
}

function splitPoint(length: number): number {
  let split = 1;
  while (2 * split < length) split *= 2;
  return split;
}

export interface Leaf {
  path: Uint8Array;
  valueHash: Uint8Array;
}

const bitAt = (bytes: Uint8Array, i: number) => ((bytes[i >> 3] as number) >> (7 - (i & 7))) & 1;

/** The recursive definition of the state tree in the format page. */
export function stateRoot(leaves: readonly Leaf[], depth = 0): Uint8Array {
  const [only] = leaves;
  if (!only) return new Uint8Array(32);
  if (leaves.length === 1) return sha256(concat(Uint8Array.of(0), only.path, only.valueHash));
  const half = (side: number) => leaves.filter(({ path }) => bitAt(path, depth) === side);
  return sha256(concat(Uint8Array.of(1), stateRoot(half(0), depth + 1), stateRoot(half(1), depth + 1)));
}

export function stateClaim(register: string, key: Uint8Array, value: Uint8Array | null, leaves: readonly Leaf[]): Uint8Array {
  const path = statePath(register, key);
  const siblings: Uint8Array[] = [];
  let here = leaves;
  let depth = 0;
  for (; here.length > 1; depth++) {
    const side = bitAt(path, depth);
    siblings.push(stateRoot(here.filter((leaf) => bitAt(leaf.path, depth) !== side), depth + 1));
    here = here.filter((leaf) => bitAt(leaf.path, depth) === side);
  }
  const bitmap = new Uint8Array(Math.ceil(depth / 8));
  const empty = new Uint8Array(32);
  siblings.forEach((sibling, i) => {
    if (!equal(sibling, empty)) bitmap[i >> 3] = (bitmap[i >> 3] as number) | (128 >> (i & 7));
  });
  const [end] = here;
  const terminal = !end ? encodeInt(1) : equal(end.path, path) ? encodeInt(0) : encodeArray(encodeBytes(end.path), encodeBytes(end.valueHash));
  const proof = encodeArray(encodeInt(depth), encodeBytes(bitmap), encodeBytes(concat(...siblings.filter((sibling) => !equal(sibling, empty)))), terminal);
  return encodeArray(encodeText(register), encodeBytes(key), value ? encodeBytes(value) : NULL, proof);
}

export interface World {
  network: Network;
  networkKey: Signer;
  party: Signer;
  state: { register: string; key: Uint8Array; value: Uint8Array }[];
  leaves: Leaf[];
}

export function world(suite: SuiteName = "Ed25519"): World {
  const networkKey = signer(suite, 1);
  const state = Array.from({ length: 20 }, (_, i) => ({ register: "trace", key: Uint8Array.of(1, i), value: seed(i) }));
  const leaves = state.map(({ register, key, value }) => ({ path: statePath(register, key), valueHash: sha256(value) }));
  return { network: networkFromJson(descriptor(networkKey)), networkKey, party: signer("Ed25519", 2), state, leaves };
}

export const EVENTS = encodeArray(command("recorded", encodeMap([encodeText("count"), encodeInt(1)])));

export interface ReceiptOptions {
  index?: number;
  size?: number;
  entry?: Uint8Array | null;
  events?: Uint8Array | null;
  outcome?: Uint8Array;
  claims?: Uint8Array[];
  entryClaim?: boolean;
  witnesses?: string[];
  format?: string;
  blockVersion?: number;
  recordVersion?: number;
  recordHeight?: number;
  recordTime?: number;
  recordRegister?: string;
  provenSize?: number;
  path?: Uint8Array[];
  provenIndex?: number;
  alg?: number;
  kid?: Uint8Array;
  networkId?: Uint8Array;
}

/** A receipt for an entry, for state values, or both; each option breaks or changes one thing. */
export function receipt(world: World, options: ReceiptOptions = {}): Uint8Array {
  const { index = 5, size = 11, events = EVENTS, entryClaim = true } = options;
  const envelope = options.entry ?? entry(world.party, { network: world.network.networkId });
  const entryParts = splitEntry(envelope);
  const record = encodeArray(
    encodeInt(options.recordVersion ?? 1),
    encodeBytes(sha256(sigStructure(entryParts.header, entryParts.payload))),
    encodeBytes(sha256(envelope)),
    encodeBytes(seed(7)),
    encodeText(options.recordRegister ?? "trace"),
    encodeText("trace@1"),
    encodeInt(options.recordHeight ?? 3),
    encodeInt(options.recordTime ?? 30_000),
    options.outcome ?? encodeArray(encodeInt(0), encodeBytes(sha256(EVENTS))),
  );
  const leaves = Array.from({ length: size }, (_, i) => leafHash(i === index ? record : Uint8Array.of(i)));
  const root = treeRoot(leaves);
  const header = encodeMap(
    [encodeInt(1), encodeInt(options.alg ?? world.networkKey.alg)],
    [encodeInt(4), encodeBytes(options.kid ?? world.networkKey.kid)],
    [encodeInt(395), encodeInt(1)],
    [
      encodeInt(-65538),
      encodeArray(
        encodeInt(options.blockVersion ?? 1),
        encodeBytes(options.networkId ?? world.network.networkId),
        encodeInt(4),
        encodeInt(40_000),
        encodeBytes(seed(0)),
        encodeInt(size),
        encodeBytes(stateRoot(world.leaves)),
      ),
    ],
  );
  const proof = encodeArray(
    encodeInt(options.provenSize ?? size),
    encodeInt(options.provenIndex ?? index),
    encodeArray(...(options.path ?? treePath(index, leaves)).map(encodeBytes)),
  );
  const unprotected = entryClaim
    ? encodeMap(
        [encodeInt(396), encodeMap([encodeInt(-1), encodeArray(encodeBytes(proof))])],
        [encodeInt(-65539), encodeBytes(record)],
        ...(events ? [[encodeInt(-65540), encodeBytes(events)] as const] : []),
      )
    : encodeMap();
  const certificate = encodeTag(
    18,
    encodeArray(encodeBytes(header), unprotected, entryClaim ? NULL : encodeBytes(root), encodeBytes(world.networkKey.sign(sigStructure(header, root)))),
  );
  return encodeMap(
    [encodeInt(0), encodeText(options.format ?? "stele-receipt/1")],
    [encodeInt(1), encodeBytes(certificate)],
    ...(options.entry === null ? [] : [[encodeInt(2), encodeBytes(envelope)] as const]),
    ...(options.claims ? [[encodeInt(3), encodeArray(...options.claims)] as const] : []),
    ...(options.witnesses ? [[encodeInt(4), encodeArray(...options.witnesses.map(encodeText))] as const] : []),
  );
}

/** The header and payload of an entry built here: bstr header, map, bstr payload. */
function splitEntry(envelope: Uint8Array): { header: Uint8Array; payload: Uint8Array } {
  const header = string(envelope, 2);
  const unprotectedEnd = header.end + (envelope[header.end] === 0xa0 ? 1 : 0);
  return { header: header.value, payload: string(envelope, unprotectedEnd).value };
}

function string(bytes: Uint8Array, at: number): { value: Uint8Array; end: number } {
  const info = (bytes[at] as number) & 31;
  const width = info < 24 ? 0 : 1 << (info - 24);
  let length = info < 24 ? info : 0;
  for (let i = 1; i <= width; i++) length = length * 256 + (bytes[at + i] as number);
  const start = at + 1 + width;
  return { value: bytes.slice(start, start + length), end: start + length };
}
