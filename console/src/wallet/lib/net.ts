// Fetches from issuers and verifiers: https only (plain http on this machine), bounded in size and time.

import { type Bytes, type Json, type JsonObject, isObject, parseJson } from "./bytes";
import { Trouble } from "./trouble";

const ANSWER_BYTES_MAX = 4 << 20;
const WAIT_MS_MAX = 20_000;

export interface Answer {
  status: number;
  type: string;
  body: string;
}
export interface BytesAnswer extends Omit<Answer, "body"> {
  body: Bytes;
}

/** Throws Trouble `network.address` for addresses that are not https or this machine's own. */
export function address(value: string, what: string): URL {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    throw new Trouble("network.address", `The address of ${what} is not an address: ${value.slice(0, 80)}`, "Ask for a new link or code.");
  }
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && here)) {
    throw new Trouble("network.address", `The address of ${what} is not protected by https: ${url.host || value.slice(0, 80)}`, "The wallet only talks to https addresses.");
  }
  if (url.username || url.password) throw new Trouble("network.address", `The address of ${what} carries a name and password.`, "Ask for a new link or code.");
  return url;
}

export async function request(url: string, what: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await requestBytes(url, what, init);
  return { ...answer, body: new TextDecoder().decode(answer.body) };
}

export async function requestBytes(url: string, what: string, init: RequestInit = {}): Promise<BytesAnswer> {
  const target = address(url, what);
  let response: Response;
  try {
    response = await fetch(target, { credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store", ...init, signal: AbortSignal.timeout(WAIT_MS_MAX) });
  } catch {
    throw new Trouble(
      navigator.onLine ? "network.unreachable" : "network.offline",
      navigator.onLine ? `${target.host} (${what}) did not answer.` : `This phone is offline, and ${what} has to be asked at ${target.host}.`,
      navigator.onLine ? "It may be down, or it may not let wallets in browsers ask. Try again later." : "Connect to a network and try again.",
    );
  }
  const body = await limited(response, what);
  return { status: response.status, type: response.headers.get("content-type") ?? "", body };
}

async function limited(response: Response, what: string): Promise<Bytes> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > ANSWER_BYTES_MAX) {
      await reader.cancel();
      throw new Trouble("network.too-large", `The answer for ${what} is larger than 4 MiB.`, "Nothing was kept.");
    }
    parts.push(value as Uint8Array<ArrayBuffer>);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

export function jsonOf(answer: Answer, what: string): JsonObject {
  let value: Json;
  try {
    value = parseJson(answer.body);
  } catch {
    value = null;
  }
  if (!isObject(value)) throw new Trouble("network.not-json", `The answer for ${what} is not what the standard says (HTTP ${answer.status}).`, "Tell the office that runs the service.");
  return value;
}

export async function getJson(url: string, what: string): Promise<JsonObject> {
  const answer = await request(url, what, { headers: { accept: "application/json" } });
  if (answer.status !== 200) throw new Trouble("network.refused", `${new URL(url).host} did not give ${what} (HTTP ${answer.status}).`, "Try again later, or ask for a new link.");
  return jsonOf(answer, what);
}

export function form(values: Record<string, string | undefined>): URLSearchParams {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) body.set(name, value);
  return body;
}

/** `https://host/a/b` and `name` give `https://host/.well-known/name/a/b` (RFC 8615; RFC 8414, section 3). */
export function wellKnown(identifier: string, name: string, what: string): string {
  const url = address(identifier, what);
  return `${url.origin}/.well-known/${name}${url.pathname === "/" ? "" : url.pathname.replace(/\/$/, "")}`;
}

/** Metadata at the place the standard names, or appended as older drafts had it. */
export async function metadata(identifier: string, name: string, what: string): Promise<JsonObject> {
  const answer = await request(wellKnown(identifier, name, what), what, { headers: { accept: "application/json" } });
  if (answer.status === 200 && !answer.type.includes("text/html")) return jsonOf(answer, what);
  return getJson(`${identifier.replace(/\/$/, "")}/.well-known/${name}`, what);
}
