// The wallet on a phone: from a diploma to two of its fields at a verifier, and what it refuses.

import { DIPLOMA, type Fault } from "./wallet-issuer";
import { PASSPHRASE, atRest, expect, follow, heading, keep, makeWallet, receive, test } from "./wallet-fixtures";

const twoFields = (vct: string) => ({ credentials: [{ id: "diploma", format: "dc+sd-jwt", meta: { vct_values: [vct] }, claims: [{ path: ["degree"] }, { path: ["final_grade"] }] }] });

test("a diploma is received with a passkey and a code, and two of its fields reach the verifier's page", async ({ page, passkey, services }) => {
  void passkey;
  const { university, verifier } = services;
  await page.goto("./wallet");
  await page.getByRole("button", { name: "Make a wallet with a passkey" }).click();
  await expect(page.getByText("No papers yet")).toBeVisible();

  // Pasted, as a person would who got a link by mail.
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Scan" }).click();
  await page.getByLabel("Or paste the link or the offer").fill(university.offer({ txCode: "493817" }).deepLink);
  await page.getByRole("button", { name: "Open what was pasted" }).click();
  await expect(page.getByText("Fictional University offers you:")).toBeVisible();
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(page.getByRole("alert")).toContainText("Type the code that the issuer gave you");
  await page.getByLabel("Code from the issuer").fill("493 816");
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(page.getByRole("alert")).toContainText("did not accept the code");
  await page.getByLabel("Code from the issuer").fill("493 817");
  await page.getByRole("button", { name: "Receive" }).click();

  await expect(heading(page, "Is this your paper?")).toBeVisible();
  const checks = page.getByRole("list", { name: "Checks" }).getByRole("listitem");
  await expect(checks.filter({ hasText: "Signature" })).toContainText("Verified here");
  await expect(checks.filter({ hasText: "Holder" })).toContainText("Verified here");
  await expect(checks.filter({ hasText: "Status" })).toContainText("Not withdrawn as of");
  await expect(checks.filter({ hasText: /^\s*Issuer/ })).toContainText("Reported by the issuer");
  await expect(page.getByText(DIPLOMA.degree)).toBeVisible();
  await page.getByRole("button", { name: "Keep" }).click();
  await expect(page.getByRole("list", { name: "Papers" })).toContainText("Fictional diploma");
  expect(new Set(university.proofKeys).size, "each copy has a key of its own").toBe(university.proofKeys.length);
  await expect.poll(() => university.events).toContain("credential_accepted");

  // The verifier's page leads into the wallet; the wallet is locked, as it is after each load.
  const { transaction, start } = verifier.ask({ dcql: twoFields(university.vct("diploma")), mode: "direct_post.jwt", purpose: "Your application as a geologist" });
  await page.goto(start);
  await page.getByRole("link", { name: "Open my wallet" }).click();
  await page.getByRole("button", { name: "Unlock with the passkey" }).click();
  await expect(heading(page, "Fictional Employer asks")).toBeVisible();
  await expect(page.getByText("Your application as a geologist")).toBeVisible();
  await expect(page.getByRole("list", { name: "Who asks" })).toContainText("Verified here");
  const asked = page.getByRole("region", { name: "Fictional diploma" }).getByRole("listitem");
  await expect(asked).toHaveCount(2);
  await expect(asked.filter({ hasText: "Degree" })).toContainText(DIPLOMA.degree);
  await expect(asked.filter({ hasText: "Final grade" })).toContainText(DIPLOMA.final_grade);
  await page.getByRole("button", { name: "Show 2 fields" }).click();
  await expect(heading(page, "Shown")).toBeVisible();
  await page.getByRole("link", { name: /Go on at/ }).click();
  await expect(page.getByRole("heading", { name: "Received" })).toBeVisible();
  await expect(page.getByRole("definition")).toHaveText([DIPLOMA.degree, DIPLOMA.final_grade]);
  const { shown } = verifier.transactions.get(transaction.id) ?? {};
  expect(Object.keys(shown?.["diploma"] ?? {}).sort()).toEqual(["cnf", "degree", "exp", "final_grade", "iat", "iss", "status", "vct"]);

  await page.goto("./wallet#/history");
  await page.getByRole("button", { name: "Unlock with the passkey" }).click();
  await expect(page.getByRole("article", { name: /Shown: Fictional Employer/ })).toContainText(DIPLOMA.final_grade);
  await page.getByRole("button", { name: /Delete the entry/ }).click();
  await expect(page.getByText("Nothing shown yet")).toBeVisible();
});

