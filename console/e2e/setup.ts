// Starts a real node (STELE_BIN) on empty data and seeds it with a run of the scenario `trace`; or
// takes a console that runs already (CONSOLE_URL, with CONSOLE_TOKEN), as `npm run test:fixture` does.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_MS = 60_000;
const SEED_MS = 120_000;

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env["CONSOLE_URL"]) {
    await seed(process.env["CONSOLE_URL"], process.env["CONSOLE_TOKEN"] ?? "");
    return undefined;
  }
  const binary = process.env["STELE_BIN"];
  if (!binary) throw new Error("set STELE_BIN to the built binary, or CONSOLE_URL to a running console");
  const folder = mkdtempSync(join(tmpdir(), "stele-e2e-"));
  const ready = join(folder, "ready.json");
  // Without trust in the loopback address a browser is anonymous, as it is to any other node.
  const node = spawn(binary, ["up", "--data", join(folder, "data"), "--listen", "127.0.0.1:0", "--ready-file", ready, "--no-trust-loopback"], { stdio: ["ignore", "ignore", "inherit"] });
  try {
    const { url, token } = await started(node, ready);
    process.env["CONSOLE_URL"] = url.endsWith("/") ? url : `${url}/`;
    process.env["CONSOLE_TOKEN"] = token;
    await seed(process.env["CONSOLE_URL"], token);
  } catch (error) {
    await stop(node);
    throw error;
  }
  return async () => {
    await stop(node);
    rmSync(folder, { recursive: true, force: true });
  };
}

async function started(node: ChildProcess, ready: string): Promise<{ url: string; token: string }> {
  return until(START_MS, "the node to start", () => {
    if (node.exitCode !== null) throw new Error(`the node ended with ${node.exitCode}`);
    if (!existsSync(ready)) return undefined;
    try {
      return JSON.parse(readFileSync(ready, "utf8")) as { url: string; token: string };
    } catch {
      return undefined; // half written
    }
  });
}

async function seed(url: string, token: string): Promise<void> {
  const runs = new URL("v1/scenarios/trace/runs", url);
  const authorization = `Bearer ${token}`;
  const answer = await fetch(runs, { method: "POST", headers: { "content-type": "application/json", authorization }, body: "{}" });
  if (!answer.ok) throw new Error(`the scenario could not be started: ${answer.status} ${await answer.text()}`);
  await until(SEED_MS, "the scenario to end", async () => {
    const latest = await fetch(`${runs}/latest`, { headers: { authorization } });
    if (!latest.ok) return undefined;
    const run = (await latest.json()) as { status: string; report?: { ok: boolean } };
    if (run.status === "running") return undefined;
    if (!run.report?.ok) throw new Error(`the scenario failed: ${JSON.stringify(run)}`);
    return run;
  });
}

/** Asks again until there is an answer; the wait is for another process, so it has to ask. */
async function until<T>(limitMs: number, what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = Date.now() + limitMs;
  while (Date.now() < end) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${limitMs} ms in vain for ${what}`);
}

async function stop(node: ChildProcess): Promise<void> {
  if (node.exitCode !== null) return;
  const ended = new Promise((resolve) => node.once("exit", resolve));
  node.kill("SIGTERM");
  await ended;
}
