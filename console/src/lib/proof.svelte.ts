// The proof state of what the server reports about an entry: a valid receipt counts only when it
// proves the same facts as the server showed.

import { type Verification, partyDid, toHex } from "@stele/verify";
import { api, type EntrySummary, type Outcome } from "./api";
import { receipts } from "./trust.svelte";

export interface ProofState {
  state: "verified" | "reported" | "unchecked" | "checking" | "invalid";
  detail?: string;
}

type Reported = Pick<EntrySummary, "entry_id" | "log_index" | "height" | "time_ms" | "register" | "party"> & { outcome: Outcome; rule?: string };

export function proofOf(entry: Reported): ProofState {
  const check = receipts.of(api.receiptPath(entry.entry_id));
  if (!check) return { state: "reported" };
  if (check.state === "checking") return { state: "checking" };
  if (check.state === "could-not") return { state: "unchecked", detail: check.reason };
  if (!check.result.valid) return { state: "invalid", detail: check.result.code };
  const difference = differs(entry, check.result);
  return difference ? { state: "invalid", detail: `the server shows another ${difference} than the receipt proves` } : { state: "verified" };
}

function differs(entry: Reported, { facts }: Extract<Verification, { valid: true }>): string | undefined {
  const { record, leafIndex } = facts;
  if (!record) return "claim";
  if (toHex(record.entryId) !== entry.entry_id) return "entry id";
  if (partyDid(record.party) !== entry.party) return "party";
  if (record.register !== entry.register) return "register";
  if (record.height !== BigInt(entry.height)) return "height";
  if (record.timeMs !== BigInt(entry.time_ms)) return "time";
  if (leafIndex !== BigInt(entry.log_index)) return "log index";
  if (entry.rule !== undefined && record.rule !== entry.rule) return "rule";
  if (record.outcome.applied !== entry.outcome.applied) return "outcome";
  if (!record.outcome.applied && entry.outcome.code !== undefined && record.outcome.code !== entry.outcome.code) return "refusal";
  return undefined;
}
