//! SD-JWT (RFC 9901) and SD-JWT VC: credentials whose holder chooses what to show.
//!
//! The issuer signs digests of salted claims and hands the claims over as *disclosures*. The holder passes on those that a
//! verifier needs and signs nonce, audience and the digest of it all with the key that the credential names (*key
//! binding*).
//!
//! - [`ClaimPath`], [`Frame`]: which claims. [`Issuance`], [`issue()`]: the issuer. [`Held`]: the holder.
//! - [`Parsed`], [`verify()`], [`verify_batch`], [`Expectation`]: the verifier.

mod disclosure;
mod frame;
mod held;
mod issue;
mod path;
mod reveal;
#[cfg(test)]
mod testing;
mod verify;
#[cfg(test)]
mod verify_tests;

pub use disclosure::{DISCLOSURES_MAX, digest};
pub use frame::Frame;
pub use held::{Binding, Field, Held};
pub use issue::{Issuance, issue};
pub use path::{ClaimPath, PathItem};
pub use verify::{
    BindingExpectation, Expectation, Parsed, StatusReference, Verified, verify, verify_batch,
};

/// The media type of an SD-JWT VC, without `application/`.
pub const TYPE: &str = "dc+sd-jwt";
/// Its name before November 2024, still in use.
pub const TYPE_OLD: &str = "vc+sd-jwt";
/// The type of a key binding.
pub const TYPE_KEY_BINDING: &str = "kb+jwt";
/// The hash of disclosures; no other is accepted.
pub const DIGEST_ALGORITHM: &str = "sha-256";

/// Rules of SD-JWT credentials.
pub mod rules {
    crate::refusal::refusal_table! {
        MALFORMED: "credential.malformed", refuses_what_is_no_sd_jwt,
            "The document is not a credential of the kind SD-JWT.", "Copy or scan the credential again as a whole.";
        CLAIM_RESERVED: "credential.claim-reserved", refuses_reserved_claims,
            "The credential has a field with a name that the format keeps for itself.", "Rename the field; _sd, _sd_alg and ... are reserved.";
        CLAIM_ALWAYS_OPEN: "credential.claim-always-open", refuses_to_conceal_what_verifiers_need,
            "This field cannot be hidden, because every verifier needs it.", "Leave iss, nbf, exp, cnf, vct and status out of the hidden fields.";
        PATH: "credential.path", refuses_paths_that_lead_nowhere,
            "A field was named that the credential does not have.", "Choose among the fields that the credential shows.";
        DISCLOSURE_MALFORMED: "credential.disclosure-malformed", refuses_bad_disclosures,
            "A disclosed field is not in the form that the format asks for.", "Ask the holder to present the credential again.";
        DISCLOSURE_DUPLICATE: "credential.disclosure-duplicate", refuses_a_disclosure_twice,
            "The same disclosed field was sent twice.", "Ask the holder to present the credential again; a correct wallet does not do this.";
        DISCLOSURE_FOREIGN: "credential.disclosure-foreign", refuses_a_disclosure_of_another_credential,
            "A disclosed field does not belong to this credential.", "Do not accept it; the field may be invented or taken from another credential.";
        DIGEST_DUPLICATE: "credential.digest-duplicate", refuses_a_digest_twice,
            "The credential refers to one hidden field in two places.", "Ask the issuer for a correct credential.";
        DIGEST_ALGORITHM_UNKNOWN: "credential.digest-algorithm", refuses_other_digests,
            "The credential hides its fields with a hash that is not accepted here.", "Ask the issuer for a credential with SHA-256.";
        CLAIM_COLLISION: "credential.claim-collision", refuses_a_disclosure_over_a_claim,
            "A disclosed field would replace a field that the issuer signed openly.", "Do not accept it; ask the issuer for a correct credential.";
        CLAIM_MISSING: "credential.claim-missing", refuses_a_stripped_claim,
            "A field that is needed here was not shown.", "Ask the holder to present the credential again and to show the field.";
        CLAIM_MALFORMED: "credential.claim-malformed", refuses_claims_of_wrong_shape,
            "A field of the credential has not the form that the format asks for.", "Ask the issuer for a correct credential.";
        EXPIRED: "credential.expired", refuses_an_expired_credential,
            "The credential has expired.", "Ask the holder to get a new one from the issuer.";
        NOT_YET_VALID: "credential.not-yet-valid", refuses_a_credential_before_its_time,
            "The credential is not valid yet.", "Accept it from the day that it names, or check this computer's clock.";
        ISSUED_IN_FUTURE: "credential.issued-in-future", refuses_a_credential_from_the_future,
            "The credential says that it was issued in the future.", "Check this computer's clock; otherwise ask the issuer.";
        OTHER_TYPE: "credential.other-type", refuses_another_kind_of_credential,
            "This is another kind of credential than the one that is needed.", "Ask the holder for the credential named in the request.";
        OTHER_ISSUER: "credential.other-issuer", refuses_another_issuer,
            "The credential names another issuer than the one whose key signed it.", "Do not accept it; ask the issuer.";
        BINDING_MISSING: "credential.binding-missing", refuses_a_presentation_without_binding,
            "The holder did not prove that the credential is theirs.", "Ask the holder to present it from the wallet that received it.";
        BINDING_UNEXPECTED: "credential.binding-unexpected", refuses_a_binding_nobody_asked_for,
            "A proof of ownership was sent where none can be checked.", "Ask the holder to send the credential without presentation.";
        HOLDER_KEY_MISSING: "credential.holder-key-missing", refuses_a_binding_without_holder_key,
            "The credential does not say who its holder is.", "Ask the issuer for a credential that is bound to the holder's key.";
        HOLDER_KEY_WRONG: "credential.holder-key-wrong", refuses_the_wrong_holder_key,
            "The credential was presented with a key that is not its holder's.", "Do not accept it; only the holder's own wallet can present it.";
        AUDIENCE: "credential.audience", refuses_another_audience,
            "The credential was presented to somebody else.", "Do not accept it; ask the holder to present it here.";
        NONCE: "credential.nonce", refuses_another_nonce,
            "The presentation does not answer this request; it may be a copy of an earlier one.", "Ask the holder to present the credential again.";
        ALTERED: "credential.presentation-altered", refuses_an_altered_presentation,
            "Fields were added or taken away after the holder agreed to the presentation.", "Do not accept it; ask the holder to present the credential again.";
        BINDING_STALE: "credential.binding-stale", refuses_an_old_presentation,
            "The presentation was made too long ago, or its clock is wrong.", "Ask the holder to present the credential again, and compare the clocks.";
    }
}
