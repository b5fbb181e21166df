// SD-JWT (RFC 9901) and its key binding: reading with every digest accounted for, and showing a part of it.

import { SignJWT, importJWK, type JWK } from "jose";
import { type Json, type JsonObject, fromBase64Url, fromUtf8, isObject, parseJson, sha256Text } from "./bytes";
import { Trouble } from "./trouble";

const TEXT_MAX = 128 * 1024;
const DISCLOSURES_MAX = 500;
export type Path = (string | number)[];

interface Disclosure {
  encoded: string;
  /** The claim's name; an array element has none. */
  name: string | undefined;
  value: Json;
}

/** A value with what has to be disclosed to show it. */
export interface Claim {
  path: Path;
  value: Json;
  /** Numbers of the disclosures on the way here; empty if it is always visible. */
  needs: number[];
  children: Claim[];
}

export interface SdJwt {
  /** Issuer-signed JWT and disclosures, each followed by `~`, without key binding. */
  compact: string;
  jwt: string;
  header: JsonObject;
  payload: JsonObject;
  disclosures: Disclosure[];
  /** All claims, disclosed ones in their places. */
  root: Claim;
  keyBinding: string | undefined;
}

const broken = (code: string, sentence: string) => new Trouble(code, sentence, "Ask the issuer for a new paper.");

/** Reads an SD-JWT and puts each disclosure in its place; signatures are checked elsewhere. Throws Trouble. */
export async function readSdJwt(text: string): Promise<SdJwt> {
  const compactText = text.trim();
  if (compactText.length > TEXT_MAX) throw broken("credential.too-large", "This paper is larger than the wallet takes (128 KiB).");
  const parts = compactText.split("~");
  const [jwt = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) throw broken("credential.malformed", "This is not a paper in the form dc+sd-jwt.");
  if (rest.length > DISCLOSURES_MAX) throw broken("credential.too-large", `This paper has more than ${DISCLOSURES_MAX} fields to disclose.`);
  const { header, payload } = readJwt(jwt, "credential.malformed", "This is not a paper in the form dc+sd-jwt.");
  if (payload["_sd_alg"] !== undefined && payload["_sd_alg"] !== "sha-256") throw broken("credential.digest-kind", "This paper uses a digest that the wallet does not know.");
  const disclosures = rest.map(disclosure);
  const digests = await Promise.all(disclosures.map(({ encoded }) => sha256Text(encoded)));
  const byDigest = new Map(digests.map((digest, number) => [digest, number]));
  if (byDigest.size !== digests.length) throw broken("credential.disclosure-repeated", "The same field is disclosed twice in this paper.");
  const placed = new Placing(disclosures, byDigest);
  const root = placed.claim(payload, [], []);
  if (placed.used.size !== disclosures.length) {
    const stray = disclosures.find((_, number) => !placed.used.has(number));
    throw broken("credential.disclosure-altered", `A field of this paper was altered after it was signed${stray?.name ? ` (${stray.name})` : ""}: the signed digests do not contain it.`);
  }
  return { compact: [jwt, ...rest, ""].join("~"), jwt, header, payload, disclosures, root, keyBinding: last || undefined };
}

export function readJwt(jwt: string, code: string, sentence: string): { header: JsonObject; payload: JsonObject } {
  const parts = jwt.split(".");
  try {
    const [header, payload] = parts.slice(0, 2).map((part) => parseJson(fromUtf8(fromBase64Url(part))));
    if (parts.length === 3 && isObject(header) && isObject(payload)) return { header, payload };
  } catch {
    // Falls through: one sentence for each way of not being a JWT.
  }
  throw broken(code, sentence);
}

function disclosure(encoded: string): Disclosure {
  let value: Json;
  try {
    value = parseJson(fromUtf8(fromBase64Url(encoded)));
  } catch {
    value = null;
  }
  if (!Array.isArray(value) || typeof value[0] !== "string" || (value.length !== 2 && value.length !== 3)) throw broken("credential.disclosure-malformed", "A field of this paper cannot be read.");
  if (value.length === 2) return { encoded, name: undefined, value: value[1] as Json };
  const name = value[1];
  if (typeof name !== "string" || name === "_sd" || name === "...") throw broken("credential.disclosure-malformed", "A field of this paper has a name that is not allowed.");
  return { encoded, name, value: value[2] as Json };
}

/** Replaces digests by what was disclosed for them (RFC 9901, section 7.1). */
class Placing {
  readonly used = new Set<number>();
  private readonly seen = new Set<string>();
  constructor(
    private readonly disclosures: Disclosure[],
    private readonly byDigest: Map<string, number>,
  ) {}

