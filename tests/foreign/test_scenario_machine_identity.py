"""The scenario `machine-identity`, end to end: its receipts in the hands of three verifiers, its papers in those of other people's tools.

Receipts are checked by the binary, by sdk/python and by sdk/typescript; both papers of the station and what it shows of them by
PyPI sd-jwt, the status lists by jwcrypto and token-status-list, the bills of sale by hashlib alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS, InvalidJWSSignature
from scenario_run import Ran, pass_three_verifiers, run
from sd_jwt.verifier import SDJWTVerifier
from token_status_list import BitArray

from stele_verify import verify
from stele_verify.block import Refused

STEPS = [
    "register-parties", "accredit-maker", "enrol-stations", "claim-places", "certify-stations", "sell-to-operator",
    "answer-challenge", "refuse-forgeries", "verify-fleet", "sell-again", "rotate-key", "retire-station",
    "end-lost-station", "steal-maker-key", "report-maker-key", "refuse-stolen-key",
]  # fmt: skip
FIGURES = {
    "stations-enrolled-per-second", "stations-claimed-per-second", "place-bytes", "answer-bytes", "offline-verification-p50",
    "answers-verified-per-second", "finality-p50", "finality-p99", "receipts-verified", "receipt-verification-p50",
}  # fmt: skip
REFUSALS = {
    "credential.audience", "credential.claim-missing", "credential.holder-key-wrong", "credential.issuance.compromised-key",
    "credential.issuance.not-accredited", "credential.nonce", "identity.device.no-countersignature",
    "identity.device.not-owner", "identity.key-revoked", "identity.member.ended", "identity.member.not-enrolled",
    "identity.member.other-key", "machine.key-replaced", "machine.not-enrolled", "machine.other-device",
    "machine.other-maker", "machine.other-owner", "machine.other-serial", "machine.retired", "paper.receipt-of-another",
    "paper.status-not-published", "status.revoked", "trust.key-compromised",
    "trust.not-committed", "trust.proof-malformed", "trust.receipt",
}  # fmt: skip
MAKE = {"make", "model", "serial", "serial_salt", "max_power_kw", "connector", "firmware", "made"}
MAKE_ASKED = {"make", "model", "serial", "serial_salt"}
TITLE = {"owner", "owner_name", "serial", "site"}
TITLE_ASKED = {"owner", "serial"}


class DeviceVerifier(SDJWTVerifier):  # type: ignore[misc]
    """The library checks a holder's signature as ES256 unless it is told otherwise; a station's key is of Ed25519."""

    def _verify_key_binding_jwt(self, expected_aud: str, expected_nonce: str, sign_alg: str = "EdDSA") -> None:
        super()._verify_key_binding_jwt(expected_aud, expected_nonce, sign_alg)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`stele scenario run machine-identity`, on a node of its own."""
    return run("machine-identity", tmp_path_factory.mktemp("machine-identity") / "report")


def issuer(ran: Ran, who: str) -> JWK:
    return JWK.from_json(ran.text(f"{who}.jwk.json"))


def claims(ran: Ran, file: str, who: str) -> dict[str, Any]:
    """What a whole paper says, by another library."""
    payload = SDJWTVerifier(ran.text(file), lambda *_: issuer(ran, who)).get_verified_payload()
    assert isinstance(payload, dict)
    return payload


def test_the_report_has_the_shape_that_all_scenarios_share(ran: Ran) -> None:
    report = ran.report
    assert (report["scenario"], report["ok"], report["skipped"], report["omitted"]) == ("machine-identity", True, False, [])
    assert [step["name"] for step in report["steps"]] == STEPS
    assert all(step["ok"] is True and step["detail"] for step in report["steps"])
    figures = {figure["id"]: figure for figure in report["figures"]}
    assert set(figures) == FIGURES
    assert all(figure["value"] > 0 and figure["unit"] and figure["note"] for figure in figures.values())


def test_every_refusal_is_told_with_code_and_sentence(ran: Ran) -> None:
    page = ran.text("index.html")
    assert "<script" not in page
    missing = {code for code in REFUSALS if not re.search(rf">{re.escape(code)}<", page)}
    assert missing == set()


