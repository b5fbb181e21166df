//! Proof that a credential was issued by who was accredited for it, under a key that was valid then; offline and for ever.
//!
//! An issuer commits to a [`Batch`] of credentials in the register `credential` of a network (design note 0013). Each holder keeps an
//! [`IssuanceProof`] beside the credential: a salt, a Merkle path, and one receipt. [`IssuanceProof::verify`] needs the network's key and
//! nothing else: no issuer, no network, no clock.

mod batch;
mod proof;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use batch::{Batch, commitment};
pub use proof::{IssuanceProof, Issued, KeyReport, PROOF_BYTES_MAX};

/// Rules of issuance proofs.
pub mod rules {
    crate::refusal::refusal_table! {
        PROOF_MALFORMED: "trust.proof-malformed", refuses_what_is_no_proof,
            "The proof of issuance is not in the form that it should have.", "Ask the holder for the proof that came with the credential.";
        RECEIPT: "trust.receipt", refuses_receipts_that_do_not_hold,
            "The receipt in the proof of issuance does not verify under this network's key.", "Check that the right network is pinned; otherwise do not accept the proof.";
        NOT_COMMITTED: "trust.not-committed", refuses_another_credential,
            "The issuer did not commit to this credential in the shown batch.", "Do not accept the proof; ask the holder for the one that belongs to the credential.";
        OTHER_KEY: "trust.other-key", refuses_another_signing_key,
            "The credential is signed by another key than the one that the issuer was committed to.", "Do not accept it; ask the issuer.";
        OTHER_ISSUER: "trust.other-issuer", refuses_another_issuer,
            "The credential names another issuer than the one that committed to it.", "Do not accept it; ask the issuer.";
        OTHER_TYPE: "trust.other-type", refuses_a_type_nobody_committed_to,
            "The issuer committed to credentials of another type.", "Do not accept it; the issuer was not accredited for this type.";
        OUTSIDE_SCOPE: "trust.outside-scope", refuses_an_issuer_outside_its_accreditation,
            "The issuer was accredited for another field than the one that is asked for.", "Ask for a credential of an issuer that is accredited for this field.";
        COMPROMISED: "trust.key-compromised", refuses_what_a_stolen_key_signed,
            "The credential was committed to when the issuer's key was no longer safe.", "Do not accept it; ask the issuer for a new one.";
    }
}
