// Without a network: the wallet opens, shows two fields as a code, and another device checks it.

import type { Page } from "@playwright/test";
import { DIPLOMA } from "./wallet-issuer";
import { PASSPHRASE, expect, follow, heading, makeWallet, receive, test, untilOfflineReady } from "./wallet-fixtures";

// Codes that follow each other stand still, so that each can be photographed.
test.use({ contextOptions: { reducedMotion: "reduce" } });

const check = (page: Page, name: string) => page.getByRole("list", { name: "Checks" }).getByRole("listitem").filter({ hasText: new RegExp(`^\\s*${name}`) });

/** The code, photographed by another device. */
async function shownCode(page: Page, number: string, fields: RegExp[] = [/^Degree/, /^Final grade/]): Promise<Buffer[]> {
  await follow(page, "#/");
  await page.getByRole("link", { name: /Fictional diploma/ }).click();
  await page.getByRole("link", { name: "Show it face to face" }).click();
  for (const field of fields) await page.getByRole("checkbox", { name: field }).check();
  if (number) await page.getByLabel(/Number on the other person's screen/).fill(number);
  await page.getByRole("button", { name: "Make the code" }).click();
  const code = page.getByRole("img", { name: /Code that shows Fictional diploma/ });
  await expect(code).toBeVisible();
  const caption = page.getByText(/^Code 1 of \d+$/);
  if (!(await caption.isVisible())) return [await code.screenshot()];
  const count = Number(/of (\d+)/.exec(await caption.innerText())?.[1]);
  const pictures: Buffer[] = [];
  for (let at = 1; at <= count; at += 1) {
    await expect(page.getByText(`Code ${at} of ${count}`)).toBeVisible();
    pictures.push(await code.screenshot());
    await page.getByRole("button", { name: "Next" }).click();
  }
  return pictures;
}

const upload = (page: Page, pictures: Buffer[]) => page.getByLabel("Or choose a picture of the code").setInputFiles(pictures.map((buffer, at) => ({ name: `code-${at}.png`, mimeType: "image/png", buffer })));

async function number(page: Page): Promise<string> {
  const text = await page.getByText(/^\d \d \d \d \d \d$/).innerText();
  return text.replaceAll(" ", "");
}

/** The checking device knows the university from before. */
async function knowing(page: Page, issuer: string): Promise<void> {
  await page.goto("./wallet#/check");
  await page.getByLabel("Issuer's address or DID").fill(issuer);
  await page.getByRole("button", { name: "Look up its key" }).click();
  await page.getByRole("button", { name: "Keep this key" }).click();
  await expect(page.getByRole("list", { name: "Issuers you know" })).toContainText("/openid/issuer");
}

test("two fields pass from one phone to another without a network", async ({ page, context, browser, services: { university, url } }) => {
  await makeWallet(page);
  await receive(page, university.offer().link);
  await untilOfflineReady(page);
  const otherPhone = await browser.newContext({ baseURL: url, viewport: { width: 360, height: 740 }, reducedMotion: "reduce" });
  const other = await otherPhone.newPage();
  await knowing(other, university.id);
  await untilOfflineReady(other);

  await context.setOffline(true);
  await otherPhone.setOffline(true);
  // Both open anew, from what the service worker keeps.
  await page.goto("./wallet");
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Unlock" }).click();
  await expect(page.getByText("Offline", { exact: true })).toBeVisible();
  await other.reload();
  const asked = await number(other);
  const pictures = await shownCode(page, asked);
  await upload(other, pictures);

  await expect(other.getByRole("heading", { name: "Holds, but not everything could be checked" })).toBeVisible();
  for (const name of ["Signature", "Issuer", "Fields", "Holder", "Occasion", "Validity"]) await expect(check(other, name)).toContainText("Verified here");
  await expect(check(other, "Status")).toContainText("Could not check");
  await expect(other.getByRole("region", { name: "What was shown" }).getByRole("definition")).toHaveCount(2);
  await expect(other.getByRole("region", { name: "What was shown" })).toContainText(DIPLOMA.degree);
  await expect(other.getByRole("region", { name: "What was shown" })).toContainText(DIPLOMA.final_grade);
  await expect(other.getByText(DIPLOMA.family_name)).toHaveCount(0);

  // The same picture a second time: the number is another by now.
  await other.getByRole("button", { name: "Check another" }).click();
  await upload(other, pictures);
  await expect(other.getByRole("heading", { name: "Do not accept it" })).toBeVisible();
  await expect(check(other, "Holder")).toContainText("presentation.wrong-nonce");
  await expect(other.getByText(DIPLOMA.degree)).toHaveCount(0);

  // With a network, the status is checked and its list kept; then it serves offline, as of its date.
  await otherPhone.setOffline(false);
  await other.getByRole("button", { name: "Check another" }).click();
  await upload(other, await shownCode(page, await number(other)));
  await expect(other.getByRole("heading", { name: "Verified here" })).toBeVisible();
  await otherPhone.setOffline(true);
  await other.getByRole("button", { name: "Check another" }).click();
  await upload(other, await shownCode(page, await number(other)));
  await expect(check(other, "Status")).toContainText(/Not withdrawn as of .* by the list kept here; what came later could not be checked/);
  await otherPhone.close();
});

test("the checker is told what a code without a number, an unknown issuer or a changed text is worth", async ({ page, context, services: { university } }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await makeWallet(page);
  await receive(page, university.offer().link);
  await shownCode(page, "");
  await page.getByRole("button", { name: "Copy as text" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  const shown = await page.evaluate(() => navigator.clipboard.readText());

  await follow(page, "#/check");
  const paste = async (text: string) => {
    await page.getByRole("checkbox", { name: /Ask for a number/ }).setChecked(false);
    await page.getByLabel("Or paste what they show as text").fill(text);
    await page.getByRole("button", { name: "Check what was pasted" }).click();
  };
  await paste(shown);
  await expect(page.getByRole("heading", { name: "Holds, but not everything could be checked" })).toBeVisible();
  await expect(check(page, "Issuer")).toContainText("Unknown issuer");
  await expect(check(page, "Occasion")).toContainText("could be a picture of somebody else's screen");
  await expect(check(page, "Signature")).toContainText("Verified here");

  const parts = shown.split("~");
  const binding = parts.at(-1) as string;
  const cases: [string, string, string][] = [
    ["a disclosure taken away", [...parts.slice(0, -2), binding].join("~"), "presentation.fields-changed"],
    ["no key binding", `${parts.slice(0, -1).join("~")}~`, "presentation.no-key-binding"],
    ["another's key binding", [...parts.slice(0, -1), binding.slice(0, -8) + "AAAAAAAA"].join("~"), "presentation.signature"],
  ];
  for (const [what, text, code] of cases) {
    await page.getByRole("button", { name: "Check another" }).click();
    await paste(text);
    await expect(page.getByRole("heading", { name: "Do not accept it" }), what).toBeVisible();
    await expect(check(page, "Holder"), what).toContainText(code);
  }
  await page.getByRole("button", { name: "Check another" }).click();
  const altered = Buffer.from(JSON.stringify(["salt", "final_grade", "1.0"])).toString("base64url");
  await paste([parts[0], altered, binding].join("~"));
  await expect(page.getByRole("alert")).toContainText("credential.disclosure-altered");
});

test("a whole diploma passes in a few codes, in any order", async ({ page, services: { university } }) => {
  await makeWallet(page);
  await receive(page, university.offer().link);
  const pictures = await shownCode(page, "", [/^Given name/, /^Family name/, /^Date of birth/, /^Degree/, /^Final grade/, /^ECTS/, /^Town/, /^Country/]);
  expect(pictures.length).toBeGreaterThan(1);
  await follow(page, "#/check");
  await page.getByRole("checkbox", { name: /Ask for a number/ }).setChecked(false);
  await upload(page, pictures.slice(1));
  await expect(page.getByText(`Code ${pictures.length - 1} of ${pictures.length} is read`)).toBeVisible();
  await upload(page, pictures.slice(0, 1));
  await expect(check(page, "Signature")).toContainText("Verified here");
  await expect(page.getByRole("region", { name: "What was shown" }).getByRole("definition")).toHaveCount(8);
});

test("a code that is older than two minutes is refused", async ({ page, context, services: { university } }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.clock.install();
  await makeWallet(page);
  await receive(page, university.offer().link);
  await shownCode(page, "");
  await page.getByRole("button", { name: "Copy as text" }).click();
  const shown = await page.evaluate(() => navigator.clipboard.readText());
  await page.clock.fastForward("03:00");
  await follow(page, "#/check");
  await page.getByRole("checkbox", { name: /Ask for a number/ }).setChecked(false);
  await page.getByLabel("Or paste what they show as text").fill(shown);
  await page.getByRole("button", { name: "Check what was pasted" }).click();
  await expect(check(page, "Holder")).toContainText("presentation.stale");
  await expect(heading(page, "Check a paper")).toBeVisible();
});
