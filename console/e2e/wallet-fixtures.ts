// What the wallet's tests share: the services, a phone with a passkey, and the steps that many tests begin with.

import type { BrowserContext, Page } from "@playwright/test";
import { expect, test as base } from "./fixtures";
import { type Services, startServices } from "./wallet-services";

export const PHONE = { width: 360, height: 740 };
export const PASSPHRASE = "four fictional unrelated words";

export const test = base.extend<{ passkey: void }, { services: Services }>({
  services: [
    async ({}, use) => {
      const services = await startServices(process.env["CONSOLE_URL"] as string);
      await use(services);
      await services.close();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ services }, use) => use(services.url),
  viewport: PHONE,
  isMobile: true,
  hasTouch: true,
  /** The phone's own authenticator, which can derive secrets (WebAuthn PRF). */
  passkey: async ({ page }, use) => {
    await addAuthenticator(page, true);
    await use();
  },
});
export { expect };

export async function addAuthenticator(page: Page, hasPrf: boolean): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  await session.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true, hasPrf },
  });
}

export const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });

export async function makeWallet(page: Page): Promise<void> {
  await page.goto("./wallet");
  await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.getByLabel("The same passphrase again").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Make a wallet with a passphrase" }).click();
  await expect(heading(page, "Papers")).toBeVisible();
}

/** Opens a link of another program; the page stays, so the wallet stays open. */
export async function follow(page: Page, link: string): Promise<void> {
  const hash = link.slice(link.indexOf("#"));
  await page.evaluate((to) => {
    window.location.hash = to;
  }, hash);
}

/** Keeps the paper under review, and waits until it lies with the others. */
export async function keep(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Keep" }).click();
  await expect(heading(page, "Papers")).toBeVisible();
}

export async function receive(page: Page, link: string, name = "Fictional diploma"): Promise<void> {
  await follow(page, link);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  await keep(page);
  await expect(page.getByRole("list", { name: "Papers" }).getByRole("link", { name }).first()).toBeVisible();
}

export async function untilOfflineReady(page: Page): Promise<void> {
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
}

/** All bytes that the wallet keeps at rest, as text. */
export async function atRest(context: BrowserContext): Promise<string> {
  return JSON.stringify(await context.storageState({ indexedDB: true }));
}
