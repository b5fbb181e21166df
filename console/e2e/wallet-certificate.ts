// A self-signed certificate for a test's verifier (RFC 5280), read back by Node's own parser.

import { KeyObject, X509Certificate, sign } from "node:crypto";
import type { CryptoKey } from "jose";

const der = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 0x80 ? [body.length] : body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const hex = (text: string) => Buffer.from(text, "hex");
const time = (date: Date) => der(0x18, Buffer.from(`${date.toISOString().replaceAll(/[-:T]/g, "").slice(0, 14)}Z`));

const ECDSA_SHA256 = der(0x30, hex("06082a8648ce3d040302"));

export function certificateFor(host: string, publicKey: CryptoKey, privateKey: CryptoKey, days = 1): string {
  const name = der(0x30, der(0x31, der(0x30, hex("0603550403"), der(0x0c, Buffer.from("Fictional Employer")))));
  const validity = der(0x30, time(new Date(Date.now() - 2 * 86_400_000)), time(new Date(Date.now() + days * 86_400_000)));
  const info = KeyObject.from(publicKey as never).export({ type: "spki", format: "der" });
  const names = der(0x30, hex("0603551d11"), der(0x04, der(0x30, der(0x82, Buffer.from(host)))));
  const body = der(0x30, der(0xa0, hex("020102")), hex("02020400"), ECDSA_SHA256, name, validity, name, info, der(0xa3, der(0x30, names)));
  const signature = sign("sha256", body, KeyObject.from(privateKey as never));
  const certificate = der(0x30, body, ECDSA_SHA256, der(0x03, hex("00"), signature));
  const read = new X509Certificate(certificate);
  if (read.subjectAltName !== `DNS:${host}` || !read.verify(read.publicKey)) throw new Error("the test's certificate is wrong");
  return certificate.toString("base64");
}
