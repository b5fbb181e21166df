//! Hashes and proofs of the authenticated state: presence and absence of a key under a state root.
//!
//! The state is a binary sparse Merkle tree over 256-bit paths (format page, section 6; the node rules are those of
//! Jellyfish and Diem):
//! - [`state_path`] maps a register's key to its path, whose bits are read from the most significant of byte 0;
//! - an empty subtree hashes to [`EMPTY`], 32 zero bytes;
//! - a subtree with exactly one leaf **is** that leaf: [`leaf_hash`], at whatever depth it stands;
//! - any other subtree is [`inner_hash`] of its two halves, one of which may be empty.
//!
//! A [`StateProof`] is checked with nothing but the root. Every proof has exactly one accepted form, so a proof cannot be
//! altered and stay valid.

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The hash of an empty subtree, and the root of the empty state.
pub const EMPTY: [u8; 32] = [0; 32];

/// The number of bits of a path, and so the greatest depth of a leaf.
pub const DEPTH_MAX: u16 = 256;

/// What a proof shows to stand where the path of the asked key leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The leaf of the asked key itself: the key is present.
    Leaf,
    /// An empty subtree: the key is absent.
    Empty,
    /// The only leaf of the subtree, of another key: the asked key is absent.
    OtherLeaf {
        /// The other leaf's path; shares the first `depth` bits with the asked one.
        path: [u8; 32],
        /// The SHA-256 of the other leaf's value.
        value_hash: [u8; 32],
    },
}

/// The siblings on the way from the root to the place where a key is, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProof {
    /// How many inner nodes lie above the terminal, 0..=256.
    pub depth: u16,
    /// `ceil(depth / 8)` bytes; bit i, most significant first, is set when the sibling at depth i (0 is the top) is not
    /// empty. Padding bits are zero.
    pub sibling_bitmap: Vec<u8>,
    /// The siblings that are not empty, from the top down.
    pub siblings: Vec<[u8; 32]>,
    /// What stands below the last of them.
    pub terminal: Terminal,
}

/// Why a [`StateProof`] does not show what is claimed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateProofError {
    /// The depth exceeds the length of a path.
    #[error("the proof's depth is {depth}, above 256")]
    DepthTooLarge {
        /// The depth that the proof states.
        depth: u16,
    },
    /// The bitmap's length does not fit the depth.
    #[error("the sibling bitmap has {found} bytes where the depth asks for {expected}")]
    BitmapLength {
        /// `ceil(depth / 8)`.
        expected: usize,
        /// The length of the bitmap.
        found: usize,
    },
    /// A bit of the bitmap beyond the depth is set.
    #[error("a padding bit of the sibling bitmap is set")]
    BitmapPadding,
    /// The bitmap announces another number of siblings than there are.
    #[error("the proof has {found} siblings where its bitmap announces {expected}")]
    SiblingCount {
        /// The number of bits set.
        expected: usize,
        /// The number of siblings.
        found: usize,
    },
    /// An empty sibling is listed although the bitmap exists to leave it out.
    #[error("sibling {index} is empty and must be left to the bitmap")]
    SiblingEmpty {
        /// The position among the listed siblings.
        index: usize,
    },
    /// A value is claimed and the proof shows absence.
    #[error("a value is claimed, and the proof shows that the key is absent")]
    ShowsAbsence,
    /// Absence is claimed and the proof shows a value.
    #[error("absence is claimed, and the proof shows that the key is present")]
    ShowsPresence,
    /// The other leaf is in fact the leaf of the asked key.
    #[error("the proof calls the asked key's own leaf another leaf")]
    OtherLeafIsAsked,
    /// The other leaf does not lie below the proven position.
    #[error(
        "the other leaf shares {shared} bits with the asked path, fewer than the depth {depth}"
    )]
    OtherLeafElsewhere {
        /// How many leading bits the two paths share.
        shared: u16,
        /// The proof's depth.
        depth: u16,
    },
    /// The hashes do not lead to the expected root.
    #[error("the proof leads to another state root")]
    WrongRoot,
}

impl StateProof {
    /// Checks that under `root` the key at `path` has a value with the SHA-256 `value_hash`, or, with `None`, no value.
    ///
    /// # Errors
    /// The first of the checks that fails, in the order of [`StateProofError`]'s variants.
    pub fn verify(
        &self,
        root: &[u8; 32],
        path: &[u8; 32],
        value_hash: Option<&[u8; 32]>,
    ) -> Result<(), StateProofError> {
        self.check_shape()?;
        let mut hash = self.terminal_hash(path, value_hash)?;
        let mut siblings = self.siblings.iter().rev();
        for depth in (0..usize::from(self.depth)).rev() {
            let sibling = if bit(&self.sibling_bitmap, depth) {
                // check_shape has counted them.
                siblings.next().unwrap_or(&EMPTY)
            } else {
                &EMPTY
            };
            hash = if bit(path, depth) {
                inner_hash(sibling, &hash)
            } else {
                inner_hash(&hash, sibling)
            };
        }
        if hash == *root {
            Ok(())
        } else {
            Err(StateProofError::WrongRoot)
        }
    }