test("optional fields are apart, off at first, and go along only when ticked", async ({ page, services: { university, verifier } }) => {
  await makeWallet(page);
  await receive(page, university.offer().link);
  const dcql = {
    credentials: [
      {
        id: "diploma",
        format: "dc+sd-jwt",
        meta: { vct_values: [university.vct("diploma")] },
        claims: [{ id: "degree", path: ["degree"] }, { id: "town", path: ["address", "locality"] }, { id: "ects", path: ["ects"] }],
        claim_sets: [["degree", "town", "ects"], ["degree", "ects"], ["degree"]],
      },
      { id: "card", format: "dc+sd-jwt", meta: { vct_values: [university.vct("library-card")] }, claims: [{ path: ["card_number"] }] },
    ],
    credential_sets: [{ options: [["diploma"]] }, { options: [["card"]], required: false }],
  };
  const { transaction, link } = verifier.ask({ dcql, mode: "direct_post", method: "post" });
  await follow(page, link);
  const region = page.getByRole("region", { name: "Fictional diploma" });
  await expect(region.getByRole("listitem").filter({ hasText: "Degree" })).toContainText("Required");
  await expect(page.getByRole("button", { name: "Show 1 field" })).toBeEnabled();
  await expect(page.getByText("You have no such paper")).toBeVisible();
  const ects = region.getByRole("checkbox", { name: /ECTS points/ });
  await expect(ects).not.toBeChecked();
  await ects.check();
  await page.getByRole("button", { name: "Show 2 fields" }).click();
  await expect(heading(page, "Shown")).toBeVisible();
  const shown = verifier.transactions.get(transaction.id)?.shown ?? {};
  expect(Object.keys(shown)).toEqual(["diploma"]);
  expect(shown["diploma"]).toMatchObject({ degree: DIPLOMA.degree, ects: DIPLOMA.ects });
  expect(shown["diploma"]).not.toHaveProperty("address");
});

test("two verifiers get copies with different keys, the same verifier the same one", async ({ page, services: { university, verifier } }) => {
  await makeWallet(page);
  await receive(page, university.offer().link);
  const keys: unknown[] = [];
  for (const mode of ["direct_post", "direct_post.jwt"] as const) {
    const { transaction, link } = verifier.ask({ dcql: twoFields(university.vct("diploma")), mode });
    await follow(page, link);
    await page.getByRole("button", { name: "Show 2 fields" }).click();
    await expect(heading(page, "Shown")).toBeVisible();
    keys.push((verifier.transactions.get(transaction.id)?.shown?.["diploma"]?.["cnf"] as { jwk: { x: string } }).jwk.x);
  }
  expect(keys[0]).toBe(keys[1]);
  // Face to face, somebody else: the copy that the employer has not seen.
  await page.getByRole("link", { name: "To your papers" }).click();
  await page.getByRole("link", { name: /Fictional diploma/ }).click();
  await expect(page.getByText("1 of 2 copies not shown to anybody yet")).toBeVisible();
});

