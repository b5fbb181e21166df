//! `base.dat`: where a log begins that does not begin with block 0.
//!
//! A node that started from a snapshot holds no block up to its base block. It holds the base block's header and the right
//! edge of the Merkle tree over all earlier records: enough to append, and to prove every later entry. Design note 0010.
//!
//! Big-endian: magic `STELEBAS`, version u16 (1), six zero bytes, height of the base block u64, log index of the next entry u64,
//! length of the header u32, number of edge hashes u32, header, hashes (32 bytes each), CRC-32 of all before. Written once,
//! before the first segment is created.

use std::fs;
use std::io;
use std::path::Path;

use stele_core::id::{Height, LogIndex};
use stele_core::merkle::{Frontier, Hash, HashSource};

use super::file::sync_folder;
use super::frame::{u32_at, u64_at};
use super::tree::TreeError;
use super::tree_files::{LEVELS, TILE_HEIGHT, fold, hashes_at};
use super::{LogError, io_error};

pub(super) const BASE_FILE: &str = "base.dat";
const MAGIC: [u8; 8] = *b"STELEBAS";
const VERSION: u16 = 1;
const FIXED_BYTES: usize = 40;
/// More than any block header has.
const HEADER_BYTES_MAX: usize = 1 << 16;

/// The block after which a log begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBase {
    /// Height of the base block. The first block held is the next one.
    pub height: Height,
    /// Its opaque header.
    pub header: Vec<u8>,
    /// The tree's right edge after it.
    pub edge: TreeEdge,
}

impl LogBase {
    /// Log index of the first entry behind the base block.
    pub fn first_index(&self) -> LogIndex {
        LogIndex::new(self.edge.size())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + self.header.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(&self.height.get().to_be_bytes());
        bytes.extend_from_slice(&self.edge.size().to_be_bytes());
        bytes.extend_from_slice(&(self.header.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&(self.edge.hashes.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&self.header);
        bytes.extend_from_slice(self.edge.hashes.as_flattened());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < FIXED_BYTES + 4 || bytes[..8] != MAGIC {
            return None;
        }
        let (body, crc) = bytes.split_at(bytes.len() - 4);
        if crc32fast::hash(body) != u32_at(crc, 0) || body[8..10] != VERSION.to_be_bytes() {
            return None;
        }
        let header_bytes = u32_at(body, 32) as usize;
        let rest = &body[FIXED_BYTES..];
        if header_bytes > HEADER_BYTES_MAX || rest.len() < header_bytes {
            return None;
        }
        let (header, hashes) = rest.split_at(header_bytes);
        let (hashes, partial) = hashes.as_chunks::<32>();
        if !partial.is_empty() || hashes.len() != u32_at(body, 36) as usize {
            return None;
        }
        Some(Self {
            height: Height::new(u64_at(body, 16)),
            header: header.to_vec(),
            edge: TreeEdge::from_parts(u64_at(body, 24), hashes.to_vec())?,
        })
    }

    /// The base of the log in a folder; `None` for a log that begins with block 0.
    pub(super) fn load(dir: &Path) -> Result<Option<Self>, LogError> {
        let path = dir.join(BASE_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", path)(error)),
        };
        match Self::decode(&bytes) {
            Some(base) => Ok(Some(base)),
            None => Err(LogError::Damaged {
                file: path,
                offset: 0,
                height: Height::new(0),
                reason: "it is not the base of a log".to_owned(),
            }),
        }
    }

    /// Writes the base of a log that is being created.
    pub(super) fn store(&self, dir: &Path) -> Result<(), LogError> {
        let (new, path) = (dir.join("base.new"), dir.join(BASE_FILE));
        fs::write(&new, self.encode())
            .and_then(|()| fs::File::open(&new)?.sync_all())
            .and_then(|()| fs::rename(&new, &path))
            .and_then(|()| sync_folder(dir))
            .map_err(io_error("write", path))
    }
}

/// The hashes of the tree's incomplete tiles at one size, lowest level first: at most 255 for each level.
///
/// All complete subtrees that a larger tree shares with this one at its right edge can be computed from them, so they are enough
/// to go on appending and to prove every leaf that comes later. The root that they give vouches for each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeEdge {
    size: u64,
    hashes: Vec<Hash>,
}

impl TreeEdge {
    /// An edge from its parts; `None` unless it has as many hashes as a tree of this size calls for.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        let expected: u64 = (0..LEVELS).map(|level| width(size, level)).sum();
        (hashes.len() as u64 == expected).then_some(Self { size, hashes })
    }

