//! Moving old segments of the log into its archive while blocks go on, on a thread of its own.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stele_core::id::Height;

use super::open::Shared;
use super::persist::on_thread;
use super::recover::replayable_from;
use super::{Head, Ledger, LedgerError, Threads};

/// How long after an attempt that moved nothing, or failed, the next one is made.
const PAUSE: Duration = Duration::from_secs(10);

/// The persisting thread's part in it: when to begin.
pub(super) struct Archiving {
    running: Option<JoinHandle<bool>>,
    not_before: Option<Instant>,
}

impl Archiving {
    pub(super) fn new() -> Self {
        Self {
            running: None,
            not_before: None,
        }
    }

    pub(super) fn begin_if_due(&mut self, shared: &Arc<Shared>, head: Height) {
        let Some(after) = shared.options.archive_after_blocks else {
            return;
        };
        let Some(below) = (head.get() + 1).checked_sub(after).map(Height::new) else {
            return;
        };
        if let Some(running) = self.running.take_if(|running| running.is_finished()) {
            let moved = running.join().unwrap_or(false);
            self.not_before = (!moved).then(|| Instant::now() + PAUSE);
        }
        let waits = self.not_before.is_some_and(|time| Instant::now() < time);
        if self.running.is_some() || waits || !shared.log.has_segment_below(below) {
            return;
        }
        let running = on_thread(shared, move |shared| move_below(shared, below));
        if shared.options.threads == Threads::Caller {
            let moved = running.join().unwrap_or(false);
            self.not_before = (!moved).then(|| Instant::now() + PAUSE);
        } else {
            self.running = Some(running);
        }
    }

    pub(super) fn finish(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

/// Returns whether anything was moved. What cannot be moved stays in the hot folder, and the reason can be asked for.
fn move_below(shared: &Shared, below: Height) -> bool {
    let head = shared.head.read().clone();
    let moved = archive(shared, &head, below);
    let fault = moved.as_ref().err().map(|error| {
        use std::error::Error as _;
        let cause = error.source().map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    });
    *shared.archive_fault.lock() = fault;
    moved.is_ok_and(|segments| segments > 0)
}

fn archive(shared: &Shared, head: &Head, below: Height) -> Result<u64, LedgerError> {
    // An opening reads the blocks of the last hour, and must not need the archive.
    let needed = replayable_from(&shared.log, &head.certificate)?;
    // One block before them stays hot too: it shows that those below are older than the hour.
    let needed = Height::new(needed.get().saturating_sub(1));
    Ok(shared.log.archive_below(below.min(needed))?)
}

impl Ledger {
    /// Moves closed segments of the log into its archive, except for the newest `keep_blocks` blocks and those of the last hour.
    /// Returns how many segments were moved.
    ///
    /// # Errors
    /// [`LedgerError::Log`]; what was moved before stays moved.
    pub fn archive(&self, keep_blocks: u64) -> Result<u64, LedgerError> {
        let head = self.head();
        let below = (head.height().get() + 1).saturating_sub(keep_blocks);
        archive(&self.shared, &head, Height::new(below))
    }

    /// Why the last attempt to move a segment into the archive failed; `None` if it did not.
    pub fn archive_fault(&self) -> Option<String> {
        self.shared.archive_fault.lock().clone()
    }
}
