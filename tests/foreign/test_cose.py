"""A party that uses pycose or cwt, never our code, takes part in a running network.

It registers itself, submits commands, and reads its receipts; stele_verify then says the same.
"""

from __future__ import annotations

import time
from typing import Any

import cbor2
import pytest
from authors import (
    ED25519_AS_EDDSA,
    ES256,
    Author,
    canonical,
    cwt_accepts,
    entry_id,
    other_signature,
    pycose_accepts,
)
from conftest import Node

from stele_verify import Network, Verified, VerifyError, verify
from stele_verify.block import Applied, Refused

NAME = "Fictional Orchard Cooperative"
RECEIPT_TYPE = "application/stele-receipt+cbor"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def inception(author: Author) -> list[Any]:
    return ["party.register", {"kind": "organisation", "name": NAME, "keys": [author.cose_key]}]


def applied(node: Node, entry: bytes) -> dict[str, Any]:
    """Submits an entry that must be applied; what the node says about it."""
    answer = node.submit(entry)
    assert answer.status_code == 200, answer.text
    final = answer.json()
    assert final["entry_id"] == entry_id(entry).hex()
    assert (final["status"], final["outcome"]["applied"]) == ("final", True), final
    assert isinstance(final, dict)
    return final


@pytest.fixture(scope="module", params=[("pycose", ED25519_AS_EDDSA), ("pycose", ES256), ("cwt", ED25519_AS_EDDSA), ("cwt", ES256)],
                ids=lambda p: f"{p[0]}{p[1]}")  # fmt: skip
def author(request: pytest.FixtureRequest, node: Node) -> Author:
    """A registered party, one for each library and suite."""
    party = Author(*request.param)
    applied(node, party.entry(node.network_id, "identity", [inception(party)], now_ms()))
    return party


def receipt_of(node: Node, final: dict[str, Any]) -> bytes:
    answer = node.get(f"/v1/entries/{final['entry_id']}/receipt")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == RECEIPT_TYPE
    return answer.content


def verified(node: Node, receipt: bytes) -> Verified:
    """By all three: pycose, cwt where it knows the algorithm, and stele_verify."""
    certificate, key = cbor2.loads(receipt)[1], bytes.fromhex(node.network["key"])
    assert pycose_accepts(certificate, key)
    if cbor2.loads(cbor2.loads(certificate).value[0])[1] in (ED25519_AS_EDDSA, ES256):
        assert cwt_accepts(certificate, key)
    return verify(receipt, Network.from_json(node.network))


def trace_command(node: Node, author: Author) -> list[Any]:
    """A command of `trace` that anyone may give: the commitment of an event, its fields as the node documents them."""
    registers = node.get("/v1/registers/trace").json()
    spec = next(c for c in registers["commands"] if "event" in c["name"])
    required = {field["name"]: field for field in spec["fields"] if field["required"]}
    return [spec["name"], {name: plausible(name, str(field), author) for name, field in required.items()}]


def plausible(name: str, described: str, author: Author) -> Any:
    """A value for a required field, by its documented type."""
    words = described.lower()
    if "one of `" in words:
        return described.split("one of `")[1].split("`")[0]
    if "hash" in words:
        return bytes(range(32))
    if "'party'" in words:
        return author.party
    if "list" in words:
        return ["urn:epc:id:sgtin:9521321.012345.1"]
    if "unsigned" in words or "uint" in words:
        return now_ms()
    if "text" in words:
        return f"fictional {name}"
    raise AssertionError(f"required field {name} is of a type that this test does not fill: {described}")


def test_the_descriptor_checks_itself(node: Node) -> None:
    assert Network.from_json(node.network).network_id == node.network_id
    served = node.get("/v1/network").json()
    members = ("format", "name", "network_id", "key", "genesis")
    assert {name: served[name] for name in members} == {name: node.network[name] for name in members}


def test_inception_and_its_receipt(node: Node) -> None:
    party = Author("pycose", ED25519_AS_EDDSA)
    entry = party.entry(node.network_id, "identity", [inception(party)], now_ms())
    final = applied(node, entry)
    answer = verified(node, receipt_of(node, final))
    assert answer.who is not None and answer.when.record is not None
    assert answer.who.party_id == party.party
    assert isinstance(answer.what.outcome, Applied)
    assert (answer.what.register, answer.what.entry_id) == ("identity", entry_id(entry))
    assert (answer.when.record.height, answer.when.record.time_ms) == (final["height"], final["time_ms"])
    assert answer.rule is not None and answer.rule.startswith("identity@")


def test_trace_command_and_its_receipt(node: Node, author: Author) -> None:
    command = trace_command(node, author)
    entry = author.entry(node.network_id, "trace", [command], now_ms())
    receipt = receipt_of(node, applied(node, entry))
    answer = verified(node, receipt)
    assert answer.who is not None and answer.who.party_id == author.party
    assert (answer.what.register, answer.what.entry_id) == ("trace", entry_id(entry))
    assert answer.rule is not None and answer.rule.startswith("trace@")
    envelope = node.get(f"/v1/entries/{entry_id(entry).hex()}/envelope")
    assert (envelope.headers["Content-Type"], envelope.content) == ("application/cose", entry)
    if answer.what.commands is not None:
        assert [c.name for c in answer.what.commands] == [command[0]]
    other = {**node.network, "network_id": "00" * 32}
    del other["genesis"]
    with pytest.raises(VerifyError) as refused:
        verify(receipt, Network.from_json(other))
    assert refused.value.code == "wrong-network"


