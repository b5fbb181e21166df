// Proofs of issuance: the shared vectors, the command line, and every byte of a proof.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { concat, fromHex, toHex, utf8 } from "../src/bytes.js";
import { CredentialError, publicKeyFromJwk, readSignedCredential } from "../src/credential.js";
import { type IssuanceVerification, ISSUANCE_RULES, issuanceToJson, verifyIssuance } from "../src/issuance.js";
import { publicKeyFromCose } from "../src/keys.js";
import { parseNetwork } from "../src/network.js";

const VECTORS = fileURLToPath(new URL("../../../../vectors/", import.meta.url));
const BIN = fileURLToPath(new URL("../../bin/stele-verify.js", import.meta.url));

interface Row {
  name: string;
  file?: string;
  parts?: ({ hex: string } | { repeat: string; times: number })[];
  network: string;
  credential: string;
  disclosures?: string[];
  key: string;
  jwk?: object;
  issuer: string;
  type: string;
  scope?: string;
  valid: boolean;
  code?: string;
  expect?: object;
}

const rows = JSON.parse(readFileSync(join(VECTORS, "issuance.json"), "utf8")) as Row[];
const row = (name: string): Row => rows.find((other) => other.name === name) ?? assert.fail(`no row ${name}`);
const network = (file: string) => parseNetwork(readFileSync(join(VECTORS, file), "utf8"));

function bytes({ file, parts }: Row): Uint8Array {
  if (file !== undefined) return new Uint8Array(readFileSync(join(VECTORS, file)));
  assert.ok(parts, "a row without bytes");
  return concat(...parts.map((part) => ("hex" in part ? fromHex(part.hex) : fromHex(part.repeat.repeat(part.times)))));
}

function judge(given: Row, proof = bytes(given)): IssuanceVerification {
  const { credential, key, issuer, type, scope } = given;
  return verifyIssuance(proof, utf8(credential), publicKeyFromCose(fromHex(key)), network(given.network), { issuer, type, scope });
}

test("issuance.json", () => {
  const failures: string[] = [];
  const refusedBy = new Set<string>();
  for (const given of rows) {
    const result = judge(given);
    if (!result.valid) refusedBy.add(result.code);
    try {
      if (given.valid) {
        const { valid, network: _, ...answer } = issuanceToJson(result) as Record<string, unknown>;
        assert.equal(valid, true, JSON.stringify(issuanceToJson(result)));
        assert.deepEqual(answer, given.expect);
      } else assert.equal(result.valid ? "valid" : result.code, given.code);
    } catch (error) {
      failures.push(`${given.name}: ${(error as Error).message}`);
    }
  }
  assert.deepEqual(failures, []);
  assert.deepEqual([...refusedBy].sort(), Object.keys(ISSUANCE_RULES).sort());
});

test("a flipped bit proves nothing else, and no cut is taken for a proof", () => {
  const given = row("good-place-3-of-five");
  const proof = bytes(given);
  const good = issuanceToJson(judge(given)) as Record<string, unknown>;
  for (let at = 0; at < proof.length; at++) {
    const cut = judge(given, proof.subarray(0, at));
    assert.equal(cut.valid ? "valid" : cut.code, "trust.proof-malformed");
    if (at % 4 !== 0) continue;
    const altered = Uint8Array.from(proof);
    altered[at] = (altered[at] as number) ^ (1 << ((at / 4) % 8));
    const result = judge(given, altered);
    // A proof of absence fits other keys too: the report is then about another key, and that of this one was not asked for.
    if (result.valid) assert.deepEqual(issuanceToJson(result), { ...good, key_report: null }, `byte ${at}`);
  }
});

test("a refused receipt names its step", () => {
  const result = judge(row("bad-receipt-receipt-of-a-network-with-the-same-key"));
  assert.deepEqual(result.valid || [result.code, result.receipt], ["trust.receipt", "wrong-network"]);
});

test("the signed part of an SD-JWT is read, and the key of its JWK is the one of the vectors", () => {
  let read = 0;
  for (const { credential, disclosures, key, jwk, issuer, type, name } of rows) {
    if (!disclosures || !jwk) continue;
    const signingKey = publicKeyFromJwk(jwk);
    assert.equal(toHex(signingKey.encoded), key);
    const found = readSignedCredential(`${[credential, ...disclosures, ""].join("~")}\n`, signingKey);
    assert.deepEqual([new TextDecoder().decode(found.signed), found.issuer, found.type], [credential, issuer, type], name);
    read += 1;
  }
  assert.ok(read > 50);
});

