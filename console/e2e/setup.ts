// Starts a real node (STELE_BIN) on empty data and seeds it with a run of the scenario `trace`; or
// takes a console that runs already (CONSOLE_URL, with CONSOLE_TOKEN), as `npm run test:fixture` does.

import { startNode, until } from "./node";

const SEED_MS = 120_000;

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env["CONSOLE_URL"]) {
    await seed(process.env["CONSOLE_URL"], process.env["CONSOLE_TOKEN"] ?? "");
    return undefined;
  }
  const node = await startNode();
  process.env["CONSOLE_URL"] = node.url;
  process.env["CONSOLE_TOKEN"] = node.token;
  try {
    await seed(node.url, node.token);
  } catch (error) {
    await node.stop();
    throw error;
  }
  return node.stop;
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
