"""Construct keys, entries, state proofs and receipts, right or wrong, for tests and vectors.

Not part of the package: a verifier needs none of it. Nothing here reads a clock or randomness: keys
come from seeds and all signatures are deterministic, so vectors can be made again byte for byte.
The encoder, the trees and the hashes are written apart from `stele_verify`, which is under test.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from dilithium_py.ml_dsa import ML_DSA_65
from py_ecc import optimized_bls12_381 as bls
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# --- CBOR -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raw:
    """Bytes that stand in an encoding as they are."""

    data: bytes


@dataclass(frozen=True)
class Tag:
    number: int
    value: Any


@dataclass(frozen=True)
class Unsorted:
    """Map pairs in the given order, repeated keys included."""

    pairs: list[tuple[Any, Any]]


def head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    width = next(w for w in (1, 2, 4, 8) if argument < 1 << 8 * w)
    return bytes([major << 5 | 24 + width.bit_length() - 1]) + argument.to_bytes(width, "big")


def enc(value: Any) -> bytes:
    """Deterministic CBOR of a Python value, except where `Raw` or `Unsorted` say otherwise."""
    match value:
        case Raw(data):
            return data
        case Tag(number, inner):
            return head(6, number) + enc(inner)
        case Unsorted(pairs):
            return head(5, len(pairs)) + b"".join(enc(k) + enc(v) for k, v in pairs)
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case list() | tuple():
            return head(4, len(value)) + b"".join(map(enc, value))
        case dict():
            pairs = sorted((enc(k), enc(v)) for k, v in value.items())
            return head(5, len(pairs)) + b"".join(k + v for k, v in pairs)
    raise TypeError(type(value))


# --- keys -------------------------------------------------------------------------------------


class Key:
    """A signing key of a suite, derived from a label."""

    ALG: ClassVar[dict[str, int]] = {
        "Ed25519": -19,
        "ES256": -7,
        "ML-DSA-65": -49,
        "Ed25519+ML-DSA-65": -65600,
        "BLS12-381": -65602,
    }

    def __init__(self, suite: str, label: str) -> None:
        self.suite, self.label = suite, label
        self.seed = sha256(b"stele test key: " + label.encode())
        self.alg = self.ALG[suite]
        if "Ed25519" in suite:
            self.ed = Ed25519PrivateKey.from_private_bytes(self.seed)
            self.ed_public = self.ed.public_key().public_bytes_raw()
        if "ML-DSA" in suite:
            self.pq_public, self.pq_secret = ML_DSA_65.key_derive(self.seed)
        if suite == "ES256":
            self.secret = int.from_bytes(self.seed, "big") % (P256_ORDER - 1) + 1
            self.ec = ec.derive_private_key(self.secret, ec.SECP256R1())
        if suite == "BLS12-381":
            self.secret = int.from_bytes(self.seed, "big") % (bls.curve_order - 1) + 1
            halves = compress_G2(bls.multiply(bls.G2, self.secret))
            self.bls_public = b"".join(half.to_bytes(48, "big") for half in halves)
        self.cose = self._cose()
        self.encoded = enc(self.cose)
        self.kid = sha256(self.encoded)
        self.party = sha256(b"stele/party/v1" + self.kid)
        self.did = "did:stele:" + base64.b32encode(self.party).decode().rstrip("=").lower()

    def _cose(self) -> dict[int, Any]:
        if self.suite == "Ed25519":
            return {1: 1, -1: 6, -2: self.ed_public}
        if self.suite == "ES256":
            numbers = self.ec.public_key().public_numbers()
            return {1: 2, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        if self.suite == "ML-DSA-65":
            return {1: 7, 3: -49, -1: self.pq_public}
        if self.suite == "BLS12-381":
            return {1: 7, 3: -65602, -1: self.bls_public}
        return {1: 7, 3: -65600, -1: self.ed_public + self.pq_public}

    def sign(self, message: bytes) -> bytes:
        if self.suite == "ES256":
            der = self.ec.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
            r, s = decode_dss_signature(der)
            # The low s, so that the high one can be a vector of its own.
            return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")
        if self.suite == "BLS12-381":
            hashed = hash_to_G1(message, b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_", hashlib.sha256)
            return compress_G1(bls.multiply(hashed, self.secret)).to_bytes(48, "big")
        classic = self.ed.sign(message) if "Ed25519" in self.suite else b""
        if "ML-DSA" not in self.suite:
            return classic
        return classic + ML_DSA_65.sign(self.pq_secret, message, deterministic=True)


# --- entries ----------------------------------------------------------------------------------

MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    return enc(["Signature1", protected, b"", payload])


Edits = dict[str, Callable[[Any], Any]]


def edited(edits: Edits, stage: str, value: Any) -> Any:
    return edits[stage](value) if stage in edits else value


@dataclass
class BuiltEntry:
    data: bytes
    protected: bytes
    payload: bytes
    register: str
    signer: Key
    countersigners: list[Key]

    @property
    def id(self) -> bytes:
        return sha256(sig_structure(self.protected, self.payload))

    @property
    def envelope_hash(self) -> bytes:
        return sha256(self.data)


def build_entry(
    network: bytes,
    key: Key,
    register: str = "trace",
    commands: Any = None,
    *,
    alg: int | None = None,
    not_before: int = MS,
    not_after: int = MS + 600_000,
    nonce: bytes = bytes(range(8)),
    countersigners: list[Key] | None = None,
    edits: Edits | None = None,
) -> BuiltEntry:
    """An entry; `edits` may change it at the stages own, header, header_bytes, commands,
    commands_bytes, signature, countersignatures, unprotected, parts, tagged, bytes."""
    edits = edits or {}
    if commands is None:
        commands = [["event.commit", {"kind": "ObjectEvent", "commitment": sha256(b"fictional event")}]]
    own = edited(edits, "own", [network, register, not_before, not_after, nonce])
    header = {1: key.alg if alg is None else alg, 4: key.kid, -65537: own}
    protected = edited(edits, "header_bytes", enc(edited(edits, "header", header)))
    payload = edited(edits, "commands_bytes", enc(edited(edits, "commands", commands)))
    signature = edited(edits, "signature", key.sign(sig_structure(protected, payload)))
    unprotected: dict[int, Any] = {}
    if countersigners:
        counter = [countersign(k, protected, payload, signature) for k in countersigners]
        unprotected[11] = edited(edits, "countersignatures", counter)
    unprotected = edited(edits, "unprotected", unprotected)
    parts = edited(edits, "parts", [protected, unprotected, payload, signature])
    data = edited(edits, "bytes", enc(edited(edits, "tagged", Tag(18, parts))))
    return BuiltEntry(data, protected, payload, register, key, countersigners or [])


def countersign(key: Key, protected: bytes, payload: bytes, signature: bytes) -> list[Any]:
    own = enc({1: key.alg, 4: key.kid})
    return [own, {}, key.sign(enc(["CounterSignatureV2", protected, own, b"", payload, [signature]]))]


# --- trees ------------------------------------------------------------------------------------


def log_root(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, by its recursive definition, over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + log_root(leaves[:split]) + log_root(leaves[split:]))


def log_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.3.1, by its recursive definition."""
    if len(leaves) < 2:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*log_path(index, leaves[:split]), log_root(leaves[split:])]
    return [*log_path(index - split, leaves[split:]), log_root(leaves[:split])]


