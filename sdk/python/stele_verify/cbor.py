"""Deterministic CBOR as `docs/format.md` section 1 allows it (RFC 8949 section 4.2.1).

Why an own decoder: a general library accepts every encoding of a value, turns tags into other types
and folds the map keys `1`, `1.0` and `true` into one. "Decode, encode again, compare" would then
have to undo all of that, and could not tell *malformed* from *not canonical*. The subset allowed
here needs about a hundred lines. The tests hold it against `cbor2` as an oracle.

The decoder reads any well-formed encoding and **collects** the places where it is not deterministic
into `faults`, because verification judges shape (step 2) before encoding (step 3). A caller that
wants the strict answer alone uses `decode_strict`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union

#: Arrays and maps that may be open at one time.
MAX_DEPTH = 16
TAG_COSE_SIGN1 = 18


class Malformed(Exception):
    """Not well-formed, outside the allowed types, or not of the expected shape. `detail` says where."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotCanonical(Exception):
    """Well-formed, but another encoding than the deterministic one."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True)
class Map:
    """A CBOR map, its pairs in the order of the encoding.

    Not a `dict`: Python holds `1` and `True` for the same key, CBOR does not.
    """

    pairs: tuple[tuple[Value, Value], ...]

    def get(self, label: int | str) -> Value:
        """The first value under `label`, or `ABSENT`."""
        for key, value in self.pairs:
            if type(key) is type(label) and key == label:
                return value
        return ABSENT

    def labels(self) -> list[Value]:
        return [key for key, _ in self.pairs]

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[tuple[Value, Value]]:
        return iter(self.pairs)


class _Absent:
    """The type of `ABSENT`: no such label in a map (`None` is CBOR's null)."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
Value = Union[int, bytes, str, bool, None, list["Value"], Map, _Absent]


def decode(data: bytes, faults: list[str], *, what: str, tag: int | None = None) -> Value:
    """The one value that `data` holds; departures from the deterministic encoding go into `faults`.

    `what` names the structure in messages. With `tag`, the value must stand under exactly that tag.
    Raises `Malformed`. Memory is bounded by the length of `data`: claimed lengths reserve nothing.
    """
    reader = _Reader(data, faults, what)
    if tag is not None:
        major, _, number = reader.head()
        if major != 6 or number != tag:
            raise Malformed(f"{what}: does not start with tag {tag}")
    value = reader.item(0)
    if reader.position != len(data):
        raise Malformed(f"{what}: {len(data) - reader.position} bytes after the value")
    return value


def decode_strict(data: bytes, *, what: str = "value", tag: int | None = None) -> Value:
    """As `decode`, but raises `NotCanonical` when there is a fault."""
    faults: list[str] = []
    value = decode(data, faults, what=what, tag=tag)
    if faults:
        raise NotCanonical(faults[0])
    return value


class _Reader:
    def __init__(self, data: bytes, faults: list[str], what: str) -> None:
        self.data = data
        self.position = 0
        self.faults = faults
        self.what = what

    def malformed(self, reason: str) -> Malformed:
        return Malformed(f"{self.what}: {reason} at byte {self.position}")

    def fault(self, reason: str) -> None:
        # The first faults are enough to explain; a hostile input could hold a million.
        if len(self.faults) < 8:
            self.faults.append(f"{self.what}: {reason} at byte {self.position}")

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.position:
            raise self.malformed(f"{length} bytes expected, {len(self.data) - self.position} left")
        taken = self.data[self.position : self.position + length]
        self.position += length
        return taken

    def head(self) -> tuple[int, int, int | None]:
        """Major type, additional information and argument; `None` means indefinite length."""
        first = self.take(1)[0]
        major, info = first >> 5, first & 0x1F
        if info < 24:
            return major, info, info
        if info < 28:
            width = 1 << (info - 24)
            argument = int.from_bytes(self.take(width), "big")
            # The argument of major type 7 is a simple value or a float, which item() judges.
            if major != 7 and argument < (24 if width == 1 else 1 << (4 * width)):
                self.fault(f"{argument} in {width} bytes is not the shortest head")
            return major, info, argument
        if info == 31:
            return major, info, None
        raise self.malformed(f"reserved additional information {info}")

    def at_break(self) -> bool:
        if self.position < len(self.data) and self.data[self.position] == 0xFF:
            self.position += 1
            return True
        return False

    def item(self, depth: int) -> Value:
        major, info, argument = self.head()
        if major == 7:
            if info == 20 or info == 21:
                return info == 21
            if info == 22:
                return None
            raise self.malformed("a float, a break or a simple value other than false, true and null")
        if major == 6:
            raise self.malformed(f"tag {argument} where none is allowed")
        if major in (0, 1):
            if argument is None:
                raise self.malformed("an integer of indefinite length")
            return argument if major == 0 else -1 - argument
        if major in (2, 3):
            raw = self.take(argument) if argument is not None else self.chunks(major)
            return raw if major == 2 else self.text(raw)
        if depth >= MAX_DEPTH:
            raise self.malformed(f"nested deeper than {MAX_DEPTH}")
        if argument is None:
            self.fault("an array or map of indefinite length")
        return self.array(argument, depth + 1) if major == 4 else self.map(argument, depth + 1)

    def chunks(self, major: int) -> bytes:
        self.fault("a string of indefinite length")
        parts: list[bytes] = []
        while not self.at_break():
            chunk_major, _, length = self.head()
            if chunk_major != major or length is None:
                raise self.malformed("a chunk of another type in a string of indefinite length")
            part = self.take(length)
            if major == 3:
                self.text(part)
            parts.append(part)
        return b"".join(parts)

    def text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self.malformed("text that is not UTF-8") from None

    def more(self, count: int | None, done: int) -> bool:
        return not self.at_break() if count is None else done < count

    def array(self, count: int | None, depth: int) -> list[Value]:
        items: list[Value] = []
        while self.more(count, len(items)):
            items.append(self.item(depth))
        return items

    def map(self, count: int | None, depth: int) -> Map:
        pairs: list[tuple[Value, Value]] = []
        previous = b""
        while self.more(count, len(pairs)):
            start = self.position
            key = self.item(depth)
            encoded = self.data[start : self.position]
            if pairs and encoded <= previous:
                self.fault("a map key repeated" if encoded == previous else "map keys out of order")
            previous = encoded
            pairs.append((key, self.item(depth)))
        return Map(tuple(pairs))


def encode(value: Value) -> bytes:
    """The deterministic encoding of `value`. Raises `ValueError` for what section 1 does not allow."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        raw = value.encode("utf-8")
        return head(3, len(raw)) + raw
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, Map):
        pairs = sorted((encode(key), encode(item)) for key, item in value)
        if any(a[0] == b[0] for a, b in itertools.pairwise(pairs)):
            raise ValueError("a map key is repeated")
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise ValueError(f"{type(value).__name__} has no encoding here")


def head(major: int, argument: int) -> bytes:
    """The shortest head for a major type and its argument, 0 <= argument < 2**64."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            return bytes([major << 5 | info]) + argument.to_bytes(width, "big")
    raise ValueError("integers have at most 64 bits")
