// Proofs of issuance (docs/format.md, section 11): fetched from the issuer once it has committed, kept with the copy, and
// verified here under the network that was pinned at first use. So a paper shows that an accredited issuer stands behind
// it, when the issuer is gone too.

import type { JWK } from "jose";
import { type Bytes, type JsonObject, fromBase64Url, sha256Text, text, toBase64Url, utf8 } from "./bytes";
import { moment } from "./check";
import { getJson, requestBytes } from "./net";
import { readJwt } from "./sdjwt";
import { Trouble, asTrouble } from "./trouble";
import type { Copy } from "./vault";

const MEDIA_TYPE = "application/vnd.stele.issuance-proof+cbor";

/** The network whose key the wallet trusts: the one that its own site showed first. */
export interface PinnedNetwork {
  /** The descriptor (docs/format.md, section 8), as JSON. */
  descriptor: string;
  pinnedMs: number;
  /** What the site has shown since instead; the citizen decides. */
  other?: { descriptor: string; seenMs: number };
}

/** A copy as its issuer signed it, and its proof where there is one. */
export interface Committed {
  jwt: string;
  /** base64url of the proof's bytes. */
  proof?: string | undefined;
}

/** What a paper's checks need to judge proofs. */
export interface Evidence {
  copies: Committed[];
  network: PinnedNetwork | undefined;
  /** Whether the issuer publishes proofs: then a missing one is worth a word. */
  published: boolean;
}

/** What the proofs of a paper show. `open`: nothing is proven, and nothing speaks against the paper. */
export type Judgement = { state: "verified"; text: string } | { state: "failed"; text: string; code: string } | { state: "open"; text: string };

// ---- The network ----

const readDescriptor = (descriptor: string): JsonObject => JSON.parse(descriptor) as JsonObject;

/** The members of a descriptor that a verifier reads. */
function reduced({ format, name, network_id, key, genesis }: JsonObject): string {
  return JSON.stringify({ format, name, network_id, key, ...(genesis ? { genesis } : {}) });
}

/** Pins what is shown if nothing is pinned yet; else notes a network or key that is another one. */
export function pinned(kept: PinnedNetwork | undefined, shown: string, nowMs: number): PinnedNetwork {
  if (!kept) return { descriptor: shown, pinnedMs: nowMs };
  const [mine, now] = [readDescriptor(kept.descriptor), readDescriptor(shown)];
  const same = mine["network_id"] === now["network_id"] && mine["key"] === now["key"];
  return same || kept.other?.descriptor === shown ? kept : { ...kept, other: { descriptor: shown, seenMs: nowMs } };
}

/** Asks the wallet's own site for its network. Without an answer, what was kept stays as it is. */
export async function askNetwork(kept: PinnedNetwork | undefined, nowMs: number): Promise<PinnedNetwork | undefined> {
  try {
    const shown = reduced(await getJson(`${location.origin}/v1/network`, "the network of this wallet"));
    const { parseNetwork } = await import("@stele/verify");
    parseNetwork(shown);
    return pinned(kept, shown, nowMs);
  } catch {
    return kept;
  }
}

/** Name and key fingerprint of a descriptor, for people to compare. */
export async function described(descriptor: string): Promise<{ name: string; fingerprint: string }> {
  const { parseNetwork, toHex } = await import("@stele/verify");
  const { name, key } = parseNetwork(descriptor);
  return { name, fingerprint: (toHex(key.kid).match(/.{4}/g) ?? []).join(" ") };
}

// ---- Fetching ----

/** Where an issuer gives proofs, from its metadata: https, at its own origin, without a query. */
export function proofsAddress(about: JsonObject, issuer: string): string | undefined {
  const given = text(about["stele_issuance_proofs"]);
  if (!given || !URL.canParse(given)) return undefined;
  const { origin, search, hash, username, password } = new URL(given);
  if (origin !== new URL(issuer).origin || search || hash || username || password) return undefined;
  return given.replace(/\/$/, "");
}

/** The proof of one signed paper, or nothing while the issuer has not committed to it. Throws Trouble. */
export async function fetchProof(at: string, jwt: string): Promise<Bytes | undefined> {
  const { status, type, body } = await requestBytes(`${at}/${await sha256Text(jwt)}`, "the proof of issuance", { headers: { accept: MEDIA_TYPE } });
  if (status === 404) return undefined;
  if (status !== 200 || !type.startsWith(MEDIA_TYPE)) throw new Trouble("issuer.proof", `The issuer's site did not give the proof of issuance (HTTP ${status}).`, "Try again later.");
  return body;
}

/**
 * The copies with the proofs that the issuer gives by now; kept ones that hold are not asked for again. Never throws: a
 * proof is no condition for a paper.
 */
