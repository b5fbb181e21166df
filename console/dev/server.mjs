// Serves console/dist and a fictional API in the shapes of the node's, under the node's own headers.

import { createServer } from "node:http";
import { existsSync, readFileSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { World, toHex } from "./world.mjs";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".png": "image/png", ".webmanifest": "application/json" };
const CSP = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
// As the node has it: the wallet may talk to any issuer and verifier over https.
const WALLET_CSP = CSP.replace("connect-src 'self'", "connect-src 'self' https:");
export const TOKEN = "fixture-token";

const field = (name, type, doc, required = true, limits = {}) => ({ name, type, limits: type === "text" ? { max_bytes: 512 } : limits, required, doc });
const REGISTERS = [
  { name: "governance", version: 1, about: "Members, roles and register versions.", refusals: [], commands: [{ name: "register.note", doc: "Notes something for the record.", fields: [field("text", "text", "The note.")] }] },
  { name: "identity", version: 1, about: "Parties, their keys, devices and accreditations.", refusals: [], commands: [{ name: "party.register", doc: "Registers a party with its first key.", fields: [field("name", "text", "Its name, which is public."), field("key", "key", "Its first key.")] }] },
  { name: "trace", version: 1, about: "Supply-chain event commitments, custody and recalls.", refusals: [{ code: "trace.custody.not-holder", sentence: "Only the party that holds the item may do this.", hint: "Ask the holder to offer it, then accept it." }], commands: [
    { name: "event.commit", doc: "Commits to an EPCIS event without showing it.", fields: [field("lot", "text", "What the event is about."), field("kind", "choice", "The EPCIS event type.", true, { choices: ["ObjectEvent", "AggregationEvent", "TransactionEvent"] }), field("commitment", "hash", "Salted hash of the event.")] },
    { name: "custody.offer", doc: "Offers an item that the signer holds to another party.", fields: [field("item", "text", "The item."), field("to", "party", "Who shall take it.")] },
    { name: "custody.accept", doc: "Takes an offered item.", fields: [field("item", "text", "The item."), field("from", "party", "Who offered it.")] },
    { name: "recall.open", doc: "Recalls a lot; only its maker may.", fields: [field("lot", "text", "The lot."), field("reason", "text", "Why.", false)] },
  ] },
];
const SCENARIOS = [
  { name: "trace", title: "Trace", purpose: "A fictional maker, carrier and shop hand goods over, answer where an item has been, and find every holder of a recalled lot, with proofs.", input: "generated EPCIS 2.0 events", steps: ["register-parties", "capture-events", "hand-over", "where-has-it-been", "changed-event-fails", "recall"] },
];
const STEPS = SCENARIOS[0].steps;

