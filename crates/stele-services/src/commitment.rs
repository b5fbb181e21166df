//! Salted commitments: what the chain gets instead of papers.
//!
//! `SHA-256("stele/service/paper/v1" || salt || bytes)`. The salt is 32 random bytes, drawn anew for each paper and kept
//! with it: without it nobody can try out what the paper might say, and two equal papers look different.

use stele_core::id::{Hash, sha256};

/// The commitment to a paper.
pub fn commitment(salt: &[u8; 32], paper: &[u8]) -> Hash {
    Hash::from_bytes(sha256(&[b"stele/service/paper/v1", salt, paper]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salt_and_paper_both_count() {
        let one = commitment(&[1; 32], b"paper");
        assert_ne!(one, commitment(&[2; 32], b"paper"));
        assert_ne!(one, commitment(&[1; 32], b"papes"));
        assert_eq!(one, commitment(&[1; 32], b"paper"));
    }
}
