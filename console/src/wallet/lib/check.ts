// What can be said about a paper, check by check: verified here, reported by the issuer, could not check, fails.

import { type JWK, calculateJwkThumbprint, compactVerify, errors, importJWK } from "jose";
import { type Json, type JsonObject, isObject, list, text } from "./bytes";
import { type KeySource, keyOfDid } from "./did";
import { type Evidence, type Judgement, judge } from "./issuance";
import { getJson, metadata } from "./net";
import { type SdJwt, readJwt } from "./sdjwt";
import { type StatusResult, statusOf } from "./status";
import { Trouble, asTrouble } from "./trouble";

export type State = "verified" | "reported" | "unchecked" | "failed";
export interface Check {
  name: string;
  state: State;
  text: string;
  code?: string;
}
export interface IssuerKey {
  jwk: JWK;
  source: KeySource | "known";
  thumbprint: string;
}
export interface Report {
  checks: Check[];
  issuer: string;
  issuerKey: IssuerKey | undefined;
  status: StatusResult | undefined;
  /** What its proofs of issuance show; undefined where there was nothing to judge them with. */
  issuance: Judgement["state"] | undefined;
  /** Whether nothing failed; what could not be checked does not count as failed. */
  sound: boolean;
}

export const ALGORITHMS = ["ES256", "ES384", "EdDSA", "Ed25519"];
/** Clocks of phones and servers differ; more than this is a fault. */
export const CLOCK_SECONDS_MAX = 120;

/** The keys of an issuer by SD-JWT VC, section 5 (`/.well-known/jwt-vc-issuer`), or by its DID. */
export async function issuerKey(issuer: string, header: JsonObject): Promise<IssuerKey> {
  const alg = text(header["alg"]) ?? "";
  const kid = text(header["kid"]);
  if (issuer.startsWith("did:")) {
    const { jwk, source } = await keyOfDid(issuer, kid, alg);
    return { jwk, source, thumbprint: await calculateJwkThumbprint(jwk) };
  }
  const about = await metadata(issuer, "jwt-vc-issuer", "the issuer's keys");
  if (about["issuer"] !== issuer) throw new Trouble("issuer.other", "The issuer's own site names another issuer.", "Do not rely on this paper.");
  const uri = text(about["jwks_uri"]);
  const set = isObject(about["jwks"]) ? about["jwks"] : uri ? await getJson(uri, "the issuer's keys") : {};
  const keys = list(set["keys"]).filter(isObject) as JWK[];
  const fitting = keys.filter((key) => (kid ? key.kid === kid : true) && key.d === undefined && (key.kty === "OKP" ? alg.startsWith("Ed") : alg.startsWith("ES")));
  const jwk = fitting.length === 1 || kid ? fitting[0] : undefined;
  if (!jwk) throw new Trouble("issuer.key-unknown", "The issuer's site does not list the key that signed this paper.", "The issuer may have withdrawn the key: ask it.");
  return { jwk, source: "site", thumbprint: await calculateJwkThumbprint(jwk) };
}

/** What no key can mend: throws Trouble `…alg` or `…critical-header`. */
function acceptedAlgorithm(header: JsonObject, kind: string): string {
  const alg = text(header["alg"]) ?? "none";
  if (!ALGORITHMS.includes(alg)) throw new Trouble(`${kind}.alg`, alg === "none" ? "It carries no signature (alg none)." : `It is signed in a way that the wallet does not take (${alg.slice(0, 20)}).`, "Do not rely on it.");
  if (header["crit"] !== undefined) throw new Trouble(`${kind}.critical-header`, "It demands rules that the wallet does not know (crit).", "Do not rely on it.");
  return alg;
}

