"""Four validators as real processes, and clients that put load on them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import cbor2
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from world import Namespace, World

#: How long what must come at last may take on a busy machine.
PATIENCE_SECONDS = 120
STOP_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 60
API = "http://127.0.0.1:4180"
LINK_PORT = 7100
#: Of Debian's `faketime`; the loader puts the machine's own folder for `$LIB`.
FAKETIME = "/usr/$LIB/faketime/libfaketimeMT.so.1"


def wait_until(what: str | Callable[[], str], holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """`what` may be made when it is needed, from what was seen last."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.1)


@dataclass
class Node:
    """A validator in its namespace. It may be started with another binary or another clock each time."""

    number: int
    home: Path
    namespace: Namespace
    binary: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None
    #: What was wrong in runs that ended.
    faults: list[str] = field(default_factory=list)

    def start(self, binary: Path | None = None, clock: str | None = None) -> None:
        """`clock` is an offset as faketime takes it, such as `+3s`."""
        assert self.process is None, f"node {self.number} runs already"
        ready = self.log.with_suffix(".ready")
        ready.unlink(missing_ok=True)
        words = ["ip", "netns", "exec", self.namespace.name]
        if clock is not None:
            # Only the clock of the day: timers are not to jump. The library itself, because the program `faketime` would stay between us
            # and the node.
            words += ["env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME={clock}", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        words += [
            str(binary or self.binary), "up", "--quiet", "--data", str(self.home), "--listen", "127.0.0.1:4180",
            "--ready-file", str(ready),
        ]  # fmt: skip
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_until(lambda: f"node {self.number} serves\n{self.tail()}", lambda: ready.exists() or self._ended())
        assert self.process.poll() is None, f"node {self.number} ended while starting:\n{self.tail()}"

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        """As `kill -9`."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        """As an operator does it; the node must end by itself, and well."""
        assert self.process is not None
        process, self.process = self.process, None
        process.terminate()
        try:
            code = process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"node {self.number} did not stop within {STOP_SECONDS_MAX} s:\n{self.tail()}") from None
        assert code == 0, f"node {self.number} ended with {code}:\n{self.tail()}"

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def panicked(self) -> bool:
        return "panicked at" in self.log.read_text(errors="replace")

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.namespace.call(requests.get, API + path, timeout=REQUEST_SECONDS_MAX, **options)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        answer.raise_for_status()
        return answer.json()

    def submit(self, entry: bytes, wait: bool) -> requests.Response:
        return self.namespace.call(
            requests.post,
            f"{API}/v1/entries" + ("?wait=final" if wait else ""),
            data=entry,
            headers={"Content-Type": "application/cose"},
            timeout=REQUEST_SECONDS_MAX,
        )

    def clock_ahead_seconds(self) -> float:
        """How far its clock is ahead of ours, as its answers tell, which know whole seconds."""
        return parsedate_to_datetime(self.get("/health").headers["date"]).timestamp() - time.time()

    def height(self) -> int:
        return int(self.json("/v1/network")["head"]["height"])

    def alarms(self) -> set[str]:
        return {alarm["code"] for alarm in self.json("/v1/network/status")["alarms"]}

    def health(self) -> str:
        return str(self.json("/health")["status"])


class Network:
    """The four, founded on the addresses of their namespaces."""

    def __init__(self, world: World, folder: Path, binary: Path, founder: Path) -> None:
        count = len(world.nodes)
        addresses = [f"{world.address(number)}:{LINK_PORT}" for number in range(count)]
        subprocess.run([founder, folder / "net", "Fictional four", *addresses], check=True, timeout=PATIENCE_SECONDS)
        self.world = world
        self.nodes = [
            Node(number, folder / "net" / f"validator-{number + 1}", namespace, binary, folder / f"node-{number}.log")
            for number, namespace in enumerate(world.nodes)
        ]
        self.descriptor = self.nodes[0].home / "network.json"
        self.network_id = bytes.fromhex(json.loads(self.descriptor.read_bytes())["network_id"])

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def is_well(self) -> bool:
        """Whether all are heard by all and nobody is behind."""
        return all(node.is_running() and not node.alarms() for node in self.nodes)

    def wait_well(self) -> None:
        wait_until("all four are without alarms", self.is_well)

    def kill(self) -> None:
        for node in self.nodes:
            if node.process is not None:
                node.kill()


def canonical(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def new_party(network_id: bytes, name: str) -> tuple[bytes, bytes]:
    """An entry by which a new party registers itself (docs/format.md section 3), and the entry's id."""
    key = Ed25519PrivateKey.generate()
    cose_key = canonical({1: 1, -1: 6, -2: key.public_key().public_bytes_raw()})
    now = int(time.time() * 1000)
    header = canonical(
        {
            1: -19,
            4: hashlib.sha256(cose_key).digest(),
            -65537: [network_id, "identity", now - 60_000, now + 900_000, os.urandom(12)],
        }
    )
    body = {"kind": "organisation", "keys": [cose_key], "name": name}
    payload = canonical([["party.register", body]])
    signed = cbor2.dumps(["Signature1", header, b"", payload])
    entry = cbor2.dumps(cbor2.CBORTag(18, [header, {}, payload, key.sign(signed)]))
    return entry, hashlib.sha256(signed).digest()


@dataclass(frozen=True)
class Acknowledged:
    """A node said that this entry is final."""

    node: int
    height: int
    log_index: int


class Load:
    """Clients of every node that submit one entry after the other and note what they were told.

    A client whose node does not answer gives the same bytes to the next node, as a sensible client does; some entries are given to two
    nodes at once. None of this may make an entry count twice.
    """

    def __init__(self, network: Network, clients_each: int = 2) -> None:
        self._network = network
        self._clients_each = clients_each
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.acknowledged: dict[bytes, Acknowledged] = {}
        self.submitted: set[bytes] = set()
        self.unexpected: list[str] = []

    def __enter__(self) -> Load:
        self._stop.clear()
        for node in self._network.nodes:
            for client in range(self._clients_each):
                thread = threading.Thread(target=self._run, args=(node.number, client), daemon=True)
                thread.start()
                self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def count(self) -> int:
        with self._lock:
            return len(self.acknowledged)

    def wait_for(self, more: int) -> None:
        """Waits until so many more entries are acknowledged than now."""
        target = self.count() + more
        wait_until(f"{more} more entries are final", lambda: self.count() >= target)

    def _run(self, number: int, client: int) -> None:
        nodes = self._network.nodes
        turn = 0
        while not self._stop.is_set():
            turn += 1
            entry, entry_id = new_party(self._network.network_id, f"Fictional client {number}.{client} turn {turn}")
            with self._lock:
                self.submitted.add(entry_id)
            if turn % 4 == 0:
                self._try(nodes[(number + 1) % len(nodes)], entry, wait=False)
            at = number
            while not self._submit(nodes[at], entry, entry_id) and not self._stop.is_set():
                at = (at + 1) % len(nodes)
                time.sleep(0.2)

    def _try(self, node: Node, entry: bytes, wait: bool) -> requests.Response | None:
        if not node.is_running():
            return None
        try:
            return node.submit(entry, wait)
        except requests.RequestException:
            return None

    def _submit(self, node: Node, entry: bytes, entry_id: bytes) -> bool:
        """Whether the entry is final now."""
        answer = self._try(node, entry, wait=True)
        if answer is None:
            return False
        if answer.status_code == 200:
            told = answer.json()
            if told["entry_id"] != entry_id.hex() or told["outcome"]["applied"] is not True:
                self._note(f"an odd answer: {told}")
                return True
            acknowledged = Acknowledged(node.number, told["height"], told["log_index"])
            with self._lock:
                self.acknowledged[entry_id] = acknowledged
            return True
        problem = answer.json()
        if problem["code"] == "entry.replayed":
            # Ordered through another node. It counts as acknowledged there, if that node said so.
            return True
        if not problem["code"].startswith("node."):
            self._note(f"{answer.status_code}: {problem}")
        return False

    def _note(self, words: str) -> None:
        with self._lock:
            self.unexpected.append(words)
