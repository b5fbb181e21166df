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

/// Numbers that follow from a seed, for ceremonies whose outcome must be the same each time: SHA-256 of the seed and a counter.
#[derive(Debug, Clone)]
pub(crate) struct SeededRandom {
    seed: [u8; 32],
    counter: u64,
}

impl SeededRandom {
    /// For simulations: whoever knows the number knows what follows.
    pub(crate) fn new(seed: u64) -> Self {
        Self::from_seed(stele_core::id::sha256(&[&seed.to_le_bytes()]))
    }

    /// As secret as its seed.
    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }
}

impl TryRng for SeededRandom {
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
        for chunk in bytes.chunks_mut(32) {
            self.counter += 1;
            let block = stele_core::id::sha256(&[&self.seed, &self.counter.to_le_bytes()]);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRandom {}

/// A new seed.
pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let Ok(()) = SystemRandom.try_fill_bytes(&mut seed);
    seed
}
