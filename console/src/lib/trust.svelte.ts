// The network key this browser trusts, and what it has verified with it.
//
// The first descriptor seen is kept (trust on first use) and shown with its fingerprint; whether
// to trust it is the reader's decision, and the console says so. A node that later shows another
// key does not change the pinned one.

import { type Network, type Verification, NetworkError, networkFromJson, parseNetwork, toHex, verifyReceipt } from "@stele/verify";
import { untrack } from "svelte";
import { api } from "./api";

const PINNED = "stele.network";

export type PinSource = "node" | "reader";

export interface Pin {
  network: Network;
  descriptor: string;
  source: PinSource;
  pinnedMs: number;
}

let pin = $state.raw<Pin | undefined>(stored());
let offered = $state.raw<Network>();
let pinProblem = $state<string>();

function stored(): Pin | undefined {
  try {
    const text = localStorage.getItem(PINNED);
    if (!text) return undefined;
    const { descriptor, source, pinnedMs } = JSON.parse(text) as { descriptor: string; source: PinSource; pinnedMs: number };
    return { network: parseNetwork(descriptor), descriptor, source, pinnedMs };
  } catch {
    return undefined;
  }
}

function keep(descriptor: string, source: PinSource): Pin {
  const kept: Pin = { network: parseNetwork(descriptor), descriptor, source, pinnedMs: Date.now() };
  localStorage.setItem(PINNED, JSON.stringify({ descriptor, source, pinnedMs: kept.pinnedMs }));
  pin = kept;
  return kept;
}

export const trust = {
  get pin() {
    return pin;
  },
  /** The network that the node shows now. */
  get offered() {
    return offered;
  },
  get problem() {
    return pinProblem;
  },
  /** Whether the node shows another network or key than the pinned one. */
  get differs(): boolean {
    return !!pin && !!offered && (toHex(pin.network.networkId) !== toHex(offered.networkId) || toHex(pin.network.key.kid) !== toHex(offered.key.kid));
  },
  /** Asks the node for its descriptor, and pins it if none is pinned yet. */
  async fetch(): Promise<void> {
    try {
      const { format, name, network_id, key, genesis } = await api.network();
      const descriptor = { format, name, network_id, key, ...(genesis ? { genesis } : {}) };
      offered = networkFromJson(descriptor);
      if (!pin) keep(JSON.stringify(descriptor), "node");
      pinProblem = undefined;
    } catch (error) {
      pinProblem = error instanceof NetworkError ? error.message : "the node did not answer";
    }
  },
  /** Pins a descriptor that the reader gives. Throws NetworkError. */
  pinText: (text: string) => keep(text, "reader"),
  /** Forgets the pinned key and takes the node's. */
  async repin(): Promise<void> {
    localStorage.removeItem(PINNED);
    pin = undefined;
    checks = new Map();
    await trust.fetch();
  },
};

/** The short form in which people compare a key: groups of four. */
export function fingerprint(kid: Uint8Array): string {
  return (toHex(kid).match(/.{4}/g) ?? []).join(" ");
}

export type Check = { state: "checking" } | { state: "done"; result: Verification; bytes: Uint8Array } | { state: "could-not"; reason: string };

let checks = $state.raw(new Map<string, Check>());

/** What became of the receipts that this browser fetched, by their path. */
export const receipts = {
  of: (path: string): Check | undefined => checks.get(path),
  /** Fetches a receipt and verifies it here; once, unless `again`. An effect that calls it does not depend on it. */
  check: (path: string, again = false): Promise<void> => untrack(() => check(path, again)),
};

async function check(path: string, again: boolean): Promise<void> {
  if (checks.has(path) && !again) return;
  note(path, { state: "checking" });
  try {
    if (!pin) await trust.fetch();
    if (!pin) throw new Error(pinProblem ?? "no network key");
    const bytes = await api.bytes(path);
    note(path, { state: "done", bytes, result: verifyReceipt(bytes, pin.network) });
  } catch (error) {
    note(path, { state: "could-not", reason: (error as Error).message });
  }
}

function note(path: string, check: Check): void {
  checks = new Map(checks).set(path, check);
}
