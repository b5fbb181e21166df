//! Making blocks durable, and telling whoever waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use stele_core::id::Height;
use stele_core::machine::Refusal;

use super::archive::Archiving;
use super::execute::ExecutedBlock;
use super::open::{Halted, Shared};
use super::stats::LedgerStats;
use super::submit::{Progress, leave_open, refuse};
use super::{Head, Threads};
use crate::log::{EntryLog, LogError, TreeStore};
use crate::state::{PreparedCheckpoint, StateError};

/// How long a block that met a full disk waits before it is tried again.
pub(super) const SPACE_PAUSE: Duration = Duration::from_millis(250);
/// How long after a checkpoint that could not be written the next one is tried.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(60);

/// The persisting thread's own files.
pub(super) struct Persister {
    log: EntryLog,
    tree: TreeStore,
    checkpoints: Checkpoints,
    archiving: Archiving,
    /// Once a block is lost, those behind it cannot follow: they are refused, so that nobody waits for ever.
    stopped: Option<Refusal>,
}

/// Writes and syncs one block after the other. What is written while the last sync runs is not held back: blocks fill up
/// meanwhile, so the size of a block follows the load.
pub(super) fn persist_loop(
    shared: &Arc<Shared>,
    mut files: Persister,
    executed: &Receiver<ExecutedBlock>,
) {
    while let Ok(block) = executed.recv() {
        files.take(shared, block);
    }
    files.close(shared);
}

impl Persister {
    pub(super) fn new(shared: &Shared, log: EntryLog, tree: TreeStore) -> Self {
        Self {
            log,
            tree,
            checkpoints: Checkpoints::new(shared),
            archiving: Archiving::new(),
            stopped: None,
        }
    }

    /// Makes a block durable and tells whoever waits for it.
    pub(super) fn take(&mut self, shared: &Arc<Shared>, block: ExecutedBlock) {
        if let Some(refusal) = &self.stopped {
            give_up(shared, block, refusal);
            return;
        }
        let started = Instant::now();
        match write(shared, self, &block) {
            Ok(()) => {
                LedgerStats::add_time(&shared.stats.persist_micros, started.elapsed());
                let height = block.certificate.header.height;
                publish(shared, block);
                self.checkpoints.take_if_due(shared, height);
                self.archiving.begin_if_due(shared, height);
            }
            Err(WriteError::NoSpace) => {
                let refusal = shared.refuse_disk_full();
                shared.halt_for(Halted::DiskFull);
                give_up(shared, block, &refusal);
                self.stopped = Some(refusal);
            }
            Err(WriteError::Unknown(error)) => {
                self.stopped = Some(shared.halt(&format!("the log could not be written: {error}")));
                for (listeners, done) in block.listeners {
                    let reason = "whether it reached the disk is known after the next start";
                    leave_open(listeners, shared, done.entry_id, reason);
                }
            }
        }
    }

    /// Takes a checkpoint and closes the files.
    pub(super) fn close(mut self, shared: &Arc<Shared>) {
        self.checkpoints.finish(shared);
        self.archiving.finish();
        // Both are conveniences of the next opening: what fails here is done then. A checkpoint ahead of the log would be
        // worth less than none.
        let _ = self.tree.flush();
        if shared.state.height() == Some(shared.head.read().height().get()) {
            let _ = shared.state.checkpoint();
        }
    }
}

/// Lets go of a block that is not in the log. Where this node is alone nobody else has it; a network may have it final already.
fn give_up(shared: &Shared, block: ExecutedBlock, refusal: &Refusal) {
    for (listeners, done) in block.listeners {
        match shared.member() {
            None => refuse(listeners, shared, refusal.clone()),
            Some(_) => leave_open(listeners, shared, done.entry_id, "this node has stopped"),
        }
    }
}

/// Checkpoints of the state, taken on threads of their own, one at a time: written, and made the one that counts once the log has
/// the block that it stands at. The state runs ahead of the log, and a checkpoint ahead of it would be worth nothing after a kill.
struct Checkpoints {
    work: Option<Work>,
    /// The height at which the last one was begun.
    last: Height,
    /// After one that failed for want of space, the next waits until then: each writes the whole index of the state.
    not_before: Option<Instant>,
}

enum Work {
    Writing(JoinHandle<Option<PreparedCheckpoint>>),
    Written(PreparedCheckpoint),
    Committing(JoinHandle<bool>),
}

impl Checkpoints {
    fn new(shared: &Shared) -> Self {
        Self {
            work: None,
            last: shared.head.read().height(),
            not_before: None,
        }
    }

    fn take_if_due(&mut self, shared: &Arc<Shared>, height: Height) {
        // A caller's threads take the same steps each time.
        let wait = shared.options.threads == Threads::Caller;
        self.advance(shared, height, wait);
        let blocks = height.get() - self.last.get();
        let is_due =
            shared.state.checkpoint_due() || blocks >= shared.options.checkpoint_blocks_max;
        let may_begin = self.not_before.is_none_or(|time| Instant::now() >= time);
        if self.work.is_none() && is_due && may_begin {
            self.last = height;
            self.work = Some(Work::Writing(on_thread(shared, |shared| {
                let prepared = shared.state.prepare_checkpoint();
                prepared.map_err(|error| note_failure(shared, &error)).ok()
            })));
            if wait {
                self.advance(shared, height, wait);
            }
        }
    }

