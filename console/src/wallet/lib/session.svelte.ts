// The open wallet: contents in memory, saved after each change, locked after a while without use.

import { unwrapByPassphrase, unwrapByPasskey, type Wrap } from "./seal";
import { type Contents, type VaultRecord, create, emptyContents, erase, open, save, stored } from "./vault";
import { Trouble } from "./trouble";

export type Phase = "loading" | "none" | "locked" | "open";

let phase = $state<Phase>("loading");
let contents = $state.raw<Contents>(emptyContents());
let wraps = $state.raw<Wrap[]>([]);
let key: CryptoKey | undefined;
let record: VaultRecord | undefined;
let lastUseMs = Date.now();
/** Saves follow each other: each works on what the one before has written. */
let queue: Promise<unknown> = Promise.resolve();


function opened(withKey: CryptoKey, withRecord: VaultRecord, plain: Contents): void {
  key = withKey;
  record = withRecord;
  wraps = withRecord.wraps;
  contents = plain;
  lastUseMs = Date.now();
  phase = "open";
}

async function write(how: (plain: Contents) => Contents): Promise<void> {
  if (!key || !record) throw new Trouble("vault.locked", "The wallet is locked.", "Unlock it and try again.");
  const next = how(contents);
  record = await save(key, record, next);
  if (phase === "open") contents = next;
}

async function reread(): Promise<void> {
  const current = await stored();
  if (!key || !current) {
    session.lock();
    throw new Trouble("vault.none", "The wallet was erased in another window.", "Reload the page.");
  }
  contents = await open(key, current);
  record = current;
  wraps = current.wraps;
}

export const session = {
  get phase() {
    return phase;
  },
  get contents() {
    return contents;
  },
  get wraps() {
    return wraps;
  },
  async load(): Promise<void> {
    record = await stored();
    wraps = record?.wraps ?? [];
    phase = record ? "locked" : "none";
  },
  async create(wrapper: (fresh: CryptoKey) => Promise<Wrap>, plain: Contents = emptyContents()): Promise<void> {
    const made = await create(plain, wrapper);
    // Asks the browser not to clear the wallet when space runs low; it may say no.
    void navigator.storage?.persist?.();
    opened(made.key, made.record, plain);
  },
  async unlock(passphrase?: string): Promise<void> {
    const current = await stored();
    if (!current) throw new Trouble("vault.none", "There is no wallet on this device any more.", "Reload the page.");
    const byPassphrase = current.wraps.find((wrap) => wrap.kind === "passphrase");
    const unwrapped = passphrase === undefined ? await unwrapByPasskey(current.wraps) : byPassphrase && (await unwrapByPassphrase(byPassphrase as Wrap & { kind: "passphrase" }, passphrase));
    if (!unwrapped) throw new Trouble("vault.passphrase", "This wallet has no passphrase.", "Use its passkey.");
    opened(unwrapped, current, await open(unwrapped, current));
  },
  lock(): void {
    if (phase !== "open") return;
    key = undefined;
    contents = emptyContents();
    phase = "locked";
  },
  /** Changes the contents and writes them before it returns. */
  async change(how: (plain: Contents) => Contents): Promise<void> {
    const turn = queue.then(async () => {
      try {
        await write(how);
      } catch (error) {
        if (!(error instanceof Trouble) || error.code !== "vault.changed") throw error;
        // Another window has written: the change is made once more, on what it left.
        await reread();
        await write(how);
      }
    });
    queue = turn.catch(() => undefined);
    return turn;
  },
  async addWrap(wrapper: (open: CryptoKey) => Promise<Wrap>): Promise<void> {
    if (!key || !record) throw new Trouble("vault.locked", "The wallet is locked.", "Unlock it and try again.");
    const wrap = await wrapper(key);
    // One passphrase at most: a new one takes the place of the old.
    record = await save(key, record, contents, [...record.wraps.filter(({ kind }) => kind === "passkey" || kind !== wrap.kind), wrap]);
    wraps = record.wraps;
  },
  async removeWrap(wrap: Wrap): Promise<void> {
    if (!key || !record) throw new Trouble("vault.locked", "The wallet is locked.", "Unlock it and try again.");
    if (record.wraps.length < 2) throw new Trouble("vault.last-lock", "This is the only way to open the wallet.", "Add another way first.");
    const left = record.wraps.filter(({ addedMs, kind }) => !(addedMs === wrap.addedMs && kind === wrap.kind));
    record = await save(key, record, contents, left);
    wraps = record.wraps;
  },
  async erase(): Promise<void> {
    await erase();
    key = undefined;
    record = undefined;
    contents = emptyContents();
    wraps = [];
    phase = "none";
  },
  used(): void {
    lastUseMs = Date.now();
  },
  /** Locks when nobody has used the wallet for as long as the citizen chose. */
  lockIfIdle(): void {
    if (phase === "open" && Date.now() - lastUseMs >= contents.lockMinutes * 60_000) session.lock();
  },
};
