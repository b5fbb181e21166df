"""Receipts: the steps of `docs/format.md` section 7, in their order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NoReturn

from . import merkle, shape, state
from .block import Applied, BlockHeader, Certificate, Event, Record, Refused, decode_certificate
from .cbor import ABSENT, Malformed, decode
from .entry import Command, Entry, EntryError, decode_entry
from .network import Network
from .suites import did_of
from .witness import Cosigned, WitnessPolicy, checkpoint_text

MAX_RECEIPT_BYTES = 2 * 1024 * 1024
FORMAT = "stele-receipt/1"
#: The codes of the steps, by number.
STEPS = {
    1: "too-large",
    2: "malformed",
    3: "not-canonical",
    4: "unsupported-version",
    5: "no-claim",
    6: "wrong-network",
    7: "wrong-key",
    8: "wrong-tree-size",
    9: "bad-inclusion-proof",
    10: "bad-signature",
    11: "record-mismatch",
    12: "entry-mismatch",
    13: "events-mismatch",
    14: "bad-state-proof",
    15: "not-witnessed",
}


class VerifyError(Exception):
    """Why a receipt is not valid: the first failing step, its code, and a sentence."""

    def __init__(self, step: int, detail: str) -> None:
        self.step, self.code, self.detail = step, STEPS[step], detail
        super().__init__(f"{self.code} (step {step}): {detail}")


@dataclass(frozen=True)
class Receipt:
    """A receipt of the right shape; nothing in it is verified."""

    format: str
    certificate: Certificate
    entry: bytes | None
    state_claims: tuple[state.StateClaim, ...]
    witnesses: tuple[str, ...]


@dataclass(frozen=True)
class Who:
    """The signer. `kid` is known when the entry is in the receipt."""

    party_id: bytes
    kid: bytes | None

    @property
    def did(self) -> str:
        return did_of(self.party_id)


@dataclass(frozen=True)
class StateValue:
    """A proven state value; None is a proven absence."""

    register: str
    key: bytes
    value: bytes | None


@dataclass(frozen=True)
class What:
    """`register`, `entry_id` and `outcome` need an entry claim, `commands` the entry, `events` the events."""

    register: str | None
    entry_id: bytes | None
    outcome: Applied | Refused | None
    commands: tuple[Command, ...] | None
    events: tuple[Event, ...] | None
    state: tuple[StateValue, ...]


@dataclass(frozen=True)
class Moment:
    """A block's height and its time in milliseconds since 1970-01-01T00:00:00Z."""

    height: int
    time_ms: int


@dataclass(frozen=True)
class When:
    """`record`: when the entry was ordered. `certificate`: up to when the certificate vouches."""

    record: Moment | None
    certificate: Moment


@dataclass(frozen=True)
class Verified:
    """What a valid receipt proves. `who` and `rule` need an entry claim. `witnesses` are the lines as
    they were carried; `cosigned` says who of the policy's witnesses cosigned, None without a policy."""

    network: Network
    who: Who | None
    what: What
    when: When
    rule: str | None
    witnesses: tuple[str, ...]
    cosigned: tuple[Cosigned, ...] | None = None


def verify(data: bytes, network: Network, policy: WitnessPolicy | None = None) -> Verified:
    """Verifies a receipt against the network, and the witnesses where a policy asks for some. Raises
    `VerifyError`, or `UnsupportedSuite` when the network's suite cannot be judged at all."""
    if len(data) > MAX_RECEIPT_BYTES:
        raise VerifyError(1, f"{len(data)} bytes, at most {MAX_RECEIPT_BYTES}")
    faults: list[str] = []
    try:
        receipt = parse(data, faults)
    except Malformed as error:
        raise VerifyError(2, error.detail) from None
    if faults:
        raise VerifyError(3, faults[0])
    certificate = receipt.certificate
    record = certificate.inclusion.record if certificate.inclusion else None
    _check_versions(receipt, record)
    if record is None and not receipt.state_claims:
        raise VerifyError(5, "neither an entry nor a state value is claimed")
    log_root = _check_certificate(certificate, network)
    if record is not None:
        _check_record(record, certificate.header)
    entry = _check_entry(receipt.entry, record, certificate.header)
    events = _check_events(certificate)
    for claim in receipt.state_claims:
        reason = state.why_not(claim, certificate.header.state_root)
        if reason is not None:
            raise VerifyError(14, f"{claim.register} {claim.key.hex()}: {reason}")
    cosigned = _check_witnesses(receipt, log_root, policy) if policy is not None else None
    return _answer(network, receipt, record, entry, events, cosigned)


def parse(data: bytes, faults: list[str]) -> Receipt:
    """Step 2: shape and types, of the receipt and all that is embedded but the entry.

    Raises `Malformed`; places that are not deterministic (step 3) are collected in `faults`.
    """
    receipt = shape.members(decode(data, faults, what="receipt"), "receipt", (0, 1), (2, 3, 4))
    entry, claims, witnesses = receipt.get(2), receipt.get(3), receipt.get(4)
    return Receipt(
        format=shape.tstr(receipt.get(0), "receipt format"),
        certificate=decode_certificate(shape.bstr(receipt.get(1), "certificate"), faults),
        entry=None if entry is ABSENT else shape.bstr(entry, "entry"),
        state_claims=()
        if claims is ABSENT
        else tuple(state.parse_claim(claim) for claim in shape.array(claims, "state claims", 1, 64)),
        witnesses=()
        if witnesses is ABSENT
        else tuple(shape.tstr(line, "witness") for line in shape.array(witnesses, "witnesses", 1, 64)),
    )


