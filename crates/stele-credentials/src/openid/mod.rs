//! OpenID4VCI 1.0 (issuing) and OpenID4VP 1.0 (presenting) as state machines without I/O.
//!
//! Each endpoint is one function from a parsed request to an [`Answer`]; a server moves bytes and nothing else. Time,
//! randomness, keys and the [`Store`] of running exchanges are passed in. Errors carry the names that the specifications
//! give them.
//!
//! - [`Form`], [`Answer`], [`Fault`]: requests and answers. [`Store`], [`MemoryStore`]: bounded, with expiry.
//! - [`issuer`]: offers, tokens, proofs, credentials.
//! - [`dcql`]: what a verifier asks for. [`verifier`]: requests and answers. [`holder`]: the wallet's side of them.

mod answer;
pub mod dcql;
mod form;
pub mod holder;
pub mod issuer;
#[cfg(test)]
mod presentation_tests;
mod store;
pub mod verifier;

pub use answer::{Answer, Body, Fault};
pub use form::{FORM_BYTES_MAX, Form, encode_component};
pub use store::{MemoryStore, Record, Store};

use rand_core::CryptoRng;

/// Rules of presentations. Errors of issuing have the names of OpenID4VCI and are no rules of ours.
pub mod rules {
    crate::refusal::refusal_table! {
        QUERY_MALFORMED: "presentation.query-malformed", refuses_bad_queries,
            "The request does not say clearly which credentials it asks for.", "Tell the verifier; its request has to be corrected.";
        UNANSWERABLE: "presentation.unanswerable", refuses_answers_that_are_not_what_was_asked_for,
            "A credential or field that is asked for is missing.", "Check whether the wallet has the credential, and show all fields that are asked for.";
        UNASKED: "presentation.unasked", refuses_answers_that_are_not_what_was_asked_for,
            "The answer holds credentials that nobody asked for.", "Ask the holder to answer again; a correct wallet does not do this.";
        REQUEST_MALFORMED: "presentation.request-malformed", refuses_malformed_requests,
            "The request for credentials is not in a form that this wallet understands.", "Scan the code again; if that does not help, tell the verifier.";
        EXPIRED_REQUEST: "presentation.request-expired", refuses_old_requests,
            "The request for credentials is too old, or a copy.", "Ask the verifier for a new code.";
        UNPROVEN: "presentation.verifier-unproven", refuses_a_verifier_that_is_not_who_it_says,
            "The verifier does not prove who it is.", "Do not answer; ask the verifier for a code that names its identifier.";
        ADDRESS: "presentation.address", refuses_addresses_without_tls,
            "The request leads to an address that is not protected.", "Do not answer; the address has to begin with https.";
        SESSION_UNKNOWN: "presentation.unknown", refuses_unknown_and_old_requests,
            "This request for credentials is unknown or over.", "Start again and scan the new code.";
        REPLAYED: "presentation.replayed", refuses_a_replayed_answer,
            "This request was answered already.", "Start again and scan the new code.";
        STATE: "presentation.state", refuses_an_answer_of_another_state,
            "The answer belongs to another request.", "Start again and scan the new code.";
        ANSWER_MALFORMED: "presentation.answer-malformed", refuses_answers_of_wrong_form,
            "The wallet's answer is not in the form that was asked for.", "Ask the holder to answer again or with another wallet.";
        DECLINED: "presentation.declined", a_wallet_may_decline,
            "The holder did not agree to show the credential.", "Ask the holder, or use another way.";
    }
}

/// A new secret that nobody guesses: 256 random bits in base64url.
fn new_secret<R: CryptoRng + ?Sized>(rng: &mut R) -> String {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    crate::json::to_base64url(bytes)
}
