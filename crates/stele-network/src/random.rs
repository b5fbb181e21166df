//! Randomness of the system.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// The system's source, which fails only where no secret could be kept anyway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemRandom;

impl TryRng for SystemRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        getrandom::fill(bytes).expect("the system gives randomness");
        Ok(())
    }
}

impl TryCryptoRng for SystemRandom {}

/// A new seed.
pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let Ok(()) = SystemRandom.try_fill_bytes(&mut seed);
    seed
}
