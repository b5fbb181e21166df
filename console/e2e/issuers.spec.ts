// The issuers' page at a node of its own that goes by a name: an operator offers, withdraws, approves,
// invites, and revokes what a wallet has received.

import AxeBuilder from "@axe-core/playwright";
import type { APIRequestContext, Locator, Page } from "@playwright/test";
import decodeQR from "qr/decode.js";
import { expect, test as base } from "./fixtures";
import { type Node, freePort, startNode } from "./node";
import { keep, makeWallet } from "./wallet-fixtures";

const NAME = "e2e-academy";
const settings = {
  display_name: "Fictional Academy",
  key: NAME,
  kinds: [
    {
      id: "certificate",
      vct: "https://academy.example/certificate",
      display_name: "Fictional certificate",
      valid_days: 365,
      claims: [
        { name: "holder", display_name: "Holder" },
        { name: "grade", display_name: "Grade", value: "number" },
        { name: "hours", display_name: "Hours", value: "integer" },
        { name: "passed", display_name: "Passed", value: "boolean" },
        { name: "awarded", display_name: "Awarded on", value: "date" },
        { name: "remark", display_name: "Remark", optional: true },
      ],
    },
    { id: "licence", vct: "https://academy.example/licence", display_name: "Fictional licence", by_hand: true, claims: [{ name: "holder", display_name: "Holder" }] },
  ],
};
const CLAIMS = { holder: "Fictional Ada", grade: 1.3, hours: 120, passed: true, awarded: "2026-09-30" };

const test = base.extend<object, { office: Node }>({
  office: [
    async ({}, use) => {
      const port = await freePort();
      const url = `http://localhost:${port}`;
      const node = await startNode(["--listen", `127.0.0.1:${port}`, "--public-url", url]);
      await use({ ...node, url: `${url}/` });
      await node.stop();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ office }, use) => use(office.url),
});

/** Calls the node as its operator does. */
function operator(request: APIRequestContext, { token }: Node) {
  return async <T>(method: string, path: string, data?: unknown): Promise<T> => {
    const answer = await request.fetch(path, { method, headers: { authorization: `Bearer ${token}` }, ...(data === undefined ? {} : { data }) });
    expect(answer.ok(), `${method} ${path}: ${await answer.text()}`).toBe(true);
    return (await answer.json()) as T;
  };
}

/** Makes the issuer, unless an earlier test has. */
async function academy(request: APIRequestContext, office: Node): Promise<void> {
  const call = operator(request, office);
  const { items } = await call<{ items: { name: string }[] }>("GET", "v1/issuers");
  if (items.some(({ name }) => name === NAME)) return;
  const { party } = await call<{ party: string }>("POST", "v1/parties", { kind: "organisation", name: settings.display_name, key: NAME });
  await call("POST", "v1/commands", { key: "operator", register: "identity", commands: [{ name: "accreditation.grant", body: { subject: party, action: "credential/issue" } }] });
  await call("PUT", `v1/issuers/${NAME}`, settings);
}

/** Opens a view as an operator whose tab has the token. */
async function open(page: Page, office: Node, hash: string): Promise<void> {
  await page.addInitScript((token) => sessionStorage.setItem("stele.token", token), office.token);
  await page.goto(`./#/${hash}`);
  await expect(page.getByText(/^Fetching/)).toHaveCount(0);
}

async function accessible(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`)).toEqual([]);
  }
}

/** Reads a drawn code as a camera would: its path is of unit squares, here four pixels wide. */
async function read(code: Locator): Promise<string> {
  const side = Number((await code.getAttribute("viewBox"))?.split(" ")[2]);
  const path = (await code.locator("path").getAttribute("d")) as string;
  const scale = 4;
  const width = side * scale;
  const data = new Uint8ClampedArray(width * width * 4).fill(255);
  for (const [, x, y, length] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let row = Number(y) * scale; row < (Number(y) + 1) * scale; row += 1) {
      for (let column = Number(x) * scale; column < (Number(x) + Number(length)) * scale; column += 1) data.fill(0, (row * width + column) * 4, (row * width + column) * 4 + 3);
    }
  }
  return decodeQR({ width, height: width, data });
}

const qr = (page: Page) => page.getByRole("img", { name: "QR code of the link" });
/** The line of a table whose row header is a reference. */
const line = (page: Page, table: string, reference: string) => page.getByRole("region", { name: table, exact: true }).getByRole("row").filter({ has: page.getByRole("rowheader", { name: reference, exact: true }) });

async function fill(page: Page, reference: string): Promise<void> {
  await page.getByLabel("Reference (optional)").fill(reference);
  await page.getByLabel("Holder").fill(CLAIMS.holder);
  await page.getByLabel("Grade").fill("1.3");
  await page.getByLabel("Hours").fill("120");
  await page.getByLabel("Passed").selectOption("yes");
  await page.getByLabel("Awarded on").fill(CLAIMS.awarded);
}

test("an empty list says how an issuer is made", async ({ page }) => {
  await page.goto("./#/issuers");
  await expect(page.getByText("This node has no issuer yet.")).toBeVisible();
  await expect(page.getByText("stele credential issuer NAME FILE")).toBeVisible();
  await accessible(page);
  await page.goto("./#/issuers/nobody");
  await expect(page.getByText("This node has no issuer named nobody.")).toBeVisible();
});

test("anybody sees what an issuer issues; its offers take the operator's token", async ({ page, request, office }) => {
  await academy(request, office);
  for (const view of ["", "/offer", "/invite"]) {
    await page.goto(`./#/issuers/${NAME}${view}`);
    await expect(page.getByRole("main").getByRole("form")).toHaveAccessibleName("API token");
  }
  await page.goto(`./#/issuers/${NAME}`);
  await expect(page.getByRole("region", { name: "Kinds" })).toContainText("Remark (text, optional)");
  await expect(page.getByRole("region", { name: "Offers", exact: true })).toHaveCount(0);
  await page.getByRole("textbox", { name: "API token" }).fill("not-the-token");
  await page.getByRole("button", { name: "Continue with this token" }).click();
  await expect(page.getByRole("form", { name: "API token" })).toBeVisible();
  await accessible(page);
  await page.getByRole("textbox", { name: "API token" }).fill(office.token);
  await page.getByRole("button", { name: "Continue with this token" }).click();
  await expect(page.getByRole("region", { name: "Offers", exact: true })).toBeVisible();
});

