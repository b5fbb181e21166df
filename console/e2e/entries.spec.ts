// Lists of entries, one entry with its receipt, and the live overview.

import { anEntry, entries, expect, test, visit } from "./fixtures";

test("a list says what the server reports until the browser has verified it", async ({ page }) => {
  await visit(page, "entries", /Entries/);
  const table = page.getByRole("table", { name: /Entries/ });
  await expect(table.getByText("Verified here")).toHaveCount(0);
  const rows = await table.getByText("Reported by the server").count();
  expect(rows).toBeGreaterThan(0);
  await page.getByRole("button", { name: /^Verify these/ }).click();
  await expect(table.getByText("Verified here")).toHaveCount(rows);
});

test("filters narrow the list and have an address", async ({ page }) => {
  await visit(page, "entries", /Entries/);
  await page.getByLabel("Register").selectOption("trace");
  await page.getByLabel("Outcome").selectOption("refused");
  await page.getByRole("button", { name: "Filter" }).click();
  await expect(page).toHaveURL(/register=trace&outcome=refused/);
  const rows = page.getByRole("table").getByRole("row");
  await expect(rows.getByText("Applied", { exact: true })).toHaveCount(0);
  await expect(rows.getByText(/^Refused/).first()).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("Outcome")).toHaveValue("refused");
  await page.getByRole("link", { name: "Clear" }).click();
  await expect(rows.getByText("Applied", { exact: true }).first()).toBeVisible();
});

test("a wrong filter is named in the summary and beside the field", async ({ page }) => {
  await visit(page, "entries", /Entries/);
  await page.getByRole("textbox", { name: "Party DID" }).fill("did:web:example.org");
  await page.getByRole("button", { name: "Filter" }).click();
  const summary = page.getByRole("alert");
  await expect(summary).toBeFocused();
  await summary.getByRole("link", { name: /The party is a DID/ }).click();
  await expect(page.getByRole("textbox", { name: "Party DID" })).toBeFocused();
  await expect(page.getByRole("textbox", { name: "Party DID" })).toHaveAccessibleDescription(/The party is a DID/);
});

test("no match is told apart from an empty log", async ({ page }) => {
  await visit(page, "entries?q=zzzzqqqqzzzz", /Entries/);
  await expect(page.getByText("No entry matches this filter.")).toBeVisible();
  await expect(page.getByRole("link", { name: "Clear the filter" })).toBeVisible();
});

test("older entries follow by cursor", async ({ page, request }) => {
  const newest = await entries(request, "limit=9");
  expect(newest.length).toBe(9);
  // Pages of three, so that the seed does not fit one.
  await page.route("**/v1/entries?*", (route) => route.continue({ url: route.request().url().replace(/limit=\d+/, "limit=3") }));
  await visit(page, "entries", /Entries/);
  await page.getByRole("link", { name: "Older" }).click();
  await expect(page).toHaveURL(/cursor=/);
  await expect(page.getByRole("table").getByRole("row")).toHaveCount(4);
  await page.getByRole("link", { name: "Newest" }).click();
  await expect(page).not.toHaveURL(/cursor=/);
});

test("an entry's receipt is verified in the browser and can be taken away", async ({ page, request }) => {
  const { entry_id } = await anEntry(request, "outcome=applied");
  await visit(page, `entries/${entry_id}`, /Entry/);
  const receipt = page.getByRole("region", { name: "Receipt" });
  await expect(receipt.getByText("Verified here")).toBeVisible();
  await expect(receipt.getByRole("row", { name: /The network's key signed this log root/ })).toContainText("Passed");
  await expect(receipt.getByText("log root", { exact: true })).toBeVisible();
  const download = page.waitForEvent("download");
  await receipt.getByRole("button", { name: /^Download receipt/ }).click();
  expect((await download).suggestedFilename()).toMatch(/\.receipt$/);
});

test("a refused entry shows its rule, and that nothing was changed", async ({ page, request }) => {
  const { entry_id, outcome } = await anEntry(request, "outcome=refused");
  await visit(page, `entries/${entry_id}`, /Entry/);
  const refusal = page.getByRole("region", { name: "Refusal" });
  await expect(refusal).toContainText(outcome.code as string);
  await expect(refusal).toContainText("nothing was changed");
  await expect(page.getByRole("region", { name: "Receipt" }).getByText("Verified here")).toBeVisible();
});

test("a server that shows something else than the receipt proves is caught", async ({ page, request }) => {
  const { entry_id } = await anEntry(request, "outcome=applied");
  await page.route(`**/v1/entries/${entry_id}`, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), party: `did:stele:${"a".repeat(52)}` } });
  });
  await page.goto(`./#/entries/${entry_id}`);
  await expect(page.getByRole("region", { name: "Receipt" }).getByText(/Does not verify: the server shows another party/)).toBeVisible();
  await expect(page.getByText("Verified here")).toHaveCount(0);
});

