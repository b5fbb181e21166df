// IETF Token Status List: one value of a paper, read from the issuer's compressed list.

import { type Bytes, type Json, type JsonObject, fromBase64Url, isObject, text } from "./bytes";
import { type IssuerKey, CLOCK_SECONDS_MAX, issuerKey, verifyJws } from "./check";
import { keepList, keptList } from "./kept";
import { request } from "./net";
import { readJwt } from "./sdjwt";
import { Trouble } from "./trouble";

/** 2^27 one-bit values: more than 10^8 papers. */
const LIST_BYTES_MAX = 16 << 20;

export interface StatusResult {
  /** 0 valid, 1 withdrawn, 2 suspended, others as the issuer says. */
  value: number;
  asOfSeconds: number;
  /** Whether the list was kept from before, as the network was not to be had. */
  kept: boolean;
}

export async function statusOf(entry: Json | undefined, credential: JsonObject, key: IssuerKey, nowSeconds: number, online: boolean, keepLists: boolean): Promise<StatusResult> {
  const uri = isObject(entry) ? text(entry["uri"]) : undefined;
  const index = isObject(entry) ? entry["idx"] : undefined;
  if (!uri || typeof index !== "number" || !Number.isSafeInteger(index) || index < 0) throw new Trouble("status.malformed", "the paper names its status in a way that the wallet does not know.");
  const { jwt, kept } = await listAt(uri, online, keepLists);
  const { header, payload } = readJwt(jwt, "status.malformed", "the status list cannot be read.");
  if (header["typ"] !== "statuslist+jwt" || payload["sub"] !== uri) throw new Trouble("status.malformed", "the status list is another one than the paper names.");
  await verifyJws(jwt, (kept ? key : await listKey(header, credential, key)).jwk, "status");
  const { iat, exp } = payload;
  if (typeof iat !== "number" || iat > nowSeconds + CLOCK_SECONDS_MAX) throw new Trouble("status.dates", "the status list has no date, or one in the future.");
  // A kept list may be past its date: it still says what was so, as of when.
  if (!kept && typeof exp === "number" && exp < nowSeconds) throw new Trouble("status.expired", "the issuer's status list is out of date.");
  const value = await valueAt(payload["status_list"], index);
  if (!kept && keepLists) await keepList(uri, jwt);
  return { value, asOfSeconds: iat, kept };
}

async function listAt(uri: string, online: boolean, keepLists: boolean): Promise<{ jwt: string; kept: boolean }> {
  if (online) {
    try {
      const answer = await request(uri, "the status list", { headers: { accept: "application/statuslist+jwt" } });
      if (answer.status !== 200) throw new Trouble("status.missing", `the issuer does not give its status list (HTTP ${answer.status}).`);
      return { jwt: answer.body.trim(), kept: false };
    } catch (error) {
      if (!(error instanceof Trouble) || !error.code.startsWith("network.")) throw error;
    }
  }
  const jwt = keepLists ? await keptList(uri) : undefined;
  if (!jwt) throw new Trouble("status.offline", "there is no network, and no earlier status list is kept here.");
  return { jwt, kept: true };
}

/** The list may be signed by another key of the same issuer. */
async function listKey(header: JsonObject, credential: JsonObject, key: IssuerKey): Promise<IssuerKey> {
  const issuer = text(credential["iss"]) ?? "";
  if (!header["kid"] || header["kid"] === key.jwk.kid || issuer.startsWith("did:jwk:") || issuer.startsWith("did:key:")) return key;
  return issuerKey(issuer, header);
}

export async function valueAt(list: Json | undefined, index: number): Promise<number> {
  const bits = isObject(list) ? list["bits"] : undefined;
  const packed = isObject(list) ? text(list["lst"]) : undefined;
  if (!packed || (bits !== 1 && bits !== 2 && bits !== 4 && bits !== 8)) throw new Trouble("status.malformed", "the status list cannot be read.");
  const bytes = await inflated(fromBase64Url(packed));
  const perByte = 8 / bits;
  const byte = bytes[Math.floor(index / perByte)];
  if (byte === undefined) throw new Trouble("status.index", "the status list is too short for this paper.");
  return (byte >> ((index % perByte) * bits)) & ((1 << bits) - 1);
}

async function inflated(packed: Bytes): Promise<Uint8Array> {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      size += read.value.length;
      if (size > LIST_BYTES_MAX) throw new Trouble("status.too-large", "the status list is larger than the wallet takes.");
      parts.push(read.value as Uint8Array<ArrayBuffer>);
    }
  } catch (error) {
    if (error instanceof Trouble) throw error;
    throw new Trouble("status.malformed", "the status list cannot be unpacked.");
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
