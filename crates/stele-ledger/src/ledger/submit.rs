//! Taking entries in: the caller's part and the verifying thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use stele_core::entry::Entry;
use stele_core::id::EntryId;
use stele_core::machine::{Halt, Refusal};
use stele_core::suite::PublicKey;

use super::Finalised;
use super::admission::{
    CLOCK_TOLERANCE_MS, check_header, check_signatures, find_keys, refuse_replay, refuse_shape,
};
use super::open::{Ledger, Shared};
use super::pool::Pooling;
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
    pub(super) origin: Origin,
}

/// Where an entry came from.
pub(super) enum Origin {
    /// A client of this node, or the network's order.
    Client,
    /// Another node, which answers for what it sends.
    Peer(Arc<dyn Fn(&Refusal) + Send + Sync>),
}

impl Origin {
    pub(super) fn is_client(&self) -> bool {
        matches!(self, Self::Client)
    }
}

impl Pending {
    /// An entry that nobody here submitted; its keys are found when it is judged.
    pub(super) fn ordered(entry: Entry) -> Self {
        Self {
            entry,
            keys: Vec::new(),
            listener: Box::new(|_| {}),
            origin: Origin::Client,
        }
    }

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
            origin: Origin::Client,
        };
        if self.pool_len() >= shared.options.queue_entries_max {
            shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(refuse_busy());
        }
        let Some(queue) = &self.queue else {
            verify(shared, vec![pending], &mut |pending| {
                pool(shared, vec![pending])
            });
            return Ok(id);
        };
        queue.try_send(pending).map_err(|error| {
            shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => refuse_busy(),
                TrySendError::Disconnected(_) => shared.refuse_halted(),
            }
        })?;
        Ok(id)
    }

    /// Lets entries of another node wait to be verified; what finds no room is dropped.
    pub(super) fn enqueue(&self, batch: Vec<Pending>) {
        let shared = &self.shared;
        let Some(queue) = &self.queue else {
            verify(shared, batch, &mut |pending| pool(shared, vec![pending]));
            return;
        };
        for pending in batch {
            if queue.try_send(pending).is_err() {
                shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

fn refuse_busy() -> Refusal {
    Refusal::new(
        "node.busy",
        "More entries are waiting than this node takes.",
        "Try again in a moment, or send several commands in one entry.",
    )
}

/// The verifying thread: checks signatures of all that wait, together. With nowhere to send them, what is good goes to the pool.
pub(super) fn verify_loop(
    shared: &Shared,
    queue: &Receiver<Pending>,
    verified: Option<&Sender<Pending>>,
) {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(VERIFY_ENTRIES_MAX - 1));
        let mut good = Vec::new();
        let mut open = true;
        verify(shared, batch, &mut |pending| match verified {
            Some(verified) => open &= verified.send(pending).is_ok(),
            None => good.push(pending),
        });
        if !open {
            return;
        }
        pool(shared, good);
    }
}

/// Checks the signatures of a batch together and hands on what is good.
fn verify(shared: &Shared, batch: Vec<Pending>, good: &mut dyn FnMut(Pending)) {
    let checks: Vec<_> = batch
        .iter()
        .map(|pending| (&pending.entry, &pending.keys[..]))
        .collect();
    let verdicts = check_signatures(&checks);
    for (mut pending, verdict) in batch.into_iter().zip(verdicts) {
        match verdict {
            Ok(()) => {
                (pending.listener)(Progress::Admitted(pending.entry.id()));
                good(pending);
            }
            Err(refusal) => {
                if let Origin::Peer(blame) = &pending.origin {
                    blame(&refusal);
                }
                pending.refuse(shared, refusal);
            }
        }
    }
}

/// Lets verified entries wait for a block of the network, and tells whoever spreads them.
fn pool(shared: &Shared, batch: Vec<Pending>) {
    let Some(member) = shared.member() else {
        return;
    };
    // What clients of this node submit is spread by it; what comes from other nodes they have spread themselves.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for pending in batch {
        let is_client = pending.origin.is_client();
        match member.pool.insert(pending) {
            Pooling::New(bytes) if is_client => ours.push(bytes),
            Pooling::New(bytes) => theirs.push(bytes),
            Pooling::Joined => {
                shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            Pooling::Executed(pending) => {
                let refusal = refuse_replay(&pending.entry.id());
                pending.refuse(shared, refusal);
            }
        }
    }
    let admitted = member.admitted.read();
    if let Some(admitted) = &*admitted {
        for (entries, is_client) in [(ours, true), (theirs, false)] {
            if !entries.is_empty() {
                admitted(&entries, is_client);
            }
        }
    }
}
