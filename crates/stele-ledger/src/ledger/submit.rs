//! Taking entries in: the caller's part and the verifying thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// How many submitters of one entry hear of it at most; those beyond ask for it by its id.
const LISTENERS_MAX: usize = 64;

/// What a submitter hears, in this order; after `Refused`, `Final` or `Unknown` nothing follows.
///
/// A listener is dropped without a word only when the ledger is closed while the entry waits: then its outcome is not known either.
#[derive(Debug, Clone)]
pub enum Progress {
    /// The signatures are good; the entry waits for a block.
    Admitted(EntryId),
    /// The entry was not ordered, and nothing of it is kept: it never left this node, or its window is over by the chain's own time.
    Refused(Refusal),
    /// This node cannot tell what becomes of the entry; another node may still make it final. Whoever needs to know asks for
    /// the entry by its id until the chain's time is past its window. The code is `node.unknown-outcome`.
    Unknown(Refusal),
    /// The entry is in a final block.
    Final(Box<Finalised>),
}

/// Called on the ledger's threads; must not block.
type Listener = Box<dyn FnMut(Progress) + Send>;

/// Everyone who waits for one entry.
#[derive(Default)]
pub(super) struct Listeners(Vec<Listener>);

impl Listeners {
    pub(super) fn tell(&mut self, progress: Progress) {
        let Some((last, others)) = self.0.split_last_mut() else {
            return;
        };
        for listener in others {
            listener(progress.clone());
        }
        last(progress);
    }

    /// Takes in those of `more`; `false`, and nothing moves, if they are too many.
    pub(super) fn join(&mut self, more: &mut Self) -> bool {
        if self.0.len() + more.0.len() > LISTENERS_MAX {
            return false;
        }
        self.0.append(&mut more.0);
        true
    }
}

/// The bytes that an entry takes of the room for waiting ones; given back when it is dropped.
pub(super) struct Room {
    bytes: usize,
    used: Arc<AtomicUsize>,
}

impl Room {
    /// `None` if there is not so much room left.
    fn of(shared: &Shared, bytes: usize) -> Option<Self> {
        let used = &shared.waiting_bytes;
        let before = used.fetch_add(bytes, Ordering::Relaxed);
        let room = Self {
            bytes,
            used: Arc::clone(used),
        };
        (before + bytes <= shared.options.queue_bytes_max).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// An entry on its way.
pub(super) struct Pending {
    pub(super) entry: Entry,
    pub(super) keys: Vec<PublicKey>,
    pub(super) listeners: Listeners,
    pub(super) origin: Origin,
    /// `None` for entries that the network ordered: those are bounded by the blocks under way.
    _room: Option<Room>,
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
            listeners: Listeners::default(),
            origin: Origin::Client,
            _room: None,
        }
    }

    /// An entry that another node sent; `None` if there is no room for it.
    pub(super) fn from_peer(
        shared: &Shared,
        entry: Entry,
        keys: Vec<PublicKey>,
        blame: Arc<dyn Fn(&Refusal) + Send + Sync>,
    ) -> Option<Self> {
        let room = Room::of(shared, entry.bytes().len())?;
        Some(Self {
            entry,
            keys,
            listeners: Listeners::default(),
            origin: Origin::Peer(blame),
            _room: Some(room),
        })
    }

    pub(super) fn refuse(self, shared: &Shared, refusal: Refusal) {
        refuse(self.listeners, shared, refusal);
    }

    /// Lets go of an entry whose outcome this node cannot tell.
    pub(super) fn leave_open(self, shared: &Shared, reason: &str) {
        leave_open(self.listeners, shared, self.entry.id(), reason);
    }
}

/// Tells those who wait that their entry was not ordered.
pub(super) fn refuse(mut listeners: Listeners, shared: &Shared, refusal: Refusal) {
    LedgerStats::add(&shared.stats.admissions_refused, 1);
    shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
    listeners.tell(Progress::Refused(refusal));
}

/// Tells those who wait that this node does not know what becomes of their entry.
pub(super) fn leave_open(mut listeners: Listeners, shared: &Shared, id: EntryId, reason: &str) {
    shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
    listeners.tell(Progress::Unknown(unknown_outcome(&id, reason)));
}

/// What a submitter is told when a node cannot say whether an entry is or will be final.
pub fn unknown_outcome(id: &EntryId, reason: &str) -> Refusal {
    Refusal::new(
        "node.unknown-outcome",
        format!("The entry {id} is not final here, and may still become so: {reason}."),
        "Ask for the entry by its id, at any node, until the newest block's time is past its window. Submitting the same \
         bytes again is safe: it is ordered once.",
    )
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
        let listener: Listener = Box::new(listener);
        self.admit(bytes, listener).inspect_err(|_| {
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
        if self.pool_len() >= shared.options.queue_entries_max {
            return Err(refuse_busy());
        }
        let room = Room::of(shared, entry.bytes().len()).ok_or_else(refuse_busy)?;
        shared.stats.waiting.fetch_add(1, Ordering::Relaxed);
        let pending = Pending {
            entry,
            keys,
            listeners: Listeners(vec![listener]),
            origin: Origin::Client,
            _room: Some(room),
        };
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
                let admitted = Progress::Admitted(pending.entry.id());
                pending.listeners.tell(admitted);
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
            Pooling::Crowded(pending) => {
                pending.leave_open(shared, "many wait for it already");
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