test("one credential is offered by the form, after its mistakes are named, and withdrawn", async ({ page, request, office }) => {
  await academy(request, office);
  await open(page, office, "issuers");
  await page.getByRole("link", { name: "Fictional Academy" }).click();
  await expect(page.getByText("Nothing has been issued yet.")).toBeVisible();
  await page.getByRole("link", { name: "Offer one credential" }).first().click();

  await page.getByLabel("Grade").fill("1,3");
  await page.getByLabel("Hours").fill("12.5");
  await page.getByRole("button", { name: "Make the offer" }).click();
  const summary = page.getByRole("alert");
  await expect(summary).toBeFocused();
  await expect(summary.getByRole("listitem")).toHaveText([/^Holder: enter/, /^Grade: enter a number/, /^Hours: enter a whole number/, /^Passed: choose/, /^Awarded on: enter/]);
  await accessible(page);
  await summary.getByRole("link", { name: /^Grade/ }).click();
  await expect(page.getByLabel("Grade")).toBeFocused();
  await expect(page.getByLabel("Grade")).toHaveAccessibleDescription(/Grade: enter a number/);

  await fill(page, "A-17");
  await page.getByRole("button", { name: "Make the offer" }).click();
  await expect(page.getByRole("heading", { name: "Offer to A-17" })).toBeFocused();
  const region = page.getByRole("region", { name: "Offer to A-17" });
  await expect(region.getByText(/^\d{6}$/)).toBeVisible();
  const link = await read(qr(page));
  expect(link).toContain("credential_offer");
  await expect(region.getByText(link, { exact: true })).toBeVisible();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await region.getByRole("button", { name: "Copy the link" }).click();
  await expect(region.getByText("Copied")).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(link);
  await accessible(page);

  await region.getByRole("link", { name: "All offers" }).click();
  const row = line(page, "Offers", "A-17");
  await expect(row).toContainText("Ready to collect");
  const withdraw = row.getByRole("button", { name: "Withdraw the offer to A-17" });
  await withdraw.focus();
  await page.keyboard.press("Enter");
  const question = page.getByRole("group", { name: /^Withdraw the offer to A-17\?/ });
  await expect(question).toBeFocused();
  await accessible(page);
  await page.keyboard.press("Escape");
  await expect(question).toHaveCount(0);
  await expect(withdraw).toBeFocused();
  await withdraw.click();
  await question.getByRole("button", { name: "Withdraw the offer" }).click();
  await expect(row).toContainText("Withdrawn");
  await expect(page.getByText("The offer to A-17 is withdrawn.")).toBeFocused();
  await expect(row.getByRole("button")).toHaveCount(0);
});

test("what the node refuses is said at the form", async ({ page, request, office }) => {
  await academy(request, office);
  await open(page, office, `issuers/${NAME}/offer`);
  await fill(page, "A-18");
  await page.getByLabel("Reference (optional)").fill("x".repeat(5_000));
  await page.getByRole("button", { name: "Make the offer" }).click();
  await expect(page.getByRole("alert")).toContainText(/office\.|api\./);
  await expect(page.getByLabel("Holder")).toHaveValue(CLAIMS.holder);
});

