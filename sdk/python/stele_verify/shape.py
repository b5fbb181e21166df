"""Checks of CDDL types on decoded values. Each raises `Malformed` with the place."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .cbor import ABSENT, Malformed, Map, Value

REGISTER_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)


def uint(value: Value, where: str) -> int:
    if type(value) is not int or value < 0:
        raise Malformed(f"{where}: not an unsigned integer")
    return value


def integer(value: Value, where: str) -> int:
    if type(value) is not int:
        raise Malformed(f"{where}: not an integer")
    return value


def bstr(value: Value, where: str, low: int = 0, high: int | None = None) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed(f"{where}: not a byte string")
    if len(value) < low or (high is not None and len(value) > high):
        raise Malformed(f"{where}: {len(value)} bytes, expected {low} to {high}")
    return value


def digest(value: Value, where: str) -> bytes:
    """`hash = bstr .size 32`."""
    return bstr(value, where, 32, 32)


def tstr(value: Value, where: str, low: int = 0, high: int | None = None) -> str:
    """Text; the bounds count bytes of UTF-8, as CDDL's `.size` does."""
    if not isinstance(value, str):
        raise Malformed(f"{where}: not text")
    length = len(value.encode("utf-8"))
    if length < low or (high is not None and length > high):
        raise Malformed(f"{where}: {length} bytes of text, expected {low} to {high}")
    return value


def register_name(value: Value, where: str) -> str:
    name = tstr(value, where)
    if not REGISTER_NAME.fullmatch(name):
        raise Malformed(f"{where}: not a register name")
    return name


def array(value: Value, where: str, low: int = 0, high: int | None = None) -> list[Value]:
    if not isinstance(value, list):
        raise Malformed(f"{where}: not an array")
    if len(value) < low or (high is not None and len(value) > high):
        raise Malformed(f"{where}: {len(value)} items, expected {low} to {high}")
    return value


def tuple_of(value: Value, where: str, count: int) -> list[Value]:
    """An array of exactly `count` items."""
    return array(value, where, count, count)


def members(value: Value, where: str, required: Iterable[int], optional: Iterable[int] = ()) -> Map:
    """A map with all labels of `required`, any of `optional`, and no other."""
    if not isinstance(value, Map):
        raise Malformed(f"{where}: not a map")
    required = list(required)
    known = [*required, *optional]
    for key in value.labels():
        if type(key) is not int or key not in known:
            raise Malformed(f"{where}: unknown label {key!r}")
    for label in required:
        if value.get(label) is ABSENT:
            raise Malformed(f"{where}: label {label} is missing")
    return value


def text_map(value: Value, where: str) -> Map:
    """`{ * tstr => any }`: the body of a command or an event."""
    if not isinstance(value, Map):
        raise Malformed(f"{where}: not a map")
    if not all(isinstance(key, str) for key in value.labels()):
        raise Malformed(f"{where}: a key that is not text")
    return value
