// A paper whose issuer commits to it on a network: who stands behind it is proven, and stays so without the issuer.

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { TestLedger, fingerprint } from "./wallet-ledger";
import { PASSPHRASE, expect, follow, heading, keep, makeWallet, receive, test } from "./wallet-fixtures";

const issuer = (page: Page) => page.getByRole("list", { name: "Checks" }).getByRole("listitem").filter({ hasText: /^\s*Issuer/ });

async function openPaper(page: Page): Promise<void> {
  await page.getByRole("list", { name: "Papers" }).getByRole("link", { name: /Fictional diploma/ }).first().click();
  await expect(page.getByRole("button", { name: "Check again" })).toBeVisible();
}

async function checkAgain(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Check again" }).click();
  await expect(page.getByRole("button", { name: "Check again" })).toBeEnabled();
}

/** Fits a phone and is accessible; `WALLET_PICTURES` names a folder for a picture. */
async function look(page: Page, name: string): Promise<void> {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow, name).toBeLessThanOrEqual(0);
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`), name).toEqual([]);
  const folder = process.env["WALLET_PICTURES"];
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
}

test.afterEach(({ services: { academy, ledger } }) => {
  academy.commitsAtOnce = undefined;
  academy.commit();
  ledger.shown = new TestLedger().shown;
});

test("a proof that comes later is fetched at the next check, kept, and in the backup", async ({ page, context, services: { academy, ledger } }) => {
  await makeWallet(page);
  await follow(page, academy.offer().link);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  await expect(issuer(page)).toContainText("Reported by the issuer");
  await expect(issuer(page)).toContainText("has not given its proof of issuance yet");
  await keep(page);
  await openPaper(page);
  await checkAgain(page);
  await expect(issuer(page)).toContainText("Reported by the issuer");

  academy.commit();
  await checkAgain(page);
  await expect(issuer(page)).toContainText("Verified here");
  for (const said of [academy.signsAs, academy.vct("diploma"), "within XX/schools", "3 May 2026", "Accreditation ", "Fictional network of schools", "not reported as stolen as of"]) await expect(issuer(page)).toContainText(said);
  // What holds is not asked for again: each copy was asked for three times, and got it the third time.
  const asked = academy.proofFetches.length;
  await checkAgain(page);
  expect(academy.proofFetches.length).toBe(asked);

  await follow(page, "#/backup");
  await page.getByLabel("Passphrase", { exact: true }).fill("another fictional phrase");
  await page.getByLabel("The same passphrase again").fill("another fictional phrase");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save a backup" }).click()]);
  const parts: Buffer[] = [];
  for await (const part of await download.createReadStream()) parts.push(part as Buffer);
  await follow(page, "#/settings");
  await page.getByRole("button", { name: "Erase the wallet…" }).click();
  await page.getByRole("button", { name: "Erase it" }).click();
  await page.getByRole("link", { name: "Restore it from a backup" }).click();
  await page.getByLabel("The backup file").setInputFiles({ name: "backup.json", mimeType: "application/json", buffer: Buffer.concat(parts) });
  await page.getByLabel("Passphrase of the backup").fill("another fictional phrase");
  await page.getByRole("button", { name: "Open the backup" }).click();
  await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.getByLabel("The same passphrase again").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Lock it with a passphrase" }).click();
  await openPaper(page);

  // The issuer and its proofs are gone, and so is the network: the proof in the wallet still holds.
  ledger.proofs.clear();
  await context.setOffline(true);
  await checkAgain(page);
  await expect(issuer(page)).toContainText("Verified here");
  await expect(issuer(page)).toContainText(academy.signsAs);
  await context.setOffline(false);
});

test("a proof that is there at once is verified before the paper is kept", async ({ page, services: { academy } }) => {
  academy.commitsAtOnce = "not-asked";
  await makeWallet(page);
  await follow(page, academy.offer().link);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  await expect(issuer(page)).toContainText("Verified here");
  await expect(issuer(page)).toContainText(academy.signsAs);
  await expect(page.getByRole("button", { name: "Keep" })).toBeVisible();
});

test("a proof that fails is told with its code, and the paper is not kept", async ({ page, services: { academy } }) => {
  academy.commitsAtOnce = "since-ever";
  await makeWallet(page);
  await follow(page, academy.offer().link);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(page.getByRole("alert")).toContainText("trust.key-compromised");
  await expect(issuer(page)).toContainText("Fails");
  await expect(page.getByRole("button", { name: "Keep" })).toHaveCount(0);
});

test.describe("still", () => {
  test.use({ contextOptions: { reducedMotion: "reduce" } });

  test("another network at the wallet's own site is noticed, and the citizen decides", async ({ page, services: { academy, ledger } }) => {
    academy.commitsAtOnce = "none";
    const own = fingerprint(ledger.shown);
    await makeWallet(page);
    await receive(page, academy.offer().link);
    await openPaper(page);
    const network = page.getByRole("list", { name: "Checks" }).getByRole("listitem").filter({ hasText: /^\s*Network/ });
    await expect(network).toHaveCount(0);

    ledger.shown = TestLedger.other();
    await checkAgain(page);
    await expect(network).toContainText("shows another network or key");
    await expect(issuer(page)).toContainText("Verified here");
    await issuer(page).scrollIntoViewIfNeeded();
    await look(page, "paper-proven");
    await follow(page, "#/settings");
    const settings = page.getByRole("region", { name: "Network" });
    await expect(settings).toContainText(own);
    await expect(settings.getByRole("group", { name: "Another network" })).toContainText(fingerprint(ledger.shown));
    await settings.getByRole("button", { name: "Trust the new one" }).scrollIntoViewIfNeeded();
    await look(page, "settings-another-network");
    await settings.getByRole("button", { name: "Keep the old one" }).click();
    await expect(settings.getByRole("group", { name: "Another network" })).toHaveCount(0);
    await expect(settings).toContainText(own);

    await follow(page, "#/");
    await openPaper(page);
    await checkAgain(page);
    await expect(network).toContainText("shows another network or key");
    await follow(page, "#/settings");
    await settings.getByRole("button", { name: "Trust the new one" }).click();
    await expect(settings.getByRole("group", { name: "Another network" })).toHaveCount(0);
    await expect(settings).toContainText(fingerprint(ledger.shown));
    // Under the new network the old proof cannot be judged.
    await follow(page, "#/");
    await openPaper(page);
    await checkAgain(page);
    await expect(network).toHaveCount(0);
    await expect(issuer(page)).toContainText("Reported by the issuer");
    await expect(issuer(page)).toContainText("of another network than Fictional other network");
  });
});
