import { defineConfig } from "@playwright/test";
import { launchOptions } from "./e2e/browser.mjs";

// Debian's chromium, never a browser that Playwright downloads. The node, its data and its seed
// come from e2e/setup.ts, which leaves the console's address in CONSOLE_URL for the workers.
export default defineConfig({
  testDir: "e2e",
  // Its paths lead to the verifier's source and to this folder's copies of the libraries, as in the build.
  tsconfig: "./tsconfig.json",
  globalSetup: "./e2e/setup.ts",
  outputDir: "test-results",
  reporter: process.env["CI"] ? "line" : "list",
  forbidOnly: true,
  workers: 2,
  timeout: 240_000,
  expect: { timeout: 30_000 },
  use: {
    baseURL: process.env["CONSOLE_URL"] ?? "",
    locale: "en-GB",
    timezoneId: "UTC",
    viewport: { width: 1366, height: 850 },
    launchOptions,
  },
});
