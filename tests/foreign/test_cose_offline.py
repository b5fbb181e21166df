"""What other COSE libraries write and read, held against the Python verifier and the published vectors."""

from __future__ import annotations

import json
from typing import Any

import cbor2
import pytest
from authors import ED25519_AS_EDDSA, ES256, Author, cwt_accepts, entry_id, other_signature, pycose_accepts
from conftest import ROOT

from stele_verify import PublicKey, decode_entry, party_id_of

VECTORS = ROOT / "vectors"
COMMAND = ["event.commit", {"kind": "ObjectEvent", "commitment": bytes(32)}]
NOW = 1_767_225_600_000


@pytest.mark.parametrize("library", ["pycose", "cwt"])
@pytest.mark.parametrize("alg", [ED25519_AS_EDDSA, ES256])
def test_their_entry_is_one_of_ours(library: str, alg: int) -> None:
    author = Author(library, alg)
    data = author.entry(bytes(32), "trace", [COMMAND], NOW)
    entry, key = decode_entry(data), PublicKey.from_cose_key(author.cose_key)
    assert entry.signed_by(key)
    assert (key.kid, party_id_of(key.kid), entry.id) == (author.kid, author.party, entry_id(data))
    assert entry.commands[0].name == "event.commit"
    if alg == ES256:
        again = decode_entry(other_signature(data))
        assert again.signed_by(key)
        assert (again.id, again.envelope_hash == entry.envelope_hash) == (entry.id, False)


def rows() -> list[dict[str, Any]]:
    """Receipts under networks with suites that the libraries have, and whether the signature is the network's."""
    table = json.loads((VECTORS / "receipts.json").read_text(encoding="utf-8"))
    known = ("network-ed25519.json", "network-es256.json")
    chosen = [r for r in table if "file" in r and r["network"] in known and (r["valid"] or r["step"] >= 10)]
    assert len(chosen) > 60
    return chosen


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["name"]))
def test_they_judge_the_signature_as_we_do(row: dict[str, Any]) -> None:
    """A COSE library sees the signature, not the rules around it: it accepts what fails at a later step."""
    # OpenSSL's Ed25519, which pycose uses, checks without the cofactor; Stele asks for ZIP-215.
    stricter = row["name"] == "good-network-zip215-torsion"
    assert pycose_says(row) == ((row["valid"] and not stricter) or row.get("step", 0) > 10)


def pycose_says(row: dict[str, Any]) -> bool:
    network = json.loads((VECTORS / row["network"]).read_text(encoding="utf-8"))
    receipt = cbor2.loads((VECTORS / row["file"]).read_bytes())
    return pycose_accepts(receipt[1], bytes.fromhex(network["key"]))


@pytest.mark.parametrize("name", ["good-network-eddsa-alg", "good-network-es256", "good-network-es256-high-s"])
def test_cwt_reads_receipts(name: str) -> None:
    row = next(r for r in rows() if r["name"] == name)
    network = json.loads((VECTORS / row["network"]).read_text(encoding="utf-8"))
    certificate = cbor2.loads((VECTORS / row["file"]).read_bytes())[1]
    assert cwt_accepts(certificate, bytes.fromhex(network["key"]))
    damaged = bytearray(certificate)
    damaged[-1] ^= 1
    assert not cwt_accepts(bytes(damaged), bytes.fromhex(network["key"]))
