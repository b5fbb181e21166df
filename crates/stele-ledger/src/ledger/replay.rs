//! The entry ids that may still come again: a replay inside its window is refused by hash.
//!
//! An entry's window is part of what is signed, so the same id always names the same minute of expiry:
//! a look-up touches one bucket, and a bucket whose minute has passed is dropped whole.

use std::collections::{BTreeMap, HashSet};

use stele_core::entry::Entry;
use stele_core::id::{EntryId, TimeMs};

const BUCKET_MS: u64 = 60_000;

/// The ids of entries whose validity window may still be open.
#[derive(Debug, Default)]
pub(crate) struct ReplayWindow {
    buckets: BTreeMap<u64, HashSet<EntryId>>,
}

impl ReplayWindow {
    /// Remembers an entry; `false` if it was known.
    pub(crate) fn insert(&mut self, entry: &Entry) -> bool {
        self.insert_id(entry.id(), entry.header().not_after)
    }

    /// Remembers an id; `false` if it was known.
    pub(crate) fn insert_id(&mut self, id: EntryId, not_after: TimeMs) -> bool {
        self.buckets
            .entry(not_after.get() / BUCKET_MS)
            .or_default()
            .insert(id)
    }

    /// Takes an id out again whose block turned out not to be the network's.
    pub(crate) fn remove(&mut self, id: &EntryId, not_after: TimeMs) {
        if let Some(bucket) = self.buckets.get_mut(&(not_after.get() / BUCKET_MS)) {
            bucket.remove(id);
        }
    }

    /// Forgets what expired before `now`, since its window refuses it from here on.
    pub(crate) fn forget_before(&mut self, now: TimeMs) {
        self.buckets = self.buckets.split_off(&(now.get() / BUCKET_MS));
    }

    /// How many ids are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.buckets.values().map(HashSet::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_until_the_window_has_passed() {
        let id = EntryId::from_bytes([1; 32]);
        let mut window = ReplayWindow::default();
        assert!(window.insert_id(id, TimeMs::new(119_999)));
        assert!(!window.insert_id(id, TimeMs::new(119_999)));
        window.forget_before(TimeMs::new(119_999));
        assert_eq!(
            window.len(),
            1,
            "its last millisecond still belongs to the window"
        );
        window.forget_before(TimeMs::new(120_000));
        assert_eq!(window.len(), 0);
    }
}
