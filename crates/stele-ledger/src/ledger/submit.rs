//! Taking entries in: the caller's part and the verifying thread.

use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use stele_core::entry::Entry;
use stele_core::id::EntryId;
use stele_core::machine::{Halt, Refusal};
use stele_core::suite::PublicKey;

use super::Finalised;
use super::admission::{
    CLOCK_TOLERANCE_MS, check_header, check_signatures, find_keys, refuse_shape,
};
use super::open::{Ledger, Shared};
use super::stats::LedgerStats;

/// How many entries are verified together at most.
const VERIFY_ENTRIES_MAX: usize = 8_192;

/// What a submitter hears, in this order; after `Refused` or `Final` nothing follows.
///
/// A listener that is dropped without either word belongs to a block whose write failed half-way: the node has halted,
/// and whether the entry is final is known after the next start.
#[derive(Debug, Clone)]
pub enum Progress {
    /// The signatures are good; the entry waits for a block.
    Admitted(EntryId),
    /// The entry was not ordered, and nothing of it is kept.
    Refused(Refusal),
    /// The entry is in a final block.
    Final(Box<Finalised>),
}

/// Called on the ledger's threads; must not block.
pub(super) type Listener = Box<dyn FnMut(Progress) + Send>;

/// An entry on its way.
pub(super) struct Pending {
    pub(super) entry: Entry,
    pub(super) keys: Vec<PublicKey>,
    pub(super) listener: Listener,
}

impl Pending {
    pub(super) fn refuse(self, shared: &Shared, refusal: Refusal) {
        refuse(self.listener, shared, refusal);
    }
}

/// Tells a waiting submitter that its entry was not ordered.
pub(super) fn refuse(mut listener: Listener, shared: &Shared, refusal: Refusal) {
    LedgerStats::add(&shared.stats.admissions_refused, 1);
    shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
    listener(Progress::Refused(refusal));
}

impl Ledger {
    /// Submits an entry. `listener` hears what becomes of it, on a thread of the ledger, and must not block.
    ///
    /// # Errors
    /// A [`Refusal`] at once for bytes that are no entry, another network, a closed window, an unknown key, a replay
    /// of a final entry, or a node that takes nothing now (`node.busy`, `node.disk-full`, `node.halted`).
    pub fn submit(
        &self,
        bytes: Vec<u8>,
        listener: impl FnMut(Progress) + Send + 'static,
    ) -> Result<EntryId, Refusal> {
        self.admit(bytes, Box::new(listener)).inspect_err(|_| {
            LedgerStats::add(&self.shared.stats.admissions_refused, 1);
        })
    }

    fn admit(&self, bytes: Vec<u8>, listener: Listener) -> Result<EntryId, Refusal> {
        let shared = &self.shared;
        shared.check_accepting()?;
        let entry = Entry::decode(bytes).map_err(|error| refuse_shape(&error))?;
        check_header(
            &entry,
            &shared.network,
            (shared.options.clock)(),
            CLOCK_TOLERANCE_MS,
        )?;
        let keys = match find_keys(&entry, &*shared.machine, &*shared.state, &shared.keys) {
            Ok(keys) => keys,
            Err(Halt::Refused(refusal)) => return Err(refusal),
            Err(Halt::Fault(fault)) => return Err(shared.halt(&fault.to_string())),
        };
        let id = entry.id();
        shared.stats.waiting.fetch_add(1, Ordering::Relaxed);
        let pending = Pending {
            entry,
            keys,
            listener,
        };
        self.queue
            .as_ref()
            .expect("open until dropped")
            .try_send(pending)
            .map_err(|error| {
                shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
                match error {
                    TrySendError::Full(_) => Refusal::new(
                        "node.busy",
                        "More entries are waiting than this node takes.",
                        "Try again in a moment, or send several commands in one entry.",
                    ),
                    TrySendError::Disconnected(_) => shared.refuse_halted(),
                }
            })?;
        Ok(id)
    }
}

/// The verifying thread: checks signatures of all that wait, together.
pub(super) fn verify_loop(shared: &Shared, queue: &Receiver<Pending>, verified: &Sender<Pending>) {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(VERIFY_ENTRIES_MAX - 1));
        let checks: Vec<_> = batch
            .iter()
            .map(|pending| (&pending.entry, &pending.keys[..]))
            .collect();
        let verdicts = check_signatures(&checks);
        for (mut pending, verdict) in batch.into_iter().zip(verdicts) {
            match verdict {
                Ok(()) => {
                    (pending.listener)(Progress::Admitted(pending.entry.id()));
                    if verified.send(pending).is_err() {
                        return;
                    }
                }
                Err(refusal) => pending.refuse(shared, refusal),
            }
        }
    }
}
