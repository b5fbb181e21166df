"""The scenario `public-service`, end to end: its receipts in the hands of three verifiers, its papers in those of other people's tools.

Receipts are checked by the binary, by sdk/python and by sdk/typescript; what the citizen presents by PyPI sd-jwt, the published service
files by jsonschema, the commitments by hashlib, and both periods of the law are counted again from the files' own calendars.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from conftest import ROOT
from jwcrypto.jwk import JWK
from jwcrypto.jws import InvalidJWSSignature
from scenario_run import Ran, pass_three_verifiers, run
from sd_jwt.verifier import SDJWTVerifier

from stele_verify import verify
from stele_verify.block import Refused

STEPS = [
    "register-offices", "accredit-offices", "publish-services", "fill-wallet", "apply-once-only", "change-rule",
    "check-completeness", "hand-over", "decide-with-reasons", "appeal", "tell-citizen", "wait-in-silence", "decide-many",
    "search-chain",
]  # fmt: skip
FIGURES = {
    "cases-per-second", "application-to-decision-p50", "application-to-decision-blocks", "bytes-per-case",
    "bytes-of-disputed-case", "credential-check-p50", "finality-p50", "finality-p99", "receipts-verified",
    "receipt-verification-p50",
}  # fmt: skip
REFUSALS = {
    "service-file.period", "service-letter.no-reason", "service-letter.unknown-reason", "service.appeal.no-decision",
    "service.appeal.not-accredited", "service.case.cannot-close", "service.case.granted-by-law",
    "service.case.not-applicant", "service.case.not-office", "service.case.not-pending", "service.case.other-document",
    "service.deem.not-by-law", "service.deem.not-due", "service.definition.withdrawn",
    "service.handover.not-countersigned", "service.history.other-version", "service.items.complete",
    "service.items.not-missing", "service.items.still-missing", "service.items.unknown",
    "service.office.not-accredited",
}  # fmt: skip
PERSONAL = (
    b"Fictional-Muster", b"Mara-Example", b"1990-04-17", b"Beispielweg 7", b"01234-Musterstadt", b"XX-MU 4711",
    b"Fictional-Resident", b"used by a neighbour",
)  # fmt: skip
SERVICES = ("parking-permit-1", "parking-permit-2", "business-registration-1", "residence-certificate-1")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`stele scenario run public-service`, on a node of its own."""
    return run("public-service", tmp_path_factory.mktemp("public-service") / "report")


def test_the_report_has_the_shape_that_all_scenarios_share(ran: Ran) -> None:
    report = ran.report
    assert (report["scenario"], report["ok"], report["skipped"]) == ("public-service", True, False)
    assert [step["name"] for step in report["steps"]] == STEPS
    assert [step["name"] for step in report["omitted"]] == ["claim-silence"]
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


def test_nothing_of_a_citizen_is_in_any_receipt(ran: Ran) -> None:
    for receipt in ran.receipts:
        held = receipt.read_bytes()
        assert [word for word in PERSONAL if word in held] == [], receipt.name
    # The same words are where they belong: in the papers.
    assert PERSONAL[0].decode() in ran.text("letter.json")
    assert PERSONAL[3].decode() in ran.text("application.json")


def test_a_claim_before_its_time_is_on_record_as_refused(ran: Ran) -> None:
    (receipt,) = ran.about("before its time is on record")
    outcome = verify(receipt.read_bytes(), ran.network).what.outcome
    assert isinstance(outcome, Refused)
    assert outcome.code == "service.deem.not-due"