def test_every_receipt_passes_three_verifiers(ran: Ran) -> None:
    assert len(ran.receipts) > 40
    pass_three_verifiers(ran)


def test_no_serial_number_is_in_any_receipt(ran: Ran) -> None:
    serial = claims(ran, "make.sd-jwt", "maker")["serial"]
    assert re.fullmatch(r"FSW-2026-\d{5}", serial)
    for receipt in ran.receipts:
        assert b"FSW-2026" not in receipt.read_bytes(), receipt.name


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("claims a real one\u2019s place: on record", "identity.member.other-key"),
        ("with a record of its own: on record", "identity.member.not-enrolled"),
        ("commits to certificates of its own: on record", "credential.issuance.not-accredited"),
        ("second sale is on record as refused", "identity.device.not-owner"),
        ("lost station\u2019s claim is on record as refused", "identity.member.ended"),
        ("next commitment is on record as refused", "credential.issuance.compromised-key"),
    ],
)
def test_what_the_register_refused_is_on_record(ran: Ran, words: str, code: str) -> None:
    (receipt,) = ran.about(words)
    outcome = verify(receipt.read_bytes(), ran.network).what.outcome
    assert isinstance(outcome, Refused)
    assert outcome.code == code


def test_another_library_reads_both_papers(ran: Ran) -> None:
    make, title = claims(ran, "make.sd-jwt", "maker"), claims(ran, "title.sd-jwt", "register")
    assert set(make) >= MAKE
    assert set(title) >= TITLE
    assert make["serial"] == title["serial"]
    assert make["cnf"]["jwk"] == title["cnf"]["jwk"], "both are bound to the station's key"
    assert make["cnf"]["jwk"]["crv"] == "Ed25519"
    assert make["iss"] != title["iss"]
    with pytest.raises(InvalidJWSSignature):
        SDJWTVerifier(ran.text("make.sd-jwt"), lambda *_: issuer(ran, "register"))


@pytest.mark.parametrize(
    ("file", "who", "all_fields", "shown_fields"),
    [("make-shown.sd-jwt", "maker", MAKE, MAKE_ASKED), ("title-shown.sd-jwt", "register", TITLE, TITLE_ASKED)],
)
def test_another_library_sees_what_was_asked_for(
    ran: Ran, file: str, who: str, all_fields: set[str], shown_fields: set[str]
) -> None:
    presentation, asked = ran.text(file), json.loads(ran.text("question.json"))
    shown = DeviceVerifier(
        presentation, lambda *_: issuer(ran, who), asked["audience"], asked["nonce"]
    ).get_verified_payload()
    assert all_fields & set(shown) == shown_fields
    with pytest.raises(ValueError, match="nonce"):
        DeviceVerifier(presentation, lambda *_: issuer(ran, who), asked["audience"], "another")


def test_another_library_reads_the_status_lists(ran: Ran) -> None:
    status = claims(ran, "make.sd-jwt", "maker")["status"]["status_list"]
    lists = {}
    for shard in sorted(ran.folder.glob("make-status-*.jwt")):
        token = JWS()
        token.deserialize(shard.read_text(), issuer(ran, "maker"))
        assert token.jose_header["typ"] == "statuslist+jwt"
        said = json.loads(token.payload)
        lists[said["sub"]] = BitArray.load(said["status_list"])
    assert len(lists) == 2
    # The files are those of the first publication, when nothing was revoked.
    assert [sum(array.get(place) for place in range(4096)) for array in lists.values()] == [0, 0]
    assert lists[status["uri"]].get(status["idx"]) == 0


@pytest.mark.parametrize("number", [1, 2])
def test_a_bill_of_sale_opens_its_commitment(ran: Ran, number: int) -> None:
    bill = ran.text(f"bill-of-sale-{number}.json")
    salt = bytes.fromhex(ran.text(f"bill-of-sale-{number}.salt"))
    paper = hashlib.sha256(bill.encode()).digest()
    commitment = hashlib.sha256(b"stele/credential/commitment/v1" + salt + paper).digest()
    sale = json.loads(bill)
    assert len(sale["stations"]) == (32 if number == 1 else 1)
    receipts = ran.about("stands with both signatures")
    assert len(receipts) == 2
    assert commitment in receipts[number - 1].read_bytes()
