"""Vectors of the CBOR subset, of keys, of Ed25519 by ZIP-215 and of state proofs."""

from __future__ import annotations

from typing import Any

from build import Key, Raw, State, bitmap, enc, fold_path, sha256
from gen.world import BLS, CARRIER, ED, GROWER, LAB, SHOP, SmallOrderKey
from stele_verify import ed25519

# --- cbor.json --------------------------------------------------------------------------------

#: RFC 8949 appendix A, as far as section 1 of the format page allows the value.
APPENDIX_A = """00 01 0a 17 1818 1819 1864 1903e8 1a000f4240 1b000000e8d4a51000 1bffffffffffffffff 3bffffffffffffffff
20 29 3863 3903e7 f4 f5 f6 40 4401020304 60 6161 6449455446 62225c 62c3bc 63e6b0b4 64f0908591 80 83010203
8301820203820405 98190102030405060708090a0b0c0d0e0f101112131415161718181819 a0 a201020304
a26161016162820203 826161a161626163 a56161614161626142616361436164614461656145""".split()

GOOD_CBOR = {
    "keys of several types, bytewise order": "a6 0a00 1818 00 20 00 4100 00 6100 00 f4 00",
    "long negative key after short text key of lower major type": "a2 3a00010000 00 60 00",
    "length-first order would differ": "a2 1903e8 00 20 00",
    "16 arrays deep": "81" * 15 + "80",
    "16 maps deep": "a100" * 15 + "a0",
    "largest one-byte head": "18ff",
    "smallest two-byte head": "190100",
    "smallest four-byte head": "1a00010000",
    "smallest eight-byte head": "1b0000000100000000",
    "byte string of 24": "5818" + "00" * 24,
    "text with a NUL": "6100",
    "text with a byte order mark": "63efbbbf",
    "largest code point": "64f48fbfbf",
}

NOT_CANONICAL_CBOR = {
    "0 in one byte": "1800",
    "23 in one byte": "1817",
    "255 in two bytes": "1900ff",
    "65535 in four bytes": "1a0000ffff",
    "2^32-1 in eight bytes": "1b00000000ffffffff",
    "-1 in one byte": "3800",
    "-24 in one byte": "3817",
    "-256 in two bytes": "3900ff",
    "byte string with a long length": "580101",
    "text with a long length": "780161",
    "array with a long length": "980100",
    "array with an eight-byte length": "9b000000000000000100",
    "map with a long length": "b8010000",
    "empty array of indefinite length": "9fff",
    "array of indefinite length": "9f0102ff",
    "map of indefinite length": "bf0102ff",
    "byte string of indefinite length": "5f41014102ff",
    "empty byte string of indefinite length": "5fff",
    "text of indefinite length": "7f61616162ff",
    "map keys out of order": "a202000100",
    "map keys in length-first order": "a2 20 00 1903e8 00",
    "text keys out of order": "a2616200616100",
    "longer text key first": "a262616100616200",
    "map key repeated": "a201000101",
    "text key repeated": "a2616100616101",
    "repeated key apart": "a3010002000100",
    "inner map out of order": "81a202000100",
    "map as key with keys out of order": "a1a20200010000",
}