test("a credential of a kind by hand is approved, and a second page has the older offers", async ({ page, request, office }) => {
  await academy(request, office);
  const offers = Array.from({ length: 26 }, (_, at) => ({ kind: "licence", reference: `L-${at}`, claims: { holder: "Fictional Bo" } }));
  await operator(request, office)("POST", `v1/issuers/${NAME}/offers`, { offers });
  await open(page, office, `issuers/${NAME}`);
  const row = line(page, "Offers", "L-25");
  await expect(row).toContainText("Waiting for approval");
  await row.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("group", { name: /^Approve the offer to L-25\?/ }).getByRole("button", { name: "Approve the offer" }).click();
  await expect(row).toContainText("Ready to collect");

  await expect(line(page, "Offers", "L-0")).toHaveCount(0);
  await page.getByRole("navigation", { name: "Pages of offers" }).getByRole("link", { name: "Older" }).click();
  await expect(line(page, "Offers", "L-0")).toContainText("Waiting for approval");
  await expect(line(page, "Offers", "L-25")).toHaveCount(0);
  await page.getByRole("navigation", { name: "Pages of offers" }).getByRole("link", { name: "Newest" }).click();
  await expect(line(page, "Offers", "L-25")).toBeVisible();
});

test("a person is invited, and there is a code for a poster", async ({ page, request, office }) => {
  await academy(request, office);
  await open(page, office, `issuers/${NAME}/invite`);
  await page.getByRole("button", { name: "Invite" }).click();
  await expect(page.getByRole("alert").getByRole("listitem")).toHaveCount(2);
  await accessible(page);
  await page.getByLabel("Reference").fill("A-19");
  await page.getByLabel("Name").fill("Fictional Ada");
  await page.getByRole("button", { name: "Invite" }).click();
  const region = page.getByRole("region", { name: "Invitation of A-19" });
  const link = await read(qr(page));
  expect(link.startsWith(`${office.url}sign-in#/enrol?`)).toBe(true);
  const code = new URLSearchParams(link.split("?")[1]).get("code") as string;
  await expect(region.getByText(code, { exact: true })).toBeVisible();
  await accessible(page);

  await page.goto(`./#/issuers/${NAME}/poster`);
  const { open_offer } = await operator(request, office)<{ open_offer: string }>("GET", `v1/issuers/${NAME}`);
  expect(await read(qr(page))).toBe(open_offer);
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save the QR code as SVG" }).click();
  expect((await saved).suggestedFilename()).toBe(`${NAME}-poster.svg`);
  await accessible(page);
});

test("what a wallet has received is suspended, made valid again and revoked", async ({ page, request, office }) => {
  await academy(request, office);
  await open(page, office, `issuers/${NAME}/offer`);
  await fill(page, "A-20");
  await page.getByLabel("With a code of six digits").uncheck();
  await page.getByRole("button", { name: "Make the offer" }).click();
  const link = await read(qr(page));

  const phone = await page.context().newPage();
  await makeWallet(phone);
  await phone.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Scan" }).click();
  await phone.getByLabel("Or paste the link or the offer").fill(link);
  await phone.getByRole("button", { name: "Open what was pasted" }).click();
  await phone.getByRole("button", { name: "Receive" }).click();
  await keep(phone);
  await phone.close();

  await page.getByRole("link", { name: "All offers" }).click();
  await expect(line(page, "Offers", "A-20")).toContainText("Collected");
  const row = line(page, "Issued credentials", "A-20").first();
  await expect(row).toContainText("Valid");
  const kept = async () => {
    const { items } = await operator(request, office)<{ items: { reference?: string; status: string }[] }>("GET", `v1/issuers/${NAME}/issued`);
    return [...new Set(items.filter(({ reference }) => reference === "A-20").map(({ status }) => status))];
  };
  for (const [verb, shown, status] of [
    ["Suspend", "Suspended", "suspended"],
    ["Make valid again", "Valid", "valid"],
    ["Revoke", "Revoked", "revoked"],
  ] as const) {
    await row.getByRole("button", { name: verb }).click();
    const question = page.getByRole("group", { name: new RegExp(`^${verb}: Fictional certificate of A-20`) });
    await accessible(page);
    await question.getByRole("button", { name: verb }).click();
    await expect(row.getByRole("cell", { name: shown, exact: true })).toBeVisible();
    // Copies from one offer share their status.
    expect(await kept()).toEqual([status]);
  }
});

test("the views fit a phone", async ({ page, request, office }) => {
  await academy(request, office);
  await operator(request, office)("POST", `v1/issuers/${NAME}/offers`, { offers: [{ kind: "licence", reference: "P-1", claims: { holder: "Fictional Bo" } }] });
  await page.setViewportSize({ width: 390, height: 844 });
  for (const view of ["", `/${NAME}`, `/${NAME}/offer`, `/${NAME}/invite`, `/${NAME}/poster`]) {
    await open(page, office, `issuers${view}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    if (view === `/${NAME}`) await line(page, "Offers", "P-1").getByRole("button", { name: "Withdraw" }).click();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, view).toBeLessThanOrEqual(0);
    await accessible(page);
  }
});
