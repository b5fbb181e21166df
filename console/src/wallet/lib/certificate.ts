// The public key and the DNS names of an X.509 certificate (RFC 5280): just enough to check a signature.
// Whether anybody vouches for the certificate is not checked here, and the wallet says so.

import type { JWK } from "jose";
import { type Bytes, type Json, toBase64Url } from "./bytes";
import { Trouble } from "./trouble";

interface Element {
  tag: number;
  body: Bytes;
  whole: Bytes;
}

const P256 = "2a8648ce3d030107";
const ED25519 = "2b6570";
const SUBJECT_ALTERNATIVE_NAME = "551d11";
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function elements(bytes: Bytes): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] as number;
    let length = bytes[at + 1] ?? NaN;
    let start = at + 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 3) throw new SyntaxError("length");
      length = 0;
      for (let number = 0; number < count; number += 1) length = length * 256 + (bytes[start + number] ?? NaN);
      start += count;
    }
    const end = start + length;
    if (!(end <= bytes.length) || found.length > 64) throw new SyntaxError("length");
    found.push({ tag, body: bytes.subarray(start, end) as Bytes, whole: bytes.subarray(at, end) as Bytes });
    at = end;
  }
  return found;
}

const within = (element: Element | undefined): Element[] => {
  if (!element) throw new SyntaxError("missing");
  return elements(element.body);
};

export function certificate(encoded: Json | undefined, nowSeconds: number): { jwk: JWK; names: string[]; der: Bytes } {
  try {
    if (typeof encoded !== "string" || encoded.length > 16_384) throw new SyntaxError("x5c");
    const der = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    const fields = within(within(elements(der)[0])[0]).filter(({ tag }) => tag !== 0xa0);
    // serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, [3] extensions
    const [from = NaN, until = NaN] = within(fields[3]).map(seconds);
    if (!(from <= nowSeconds && nowSeconds <= until)) throw new Trouble("request.certificate-expired", "The verifier's certificate is not valid at this time.", "Nothing was sent.");
    return { jwk: publicKey(fields[5]), names: dnsNames(fields.find(({ tag }) => tag === 0xa3)), der };
  } catch (error) {
    if (error instanceof Trouble) throw error;
    throw new Trouble("request.certificate", "The verifier's certificate cannot be read.", "Nothing was sent.");
  }
}

/** UTCTime or GeneralizedTime (RFC 5280, section 4.1.2.5), in seconds. */
function seconds({ tag, body }: Element): number {
  const written = new TextDecoder().decode(body);
  const year = tag === 0x17 ? (Number(written.slice(0, 2)) < 50 ? "20" : "19") : "";
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(year + written);
  return parts ? Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]), Number(parts[4]), Number(parts[5]), Number(parts[6])) / 1000 : NaN;
}

function publicKey(info: Element | undefined): JWK {
  const [algorithm, bits] = within(info);
  const kinds = within(algorithm).map(({ body }) => hex(body));
  const key = (bits as Element).body.subarray(1);
  if (kinds[1] === P256 && key.length === 65 && key[0] === 4) return { kty: "EC", crv: "P-256", x: toBase64Url(key.subarray(1, 33)), y: toBase64Url(key.subarray(33)) };
  if (kinds[0] === ED25519 && key.length === 32) return { kty: "OKP", crv: "Ed25519", x: toBase64Url(key) };
  throw new Trouble("request.certificate", "The verifier's certificate has a kind of key that the wallet does not know.", "Nothing was sent.");
}

function dnsNames(extensions: Element | undefined): string[] {
  if (!extensions) return [];
  const all = within(within(extensions)[0]);
  const extension = all.map(within).find(([id]) => id && hex(id.body) === SUBJECT_ALTERNATIVE_NAME);
  const value = extension?.at(-1);
  if (!value) return [];
  return within(within(value)[0])
    .filter(({ tag }) => tag === 0x82)
    .map(({ body }) => new TextDecoder().decode(body));
}
