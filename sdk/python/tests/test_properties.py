"""Mutations, oracles and models: what must hold for inputs that nobody wrote down."""

from __future__ import annotations

import functools
import sys
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from build import State, enc, log_path, log_root, sha256
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from vectors import FOLDER, payload, table

from stele_verify import Network, VerifyError, cbor, decode_entry, merkle, state, verify
from stele_verify.ed25519 import L, verify_zip215
from stele_verify.entry import EntryError

sys.path.append(str(FOLDER))

from gen.receipts_good import one_leaf
from gen.world import STATE

GOOD = [row for row in table("receipts.json") if row["valid"]]
NAMED = {row["name"]: row for row in GOOD}


@functools.cache
def receipt(name: str) -> tuple[bytes, Network]:
    row = NAMED[name]
    return payload(row), Network.load(FOLDER / row["network"])


def witness_span(data: bytes) -> range:
    """Where the witness lines stand: they come last and are not judged."""
    found = cbor.decode_strict(data).get(4)  # type: ignore[union-attr]
    return range(len(data) - (0 if found is cbor.ABSENT else len(cbor.encode(found))), len(data))


def held(name: str) -> dict[tuple[str, bytes], bytes]:
    """The state under the receipt, as a plain dict."""
    if name in ("good-state-empty", "good-state-64-claims"):
        return {}
    return one_leaf().values if name == "good-state-one-leaf" else STATE.values


def assert_nothing_false(name: str, changed: bytes) -> bool:
    """Whether `changed` still verifies; if so it may differ only in witnesses and in true state claims.

    A proof of absence fits every key whose path begins alike, so another key may be absent by the
    same proof. That is a true statement of the same network; nothing else may pass.
    """
    original, network = receipt(name)
    try:
        found = verify(changed, network)
    except VerifyError:
        return False
    expected = verify(original, network)
    assert (found.who, found.when, found.rule) == (expected.who, expected.when, expected.rule)
    assert replace(found.what, state=()) == replace(expected.what, state=())
    for item in found.what.state:
        assert held(name).get((item.register, item.key)) == item.value
    return True


@pytest.mark.parametrize(
    "name", ["good-entry-with-events", "good-entry-and-state", "good-witnesses", "good-network-es256"]
)
def test_no_changed_byte_goes_unnoticed(name: str) -> None:
    """Each byte of a good receipt, changed in its lowest and in its highest bit."""
    data, network = receipt(name)
    absences = [i.key for i in verify(data, network).what.state if i.value is None]
    free = set(witness_span(data))
    for key in absences:
        free |= set(range(data.index(key), data.index(key) + len(key)))
    for index in range(len(data)):
        for mask in (0x01, 0x80):
            changed = data[:index] + bytes([data[index] ^ mask]) + data[index + 1 :]
            if assert_nothing_false(name, changed):
                assert index in free, f"byte {index} changed by {mask:#x} was accepted"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(set(NAMED) - {"good-network-small-order"})), st.data())
def test_mutations_never_verify_as_something_else(name: str, data: st.DataObject) -> None:
    """Cut, insert, overwrite, repeat. The small-order key is left out: it vouches for everything."""
    original, _ = receipt(name)
    at = data.draw(st.integers(0, len(original) - 1))
    length = data.draw(st.integers(0, 40))
    piece = data.draw(st.one_of(st.binary(max_size=40), st.just(original[at : at + length] * 2)))
    assert_nothing_false(name, original[:at] + piece + original[at + length :])


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_typed_errors(data: bytes) -> None:
    _, network = receipt("good-state-present")
    with pytest.raises(VerifyError):
        verify(data, network)
    with pytest.raises(EntryError):
        decode_entry(data)


SCALARS = st.one_of(
    st.integers(-(2**64), 2**64 - 1), st.binary(max_size=30), st.text(max_size=30), st.booleans(), st.none()
)
KEYS = st.one_of(
    st.integers(2, 2**64 - 1), st.integers(-(2**64), -1), st.text(max_size=8), st.binary(max_size=8)
)
VALUES: Any = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=400, deadline=None)
@given(VALUES)
def test_cbor_agrees_with_cbor2(value: Any) -> None:
    """What we accept and encode, the general library reads as the same value."""
    data = enc(value)
    try:
        decoded = cbor.decode_strict(data)
    except cbor.Malformed as error:
        assert "nested" in error.detail
        return
    assert cbor.encode(decoded) == data
    assert cbor2.loads(data) == value


@settings(max_examples=1000, deadline=None)
@given(st.binary(min_size=1, max_size=24))
def test_cbor_accepts_one_encoding_only(data: bytes) -> None:
    try:
        value = cbor.decode_strict(data)
    except (cbor.Malformed, cbor.NotCanonical):
        return
    assert cbor.encode(value) == data


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.data())
def test_inclusion_against_the_recursive_definition(size: int, data: st.DataObject) -> None:
    leaves = [sha256(bytes([i])) for i in range(size)]
    root = log_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = log_path(index, leaves)
    assert merkle.path_length(index, size) == len(path)
    assert merkle.root_from_path(leaves[index], index, size, path) == root
    for other in range(size):
        if other != index:
            assert merkle.root_from_path(leaves[index], other, size, path) != root


@settings(max_examples=60, deadline=None)
@given(st.sets(st.binary(min_size=1, max_size=4), max_size=40), st.binary(min_size=1, max_size=4))
def test_state_proofs_against_the_definition(keys: set[bytes], asked: bytes) -> None:
    tree = State({("trace", key): b"value of " + key for key in keys})
    claim = tree.claim("trace", asked)
    parsed = state.parse_claim(cbor.decode_strict(enc(claim)))
    assert (parsed.value is not None) == (asked in keys)
    assert state.why_not(parsed, tree.root) is None
    lie = [*claim[:2], None if asked in keys else b"value of " + asked, claim[3]]
    assert state.why_not(state.parse_claim(cbor.decode_strict(enc(lie))), tree.root) is not None


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 511))
def test_zip215_accepts_all_that_libsodium_accepts(seed: bytes, message: bytes, flipped: int) -> None:
    key = SigningKey(seed)
    public, signature = bytes(key.verify_key), key.sign(message).signature
    assert verify_zip215(public, message, signature)
    wrong = bytearray(signature)
    wrong[flipped // 8] ^= 1 << flipped % 8
    with pytest.raises(BadSignatureError):
        VerifyKey(public).verify(message, bytes(wrong))
    # A flipped bit can only be accepted by the cofactor rule, which takes a torsion point to reach.
    assert not verify_zip215(public, message, bytes(wrong))
    above = (int.from_bytes(signature[32:], "little") + L).to_bytes(32, "little")
    assert not verify_zip215(public, message, signature[:32] + above)