    /// Takes the next step of what is under way, if it can be taken; `wait` says whether to wait for a thread.
    fn advance(&mut self, shared: &Arc<Shared>, height: Height, wait: bool) {
        self.settle(wait);
        if let Some(Work::Written(prepared)) = self.work.take_if(|work| work.is_durable(height)) {
            self.work = Some(Work::Committing(on_thread(shared, |shared| {
                let committed = shared.state.commit_checkpoint(prepared);
                committed
                    .map_err(|error| note_failure(shared, &error))
                    .is_ok()
            })));
            if wait {
                self.settle(wait);
            }
        }
    }

    /// Takes in what a thread has done.
    fn settle(&mut self, wait: bool) {
        let (next, done) = match self.work.take() {
            Some(Work::Writing(writing)) if wait || writing.is_finished() => {
                let prepared = writing.join().unwrap_or(None);
                let done = prepared.is_some();
                (prepared.map(Work::Written), done)
            }
            Some(Work::Committing(committing)) if wait || committing.is_finished() => {
                (None, committing.join().unwrap_or(false))
            }
            work => (work, true),
        };
        self.work = next;
        if !done {
            self.not_before = Some(Instant::now() + CHECKPOINT_PAUSE);
        }
    }

    fn finish(&mut self, shared: &Arc<Shared>) {
        let height = shared.head.read().height();
        self.advance(shared, height, true);
        if let Some(Work::Written(prepared)) = self.work.take() {
            shared.state.discard_checkpoint(&prepared);
        }
    }
}

impl Work {
    /// Whether it is written, and the log has the block that it stands at.
    fn is_durable(&self, height: Height) -> bool {
        match self {
            Self::Written(prepared) => prepared
                .height()
                .is_none_or(|needed| needed <= height.get()),
            Self::Writing(_) | Self::Committing(_) => false,
        }
    }
}

/// A checkpoint that could not be written leaves the state as it was, with its last one: blocks go on, and only the next opening
/// takes longer.
fn note_failure(shared: &Shared, error: &StateError) {
    if shared.state.has_failed() {
        shared.halt(&format!("a checkpoint of the state failed: {error}"));
    }
}

pub(super) fn on_thread<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> T + Send + 'static,
) -> JoinHandle<T> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name("stele-upkeep".to_owned())
        .spawn(move || work(&shared))
        .expect("the system starts a thread")
}

/// Why a block is not in the log.
enum WriteError {
    /// The disk is full and the ledger is being closed. Nothing of the block is kept.
    NoSpace,
    /// A write or sync failed: nobody knows what reached the disk.
    Unknown(LogError),
}

fn write(shared: &Shared, files: &mut Persister, block: &ExecutedBlock) -> Result<(), WriteError> {
    let height = block.certificate.header.height;
    let header = block.certificate.encode();
    loop {
        match files
            .log
            .append(height, &header, &block.items, &block.records)
        {
            Ok(_) => break,
            Err(LogError::NoSpace { .. }) if shared.closing.load(Ordering::Acquire) => {
                return Err(WriteError::NoSpace);
            }
            Err(LogError::NoSpace { .. }) => {
                shared.log_waits_for_space.store(true, Ordering::Relaxed);
                std::thread::sleep(SPACE_PAUSE);
            }
            Err(error) => return Err(WriteError::Unknown(error)),
        }
    }
    files.log.sync().map_err(WriteError::Unknown)?;
    shared.log_waits_for_space.store(false, Ordering::Relaxed);
    files.tree.append_leaves(&block.leaves);
    // Hashes that could not be written are served from memory and written with a later block.
    let _ = files.tree.commit();
    Ok(())
}

fn publish(shared: &Shared, block: ExecutedBlock) {
    let head = Head::new(block.certificate);
    *shared.head.write() = head.clone();
    let (height, moved) = &shared.head_moved;
    *height.lock() = head.height().get();
    moved.notify_all();
    let stats = &shared.stats;
    let entries = block.listeners.len();
    let refused = block
        .listeners
        .iter()
        .filter(|(_, done)| done.refusal.is_some())
        .count();
    LedgerStats::add(&stats.entries_applied, entries - refused);
    LedgerStats::add(&stats.entries_refused, refused);
    LedgerStats::add(&stats.blocks, 1);
    stats.waiting.fetch_sub(entries as u64, Ordering::Relaxed);
    for (mut listeners, done) in block.listeners {
        listeners.tell(Progress::Final(Box::new(done)));
    }
    for watcher in shared.watchers.lock().iter() {
        watcher(&head);
    }
    if let Some(ordered) = block.ordered {
        ordered.durable(&head);
    }
}
