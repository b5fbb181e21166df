// The deterministic CBOR of docs/format.md section 1: a decoder and an encoder.
//
// The verifier has to tell "not this structure" (malformed) from "another encoding of this
// structure" (not-canonical), and the first is judged before the second. The decoder therefore
// reads any well-formed encoding of the values that Stele allows, and collects what is not
// deterministic about it in `faults`; `decodeStrict` refuses both at once.

import { compare, concat, utf8 } from "./bytes.js";

/** Arrays and maps inside one another, at most. */
export const NESTING_MAX = 16;

/** One decoded data item with the bytes it was read from. */
export type Item = { readonly raw: Uint8Array } & (
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "array"; readonly value: readonly Item[] }
  | { readonly kind: "map"; readonly value: readonly (readonly [Item, Item])[] }
  | { readonly kind: "tag"; readonly tag: bigint; readonly value: Item }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "null" }
);

/** Bytes that are not the encoding of a value that Stele allows. */
export class CborError extends Error {
  override readonly name = "CborError";
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(`${message} at byte ${offset}`);
  }
}

/** The tag of a COSE_Sign1, the only one that the formats use. */
export const COSE_SIGN1_TAG = 18n;

/**
 * Decodes exactly one item; notes every deviation from the deterministic encoding in `faults`.
 * A tag is an error, but for the outermost one where the format page names it.
 */
export function decode(bytes: Uint8Array, faults: string[], outerTag?: bigint): Item {
  const reader = new Reader(bytes, faults, outerTag);
  const item = reader.item(0);
  if (reader.position !== bytes.length) throw new CborError("bytes after the value", reader.position);
  return item;
}

/** Decodes exactly one item in deterministic encoding. */
export function decodeStrict(bytes: Uint8Array, outerTag?: bigint): Item {
  const faults: string[] = [];
  const item = decode(bytes, faults, outerTag);
  if (faults[0] !== undefined) throw new CborError(faults[0], 0);
  return item;
}

const BREAK = Symbol("break");
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Reader {
  position = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly faults: string[],
    private readonly outerTag: bigint | undefined,
  ) {}

  item(depth: number): Item {
    const item = this.itemOrBreak(depth);
    if (item === BREAK) throw new CborError("break without an indefinite length", this.position - 1);
    return item;
  }

  private itemOrBreak(depth: number): Item | typeof BREAK {
    const start = this.position;
    const initial = this.byte();
    const major = initial >> 5;
    const info = initial & 31;
    const raw = () => this.bytes.subarray(start, this.position);

    if (major === 7) {
      if (info === 20 || info === 21) return { kind: "bool", value: info === 21, raw: raw() };
      if (info === 22) return { kind: "null", raw: raw() };
      if (info === 31) return BREAK;
      throw new CborError("a float or simple value that Stele does not allow", start);
    }

    const length = this.argument(info, start, major);
    switch (major) {
      case 0:
      case 1: {
        const argument = definite(length, start);
        return { kind: "int", value: major === 0 ? argument : -1n - argument, raw: raw() };
      }
      case 2: {
        const value = this.string(length, major);
        return { kind: "bytes", value, raw: raw() };
      }
      case 3: {
        const value = this.string(length, major);
        return { kind: "text", value: text(value, start), raw: raw() };
      }
      case 4: {
        const value = this.array(length, this.deeper(depth, start));
        return { kind: "array", value, raw: raw() };
      }
      case 5: {
        const value = this.map(length, this.deeper(depth, start), start);
        return { kind: "map", value, raw: raw() };
      }
      default: {
        const tag = definite(length, start);
        if (start !== 0 || tag !== this.outerTag) throw new CborError(`tag ${tag} where none is named`, start);
        const value = this.item(depth);
        return { kind: "tag", tag, value, raw: raw() };
      }
    }
  }

  private deeper(depth: number, start: number): number {
    if (depth >= NESTING_MAX) throw new CborError(`nested more than ${NESTING_MAX} deep`, start);
    return depth + 1;
  }

  private byte(): number {
    const byte = this.bytes[this.position];
    if (byte === undefined) throw new CborError("the value ends early", this.position);
    this.position += 1;
    return byte;
  }

  /** The argument of an item's head, or `undefined` for an indefinite length. */
  private argument(info: number, start: number, major: number): bigint | undefined {
    if (info < 24) return BigInt(info);
    if (info === 31 && major >= 2 && major <= 5) {
      this.faults.push(`indefinite length at byte ${start}`);
      return undefined;
    }
    if (info > 27) throw new CborError("reserved additional information", start);
    const width = 1 << (info - 24);
    let argument = 0n;
    for (let i = 0; i < width; i++) argument = (argument << 8n) | BigInt(this.byte());
    const shortest = width === 1 ? argument >= 24n : argument >> BigInt(4 * width) !== 0n;
    if (!shortest) this.faults.push(`a head longer than needed at byte ${start}`);
    return argument;
  }

  private string(length: bigint | undefined, major: number): Uint8Array {
    if (length !== undefined) return this.take(length);
    const chunks: Uint8Array[] = [];
    for (;;) {
      const start = this.position;
      const initial = this.byte();
      if (initial === 0xff) return concat(...chunks);
      if (initial >> 5 !== major) throw new CborError("a chunk of another type", start);
      const chunk = this.take(definite(this.argument(initial & 31, start, major), start));
      if (major === 3) text(chunk, start);
      chunks.push(chunk);
    }
  }

  private take(length: bigint): Uint8Array {
    if (length > BigInt(this.bytes.length - this.position)) {
      throw new CborError("a string longer than the input", this.position);
    }
    const start = this.position;
    this.position += Number(length);
    return this.bytes.subarray(start, this.position);
  }

  private array(length: bigint | undefined, depth: number): Item[] {
    const items: Item[] = [];
    // Every item takes a byte, so a length beyond the input fails before it costs memory.
    for (let i = 0n; length === undefined || i < length; i++) {
      const item = length === undefined ? this.itemOrBreak(depth) : this.item(depth);
      if (item === BREAK) break;
      items.push(item);
    }
    return items;
  }

  private map(length: bigint | undefined, depth: number, start: number): [Item, Item][] {
    const entries: [Item, Item][] = [];
    for (let i = 0n; length === undefined || i < length; i++) {
      const key = length === undefined ? this.itemOrBreak(depth) : this.item(depth);
      if (key === BREAK) break;
      const before = entries.at(-1)?.[0];
      if (before !== undefined && compare(before.raw, key.raw) >= 0) {
        this.faults.push(`map keys out of order or repeated at byte ${start}`);
      }
      entries.push([key, this.item(depth)]);
    }
    return entries;
  }
}

