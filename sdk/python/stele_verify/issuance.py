"""Proofs of issuance (`docs/format.md` section 11): that an accredited issuer committed to a credential, and when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from . import merkle, shape
from .cbor import Malformed, NotCanonical, Value, decode_strict
from .network import Network
from .receipt import Moment, StateValue, VerifyError, verify
from .suites import PublicKey, did_of

MAX_PROOF_BYTES = 64 * 1024
MAX_PATH, MAX_CHAIN, MAX_TEXT_BYTES = 24, 8, 256
REGISTER = "credential"
ISSUANCE, COMPROMISE = b"issuance/", b"compromise/"

#: The rules in the order in which they are judged, and what each says to the person at the counter.
RULES = {
    "trust.proof-malformed": "The proof of issuance is not in the form that it should have.",
    "trust.receipt": "The receipt in the proof of issuance does not verify under this network's key.",
    "trust.not-committed": "The issuer did not commit to this credential in the shown batch.",
    "trust.other-key": "The credential is signed by another key than the one that the issuer was committed to.",
    "trust.key-compromised": "The credential was committed to when the issuer's key was no longer safe.",
    "trust.other-issuer": "The credential names another issuer than the one that committed to it.",
    "trust.other-type": "The issuer committed to credentials of another type.",
    "trust.outside-scope": "The issuer was accredited for another field than the one that is asked for.",
}


class IssuanceError(Exception):
    """Why a proof of issuance is refused: the first rule that is broken. `receipt` is the code of the receipt's
    failing step, where it is the receipt."""

    def __init__(self, code: str, detail: str, receipt: str | None = None) -> None:
        self.code, self.sentence, self.detail, self.receipt = code, RULES[code], detail, receipt
        super().__init__(f"{code}: {detail}")


@dataclass(frozen=True)
class IssuanceProof:
    """Salt, place and path (lowest first) of a credential in its batch, and the receipt of the batch."""

    salt: bytes
    index: int
    path: tuple[bytes, ...]
    receipt: bytes


@dataclass(frozen=True)
class IssuanceRecord:
    """What the network keeps of a batch. `time_ms` is the block's: the credentials existed by then. `chain` are
    the accreditations, from the issuer's own up to the one that a steward granted."""

    entry: bytes
    height: int
    time_ms: int
    kid: bytes
    type: str
    scope: str | None
    count: int
    schema: bytes | None
    chain: tuple[bytes, ...]


@dataclass(frozen=True)
class Compromise:
    """A report that signatures of the issuer's key are doubtful from `since_ms` on, which is after the issuance."""

    since_ms: int
    height: int
    by: bytes


@dataclass(frozen=True)
class Issued:
    """What a proof of issuance shows. `key_report` is None when the receipt does not say, the moment as of which
    there was none, or a report that came later than the issuance."""

    network: Network
    issuer: bytes
    root: bytes
    index: int
    record: IssuanceRecord
    key_report: None | Moment | Compromise

    @property
    def issuer_did(self) -> str:
        return did_of(self.issuer)


def commitment(salt: bytes, credential: bytes) -> bytes:
    """What an issuer commits to: the salted hash of the signed part of a credential."""
    inner = hashlib.sha256(credential).digest()
    return hashlib.sha256(b"stele/credential/commitment/v1" + salt + inner).digest()


def verify_issuance(
    proof: bytes,
    credential: bytes,
    signing_key: PublicKey,
    network: Network,
    *,
    issuer: str,
    credential_type: str,
    scope: str | None = None,
) -> Issued:
    """Verifies that an accredited issuer committed to a credential. Raises `IssuanceError`, or `UnsupportedSuite`
    when the network's suite cannot be judged at all.

    `credential` is the part that the issuer signed: of an SD-JWT the JWT without disclosures, in ASCII.
    `signing_key` is the key under which its signature was verified: that is not done here. `issuer` and
    `credential_type` are what the credential names; `scope` is what the verifier asks for, if anything.
    """
    issued = _judge(decode_proof(proof), credential, signing_key, network)
    if issuer != issued.issuer_did:
        raise IssuanceError("trust.other-issuer", f"{issued.issuer_did} committed to it")
    if credential_type != issued.record.type:
        raise IssuanceError("trust.other-type", f"committed to as {issued.record.type!r}")
    if scope is not None:
        held = issued.record.scope or ""
        # Whole parts between slashes: `XX/uni` does not cover `XX/universities`.
        if held != scope and not held.startswith(scope + "/"):
            raise IssuanceError("trust.outside-scope", f"accredited within {held!r}")
    return issued


