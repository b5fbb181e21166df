//! Fictional issuers, holders and credentials for the tests of this module.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stele_core::suite::{SigningKey, Suite};

use super::{Expectation, Frame, Issuance, Verified, verify};
use crate::jose::Signer as _;
use crate::refusal::Refusal;

/// When the credentials of the tests are issued.
pub const NOW: u64 = 1_790_000_000;
pub const ISSUER: &str = "https://university.example";
pub const VCT: &str = "https://university.example/diploma";

/// Bytes that look random and are the same in each run.
pub struct TestRng(pub u64);

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.try_next_u64()? as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 += 1;
        let hash = Sha256::digest(self.0.to_le_bytes());
        Ok(u64::from_le_bytes(hash[..8].try_into().unwrap()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

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
