"""Public keys as COSE_Keys, their ids, and verification by suite (`docs/format.md` section 2)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from . import bls12381, ed25519
from .cbor import Malformed, Map, NotCanonical, Value, decode_strict, encode

ED25519_PUBLIC_BYTES, ED25519_SIGNATURE_BYTES = 32, 64
ML_DSA_PUBLIC_BYTES, ML_DSA_SIGNATURE_BYTES = 1952, 3309
ALG_ML_DSA_65, ALG_HYBRID, CURVE_SM2, ALG_BLS12_381 = -49, -65600, -65601, -65602

#: Suite name to the COSE algorithms that a signature by such a key may name; the first is our own choice.
ALGORITHMS: dict[str, tuple[int, ...]] = {
    "Ed25519": (-19, -8),
    "ES256": (-7,),
    "ML-DSA-65": (ALG_ML_DSA_65,),
    "Ed25519+ML-DSA-65": (ALG_HYBRID,),
    "BLS12-381": (ALG_BLS12_381,),
}


class CoseKeyError(Exception):
    """A COSE_Key that is refused; `code` is `malformed`, `not-canonical` or `bad-key`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class UnsupportedSuite(Exception):
    """A key of a suite that this verifier does not have: it can then say neither valid nor invalid."""

    code = "unsupported-suite"

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.code}: {detail}")
        self.detail = detail


@dataclass(frozen=True)
class PublicKey:
    """A public key of a supported suite. `raw` is x, x || y or pub of the COSE_Key."""

    suite: str
    raw: bytes
    cose_key: bytes

    @classmethod
    def from_cose_key(cls, data: bytes) -> PublicKey:
        """Raises `CoseKeyError` or `UnsupportedSuite`."""
        try:
            value = decode_strict(data, what="COSE_Key")
        except Malformed as error:
            raise CoseKeyError("malformed", error.detail) from None
        except NotCanonical as error:
            raise CoseKeyError("not-canonical", error.detail) from None
        return cls.from_value(value)

    @classmethod
    def from_value(cls, value: Value) -> PublicKey:
        """As `from_cose_key`, from the decoded map."""
        if not isinstance(value, Map):
            raise CoseKeyError("malformed", "COSE_Key: not a map")
        suite, fields = _suite_of(value)
        if sorted(map(repr, value.labels())) != sorted(map(repr, fields)):
            raise CoseKeyError("malformed", f"COSE_Key: {suite} has exactly the labels {list(fields)}")
        raw = b""
        for label, size in fields.items():
            member = value.get(label)
            if size is None:
                continue
            if not isinstance(member, bytes) or len(member) != size:
                raise CoseKeyError("malformed", f"COSE_Key: label {label} is not {size} bytes")
            raw += member
        _check_point(suite, raw)
        return cls(suite, raw, encode(value))

    @property
    def kid(self) -> bytes:
        """The COSE Key thumbprint with SHA-256 (RFC 9679)."""
        return hashlib.sha256(self.cose_key).digest()

    @property
    def is_for_parties(self) -> bool:
        """Whether a party may sign with it: not a key of networks alone, and no Ed25519 point of small order."""
        if self.suite == "BLS12-381":
            return False
        has_ed25519 = self.suite.startswith("Ed25519")
        return not (has_ed25519 and ed25519.is_small_order(self.raw[:ED25519_PUBLIC_BYTES]))

    def accepts_algorithm(self, alg: int) -> bool:
        """Whether a signature by this key may name the COSE algorithm `alg`."""
        return alg in ALGORITHMS[self.suite]

    def verify(self, alg: int, message: bytes, signature: bytes) -> bool:
        """Whether the signature is valid. Raises `UnsupportedSuite` without an implementation of ML-DSA or BLS12-381."""
        if not self.accepts_algorithm(alg):
            return False
        if self.suite == "Ed25519":
            return verify_ed25519(self.raw, message, signature)
        if self.suite == "ES256":
            return verify_es256(self.raw, message, signature)
        if self.suite == "ML-DSA-65":
            return verify_ml_dsa_65(self.raw, message, signature)
        if self.suite == "BLS12-381":
            return verify_bls12_381(self.raw, message, signature)
        if len(signature) != ED25519_SIGNATURE_BYTES + ML_DSA_SIGNATURE_BYTES:
            return False
        # Both halves are always judged: a missing ML-DSA implementation must not depend on the first.
        post_quantum = verify_ml_dsa_65(
            self.raw[ED25519_PUBLIC_BYTES:], message, signature[ED25519_SIGNATURE_BYTES:]
        )
        classic = verify_ed25519(
            self.raw[:ED25519_PUBLIC_BYTES], message, signature[:ED25519_SIGNATURE_BYTES]
        )
        return classic and post_quantum


