"""Ed25519 verification by ZIP-215, in plain integers.

RFC 8032 leaves open which encodings of points are accepted and whether the equation is multiplied
by the cofactor, and libraries differ: OpenSSL checks without the cofactor, libsodium also refuses
points of small order. Stele asks for ZIP-215, so that single and batch verification, and all
implementations, judge every signature alike:

- A and R may be any encoding of a curve point; y is taken modulo p, and x = 0 may carry a set sign bit;
- S must be below the group order L;
- accepted when [8][S]B = [8]R + [8][k]A, with k = SHA-512(R || A || message) over the bytes as given.

Verification handles public data only, so nothing here needs to run in constant time. `suites`
asks OpenSSL first, whose acceptance implies acceptance by ZIP-215, and comes here (some 10 ms) only
when OpenSSL refuses.
"""

from __future__ import annotations

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)

#: Extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z.
Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def decompress(encoding: bytes) -> Point | None:
    """The point of a 32-byte encoding by the rules of ZIP-215, or None when there is none."""
    number = int.from_bytes(encoding, "little")
    sign, y = number >> 255, (number & ((1 << 255) - 1)) % P
    # x^2 = (y^2 - 1) / (d y^2 + 1), RFC 8032 section 5.1.3
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * SQRT_MINUS_1 % P
        if v * x * x % P != u:
            return None
    if x & 1 != sign:
        x = -x % P  # stays 0 for x = 0: ZIP-215 accepts the encoding with the sign bit set
    return (x, y, 1, x * y % P)


def compress(point: Point) -> bytes:
    """The canonical encoding of a point (RFC 8032 section 5.1.2)."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def add(a: Point, b: Point) -> Point:
    """Complete addition (RFC 8032 section 5.1.4); it also doubles."""
    left = (a[1] - a[0]) * (b[1] - b[0]) % P
    right = (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def negate(a: Point) -> Point:
    return (-a[0] % P, a[1], a[2], -a[3] % P)


def multiply(scalar: int, point: Point) -> Point:
    """[scalar]point by double and add."""
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def is_identity(a: Point) -> bool:
    return a[0] % P == 0 and (a[1] - a[2]) % P == 0


def is_small_order(encoding: bytes) -> bool:
    """Whether the 32 bytes encode a point of small order: for such a key anyone can sign."""
    point = decompress(encoding)
    return point is not None and is_identity(multiply(8, point))


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
assert BASE is not None


def challenge(r: bytes, a: bytes, message: bytes) -> int:
    """k of RFC 8032 section 5.1.7."""
    return int.from_bytes(hashlib.sha512(r + a + message).digest(), "little") % L


def verify_zip215(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is valid for `public` (32 bytes) by ZIP-215."""
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    a, r = decompress(public), decompress(signature[:32])
    if s >= L or a is None or r is None:
        return False
    assert BASE is not None
    k = challenge(signature[:32], public, message)
    difference = add(add(multiply(s, BASE), negate(multiply(k, a))), negate(r))
    return is_identity(multiply(8, difference))
