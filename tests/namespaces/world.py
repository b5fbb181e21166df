"""Network namespaces, one for each node, joined by bridges in a namespace of their own.

Nothing of the machine's own network is touched: the switch that the nodes are plugged into is a namespace too. Two bridges are in it, so
that a partition is a plug pulled from one and put into the other: no reset, no error, packets simply do not arrive, as on a real network.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

CLONE_NEWNET = 0x40000000
COMMAND_SECONDS_MAX = 30
#: How many requests to one node may be under way.
THREADS = 16

T = TypeVar("T")


class Forbidden(Exception):
    """This machine does not let us make namespaces."""


def command(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Namespace:
    """A network namespace; `call` runs Python in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        command("ip", "netns", "add", name)
        self._threads: ThreadPoolExecutor | None = None

    def _enter(self) -> None:
        # A namespace belongs to a thread: the pool's threads enter this one, and every socket that they open is in it.
        libc = ctypes.CDLL(None, use_errno=True)
        handle = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if libc.setns(handle, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns to {self.name}")
        finally:
            os.close(handle)

    def call(self, work: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Runs `work` inside and returns what it returns."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=self.name, initializer=self._enter)
        return self._threads.submit(work, *arguments, **options).result()

    def remove(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        command("ip", "netns", "delete", self.name)


class World:
    """Node `n` (from 0) is at `address(n)`, on a link of its own to the switch."""

    def __init__(self, count: int) -> None:
        prefix = f"stele{os.getpid()}"
        self._made: list[Namespace] = []
        try:
            self.switch = self._make(f"{prefix}-switch")
            for bridge in ("home", "away"):
                command("ip", "-n", self.switch.name, "link", "add", bridge, "type", "bridge")
                command("ip", "-n", self.switch.name, "link", "set", bridge, "up")
            self.nodes = [self._make(f"{prefix}-{number}") for number in range(count)]
            for number, node in enumerate(self.nodes):
                self._plug(number, node)
        except OSError as error:
            self.remove()
            raise Forbidden(str(error)) from None

    def _make(self, name: str) -> Namespace:
        namespace = Namespace(name)
        self._made.append(namespace)
        return namespace

    def _plug(self, number: int, node: Namespace) -> None:
        port = f"port{number}"
        command(
            "ip", "link", "add", "link0", "netns", node.name, "type", "veth", "peer", "name", port, "netns", self.switch.name,
        )  # fmt: skip
        command("ip", "-n", self.switch.name, "link", "set", port, "master", "home")
        command("ip", "-n", self.switch.name, "link", "set", port, "up")
        command("ip", "-n", node.name, "link", "set", "lo", "up")
        command("ip", "-n", node.name, "address", "add", f"{self.address(number)}/24", "dev", "link0")
        command("ip", "-n", node.name, "link", "set", "link0", "up")

    def address(self, number: int) -> str:
        # TEST-NET-1 of RFC 5737: no address of anybody's.
        return f"192.0.2.{number + 1}"

    def partition(self, *away: int) -> None:
        """These nodes reach one another, the others one another, and nobody across."""
        for number in range(len(self.nodes)):
            bridge = "away" if number in away else "home"
            command("ip", "-n", self.switch.name, "link", "set", f"port{number}", "master", bridge)

    def heal(self) -> None:
        self.partition()

    def slow(self, number: int, kilobits: int) -> None:
        """The link of one node carries no more than this in each direction."""
        self.fast(number)
        for namespace, device in ((self.nodes[number].name, "link0"), (self.switch.name, f"port{number}")):
            command(
                "tc", "-n", namespace, "qdisc", "add", "dev", device, "root", "tbf",
                "rate", f"{kilobits}kbit", "burst", "16kb", "latency", "300ms",
            )  # fmt: skip

    def fast(self, number: int) -> None:
        for namespace, device in ((self.nodes[number].name, "link0"), (self.switch.name, f"port{number}")):
            subprocess.run(
                ["tc", "-n", namespace, "qdisc", "delete", "dev", device, "root"], capture_output=True, check=False
            )

    def lossy(self, number: int, percent: int) -> None:
        """So many of a hundred packets to one node are lost."""
        rules = (
            "table inet stele { chain input { type filter hook input priority 0; "
            f"iifname link0 numgen random mod 100 < {percent} drop; }}; }}"
        )
        command("ip", "netns", "exec", self.nodes[number].name, "nft", rules)

    def lossless(self, number: int) -> None:
        command("ip", "netns", "exec", self.nodes[number].name, "nft", "delete table inet stele")

    def remove(self) -> None:
        while self._made:
            namespace = self._made.pop()
            try:
                namespace.remove()
            except OSError:
                pass
