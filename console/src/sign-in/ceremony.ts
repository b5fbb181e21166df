// Passkeys of an issuer: what the node asks of the device, and what the device answers (Web Authentication).

import { Trouble } from "../wallet/lib/trouble";

export interface Request {
  issuer: string;
  kinds: string[];
  ceremony: string;
  options: PublicKeyCredentialRequestOptionsJSON;
}

const NO_PASSKEYS = new Trouble("browser.no-passkeys", "This browser cannot use passkeys here.", "Use a newer browser, and an address with https.");

async function post<T>(path: string, body: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(new URL(path, location.href), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Trouble("network.unreachable", `${location.host} did not answer.`, "Check the connection and try again.");
  }
  const answer = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; hint?: string };
  if (!response.ok) throw new Trouble(answer.code ?? "network.refused", answer.detail ?? `${location.host} refused (HTTP ${response.status}).`, answer.hint ?? "");
  return answer as T;
}

/** What the person did, or why nothing came of it. */
async function device(ask: () => Promise<Credential | null>): Promise<unknown> {
  let credential: Credential | null;
  try {
    credential = await ask();
  } catch (error) {
    if (error instanceof DOMException && error.name === "InvalidStateError") throw new Trouble("passkey.already-registered", "This device has a passkey of yours here already.", "Sign in with it from your wallet.");
    if (error instanceof DOMException && error.name === "NotAllowedError") throw new Trouble("passkey.stopped", "The passkey was not used: you stopped, or it took too long.", "Try again.");
    throw error;
  }
  if (!(credential instanceof PublicKeyCredential)) throw NO_PASSKEYS;
  return credential.toJSON();
}

const issuerPath = (issuer: string, what: string) => `./openid/issuers/${encodeURIComponent(issuer)}/${what}`;

export const started = (issuer: string, request: string): Promise<Request> => post(issuerPath(issuer, "sign-in/start"), { request });

/** Signs in for a wallet's request; gives the address that leads back to the wallet. */
export async function signIn(issuer: string, request: string, { ceremony, options }: Request): Promise<string> {
  if (!("PublicKeyCredential" in window) || !PublicKeyCredential.parseRequestOptionsFromJSON) throw NO_PASSKEYS;
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const answer = await device(() => navigator.credentials.get({ publicKey }));
  return (await post<{ location: string }>(issuerPath(issuer, "sign-in/finish"), { request, ceremony, answer })).location;
}

export const refuse = async (issuer: string, request: string): Promise<string> => (await post<{ location: string }>(issuerPath(issuer, "sign-in/refuse"), { request })).location;

/** Registers a passkey with a code of the office. */
export async function enrol(code: string): Promise<void> {
  if (!("PublicKeyCredential" in window) || !PublicKeyCredential.parseCreationOptionsFromJSON) throw NO_PASSKEYS;
  const { ceremony, options } = await post<{ ceremony: string; options: PublicKeyCredentialCreationOptionsJSON }>("./openid/enrolment/start", { code });
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const answer = await device(() => navigator.credentials.create({ publicKey }));
  await post("./openid/enrolment/finish", { ceremony, answer });
}
