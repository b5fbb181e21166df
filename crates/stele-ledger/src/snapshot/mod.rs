//! Snapshots: a ledger as of one certified block, in chunks, so that a new node need not execute everything from block 0 on.
//!
//! A snapshot holds the state after one block, the blocks of the hour up to it, and the right edge of the log's Merkle tree
//! before them. Nothing in it has to be believed: the block's certificate vouches for the state's root and, through the edge and
//! the blocks' records, for the log's. The hour is as long as an entry can be valid, so the node knows every entry id that could
//! be replayed, and checks each against the certificate. Design note 0010; bytes in docs/format.md section 10.
//!
//! - [`Ledger::export_snapshot`] writes a snapshot into a file while blocks go on; [`SnapshotSource`] serves it chunk by chunk.
//! - [`SnapshotSink`] takes a manifest and chunks in any order, survives a crash, and makes a ledger of them.
//! - [`restore`] makes a ledger of a snapshot file. [`adopt`] puts a ledger that was restored in [`staging`] in the place of a fresh one.
//!
//! # Failure
//! Until `genesis.cbor` is written there is no ledger in the folder. `incoming/` marks a restore that was begun: it alone allows
//! that log and state beside it are thrown away and made again.
//!
//! [`Ledger::export_snapshot`]: crate::ledger::Ledger::export_snapshot

mod body;
mod build;
mod export;
mod manifest;
mod sink;
mod source;

use std::path::PathBuf;

use stele_core::id::{Height, NetworkId};

pub use manifest::{CHUNK_BYTES, MANIFEST_BYTES_MAX, SnapshotBase, SnapshotManifest};
pub use sink::{SnapshotSink, adopt, holds_block_zero_alone, restore, staging};
pub(crate) use sink::{clear_leftovers, is_begun};
pub use source::SnapshotSource;

use crate::ledger::LedgerError;
use crate::log::{LogError, TreeError};
use crate::state::StateError;

/// A step of the work, for progress bars: what is being done, how much is done, how much there is.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// A part of a snapshot that can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The manifest's own form.
    Manifest,
    /// The certificate of the block that the snapshot is of, or of the block before those it holds.
    Certificate,
    /// The right edge of the Merkle tree.
    Frontier,
    /// The state.
    State,
    /// The blocks.
    Blocks,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Certificate => "certificate",
            Self::Frontier => "frontier",
            Self::State => "state",
            Self::Blocks => "blocks",
        }
    }
}

/// Why a snapshot could not be made, read or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The ledger, its log, tree or state, or the operating system.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The file is no snapshot, or its end is missing.
    #[error("{} is not a whole snapshot: {reason}", path.display())]
    NotASnapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// A part of the snapshot is not what the network certified.
    #[error("the snapshot's {} is refused: {reason}", part.name())]
    Refused {
        /// Which part.
        part: Part,
        /// What is wrong.
        reason: String,
    },
    /// The snapshot is of another network.
    #[error("the snapshot is of network {found}, not of {expected}")]
    WrongNetwork {
        /// The network that was asked for.
        expected: NetworkId,
        /// The snapshot's.
        found: NetworkId,
    },
    /// A chunk does not have the hash that the manifest names.
    #[error("chunk {index} of the snapshot is damaged")]
    Chunk {
        /// Which one, from 0.
        index: u32,
    },
    /// The manifest has no such chunk.
    #[error("the snapshot has {chunks} chunks, there is no chunk {index}")]
    NoSuchChunk {
        /// The one asked for.
        index: u32,
        /// Chunks there are.
        chunks: u32,
    },
    /// Not all chunks are here.
    #[error("{missing} chunks of the snapshot are missing, the first is chunk {first}")]
    Incomplete {
        /// How many.
        missing: usize,
        /// The first of them.
        first: u32,
    },
    /// The state of the moment did not become final in time.
    #[error("block {0}, whose state the snapshot would hold, has not become final yet")]
    NotFinal(Height),
    /// A manifest could not name so many chunks.
    #[error("the ledger is too large for a snapshot: its manifest would have {0} bytes")]
    TooLarge(usize),
    /// There is something already where a ledger was to be made.
    #[error("{} holds {what} already", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
        /// What stands there.
        what: &'static str,
    },
}

impl SnapshotError {
    fn refused(part: Part, reason: impl Into<String>) -> Self {
        Self::Refused {
            part,
            reason: reason.into(),
        }
    }

    /// The refusal's code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ledger(_) => "snapshot.ledger",
            Self::NotASnapshot { .. } => "snapshot.not-whole",
            Self::Refused { part, .. } => match part {
                Part::Manifest => "snapshot.bad-manifest",
                Part::Certificate => "snapshot.bad-certificate",
                Part::Frontier => "snapshot.bad-frontier",
                Part::State => "snapshot.bad-state",
                Part::Blocks => "snapshot.bad-blocks",
            },
            Self::WrongNetwork { .. } => "snapshot.wrong-network",
            Self::Chunk { .. } => "snapshot.bad-chunk",
            Self::NoSuchChunk { .. } => "snapshot.no-such-chunk",
            Self::Incomplete { .. } => "snapshot.incomplete",
            Self::NotFinal(_) => "snapshot.not-final",
            Self::TooLarge(_) => "snapshot.too-large",
            Self::Occupied { .. } => "snapshot.occupied",
        }
    }

    /// The next step for the person who runs the node, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Ledger(error) => error.hint(),
            Self::NotASnapshot { .. } | Self::Chunk { .. } => {
                Some("copy the file again from the node that made it")
            }
            Self::Refused { .. } => Some(
                "take a snapshot from another node; this one is not what the network certified",
            ),
            Self::WrongNetwork { .. } => {
                Some("give the snapshot and the descriptor of the same network")
            }
            Self::NotFinal(_) => Some("try again once the node finalises blocks"),
            Self::TooLarge(_) => Some("copy the folder of a stopped node instead"),
            Self::Occupied { .. } => Some("give an empty folder, or one where a restore was begun"),
            Self::NoSuchChunk { .. } | Self::Incomplete { .. } => None,
        }
    }

    /// Whether whoever gave the snapshot is to blame, and not this machine.
    pub fn blames_sender(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::WrongNetwork { .. } | Self::Chunk { .. }
        )
    }
}

impl From<StateError> for SnapshotError {
    fn from(error: StateError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<LogError> for SnapshotError {
    fn from(error: LogError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<TreeError> for SnapshotError {
    fn from(error: TreeError) -> Self {
        Self::Ledger(error.into())
    }
}