MALFORMED_CBOR = {
    "no bytes": "",
    "bytes after the value": "0000",
    "head without its argument": "18",
    "half a four-byte argument": "1a0000",
    "byte string cut short": "420a",
    "text cut short": "6261",
    "array cut short": "8201",
    "map without its last value": "a10a",
    "byte string of claimed 2^63 bytes": "5b8000000000000000",
    "text of claimed 2^64-1 bytes": "7bffffffffffffffff",
    "array of claimed 2^40 items": "9b0000010000000000",
    "map of claimed 2^62 pairs": "bb4000000000000000",
    "additional information 28": "1c",
    "additional information 29 in a string": "5d",
    "additional information 30 in an array": "9e",
    "integer of indefinite length": "1f",
    "break alone": "ff",
    "break in a definite array": "8201ff",
    "array of indefinite length without end": "9f01",
    "map of indefinite length with half a pair": "bf01ff",
    "text chunk in a byte string": "5f6161ff",
    "nested indefinite chunk": "5f5f4101ffff",
    "undefined": "f7",
    "simple value 0": "e0",
    "simple value 19": "f3",
    "simple value 32": "f820",
    "simple value 255": "f8ff",
    "false in two bytes": "f814",
    "half float 0.0": "f90000",
    "half float infinity": "f97c00",
    "half float NaN": "f97e00",
    "single float": "fa47c35000",
    "double float 1.1": "fb3ff199999999999a",
    "tag 0 (date)": "c074323031332d30332d32315432303a30343a30305a",
    "tag 1 (epoch)": "c11a514b67b0",
    "tag 2 (bignum)": "c249010000000000000000",
    "tag 18 where none is named": "d28440a0f640",
    "tag 55799 (self-described)": "d9d9f700",
    "text that is not UTF-8": "61ff",
    "overlong UTF-8": "62c080",
    "UTF-8 of a surrogate": "63eda080",
    "UTF-8 above U+10FFFF": "64f4908080",
    "17 arrays deep": "81" * 16 + "80",
    "17 maps deep": "a100" * 16 + "a0",
    "1000 arrays deep": "81" * 999 + "80",
}


def cbor_vectors() -> list[dict[str, Any]]:
    rows = [{"name": f"RFC 8949 appendix A: {h}", "hex": h, "valid": True} for h in APPENDIX_A]
    rows += [{"name": n, "hex": h.replace(" ", ""), "valid": True} for n, h in GOOD_CBOR.items()]
    for code, table in (("not-canonical", NOT_CANONICAL_CBOR), ("malformed", MALFORMED_CBOR)):
        rows += [{"name": n, "hex": h.replace(" ", ""), "valid": False, "code": code} for n, h in table.items()]
    return rows


# --- keys.json --------------------------------------------------------------------------------

#: The base point of the SM2 curve (GB/T 32918.5) stands in for a public key.
SM2_X = "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
SM2_Y = "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"


