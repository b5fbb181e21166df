//! The authenticated key-value state: a sparse Merkle tree in memory over a value log on disk.
//!
//! Every key of every register has a 256-bit path ([`stele_core::state_proof::state_path`]). The tree's hashes and the
//! places of the values are held in memory (112 bytes per key), the values in append-only segments that are read when
//! asked for. Design note 0003 has the formats, the measurements and the reasons.
//!
//! - [`State::apply`] takes the changes of one block, appends them to the value log and updates the root; nothing is
//!   fsynced. The entry log is the truth: what a crash takes is executed again from there.
//! - [`State::checkpoint`] makes everything up to now durable, while blocks go on, and gives space back. Its two halves let the
//!   ledger wait in between until the entry log has the block: a checkpoint is never ahead of the log.
//! - [`State::open`] loads the last checkpoint, applies what stands intact in the value log after it, and says in
//!   [`OpenReport`] which height that gives and what was dropped.
//! - [`State::get`] and [`State::prove`] check each value against the tree, so that a flipped bit on disk is an error
//!   and never a wrong answer.
//!
//! # Invariants
//! - What a manifest refers to was fsynced before the manifest was.
//! - A frame is written before the tree changes, and its records are never changed afterwards.
//! - Every leaf points to a record of its own path, whose value has the leaf's hash.
//! - A segment is deleted only after a durable checkpoint without any reference to it.
//!
//! # Failure
//! After a failed write or fsync of the value log or the manifest nothing more is accepted
//! ([`StateError::Failed`]) until the state is opened again; reads go on. Lack of space is no such failure
//! ([`StateError::NoSpace`]): what was begun is taken back, and works when it is tried again with room. Damage is [`StateError::Corrupt`] with file and
//! offset; the way out is to rebuild from the entry log ([`State::destroy`], then [`State::create`]).

mod arena;
mod checkpoint;
mod compact;
mod files;
mod location;
mod log;
mod pin;
mod record;
mod replay;
mod shard;
mod store;
mod tree;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use stele_core::state_proof::StateProof;
use thiserror::Error;

pub use compact::PreparedCheckpoint;
pub(crate) use pin::StatePin;
pub use store::State;

/// The greatest length of a register's name, in bytes.
pub const REGISTER_BYTES_MAX: usize = 255;
/// The greatest length of a key, in bytes.
pub const KEY_BYTES_MAX: usize = u16::MAX as usize;
/// The greatest length of a value, in bytes: 1 MiB, as long as an entry can be.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// One change of a block. Of several changes to one path in a block the last one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// [`stele_core::state_proof::state_path`] of register and key. The store takes it as given.
    pub path: [u8; 32],
    /// The register's name, at most [`REGISTER_BYTES_MAX`] bytes; kept for audits.
    pub register: &'a str,
    /// The key, at most [`KEY_BYTES_MAX`] bytes; kept for audits.
    pub key: &'a [u8],
    /// The new value, at most [`VALUE_BYTES_MAX`] bytes, or `None` to delete the key, which may be absent.
    pub value: Option<&'a [u8]>,
}

/// How a [`State`] is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateOptions {
    /// A segment of the value log is closed once it has this many bytes. Default 256 MiB; at most 2 GiB.
    pub segment_bytes: u64,
    /// Frames above this height are dropped at opening: a state may not be ahead of the entry log. Default: none.
    pub height_max: Option<u64>,
    /// Threads for hashing, in a pool of the state's own. Default 0: as many as there are cores.
    pub threads: usize,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 256 << 20,
            height_max: None,
            threads: 0,
        }
    }
}

/// What [`State::open`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// The last block in the state, `None` before the first. The ledger executes the later ones from the entry log.
    pub height: Option<u64>,
    /// The state root after that block.
    pub root: [u8; 32],
    /// The number of keys.
    pub keys: u64,
    /// The last block of the checkpoint from which the opening started.
    pub checkpoint_height: Option<u64>,
    /// How many blocks were applied from the value log after the checkpoint.
    pub blocks_replayed: u64,
    /// How many changes these held.
    pub changes_replayed: u64,
    /// The end of the value log that was cut off because it was torn, damaged or above the height asked for.
    pub dropped: Option<Dropped>,
}

/// The end of the value log that [`State::open`] cut off. Nothing is lost by it: the entry log has the blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The segment in which the intact part ends.
    pub file: PathBuf,
    /// Where it ends, in bytes from the start of that file.
    pub offset: u64,
    /// How many bytes were cut off, later segments included.
    pub bytes: u64,
    /// What is wrong there.
    pub reason: &'static str,
}

/// A value, or its absence, with the proof under the root of the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvenValue {
    /// The value, `None` if the key is absent.
    pub value: Option<Vec<u8>>,
    /// Verifies under `root`.
    pub proof: StateProof,
    /// The state root after the block at `height`.
    pub root: [u8; 32],
    /// The last block in the state, `None` before the first.
    pub height: Option<u64>,
}

/// A key with its value, as [`State::scan`] reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyValue<'a> {
    /// The path in the tree.
    pub path: &'a [u8; 32],
    /// The register's name.
    pub register: &'a str,
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// Why the state could not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// The operating system refused.
    #[error("cannot {action} {}", file.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or directory.
        file: PathBuf,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// There is no space left for a frame. Nothing of it was kept; applying works again when space returns.
    #[error("no space left for {}", file.display())]
    NoSpace {
        /// The file that could not grow.
        file: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file is damaged. Rebuild the state from the entry log: `stele doctor --rebuild`.
    #[error("{} is damaged at byte {offset}: {reason}", file.display())]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Where the damage was noticed, in bytes from the start.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Another process, or another part of this one, has the state open.
    #[error("the state in {} is in use", dir.display())]
    Locked {
        /// The state's directory.
        dir: PathBuf,
    },
    /// The directory holds files but no manifest.
    #[error("{} holds no state: its manifest is missing", dir.display())]
    NoManifest {
        /// The directory.
        dir: PathBuf,
    },
    /// [`State::create`] found something in the directory.
    #[error("{} is not empty", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// An earlier write failed. Open the state again.
    #[error("an earlier write to the state failed; it must be opened again")]
    Failed,
    /// Blocks are applied in ascending order of height.
    #[error("block {given} cannot follow: the state holds block {held} already")]
    HeightNotAhead {
        /// The height asked for.
        given: u64,
        /// The height of the state.
        held: u64,
    },
    /// The checkpoint is above the height that the caller can vouch for. Rebuild the state.
    #[error("the state's checkpoint holds block {held}, ahead of block {allowed}")]
    Ahead {
        /// The height of the checkpoint.
        held: u64,
        /// [`StateOptions::height_max`].
        allowed: u64,
    },
    /// A part of a change, or all changes of a block together, exceed a limit.
    #[error("{what} has {found} bytes, above the limit of {limit}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its length in bytes.
        found: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The store's numbering is used up: about two thousand million keys, or 2^20 segments written over its life.
    /// Rebuilding starts the numbering anew.
    #[error("the state store is full: no more {what}")]
    Full {
        /// What has run out.
        what: &'static str,
    },
}
