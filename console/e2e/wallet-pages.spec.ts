// Every view of the wallet: accessible in light and dark, within a phone's width, by keyboard.
// WALLET_PICTURES names a folder for a picture of each.

import { gzipSync } from "node:zlib";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, follow, heading, keep, makeWallet, receive, test } from "./wallet-fixtures";

test.use({ contextOptions: { reducedMotion: "reduce" } });

async function look(page: Page, name: string): Promise<void> {
  const overflow = await page.evaluate(() => {
    const main = document.querySelector("main") as HTMLElement;
    return Math.max(document.documentElement.scrollWidth - document.documentElement.clientWidth, main.scrollWidth - main.clientWidth);
  });
  expect(overflow, name).toBeLessThanOrEqual(0);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`), `${name}, ${colorScheme}`).toEqual([]);
    const folder = process.env["WALLET_PICTURES"];
    if (folder) await picture(page, `${folder}/${name}-${colorScheme}.png`);
  }
}

/** The whole content, though only a part of it scrolls. */
async function picture(page: Page, path: string): Promise<void> {
  const height = await page.evaluate(() => {
    const main = document.querySelector("main") as HTMLElement;
    return window.innerHeight + main.scrollHeight - main.clientHeight;
  });
  const before = page.viewportSize() as { width: number; height: number };
  await page.setViewportSize({ ...before, height });
  await page.screenshot({ path });
  await page.setViewportSize(before);
}

test("every view is accessible and fits a phone", async ({ page, services: { university, silent, verifier } }) => {
  test.setTimeout(300_000);
  await page.goto("./wallet");
  await expect(heading(page, "Your wallet")).toBeVisible();
  await look(page, "welcome");
  await page.getByRole("button", { name: "Make a wallet with a passphrase" }).click();
  await expect(page.getByRole("alert")).toBeFocused();
  await look(page, "welcome-error");
  await page.goto("./wallet#/restore");
  await expect(heading(page, "Restore a wallet")).toBeVisible();
  await look(page, "restore");
  await makeWallet(page);
  await look(page, "papers-empty");
  await follow(page, "#/add");
  await look(page, "scan");
  await page.getByRole("button", { name: "Open what was pasted" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await look(page, "scan-error");

  await follow(page, university.offer({ txCode: "1234" }).link);
  await expect(page.getByLabel("Code from the issuer")).toBeVisible();
  await look(page, "offer");
  await page.getByLabel("Code from the issuer").fill("1234");
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  await look(page, "review");
  await keep(page);
  await expect(page.getByRole("list", { name: "Papers" })).toBeVisible();
  await follow(page, university.offer({ fault: "altered-disclosure" }).link);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await look(page, "offer-refused");
  await follow(page, silent.offer({ kind: "library-card" }).link);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  await look(page, "review-unknown-issuer");
  await keep(page);
  await receive(page, university.offer({ kind: "library-card" }).link, "Fictional library card");
  await look(page, "papers");
  await page.getByRole("link", { name: /Fictional diploma/ }).click();
  await expect(page.getByRole("list", { name: "Checks" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "What it says" })).toBeVisible();
  await look(page, "paper");

  const dcql = {
    credentials: [
      { id: "diploma", format: "dc+sd-jwt", meta: { vct_values: [university.vct("diploma")] }, claims: [{ id: "a", path: ["degree"] }, { id: "b", path: ["final_grade"] }, { id: "c", path: ["address"] }], claim_sets: [["a", "b", "c"], ["a", "b"]] },
      { id: "card", format: "dc+sd-jwt", meta: { vct_values: [university.vct("library-card")] }, claims: [{ path: ["card_number"] }] },
    ],
    credential_sets: [{ options: [["diploma"]] }, { options: [["card"]], required: false }],
  };
  await follow(page, verifier.ask({ dcql, mode: "direct_post.jwt", purpose: "Your application as a geologist" }).link);
  await expect(heading(page, "Fictional Employer asks")).toBeVisible();
  await look(page, "consent");
  await page.getByRole("button", { name: "Show 2 fields" }).click();
  await expect(heading(page, "Shown")).toBeVisible();
  await look(page, "shown");
  await follow(page, "#/history");
  await expect(page.getByRole("article")).toBeVisible();
  await look(page, "history");

  await follow(page, "#/");
  await page.getByRole("link", { name: /Fictional diploma/ }).click();
  await page.getByRole("link", { name: "Show it face to face" }).click();
  await page.getByRole("checkbox", { name: /^Degree/ }).check();
  await page.getByRole("checkbox", { name: /^Final grade/ }).check();
  await look(page, "show-choose");
  await page.getByRole("button", { name: "Make the code" }).click();
  const code = page.getByRole("img", { name: /Code that shows/ });
  await expect(code).toBeVisible();
  await look(page, "show-code");
  const caption = page.getByText(/^Code \d of \d+$/);
  const count = (await caption.isVisible()) ? Number(/of (\d+)/.exec(await caption.innerText())?.[1]) : 1;
  const codes: Buffer[] = [];
  for (let at = 1; at <= count; at += 1) {
    codes.push(await code.screenshot());
    if (at === count) break;
    await page.getByRole("button", { name: "Next" }).click();
    await expect(page.getByText(`Code ${at + 1} of ${count}`)).toBeVisible();
  }

  await follow(page, "#/check");
  await look(page, "check");
  await page.getByLabel("Issuer's address or DID").fill(university.id);
  await page.getByRole("button", { name: "Look up its key" }).click();
  await expect(page.getByRole("button", { name: "Keep this key" })).toBeVisible();
  await look(page, "check-key");
  await page.getByRole("button", { name: "Keep this key" }).click();
  await page.getByRole("checkbox", { name: /Ask for a number/ }).uncheck();
  await page.getByLabel("Or choose a picture of the code").setInputFiles(codes.map((buffer, at) => ({ name: `${at}.png`, mimeType: "image/png", buffer })));
  await expect(page.getByRole("heading", { name: /Holds, but/ })).toBeVisible();
  await look(page, "check-result");

  await follow(page, "#/settings");
  await look(page, "settings");
  await follow(page, "#/backup");
  await look(page, "backup");
  await page.getByLabel("Guardians' names, one on each line").fill("Fictional Aunt\nFictional Brother\nFictional Notary");
  await page.getByRole("button", { name: "Make the shares" }).click();
  await page.getByRole("button", { name: "Show the code of Fictional Brother" }).click();
  await look(page, "backup-shares");
  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await follow(page, "#/");
  await expect(heading(page, "The wallet is locked")).toBeVisible();
  await look(page, "locked");
});

test("the keyboard gives consent, and refuses", async ({ page, services: { university, verifier } }) => {
  await makeWallet(page);
  await receive(page, university.offer().link);
  const { transaction, link } = verifier.ask({ dcql: { credentials: [{ id: "d", format: "dc+sd-jwt", meta: { vct_values: [university.vct("diploma")] }, claims: [{ id: "a", path: ["degree"] }, { id: "b", path: ["ects"] }], claim_sets: [["a", "b"], ["a"]] }] }, mode: "direct_post" });
  await follow(page, link);
  await expect(heading(page, "Fictional Employer asks")).toBeVisible();
  await expect(page.getByRole("main")).toBeFocused();
  // The verifier's identifier opens by keyboard, and comes before what it asks for.
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.getByText(verifier.clientId)).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("checkbox", { name: /ECTS points/ })).toBeFocused();
  await page.keyboard.press("Space");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Refuse" })).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Show 2 fields" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(heading(page, "Shown")).toBeVisible();
  expect(transaction.shown?.["d"]).toHaveProperty("ects");
});

test("the page keeps to its own origin for scripts, and its shell serves only /wallet", async ({ page, request }) => {
  const answer = await request.get("wallet");
  const policy = answer.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("script-src 'self';");
  expect(policy).toContain("style-src 'self';");
  expect(policy).toContain("connect-src 'self' https:;");
  expect(policy).not.toContain("unsafe");
  await page.goto("./wallet");
  const scope = await page.evaluate(() => navigator.serviceWorker.ready.then((registration) => registration.scope));
  expect(new URL(scope).pathname).toBe("/wallet");
  const manifest = (await (await request.get("wallet.webmanifest")).json()) as { start_url: string; icons: { src: string }[] };
  expect(manifest.start_url).toBe("./wallet");
  for (const { src } of manifest.icons) expect((await request.get(src)).ok(), src).toBe(true);
});

test("all that the wallet keeps for use offline is under 250 kB, gzipped", async ({ request }) => {
  const worker = await (await request.get("wallet-sw.js")).text();
  const files = JSON.parse(/const FILES = (\[.*?\]);/.exec(worker)?.[1] ?? "[]") as string[];
  expect(files).toContain("wallet");
  let bytes = 0;
  for (const file of files) {
    const answer = await request.get(file);
    expect(answer.ok(), file).toBe(true);
    bytes += gzipSync(await answer.body()).length;
  }
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThan(250_000);
  console.log(`the wallet's files: ${files.length}, ${bytes} bytes gzipped, fonts included`);
});
