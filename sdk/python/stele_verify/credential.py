"""The signed part of an SD-JWT, its key and its signature: what a proof of issuance is checked beside.

Only that. Dates, holder, disclosures and status of a credential are the business of whoever reads its fields.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from .cbor import Map, encode
from .suites import ALGORITHMS, CoseKeyError, PublicKey, UnsupportedSuite

MAX_TEXT = 256 * 1024
#: The names that JOSE has for the algorithms of a suite (RFC 8037, RFC 9864, RFC 7518).
JOSE_ALGORITHMS = {"Ed25519": ("EdDSA", "Ed25519"), "ES256": ("ES256",)}


class CredentialError(Exception):
    """A credential that is refused before its proof is looked at; `code` is one of docs/credentials/refusals.md."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code}: {detail}")


@dataclass(frozen=True)
class SignedCredential:
    """What an issuer signed (the JWT without disclosures), and the issuer and type that it names; empty for none."""

    signed: bytes
    issuer: str
    type: str


def key_of_jwk(jwk: Any) -> PublicKey:
    """The key of a JWK (RFC 7517): Ed25519 or P-256. Raises `CoseKeyError`, `UnsupportedSuite`."""
    if not isinstance(jwk, dict):
        raise CoseKeyError("malformed", "a JWK is an object")
    if "d" in jwk:
        raise CoseKeyError("malformed", "the JWK is a private key")

    def coordinate(name: str) -> bytes:
        try:
            return _base64url(jwk[name])
        except (KeyError, TypeError, ValueError):
            raise CoseKeyError("malformed", f"the JWK's {name} is not base64url") from None

    if (jwk.get("kty"), jwk.get("crv")) == ("OKP", "Ed25519"):
        return PublicKey.from_cose_key(encode(Map(((1, 1), (-1, 6), (-2, coordinate("x"))))))
    if (jwk.get("kty"), jwk.get("crv")) == ("EC", "P-256"):
        return PublicKey.from_cose_key(
            encode(Map(((1, 2), (-1, 1), (-2, coordinate("x")), (-3, coordinate("y")))))
        )
    raise UnsupportedSuite("the JWK is neither of Ed25519 nor of P-256")


def read_signed(text: str, key: PublicKey) -> SignedCredential:
    """Reads the signed part of an SD-JWT (or a bare JWT) and verifies its signature. Raises `CredentialError`."""
    jwt = text.strip().partition("~")[0]
    parts = jwt.split(".")
    if len(text) > MAX_TEXT or len(parts) != 3:
        raise CredentialError("jose.malformed", "the credential is not a signed token of three parts")
    header, payload, signature = parts
    head = _object(_part(header))
    if "crit" in head:
        raise CredentialError("jose.crit-unknown", "the credential asks for a critical extension")
    if head.get("alg") not in JOSE_ALGORITHMS.get(key.suite, ()):
        raise CredentialError(
            "jose.key-algorithm", f"the credential's algorithm is not one of the key's ({key.suite})"
        )
    content, message = _part(payload), f"{header}.{payload}".encode("ascii")
    if not key.is_for_parties or not key.verify(ALGORITHMS[key.suite][0], message, _part(signature)):
        raise CredentialError("jose.signature", "the signature does not fit the credential and the key")
    claims = _object(content)
    issuer, name = claims.get("iss"), claims.get("vct")
    return SignedCredential(
        jwt.encode("ascii"),
        issuer if isinstance(issuer, str) else "",
        name if isinstance(name, str) else "",
    )


def _base64url(text: str) -> bytes:
    """RFC 4648 section 5, without padding; the bits left over must be zero. Raises `ValueError`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text, re.ASCII):
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not base64url")
    return data


def _part(text: str) -> bytes:
    try:
        return _base64url(text)
    except ValueError:
        raise CredentialError("jose.malformed", "a part of the credential is not base64url") from None


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CredentialError("jose.malformed", "a part of the credential is not a JSON object")
    return value
