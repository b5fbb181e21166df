"""What the tests of scenarios share: a run of the real binary, its report, and the three verifiers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from stele_verify import Network, verify

RUN_SECONDS_MAX = 300
VERIFY_SECONDS_MAX = 60
TYPESCRIPT = ROOT / "sdk" / "typescript" / "bin" / "stele-verify.js"


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
        return json.loads(self.text(name))

    @property
    def network(self) -> Network:
        return Network.load(str(self.folder / "network.json"))


def binary() -> str:
    path = os.environ.get("STELE_BIN")
    if not path or not Path(path).is_file():
        pytest.fail(f"STELE_BIN does not name the stele binary (it is {path!r}); ./test builds it and sets it")
    return path


def run(name: str, folder: Path) -> Ran:
    """`stele scenario run NAME`, on a node of its own."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("STELE_")}
    command = [binary(), "scenario", "run", name, "--format", "json", "--output", str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return Ran(json.loads(done.stdout), folder)


def refused_by(verifier: list[str], receipt: Path, network: Path) -> str | None:
    """What a verifier on the command line says against a receipt; nothing when it accepts."""
    command = [*verifier, str(receipt), "--network", str(network)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_SECONDS_MAX, check=False)
    return None if done.returncode == 0 else f"{receipt.name}: exit {done.returncode} {done.stdout} {done.stderr}"


def pass_three_verifiers(ran: Ran) -> None:
    """Python, Rust and TypeScript accept every receipt of a run."""
    for receipt in ran.receipts:
        verify(receipt.read_bytes(), ran.network)
    node = shutil.which("node")
    assert node, "Node is not installed"
    for verifier in ([binary(), "verify"], [node, str(TYPESCRIPT)]):
        with ThreadPoolExecutor(max_workers=2) as pool:
            said = pool.map(lambda receipt: refused_by(verifier, receipt, ran.folder / "network.json"), ran.receipts)
        assert [words for words in said if words] == []
