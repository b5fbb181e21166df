// Public keys behind DIDs: did:jwk and did:key need nothing but the DID; did:web asks its own site; any
// other method is asked of this node's resolver (DID Resolution over HTTP), and only reported by it.

import type { JWK } from "jose";
import { type Bytes, type JsonObject, fromBase64Url, fromUtf8, isObject, list, parseJson, text, toBase64Url } from "./bytes";
import { getJson } from "./net";
import { Trouble } from "./trouble";

/** How far a key can be trusted to be that of its DID. */
export type KeySource = "self" | "site" | "reported";
export interface FoundKey {
  jwk: JWK;
  source: KeySource;
}

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

function base58(value: string): Bytes {
  if (value.length > 200) throw new SyntaxError("too long");
  let number = 0n;
  for (const character of value) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) throw new SyntaxError("not base58");
    number = number * 58n + BigInt(digit);
  }
  const bytes: number[] = [];
  for (; number > 0n; number >>= 8n) bytes.unshift(Number(number & 0xffn));
  return Uint8Array.from([...(/^1*/.exec(value)?.[0] ?? "").split("").map(() => 0), ...bytes]);
}

/** did:jwk of a public key (did:jwk method specification). */
export function didJwk(jwk: JWK): string {
  const { kty, crv, x, y } = jwk;
  return `did:jwk:${toBase64Url(new TextEncoder().encode(JSON.stringify({ crv, kty, x, y })))}`;
}

export async function keyOfDid(did: string, keyId: string | undefined, alg: string): Promise<FoundKey> {
  const bare = did.split("#", 1)[0] as string;
  const unknown = () => new Trouble("did.unknown", `The key of ${bare.slice(0, 60)} could not be found.`, "The wallet knows did:jwk, did:key and did:web, and asks this node for others.");
  try {
    if (bare.startsWith("did:jwk:")) {
      const jwk = parseJson(fromUtf8(fromBase64Url(bare.slice(8))));
      if (!isObject(jwk) || "d" in jwk) throw unknown();
      return { jwk: jwk as JWK, source: "self" };
    }
    if (bare.startsWith("did:key:z")) return { jwk: await multikey(base58(bare.slice(9))), source: "self" };
  } catch (error) {
    throw error instanceof Trouble ? error : unknown();
  }
  if (bare.startsWith("did:web:")) {
    const [host = "", ...path] = bare.slice(8).split(":").map(decodeURIComponent);
    const document = await getJson(`https://${host}/${path.length ? path.join("/") : ".well-known"}/did.json`, "the issuer's DID document");
    return { jwk: await methodKey(document, bare, keyId, alg, unknown), source: "site" };
  }
  if (/^did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,200}$/.test(bare)) {
    const answer = await getJson(`${location.origin}/1.0/identifiers/${bare}`, "the DID document");
    return { jwk: await methodKey(isObject(answer["didDocument"]) ? answer["didDocument"] : answer, bare, keyId, alg, unknown), source: "reported" };
  }
  throw unknown();
}

async function methodKey(document: JsonObject, did: string, keyId: string | undefined, alg: string, unknown: () => Trouble): Promise<JWK> {
  if (document["id"] !== did) throw unknown();
  const methods = list(document["verificationMethod"]).filter(isObject);
  const wanted = keyId?.includes("#") ? (keyId.startsWith("#") ? did + keyId : keyId) : keyId && `${did}#${keyId}`;
  const method = wanted ? methods.find(({ id }) => id === wanted || (typeof id === "string" && did + id === wanted)) : methods.length === 1 ? methods[0] : undefined;
  if (!method) throw unknown();
  if (isObject(method["publicKeyJwk"])) return { ...method["publicKeyJwk"], alg } as JWK;
  const multibase = text(method["publicKeyMultibase"]);
  if (multibase?.startsWith("z")) return multikey(base58(multibase.slice(1)));
  throw unknown();
}

/** Multicodec keys: 0xed01 Ed25519, 0x8024 compressed P-256. */
async function multikey(bytes: Bytes): Promise<JWK> {
  if (bytes[0] === 0xed && bytes[1] === 0x01 && bytes.length === 34) return { kty: "OKP", crv: "Ed25519", x: toBase64Url(bytes.subarray(2)) };
  if (bytes[0] === 0x80 && bytes[1] === 0x24 && bytes.length === 35) {
    const { p256 } = await import("@noble/curves/nist.js");
    const point = p256.Point.fromBytes(bytes.subarray(2)).toBytes(false);
    return { kty: "EC", crv: "P-256", x: toBase64Url(point.subarray(1, 33)), y: toBase64Url(point.subarray(33)) };
  }
  throw new Trouble("did.key-kind", "This DID has a kind of key that the wallet does not know.", "The wallet knows P-256 and Ed25519.");
}