/** Throws Trouble: as above, `…signature`, or `wallet.cannot-check` where the browser lacks the algorithm. */
export async function verifyJws(jwt: string, jwk: JWK, kind: string): Promise<void> {
  const { header } = readJwt(jwt, `${kind}.malformed`, "This is not a signed text.");
  const alg = acceptedAlgorithm(header, kind);
  let key: Awaited<ReturnType<typeof importJWK>>;
  try {
    key = await importJWK(jwk, alg);
  } catch {
    throw new Trouble("wallet.cannot-check", `This browser cannot check signatures of the kind ${alg}.`, "Use a newer browser.");
  }
  try {
    await compactVerify(jwt, key, { algorithms: [alg] });
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof TypeError) throw new Trouble(`${kind}.signature`, "The signature does not fit: it was altered, or somebody else signed it.", "Do not rely on it.");
    throw error;
  }
}

export interface CheckOptions {
  nowSeconds: number;
  /** Key thumbprints that must hold the paper; undefined where that is not ours to ask. */
  holder?: JWK;
  /** A key known beforehand: nothing is fetched for it. */
  known?: { jwk: JWK; name: string } | undefined;
  /** Whether the network may be asked for keys and status. */
  online: boolean;
  /** Whether status lists may lie on this device in the clear: a holder's own would tell whose papers it has. */
  keepLists?: boolean;
  /** Proofs of issuance of this paper's copies, and the network to verify them under. */
  issuance?: Evidence;
}

export async function checkPaper(paper: SdJwt, options: CheckOptions): Promise<Report> {
  const checks: Check[] = [];
  const add = (name: string, state: State, sentence: string, code?: string) => checks.push({ name, state, text: sentence, ...(code ? { code } : {}) });
  const failed = (name: string, error: unknown) => {
    const { code, message } = asTrouble(error);
    const cannot = code.startsWith("network.") || code.startsWith("did.") || code === "wallet.cannot-check" || code === "issuer.key-unknown";
    add(name, cannot ? "unchecked" : "failed", message, code);
  };
  const issuer = text(paper.payload["iss"]) ?? "";
  let key: IssuerKey | undefined;
  let judgement: Judgement | undefined;

  const typ = paper.header["typ"];
  if (typ !== "dc+sd-jwt" && typ !== "vc+sd-jwt") add("Kind", "failed", "It is not marked as a paper of the kind dc+sd-jwt.", "credential.typ");
  try {
    acceptedAlgorithm(paper.header, "credential");
    if (options.known) key = { jwk: options.known.jwk, source: "known", thumbprint: await calculateJwkThumbprint(options.known.jwk) };
    else if (!options.online && !/^did:(jwk|key):/.test(issuer)) throw new Trouble("network.offline", "The issuer's key is not known here, and there is no network to ask for it.");
    else key = await issuerKey(issuer, paper.header);
    await verifyJws(paper.jwt, key.jwk, "credential");
    if (options.issuance) judgement = await judge(options.issuance, key.jwk);
    add("Signature", "verified", key.source === "known" ? `Signed with the key kept here for ${options.known?.name}.` : "Signed with the issuer's key.");
  } catch (error) {
    failed("Signature", error);
  }
  if (key) add("Issuer", ...issuerText(issuer, key, options.known?.name, judgement));
  else add("Issuer", "unchecked", `Unknown issuer: it calls itself ${issuer || "nothing"}, and its key could not be found.`, "issuer.unknown");
  if (options.issuance?.network?.other) add("Network", "unchecked", networkText(options.issuance.network.pinnedMs, options.issuance.network.other.seenMs), "wallet.network-changed");
  add("Fields", "verified", "Every field is one that was signed.");
  if (options.holder) {
    const same = await holds(paper, options.holder);
    if (same) add("Holder", "verified", "Bound to a key that only this wallet has.");
    else add("Holder", "failed", "Bound to another key than the one this wallet made for it.", "credential.wrong-holder");
  }
  checks.push(validity(paper, options.nowSeconds));
  const { check, result } = await status(paper, key, options);
  checks.push(check);
  return { checks, issuer, issuerKey: key, status: result, issuance: judgement?.state, sound: checks.every(({ state }) => state !== "failed") };
}

/** Who stands behind the paper: proven by its proof of issuance, or else only as far as its key is known. */
function issuerText(issuer: string, key: IssuerKey, name: string | undefined, judgement: Judgement | undefined): [State, string, string?] {
  if (judgement?.state === "verified") return ["verified", judgement.text];
  if (judgement?.state === "failed") return ["failed", judgement.text, judgement.code];
  const [state, sentence] = keyText(issuer, key, name);
  return [state, judgement?.text ? `${sentence} ${judgement.text}` : sentence];
}