    /// The bytes of a proof's hashes and bitmap, a close lower bound of its encoded size.
    pub fn size_bytes(&self) -> usize {
        let terminal = if matches!(self.terminal, Terminal::OtherLeaf { .. }) {
            64
        } else {
            0
        };
        2 + self.sibling_bitmap.len() + 32 * self.siblings.len() + terminal
    }

    fn check_shape(&self) -> Result<(), StateProofError> {
        if self.depth > DEPTH_MAX {
            return Err(StateProofError::DepthTooLarge { depth: self.depth });
        }
        let depth = usize::from(self.depth);
        let expected = depth.div_ceil(8);
        if self.sibling_bitmap.len() != expected {
            return Err(StateProofError::BitmapLength {
                expected,
                found: self.sibling_bitmap.len(),
            });
        }
        if (depth..expected * 8).any(|position| bit(&self.sibling_bitmap, position)) {
            return Err(StateProofError::BitmapPadding);
        }
        let expected = self
            .sibling_bitmap
            .iter()
            .map(|byte| byte.count_ones() as usize)
            .sum();
        if self.siblings.len() != expected {
            return Err(StateProofError::SiblingCount {
                expected,
                found: self.siblings.len(),
            });
        }
        match self.siblings.iter().position(|sibling| *sibling == EMPTY) {
            Some(index) => Err(StateProofError::SiblingEmpty { index }),
            None => Ok(()),
        }
    }

    fn terminal_hash(
        &self,
        path: &[u8; 32],
        value_hash: Option<&[u8; 32]>,
    ) -> Result<[u8; 32], StateProofError> {
        match (&self.terminal, value_hash) {
            (Terminal::Leaf, Some(value_hash)) => Ok(leaf_hash(path, value_hash)),
            (Terminal::Leaf, None) => Err(StateProofError::ShowsPresence),
            (_, Some(_)) => Err(StateProofError::ShowsAbsence),
            (Terminal::Empty, None) => Ok(EMPTY),
            (
                Terminal::OtherLeaf {
                    path: other,
                    value_hash,
                },
                None,
            ) => {
                let shared = shared_bits(path, other);
                if shared == DEPTH_MAX {
                    return Err(StateProofError::OtherLeafIsAsked);
                }
                if shared < self.depth {
                    return Err(StateProofError::OtherLeafElsewhere {
                        shared,
                        depth: self.depth,
                    });
                }
                Ok(leaf_hash(other, value_hash))
            }
        }
    }
}

/// The path of a register's key: `SHA-256(length of the name as one byte || name || key)`.
///
/// # Panics
/// If the name has more than 255 bytes. A register name of this platform has at most 32.
pub fn state_path(register: &str, key: &[u8]) -> [u8; 32] {
    let length = u8::try_from(register.len()).expect("a register name has at most 255 bytes");
    Sha256::new()
        .chain_update([length])
        .chain_update(register)
        .chain_update(key)
        .finalize()
        .into()
}

/// The SHA-256 of a value, as it enters [`leaf_hash`].
pub fn value_hash(value: &[u8]) -> [u8; 32] {
    Sha256::digest(value).into()
}

/// The hash of a leaf: `SHA-256(0x00 || path || value hash)`.
pub fn leaf_hash(path: &[u8; 32], value_hash: &[u8; 32]) -> [u8; 32] {
    hash_pair(0, path, value_hash)
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn inner_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    hash_pair(1, left, right)
}

