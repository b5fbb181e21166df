// Showing a paper face to face, as QR codes without a network, and checking one that is shown so.

import { type JWK, calculateJwkThumbprint } from "jose";
import { isObject, randomId, sha256Text, text } from "./bytes";
import { type Check, type Report, CLOCK_SECONDS_MAX, checkPaper, moment, verifyJws } from "./check";
import { type KnownIssuer } from "./kept";
import { type Claim, type SdJwt, bound, needed, readJwt, readSdJwt, withDisclosures } from "./sdjwt";
import { asTrouble } from "./trouble";
import type { Copy } from "./vault";

/** The audience of a presentation that is not sent to an address. */
export const FACE_TO_FACE = "urn:stele:face-to-face";
/** A code older than this is likely a picture of one. */
const FRESH_SECONDS_MAX = 120;

/** The presentation with these claims; `checkCode` is what the checker's screen says, if it says anything. */
export async function showFaceToFace(paper: SdJwt, copy: Copy, claims: Claim[], checkCode: string, nowSeconds: number): Promise<string> {
  return bound(withDisclosures(paper, needed(claims)), copy.key, FACE_TO_FACE, checkCode.trim() || randomId(), nowSeconds);
}

export interface Checked {
  paper: SdJwt;
  report: Report;
}

/** Checks what was shown. `expectedCode` is undefined if the checker showed none. Throws Trouble if it is no paper. */
export async function checkShown(shown: string, known: KnownIssuer[], expectedCode: string | undefined, nowSeconds: number, online: boolean): Promise<Checked> {
  const paper = await readSdJwt(shown);
  const issuer = text(paper.payload["iss"]) ?? "";
  const candidates = known.filter((entry) => entry.issuer === issuer);
  const kid = paper.header["kid"];
  const fitting = candidates.find(({ jwk }) => jwk.kid !== undefined && jwk.kid === kid) ?? candidates.at(-1);
  const report = await checkPaper(paper, { nowSeconds, known: fitting, online, keepLists: true });
  const held = await holding(paper, expectedCode, nowSeconds);
  const issuerCheck = report.checks.find(({ name }) => name === "Issuer") as Check;
  if (!fitting && issuerCheck.state !== "unchecked") {
    Object.assign(issuerCheck, { state: "unchecked", code: "issuer.unknown", text: `Unknown issuer: its key is not one of those kept here. ${issuerCheck.text}` });
  }
  const checks = [...report.checks.slice(0, 3), ...held, ...report.checks.slice(3)];
  return { paper, report: { ...report, checks, sound: checks.every(({ state }) => state !== "failed") } };
}

/** Whether the one who shows it holds the key, and made it now and here. */
async function holding(paper: SdJwt, expectedCode: string | undefined, nowSeconds: number): Promise<Check[]> {
  const fail = (code: string, sentence: string): Check[] => [{ name: "Holder", state: "failed", text: sentence, code }];
  if (!paper.keyBinding) return fail("presentation.no-key-binding", "It is a bare copy: nothing shows that the one who presents it holds its key.");
  const cnf = paper.payload["cnf"];
  const jwk = isObject(cnf) && isObject(cnf["jwk"]) ? (cnf["jwk"] as JWK) : undefined;
  if (!jwk) return fail("credential.no-holder", "It is not bound to any holder's key.");
  try {
    const { header, payload } = readJwt(paper.keyBinding, "presentation.malformed", "The holder's proof cannot be read.");
    if (header["typ"] !== "kb+jwt") return fail("presentation.typ", "The holder's proof is not of the kind kb+jwt.");
    await verifyJws(paper.keyBinding, jwk, "presentation");
    if (payload["sd_hash"] !== (await sha256Text(paper.compact))) return fail("presentation.fields-changed", "Fields were added or taken away after the holder signed.");
    if (payload["aud"] !== FACE_TO_FACE) return fail("presentation.wrong-audience", "It was made for somebody else, not to be shown face to face.");
    const made = payload["iat"];
    if (typeof made !== "number" || made > nowSeconds + CLOCK_SECONDS_MAX) return fail("presentation.dates", "The holder's proof has no date, or one in the future.");
    if (expectedCode !== undefined && payload["nonce"] !== expectedCode) return fail("presentation.wrong-nonce", "It does not carry the number on your screen: it was made for another occasion.");
    if (made < nowSeconds - FRESH_SECONDS_MAX) return fail("presentation.stale", `It was made at ${moment(made)}, too long ago: it may be a copy. Ask for a new code.`);
    const holder: Check = { name: "Holder", state: "verified", text: "Signed with the holder's key for this paper." };
    if (expectedCode !== undefined) return [holder, { name: "Occasion", state: "verified", text: "Made for the number on your screen." }];
    return [holder, { name: "Occasion", state: "unchecked", text: `The holder's device says it was made at ${moment(made)}. Without a number from you, it could be a picture of somebody else's screen.`, code: "presentation.no-number" }];
  } catch (error) {
    const { code, message } = asTrouble(error);
    return fail(code, `The holder's proof fails: ${message}`);
  }
}

/** Six digits that the checker shows and the holder types. */
export function newCheckCode(): string {
  return String(crypto.getRandomValues(new Uint32Array(1))[0] as number).padStart(10, "0").slice(-6);
}

export const fingerprint = async (jwk: JWK): Promise<string> => (await calculateJwkThumbprint(jwk)).slice(0, 16).replace(/(.{4})(?=.)/g, "$1 ");
