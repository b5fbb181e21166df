//! Fictional issuers, holders and credentials for the tests of this module.

use serde_json::Value;
use stele_core::suite::{SigningKey, Suite};

use super::{Expectation, Frame, Issuance, Verified, verify};
use crate::jose::Signer as _;
use crate::refusal::Refusal;
pub use crate::testing::TestRng;

/// When the credentials of the tests are issued.
pub const NOW: u64 = 1_790_000_000;
pub const ISSUER: &str = "https://university.example";
pub const VCT: &str = "https://university.example/diploma";

pub fn issuer() -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[1; 32]).unwrap()
}

pub fn holder() -> SigningKey {
    SigningKey::from_seed(Suite::Es256, &[2; 32]).unwrap()
}

/// A credential of the fictional university for the fictional holder.
pub fn issue_claims(claims: Value, frame: &Frame) -> Result<String, Refusal> {
    let holder = holder().public_key();
    let issuance = Issuance {
        vct: VCT,
        issuer: Some(ISSUER),
        key_id: None,
        issued_at: NOW,
        not_before: None,
        expires_at: Some(NOW + 1000),
        holder: Some(&holder),
        status: None,
    };
    let Value::Object(claims) = claims else {
        panic!("claims are an object")
    };
    issuance.issue(claims, frame, &issuer(), &mut TestRng(7))
}

/// Verifies without key binding.
pub fn verify_open(text: &str) -> Result<Verified, Refusal> {
    verify(text, &issuer().public_key(), &Expectation::at(NOW))
}
