// AES-256-GCM under keys from a passphrase (PBKDF2) or from a passkey (WebAuthn PRF, then HKDF).

import { type Bytes, fromBase64Url, random, toBase64Url, utf8 } from "./bytes";
import { Trouble } from "./trouble";

export interface Sealed {
  iv: string;
  data: string;
}
/** The vault key or a backup key, sealed under a key that only the citizen can make again. */
export type Wrap =
  | { kind: "passkey"; credentialId: string; salt: string; addedMs: number; sealed: Sealed }
  | { kind: "passphrase"; salt: string; iterations: number; addedMs: number; sealed: Sealed };

/** OWASP's figure for PBKDF2 with HMAC-SHA-256 (Password Storage Cheat Sheet). */
const ITERATIONS = 600_000;
const ITERATIONS_MAX = 10_000_000;
export const PASSPHRASE_LENGTH_MIN = 10;

export async function newKey(): Promise<CryptoKey> {
  return importKey(random(32));
}

/** Extractable, because it is wrapped again for each further passkey, passphrase and backup. */
export const importKey = (raw: Bytes): Promise<CryptoKey> => crypto.subtle.importKey("raw", raw, "AES-GCM", true, ["encrypt", "decrypt"]);
export const rawKey = async (key: CryptoKey): Promise<Bytes> => new Uint8Array(await crypto.subtle.exportKey("raw", key));

export async function seal(key: CryptoKey, plain: Bytes, context: string): Promise<Sealed> {
  const iv = random(12);
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: utf8(context) }, key, plain);
  return { iv: toBase64Url(iv), data: toBase64Url(new Uint8Array(data)) };
}

/** Throws a DOMException if the key, the context or the data is another. */
export async function unseal(key: CryptoKey, { iv, data }: Sealed, context: string): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: fromBase64Url(iv), additionalData: utf8(context) }, key, fromBase64Url(data)));
}

async function passphraseKey(passphrase: string, salt: Bytes, iterations: number): Promise<CryptoKey> {
  if (!(iterations >= 100_000 && iterations <= ITERATIONS_MAX)) throw new Trouble("backup.malformed", "This file was not made by a wallet.");
  const base = await crypto.subtle.importKey("raw", utf8(passphrase.normalize("NFKC")), "PBKDF2", false, ["deriveKey"]);
  return crypto.subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

const WRAP = "stele-wallet-wrap/1";

export async function wrapByPassphrase(key: CryptoKey, passphrase: string, nowMs: number): Promise<Wrap> {
  const salt = random(16);
  const sealed = await seal(await passphraseKey(passphrase, salt, ITERATIONS), await rawKey(key), WRAP);
  return { kind: "passphrase", salt: toBase64Url(salt), iterations: ITERATIONS, addedMs: nowMs, sealed };
}

export async function unwrapByPassphrase(wrap: Wrap & { kind: "passphrase" }, passphrase: string): Promise<CryptoKey> {
  const key = await passphraseKey(passphrase, fromBase64Url(wrap.salt), wrap.iterations);
  try {
    return await importKey(await unseal(key, wrap.sealed, WRAP));
  } catch {
    throw new Trouble("vault.passphrase", "That is not the passphrase.", "Mind capital letters and spaces. Nobody can reset it; a backup with guardians can help.");
  }
}

// ---- Passkeys ----

/** Why this browser cannot use a passkey here, or nothing if it can try. */
export function passkeyMissing(): string | undefined {
  if (!window.isSecureContext || !("PublicKeyCredential" in window)) return "This browser or connection has no passkeys.";
  if (/^[\d.]+$|^\[/.test(location.hostname)) return "Passkeys need a name in the address, not a number.";
  return undefined;
}

interface PrfResults {
  prf?: { enabled?: boolean; results?: { first?: BufferSource } };
}

const prfOutput = (credential: PublicKeyCredential): Bytes | undefined => {
  const first = (credential.getClientExtensionResults() as PrfResults).prf?.results?.first;
  return first ? new Uint8Array(first instanceof ArrayBuffer ? first : ((first as Uint8Array<ArrayBuffer>).slice().buffer as ArrayBuffer)) : undefined;
};

async function passkeyKey(output: Bytes): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey("raw", output, "HKDF", false, ["deriveKey"]);
  return crypto.subtle.deriveKey({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: utf8("stele-wallet passkey/1") }, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

const cancelled = () => new Trouble("vault.passkey-cancelled", "The passkey was not used.", "Try again, or use the passphrase if you have set one.");

export async function wrapByPasskey(key: CryptoKey, nowMs: number): Promise<Wrap> {
  const salt = random(32);
  let made: PublicKeyCredential | null;
  try {
    made = (await navigator.credentials.create({
      publicKey: {
        rp: { name: "Stele wallet", id: location.hostname },
        user: { id: random(16), name: "Stele wallet", displayName: "Stele wallet" },
        // No server checks a signature of this passkey: it is there for the secret that it derives.
        challenge: random(32),
        pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key" as const, alg })),
        authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
        extensions: { prf: { eval: { first: salt } } } as AuthenticationExtensionsClientInputs,
      },
    })) as PublicKeyCredential | null;
  } catch {
    throw cancelled();
  }
  if (!made) throw cancelled();
  const credentialId = toBase64Url(new Uint8Array(made.rawId));
  const enabled = (made.getClientExtensionResults() as PrfResults).prf?.enabled === true;
  const output = prfOutput(made) ?? (enabled ? await askPasskey([{ credentialId, salt: toBase64Url(salt) }]).then((asked) => asked.output) : undefined);
  if (!output) throw new Trouble("vault.passkey-no-prf", "This passkey cannot protect the wallet: it does not derive secrets (WebAuthn PRF).", "Use a passphrase instead. The passkey that was just made has no use; you may delete it.");
  return { kind: "passkey", credentialId, salt: toBase64Url(salt), addedMs: nowMs, sealed: await seal(await passkeyKey(output), await rawKey(key), WRAP) };
}

async function askPasskey(wraps: { credentialId: string; salt: string }[]): Promise<{ credentialId: string; output: Bytes }> {
  let used: PublicKeyCredential | null;
  try {
    used = (await navigator.credentials.get({
      publicKey: {
        challenge: random(32),
        rpId: location.hostname,
        allowCredentials: wraps.map(({ credentialId }) => ({ type: "public-key", id: fromBase64Url(credentialId) })),
        userVerification: "required",
        extensions: { prf: { evalByCredential: Object.fromEntries(wraps.map(({ credentialId, salt }) => [credentialId, { first: fromBase64Url(salt) }])) } } as AuthenticationExtensionsClientInputs,
      },
    })) as PublicKeyCredential | null;
  } catch {
    throw cancelled();
  }
  const output = used && prfOutput(used);
  if (!used || !output) throw cancelled();
  return { credentialId: toBase64Url(new Uint8Array(used.rawId)), output };
}

export async function unwrapByPasskey(wraps: Wrap[]): Promise<CryptoKey> {
  const passkeys = wraps.filter((wrap): wrap is Wrap & { kind: "passkey" } => wrap.kind === "passkey");
  const { credentialId, output } = await askPasskey(passkeys);
  const wrap = passkeys.find((candidate) => candidate.credentialId === credentialId);
  if (!wrap) throw cancelled();
  try {
    return await importKey(await unseal(await passkeyKey(output), wrap.sealed, WRAP));
  } catch {
    throw new Trouble("vault.passkey-other", "This passkey does not open this wallet.", "Use the passkey that you made for it.");
  }
}
