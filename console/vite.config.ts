import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { type Plugin, defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Writes `wallet-sw.js`: the service worker with the list of files that the wallet's page needs. */
function walletServiceWorker(): Plugin {
  return {
    name: "wallet-service-worker",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const files = new Set<string>();
        const visit = (name: string) => {
          const chunk = bundle[name];
          if (!chunk || files.has(name)) return;
          files.add(name);
          if (chunk.type !== "chunk") return;
          [...chunk.imports, ...chunk.dynamicImports].forEach(visit);
          chunk.viteMetadata?.importedCss.forEach(visit);
          chunk.viteMetadata?.importedAssets.forEach(visit);
        };
        const entry = Object.values(bundle).find((chunk) => chunk.type === "chunk" && chunk.isEntry && chunk.name === "wallet");
        if (!entry) this.error("the wallet has no entry");
        visit(entry.fileName);
        // Fonts are named in the style sheets, which do not list them.
        for (const name of Object.keys(bundle)) if (name.endsWith(".woff2")) files.add(name);
        const list = ["wallet", "wallet.webmanifest", "stele.svg", "wallet-icon-192.png", ...files].sort();
        const page = bundle["wallet.html"];
        const version = createHash("sha256").update(list.join("\n")).update(page?.type === "asset" ? page.source : "").digest("hex").slice(0, 16);
        const source = readFileSync(here("src/wallet/service-worker.js"), "utf8");
        this.emitFile({ type: "asset", fileName: "wallet-sw.js", source: source.replace("__VERSION__", JSON.stringify(version)).replace("__FILES__", JSON.stringify(list)) });
      },
    },
  };
}

// Asset paths are relative and fonts are files, so that the node can serve dist/ at any path under
// `default-src 'self'`. The verifier is compiled from its source, with this folder's libraries.
export default defineConfig({
  base: "./",
  plugins: [svelte(), walletServiceWorker()],
  resolve: {
    alias: [
      { find: "@stele/verify", replacement: here("../sdk/typescript/src/index.ts") },
      { find: /^@noble\//, replacement: `${here("node_modules/@noble")}/` },
    ],
  },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    // Three pages: the console, the wallet at /wallet, and where people sign in at an issuer, at /sign-in.
    rollupOptions: { input: { index: here("index.html"), wallet: here("wallet.html"), "sign-in": here("sign-in.html") } },
  },
});