def fold_path(
    leaf: bytes, index: int, size: int, sibling: Callable[[int], bytes]
) -> tuple[bytes, list[bytes]]:
    """Root and path for a tree too large to build, with invented siblings."""
    if size == 1:
        return leaf, []
    split = 1 << (size - 1).bit_length() - 1
    right = index >= split
    below, path = fold_path(
        leaf, index - split if right else index, size - split if right else split, sibling
    )
    other = sibling(len(path))
    return sha256(b"\x01" + (other + below if right else below + other)), [*path, other]


class State:
    """The sparse Merkle tree of section 6, built straight from its definition."""

    def __init__(self, values: dict[tuple[str, bytes], bytes]) -> None:
        self.values = values
        self.leaves = {self.path(*place): sha256(value) for place, value in values.items()}
        self.by_bits = {self.bits(path): path for path in self.leaves}

    @staticmethod
    def path(register: str, key: bytes) -> bytes:
        return sha256(bytes([len(register)]) + register.encode() + key)

    @staticmethod
    def bits(path: bytes) -> str:
        return "".join(f"{byte:08b}" for byte in path)

    def subtree(self, prefix: str) -> bytes:
        under = [path for bits, path in self.by_bits.items() if bits.startswith(prefix)]
        if not under:
            return bytes(32)
        if len(under) == 1:
            return sha256(b"\x00" + under[0] + self.leaves[under[0]])
        return sha256(b"\x01" + self.subtree(prefix + "0") + self.subtree(prefix + "1"))

    @property
    def root(self) -> bytes:
        return self.subtree("")

    def claim(self, register: str, key: bytes) -> list[Any]:
        """The state-claim of the key, presence or absence."""
        path, depth = self.path(register, key), 0
        bits = self.bits(path)
        while sum(other.startswith(bits[:depth]) for other in self.by_bits) > 1:
            depth += 1
        siblings = [self.subtree(bits[:d] + ("1" if bits[d] == "0" else "0")) for d in range(depth)]
        last = [path for other, path in self.by_bits.items() if other.startswith(bits[:depth])]
        terminal: Any = 1 if not last else 0 if last[0] == path else [last[0], self.leaves[last[0]]]
        proof = [depth, bitmap(siblings), b"".join(s for s in siblings if s != bytes(32)), terminal]
        return [register, key, self.values.get((register, key)), proof]


