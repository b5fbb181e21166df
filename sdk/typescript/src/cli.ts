// `stele-verify FILE --network network.json [--witness VKEY ... [--witnesses-min N]] [--format text|json]`
// `stele-verify FILE --network network.json --credential FILE --key FILE [--scope SCOPE] [--format text|json]`
//
// Data on stdout, all else on stderr. Exit code: 0 valid, 1 not valid, 2 input that cannot be used.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { toHex } from "./bytes.js";
import { CredentialError, type SignedCredential, publicKeyFromJwk, readSignedCredential } from "./credential.js";
import { ISSUANCE_RULES, type IssuanceVerification, type Issued, issuanceToJson, verifyIssuance } from "./issuance.js";
import { itemToJson, verificationToJson } from "./json.js";
import { type PublicKey, partyDid } from "./keys.js";
import { type Network, NetworkError, parseNetwork } from "./network.js";
import { isInputError } from "./shape.js";
import { STEPS, type Verification, verifyReceipt } from "./verify.js";
import { PolicyError, type WitnessPolicy, witnessPolicy } from "./witness.js";

const USAGE = `usage: stele-verify FILE --network NETWORK.json [--witness VKEY ... [--witnesses-min N]] [--format text|json]
       stele-verify FILE --network NETWORK.json --credential SD-JWT --key JWK.json [--scope SCOPE] [--format text|json]

Checks a Stele receipt offline, with the key in a network descriptor. With --witness, which may be
repeated, N of these witnesses must have cosigned the log (all of them by default).
With --credential, FILE is a proof of issuance: that an accredited issuer committed to this SD-JWT, whose
signature is checked with the issuer's public key (a JWK). With --scope the issuer must be accredited in it.
FILE may be - for standard input. Exit code: 0 valid, 1 not valid, 2 unusable input.
`;

/** Input that cannot be used, with the next step for the reader. */
class Unusable extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** Runs the command line and returns its exit code. */
export function main(argv: readonly string[]): number {
  try {
    return run(argv);
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    process.stderr.write(`error: ${error.message}\nhint: ${error.hint}\n`);
    return 2;
  }
}

function run(argv: readonly string[]): number {
  const options = parse(argv);
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const network = readNetwork(options.network);
  if (options.issuance) return runIssuance(options.file, network, options.issuance, options.format);
  const result = verifyReceipt(read(options.file, "the receipt"), network, options.policy);
  process.stdout.write(options.format === "json" ? `${JSON.stringify(verificationToJson(result), null, 2)}\n` : describe(result));
  return result.valid ? 0 : 1;
}

interface Options {
  file: string;
  network: string;
  format: string;
  help: boolean;
  policy?: WitnessPolicy;
  issuance?: IssuanceOptions;
}

interface IssuanceOptions {
  credential: string;
  key: string;
  scope: string | undefined;
}

function runIssuance(file: string, network: Network, { credential, key, scope }: IssuanceOptions, format: string): number {
  const signingKey = readKey(key);
  const text = new TextDecoder().decode(read(credential, "the credential"));
  const proof = read(file, "the proof");
  let signed: SignedCredential;
  try {
    signed = readSignedCredential(text, signingKey);
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
    const { code, message: detail } = error;
    process.stdout.write(format === "json" ? `${JSON.stringify({ valid: false, code, sentence: detail, detail }, null, 2)}\n` : `not valid: ${code}\n  ${detail}\n`);
    return 1;
  }
  const result = verifyIssuance(proof, signed.signed, signingKey, network, { issuer: signed.issuer, type: signed.type, scope });
  process.stdout.write(format === "json" ? `${JSON.stringify(issuanceToJson(result), null, 2)}\n` : describeIssuance(result));
  return result.valid ? 0 : 1;
}

function readKey(file: string): PublicKey {
  const hint = "--key is a file with the issuer's public key as a JWK, of Ed25519 or P-256";
  try {
    return publicKeyFromJwk(JSON.parse(new TextDecoder().decode(read(file, "the key"))));
  } catch (error) {
    if (!isInputError(error) && !(error instanceof SyntaxError)) throw error;
    throw new Unusable(`the key cannot be used: ${error.message}`, hint);
  }
}

function parse(argv: readonly string[]): Options {
  const hint = "stele-verify --help shows the usage";
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        network: { type: "string" },
        witness: { type: "string", multiple: true, default: [] },
        "witnesses-min": { type: "string" },
        credential: { type: "string" },
        key: { type: "string" },
        scope: { type: "string" },
        format: { type: "string", default: "text" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new Unusable((error as Error).message, hint);
  }
  const { values, positionals } = parsed;
  const [file, ...more] = positionals;
  const { network, format, help } = values;
  if (help) return { file: "", network: "", format, help };
  if (file === undefined || more.length > 0) throw new Unusable("expected one file to check", hint);
  if (network === undefined) throw new Unusable("expected --network", "a node gives its descriptor at /v1/network");
  if (format !== "text" && format !== "json") throw new Unusable("--format is text or json", hint);
  const policy = readPolicy(values.witness, values["witnesses-min"]);
  const issuance = readIssuanceOptions(values, policy !== undefined);
  return { file, network, format, help, ...(policy && { policy }), ...(issuance && { issuance }) };
}