function definite(length: bigint | undefined, start: number): bigint {
  if (length === undefined) throw new CborError("an indefinite length where none can be", start);
  return length;
}

function text(bytes: Uint8Array, start: number): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new CborError("text that is not UTF-8", start);
  }
}

// Encoding: only what the verifier and its tests have to build.

function head(major: number, argument: bigint): Uint8Array {
  const top = major << 5;
  if (argument < 24n) return Uint8Array.of(top | Number(argument));
  const width = argument < 1n << 8n ? 1 : argument < 1n << 16n ? 2 : argument < 1n << 32n ? 4 : 8;
  const bytes = new Uint8Array(1 + width);
  bytes[0] = top | (24 + Math.log2(width));
  for (let i = width, rest = argument; i > 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n);
  return bytes;
}

/** Encodes an integer from -2^64 to 2^64 - 1. */
export function encodeInt(value: bigint | number): Uint8Array {
  const integer = BigInt(value);
  if (integer >= 1n << 64n || integer < -(1n << 64n)) throw new RangeError("beyond 64 bits");
  return integer >= 0n ? head(0, integer) : head(1, -1n - integer);
}

/** Encodes a byte string. */
export function encodeBytes(value: Uint8Array): Uint8Array {
  return concat(head(2, BigInt(value.length)), value);
}

/** Encodes text. */
export function encodeText(value: string): Uint8Array {
  const bytes = utf8(value);
  return concat(head(3, BigInt(bytes.length)), bytes);
}

/** Encodes an array of encoded items. */
export function encodeArray(...items: readonly Uint8Array[]): Uint8Array {
  return concat(head(4, BigInt(items.length)), ...items);
}

/** Encodes a map of encoded keys and values, and puts it in order. */
export function encodeMap(...entries: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array {
  const sorted = [...entries].sort(([a], [b]) => compare(a, b));
  return concat(head(5, BigInt(sorted.length)), ...sorted.flat());
}

/** Puts a tag before an encoded item. */
export function encodeTag(tag: number, item: Uint8Array): Uint8Array {
  return concat(head(6, BigInt(tag)), item);
}

/** The encoding of `null`. */
export const NULL = Uint8Array.of(0xf6);