def bitmap(siblings: list[bytes]) -> bytes:
    bits = "".join("0" if s == bytes(32) else "1" for s in siblings)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


# --- networks and receipts --------------------------------------------------------------------


@dataclass
class Chain:
    """A fictional network at one block: its key, its state and the records of its log."""

    name: str
    key: Key
    state: State = field(default_factory=lambda: State({}))
    height: int = 41
    time: int = MS + 60_000
    tree_size: int = 8
    members: list[list[Any]] = field(default_factory=list)
    registers: tuple[str, ...] = ("governance", "identity", "trace")

    def __post_init__(self) -> None:
        members = self.members or [["Fictional Harbour Office", Key("Ed25519", self.name + " member").cose]]
        registers = [[name, 1] for name in self.registers]
        parts = [self.name, MS, self.key.cose, members, registers]
        if self.key.suite == "BLS12-381":
            founders = sorted(sha256(f"{self.name} node {i}".encode()) for i in range(4))
            validators = [[0, key, f"validator-{i}.example:7100"] for i, key in enumerate(founders)]
            self.genesis = enc([2, *parts, [10_000, sha256(b"a fictional sharing"), validators]])
        else:
            self.genesis = enc([1, *parts])
        self.network = sha256(b"stele/genesis/v1" + self.genesis)

    def descriptor(self) -> dict[str, str]:
        return {
            "format": "stele-network/1",
            "name": self.name,
            "network_id": self.network.hex(),
            "key": self.key.encoded.hex(),
            "genesis": self.genesis.hex(),
        }

    def other_leaves(self) -> list[bytes]:
        return [sha256(b"\x00" + f"record {i} of {self.name}".encode()) for i in range(self.tree_size)]

    def record(self, entry: BuiltEntry, events: bytes, refused: tuple[int, str] | None = None) -> list[Any]:
        outcome = [0, sha256(events)] if refused is None else [1, *refused]
        who, rule = entry.signer.party, f"{entry.register}@1"
        where = [entry.register, rule, self.height, self.time]
        return [1, entry.id, entry.envelope_hash, who, *where, outcome]


def build_receipt(
    chain: Chain,
    *,
    record: list[Any] | None = None,
    index: int = 5,
    entry: bytes | None = None,
    events: bytes | None = None,
    claims: list[Any] | None = None,
    witnesses: list[Any] | None = None,
    alg: int | None = None,
    edits: Edits | None = None,
) -> bytes:
    """A receipt of `chain`. Without `record` it is a state claim alone.

    `edits` may change it at the stages block, header, header_bytes, record, record_bytes (these are
    all covered by the signature), root, message, signature, proof, proof_bytes, carried_record,
    carried_events, unprotected, payload, certificate, tagged, certificate_bytes, receipt, bytes.
    """
    edits = edits or {}
    leaves = chain.other_leaves()
    record_bytes = b""
    if record is not None:
        record_bytes = edited(edits, "record_bytes", enc(edited(edits, "record", record)))
        leaves[index] = sha256(b"\x00" + record_bytes)
    block = [
        1,
        chain.network,
        chain.height,
        chain.time,
        sha256(b"block before"),
        len(leaves),
        chain.state.root,
    ]
    header = {1: chain.key.alg if alg is None else alg, 4: chain.key.kid, 395: 1}
    header[-65538] = edited(edits, "block", block)  # type: ignore[assignment]
    protected = edited(edits, "header_bytes", enc(edited(edits, "header", header)))
    root = edited(edits, "root", log_root(leaves))
    message = edited(edits, "message", sig_structure(protected, root))
    signature = edited(edits, "signature", chain.key.sign(message))

    unprotected: dict[int, Any] = {}
    payload: bytes | None = root
    if record is not None:
        proof = edited(edits, "proof", [len(leaves), index, log_path(index, leaves)])
        proof_bytes = edited(edits, "proof_bytes", enc(proof))
        carried = edited(edits, "carried_record", record_bytes)
        unprotected, payload = {396: {-1: [proof_bytes]}, -65539: carried}, None
        if events is not None:
            unprotected[-65540] = edited(edits, "carried_events", events)
    unprotected, payload = edited(edits, "unprotected", unprotected), edited(edits, "payload", payload)
    parts = edited(edits, "certificate", [protected, unprotected, payload, signature])
    certificate = edited(edits, "certificate_bytes", enc(edited(edits, "tagged", Tag(18, parts))))
    receipt: dict[int, Any] = {0: "stele-receipt/1", 1: certificate, 2: entry, 3: claims, 4: witnesses}
    receipt = {label: value for label, value in receipt.items() if value is not None}
    return edited(edits, "bytes", enc(edited(edits, "receipt", receipt)))