def key_vectors() -> list[dict[str, Any]]:
    small = SmallOrderKey("Ed25519", "small order")
    sm2 = {1: 2, -1: -65601, -2: bytes.fromhex(SM2_X), -3: bytes.fromhex(SM2_Y)}
    rows = [good_key(k.label, k.suite, k.cose) for k in (GROWER, CARRIER, LAB, SHOP, BLS.key)]
    rows.append(good_key("small order: accepted by ZIP-215", "Ed25519", small.cose))
    identity = b"\xee" + b"\xff" * 30 + b"\x7f"
    rows.append(good_key("non-canonical y: accepted by ZIP-215", "Ed25519", {1: 1, -1: 6, -2: identity}))
    rows.append({**good_key("base point of SM2", "SM2", sm2), "feature": "sm"})
    ed, p256 = GROWER.cose, CARRIER.cose
    bad = {
        "no map": ("malformed", [1, 6, ed[-2]]),
        "kty missing": ("malformed", {-1: 6, -2: ed[-2]}),
        "kty is text": ("malformed", {**ed, 1: "OKP"}),
        "curve missing": ("malformed", {1: 1, -2: ed[-2]}),
        "x missing": ("malformed", {1: 1, -1: 6}),
        "x of 31 bytes": ("malformed", {**ed, -2: ed[-2][:31]}),
        "x of 33 bytes": ("malformed", {**ed, -2: ed[-2] + b"\0"}),
        "x is text": ("malformed", {**ed, -2: "x"}),
        "extra member kid": ("malformed", {**ed, 2: b"kid"}),
        "extra member alg": ("malformed", {**ed, 3: -19}),
        "private key inside": ("malformed", {**ed, -4: bytes(32)}),
        "text label": ("malformed", {**ed, "name": "x"}),
        "y missing": ("malformed", {1: 2, -1: 1, -2: p256[-2]}),
        "y compressed to a bool": ("malformed", {**p256, -3: True}),
        "ML-DSA-65 pub cut": ("malformed", {**LAB.cose, -1: LAB.pq_public[:-1]}),
        "hybrid pub without its Ed25519 half": ("malformed", {**SHOP.cose, -1: SHOP.pq_public}),
        "BLS12-381 pub cut": ("malformed", {**BLS.key.cose, -1: BLS.key.bls_public[:-1]}),
        "BLS12-381 at infinity": ("bad-key", {**BLS.key.cose, -1: b"\xc0" + bytes(95)}),
        "BLS12-381 of zeros": ("bad-key", {**BLS.key.cose, -1: bytes(96)}),
        "no point of BLS12-381": ("bad-key", {**BLS.key.cose, -1: b"\x80" + bytes(94) + b"\x01"}),
        "BLS12-381 outside the subgroup": ("bad-key", {**BLS.key.cose, -1: b"\x80" + bytes(94) + b"\x02"}),
        "point off P-256": ("bad-key", {**p256, -3: bytes([p256[-3][0] ^ 1]) + p256[-3][1:]}),
        "P-256 coordinate above the prime": ("bad-key", {**p256, -2: b"\xff" * 32}),
        "no point of edwards25519": ("bad-key", {**ed, -2: b"\x02" + bytes(31)}),
        "hybrid whose Ed25519 half is no point": ("bad-key", {**SHOP.cose, -1: b"\x02" + bytes(31) + SHOP.pq_public}),
        "X25519": ("unsupported-suite", {1: 1, -1: 4, -2: ed[-2]}),
        "Ed448": ("unsupported-suite", {1: 1, -1: 7, -2: bytes(57)}),
        "P-384": ("unsupported-suite", {1: 2, -1: 2, -2: bytes(48), -3: bytes(48)}),
        "ML-DSA-44": ("unsupported-suite", {1: 7, 3: -48, -1: bytes(1312)}),
        "symmetric": ("unsupported-suite", {1: 4, -1: bytes(32)}),
    }
    # A symmetric key has no integer curve: its -1 is the key itself.
    bad["symmetric"] = ("malformed", bad["symmetric"][1])
    rows += [{"name": n, "cose_key": enc(v).hex(), "valid": False, "code": c} for n, (c, v) in bad.items()]
    reordered = b"\xa3" + enc(-1) + enc(6) + enc(1) + enc(1) + enc(-2) + enc(ed[-2])
    long_head = enc({**ed, 1: Raw(b"\x18\x01")})
    for name, data in (("labels out of order", reordered), ("long head", long_head)):
        rows.append({"name": name, "cose_key": data.hex(), "valid": False, "code": "not-canonical"})
    rows.append({"name": "bytes after", "cose_key": GROWER.encoded.hex() + "00", "valid": False, "code": "malformed"})
    return rows


def good_key(name: str, suite: str, cose: dict[int, Any]) -> dict[str, Any]:
    import base64

    kid = sha256(enc(cose))
    party = sha256(b"stele/party/v1" + kid)
    did = "did:stele:" + base64.b32encode(party).decode().rstrip("=").lower()
    row = {"name": name, "cose_key": enc(cose).hex(), "valid": True, "suite": suite}
    return {**row, "kid": kid.hex(), "party_id": party.hex(), "did": did}


# --- ed25519.json -----------------------------------------------------------------------------