const networkText = (pinnedMs: number, seenMs: number): string =>
  `Since ${moment(seenMs / 1000)} this wallet's own site shows another network or key than the one kept on ${moment(pinnedMs / 1000)}. Proofs are checked under the kept one; see Settings.`;

function keyText(issuer: string, key: IssuerKey, name: string | undefined): [State, string] {
  if (key.source === "known") return ["verified", `${name}: its key is kept here.`];
  if (key.source === "site") return ["reported", `${issuer} lists this key on its own site. Whether that office may issue such papers could not be checked.`];
  if (key.source === "reported") return ["reported", `This node reports the key of ${issuer}.`];
  return ["reported", `It calls itself ${issuer.slice(0, 48)}…; the key is part of that name. Who stands behind it could not be checked.`];
}

async function holds(paper: SdJwt, holder: JWK): Promise<boolean> {
  const cnf = paper.payload["cnf"];
  const jwk = isObject(cnf) && isObject(cnf["jwk"]) ? (cnf["jwk"] as JWK) : undefined;
  if (!jwk) return false;
  return calculateJwkThumbprint(jwk).then(async (print) => print === (await calculateJwkThumbprint(holder)), () => false);
}

export function validity({ payload }: SdJwt, nowSeconds: number): Check {
  const at = (value: Json | undefined) => (typeof value === "number" && Number.isFinite(value) ? value : undefined);
  const [from, until] = [at(payload["nbf"]), at(payload["exp"])];
  const name = "Validity";
  if ((payload["nbf"] !== undefined && from === undefined) || (payload["exp"] !== undefined && until === undefined)) return { name, state: "failed", text: "Its dates cannot be read.", code: "credential.dates" };
  if (from !== undefined && from > nowSeconds + CLOCK_SECONDS_MAX) return { name, state: "failed", text: `Not valid yet: valid from ${day(from)}.`, code: "credential.not-yet-valid" };
  if (until !== undefined && until < nowSeconds - CLOCK_SECONDS_MAX) return { name, state: "failed", text: `Expired on ${day(until)}.`, code: "credential.expired" };
  return { name, state: "verified", text: until === undefined ? "It has no end date." : `Valid until ${day(until)}, by this device's clock.` };
}

async function status(paper: SdJwt, key: IssuerKey | undefined, options: CheckOptions): Promise<{ check: Check; result: StatusResult | undefined }> {
  const name = "Status";
  const entry = isObject(paper.payload["status"]) ? paper.payload["status"]["status_list"] : undefined;
  if (paper.payload["status"] === undefined) return { check: { name, state: "verified", text: "The issuer keeps no list by which this paper could be withdrawn." }, result: undefined };
  if (!key) return { check: { name, state: "unchecked", text: "Whether it was withdrawn could not be checked, as the issuer's key is unknown.", code: "status.no-key" }, result: undefined };
  try {
    const result = await statusOf(entry, paper.payload, key, options.nowSeconds, options.online, options.keepLists === true);
    const asOf = `as of ${moment(result.asOfSeconds)}${result.kept ? ", by the list kept here; what came later could not be checked" : ""}`;
    if (result.value === 0) return { check: { name, state: result.kept ? "unchecked" : "verified", text: `Not withdrawn ${asOf}.` }, result };
    if (result.value === 2) return { check: { name, state: "failed", text: `Suspended ${asOf}.`, code: "credential.suspended" }, result };
    return { check: { name, state: "failed", text: `Withdrawn by its issuer ${asOf}.`, code: "credential.revoked" }, result };
  } catch (error) {
    const { message, code } = asTrouble(error);
    return { check: { name, state: "unchecked", text: `Whether it was withdrawn could not be checked: ${message}`, code }, result: undefined };
  }
}

export const day = (seconds: number): string => new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
export const moment = (seconds: number): string => new Date(seconds * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
