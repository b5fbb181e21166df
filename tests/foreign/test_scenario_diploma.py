"""The scenario `diploma`, end to end: its receipts in the hands of three verifiers, its papers in those of other people's tools.

Receipts are checked by the binary, by sdk/python and by sdk/typescript; the diploma and its presentation by PyPI sd-jwt, the
status lists by jwcrypto and token-status-list.
"""

from __future__ import annotations

import json
import re

import pytest
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS, InvalidJWSSignature
from scenario_run import Ran, pass_three_verifiers, run
from sd_jwt.verifier import SDJWTVerifier
from token_status_list import BitArray

from stele_verify import verify
from stele_verify.block import Refused

STEPS = [
    "register-offices", "accredit-chain", "issue-diplomas", "commit-batch", "publish-status", "hand-over-proofs",
    "present-two-fields", "refuse-misuse", "verify-all", "revoke-one", "steal-key", "report-stolen-key",
    "refuse-forgeries", "refuse-outside-accreditation", "close-faculty",
]  # fmt: skip
FIGURES = {
    "diplomas-issued-per-second", "diplomas-verified-per-second", "diploma-bytes", "proof-bytes", "diploma-and-proof-bytes",
    "diploma-and-proof-qr-codes", "status-shard-bytes", "finality-p50", "finality-p99", "receipts-verified",
    "receipt-verification-p50",
}  # fmt: skip
REFUSALS = {
    "credential.audience", "credential.nonce", "credential.holder-key-wrong", "credential.presentation-altered",
    "trust.not-committed", "trust.outside-scope", "diploma.status-not-published", "trust.receipt", "status.revoked",
    "trust.key-compromised", "trust.proof-malformed", "credential.issuance.compromised-key",
    "credential.issuance.not-accredited", "credential.issuance.foreign-key", "identity.key-revoked",
}  # fmt: skip
FIELDS = {"given_name", "family_name", "birthdate", "degree", "field", "eqf_level", "ects", "grade", "graduated", "thesis"}
PERSONAL = (b"Example-4", b"Bachelor of Arts", b"Master of Arts")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`stele scenario run diploma`, on a node of its own."""
    return run("diploma", tmp_path_factory.mktemp("diploma") / "report")


def issuer(ran: Ran) -> JWK:
    return JWK.from_json(ran.text("issuer.jwk.json"))


def test_the_report_has_the_shape_that_all_scenarios_share(ran: Ran) -> None:
    report = ran.report
    assert (report["scenario"], report["ok"], report["skipped"], report["omitted"]) == ("diploma", True, False, [])
    assert [step["name"] for step in report["steps"]] == STEPS
    assert all(step["ok"] is True and step["detail"] for step in report["steps"])
    figures = {figure["id"]: figure for figure in report["figures"]}
    assert set(figures) == FIGURES
    assert all(figure["value"] > 0 and figure["unit"] and figure["note"] for figure in figures.values())
    assert figures["diploma-and-proof-bytes"]["value"] <= figures["diploma-and-proof-bytes"]["goal"] == 2 * 2953


def test_every_refusal_is_told_with_code_and_sentence(ran: Ran) -> None:
    page = ran.text("index.html")
    assert "<script" not in page
    missing = {code for code in REFUSALS if not re.search(rf">{re.escape(code)}<", page)}
    assert missing == set()


def test_every_receipt_passes_three_verifiers(ran: Ran) -> None:
    assert len(ran.receipts) > 20
    pass_three_verifiers(ran)


def test_nothing_of_a_graduate_is_in_any_receipt(ran: Ran) -> None:
    diploma = SDJWTVerifier(ran.text("first-diploma.sd-jwt"), lambda *_: issuer(ran)).get_verified_payload()
    words = [*PERSONAL, *(str(diploma[name]).encode() for name in ("family_name", "thesis", "birthdate"))]
    for receipt in ran.receipts:
        held = receipt.read_bytes()
        assert [word for word in words if word in held] == [], receipt.name


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("next commitment is on record as refused", "credential.issuance.compromised-key"),
        ("issues for hospitals: on record", "credential.issuance.not-accredited"),
        ("that nobody accredited: on record", "credential.issuance.not-accredited"),
        ("for a key that is not its own: on record", "credential.issuance.foreign-key"),
    ],
)
def test_what_the_register_refused_is_on_record(ran: Ran, words: str, code: str) -> None:
    (receipt,) = ran.about(words)
    outcome = verify(receipt.read_bytes(), ran.network).what.outcome
    assert isinstance(outcome, Refused)
    assert outcome.code == code


def test_another_library_reads_the_diploma(ran: Ran) -> None:
    diploma = SDJWTVerifier(ran.text("first-diploma.sd-jwt"), lambda *_: issuer(ran)).get_verified_payload()
    assert set(diploma) >= FIELDS
    assert diploma["family_name"].startswith("Example-") and diploma["iss"].startswith("did:stele:")
    with pytest.raises(InvalidJWSSignature):
        SDJWTVerifier(ran.text("first-diploma.sd-jwt"), lambda *_: JWK.generate(kty="OKP", crv="Ed25519"))


def test_another_library_sees_two_fields_of_ten(ran: Ran) -> None:
    presentation, asked = ran.text("presentation.sd-jwt"), json.loads(ran.text("question.json"))
    shown = SDJWTVerifier(presentation, lambda *_: issuer(ran), asked["audience"], asked["nonce"]).get_verified_payload()
    assert FIELDS & set(shown) == {"degree", "field"}
    with pytest.raises(ValueError, match="nonce"):
        SDJWTVerifier(presentation, lambda *_: issuer(ran), asked["audience"], "another")


def test_another_library_reads_the_status_lists(ran: Ran) -> None:
    shards = sorted(ran.folder.glob("status-*.jwt"))
    assert len(shards) == 2
    revoked = 0
    for shard in shards:
        token = JWS()
        token.deserialize(shard.read_text(), issuer(ran))
        assert token.jose_header["typ"] == "statuslist+jwt"
        array = BitArray.load(json.loads(token.payload)["status_list"])
        revoked += sum(array.get(place) for place in range(4096))
    # Twelve of earlier years were drawn, perhaps one twice; the files are those of the first publication.
    assert 1 <= revoked <= 12
    diploma = SDJWTVerifier(ran.text("first-diploma.sd-jwt"), lambda *_: issuer(ran)).get_verified_payload()
    place = diploma["status"]["status_list"]
    token = JWS()
    token.deserialize(ran.text(f"status-{place['uri'].rsplit('/', 1)[1]}.jwt"), issuer(ran))
    claims = json.loads(token.payload)
    assert claims["sub"] == place["uri"]
    assert BitArray.load(claims["status_list"]).get(place["idx"]) == 0
