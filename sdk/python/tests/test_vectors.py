"""All published vectors, and that the generator still makes them byte for byte."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from vectors import FOLDER, name_of, payload, table

from stele_verify import (
    CoseKeyError,
    EntryError,
    Network,
    NetworkError,
    PolicyError,
    PublicKey,
    UnsupportedSuite,
    VerifyError,
    WitnessPolicy,
    cbor,
    decode_entry,
    did_of,
    party_id_of,
    state,
    verify,
)
from stele_verify.__main__ import to_json
from stele_verify.ed25519 import verify_zip215
from stele_verify.receipt import STEPS
from stele_verify.suites import verify_ed25519


@pytest.mark.parametrize("row", table("receipts.json"), ids=name_of)
def test_receipt(row: dict[str, Any]) -> None:
    network = Network.load(FOLDER / row["network"])
    if row["valid"]:
        answer = to_json(verify(payload(row), network))
        for group in (answer["what"]["commands"], answer["what"]["events"]):
            for item in group or ():
                del item["body"]  # the readable form; body_hex is what the vectors hold
        assert {key: answer[key] for key in row["expect"]} == row["expect"]
    else:
        with pytest.raises(VerifyError) as refused:
            verify(payload(row), network)
        assert (refused.value.step, refused.value.code) == (row["step"], row["code"]), refused.value.detail


def test_every_step_has_several_bad_receipts() -> None:
    rows = table("receipts.json")
    steps = [row["step"] for row in rows if not row["valid"]]
    assert len(steps) >= 60
    # Step 15 needs a policy: witnesses.json.
    assert {step for step in STEPS if steps.count(step) < 2} == {15}
    stored = {row["file"] for row in rows if "file" in row}
    assert stored == {f"receipts/{path.name}" for path in (FOLDER / "receipts").iterdir()}


@pytest.mark.parametrize("row", table("witnesses.json"), ids=name_of)
def test_witnesses(row: dict[str, Any]) -> None:
    network, policy = Network.load(FOLDER / row["network"]), row["policy"]
    judged = WitnessPolicy(policy["keys"], policy["min"])
    if row["valid"]:
        answer = to_json(verify(payload(row), network, judged))
        assert answer["witnessed"] == row["witnessed"]
    else:
        with pytest.raises(VerifyError) as refused:
            verify(payload(row), network, judged)
        assert (refused.value.step, refused.value.code) == (row["step"], row["code"]), refused.value.detail
    if row["valid"] or row["step"] == 15:
        # Without a policy nobody is asked.
        assert "witnessed" not in to_json(verify(payload(row), network))


@pytest.mark.parametrize("row", table("witness-policies.json"), ids=name_of)
def test_policy_that_is_none(row: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        WitnessPolicy(row["policy"]["keys"], row["policy"]["min"])


@pytest.mark.parametrize("row", table("entries.json"), ids=name_of)
def test_entry(row: dict[str, Any]) -> None:
    if not row["valid"]:
        with pytest.raises(EntryError) as refused:
            decode_entry(payload(row))
        assert refused.value.code == row["code"], refused.value.detail
        return
    entry = decode_entry(payload(row))
    signer = PublicKey.from_cose_key(bytes.fromhex(row["signer"]))
    assert entry.id.hex() == row["entry_id"]
    assert entry.envelope_hash.hex() == row["envelope_hash"]
    assert entry.register == row["register"]
    assert entry.kid == signer.kid
    assert entry.signed_by(signer) == (row["signature"] == "valid")
    counter = [PublicKey.from_cose_key(bytes.fromhex(key)) for key in row["countersigners"]]
    assert [item.kid for item in entry.countersignatures] == [key.kid for key in counter]
    assert all(entry.countersigned_by(key) for key in counter)


@pytest.mark.parametrize("row", table("cbor.json"), ids=name_of)
def test_cbor(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["hex"])
    if row["valid"]:
        assert cbor.encode(cbor.decode_strict(data)) == data
    else:
        expected = cbor.Malformed if row["code"] == "malformed" else cbor.NotCanonical
        with pytest.raises(expected):
            cbor.decode_strict(data)


@pytest.mark.parametrize("row", table("keys.json"), ids=name_of)
def test_key(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["cose_key"])
    if row.get("feature") == "sm":
        with pytest.raises(UnsupportedSuite):
            PublicKey.from_cose_key(data)
        return
    if row["valid"]:
        key = PublicKey.from_cose_key(data)
        assert key.suite == row["suite"]
        assert key.kid.hex() == row["kid"]
        assert party_id_of(key.kid).hex() == row["party_id"]
        assert did_of(party_id_of(key.kid)) == row["did"]
        assert len(row["did"]) == len("did:stele:") + 52
    else:
        with pytest.raises((CoseKeyError, UnsupportedSuite)) as refused:
            PublicKey.from_cose_key(data)
        assert getattr(refused.value, "code", None) == row["code"]


@pytest.mark.parametrize("row", table("networks.json"), ids=name_of)
def test_network(row: dict[str, Any]) -> None:
    if row["usable"]:
        assert Network.from_json(row["descriptor"]).network_id.hex() == row["descriptor"]["network_id"]
        return
    expected = UnsupportedSuite if row["code"] == "unsupported-suite" else NetworkError
    with pytest.raises(expected):
        Network.from_json(row["descriptor"])


def test_ed25519_by_zip215() -> None:
    rows = table("ed25519.json")
    for row in rows:
        triple = [bytes.fromhex(row[key]) for key in ("public", "message", "signature")]
        assert verify_zip215(*triple) == row["valid"], row["name"]
        assert verify_ed25519(*triple) == row["valid"], row["name"]
    assert sum(row["name"].startswith("small order") for row in rows) == 14 * 14


@pytest.mark.parametrize("row", table("state.json"), ids=name_of)
def test_state(row: dict[str, Any]) -> None:
    if "leaves" in row:
        roots = {claim["root"] for claim in row["claims"] if claim["valid"]}
        assert roots == {row["root"]}
    for item in row["claims"]:
        claim = state.parse_claim(cbor.decode_strict(bytes.fromhex(item["claim"])))
        reason = state.why_not(claim, bytes.fromhex(item["root"]))
        assert (reason is None) == item["valid"], f"{item['about']}: {reason}"


def test_generator_makes_the_committed_files() -> None:
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    made = generate.all_files()
    for name, data in made.items():
        assert (FOLDER / name).read_bytes() == data, f"{name} differs: run vectors/generate.py"
    assert sum(map(len, made.values())) < 1_600_000
