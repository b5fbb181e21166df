"""Entries: decode, judge the form, and name by hash (`docs/format.md` section 3)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from . import shape
from .cbor import ABSENT, TAG_COSE_SIGN1, Malformed, Map, Value, decode, encode
from .suites import PublicKey

MAX_ENTRY_BYTES = 1_048_576
MAX_WINDOW_MS = 3_600_000
MAX_COMMANDS = 4096
MAX_COUNTERSIGNATURES = 16
LABEL_ALG, LABEL_KID, LABEL_COUNTERSIGNATURES, LABEL_STELE = 1, 4, 11, -65537


class EntryError(Exception):
    """An entry whose form is refused.

    `code` is one of `too-large`, `malformed`, `not-canonical`, `bad-window`, `bad-command`,
    `bad-countersignature`; when several apply, the first of this list.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True)
class Command:
    """One command; `register` is the header's unless the name is qualified by another."""

    register: str
    name: str
    body: Map


@dataclass(frozen=True)
class Countersignature:
    alg: int
    kid: bytes
    protected: bytes
    signature: bytes


@dataclass(frozen=True)
class Entry:
    """A decoded entry. Times are milliseconds since 1970-01-01T00:00:00Z, both ends included."""

    alg: int
    kid: bytes
    network: bytes
    register: str
    not_before: int
    not_after: int
    nonce: bytes
    commands: tuple[Command, ...]
    countersignatures: tuple[Countersignature, ...]
    protected: bytes
    payload: bytes
    signature: bytes
    envelope_hash: bytes

    @property
    def sig_structure(self) -> bytes:
        """What the signature covers (RFC 9052 section 4.4)."""
        return encode(["Signature1", self.protected, b"", self.payload])

    @property
    def id(self) -> bytes:
        """The entry id: independent of the signature."""
        return hashlib.sha256(self.sig_structure).digest()

    def signed_by(self, key: PublicKey) -> bool:
        """Whether `key` is the named signer and its signature is valid."""
        return key.kid == self.kid and key.verify(self.alg, self.sig_structure, self.signature)

    def countersigned_by(self, key: PublicKey) -> bool:
        """Whether `key` made one of the countersignatures and it is valid (RFC 9338 section 3.3)."""
        for item in self.countersignatures:
            if item.kid == key.kid:
                covered: list[Value] = ["CounterSignatureV2", self.protected, item.protected, b""]
                covered += [self.payload, [self.signature]]
                return key.verify(item.alg, encode(covered), item.signature)
        return False


def decode_entry(data: bytes) -> Entry:
    """Raises `EntryError`. Signatures are not judged here: they need the party's key."""
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryError("too-large", f"{len(data)} bytes, at most {MAX_ENTRY_BYTES}")
    faults: list[str] = []
    try:
        entry = _decode(data, faults)
    except Malformed as error:
        raise EntryError("malformed", error.detail) from None
    if faults:
        raise EntryError("not-canonical", faults[0])
    return _judge(entry)


def _decode(data: bytes, faults: list[str]) -> Entry:
    parts = shape.tuple_of(decode(data, faults, what="entry", tag=TAG_COSE_SIGN1), "entry", 4)
    protected = shape.bstr(parts[0], "entry protected header")
    unprotected = shape.members(parts[1], "entry unprotected header", (), (LABEL_COUNTERSIGNATURES,))
    payload = shape.bstr(parts[2], "entry payload")
    signature = shape.bstr(parts[3], "entry signature")

    header = shape.members(
        decode(protected, faults, what="entry header"), "entry header", (LABEL_ALG, LABEL_KID, LABEL_STELE)
    )
    own = shape.tuple_of(header.get(LABEL_STELE), "entry header -65537", 5)
    register = shape.register_name(own[1], "entry register")
    return Entry(
        alg=shape.integer(header.get(LABEL_ALG), "entry alg"),
        kid=shape.digest(header.get(LABEL_KID), "entry kid"),
        network=shape.digest(own[0], "entry network"),
        register=register,
        not_before=shape.uint(own[2], "entry not-before"),
        not_after=shape.uint(own[3], "entry not-after"),
        nonce=shape.bstr(own[4], "entry nonce", 8, 16),
        commands=_decode_commands(payload, register, faults),
        countersignatures=_decode_countersignatures(unprotected, faults),
        protected=protected,
        payload=payload,
        signature=signature,
        envelope_hash=hashlib.sha256(data).digest(),
    )


def _decode_commands(payload: bytes, register: str, faults: list[str]) -> tuple[Command, ...]:
    commands = []
    for value in shape.array(decode(payload, faults, what="commands"), "commands", 1, MAX_COMMANDS):
        name, body = shape.tuple_of(value, "command", 2)
        name = shape.tstr(name, "command name", 1, 64)
        commands.append(Command(register, name, shape.text_map(body, f"body of {name}")))
    return tuple(commands)


def _decode_countersignatures(unprotected: Map, faults: list[str]) -> tuple[Countersignature, ...]:
    listed = unprotected.get(LABEL_COUNTERSIGNATURES)
    if listed is ABSENT:
        return ()
    found = []
    for value in shape.array(listed, "countersignatures", 1, MAX_COUNTERSIGNATURES):
        parts = shape.tuple_of(value, "countersignature", 3)
        protected = shape.bstr(parts[0], "countersignature protected header")
        header = shape.members(
            decode(protected, faults, what="countersignature header"),
            "countersignature header",
            (LABEL_ALG, LABEL_KID),
        )
        shape.members(parts[1], "countersignature unprotected header", ())
        found.append(
            Countersignature(
                alg=shape.integer(header.get(LABEL_ALG), "countersignature alg"),
                kid=shape.digest(header.get(LABEL_KID), "countersignature kid"),
                protected=protected,
                signature=shape.bstr(parts[2], "countersignature signature"),
            )
        )
    return tuple(found)


def _judge(entry: Entry) -> Entry:
    """The rules that section 3 states beside the CDDL; the entry with its command names resolved."""
    window = entry.not_after - entry.not_before
    if not 0 < window <= MAX_WINDOW_MS:
        raise EntryError("bad-window", f"not-after is {window} ms above not-before")
    resolved = []
    for command in entry.commands:
        register, slash, name = command.name.rpartition("/")
        if slash:
            if not shape.REGISTER_NAME.fullmatch(register):
                raise EntryError("bad-command", f"{command.name!r}: {register!r} is not a register name")
            if register == entry.register:
                raise EntryError("bad-command", f"{command.name!r} qualifies the header's own register")
            if not name:
                raise EntryError("bad-command", f"{command.name!r} names no command")
        resolved.append(Command(register if slash else entry.register, name, command.body))
    kids = [entry.kid, *(item.kid for item in entry.countersignatures)]
    if len(set(kids)) != len(kids):
        raise EntryError("bad-countersignature", "a key id signs twice")
    return replace(entry, commands=tuple(resolved))
