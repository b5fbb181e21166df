// Outside witnesses: docs/format.md section 9. Lines and keys of C2SP signed-note, cosignatures of tlog-cosignature.

import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, equal, fromBase64, toBase64, toHex, utf8 } from "./bytes.js";

const TYPE_COSIGNATURE = 4;
const KEYS_MAX = 64;
const LINE_START = "\u2014 ";
/** Unicode white space, control characters and `+` are in no name. */
const NOT_IN_A_NAME = /[\u0000-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]/u;

/** A witness key or a policy that cannot be used. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
}

/** The key of one witness: a C2SP verifier key `name+id+base64` of type 0x04. */
export interface WitnessKey {
  readonly name: string;
  readonly publicKey: Uint8Array;
  readonly keyId: Uint8Array;
}

/** So many of these witnesses must have cosigned. */
export interface WitnessPolicy {
  readonly keys: readonly WitnessKey[];
  readonly min: number;
}

/** A witness of a policy that cosigned, and when: seconds since 1970. */
export interface Cosigned {
  readonly name: string;
  readonly time: bigint;
}

/** A line as it reads; nothing of it is checked. */
export interface CosignatureLine {
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly time: bigint;
  readonly signature: Uint8Array;
}

/** Reads a witness's verifier key. Throws PolicyError. */
export function parseWitnessKey(text: string): WitnessKey {
  const [name, id, ...rest] = text.split("+");
  const material = fromBase64(rest.join("+"));
  if (!name || NOT_IN_A_NAME.test(name) || id === undefined || !material || material.length === 0) {
    throw new PolicyError(`${JSON.stringify(text)} is not name+id+key`);
  }
  if (material[0] !== TYPE_COSIGNATURE) throw new PolicyError(`the key of ${name} is of type ${material[0]}, not 4 (cosignatures)`);
  const publicKey = material.slice(1);
  const keyId = idOf(name, publicKey);
  if (publicKey.length !== 32 || toHex(keyId) !== id) throw new PolicyError(`${JSON.stringify(text)}: the id does not belong to the key`);
  if (!isUsable(publicKey)) throw new PolicyError(`the key of ${name} is no usable Ed25519 key`);
  return { name, publicKey, keyId };
}

/** A policy "`min` of these"; all of them by default. Throws PolicyError. */
export function witnessPolicy(verifierKeys: readonly string[], min = verifierKeys.length): WitnessPolicy {
  const keys = verifierKeys.map(parseWitnessKey);
  if (keys.length < 1 || keys.length > KEYS_MAX) throw new PolicyError(`a policy names 1 to ${KEYS_MAX} witnesses, not ${keys.length}`);
  if (!Number.isInteger(min) || min < 1 || min > keys.length) throw new PolicyError(`${min} of ${keys.length} witnesses is no policy`);
  if (new Set(keys.map(({ publicKey }) => toHex(publicKey))).size !== keys.length) {
    throw new PolicyError("two witnesses have the same key; a witness counts once");
  }
  return { keys, min };
}

/** The text that the log signs and witnesses cosign. */
export function checkpointText(networkId: Uint8Array, treeSize: bigint, logRoot: Uint8Array): string {
  return `stele/${toHex(networkId)}\n${treeSize}\n${toBase64(logRoot)}\n`;
}

/** Reads a line as a cosignature, for showing; undefined when it is none. */
export function readCosignature(line: string): CosignatureLine | undefined {
  if (!line.startsWith(LINE_START)) return undefined;
  const [name, encoded, ...more] = line.slice(LINE_START.length).split(" ");
  const bytes = encoded === undefined || more.length > 0 ? undefined : fromBase64(encoded);
  if (!name || NOT_IN_A_NAME.test(name) || bytes?.length !== 4 + 8 + 64) return undefined;
  const time = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(4);
  return { name, keyId: bytes.slice(0, 4), time, signature: bytes.slice(12) };
}

/** Who of the policy cosigned, in the policy's order. All other lines count for nothing and spoil nothing. */
export function cosigners(policy: WitnessPolicy, checkpoint: string, lines: readonly string[]): Cosigned[] {
  const read = lines.map(readCosignature).filter((line) => line !== undefined);
  return policy.keys.flatMap((key) => {
    const times = read.filter((line) => holds(key, checkpoint, line)).map(({ time }) => time);
    const [first, ...rest] = times;
    return first === undefined ? [] : [{ name: key.name, time: rest.reduce((a, b) => (a > b ? a : b), first) }];
  });
}

function holds(key: WitnessKey, checkpoint: string, { name, keyId, time, signature }: CosignatureLine): boolean {
  if (name !== key.name || !equal(keyId, key.keyId) || time < 1n || time >= 1n << 63n) return false;
  const message = utf8(`cosignature/v1\ntime ${time}\n${checkpoint}`);
  try {
    return ed25519.verify(signature, message, key.publicKey, { zip215: true });
  } catch {
    return false;
  }
}

function idOf(name: string, publicKey: Uint8Array): Uint8Array {
  return sha256(concat(utf8(`${name}\n`), Uint8Array.of(TYPE_COSIGNATURE), publicKey)).slice(0, 4);
}

/** Whether the bytes are a point for which not everybody can sign. */
function isUsable(publicKey: Uint8Array): boolean {
  try {
    return !ed25519.Point.fromBytes(publicKey, true).isSmallOrder();
  } catch {
    return false;
  }
}
