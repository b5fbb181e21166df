// The wallet with a camera, and with an issuer at another https address than its own.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import encodeQR from "qr";
import { launchOptions } from "./browser.mjs";
import { TestIssuer } from "./wallet-issuer";
import { PHONE, expect, follow, heading, makeWallet, test as base } from "./wallet-fixtures";

/** A film of one picture (YUV4MPEG2), for Chromium's stand-in camera. */
function film(text: string): Buffer {
  const [width, height] = [640, 480];
  const rows = encodeQR(text, "raw", { border: 4 });
  const scale = Math.floor(height / rows.length);
  const luma = Buffer.alloc(width * height, 235);
  for (let y = 0; y < rows.length * scale; y += 1) {
    for (let x = 0; x < rows.length * scale; x += 1) if (rows[Math.floor(y / scale)]?.[Math.floor(x / scale)]) luma[y * width + x + 80] = 16;
  }
  const chroma = Buffer.alloc((width * height) / 2, 128);
  const frame = Buffer.concat([Buffer.from("FRAME\n"), luma, chroma]);
  return Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`), frame, frame]);
}

base("an offer is scanned with the camera", async ({ services: { university, url } }) => {
  const folder = mkdtempSync(join(tmpdir(), "stele-camera-"));
  writeFileSync(join(folder, "offer.y4m"), film(university.offer().deepLink));
  const browser = await chromium.launch({ ...launchOptions, args: [...launchOptions.args, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${join(folder, "offer.y4m")}`] });
  const page = await browser.newPage({ baseURL: url, viewport: PHONE });
  await makeWallet(page);
  await follow(page, "#/add");
  await page.getByRole("button", { name: "Scan with the camera" }).click();
  await expect(page.getByText("Fictional University offers you:")).toBeVisible();
  await browser.close();
  rmSync(folder, { recursive: true });
});

// Requests to the other origin are what this test is about, so the watch over them is off.
const test = base.extend<{ strict: void }>({ strict: [async ({}, use) => use(), { auto: true }] });
test.use({ serviceWorkers: "block" });

test("an issuer at another address serves the wallet, over https and nothing else", async ({ page }) => {
  const elsewhere = await new TestIssuer("https://issuer.example", "", "Fictional University Elsewhere").start();
  const cors = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };
  await page.route("*://issuer.example/**", async (route) => {
    const request = route.request();
    const url = new URL(request.url());
    if (request.method() === "OPTIONS") return route.fulfill({ status: 204, headers: cors });
    const reply = await elsewhere.handle({ method: request.method(), path: url.pathname, query: url.searchParams, headers: request.headers(), body: request.postData() ?? "" });
    return route.fulfill({ status: reply?.status ?? 404, contentType: reply?.type ?? "text/plain", headers: cors, body: reply?.body ?? "" });
  });
  await makeWallet(page);
  await follow(page, elsewhere.offer().link);
  await page.getByRole("button", { name: "Receive" }).click();
  await expect(heading(page, "Is this your paper?")).toBeVisible();
  await expect(page.getByRole("list", { name: "Checks" }).getByRole("listitem").filter({ hasText: /^\s*Signature/ })).toContainText("Verified here");

  await follow(page, `#/offer?credential_offer_uri=${encodeURIComponent("http://issuer.example/offers/1")}`);
  await expect(page.getByRole("alert")).toContainText("network.address");
  // And the policy itself does not let the page speak to it, though here it would be answered.
  const blocked = await page.evaluate(() => fetch("http://issuer.example/").then(() => "answered", (error: Error) => error.name));
  expect(blocked).toBe("TypeError");
});
