"""The command line as a user meets it: exit status, stdout, stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from vectors import FOLDER, table

PACKAGE = Path(__file__).resolve().parents[1]
NETWORK = FOLDER / "network-ed25519.json"


def run(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "stele_verify", *map(str, arguments)]
    return subprocess.run(command, cwd=PACKAGE, input=stdin, capture_output=True, timeout=60, check=False)


def test_valid_receipt() -> None:
    done = run(FOLDER / "receipts/good-entry-and-state.receipt", "--network", NETWORK)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "VALID  Northwind Harbour (fictional)"
    assert lines[1].startswith("who    did:stele:")
    assert "rule   trace@1" in lines
    assert any(line.endswith("= absent") for line in lines)
    assert done.stderr == b""


def test_valid_receipt_as_json_from_stdin() -> None:
    data = (FOLDER / "receipts/good-entry-with-events.receipt").read_bytes()
    done = run("-", "--network", NETWORK, "--format", "json", stdin=data)
    answer = json.loads(done.stdout)
    expect = next(row["expect"] for row in table("receipts.json") if row["name"] == "good-entry-with-events")
    assert done.returncode == 0
    assert answer["valid"] is True
    assert answer["who"] == expect["who"]
    assert answer["what"]["commands"][0]["body"]["kind"] == "ObjectEvent"


def test_invalid_receipt() -> None:
    file = FOLDER / "receipts/bad-06-replay-from-a-network-with-the-same-key.receipt"
    done = run(file, "--network", NETWORK)
    assert done.returncode == 1
    assert done.stdout.startswith(b"INVALID  wrong-network (step 6): ")
    assert done.stderr.startswith(b"hint: ")
    done = run(file, "--network", NETWORK, "--format", "json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert (answer["valid"], answer["code"], answer["step"]) == (False, "wrong-network", 6)
    assert answer["hint"]


def test_too_large_a_file_is_not_read_whole(tmp_path: Path) -> None:
    big = tmp_path / "big.receipt"
    with big.open("wb") as stream:
        stream.truncate(1 << 40)  # sparse: a terabyte to whoever reads it whole
    done = run(big, "--network", NETWORK)
    assert done.returncode == 1
    assert b"too-large" in done.stdout


@pytest.mark.parametrize(
    "row", [row for row in table("networks.json") if not row["usable"]], ids=lambda r: r["name"]
)
def test_unusable_network(row: dict[str, object], tmp_path: Path) -> None:
    network = tmp_path / "network.json"
    network.write_text(json.dumps(row["descriptor"]))
    done = run(FOLDER / "receipts/good-state-present.receipt", "--network", network)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"error: " in done.stderr and b"hint: " in done.stderr


def test_unusable_files(tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text("not json")
    good = FOLDER / "receipts/good-state-present.receipt"
    for arguments in (
        (tmp_path / "missing.receipt", "--network", NETWORK),
        (tmp_path, "--network", NETWORK),
        (good, "--network", tmp_path / "missing.json"),
        (good, "--network", tmp_path / "network.json"),
        (good,),
        (good, "--network", NETWORK, "--format", "xml"),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, b""), arguments
        assert b"Traceback" not in done.stderr


def test_witnesses() -> None:
    rows = {row["name"]: row for row in table("witnesses.json")}

    def judge(name: str, *more: str) -> subprocess.CompletedProcess[bytes]:
        row = rows[name]
        keys = [argument for key in row["policy"]["keys"] for argument in ("--witness", key)]
        return run(FOLDER / row["file"], "--network", FOLDER / row["network"], *keys, *more)

    done = judge("good-two-of-three", "--witnesses-min", "2")
    assert done.returncode == 0, done.stderr
    assert b"witness witness.example/north cosigned at 2026-01-01T00:01:01+00:00" in done.stdout
    # Without a number all are asked for.
    done = judge("good-two-of-three", "--format", "json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["code"], answer["step"]) == (1, "not-witnessed", 15)
    assert judge("good-latest-time").returncode == 0
    for more in (["--witnesses-min", "4"], ["--witnesses-min", "x"], ["--witness", "no key"]):
        done = judge("good-two-of-three", *more)
        assert (done.returncode, done.stdout) == (2, b""), more
    done = run(FOLDER / "receipts/good-record-alone.receipt", "--network", NETWORK, "--witnesses-min", "1")
    assert done.returncode == 2
