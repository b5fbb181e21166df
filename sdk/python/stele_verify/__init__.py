"""Verify Stele receipts offline: who, what, when, by which rule, or a typed reason why not.

Written from `docs/format.md` alone and without a look at the Rust code, so that an error in one
implementation cannot hide in the other; both run on the same files in `vectors/`.

    from stele_verify import Network, VerifyError, verify

    network = Network.load("network.json")
    try:
        verified = verify(open("custody.receipt", "rb").read(), network)
    except VerifyError as reason:
        print(reason.code, reason.detail)

| module | holds |
|---|---|
| `cbor` | section 1, deterministic CBOR |
| `suites`, `ed25519` | section 2, keys and signatures |
| `entry` | section 3 |
| `block` | sections 4 and 5: record, events, certificate |
| `merkle` | RFC 9162 inclusion |
| `state` | section 6, sparse Merkle proofs |
| `receipt` | section 7: the shape of a receipt and the steps of its verification |
| `witness` | section 9, cosignatures of outside witnesses |
| `network` | section 8, genesis and network descriptor |
| `issuance` | section 11, proofs of issuance of credentials |
| `credential` | the signed part of an SD-JWT beside such a proof |
"""

from .credential import CredentialError, SignedCredential, key_of_jwk, read_signed
from .entry import Entry, EntryError, decode_entry
from .issuance import MAX_PROOF_BYTES, IssuanceError, Issued, verify_issuance
from .network import Network, NetworkError
from .receipt import MAX_RECEIPT_BYTES, Verified, VerifyError, verify
from .suites import CoseKeyError, PublicKey, UnsupportedSuite, did_of, party_id_of
from .witness import Cosigned, PolicyError, WitnessKey, WitnessPolicy

__all__ = [
    "MAX_PROOF_BYTES",
    "MAX_RECEIPT_BYTES",
    "CoseKeyError",
    "Cosigned",
    "CredentialError",
    "Entry",
    "EntryError",
    "IssuanceError",
    "Issued",
    "Network",
    "NetworkError",
    "PolicyError",
    "PublicKey",
    "SignedCredential",
    "UnsupportedSuite",
    "Verified",
    "VerifyError",
    "WitnessKey",
    "WitnessPolicy",
    "decode_entry",
    "did_of",
    "key_of_jwk",
    "party_id_of",
    "read_signed",
    "verify",
    "verify_issuance",
]