test("a refusal is one press and tells the verifier nothing but that", async ({ page, services: { university, verifier } }) => {
  await makeWallet(page);
  await receive(page, university.offer().link);
  const { transaction, link } = verifier.ask({ dcql: twoFields(university.vct("diploma")), mode: "direct_post.jwt" });
  await follow(page, link);
  const refuse = page.getByRole("button", { name: "Refuse" });
  const agree = page.getByRole("button", { name: "Show 2 fields" });
  const [no, yes] = [await refuse.boundingBox(), await agree.boundingBox()];
  expect(no?.width).toBeCloseTo(yes?.width ?? 0, 0);
  expect(no?.height).toBeCloseTo(yes?.height ?? 0, 0);
  await refuse.click();
  await expect(heading(page, "Declined")).toBeVisible();
  const { error, shown, raw } = verifier.transactions.get(transaction.id) ?? {};
  expect(error).toBe("access_denied");
  expect(shown).toBeUndefined();
  expect([...new URLSearchParams(raw).keys()].sort()).toEqual(["error", "error_description", "state"]);
  await follow(page, "#/history");
  await expect(page.getByRole("article", { name: /Declined: Fictional Employer/ })).toBeVisible();
});

test("a verifier refuses an answer that is replayed: its nonce is another", async ({ page, services: { university, verifier } }) => {
  await makeWallet(page);
  await receive(page, university.offer().link);
  const first = verifier.ask({ dcql: twoFields(university.vct("diploma")), mode: "direct_post" });
  await follow(page, first.link);
  await page.getByRole("button", { name: "Show 2 fields" }).click();
  await expect(heading(page, "Shown")).toBeVisible();
  const second = verifier.ask({ dcql: twoFields(university.vct("diploma")), mode: "direct_post" });
  const replayed = new URLSearchParams(first.transaction.raw);
  replayed.set("state", second.transaction.state);
  const reply = await verifier.response(second.transaction, replayed.toString());
  expect(reply.status).toBe(400);
  expect(second.transaction.refusal).toMatch(/nonce/i);

  // What the wallet says when a verifier refuses.
  const third = verifier.ask({ dcql: twoFields(university.vct("diploma")), mode: "direct_post", expectedNonce: "another" });
  await follow(page, third.link);
  await page.getByRole("button", { name: "Show 2 fields" }).click();
  await expect(page.getByRole("alert")).toContainText("The verifier did not accept the answer");
  await expect(page.getByRole("alert")).toContainText("verifier.refused");
});

for (const [fault, code] of [
  ["altered-disclosure", "credential.disclosure-altered"],
  ["disclosure-repeated", "credential.disclosure-repeated"],
  ["wrong-holder", "credential.wrong-holder"],
  ["expired", "credential.expired"],
  ["not-yet-valid", "credential.not-yet-valid"],
  ["other-signature", "credential.signature"],
  ["alg-none", "credential.alg"],
  ["revoked", "credential.revoked"],
] as const satisfies [Fault, string][]) {
  test(`a paper with this fault is not kept: ${fault}`, async ({ page, services: { university } }) => {
    await makeWallet(page);
    await follow(page, university.offer({ fault }).link);
    await page.getByRole("button", { name: "Receive" }).click();
    await expect(page.getByRole("alert")).toContainText(code);
    await expect(page.getByRole("button", { name: "Keep" })).toHaveCount(0);
    await follow(page, "#/");
    await expect(page.getByText("No papers yet")).toBeVisible();
  });
}

test("an issuer whose key cannot be found is shown as unknown", async ({ page, services: { silent } }) => {
  await makeWallet(page);
  await follow(page, silent.offer().link);
  await page.getByRole("button", { name: "Receive" }).click();
  const checks = page.getByRole("list", { name: "Checks" }).getByRole("listitem");
  await expect(checks.filter({ hasText: "Unknown issuer" })).toContainText("Could not check");
  await expect(checks.filter({ hasText: "Signature" })).toContainText("Could not check");
});

for (const [fault, code] of [
  ["other-signature", "request.signature"],
  ["other-client", "request.client"],
  ["no-nonce", "request.nonce"],
  ["expired-request", "request.expired"],
  ["wrong-audience", "request.audience"],
] as const) {
  test(`a request with this fault is not answered: ${fault}`, async ({ page, services: { university, verifier } }) => {
    await makeWallet(page);
    const { transaction, link } = verifier.ask({ dcql: twoFields(university.vct("diploma")), mode: "direct_post", fault });
    await follow(page, link);
    await expect(page.getByRole("alert")).toContainText(code);
    expect(transaction.raw).toBeUndefined();
  });
}

