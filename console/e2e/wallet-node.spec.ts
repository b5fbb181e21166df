// The wallet at a real node: an accredited issuer offers a diploma, the wallet receives it, and two of
// its fields reach an office that asks by the same node. Nothing here is a stand-in.

import AxeBuilder from "@axe-core/playwright";
import type { APIRequestContext, Page } from "@playwright/test";
import { expect, test as base } from "./fixtures";
import { type Node, freePort, startNode } from "./node";
import { PASSPHRASE, PHONE, addAuthenticator, heading, keep, makeWallet } from "./wallet-fixtures";

const VCT = "https://university.example/diploma";
const CLAIMS = { given_name: "Fictional Ada", degree: "Master of Science", final_grade: "1.3", awarded: "2026-09-30" };

const settings = {
  display_name: "Fictional University",
  key: "e2e-university",
  kinds: [
    {
      id: "diploma",
      vct: VCT,
      display_name: "Fictional diploma",
      valid_days: 3650,
      claims: [
        { name: "given_name", display_name: "Given name" },
        { name: "degree", display_name: "Degree" },
        { name: "final_grade", display_name: "Final grade" },
        { name: "awarded", display_name: "Awarded on", value: "date" },
      ],
    },
  ],
};

/** A node that goes by a name: passkeys need one. */
const test = base.extend<object, { office: Node }>({
  office: [
    async ({}, use) => {
      const port = await freePort();
      const url = `http://localhost:${port}`;
      const node = await startNode(["--listen", `127.0.0.1:${port}`, "--public-url", url]);
      headers.authorization = `Bearer ${node.token}`;
      await use({ ...node, url: `${url}/` });
      await node.stop();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ office }, use) => use(office.url),
  viewport: PHONE,
  isMobile: true,
  hasTouch: true,
});

const headers = { authorization: "" };

async function call<T>(request: APIRequestContext, method: string, path: string, data?: unknown, more: Record<string, string> = {}): Promise<T> {
  const answer = await request.fetch(path, { method, headers: { ...headers, ...more }, ...(data === undefined ? {} : { data }) });
  expect(answer.ok(), `${method} ${path}: ${await answer.text()}`).toBe(true);
  return (await answer.json()) as T;
}

/** Makes the issuer, unless an earlier run of this test has. */
async function university(request: APIRequestContext): Promise<void> {
  const before = await request.get("v1/issuers/e2e-university", { headers });
  if (before.ok()) return;
  const { party } = await call<{ party: string }>(request, "POST", "v1/parties", { kind: "organisation", name: "Fictional University", key: settings.key });
  const body = { subject: party, action: "credential/issue" };
  await call(request, "POST", "v1/commands", { key: "operator", register: "identity", commands: [{ name: "accreditation.grant", body }] });
  await call(request, "PUT", "v1/issuers/e2e-university", settings);
}

async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations).toEqual([]);
}

/** Opens a link of another program, as a person who copied it. */
async function paste(page: Page, link: string): Promise<void> {
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Scan" }).click();
  await page.getByLabel("Or paste the link or the offer").fill(link);
  await page.getByRole("button", { name: "Open what was pasted" }).click();
}

