//! [`State`]: locking, the order of writes, and what may go on at the same time.
//!
//! Locks are taken in this order: `maintenance`, `writer`, `tree`, `live`. The tree's write lock is held only while hashes
//! are updated, and only by threads of the state's own pool or by a caller whose batch is small: no foreign task that waits for
//! the lock can keep the pool from finishing.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use stele_core::state_proof::{EMPTY, StateProof, Terminal};

use super::checkpoint::Manifest;
use super::files::{self, io_error};
use super::log::{Segment, Segments, Writer};
use super::record::{FrameKind, SEGMENT_HEADER};
use super::replay::{Replayed, add, replay, subtract};
use super::shard::{End, LeafView};
use super::tree::{Batch, Input, SHARDS, Tree};
use super::{
    Change, KEY_BYTES_MAX, KeyValue, OpenReport, ProvenValue, REGISTER_BYTES_MAX, StateError,
    StateOptions, VALUE_BYTES_MAX,
};

/// Batches below this size stay on the calling thread.
const POOL_MIN: usize = 256;
/// A checkpoint is due after this many bytes of new frames, or half as many as the last checkpoint has if that is more:
/// writing it costs about half of what applying them did, and reopening replays no more than that.
const CHECKPOINT_BYTES_MIN: u64 = 64 << 20;

/// The authenticated key-value state. See the [module](super) for what it keeps and what it does not.
///
/// All methods take `&self`. Reads may come from any number of threads; each sees the state between two blocks.
pub struct State {
    pub(super) dir: PathBuf,
    pub(super) tree: RwLock<Tree>,
    pub(super) segments: Segments,
    pub(super) writer: Mutex<Writer>,
    /// Log bytes that leaves point to, by segment.
    pub(super) live: Mutex<BTreeMap<u32, u64>>,
    /// Held by checkpoints; the manifest on disk.
    pub(super) maintenance: Mutex<Manifest>,
    /// Frame bytes since the last checkpoint, and the length of that checkpoint.
    pub(super) frame_bytes: AtomicU64,
    pub(super) checkpoint_bytes: AtomicU64,
    failed: AtomicBool,
    pool: ThreadPool,
    _lock: File,
}