def ed25519_vectors() -> list[dict[str, Any]]:
    """Signatures on which libraries differ. ZIP-215's own test: all 14 x 14 encodings of small order."""
    message = b"Zcash"
    rows = [
        row(f"small order: A {i}, R {j}", a, message, r + bytes(32), True)
        for i, a in enumerate(SMALL_ORDER)
        for j, r in enumerate(SMALL_ORDER)
    ]
    key = Key("Ed25519", "zip215 vectors")
    good = key.sign(message)
    s = int.from_bytes(good[32:], "little")
    rows.append(row("ordinary", key.ed_public, message, good, True))
    rows.append(row("torsion in R", key.ed_public, message, torsion_signature(key, message), True))
    rows.append(row("torsion in A", *torsion_key_signature(key, message), True))
    plus = (s + ed25519.L).to_bytes(32, "little")
    rows.append(row("S plus the order", key.ed_public, message, good[:32] + plus, False))
    order = ed25519.L.to_bytes(32, "little")
    rows.append(row("S is the order", SMALL_ORDER[0], message, SMALL_ORDER[0] + order, False))
    rows.append(row("R is no point", key.ed_public, message, b"\x02" + bytes(31) + good[32:], False))
    rows.append(row("A is no point", b"\x02" + bytes(31), message, good, False))
    rows.append(row("other message", key.ed_public, b"zcash", good, False))
    rows.append(row("63 bytes", key.ed_public, message, good[:63], False))
    rows.append(row("65 bytes", key.ed_public, message, good + b"\0", False))
    return rows


def row(name: str, public: bytes, message: bytes, signature: bytes, valid: bool) -> dict[str, Any]:
    hexed = {"public": public.hex(), "message": message.hex(), "signature": signature.hex()}
    return {"name": name, **hexed, "valid": valid}


def torsion_point() -> ed25519.Point:
    """A point of order 8."""
    point = ed25519.decompress(SMALL_ORDER[4])
    assert point is not None
    return point


