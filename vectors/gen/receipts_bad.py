"""Receipts that every verifier must refuse, step by step of section 7.

Wherever a fault can be covered by the network's signature, it is: such a receipt is refused for the
named reason alone, by no other check.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from build import MS, P256_ORDER, BuiltEntry, Chain, Edits, Raw, State, Tag, Unsorted, build_receipt
from build import enc, sha256
from gen.entries import NESTED_14, at, long_head, put, reverse_map, without
from gen.receipts_good import ABSENT, PRESENT, absent_claim
from gen.world import BLS, CARRIER, COMMIT, ED, EVENTS, GROWER, HYBRID, P256, PQ, TWIN, commit_entry, sized
from stele_verify import ed25519

#: name, step, network file's chain, bytes
Bad = tuple[str, int, Chain, bytes]


def entry_receipt(chain: Chain = ED, built: BuiltEntry | None = None, **options: Any) -> bytes:
    built = built or commit_entry(chain)
    options.setdefault("record", chain.record(built, EVENTS))
    options.setdefault("entry", built.data)
    options.setdefault("events", EVENTS)
    return build_receipt(chain, **options)


def state_receipt(chain: Chain = ED, **options: Any) -> bytes:
    options.setdefault("claims", [chain.state.claim(*PRESENT)])
    return build_receipt(chain, **options)


def flip(data: bytes, index: int = -1) -> bytes:
    index %= len(data)
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def bad_receipts() -> list[Bad]:
    rows: list[Bad] = []
    for step, make in enumerate(STEPS, start=2):
        for row in make():
            chain = row[2] if len(row) == 3 else ED
            rows.append((row[0], step, chain, row[1]))
    return rows


def step_2_malformed() -> Iterator[Any]:
    good = entry_receipt()
    yield "no-bytes", b""
    yield "text-file", b"-----BEGIN RECEIPT-----\n"
    yield "array", enc(["stele-receipt/1", b""])
    yield "bytes-after", good + b"\x00"
    yield "cut-short", good[:-1]
    yield "cut-in-half", good[: len(good) // 2]
    yield "two-receipts", good + good
    receipts: dict[str, Any] = {
        "unknown-label": put(5, b""),
        "negative-label": put(-1, b""),
        "text-label": put("0", "x"),
        "format-missing": without(0),
        "format-not-text": put(0, 1),
        "certificate-missing": without(1),
        "certificate-not-wrapped": lambda r: {**r, 1: Raw(r[1])},
        "certificate-empty": put(1, b""),
        "entry-not-wrapped": lambda r: {**r, 2: Raw(r[2])},
        "entry-nil": put(2, None),
        "claims-empty": put(3, []),
        "claims-a-map": put(3, {}),
        "claims-nil": put(3, None),
        "claims-65": lambda r: {**r, 3: [ED.state.claim("trace", b"recall/none")] * 65},
        "witnesses-empty": put(4, []),
        "witnesses-65": put(4, ["w"] * 65),
        "witness-of-bytes": put(4, [b"witness"]),
        "witness-not-utf8": put(4, [Raw(b"\x61\xff")]),
        "float": put(4, [Raw(bytes.fromhex("f93c00"))]),
        "undefined": put(4, Raw(b"\xf7")),
        "tagged-format": put(0, Tag(32, "stele-receipt/1")),
        "huge-claimed-bytes": put(2, Raw(bytes.fromhex("5b7fffffffffffffff"))),
        "huge-claimed-array": put(4, Raw(bytes.fromhex("9b0000010000000000"))),
        "huge-claimed-map": put(3, Raw(bytes.fromhex("bbffffffffffffffff"))),
        "deep-nesting": put(3, Raw(b"\x81" * 10_000 + b"\x80")),
    }
    for name, edit in receipts.items():
        yield name, entry_receipt(edits={"receipt": edit})
    certificates: dict[str, Edits] = {
        "certificate-untagged": {"tagged": lambda t: t.value},
        "certificate-tag-98": {"tagged": lambda t: Tag(98, t.value)},
        "certificate-tagged-twice": {"tagged": lambda t: Tag(18, t)},
        "certificate-of-three": {"certificate": lambda p: p[:3]},
        "certificate-of-five": {"certificate": lambda p: [*p, b""]},
        "certificate-bytes-after": {"certificate_bytes": lambda b: b + b"\x00"},
        "certificate-signature-nil": {"certificate": at(3, None)},
        "certificate-protected-a-map": {"certificate": at(0, {1: -19})},
        "payload-beside-a-proof": {"payload": lambda _: bytes(32)},
        "payload-empty": {"payload": lambda _: b""},
        "header-unknown-label": {"header": put(3, 0)},
        "header-crit": {"header": put(2, [395])},
        "header-without-395": {"header": without(395)},
        "header-of-another-tree": {"header": put(395, 2)},
        "header-without-alg": {"header": without(1)},
        "header-alg-text": {"header": put(1, "EdDSA")},
        "header-kid-short": {"header": put(4, ED.key.kid[:31])},
        "header-bytes-after": {"header_bytes": lambda b: b + b"\x00"},
        "block-of-six": {"block": lambda b: b[:6]},
        "block-of-eight": {"block": lambda b: [*b, 0]},
        "block-network-short": {"block": at(1, ED.network[:31])},
        "block-height-negative": {"block": at(2, -1)},
        "block-height-text": {"block": at(2, "41")},
        "block-time-float": {"block": at(3, Raw(bytes.fromhex("fb4279b1dee0000000")))},
        "block-size-nil": {"block": at(5, None)},
        "block-state-root-long": {"block": at(6, bytes(33))},
        "proof-map-other-label": {"unprotected": lambda u: {**u, 396: {-2: u[396][-1]}}},
        "proof-map-extra-label": {"unprotected": lambda u: {**u, 396: {**u[396], -2: [b""]}}},
        "proofs-none": {"unprotected": put(396, {-1: []})},
        "proofs-two": {"unprotected": lambda u: {**u, 396: {-1: u[396][-1] * 2}}},
        "proof-not-wrapped": {"unprotected": lambda u: {**u, 396: {-1: [Raw(u[396][-1][0])]}}},
        "proof-of-two": {"proof": lambda p: p[:2]},
        "proof-index-negative": {"proof": at(1, -1)},
        "proof-path-of-31-bytes": {"proof": lambda p: at(2, [h[:31] for h in p[2]])(p)},
        "record-missing": {"unprotected": without(-65539)},
        "proof-missing": {"unprotected": without(396)},
        "unprotected-unknown-label": {"unprotected": put(4, ED.key.kid)},
        "record-of-eight": {"record": lambda r: r[:8]},
        "record-of-ten": {"record": lambda r: [*r, None]},
        "record-register-in-capitals": {"record": at(4, "Trace")},
        "record-rule-bytes": {"record": at(5, b"trace@1")},
        "record-party-did": {"record": at(3, GROWER.did)},
        "record-version-text": {"record": at(0, "1")},
        "outcome-unknown": {"record": at(8, [2, bytes(32)])},
        "outcome-applied-with-code": {"record": at(8, [0, bytes(32), "x"])},
        "outcome-refused-without-code": {"record": at(8, [1, 0])},
        "outcome-true": {"record": at(8, [True, 0, "x"])},
        "events-a-map": {"carried_events": lambda _: enc({})},
        "events-nil": {"unprotected": put(-65540, None)},
        "event-of-three": {"carried_events": lambda _: enc([["x", {}, {}]])},
        "event-body-integer-key": {"carried_events": lambda _: enc([["x", {1: 1}]])},
        "events-17-deep": {"carried_events": lambda _: enc([["x", {"d": NESTED_14}]])},
        "events-bytes-after": {"carried_events": lambda b: b + b"\x00"},
    }
    for name, edits in certificates.items():
        yield name, entry_receipt(edits=edits)
    yield "unprotected-empty-payload-nil", state_receipt(edits={"payload": lambda _: None})
    yield "payload-of-31-bytes", state_receipt(edits={"root": lambda r: r[:31]})
    claim = ED.state.claim(*PRESENT)
    proof = claim[3]
    claims = {
        "claim-of-three": claim[:3],
        "claim-register-in-capitals": at(0, "Trace")(claim),
        "claim-key-empty": at(1, b"")(claim),
        "claim-key-of-256": at(1, bytes(256))(claim),
        "claim-key-text": at(1, "holder")(claim),
        "claim-value-integer": at(2, 0)(claim),
        "state-depth-257": at(3, at(0, 257)(proof))(claim),
        "state-depth-negative": at(3, at(0, -1)(proof))(claim),
        "state-bitmap-integer": at(3, at(1, 0)(proof))(claim),
        "state-siblings-array": at(3, at(2, [bytes(32)])(proof))(claim),
        "state-terminal-2": at(3, at(3, 2)(proof))(claim),
        "state-terminal-false": at(3, at(3, False)(proof))(claim),
        "state-other-path-short": at(3, at(3, [bytes(31), bytes(32)])(proof))(claim),
        "state-other-of-one": at(3, at(3, [bytes(32)])(proof))(claim),
    }
    for name, value in claims.items():
        yield name, state_receipt(claims=[value])
    yield "malformed-before-version", entry_receipt(edits={"receipt": lambda r: {**r, 0: "stele-receipt/2", 5: 0}})


def step_3_not_canonical() -> Iterator[Any]:
    good = entry_receipt()
    yield "receipt-of-indefinite-length", b"\xbf" + good[1:] + b"\xff"
    yield "receipt-long-head", long_head(good)
    places: dict[str, Edits] = {
        "receipt-labels-out-of-order": {"receipt": reverse_map},
        "receipt-label-repeated": {"receipt": lambda r: Unsorted([(0, r[0]), *r.items()])},
        "receipt-certificate-twice": {"receipt": lambda r: Unsorted([*list(r.items())[:2], (1, r[1]), (2, r[2])])},
        "receipt-long-label": {"receipt": lambda r: Unsorted([(Raw(b"\x18\x00"), r[0]), (1, r[1])])},
        "receipt-certificate-in-chunks": {"receipt": lambda r: {**r, 1: Raw(b"\x5f" + enc(r[1]) + b"\xff")}},
        "receipt-format-in-chunks": {"receipt": lambda r: {**r, 0: Raw(b"\x7f" + enc(r[0]) + b"\xff")}},
        "certificate-long-tag": {"certificate_bytes": lambda b: b"\xd8\x12" + b[1:]},
        "certificate-indefinite": {"certificate_bytes": lambda b: b"\xd2\x9f" + b[2:] + b"\xff"},
        "certificate-long-head": {"certificate_bytes": lambda b: b[:1] + long_head(b[1:])},
        "header-out-of-order": {"header": reverse_map},
        "header-label-repeated": {"header": lambda h: Unsorted([(1, h[1]), *sorted_pairs(h)])},
        "header-indefinite": {"header_bytes": lambda b: b"\xbf" + b[1:] + b"\xff"},
        "header-long-alg": {"header": put(1, Raw(b"\x39\x00\x12"))},
        "block-long-height": {"block": at(2, Raw(b"\x19\x00\x29"))},
        "block-indefinite": {"block": lambda b: Raw(b"\x9f" + enc(b)[1:] + b"\xff")},
        "unprotected-out-of-order": {"unprotected": reverse_map},
        "unprotected-label-repeated": {"unprotected": lambda u: Unsorted([(396, u[396]), *sorted_pairs(u)])},
        "proof-long-index": {"proof": at(1, Raw(b"\x18\x05"))},
        "proof-long-head": {"proof_bytes": long_head},
        "proof-path-indefinite": {"proof": lambda p: at(2, Raw(b"\x9f" + enc(p[2])[1:] + b"\xff"))(p)},
        "record-long-head": {"record_bytes": long_head},
        "record-long-version": {"record": at(0, Raw(b"\x18\x01"))},
        "record-rule-in-chunks": {"record": lambda r: at(5, Raw(b"\x7f" + enc(r[5]) + b"\xff"))(r)},
        "carried-record-long-head": {"carried_record": long_head},
    }
    for name, edits in places.items():
        yield name, entry_receipt(edits=edits)
    key_order = enc([["event.committed", Unsorted([("b", 1), ("a", 2)])]])
    repeated = enc([["event.committed", Unsorted([("a", 1), ("a", 2)])]])
    for name, events in (
        ("events-keys-out-of-order", key_order),
        ("events-key-repeated", repeated),
        ("events-long-head", long_head(EVENTS)),
    ):
        yield name, entry_receipt(record=ED.record(commit_entry(), events), events=events)
    proof = ED.state.claim(*PRESENT)[3]
    long_depth = at(0, Raw(b"\x18" + bytes([proof[0]])))(proof)
    yield "state-long-depth", state_receipt(claims=[at(3, long_depth)(ED.state.claim(*PRESENT))])
    yield "state-claims-indefinite", state_receipt(edits={"receipt": lambda r: {**r, 3: Raw(b"\x9f" + enc(r[3])[1:] + b"\xff")}})
    yield "not-canonical-before-version", entry_receipt(edits={"receipt": lambda r: reverse_map({**r, 0: "stele-receipt/2"})})


def sorted_pairs(mapping: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return sorted(mapping.items(), key=lambda pair: enc(pair[0]))


def step_4_unsupported_version() -> Iterator[Any]:
    for name, text in (("receipt-2", "stele-receipt/2"), ("receipt-empty", ""), ("receipt-case", "Stele-Receipt/1")):
        yield f"version-{name}", entry_receipt(edits={"receipt": put(0, text)})
    yield "version-header-2", entry_receipt(edits={"block": at(0, 2)})
    yield "version-header-0", state_receipt(edits={"block": at(0, 0)})
    yield "version-record-2", entry_receipt(edits={"record": at(0, 2)})
    yield "version-before-no-claim", build_receipt(ED, edits={"block": at(0, 2)})


def step_5_no_claim() -> Iterator[Any]:
    yield "no-claim", build_receipt(ED)
    yield "no-claim-but-witnesses", build_receipt(ED, witnesses=["fictional witness"])
    yield "no-claim-but-entry", build_receipt(ED, entry=commit_entry().data)
    yield "no-claim-before-wrong-network", build_receipt(TWIN)


def step_6_wrong_network() -> Iterator[Any]:
    yield "replay-from-a-network-with-the-same-key", entry_receipt(TWIN)
    yield "replay-of-state-from-a-network-with-the-same-key", state_receipt(TWIN)
    yield "replay-from-a-network-with-another-key", entry_receipt(P256)
    yield "network-all-zero", entry_receipt(edits={"block": at(1, bytes(32))})
    yield "wrong-network-before-signature", entry_receipt(TWIN, edits={"signature": flip})
    yield "es256-verifier-given-ed25519-receipt", entry_receipt(ED), P256


def step_7_wrong_key() -> Iterator[Any]:
    yield "kid-of-another-key", entry_receipt(edits={"header": put(4, P256.key.kid)})
    yield "kid-of-zeros", state_receipt(edits={"header": put(4, bytes(32))})
    yield (
        "kid-of-the-member-that-signed",
        entry_receipt(edits={"header": put(4, GROWER.kid), "signature": lambda s: GROWER.sign(s)}),
    )
    for alg in (-7, -49, -65600, -65601, -19_000, 0, 5, -50):
        yield f"alg-{alg}-for-ed25519", entry_receipt(alg=alg)
    for alg in (-19, -8, -9, -35, -65601):
        yield f"alg-{alg}-for-es256", entry_receipt(P256, alg=alg), P256
    yield "alg-ed25519-for-bls", state_receipt(BLS, alg=-19), BLS
    yield "alg-bls-for-ed25519", state_receipt(ED, alg=-65602), ED
    yield "alg-hybrid-for-ml-dsa", state_receipt(PQ, alg=-65600), PQ
    yield "alg-ed25519-for-hybrid", state_receipt(HYBRID, alg=-19, edits={"signature": lambda s: s[:64]}), HYBRID
    yield "alg-ml-dsa-for-hybrid", state_receipt(HYBRID, alg=-49, edits={"signature": lambda s: s[64:]}), HYBRID
    yield "wrong-key-before-tree-size", entry_receipt(alg=-7, edits={"proof": at(0, 9)})


def step_8_wrong_tree_size() -> Iterator[Any]:
    for size in (0, 7, 9, 2**64 - 1):
        yield f"tree-size-{size}-of-8", entry_receipt(edits={"proof": at(0, size)})
    yield "header-tree-size-below", entry_receipt(edits={"block": at(5, 7)})
    yield "tree-size-before-index", entry_receipt(edits={"proof": lambda p: [9, 9, p[2]]})


def step_9_bad_inclusion_proof() -> Iterator[Any]:
    yield "index-is-tree-size", entry_receipt(edits={"proof": at(1, 8)})
    yield "index-2-to-the-64", entry_receipt(edits={"proof": at(1, 2**64 - 1)})
    yield "path-cut", entry_receipt(edits={"proof": lambda p: at(2, p[2][:-1])(p)})
    yield "path-without-its-first", entry_receipt(edits={"proof": lambda p: at(2, p[2][1:])(p)})
    yield "path-empty", entry_receipt(edits={"proof": at(2, [])})
    yield "path-extended", entry_receipt(edits={"proof": lambda p: at(2, [*p[2], bytes(32)])(p)})
    yield "path-of-1000", entry_receipt(edits={"proof": at(2, [bytes(32)] * 1000)})
    one = sized(ED, 1)
    yield "path-in-a-log-of-one", entry_receipt(one, index=0, edits={"proof": at(2, [bytes(32)])})
    seven = sized(ED, 7)
    yield (
        "path-longer-than-the-last-of-seven-has",
        entry_receipt(seven, index=6, edits={"proof": lambda p: at(2, [*p[2], bytes(32)])(p)}),
    )
    yield "log-of-none", entry_receipt(one, index=0, edits={"proof": lambda p: [0, 0, []], "block": at(5, 0)})
    yield "bad-path-before-signature", entry_receipt(edits={"proof": at(2, []), "signature": flip})


def step_10_bad_signature() -> Iterator[Any]:
    signatures: dict[str, Any] = {
        "flipped": flip,
        "flipped-in-r": lambda s: flip(s, 0),
        "empty": lambda s: b"",
        "of-63-bytes": lambda s: s[:-1],
        "of-65-bytes": lambda s: s + b"\x00",
        "of-zeros": lambda s: bytes(64),
        "of-another-key": lambda s: GROWER.sign(s),
        "s-plus-order": lambda s: s[:32] + (int.from_bytes(s[32:], "little") + ed25519.L).to_bytes(32, "little"),
        "r-negated": lambda s: flip_top(s, 31) + s[32:],
    }
    for name, edit in signatures.items():
        yield f"signature-{name}", entry_receipt(edits={"signature": edit})
    messages: dict[str, Any] = {
        "over-the-root-alone": lambda m: m[-32:],
        "over-its-hash": sha256,
        "with-external-data": lambda m: m.replace(b"\x40\x58\x20", b"\x41\x00\x58\x20"),
        "as-countersignature": lambda m: m.replace(b"\x6aSignature1", b"\x70CounterSignature"),
    }
    for name, edit in messages.items():
        yield f"signature-{name}", entry_receipt(edits={"message": edit})
    for name, index in (("height", 2), ("time", 3), ("previous", 4), ("state-root", 6)):
        yield f"changed-after-signing-{name}", entry_receipt(edits={"certificate": change_block(index)})
    other = ED.record(commit_entry(nonce=b"another one"), EVENTS)
    yield "record-swapped", entry_receipt(edits={"carried_record": lambda _: enc(other)})
    yield "record-outcome-turned", entry_receipt(entry=None, events=None, edits={"carried_record": turn_outcome})
    yield "record-party-changed", entry_receipt(edits={"carried_record": lambda r: r.replace(GROWER.party, CARRIER.party)})
    yield "record-rule-changed", entry_receipt(edits={"carried_record": lambda r: r.replace(b"trace@1", b"trace@2")})
    yield "path-node-flipped", entry_receipt(edits={"proof": lambda p: at(2, [flip(p[2][0]), *p[2][1:]])(p)})
    yield "path-reversed", entry_receipt(edits={"proof": lambda p: at(2, p[2][::-1])(p)})
    yield "index-of-a-neighbour", entry_receipt(edits={"proof": at(1, 4)})
    yield "log-root-changed", state_receipt(edits={"payload": flip})
    yield "log-root-of-zeros", state_receipt(edits={"payload": lambda _: bytes(32)})
    yield "state-certificate-signed-by-es256", state_receipt(edits={"signature": lambda s: P256.key.sign(s)})
    n = P256_ORDER
    es256: dict[str, Any] = {
        "flipped": flip,
        "r-zero": lambda s: bytes(32) + s[32:],
        "s-zero": lambda s: s[:32] + bytes(32),
        "r-is-order": lambda s: n.to_bytes(32, "big") + s[32:],
        "s-is-order": lambda s: s[:32] + n.to_bytes(32, "big"),
        "r-and-s-swapped": lambda s: s[32:] + s[:32],
        "in-der": der,
        "empty": lambda s: b"",
    }
    for name, edit in es256.items():
        yield f"es256-signature-{name}", entry_receipt(P256, edits={"signature": edit}), P256
    yield "ml-dsa-signature-flipped", state_receipt(PQ, edits={"signature": lambda s: flip(s, 100)}), PQ
    yield "ml-dsa-signature-cut", state_receipt(PQ, edits={"signature": lambda s: s[:-1]}), PQ
    yield "hybrid-only-ed25519-valid", state_receipt(HYBRID, edits={"signature": lambda s: flip(s, 200)}), HYBRID
    yield "hybrid-only-ml-dsa-valid", state_receipt(HYBRID, edits={"signature": lambda s: flip(s, 3)}), HYBRID
    yield "hybrid-without-ml-dsa", state_receipt(HYBRID, edits={"signature": lambda s: s[:64]}), HYBRID
    yield "hybrid-halves-swapped", state_receipt(HYBRID, edits={"signature": lambda s: s[64:] + s[:64]}), HYBRID
    # 48 bytes that look like points of G1: infinity, off the curve, on the curve and outside the subgroup.
    bls12_381 = {
        "flipped": lambda s: flip(s, 20),
        "of-zeros": lambda s: bytes(48),
        "at-infinity": lambda s: b"\xc0" + bytes(47),
        "off-the-curve": lambda s: b"\x80" + bytes(46) + b"\x01",
        "outside-the-subgroup": lambda s: b"\x80" + bytes(46) + b"\x04",
        "negated": lambda s: bytes([s[0] ^ 0x20]) + s[1:],
        "uncompressed": lambda s: bytes([s[0] & 0x1F]) + s[1:],
        "cut": lambda s: s[:-1],
        "empty": lambda s: b"",
        "of-another-message": lambda s: BLS.key.sign(b"another message"),
        "over-its-hash": lambda s: BLS.key.sign(sha256(b"")),
    }
    for name, edit in bls12_381.items():
        yield f"bls-signature-{name}", entry_receipt(BLS, edits={"signature": edit}), BLS
    late = ED.record(commit_entry(), EVENTS)
    late[6] = ED.height + 1
    yield "signature-before-record", entry_receipt(record=late, edits={"signature": flip})


def flip_top(signature: bytes, index: int) -> bytes:
    return signature[:index] + bytes([signature[index] ^ 0x80])


def change_block(index: int) -> Any:
    """Changes a member of the block header in the finished certificate."""

    def edit(parts: list[Any]) -> list[Any]:
        from stele_verify import cbor

        header = cbor.decode_strict(parts[0])
        assert isinstance(header, cbor.Map)
        block = header.get(-65538)
        assert isinstance(block, list)
        value = block[index]
        block[index] = value + 1 if isinstance(value, int) else flip(value)  # type: ignore[arg-type, operator]
        return [cbor.encode(header), *parts[1:]]

    return edit


def turn_outcome(record: bytes) -> bytes:
    """Makes a refusal of an applied record."""
    return record[: record.rindex(b"\x82\x00\x58\x20")] + enc([1, 0, "trace.custody.not-holder"])


def der(signature: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def step_11_record_mismatch() -> Iterator[Any]:
    for name, index, value in (
        ("record-of-the-next-block", 6, ED.height + 1),
        ("record-of-a-far-block", 6, 2**64 - 1),
        ("record-one-millisecond-later", 7, ED.time + 1),
    ):
        yield name, entry_receipt(edits={"record": at(index, value)})
    yield "record-before-entry", entry_receipt(entry=b"", edits={"record": at(6, ED.height + 1)})


def step_12_entry_mismatch() -> Iterator[Any]:
    yield "entry-beside-a-state-claim-alone", state_receipt(entry=commit_entry().data)
    built = commit_entry()
    entries = {
        "entry-empty": b"",
        "entry-cut": built.data[:-1],
        "entry-bytes-after": built.data + b"\x00",
        "entry-not-cbor": b"hello",
        "entry-another": commit_entry(nonce=b"another one").data,
        "entry-signature-flipped": flip(built.data),
        "entry-without-its-countersignature": built.data,
    }
    countersigned = commit_entry(countersigners=[CARRIER])
    for name, data in entries.items():
        record = ED.record(countersigned if "without-its" in name else built, EVENTS)
        yield name, entry_receipt(record=record, entry=data)
    yield "entry-countersignature-added", entry_receipt(entry=countersigned.data)
    recorded: dict[str, BuiltEntry] = {
        "entry-not-canonical": commit_entry(edits={"header": reverse_map}),
        "entry-malformed": commit_entry(edits={"header": put(3, 0)}),
        "entry-window-too-long": commit_entry(not_after=MS + 3_600_001),
        "entry-window-empty": commit_entry(not_after=MS),
        "entry-own-register-qualified": commit_entry(commands=[["trace/event.commit", COMMIT[1]]]),
        "entry-countersigned-by-its-signer": commit_entry(countersigners=[GROWER]),
        "entry-of-another-network": commit_entry(TWIN),
    }
    for name, entry in recorded.items():
        yield name, entry_receipt(built=entry)
    yield "entry-id-in-record-changed", entry_receipt(edits={"record": lambda r: at(1, flip(r[1]))(r)})
    yield "envelope-hash-in-record-changed", entry_receipt(edits={"record": lambda r: at(2, flip(r[2]))(r)})
    yield "register-in-record-changed", entry_receipt(edits={"record": at(4, "identity")})
    long_entry = commit_entry(commands=[["x", {"d": bytes(1_048_576)}]])
    yield "entry-too-large", entry_receipt(built=long_entry)
    yield "entry-before-events", entry_receipt(entry=b"", edits={"carried_events": lambda _: enc([])})


def step_13_events_mismatch() -> Iterator[Any]:
    yield "events-changed", entry_receipt(edits={"carried_events": lambda b: b.replace(GROWER.party, CARRIER.party)})
    yield "events-left-out", entry_receipt(edits={"carried_events": lambda _: enc([])})
    yield "events-added", entry_receipt(record=ED.record(commit_entry(), enc([])))
    yield "events-doubled", entry_receipt(edits={"carried_events": lambda b: b"\x82" + b[1:] * 2})
    refused = ED.record(commit_entry(), b"", (0, "trace.custody.not-holder"))
    yield "events-of-a-refused-entry", entry_receipt(record=refused)
    yield "no-events-of-a-refused-entry", entry_receipt(record=refused, events=enc([]))
    wrong = at(2, b"wrong")(ED.state.claim(*PRESENT))
    yield "events-before-state", entry_receipt(claims=[wrong], edits={"carried_events": lambda _: enc([])})


def step_14_bad_state_proof() -> Iterator[Any]:
    state = ED.state
    present, absent, nothing = state.claim(*PRESENT), absent_claim(other=True), absent_claim(other=False)
    proof, path = present[3], State.path(*PRESENT)
    depth, bits, siblings, _ = proof

    def with_proof(claim: Any, index: int, value: Any) -> Any:
        return at(3, at(index, value)(claim[3]))(claim)

    other_path, other_hash = absent[3][3]
    wanted = State.path(absent[0], absent[1])
    past = absent[3][0]
    # A leaf that differs within the first `depth` bits, and so lies in another subtree.
    elsewhere = bytes([other_path[0] ^ 0x80]) + other_path[1:]
    claims: dict[str, Any] = {
        "value-changed": at(2, CARRIER.party)(present),
        "value-empty": at(2, b"")(present),
        "presence-with-a-proof-of-absence": at(2, GROWER.party)(nothing),
        "presence-with-another-leaf": at(2, GROWER.party)(absent),
        "presence-by-the-hash-of-another-leaf": with_proof(at(2, GROWER.party)(absent), 3, 0),
        "absence-with-a-proof-of-presence": at(2, None)(present),
        "absence-as-nothing": with_proof(at(2, None)(present), 3, 1),
        "absence-beside-itself": with_proof(at(2, None)(present), 3, [path, sha256(present[2])]),
        "absence-other-value-forged": with_proof(absent, 3, [other_path, flip(other_hash)]),
        "absence-other-path-forged": with_proof(absent, 3, [flip(other_path), other_hash]),
        "absence-other-path-elsewhere": with_proof(absent, 3, [elsewhere, other_hash]),
        "absence-other-path-is-the-claimed": with_proof(absent, 3, [wanted, other_hash]),
        "key-changed": at(1, flip(present[1]))(present),
        "key-of-another-register": at(0, "identity")(present),
        "register-and-key-regrouped": ["trac", b"e" + present[1], *present[2:]],
        "depth-one-more": with_proof(present, 0, depth + 1),
        "depth-one-less": with_proof(present, 0, depth - 1),
        "depth-none": at(3, [0, b"", b"", 0])(present),
        "depth-256-without-bits": with_proof(present, 0, 256),
        "bitmap-short": with_proof(present, 1, bits[:-1]),
        "bitmap-long": with_proof(present, 1, bits + b"\x00"),
        "bitmap-padding-set": with_proof(present, 1, bits[:-1] + bytes([bits[-1] | 1])),
        "bitmap-bit-cleared": with_proof(present, 1, bytes([bits[0] & 0x7F]) + bits[1:]),
        "sibling-missing": with_proof(present, 2, siblings[32:]),
        "sibling-extra": with_proof(present, 2, siblings + bytes(32)),
        "sibling-cut": with_proof(present, 2, siblings[:-1]),
        "sibling-flipped": with_proof(present, 2, flip(siblings)),
        "siblings-reversed": with_proof(present, 2, b"".join(split32(siblings)[::-1])),
    }
    assert depth % 8, "the padding case needs padding bits"
    assert past > 0
    for name, claim in claims.items():
        yield name, state_receipt(claims=[claim])
    yield "second-claim-false", state_receipt(claims=[present, claims["value-changed"]])
    yield "state-beside-a-good-entry", entry_receipt(claims=[claims["value-changed"]])
    old = State({("trace", b"holder/other"): GROWER.party, PRESENT: GROWER.party})
    yield "proof-of-an-older-state", state_receipt(claims=[old.claim(*PRESENT)])
    yield "empty-state-root-for-a-present-value", state_receipt(edits={"block": at(6, bytes(32))})
    yield "absent-in-an-empty-state-that-is-not", state_receipt(claims=[[*ABSENT, None, [0, b"", b"", 1]]])
    yield "empty-sibling-carried", carried_empty_sibling()


def split32(data: bytes) -> list[bytes]:
    return [data[i : i + 32] for i in range(0, len(data), 32)]


def carried_empty_sibling() -> bytes:
    """A proof whose root is right, but which carries an empty sibling that must be left out."""
    path, value = State.path(*PRESENT), GROWER.party
    leaf = sha256(b"\x00" + path + sha256(value))
    first = State.bits(path)[0] == "1"
    root = sha256(b"\x01" + (bytes(32) + leaf if first else leaf + bytes(32)))
    claim = [*PRESENT, value, [1, b"\x80", bytes(32), 0]]
    return build_receipt(replace(ED), claims=[claim], edits={"block": at(6, root)})


STEPS = (
    step_2_malformed,
    step_3_not_canonical,
    step_4_unsupported_version,
    step_5_no_claim,
    step_6_wrong_network,
    step_7_wrong_key,
    step_8_wrong_tree_size,
    step_9_bad_inclusion_proof,
    step_10_bad_signature,
    step_11_record_mismatch,
    step_12_entry_mismatch,
    step_13_events_mismatch,
    step_14_bad_state_proof,
)
