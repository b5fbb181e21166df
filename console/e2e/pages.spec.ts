// Every view: accessible in light and dark, and within a phone's width.

import AxeBuilder from "@axe-core/playwright";
import { expect, test, views, visit } from "./fixtures";

for (const colorScheme of ["light", "dark"] as const) {
  test(`every view has no serious accessibility finding, ${colorScheme}`, async ({ page, request }) => {
    test.setTimeout(300_000);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const [name, hash, heading] of await views(request)) {
      await visit(page, hash, heading);
      const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`), name).toEqual([]);
    }
  });
}

test("every view fits a phone, and what scrolls can be scrolled by keyboard", async ({ page, request }) => {
  test.setTimeout(300_000);
  await page.setViewportSize({ width: 390, height: 844 });
  for (const [name, hash, heading] of await views(request)) {
    await visit(page, hash, heading);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, name).toBeLessThanOrEqual(0);
    const { violations } = await new AxeBuilder({ page }).withRules(["scrollable-region-focusable"]).analyze();
    expect(violations.flatMap(({ nodes }) => nodes.map(({ html }) => html.slice(0, 160))), name).toEqual([]);
  }
});

test("each view has its own title and the navigation says where one is", async ({ page }) => {
  for (const name of ["Registers", "Entries", "Blocks", "Parties", "Issuers", "Scenarios", "Verify", "Network", "Overview"]) {
    await page.goto("./");
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true }).click();
    await expect(page).toHaveTitle(new RegExp(name));
    await expect(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true })).toHaveAttribute("aria-current", "page");
  }
});

test("the keyboard reaches the content and the search", async ({ page }) => {
  await page.goto("./#/registers");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox", { name: /Search entries/ })).toBeFocused();
  await page.keyboard.type("fictional");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/#\/search\?q=fictional/);
  await expect(page.getByRole("table").getByRole("rowheader").first()).toBeVisible();
});

test("a search without a match says so", async ({ page }) => {
  await page.goto("./#/search?q=zzzzqqqqzzzz");
  await expect(page.getByText(/No match for/)).toBeVisible();
});

test("what does not exist is told apart from trouble", async ({ page }) => {
  for (const [hash, text] of [
    [`entries/${"0".repeat(64)}`, "This log has no entry with that id."],
    ["blocks/999999999", "There is no block 999999999."],
    ["registers/nothing", "This network has no register named nothing."],
    [`parties/did:stele:${"a".repeat(52)}`, "This network knows no party with that DID."],
    ["scenarios/nothing", "This node has no scenario named nothing."],
  ] as const) {
    await page.goto(`./#/${hash}`);
    await expect(page.getByText(text)).toBeVisible();
  }
});

test("the appearance can be chosen and is kept", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto("./");
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.getByRole("button", { name: "Appearance: system" }).click();
  await page.getByRole("button", { name: "Appearance: light" }).click();
  await expect(page.getByRole("button", { name: "Appearance: dark" })).toBeVisible();
  expect(await background()).not.toBe(light);
  await page.reload();
  await expect(page.getByRole("button", { name: "Appearance: dark" })).toBeVisible();
  expect(await background()).not.toBe(light);
});
