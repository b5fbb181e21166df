// Reads typed fields out of decoded CBOR; every mismatch is a ShapeError that names the place.

import { COSE_SIGN1_TAG, CborError, type Item } from "./cbor.js";

/** A value of another type, label, length or range than the format page gives. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** Whether an error says that the input is not the structure asked for. */
export function isInputError(error: unknown): error is CborError | ShapeError {
  return error instanceof CborError || error instanceof ShapeError;
}

/** Raises a ShapeError. */
export function refuse(where: string, problem: string): never {
  throw new ShapeError(`${where} ${problem}`);
}

/** An integer. */
export function int(item: Item, where: string): bigint {
  return item.kind === "int" ? item.value : refuse(where, "is not an integer");
}

/** An unsigned integer. */
export function uint(item: Item, where: string): bigint {
  const value = int(item, where);
  return value >= 0n ? value : refuse(where, "is negative");
}

/** A byte string whose length lies in the range, both ends included. */
export function bytes(item: Item, where: string, min = 0, max = Number.MAX_SAFE_INTEGER): Uint8Array {
  if (item.kind !== "bytes") refuse(where, "is not a byte string");
  if (item.value.length < min || item.value.length > max) refuse(where, `has ${item.value.length} bytes`);
  return item.value;
}

/** A SHA-256 value. */
export function hash(item: Item, where: string): Uint8Array {
  return bytes(item, where, 32, 32);
}

/** Text whose UTF-8 length in bytes lies in the range, both ends included. */
export function text(item: Item, where: string, min = 0, max = Number.MAX_SAFE_INTEGER): string {
  if (item.kind !== "text") refuse(where, "is not text");
  const length = new TextEncoder().encode(item.value).length;
  if (length < min || length > max) refuse(where, `has ${length} bytes`);
  return item.value;
}

/** An array whose number of items lies in the range, both ends included. */
export function array(item: Item, where: string, min = 0, max = Number.MAX_SAFE_INTEGER): readonly Item[] {
  if (item.kind !== "array") refuse(where, "is not an array");
  if (item.value.length < min || item.value.length > max) refuse(where, `has ${item.value.length} items`);
  return item.value;
}

/** An array of exactly as many items as the tuple type has. */
export function tuple<N extends number>(item: Item, where: string, length: N): Tuple<N> {
  return array(item, where, length, length) as unknown as Tuple<N>;
}
/** N items. */
export type Tuple<N extends number, T extends Item[] = []> = T["length"] extends N ? T : Tuple<N, [...T, Item]>;

/** A map with integer labels: the required ones are there, and no other than those named. */
export function labels<R extends number, O extends number = never>(
  item: Item,
  where: string,
  required: readonly R[],
  optional: readonly O[] = [],
): Record<R, Item> & Partial<Record<O, Item>> {
  if (item.kind !== "map") refuse(where, "is not a map");
  const found: Partial<Record<number, Item>> = {};
  for (const [key, value] of item.value) {
    const label = Number(int(key, `a label of ${where}`));
    if (!(required as readonly number[]).includes(label) && !(optional as readonly number[]).includes(label)) {
      refuse(where, `has the unknown label ${label}`);
    }
    found[label] = value;
  }
  for (const label of required) if (found[label] === undefined) refuse(where, `lacks label ${label}`);
  return found as Record<R, Item> & Partial<Record<O, Item>>;
}

/** The four items of a COSE_Sign1 with its tag 18. */
export function coseSign1(item: Item, where: string): Tuple<4> {
  if (item.kind !== "tag" || item.tag !== COSE_SIGN1_TAG) refuse(where, "is not a tagged COSE_Sign1");
  return tuple(item.value, where, 4);
}

const REGISTER_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** Whether a text can name a register. */
export function isRegisterName(name: string): boolean {
  return REGISTER_NAME.test(name);
}

/** A register's name. */
export function registerName(item: Item, where: string): string {
  const name = text(item, where);
  return isRegisterName(name) ? name : refuse(where, "is not a register name");
}

/** A map with text keys, as command and event bodies are. */
export function body(item: Item, where: string): Item {
  if (item.kind !== "map") refuse(where, "is not a map");
  for (const [key] of item.value) text(key, `a key of ${where}`);
  return item;
}
