import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as build from "./build.js";

const BIN = fileURLToPath(new URL("../../bin/stele-verify.js", import.meta.url));
const world = build.world();
const folder = mkdtempSync(join(tmpdir(), "stele-verify-"));
const file = (name: string, content: string | Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const network = file("network.json", JSON.stringify(build.descriptor(world.networkKey)));
const good = file("good.receipt", build.receipt(world));
const bad = file("bad.receipt", build.receipt(world, { recordHeight: 5 }));

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: "utf8" });
}

test("a valid receipt exits 0 and answers on stdout", () => {
  const text = run(good, "--network", network);
  assert.equal(text.status, 0);
  assert.match(text.stdout, /^valid\n/);
  assert.match(text.stdout, /trace\/record \{"item":"urn:epc:id:sgtin:0614141\.107346\.2017"\}/);
  assert.equal(text.stderr, "");
  const json = JSON.parse(run(good, "--network", network, "--format", "json").stdout);
  assert.equal(json.valid, true);
  assert.equal(json.rule, "trace@1");
  assert.equal(json.when.height, 3);
  assert.match(json.who.party, /^did:stele:[a-z2-7]{52}$/);
});

test("a receipt that does not verify exits 1 and names the step", () => {
  const json = run(bad, "--network", network, "--format", "json");
  assert.equal(json.status, 1);
  assert.deepEqual(JSON.parse(json.stdout), { valid: false, step: 11, code: "record-mismatch", detail: "the record's height is above the certificate's" });
  assert.match(run(bad, "--network", network).stdout, /record-mismatch/);
});

test("input that cannot be used exits 2 with a hint", () => {
  const cases = [
    [],
    [good],
    [good, good, "--network", network],
    [good, "--network", network, "--format", "yaml"],
    [good, "--network", network, "--unknown"],
    [join(folder, "absent"), "--network", network],
    [good, "--network", join(folder, "absent")],
    [good, "--network", good],
  ];
  for (const args of cases) {
    const { status, stdout, stderr } = run(...args);
    assert.equal(status, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, /^error: .+\nhint: .+\n$/);
  }
});

test("witnesses are asked for by key", () => {
  const vectors = fileURLToPath(new URL("../../../../vectors/", import.meta.url));
  const rows = JSON.parse(readFileSync(join(vectors, "witnesses.json"), "utf8")) as { name: string; file: string; network: string; policy: { keys: string[] } }[];
  const row = rows.find(({ name }) => name === "good-two-of-three");
  assert.ok(row);
  const judge = (...more: string[]) =>
    run(join(vectors, row.file), "--network", join(vectors, row.network), ...row.policy.keys.flatMap((key) => ["--witness", key]), ...more);
  const two = judge("--witnesses-min", "2");
  assert.equal(two.status, 0, two.stderr);
  assert.match(two.stdout, /witness +witness\.example\/north cosigned at 2026-01-01T00:01:01\.000Z/);
  // Without a number all are asked for.
  const all = judge("--format", "json");
  assert.equal(all.status, 1);
  assert.deepEqual([JSON.parse(all.stdout).step, JSON.parse(all.stdout).code], [15, "not-witnessed"]);
  for (const more of [["--witnesses-min", "4"], ["--witnesses-min", "x"], ["--witness", "no key"]]) assert.equal(judge(...more).status, 2);
  assert.equal(run(good, "--network", network, "--witnesses-min", "1").status, 2);
});
