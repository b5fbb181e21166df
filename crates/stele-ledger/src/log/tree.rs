//! The Merkle tree over the log's records (RFC 9162 section 2.1), kept in flat files of tile hashes.
//!
//! The tree is derived from the log. A block's header carries the root that holds after the block, so the leaves
//! come first: [`TreeStore::append_leaves`] in memory, then the block is appended to the log and synced, then
//! [`TreeStore::commit`]; [`TreeStore::rollback`] undoes leaves whose block did not make it. On disk the tree may
//! therefore be behind the log and never truly ahead of it; opening cuts it or extends it to the log's size.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use stele_core::id::LogIndex;
use stele_core::merkle::{
    Frontier, Hash, HashSource, MerkleError, ProveError, leaf_hash, prove_consistency,
    prove_inclusion, root_at,
};

use super::base::TreeEdge;
use super::tree_files::{LEVELS, Marker, TILE_HEIGHT, TreeFiles, fold, hashes_at};
use super::{LogError, LogReader};

/// Leaves after which the files are synced, so that reopening recomputes no more than about so many.
const DURABLE_EVERY: u64 = 1 << 17;
/// Leaf hashes gathered before they are written when the tree is extended from the log.
const LEAVES_BUFFERED: usize = 1 << 13;
/// Leaf hashes compared with the log's records on each opening.
const SAMPLES: u64 = 64;

/// Why the tree could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The operating system refused.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The log that the tree is derived from could not be read.
    #[error("the log could not be read")]
    Log(#[source] LogError),
    /// No such proof exists.
    #[error(transparent)]
    Refused(MerkleError),
    /// The size asked for is above the committed one.
    #[error("the tree has {committed} committed leaves, {size} were asked for")]
    NotCommitted {
        /// The size asked for.
        size: u64,
        /// Leaves of final blocks.
        committed: u64,
    },
    /// The hash belongs to the time before the log's base.
    #[error(
        "this node began with a snapshot and holds no hashes of the entries below {size} alone"
    )]
    BeforeBase {
        /// Leaves before the base.
        size: u64,
    },
    /// A stored hash differs from the one that the log's records give.
    #[error("the hash {index} of tile level {level} is not that of the log's records")]
    Mismatch {
        /// Tile level; 0 holds leaf hashes.
        level: usize,
        /// Place in that level.
        index: u64,
    },
}

impl TreeError {
    /// The next step for the person who runs the node, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mismatch { .. } => {
                Some("`stele doctor --rebuild` computes the tree again from the log")
            }
            Self::Log(error) => error.hint(),
            Self::BeforeBase { .. } => Some("ask a node that holds the whole log"),
            _ => None,
        }
    }
}

impl From<ProveError<Self>> for TreeError {
    fn from(error: ProveError<Self>) -> Self {
        match error {
            ProveError::Refused(error) => Self::Refused(error),
            ProveError::Source(error) => error,
            error => unreachable!("ProveError has two variants: {error}"),
        }
    }
}

/// Hashes of one tile level: in the file up to `written`, then in memory.
#[derive(Clone, Debug, Default)]
struct Level {
    written: u64,
    tail: Vec<Hash>,
}

struct State {
    levels: Vec<Level>,
    committed: u64,
}

struct Shared {
    files: TreeFiles,
    state: RwLock<State>,
}

/// The one writer of a tree.
pub struct TreeStore {
    shared: Arc<Shared>,
    log_id: u64,
    /// With the leaves that are not committed yet.
    frontier: Frontier,
    committed: Frontier,
    durable: u64,
    fresh: Vec<Vec<Hash>>,
}

impl TreeStore {
    /// Opens the tree of a log in `dir`, and brings it to the log's size: what the log does not have is cut off,
    /// what the tree lacks, or may hold wrongly after a power cut, is computed from the log's records.
    ///
    /// The caller compares [`Self::root`] with the root in the last block's header, and calls
    /// [`Self::rebuild`] if they differ.
    ///
    /// # Errors
    /// [`TreeError::Io`] or [`TreeError::Log`].
    pub fn open(dir: &Path, log: &LogReader) -> Result<Self, TreeError> {
        Self::open_with(dir, log, |_, _| {})
    }

