// A verification as plain JSON: what the command line prints and the console shows.

import { toHex } from "./bytes.js";
import type { Item } from "./cbor.js";
import { partyDid } from "./keys.js";
import type { Event, RecordOutcome } from "./receipt.js";
import type { Verification } from "./verify.js";

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * A CBOR item as JSON, for reading: byte strings become `h'…'`, integers beyond 2^53 text, and
 * map keys that are not text their diagnostic notation.
 */
export function itemToJson(item: Item): Json {
  switch (item.kind) {
    case "int":
      return integer(item.value);
    case "bytes":
      return `h'${toHex(item.value)}'`;
    case "array":
      return item.value.map(itemToJson);
    case "map":
      return Object.fromEntries(item.value.map(([key, value]) => [key.kind === "text" ? key.value : JSON.stringify(itemToJson(key)), itemToJson(value)]));
    case "tag":
      return { [`tag ${item.tag}`]: itemToJson(item.value) };
    case "null":
      return null;
    default:
      return item.value;
  }
}

function integer(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** The answer of a verifier: who, what, when, by which rule; or the reason why not. */
export function verificationToJson(result: Verification): Json {
  if (!result.valid) {
    return { valid: false, step: result.step, code: result.code, detail: result.detail };
  }
  const { facts, receipt } = result;
  const { record, entry } = facts;
  return {
    valid: true,
    network: { name: facts.network.name, network_id: toHex(facts.network.networkId), kid: toHex(facts.network.key.kid) },
    who: record ? { party: partyDid(record.party), kid: entry ? toHex(entry.kid) : null } : null,
    what: {
      entry_id: record ? toHex(record.entryId) : null,
      register: record ? record.register : null,
      commands: entry ? entry.commands.map(({ register, name, body }) => ({ register, name, body: itemToJson(body) })) : null,
      events: receipt.entryClaim?.events ? receipt.entryClaim.events.map(eventToJson) : null,
      outcome: record ? outcomeToJson(record.outcome) : null,
      state: receipt.stateClaims.map(({ register, key, value }) => ({ register, key: toHex(key), value: value && toHex(value) })),
    },
    when: {
      height: record ? integer(record.height) : null,
      time_ms: record ? integer(record.timeMs) : null,
      certificate: { height: integer(receipt.header.height), time_ms: integer(receipt.header.timeMs), block: toHex(facts.block) },
    },
    rule: record ? record.rule : null,
    log: {
      leaf_index: facts.leafIndex === undefined ? null : integer(facts.leafIndex),
      tree_size: integer(receipt.header.treeSize),
      root: toHex(facts.logRoot),
    },
    witnesses: [...receipt.witnesses],
    ...(facts.cosigned && { witnessed: facts.cosigned.map(({ name, time }) => ({ name, time: integer(time) })) }),
  };
}

function eventToJson({ name, body }: Event): Json {
  return { name, body: itemToJson(body) };
}

function outcomeToJson(outcome: RecordOutcome): Json {
  if (outcome.applied) return { applied: true };
  return { applied: false, command_index: integer(outcome.commandIndex), code: outcome.code };
}