test("a credential that the key did not sign is refused before its proof", () => {
  const { credential, jwk } = row("good-batch-of-one");
  const { jwk: other } = row("good-signed-by-another-key-of-the-issuer");
  const [header, payload, signature] = credential.split(".") as [string, string, string];
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const cases: [string, string, unknown][] = [
    ["jose.malformed", "no token", jwk],
    ["jose.malformed", `${header}.${payload}`, jwk],
    ["jose.malformed", `${header}.${payload}=.${signature}`, jwk],
    ["jose.malformed", `${Buffer.from("[]").toString("base64url")}.${payload}.${signature}`, jwk],
    ["jose.crit-unknown", `${encoded({ alg: "EdDSA", crit: ["x"] })}.${payload}.${signature}`, jwk],
    ["jose.key-algorithm", `${encoded({ alg: "none" })}.${payload}.`, jwk],
    ["jose.key-algorithm", credential, other],
    ["jose.signature", `${header}.${encoded({ iss: "somebody" })}.${signature}`, jwk],
  ];
  for (const [code, text, key] of cases) {
    assert.throws(() => readSignedCredential(text, publicKeyFromJwk(key)), (error) => error instanceof CredentialError && error.code === code, `${code}: ${text.slice(0, 60)}`);
  }
  const { x } = jwk as { x: string };
  for (const bad of [null, {}, { ...jwk, d: x }, { ...jwk, x: `${x}A` }, { ...jwk, x: 7 }, { kty: "EC", crv: "P-256", x }, { kty: "EC", crv: "P-384", x, y: x }]) {
    assert.throws(() => publicKeyFromJwk(bad), { name: "ShapeError" });
  }
});

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: "utf8" });
}

test("the command line takes a proof with a credential and a network file", () => {
  const folder = mkdtempSync(join(tmpdir(), "stele-issuance-"));
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const of = ({ name, credential, disclosures, jwk, file: proof, network: known }: Row, ...more: string[]) =>
    run(join(VECTORS, proof as string), "--network", join(VECTORS, known), "--credential", file(`${name}.sd-jwt`, [credential, ...(disclosures ?? []), ""].join("~")), "--key", file(`${name}.jwk`, JSON.stringify(jwk)), ...more);

  const good = row("good-place-3-of-five");
  const text = of(good, "--scope", "XX/universities");
  assert.equal(text.status, 0, text.stdout + text.stderr);
  assert.match(text.stdout, /^valid\n/);
  assert.match(text.stdout, /issuer +did:stele:[a-z2-7]{52}, key [0-9a-f]{64}\n/);
  assert.match(text.stdout, /when +2026-01-01T00:00:30\.000Z, height 38/);
  assert.match(text.stdout, /key report +none as of 2026-01-01T00:01:00\.000Z, height 41\n/);
  const json = JSON.parse(of(good, "--format", "json").stdout);
  for (const [name, value] of Object.entries(good.expect ?? {})) assert.deepEqual(json[name], value, name);
  assert.match(of(row("good-key-reported-later")).stdout, /doubtful since 2026-01-01T00:00:30\.001Z, after this issuance/);
  assert.match(of(row("good-batch-of-one")).stdout, /key report +not asked/);

  const scope = of(good, "--scope", "YY", "--format", "json");
  assert.equal(scope.status, 1);
  assert.equal(JSON.parse(scope.stdout).code, "trust.outside-scope");
  const compromised = of(row("bad-key-compromised-since-ever"));
  assert.equal(compromised.status, 1);
  assert.match(compromised.stdout, /^not valid: trust\.key-compromised\n {2}The credential was committed to when/);
  const foreign = of({ ...good, jwk: row("good-last-of-seven").jwk as object, credential: good.credential.slice(0, -4) + "AAAA" });
  assert.deepEqual([foreign.status, foreign.stdout.split("\n")[0]], [1, "not valid: jose.signature"]);

  const [proof, known] = [join(VECTORS, good.file as string), join(VECTORS, good.network)];
  const unusable = [
    [proof, "--network", known, "--credential", proof],
    [proof, "--network", known, "--key", known],
    [proof, "--network", known, "--scope", "XX"],
    [proof, "--network", known, "--credential", proof, "--key", known],
    [proof, "--network", known, "--credential", proof, "--key", join(folder, "absent")],
    [proof, "--network", known, "--credential", join(folder, "absent"), "--key", file("k.jwk", JSON.stringify(good.jwk))],
  ];
  for (const args of unusable) {
    const { status, stdout, stderr } = run(...args);
    assert.deepEqual([status, stdout], [2, ""], args.join(" "));
    assert.match(stderr, /^error: .+\nhint: .+\n$/);
  }
  const key = file("w.jwk", JSON.stringify(good.jwk));
  const witness = JSON.parse(readFileSync(join(VECTORS, "witnesses.json"), "utf8"))[0].policy.keys[0] as string;
  assert.equal(run(proof, "--network", known, "--credential", proof, "--key", key, "--witness", witness).status, 2);
});
