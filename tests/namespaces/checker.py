"""What must hold whatever happened, read over the HTTP API of every node and judged without any code of the node.

- All nodes have the same blocks: the same hash, the same roots, the same entries, from the first to the last.
- Every hash is what it says: the header of each block is taken from a receipt, hashed here, and names the block before it. The newest
  header carries a signature that the Python verifier accepts under the one network key; the chain of hashes carries it to all before.
- Every entry that a client was told is final is in the chain, at the place that was told, and nothing is in it twice.
- Nothing is in the chain that nobody submitted.
- What was final at an earlier check is there unchanged.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Any

from network import Load, Network, Node, wait_until

from stele_verify import Network as Descriptor
from stele_verify import verify
from stele_verify.receipt import _log_root, parse

PAGE = 200
#: Receipts of acknowledged entries that are verified in full at each check, beside the newest block's.
SAMPLED = 2


@dataclass(frozen=True)
class Block:
    """What a node tells of a block."""

    height: int
    hash: str
    previous: str
    time_ms: int
    entry_count: int
    log_size: int
    log_root: str
    state_root: str


class Checker:
    """Remembers what was checked, so that each check reads only what is new, and that nothing old has changed."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._descriptor = Descriptor.load(str(network.descriptor))
        self._random = random.Random(2026)
        self.blocks: list[Block] = []
        #: Ids of final entries in the order of the log.
        self.entries: list[bytes] = []
        self._places: dict[bytes, int] = {}

    def check(self, load: Load) -> None:
        """Waits until all nodes are level and judges. The load must be at rest."""
        assert not load.unexpected, load.unexpected[:5]
        nodes = self._network.nodes
        self._wait_level()
        first, *others = [self._new_blocks(node) for node in nodes]
        for node, blocks in zip(nodes[1:], others, strict=True):
            assert blocks == first, f"node {node.number} has other blocks than node 0"
        self._link(first)
        self._check_entries(nodes, first)
        self._check_headers(first)
        self._check_old(nodes)
        self._check_acknowledged(load)

    def _wait_level(self) -> None:
        seen: list[Any] = []

        def level() -> bool:
            heads = [self._head(node) for node in self._network.nodes]
            health = [node.json("/health") for node in self._network.nodes]
            seen[:] = [(head["height"], told) for head, told in zip(heads, health, strict=True)]
            same = len({(head["height"], head["hash"], head["state_root"]) for head in heads}) == 1
            return same and all(told["waiting"] == 0 and told["index_lag"] == 0 for told in health)

        wait_until(lambda: f"all nodes have the same newest block and nothing waits: {seen}", level)

    @staticmethod
    def _head(node: Node) -> dict[str, Any]:
        head = node.json("/v1/network")["head"]
        assert isinstance(head, dict)
        return head

    @staticmethod
    def _pages(node: Node, path: str) -> Any:
        """All items, newest first."""
        cursor = ""
        while True:
            page = node.json(f"{path}?limit={PAGE}{cursor}")
            yield from page["items"]
            if not page.get("next_cursor"):
                return
            cursor = f"&cursor={page['next_cursor']}"

    def _new_blocks(self, node: Node) -> list[Block]:
        new = []
        for item in self._pages(node, "/v1/blocks"):
            if item["height"] < len(self.blocks):
                break
            new.append(Block(**{name: item[name] for name in Block.__dataclass_fields__}))
        new.reverse()
        return new

    def _link(self, new: list[Block]) -> None:
        for block in new:
            assert block.height == len(self.blocks), "heights have no gap"
            if self.blocks:
                before = self.blocks[-1]
                assert block.previous == before.hash, f"block {block.height} is not the child of the one before"
                assert block.time_ms >= before.time_ms, f"the time of block {block.height} falls"
                assert block.log_size == before.log_size + block.entry_count, f"block {block.height} counts wrongly"
            self.blocks.append(block)

    def _check_entries(self, nodes: list[Node], new: list[Block]) -> None:
        known = len(self.entries)
        told = []
        for node in nodes:
            items = []
            for item in self._pages(node, "/v1/entries"):
                if item["log_index"] < known:
                    break
                items.append((item["log_index"], item["height"], item["entry_id"], item["outcome"]["applied"]))
            told.append(items[::-1])
        for node, items in zip(nodes[1:], told[1:], strict=True):
            assert items == told[0], f"node {node.number} has other entries than node 0"
        per_block = dict.fromkeys((block.height for block in new), 0)
        for log_index, height, entry_id, _ in told[0]:
            assert log_index == len(self.entries), "the log has no gap"
            assert bytes.fromhex(entry_id) not in self._places, f"entry {entry_id} is in the chain twice"
            self._places[bytes.fromhex(entry_id)] = height
            self.entries.append(bytes.fromhex(entry_id))
            per_block[height] += 1
        assert per_block == {block.height: block.entry_count for block in new}
        assert len(self.entries) == self.blocks[-1].log_size

    def _check_headers(self, new: list[Block]) -> None:
        """Hashes every new block's header, as a receipt of its last entry carries it."""
        nodes = self._network.nodes
        for block in new:
            if block.entry_count == 0:
                continue
            node = nodes[block.height % len(nodes)]
            receipt = parse(self._receipt(node, self.entries[block.log_size - 1]), [])
            header, root = receipt.certificate.header, _log_root(receipt.certificate)
            found = hashlib.sha256(receipt.certificate.sig_structure(root)).hexdigest()
            assert (found, root.hex()) == (block.hash, block.log_root), f"block {block.height} is not what its hash says"
            assert (header.height, header.time, header.tree_size) == (block.height, block.time_ms, block.log_size)
            assert (header.previous.hex(), header.state_root.hex()) == (block.previous, block.state_root)
        # The signature of the newest header is carried to all others by the chain of hashes.
        newest = next(block for block in reversed(self.blocks) if block.entry_count > 0)
        self._verify(self.entries[newest.log_size - 1], newest.height)

    def _receipt(self, node: Node, entry_id: bytes) -> bytes:
        answer = node.get(f"/v1/entries/{entry_id.hex()}/receipt")
        answer.raise_for_status()
        return answer.content

    def _verify(self, entry_id: bytes, height: int) -> None:
        """The same receipt from every node, good under the network key."""
        receipts = {self._receipt(node, entry_id) for node in self._network.nodes}
        assert len(receipts) == 1, f"the nodes have different receipts of entry {entry_id.hex()}"
        verified = verify(receipts.pop(), self._descriptor)
        assert verified.what.entry_id == entry_id
        assert verified.when.record is not None and verified.when.record.height == height

    def _check_old(self, nodes: list[Node]) -> None:
        block = self._random.choice(self.blocks)
        for node in nodes:
            told = node.json(f"/v1/blocks/{block.height}")
            assert (told["hash"], told["previous"]) == (block.hash, block.previous), f"node {node.number} changed a block"

    def _check_acknowledged(self, load: Load) -> None:
        for entry_id, told in load.acknowledged.items():
            assert entry_id in self._places, f"entry {entry_id.hex()} was acknowledged by node {told.node} and is lost"
            assert self._places[entry_id] == told.height, f"entry {entry_id.hex()} is not where node {told.node} said"
            assert self.entries[told.log_index] == entry_id
        unknown = set(self.entries) - load.submitted
        assert not unknown, f"{len(unknown)} entries are in the chain that nobody submitted"
        for entry_id in self._random.sample(sorted(load.acknowledged), min(SAMPLED, len(load.acknowledged))):
            self._verify(entry_id, self._places[entry_id])
