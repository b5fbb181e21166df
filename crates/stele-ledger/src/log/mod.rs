//! The entry log: append-only segment files of blocks, the truth of the ledger.
//!
//! The design, the format byte by byte and the crash reasoning stand in docs/design/0004-entry-log.md.
//!
//! Concepts:
//! - A *block frame* is a block's opaque header, its entries, and one record for each entry: the leaf data of
//!   the log's Merkle tree. The log interprets none of them.
//! - [`EntryLog`] is the one writer. A block is final once [`EntryLog::sync`] has returned, and only then
//!   do readers see it.
//! - [`LogReader`] reads from any thread while the writer appends, archived segments included
//!   ([`LogReader::archive_below`]).
//! - [`TreeStore`] keeps the Merkle tree over the records. It and `index.dat` are derived: both may be
//!   deleted, and are rebuilt when the log is opened.
//!
//! Invariants:
//! - Heights start at 0, or behind the base block of a log that began with a snapshot, and have no gaps; so do log indexes.
//! - Only the last segment may hold frames that were never synced: a segment is synced before the next one
//!   is created.
//! - `index.dat` lists a block only after its frame was synced. A block that the index lists and a segment
//!   lacks was therefore lost, not torn.
//! - After a failed write or sync the writer refuses everything until the log is opened again, because the
//!   kernel may have dropped the pages that it could not write. Lack of space is no such failure.
//!
//! Status: BETA.

mod archive;
mod base;
mod file;
mod frame;
mod index;
mod open;
mod reader;
mod repair;
mod sealed;
mod segment;
mod tree;
mod tree_files;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

pub use archive::ArchiveStatus;
pub use base::{LogBase, TreeEdge};
pub use frame::{BlockFrame, FrameError, FrameLimits};
pub use open::OpenReport;
pub use reader::{Blocks, LogEntry, LogReader, VerifyReport};
pub use repair::{CutReport, cut_damaged};
use stele_core::id::{Height, LogIndex};
pub use tree::{TreeError, TreeReader, TreeStore};
pub use writer::EntryLog;

/// Settings of a log. All but `limits` may differ from one opening to the next.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// A block that would make a segment longer than this starts a new one. A single larger block is allowed.
    pub segment_bytes_max: u32,
    /// Space reserved ahead of the writer, in bytes; 0 reserves only what each block needs.
    pub reserve_bytes: u32,
    /// Folder of archived segments, absolute or within the log's; `None` is the one used before, at first `archive` in the log's folder.
    pub archive_dir: Option<PathBuf>,
    /// Largest block taken, and largest block believed when a segment is read.
    pub limits: FrameLimits,
}

impl Default for LogOptions {
    /// Segments of 256 MiB, 16 MiB reserved ahead.
    fn default() -> Self {
        Self {
            segment_bytes_max: 256 << 20,
            reserve_bytes: 16 << 20,
            archive_dir: None,
            limits: FrameLimits::default(),
        }
    }
}

/// Why the log could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A new log was to begin in a folder that holds something.
    #[error("{} is not empty", dir.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// Another process, or another part of this one, has the log open for writing.
    #[error("the log in {} is in use by another process", dir.display())]
    Locked {
        /// Folder of the log.
        dir: PathBuf,
    },
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
    /// There is no space left for a block. Nothing of it was kept; appending works again when space returns.
    #[error("no space left for {}", path.display())]
    NoSpace {
        /// The file that could not grow.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A write or sync failed earlier; what reached the disk is unknown until the log is opened again.
    #[error("the log refuses to write after a failed write or sync, until it is opened again")]
    Poisoned,
    /// A file does not hold what was written to it.
    #[error("{} is damaged at byte {offset} (block {height}): {reason}", file.display())]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// Where in it the damage was met.
        offset: u64,
        /// The block that cannot be read.
        height: Height,
        /// What was found.
        reason: String,
    },
    /// An archived segment is missing, damaged, or not the one that was sealed. Everything else goes on.
    #[error("the archived segment {} cannot be used: {reason}", segment.display())]
    Archived {
        /// The segment.
        segment: PathBuf,
        /// Its first block.
        first_height: Height,
        /// What is wrong.
        reason: String,
    },
    /// The archive's folder holds the segments of another log.
    #[error("{} holds the archive of another node", dir.display())]
    ArchiveTaken {
        /// The archive's folder.
        dir: PathBuf,
    },
    /// The file was written by a version of Stele that this one does not know.
    #[error("{} has format version {found}, this program reads version {known}", file.display())]
    UnsupportedVersion {
        /// The file.
        file: PathBuf,
        /// Version in the file.
        found: u16,
        /// Version that is understood.
        known: u16,
    },
    /// Blocks are appended in order of their heights, without gaps.
    #[error("block {found} cannot be appended, the next one is block {expected}")]
    HeightOutOfOrder {
        /// The next height.
        expected: Height,
        /// The height given.
        found: Height,
    },
    /// Each entry has one record.
    #[error("a block of {entries} entries cannot have {records} records")]
    CountMismatch {
        /// Entries given.
        entries: usize,
        /// Records given.
        records: usize,
    },
    /// The block is above the limits of [`FrameLimits`].
    #[error("the block is too large: {0}")]
    TooLarge(#[source] FrameError),
    /// The log has no final block of this height.
    #[error("there is no block {height}, the log has {blocks} blocks")]
    NoSuchBlock {
        /// The height asked for.
        height: Height,
        /// Final blocks in the log.
        blocks: u64,
    },
    /// The block or entry is older than this log.
    #[error(
        "this node began with a snapshot and holds nothing up to block {base}, the entries below {first_index}"
    )]
    BeforeBase {
        /// The block after which the log begins.
        base: Height,
        /// The first entry held.
        first_index: LogIndex,
    },
    /// The log has no final entry of this index.
    #[error("there is no entry {index}, the log has {entries} entries")]
    NoSuchEntry {
        /// The index asked for.
        index: LogIndex,
        /// Final entries in the log.
        entries: u64,
    },
}

impl LogError {
    /// The next step for the person who runs the node, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Locked { .. } => Some("stop the other process that uses this folder first"),
            Self::NoSpace { .. } => Some("free space on this file system; the log then goes on"),
            Self::Poisoned => Some("check the disk (dmesg, smartctl), then restart the node"),
            Self::Damaged { .. } => Some(
                "restore the file from a backup or another node; `stele doctor --repair` keeps all \
                 blocks before the damage and sets the rest aside",
            ),
            Self::UnsupportedVersion { .. } => Some("use the version of Stele that wrote this log"),
            Self::Archived { .. } => Some(
                "put the file and the seal beside it back into the archive's folder, from a backup or another node's archive; \
                 no restart is needed",
            ),
            Self::ArchiveTaken { .. } => Some("give each node an archive folder of its own"),
            Self::BeforeBase { .. } => Some("ask a node that holds the whole log"),
            _ => None,
        }
    }
}

/// Adds the action and path to an I/O error.
fn io_error(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> LogError {
    let path = path.into();
    move |source| LogError::Io {
        action,
        path,
        source,
    }
}
