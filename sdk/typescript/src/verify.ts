// Verification of a receipt: the steps of docs/format.md section 7, in their order.

import { sha256 } from "@noble/hashes/sha2.js";
import { equal } from "./bytes.js";
import { sigStructure } from "./cose.js";
import { type Entry, decodeEntry } from "./entry.js";
import { type PathStep, inclusionPath, leafHash } from "./merkle.js";
import type { Network } from "./network.js";
import { type LogRecord, type Receipt, decodeReceipt } from "./receipt.js";
import { isInputError } from "./shape.js";
import { stateClaimFault } from "./state.js";
import { type Cosigned, type WitnessPolicy, checkpointText, cosigners } from "./witness.js";

const RECEIPT_BYTES_MAX = 2 * 1024 * 1024;

/** Why a receipt is not valid. */
export type FailureCode =
  | "too-large"
  | "malformed"
  | "not-canonical"
  | "unsupported-version"
  | "no-claim"
  | "wrong-network"
  | "wrong-key"
  | "wrong-tree-size"
  | "bad-inclusion-proof"
  | "bad-signature"
  | "record-mismatch"
  | "entry-mismatch"
  | "events-mismatch"
  | "bad-state-proof"
  | "not-witnessed";

/** A step of the verification: its number, the code of its failure, and what it checks. */
export interface StepDefinition {
  readonly step: number;
  readonly code: FailureCode;
  readonly check: string;
}

/** The steps, in order. */
export const STEPS: readonly StepDefinition[] = (
  [
    ["too-large", "The receipt is at most 2 MiB long"],
    ["malformed", "It has the structure of a receipt"],
    ["not-canonical", "It is encoded in the one deterministic way"],
    ["unsupported-version", "Its format and versions are known"],
    ["no-claim", "It makes at least one claim"],
    ["wrong-network", "Its certificate speaks for the expected network"],
    ["wrong-key", "The certificate names the network's key"],
    ["wrong-tree-size", "The inclusion proof is for the certified log size"],
    ["bad-inclusion-proof", "The inclusion proof has the right index and length"],
    ["bad-signature", "The network's key signed this log root"],
    ["record-mismatch", "The record is no younger than the certificate"],
    ["entry-mismatch", "The entry is the one that the record names"],
    ["events-mismatch", "The events are the ones that the record names"],
    ["bad-state-proof", "Every state claim leads to the certified state root"],
    ["not-witnessed", "Enough of your witnesses saw this history of the log"],
  ] as const
).map(([code, check], i) => ({ step: i + 1, code, check }));

/** How a step went; `skipped` when the receipt holds nothing for it to check, or no witnesses are asked for. */
export type StepStatus = "passed" | "failed" | "skipped" | "not-reached";

/** A step with its result. */
export interface StepResult extends StepDefinition {
  readonly status: StepStatus;
  readonly detail?: string;
}

/** The result of a verification. */
export type Verification =
  | { readonly valid: true; readonly steps: readonly StepResult[]; readonly receipt: Receipt; readonly facts: Facts }
  | {
      readonly valid: false;
      readonly step: number;
      readonly code: FailureCode;
      readonly detail: string;
      readonly steps: readonly StepResult[];
    };

/** What a valid receipt proves. */
export interface Facts {
  readonly network: Network;
  /** The block hash of the certificate. */
  readonly block: Uint8Array;
  readonly logRoot: Uint8Array;
  /** The record of the entry claim; holds who, what, when and the rule. */
  readonly record?: LogRecord;
  readonly leafIndex?: bigint;
  /** From the record's leaf hash to the log root. */
  readonly inclusion?: readonly PathStep[];
  readonly entry?: Entry;
  /** Who of the policy's witnesses cosigned; without a policy it is not there. */
  readonly cosigned?: readonly Cosigned[];
}

class Failure extends Error {
  constructor(
    readonly code: FailureCode,
    detail: string,
  ) {
    super(detail);
  }
}

/**
 * Verifies a receipt under a network's key, and its witnesses where a policy asks for some. Never throws on bad input:
 * the first failing step names the reason. Costs one signature verification, one more for each cosignature of the
 * policy's witnesses, and at most a few thousand hashes.
 */
export function verifyReceipt(bytes: Uint8Array, network: Network, policy?: WitnessPolicy): Verification {
  const statuses = new Map<FailureCode, StepStatus>();
  const step = (code: FailureCode, check: () => string | undefined, applies = true) => {
    const fault = applies ? check() : undefined;
    if (fault !== undefined) throw new Failure(code, fault);
    statuses.set(code, applies ? "passed" : "skipped");
  };
  try {
    const { receipt, facts } = run(bytes, network, step, policy);
    return { valid: true, steps: results(statuses), receipt, facts };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { code, message: detail } = error;
    const number = STEPS.find((definition) => definition.code === code)?.step ?? 0;
    return { valid: false, step: number, code, detail, steps: results(statuses.set(code, "failed"), detail) };
  }
}

function results(statuses: ReadonlyMap<FailureCode, StepStatus>, detail?: string): StepResult[] {
  return STEPS.map((definition) => {
    const status = statuses.get(definition.code) ?? "not-reached";
    return { ...definition, status, ...(status === "failed" && detail !== undefined && { detail }) };
  });
}

type Step = (code: FailureCode, check: () => string | undefined, applies?: boolean) => void;

