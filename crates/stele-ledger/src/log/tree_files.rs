//! Files of the tree: one for each tile level, and a marker that says how far they are durable.
//!
//! `tree/level-<k>.dat` holds the hashes of the complete subtrees of 256^k leaves, 32 bytes each, in order: the
//! concatenation of the hash tiles of level k (C2SP tlog-tiles). In a log with a base they begin with the tile that was incomplete there. `tree/durable.dat` (80 bytes, big-endian):
//! magic `STELETRE`, version u16, six zero bytes, id of the log u64, size u64, root 32 bytes, twelve zero bytes,
//! CRC-32. It is replaced by renaming after the level files were synced up to that size.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stele_core::merkle::{Frontier, Hash, HashSource};

use super::base::{self, TreeEdge};
use super::file::{LogFile, sync_folder};
use super::frame::{u32_at, u64_at};
use super::tree::TreeError;

/// Tile levels: 2^64 leaves have no ninth.
pub(super) const LEVELS: usize = 8;
/// Inner levels of a tile.
pub(super) const TILE_HEIGHT: u32 = 8;

const MARKER: &str = "durable.dat";
const MARKER_BYTES: usize = 80;
const MAGIC: [u8; 8] = *b"STELETRE";
const VERSION: u16 = 1;

#[derive(Debug)]
pub(super) struct TreeFiles {
    dir: PathBuf,
    levels: Vec<LogFile>,
    /// Leaves before the log's base; 0 for a log that begins with block 0.
    base: u64,
}

/// How far the level files are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub log_id: u64,
    pub size: u64,
    pub root: Hash,
}

/// Hashes that a tile level has at a size.
pub(super) fn hashes_at(size: u64, level: usize) -> u64 {
    size.checked_shr(TILE_HEIGHT * level as u32).unwrap_or(0)
}

impl TreeFiles {
    pub fn open(dir: &Path, base: u64) -> Result<Self, TreeError> {
        fs::create_dir_all(dir).map_err(tree_io("create", dir))?;
        let mut levels = vec![];
        for level in 0..LEVELS {
            let path = dir.join(format!("level-{level}.dat"));
            levels.push(LogFile::open_or_create(path.clone()).map_err(tree_io("open", &path))?);
        }
        Ok(Self {
            dir: dir.to_owned(),
            levels,
            base,
        })
    }

    /// The marker, if it is there, whole, and the files are as long as it says.
    pub fn read_marker(&self) -> Option<Marker> {
        let bytes = fs::read(self.dir.join(MARKER)).ok()?;
        let right = bytes.len() == MARKER_BYTES
            && bytes[..8] == MAGIC
            && bytes[8..10] == VERSION.to_be_bytes()
            && crc32fast::hash(&bytes[..76]) == u32_at(&bytes, 76);
        if !right {
            return None;
        }
        let root = bytes[32..64].try_into().expect("32 bytes");
        let marker = Marker {
            log_id: u64_at(&bytes, 16),
            size: u64_at(&bytes, 24),
            root,
        };
        if marker.size < self.base {
            return None;
        }
        let long_enough = self.levels.iter().enumerate().all(|(level, file)| {
            let bytes = self.offset(level, hashes_at(marker.size, level));
            bytes.is_some_and(|bytes| file.len().is_ok_and(|len| len >= bytes))
        });
        long_enough.then_some(marker)
    }

    /// Syncs the files, then says so.
    pub fn make_durable(&self, marker: Marker) -> Result<(), TreeError> {
        for file in &self.levels {
            file.sync_data().map_err(tree_io("sync", file.path()))?;
        }
        let mut bytes = [0u8; MARKER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_be_bytes());
        bytes[16..24].copy_from_slice(&marker.log_id.to_be_bytes());
        bytes[24..32].copy_from_slice(&marker.size.to_be_bytes());
        bytes[32..64].copy_from_slice(&marker.root);
        let crc = crc32fast::hash(&bytes[..76]);
        bytes[76..].copy_from_slice(&crc.to_be_bytes());
        let (new, path) = (self.dir.join("durable.new"), self.dir.join(MARKER));
        fs::write(&new, bytes)
            .and_then(|()| fs::File::open(&new)?.sync_all())
            .and_then(|()| fs::rename(&new, &path))
            .and_then(|()| sync_folder(&self.dir))
            .map_err(tree_io("write", &path))
    }

    /// Where a hash stands in the file of its level.
    fn offset(&self, level: usize, index: u64) -> Option<u64> {
        index
            .checked_sub(base::first(self.base, level))?
            .checked_mul(32)
    }

    fn held(&self, level: usize, index: u64) -> Result<u64, TreeError> {
        let size = self.base;
        self.offset(level, index)
            .ok_or(TreeError::BeforeBase { size })
    }

    /// Writes what the tree holds of the time before the log's base.
    pub fn write_edge(&self, edge: &TreeEdge) -> Result<(), TreeError> {
        for level in 0..LEVELS {
            let (first, hashes) = edge.level(level);
            self.write(level, first, hashes)?;
        }
        Ok(())
    }

    /// Cuts the files to what a tree of this size has. The marker must not say more.
    pub fn cut(&self, size: u64) -> Result<(), TreeError> {
        for (level, file) in self.levels.iter().enumerate() {
            file.set_len(self.held(level, hashes_at(size, level))?)
                .map_err(tree_io("truncate", file.path()))?;
        }
        Ok(())
    }

    pub fn remove_marker(&self) -> Result<(), TreeError> {
        let path = self.dir.join(MARKER);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(tree_io("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    pub fn write(&self, level: usize, first: u64, hashes: &[Hash]) -> Result<(), TreeError> {
        let file = &self.levels[level];
        file.write_all_at(hashes.as_flattened(), self.held(level, first)?)
            .map_err(tree_io("write", file.path()))
    }

    pub fn read(&self, level: usize, first: u64, hashes: &mut [Hash]) -> Result<(), TreeError> {
        if hashes.is_empty() {
            return Ok(());
        }
        let file = &self.levels[level];
        file.read_exact_at(hashes.as_flattened_mut(), self.held(level, first)?)
            .map_err(tree_io("read", file.path()))
    }

    /// Frontier of the tree of this size, from files alone.
    pub fn frontier(&self, size: u64) -> Result<Frontier, TreeError> {
        Frontier::from_source(self, size)
    }
}

impl HashSource for TreeFiles {
    type Error = TreeError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, TreeError> {
        let (tile_level, inner) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let mut hashes = vec![[0; 32]; 1 << inner];
        self.read(tile_level as usize, index << inner, &mut hashes)?;
        Ok(fold(hashes))
    }
}

/// Root of a power of two of hashes.
pub(super) fn fold(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        for at in 0..hashes.len() / 2 {
            hashes[at] = stele_core::merkle::node_hash(&hashes[2 * at], &hashes[2 * at + 1]);
        }
        hashes.truncate(hashes.len() / 2);
    }
    hashes[0]
}

fn tree_io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> TreeError {
    let path = path.into();
    move |source| TreeError::Io {
        action,
        path,
        source,
    }
}