impl State {
    /// Opens the state in `dir`, or creates it if there is nothing.
    ///
    /// # Errors
    /// [`StateError::Corrupt`] names the damaged file; [`StateError::Locked`] if the state is open elsewhere;
    /// [`StateError::Ahead`] if its checkpoint is above [`StateOptions::height_max`].
    pub fn open(dir: &Path, options: StateOptions) -> Result<(Self, OpenReport), StateError> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let lock = lock(dir)?;
        if is_unused(dir)? {
            initialise(dir, &options)?;
        }
        let manifest = Manifest::load(dir)?;
        if let (Some(held), Some(allowed)) =
            (manifest.next_height.checked_sub(1), options.height_max)
            && held > allowed
        {
            return Err(StateError::Ahead { held, allowed });
        }
        let pool = build_pool(dir, options.threads)?;
        let replayed = pool.install(|| replay(dir, &manifest, options.height_max))?;
        let report = report(&manifest, &replayed);
        let tail = replayed.segments.values().next_back().map(Arc::clone);
        let tail = tail.expect("the manifest lists at least one segment");
        let end = tail.length()? as u32;
        let state = Self {
            dir: dir.to_path_buf(),
            writer: Mutex::new(Writer::new(dir, options.segment_bytes, tail, end)),
            segments: Segments::new(replayed.segments),
            tree: RwLock::new(replayed.tree),
            live: Mutex::new(replayed.live),
            frame_bytes: AtomicU64::new(replayed.log_bytes),
            checkpoint_bytes: AtomicU64::new(manifest.checkpoint_bytes),
            maintenance: Mutex::new(manifest),
            failed: AtomicBool::new(false),
            pool,
            _lock: lock,
        };
        Ok((state, report))
    }

    /// Creates an empty state in `dir`, which must be missing or empty.
    ///
    /// # Errors
    /// [`StateError::NotEmpty`], or the operating system's refusal.
    pub fn create(dir: &Path, options: StateOptions) -> Result<Self, StateError> {
        if dir.exists() && files::names(dir)?.iter().any(|name| name != files::LOCK) {
            return Err(StateError::NotEmpty {
                dir: dir.to_path_buf(),
            });
        }
        Ok(Self::open(dir, options)?.0)
    }

    /// Removes the state in `dir`, damaged or not, and nothing else that may lie there. It must not be open.
    ///
    /// # Errors
    /// [`StateError::Locked`], or the operating system's refusal.
    pub fn destroy(dir: &Path) -> Result<(), StateError> {
        if !dir.exists() {
            return Ok(());
        }
        let _lock = lock(dir)?;
        // The manifest goes first: what a crash leaves of the rest is then no state any more.
        files::remove(&dir.join(files::MANIFEST))?;
        for name in files::names(dir)? {
            if files::segment_number(&name).is_some() || files::is_checkpoint(&name) {
                files::remove(&dir.join(&name))?;
            }
        }
        files::sync_directory(dir)
    }

    /// Applies the changes of block `height` and returns the new state root. Heights ascend; they may have gaps.
    ///
    /// The order of `changes` matters only among changes to the same path, of which the last one counts. Must not be called
    /// from within a task of a rayon pool that also applies blocks.
    ///
    /// # Errors
    /// [`StateError::HeightNotAhead`], [`StateError::TooLarge`], [`StateError::Full`] and [`StateError::NoSpace`] change nothing. After any other
    /// error the state accepts no more writes until it is opened again; reads go on under the old root.
    pub fn apply(&self, height: u64, changes: &[Change<'_>]) -> Result<[u8; 32], StateError> {
        // u64::MAX is no height of any block; saturating keeps it from becoming "before the first".
        self.append(FrameKind::Block, height.saturating_add(1), changes)
    }

    /// Appends a frame of the given kind and updates the tree, whose next height it sets.
    pub(super) fn append(
        &self,
        kind: FrameKind,
        next_height: u64,
        changes: &[Change<'_>],
    ) -> Result<[u8; 32], StateError> {
        check_sizes(changes)?;
        let mut guard = self.writer.lock();
        let writer = &mut *guard;
        self.check_usable()?;
        let root_before = {
            let tree = self.tree.read();
            if let Some(held) = tree.height().filter(|held| next_height <= held + 1) {
                return Err(StateError::HeightNotAhead {
                    given: next_height.saturating_sub(1),
                    held,
                });
            }
            if tree.could_overflow(changes.len()) {
                return Err(StateError::Full { what: "keys" });
            }
            tree.root()
        };
        let encoded = writer.encode(&self.segments, kind, next_height, root_before, changes);
        let locations = self.poison_unless_refused(encoded)?;
        let inputs: Vec<Input<'_>> = changes
            .iter()
            .zip(locations)
            .map(|(change, location)| Input {
                path: &change.path,
                value: change.value,
                location,
            })
            .collect();
        if changes.len() < POOL_MIN {
            self.write_and_update(writer, &inputs, next_height)
        } else {
            self.pool
                .install(|| self.write_and_update(writer, &inputs, next_height))
        }
    }

    /// The value at `path`, checked against the tree.
    ///
    /// # Errors
    /// [`StateError::Corrupt`] if the stored value is damaged.
    pub fn get(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, StateError> {
        let found = {
            let tree = self.tree.read();
            tree.get(path)
                .map(|leaf| (self.segments.get(leaf.location.segment()), leaf))
        };
        match found {
            Some((segment, leaf)) => Ok(Some(segment.read_value(&leaf)?.0)),
            None => Ok(None),
        }
    }

    /// The values at several paths as of one moment, read on all cores. For many keys this is faster than
    /// [`State::get`] in turn.
    ///
    /// # Errors
    /// As [`State::get`].
    pub fn get_many(&self, paths: &[[u8; 32]]) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        let found: Vec<Option<(Arc<Segment>, LeafView)>> = {
            let tree = self.tree.read();
            let locate = |path: &[u8; 32]| {
                tree.get(path)
                    .map(|leaf| (self.segments.get(leaf.location.segment()), leaf))
            };
            paths.iter().map(locate).collect()
        };
        let read = |found: &Option<(Arc<Segment>, LeafView)>| match found {
            Some((segment, leaf)) => segment.read_value(leaf).map(|(value, _)| Some(value)),
            None => Ok(None),
        };
        if paths.len() < POOL_MIN {
            found.iter().map(read).collect()
        } else {
            self.pool
                .install(|| found.par_iter().with_min_len(64).map(read).collect())
        }
    }

    /// The value at `path`, or its absence, with a proof under the current root.
    ///
    /// # Errors
    /// As [`State::get`].
    pub fn prove(&self, path: &[u8; 32]) -> Result<ProvenValue, StateError> {
        let mut siblings = Vec::with_capacity(32);
        let mut bitmap = Vec::with_capacity(8);
        let (depth, end, root, height) = {
            let tree = self.tree.read();
            let (depth, end) = tree.walk(path, |depth, hash| {
                let byte = usize::from(depth / 8);
                bitmap.resize(bitmap.len().max(byte + 1), 0);
                bitmap[byte] |= 0x80 >> (depth % 8);
                siblings.push(hash);
            });
            let end = match end {
                End::Empty => None,
                End::Leaf(leaf) => Some((self.segments.get(leaf.location.segment()), leaf)),
            };
            (depth, end, tree.root(), tree.height())
        };
        bitmap.resize(usize::from(depth).div_ceil(8), 0);
        let (terminal, value) = match end {
            None => (Terminal::Empty, None),
            Some((segment, leaf)) => {
                let (value, value_hash) = segment.read_value(&leaf)?;
                if leaf.path == *path {
                    (Terminal::Leaf, Some(value))
                } else {
                    (
                        Terminal::OtherLeaf {
                            path: leaf.path,
                            value_hash,
                        },
                        None,
                    )
                }
            }
        };
        let proof = StateProof {
            depth,
            sibling_bitmap: bitmap,
            siblings,
            terminal,
        };
        Ok(ProvenValue {
            value,
            proof,
            root,
            height,
        })
    }

    /// The state root after the last block.
    pub fn root(&self) -> [u8; 32] {
        self.tree.read().root()
    }

    /// The last block, `None` before the first.
    pub fn height(&self) -> Option<u64> {
        self.tree.read().height()
    }

    /// Root and height of the same moment.
    pub fn head(&self) -> ([u8; 32], Option<u64>) {
        let tree = self.tree.read();
        (tree.root(), tree.height())
    }

    /// The number of keys.
    pub fn len(&self) -> u64 {
        self.tree.read().leaf_count() as u64
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the tree has allocated.
    pub fn memory_bytes(&self) -> u64 {
        self.tree.read().memory_bytes() as u64
    }

    /// Bytes of all files of the state.
    ///
    /// # Errors
    /// The operating system's refusal.
    pub fn disk_bytes(&self) -> Result<u64, StateError> {
        let mut total = 0;
        for name in files::names(&self.dir)? {
            let path = self.dir.join(&name);
            match fs::metadata(&path) {
                Ok(metadata) => total += metadata.len(),
                // A checkpoint may have removed it in between.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error("inspect", &path)(error)),
            }
        }
        Ok(total)
    }

    /// Whether a failed write has closed the state for writes.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Whether so much was written since the last checkpoint that [`State::checkpoint`] should be called.
    pub fn checkpoint_due(&self) -> bool {
        let last = self.checkpoint_bytes.load(Ordering::Relaxed);
        self.frame_bytes.load(Ordering::Relaxed) > CHECKPOINT_BYTES_MIN.max(last / 2)
    }

    /// Visits every key in the order of the paths and checks each value against the tree; for audits.
    ///
    /// Blocks may be applied meanwhile: then each of the 256 subtrees is seen at a moment of its own.
    ///
    /// # Errors
    /// As [`State::get`], at the first damaged value.
    pub fn scan(
        &self,
        mut visitor: impl FnMut(KeyValue<'_>) -> ControlFlow<()>,
    ) -> Result<(), StateError> {
        for shard in 0..SHARDS {
            let (leaves, segments) = {
                let tree = self.tree.read();
                let mut leaves = Vec::with_capacity(tree.shard(shard).leaf_count());
                tree.shard(shard).visit(|leaf| leaves.push(leaf));
                (leaves, self.segments.all())
            };
            for leaf in leaves {
                let number = leaf.location.segment();
                let index = segments.binary_search_by_key(&number, |segment| segment.number);
                let segment = &segments[index.expect("taken with the leaves under one lock")];
                let bytes = segment.read(leaf.location)?;
                let record = segment.check(&leaf, &bytes)?;
                let view = KeyValue {
                    path: record.path,
                    register: record.register,
                    key: record.key,
                    value: record.value.unwrap_or_default(),
                };
                if visitor(view).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub(super) fn check_usable(&self) -> Result<(), StateError> {
        if self.has_failed() {
            Err(StateError::Failed)
        } else {
            Ok(())
        }
    }

    /// Closes the state for writes if `result` is an error.
    pub(super) fn poison<T>(&self, result: Result<T, StateError>) -> Result<T, StateError> {
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        result
    }

    /// As [`State::poison`], except for refusals that wrote nothing.
    pub(super) fn poison_unless_refused<T>(
        &self,
        result: Result<T, StateError>,
    ) -> Result<T, StateError> {
        match result {
            Err(
                StateError::TooLarge { .. } | StateError::Full { .. } | StateError::NoSpace { .. },
            ) => result,
            _ => self.poison(result),
        }
    }

    /// Appends the encoded frame while the changes are hashed, then updates the tree.
    fn write_and_update(
        &self,
        writer: &mut Writer,
        inputs: &[Input<'_>],
        next_height: u64,
    ) -> Result<[u8; 32], StateError> {
        let (written, batch) = if inputs.len() < POOL_MIN {
            (writer.write(), Batch::new(inputs))
        } else {
            rayon::join(|| writer.write(), || Batch::new(inputs))
        };
        let bytes = self.poison_unless_refused(written)?;
        self.frame_bytes.fetch_add(bytes, Ordering::Relaxed);
        let (freed, root) = {
            let mut tree = self.tree.write();
            let freed = tree.apply(&batch, writer.position());
            tree.next_height = next_height;
            (freed, tree.root())
        };
        let mut live = self.live.lock();
        add(&mut live, batch.live_bytes());
        subtract(&mut live, &freed);
        Ok(root)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("State")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

fn lock(dir: &Path) -> Result<File, StateError> {
    let path = dir.join(files::LOCK);
    let file = files::create(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::Locked {
            dir: dir.to_path_buf(),
        }),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
    }
}

/// Whether the directory holds nothing, or no more than what a crash within [`initialise`] leaves.
fn is_unused(dir: &Path) -> Result<bool, StateError> {
    for name in files::names(dir)? {
        let path = dir.join(&name);
        let begun = name == files::segment_name(0)
            && fs::metadata(&path)
                .map_err(io_error("inspect", &path))?
                .len()
                <= SEGMENT_HEADER as u64;
        if !begun && name != files::LOCK && name != format!("{}.tmp", files::MANIFEST) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes the first segment and the first manifest of an empty state.
fn initialise(dir: &Path, options: &StateOptions) -> Result<(), StateError> {
    let writer = Writer::create(dir, options.segment_bytes)?;
    let segment = writer.segment();
    files::sync(&segment.file, &segment.path)?;
    let manifest = Manifest {
        checkpoint: 0,
        checkpoint_bytes: 0,
        start: writer.position(),
        end: writer.position(),
        next_height: 0,
        root: EMPTY,
        segments: vec![segment.number],
    };
    manifest.store(dir)
}

fn build_pool(dir: &Path, threads: usize) -> Result<ThreadPool, StateError> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("state-{index}"))
        .build()
        .map_err(|error| io_error("start threads for", dir)(std::io::Error::other(error)))
}

fn report(manifest: &Manifest, replayed: &Replayed) -> OpenReport {
    OpenReport {
        height: replayed.tree.height(),
        root: replayed.tree.root(),
        keys: replayed.tree.leaf_count() as u64,
        checkpoint_height: manifest.next_height.checked_sub(1),
        blocks_replayed: replayed.blocks,
        changes_replayed: replayed.changes,
        dropped: replayed.dropped.clone(),
    }
}

fn check_sizes(changes: &[Change<'_>]) -> Result<(), StateError> {
    let check = |what, found: usize, limit: usize| {
        if found <= limit {
            Ok(())
        } else {
            Err(StateError::TooLarge {
                what,
                found: found as u64,
                limit: limit as u64,
            })
        }
    };
    for change in changes {
        check(
            "a register's name",
            change.register.len(),
            REGISTER_BYTES_MAX,
        )?;
        check("a key", change.key.len(), KEY_BYTES_MAX)?;
        check(
            "a value",
            change.value.map_or(0, <[u8]>::len),
            VALUE_BYTES_MAX,
        )?;
    }
    Ok(())
}
