"""SD-JWT credentials and status lists, both ways: the libraries sd-jwt and token-status-list against ours."""

from __future__ import annotations

import json
import os
import subprocess
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from authors import pycose_accepts
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS, InvalidJWSSignature
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier
from token_status_list import BitArray, IssuerStatusList

ISSUER, AUDIENCE = "https://university.example", "https://verifier.example"
VCT, LIST = ISSUER + "/diploma", ISSUER + "/status/0"
NOW = int(time.time())
CLAIMS = {"given_name": "Fictional Ada", "degree": {"name": "BSc", "grade": "1.3"}, "languages": ["de", "fr"]}
HIDDEN = [["given_name"], ["degree", "grade"], ["languages", None]]
SUITES = {"Ed25519": "EdDSA", "ES256": "ES256"}


def ask(command: str, question: dict[str, Any]) -> dict[str, Any]:
    """What our program answers; a refusal is an answer too."""
    program = os.environ.get("STELE_FOREIGN_CREDENTIALS")
    if not program or not Path(program).is_file():
        pytest.fail(f"STELE_FOREIGN_CREDENTIALS names no program (it is {program!r}); ./test builds it and sets it")
    run = subprocess.run([program, command], input=json.dumps(question), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert isinstance(answer, dict)
    return answer


def code(answer: dict[str, Any]) -> str | None:
    return answer["refusal"]["code"] if "refusal" in answer else None


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def our_key(suite: str, byte: int) -> dict[str, str]:
    return {"suite": suite, "seed": urlsafe_b64encode(bytes([byte]) * 32).decode().rstrip("=")}


def our_public(key: dict[str, str]) -> JWK:
    return JWK(**ask("key", key)["jwk"])


def their_key(suite: str) -> JWK:
    return JWK.generate(kty="OKP", crv="Ed25519") if suite == "Ed25519" else JWK.generate(kty="EC", crv="P-256")


def our_presentation(suite: str) -> str:
    issuer, holder = our_key(suite, 1), our_key("ES256", 2)
    credential = ask(
        "issue",
        {**issuer, "vct": VCT, "issuer": ISSUER, "issued_at": NOW, "expires_at": NOW + 600, "decoys": 1, "claims": CLAIMS}
        | {"hidden": HIDDEN, "holder": ask("key", holder)["jwk"]},
    )["credential"]
    choice = {"paths": [["degree", "grade"], ["languages", 1]], "audience": AUDIENCE, "nonce": "n-1", "issued_at": NOW}
    presentation = ask("present", {**holder, "credential": credential, **choice})["presentation"]
    assert isinstance(presentation, str)
    return presentation


@pytest.mark.parametrize("suite", SUITES)
def test_they_verify_our_presentation(suite: str) -> None:
    presentation, key = our_presentation(suite), our_public(our_key(suite, 1))
    verified = SDJWTVerifier(presentation, lambda *_: key, AUDIENCE, "n-1").get_verified_payload()
    assert (verified["degree"], verified["languages"]) == ({"name": "BSc", "grade": "1.3"}, ["fr"])
    assert "given_name" not in verified and verified["vct"] == VCT
    with pytest.raises(ValueError, match="nonce"):
        SDJWTVerifier(presentation, lambda *_: key, AUDIENCE, "n-2")
    parts = presentation.split("~")
    with pytest.raises(ValueError, match="digest"):
        SDJWTVerifier("~".join([parts[0], *parts[2:]]), lambda *_: key, AUDIENCE, "n-1")
    with pytest.raises(InvalidJWSSignature):
        SDJWTVerifier(presentation, lambda *_: our_public(our_key(suite, 9)), AUDIENCE, "n-1")


@pytest.mark.parametrize("suite", SUITES)
def test_we_verify_their_presentation(suite: str) -> None:
    alg, issuer, holder = SUITES[suite], their_key(suite), their_key(suite)
    claims = {
        "iss": ISSUER,
        "vct": VCT,
        "iat": NOW,
        "exp": NOW + 600,
        "status": {"status_list": {"idx": 7, "uri": LIST}},
        SDObj("given_name"): "Fictional Ada",
        SDObj("degree"): {"name": "BSc", SDObj("grade"): "1.3"},
        "languages": [SDObj("de"), SDObj("fr")],
    }
    header = {"typ": "dc+sd-jwt"}
    issued = SDJWTIssuer(claims, issuer, holder, alg, add_decoy_claims=True, extra_header_parameters=header).sd_jwt_issuance
    theirs = SDJWTHolder(issued)
    theirs.create_presentation({"degree": {"grade": True}, "languages": [False, True]}, "n-1", AUDIENCE, holder, alg)
    question: dict[str, Any] = {
        "text": theirs.sd_jwt_presentation,
        "issuer_key": issuer.export_public(as_dict=True),
        "issuer": ISSUER,
        "now": NOW,
        "vcts": [VCT],
        "binding": {"audience": AUDIENCE, "nonce": "n-1", "age_seconds_max": 60},
    }
    verified = ask("verify", question)
    assert code(verified) is None and verified["bound"], verified
    assert verified["claims"]["degree"] == {"name": "BSc", "grade": "1.3"}
    assert verified["claims"]["languages"] == ["fr"] and "given_name" not in verified["claims"]
    assert verified["status"] == {"uri": LIST, "idx": 7}
    parts = theirs.sd_jwt_presentation.split("~")
    other_holder = SDJWTHolder(issued)
    other_holder.create_presentation({}, "n-1", AUDIENCE, their_key(suite), alg)
    for expected, change in {
        "credential.nonce": {"binding": question["binding"] | {"nonce": "n-2"}},
        "credential.audience": {"binding": question["binding"] | {"audience": ISSUER}},
        "credential.presentation-altered": {"text": "~".join([parts[0], *parts[2:]])},
        "credential.disclosure-duplicate": {"text": issued + parts[1] + "~", "binding": None},
        "credential.holder-key-wrong": {"text": other_holder.sd_jwt_presentation},
        "credential.claim-missing": {"required": [["given_name"]]},
        "credential.expired": {"now": NOW + 700, "binding": question["binding"] | {"age_seconds_max": 1000}},
        "jose.signature": {"issuer_key": their_key(suite).export_public(as_dict=True)},
    }.items():
        changed = {name: value for name, value in (question | change).items() if value is not None}
        assert code(ask("verify", changed)) == expected


VALUES = {1: [0, 1, 0, 0, 1, 1, 1, 0], 2: [0, 1, 2, 3], 4: [0, 1, 2, 15], 8: [0, 1, 2, 255]}


@pytest.mark.parametrize("bits", VALUES)
def test_they_read_our_status_list(bits: int) -> None:
    key = our_key("ES256", 3)
    question = {"uri": LIST, "bits": bits, "issued_at": NOW, "expires_at": NOW + 60, "values": VALUES[bits], "key_id": "k"}
    made = ask("status-make", {**key, **question})
    token = JWS()
    token.deserialize(made["jwt"], our_public(key))
    claims = json.loads(token.payload)
    assert (claims["sub"], token.jose_header["typ"], token.jose_header["kid"]) == (LIST, "statuslist+jwt", "k")
    array = BitArray.load(claims["status_list"])
    assert [array.get(index) for index in range(len(VALUES[bits]))] == VALUES[bits]
    # The CWT by a library for COSE: signature and untouched payload.
    public = ask("key", key)["jwk"]
    x, y = (decoded(public[name]) for name in "xy")
    cose_key = bytes.fromhex("a401022001215820") + x + bytes.fromhex("225820") + y
    cwt = bytearray(decoded(made["cwt"]))
    assert pycose_accepts(bytes(cwt), cose_key)
    cwt[-1] ^= 1
    assert not pycose_accepts(bytes(cwt), cose_key)


@pytest.mark.parametrize("bits", VALUES)
def test_we_read_their_status_list(bits: int) -> None:
    key = their_key("Ed25519")
    theirs = IssuerStatusList.new(bits, len(VALUES[bits]), "linear")
    for index, value in enumerate(VALUES[bits]):
        theirs[index] = value

    # Their sign_jwt writes the signature as Python's repr of bytes; header and claims are theirs, another library signs.
    header, body = (part.decode() for part in theirs.sign_jwt_payload(
        alg="EdDSA", kid="k", iss=ISSUER, sub=LIST, iat=NOW, exp=NOW + 60, ttl=43200
    ).split(b"."))
    token = JWS(decoded(body))
    token.add_signature(key, alg="EdDSA", protected=decoded(header).decode())
    jwt = token.serialize(compact=True)
    assert jwt.startswith(f"{header}.{body}.")
    question = {"jwt": jwt, "key": key.export_public(as_dict=True), "uri": LIST, "now": NOW}
    read = ask("status-read", question)
    assert code(read) is None, read
    assert read["values"][: len(VALUES[bits])] == VALUES[bits]
    assert code(ask("status-read", question | {"uri": ISSUER})) == "status.list-of-another"
    assert code(ask("status-read", question | {"now": NOW + 200})) == "status.list-expired"
    assert code(ask("status-read", question | {"key": their_key("Ed25519").export_public(as_dict=True)})) == "jose.signature"
