"""The scenario `ects-transfer`, end to end: its receipts in the hands of three verifiers, its papers counted again without our code.

Receipts are checked by the binary, by sdk/python and by sdk/typescript. The transcript is held against the European Learning Model's
shapes by pyshacl and its signature is verified by rdflib and cryptography; commitments are computed by hashlib, and every grade is
converted by fractions, as the ECTS Users' Guide 2015 and EGRACONS describe it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cbor2
import pytest
import rdflib
from conftest import ROOT
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pyshacl import validate
from rdflib import Graph

from stele_verify import Network, verify
from stele_verify.block import Applied, Refused

RUN_SECONDS_MAX = 300
VERIFY_SECONDS_MAX = 60
TYPESCRIPT = ROOT / "sdk" / "typescript" / "bin" / "stele-verify.js"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
QR_BYTES_MAX = 2953
PLAIN_TEXT = "^^<http://www.w3.org/2001/XMLSchema#string>"
STEPS = [
    "register-parties", "accredit-universities", "publish-tables", "sign-agreement", "change-agreement", "certify-transcript",
    "recognise", "verify-file", "pack-transcript", "transfer-many", "refuse-altered-papers", "refuse-missing-signers",
    "refuse-unaccredited-offices", "refuse-swapped-tables", "search-chain",
]  # fmt: skip
FIGURES = {
    "credits-moved", "chain-bytes-per-transfer", "transfers-per-second", "transcript-bytes", "transcript-code-bytes",
    "transcript-qr-codes", "file-bytes", "offline-verification-p50", "finality-p50", "finality-p99", "receipts-verified",
    "receipt-verification-p50",
}  # fmt: skip
REFUSALS = {
    "credential.document.other-signers", "credential.issuance.not-accredited", "ects.agreement-too-late", "ects.credits",
    "ects.decision-differs",
    "ects.not-attested", "ects.other-source", "ects.other-student", "ects.other-university", "ects.receipt-too-old",
    "ects.replaced", "ects.signer-missing", "ects.table-not-agreed", "ects.table-too-late", "ects.unreadable", "integrity.signature-bad",
    "trust.not-committed", "trust.outside-scope", "trust.proof-malformed", "trust.receipt",
}  # fmt: skip
PAPERS = {"agreement-1": "the first agreement", "agreement-2": "the agreement in force", "table-sending": "the sending university",
          "table-receiving": "the receiving university"}  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """A run: what it printed, and where its report is."""

    report: dict[str, Any]
    folder: Path

    @property
    def receipts(self) -> list[Path]:
        return [Path(item["receipt"]) for item in self.report["evidence"]]

    def about(self, words: str) -> list[Path]:
        """The receipts of the claims that hold these words."""
        return [Path(item["receipt"]) for item in self.report["evidence"] if words in item["claim"]]

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def json(self, name: str) -> Any:
        return json.loads(self.text(f"{name}.json"))

    @property
    def network(self) -> Network:
        return Network.load(str(self.folder / "network.json"))


def program(variable: str) -> str:
    path = os.environ.get(variable)
    if not path or not Path(path).is_file():
        pytest.fail(f"{variable} names no program (it is {path!r}); ./test builds it and sets it")
    return path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`stele scenario run ects-transfer`, on a node of its own."""
    folder = tmp_path_factory.mktemp("ects-transfer") / "report"
    env = {key: value for key, value in os.environ.items() if not key.startswith("STELE_")}
    command = [program("STELE_BIN"), "scenario", "run", "ects-transfer", "--format", "json", "--output", str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return Ran(json.loads(done.stdout), folder)


def test_the_report_has_the_shape_that_all_scenarios_share(ran: Ran) -> None:
    report = ran.report
    assert (report["scenario"], report["ok"], report["skipped"], report["omitted"]) == ("ects-transfer", True, False, [])
    assert [step["name"] for step in report["steps"]] == STEPS
    assert all(step["ok"] is True and step["detail"] for step in report["steps"])
    figures = {figure["id"]: figure for figure in report["figures"]}
    assert set(figures) == FIGURES
    assert all(figure["value"] > 0 and figure["unit"] and figure["note"] for figure in figures.values())
    assert figures["credits-moved"]["value"] == 30
    code = (ran.folder / "transcript.code").stat().st_size
    assert figures["transcript-code-bytes"]["value"] == code <= 2 * QR_BYTES_MAX
    assert figures["transcript-qr-codes"]["value"] == -(-code // QR_BYTES_MAX)
    assert figures["transcript-bytes"]["value"] == (ran.folder / "transcript.json").stat().st_size


def test_every_refusal_is_told_with_code_and_sentence(ran: Ran) -> None:
    page = ran.text("index.html")
    assert "<script" not in page
    missing = {code for code in REFUSALS if not re.search(rf">{re.escape(code)}<", page)}
    assert missing == set()


def refused_by(verifier: list[str], receipt: Path, network: Path) -> str | None:
    """What a verifier on the command line says against a receipt; nothing when it accepts."""
    command = [*verifier, str(receipt), "--network", str(network)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_SECONDS_MAX, check=False)
    return None if done.returncode == 0 else f"{receipt.name}: exit {done.returncode} {done.stdout} {done.stderr}"


def test_every_receipt_passes_three_verifiers(ran: Ran) -> None:
    assert len(ran.receipts) > 25
    for receipt in ran.receipts:
        verify(receipt.read_bytes(), ran.network)
    node = shutil.which("node")
    assert node, "Node is not installed"
    for verifier in ([program("STELE_BIN"), "verify"], [node, str(TYPESCRIPT)]):
        with ThreadPoolExecutor(max_workers=2) as pool:
            said = pool.map(lambda receipt: refused_by(verifier, receipt, ran.folder / "network.json"), ran.receipts)
        assert [words for words in said if words] == []


def test_nothing_of_the_student_is_in_any_entry(ran: Ran) -> None:
    transcript, agreement = ran.json("transcript"), ran.json("agreement-1")
    subject = transcript["credentialSubject"]
    words = {transcript["id"], agreement["id"], subject["familyName"]["en"], subject["givenName"]["en"]}
    words |= {part["title"]["en"] for part in subject["hasClaim"]["hasPart"]}
    words |= {course[name] for course in agreement["courses"] for name in ("title", "replaces")}
    assert len(words) > 12
    with_entries = 0
    for receipt in ran.receipts:
        held = receipt.read_bytes()
        assert [word for word in words if word.encode() in held] == [], receipt.name
        with_entries += verify(held, ran.network).what.commands is not None
    assert with_entries > 20, "the entries travel in the receipts, and were searched"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("A change that the student did not sign: on record", "credential.document.other-signers"),
        ("A bureau recognises that nobody accredited: on record", "credential.issuance.not-accredited"),
        ("recognises for the other country: on record", "credential.issuance.not-accredited"),
    ],
)
def test_what_the_register_refused_is_on_record(ran: Ran, words: str, code: str) -> None:
    (receipt,) = ran.about(words)
    outcome = verify(receipt.read_bytes(), ran.network).what.outcome
    assert isinstance(outcome, Refused)
    assert outcome.code == code


