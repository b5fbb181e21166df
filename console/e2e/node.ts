// A real node (STELE_BIN) on a folder of its own, started and stopped by the test that needs it.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_MS = 60_000;

export interface Node {
  /** Ends with a slash. */
  url: string;
  token: string;
  stop(): Promise<void>;
}

/** Starts a node. Without trust in the loopback address a browser is anonymous, as it is to any other node. */
export async function startNode(more: string[] = ["--listen", "127.0.0.1:0"]): Promise<Node> {
  const binary = process.env["STELE_BIN"];
  if (!binary) throw new Error("set STELE_BIN to the built binary");
  const folder = mkdtempSync(join(tmpdir(), "stele-e2e-"));
  const ready = join(folder, "ready.json");
  const node = spawn(binary, ["up", "--data", join(folder, "data"), "--ready-file", ready, "--no-trust-loopback", ...more], { stdio: ["ignore", "ignore", "inherit"] });
  const stop = async () => {
    await ended(node);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { url, token } = await started(node, ready);
    return { url: url.endsWith("/") ? url : `${url}/`, token, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
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

/** Asks again until there is an answer; the wait is for another process, so it has to ask. */
export async function until<T>(limitMs: number, what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = Date.now() + limitMs;
  while (Date.now() < end) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${limitMs} ms in vain for ${what}`);
}

async function ended(node: ChildProcess): Promise<void> {
  if (node.exitCode !== null) return;
  const exit = new Promise((resolve) => node.once("exit", resolve));
  node.kill("SIGTERM");
  await exit;
}
