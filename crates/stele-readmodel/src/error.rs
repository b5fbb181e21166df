//! What can go wrong in the read model.

use std::path::PathBuf;

use stele_core::id::{Height, LogIndex};

/// The result of every call here.
pub type Result<T> = std::result::Result<T, ReadModelError>;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadModelError {
    /// The file is damaged or not ours. The log has everything: drop the file and index again.
    #[error("the read model {} is damaged ({detail}); rebuild it from the log", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the check found.
        detail: String,
    },
    /// The file was written by another version of this crate. Drop it and index again.
    #[error("the read model {} has layout {found}, this program writes layout {expected}; rebuild it from the log", path.display())]
    OtherLayout {
        /// The file.
        path: PathBuf,
        /// Its layout number.
        found: i64,
        /// Ours.
        expected: i64,
    },
    /// The batch does not continue where the read model stands. Nothing was stored.
    #[error("entry {found} was fed where entry {expected} is next")]
    EntryGap {
        /// The log index that is next.
        expected: LogIndex,
        /// The log index that came.
        found: LogIndex,
    },
    /// The batch's blocks do not continue where the read model stands. Nothing was stored.
    #[error("block {found} was fed where block {expected} is next")]
    BlockGap {
        /// The height that is next.
        expected: Height,
        /// The height that came.
        found: Height,
    },
    /// Times fall from one entry to the next, which no log does. Nothing was stored.
    #[error("entry {at} is older than the entry before it")]
    TimeFalls {
        /// The entry.
        at: LogIndex,
    },
    /// The request is outside its limits; the sentence says how.
    #[error("{0}")]
    BadRequest(String),
    /// The cursor is not one of ours, or it belongs to another filter.
    #[error("the cursor does not belong to this query")]
    BadCursor,
    /// The query would look at more rows than one request may.
    #[error("the query looks at too many rows; narrow it by register, party, time or text")]
    TooExpensive,
    /// The disk or the engine failed. The model stays at the position it had.
    #[error("the read model {} failed", path.display())]
    Engine {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
