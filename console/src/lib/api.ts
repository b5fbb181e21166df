// The node's HTTP API as the console uses it: every type and every call. The console is an
// ordinary client; nothing here is private to it.

/** Times are milliseconds since 1970-01-01T00:00:00Z; hashes are lower-case hexadecimal. */
export interface Head {
  height: number;
  hash?: string;
  log_size: number;
  log_root?: string;
  state_root: string;
  state_keys?: number;
  time_ms: number;
}

/** The network descriptor with the node's head. The descriptor part is what a verifier keeps. */
export interface NetworkInfo {
  format: string;
  name: string;
  network_id: string;
  key: string;
  genesis?: string;
  head: Head;
  version: string;
}

export interface Outcome {
  applied: boolean;
  code?: string;
  command_index?: number;
  /** The refusal as a sentence, and what to do about it. */
  detail?: string;
  hint?: string;
}

export interface EntrySummary {
  entry_id: string;
  log_index: number;
  height: number;
  time_ms: number;
  register: string;
  party: string;
  party_name?: string;
  commands: string[];
  outcome: Outcome;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Entry extends Omit<EntrySummary, "commands"> {
  kid: string;
  cosigners?: string[];
  rule: string;
  commands: { register: string; name: string; body: Json }[];
  events: { name: string; body: Json }[];
  not_before_ms?: number;
  not_after_ms?: number;
  size_bytes: number;
}

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export interface Block {
  height: number;
  hash: string;
  previous: string;
  time_ms: number;
  entry_count: number;
  log_size: number;
  log_root: string;
  state_root: string;
  /** Only when one block is asked for. */
  entries?: Entry[];
}

export interface CommandField {
  name: string;
  /** `text`, `choice`, `bytes`, `hash`, `party`, `key`, `uint`, `bool` or `list`. */
  type: string;
  limits: FieldLimits;
  required: boolean;
  doc: string;
}

export interface FieldLimits {
  max_bytes?: number;
  min_bytes?: number;
  choices?: string[];
  of?: string;
  of_limits?: FieldLimits;
  min?: number;
  max?: number;
}

export interface CommandSpec {
  name: string;
  doc: string;
  fields: CommandField[];
}

export interface Register {
  name: string;
  version: number;
  about: string;
  entries: number;
  refused: number;
  commands: CommandSpec[];
  refusals: { code: string; sentence: string; hint: string }[];
}

/** A party as the read model lists it; its keys and roles are read from proven state (lib/identity.ts). */
export interface Party {
  did: string;
  party_id: string;
  kind: string;
  name?: string;
  first_seen_ms: number;
  entry_count: number;
}

export interface Statistics {
  entries: number;
  refused: number;
  blocks: number;
  parties: number;
  registers: { register: string; applied: number; refused: number }[];
  minutes: { start_ms: number; applied: number; refused: number }[];
}

export interface SearchHit {
  kind: string;
  id: string;
  title: string;
  snippet?: string;
  href?: string;
}

export interface ScenarioInfo {
  name: string;
  title: string;
  purpose: string;
  input: string;
  /** The names of its steps. */
  steps: string[];
}

export interface ScenarioStep {
  name: string;
  ok: boolean;
  detail: string;
}

export interface Figure {
  id: string;
  value: number;
  unit: string;
  goal?: number | null;
  better?: "higher" | "lower";
  peer?: string | null;
  note?: string | null;
}

export interface Evidence {
  claim: string;
  /** The receipt's file in the run's folder. */
  receipt: string;
}

/** What `stele scenario run --format json` prints, too. */
export interface ScenarioReport {
  scenario: string;
  ok: boolean;
  skipped?: boolean | string | null;
  steps: ScenarioStep[];
  figures: Figure[];
  evidence: Evidence[];
}

export interface ScenarioRun {
  run: number;
  status: "running" | "done" | "failed";
  started_ms: number;
  progress?: { step: number; name: string; detail: string };
  report?: ScenarioReport;
  error?: string;
}

export interface Health {
  status: string;
  [check: string]: Json;
}

/** An RFC 9457 problem, or why no answer came. */
/** One validator of the committee, as this node sees it. */
export interface Validator {
  name: string;
  party: string;
  node_key: string;
  address: string;
  me: boolean;
  heard_ms_ago?: number;
  height?: number;
  lag?: number;
}

/** A member by id and name. */
export interface Member {
  did: string;
  name: string;
}

/** The newest change of the committee. */
export interface CommitteeChange {
  round: number;
  status: "pending" | "done" | "failed";
  from: number;
  dealt: number;
  confirmed: number;
  deal_until_ms: number;
  validators: { member: Member; node_key: string; address: string; present: boolean }[];
}

/** What the stewards decide on. */
export interface Proposal {
  number: number;
  title: string;
  status: "open" | "over" | "accepted" | "rejected" | "withdrawn";
  by: Member;
  until_ms: number;
  actions: { command: string; body: Json }[];
  approvals: Member[];
  rejections: Member[];
  needed: number;
  decided_height?: number;
}

/** How the network of validators does. */
export interface Committee {
  role: string;
  epoch: number;
  view: number;
  committee: number;
  quorum: number;
  validators: Validator[];
  height: number;
  best_height: number;
  finality_p50_ms?: number;
  finality_p99_ms?: number;
  pool: number;
  change?: CommitteeChange;
  alarms: { code: string; message: string; hint: string }[];
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly hint: string,
  ) {
    super(title);
  }

