// The scenario gallery, and a run with its evidence.

import { expect, test, visit } from "./fixtures";

const TOKEN = process.env["CONSOLE_TOKEN"] ?? "";

test("the gallery leads to a scenario's latest run", async ({ page }) => {
  await visit(page, "scenarios", /Scenarios/);
  const card = page.getByRole("listitem").filter({ hasText: /completed: \d+ steps/ });
  await expect(card.first()).toBeVisible();
  await card.first().getByRole("link").click();
  await expect(page.getByRole("region", { name: "Steps" })).toContainText("Completed");
  await expect(page.getByRole("table", { name: /Figures/ }).getByRole("row").nth(1)).toBeVisible();
});

test("every receipt of a run's evidence is verified in the browser", async ({ page }) => {
  await visit(page, "scenarios/trace", /./);
  const evidence = page.getByRole("region", { name: "Evidence" });
  const table = evidence.getByRole("table");
  await expect(table.getByRole("row").nth(1)).toBeVisible();
  const rows = (await table.getByRole("row").count()) - 1;
  await expect(evidence.getByRole("status")).toHaveText(`${rows} of ${rows} receipts verified here`);
  await expect(table.getByText("Verified here")).toHaveCount(rows);
});

test("a run without the token is refused, and one with it shows its steps", async ({ page }) => {
  test.setTimeout(120_000);
  expect(TOKEN, "CONSOLE_TOKEN").not.toBe("");
  await visit(page, "scenarios/trace", /./);
  await page.getByRole("button", { name: "Run again" }).click();
  await expect(page.getByRole("heading", { name: "Not allowed without the node's API token" })).toBeVisible();
  await page.getByRole("button", { name: "Run with this token" }).click();
  await page.getByRole("alert").getByRole("link", { name: "Enter the node's API token" }).click();
  await expect(page.getByRole("textbox", { name: "API token" })).toBeFocused();
  await page.getByRole("textbox", { name: "API token" }).fill(TOKEN);
  await page.getByRole("button", { name: "Run with this token" }).click();
  await expect(page.getByRole("button", { name: "Running…" })).toBeDisabled();
  await expect(page.getByRole("button", { name: "Run again" })).toBeEnabled({ timeout: 100_000 });
  await expect(page.getByRole("region", { name: "Steps" })).toContainText("Completed");
});