@pytest.mark.parametrize("name", SERVICES)
def test_the_published_files_fit_the_schema_and_the_chain_has_their_hash(ran: Ran, name: str) -> None:
    schema = json.loads((ROOT / "docs" / "services" / "service.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(ran.json(f"{name}.json"), schema)
    service, version = name.rsplit("-", 1)
    (entry,) = ran.about(f"published version {version} of {service}")
    (state,) = ran.about(f"Version {version} of {service} stands")
    document = hashlib.sha256(ran.text(f"{name}.json").encode()).digest()
    assert document in entry.read_bytes()
    assert document in state.read_bytes()


@pytest.mark.parametrize(
    ("need", "who", "shown_claims"),
    [
        ("identity", "persons", {"family_name", "address"}),
        ("vehicle", "vehicles", {"registration_number", "category"}),
    ],
)
def test_another_library_sees_only_what_the_service_asks_for(
    ran: Ran, need: str, who: str, shown_claims: set[str]
) -> None:
    text, asked = ran.text(f"shown-{need}.sd-jwt"), ran.json("question.json")
    key = JWK.from_json(ran.text(f"{who}.jwk.json"))
    shown = SDJWTVerifier(text, lambda *_: key, asked["audience"], asked["nonce"]).get_verified_payload()
    always = {"iss", "iat", "vct", "cnf", "status"}
    assert {name for name in shown if name not in always and shown[name] != {}} == shown_claims
    queried = [query for query in ran.json("query.json")["credentials"] if query["format"] == "dc+sd-jwt"]
    (query,) = [query for query in queried if shown["vct"] in query["meta"]["vct_values"]]
    for claim in query["claims"]:
        found = shown
        for part in claim["path"]:
            found = found[part]
    if need == "identity":
        assert set(shown["address"]) == {"postal_code", "street_address"}
    other = JWK.generate(kty="OKP", crv="Ed25519")
    with pytest.raises(InvalidJWSSignature):
        SDJWTVerifier(text, lambda *_: other)


def commitment(salt: bytes, paper: bytes) -> bytes:
    return hashlib.sha256(b"stele/service/paper/v1" + salt + paper).digest()


def test_papers_and_salts_open_what_is_on_the_chain(ran: Ran) -> None:
    (opened,) = ran.about("application was received")
    papers = ran.json("papers.json")
    assert [paper["paper"] for paper in papers] == ["application.json", "shown-identity.sd-jwt", "shown-vehicle.sd-jwt"]
    for paper in papers:
        found = commitment(bytes.fromhex(paper["salt"]), ran.text(paper["paper"]).encode())
        assert found.hex() == paper["commitment"]
        assert found in opened.read_bytes()
    for claim, paper, salt in [
        ("supplied the consent", "keeper-consent.txt", "keeper-consent.salt"),
        ("refused the application", "letter.json", "letter.salt"),
    ]:
        (receipt,) = ran.about(claim)
        opening = commitment(bytes.fromhex(ran.text(salt)), ran.text(paper).encode())
        assert opening in receipt.read_bytes()


class Calendar:
    """Local days of a service file, counted day by day."""

    def __init__(self, file: dict[str, Any]) -> None:
        calendar = file["calendar"]
        self.free = {date.fromisoformat(holiday["date"]) for holiday in calendar["holidays"]}
        self.changes = []
        for change in calendar["local_time"]:
            hours, minutes = change["offset"].split(":")
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            self.changes.append((datetime.fromisoformat(change["from"]), offset))

    def offset(self, instant: datetime) -> timedelta:
        return max(change for change in self.changes if change[0] <= instant)[1]

    def day(self, milliseconds: int) -> date:
        instant = datetime.fromtimestamp(milliseconds / 1000, UTC)
        return (instant + self.offset(instant)).date()

    def works(self, day: date) -> bool:
        return day.isoweekday() < 6 and day not in self.free

    def next_working(self, day: date) -> date:
        while not self.works(day):
            day += timedelta(days=1)
        return day

    def midnight_after(self, day: date) -> int:
        """The first instant after a local day, in milliseconds since 1970."""
        local = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
        return round((local - self.offset(local)).timestamp() * 1000)


def received(ran: Ran, words: str) -> int:
    (receipt,) = ran.about(words)
    record = verify(receipt.read_bytes(), ran.network).when.record
    assert record is not None
    return record.time_ms


def test_ten_working_days_counted_again(ran: Ran) -> None:
    calendar = Calendar(ran.json("parking-permit-1.json"))
    day = calendar.day(received(ran, "application was received"))
    for _ in range(10):
        day = calendar.next_working(day + timedelta(days=1))
    first = ran.json("timeline.json")["en"][0]["sentence"]
    assert f"{day.day} {day:%B} {day.year}" in first, first


def test_three_months_counted_again(ran: Ran) -> None:
    calendar = Calendar(ran.json("business-registration-1.json"))
    day = calendar.day(received(ran, "A business was registered"))
    year, month = day.year + (day.month + 2) // 12, (day.month + 2) % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    last = min(date(year, month, 1) + timedelta(days=day.day - 1), following - timedelta(days=1))
    assert ran.json("waiting-case.json")["due_ms"] == calendar.midnight_after(calendar.next_working(last))
