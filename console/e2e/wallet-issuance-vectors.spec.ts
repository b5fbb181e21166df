// The wallet's judgement of proofs of issuance, on the vectors that every verifier runs; without a page.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "@playwright/test";
import type { JWK } from "jose";
import { makeBackup, openByPassphrase, readBackup } from "../src/wallet/lib/backup";
import { type JsonObject } from "../src/wallet/lib/bytes";
import { checkPaper } from "../src/wallet/lib/check";
import { type Evidence, type PinnedNetwork, committed, pinned, proofsAddress, withProofs } from "../src/wallet/lib/issuance";
import { readSdJwt } from "../src/wallet/lib/sdjwt";
import { emptyContents } from "../src/wallet/lib/vault";

const vectors = fileURLToPath(new URL("../../vectors/", import.meta.url));
const read = (name: string) => readFileSync(`${vectors}${name}`);
const NOW = 1_767_312_000;

interface Row {
  name: string;
  file?: string;
  network: string;
  credential: string;
  disclosures?: string[];
  jwk?: JWK;
  scope?: string;
  valid: boolean;
  code?: string;
  expect?: { issuer: string; type: string; scope: string | null; chain: string[] };
}

/** Those about an SD-JWT with a key that wallets know. */
const rows = (JSON.parse(read("issuance.json").toString()) as Row[]).filter(({ disclosures, jwk, file }) => disclosures && jwk && file);
const row = (name: string): Row => rows.find((other) => other.name === name) as Row;
const pin = (file: string): PinnedNetwork => ({ descriptor: read(file).toString(), pinnedMs: NOW * 1000 });
const proofOf = ({ file }: Row) => read(file as string).toString("base64url");

async function judged(given: Row, issuance: Partial<Evidence> = {}) {
  const paper = await readSdJwt([given.credential, ...(given.disclosures ?? []), ""].join("~"));
  const holder = (paper.payload["cnf"] as unknown as { jwk: JWK }).jwk;
  const evidence: Evidence = { copies: [{ jwt: paper.jwt, proof: proofOf(given) }], network: pin(given.network), published: true, ...issuance };
  const report = await checkPaper(paper, { nowSeconds: NOW, holder, online: false, known: { jwk: given.jwk as JWK, name: "the Fictional University" }, issuance: evidence });
  const check = (name: string) => report.checks.find((other) => other.name === name);
  return { report, issuer: check("Issuer") as NonNullable<ReturnType<typeof check>>, network: check("Network") };
}

test("a paper is verified, failed with its code, or left open, as the vectors say", async () => {
  test.slow();
  const codes = new Set<string>();
  const counts = { verified: 0, failed: 0 };
  for (const given of rows) {
    const { report, issuer } = await judged(given);
    // A wallet asks for no scope: its holder knows what the paper is for.
    if (given.valid || given.code === "trust.outside-scope") {
      expect(issuer.state, `${given.name}: ${issuer.text}`).toBe("verified");
      expect(report.sound, given.name).toBe(true);
      for (const said of given.expect ? [given.expect.issuer, given.expect.type, given.expect.scope ?? "", given.expect.chain[0]?.slice(0, 16) ?? "", "1 Jan 2026"] : []) expect(issuer.text, given.name).toContain(said);
      counts.verified += 1;
      continue;
    }
    if (/-of-(a|another)-network/.test(given.name)) {
      // Another network's proof speaks neither for the paper nor against it.
      expect([issuer.state, report.issuance, report.sound], given.name).toEqual(["verified", "open", true]);
      expect(issuer.text).toContain("its key is kept here. Its proof of issuance is of another network");
      continue;
    }
    expect([issuer.state, issuer.code, report.sound], `${given.name}: ${issuer.text}`).toEqual(["failed", given.code, false]);
    codes.add(given.code as string);
    counts.failed += 1;
  }
  expect(counts.verified).toBeGreaterThan(20);
  expect(counts.failed).toBeGreaterThan(90);
  expect([...codes].sort()).toEqual(["trust.key-compromised", "trust.not-committed", "trust.other-issuer", "trust.other-key", "trust.other-type", "trust.proof-malformed", "trust.receipt"]);
});

