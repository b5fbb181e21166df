// What the tests share: a page that fails on console errors and on requests to other origins, and
// real ids from the API to visit.

import { type APIRequestContext, type Page, expect, test as base } from "@playwright/test";

interface Summary {
  entry_id: string;
  log_index: number;
  height: number;
  party: string;
  register: string;
  outcome: { applied: boolean; code?: string };
}

export const test = base.extend<{ strict: void }>({
  strict: [
    async ({ page, baseURL }, use) => {
      const faults: string[] = [];
      page.on("console", (message) => {
        // A 404 or 401 that the console handles is also logged by the browser itself.
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
      });
      page.on("pageerror", (error) => faults.push(error.message));
      page.on("request", (request) => {
        if (!request.url().startsWith(baseURL as string) && !request.url().startsWith("blob:")) faults.push(`request to ${request.url()}`);
      });
      await use();
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

export async function entries(request: APIRequestContext, query: string): Promise<Summary[]> {
  const answer = await request.get(`v1/entries?${query}`);
  expect(answer.ok()).toBe(true);
  const { items } = (await answer.json()) as { items: Summary[] };
  expect(items.length, `the seed has an entry with ${query}`).toBeGreaterThan(0);
  return items;
}

export async function anEntry(request: APIRequestContext, query: string): Promise<Summary> {
  return (await entries(request, `${query}&limit=1`))[0] as Summary;
}

export async function receipt(request: APIRequestContext, id: string): Promise<Buffer> {
  return (await request.get(`v1/entries/${id}/receipt`)).body();
}

/** Addresses of every view, with ids that exist. */
export async function views(request: APIRequestContext): Promise<[name: string, hash: string, heading: RegExp][]> {
  const applied = await anEntry(request, "outcome=applied");
  const refused = await anEntry(request, "outcome=refused");
  return [
    ["overview", "", /Overview/],
    ["registers", "registers", /Registers/],
    ["register", `registers/${applied.register}`, new RegExp(applied.register)],
    ["entries", "entries", /Entries/],
    ["entry", `entries/${applied.entry_id}`, /Entry \d/],
    ["refused entry", `entries/${refused.entry_id}`, /Entry \d/],
    ["blocks", "blocks", /Blocks/],
    ["block", `blocks/${applied.height}`, /Block \d/],
    ["parties", "parties", /Parties/],
    ["party", `parties/${applied.party}`, /./],
    ["issuers", "issuers", /Issuers/],
    ["search", "search?q=fictional", /Search/],
    ["scenarios", "scenarios", /Scenarios/],
    ["scenario", "scenarios/trace", /./],
    ["verify", "verify", /Verify a receipt/],
    ["network", "network", /Network/],
    ["no such view", "nowhere", /No such view/],
  ];
}

/** Goes to a view and waits until it has its data. */
export async function visit(page: Page, hash: string, heading: RegExp): Promise<void> {
  await page.goto(`./#/${hash}`);
  await expect(page.getByRole("heading", { level: 1, name: heading })).toBeAttached();
  await expect(page.getByText(/^Fetching/)).toHaveCount(0);
  // A scenario's page verifies hundreds of receipts here; how fast decides nothing.
  await expect(page.getByText("Checking here")).toHaveCount(0, { timeout: 120_000 });
}
