// `npm run screenshots [-- URL]`: takes the pictures in docs/images from a running console, or from
// the fictional one. The console must have a completed run of the scenario `trace`.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import { launchOptions } from "../e2e/browser.mjs";
import { TOKEN, start } from "./server.mjs";

const OUT = fileURLToPath(new URL("../../docs/images/", import.meta.url));
mkdirSync(OUT, { recursive: true });

const given = process.argv[2];
const fixture = given ? undefined : await start();
const url = given ?? fixture.url;
const get = async (path) => (await fetch(new URL(path, url))).json();

if (fixture) {
  await fetch(new URL("v1/scenarios/trace/runs", url), { method: "POST", headers: { authorization: `Bearer ${TOKEN}` } });
  while ((await get("v1/scenarios/trace/runs/latest")).status === "running") await new Promise((resolve) => setTimeout(resolve, 200));
}
const { items } = await get("v1/entries?outcome=applied&register=trace&limit=20");
const entry = items.find(({ commands }) => commands.length <= 2) ?? items[0];
const receipt = Buffer.from(await (await fetch(new URL(`v1/entries/${entry.entry_id}/receipt`, url))).arrayBuffer());

const wide = { width: 1366, height: 640 };
const browser = await chromium.launch(launchOptions);

async function picture(name, hash, { colorScheme = "light", width = 1240, height = 760, prepare } = {}) {
  const page = await browser.newPage({ colorScheme, viewport: { width, height }, reducedMotion: "reduce" });
  await page.goto(`${url}#/${hash}`);
  await page.getByText(/^Fetching|Checking here/).first().waitFor({ state: "hidden" });
  await prepare?.(page);
  await page.screenshot({ path: `${OUT}${name}.png` });
  await page.close();
}

await picture("console-overview", "", { ...wide, prepare: (page) => page.getByRole("status").getByText("Connected").waitFor() });
await picture("console-overview-dark", "", { ...wide, colorScheme: "dark", prepare: (page) => page.getByRole("status").getByText("Connected").waitFor() });
await picture("console-entry-dark", `entries/${entry.entry_id}`, { colorScheme: "dark", height: 1020, prepare: (page) => page.getByText("Verified here").first().waitFor() });
await picture("console-scenario", "scenarios/trace", { height: 1100, prepare: (page) => page.getByText(/(\d+) of \1 receipts verified here/).waitFor() });
await picture("console-verify", "verify", {
  height: 1180,
  prepare: async (page) => {
    await page.getByLabel("choose a file").setInputFiles({ name: "custody.receipt", mimeType: "application/stele-receipt+cbor", buffer: receipt });
    await page.getByRole("region", { name: "What it proves" }).waitFor();
  },
});

await browser.close();
fixture?.close();