def canonical(paper: Any) -> bytes:
    """RFC 8785, for papers of plain ASCII and whole numbers: both are checked."""
    text = json.dumps(paper, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text.isascii() and not re.search(r"[0-9]\.[0-9]+[,}\]]", re.sub(r'"[^"]*"', "", text))
    return text.encode()


def commitment(ran: Ran, name: str) -> bytes:
    salt = bytes.fromhex(ran.text(f"{name}.salt"))
    return hashlib.sha256(b"stele/education/commitment/v1" + salt + canonical(ran.json(name))).digest()


def document(ran: Ran, name: str) -> list[Any]:
    """What the register keeps of a paper: entry, height, kind, signers, replaces, replaced by."""
    (receipt,) = ran.about(f"Who signed {PAPERS[name]}")
    (state,) = verify(receipt.read_bytes(), ran.network).what.state
    assert (state.register, state.key) == ("credential", b"document/" + commitment(ran, name))
    assert state.value is not None
    value = cbor2.loads(state.value)
    assert isinstance(value, list)
    return value


def party(did: str) -> bytes:
    name = did.removeprefix("did:stele:").upper()
    return base64.b32decode(name + "=" * (-len(name) % 8))


@pytest.mark.parametrize("number", [1, 2])
def test_all_three_signed_the_agreement(ran: Ran, number: int) -> None:
    paper, kept = ran.json(f"agreement-{number}"), document(ran, f"agreement-{number}")
    assert kept[2] == "ects.learning-agreement"
    signers = {party(paper["student"]), party(paper["sending"]["id"]), party(paper["receiving"]["id"])}
    assert set(kept[3]) == signers and len(kept[3]) == 3
    assert sum(course["tenths"] for course in paper["courses"]) == 300
    for side in ("sending", "receiving"):
        assert paper[f"{side}_table"] == commitment(ran, f"table-{side}").hex()
    first, second = commitment(ran, "agreement-1"), commitment(ran, "agreement-2")
    assert kept[4:] == ([None, second] if number == 1 else [first, None])


def issuance(ran: Ran, name: str) -> tuple[bytes, list[Any]]:
    """Who committed to a paper, and what the register keeps of it; the salted path leads from the paper to the root."""
    version, salt, index, path, receipt = cbor2.loads((ran.folder / f"{name}.proof").read_bytes())
    assert (version, index, path) == (1, 0, [])
    leaf = hashlib.sha256(canonical(ran.json(name))).digest()
    leaf = hashlib.sha256(b"stele/credential/commitment/v1" + salt + leaf).digest()
    root = hashlib.sha256(b"\x00" + leaf).digest()
    (state,) = verify(receipt, ran.network).what.state
    issuer = state.key.removeprefix(b"issuance/")[:32]
    assert (state.register, state.key) == ("credential", b"issuance/" + issuer + root)
    assert state.value is not None
    return issuer, cbor2.loads(state.value)


def test_both_universities_committed_under_their_accreditations(ran: Ran) -> None:
    agreement = ran.json("agreement-2")
    for name, side, kind, scope in [
        ("transcript", "receiving", "EuropeanDigitalCredential", "XB/universities"),
        ("decision", "sending", "ects.recognition-decision", "XA/universities"),
    ]:
        issuer, kept = issuance(ran, name)
        assert issuer == party(agreement[side]["id"])
        assert (kept[4], kept[5], kept[6]) == (kind, scope, 1)
        assert len(kept[8]) == 2, "the university's own accreditation, and its ministry's"


def test_the_tables_were_published_before_the_grades(ran: Ran) -> None:
    _, certified = issuance(ran, "transcript")
    for side in ("sending", "receiving"):
        table, kept = ran.json(f"table-{side}"), document(ran, f"table-{side}")
        assert kept[2] == "ects.grade-table" and kept[3] == [party(table["publisher"])] and kept[5] is None
        assert kept[1] < certified[1], "in an earlier block"
        assert table["note"].startswith("Fictional")
        assert table["publisher"] == ran.json("agreement-2")[side]["id"]


def bands(table: dict[str, Any]) -> dict[str, tuple[Fraction, Fraction]]:
    """From which share of all who passed to which each grade reaches, best first."""
    shares = table["table"]["grades"]
    total, before, found = sum(share["students"] for share in shares), 0, {}
    for share in shares:
        found[share["grade"]] = (Fraction(before, total), Fraction(before + share["students"], total))
        before += share["students"]
    return found


def test_every_grade_of_the_decision_is_what_the_tables_give(ran: Ran) -> None:
    away, home = bands(ran.json("table-receiving")), bands(ran.json("table-sending"))
    assert ran.json("table-sending")["convention"] == "middle"
    passed = {}
    for part in ran.json("transcript")["credentialSubject"]["hasClaim"]["hasPart"]:
        credits = Fraction(part["specifiedBy"]["creditPoint"]["point"])
        passed[part["title"]["en"]] = (credits, part["provenBy"]["grade"]["noteLiteral"]["en"])
    rows, page = [], ran.text("index.html")
    for planned in ran.json("agreement-2")["courses"]:
        credits, grade = passed.pop(planned["title"])
        assert credits == Fraction(planned["tenths"], 10)
        middle = sum(away[grade]) / 2
        (given,) = [name for name, (start, end) in home.items() if start < middle <= end]
        rows.append({"title": planned["title"], "replaces": planned["replaces"], "tenths": planned["tenths"],
                     "original_grade": grade, "grade": given})  # fmt: skip
        assert re.search(rf"{planned['title']}(?s:.){{0,600}}{re.escape(given)}", page), "the row stands on the page"
    decision = ran.json("decision")
    assert decision["decision"]["recognised"] == rows
    assert sum(row["tenths"] for row in rows) == 300
    assert (decision["decision"]["open"], decision["decision"]["additional"]) == ([], list(passed))
    assert decision["agreement"] == commitment(ran, "agreement-2").hex()
    assert decision["sending_table"] == commitment(ran, "table-sending").hex()
    assert decision["receiving_table"] == commitment(ran, "table-receiving").hex()
    assert decision["transcript"] == hashlib.sha256(canonical(ran.json("transcript"))).hexdigest()


def test_a_favour_is_well_signed_and_on_record(ran: Ran) -> None:
    (receipt,) = ran.about("with a grade that the tables do not give")
    assert isinstance(verify(receipt.read_bytes(), ran.network).what.outcome, Applied), "only a count of one's own finds it"


def test_the_code_holds_the_transcript_and_its_proof(ran: Ran) -> None:
    code, transcript = (ran.folder / "transcript.code").read_bytes(), ran.json("transcript")
    assert code[0] == 1
    texts, courses, proof, receipt = cbor2.loads(zlib.decompress(code[1:], wbits=-zlib.MAX_WBITS))
    subject = transcript["credentialSubject"]
    assert {subject["id"], subject["familyName"]["en"], transcript["issuer"]["id"], transcript["id"]} <= set(texts)
    parts = subject["hasClaim"]["hasPart"]
    assert [course[0] for course in courses] == [part["title"]["en"] for part in parts]
    assert [course[2] for course in courses] == [part["provenBy"]["grade"]["noteLiteral"]["en"] for part in parts]
    assert sum(course[1] for course in courses) == 330, "30 ECTS as agreed and 3 more"
    assert dict(zip(proof[::2], proof[1::2], strict=True)) == transcript["proof"]
    assert receipt == (ran.folder / "transcript.proof").read_bytes()


@pytest.fixture(scope="module")
def contexts() -> dict[str, Any]:
    command = [program("STELE_FOREIGN_INTEGRITY"), "contexts"]
    run = subprocess.run(command, input="{}", capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert isinstance(found, dict)
    return found


def graph(document: dict[str, Any], contexts: dict[str, Any]) -> Graph:
    """The document's triples, from the bundled contexts: each name is replaced by what it stands for."""
    inline = [contexts[name]["@context"] for name in document["@context"]]
    return Graph().parse(data=json.dumps({**document, "@context": inline}), format="json-ld")


@pytest.fixture(scope="module")
def shapes() -> Graph:
    data = os.environ.get("STELE_DATA")
    if not data:
        pytest.fail("STELE_DATA names no folder; ./test sets it")
    return Graph().parse(Path(data) / "formats/elm/EDC-generic-no-cv.shacl.ttl")


def unsigned(ran: Ran) -> dict[str, Any]:
    transcript = ran.json("transcript")
    del transcript["proof"]
    assert isinstance(transcript, dict)
    return transcript


def test_the_transcript_conforms_with_all_its_triples(ran: Ran, contexts: dict[str, Any], shapes: Graph) -> None:
    triples = graph(unsigned(ran), contexts)
    # A missing context would leave almost nothing to check, and that would conform.
    assert len(triples) == 187
    good, _, report = validate(triples, shacl_graph=shapes, inference="none", advanced=True)
    assert good, report


@pytest.mark.parametrize("member", ["issued", "credentialProfiles", "displayParameter"])
def test_a_transcript_without_a_required_part_fails(
    ran: Ran, contexts: dict[str, Any], shapes: Graph, member: str
) -> None:
    transcript = unsigned(ran)
    del transcript[member]
    good, _, _ = validate(graph(transcript, contexts), shacl_graph=shapes, inference="none", advanced=True)
    assert not good


def statements(document: dict[str, Any], contexts: dict[str, Any]) -> bytes:
    """RDFC-1.0 where at most one node has no name: sorted N-Quads, in which that node is called c14n0."""
    normal = rdflib.NORMALIZE_LITERALS
    rdflib.NORMALIZE_LITERALS = False  # or dates would be rewritten
    try:
        triples = graph(document, contexts)
    finally:
        rdflib.NORMALIZE_LITERALS = normal
    blank = {term for triple in triples for term in triple if isinstance(term, rdflib.BNode)}
    assert len(blank) <= 1
    lines = triples.serialize(format="nt11").splitlines()
    # The canonical form leaves the type of plain text out.
    lines = [re.sub(r"_:\w+", "_:c14n0", line.replace(PLAIN_TEXT, "")) for line in lines if line]
    return "".join(f"{line}\n" for line in sorted(lines)).encode()


def base58(text: str) -> bytes:
    number = 0
    for character in text:
        number = number * 58 + BASE58.index(character)
    return number.to_bytes(64, "big")


def test_other_libraries_verify_the_signature(ran: Ran, contexts: dict[str, Any]) -> None:
    transcript, proof = unsigned(ran), ran.json("transcript")["proof"]
    value = proof.pop("proofValue")
    assert (proof["cryptosuite"], value[0]) == ("eddsa-rdfc-2022", "z")
    options = {"@context": transcript["@context"], **proof}
    jwk = ran.json("receiving.jwk")
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "=" * (-len(jwk["x"]) % 4)))

    def signed(document: dict[str, Any]) -> bytes:
        parts = [statements(options, contexts), statements(document, contexts)]
        return b"".join(hashlib.sha256(part).digest() for part in parts)

    key.verify(base58(value[1:]), signed(transcript))
    grade = transcript["credentialSubject"]["hasClaim"]["hasPart"][0]["provenBy"]["grade"]["noteLiteral"]
    grade["en"] += "+"
    with pytest.raises(InvalidSignature):
        key.verify(base58(value[1:]), signed(transcript))
