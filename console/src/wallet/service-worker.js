// Keeps the wallet's page and its files, so that the wallet opens without a network. Answers nothing
// else: requests to issuers and verifiers are never kept. The build fills in the two constants.

const VERSION = __VERSION__;
const FILES = __FILES__;
const CACHE = `stele-wallet-${VERSION}`;
const ADDRESSES = new Set(FILES.map((file) => new URL(file, self.location.href).href));
const PAGE = new URL("wallet", self.location.href).href;

self.addEventListener("install", (event) => {
  // `reload` passes by the browser's own cache: the kept files are those of this version.
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })))));
});

self.addEventListener("activate", (event) => {
  const clear = async () => {
    for (const name of await caches.keys()) if (name.startsWith("stele-wallet-") && name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(clear());
});

self.addEventListener("message", (event) => {
  if (event.data === "use-new-version") void self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  const address = url.origin + url.pathname;
  const kept = request.mode === "navigate" ? (address === PAGE ? PAGE : undefined) : ADDRESSES.has(address) ? address : undefined;
  if (kept) event.respondWith(caches.open(CACHE).then(async (cache) => (await cache.match(kept)) ?? fetch(request)));
});