for (const [as, state] of [
  ["x509_san_dns:localhost", "Signed with the certificate that it sent along, for localhost"],
  ["x509_hash", "Who vouches for the certificate could not be checked"],
  ["https://unknown-verifier.example", "Its signature could not be checked"],
] as const) {
  test(`the wallet says how far it checked who asks: ${as}`, async ({ page, services: { college, verifier } }) => {
    await makeWallet(page);
    await receive(page, college.offer().link);
    const { transaction, link } = verifier.ask({ dcql: twoFields(college.vct("diploma")), mode: "direct_post", as });
    await follow(page, link);
    await expect(page.getByRole("list", { name: "Who asks" })).toContainText(state);
    await expect(page.getByRole("list", { name: "Who asks" })).not.toContainText("Verified here");
    await page.getByRole("button", { name: "Show 2 fields" }).click();
    await expect(heading(page, "Shown")).toBeVisible();
    expect(transaction.shown?.["diploma"]).toMatchObject({ degree: DIPLOMA.degree });
  });
}

for (const [what, ask, code] of [
  ["a certificate for another host", { as: "x509_san_dns:other.example" }, "request.client"],
  ["a certificate's key that did not sign", { as: "x509_san_dns:localhost", fault: "other-signature" }, "request.signature"],
] as const) {
  test(`a request with this fault is not answered: ${what}`, async ({ page, services: { university, verifier } }) => {
    await makeWallet(page);
    await follow(page, verifier.ask({ dcql: twoFields(university.vct("diploma")), mode: "direct_post", ...ask }).link);
    await expect(page.getByRole("alert")).toContainText(code);
  });
}

test("an issuer that signs with Ed25519 as a did:key is checked too", async ({ page, services: { college } }) => {
  await makeWallet(page);
  await follow(page, college.offer().link);
  await page.getByRole("button", { name: "Receive" }).click();
  const checks = page.getByRole("list", { name: "Checks" }).getByRole("listitem");
  await expect(checks.filter({ hasText: /^\s*Signature/ })).toContainText("Verified here");
  await expect(checks.filter({ hasText: /^\s*Issuer/ })).toContainText("Who stands behind it could not be checked");
  await expect(checks.filter({ hasText: /^\s*Status/ })).toContainText("Not withdrawn as of");
});

test("who has no fitting paper is told so, and can say no", async ({ page, services: { university, verifier } }) => {
  await makeWallet(page);
  const { transaction, link } = verifier.ask({ dcql: twoFields(university.vct("diploma")), mode: "direct_post" });
  await follow(page, link);
  await expect(page.getByText("You have no such paper")).toBeVisible();
  await expect(page.getByRole("button", { name: "Show 0 fields" })).toBeDisabled();
  await page.getByRole("button", { name: "Refuse" }).click();
  await expect(heading(page, "Declined")).toBeVisible();
  expect(transaction.error).toBe("access_denied");
});

