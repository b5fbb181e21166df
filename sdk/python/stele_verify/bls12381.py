"""BLS signatures on BLS12-381 with signatures in G1 and keys in G2: the suite of a network's own key.

draft-irtf-cfrg-bls-signature, ciphersuite `BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_`. The field arithmetic is that of `py_ecc`; reading points,
their subgroup checks and the verification equation are here, so that what is refused is plain to see.
"""

from __future__ import annotations

import hashlib
from typing import Any

PUBLIC_BYTES, SIGNATURE_BYTES = 96, 48
DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"


class Unavailable(Exception):
    """`py_ecc` is not installed."""


def _curve() -> tuple[Any, Any, Any]:
    try:
        from py_ecc import optimized_bls12_381 as curve
        from py_ecc.bls import hash_to_curve, point_compression
    except ImportError:
        raise Unavailable from None
    return curve, hash_to_curve, point_compression


def parse_public(raw: bytes) -> Any | None:
    """The point of a key; None if it is no point of the right subgroup of G2, or the point at infinity."""
    curve, _, compression = _curve()
    if len(raw) != PUBLIC_BYTES or not raw[0] & 0x80 or raw[0] & 0x40:
        return None
    halves = int.from_bytes(raw[:48], "big"), int.from_bytes(raw[48:], "big")
    try:
        point = compression.decompress_G2(halves)
    except (ValueError, AssertionError):
        return None
    return point if _in_subgroup(curve, point, curve.b2) else None


def _parse_signature(raw: bytes) -> Any | None:
    curve, _, compression = _curve()
    if len(raw) != SIGNATURE_BYTES or not raw[0] & 0x80 or raw[0] & 0x40:
        return None
    try:
        point = compression.decompress_G1(int.from_bytes(raw, "big"))
    except (ValueError, AssertionError):
        return None
    return point if _in_subgroup(curve, point, curve.b) else None


def _in_subgroup(curve: Any, point: Any, coefficient: Any) -> bool:
    if curve.is_inf(point) or not curve.is_on_curve(point, coefficient):
        return False
    return bool(curve.is_inf(curve.multiply(point, curve.curve_order)))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether e(signature, G2) = e(H(message), public)."""
    curve, hashing, _ = _curve()
    key, point = parse_public(public), _parse_signature(signature)
    if key is None or point is None:
        return False
    hashed = hashing.hash_to_G1(message, DST, hashlib.sha256)
    product = curve.pairing(curve.neg(curve.G2), point, final_exponentiate=False) * curve.pairing(
        key, hashed, final_exponentiate=False
    )
    return bool(curve.final_exponentiate(product) == curve.FQ12.one())
