// A fictional log for developing the console without a node: its entries, records, certificates
// and receipts are real ones under a key made for this purpose. Never part of the built console.

import { createHash } from "node:crypto";
import { concat, toHex, utf8 } from "../../sdk/typescript/dist/src/bytes.js";
import { NULL, encodeArray, encodeBytes, encodeInt, encodeMap, encodeTag, encodeText } from "../../sdk/typescript/dist/src/cbor.js";
import { sigStructure } from "../../sdk/typescript/dist/src/cose.js";
import { decodeEntry } from "../../sdk/typescript/dist/src/entry.js";
import { itemToJson } from "../../sdk/typescript/dist/src/json.js";
import { partyDid, partyIdOfFirstKey } from "../../sdk/typescript/dist/src/keys.js";
import { leafHash } from "../../sdk/typescript/dist/src/merkle.js";
import { statePath } from "../../sdk/typescript/dist/src/state.js";
import * as build from "../../sdk/typescript/dist/test/build.js";

const sha256 = (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest());
const body = (fields) => encodeMap(...Object.entries(fields).map(([name, value]) => [encodeText(name), typeof value === "number" ? encodeInt(value) : value instanceof Uint8Array ? encodeBytes(value) : encodeText(value)]));

const eventName = (register, command) => `${register}/${command}${command.endsWith("grant") || command.endsWith("offer") || command.endsWith("accept") || command.endsWith("open") ? "ed" : command.endsWith("commit") ? "ted" : "-noted"}`;
const GRANT = sha256(utf8("a fictional accreditation"));

export class World {
  constructor() {
    this.key = build.signer("Ed25519", 1);
    this.descriptor = { ...build.descriptor(this.key), name: "Harbour consortium (fictional)" };
    this.networkId = Buffer.from(this.descriptor.network_id, "hex");
    const names = [["Orchard Cooperative (fictional)", "Ed25519"], ["Meridian Freight (fictional)", "ES256"], ["Corner Market (fictional)", "Ed25519"], ["Harbour Authority (fictional)", "Ed25519+ML-DSA-65"], ["", "Ed25519"]];
    this.parties = names.map(([name, suite], i) => {
      const signer = build.signer(suite, 20 + i);
      const id = partyIdOfFirstKey(signer.kid);
      return { name, suite, signer, id, did: partyDid(id) };
    });
    this.start = Date.now() - 40 * 60_000;
    this.records = [];
    this.entries = [];
    this.blocks = [];
    this.watchers = new Set();
    this.block([]);
    for (const party of this.parties) this.block([this.make(party, "identity", [["party.register", { name: party.name || "unnamed", key: party.signer.cose }]], 0)]);
    const [maker, , , authority] = this.parties;
    this.block([this.make(authority, "identity", [["accreditation.grant", { id: GRANT, issuer: authority.id, subject: maker.id, action: "trace/event.commit" }]], 0)]);
    for (let i = 0; i < 90; i++) this.block(this.some(i));
  }

  some(i) {
    const lot = `urn:epc:class:lgtin:9521321.012345.LOT-${1 + (i % 12)}`;
    const [maker, carrier, shop, authority, unnamed] = this.parties;
    const at = this.start + i * 25_000;
    switch (i % 5) {
      case 0:
        return [this.make(maker, "trace", [["event.commit", { lot, kind: "ObjectEvent", commitment: sha256(utf8(lot + i)) }]], at)];
      case 1:
        return [this.make(maker, "trace", [["custody.offer", { item: lot, to: carrier.id }]], at), this.make(carrier, "trace", [["custody.accept", { item: lot, from: maker.id }]], at)];
      case 2:
        return [this.make(shop, "trace", [["custody.offer", { item: lot, to: carrier.id }]], at, "trace.custody.not-holder")];
      case 3:
        return [this.make(carrier, "trace", [["event.commit", { lot, kind: "TransactionEvent", commitment: sha256(utf8(lot + i)) }], ["custody.offer", { item: lot, to: shop.id }], ["event.commit", { lot, kind: "AggregationEvent", commitment: sha256(utf8(i + lot)) }]], at)];
      default:
        return i % 2 ? [this.make(authority, "governance", [["register.note", { text: "Weekly inspection, nothing to report" }]], at)] : [this.make(unnamed, "trace", [["recall.open", { lot, reason: "Label misprint" }]], at, "trace.recall.not-maker")];
    }
  }

  make(party, register, commands, at, refused) {
    const payload = encodeArray(...commands.map(([name, fields]) => encodeArray(encodeText(name), body(fields))));
    const nonce = sha256(utf8(`${this.nonce = (this.nonce ?? 0) + 1}`)).subarray(0, 8);
    const from = at || this.start;
    const envelope = build.entry(party.signer, { network: this.networkId, register, window: [from - 1000, from + 600_000], nonce, commands: payload });
    return { party, register, envelope, refused, entry: decodeEntry(envelope) };
  }

