// `npm run test:fixture`: the browser tests on the fictional API, for work on the console without a
// node. `npm test` with STELE_BIN is the test that counts.

import { spawn } from "node:child_process";
import { TOKEN, start } from "./server.mjs";

const { url, close } = await start();
const child = spawn("npx", ["playwright", "test", ...process.argv.slice(2)], { stdio: "inherit", env: { ...process.env, CONSOLE_URL: url, CONSOLE_TOKEN: TOKEN } });
child.on("exit", (code) => {
  close();
  process.exit(code ?? 1);
});
