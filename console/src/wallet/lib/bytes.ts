// Bytes and text: base64url without padding (RFC 4648, section 5), UTF-8, SHA-256, JSON with limits.

export type Bytes = Uint8Array<ArrayBuffer>;
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

export const utf8 = (text: string): Bytes => new TextEncoder().encode(text) as Bytes;
export const fromUtf8 = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true }).decode(bytes);

export function toBase64Url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Throws SyntaxError for anything that is not base64url without padding. */
export function fromBase64Url(text: string): Bytes {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new SyntaxError("not base64url");
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}

export function random(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** An unguessable name: 128 bits. */
export const randomId = (): string => toBase64Url(random(16));

export async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

export const sha256Text = async (text: string): Promise<string> => toBase64Url(await sha256(utf8(text)));

const DEPTH_MAX = 32;

/** Parses JSON from others: no deeper than 32 levels. Throws SyntaxError. */
export function parseJson(text: string): Json {
  const value = JSON.parse(text) as Json;
  if (deeper(value, DEPTH_MAX)) throw new SyntaxError("nested too deeply");
  return value;
}

function deeper(value: Json, left: number): boolean {
  if (value === null || typeof value !== "object") return false;
  if (left === 0) return true;
  return (Array.isArray(value) ? value : Object.values(value)).some((inner) => deeper(inner, left - 1));
}

export const isObject = (value: unknown): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);
export const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
export const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