test("a receipt that was changed on the way is not shown as verified", async ({ page, request }) => {
  const { entry_id } = await anEntry(request, "outcome=applied");
  await page.route(`**/v1/entries/${entry_id}/receipt`, async (route) => {
    const answer = await route.fetch();
    const body = await answer.body();
    body[body.length - 1] = (body[body.length - 1] as number) ^ 1;
    await route.fulfill({ response: answer, body });
  });
  await page.goto(`./#/entries/${entry_id}`);
  await expect(page.getByRole("region", { name: "Receipt" }).getByText(/Does not verify/).first()).toBeVisible();
});

test("a receipt that cannot be fetched is neither good nor bad", async ({ page, request }) => {
  const { entry_id } = await anEntry(request, "outcome=applied");
  await page.route(`**/v1/entries/${entry_id}/receipt`, (route) => route.abort());
  await page.goto(`./#/entries/${entry_id}`);
  await expect(page.getByText("Could not check").first()).toBeVisible();
});

test("hovering an id lights its other appearances", async ({ page, request }) => {
  const { party } = await anEntry(request, "outcome=applied");
  await visit(page, `parties/${party}`, /./);
  const same = page.getByTitle(party);
  await expect(same.nth(1)).toBeVisible();
  const background = () => same.nth(1).evaluate((node) => getComputedStyle(node.parentElement as Element).backgroundColor);
  const before = await background();
  await same.first().hover();
  await expect.poll(background).not.toBe(before);
});

test("the overview follows the log and can be paused", async ({ page }) => {
  await visit(page, "", /Overview/);
  const live = page.getByRole("region", { name: "Live entries" });
  await expect(live.getByRole("status")).toHaveText("Connected");
  await expect(live.getByRole("table", { name: "Newest entries" }).getByRole("row").nth(1)).toBeVisible();
  await live.getByRole("button", { name: "Pause" }).click();
  await expect(live.getByRole("status")).toContainText("Paused");
  await live.getByRole("button", { name: "Resume" }).click();
  await expect(live.getByRole("status")).toHaveText("Connected");
});

test("what a register does not hold is proven too", async ({ page }) => {
  await visit(page, "registers/trace", /trace/);
  const state = page.getByRole("region", { name: "State", exact: true });
  await state.getByRole("button", { name: "Prove it" }).click();
  await expect(state.getByRole("alert")).toBeFocused();
  await state.getByRole("textbox", { name: "State key" }).fill("item/<zz>");
  await state.getByRole("button", { name: "Prove it" }).click();
  await expect(state.getByRole("alert").getByRole("link", { name: /1 to 255 bytes/ })).toBeVisible();
  await state.getByRole("textbox", { name: "State key" }).fill(`item/<${"00".repeat(32)}>`);
  await state.getByRole("button", { name: "Prove it" }).click();
  await expect(state.getByText(/held no value under this key/)).toBeVisible();
  await expect(state.getByText("Verified here")).toBeVisible();
});

test("a party's keys are read from proven state", async ({ page, request }) => {
  const { party } = await anEntry(request, "register=identity&outcome=applied");
  await visit(page, `parties/${party}`, /./);
  await expect(page.getByText("Verified here").first()).toBeVisible();
  await expect(page.getByRole("table", { name: "Keys of this party" }).getByRole("row").nth(1)).toContainText("in force");
});

test("a party whose state receipt is not the network's is not shown as verified", async ({ page, request }) => {
  const { party } = await anEntry(request, "register=identity&outcome=applied");
  await page.route("**/v1/state/identity/*/receipt", async (route) => {
    const answer = await route.fetch();
    const body = await answer.body();
    body[body.length - 1] = (body[body.length - 1] as number) ^ 1;
    await route.fulfill({ response: answer, body });
  });
  await page.goto(`./#/parties/${party}`);
  await expect(page.getByRole("region", { name: "Keys" }).getByRole("alert")).toContainText("does not verify here");
  await expect(page.getByText("Does not verify").first()).toBeVisible();
  await expect(page.getByText("Verified here")).toHaveCount(0);
});
