"""A running node for programs that are not ours: `node` starts the real binary and ends it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "sdk" / "python"))

# hypothesis, under schemathesis, would keep its files in the checkout.
set_hypothesis_home_dir(tempfile.mkdtemp(prefix="stele-hypothesis-"))

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 30


@dataclass(frozen=True)
class Node:
    """A node as a client sees it: its address, its network's descriptor and its API token."""

    url: str
    network: dict[str, Any]
    token: str

    @property
    def network_id(self) -> bytes:
        return bytes.fromhex(self.network["network_id"])

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=REQUEST_SECONDS_MAX, **options)

    def submit(self, entry: bytes) -> requests.Response:
        """Submits an entry and waits until it is final."""
        return requests.post(
            f"{self.url}/v1/entries?wait=final",
            data=entry,
            headers={"Content-Type": "application/cose"},
            timeout=REQUEST_SECONDS_MAX,
        )

    def head(self) -> dict[str, Any]:
        """The newest block: height, log_size, state_root, time_ms."""
        answer = self.get("/v1/network")
        answer.raise_for_status()
        head = answer.json()["head"]
        assert isinstance(head, dict)
        return head


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """`$STELE_BIN up` on a free port with fresh data. Its address is in STELE_URL too."""
    binary = os.environ.get("STELE_BIN")
    if not binary or not Path(binary).is_file():
        pytest.fail(f"STELE_BIN does not name the stele binary (it is {binary!r}); ./test builds it and sets it")
    folder = tmp_path_factory.mktemp("node")
    ready, log = folder / "ready.json", folder / "node.log"
    command = [binary, "up", "--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--ready-file", str(ready)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        told = wait_until_ready(process, ready, log)
        running = Node(told["url"].rstrip("/"), told["network"], told["token"])
        os.environ["STELE_URL"], os.environ["STELE_TOKEN"] = running.url, running.token
        yield running
        assert process.poll() is None, f"the node ended during the tests:\n{tail(log)}"
    finally:
        stop(process)
    assert process.returncode == 0, f"the node ended with {process.returncode} when asked to stop:\n{tail(log)}"
    assert "panicked at" not in log.read_text(errors="replace"), f"the node panicked:\n{tail(log)}"


def wait_until_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> dict[str, Any]:
    """The content of the ready file, as soon as it is whole."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the node ended with {process.returncode} while starting:\n{tail(log)}")
        try:
            told = json.loads(ready.read_bytes())
        except (FileNotFoundError, ValueError):
            time.sleep(0.05)
            continue
        assert isinstance(told, dict)
        return told
    pytest.fail(f"the node was not ready within {START_SECONDS_MAX} s:\n{tail(log)}")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]