function run(bytes: Uint8Array, network: Network, step: Step, policy?: WitnessPolicy): { receipt: Receipt; facts: Facts } {
  step("too-large", () => (bytes.length > RECEIPT_BYTES_MAX ? `the receipt has ${bytes.length} bytes` : undefined));

  const faults: string[] = [];
  let decoded: Receipt | undefined;
  step("malformed", () => inputFault(() => void (decoded = decodeReceipt(bytes, faults))));
  const receipt = decoded as Receipt;
  const { header, entryClaim: claim } = receipt;

  step("not-canonical", () => faults[0]);
  step("unsupported-version", () => versionFault(receipt));
  step("no-claim", () => (!claim && receipt.stateClaims.length === 0 ? "neither an entry nor a state value is claimed" : undefined));
  step("wrong-network", () => (equal(header.network, network.networkId) ? undefined : "the certificate is another network's"));
  step("wrong-key", () => {
    if (!equal(header.kid, network.key.kid)) return "the certificate names another key";
    return network.key.fits(header.alg) ? undefined : `algorithm ${header.alg} is not one of the key's`;
  });
  step(
    "wrong-tree-size",
    () => (claim?.treeSize === header.treeSize ? undefined : `the proof is for ${claim?.treeSize} records, the certificate for ${header.treeSize}`),
    claim !== undefined,
  );

  const inclusion = claim && inclusionPath(leafHash(claim.recordBytes), claim.leafIndex, claim.treeSize, claim.path);
  step(
    "bad-inclusion-proof",
    () => (inclusion ? undefined : `a path of ${claim?.path.length} nodes does not lead from leaf ${claim?.leafIndex} of ${claim?.treeSize} to the root`),
    claim !== undefined,
  );

  const logRoot = (inclusion?.root ?? receipt.carriedRoot) as Uint8Array;
  const signed = sigStructure(receipt.protectedHeader, logRoot);
  step("bad-signature", () => (network.key.verify(signed, receipt.signature) ? undefined : "the signature does not hold over the log root"));
  step("record-mismatch", () => recordFault(receipt), claim !== undefined);

  let entry: Entry | undefined;
  const { entryBytes } = receipt;
  step(
    "entry-mismatch",
    () =>
      inputFault(() => {
        entry = decodeEntry(entryBytes as Uint8Array);
      }) ?? entryFault(entry as Entry, receipt),
    entryBytes !== undefined,
  );
  step("events-mismatch", () => eventsFault(receipt), claim?.eventsBytes !== undefined);
  step("bad-state-proof", () => stateFault(receipt), receipt.stateClaims.length > 0);

  const cosigned = policy && cosigners(policy, checkpointText(header.network, header.treeSize, logRoot), receipt.witnesses);
  step("not-witnessed", () => witnessFault(cosigned, policy), policy !== undefined);

  return {
    receipt,
    facts: {
      network,
      block: sha256(signed),
      logRoot,
      ...(claim && inclusion && { record: claim.record, leafIndex: claim.leafIndex, inclusion: inclusion.steps }),
      ...(entry && { entry }),
      ...(cosigned && { cosigned }),
    },
  };
}

function witnessFault(cosigned: readonly Cosigned[] | undefined, policy: WitnessPolicy | undefined): string | undefined {
  if (!cosigned || !policy || cosigned.length >= policy.min) return undefined;
  return `${cosigned.length} of ${policy.keys.length} witnesses cosigned, ${policy.min} are asked for`;
}

function inputFault(read: () => void): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (isInputError(error)) return error.message;
    throw error;
  }
}

function versionFault({ format, header, entryClaim }: Receipt): string | undefined {
  if (format !== "stele-receipt/1") return `the format is ${JSON.stringify(format)}`;
  if (header.version !== 1n) return `the certificate's version is ${header.version}`;
  if (entryClaim && entryClaim.record.version !== 1n) return `the record's version is ${entryClaim.record.version}`;
  return undefined;
}

function recordFault({ header, entryClaim }: Receipt): string | undefined {
  const record = entryClaim?.record;
  if (!record) return undefined;
  if (record.height > header.height) return "the record's height is above the certificate's";
  return record.timeMs > header.timeMs ? "the record's time is after the certificate's" : undefined;
}

function entryFault(entry: Entry, { header, entryClaim }: Receipt): string | undefined {
  const record = entryClaim?.record;
  if (!record) return "an entry without an entry claim";
  if (!equal(entry.id, record.entryId)) return "the entry's id is not the record's";
  if (!equal(entry.envelopeHash, record.envelopeHash)) return "the entry's envelope hash is not the record's";
  if (entry.register !== record.register) return "the entry's register is not the record's";
  return equal(entry.network, header.network) ? undefined : "the entry is for another network";
}

function eventsFault({ entryClaim }: Receipt): string | undefined {
  if (!entryClaim?.eventsBytes) return undefined;
  const { outcome } = entryClaim.record;
  if (!outcome.applied) return "events beside a refused entry";
  return equal(sha256(entryClaim.eventsBytes), outcome.eventsHash) ? undefined : "the events' hash is not the record's";
}

function stateFault({ header, stateClaims }: Receipt): string | undefined {
  for (const [i, claim] of stateClaims.entries()) {
    const fault = stateClaimFault(claim, header.stateRoot);
    if (fault !== undefined) return `state claim ${i}: ${fault}`;
  }
  return undefined;
}
