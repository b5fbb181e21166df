"""Proofs of issuance: the shared vectors, every byte of a proof, and the command line."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import FOLDER, name_of, payload, table

from stele_verify import (
    CoseKeyError,
    CredentialError,
    IssuanceError,
    Issued,
    Network,
    PublicKey,
    UnsupportedSuite,
    key_of_jwk,
    read_signed,
    verify_issuance,
)
from stele_verify.__main__ import issuance_json
from stele_verify.issuance import RULES, decode_proof

PACKAGE = Path(__file__).resolve().parents[1]
ROWS = {row["name"]: row for row in table("issuance.json")}


def judge(row: dict[str, Any], proof: bytes | None = None) -> Issued:
    return verify_issuance(
        payload(row) if proof is None else proof,
        row["credential"].encode(),
        PublicKey.from_cose_key(bytes.fromhex(row["key"])),
        Network.load(FOLDER / row["network"]),
        issuer=row["issuer"],
        credential_type=row["type"],
        scope=row.get("scope"),
    )


def sd_jwt(row: dict[str, Any]) -> str:
    return "~".join([row["credential"], *row.get("disclosures", []), ""])


@pytest.mark.parametrize("row", ROWS.values(), ids=name_of)
def test_issuance(row: dict[str, Any]) -> None:
    if row["valid"]:
        answer = issuance_json(judge(row))
        assert {key: answer[key] for key in row["expect"]} == row["expect"]
        return
    with pytest.raises(IssuanceError) as refused:
        judge(row)
    assert refused.value.code == row["code"], refused.value.detail


def test_every_rule_has_several_bad_proofs() -> None:
    codes = [row["code"] for row in ROWS.values() if not row["valid"]]
    assert {code for code in RULES if codes.count(code) >= 3} == set(RULES)
    stored = {row["file"] for row in ROWS.values() if "file" in row}
    assert stored == {f"issuance/{path.name}" for path in (FOLDER / "issuance").iterdir()}


def test_a_flipped_bit_proves_nothing_else() -> None:
    row = ROWS["good-place-3-of-five"]
    proof, good = payload(row), issuance_json(judge(row))
    refused_bits = 0
    for at in range(len(proof)):
        with pytest.raises(IssuanceError) as refused:
            judge(row, proof[:at])
        assert refused.value.code == "trust.proof-malformed"
        altered = proof[:at] + bytes([proof[at] ^ 1 << at % 8]) + proof[at + 1 :]
        try:
            # A proof of absence fits other keys too: the report is then about another key, this one's not asked for.
            assert issuance_json(judge(row, altered)) == {**good, "key_report": None}, at
        except IssuanceError:
            refused_bits += 1
    assert refused_bits > len(proof) - 50


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_are_judged(data: bytes) -> None:
    with pytest.raises(IssuanceError):
        judge(ROWS["good-batch-of-one"], data)


def test_a_refused_receipt_names_its_step() -> None:
    with pytest.raises(IssuanceError) as refused:
        judge(ROWS["bad-receipt-receipt-of-a-network-with-the-same-key"])
    assert (refused.value.code, refused.value.receipt) == ("trust.receipt", "wrong-network")
    assert decode_proof(payload(ROWS["good-place-3-of-five"])).index == 3


def test_signed_parts_and_jwks() -> None:
    read = 0
    for row in ROWS.values():
        if "disclosures" not in row:
            continue
        key = key_of_jwk(row["jwk"])
        assert key.cose_key.hex() == row["key"]
        found = read_signed(sd_jwt(row) + "\n", key)
        assert (found.signed.decode(), found.issuer, found.type) == (
            row["credential"],
            row["issuer"],
            row["type"],
        )
        read += 1
    assert read > 50


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_credential_that_the_key_did_not_sign() -> None:
    row, other = ROWS["good-batch-of-one"], ROWS["good-signed-by-another-key-of-the-issuer"]
    header, body, signature = row["credential"].split(".")
    for code, text, jwk in (
        ("jose.malformed", "no token", row["jwk"]),
        ("jose.malformed", f"{header}.{body}", row["jwk"]),
        ("jose.malformed", f"{header}.{body}=.{signature}", row["jwk"]),
        ("jose.malformed", f"{header}.ü.{signature}", row["jwk"]),
        ("jose.malformed", f"{encoded([])}.{body}.{signature}", row["jwk"]),
        ("jose.crit-unknown", f"{encoded({'alg': 'EdDSA', 'crit': ['x']})}.{body}.{signature}", row["jwk"]),
        ("jose.key-algorithm", f"{encoded({'alg': 'none'})}.{body}.", row["jwk"]),
        ("jose.key-algorithm", f"{encoded({'alg': ['EdDSA']})}.{body}.", row["jwk"]),
        ("jose.key-algorithm", row["credential"], other["jwk"]),
        ("jose.signature", f"{header}.{encoded({'iss': 'somebody'})}.{signature}", row["jwk"]),
    ):
        with pytest.raises(CredentialError) as refused:
            read_signed(text, key_of_jwk(jwk))
        assert refused.value.code == code, text
    x = row["jwk"]["x"]
    for bad in (
        None,
        {},
        {**row["jwk"], "d": x},
        {**row["jwk"], "x": x + "A"},
        {**row["jwk"], "x": 7},
        {"kty": "EC", "crv": "P-256", "x": x},
    ):
        with pytest.raises((CoseKeyError, UnsupportedSuite)):
            key_of_jwk(bad)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stele_verify", *map(str, arguments)]
    return subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=60, check=False)


def test_command_line(tmp_path: Path) -> None:
    def of(row: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "credential").write_text(sd_jwt(row))
        (tmp_path / "key").write_text(json.dumps(row["jwk"]))
        files = ("--credential", tmp_path / "credential", "--key", tmp_path / "key")
        return run(FOLDER / row["file"], "--network", FOLDER / row["network"], *files, *more)

    good = ROWS["good-place-3-of-five"]
    done = of(good, "--scope", "XX/universities")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("VALID  Granite Academies (fictional)\nissuer did:stele:")
    assert "key    reports: none as of height 41, 2026-01-01T00:01:00.000+00:00" in done.stdout
    answer = json.loads(of(good, "--format", "json").stdout)
    assert {key: answer[key] for key in good["expect"]} == good["expect"]
    assert "doubtful later than this issuance" in of(ROWS["good-key-reported-later"]).stdout
    done = of(good, "--scope", "YY", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (1, "trust.outside-scope")
    done = of(ROWS["bad-key-compromised-since-ever"])
    assert done.returncode == 1
    assert done.stdout.startswith("INVALID  trust.key-compromised: The credential was committed to when")
    assert done.stderr.startswith("hint: ")
    done = of({**good, "credential": good["credential"][:-4] + "AAAA"})
    assert (done.returncode, done.stdout[:24]) == (1, "INVALID  jose.signature:")


def test_unusable_input(tmp_path: Path) -> None:
    row = ROWS["good-place-3-of-five"]
    proof, network, absent = FOLDER / row["file"], FOLDER / row["network"], tmp_path / "absent"
    key = tmp_path / "key"
    key.write_text(json.dumps(row["jwk"]))
    for more in (
        ("--credential", proof),
        ("--key", key),
        ("--scope", "XX"),
        ("--credential", proof, "--key", network),
        ("--credential", proof, "--key", proof),
        ("--credential", proof, "--key", absent),
        ("--credential", absent, "--key", key),
        ("--credential", proof, "--key", key, "--witnesses-min", "1"),
    ):
        done = run(proof, "--network", network, *more)
        assert (done.returncode, done.stdout) == (2, ""), more
        assert "error: " in done.stderr and "hint: " in done.stderr and "Traceback" not in done.stderr
