// Backups: one encrypted file, opened by a passphrase or by k of n guardians' shares of its key (Shamir).

import { combine, split } from "shamir-secret-sharing";
import { type Bytes, fromBase64Url, fromUtf8, isObject, parseJson, random, randomId, sha256Text, text, toBase64Url, utf8 } from "./bytes";
import { type Sealed, type Wrap, importKey, newKey, seal, unseal, unwrapByPassphrase, wrapByPassphrase } from "./seal";
import { Trouble } from "./trouble";
import type { Contents, Guardians } from "./vault";

const FORMAT = "stele-wallet-backup/1";
const SHARE = /stele-share\/1\.([\w-]{22})\.(\d{1,2})\.(\d{1,2})\.(\d{1,2})\.([\w-]{40,60})\.([\w-]{6})/;
export const GUARDIANS_MAX = 9;

export interface BackupFile {
  format: typeof FORMAT;
  id: string;
  madeMs: number;
  passphrase?: Wrap & { kind: "passphrase" };
  guardians?: { threshold: number; count: number };
  sealed: Sealed;
}
export interface Share {
  backupId: string;
  threshold: number;
  count: number;
  number: number;
  bytes: Bytes;
}

/** Makes a new backup key and its shares; shares given out before no longer fit. */
export async function appoint(names: string[], threshold: number, nowMs: number): Promise<{ guardians: Guardians; shares: string[] }> {
  const key = random(32);
  const backupId = randomId();
  const parts = await split(key, names.length, threshold);
  const shares = await Promise.all(
    parts.map(async (part, at) => {
      const line = `stele-share/1.${backupId}.${threshold}.${names.length}.${at + 1}.${toBase64Url(part)}`;
      return `${line}.${await checksum(line)}`;
    }),
  );
  return { guardians: { backupId, backupKey: toBase64Url(key), names, threshold, sinceMs: nowMs }, shares };
}

const checksum = async (line: string): Promise<string> => (await sha256Text(line)).slice(0, 6);

/** Finds a share in a file or in pasted text. */
export async function readShare(from: string): Promise<Share> {
  const found = SHARE.exec(from);
  if (!found) throw new Trouble("share.malformed", "There is no guardian's share in this.", "A share begins with stele-share/1. Choose the guardian's file, or paste its whole line.");
  const line = found[0].slice(0, found[0].lastIndexOf("."));
  if ((await checksum(line)) !== found[6]) throw new Trouble("share.mistyped", "This share has a mistake in it.", "Ask the guardian for the file again, or compare the line letter by letter.");
  return { backupId: found[1] as string, threshold: Number(found[2]), count: Number(found[3]), number: Number(found[4]), bytes: fromBase64Url(found[5] as string) };
}

/** The text of a guardian's file: says to a person who finds it in ten years what it is. */
export function shareFile(share: string, guardian: string, threshold: number, count: number, nowMs: number): string {
  return `A share of the key to a Stele wallet's backup

For: ${guardian}
Made: ${new Date(nowMs).toISOString().slice(0, 10)}

This is one of ${count} shares; ${threshold} of them together open the backup file. One alone says nothing.
Keep it where only you can read it. Give it back only to the owner of the wallet, in person,
when that person asks for it: nobody else has a reason to.

${share}
`;
}

export async function makeBackup(contents: Contents, passphrase: string | undefined, nowMs: number): Promise<BackupFile> {
  const { guardians } = contents;
  if (!guardians && !passphrase) throw new Trouble("backup.no-key", "A backup needs a passphrase or guardians.", "Type a passphrase, or appoint guardians first.");
  const id = guardians?.backupId ?? randomId();
  const key = guardians ? await importKey(fromBase64Url(guardians.backupKey)) : await newKey();
  return {
    format: FORMAT,
    id,
    madeMs: nowMs,
    ...(passphrase ? { passphrase: (await wrapByPassphrase(key, passphrase, nowMs)) as Wrap & { kind: "passphrase" } } : {}),
    ...(guardians ? { guardians: { threshold: guardians.threshold, count: guardians.names.length } } : {}),
    sealed: await seal(key, utf8(JSON.stringify(contents)), FORMAT + id),
  };
}

const malformed = () => new Trouble("backup.malformed", "This file is not a wallet's backup.", "Choose the file that the wallet saved; its name begins with stele-wallet-backup.");

export function readBackup(from: string): BackupFile {
  try {
    const value = parseJson(from);
    if (!isObject(value) || value["format"] !== FORMAT || !text(value["id"]) || !isObject(value["sealed"])) throw malformed();
    return value as unknown as BackupFile;
  } catch {
    throw malformed();
  }
}

async function opened(file: BackupFile, key: CryptoKey): Promise<Contents> {
  return JSON.parse(fromUtf8(await unseal(key, file.sealed, FORMAT + file.id))) as Contents;
}

export async function openByPassphrase(file: BackupFile, passphrase: string): Promise<Contents> {
  if (!file.passphrase) throw new Trouble("backup.no-passphrase", "This backup was made without a passphrase.", "Use the guardians' shares.");
  return opened(file, await unwrapByPassphrase(file.passphrase, passphrase));
}

export async function openByShares(file: BackupFile, shares: Share[]): Promise<Contents> {
  const mine = shares.filter(({ backupId }) => backupId === file.id);
  const threshold = file.guardians?.threshold ?? Infinity;
  if (mine.length < threshold) throw new Trouble("share.too-few", `${mine.length} of ${threshold} shares are here.`, "Add the share of another guardian.");
  try {
    return await opened(file, await importKey(new Uint8Array(await combine(mine.slice(0, threshold).map(({ bytes }) => bytes)))));
  } catch {
    throw new Trouble("share.wrong", "These shares do not open this backup.", "A share may be from an earlier appointment of guardians. Ask for the newest one.");
  }
}

