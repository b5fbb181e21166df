//! How a large population is split into lists, and which place a credential gets.

use sha2::{Digest as _, Sha256};

use crate::sd_jwt::StatusReference;

/// The rounds of the Feistel network: four give a permutation that looks random.
const ROUNDS: u8 = 4;

/// Splits credentials, counted in the order of issuance, into shards of 2^bits entries.
///
/// Inside a shard places are permuted under a secret, so that neighbours in the list are not neighbours in the
/// issuer's office: whoever knows one student's place learns nothing about who was graduated beside them. A shard is the
/// crowd in which a verifier's download hides a credential, so shards should not be small.
#[derive(Clone)]
pub struct Layout {
    base: String,
    shard_bits: u8,
    secret: [u8; 32],
}

impl Layout {
    /// A layout below an address such as `https://university.example/status`.
    ///
    /// # Panics
    /// Unless `shard_bits` is even and lies in 8..=26: the issuer's own choice, made once.
    pub fn new(base: &str, shard_bits: u8, secret: [u8; 32]) -> Self {
        assert!(
            (8..=26).contains(&shard_bits) && shard_bits.is_multiple_of(2),
            "{shard_bits} bits"
        );
        Self {
            base: base.trim_end_matches('/').to_owned(),
            shard_bits,
            secret,
        }
    }

    /// The entries of one shard.
    pub const fn shard_entries(&self) -> u64 {
        1 << self.shard_bits
    }

    /// The address of a shard.
    pub fn shard_uri(&self, shard: u64) -> String {
        format!("{}/{shard}", self.base)
    }

    /// Shard and place of credential number `number`.
    pub fn place(&self, number: u64) -> (u64, u64) {
        let shard = number >> self.shard_bits;
        let half = self.shard_bits / 2;
        let mask = (1u64 << half) - 1;
        let inside = number & (self.shard_entries() - 1);
        let (mut left, mut right) = (inside >> half, inside & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (self.mix(shard, round, right) & mask));
        }
        (shard, (left << half) | right)
    }

    /// What the credential carries.
    pub fn reference(&self, number: u64) -> StatusReference {
        let (shard, index) = self.place(number);
        StatusReference {
            uri: self.shard_uri(shard),
            index,
        }
    }

    fn mix(&self, shard: u64, round: u8, value: u64) -> u64 {
        let hash = Sha256::new_with_prefix(b"stele/status-layout/v1")
            .chain_update(self.secret)
            .chain_update(shard.to_le_bytes())
            .chain_update([round])
            .chain_update(value.to_le_bytes())
            .finalize();
        hash.first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

impl core::fmt::Debug for Layout {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Layout({}, 2^{} entries, secret redacted)",
            self.base, self.shard_bits
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_credential_of_a_shard_has_its_own_place() {
        let layout = Layout::new("https://university.example/status/", 10, [7; 32]);
        for shard in [0, 3] {
            let mut taken = vec![false; 1024];
            for number in 0..1024 {
                let (found, place) = layout.place(shard * 1024 + number);
                assert_eq!(found, shard);
                assert!(!std::mem::replace(&mut taken[place as usize], true));
            }
        }
        let neighbours = (0..1023)
            .filter(|number| layout.place(*number).1.abs_diff(layout.place(number + 1).1) == 1)
            .count();
        assert!(neighbours < 20, "{neighbours} neighbours stay neighbours");
        assert_eq!(
            layout.reference(2048).uri,
            "https://university.example/status/2"
        );
    }
}