def test_a_refused_command_is_recorded_with_its_rule(node: Node, author: Author) -> None:
    """The second inception of a party is ordered, refused by the register, and proven so."""
    before = node.head()["log_size"]
    entry = author.entry(node.network_id, "identity", [inception(author)], now_ms())
    answer = node.submit(entry)
    assert answer.status_code == 200, answer.text
    outcome = answer.json()["outcome"]
    assert outcome["applied"] is False
    assert node.head()["log_size"] == before + 1
    proven = verified(node, receipt_of(node, answer.json())).what.outcome
    assert isinstance(proven, Refused)
    assert (proven.code, proven.command_index) == (outcome["code"], outcome["command_index"])
    assert proven.code.startswith("identity.")


def test_absence_is_proven(node: Node) -> None:
    key = b"a key that nobody wrote"
    answer = node.get(f"/v1/state/trace/{key.hex()}/receipt")
    assert answer.status_code == 200, answer.text
    state = verified(node, answer.content).what.state
    assert [(s.register, s.key, s.value) for s in state] == [("trace", key, None)]


# --- refusals at the door: a typed problem, and nothing changed --------------------------------


def refused(node: Node, data: bytes, code: str, status: range = range(400, 500)) -> None:
    before = node.head()
    answer = node.submit(data)
    assert answer.status_code in status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "code", "hint"} <= problem.keys()
    assert problem["status"] == answer.status_code
    assert problem["code"] == code, problem
    assert problem["hint"] and problem["detail"]
    after = node.head()
    assert (after["log_size"], after["state_root"]) == (before["log_size"], before["state_root"])


def ordinary(node: Node, author: Author, **own: Any) -> bytes:
    rename = ["party.rename", {"name": NAME}]
    return author.entry(own.pop("network", node.network_id), "identity", [rename], now_ms(), **own)


def test_wrong_signature(node: Node, author: Author) -> None:
    entry = ordinary(node, author)
    refused(node, entry[:-1] + bytes([entry[-1] ^ 1]), "entry.bad-signature")
    assert node.get(f"/v1/entries/{entry_id(entry).hex()}").status_code == 404
    applied(node, entry)  # the attempt did not use up the entry's id


def test_signature_of_another_party(node: Node, author: Author) -> None:
    thief = Author(author.library, author.alg)
    entry, own = ordinary(node, author), ordinary(node, thief)
    refused(node, entry[:-64] + own[-64:], "entry.bad-signature")


def test_unknown_key(node: Node, author: Author) -> None:
    refused(node, ordinary(node, Author(author.library, author.alg)), "identity.unknown-key")


def test_windows(node: Node, author: Author) -> None:
    now = now_ms()
    refused(node, ordinary(node, author, not_before=now - 600_000, not_after=now - 60_000), "entry.expired")
    refused(node, ordinary(node, author, not_before=now + 600_000, not_after=now + 660_000), "entry.not-yet-valid")
    refused(node, ordinary(node, author, not_before=now - 60_000, not_after=now + 3_600_000), "entry.bad-window")
    refused(node, ordinary(node, author, not_before=now, not_after=now), "entry.bad-window")


def test_replay(node: Node, author: Author) -> None:
    entry = ordinary(node, author)
    applied(node, entry)
    refused(node, entry, "entry.replayed")
    if author.alg == ES256:  # the other valid signature of the same content is the same entry
        refused(node, other_signature(entry), "entry.replayed")


def test_other_network(node: Node, author: Author) -> None:
    refused(node, ordinary(node, author, network=bytes(32)), "entry.other-network")


def test_not_canonical(node: Node, author: Author) -> None:
    keys_swapped = bytes.fromhex("81826c") + b"party.rename" + bytes.fromhex("a2 6162 01 6161 01")
    long_head = bytes.fromhex("9801") + canonical(["party.rename", {"name": NAME}])
    indefinite = bytes.fromhex("9f") + canonical(["party.rename", {"name": NAME}]) + bytes.fromhex("ff")
    for payload in (keys_swapped, long_head, indefinite):
        refused(node, ordinary(node, author, payload=payload), "entry.not-canonical")
    entry = ordinary(node, author)
    refused(node, b"\xd8\x12" + entry[1:], "entry.not-canonical")


def test_malformed(node: Node, author: Author) -> None:
    entry = ordinary(node, author)
    for data in (b"", b"hello", entry + b"\x00", entry[:-1], entry[1:]):
        refused(node, data, "entry.malformed")


def test_too_large(node: Node, author: Author) -> None:
    big = author.entry(node.network_id, "identity", [["party.rename", {"name": "x" * 1_048_576}]], now_ms())
    refused(node, big, "entry.too-large", range(413, 414))
