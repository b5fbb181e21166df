//! Random bytes of the system: for keys, salts and nonces, which must not follow from a run's seed.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use stele_core::suite::{SigningKey, Suite};

/// The system's random numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct System;

impl TryRng for System {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(bytes()))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        fill(into);
        Ok(())
    }
}

impl TryCryptoRng for System {}

fn fill(into: &mut [u8]) {
    getrandom::fill(into).expect("the system gives random bytes");
}

/// So many random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// A new key of Ed25519.
pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &bytes::<32>()).expect("32 bytes are a seed")
}

/// A new key of P-256, as phones keep them.
pub(crate) fn phone_key() -> SigningKey {
    loop {
        // A number above the curve's order, one of 2^32, is no key.
        if let Ok(key) = SigningKey::from_seed(Suite::Es256, &bytes::<32>()) {
            return key;
        }
    }
}
