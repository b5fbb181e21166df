//! What an issuer commits to.

use stele_core::id::sha256;
use stele_core::merkle::{self, Frontier, HashSource};

/// The salted commitment of a credential:
/// `SHA-256("stele/credential/commitment/v1" || salt || SHA-256(credential))`.
///
/// `credential` is what the issuer signed and the holder cannot change: the JWT of an SD-JWT without its disclosures, the canonical JSON
/// (RFC 8785) of a credential with a Data Integrity proof.
pub fn commitment(salt: &[u8; 32], credential: &[u8]) -> [u8; 32] {
    sha256(&[
        b"stele/credential/commitment/v1",
        salt,
        &sha256(&[credential]),
    ])
}

/// The commitments of credentials that are issued together, and the tree over them (RFC 9162 section 2.1).
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The hashes of all complete subtrees, by level.
    levels: Vec<Vec<merkle::Hash>>,
    frontier: Frontier,
}

impl Batch {
    /// A batch without credentials.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the commitment of a credential; returns its place.
    pub fn push(&mut self, commitment: &[u8; 32]) -> u64 {
        let index = self.frontier.size();
        let levels = &mut self.levels;
        self.frontier
            .push_with(merkle::leaf_hash(commitment), |level, _, hash| {
                let level = level as usize;
                if levels.len() <= level {
                    levels.push(Vec::new());
                }
                levels[level].push(*hash);
            });
        index
    }

    /// How many credentials it has.
    pub fn count(&self) -> u64 {
        self.frontier.size()
    }

    /// The root that the issuer commits to.
    pub fn root(&self) -> merkle::Hash {
        self.frontier.root()
    }

    /// The path from a place to the root, lowest first. `None` for a place that the batch does not have.
    pub fn path(&self, index: u64) -> Option<Vec<merkle::Hash>> {
        merkle::prove_inclusion(self, index, self.count()).ok()
    }
}

impl HashSource for Batch {
    type Error = core::convert::Infallible;

    fn node(&self, level: u32, index: u64) -> Result<merkle::Hash, Self::Error> {
        Ok(self.levels[level as usize][index as usize])
    }
}