/// SHA-256 of `tag || left || right`, 65 bytes, as exactly two compressions without a buffer in between: this is where
/// a state update spends its time.
fn hash_pair(tag: u8, left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    const INITIAL: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut blocks = [[0u8; 64]; 2];
    blocks[0][0] = tag;
    blocks[0][1..33].copy_from_slice(left);
    blocks[0][33..].copy_from_slice(&right[..31]);
    blocks[1][0] = right[31];
    blocks[1][1] = 0x80;
    blocks[1][56..].copy_from_slice(&(65u64 * 8).to_be_bytes());
    let mut state = INITIAL;
    compress256(&mut state, &blocks);
    let mut hash = [0u8; 32];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

/// The number of leading bits that two paths share, 0..=256.
pub fn shared_bits(left: &[u8; 32], right: &[u8; 32]) -> u16 {
    let mut shared = 0;
    for (left, right) in left.iter().zip(right) {
        let differing = left ^ right;
        if differing != 0 {
            return shared + differing.leading_zeros() as u16;
        }
        shared += 8;
    }
    shared
}

fn bit(bytes: &[u8], position: usize) -> bool {
    bytes[position / 8] >> (7 - position % 8) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: [u8; 32] = [0x00; 32];
    const RIGHT: [u8; 32] = [0x80; 32];

    /// A state of two leaves whose paths differ in the first bit.
    fn two_leaves() -> ([u8; 32], StateProof) {
        let right = leaf_hash(&RIGHT, &[2; 32]);
        let root = inner_hash(&leaf_hash(&LEFT, &[1; 32]), &right);
        let proof = StateProof {
            depth: 1,
            sibling_bitmap: vec![0x80],
            siblings: vec![right],
            terminal: Terminal::Leaf,
        };
        (root, proof)
    }

    #[test]
    fn hashes_are_plain_sha256_of_their_parts() {
        for tag in [0, 1] {
            let plain: [u8; 32] = Sha256::new()
                .chain_update([tag])
                .chain_update([7; 32])
                .chain_update([9; 32])
                .finalize()
                .into();
            assert_eq!(hash_pair(tag, &[7; 32], &[9; 32]), plain);
        }
        let plain: [u8; 32] = Sha256::digest(b"\x05tracekey").into();
        assert_eq!(state_path("trace", b"key"), plain);
        assert_eq!(state_path("trace", b"key"), state_path("trace", b"key"));
        assert_ne!(state_path("trace", b"key"), state_path("tracek", b"ey"));
    }

    #[test]
    fn presence_and_absence_verify() {
        let (root, proof) = two_leaves();
        assert_eq!(proof.verify(&root, &LEFT, Some(&[1; 32])), Ok(()));
        let mut asked = LEFT;
        asked[31] = 1;
        let absence = StateProof {
            terminal: Terminal::OtherLeaf {
                path: LEFT,
                value_hash: [1; 32],
            },
            ..proof
        };
        assert_eq!(absence.verify(&root, &asked, None), Ok(()));
        let empty = StateProof {
            depth: 0,
            sibling_bitmap: vec![],
            siblings: vec![],
            terminal: Terminal::Empty,
        };
        assert_eq!(empty.verify(&EMPTY, &asked, None), Ok(()));
    }

    #[test]
    fn each_fault_has_its_error() {
        let (root, good) = two_leaves();
        let check =
            |change: &dyn Fn(&mut StateProof), path: &[u8; 32], value: Option<&[u8; 32]>| {
                let mut proof = good.clone();
                change(&mut proof);
                proof
                    .verify(&root, path, value)
                    .expect_err("a changed proof must not verify")
            };
        let value = Some(&[1; 32]);
        assert_eq!(
            check(&|p| p.depth = 257, &LEFT, value),
            StateProofError::DepthTooLarge { depth: 257 }
        );
        assert_eq!(
            check(&|p| p.sibling_bitmap.push(0), &LEFT, value),
            StateProofError::BitmapLength {
                expected: 1,
                found: 2
            }
        );
        assert_eq!(
            check(&|p| p.sibling_bitmap[0] |= 1, &LEFT, value),
            StateProofError::BitmapPadding
        );
        assert_eq!(
            check(&|p| p.siblings.push([3; 32]), &LEFT, value),
            StateProofError::SiblingCount {
                expected: 1,
                found: 2
            }
        );
        assert_eq!(
            check(&|p| p.siblings[0] = EMPTY, &LEFT, value),
            StateProofError::SiblingEmpty { index: 0 }
        );
        assert_eq!(check(&|_| (), &LEFT, None), StateProofError::ShowsPresence);
        assert_eq!(
            check(&|p| p.terminal = Terminal::Empty, &LEFT, value),
            StateProofError::ShowsAbsence
        );
        let other = |path| {
            move |p: &mut StateProof| {
                p.terminal = Terminal::OtherLeaf {
                    path,
                    value_hash: [1; 32],
                }
            }
        };
        assert_eq!(
            check(&other(LEFT), &LEFT, None),
            StateProofError::OtherLeafIsAsked
        );
        assert_eq!(
            check(&other(RIGHT), &LEFT, None),
            StateProofError::OtherLeafElsewhere {
                shared: 0,
                depth: 1
            }
        );
        assert_eq!(
            check(&|p| p.siblings[0][5] ^= 1, &LEFT, value),
            StateProofError::WrongRoot
        );
        assert_eq!(check(&|_| (), &RIGHT, value), StateProofError::WrongRoot);
        assert_eq!(
            check(&|_| (), &LEFT, Some(&[2; 32])),
            StateProofError::WrongRoot
        );
    }

    #[test]
    fn the_last_bit_counts() {
        let mut right = LEFT;
        right[31] = 1;
        assert_eq!(shared_bits(&LEFT, &right), 255);
        assert_eq!(shared_bits(&LEFT, &LEFT), 256);
        let sibling = leaf_hash(&right, &[2; 32]);
        let mut root = inner_hash(&leaf_hash(&LEFT, &[1; 32]), &sibling);
        for _ in 0..255 {
            root = inner_hash(&root, &EMPTY);
        }
        let mut bitmap = vec![0; 32];
        bitmap[31] = 1;
        let proof = StateProof {
            depth: 256,
            sibling_bitmap: bitmap,
            siblings: vec![sibling],
            terminal: Terminal::Leaf,
        };
        assert_eq!(proof.verify(&root, &LEFT, Some(&[1; 32])), Ok(()));
    }
}
