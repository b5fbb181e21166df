// The network descriptor and the genesis: docs/format.md section 8.

import { sha256 } from "@noble/hashes/sha2.js";
import { concat, equal, fromHex, toHex, utf8 } from "./bytes.js";
import { decodeStrict } from "./cbor.js";
import { type PublicKey, UnsupportedSuiteError, publicKeyFromCose } from "./keys.js";
import * as shape from "./shape.js";

/** What a verifier keeps of a network. */
export interface Network {
  readonly name: string;
  readonly networkId: Uint8Array;
  readonly key: PublicKey;
  /** Whether the descriptor carried the genesis, so that id and key were checked against it. */
  readonly genesisChecked: boolean;
}

/** A descriptor that cannot be used: neither valid nor invalid can be said of its receipts. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  constructor(
    message: string,
    readonly code: "bad-network" | "unsupported-suite" = "bad-network",
  ) {
    super(message);
  }
}

/** Reads a network descriptor from its JSON text. Throws NetworkError. */
export function parseNetwork(json: string): Network {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new NetworkError("the network descriptor is not JSON");
  }
  return networkFromJson(value);
}

/** Reads a network descriptor from its parsed JSON. Members it does not know are ignored. */
export function networkFromJson(value: unknown): Network {
  if (typeof value !== "object" || value === null) throw new NetworkError("the network descriptor is not an object");
  const descriptor = value as Record<string, unknown>;
  if (descriptor["format"] !== "stele-network/1") throw new NetworkError("the descriptor's format is not stele-network/1");
  const networkId = member(descriptor, "network_id");
  if (networkId.length !== 32) throw new NetworkError("network_id is not 32 bytes");
  const key = understood("key", () => publicKeyFromCose(member(descriptor, "key")));
  const genesis = descriptor["genesis"] == null ? undefined : member(descriptor, "genesis");
  if (genesis) checkGenesis(genesis, networkId, key);
  return { name: String(descriptor["name"] ?? ""), networkId, key, genesisChecked: genesis !== undefined };
}

function member(descriptor: Record<string, unknown>, name: string): Uint8Array {
  const value = descriptor[name];
  if (typeof value !== "string") throw new NetworkError(`the descriptor lacks ${name}`);
  return understood(name, () => fromHex(value));
}

function checkGenesis(genesis: Uint8Array, networkId: Uint8Array, key: PublicKey): void {
  if (!equal(networkIdOfGenesis(genesis), networkId)) {
    throw new NetworkError(`network_id is not the hash of the genesis, which is ${toHex(networkIdOfGenesis(genesis))}`);
  }
  const keyItem = understood("genesis", () => {
    const item = decodeStrict(genesis);
    // Version 1 has six parts; version 2 has the founding committee besides.
    const parts = shape.array(item, "the genesis", 6, 7);
    for (const founder of shape.array(parts[4] as (typeof parts)[number], "the members", 1, 64)) {
      const [, founderKey] = shape.tuple(founder, "a member", 2);
      if (!mayFound(founderKey.raw)) shape.refuse("a member's key", "is none that a party may sign with");
    }
    return parts[3] as (typeof parts)[number];
  });
  if (!equal(keyItem.raw, key.encoded)) throw new NetworkError("key is not the network key in the genesis");
}

/** Whether a founding member may have the key. A member may use a suite that only this verifier lacks. */
function mayFound(key: Uint8Array): boolean {
  try {
    return publicKeyFromCose(key).isForParties;
  } catch (error) {
    if (error instanceof UnsupportedSuiteError) return true;
    throw error;
  }
}

/** The network id of a genesis. */
export function networkIdOfGenesis(genesis: Uint8Array): Uint8Array {
  return sha256(concat(utf8("stele/genesis/v1"), genesis));
}

function understood<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const code = error instanceof UnsupportedSuiteError ? "unsupported-suite" : "bad-network";
    throw new NetworkError(`the descriptor's ${name} cannot be read: ${(error as Error).message}`, code);
  }
}