function readIssuanceOptions(values: { credential?: string | undefined; key?: string | undefined; scope?: string | undefined }, hasPolicy: boolean): IssuanceOptions | undefined {
  const { credential, key, scope } = values;
  const hint = "a proof of issuance is checked with --credential and --key; --witness is for receipts";
  if (credential === undefined) {
    if (key !== undefined || scope !== undefined) throw new Unusable("--key and --scope need --credential", hint);
    return undefined;
  }
  if (key === undefined) throw new Unusable("--credential needs --key", hint);
  if (hasPolicy) throw new Unusable("--witness does not go with --credential", hint);
  return { credential, key, scope };
}

function readPolicy(keys: readonly string[], min: string | undefined): WitnessPolicy | undefined {
  const hint = "a witness publishes its key as name+id+base64";
  if (min !== undefined && (keys.length === 0 || !/^[0-9]+$/.test(min))) throw new Unusable("--witnesses-min is a number and needs --witness", hint);
  if (keys.length === 0) return undefined;
  try {
    return witnessPolicy(keys, min === undefined ? keys.length : Number(min));
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new Unusable(error.message, hint);
  }
}

function read(file: string, what: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file === "-" ? 0 : file));
  } catch (error) {
    throw new Unusable(`${what} cannot be read: ${(error as Error).message}`, "check the path");
  }
}

function readNetwork(file: string): Network {
  try {
    return parseNetwork(new TextDecoder().decode(read(file, "the network descriptor")));
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    throw new Unusable(error.message, "fetch the descriptor again from a source that you trust");
  }
}

function describe(result: Verification): string {
  if (!result.valid) return `not valid: ${result.code} (step ${result.step} of ${STEPS.length})\n  ${result.detail}\n`;
  const { facts, receipt } = result;
  const { record, entry } = facts;
  const rows: [string, string][] = [["network", `${facts.network.name} (${toHex(facts.network.networkId)})`]];
  if (record) {
    const { outcome } = record;
    rows.push(["who", partyDid(record.party) + (entry ? `, key ${toHex(entry.kid)}` : "")]);
    rows.push(["what", `entry ${toHex(record.entryId)} in register ${record.register}`]);
    for (const command of entry?.commands ?? []) {
      rows.push(["", `${command.register}/${command.name} ${JSON.stringify(itemToJson(command.body))}`]);
    }
    rows.push(["outcome", outcome.applied ? "applied" : `refused at command ${outcome.commandIndex}: ${outcome.code}`]);
    for (const event of receipt.entryClaim?.events ?? []) rows.push(["event", `${event.name} ${JSON.stringify(itemToJson(event.body))}`]);
    rows.push(["when", `${at(record.timeMs)}, height ${record.height}`], ["rule", record.rule]);
  }
  for (const { register, key, value } of receipt.stateClaims) {
    rows.push(["state", `${register} ${toHex(key)} ${value === null ? "is absent" : `= ${toHex(value)}`}`]);
  }
  rows.push(["certificate", `${at(receipt.header.timeMs)}, height ${receipt.header.height}, block ${toHex(facts.block)}`]);
  if (!facts.cosigned) for (const line of receipt.witnesses) rows.push(["witness", `${line} (not judged)`]);
  for (const { name, time } of facts.cosigned ?? []) rows.push(["witness", `${name} cosigned at ${at(time * 1000n)}`]);
  return `valid\n${rows.map(([name, value]) => `  ${name.padEnd(12)}${value}\n`).join("")}`;
}

const at = (ms: bigint) => (ms <= 8_640_000_000_000_000n ? new Date(Number(ms)).toISOString() : `${ms} ms`);

function describeIssuance(result: IssuanceVerification): string {
  if (!result.valid) return `not valid: ${result.code}\n  ${ISSUANCE_RULES[result.code]}\n  ${result.detail}\n`;
  const { network, issuer, root, index, record } = result.issued;
  const rows: [string, string][] = [
    ["network", `${network.name} (${toHex(network.networkId)})`],
    ["issuer", `${partyDid(issuer)}, key ${toHex(record.kid)}`],
    ["type", JSON.stringify(record.type)],
    ["scope", record.scope === null ? "none" : JSON.stringify(record.scope)],
    ["when", `${at(record.timeMs)}, height ${record.height}, entry ${toHex(record.entry)}`],
    ["batch", `place ${index} of ${record.count}, root ${toHex(root)}`],
  ];
  if (record.schema) rows.push(["schema", toHex(record.schema)]);
  for (const [i, id] of record.chain.entries()) rows.push([i === 0 ? "accredited" : "below", toHex(id)]);
  rows.push(["key report", describeReport(result.issued)]);
  return `valid\n${rows.map(([name, value]) => `  ${name.padEnd(12)}${value}\n`).join("")}`;
}

function describeReport({ keyReport: report }: Issued): string {
  if (report.state === "not-asked") return "not asked";
  if (report.state === "none") return `none as of ${at(report.timeMs)}, height ${report.height}`;
  return `doubtful since ${at(report.sinceMs)}, after this issuance; reported by ${partyDid(report.by)}`;
}