  get missing(): boolean {
    return this.status === 404;
  }

  get forbidden(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** The address of an API path, beside the console's own page. */
export function address(path: string): string {
  return new URL(path.replace(/^\//, ""), document.baseURI.split("#")[0]).href;
}

const TOKEN = "stele.token";
/** The node's API token for this tab; it is never kept beyond it. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set: (value: string) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token.get()) headers.set("authorization", `Bearer ${token.get()}`);
  let response: Response;
  try {
    response = await fetch(address(path), { ...init, headers });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new Problem(0, "unreachable", "The node did not answer", "No connection to the node could be made.", "Check that it is running, then try again.");
  }
  if (!response.ok) throw await problem(response);
  return response;
}

async function problem(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const text = (name: string) => (typeof body[name] === "string" ? (body[name] as string) : "");
  return new Problem(response.status, text("code") || `http-${response.status}`, text("title") || `The node answered ${response.status}`, text("detail"), text("hint"));
}

export async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await request(path, { ...init, headers: { accept: "application/json", ...init?.headers } });
  return (await response.json()) as T;
}

/** An entry as a line of a list. */
export function summaryOf(entry: Entry): EntrySummary {
  return { ...entry, commands: entry.commands.map(({ name }) => name) };
}

/** Appends the members that are set. */
export function withQuery(path: string, query: Record<string, string | number | undefined | null>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  return search.size > 0 ? `${path}?${search}` : path;
}

export interface EntryQuery {
  register?: string;
  party?: string;
  outcome?: string;
  q?: string;
  item?: string;
  from?: string | number;
  to?: string | number;
  cursor?: string;
  limit?: number;
}

const part = encodeURIComponent;

export const api = {
  network: (signal?: AbortSignal) => json<NetworkInfo>("v1/network", { signal }),
  committee: (signal?: AbortSignal) => json<Committee>("v1/network/status", { signal }),
  proposals: (signal?: AbortSignal) => json<{ items: Proposal[]; next?: number }>("v1/network/proposals?limit=20", { signal }),
  health: (signal?: AbortSignal) => json<Health>("health", { signal }),
  checkpoint: async (signal?: AbortSignal) => (await request("log/checkpoint", { signal })).text(),
  entries: (query: EntryQuery, signal?: AbortSignal) => json<Page<EntrySummary>>(withQuery("v1/entries", { ...query }), { signal }),
  entry: (id: string, signal?: AbortSignal) => json<Entry>(`v1/entries/${part(id)}`, { signal }),
  receiptPath: (id: string) => `v1/entries/${part(id)}/receipt`,
  stateReceiptPath: (register: string, keyHex: string) => `v1/state/${part(register)}/${part(keyHex)}/receipt`,
  envelopePath: (id: string) => `v1/entries/${part(id)}/envelope`,
  bytes: async (path: string, signal?: AbortSignal) => new Uint8Array(await (await request(path, { signal })).arrayBuffer()),
  blocks: (query: { cursor?: string; limit?: number }, signal?: AbortSignal) => json<Page<Block>>(withQuery("v1/blocks", query), { signal }),
  block: (height: string, signal?: AbortSignal) => json<Block>(`v1/blocks/${part(height)}`, { signal }),
  registers: async (signal?: AbortSignal) => list(await json<Register[] | Page<Register>>("v1/registers", { signal })),
  register: (name: string, signal?: AbortSignal) => json<Register>(`v1/registers/${part(name)}`, { signal }),
  parties: (query: { q?: string; cursor?: string; limit?: number }, signal?: AbortSignal) => json<Page<Party>>(withQuery("v1/parties", query), { signal }),
  party: (did: string, signal?: AbortSignal) => json<Party>(`v1/parties/${part(did)}`, { signal }),
  partyEntries: (did: string, query: { cursor?: string; limit?: number }, signal?: AbortSignal) =>
    json<Page<EntrySummary>>(withQuery(`v1/parties/${part(did)}/entries`, query), { signal }),
  search: async (q: string, signal?: AbortSignal) => list(await json<SearchHit[] | Page<SearchHit>>(withQuery("v1/search", { q }), { signal })),
  scenarios: async (signal?: AbortSignal) => list(await json<ScenarioInfo[] | Page<ScenarioInfo>>("v1/scenarios", { signal })),
  scenario: (name: string, signal?: AbortSignal) => json<ScenarioInfo>(`v1/scenarios/${part(name)}`, { signal }),
  runScenario: (name: string) => json<ScenarioRun>(`v1/scenarios/${part(name)}/runs`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }),
  latestRun: (name: string, signal?: AbortSignal) => json<ScenarioRun>(`v1/scenarios/${part(name)}/runs/latest`, { signal }),
  runFilePath: (name: string, file: string) => `v1/scenarios/${part(name)}/runs/latest/files/${part(file.split("/").at(-1) ?? "")}`,
  statistics: (signal?: AbortSignal) => json<Statistics>("v1/statistics", { signal }),
  watchPath: (from: number) => withQuery("v1/watch", { from }),
};

function list<T>(answer: T[] | Page<T>): T[] {
  return Array.isArray(answer) ? answer : answer.items;
}
