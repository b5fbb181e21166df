//! The right edge of a growing tree: enough to append leaves and to know the root.

use super::{Hash, HashSource, MerkleError, empty_root, node_hash};

/// The complete subtrees that make up a tree, largest (leftmost) first: one for each bit set in the size.
///
/// Cloning costs at most 64 hashes, so a caller may extend a copy to learn the root that a block would give
/// and throw the copy away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// A frontier from its parts, for instance from a snapshot.
    ///
    /// # Errors
    /// [`MerkleError::FrontierLength`] unless there is one hash for each bit set in `size`.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, MerkleError> {
        let expected = size.count_ones() as usize;
        if hashes.len() != expected {
            return Err(MerkleError::FrontierLength {
                size,
                expected,
                found: hashes.len(),
            });
        }
        Ok(Self { size, hashes })
    }

    /// The frontier of the tree of `size` leaves, read from stored subtree hashes.
    ///
    /// # Errors
    /// What the source reports.
    pub fn from_source<S: HashSource>(source: &S, size: u64) -> Result<Self, S::Error> {
        let mut hashes = Vec::with_capacity(size.count_ones() as usize);
        let mut start = 0u64;
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            hashes.push(source.node(level, start >> level)?);
            start += 1u64 << level;
        }
        Ok(Self { size, hashes })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The subtree hashes, largest subtree first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf_hash: Hash) {
        self.push_with(leaf_hash, |_, _, _| {});
    }

    /// Appends a leaf hash and reports each subtree that it completes, the leaf first, as
    /// `(level, index, hash)`. Over many leaves that is below two reports a leaf.
    ///
    /// # Panics
    /// If the tree had 2^64 - 1 leaves.
    pub fn push_with(&mut self, leaf_hash: Hash, mut completed: impl FnMut(u32, u64, &Hash)) {
        let index = self.size;
        self.size = self
            .size
            .checked_add(1)
            .expect("a tree has fewer than 2^64 leaves");
        let mut hash = leaf_hash;
        completed(0, index, &hash);
        for level in 1..=index.trailing_ones() {
            let left = self
                .hashes
                .pop()
                .expect("one hash for each bit set in the size");
            hash = node_hash(&left, &hash);
            completed(level, index >> level, &hash);
        }
        self.hashes.push(hash);
    }

    /// Root of the tree. Costs one hash for each bit set in the size, less one.
    pub fn root(&self) -> Hash {
        let mut subtrees = self.hashes.iter().rev();
        match subtrees.next() {
            None => empty_root(),
            Some(smallest) => subtrees.fold(*smallest, |right, left| node_hash(left, &right)),
        }
    }
}
