"""Receipts that every verifier must accept, with what they prove."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from build import MS, P256_ORDER, Chain, Key, State, build_entry, build_receipt, enc, fold_path, sha256
from gen import entries, simple
from gen.world import (
    BLS,
    ABSENT_KEY,
    CARRIER,
    COMMIT,
    ED,
    EVENTS,
    GROWER,
    HAND_OVER,
    HOLDER_KEY,
    HYBRID,
    LAB,
    NO_EVENTS,
    P256,
    PQ,
    REGISTER,
    SHOP,
    SMALL,
    commit_entry,
    sized,
)

PRESENT = ("trace", HOLDER_KEY)
ABSENT = ("trace", ABSENT_KEY)


def outcome_json(outcome: list[Any]) -> dict[str, Any]:
    if outcome[0] == 0:
        return {"applied": True, "events_hash": outcome[1].hex()}
    return {"applied": False, "command_index": outcome[1], "code": outcome[2]}


class Good:
    """One valid receipt and the answer it must yield."""

    def __init__(self, name: str, chain: Chain, **options: Any) -> None:
        self.name, self.chain, self.options = name, chain, options
        self.entry = options.pop("about", None)
        self.commands = options.pop("commands", None)
        self.data = build_receipt(chain, **options)

    def answer(self) -> dict[str, Any]:
        record, events = self.options.get("record"), self.options.get("events")
        entry_there = self.options.get("entry") is not None
        state = [
            {"register": c[0], "key": c[1].hex(), "value": None if c[2] is None else c[2].hex()}
            for c in self.options.get("claims") or []
        ]
        who = None
        if record:
            key = self.entry.signer
            kid = key.kid.hex() if entry_there else None
            who = {"party": key.did, "party_id": key.party.hex(), "kid": kid}
        commands = None
        if entry_there:
            commands = [
                {"register": register, "name": name, "body_hex": enc(body).hex()} for register, name, body in self.commands
            ]
        known_events = None
        if events is not None:
            known_events = [{"name": n, "body_hex": enc(b).hex()} for n, b in self.options_events()]
        return {
            "who": who,
            "what": {
                "register": record[4] if record else None,
                "entry_id": record[1].hex() if record else None,
                "outcome": outcome_json(record[8]) if record else None,
                "commands": commands,
                "events": known_events,
                "state": state,
            },
            "when": {
                "record": {"height": record[6], "time_ms": record[7]} if record else None,
                "certificate": {"height": self.chain.height, "time_ms": self.chain.time},
            },
            "rule": record[5] if record else None,
            "witnesses": self.options.get("witnesses") or [],
        }

    def options_events(self) -> list[Any]:
        from gen.world import COMMITTED

        return COMMITTED if self.options["events"] == EVENTS else []


def entry_claim(name: str, chain: Chain = ED, **options: Any) -> Good:
    """The grower's committed event with entry and events, unless told otherwise."""
    entry = options.pop("built", None) or commit_entry(chain)
    events = options.pop("events", EVENTS)
    commands = options.pop("commands", [("trace", *COMMIT)])
    record = options.pop("record", None) or chain.record(entry, events or EVENTS)
    carried = options.pop("entry", entry.data)
    return Good(name, chain, about=entry, record=record, entry=carried, events=events, commands=commands, **options)


def high_s(signature: bytes) -> bytes:
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + (P256_ORDER - s).to_bytes(32, "big")


def big_tree() -> Good:
    """A log of 2^53 + 1 records: sizes that a double cannot hold, the last record alone on its side."""
    size = 2**53 + 1
    chain, entry = replace(ED, tree_size=1), commit_entry()
    record = chain.record(entry, EVENTS)
    leaf = sha256(b"\x00" + enc(record))

    def tree(index: int) -> dict[str, Any]:
        root, path = fold_path(leaf, index, size, lambda depth: sha256(b"invented %d" % depth))
        path.reverse()
        block = entries.at(5, size)
        return {"root": lambda _: root, "proof": lambda _: [size, index, path], "block": block}

    return entry_claim("log of 2^53 + 1 records", chain, index=0, edits=tree(2**53), record=record)


