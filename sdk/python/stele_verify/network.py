"""What a verifier keeps about a network: its id and its key (`docs/format.md` section 8)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import shape
from .cbor import Malformed, Map, NotCanonical, Value, decode_strict, encode
from .suites import ALG_BLS12_381, CoseKeyError, PublicKey, UnsupportedSuite

FORMAT = "stele-network/1"


class NetworkError(Exception):
    """A network descriptor that cannot be used."""


@dataclass(frozen=True)
class Network:
    name: str
    network_id: bytes
    key: PublicKey

    @classmethod
    def load(cls, file: str | Path) -> Network:
        """Reads a descriptor file. Raises `NetworkError`, `UnsupportedSuite`, `OSError`."""
        try:
            return cls.from_json(json.loads(Path(file).read_bytes()))
        except (ValueError, RecursionError) as error:
            raise NetworkError(f"not JSON: {error}") from None

    @classmethod
    def from_json(cls, descriptor: Any) -> Network:
        """From the parsed JSON. With `genesis`, its hash and its key must be those of the descriptor."""
        if not isinstance(descriptor, dict) or descriptor.get("format") != FORMAT:
            raise NetworkError(f"`format` is not {FORMAT}")
        name = descriptor.get("name")
        if not isinstance(name, str):
            raise NetworkError("`name` is not text")
        network_id, cose_key = _hex(descriptor, "network_id"), _hex(descriptor, "key")
        if len(network_id) != 32:
            raise NetworkError("`network_id` is not 32 bytes")
        if "genesis" in descriptor:
            _check_genesis(_hex(descriptor, "genesis"), network_id, cose_key)
        try:
            return cls(name, network_id, PublicKey.from_cose_key(cose_key))
        except CoseKeyError as error:
            raise NetworkError(f"`key`: {error.detail}") from None


def _hex(descriptor: dict[str, Any], member: str) -> bytes:
    try:
        return bytes.fromhex(descriptor[member])
    except (KeyError, TypeError, ValueError):
        raise NetworkError(f"`{member}` is missing or not hex") from None


def network_id_of(genesis: bytes) -> bytes:
    return hashlib.sha256(b"stele/genesis/v1" + genesis).digest()


def _check_genesis(genesis: bytes, network_id: bytes, cose_key: bytes) -> None:
    try:
        key = _parse_genesis(decode_strict(genesis, what="genesis"))
    except (Malformed, NotCanonical) as error:
        raise NetworkError(f"`genesis`: {error.detail}") from None
    if network_id_of(genesis) != network_id:
        raise NetworkError("`network_id` is not the hash of `genesis`")
    if key != cose_key:
        raise NetworkError("`key` is not the network key of `genesis`")


def _parse_genesis(value: Value) -> bytes:
    """Checks the shape; the encoded network key."""
    parts = shape.array(value, "genesis", 6, 7)
    version, name, time, key, members, registers, *committee = parts
    if shape.uint(version, "genesis version") != len(parts) - 5:
        raise Malformed("genesis: neither version 1 with six parts nor version 2 with seven")
    shape.tstr(name, "genesis name", 1, 64)
    shape.uint(time, "genesis time")
    for member in shape.array(members, "genesis members", 1, 64):
        member_name, member_key = shape.tuple_of(member, "genesis member", 2)
        shape.tstr(member_name, "genesis member name", 1, 128)
        _check_key(member_key, "genesis member key", of_party=True)
    for register in shape.array(registers, "genesis registers", 1, 64):
        register_name, register_version = shape.tuple_of(register, "genesis register", 2)
        shape.register_name(register_name, "genesis register name")
        shape.uint(register_version, "genesis register version")
    _check_key(key, "genesis network key")
    for founding in committee:
        _check_committee(founding, len(shape.array(members, "genesis members", 1, 64)))
    # One validator holds its key alone; a committee signs with shares of one of BLS12-381.
    if _is_bls(key) != bool(committee):
        raise Malformed("genesis: the network key does not fit the committee")
    return encode(key)


def _is_bls(key: Value) -> bool:
    return isinstance(key, Map) and key.get(1) == 7 and key.get(3) == ALG_BLS12_381


def _check_committee(value: Value, members: int) -> None:
    epoch_blocks, sharing, validators = shape.tuple_of(value, "genesis committee", 3)
    if not 2 <= shape.uint(epoch_blocks, "genesis epoch") <= 1_000_000:
        raise Malformed("genesis epoch: not 2 to 1,000,000 blocks")
    if not isinstance(sharing, bytes) or len(sharing) > 16 << 10:
        raise Malformed("genesis sharing: not at most 16,384 bytes")
    last = b""
    for validator in shape.array(validators, "genesis validators", 1, 100):
        member, node_key, address = shape.tuple_of(validator, "genesis validator", 3)
        if shape.uint(member, "genesis validator member") >= members:
            raise Malformed("genesis validator: no such member")
        if not isinstance(node_key, bytes) or len(node_key) != 32 or node_key <= last:
            raise Malformed("genesis validator: node keys are 32 bytes and ascend")
        last = node_key
        shape.tstr(address, "genesis validator address", 1, 255)


def _check_key(value: Value, where: str, *, of_party: bool = False) -> None:
    try:
        key = PublicKey.from_value(value)
        if of_party and not key.is_for_parties:
            raise Malformed(f"{where}: no party may sign with it")
    except CoseKeyError as error:
        raise Malformed(f"{where}: {error.detail}") from None
    except UnsupportedSuite:
        pass  # a member may use a suite that only this verifier lacks