test("the wallet signs in at the issuer with PKCE and comes back to a locked wallet", async ({ page, services: { university } }) => {
  await makeWallet(page);
  await follow(page, university.offer({ flow: "code" }).link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Fictional University, sign in" })).toBeVisible();
  // Who leaves the sign-in page finds the request noted, and can forget it.
  await page.goto("./wallet");
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Unlock" }).click();
  await expect(page.getByText("waiting for the sign-in")).toBeVisible();
  await page.getByRole("button", { name: "Forget the request for Fictional diploma" }).click();
  await expect(page.getByText("No papers yet")).toBeVisible();

  await follow(page, university.offer({ flow: "code" }).link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Sign in as Fictional Ada" }).click();
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Unlock" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  expect(page.url(), "the code does not stay in the address bar's query").not.toContain("wallet?code=");
  await page.getByRole("button", { name: "Keep" }).click();
  await expect(page.getByRole("list", { name: "Papers" })).toContainText("Fictional diploma");
});

test("an offer that is opened while a paper is still being kept stays open", async ({ page, services: { university } }) => {
  await makeWallet(page);
  await follow(page, university.offer().link);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  const { link } = university.offer({ kind: "library-card" });
  // In one task: the paper cannot be kept before the address changes.
  await page.getByRole("button", { name: "Keep" }).evaluate((button, to) => {
    (button as HTMLButtonElement).click();
    window.location.hash = to;
  }, link.slice(link.indexOf("#")));
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(page.getByRole("heading", { name: "Is this your paper?" })).toBeVisible();
  await keep(page);
  await expect(page.getByRole("list", { name: "Papers" }).getByRole("link")).toHaveCount(2);
});

test("a stale nonce is asked for anew, and a deferred paper is fetched later", async ({ page, services: { university } }) => {
  await makeWallet(page);
  await follow(page, university.offer({ staleNonceOnce: true, deferred: true }).link);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(page.getByText("has not finished the paper")).toBeVisible();
  await page.getByRole("link", { name: "To your papers" }).click();
  await page.getByRole("link", { name: "Ask again" }).click();
  await expect(page.getByText("has not finished the paper")).toBeVisible();
  university.finish();
  await page.getByRole("link", { name: "To your papers" }).click();
  await page.getByRole("link", { name: "Ask again" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  await page.getByRole("button", { name: "Keep" }).click();
  await expect(page.getByText("Not finished yet")).toHaveCount(0);
});

test("two windows of one wallet do not undo each other, and an erased one is said to be", async ({ page, context, services: { university } }) => {
  await makeWallet(page);
  const other = await context.newPage();
  await other.goto("./wallet");
  await other.getByLabel("Passphrase").fill(PASSPHRASE);
  await other.getByRole("button", { name: "Unlock" }).click();
  await expect(heading(other, "Papers")).toBeVisible();
  await receive(page, university.offer().link);
  await receive(other, university.offer({ kind: "library-card" }).link, "Fictional library card");
  await expect(other.getByRole("list", { name: "Papers" }).getByRole("listitem")).toHaveCount(2);

  await follow(page, "#/settings");
  await page.getByRole("button", { name: "Erase the wallet…" }).click();
  await page.getByRole("button", { name: "Erase it" }).click();
  await expect(heading(page, "Your wallet")).toBeVisible();
  await other.getByRole("link", { name: /Fictional diploma/ }).click();
  await other.getByRole("button", { name: "Delete…" }).click();
  await other.getByRole("button", { name: "Delete it" }).click();
  await expect(other.getByRole("alert")).toContainText("The wallet was erased in another window");
  await expect(heading(other, "The wallet is locked")).toBeVisible();
});

test("what lies on the device is encrypted, and the wallet locks by itself", async ({ page, context, services: { university } }) => {
  await page.clock.install();
  await makeWallet(page);
  await receive(page, university.offer().link);
  const kept = await atRest(context);
  expect(kept).toContain("stele-wallet");
  // Not even which issuers and lists it deals with.
  for (const secret of [DIPLOMA.degree, DIPLOMA.family_name, university.id, university.vct("diploma"), '"d"', PASSPHRASE]) expect(kept.includes(secret), secret).toBe(false);

  await page.clock.fastForward("06:00");
  await expect(heading(page, "The wallet is locked")).toBeVisible();
  await expect(page.getByText("Fictional diploma")).toHaveCount(0);
  await page.getByLabel("Passphrase").fill("not this one at all");
  await page.getByRole("button", { name: "Unlock" }).click();
  await expect(page.getByRole("alert")).toContainText("That is not the passphrase");
  await page.getByLabel("Passphrase").fill(PASSPHRASE);
  await page.getByRole("button", { name: "Unlock" }).click();
  await expect(page.getByRole("list", { name: "Papers" })).toContainText("Fictional diploma");
  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await expect(heading(page, "The wallet is locked")).toBeVisible();
});
