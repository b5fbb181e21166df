"""Entries written, and receipts read, by COSE libraries that know nothing of Stele.

Built from docs/format.md alone. Only `cbor2`, `pycose`, `cwt` and `hashlib` take part: no code of ours.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

import cbor2
import cwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pycose.algorithms import CoseAlgorithm, EdDSA, Es256
from pycose.headers import KID, Algorithm
from pycose.keys import CoseKey, EC2Key, OKPKey
from pycose.keys.curves import P256, Ed25519
from pycose.messages import CoseMessage, Sign1Message

ED25519_AS_EDDSA, ES256 = -8, -7
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@CoseAlgorithm.register_attribute()
class FullySpecifiedEd25519(EdDSA):  # type: ignore[misc]
    """`Ed25519` (-19, RFC 9864), which pycose 1.1 does not have yet: EdDSA under another number."""

    identifier = -19
    fullname = "ED25519"


def canonical(value: Any) -> bytes:
    """Deterministic CBOR. cbor2 sorts map keys by length first, which is the same order for keys of one type."""
    return cbor2.dumps(value, canonical=True)


class Author:
    """A party with one key, `alg` -8 or -7, that signs by one of the libraries."""

    def __init__(self, library: str, alg: int) -> None:
        self.library, self.alg = library, alg
        if alg == ED25519_AS_EDDSA:
            self.secret = os.urandom(32)
            x = Ed25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()
            self.public: dict[int, Any] = {1: 1, -1: 6, -2: x}
        else:
            key = ec.generate_private_key(ec.SECP256R1())
            numbers = key.private_numbers()
            point = numbers.public_numbers
            self.secret = numbers.private_value.to_bytes(32, "big")
            self.public = {1: 2, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}

    @property
    def cose_key(self) -> bytes:
        return canonical(self.public)

    @property
    def kid(self) -> bytes:
        """RFC 9679: SHA-256 over the key's deterministic encoding."""
        return hashlib.sha256(self.cose_key).digest()

    @property
    def party(self) -> bytes:
        return hashlib.sha256(b"stele/party/v1" + self.kid).digest()

    def entry(
        self, network: bytes, register: str, commands: list[Any], now_ms: int, payload: bytes | None = None, **own: Any
    ) -> bytes:
        """A COSE_Sign1 of section 3. `own` may set not_before, not_after and nonce; `payload` replaces the commands."""
        not_before, not_after = own.get("not_before", now_ms - 60_000), own.get("not_after", now_ms + 600_000)
        stele = [network, register, not_before, not_after, own.get("nonce", os.urandom(12))]
        content = canonical(commands) if payload is None else payload
        sign = self._pycose if self.library == "pycose" else self._cwt
        return sign(stele, content)

    def _pycose(self, stele: list[Any], payload: bytes) -> bytes:
        alg = EdDSA if self.alg == ED25519_AS_EDDSA else Es256
        message = Sign1Message(phdr={Algorithm: alg, KID: self.kid, -65537: stele}, payload=payload)
        if self.alg == ED25519_AS_EDDSA:
            message.key = OKPKey(crv=Ed25519, x=self.public[-2], d=self.secret)
        else:
            message.key = EC2Key(crv=P256, x=self.public[-2], y=self.public[-3], d=self.secret)
        return bytes(message.encode())

    def _cwt(self, stele: list[Any], payload: bytes) -> bytes:
        key = cwt.COSEKey.new({**self.public, 2: self.kid, 3: self.alg, -4: self.secret})
        header = {1: self.alg, 4: self.kid, -65537: stele}
        signed = cwt.COSE.new().encode_and_sign(payload, key, protected=header)
        assert isinstance(signed, bytes)
        return signed


def other_signature(entry: bytes) -> bytes:
    """The same entry under the other valid ES256 signature, (r, n - s)."""
    s = int.from_bytes(entry[-32:], "big")
    return entry[:-32] + (P256_ORDER - s).to_bytes(32, "big")


def entry_id(entry: bytes) -> bytes:
    protected, _, payload, _ = cbor2.loads(entry).value
    return hashlib.sha256(cbor2.dumps(["Signature1", protected, b"", payload])).digest()


def root_of(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2, word for word."""
    fn, sn, r = index, size - 1, hashlib.sha256(b"\x00" + leaf).digest()
    for p in path:
        assert sn != 0
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\x01" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def log_root(certificate: bytes) -> bytes:
    """The log root that a COSE Receipt (RFC 9942) implies: detached, computed from the proof and the record."""
    _, unprotected, payload, _ = cbor2.loads(certificate).value
    if payload is not None:
        return bytes(payload)
    size, index, path = cbor2.loads(unprotected[396][-1][0])
    return root_of(unprotected[-65539], index, size, path)


def pycose_accepts(certificate: bytes, network_key: bytes) -> bool:
    """Whether pycose reads the certificate as a COSE_Sign1 that the network signed over its log root."""
    message = CoseMessage.decode(certificate)
    assert isinstance(message, Sign1Message)
    message.key = CoseKey.from_dict(cbor2.loads(network_key))
    detached = log_root(certificate) if message.payload is None else None
    return bool(message.verify_signature(detached_payload=detached))


def cwt_accepts(certificate: bytes, network_key: bytes) -> bool:
    """The same by cwt, which knows -8 and -7."""
    key = cbor2.loads(network_key)
    protected, _, payload, _ = cbor2.loads(certificate).value
    header = cbor2.loads(protected)
    verifier = cwt.COSEKey.new({**key, 2: header[4], 3: header[1]})
    detached = log_root(certificate) if payload is None else None
    try:
        cwt.COSE.new().decode(certificate, verifier, detached_payload=detached)
    except cwt.VerifyError:
        return False
    return True