def decode_proof(data: bytes) -> IssuanceProof:
    """Reads a proof. Raises `IssuanceError` with `trust.proof-malformed`."""
    if len(data) > MAX_PROOF_BYTES:
        raise IssuanceError("trust.proof-malformed", f"{len(data)} bytes, at most {MAX_PROOF_BYTES}")
    version, salt, index, path, receipt = _parts(data, "proof", 5)
    try:
        if shape.uint(version, "proof version") != 1:
            raise Malformed("proof version: not 1")
        return IssuanceProof(
            salt=shape.digest(salt, "salt"),
            index=shape.uint(index, "place"),
            path=tuple(shape.digest(node, "path") for node in shape.array(path, "path", 0, MAX_PATH)),
            receipt=shape.bstr(receipt, "receipt"),
        )
    except Malformed as error:
        raise IssuanceError("trust.proof-malformed", error.detail) from None


def _parts(data: bytes, what: str, count: int) -> list[Value]:
    try:
        return shape.tuple_of(decode_strict(data, what=what), what, count)
    except (Malformed, NotCanonical) as error:
        raise IssuanceError("trust.proof-malformed", error.detail) from None


def _judge(proof: IssuanceProof, credential: bytes, signing_key: PublicKey, network: Network) -> Issued:
    try:
        verified = verify(proof.receipt, network)
    except VerifyError as error:
        raise IssuanceError("trust.receipt", str(error), error.code) from None
    claims = [claim for claim in verified.what.state if claim.register == REGISTER]
    issuer, root, value = _issuance_claim(claims)
    record = _record(value)

    leaf = merkle.leaf_hash(commitment(proof.salt, credential))
    if merkle.root_from_path(leaf, proof.index, record.count, proof.path) != root:
        raise IssuanceError("trust.not-committed", f"place {proof.index} of {record.count} does not hold it")
    if signing_key.kid != record.kid:
        raise IssuanceError("trust.other-key", f"committed to for the key {record.kid.hex()}")
    report = _key_report(claims, record, verified.when.certificate)
    return Issued(network, issuer, root, proof.index, record, report)


def _issuance_claim(claims: list[StateValue]) -> tuple[bytes, bytes, bytes]:
    """Issuer, root and value of the first claim about an issuance that is there."""
    for claim in claims:
        if (
            claim.value is not None
            and claim.key.startswith(ISSUANCE)
            and len(claim.key) == len(ISSUANCE) + 64
        ):
            ids = claim.key[len(ISSUANCE) :]
            return ids[:32], ids[32:], claim.value
    raise IssuanceError("trust.proof-malformed", "the receipt proves no issuance")


def _record(value: bytes) -> IssuanceRecord:
    entry, height, time, kid, name, scope, count, schema, chain = _parts(value, "issuance", 9)
    try:
        return IssuanceRecord(
            entry=shape.digest(entry, "issuance entry"),
            height=shape.uint(height, "issuance height"),
            time_ms=shape.uint(time, "issuance time"),
            kid=shape.digest(kid, "issuance key id"),
            type=shape.tstr(name, "issuance type", 0, MAX_TEXT_BYTES),
            scope=None if scope is None else shape.tstr(scope, "issuance scope", 0, MAX_TEXT_BYTES),
            count=shape.uint(count, "issuance count"),
            schema=None if schema is None else shape.digest(schema, "issuance schema"),
            chain=tuple(
                shape.digest(link, "accreditation") for link in shape.array(chain, "chain", 0, MAX_CHAIN)
            ),
        )
    except Malformed as error:
        raise IssuanceError("trust.proof-malformed", error.detail) from None


def _key_report(
    claims: list[StateValue], record: IssuanceRecord, certificate: Moment
) -> None | Moment | Compromise:
    claim = next((claim for claim in claims if claim.key == COMPROMISE + record.kid), None)
    if claim is None:
        return None
    if claim.value is None:
        return certificate
    since, height, by = _parts(claim.value, "report", 3)
    try:
        report = Compromise(
            shape.uint(since, "report time"),
            shape.uint(height, "report height"),
            shape.digest(by, "reporter"),
        )
    except Malformed as error:
        raise IssuanceError("trust.proof-malformed", error.detail) from None
    if report.since_ms <= record.time_ms:
        detail = f"doubtful since {report.since_ms}, committed to at {record.time_ms}"
        raise IssuanceError("trust.key-compromised", detail)
    return report
