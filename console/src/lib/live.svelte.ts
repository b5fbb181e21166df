// The stream of final entries (server-sent events), shared by the views that show it.

import { address, api, type EntrySummary } from "./api";

const KEPT = 40;
const SECONDS = 60;
const FLUSH_MS = 150;

class Live {
  entries = $state.raw<EntrySummary[]>([]);
  /** Entries that arrived while paused. */
  waiting = $state(0);
  paused = $state(false);
  connected = $state(false);
  failed = $state(false);
  /** Entries that arrived in each of the last 60 seconds, oldest first. */
  perSecond = $state.raw<number[]>(new Array<number>(SECONDS).fill(0));
  height = $state(0);
  logSize = $state(0);
  timeMs = $state(0);
  now = $state(Date.now());
  /** The first log index that came by the stream. */
  arrivedFrom = $state(Infinity);
  #held: EntrySummary[] = [];
  #source: EventSource | undefined;
  #flush: ReturnType<typeof setTimeout> | undefined;
  #users = 0;
  #tick: ReturnType<typeof setInterval> | undefined;
  #second = 0;

  /** Opens the stream after a log index; the last user closes it. Returns the closing. */
  open(logSize: number, known: EntrySummary[]): () => void {
    this.#users += 1;
    if (!this.#source) {
      this.entries = known;
      this.logSize = logSize;
      this.arrivedFrom = logSize;
      this.#connect(logSize);
      this.#tick = setInterval(() => this.#advance(), 1000);
    }
    return () => {
      this.#users -= 1;
      if (this.#users > 0) return;
      this.#source?.close();
      this.#source = undefined;
      clearInterval(this.#tick);
      this.connected = false;
    };
  }

  #connect(from: number): void {
    const source = new EventSource(address(api.watchPath(from)));
    this.#source = source;
    source.onopen = () => ((this.connected = true), (this.failed = false));
    source.onerror = () => ((this.connected = false), (this.failed = source.readyState === EventSource.CLOSED));
    source.addEventListener("entry", (event) => this.#arrive(JSON.parse((event as MessageEvent<string>).data) as EntrySummary));
    source.addEventListener("block", (event) => {
      const block = JSON.parse((event as MessageEvent<string>).data) as { height: number; time_ms?: number; log_size?: number };
      this.height = Math.max(this.height, block.height);
      if (block.time_ms) this.timeMs = Math.max(this.timeMs, block.time_ms);
      if (block.log_size) this.logSize = Math.max(this.logSize, block.log_size);
    });
  }

  #arrive(entry: EntrySummary): void {
    this.#second += 1;
    this.logSize = Math.max(this.logSize, entry.log_index + 1);
    this.height = Math.max(this.height, entry.height);
    this.timeMs = Math.max(this.timeMs, entry.time_ms);
    this.#held.push(entry);
    // A burst is shown by its newest, and painted a few times a second however fast it comes.
    if (this.#held.length > KEPT) this.#held.shift();
    if (this.paused) this.waiting += 1;
    else this.#flush ??= setTimeout(() => this.#show(), FLUSH_MS);
  }

  #show(): void {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    if (this.paused) return;
    const known = new Set(this.entries.map((entry) => entry.log_index));
    const fresh = this.#held.filter((entry) => !known.has(entry.log_index)).reverse();
    this.#held = [];
    this.waiting = 0;
    if (fresh.length > 0) this.entries = [...fresh, ...this.entries].slice(0, KEPT);
  }

  #advance(): void {
    this.now = Date.now();
    this.perSecond = [...this.perSecond.slice(1), this.#second];
    this.#second = 0;
  }

  toggle(): void {
    this.paused = !this.paused;
    if (!this.paused) this.#show();
  }
}

export const live = new Live();
