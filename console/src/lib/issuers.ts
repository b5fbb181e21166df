// Who issues credentials from this node: the types and calls of the API's part `issuers`. Anybody may
// read what an issuer issues; its offers are for the operator. And how a form's text becomes a claim.

import { json, request, withQuery } from "./api";

export type ValueType = "text" | "number" | "integer" | "boolean" | "date";

export interface ClaimSetting {
  name: string;
  display_name: string;
  value?: ValueType;
  shown?: "chosen" | "always";
  optional?: boolean;
}

export interface Kind {
  id: string;
  vct: string;
  display_name: string;
  valid_days?: number;
  by_hand?: boolean;
  claims: ClaimSetting[];
}

export interface Issuer {
  name: string;
  /** The address that wallets know it by. */
  identifier: string;
  /** The link for whoever signs in; it holds no secret. */
  open_offer: string;
  settings: { display_name: string; key: string; scope?: string; offer_days: number; copies_max: number; kinds: Kind[] };
}

/** Times of this part of the API are seconds since 1970. */
export interface Offer {
  id: string;
  kind: string;
  reference?: string;
  state: "waiting" | "ready" | "collected" | "withdrawn" | "expired";
  made_at: number;
  expires_at: number;
}

/** What the API tells once: the link, and the code that goes another way. */
export interface MadeOffer {
  id: string;
  reference?: string;
  link: string;
  tx_code?: string;
  expires_at: number;
}

export type Status = "valid" | "suspended" | "revoked";

export interface Issued {
  number: number;
  /** Copies share the offer, and their status. */
  offer: string;
  kind: string;
  reference?: string;
  status: Status;
  issued_at: number;
}

export type ClaimValue = string | number | boolean;

export interface NewOffer {
  kind: string;
  reference?: string;
  claims: Record<string, ClaimValue>;
  with_code: boolean;
}

export interface Rows<T> {
  items: T[];
  /** Whether there are older ones. */
  more: boolean;
}

export const ROWS = 25;

/** The API does not count; one row more than is shown tells whether there are older ones. */
async function rows<T>(path: string, skip: number, signal?: AbortSignal): Promise<Rows<T>> {
  const { items } = await json<{ items: T[] }>(withQuery(path, { skip, limit: ROWS + 1 }), { signal });
  return { items: items.slice(0, ROWS), more: items.length > ROWS };
}

const body = (method: string, value: unknown): RequestInit => ({ method, headers: { "content-type": "application/json" }, body: JSON.stringify(value) });
const at = (name: string, ...more: string[]) => ["v1/issuers", ...[name, ...more].map(encodeURIComponent)].join("/");

export const issuers = {
  list: async (signal?: AbortSignal) => (await json<{ items: Issuer[] }>("v1/issuers", { signal })).items,
  read: (name: string, signal?: AbortSignal) => json<Issuer>(at(name), { signal }),
  /** Asks for nothing but whether the node lets this tab work with the issuer's offers. */
  access: (name: string, signal?: AbortSignal) => json<{ items: Offer[] }>(withQuery(at(name, "offers"), { limit: 1 }), { signal }),
  offers: (name: string, skip: number, signal?: AbortSignal) => rows<Offer>(at(name, "offers"), skip, signal),
  issued: (name: string, skip: number, signal?: AbortSignal) => rows<Issued>(at(name, "issued"), skip, signal),
  offer: async (name: string, offer: NewOffer) => (await json<{ items: [MadeOffer] }>(at(name, "offers"), body("POST", { offers: [offer] }))).items[0],
  withdraw: (name: string, offer: string) => request(at(name, "offers", offer), { method: "DELETE" }),
  approve: (name: string, offer: string) => request(at(name, "offers", offer, "approval"), { method: "PUT" }),
  setStatus: (name: string, offer: string, status: Status) => request(at(name, "issued", offer, "status"), body("PUT", { status })),
  invite: (name: string, reference: string, displayName: string) => json<{ link: string; code: string }>(at(name, "invitations"), body("POST", { reference, display_name: displayName })),
};

/** The API's own limit. */
const TEXT_BYTES_MAX = 4096;

/** What a field's text means as a claim: a value, nothing where the claim may be left out, or what is wrong. */
export function readClaim(claim: ClaimSetting, text: string): { value?: ClaimValue; error?: string } {
  const label = claim.display_name;
  const trimmed = text.trim();
  if (trimmed === "") return claim.optional ? {} : { error: claim.value === "boolean" ? `${label}: choose yes or no` : `${label}: enter a value` };
  switch (claim.value) {
    case "number":
      return /^-?\d+(\.\d+)?$/.test(trimmed) && Number.isFinite(Number(trimmed)) ? { value: Number(trimmed) } : { error: `${label}: enter a number with digits and a point, such as 1.3` };
    case "integer":
      // Beyond this the browser would round it.
      return /^-?\d+$/.test(trimmed) && Number.isSafeInteger(Number(trimmed)) ? { value: Number(trimmed) } : { error: `${label}: enter a whole number of at most 15 digits` };
    case "boolean":
      return { value: trimmed === "yes" };
    case "date":
      return /^\d{4}-\d\d-\d\d$/.test(trimmed) ? { value: trimmed } : { error: `${label}: enter a day with a year of four digits` };
    default:
      return new TextEncoder().encode(trimmed).length <= TEXT_BYTES_MAX ? { value: trimmed } : { error: `${label}: at most ${TEXT_BYTES_MAX} bytes of text` };
  }
}
