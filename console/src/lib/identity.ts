// What the identity register holds of a party, taken from state receipts that this browser verified:
// docs/registers/identity lists the keys and values. The read model is only asked where to look.

import { type Item, concat, decodeStrict, partyDid, partyIdOfDid, publicKeyFromCose, toHex, utf8, verifyReceipt } from "@stele/verify";
import { Problem, api } from "./api";
import { trust } from "./trust.svelte";

const REGISTER = "identity";
/** Entries about the party that are looked through for devices and accreditations. */
const ENTRIES_MAX = 40;

export interface PartyKey {
  kid: string;
  suite: string;
  purpose?: string;
  addedHeight: number;
  revokedHeight?: number;
}

export interface Accreditation {
  id: string;
  issuer: string;
  action: string;
  scope?: string;
  untilMs?: number;
  delegable: boolean;
  grantedHeight: number;
  revokedHeight?: number;
}

export interface Device {
  did: string;
  model?: string;
  active: boolean;
}

export interface Identity {
  /** Height of the block under whose state root this was proven. */
  height: number;
  version: number;
  sinceHeight: number;
  kind: string;
  active: boolean;
  name?: string;
  owner?: string;
  guardians: string[];
  threshold?: number;
  keys: PartyKey[];
  accreditations: Accreditation[];
  devices: Device[];
}

/** A state value whose receipt did not verify here, or is about something else. */
export class Unproven extends Problem {
  constructor(reason: string) {
    super(0, "unproven", "Not proven", `A receipt of the identity register does not verify here: ${reason}.`, "Do not rely on what the server shows of this party.");
  }
}

interface Proven {
  value?: Item;
  height: number;
}

/** Reads one state key of the identity register from its receipt. */
async function proven(key: Uint8Array, signal: AbortSignal): Promise<Proven> {
  if (!trust.pin) await trust.fetch();
  if (!trust.pin) throw new Problem(0, "no-key", "Could not check", "No network key is kept to check receipts with.", "Give one on the Verify page.");
  const result = verifyReceipt(await api.bytes(api.stateReceiptPath(REGISTER, toHex(key)), signal), trust.pin.network);
  if (!result.valid) throw new Unproven(result.code);
  const claim = result.receipt.stateClaims.find(({ register, key: claimed }) => register === REGISTER && toHex(claimed) === toHex(key));
  if (!claim) throw new Unproven("the receipt is about another key");
  return { height: Number(result.receipt.header.height), ...(claim.value && { value: decodeStrict(claim.value) }) };
}

/** The party's identity; nothing when it is proven that the register holds none. */
export async function identityOf(did: string, signal: AbortSignal): Promise<Identity | undefined> {
  const party = partyIdOfDid(did);
  const { value, height } = await proven(concat(utf8("party/"), party), signal);
  if (!value) return undefined;
  const [version, since, , fields] = items(value);
  const document = map(fields);
  const traces = await tracesOf(did, signal);
  const kids = new Set([...items(document["keys"]).map(hex), ...traces.kids]);
  return {
    height,
    version: number(version) ?? 0,
    sinceHeight: number(since) ?? 0,
    kind: text(document["kind"]) ?? "",
    active: document["active"]?.kind === "bool" && document["active"].value,
    name: text(document["name"]),
    owner: didOf(document["owner"]),
    guardians: items(document["guardians"]).map((item) => didOf(item) ?? ""),
    threshold: number(document["threshold"]),
    keys: await each(kids, (kid) => keyOf(kid, party, signal)),
    accreditations: await each(traces.accreditations, (id) => accreditationOf(id, did, signal)),
    devices: await each(traces.devices, (device) => deviceOf(device, did, signal)),
  };
}

async function keyOf(kid: string, party: Uint8Array, signal: AbortSignal): Promise<PartyKey | undefined> {
  const { value } = await proven(concat(utf8("key/"), bytesOfHex(kid)), signal);
  const [owner, revoked, added, purpose, cose] = items(value);
  if (!owner || hex(owner) !== toHex(party)) return undefined;
  return { kid, suite: suiteOf(cose), purpose: text(purpose), addedHeight: number(added) ?? 0, revokedHeight: number(revoked) };
}

async function accreditationOf(id: string, did: string, signal: AbortSignal): Promise<Accreditation | undefined> {
  const { value } = await proven(concat(utf8("accreditation/"), bytesOfHex(id)), signal);
  const [issuer, subject, action, scope, until, delegable, , , granted, revoked] = items(value);
  if (didOf(subject) !== did) return undefined;
  return {
    id,
    issuer: didOf(issuer) ?? "",
    action: text(action) ?? "",
    scope: text(scope),
    untilMs: number(until),
    delegable: delegable?.kind === "bool" && delegable.value,
    grantedHeight: number(granted) ?? 0,
    revokedHeight: number(revoked),
  };
}

async function deviceOf(device: string, owner: string, signal: AbortSignal): Promise<Device | undefined> {
  const { value } = await proven(concat(utf8("party/"), partyIdOfDid(device)), signal);
  const document = map(items(value)[3]);
  // A device that has gone to another owner since is not this party's.
  if (didOf(document["owner"]) !== owner) return undefined;
  return { did: device, model: text(document["model"]), active: document["active"]?.kind === "bool" && document["active"].value };
}

/** Ids that the party's identity entries mention: places to look, no claims. */
async function tracesOf(did: string, signal: AbortSignal) {
  const kids = new Set<string>();
  const accreditations = new Set<string>();
  const devices = new Set<string>();
  const { items: entries } = await api.entries({ register: REGISTER, party: did, outcome: "applied", limit: ENTRIES_MAX }, signal);
  for (const { entry_id } of entries) {
    const { events } = await api.entry(entry_id, signal);
    for (const { name, body } of events) {
      const field = (key: string) => (body && typeof body === "object" && !Array.isArray(body) && typeof body[key] === "string" ? (body[key] as string) : "");
      const is = (event: string) => name.split("/").at(-1) === event;
      if (is("accreditation.granted") && field("subject") === did) accreditations.add(field("id"));
      if (is("device.registered") && field("owner") === did) devices.add(field("device"));
      if (is("device.transferred") && field("to") === did) devices.add(field("device"));
      if (field("party") === did) for (const key of ["kid", "old", "new"]) if (field(key)) kids.add(field(key));
    }
  }
  return { kids, accreditations, devices };
}

async function each<T>(ids: Iterable<string>, read: (id: string) => Promise<T | undefined>): Promise<T[]> {
  const found = await Promise.all([...ids].map(read));
  return found.filter((value) => value !== undefined);
}

// Lenient readers: a later version of the register may add members, and a missing one is shown as empty.

const items = (item: Item | undefined): readonly Item[] => (item?.kind === "array" ? item.value : []);
const text = (item: Item | undefined) => (item?.kind === "text" ? item.value : undefined);
const number = (item: Item | undefined) => (item?.kind === "int" ? Number(item.value) : undefined);
const hex = (item: Item) => (item.kind === "bytes" ? toHex(item.value) : "");
const didOf = (item: Item | undefined) => (item?.kind === "bytes" && item.value.length === 32 ? partyDid(item.value) : undefined);
const bytesOfHex = (value: string) => Uint8Array.from(value.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

function map(item: Item | undefined): Record<string, Item> {
  return item?.kind === "map" ? Object.fromEntries(item.value.flatMap(([key, value]) => (key.kind === "text" ? [[key.value, value]] : []))) : {};
}

function suiteOf(cose: Item | undefined): string {
  try {
    return cose?.kind === "bytes" ? publicKeyFromCose(cose.value).suite : "";
  } catch {
    return "unknown";
  }
}
