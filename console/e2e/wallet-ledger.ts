// A fictional network for the wallet's tests: what a node would show, and proofs of issuance under its key. It is built with
// the builders of the verifier's own tests, which write what the verifier reads. Its offices are fictional.

import { randomBytes } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";
import * as build from "../../sdk/typescript/test/build";
import { concat, toHex, utf8 } from "../../sdk/typescript/src/bytes";
import { NULL, encodeArray, encodeBytes, encodeInt, encodeText } from "../../sdk/typescript/src/cbor";
import { partyDid, partyIdOfFirstKey, publicKeyFromCose } from "../../sdk/typescript/src/keys";
import { leafHash } from "../../sdk/typescript/src/merkle";
import { statePath } from "../../sdk/typescript/src/state";
import { publicKeyFromJwk } from "../../sdk/typescript/src/credential";
import type { JWK } from "jose";

/** What the receipt says about reports of the issuer's key. */
export type Reports = "not-asked" | "none" | "since-ever";

export class TestLedger {
  /** What `/v1/network` shows: the node's descriptor and more, as a node does. */
  shown: Record<string, unknown>;
  /** Proofs by base64url(SHA-256(JWT)). */
  readonly proofs = new Map<string, Uint8Array>();
  private readonly world = build.world();

  constructor() {
    this.shown = { ...build.descriptor(this.world.networkKey), name: "Fictional network of schools", head: { height: 4 }, validators: 1 };
  }

  /** Another network: its genesis names another key. */
  static other(): Record<string, unknown> {
    return { ...build.descriptor(build.signer("Ed25519", 77)), name: "Fictional other network" };
  }

  did(key: JWK): string {
    return partyDid(partyIdOfFirstKey(publicKeyFromJwk(key).kid));
  }

  /** Commits to what an issuer signed with the key of its party, and makes a proof for each. */
  commit(jwts: string[], key: JWK, type: string, reports: Reports): void {
    const { kid } = publicKeyFromJwk(key);
    const salts = jwts.map(() => new Uint8Array(randomBytes(32)));
    const leaves = jwts.map((jwt, number) => leafHash(sha256(concat(utf8("stele/credential/commitment/v1"), salts[number] as Uint8Array, sha256(utf8(jwt))))));
    const issuance = concat(utf8("issuance/"), partyIdOfFirstKey(kid), build.treeRoot(leaves));
    const record = encodeArray(encodeBytes(sha256(utf8("a fictional entry"))), encodeInt(3), encodeInt(Date.UTC(2026, 4, 3, 10)), encodeBytes(kid), encodeText(type), encodeText("XX/schools"), encodeInt(jwts.length), NULL, encodeArray(encodeBytes(sha256(utf8("a fictional accreditation")))));
    const compromise = concat(utf8("compromise/"), kid);
    const report = reports === "since-ever" ? encodeArray(encodeInt(0), encodeInt(4), encodeBytes(partyIdOfFirstKey(kid))) : null;
    const values: [Uint8Array, Uint8Array][] = [[issuance, record], ...(report ? [[compromise, report] as [Uint8Array, Uint8Array]] : [])];
    const state = [...this.world.leaves, ...values.map(([place, value]) => ({ path: statePath("credential", place), valueHash: sha256(value) }))];
    const claims = [build.stateClaim("credential", issuance, record, state), ...(reports === "not-asked" ? [] : [build.stateClaim("credential", compromise, report, state)])];
    const receipt = build.receipt({ ...this.world, leaves: state }, { entry: null, entryClaim: false, claims });
    for (const [number, jwt] of jwts.entries()) {
      const proof = encodeArray(encodeInt(1), encodeBytes(salts[number] as Uint8Array), encodeInt(number), encodeArray(...build.treePath(number, leaves).map(encodeBytes)), encodeBytes(receipt));
      this.proofs.set(Buffer.from(sha256(utf8(jwt))).toString("base64url"), proof);
    }
  }
}

/** The short form of a network's key, as people compare it. */
export const fingerprint = (descriptor: Record<string, unknown>): string => (toHex(publicKeyFromCose(Buffer.from(String(descriptor["key"]), "hex")).kid).match(/.{4}/g) ?? []).join(" ");
