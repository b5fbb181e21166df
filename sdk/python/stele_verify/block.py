"""Records, events and block certificates (`docs/format.md` sections 4 and 5)."""

from __future__ import annotations

from dataclasses import dataclass

from . import shape
from .cbor import ABSENT, TAG_COSE_SIGN1, Malformed, Map, Value, decode, encode

LABEL_ALG, LABEL_KID, LABEL_VDS, LABEL_VDP = 1, 4, 395, 396
LABEL_BLOCK, LABEL_RECORD, LABEL_EVENTS = -65538, -65539, -65540
VDS_RFC9162_SHA256 = 1
LABEL_INCLUSION_PROOFS = -1


@dataclass(frozen=True)
class Applied:
    events_hash: bytes


@dataclass(frozen=True)
class Refused:
    command_index: int
    code: str


@dataclass(frozen=True)
class Record:
    """What the log holds about one entry. `encoded` is the leaf data of the tree."""

    version: int
    entry_id: bytes
    envelope_hash: bytes
    party: bytes
    register: str
    rule: str
    height: int
    time: int
    outcome: Applied | Refused
    encoded: bytes


@dataclass(frozen=True)
class Event:
    name: str
    body: Map


@dataclass(frozen=True)
class BlockHeader:
    alg: int
    kid: bytes
    version: int
    network: bytes
    height: int
    time: int
    previous: bytes
    tree_size: int
    state_root: bytes


@dataclass(frozen=True)
class Inclusion:
    """What an entry claim adds to the certificate: proof, record and, where carried, the events."""

    tree_size: int
    leaf_index: int
    path: tuple[bytes, ...]
    record: Record
    events: tuple[Event, ...] | None
    events_encoded: bytes | None


@dataclass(frozen=True)
class Certificate:
    """Exactly one of `inclusion` (entry claim) and `payload` (the log root) is there."""

    header: BlockHeader
    inclusion: Inclusion | None
    payload: bytes | None
    protected: bytes
    signature: bytes

    def sig_structure(self, log_root: bytes) -> bytes:
        """What the network signs; its hash is the block hash."""
        return encode(["Signature1", self.protected, b"", log_root])


def decode_certificate(data: bytes, faults: list[str]) -> Certificate:
    """Shape only (verification step 2). Raises `Malformed`; collects encoding faults."""
    parts = shape.tuple_of(decode(data, faults, what="certificate", tag=TAG_COSE_SIGN1), "certificate", 4)
    protected = shape.bstr(parts[0], "certificate protected header")
    header = _decode_header(protected, faults)
    unprotected = parts[1]
    if not isinstance(unprotected, Map):
        raise Malformed("certificate unprotected header: not a map")
    if len(unprotected) == 0:
        inclusion, payload = None, shape.digest(parts[2], "certificate payload (the log root)")
    else:
        inclusion, payload = _decode_inclusion(unprotected, faults), None
        if parts[2] is not None:
            raise Malformed("certificate payload: not nil beside an inclusion proof")
    return Certificate(header, inclusion, payload, protected, shape.bstr(parts[3], "certificate signature"))


def _decode_header(protected: bytes, faults: list[str]) -> BlockHeader:
    what = "block header"
    labels = (LABEL_ALG, LABEL_KID, LABEL_VDS, LABEL_BLOCK)
    header = shape.members(decode(protected, faults, what=what), what, labels)
    if shape.integer(header.get(LABEL_VDS), f"{what} 395") != VDS_RFC9162_SHA256:
        raise Malformed(f"{what}: 395 is not 1 (RFC9162_SHA256)")
    block = shape.tuple_of(header.get(LABEL_BLOCK), f"{what} -65538", 7)
    return BlockHeader(
        alg=shape.integer(header.get(LABEL_ALG), f"{what} alg"),
        kid=shape.digest(header.get(LABEL_KID), f"{what} kid"),
        version=shape.uint(block[0], f"{what} version"),
        network=shape.digest(block[1], f"{what} network"),
        height=shape.uint(block[2], f"{what} height"),
        time=shape.uint(block[3], f"{what} time"),
        previous=shape.digest(block[4], f"{what} previous"),
        tree_size=shape.uint(block[5], f"{what} tree-size"),
        state_root=shape.digest(block[6], f"{what} state-root"),
    )


def _decode_inclusion(unprotected: Map, faults: list[str]) -> Inclusion:
    where = "certificate unprotected header"
    shape.members(unprotected, where, (LABEL_VDP, LABEL_RECORD), (LABEL_EVENTS,))
    proofs = shape.members(unprotected.get(LABEL_VDP), f"{where} 396", (LABEL_INCLUSION_PROOFS,))
    listed = shape.tuple_of(proofs.get(LABEL_INCLUSION_PROOFS), "inclusion proofs", 1)
    encoded_proof = shape.bstr(listed[0], "inclusion proof")
    proof = shape.tuple_of(decode(encoded_proof, faults, what="inclusion proof"), "inclusion proof", 3)
    path = [shape.digest(node, "inclusion path") for node in shape.array(proof[2], "inclusion path")]
    encoded_events = unprotected.get(LABEL_EVENTS)
    events: tuple[Event, ...] | None = None
    if encoded_events is not ABSENT:
        events = _decode_events(shape.bstr(encoded_events, "events"), faults)
    return Inclusion(
        tree_size=shape.uint(proof[0], "inclusion proof tree-size"),
        leaf_index=shape.uint(proof[1], "inclusion proof leaf-index"),
        path=tuple(path),
        record=_decode_record(shape.bstr(unprotected.get(LABEL_RECORD), "record"), faults),
        events=events,
        events_encoded=encoded_events if isinstance(encoded_events, bytes) else None,
    )


def _decode_record(data: bytes, faults: list[str]) -> Record:
    parts = shape.tuple_of(decode(data, faults, what="record"), "record", 9)
    return Record(
        version=shape.uint(parts[0], "record version"),
        entry_id=shape.digest(parts[1], "record entry-id"),
        envelope_hash=shape.digest(parts[2], "record envelope-hash"),
        party=shape.digest(parts[3], "record party"),
        register=shape.register_name(parts[4], "record register"),
        rule=shape.tstr(parts[5], "record rule"),
        height=shape.uint(parts[6], "record height"),
        time=shape.uint(parts[7], "record time"),
        outcome=_decode_outcome(parts[8]),
        encoded=data,
    )


def _decode_outcome(value: Value) -> Applied | Refused:
    parts = shape.array(value, "outcome", 2, 3)
    kind = shape.uint(parts[0], "outcome kind")
    if kind == 0 and len(parts) == 2:
        return Applied(shape.digest(parts[1], "events-hash"))
    if kind == 1 and len(parts) == 3:
        return Refused(shape.uint(parts[1], "command-index"), shape.tstr(parts[2], "refusal code"))
    raise Malformed("outcome: neither [0, events-hash] nor [1, command-index, code]")


def _decode_events(data: bytes, faults: list[str]) -> tuple[Event, ...]:
    events = []
    for value in shape.array(decode(data, faults, what="events"), "events"):
        name, body = shape.tuple_of(value, "event", 2)
        events.append(Event(shape.tstr(name, "event name"), shape.text_map(body, "event body")))
    return tuple(events)
