// The wallet's reading of SD-JWT and of status lists, on the standards' own published examples.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { type JWK, compactVerify, importJWK } from "jose";
import { verifyJws } from "../src/wallet/lib/check";
import { sha256Text } from "../src/wallet/lib/bytes";
import { leaves, needed, readJwt, readSdJwt, visible, withDisclosures } from "../src/wallet/lib/sdjwt";
import { valueAt } from "../src/wallet/lib/status";

const data = process.env["STELE_DATA"];
const credentials = join(data ?? "", "interop/credentials");
test.skip(!data, "set STELE_DATA to the folder of published vectors");

interface Example {
  section: string;
  value: string;
  kb_signature_verified: boolean | null;
}
const published = (): { examples: Example[]; issuer: JWK; holder: JWK } => {
  const { examples } = JSON.parse(readFileSync(join(credentials, "sd-jwt/draft-22-examples.json"), "utf8")) as { examples: Example[] };
  return { examples, ...(JSON.parse(readFileSync(join(credentials, "sd-jwt/public_keys.json"), "utf8")) as { issuer: JWK; holder: JWK }) };
};

test("every published SD-JWT is read, with each disclosure in its place", async () => {
  const { examples, issuer, holder } = published();
  const wanted = { read: 0, bound: 0 };
  for (const { section, value, kb_signature_verified: isBound } of examples) {
    if (!value.includes("~")) {
      await expect(readSdJwt(value), section).rejects.toMatchObject({ code: "credential.malformed" });
      continue;
    }
    const paper = await readSdJwt(value);
    await verifyJws(paper.jwt, issuer, "credential");
    wanted.read += 1;
    expect(paper.keyBinding !== undefined, section).toBe(isBound === true);
    if (!paper.keyBinding) continue;
    await compactVerify(paper.keyBinding, await importJWK(holder, "ES256"));
    expect(readJwt(paper.keyBinding, "", "").payload["sd_hash"]).toBe(await sha256Text(paper.compact));
    wanted.bound += 1;
  }
  expect(wanted).toEqual({ read: 8, bound: 3 });
});

test("a published SD-JWT with a changed, repeated or foreign disclosure is refused", async () => {
  const { examples } = published();
  let changed = 0;
  for (const { value } of examples.filter(({ value: text }) => text.includes("~"))) {
    const parts = value.slice(0, value.lastIndexOf("~")).split("~");
    for (let at = 1; at < parts.length; at += 1) {
      const old = JSON.parse(Buffer.from(parts[at] as string, "base64url").toString()) as unknown[];
      const other = Buffer.from(JSON.stringify([...old.slice(0, -1), "changed"])).toString("base64url");
      await expect(readSdJwt([...parts.slice(0, at), other, ...parts.slice(at + 1), ""].join("~"))).rejects.toMatchObject({ code: "credential.disclosure-altered" });
      await expect(readSdJwt([...parts, parts[at], ""].join("~"))).rejects.toMatchObject({ code: "credential.disclosure-repeated" });
      changed += 1;
    }
  }
  expect(changed).toBeGreaterThan(50);
});

test("what the consent screen names is what a reader of the answer finds", async () => {
  const { examples } = published();
  let compared = 0;
  for (const { value } of examples.filter(({ value: text }) => text.includes("~"))) {
    const paper = await readSdJwt(value);
    for (const claim of leaves(paper.root)) {
      const numbers = needed([claim]);
      const read = await readSdJwt(withDisclosures(paper, numbers));
      const values = (root: typeof paper.root) => leaves(root).map((leaf) => JSON.stringify(leaf.value));
      expect(values(read.root).sort()).toEqual(values(visible(paper.root, numbers)).sort());
      compared += 1;
    }
  }
  expect(compared).toBeGreaterThan(100);
});

test("published status lists give the published values", async () => {
  const folder = join(credentials, "status-list/examples");
  let short = 0;
  for (const bits of [1, 2]) {
    const text = readFileSync(join(folder, `status_list_encoding${bits === 1 ? "" : bits}_json.md`), "utf8");
    const bytes = [...text.matchAll(/0x([0-9a-f]{2})/g)].map(([, byte]) => parseInt(byte as string, 16));
    const list = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)) as { bits: number; lst: string };
    for (let index = 0; index < (bytes.length * 8) / bits; index += 1) {
      const expected = ((bytes[Math.floor((index * bits) / 8)] as number) >> ((index * bits) % 8)) & ((1 << bits) - 1);
      expect(await valueAt(list, index), `${bits} bits, number ${index}`).toBe(expected);
      short += 1;
    }
    await expect(valueAt(list, (bytes.length * 8) / bits)).rejects.toMatchObject({ code: "status.index" });
  }
  expect(short).toBe(28);
  // The long ones have these values set (Token Status List, test vectors); all others are 0.
  const long = readdirSync(folder).filter((name) => name.endsWith("_long_json.md"));
  expect(long.length).toBe(2);
  for (const name of long) {
    const list = JSON.parse(readFileSync(join(folder, name), "utf8").replaceAll(/\s/g, "")) as { bits: number; lst: string };
    expect(await valueAt(list, 0), name).toBe(1);
    expect(await valueAt(list, 1993), name).toBe(list.bits === 1 ? 1 : 2);
    expect(await valueAt(list, 1), name).toBe(0);
  }
});
