//! Nonces for key proofs: expiry and randomness under a MAC, so that giving one out stores nothing.

use rand_core::CryptoRng;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Issuer;
use crate::json::{from_base64url, to_base64url};
use crate::openid::{Answer, Fault, Record, Store};

/// 8 bytes of expiry and 16 random ones; the MAC has 16.
const BODY_BYTES: usize = 24;
const MAC_BYTES: usize = 16;

impl Issuer {
    /// The nonce endpoint (OpenID4VCI section 7).
    pub fn nonce<R: CryptoRng + ?Sized>(&self, rng: &mut R, now: u64) -> Answer {
        Answer::json(200, json!({"c_nonce": self.new_nonce(rng, now)}))
    }

    pub(super) fn new_nonce<R: CryptoRng + ?Sized>(&self, rng: &mut R, now: u64) -> String {
        let mut nonce = [0; BODY_BYTES + MAC_BYTES];
        let expires_at = now.saturating_add(self.lifetimes.nonce_seconds);
        nonce[..8].copy_from_slice(&expires_at.to_be_bytes());
        rng.fill_bytes(&mut nonce[8..BODY_BYTES]);
        let mac = self.mac(&nonce[..BODY_BYTES]);
        nonce[BODY_BYTES..].copy_from_slice(&mac);
        to_base64url(nonce)
    }

    /// Checks that a nonce is ours and fresh, and lets it be used once.
    pub(super) fn use_nonce(
        &self,
        nonce: &str,
        store: &mut dyn Store,
        now: u64,
    ) -> Result<(), Fault> {
        let invalid = || {
            Fault::new(
                "invalid_nonce",
                "The nonce of the proof is unknown, expired or used; ask for a new one.",
            )
        };
        let bytes = from_base64url(nonce).map_err(|_| invalid())?;
        let (body, mac) = bytes.split_at_checked(BODY_BYTES).ok_or_else(invalid)?;
        let expires_at = body
            .first_chunk()
            .map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let is_ours = bool::from(self.mac(body).as_slice().ct_eq(mac));
        let key = format!("nonce/{nonce}");
        if !is_ours || now >= expires_at || store.get(&key, now).is_some() {
            return Err(invalid());
        }
        store.put(key, Record::UsedNonce, expires_at, now)
    }

    /// The length of the input is fixed, so hashing secret and input is a MAC: there is nothing to extend.
    fn mac(&self, body: &[u8]) -> [u8; MAC_BYTES] {
        let hash = Sha256::new_with_prefix(b"stele/openid4vci-nonce/v1")
            .chain_update(*self.nonce_secret.0)
            .chain_update(body)
            .chain_update(*self.nonce_secret.0)
            .finalize();
        hash.first_chunk().copied().unwrap_or_default()
    }
}
