"""Inclusion in the log: the Merkle tree of RFC 9162 with SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def path_length(leaf_index: int, tree_size: int) -> int:
    """How many hashes prove the leaf, 0 <= leaf_index < tree_size."""
    length, last = 0, tree_size - 1
    while last > 0:
        # A rightmost node without a sibling moves up as it is and takes nothing from the path.
        if leaf_index & 1 or leaf_index != last:
            length += 1
        leaf_index, last = leaf_index >> 1, last >> 1
    return length


def root_from_path(leaf: bytes, leaf_index: int, tree_size: int, path: Sequence[bytes]) -> bytes | None:
    """The root by RFC 9162 section 2.1.3.2, or None when index and path do not fit the size."""
    if leaf_index >= tree_size or len(path) != path_length(leaf_index, tree_size):
        return None
    index, last, root = leaf_index, tree_size - 1, leaf
    for sibling in path:
        while not index & 1 and index == last:
            index, last = index >> 1, last >> 1
        root = node_hash(sibling, root) if index & 1 else node_hash(root, sibling)
        index, last = index >> 1, last >> 1
    return root