export async function gathered(copies: Committed[], at: string | undefined, network: PinnedNetwork | undefined, key: JWK | undefined): Promise<Committed[]> {
  if (!at) return copies;
  return Promise.all(
    copies.map(async (copy) => {
      if (copy.proof !== undefined && (!key || (await judge({ copies: [copy], network, published: true }, key)).state === "verified")) return copy;
      const found = await fetchProof(at, copy.jwt).catch(() => undefined);
      return found ? { ...copy, proof: toBase64Url(found) } : copy;
    }),
  );
}

export const committed = ({ credential, proof }: Copy): Committed => ({ jwt: credential.split("~", 1)[0] as string, ...(proof !== undefined ? { proof } : {}) });

/** The copies with their proofs, to be kept; what fails is not kept, so that it is asked for again. */
export function withProofs(copies: Copy[], found: Committed[], judgement: Judgement["state"] | undefined): Copy[] {
  if (judgement === "failed") return copies;
  return copies.map((copy, number) => ({ ...copy, ...(found[number]?.proof !== undefined ? { proof: found[number].proof } : {}) }));
}

// ---- Judging ----

/** Verifies the proofs of a paper's copies, which are all signed with `key`. Never throws. */
export async function judge({ copies, network, published }: Evidence, key: JWK): Promise<Judgement> {
  const proven = copies.filter(({ proof }) => proof !== undefined);
  if (proven.length === 0) return { state: "open", text: published ? "The issuer has not given its proof of issuance yet: check again later." : "" };
  if (!network) return { state: "open", text: "There is a proof of issuance, but this wallet knows no network to check it under." };
  const judgements = await Promise.all(proven.map((copy) => judgeOne(copy, key, network).catch(unreadable)));
  const worst = judgements.find(({ state }) => state === "failed") ?? judgements.find(({ state }) => state === "open") ?? (judgements[0] as Judgement);
  if (worst.state !== "verified" || proven.length === copies.length) return worst;
  return { state: "open", text: `The issuer has given its proof of issuance for ${proven.length} of ${copies.length} copies: check again later.` };
}

function unreadable(error: unknown): Judgement {
  const { message } = asTrouble(error);
  return { state: "open", text: `Its proof of issuance could not be checked: ${message}` };
}

async function judgeOne({ jwt, proof }: Committed, jwk: JWK, pin: PinnedNetwork): Promise<Judgement> {
  // The verifier brings the curves of all suites: it is loaded when there is something to verify.
  const { ISSUANCE_RULES, parseNetwork, publicKeyFromJwk, verifyIssuance } = await import("@stele/verify");
  const network = parseNetwork(pin.descriptor);
  const failed = (code: keyof typeof ISSUANCE_RULES): Judgement => ({ state: "failed", code, text: ISSUANCE_RULES[code] });
  let signingKey: ReturnType<typeof publicKeyFromJwk>;
  try {
    signingKey = publicKeyFromJwk(jwk);
  } catch {
    // No network knows such a key, so nobody can have committed to it.
    return failed("trust.other-key");
  }
  let bytes: Bytes;
  try {
    bytes = fromBase64Url(proof ?? "");
  } catch {
    return failed("trust.proof-malformed");
  }
  const { payload } = readJwt(jwt, "credential.malformed", "This is not a paper in the form dc+sd-jwt.");
  const result = verifyIssuance(bytes, utf8(jwt), signingKey, network, { issuer: text(payload["iss"]) ?? "", type: text(payload["vct"]) ?? "" });
  if (result.valid) return { state: "verified", text: await sentences(result.issued) };
  // Not a fault of the paper: it is only not this wallet's network that could tell.
  if (result.receipt === "wrong-network") return { state: "open", text: `Its proof of issuance is of another network than ${network.name.slice(0, 60)}, which this wallet knows: it could not be checked.` };
  return failed(result.code);
}

type Issued = Extract<ReturnType<(typeof import("@stele/verify"))["verifyIssuance"]>, { valid: true }>["issued"];

async function sentences({ network, issuer, record, keyReport }: Issued): Promise<string> {
  const { partyDid, toHex } = await import("@stele/verify");
  const [own] = record.chain;
  const above = record.chain.length > 1 ? `, the nearest of ${record.chain.length} up to the network's stewards,` : "";
  const allowed = own ? ` Accreditation ${toHex(own).slice(0, 16)}${above} allowed it.` : "";
  const report = { "not-asked": "", none: ` Its key was not reported as stolen as of ${at(keyReport)}.`, later: " Its key was reported as stolen later; this paper is from before." }[keyReport.state];
  const within = record.scope === null ? "" : ` within ${record.scope}`;
  return `Committed to by ${partyDid(issuer)} on ${when(record.timeMs)}, as a paper of the kind ${record.type}${within}.${allowed} Proven under the key of ${network.name.slice(0, 60)}.${report}`;
}

const at = (report: Issued["keyReport"]): string => (report.state === "none" ? when(report.timeMs) : "");
const when = (ms: bigint): string => moment(Number(ms) / 1000);
