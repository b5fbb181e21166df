// Backup and recovery: two of three guardians open what one cannot, on a device that knows nothing.

import { type Download, type Page } from "@playwright/test";
import { DIPLOMA } from "./wallet-issuer";
import { PASSPHRASE, PHONE, addAuthenticator, expect, follow, heading, makeWallet, receive, test } from "./wallet-fixtures";

async function saved(page: Page, press: () => Promise<void>): Promise<{ name: string; mimeType: string; buffer: Buffer }> {
  const [download] = await Promise.all([page.waitForEvent("download") as Promise<Download>, press()]);
  const stream = await download.createReadStream();
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  const name = download.suggestedFilename();
  return { name, mimeType: name.endsWith(".json") ? "application/json" : "text/plain", buffer: Buffer.concat(parts) };
}

test("a wallet comes back with two of three guardians, and not with one", async ({ page, browser, services: { university, verifier, url } }) => {
  await makeWallet(page);
  await receive(page, university.offer().link);
  await follow(page, "#/backup");
  await page.getByLabel("Guardians' names, one on each line").fill("Fictional Aunt\nFictional Brother\nFictional Notary");
  await page.getByRole("button", { name: "Make the shares" }).click();
  const shares = [];
  for (const name of ["Fictional Aunt", "Fictional Brother"]) shares.push(await saved(page, () => page.getByRole("button", { name: `Save the share of ${name}` }).click()));
  await page.getByRole("button", { name: "Show the code of Fictional Notary" }).click();
  const code = await page.getByRole("img", { name: "Share of Fictional Notary" }).screenshot();
  await page.getByRole("button", { name: "All are handed out" }).click();
  const backup = await saved(page, () => page.getByRole("button", { name: "Save a backup for the guardians" }).click());
  expect(backup.buffer.toString()).not.toContain(DIPLOMA.degree);
  expect(shares[0]?.buffer.toString()).toContain("For: Fictional Aunt");

  const lost = await browser.newContext({ baseURL: url, viewport: PHONE });
  const fresh = await lost.newPage();
  await addAuthenticator(fresh, true);
  await fresh.goto("./wallet");
  await fresh.getByRole("link", { name: "Restore it from a backup" }).click();
  await fresh.getByLabel("The backup file").setInputFiles(backup);
  await expect(fresh.getByText("0 of 2 shares are here")).toBeVisible();
  const files = fresh.getByLabel("Guardians' files, or pictures of their codes");
  await files.setInputFiles(shares[1] as (typeof shares)[0]);
  await expect(fresh.getByText("1 of 2 shares are here; 1 more is needed")).toBeVisible();
  await files.setInputFiles(shares[1] as (typeof shares)[0]);
  await expect(fresh.getByRole("alert")).toContainText("share.repeated");
  const line = /stele-share\S+/.exec((shares[0]?.buffer ?? "").toString())?.[0] ?? "";
  const at = line.length - 20;
  await fresh.getByLabel("Or paste a share").fill(line.slice(0, at) + (line[at] === "A" ? "B" : "A") + line.slice(at + 1));
  await fresh.getByRole("button", { name: "Add this share" }).click();
  await expect(fresh.getByRole("alert")).toContainText("share.mistyped");
  await files.setInputFiles({ name: "notary.png", mimeType: "image/png", buffer: code });
  await expect(fresh.getByText("The backup is open: 1 paper.")).toBeVisible();
  await fresh.getByRole("button", { name: "Lock it with a passkey" }).click();
  await expect(fresh.getByRole("list", { name: "Papers" })).toContainText("Fictional diploma");

  // The keys came back too: the verifier accepts what the new device signs.
  const { transaction, link } = verifier.ask({ dcql: { credentials: [{ id: "d", format: "dc+sd-jwt", meta: { vct_values: [university.vct("diploma")] }, claims: [{ path: ["degree"] }] }] }, mode: "direct_post" });
  await follow(fresh, link);
  await fresh.getByRole("button", { name: "Show 1 field" }).click();
  await expect(heading(fresh, "Shown")).toBeVisible();
  expect(transaction.shown?.["d"]).toMatchObject({ degree: DIPLOMA.degree });
  await lost.close();
});

test("a share of an earlier appointment does not open a newer backup", async ({ page }) => {
  await makeWallet(page);
  await follow(page, "#/backup");
  const appoint = async () => {
    await page.getByLabel("Guardians' names, one on each line").fill("Fictional Aunt\nFictional Brother");
    await page.getByRole("button", { name: "Make the shares" }).click();
    const share = await saved(page, () => page.getByRole("button", { name: "Save the share of Fictional Aunt" }).click());
    await page.getByRole("button", { name: "All are handed out" }).click();
    return share;
  };
  const old = await appoint();
  await page.getByText("Appoint others").click();
  await appoint();
  const backup = await saved(page, () => page.getByRole("button", { name: "Save a backup for the guardians" }).click());
  await follow(page, "#/settings");
  await page.getByRole("button", { name: "Erase the wallet…" }).click();
  await page.getByRole("button", { name: "Erase it" }).click();
  await page.getByRole("link", { name: "Restore it from a backup" }).click();
  await page.getByLabel("The backup file").setInputFiles(backup);
  await page.getByLabel("Guardians' files, or pictures of their codes").setInputFiles(old);
  await expect(page.getByRole("alert")).toContainText("share.other-backup");
});

test("a backup with a passphrase opens with it and with no other", async ({ page, services: { university } }) => {
  await makeWallet(page);
  await receive(page, university.offer().link);
  await follow(page, "#/backup");
  await page.getByLabel("Passphrase", { exact: true }).fill("short");
  await page.getByLabel("The same passphrase again").fill("short");
  await page.getByRole("button", { name: "Save a backup" }).click();
  await expect(page.getByRole("alert")).toContainText("at least 10 characters");
  await page.getByLabel("Passphrase", { exact: true }).fill("another fictional phrase");
  await page.getByLabel("The same passphrase again").fill("another fictional phrase");
  const backup = await saved(page, () => page.getByRole("button", { name: "Save a backup" }).click());
  await follow(page, "#/settings");
  await page.getByRole("button", { name: "Erase the wallet…" }).click();
  await page.getByRole("button", { name: "Erase it" }).click();
  await expect(heading(page, "Your wallet")).toBeVisible();
  await page.getByRole("link", { name: "Restore it from a backup" }).click();
  await page.getByLabel("The backup file").setInputFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from("{}") });
  await expect(page.getByRole("alert")).toContainText("backup.malformed");
  await page.getByLabel("The backup file").setInputFiles(backup);
  await page.getByLabel("Passphrase of the backup").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Open the backup" }).click();
  await expect(page.getByRole("alert")).toContainText("That is not the passphrase");
  await page.getByLabel("Passphrase of the backup").fill("another fictional phrase");
  await page.getByRole("button", { name: "Open the backup" }).click();
  await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.getByLabel("The same passphrase again").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Lock it with a passphrase" }).click();
  await expect(page.getByRole("list", { name: "Papers" })).toContainText("Fictional diploma");
});

test("an authenticator without derived secrets is turned down, with the way out", async ({ page }) => {
  await addAuthenticator(page, false);
  await page.goto("./wallet");
  await page.getByRole("button", { name: "Make a wallet with a passkey" }).click();
  await expect(page.getByRole("alert")).toContainText("vault.passkey-no-prf");
  await expect(page.getByRole("alert")).toContainText("Use a passphrase instead");
});
