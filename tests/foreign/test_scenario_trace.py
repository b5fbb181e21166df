"""The scenario `trace`, end to end: its report, its documents, and its receipts in the hands of three verifiers.

Receipts are checked by the binary, by sdk/python and by sdk/typescript; documents by jsonschema on GS1's own schema.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Node
from jsonschema import Draft7Validator

from stele_verify import Network, Verified, VerifyError, verify
from stele_verify.block import Refused

RUN_SECONDS_MAX = 300
VERIFY_SECONDS_MAX = 60
TYPESCRIPT = ROOT / "sdk" / "typescript" / "bin" / "stele-verify.js"
STEPS = [
    "register-parties", "accredit-authority", "generate-documents", "capture-events", "check-commitments",
    "capture-given-documents", "claim-items", "hand-over-custody", "trace-an-item", "detect-changes",
    "refuse-unaccredited-recall", "issue-recall", "find-holders", "close-recall",
]  # fmt: skip
FIGURES = {
    "events-captured-per-second", "finality-p50", "finality-p99", "receipts-verified", "receipt-verification-p50",
    "receipt-bytes-max", "item-history-answer-time", "recall-answer-time",
}  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """A run: what it printed, and where its report is."""

    report: dict[str, Any]
    folder: Path

    @property
    def receipts(self) -> list[Path]:
        return [Path(item["receipt"]) for item in self.report["evidence"]]

    def step(self, name: str) -> dict[str, Any]:
        return next(step for step in self.report["steps"] if step["name"] == name)

    def about(self, words: str) -> list[Path]:
        """The receipts of the claims that hold these words."""
        return [Path(item["receipt"]) for item in self.report["evidence"] if words in item["claim"]]


def binary() -> str:
    path = os.environ.get("STELE_BIN")
    if not path or not Path(path).is_file():
        pytest.fail(f"STELE_BIN does not name the stele binary (it is {path!r}); ./test builds it and sets it")
    return path


def data() -> Path:
    folder = os.environ.get("STELE_DATA")
    if not folder or not (Path(folder) / "formats" / "epcis").is_dir():
        pytest.fail("STELE_DATA does not name a folder with formats/epcis; run ./test with STELE_DATA=DIR")
    return Path(folder).resolve() / "formats" / "epcis"


def run(folder: Path, *options: str, **settings: str) -> Ran:
    """`stele scenario run trace`; without settings it has a node of its own and no data at hand."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("STELE_")}
    env = {**kept, "XDG_CACHE_HOME": str(folder.parent / "no-cache"), **settings}
    command = [binary(), "scenario", "run", "trace", "--format", "json", "--output", str(folder), *options]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return Ran(json.loads(done.stdout), folder)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """On generated input alone, as on any machine."""
    return run(tmp_path_factory.mktemp("trace") / "report")


@pytest.fixture(scope="module")
def with_documents(tmp_path_factory: pytest.TempPathFactory, node: Node) -> Ran:
    """On a node that runs already, with the standard's example documents."""
    folder = tmp_path_factory.mktemp("trace-documents") / "report"
    return run(folder, "--input", str(data()), "--url", node.url, STELE_TOKEN=node.token)


def test_the_report_has_the_shape_that_all_scenarios_share(generated: Ran) -> None:
    report = generated.report
    assert (report["scenario"], report["ok"], report["skipped"]) == ("trace", True, False)
    omitted = [item["name"] for item in report["omitted"]]
    assert omitted == ["capture-given-documents"]
    assert [step["name"] for step in report["steps"]] == [name for name in STEPS if name not in omitted]
    for step in report["steps"]:
        assert set(step) == {"name", "ok", "detail"}
        assert step["ok"] is True and step["detail"]
    assert FIGURES == {figure["id"] for figure in report["figures"]}
    for figure in report["figures"]:
        assert set(figure) == {"id", "value", "unit", "goal", "better", "peer", "note"}
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", figure["id"])
        assert isinstance(figure["value"], int | float) and figure["value"] > 0
        assert figure["goal"] is None or isinstance(figure["goal"], int | float)
        assert figure["better"] in ("higher", "lower") and figure["unit"] and figure["note"]
    for item in report["evidence"]:
        assert set(item) == {"claim", "receipt"} and item["claim"]
        assert Path(item["receipt"]).is_file()
    assert len({item["receipt"] for item in report["evidence"]}) == len(report["evidence"]) > 100


def test_the_folder_stands_alone(generated: Ran) -> None:
    page = (generated.folder / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page), "the page loads nothing from elsewhere"
    linked = set(re.findall(r"href=\"([^\"#][^\"]*)\"", page))
    assert linked >= {path.name for path in generated.receipts} | {"network.json", "report.json"}
    assert all((generated.folder / name).is_file() for name in linked)
    kept = json.loads((generated.folder / "report.json").read_bytes())
    assert [item["receipt"] for item in kept["evidence"]] == [path.name for path in generated.receipts]


def network_of(ran: Ran) -> Network:
    return Network.load(str(ran.folder / "network.json"))


def refused_by(verifier: list[str], receipt: Path, network: Path) -> str | None:
    """What a verifier on the command line says against a receipt; nothing when it accepts."""
    command = [*verifier, str(receipt), "--network", str(network)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_SECONDS_MAX, check=False)
    return None if done.returncode == 0 else f"{receipt.name}: exit {done.returncode} {done.stdout} {done.stderr}"


