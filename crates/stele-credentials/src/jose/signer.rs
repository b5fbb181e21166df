//! Who signs: a key in memory, or a keystore elsewhere.

use stele_core::suite::SigningKey;

use super::{PublicKey, rules};
use crate::refusal::Refusal;

/// Signs with one key of Ed25519 or P-256. A keystore, a hardware token or another machine may stand behind it.
pub trait Signer {
    /// The key's public half.
    fn public_key(&self) -> PublicKey;

    /// Signs `message` by the key's algorithm: 64 bytes, R and S of Ed25519 or r and s of ES256.
    ///
    /// # Errors
    /// Whatever keeps the signer from signing.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Refusal>;

    /// The JOSE name of the algorithm: `EdDSA` or `ES256`. Give it without deriving the key where that is dear.
    fn algorithm(&self) -> &'static str {
        self.public_key().algorithm()
    }
}

impl Signer for SigningKey {
    /// # Panics
    /// If the key is of another suite than Ed25519 and ES256: choosing it is the caller's own mistake.
    fn public_key(&self) -> PublicKey {
        PublicKey::from_core(self.public()).expect("a signer of JOSE has a key of Ed25519 or P-256")
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Refusal> {
        Self::sign(self, message)
            .try_into()
            .map_err(|_| rules::KEY_UNSUPPORTED.because(self.suite()))
    }

    fn algorithm(&self) -> &'static str {
        match self.suite() {
            stele_core::suite::Suite::Es256 => "ES256",
            _ => "EdDSA",
        }
    }
}