    /// As [`Self::open`], calling `progress(leaves done, leaves in all)` while leaves are computed.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        dir: &Path,
        log: &LogReader,
        progress: impl FnMut(u64, u64),
    ) -> Result<Self, TreeError> {
        let files = TreeFiles::open(dir, base_size(log))?;
        let trusted = trusted_size(&files, log)?;
        Self::extend_from(files, trusted, log, progress)
    }

    /// Computes the whole tree again from the log's records.
    ///
    /// # Errors
    /// [`TreeError::Io`] or [`TreeError::Log`].
    pub fn rebuild(
        dir: &Path,
        log: &LogReader,
        progress: impl FnMut(u64, u64),
    ) -> Result<Self, TreeError> {
        let base = base_size(log);
        Self::extend_from(TreeFiles::open(dir, base)?, base, log, progress)
    }

    fn extend_from(
        files: TreeFiles,
        trusted: u64,
        log: &LogReader,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Self, TreeError> {
        let marker = files.read_marker();
        if marker.is_none_or(|marker| marker.size > trusted || marker.log_id != log.id()) {
            files.remove_marker()?;
        }
        files.cut(trusted)?;
        if let Some(base) = log.base()
            && base.edge.size() == trusted
        {
            files.write_edge(&base.edge)?;
        }
        let frontier = files.frontier(trusted)?;
        let levels = (0..LEVELS)
            .map(|level| Level {
                written: hashes_at(trusted, level),
                tail: vec![],
            })
            .collect();
        let state = RwLock::new(State {
            levels,
            committed: trusted,
        });
        let mut tree = Self {
            shared: Arc::new(Shared { files, state }),
            log_id: log.id(),
            committed: frontier.clone(),
            frontier,
            durable: trusted,
            fresh: vec![vec![]; LEVELS],
        };
        let size = log.entries_count();
        if trusted < size {
            let (height, _) = log
                .position(LogIndex::new(trusted))
                .map_err(TreeError::Log)?;
            let mut leaves: Vec<Hash> = Vec::new();
            for block in log.blocks(height) {
                let block = block.map_err(TreeError::Log)?;
                if block.first_index().get() >= size {
                    break;
                }
                let skip = trusted.saturating_sub(block.first_index().get()) as usize;
                leaves.extend(
                    block
                        .items()
                        .skip(skip)
                        .map(|(_, record)| leaf_hash(record)),
                );
                // Not each block for itself: blocks may be as small as one entry.
                if leaves.len() >= LEAVES_BUFFERED {
                    tree.append_leaves(&leaves);
                    tree.commit()?;
                    leaves.clear();
                    progress(tree.size(), size);
                }
            }
            tree.append_leaves(&leaves);
            tree.commit()?;
            progress(tree.size(), size);
        }
        Ok(tree)
    }

    /// Number of leaves, those not committed included.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root over all leaves, those not committed included: what the next block's header says.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Number of committed leaves.
    pub fn committed_size(&self) -> u64 {
        self.committed.size()
    }

    /// Root over the committed leaves.
    pub fn committed_root(&self) -> Hash {
        self.committed.root()
    }

    /// A reader of the committed tree, for any thread.
    pub fn reader(&self) -> TreeReader {
        TreeReader {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Appends leaf hashes in memory and returns the new root. Readers do not see them before
    /// [`Self::commit`].
    pub fn append_leaves(&mut self, leaves: &[Hash]) -> Hash {
        let Self {
            frontier, fresh, ..
        } = self;
        for leaf in leaves {
            frontier.push_with(*leaf, |level, _, hash| {
                if level.is_multiple_of(TILE_HEIGHT) {
                    fresh[(level / TILE_HEIGHT) as usize].push(*hash);
                }
            });
        }
        self.frontier.root()
    }

    /// Takes the leaves appended since the last commit as final: their block is durable in the log.
    ///
    /// # Errors
    /// [`TreeError::Io`] when the hashes could not be written. They are committed all the same and served from
    /// memory; the next commit tries to write them again.
    pub fn commit(&mut self) -> Result<(), TreeError> {
        self.committed.clone_from(&self.frontier);
        {
            let mut state = self.shared.state.write();
            for (level, fresh) in state.levels.iter_mut().zip(&mut self.fresh) {
                level.tail.append(fresh);
            }
            state.committed = self.committed.size();
        }
        self.write_tails()?;
        if self.committed.size() - self.durable >= DURABLE_EVERY {
            self.flush()?;
        }
        Ok(())
    }

    /// Forgets the leaves appended since the last commit.
    pub fn rollback(&mut self) {
        self.frontier.clone_from(&self.committed);
        self.fresh.iter_mut().for_each(Vec::clear);
    }

    /// Makes the committed hashes durable, so that the next opening computes none. Called at times by
    /// [`Self::commit`]; worth a call before the process ends.
    ///
    /// # Errors
    /// [`TreeError::Io`].
    pub fn flush(&mut self) -> Result<(), TreeError> {
        self.write_tails()?;
        let (log_id, size) = (self.log_id, self.committed.size());
        if size > self.durable {
            let root = self.committed.root();
            self.shared
                .files
                .make_durable(Marker { log_id, size, root })?;
            self.durable = size;
        }
        Ok(())
    }

    fn write_tails(&self) -> Result<(), TreeError> {
        for level in 0..LEVELS {
            // Only this writer changes a level, so what is written here stays what the lock showed.
            let (first, count) = {
                let state = self.shared.state.read();
                let Level { written, tail } = &state.levels[level];
                if tail.is_empty() {
                    continue;
                }
                self.shared.files.write(level, *written, tail)?;
                (*written, tail.len())
            };
            let mut state = self.shared.state.write();
            state.levels[level].written = first + count as u64;
            state.levels[level].tail.clear();
        }
        Ok(())
    }
}

/// Leaves before the log's base.
fn base_size(log: &LogReader) -> u64 {
    log.base().map_or(0, |base| base.edge.size())
}

/// How much of the files can be taken as it is: all that was synced, if it belongs to this log.
fn trusted_size(files: &TreeFiles, log: &LogReader) -> Result<u64, TreeError> {
    let base = base_size(log);
    let Some(marker) = files.read_marker() else {
        return Ok(base);
    };
    if marker.log_id != log.id() || files.frontier(marker.size)?.root() != marker.root {
        return Ok(base);
    }
    // The log may have been cut below the marker by a repair, and have grown differently since.
    let size = marker.size.min(log.entries_count());
    // Only of the hot folder: the archive may be away.
    let first = log.first_index(log.first_hot_height());
    let first = first.map_or(size, |first| first.get().clamp(base, size.max(base)));
    let step = size.saturating_sub(first).div_ceil(SAMPLES).max(1);
    for index in (first..size).rev().step_by(step as usize) {
        let record = log
            .entry(LogIndex::new(index))
            .map_err(TreeError::Log)?
            .record;
        if files.node(0, index)? != leaf_hash(&record) {
            return Ok(base);
        }
    }
    Ok(size)
}

/// Reads the committed tree at every size it ever had. Cheap to clone.
#[derive(Clone)]
pub struct TreeReader {
    shared: Arc<Shared>,
}

impl TreeReader {
    /// Number of committed leaves.
    pub fn size(&self) -> u64 {
        self.shared.state.read().committed
    }

    /// Root of the first `size` leaves.
    ///
    /// # Errors
    /// [`TreeError::NotCommitted`] or [`TreeError::Io`].
    pub fn root_at(&self, size: u64) -> Result<Hash, TreeError> {
        self.check_size(size)?;
        root_at(self, size)
    }

    /// Inclusion proof of a leaf in the tree of the first `size` leaves, lowest sibling first.
    ///
    /// # Errors
    /// [`TreeError::NotCommitted`], [`TreeError::Refused`] or [`TreeError::Io`].
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        self.check_size(size)?;
        Ok(prove_inclusion(self, index, size)?)
    }

    /// Consistency proof between the trees of the first `size1` and the first `size2` leaves.
    ///
    /// # Errors
    /// [`TreeError::NotCommitted`], [`TreeError::Refused`] or [`TreeError::Io`].
    pub fn prove_consistency(&self, size1: u64, size2: u64) -> Result<Vec<Hash>, TreeError> {
        self.check_size(size2)?;
        Ok(prove_consistency(self, size1, size2)?)
    }

    /// The tree's right edge at an earlier size: what a log that begins there needs of the time before.
    ///
    /// # Errors
    /// [`TreeError::NotCommitted`], [`TreeError::BeforeBase`] or [`TreeError::Io`].
    pub fn edge_at(&self, size: u64) -> Result<TreeEdge, TreeError> {
        self.check_size(size)?;
        TreeEdge::read(size, |level, first, count| {
            self.tile_hashes(level, first, count)
        })
    }

    /// `count` hashes of a tile level from `first` on. Level k holds subtrees of 256^k leaves.
    ///
    /// # Errors
    /// [`TreeError::NotCommitted`] when the tree does not have all of them, or [`TreeError::Io`].
    pub fn tile_hashes(
        &self,
        tile_level: usize,
        first: u64,
        count: usize,
    ) -> Result<Vec<Hash>, TreeError> {
        let mut hashes = vec![[0; 32]; count];
        let in_file = {
            let state = self.shared.state.read();
            let end = first.saturating_add(count as u64);
            let known = tile_level < LEVELS && end <= hashes_at(state.committed, tile_level);
            if !known {
                let size =
                    end.saturating_mul(1u64.checked_shl(8 * tile_level as u32).unwrap_or(u64::MAX));
                return Err(TreeError::NotCommitted {
                    size,
                    committed: state.committed,
                });
            }
            let Level { written, tail } = &state.levels[tile_level];
            let in_file = written.saturating_sub(first).min(count as u64) as usize;
            if in_file < count {
                let start = (first + in_file as u64 - written) as usize;
                hashes[in_file..].copy_from_slice(&tail[start..start + count - in_file]);
            }
            in_file
        };
        // Hashes in a file never change, so they are read without the lock.
        self.shared
            .files
            .read(tile_level, first, &mut hashes[..in_file])?;
        Ok(hashes)
    }

    /// Computes every hash again from the log's records and compares. `progress(leaves done, leaves in all)` is
    /// called after each block.
    ///
    /// # Errors
    /// [`TreeError::Mismatch`] for the first difference, [`TreeError::Log`] or [`TreeError::Io`].
    pub fn verify_all(
        &self,
        log: &LogReader,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<u64, TreeError> {
        let size = self.size();
        let mut frontier = match log.base() {
            None => Frontier::new(),
            Some(base) => base.edge.frontier(),
        };
        for block in log.blocks(log.first_height()) {
            let block = block.map_err(TreeError::Log)?;
            if frontier.size() >= size {
                break;
            }
            let mut fresh: Vec<(u64, Vec<Hash>)> = (0..LEVELS)
                .map(|level| (hashes_at(frontier.size(), level), vec![]))
                .collect();
            for (_, record) in block.items() {
                frontier.push_with(leaf_hash(record), |level, _, hash| {
                    if level.is_multiple_of(TILE_HEIGHT) {
                        fresh[(level / TILE_HEIGHT) as usize].1.push(*hash);
                    }
                });
            }
            for (level, (first, hashes)) in fresh.iter().enumerate() {
                let stored = self.tile_hashes(level, *first, hashes.len())?;
                if let Some(at) = stored
                    .iter()
                    .zip(hashes)
                    .position(|(stored, hash)| stored != hash)
                {
                    return Err(TreeError::Mismatch {
                        level,
                        index: first + at as u64,
                    });
                }
            }
            progress(frontier.size(), size);
        }
        Ok(frontier.size())
    }

    fn check_size(&self, size: u64) -> Result<(), TreeError> {
        let committed = self.size();
        if size > committed {
            Err(TreeError::NotCommitted { size, committed })
        } else {
            Ok(())
        }
    }
}

impl HashSource for TreeReader {
    type Error = TreeError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, TreeError> {
        let (tile_level, inner) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        Ok(fold(self.tile_hashes(
            tile_level as usize,
            index << inner,
            1 << inner,
        )?))
    }
}
