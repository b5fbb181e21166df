//! Making blocks durable, and telling whoever waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::Head;
use super::execute::ExecutedBlock;
use super::open::Shared;
use super::stats::LedgerStats;
use super::submit::Progress;
use crate::log::{EntryLog, LogError, TreeStore};

/// How long a block that met a full disk waits before it is tried again.
const SPACE_PAUSE: Duration = Duration::from_millis(250);

/// The persisting thread's own files.
pub(super) struct Persister {
    pub(super) log: EntryLog,
    pub(super) tree: TreeStore,
}

/// Writes and syncs one block after the other. What is written while the last sync runs is not held back: blocks fill up
/// meanwhile, so the size of a block follows the load.
pub(super) fn persist_loop(
    shared: &Arc<Shared>,
    mut files: Persister,
    executed: &Receiver<ExecutedBlock>,
) {
    let mut checkpoint: Option<std::thread::JoinHandle<()>> = None;
    while let Ok(block) = executed.recv() {
        let started = Instant::now();
        if let Err(error) = write(shared, &mut files, &block) {
            // The submitters are not answered: whether the block survived is known only after a restart.
            shared.halt(&format!("the log could not be written: {error}"));
            break;
        }
        LedgerStats::add_time(&shared.stats.persist_micros, started.elapsed());
        publish(shared, block);
        if shared.state.checkpoint_due()
            && checkpoint
                .as_ref()
                .is_none_or(std::thread::JoinHandle::is_finished)
        {
            checkpoint = Some(take_checkpoint(shared));
        }
    }
    if let Some(running) = checkpoint {
        let _ = running.join();
    }
    // Both are conveniences of the next opening: what fails here is done then.
    let _ = files.tree.flush();
    let _ = shared.state.checkpoint();
}

fn take_checkpoint(shared: &Arc<Shared>) -> std::thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    let work = move || {
        if let Err(error) = shared.state.checkpoint() {
            shared.halt(&format!("a checkpoint of the state failed: {error}"));
        }
    };
    std::thread::Builder::new()
        .name("stele-checkpoint".to_owned())
        .spawn(work)
        .expect("the system starts a thread")
}

fn write(shared: &Shared, files: &mut Persister, block: &ExecutedBlock) -> Result<(), LogError> {
    let height = block.certificate.header.height;
    let header = block.certificate.encode();
    loop {
        match files
            .log
            .append(height, &header, &block.items, &block.records)
        {
            Ok(_) => break,
            Err(LogError::NoSpace { .. }) => {
                shared.waits_for_space.store(true, Ordering::Relaxed);
                std::thread::sleep(SPACE_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    files.log.sync()?;
    shared.waits_for_space.store(false, Ordering::Relaxed);
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
    for (mut listener, done) in block.listeners {
        listener(Progress::Final(Box::new(done)));
    }
    for watcher in shared.watchers.lock().iter() {
        watcher(&head);
    }
}