def _encodings() -> list[bytes]:
    """All encodings of the eight points of small order: 8 canonical, 6 not."""
    t = ed25519.decompress(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
    assert t is not None
    canonical = sorted({ed25519.compress(ed25519.multiply(i, t)) for i in range(8)})
    canonical.sort(key=lambda e: order_of(e))
    others = []
    for y in (0, 1, ed25519.P - 1):
        for number in (y, y + ed25519.P):
            for sign in (0, 1):
                if number < 1 << 255:
                    others.append((number | sign << 255).to_bytes(32, "little"))
    return canonical + [e for e in others if e not in canonical]


def order_of(encoding: bytes) -> tuple[int, bytes]:
    point = ed25519.decompress(encoding)
    assert point is not None
    order = next(n for n in (1, 2, 4, 8) if ed25519.is_identity(ed25519.multiply(n, point)))
    return order, encoding


SMALL_ORDER = _encodings()


def secret_scalar(key: Key) -> tuple[int, bytes]:
    import hashlib

    digest = hashlib.sha512(key.seed).digest()
    clamped = bytes([digest[0] & 248]) + digest[1:31] + bytes([digest[31] & 127 | 64])
    return int.from_bytes(clamped, "little"), digest[32:]


def torsion_signature(key: Key, message: bytes) -> bytes:
    """A signature by an ordinary key whose R has a torsion part: valid only with the cofactor."""
    a, prefix = secret_scalar(key)
    r = ed25519.challenge(prefix, b"", message)
    assert ed25519.BASE is not None
    point = ed25519.compress(ed25519.add(ed25519.multiply(r, ed25519.BASE), torsion_point()))
    s = (r + ed25519.challenge(point, key.ed_public, message) * a) % ed25519.L
    return point + s.to_bytes(32, "little")


def torsion_key_signature(key: Key, message: bytes) -> tuple[bytes, bytes, bytes]:
    """A public key with a torsion part, whose challenge is odd so that the part matters."""
    a, prefix = secret_scalar(key)
    assert ed25519.BASE is not None
    public = ed25519.compress(ed25519.add(ed25519.multiply(a, ed25519.BASE), torsion_point()))
    for counter in range(256):
        r = ed25519.challenge(prefix, bytes([counter]), message)
        point = ed25519.compress(ed25519.multiply(r, ed25519.BASE))
        k = ed25519.challenge(point, public, message)
        if k & 1:
            return public, message, point + ((r + k * a) % ed25519.L).to_bytes(32, "little")
    raise AssertionError("no odd challenge")


# --- state.json -------------------------------------------------------------------------------


def state_vectors() -> list[dict[str, Any]]:
    """Sets of (register, key, value) with their root, and claims under it."""
    one = State({("trace", b"holder/a"): GROWER.party})
    two = State({**one.values, ("trace", b"holder/b"): CARRIER.party})
    cases = [("empty", State({})), ("one leaf", one), ("two leaves", two), ("28 leaves", ED.state)]
    hundred = State({("trace", b"lot/%d" % i): b"v%d" % i for i in range(100)})
    cases.append(("100 leaves", hundred))
    prefix = State({("a", b"bc"): b"1", ("ab", b"c"): b"2"})
    cases.append(("register and key that read alike", prefix))
    return [state_case(name, state) for name, state in cases] + [deep_case()]


def state_case(name: str, state: State) -> dict[str, Any]:
    places = list(state.values)[:6] + [("trace", b"nobody/%d" % i) for i in range(6)] + [("cash", b"holder/a")]
    claims = [good_claim(state, *place) for place in places]
    present = next((state.claim(*p) for p in places if p in state.values), None)
    if present is not None:
        claims.append(bad_claim(state.root, [*present[:2], b"other", present[3]], "another value"))
        claims.append(bad_claim(state.root, [*present[:2], None, present[3]], "absence of what is there"))
        claims.append(bad_claim(bytes(32), present, "another root"))
    leaves = [{"register": r, "key": k.hex(), "value": v.hex()} for (r, k), v in state.values.items()]
    return {"name": name, "leaves": leaves, "root": state.root.hex(), "claims": claims}


def good_claim(state: State, register: str, key: bytes) -> dict[str, Any]:
    claim = state.claim(register, key)
    about = "present" if claim[2] is not None else "absent"
    return {"about": f"{about}, depth {claim[3][0]}", "claim": enc(claim).hex(), "root": state.root.hex(), "valid": True}


def bad_claim(root: bytes, claim: Any, about: str) -> dict[str, Any]:
    return {"about": about, "claim": enc(claim).hex(), "root": root.hex(), "valid": False}


def deep_case() -> dict[str, Any]:
    """Proofs of depth 256 and 255, which no real set reaches: siblings invented, root folded from them."""
    path = State.path("trace", b"deep")
    leaf = sha256(b"\x00" + path + sha256(b"value"))
    claims = []
    for depth, gaps in ((256, 0), (256, 3), (255, 2), (8, 1), (9, 0)):
        siblings = [bytes(32) if gaps and d % (gaps + 1) == 0 else sha256(b"sibling %d" % d) for d in range(depth)]
        root = fold(path, leaf, siblings)
        proof = [depth, bitmap(siblings), b"".join(s for s in siblings if s != bytes(32)), 0]
        claim = ["trace", b"deep", b"value", proof]
        about = f"invented siblings, depth {depth}"
        claims.append({"about": about, "claim": enc(claim).hex(), "root": root.hex(), "valid": True})
        nothing = ["trace", b"deep", None, [*proof[:3], 1]]
        claims.append(
            {
                "about": f"{about}, absent",
                "claim": enc(nothing).hex(),
                "root": fold(path, bytes(32), siblings).hex(),
                "valid": True,
            }
        )
    return {"name": "deep proofs (no leaves: the root of each claim stands beside it)", "claims": claims}


def fold(path: bytes, node: bytes, siblings: list[bytes]) -> bytes:
    for depth in reversed(range(len(siblings))):
        right = State.bits(path)[depth] == "1"
        node = sha256(b"\x01" + (siblings[depth] + node if right else node + siblings[depth]))
    return node


__all__ = ["cbor_vectors", "ed25519_vectors", "fold_path", "key_vectors", "state_vectors"]