  claim(value: Json, path: Path, needs: number[]): Claim {
    if (Array.isArray(value)) return this.array(value, path, needs);
    if (isObject(value)) return this.object(value, path, needs);
    return { path, value, needs, children: [] };
  }

  private take(digest: Json): [Disclosure, number] | undefined {
    if (typeof digest !== "string") throw broken("credential.digest-malformed", "A digest in this paper is not a text.");
    if (this.seen.has(digest)) throw broken("credential.digest-repeated", "The same digest stands twice in this paper.");
    this.seen.add(digest);
    const number = this.byDigest.get(digest);
    if (number === undefined) return undefined; // withheld, or a decoy
    this.used.add(number);
    return [this.disclosures[number] as Disclosure, number];
  }

  private object(value: JsonObject, path: Path, needs: number[]): Claim {
    const children: Claim[] = [];
    const result: JsonObject = Object.create(null) as JsonObject;
    const put = (name: string, claim: Claim) => {
      if (name in result) throw broken("credential.claim-repeated", `The field ${name} stands twice in this paper.`);
      result[name] = claim.value;
      children.push(claim);
    };
    for (const [name, inner] of Object.entries(value)) {
      if (name === "_sd" || (name === "_sd_alg" && path.length === 0)) continue;
      if (name === "...") throw broken("credential.malformed", "This paper has a placeholder where none may stand.");
      put(name, this.claim(inner, [...path, name], needs));
    }
    const digests = value["_sd"] ?? [];
    if (!Array.isArray(digests)) throw broken("credential.digest-malformed", "The digests of this paper are not a list.");
    for (const digest of digests) {
      const found = this.take(digest);
      if (!found) continue;
      const [{ name, value: inner }, number] = found;
      if (name === undefined) throw broken("credential.disclosure-malformed", "A list element is disclosed where a named field stands.");
      put(name, this.claim(inner, [...path, name], [...needs, number]));
    }
    return { path, value: { ...result }, needs, children };
  }

  private array(value: Json[], path: Path, needs: number[]): Claim {
    const children: Claim[] = [];
    for (const element of value) {
      const at = [...path, children.length];
      if (isObject(element) && "..." in element) {
        if (Object.keys(element).length !== 1) throw broken("credential.malformed", "A placeholder in a list of this paper has more than its digest.");
        const found = this.take(element["..."] as Json);
        if (!found) continue;
        const [{ name, value: inner }, number] = found;
        if (name !== undefined) throw broken("credential.disclosure-malformed", "A named field is disclosed where a list element stands.");
        children.push(this.claim(inner, at, [...needs, number]));
      } else children.push(this.claim(element, at, needs));
    }
    return { path, value: children.map((child) => child.value), needs, children };
  }
}

/** All leaves below a claim, in order; an empty list or object is a leaf too. */
export function leaves(claim: Claim): Claim[] {
  return claim.children.length === 0 ? (claim.path.length === 0 ? [] : [claim]) : claim.children.flatMap(leaves);
}

/** The claims as a reader sees them to whom only these disclosures are given. */
export function visible(claim: Claim, numbers: Set<number>): Claim {
  const children = claim.children.filter(({ needs }) => needs.every((number) => numbers.has(number))).map((child) => visible(child, numbers));
  const hidden = claim.children.length > 0 && children.length === 0;
  return { ...claim, children, value: hidden ? (Array.isArray(claim.value) ? [] : {}) : claim.value };
}

/** The disclosures that show these claims wholly. */
export function needed(claims: Claim[]): Set<number> {
  const all = new Set<number>();
  const visit = (claim: Claim) => {
    claim.needs.forEach((number) => all.add(number));
    claim.children.forEach(visit);
  };
  claims.forEach(visit);
  return all;
}

/** The paper with only these disclosures, and no key binding yet. */
export function withDisclosures(paper: SdJwt, numbers: Set<number>): string {
  return [paper.jwt, ...paper.disclosures.filter((_, number) => numbers.has(number)).map(({ encoded }) => encoded), ""].join("~");
}

/** Appends the key binding JWT (RFC 9901, section 4.3): this holder shows it, now, to this audience. */
export async function bound(presented: string, holder: JWK, audience: string, nonce: string, nowSeconds: number): Promise<string> {
  const key = await importJWK(holder, "ES256");
  const binding = await new SignJWT({ aud: audience, nonce, sd_hash: await sha256Text(presented), iat: nowSeconds }).setProtectedHeader({ alg: "ES256", typ: "kb+jwt" }).sign(key);
  return presented + binding;
}

/** A new key for one paper and nothing else. */
export async function newHolderKey(): Promise<JWK> {
  const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey("jwk", privateKey);
  return { kty, crv, x, y, d } as JWK;
}

export const publicPart = ({ kty, crv, x, y }: JWK): JWK => ({ kty, crv, x, y }) as JWK;