test("a diploma of an accredited issuer is received from a node, and two of its fields are shown to an office", async ({ page, request }) => {
  await university(request);
  const offers = [{ kind: "diploma", reference: "F-1815", claims: CLAIMS, with_code: true }];
  const made = await call<{ items: { id: string; link: string; tx_code: string }[] }>(request, "POST", "v1/issuers/e2e-university/offers", { offers });
  const offer = made.items[0] as (typeof made.items)[0];

  await makeWallet(page);
  await paste(page, offer.link);
  await expect(page.getByText("Fictional University offers you:")).toBeVisible();
  await page.getByLabel("Code from the issuer").fill(offer.tx_code);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  const checks = page.getByRole("list", { name: "Checks" }).getByRole("listitem");
  for (const check of ["Signature", "Holder", "Validity"]) await expect(checks.filter({ hasText: check })).toContainText("Verified here");
  await expect(checks.filter({ hasText: "Status" })).toContainText("Not withdrawn as of");
  // By the proof of issuance, under the network's key: an accredited issuer committed to it.
  await expect(checks.filter({ hasText: /^\s*Issuer/ })).toContainText("Verified here");
  await expect(page.getByText(CLAIMS.degree)).toBeVisible();
  await keep(page);

  const dcql_query = { credentials: [{ id: "diploma", format: "dc+sd-jwt", meta: { vct_values: [VCT] }, claims: [{ path: ["degree"] }, { path: ["final_grade"] }] }] };
  const asked = await call<{ id: string; secret: string; link: string }>(request, "POST", "v1/presentations", { key: settings.key, dcql_query });
  await paste(page, asked.link);
  await expect(heading(page, "Fictional University asks")).toBeVisible();
  await expect(page.getByRole("region", { name: "Fictional diploma" }).getByRole("listitem")).toHaveCount(2);
  await page.getByRole("button", { name: "Show 2 fields" }).click();
  await expect(heading(page, "Shown")).toBeVisible();

  const secret = { "x-presentation-secret": asked.secret };
  const seen = await call<{ state: string; presented: { claims: Record<string, unknown>; status_checked: boolean }[] }>(request, "GET", `v1/presentations/${asked.id}`, undefined, secret);
  expect(seen.state).toBe("shown");
  const claims = seen.presented[0]?.claims ?? {};
  expect(claims).toMatchObject({ degree: CLAIMS.degree, final_grade: CLAIMS.final_grade });
  expect(Object.keys(claims)).not.toContain("given_name");
  expect(seen.presented[0]?.status_checked).toBe(true);

  // Revoked, it is refused at the same counter, and the wallet says so when it looks.
  await call(request, "PUT", `v1/issuers/e2e-university/issued/${offer.id}/status`, { status: "revoked" });
  const again = await call<{ id: string; secret: string; link: string }>(request, "POST", "v1/presentations", { key: settings.key, dcql_query });
  await paste(page, again.link);
  await page.getByRole("button", { name: "Show 2 fields" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  const refused = await call<{ state: string; refusal: { code: string } }>(request, "GET", `v1/presentations/${again.id}`, undefined, { "x-presentation-secret": again.secret });
  expect([refused.state, refused.refusal.code]).toEqual(["refused", "status.revoked"]);
});

test("a person registers a passkey with a code, and signs in with it to receive what was prepared", async ({ page, request, office }) => {
  await university(request);
  await addAuthenticator(page, true);
  const offers = [{ kind: "diploma", reference: "F-1852", claims: CLAIMS }];
  await call(request, "POST", "v1/issuers/e2e-university/offers", { offers });
  const invited = await call<{ link: string; code: string }>(request, "POST", "v1/issuers/e2e-university/invitations", { reference: "F-1852", display_name: "Fictional Ada" });
  expect(invited.link.startsWith(`${office.url}sign-in#/enrol?`)).toBe(true);

  await page.goto(invited.link);
  await expect(heading(page, "Register a passkey")).toBeVisible();
  await accessible(page);
  await page.getByLabel("Code from the office").fill("0000-0000-0000-0000");
  await page.getByRole("button", { name: "Register a passkey" }).click();
  await expect(page.getByRole("alert")).toContainText("passkey.unknown-code");
  await page.getByLabel("Code from the office").fill(invited.code);
  await page.getByRole("button", { name: "Register a passkey" }).click();
  await expect(heading(page, "Your passkey is registered")).toBeVisible();
  expect(page.url()).not.toContain(invited.code);

  await makeWallet(page);
  const { open_offer } = await call<{ open_offer: string }>(request, "GET", "v1/issuers/e2e-university");
  await paste(page, open_offer);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(heading(page, "Sign in at Fictional University")).toBeVisible();
  await expect(page.getByRole("listitem")).toHaveText(["Fictional diploma"]);
  await accessible(page);
  await page.getByRole("button", { name: "Sign in with the passkey" }).click();
  // The wallet was locked by leaving it.
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Unlock" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  await expect(page.getByText(CLAIMS.degree)).toBeVisible();
  await keep(page);
  await expect(page.getByRole("list", { name: "Papers" })).toContainText("Fictional diploma");

  // Who does not want to sign in goes back, and the wallet says why nothing came.
  await paste(page, open_offer);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Back to the wallet" }).click();
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Unlock" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
});
