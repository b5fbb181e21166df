//! Entries that wait to be ordered by the network: checked, oldest first, each at most once.
//!
//! An entry stays until a block that holds it is executed, or its window has passed. The same entry may come from a client and from
//! several nodes; everyone who waits for it hears of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use stele_core::id::{EntryId, TimeMs};

use super::submit::{Listener, Pending, Progress};

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
    /// Two generations: when the younger is full it becomes the older.
    executed: [HashSet<EntryId>; 2],
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
            if pending.origin.is_client() {
                let nobody: Listener = Box::new(|_| {});
                let first = std::mem::replace(&mut known.pending.listener, nobody);
                let second = std::mem::replace(&mut pending.listener, Box::new(|_| {}));
                known.pending.listener = both(first, second);
            }
            return Pooling::Joined;
        }
        let bytes: Arc<[u8]> = pending.entry.bytes().into();
        let number = inner.next;
        inner.next += 1;
        inner.by_id.insert(id, number);
        inner.by_bytes.insert(Arc::clone(&bytes), number);
        let pooled = Pooled {
            pending,
            bytes: Arc::clone(&bytes),
        };
        inner.entries.insert(number, pooled);
        Pooling::New(bytes)
    }

    /// The oldest entries up to the limits, without those that `skip` names. They stay in the pool.
    pub(super) fn take(
        &self,
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

    /// Takes an entry out, because a block with these very bytes is executed.
    pub(super) fn remove(&self, bytes: &[u8]) -> Option<Pending> {
        let mut inner = self.inner.lock();
        let number = inner.by_bytes.remove(bytes)?;
        let pooled = inner.entries.remove(&number).expect("the maps agree");
        inner.by_id.remove(&pooled.pending.entry.id());
        Some(pooled.pending)
    }

    /// Takes an entry out that was executed in another envelope: the same content, signed again.
    pub(super) fn remove_id(&self, id: &EntryId) -> Option<Pending> {
        let mut inner = self.inner.lock();
        let number = inner.by_id.remove(id)?;
        let pooled = inner.entries.remove(&number).expect("the maps agree");
        inner.by_bytes.remove(&pooled.bytes);
        Some(pooled.pending)
    }

    /// Remembers executed entries.
    pub(super) fn note_executed(&self, ids: impl Iterator<Item = EntryId>) {
        let mut inner = self.inner.lock();
        inner.executed[0].extend(ids);
        if inner.executed[0].len() >= EXECUTED_MIN {
            inner.executed.swap(0, 1);
            inner.executed[0].clear();
        }
    }

    /// Takes out what can no longer be ordered at `now`.
    pub(super) fn expire(&self, now: TimeMs) -> Vec<Pending> {
        let mut inner = self.inner.lock();
        let expired: Vec<u64> = inner
            .entries
            .iter()
            .filter(|(_, pooled)| pooled.pending.entry.header().not_after < now)
            .map(|(number, _)| *number)
            .collect();
        let mut gone = Vec::with_capacity(expired.len());
        for number in expired {
            let pooled = inner.entries.remove(&number).expect("just seen");
            inner.by_id.remove(&pooled.pending.entry.id());
            inner.by_bytes.remove(&pooled.bytes);
            gone.push(pooled.pending);
        }
        gone
    }
}

fn both(mut first: Listener, mut second: Listener) -> Listener {
    Box::new(move |progress: Progress| {
        first(progress.clone());
        second(progress);
    })
}
