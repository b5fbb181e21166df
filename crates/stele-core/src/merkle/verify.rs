//! Verification of inclusion and consistency proofs.
//!
//! The loops are those of RFC 9162 sections 2.1.3.2 and 2.1.4.2; the subtree forms are those of
//! draft-ietf-plants-merkle-tree-certs section 4, of which a consistency proof is the case `start = 0`.

use super::{Hash, MerkleError, empty_root, node_hash};

/// Checks that the leaf stands at `index` of the tree of `size` leaves with this root.
///
/// # Errors
/// [`MerkleError::IndexBeyondSize`], [`MerkleError::ProofTooLong`], [`MerkleError::ProofTooShort`] or
/// [`MerkleError::RootMismatch`].
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), MerkleError> {
    expect_root(root_from_inclusion(leaf_hash, index, size, proof)?, root)
}

/// The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2). The caller compares it with a root
/// that it trusts, for instance by verifying a signature over it.
///
/// # Errors
/// [`MerkleError::IndexBeyondSize`], [`MerkleError::ProofTooLong`] or [`MerkleError::ProofTooShort`].
pub fn root_from_inclusion(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
) -> Result<Hash, MerkleError> {
    if index >= size {
        return Err(MerkleError::IndexBeyondSize { index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut root = *leaf_hash;
    for sibling in proof {
        if last == 0 {
            return Err(MerkleError::ProofTooLong { found: proof.len() });
        }
        if node & 1 == 1 || node == last {
            root = node_hash(sibling, &root);
            // A node without a right sibling is its own parent's hash: skip the levels where it has none.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(MerkleError::ProofTooShort { found: proof.len() });
    }
    Ok(root)
}

/// Checks that the tree of `size1` leaves is a prefix of the tree of `size2` leaves (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// [`MerkleError::EmptyTree`] if `size1` is zero, [`MerkleError::SizesOutOfOrder`],
/// [`MerkleError::ProofTooLong`], [`MerkleError::ProofTooShort`] or [`MerkleError::RootMismatch`] (for either
/// of the two roots).
pub fn verify_consistency(
    size1: u64,
    root1: &Hash,
    size2: u64,
    root2: &Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if size1 > size2 {
        return Err(MerkleError::SizesOutOfOrder {
            older: size1,
            newer: size2,
        });
    }
    if size1 == 0 {
        return Err(MerkleError::EmptyTree);
    }
    chain_consistency(0, size1, size2, proof, root1, root2)
}

/// Checks that the leaf `index` is in the subtree `[start, end)` with this root.
///
/// # Errors
/// As [`verify_inclusion`], and [`MerkleError::NotASubtree`] or [`MerkleError::IndexOutsideSubtree`].
pub fn verify_subtree_inclusion(
    leaf_hash: &Hash,
    index: u64,
    start: u64,
    end: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), MerkleError> {
    check_subtree(start, end)?;
    if index < start || index >= end {
        return Err(MerkleError::IndexOutsideSubtree { index, start, end });
    }
    verify_inclusion(leaf_hash, index - start, end - start, proof, root)
}

/// Checks that the subtree `[start, end)` with `subtree_root` is part of the tree of `size` leaves with `root`.
///
/// An empty subtree within the tree has the empty root and an empty proof; nothing is said about `root` then.
///
/// # Errors
/// [`MerkleError::NotASubtree`], [`MerkleError::SizesOutOfOrder`], [`MerkleError::ProofTooLong`],
/// [`MerkleError::ProofTooShort`] or [`MerkleError::RootMismatch`].
pub fn verify_subtree_consistency(
    start: u64,
    end: u64,
    subtree_root: &Hash,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if end > size {
        return Err(MerkleError::SizesOutOfOrder {
            older: end,
            newer: size,
        });
    }
    if start == end {
        if !proof.is_empty() {
            return Err(MerkleError::ProofTooLong { found: proof.len() });
        }
        return expect_root(empty_root(), subtree_root);
    }
    check_subtree(start, end)?;
    chain_consistency(start, end, size, proof, subtree_root, root)
}

/// Requires `start < end <= size` and `[start, end)` to be a subtree.
fn chain_consistency(
    start: u64,
    end: u64,
    size: u64,
    proof: &[Hash],
    subtree_root: &Hash,
    root: &Hash,
) -> Result<(), MerkleError> {
    // The path of the subtree's first leaf, of its last leaf and of the tree's last leaf, one level at a time.
    let (mut first, mut node, mut last) = (start, end - 1, size - 1);
    let whole = node == last;
    while first != node && (whole || node & 1 == 1) {
        first >>= 1;
        node >>= 1;
        last >>= 1;
    }
    let mut rest = proof.iter();
    // A complete subtree is its own seed, and its hash is known to the verifier already.
    let seed = if first == node {
        *subtree_root
    } else {
        *rest
            .next()
            .ok_or(MerkleError::ProofTooShort { found: proof.len() })?
    };
    let (mut calculated_subtree, mut calculated) = (seed, seed);
    for sibling in rest {
        if last == 0 {
            return Err(MerkleError::ProofTooLong { found: proof.len() });
        }
        if node & 1 == 1 || node == last {
            if first < node {
                calculated_subtree = node_hash(sibling, &calculated_subtree);
            }
            calculated = node_hash(sibling, &calculated);
            while node & 1 == 0 && node != 0 {
                first >>= 1;
                node >>= 1;
                last >>= 1;
            }
        } else {
            calculated = node_hash(&calculated, sibling);
        }
        first >>= 1;
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(MerkleError::ProofTooShort { found: proof.len() });
    }
    expect_root(calculated_subtree, subtree_root)?;
    expect_root(calculated, root)
}

fn check_subtree(start: u64, end: u64) -> Result<(), MerkleError> {
    // Beyond 2^63 leaves the power of two does not fit; only a subtree that starts at zero is aligned to it.
    let aligned = start < end
        && match (end - start).checked_next_power_of_two() {
            Some(width) => start & (width - 1) == 0,
            None => start == 0,
        };
    if aligned {
        Ok(())
    } else {
        Err(MerkleError::NotASubtree { start, end })
    }
}

fn expect_root(calculated: Hash, expected: &Hash) -> Result<(), MerkleError> {
    if calculated == *expected {
        Ok(())
    } else {
        Err(MerkleError::RootMismatch {
            expected: *expected,
            calculated,
        })
    }
}