def _check_versions(receipt: Receipt, record: Record | None) -> None:
    if receipt.format != FORMAT:
        raise VerifyError(4, f"the receipt calls itself {receipt.format!r}, not {FORMAT!r}")
    if receipt.certificate.header.version != 1:
        raise VerifyError(4, f"block header of version {receipt.certificate.header.version}")
    if record is not None and record.version != 1:
        raise VerifyError(4, f"record of version {record.version}")


def _check_certificate(certificate: Certificate, network: Network) -> bytes:
    """Steps 6 to 10; the log root."""
    header = certificate.header
    if header.network != network.network_id:
        raise VerifyError(6, f"the certificate speaks for network {header.network.hex()}")
    if header.kid != network.key.kid:
        raise VerifyError(7, f"the certificate names key {header.kid.hex()}")
    if not network.key.accepts_algorithm(header.alg):
        raise VerifyError(7, f"algorithm {header.alg} does not fit a key of {network.key.suite}")
    log_root = _log_root(certificate)
    if not network.key.verify(header.alg, certificate.sig_structure(log_root), certificate.signature):
        raise VerifyError(10, "the network's signature does not cover this block header and log root")
    return log_root


def _log_root(certificate: Certificate) -> bytes:
    """Steps 8 and 9: the log root, computed for an entry claim, carried otherwise."""
    proof = certificate.inclusion
    if proof is None:
        assert certificate.payload is not None  # by decode_certificate
        return certificate.payload
    if proof.tree_size != certificate.header.tree_size:
        raise VerifyError(8, f"proof for {proof.tree_size} records, header {certificate.header.tree_size}")
    leaf = merkle.leaf_hash(proof.record.encoded)
    root = merkle.root_from_path(leaf, proof.leaf_index, proof.tree_size, proof.path)
    if root is None:
        raise VerifyError(
            9, f"index {proof.leaf_index} and {len(proof.path)} hashes do not fit {proof.tree_size} records"
        )
    return root


def _check_record(record: Record, header: BlockHeader) -> None:
    """Step 11."""
    if record.height > header.height:
        raise VerifyError(11, f"record of height {record.height} under a block of height {header.height}")
    if record.time > header.time:
        raise VerifyError(11, f"record of time {record.time} under a block of time {header.time}")


def _check_entry(data: bytes | None, record: Record | None, header: BlockHeader) -> Entry | None:
    """Step 12."""
    if data is None:
        return None

    def mismatch(detail: str) -> NoReturn:
        raise VerifyError(12, detail)

    if record is None:
        mismatch("an entry without an entry claim")
    try:
        entry = decode_entry(data)
    except EntryError as error:
        mismatch(f"the entry does not decode: {error}")
    if entry.id != record.entry_id:
        mismatch("the record is about another entry")
    if entry.envelope_hash != record.envelope_hash:
        mismatch("the record is about another envelope of this entry")
    if entry.register != record.register:
        mismatch(f"the entry is for register {entry.register}, the record for {record.register}")
    if entry.network != header.network:
        mismatch("the entry is for another network")
    return entry


def _check_events(certificate: Certificate) -> tuple[Event, ...] | None:
    """Step 13."""
    proof = certificate.inclusion
    if proof is None or proof.events_encoded is None:
        return None
    if not isinstance(proof.record.outcome, Applied):
        raise VerifyError(13, "events of a refused entry")
    if hashlib.sha256(proof.events_encoded).digest() != proof.record.outcome.events_hash:
        raise VerifyError(13, "the events are not those of the record")
    return proof.events


def _check_witnesses(receipt: Receipt, log_root: bytes, policy: WitnessPolicy) -> tuple[Cosigned, ...]:
    """Step 15."""
    header = receipt.certificate.header
    checkpoint = checkpoint_text(header.network, header.tree_size, log_root)
    cosigned = policy.cosigners(checkpoint, receipt.witnesses)
    if len(cosigned) < policy.minimum:
        raise VerifyError(
            15, f"{len(cosigned)} of {len(policy.keys)} witnesses cosigned, {policy.minimum} are asked for"
        )
    return cosigned


def _answer(
    network: Network,
    receipt: Receipt,
    record: Record | None,
    entry: Entry | None,
    events: tuple[Event, ...] | None,
    cosigned: tuple[Cosigned, ...] | None,
) -> Verified:
    header = receipt.certificate.header
    return Verified(
        network=network,
        who=Who(record.party, entry.kid if entry else None) if record else None,
        what=What(
            register=record.register if record else None,
            entry_id=record.entry_id if record else None,
            outcome=record.outcome if record else None,
            commands=entry.commands if entry else None,
            events=events,
            state=tuple(StateValue(c.register, c.key, c.value) for c in receipt.state_claims),
        ),
        when=When(
            record=Moment(record.height, record.time) if record else None,
            certificate=Moment(header.height, header.time),
        ),
        rule=record.rule if record else None,
        witnesses=receipt.witnesses,
        cosigned=cosigned,
    )
