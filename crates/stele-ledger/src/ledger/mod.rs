//! The ledger: takes entries in, orders them into blocks, makes them final, proves them.
//!
//! Life of an entry, one thread for each step, so that the steps of successive blocks overlap:
//! 1. [`Ledger::submit`], on the caller's thread: shape, network, window, keys.
//! 2. *verify*: signatures of all waiting entries together, on all cores.
//! 3. *execute*: novelty, window against the block's time, then the registers; the state's new root; the certificate.
//!    In a network the order comes from outside, and what of a block does not depend on the state is checked ahead of its turn, in a
//!    step of its own: the module `prepare`.
//! 4. *persist*: the block goes to the log and is synced. Only now is it final: its submitters hear of it,
//!    watchers wake, receipts can be cut.
//!
//! The state runs ahead of the log by at most the blocks between steps 3 and 4. After a crash it is brought back to a block
//! that the log has, and the blocks after it are executed again: the module `recover`.
//!
//! What the disk cannot take does not lose anything: below the reserve of free space new entries are refused
//! while reads go on, and a block that met a full disk waits until space returns, or is given up unordered when
//! the ledger is closed meanwhile.
//!
//! A ledger that has halted keeps its threads: what still waits is refused with `node.halted`. Where the outcome cannot be known
//! here, submitters hear `node.unknown-outcome` instead: after a write or sync that failed half-way, and of whatever another
//! node of the network may still make final.

mod admission;
mod archive;
mod checkpoint;
mod execute;
mod judge;
mod open;
mod order;
mod persist;
mod pool;
mod prepare;
mod read;
mod reads;
mod recover;
mod replay;
mod stats;
mod submit;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stele_core::block::{Certificate, Event, Record};
use stele_core::entry::Entry;
use stele_core::id::{BlockHash, EntryId, Height, LogIndex, TimeMs};
use stele_core::machine::Refusal;

pub use open::{Ledger, Recovered};
pub(crate) use open::{certificate_at, check_network, write_genesis};
pub use order::{
    CertifiedBlock, Certifier, CertifyError, Delivered, Done, FollowError, OrderedBlock,
    Uncertified,
};
pub use read::ProofError;
pub(crate) use recover::{decode_item, execute_again};
pub use stats::{LedgerStats, StatsSnapshot};
pub use submit::{Progress, unknown_outcome};

use crate::log::{LogError, LogOptions, TreeError};
use crate::state::{StateError, StateOptions};

/// Where the ledger takes the time from. Tests give their own.
pub type Clock = Arc<dyn Fn() -> TimeMs + Send + Sync>;

/// Whose threads do the ledger's work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Threads {
    /// The ledger's own: one for each stage.
    #[default]
    Own,
    /// The caller's: every call runs all stages until nothing is left to do. Only in a network, for simulations that
    /// must take the same steps each time.
    Caller,
}

/// Settings of a ledger; none changes what is agreed on, so they may differ from node to node and run to run.
#[derive(Clone)]
pub struct LedgerOptions {
    /// The clock.
    pub clock: Clock,
    /// The most entries in one block.
    pub block_entries_max: usize,
    /// The most bytes of entries in one block.
    pub block_bytes_max: usize,
    /// How many entries may wait before new ones are refused as `node.busy`.
    pub queue_entries_max: usize,
    /// How many bytes of entries may wait before new ones are refused as `node.busy`; the pool holds them twice.
    pub queue_bytes_max: usize,
    /// Below this much free space on the disk new entries are refused.
    pub disk_reserve_bytes: u64,
    /// A checkpoint of the state is taken after this many blocks at the latest; without a limit the bytes written
    /// since the last one decide alone.
    pub checkpoint_blocks_max: u64,
    /// A segment of the state's value log is closed once it has this many bytes.
    pub state_segment_bytes: u64,
    /// Closed segments of the log whose blocks are all older than so many move into the archive; `None` keeps all in the hot folder.
    /// The blocks of the last hour stay hot in any case.
    pub archive_after_blocks: Option<u64>,
    /// Whose threads do the work.
    pub threads: Threads,
    /// Take no entries. What is final is read and proven as always.
    pub read_only: bool,
    /// Settings of the entry log's files.
    pub log: LogOptions,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(system_time),
            block_entries_max: 8_192,
            block_bytes_max: 16 << 20,
            queue_entries_max: 65_536,
            queue_bytes_max: 128 << 20,
            disk_reserve_bytes: 64 << 20,
            checkpoint_blocks_max: u64::MAX,
            state_segment_bytes: StateOptions::default().segment_bytes,
            archive_after_blocks: None,
            threads: Threads::default(),
            read_only: false,
            log: LogOptions::default(),
        }
    }
}

