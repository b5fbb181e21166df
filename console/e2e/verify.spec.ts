// The verify page: good and tampered receipts, offline, under another key.

import { readFileSync } from "node:fs";
import { anEntry, expect, receipt, test, visit } from "./fixtures";

const STEPS = 15;
const file = (name: string, buffer: Buffer) => ({ name, mimeType: "application/stele-receipt+cbor", buffer });

test("a good receipt passes every step and says who, what, when and by which rule", async ({ page, request }) => {
  const entry = await anEntry(request, "outcome=applied");
  await visit(page, "verify", /Verify a receipt/);
  await page.getByLabel("choose a file").setInputFiles(file("good.receipt", await receipt(request, entry.entry_id)));
  const verdict = page.getByRole("region", { name: "Verified here" });
  await expect(verdict).toBeFocused();
  const facts = page.getByRole("region", { name: "What it proves" });
  for (const term of ["Who", "What", "When", "By which rule"]) await expect(facts.getByRole("term").filter({ hasText: new RegExp(`^${term}$`) })).toBeVisible();
  await expect(facts).toContainText(`${entry.register}@`);
  await expect(facts.getByTitle(entry.party).first()).toBeVisible();
  const steps = page.getByRole("table", { name: /fifteen verification steps/ }).getByRole("row");
  await expect(steps).toHaveCount(STEPS + 1);
  await expect(steps.getByText("Failed", { exact: true })).toHaveCount(0);
  await expect(steps.getByText("Not reached", { exact: true })).toHaveCount(0);
});

test("a tampered receipt is refused with the failing step", async ({ page, request }) => {
  const { entry_id } = await anEntry(request, "outcome=applied");
  const bytes = await receipt(request, entry_id);
  // The last byte belongs to the entry, whose hash the record holds.
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
  await visit(page, "verify", /Verify a receipt/);
  await page.getByLabel("choose a file").setInputFiles(file("tampered.receipt", bytes));
  await expect(page.getByRole("region", { name: "Not valid" })).toContainText("entry-mismatch");
  await expect(page.getByRole("region", { name: "What it proves" })).toHaveCount(0);
  const steps = page.getByRole("table", { name: /fifteen verification steps/ });
  await expect(steps.getByRole("row", { name: /^12 / })).toContainText("Failed");
  await expect(steps.getByRole("row", { name: /^13 / })).toContainText("Not reached");
});

test("it works offline, and with a pasted receipt", async ({ page, request, context }) => {
  const { entry_id } = await anEntry(request, "outcome=refused");
  const bytes = await receipt(request, entry_id);
  await visit(page, "verify", /Verify a receipt/);
  await expect(page.getByText("Trusting this key is your decision.")).toBeVisible();
  await context.setOffline(true);
  const pasted = page.getByLabel(/Or paste it/);
  await pasted.fill(bytes.toString("base64"));
  await page.getByRole("button", { name: "Verify the pasted receipt" }).click();
  await expect(page.getByRole("region", { name: "Verified here" })).toBeVisible();
  await expect(page.getByRole("region", { name: "What it proves" })).toContainText("refused");
  await pasted.fill(bytes.toString("hex").slice(2));
  await page.getByRole("button", { name: "Verify the pasted receipt" }).click();
  await expect(page.getByRole("region", { name: "Not valid" })).toContainText("malformed");
});

test("what is no receipt at all is a form error", async ({ page }) => {
  await visit(page, "verify", /Verify a receipt/);
  await page.getByRole("button", { name: "Verify the pasted receipt" }).click();
  await expect(page.getByRole("alert").getByRole("link", { name: "Paste a receipt, or choose a file" })).toBeVisible();
  await page.getByLabel(/Or paste it/).fill("this is prose, not a receipt!");
  await page.getByRole("button", { name: "Verify the pasted receipt" }).click();
  await page.getByRole("alert").getByRole("link", { name: /neither hexadecimal nor base64/ }).click();
  await expect(page.getByLabel(/Or paste it/)).toBeFocused();
});

// A network of its own, from the published vectors' shape: id and key belong to no running node.
const OTHER = JSON.stringify({
  format: "stele-network/1",
  name: "Another network (fictional)",
  network_id: "11".repeat(32),
  key: "a3010120062158203b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
});

test("another network's key does not verify this network's receipts", async ({ page, request }) => {
  const { entry_id } = await anEntry(request, "outcome=applied");
  await visit(page, "verify", /Verify a receipt/);
  await page.getByText("Use another network's descriptor").click();
  const descriptor = page.getByLabel("Descriptor, JSON");
  await descriptor.fill("{}");
  await page.getByRole("button", { name: "Keep this key" }).click();
  await expect(page.getByRole("alert").getByRole("link", { name: /This descriptor cannot be used/ })).toBeVisible();
  await descriptor.fill(OTHER);
  await page.getByRole("button", { name: "Keep this key" }).click();
  await expect(page.getByText("Another network (fictional)")).toBeVisible();
  await expect(page.getByText(/This node shows another network key/)).toBeVisible();
  await page.getByLabel("choose a file").setInputFiles(file("good.receipt", await receipt(request, entry_id)));
  await expect(page.getByRole("region", { name: "Not valid" })).toContainText("wrong-network");
  await page.getByText("Use another network's descriptor").click();
  await page.getByRole("button", { name: "Take the node's key instead" }).click();
  await expect(page.getByText(/This node shows another network key/)).toHaveCount(0);
});

// From the published vectors: a receipt of a fictional network, two of whose three witnesses cosigned.
const VECTORS = new URL("../../vectors/", import.meta.url);
const vector = (name: string) => readFileSync(new URL(name, VECTORS));

test("a receipt says which outside witnesses saw it, and a reader may ask for them", async ({ page }) => {
  const rows = JSON.parse(vector("witnesses.json").toString()) as { name: string; file: string; network: string; policy: { keys: string[] } }[];
  const row = rows.find(({ name }) => name === "good-two-of-three");
  if (!row) throw new Error("the vector is missing");
  await visit(page, "verify", /Verify a receipt/);
  await page.getByText("Use another network's descriptor").click();
  await page.getByLabel("Descriptor, JSON").fill(vector(row.network).toString());
  await page.getByRole("button", { name: "Keep this key" }).click();
  const choose = () => page.getByLabel("choose a file").setInputFiles(file("witnessed.receipt", vector(row.file)));
  const facts = page.getByRole("region", { name: "What it proves" });
  await choose();
  await expect(facts).toContainText("witness.example/north is said to have seen this history of the log at 2026-01-01 00:01:01");

  await page.getByText("Ask for witnesses").click();
  const keys = page.getByLabel("Witness keys, one a line");
  await keys.fill(row.policy.keys.join("\n"));
  await page.getByLabel("How many of them must have cosigned").fill("2");
  // Another file of the same bytes: the input tells of a change only.
  await page.getByLabel("choose a file").setInputFiles(file("again.receipt", vector(row.file)));
  await expect(facts).toContainText("witness.example/east saw this history of the log at 2026-01-01 00:01:01");
  await page.getByLabel("How many of them must have cosigned").fill("3");
  await choose();
  await expect(page.getByRole("region", { name: "Not valid" })).toContainText("not-witnessed");
  await keys.fill("no key");
  await page.getByLabel("choose a file").setInputFiles(file("again.receipt", vector(row.file)));
  await page.getByRole("alert").getByRole("link", { name: /These witnesses cannot be asked for/ }).click();
  await expect(keys).toBeFocused();
});
