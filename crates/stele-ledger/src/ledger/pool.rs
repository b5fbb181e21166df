//! Entries that wait to be ordered by the network: checked, oldest first, each at most once.
//!
//! An entry stays until a block that holds it is executed, or until the chain's own time is past its window: only then can no node
//! make it final any more. The same entry may come from a client and from several nodes; everyone who waits for it hears of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use stele_core::entry::Entry;
use stele_core::id::{EntryId, TimeMs};

use super::submit::Pending;

/// How many ids of executed entries are remembered at least, so that a late copy of one is not pooled again.
const EXECUTED_MIN: usize = 1 << 16;

struct Pooled {
    pending: Pending,
    bytes: Arc<[u8]>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    entries: BTreeMap<u64, Pooled>,
    by_bytes: HashMap<Arc<[u8]>, u64>,
    by_id: HashMap<EntryId, u64>,
    by_end: BTreeSet<(TimeMs, u64)>,
    /// Two generations: when the younger is full it becomes the older.
    executed: [HashSet<EntryId>; 2],
}

impl Inner {
    fn remove(&mut self, number: u64) -> Pending {
        let pooled = self.entries.remove(&number).expect("the maps agree");
        let entry = &pooled.pending.entry;
        self.by_id.remove(&entry.id());
        self.by_bytes.remove(&pooled.bytes);
        self.by_end.remove(&(entry.header().not_after, number));
        pooled.pending
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Pool {
    inner: Mutex<Inner>,
}

/// What became of an entry that was to be pooled.
pub(super) enum Pooling {
    /// It is new; these are its bytes.
    New(Arc<[u8]>),
    /// It waits already; who submitted it again waits with the others.
    Joined,
    /// It waits already, and so do as many as may: these hear that its outcome is not known yet.
    Crowded(Box<Pending>),
    /// It was executed a moment ago.
    Executed(Box<Pending>),
}

impl Pool {
    pub(super) fn len(&self) -> usize {
        self.inner.lock().entries.len()
    }

    pub(super) fn insert(&self, mut pending: Pending) -> Pooling {
        let mut inner = self.inner.lock();
        let id = pending.entry.id();
        if inner.executed.iter().any(|ids| ids.contains(&id)) {
            return Pooling::Executed(Box::new(pending));
        }
        if let Some(number) = inner.by_id.get(&id).copied() {
            let known = inner.entries.get_mut(&number).expect("both maps agree");
            if pending.origin.is_client() && !known.pending.listeners.join(&mut pending.listeners) {
                return Pooling::Crowded(Box::new(pending));
            }
            return Pooling::Joined;
        }
        let bytes: Arc<[u8]> = pending.entry.bytes().into();
        let number = inner.next;
        inner.next += 1;
        inner.by_id.insert(id, number);
        inner.by_bytes.insert(Arc::clone(&bytes), number);
        let end = pending.entry.header().not_after;
        inner.by_end.insert((end, number));
        let pooled = Pooled {
            pending,
            bytes: Arc::clone(&bytes),
        };
        inner.entries.insert(number, pooled);
        Pooling::New(bytes)
    }

    /// The oldest entries up to the limits whose windows are open at `now`, without those that `skip` names. They stay in the pool.
    pub(super) fn take(
        &self,
        now: TimeMs,
        entries_max: usize,
        bytes_max: usize,
        skip: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Vec<Arc<[u8]>> {
        let inner = self.inner.lock();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        for pooled in inner.entries.values() {
            if taken.len() == entries_max {
                break;
            }
            // A client's clock may run ahead: its entry would be dropped from a block of this time.
            if pooled.pending.entry.header().not_before > now {
                continue;
            }
            if bytes + pooled.bytes.len() > bytes_max {
                // A smaller one behind it would overtake it for ever.
                break;
            }
            if skip(&pooled.bytes) {
                continue;
            }
            bytes += pooled.bytes.len();
            taken.push(Arc::clone(&pooled.bytes));
        }
        taken
    }

    /// The oldest entries that clients of this node submitted, up to the limits; one at least if there is one.
    pub(super) fn oldest_of_clients(&self, entries_max: usize, bytes_max: usize) -> Vec<Arc<[u8]>> {
        let inner = self.inner.lock();
        let (mut oldest, mut bytes) = (Vec::new(), 0);
        let own = |pooled: &&Pooled| pooled.pending.origin.is_client();
        for pooled in inner.entries.values().filter(own).take(entries_max) {
            bytes += pooled.bytes.len();
            if bytes > bytes_max && !oldest.is_empty() {
                break;
            }
            oldest.push(Arc::clone(&pooled.bytes));
        }
        oldest
    }

    /// For each of these entries whether it waits here.
    pub(super) fn contains(&self, entries: &[Arc<[u8]>]) -> Vec<bool> {
        let inner = self.inner.lock();
        let waits = |bytes: &Arc<[u8]>| inner.by_bytes.contains_key(bytes);
        entries.iter().map(waits).collect()
    }

    /// The entry with these very bytes, which is checked already. It stays in the pool.
    pub(super) fn get(&self, bytes: &[u8]) -> Option<Entry> {
        let inner = self.inner.lock();
        let number = inner.by_bytes.get(bytes)?;
        Some(inner.entries[number].pending.entry.clone())
    }

    /// Takes an entry out, in whatever envelope it waits: the same content may be signed more than once.
    pub(super) fn remove(&self, id: &EntryId) -> Option<Pending> {
        let mut inner = self.inner.lock();
        let number = inner.by_id.get(id).copied()?;
        Some(inner.remove(number))
    }

    /// Takes out what was executed, each with its place in `ids`, and remembers it.
    pub(super) fn executed(&self, ids: impl Iterator<Item = EntryId>) -> Vec<(usize, Pending)> {
        let mut inner = self.inner.lock();
        let mut waiting = Vec::new();
        for (place, id) in ids.enumerate() {
            inner.executed[0].insert(id);
            if let Some(number) = inner.by_id.get(&id).copied() {
                waiting.push((place, inner.remove(number)));
            }
        }
        if inner.executed[0].len() >= EXECUTED_MIN {
            inner.executed.swap(0, 1);
            inner.executed[0].clear();
        }
        waiting
    }

    /// Takes out what can no longer be ordered once a block has the time `now`.
    pub(super) fn expire(&self, now: TimeMs) -> Vec<Pending> {
        let mut inner = self.inner.lock();
        let open = inner.by_end.split_off(&(now, 0));
        let ended = std::mem::replace(&mut inner.by_end, open);
        let numbers = ended.iter().map(|(_, number)| *number);
        numbers.map(|number| inner.remove(number)).collect()
    }

    /// Takes everything out.
    pub(super) fn drain(&self) -> Vec<Pending> {
        let mut inner = self.inner.lock();
        let numbers: Vec<_> = inner.entries.keys().copied().collect();
        let drained = numbers.into_iter().map(|number| inner.remove(number));
        drained.collect()
    }
}