test("without a proof, without a network, or with a wrong signature nothing is proven", async () => {
  const given = row("good-place-3-of-five");
  const jwt = given.credential;
  const open = await judged(given, { copies: [{ jwt }] });
  expect([open.issuer.state, open.report.issuance]).toEqual(["verified", "open"]);
  expect(open.issuer.text).toContain("has not given its proof of issuance yet");
  expect((await judged(given, { copies: [{ jwt }], published: false })).issuer.text).toBe("the Fictional University: its key is kept here.");
  expect((await judged(given, { network: undefined })).issuer.text).toContain("knows no network to check it under");

  const forged = { ...given, credential: `${jwt.slice(0, -4)}AAAA` };
  const { report, issuer } = await judged(forged);
  expect(report.checks.find(({ name }) => name === "Signature")).toMatchObject({ state: "failed", code: "credential.signature" });
  expect(report.issuance).toBeUndefined();
  expect(issuer.text).not.toContain("committed");
});

test("all copies need a proof, and one that fails counts", async () => {
  const given = row("good-place-3-of-five");
  const [good, other] = [given, row("good-place-2-of-five")].map((one) => ({ jwt: one.credential, proof: proofOf(one) })) as [Evidence["copies"][0], Evidence["copies"][0]];
  expect((await judged(given, { copies: [good, other] })).issuer.state).toBe("verified");
  const missing = await judged(given, { copies: [good, { jwt: other.jwt }] });
  expect([missing.report.issuance, missing.report.sound]).toEqual(["open", true]);
  expect(missing.issuer.text).toContain("for 1 of 2 copies");
  const swapped = await judged(given, { copies: [good, { jwt: other.jwt, proof: good.proof }] });
  expect([swapped.issuer.state, swapped.issuer.code]).toEqual(["failed", "trust.not-committed"]);
});

test("the first network stays pinned, and another one is told", async () => {
  const first = read("network-credentials.json").toString();
  const kept = pinned(undefined, first, 1000);
  expect(kept).toEqual({ descriptor: first, pinnedMs: 1000 });
  expect(pinned(kept, JSON.stringify({ ...(JSON.parse(first) as object), name: "renamed" }), 2000)).toBe(kept);
  const second = read("network-ed25519.json").toString();
  const told = pinned(kept, second, 3000);
  expect(told).toEqual({ ...kept, other: { descriptor: second, seenMs: 3000 } });
  // The date of the first sight stays, also when the old one is shown again.
  expect(pinned(told, second, 4000)).toBe(told);
  expect(pinned(told, first, 5000)).toBe(told);
  const given = row("good-place-3-of-five");
  const { network, issuer } = await judged(given, { network: told });
  expect(network).toMatchObject({ state: "unchecked", code: "wallet.network-changed" });
  expect(issuer.state).toBe("verified");
  expect((await judged(given)).network).toBeUndefined();
});

test("proofs are asked for at the issuer's own origin only", () => {
  const at = (value: unknown) => proofsAddress({ stele_issuance_proofs: value } as JsonObject, "https://granite.example/openid");
  expect(at("https://granite.example/proofs/")).toBe("https://granite.example/proofs");
  expect(at("https://granite.example")).toBe("https://granite.example");
  for (const bad of [undefined, 7, "", "proofs", "https://basalt.example/proofs", "http://granite.example/proofs", "https://granite.example:444/proofs", "https://granite.example/proofs?of=", "https://granite.example/proofs#x", "https://a@granite.example/proofs"]) expect(at(bad), String(bad)).toBeUndefined();
});

test("a backup carries the proofs and the pinned network", async () => {
  const given = row("good-place-3-of-five");
  const credential = [given.credential, ...(given.disclosures ?? []), ""].join("~");
  const copies = withProofs([{ credential, key: {} }], [{ jwt: given.credential, proof: proofOf(given) }], "verified");
  expect(committed(copies[0] as (typeof copies)[0])).toEqual({ jwt: given.credential, proof: proofOf(given) });
  // A proof that fails is not kept, so that it is asked for again.
  expect(withProofs([{ credential, key: {} }], [{ jwt: given.credential, proof: proofOf(given) }], "failed")).toEqual([{ credential, key: {} }]);
  const paper = { id: "1", name: "Fictional diploma", kind: "k", issuer: "i", issuerName: "n", labels: {}, copies, receivedMs: 0, checks: [], checkedMs: 0, proofsAt: "https://granite.example/proofs" };
  const contents = { ...emptyContents(), papers: [paper], network: pin(given.network) };
  const file = await makeBackup(contents, "four fictional unrelated words", 0);
  expect(await openByPassphrase(readBackup(JSON.stringify(file)), "four fictional unrelated words")).toEqual(contents);
});