def all_verify(ran: Ran) -> None:
    network = network_of(ran)
    for receipt in ran.receipts:
        verify(receipt.read_bytes(), network)
    node = shutil.which("node")
    assert node, "Node is not installed"
    for verifier in ([binary(), "verify"], [node, str(TYPESCRIPT)]):
        with ThreadPoolExecutor(max_workers=2) as pool:
            said = pool.map(lambda receipt: refused_by(verifier, receipt, ran.folder / "network.json"), ran.receipts)
        assert [words for words in said if words] == []


def test_every_receipt_passes_three_verifiers(generated: Ran) -> None:
    all_verify(generated)


def test_every_receipt_passes_three_verifiers_with_documents(with_documents: Ran) -> None:
    all_verify(with_documents)


def test_altered_receipts_fail_in_all_three(generated: Ran, tmp_path: Path) -> None:
    network, node = generated.folder / "network.json", shutil.which("node")
    assert node, "Node is not installed"
    original = generated.about("signed by both in one entry")[0].read_bytes()
    for place in (len(original) // 3, len(original) // 2, len(original) - 1):
        altered = bytearray(original)
        altered[place] ^= 1
        file = tmp_path / f"altered-{place}.receipt"
        file.write_bytes(bytes(altered))
        with pytest.raises(VerifyError):
            verify(bytes(altered), network_of(generated))
        for verifier in ([binary(), "verify"], [node, str(TYPESCRIPT)]):
            command = [*verifier, str(file), "--network", str(network)]
            done = subprocess.run(command, capture_output=True, timeout=VERIFY_SECONDS_MAX, check=False)
            assert done.returncode == 1, f"{verifier[0]} on a receipt altered at {place}"


def proven(ran: Ran, receipt: Path) -> Verified:
    return verify(receipt.read_bytes(), network_of(ran))


def test_the_outsiders_recall_is_recorded_as_refused(generated: Ran) -> None:
    (receipt,) = generated.about("tried to recall lot B")
    outcome = proven(generated, receipt).what.outcome
    assert isinstance(outcome, Refused)
    assert outcome.code == "trace.recall.not-allowed"


def test_the_recalled_lot_has_a_holder_for_each_bottle(generated: Ran) -> None:
    claims = [item["claim"] for item in generated.report["evidence"] if "of recalled lot" in item["claim"]]
    assert len(claims) == 48
    holders = {re.sub(r".* is held by (.*) since block \d+", r"\1", claim) for claim in claims}
    assert holders == {"Fictional Olive Mill Oliveto", "Fictional Carrier Ponente", "Fictional Corner Shop Larder"}


@pytest.fixture(scope="module")
def schema() -> Draft7Validator:
    return Draft7Validator(json.loads((data() / "schema" / "EPCIS-JSON-Schema.json").read_bytes()))


def test_generated_documents_follow_gs1s_schema(generated: Ran, schema: Draft7Validator) -> None:
    documents = sorted(generated.folder.glob("*.jsonld"))
    assert len(documents) == 8
    for document in documents:
        faults = [error.message for error in schema.iter_errors(json.loads(document.read_bytes()))]
        assert faults == [], document.name


def test_the_standards_documents_are_captured(with_documents: Ran) -> None:
    report = with_documents.report
    assert report["ok"] is True and report["omitted"] == []
    (figure,) = [figure for figure in report["figures"] if figure["id"] == "documents-accepted"]
    files = len(list(data().glob("*.jsonld")))
    # Two of GS1's examples give one id to different events: whichever comes second is refused, and said so.
    assert (files, figure["value"]) == (16, 15)
    page = (with_documents.folder / "index.html").read_text(encoding="utf-8")
    assert page.count("valid, but refused: there is an event with this id already") == 1


def test_wrong_documents_are_named_with_the_place_of_the_fault(tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    good = json.loads((data() / "SensorDataExample1.jsonld").read_bytes())
    (folder / "good.jsonld").write_text(json.dumps(good))
    event = {**good["epcisBody"]["eventList"][0], "@context": good["@context"], "eventID": "urn:uuid:00000000-0000-4000-8000-000000000001"}  # fmt: skip
    (folder / "bare.json").write_text(json.dumps(event))
    good["epcisBody"]["eventList"][0]["bizStep"] = "daydreaming"
    (folder / "step.jsonld").write_text(json.dumps(good))
    (folder / "broken.json").write_text("{")
    ran = run(tmp_path / "report", "--input", str(folder))
    assert ran.step("capture-given-documents")["detail"].startswith("2 of 4 files")
    page = (ran.folder / "index.html").read_text(encoding="utf-8")
    assert "/epcisBody/eventList/0/bizStep" in page
    assert "not JSON" in page


def test_a_folder_without_documents_fails(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    command = [binary(), "scenario", "run", "trace", "--format", "json", "--output", str(tmp_path / "report"), "--input", str(folder)]  # fmt: skip
    env = {key: value for key, value in os.environ.items() if not key.startswith("STELE_")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    failed = [step for step in report["steps"] if not step["ok"]]
    assert (report["ok"], failed[0]["name"]) == (False, "capture-given-documents")
    assert "no *.jsonld or *.json file" in failed[0]["detail"]
    assert {step["detail"] for step in failed[1:]} == {"not reached"}