def _suite_of(value: Map) -> tuple[str, dict[int, int | None]]:
    """The suite and its labels: a size for byte strings that make up `raw`, None for constants."""
    kty, curve, alg = value.get(1), value.get(-1), value.get(3)
    if type(kty) is not int:
        raise CoseKeyError("malformed", "COSE_Key: label 1 (kty) is missing or not an integer")
    selector = alg if kty == 7 else curve
    if type(selector) is not int:
        raise CoseKeyError("malformed", "COSE_Key: the curve or algorithm is missing or not an integer")
    if (kty, selector) == (1, 6):
        return "Ed25519", {1: None, -1: None, -2: 32}
    if (kty, selector) == (2, 1):
        return "ES256", {1: None, -1: None, -2: 32, -3: 32}
    if (kty, selector) == (7, ALG_ML_DSA_65):
        return "ML-DSA-65", {1: None, 3: None, -1: ML_DSA_PUBLIC_BYTES}
    if (kty, selector) == (7, ALG_HYBRID):
        return "Ed25519+ML-DSA-65", {1: None, 3: None, -1: ED25519_PUBLIC_BYTES + ML_DSA_PUBLIC_BYTES}
    if (kty, selector) == (7, ALG_BLS12_381):
        return "BLS12-381", {1: None, 3: None, -1: bls12381.PUBLIC_BYTES}
    if (kty, selector) == (2, CURVE_SM2):
        raise UnsupportedSuite("SM2 is not built into this verifier")
    raise UnsupportedSuite(f"no suite has key type {kty} with curve or algorithm {selector}")


def _check_point(suite: str, raw: bytes) -> None:
    if suite == "ES256":
        try:
            _p256(raw)
        except ValueError:
            raise CoseKeyError("bad-key", "COSE_Key: not a point of P-256") from None
    elif suite == "BLS12-381":
        try:
            if bls12381.parse_public(raw) is None:
                raise CoseKeyError("bad-key", "COSE_Key: not a point of the subgroup of G2 of BLS12-381")
        except bls12381.Unavailable:
            raise UnsupportedSuite("BLS12-381 needs py_ecc") from None
    elif suite.startswith("Ed25519") and ed25519.decompress(raw[:ED25519_PUBLIC_BYTES]) is None:
        raise CoseKeyError("bad-key", "COSE_Key: not a point of edwards25519")


def verify_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """ZIP-215. OpenSSL's stricter rules accept a subset, so only its refusals need a second look."""
    if len(signature) != ED25519_SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return ed25519.verify_zip215(public, message, signature)


def _p256(raw: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + raw)


def verify_es256(public: bytes, message: bytes, signature: bytes) -> bool:
    """ECDSA on P-256 with SHA-256; r and s from 1 to n-1, either s."""
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        _p256(public).verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        return True
    except InvalidSignature:
        return False


def verify_ml_dsa_65(public: bytes, message: bytes, signature: bytes) -> bool:
    """FIPS 204 with the empty context."""
    return _ml_dsa_verifier()(public, message, signature)


def verify_bls12_381(public: bytes, message: bytes, signature: bytes) -> bool:
    """The key of a network of several validators (draft-irtf-cfrg-bls-signature)."""
    try:
        return bls12381.verify(public, message, signature)
    except bls12381.Unavailable:
        raise UnsupportedSuite("BLS12-381 needs py_ecc") from None


def _ml_dsa_verifier() -> Callable[[bytes, bytes, bytes], bool]:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
    except ImportError:
        return _dilithium_py_verifier()

    def verify(public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            MLDSA65PublicKey.from_public_bytes(public).verify(signature, message)
            return True
        except InvalidSignature:
            return False
        except UnsupportedAlgorithm:
            return _dilithium_py_verifier()(public, message, signature)

    return verify


def _dilithium_py_verifier() -> Callable[[bytes, bytes, bytes], bool]:
    try:
        from dilithium_py.ml_dsa import ML_DSA_65
    except ImportError:
        raise UnsupportedSuite("ML-DSA-65 needs OpenSSL 3.5 in `cryptography`, or dilithium-py") from None

    def verify(public: bytes, message: bytes, signature: bytes) -> bool:
        return len(signature) == ML_DSA_SIGNATURE_BYTES and bool(ML_DSA_65.verify(public, message, signature))

    return verify


def party_id_of(first_kid: bytes) -> bytes:
    """The id of the party whose first key has the given key id."""
    return hashlib.sha256(b"stele/party/v1" + first_kid).digest()


def did_of(party_id: bytes) -> str:
    """`did:stele:` and the lower-case base32 of the party id."""
    return "did:stele:" + base64.b32encode(party_id).decode("ascii").rstrip("=").lower()