    /// The edge of the first `size` leaves of a stored tree.
    pub(super) fn read(
        size: u64,
        mut tile: impl FnMut(usize, u64, usize) -> Result<Vec<Hash>, TreeError>,
    ) -> Result<Self, TreeError> {
        let mut hashes = Vec::new();
        for level in 0..LEVELS {
            let count = width(size, level);
            hashes.extend(tile(level, first(size, level), count as usize)?);
        }
        Ok(Self { size, hashes })
    }

    /// Leaves before the edge.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, lowest level first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The frontier of the tree.
    pub fn frontier(&self) -> Frontier {
        Frontier::from_source(self, self.size).expect("an edge holds the frontier's subtrees")
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        self.frontier().root()
    }

    /// Index of the first hash held of a level, and the hashes from there on.
    pub(super) fn level(&self, level: usize) -> (u64, &[Hash]) {
        let before: u64 = (0..level).map(|level| width(self.size, level)).sum();
        let start = before as usize;
        let hashes = &self.hashes[start..start + width(self.size, level) as usize];
        (first(self.size, level), hashes)
    }
}

impl HashSource for TreeEdge {
    type Error = TreeError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, TreeError> {
        let (tile_level, inner) = ((level / TILE_HEIGHT) as usize, level % TILE_HEIGHT);
        let (first, hashes) = self.level(tile_level);
        let held = (index << inner).checked_sub(first).and_then(|start| {
            let start = usize::try_from(start).ok()?;
            hashes.get(start..start.checked_add(1 << inner)?)
        });
        match held {
            Some(hashes) => Ok(fold(hashes.to_vec())),
            None => Err(TreeError::BeforeBase { size: self.size }),
        }
    }
}

/// Index of the first hash of the incomplete tile at a level.
pub(super) fn first(size: u64, level: usize) -> u64 {
    hashes_at(size, level) & !0xff
}

/// Hashes in the incomplete tile at a level.
fn width(size: u64, level: usize) -> u64 {
    hashes_at(size, level) & 0xff
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stele_core::merkle::leaf_hash;

    use super::*;

    #[test]
    fn an_edge_has_the_root_of_its_tree() {
        let mut frontier = Frontier::new();
        let mut levels: Vec<Vec<Hash>> = vec![vec![]; LEVELS];
        for index in 0..70_000u64 {
            if [0, 1, 255, 256, 257, 300, 4_097, 65_535, 65_536, 69_999].contains(&index) {
                let edge = TreeEdge::read(index, |level, first, count| {
                    Ok(levels[level][first as usize..first as usize + count].to_vec())
                });
                let edge = edge.unwrap();
                assert_eq!(edge.root(), frontier.root(), "at {index}");
                assert_eq!(
                    TreeEdge::from_parts(index, edge.hashes().to_vec()).unwrap(),
                    edge
                );
            }
            frontier.push_with(leaf_hash(&index.to_be_bytes()), |level, _, hash| {
                if level.is_multiple_of(TILE_HEIGHT) {
                    levels[(level / TILE_HEIGHT) as usize].push(*hash);
                }
            });
        }
    }

    proptest! {
        #[test]
        fn a_base_survives_its_encoding_and_no_damage(height in any::<u64>(), size in any::<u64>(), at in any::<prop::sample::Index>()) {
            let count: u64 = (0..LEVELS).map(|level| width(size, level)).sum();
            let hashes = (0..count).map(|n| [n as u8; 32]).collect();
            let edge = TreeEdge::from_parts(size, hashes).unwrap();
            let base = LogBase { height: Height::new(height), header: b"header".to_vec(), edge };
            let mut bytes = base.encode();
            prop_assert_eq!(LogBase::decode(&bytes), Some(base));
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
            prop_assert_eq!(LogBase::decode(&bytes), None);
            prop_assert_eq!(LogBase::decode(&bytes[..at]), None);
        }
    }
}