def good_receipts() -> list[Good]:
    refused = ED.record(commit_entry(), b"", (0, "trace.custody.not-holder"))
    both = commit_entry(commands=[HAND_OVER], countersigners=[CARRIER])
    mixed = commit_entry(commands=[COMMIT, ["identity/device.add", {"name": "gate"}], ["x", entries.EVERY_TYPE]])
    mixed_commands = [("trace", *COMMIT), ("identity", "device.add", {"name": "gate"}), ("trace", "x", entries.EVERY_TYPE)]
    plain = commit_entry()
    older = ED.record(plain, EVENTS)
    older[6:8] = [7, MS]
    empty = sized(ED, 1, State({}))
    deep = commit_entry(commands=[["x", {"d": entries.NESTED_13}]])
    all_claims = [ED.state.claim("trace", b"lot/%d" % i) for i in range(24)]
    identity = build_entry(ED.network, GROWER, "identity", [REGISTER])
    odd_alg = commit_entry(alg=-65601)
    late = replace(ED, time=2**53 - 1, height=2**53 - 1)
    zip215_key = Key("Ed25519", ED.key.label)
    torsion = {"message": lambda m: m}
    message_of: dict[str, bytes] = {}

    def keep(message: bytes) -> bytes:
        message_of["it"] = message
        return message

    torsion = {"message": keep, "signature": lambda _: simple.torsion_signature(zip215_key, message_of["it"])}
    rows = [
        entry_claim("entry-with-events"),
        entry_claim("entry-without-events", events=None),
        entry_claim("record-alone", entry=None, events=None),
        entry_claim("record-with-events", entry=None),
        entry_claim("entry-refused", record=refused, events=None),
        entry_claim("events-empty", events=NO_EVENTS),
        entry_claim("entry-countersigned", built=both, commands=[("trace", *HAND_OVER)]),
        entry_claim("entry-of-every-type", built=mixed, commands=mixed_commands),
        entry_claim("entry-16-deep", built=deep, commands=[("trace", "x", {"d": entries.NESTED_13})]),
        entry_claim("entry-in-identity", built=identity, commands=[("identity", *REGISTER)], record=ED.record(identity, EVENTS)),
        entry_claim("entry-of-unknown-algorithm", built=odd_alg),
        entry_claim("entry-signed-by-es256", built=build_entry(ED.network, CARRIER, commands=[COMMIT])),
        entry_claim("entry-signed-by-ml-dsa", built=build_entry(ED.network, LAB, commands=[COMMIT])),
        entry_claim("entry-signed-by-hybrid", built=build_entry(ED.network, SHOP, commands=[COMMIT]), events=None),
        entry_claim("record-of-an-older-block", record=older),
        entry_claim("log-of-one", sized(ED, 1), index=0),
        entry_claim("log-of-seven-last", sized(ED, 7), index=6),
        entry_claim("log-of-seven-first", sized(ED, 7), index=0),
        entry_claim("log-of-1000", sized(ED, 1000), index=999),
        big_tree(),
        entry_claim("latest-height-and-time", late),
        Good("state-present", ED, claims=[ED.state.claim(*PRESENT)]),
        Good("state-absent", ED, claims=[ED.state.claim(*ABSENT)]),
        Good("state-absent-beside-another-leaf", ED, claims=[absent_claim(other=True)]),
        Good("state-absent-in-an-empty-place", ED, claims=[absent_claim(other=False)]),
        Good("state-empty-value", ED, claims=[ED.state.claim("trace", b"recall/none")]),
        Good("state-empty", empty, claims=[empty.state.claim(*PRESENT)]),
        Good("state-one-leaf", sized(ED, 1, one_leaf()), claims=[one_leaf().claim(*PRESENT), one_leaf().claim(*ABSENT)]),
        Good("state-many", ED, claims=all_claims + [ED.state.claim(*ABSENT)]),
        Good("state-64-claims", empty, claims=[empty.state.claim("trace", b"%d" % i) for i in range(64)]),
        entry_claim("entry-and-state", claims=[ED.state.claim(*PRESENT), ED.state.claim(*ABSENT)]),
        entry_claim("witnesses", witnesses=["log.example fictional witness 1", ""]),
        Good("state-with-64-witnesses", ED, claims=[ED.state.claim(*PRESENT)], witnesses=["w"] * 64),
        entry_claim("network-eddsa-alg", alg=-8),
        entry_claim("network-zip215-torsion", edits=torsion),
        entry_claim("network-small-order", SMALL),
        entry_claim("network-es256", P256),
        entry_claim("network-es256-high-s", P256, edits={"signature": high_s}),
        Good("network-es256-state", P256, claims=[P256.state.claim(*ABSENT)]),
        entry_claim("network-ml-dsa-65", PQ),
        entry_claim("network-hybrid", HYBRID),
        entry_claim("network-bls12-381", BLS),
        Good("network-bls12-381-state", BLS, claims=[BLS.state.claim(*ABSENT)]),
    ]  # fmt: skip
    return rows


def one_leaf() -> State:
    return State({PRESENT: GROWER.party})


def absent_claim(other: bool) -> list[Any]:
    """An absence proven by another leaf, or by an empty place."""
    for i in range(1000):
        claim = ED.state.claim("trace", b"nobody/%d" % i)
        if isinstance(claim[3][3], list) == other:
            return claim
    raise AssertionError
