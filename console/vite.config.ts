import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Asset paths are relative and fonts are files, so that the node can serve dist/ at any path under
// `default-src 'self'`. The verifier is compiled from its source, with this folder's libraries.
export default defineConfig({
  base: "./",
  plugins: [svelte()],
  resolve: {
    alias: [
      { find: "@stele/verify", replacement: here("../sdk/typescript/src/index.ts") },
      { find: /^@noble\//, replacement: `${here("node_modules/@noble")}/` },
    ],
  },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: true },
});
