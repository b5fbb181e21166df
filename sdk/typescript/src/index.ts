// Verifies Stele receipts: written from docs/format.md alone, for browsers and Node.
//
//   const network = parseNetwork(descriptorJson);
//   const result = verifyReceipt(receiptBytes, network);
//
// `result` is either valid, with what the receipt proves, or names the first failing step. `verifyIssuance` does the
// same for the proof of issuance that a holder keeps beside a credential.

export { TextError, concat, fromBase32, fromBase64, fromBase64Url, fromHex, toBase32, toBase64, toHex, utf8 } from "./bytes.js";
export { CborError, type Item, decode, decodeStrict } from "./cbor.js";
export { type Command, type Countersignature, type Entry, decodeEntry, entrySignatureHolds } from "./entry.js";
export {
  type Asked,
  ISSUANCE_RULES,
  type IssuanceCode,
  type IssuanceProof,
  type IssuanceRecord,
  type IssuanceVerification,
  type Issued,
  type KeyReport,
  decodeIssuanceProof,
  issuanceCommitment,
  issuanceToJson,
  verifyIssuance,
} from "./issuance.js";
export { CredentialError, type SignedCredential, publicKeyFromJwk, readSignedCredential } from "./credential.js";
export { type Json, itemToJson, verificationToJson } from "./json.js";
export { type PublicKey, type SuiteName, UnsupportedSuiteError, partyDid, partyIdOfDid, partyIdOfFirstKey, publicKeyFromCose } from "./keys.js";
export { type PathStep, inclusionPath, leafHash, nodeHash } from "./merkle.js";
export { type Network, NetworkError, networkFromJson, networkIdOfGenesis, parseNetwork } from "./network.js";
export { type BlockHeader, type EntryClaim, type Event, type LogRecord, type Receipt, type RecordOutcome, decodeReceipt } from "./receipt.js";
export { ShapeError } from "./shape.js";
export { type StateClaim, type Terminal, stateClaimFault, statePath } from "./state.js";
export { type Facts, type FailureCode, STEPS, type StepDefinition, type StepResult, type StepStatus, type Verification, verifyReceipt } from "./verify.js";
export {
  type Cosigned,
  type CosignatureLine,
  PolicyError,
  type WitnessKey,
  type WitnessPolicy,
  checkpointText,
  cosigners,
  parseWitnessKey,
  readCosignature,
  witnessPolicy,
} from "./witness.js";