/// The system's clock in milliseconds since 1970.
pub fn system_time() -> TimeMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    TimeMs::new(since.unwrap_or(Duration::ZERO).as_millis() as u64)
}

/// The newest final block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its certificate.
    pub certificate: Certificate,
    /// Its hash.
    pub hash: BlockHash,
}

impl Head {
    fn new(certificate: Certificate) -> Self {
        Self {
            hash: certificate.block_hash(),
            certificate,
        }
    }

    /// The block's height.
    pub fn height(&self) -> Height {
        self.certificate.header.height
    }

    /// The block's time.
    pub fn time(&self) -> TimeMs {
        self.certificate.header.time
    }

    /// How many entries the log holds.
    pub fn log_size(&self) -> LogIndex {
        self.certificate.header.tree_size
    }
}

/// What the submitter of a final entry hears.
#[derive(Debug, Clone)]
pub struct Finalised {
    /// The entry.
    pub entry_id: EntryId,
    /// Its place in the log.
    pub log_index: LogIndex,
    /// Its record.
    pub record: Record,
    /// Why it was refused, in words; `None` when it was applied.
    pub refusal: Option<Refusal>,
}

/// An entry as the log keeps it.
#[derive(Debug, Clone)]
pub struct LoggedEntry {
    /// Its place in the log.
    pub log_index: LogIndex,
    /// The entry.
    pub entry: Entry,
    /// Its record.
    pub record: Record,
    /// What it made happen.
    pub events: Vec<Event>,
}

/// Why a ledger could not be opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log's Merkle tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file beside them.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// There is a ledger in this folder already.
    #[error("{} holds a ledger already", .0.display())]
    Exists(PathBuf),
    /// A snapshot is being restored into this folder.
    #[error("a snapshot is being restored into {}", .0.display())]
    Restoring(PathBuf),
    /// The state is lost, and the log does not reach back far enough to make it anew.
    #[error(
        "the state cannot be made anew: this ledger began with a snapshot and holds no block up to {base}"
    )]
    StateLost {
        /// The block after which the log begins.
        base: Height,
    },
    /// There is no ledger in this folder.
    #[error("{} holds no ledger", .0.display())]
    Missing(PathBuf),
    /// Something stored is not what it must be.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// Which file or block.
        what: String,
        /// What was found.
        reason: String,
    },
    /// Executing the log again gave another result than it records.
    #[error("block {height} of the log gives another {what} when it is executed again")]
    Diverged {
        /// The block.
        height: Height,
        /// What differs: a record or the state root.
        what: &'static str,
    },
    /// The genesis is refused by a register.
    #[error("the genesis is refused: {0}")]
    Genesis(String),
    /// The key given is not the network's.
    #[error("the network key given is not the one in the genesis")]
    WrongNetworkKey,
}

impl LedgerError {
    /// The next step for the person who runs the node, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            // The tree is read together with the log: where the log is damaged, no rebuilding helps.
            Self::Log(error) | Self::Tree(TreeError::Log(error)) => error.hint(),
            Self::Tree(_) | Self::State(_) => Some(
                "run `stele doctor --rebuild`: the log is the truth, everything else can be made from it again",
            ),
            Self::Diverged { .. } => Some(
                "run `stele doctor --rebuild`; if it says the same, this program is not the one that wrote the log",
            ),
            Self::Restoring(_) => Some(
                "restore the snapshot again with `stele snapshot restore`: it takes up or replaces what is there",
            ),
            Self::StateLost { .. } => Some(
                "restore a snapshot of another node into an empty folder with `stele snapshot restore`",
            ),
            Self::Missing(_) => {
                Some("start a network here with `stele up`, or give another folder with --data")
            }
            Self::Damaged { .. } => Some(
                "run `stele doctor` to see what else is touched and `stele doctor --rebuild` to make anew what the log \
                 gives; genesis.cbor and the log itself come back only from a backup or another node",
            ),
            _ => None,
        }
    }
}
