// `npm run dev`: rebuilds console/dist on every change and serves it beside the fictional API. There
// is no other development server, so the strict content security policy holds here too.

import { build } from "vite";
import { TOKEN, start } from "./server.mjs";

await build({ build: { watch: {} } });
const { url } = await start(Number(process.env.PORT ?? 5179));
console.log(`console with fictional data: ${url} (API token: ${TOKEN})`);
