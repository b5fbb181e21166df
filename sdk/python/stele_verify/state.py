"""State claims: presence and absence in the sparse Merkle tree (`docs/format.md` section 6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from . import shape
from .cbor import Malformed, Value

EMPTY = bytes(32)
MAX_PROOF_DEPTH = 256
THE_LEAF, NOTHING = 0, 1


@dataclass(frozen=True)
class OtherLeaf:
    path: bytes
    value_hash: bytes


@dataclass(frozen=True)
class StateClaim:
    """That `key` of `register` has `value`, or that it is absent (`value` is None)."""

    register: str
    key: bytes
    value: bytes | None
    depth: int
    bitmap: bytes
    siblings: bytes
    terminal: int | OtherLeaf


def state_path(register: str, key: bytes) -> bytes:
    name = register.encode("ascii")
    return hashlib.sha256(bytes([len(name)]) + name + key).digest()


def leaf_hash(path: bytes, value_hash: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + path + value_hash).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def bit(data: bytes, index: int) -> int:
    """Bit `index`, counted from the most significant of byte 0."""
    return data[index >> 3] >> (7 - (index & 7)) & 1


def parse_claim(value: Value) -> StateClaim:
    """Shape only (verification step 2). Raises `Malformed`."""
    register, key, held, proof = shape.tuple_of(value, "state claim", 4)
    depth, bitmap, siblings, terminal = shape.tuple_of(proof, "state proof", 4)
    depth = shape.uint(depth, "state proof depth")
    if depth > MAX_PROOF_DEPTH:
        raise Malformed(f"state proof: depth {depth} above {MAX_PROOF_DEPTH}")
    return StateClaim(
        register=shape.register_name(register, "state claim register"),
        key=shape.bstr(key, "state claim key", 1, 255),
        value=None if held is None else shape.bstr(held, "state claim value"),
        depth=depth,
        bitmap=shape.bstr(bitmap, "state proof bitmap"),
        siblings=shape.bstr(siblings, "state proof siblings"),
        terminal=_parse_terminal(terminal),
    )


def _parse_terminal(value: Value) -> int | OtherLeaf:
    if isinstance(value, list):
        path, value_hash = shape.tuple_of(value, "state proof terminal", 2)
        return OtherLeaf(shape.digest(path, "other-path"), shape.digest(value_hash, "other-value-hash"))
    if type(value) is int and value in (THE_LEAF, NOTHING):
        return value
    raise Malformed("state proof terminal: neither 0, 1 nor another leaf")


def why_not(claim: StateClaim, state_root: bytes) -> str | None:
    """None when the claim holds under the root, else the reason."""
    path = state_path(claim.register, claim.key)
    node = _terminal_hash(claim, path)
    if isinstance(node, str):
        return node
    if len(claim.bitmap) != (claim.depth + 7) // 8:
        return f"a bitmap of {len(claim.bitmap)} bytes does not fit depth {claim.depth}"
    if any(bit(claim.bitmap, i) for i in range(claim.depth, 8 * len(claim.bitmap))):
        return "padding bits of the bitmap are set"
    present = [i for i in range(claim.depth) if bit(claim.bitmap, i)]
    if len(claim.siblings) != 32 * len(present):
        return f"{len(claim.siblings)} bytes of siblings for {len(present)} bits of the bitmap"
    hashes = [claim.siblings[at : at + 32] for at in range(0, len(claim.siblings), 32)]
    if EMPTY in hashes:
        return "an empty sibling is carried instead of left out"
    sibling_at = dict(zip(present, hashes))
    for depth in reversed(range(claim.depth)):
        sibling = sibling_at.get(depth, EMPTY)
        node = node_hash(sibling, node) if bit(path, depth) else node_hash(node, sibling)
    return None if node == state_root else "the proof leads to another state root"


def _terminal_hash(claim: StateClaim, path: bytes) -> bytes | str:
    """The hash at the proof's depth, or the reason why the terminal does not fit the claim."""
    if claim.terminal == THE_LEAF:
        if claim.value is None:
            return "absence is claimed with a proof of presence"
        return leaf_hash(path, hashlib.sha256(claim.value).digest())
    if claim.value is not None:
        return "presence is claimed with a proof of absence"
    if not isinstance(claim.terminal, OtherLeaf):
        return EMPTY
    other = claim.terminal
    if other.path == path:
        return "the other leaf is the leaf that is claimed absent"
    if any(bit(other.path, i) != bit(path, i) for i in range(claim.depth)):
        return "the other leaf lies in another subtree"
    return leaf_hash(other.path, other.value_hash)
