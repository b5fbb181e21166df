// Byte helpers: hexadecimal, base32, comparison, concatenation. No Node API.

/** Refuses text that is not what its name says. */
export class TextError extends Error {
  override readonly name = "TextError";
}

const HEX = "0123456789abcdef";

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX.charAt(byte >> 4) + HEX.charAt(byte & 15);
  return text;
}

/** Reads hexadecimal of either case; white space around it is allowed, inside it is not. */
export function fromHex(text: string): Uint8Array {
  const hex = text.trim().toLowerCase();
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new TextError("not hexadecimal");
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** Lower-case base32 without padding (RFC 4648 section 6). */
export function toBase32(bytes: Uint8Array): string {
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32.charAt((buffer >> bits) & 31);
    }
    buffer &= (1 << bits) - 1;
  }
  if (bits > 0) text += BASE32.charAt((buffer << (5 - bits)) & 31);
  return text;
}

/** Reads lower-case base32 without padding; the bits left over must be zero. */
export function fromBase32(text: string): Uint8Array {
  const bytes: number[] = [];
  let buffer = 0;
  let bits = 0;
  for (const character of text) {
    const value = BASE32.indexOf(character);
    if (value < 0) throw new TextError("not base32");
    buffer = (buffer << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push(buffer >> bits);
      buffer &= (1 << bits) - 1;
    }
  }
  if (bits >= 5 || buffer !== 0) throw new TextError("not base32");
  return Uint8Array.from(bytes);
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const digits = [18, 12, 6, 0].map((shift) => BASE64.charAt((group >> shift) & 63)).join("");
    const count = Math.min(3, bytes.length - i);
    text += digits.slice(0, count + 1).padEnd(4, "=");
  }
  return text;
}

/** Reads exactly what `toBase64` writes; undefined for any other text. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) || text.endsWith("\n")) return undefined;
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i += 4) {
    const digits = text.slice(i, i + 4).replace(/=+$/, "");
    let group = 0;
    for (const digit of digits) group = (group << 6) | BASE64.indexOf(digit);
    group <<= 6 * (4 - digits.length);
    for (let byte = 0; byte < digits.length - 1; byte++) bytes.push((group >> (16 - 8 * byte)) & 255);
  }
  const read = Uint8Array.from(bytes);
  return toBase64(read) === text ? read : undefined;
}

/** Reads base64url without padding (RFC 4648 section 5); the bits left over must be zero. */
export function fromBase64Url(text: string): Uint8Array {
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  const bytes = /[+/=]/.test(text) ? undefined : fromBase64(standard.padEnd(Math.ceil(standard.length / 4) * 4, "="));
  if (!bytes) throw new TextError("not base64url");
  return bytes;
}

/** Whether two byte strings are equal. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compare(a, b) === 0;
}

/** Bytewise lexicographic order; a prefix sorts first. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** One byte string after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

const encoder = new TextEncoder();

/** UTF-8. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}
