//! Moving old segments of the log into its archive while blocks go on, on a thread of its own.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stele_core::id::Height;

use super::open::Shared;
use super::persist::on_thread;
use super::recover::replayable_from;
use super::{Ledger, LedgerError, Threads};

/// How long after an attempt that failed the next one is made.
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
        if let Some(running) = self.running.take_if(|running| running.is_finished()) {
            self.note(running.join().unwrap_or(false));
        }
        let waits = self.not_before.is_some_and(|time| Instant::now() < time);
        if self.running.is_some() || waits {
            return;
        }
        let below = Height::new((head.get() + 1).saturating_sub(after));
        if !shared.log.has_segment_below(below) {
            return;
        }
        let below = match limit(shared, below) {
            Ok(below) => below,
            Err(error) => return self.note(note_fault(shared, Err(error))),
        };
        if !shared.log.has_segment_below(below) {
            return;
        }
        let running = on_thread(shared, move |shared| {
            note_fault(shared, shared.log.archive_below(below).map_err(Into::into))
        });
        if shared.options.threads == Threads::Caller {
            self.note(running.join().unwrap_or(false));
        } else {
            self.running = Some(running);
        }
    }

    pub(super) fn finish(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }

    fn note(&mut self, done: bool) {
        self.not_before = (!done).then(|| Instant::now() + PAUSE);
    }
}

/// Keeps the reason of a failure, to be asked for; what could not be moved stays in the hot folder. Returns whether there was none.
fn note_fault(shared: &Shared, moved: Result<u64, LedgerError>) -> bool {
    use std::error::Error as _;

    let fault = moved.err().map(|error| {
        let cause = error.source().map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    });
    let done = fault.is_none();
    *shared.archive_fault.lock() = fault;
    done
}

/// An opening reads the blocks of the last hour, and must not need the archive. One block before them stays hot too: it shows that
/// those below are older than the hour.
fn limit(shared: &Shared, below: Height) -> Result<Height, LedgerError> {
    let head = shared.head.read().clone();
    let needed = replayable_from(&shared.log, &head.certificate)?;
    Ok(below.min(Height::new(needed.get().saturating_sub(1))))
}

impl Ledger {
    /// Moves closed segments of the log into its archive, except for the newest `keep_blocks` blocks and those of the last hour.
    /// Returns how many segments were moved.
    ///
    /// # Errors
    /// [`LedgerError::Log`]; what was moved before stays moved.
    pub fn archive(&self, keep_blocks: u64) -> Result<u64, LedgerError> {
        let below = (self.head().height().get() + 1).saturating_sub(keep_blocks);
        let below = limit(&self.shared, Height::new(below))?;
        Ok(self.shared.log.archive_below(below)?)
    }

    /// Why the last attempt to move a segment into the archive failed; `None` if it did not.
    pub fn archive_fault(&self) -> Option<String> {
        self.shared.archive_fault.lock().clone()
    }
}