  block(items) {
    const height = this.blocks.length;
    const time = items.length && this.live ? Date.now() : this.start + height * 25_000;
    const fresh = items.map((item) => {
      const events = encodeArray(...(item.refused ? [] : item.entry.commands.map(({ name, body: inner }) => encodeArray(encodeText(eventName(item.register, name)), inner.raw))));
      const outcome = item.refused ? encodeArray(encodeInt(1), encodeInt(0), encodeText(item.refused)) : encodeArray(encodeInt(0), encodeBytes(sha256(events)));
      const record = encodeArray(encodeInt(1), encodeBytes(item.entry.id), encodeBytes(item.entry.envelopeHash), encodeBytes(item.party.id), encodeText(item.register), encodeText(`${item.register}@1`), encodeInt(height), encodeInt(time), outcome);
      this.records.push(record);
      const index = this.entries.push({ ...item, events, record, height, time }) - 1;
      return Object.assign(this.entries[index], { index });
    });
    const previous = this.blocks.at(-1)?.hash ?? new Uint8Array(32);
    const root = this.records.length ? build.treeRoot(this.records.map(leafHash)) : sha256(new Uint8Array(0));
    const state = build.stateRoot(this.leaves());
    const header = encodeMap([encodeInt(1), encodeInt(this.key.alg)], [encodeInt(4), encodeBytes(this.key.kid)], [encodeInt(395), encodeInt(1)], [encodeInt(-65538), encodeArray(encodeInt(1), encodeBytes(this.networkId), encodeInt(height), encodeInt(time), encodeBytes(previous), encodeInt(this.records.length), encodeBytes(state))]);
    const signed = sigStructure(header, root);
    this.blocks.push({ height, time, size: this.records.length, root, state, header, signature: this.key.sign(signed), hash: sha256(signed), previous, first: this.records.length - items.length });
    for (const watcher of this.watchers) watcher(fresh, this.blocks.at(-1));
    return fresh;
  }

  receipt(index) {
    const entry = this.entries[index];
    const block = this.blocks.at(-1);
    const path = build.treePath(index, this.records.map(leafHash));
    const proof = encodeArray(encodeInt(block.size), encodeInt(index), encodeArray(...path.map(encodeBytes)));
    const unprotected = encodeMap([encodeInt(396), encodeMap([encodeInt(-1), encodeArray(encodeBytes(proof))])], [encodeInt(-65539), encodeBytes(entry.record)], ...(entry.refused ? [] : [[encodeInt(-65540), encodeBytes(entry.events)]]));
    const certificate = encodeTag(18, encodeArray(encodeBytes(block.header), unprotected, NULL, encodeBytes(block.signature)));
    return encodeMap([encodeInt(0), encodeText("stele-receipt/1")], [encodeInt(1), encodeBytes(certificate)], [encodeInt(2), encodeBytes(entry.envelope)]);
  }

  /** The identity register's state, in its real layout: documents, keys, one accreditation. */
  state() {
    const list = (...values) => encodeArray(...values);
    const [maker, , , authority] = this.parties;
    const rows = this.parties.flatMap(({ id, name, signer }, i) => [
      ["party/", id, list(encodeInt(1), encodeInt(1 + i), NULL, encodeMap([encodeText("kind"), encodeText("organisation")], [encodeText("active"), Uint8Array.of(0xf5)], [encodeText("keys"), list(encodeBytes(signer.kid))], ...(name ? [[encodeText("name"), encodeText(name)]] : [])))],
      ["key/", signer.kid, list(encodeBytes(id), NULL, encodeInt(1 + i), NULL, encodeBytes(signer.cose))],
    ]);
    rows.push(["accreditation/", GRANT, list(encodeBytes(authority.id), encodeBytes(maker.id), encodeText("trace/event.commit"), NULL, encodeInt(1_900_000_000_000), Uint8Array.of(0xf4), NULL, encodeInt(0), encodeInt(5), NULL)]);
    return rows.map(([prefix, id, value]) => ({ key: concat(utf8(prefix), id), value }));
  }

  leaves() {
    return this.state().map(({ key, value }) => ({ path: statePath("identity", key), valueHash: sha256(value) }));
  }

  stateReceipt(register, key) {
    const block = this.blocks.at(-1);
    const row = register === "identity" && this.state().find((row) => toHex(row.key) === toHex(key));
    const certificate = encodeTag(18, encodeArray(encodeBytes(block.header), encodeMap(), encodeBytes(block.root), encodeBytes(block.signature)));
    const claim = build.stateClaim(register, key, row ? row.value : null, this.leaves());
    return encodeMap([encodeInt(0), encodeText("stele-receipt/1")], [encodeInt(1), encodeBytes(certificate)], [encodeInt(3), encodeArray(claim)]);
  }

  summary(entry) {
    const outcome = entry.refused ? { applied: false, code: entry.refused, command_index: 0 } : { applied: true };
    return { entry_id: toHex(entry.entry.id), log_index: entry.index, height: entry.height, time_ms: entry.time, register: entry.register, party: entry.party.did, party_name: entry.party.name || undefined, commands: entry.entry.commands.map(({ name }) => name), outcome };
  }

  detail(entry) {
    const dids = new Map(this.parties.map(({ id, did }) => [toHex(id), did]));
    const plain = (item) => JSON.parse(JSON.stringify(itemToJson(item)).replaceAll(/"h'([0-9a-f]*)'"/g, (_, hex) => `"${dids.get(hex) ?? hex}"`));
    const summary = this.summary(entry);
    if (entry.refused) Object.assign(summary.outcome, { detail: "Only the party that holds the item may do this.", hint: "Ask the holder to offer it, then accept it." });
    const commands = entry.entry.commands.map(({ register, name, body: inner }) => ({ register, name, body: plain(inner) }));
    const events = entry.refused ? [] : commands.map(({ register, name, body: inner }) => ({ name: eventName(register, name), body: inner }));
    return { ...summary, kid: toHex(entry.entry.kid), cosigners: [], rule: `${entry.register}@1`, commands, events, not_before_ms: Number(entry.entry.notBefore), not_after_ms: Number(entry.entry.notAfter), size_bytes: entry.envelope.length };
  }

  blockView(block, full) {
    const view = { height: block.height, hash: toHex(block.hash), previous: toHex(block.previous), time_ms: block.time, entry_count: block.size - block.first, log_size: block.size, log_root: toHex(block.root), state_root: toHex(block.state) };
    return full ? { ...view, entries: this.entries.slice(block.first, block.size).map((entry) => this.detail(entry)) } : view;
  }
}

export { toHex };
