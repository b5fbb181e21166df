//! Generation of roots and proofs from stored hashes of complete subtrees.

use super::{Hash, MerkleError, empty_root, node_hash};

/// Hashes of complete subtrees, wherever they are kept.
pub trait HashSource {
    /// What can go wrong when a hash is read.
    type Error;

    /// Hash of the subtree over the leaves `[index << level, (index + 1) << level)`. Level 0 holds leaf
    /// hashes. Asked only for subtrees that are complete at the size that the caller named.
    ///
    /// # Errors
    /// When the hash cannot be read.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

impl<S: HashSource + ?Sized> HashSource for &S {
    type Error = S::Error;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        (**self).node(level, index)
    }
}

/// Why a proof could not be generated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError<E> {
    /// No such proof exists.
    #[error(transparent)]
    Refused(MerkleError),
    /// A subtree hash could not be read.
    #[error("a subtree hash could not be read")]
    Source(#[source] E),
}

/// Root of the tree that the first `size` leaves make up.
///
/// # Errors
/// What the source reports.
pub fn root_at<S: HashSource>(source: &S, size: u64) -> Result<Hash, S::Error> {
    if size == 0 {
        Ok(empty_root())
    } else {
        range_root(source, 0, size)
    }
}

/// Inclusion proof of the leaf `index` in the tree of the first `size` leaves, lowest sibling first
/// (PATH of RFC 9162 section 2.1.3.1).
///
/// # Errors
/// [`MerkleError::IndexBeyondSize`], or what the source reports.
pub fn prove_inclusion<S: HashSource>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    if index >= size {
        return Err(ProveError::Refused(MerkleError::IndexBeyondSize {
            index,
            size,
        }));
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        let sibling = if index < middle {
            let right = (middle, end);
            end = middle;
            right
        } else {
            let left = (start, middle);
            start = middle;
            left
        };
        proof.push(range_root(source, sibling.0, sibling.1).map_err(ProveError::Source)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Consistency proof from the tree of the first `size1` leaves to that of the first `size2`
/// (PROOF of RFC 9162 section 2.1.4.1).
///
/// # Errors
/// [`MerkleError::EmptyTree`] if `size1` is zero, [`MerkleError::SizesOutOfOrder`], or what the source reports.
pub fn prove_consistency<S: HashSource>(
    source: &S,
    size1: u64,
    size2: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    if size1 > size2 {
        return Err(ProveError::Refused(MerkleError::SizesOutOfOrder {
            older: size1,
            newer: size2,
        }));
    }
    if size1 == 0 {
        return Err(ProveError::Refused(MerkleError::EmptyTree));
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size2);
    // Descend to the subtree that the older tree ends with; `start > 0` means it is not the older tree itself.
    while size1 != end {
        let middle = start + split(end - start);
        let sibling = if size1 <= middle {
            let right = (middle, end);
            end = middle;
            right
        } else {
            let left = (start, middle);
            start = middle;
            left
        };
        proof.push(range_root(source, sibling.0, sibling.1).map_err(ProveError::Source)?);
    }
    if start != 0 {
        proof.push(range_root(source, start, end).map_err(ProveError::Source)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Largest power of two below `width`, which must be at least 2.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// Root of the leaves `[start, end)`, a node of some tree: `start` is a multiple of the smallest power of two
/// that is not below the width. Made of complete subtrees, so at most one hash for each bit of the width.
fn range_root<S: HashSource>(source: &S, start: u64, end: u64) -> Result<Hash, S::Error> {
    let width = end - start;
    let mut root: Option<Hash> = None;
    let mut right = end;
    // From the smallest (rightmost) complete subtree to the largest.
    for level in (0..u64::BITS).filter(|level| width >> level & 1 == 1) {
        let left = right - (1u64 << level);
        let subtree = source.node(level, left >> level)?;
        root = Some(match root {
            None => subtree,
            Some(lower) => node_hash(&subtree, &lower),
        });
        right = left;
    }
    Ok(root.expect("a range of a tree holds at least one leaf"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::merkle::{Frontier, leaf_hash, verify_consistency, verify_inclusion};

    /// The definitions of RFC 9162 section 2.1, word by word.
    mod model {
        use super::super::{Hash, empty_root, node_hash, split};

        pub fn mth(leaves: &[Hash]) -> Hash {
            match leaves {
                [] => empty_root(),
                [leaf] => *leaf,
                _ => {
                    let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
                    node_hash(&mth(left), &mth(right))
                }
            }
        }

        pub fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
            if leaves.len() == 1 {
                return vec![];
            }
            let k = split(leaves.len() as u64) as usize;
            let (left, right) = leaves.split_at(k);
            let (mut proof, sibling) = if m < k {
                (path(m, left), mth(right))
            } else {
                (path(m - k, right), mth(left))
            };
            proof.push(sibling);
            proof
        }

        pub fn subproof(m: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
            if m == leaves.len() {
                return if known { vec![] } else { vec![mth(leaves)] };
            }
            let k = split(leaves.len() as u64) as usize;
            let (left, right) = leaves.split_at(k);
            let (mut proof, sibling) = if m <= k {
                (subproof(m, left, known), mth(right))
            } else {
                (subproof(m - k, right, false), mth(left))
            };
            proof.push(sibling);
            proof
        }
    }

    struct Levels(Vec<Vec<Hash>>);

    impl HashSource for Levels {
        type Error = Infallible;

        fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
            Ok(self.0[level as usize][index as usize])
        }
    }

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    fn tree(leaves: &[Hash]) -> (Levels, Frontier) {
        let mut levels = Levels(vec![]);
        let mut frontier = Frontier::new();
        for leaf in leaves {
            frontier.push_with(*leaf, |level, index, hash| {
                if levels.0.len() == level as usize {
                    levels.0.push(vec![]);
                }
                assert_eq!(levels.0[level as usize].len() as u64, index);
                levels.0[level as usize].push(*hash);
            });
        }
        (levels, frontier)
    }

    #[test]
    fn every_proof_of_small_trees_matches_the_definitions() {
        let leaves = leaves(40);
        let (levels, _) = tree(&leaves);
        for size in 0..=40usize {
            let root = model::mth(&leaves[..size]);
            assert_eq!(root_at(&levels, size as u64), Ok(root));
            assert_eq!(
                Frontier::from_source(&levels, size as u64).unwrap().root(),
                root
            );
            for index in 0..size {
                let proof = prove_inclusion(&levels, index as u64, size as u64).unwrap();
                assert_eq!(proof, model::path(index, &leaves[..size]));
                verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &root).unwrap();
            }
            for older in 1..=size {
                let proof = prove_consistency(&levels, older as u64, size as u64).unwrap();
                assert_eq!(proof, model::subproof(older, &leaves[..size], true));
                let older_root = model::mth(&leaves[..older]);
                verify_consistency(older as u64, &older_root, size as u64, &root, &proof).unwrap();
            }
        }
    }

    #[test]
    fn proofs_that_do_not_exist_are_refused() {
        let (levels, _) = tree(&leaves(4));
        assert_eq!(
            prove_inclusion(&levels, 4, 4),
            Err(ProveError::Refused(MerkleError::IndexBeyondSize {
                index: 4,
                size: 4
            }))
        );
        assert_eq!(
            prove_consistency(&levels, 0, 4),
            Err(ProveError::Refused(MerkleError::EmptyTree))
        );
        assert_eq!(
            prove_consistency(&levels, 3, 2),
            Err(ProveError::Refused(MerkleError::SizesOutOfOrder {
                older: 3,
                newer: 2
            }))
        );
        assert_eq!(
            Frontier::from_parts(3, vec![[0; 32]]),
            Err(MerkleError::FrontierLength {
                size: 3,
                expected: 2,
                found: 1
            })
        );
    }

    proptest! {
        #[test]
        fn proofs_of_large_trees_verify(size in 1usize..3000, a in 0usize..3000, b in 1usize..3000, flip in 0usize..1024) {
            let (index, older) = (a % size, 1 + b % size);
            let leaves = leaves(size);
            let (levels, frontier) = tree(&leaves);
            let root = frontier.root();
            prop_assert_eq!(root, model::mth(&leaves));
            prop_assert_eq!(&Frontier::from_source(&levels, size as u64).unwrap(), &frontier);

            let mut proof = prove_inclusion(&levels, index as u64, size as u64).unwrap();
            prop_assert_eq!(&proof, &model::path(index, &leaves));
            verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &root).unwrap();
            if !proof.is_empty() {
                let at = flip % proof.len();
                proof[at][flip % 32] ^= 1 << (flip % 8);
                prop_assert!(verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &root).is_err());
            }

            let mut proof = prove_consistency(&levels, older as u64, size as u64).unwrap();
            let older_root = root_at(&levels, older as u64).unwrap();
            verify_consistency(older as u64, &older_root, size as u64, &root, &proof).unwrap();
            if !proof.is_empty() {
                let at = flip % proof.len();
                proof[at][flip % 32] ^= 1 << (flip % 8);
                prop_assert!(verify_consistency(older as u64, &older_root, size as u64, &root, &proof).is_err());
            }
        }

        #[test]
        fn no_proof_makes_the_verifiers_panic(
            a in any::<u64>(), b in any::<u64>(), c in any::<u64>(),
            proof in proptest::collection::vec(any::<Hash>(), 0..70),
        ) {
            let root = [7; 32];
            prop_assert!(verify_inclusion(&root, a, b, &proof, &root).is_err() || b == 1);
            let _ = verify_consistency(a, &root, b, &root, &proof);
            let _ = crate::merkle::verify_subtree_inclusion(&root, a, b, c, &proof, &root);
            let _ = crate::merkle::verify_subtree_consistency(a, b, &root, c, &root, &proof);
        }
    }
}