export function start(port = 0) {
  const world = new World();
  world.live = true;
  let run;
  let files = new Map();

  const json = (response, value, status = 200) => send(response, status, "application/json", JSON.stringify(value));
  const problem = (response, status, code, detail, hint) => send(response, status, "application/problem+json", JSON.stringify({ type: `urn:stele:problem:${code}`, title: "Problem", status, detail, code, hint }));
  const missing = (response, what) => problem(response, 404, "not-found", `There is no ${what} here.`, "Check the id or the address.");
  const find = (id) => world.entries.find(({ entry }) => toHex(entry.id) === id);
  const page = (response, items, query, view) => {
    const from = Number(query.get("cursor") ?? 0);
    const limit = Number(query.get("limit") || 50);
    json(response, { items: items.slice(from, from + limit).map(view), ...(from + limit < items.length ? { next_cursor: String(from + limit) } : {}) });
  };
  const registers = () => REGISTERS.map((register) => ({ ...register, entries: world.entries.filter((entry) => entry.register === register.name).length, refused: world.entries.filter((entry) => entry.register === register.name && entry.refused).length }));
  const partyView = (party) => ({ did: party.did, party_id: toHex(party.id), kind: "organisation", name: party.name || undefined, first_seen_ms: world.start, entry_count: world.entries.filter((entry) => entry.party === party).length });

  function api(path, query, request, response) {
    const [, version, kind, id, more] = path.split("/").map(decodeURIComponent);
    if (path === "/health") return json(response, { status: "ok", height: world.blocks.length - 1, index_lag: 0, waiting: 0 });
    if (path === "/metrics") return send(response, 200, "text/plain", "stele_height 1\n");
    if (path === "/log/checkpoint") return send(response, 200, "text/plain; charset=utf-8", `harbour.example/log\n${world.records.length}\n${Buffer.from(world.blocks.at(-1).root).toString("base64")}\n\n— harbour.example/log AZ3nQ2lkZW50aWZpZXI=\n`);
    if (version !== "v1") return undefined;
    switch (kind) {
      case "network": {
        const head = world.blocks.at(-1);
        return json(response, { ...world.descriptor, head: { height: head.height, hash: toHex(head.hash), time_ms: head.time, log_size: head.size, log_root: toHex(head.root), state_root: toHex(head.state), state_keys: 61 }, version: "0.1.0-fixture", validators: 1 });
      }
      case "entries": {
        if (id) {
          const entry = find(id);
          if (!entry) return missing(response, "entry of this id");
          if (more === "receipt") return send(response, 200, "application/stele-receipt+cbor", world.receipt(entry.index));
          if (more === "envelope") return send(response, 200, "application/cose", entry.envelope);
          return json(response, world.detail(entry));
        }
        const wanted = [...world.entries].reverse().filter((entry) => {
          const text = JSON.stringify(world.detail(entry)).toLowerCase();
          const is = (name, value) => !query.get(name) || query.get(name) === value;
          return is("register", entry.register) && (!query.get("party") || text.includes(query.get("party"))) && is("outcome", entry.refused ? "refused" : "applied") && text.includes((query.get("q") ?? "").toLowerCase()) && entry.time >= Number(query.get("from") || 0) && entry.time <= Number(query.get("to") || Infinity);
        });
        return page(response, wanted, query, (entry) => world.summary(entry));
      }
      case "blocks":
        if (!id) return page(response, [...world.blocks].reverse(), query, (block) => world.blockView(block));
        return world.blocks[Number(id)] ? json(response, world.blockView(world.blocks[Number(id)], true)) : missing(response, "block of this height");
      case "registers": {
        if (!id) return json(response, registers());
        const register = registers().find(({ name }) => name === id);
        return register ? json(response, register) : missing(response, "register of this name");
      }
      case "parties": {
        if (!id) return page(response, world.parties.filter(({ name, did }) => `${name} ${did}`.toLowerCase().includes((query.get("q") ?? "").toLowerCase())), query, partyView);
        const party = world.parties.find(({ did }) => did === id);
        if (!party) return missing(response, "party of this DID");
        if (more === "entries") return page(response, [...world.entries].reverse().filter((entry) => JSON.stringify(world.detail(entry)).includes(party.did)), query, (entry) => world.summary(entry));
        return json(response, partyView(party));
      }
      case "issuers":
        if (request.headers.authorization !== `Bearer ${TOKEN}`) return problem(response, 401, "api.token-missing", "Issuers are for the node's operator.", "The node prints its API token at the start.");
        return id ? missing(response, "issuer of this name") : json(response, { items: [] });
      case "search": {
        const q = (query.get("q") ?? "").toLowerCase();
        const parties = world.parties.filter(({ name, did }) => `${name} ${did}`.toLowerCase().includes(q)).map(({ did, name }) => ({ kind: "party", id: did, title: name || did, snippet: "organisation" }));
        const entries = world.entries.filter((entry) => JSON.stringify(world.detail(entry)).toLowerCase().includes(q)).slice(-8).map((entry) => ({ kind: "entry", id: toHex(entry.entry.id), title: `Entry ${entry.index}`, snippet: `${entry.register}: ${entry.entry.commands.map(({ name }) => name).join(", ")}` }));
        return json(response, { items: [...parties, ...entries] });
      }
      case "statistics":
        return json(response, { entries: world.entries.length, refused: world.entries.filter(({ refused }) => refused).length, blocks: world.blocks.length, parties: world.parties.length, registers: [], minutes: [] });
      case "state":
        return send(response, 200, "application/stele-receipt+cbor", world.stateReceipt(id, Buffer.from(more, "hex")));
      case "watch":
        return watch(query, request, response);
      case "scenarios": {
        if (!id) return json(response, SCENARIOS);
        if (id !== "trace") return missing(response, "scenario of this name");
        if (!more) return json(response, SCENARIOS[0]);
        if (request.method === "POST") {
          if (request.headers.authorization !== `Bearer ${TOKEN}`) return problem(response, 401, "api.token-missing", "Running a scenario takes the node's API token.", "The node prints it at the start.");
          return json(response, (run = startRun()), 202);
        }
        const file = path.split("/files/")[1];
        if (file) return files.has(file) ? send(response, 200, "application/octet-stream", files.get(file)) : missing(response, "file of this run");
        return run ? json(response, run) : missing(response, "run of this scenario");
      }
      default:
        return missing(response, "resource");
    }
  }

  function startRun() {
    const state = { run: (run?.run ?? 0) + 1, status: "running", started_ms: Date.now(), progress: { step: 0, name: STEPS[0], detail: "starting" } };
    const evidence = world.entries.slice(-6);
    const steps = [];
    const timer = setInterval(() => {
      const name = STEPS[steps.length];
      if (name) {
        steps.push({ name, ok: true, detail: "12 of 12" });
        state.progress = { step: Math.min(steps.length, STEPS.length - 1), name, detail: "item 3 of 12" };
        return;
      }
      clearInterval(timer);
      files = new Map(evidence.map((entry) => [`${toHex(entry.entry.id).slice(0, 12)}.receipt`, world.receipt(entry.index)]));
      files.set("index.html", "<!doctype html><title>Report</title><p>A fictional report.</p>");
      Object.assign(state, { status: "done", progress: undefined, report: { scenario: "trace", ok: true, skipped: false, steps, evidence: evidence.map((entry) => ({ claim: `${entry.party.name || "A party"} gave ${entry.entry.commands[0].name} in ${entry.register}`, receipt: `evidence/${toHex(entry.entry.id).slice(0, 12)}.receipt` })), figures: [
        { id: "trace-events-captured-per-second", value: 1834.2, unit: "1/s", goal: 500, better: "higher", peer: null, note: "one capture job of 200 events" },
        { id: "trace-receipt-bytes", value: 1284, unit: "bytes", goal: 2048, better: "lower", peer: null, note: "without the entry" },
        { id: "trace-answer-ms", value: 61.4, unit: "ms", goal: 50, better: "lower", peer: null, note: "where has this item been, with proofs" },
        { id: "trace-holders-found", value: 3, unit: "parties", goal: null, better: "higher", peer: null, note: "" },
      ] } });
    }, 400);
    return state;
  }

  function watch(query, request, response) {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    const write = (entries, block) => {
      for (const entry of entries) response.write(`event: entry\nid: ${entry.index}\ndata: ${JSON.stringify(world.summary(entry))}\n\n`);
      response.write(`event: block\ndata: ${JSON.stringify({ height: block.height, time_ms: block.time, entries: entries.length, log_size: block.size })}\n\n`);
    };
    const from = request.headers["last-event-id"] === undefined ? Number(query.get("from") ?? world.entries.length) : Number(request.headers["last-event-id"]) + 1;
    write(world.entries.slice(from), world.blocks.at(-1));
    world.watchers.add(write);
    request.on("close", () => world.watchers.delete(write));
  }

  function send(response, status, type, content) {
    response.writeHead(status, { "content-type": type });
    response.end(content);
  }

  function file(path, response) {
    const asked = join(DIST, normalize(path === "/wallet" ? "/wallet.html" : path));
    const found = path !== "/" && asked.startsWith(DIST) && existsSync(asked) ? asked : join(DIST, "index.html");
    response.writeHead(200, { "content-type": TYPES[extname(found)] ?? "application/octet-stream", "content-security-policy": found.endsWith("wallet.html") ? WALLET_CSP : CSP, "cache-control": "no-cache", "x-content-type-options": "nosniff" });
    response.end(readFileSync(found));
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (/^\/(v1\/|health$|metrics$|log\/)/.test(url.pathname)) api(url.pathname, url.searchParams, request, response);
    else file(url.pathname, response);
  });
  const timer = setInterval(() => world.block(world.some(Math.floor(Math.random() * 500))), 900);
  server.on("close", () => clearInterval(timer));
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve({ url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() })));
}
