//! Merkle trees of RFC 9162 section 2.1 with SHA-256: hashes, proofs, frontiers and checkpoints.
//!
//! Concepts:
//! - A *leaf hash* is SHA-256(0x00 ‖ data), a *node hash* SHA-256(0x01 ‖ left ‖ right), and the root of the
//!   empty tree SHA-256 of nothing ([`leaf_hash`], [`node_hash`], [`empty_root`]).
//! - A *complete subtree* covers the leaves `[index << level, (index + 1) << level)`. Its hash never changes
//!   once the tree holds all of its leaves, so a log stores exactly these, and every root and proof of every
//!   earlier size is computed from them ([`HashSource`], [`prove_inclusion`], [`prove_consistency`], [`root_at`]).
//! - A *frontier* is the list of complete subtrees that make up a tree, largest first; appending needs no
//!   more than it ([`Frontier`]).
//! - A *checkpoint* is a signed statement about a tree in the C2SP formats ([`checkpoint`]).
//!
//! Verification ([`verify_inclusion`], [`verify_consistency`]) takes proofs from anyone: it allocates nothing,
//! never panics, and accepts a proof of exactly one length for each pair of sizes.
//!
//! No I/O. Status: BETA.

mod base64;
pub mod checkpoint;
mod frontier;
mod hash;
mod prove;
mod verify;

pub use base64::{base64_decode, base64_encode};
pub use frontier::Frontier;
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use prove::{HashSource, ProveError, prove_consistency, prove_inclusion, root_at};
pub use verify::{
    root_from_inclusion, verify_consistency, verify_inclusion, verify_subtree_consistency,
    verify_subtree_inclusion,
};

/// Why a proof was refused, or could not be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MerkleError {
    /// The leaf index is not below the tree size.
    #[error("leaf index {index} is not below the tree size {size}")]
    IndexBeyondSize {
        /// The index asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The older tree is larger than the newer one, or a subtree ends beyond its tree.
    #[error("the size {older} of the older tree is above the size {newer} of the newer one")]
    SizesOutOfOrder {
        /// Size of the tree that should be a prefix.
        older: u64,
        /// Size of the tree that should extend it.
        newer: u64,
    },
    /// Every tree extends the empty one, so such a consistency proof would prove nothing.
    #[error("a consistency proof from the empty tree proves nothing")]
    EmptyTree,
    /// `[start, end)` is no subtree: `start` must be a multiple of the smallest power of two that is not
    /// below `end - start`.
    #[error("[{start}, {end}) is not a subtree")]
    NotASubtree {
        /// First leaf.
        start: u64,
        /// Leaf after the last one.
        end: u64,
    },
    /// The index lies outside the subtree.
    #[error("leaf index {index} is outside the subtree [{start}, {end})")]
    IndexOutsideSubtree {
        /// The index asked for.
        index: u64,
        /// First leaf of the subtree.
        start: u64,
        /// Leaf after the last one.
        end: u64,
    },
    /// The proof has more hashes than the sizes call for.
    #[error("the proof has more hashes than needed ({found})")]
    ProofTooLong {
        /// Hashes in the proof.
        found: usize,
    },
    /// The proof has fewer hashes than the sizes call for.
    #[error("the proof has too few hashes ({found})")]
    ProofTooShort {
        /// Hashes in the proof.
        found: usize,
    },
    /// The root that the proof leads to differs from the one expected.
    #[error(
        "the proof leads to root {}, expected {}",
        hex::encode(calculated),
        hex::encode(expected)
    )]
    RootMismatch {
        /// The root given by the caller.
        expected: Hash,
        /// The root that the proof leads to.
        calculated: Hash,
    },
    /// A frontier has a number of hashes that its size does not call for.
    #[error("a frontier of size {size} has {expected} hashes, found {found}")]
    FrontierLength {
        /// Leaves in the tree.
        size: u64,
        /// One hash for each bit set in the size.
        expected: usize,
        /// Hashes given.
        found: usize,
    },
}
