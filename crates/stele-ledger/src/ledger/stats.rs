//! Counters that the ledger keeps of itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters since the ledger was opened.
#[derive(Debug, Default)]
pub struct LedgerStats {
    pub(super) entries_applied: AtomicU64,
    pub(super) entries_refused: AtomicU64,
    pub(super) admissions_refused: AtomicU64,
    pub(super) blocks: AtomicU64,
    pub(super) execute_micros: AtomicU64,
    pub(super) persist_micros: AtomicU64,
    pub(super) waiting: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// Final entries that applied.
    pub entries_applied: u64,
    /// Final entries that a rule refused.
    pub entries_refused: u64,
    /// Entries refused before they were ordered.
    pub admissions_refused: u64,
    /// Blocks made final.
    pub blocks: u64,
    /// Time spent executing blocks, in microseconds.
    pub execute_micros: u64,
    /// Time spent writing and syncing blocks, in microseconds.
    pub persist_micros: u64,
    /// Entries taken in and not final yet.
    pub waiting: u64,
}

impl LedgerStats {
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn add_time(counter: &AtomicU64, time: Duration) {
        counter.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// The counters now. Each is exact; together they may be of slightly different moments.
    pub fn snapshot(&self) -> StatsSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StatsSnapshot {
            entries_applied: read(&self.entries_applied),
            entries_refused: read(&self.entries_refused),
            admissions_refused: read(&self.admissions_refused),
            blocks: read(&self.blocks),
            execute_micros: read(&self.execute_micros),
            persist_micros: read(&self.persist_micros),
            waiting: read(&self.waiting),
        }
    }
}
