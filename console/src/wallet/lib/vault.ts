// The vault: everything the wallet holds, one encrypted record on this device. Its plain form is in
// memory only while the wallet is unlocked.

import type { JWK } from "jose";
import { fromUtf8, utf8 } from "./bytes";
import type { Check } from "./check";
import * as idb from "./idb";
import type { PinnedNetwork } from "./issuance";
import type { Authorisation, Configuration, Deferred, Issuer, Offer } from "./offer";
import { type Sealed, type Wrap, newKey, seal, unseal } from "./seal";
import { Trouble } from "./trouble";

export interface Copy {
  credential: string;
  key: JWK;
  /** The one verifier that has seen this copy. */
  shownTo?: string;
  /** Its proof of issuance, base64url, once the issuer has given one. */
  proof?: string;
}
export interface Paper {
  id: string;
  name: string;
  kind: string;
  issuer: string;
  issuerName: string;
  labels: Record<string, string>;
  copies: Copy[];
  /** The issuer's key as it was at the last check with a network. */
  issuerKey?: JWK;
  /** Where its issuer gives proofs of issuance. */
  proofsAt?: string;
  receivedMs: number;
  checks: Check[];
  checkedMs: number;
}
/** A paper that the issuer has not finished, or a sign-in that has not returned. */
export interface Pending {
  id: string;
  name: string;
  issuer: Issuer;
  offer: Offer;
  sinceMs: number;
  deferred?: { how: Configuration; request: Deferred };
  authorisation?: Authorisation;
}
export interface Shown {
  id: string;
  atMs: number;
  to: string;
  toName: string | undefined;
  paper: string;
  how: "online" | "offline" | "declined";
  fields: { label: string; value: string }[];
}
export interface Guardians {
  backupId: string;
  /** The key that the guardians' shares give back, and that each backup is sealed with. */
  backupKey: string;
  names: string[];
  threshold: number;
  sinceMs: number;
}
export interface Contents {
  papers: Paper[];
  pending: Pending[];
  history: Shown[];
  lockMinutes: number;
  guardians?: Guardians;
  exportedMs?: number;
  /** The network under which proofs of issuance are verified. */
  network?: PinnedNetwork;
}
export interface VaultRecord {
  revision: number;
  wraps: Wrap[];
  sealed: Sealed;
}

const CONTEXT = "stele-wallet-vault/1";
const KEY = "vault";
export const emptyContents = (): Contents => ({ papers: [], pending: [], history: [], lockMinutes: 5 });

export const stored = (): Promise<VaultRecord | undefined> => idb.get<VaultRecord>("vault", KEY);
export const erase = (): Promise<undefined> => idb.remove("vault", KEY);

export async function create(contents: Contents, wrapper: (key: CryptoKey) => Promise<Wrap>): Promise<{ key: CryptoKey; record: VaultRecord }> {
  const key = await newKey();
  const record = { revision: 1, wraps: [await wrapper(key)], sealed: await sealed(key, contents) };
  if (!(await idb.putIfUnchanged("vault", KEY, record, 0))) throw new Trouble("vault.exists", "There is a wallet on this device already.", "Reload the page to unlock it.");
  return { key, record };
}

const sealed = (key: CryptoKey, contents: Contents): Promise<Sealed> => seal(key, utf8(JSON.stringify(contents)), CONTEXT);

export async function open(key: CryptoKey, record: VaultRecord): Promise<Contents> {
  return { ...emptyContents(), ...(JSON.parse(fromUtf8(await unseal(key, record.sealed, CONTEXT))) as Contents) };
}

export async function save(key: CryptoKey, before: VaultRecord, contents: Contents, wraps: Wrap[] = before.wraps): Promise<VaultRecord> {
  const record = { revision: before.revision + 1, wraps, sealed: await sealed(key, contents) };
  if (!(await idb.putIfUnchanged("vault", KEY, record, before.revision))) throw new Trouble("vault.changed", "The wallet was changed in another window.", "Lock and unlock this one; then repeat what you did.");
  return record;
}
