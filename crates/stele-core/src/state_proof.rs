//! Proofs of presence and absence in the state's sparse Merkle tree (docs/format.md section 6).
//!
//! A subtree without leaves hashes to 32 zero bytes; a subtree with exactly one leaf is that leaf (the rule of the
//! Jellyfish Merkle Tree, Gao, Hu and Wu 2021); any other is an inner node. Hence every set of keys has one root, and
//! a proof is as long as the key's leaf is deep: about log2 of the number of keys.

use crate::id::sha256;

/// The hash of a subtree without leaves, and the root of the empty state.
pub const EMPTY: [u8; 32] = [0; 32];

/// Where a key of a register stands in the tree: `SHA-256(length of register || register || key)`.
pub fn state_path(register: &str, key: &[u8]) -> [u8; 32] {
    let length = u8::try_from(register.len()).expect("register names are short");
    sha256(&[&[length], register.as_bytes(), key])
}

/// The hash of a leaf.
pub fn leaf_hash(path: &[u8; 32], value_hash: &[u8; 32]) -> [u8; 32] {
    sha256(&[&[0], path, value_hash])
}

/// The hash of an inner node.
pub fn inner_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256(&[&[1], left, right])
}

/// Bit `index` of a path, counted from the most significant bit of byte 0.
pub fn bit(path: &[u8; 32], index: u16) -> bool {
    path[usize::from(index / 8)] >> (7 - index % 8) & 1 == 1
}

/// What stands where the key's way through the tree ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Terminal {
    /// The key's own leaf: it is present.
    Leaf,
    /// An empty subtree: the key is absent.
    Empty,
    /// The leaf of another key that shares the way so far: the key is absent.
    OtherLeaf {
        /// The other key's path.
        path: [u8; 32],
        /// The hash of the other key's value.
        value_hash: [u8; 32],
    },
}

/// A path from a terminal up to the state root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateProof {
    /// How many levels below the root the terminal stands, 0 to 256.
    pub depth: u16,
    /// One bit per level from the top, set where the sibling is not empty.
    pub sibling_bitmap: Vec<u8>,
    /// The siblings that are not empty, from the top down.
    pub siblings: Vec<[u8; 32]>,
    /// What stands at `depth`.
    pub terminal: Terminal,
}

/// Why a proof does not show what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateProofError {
    /// Deeper than the tree can be.
    #[error("the proof is deeper than 256 levels")]
    TooDeep,
    /// The bitmap has the wrong length, or padding bits are set.
    #[error("the bitmap does not fit the depth")]
    Bitmap,
    /// The number of siblings differs from the bits set.
    #[error("the siblings do not fit the bitmap")]
    SiblingCount,
    /// A sibling is said not to be empty, but is.
    #[error("an empty sibling is listed")]
    EmptySibling,
    /// A proof of presence was used for absence, or the other way round.
    #[error("the proof shows presence where absence is claimed, or the reverse")]
    OtherClaim,
    /// The other leaf is no neighbour of the key, or is the key itself.
    #[error("the other leaf does not stand in the key's way")]
    OtherLeaf,
    /// The hashes do not lead to the root.
    #[error("the proof leads to another state root")]
    OtherRoot,
}

impl StateProof {
    /// Checks that `path` holds a value of `value_hash` under `root`, or with `None` that it holds nothing.
    ///
    /// # Errors
    /// [`StateProofError`] names the first thing that is wrong.
    pub fn verify(
        &self,
        root: &[u8; 32],
        path: &[u8; 32],
        value_hash: Option<&[u8; 32]>,
    ) -> Result<(), StateProofError> {
        if self.depth > 256 {
            return Err(StateProofError::TooDeep);
        }
        let depth = usize::from(self.depth);
        let set = |index: usize| self.sibling_bitmap[index / 8] >> (7 - index % 8) & 1 == 1;
        if self.sibling_bitmap.len() != depth.div_ceil(8)
            || (depth..self.sibling_bitmap.len() * 8).any(set)
        {
            return Err(StateProofError::Bitmap);
        }
        if (0..depth).filter(|index| set(*index)).count() != self.siblings.len() {
            return Err(StateProofError::SiblingCount);
        }
        if self.siblings.contains(&EMPTY) {
            return Err(StateProofError::EmptySibling);
        }
        let mut hash = match (&self.terminal, value_hash) {
            (Terminal::Leaf, Some(value_hash)) => leaf_hash(path, value_hash),
            (Terminal::Empty, None) => EMPTY,
            (
                Terminal::OtherLeaf {
                    path: other,
                    value_hash,
                },
                None,
            ) => {
                if other == path
                    || (0..self.depth).any(|index| bit(other, index) != bit(path, index))
                {
                    return Err(StateProofError::OtherLeaf);
                }
                leaf_hash(other, value_hash)
            }
            _ => return Err(StateProofError::OtherClaim),
        };
        let mut siblings = self.siblings.iter().rev();
        for index in (0..depth).rev() {
            let sibling = if set(index) {
                siblings.next().expect("counted above")
            } else {
                &EMPTY
            };
            hash = if bit(path, index as u16) {
                inner_hash(sibling, &hash)
            } else {
                inner_hash(&hash, sibling)
            };
        }
        if hash == *root {
            Ok(())
        } else {
            Err(StateProofError::OtherRoot)
        }
    }
}
