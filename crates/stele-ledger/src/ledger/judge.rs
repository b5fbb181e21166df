//! What of an ordered block counts, and who hears of it.
//!
//! Judging changes nothing and tells nobody, because a block that another node served may turn out not to be the network's. Only
//! once it is known to be, the pool is settled with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use stele_core::cbor::Encoder;
use stele_core::entry::Entry;
use stele_core::id::{Hash, TimeMs, sha256};
use stele_core::machine::{Halt, Refusal};

use super::admission::{KeyCache, REPLAYED, check_header, check_signatures, find_keys};
use super::execute::ExecutedBlock;
use super::open::Shared;
use super::order::Member;
use super::prepare::Prepared;
use super::reads::Reads;
use super::submit::Pending;

/// Entries that do not count, and why.
pub(super) type Dropped = Vec<(Pending, Refusal)>;

/// The entries of an ordered block that may be executed, in order, and those that do not count. What was checked for the pool or prepared is
/// not checked again, but the keys are always looked up in the state before the block: what a node happens to remember must not matter.
/// The pool stays as it is.
pub(super) fn judge(
    shared: &Shared,
    member: &Member,
    time: TimeMs,
    entries: &[Arc<[u8]>],
    prepared: Vec<Option<Prepared>>,
    before: &Reads<'_>,
) -> Result<(Vec<Pending>, Dropped), String> {
    let no_cache = KeyCache::default();
    let mut candidates = Vec::with_capacity(entries.len());
    let mut dropped = Vec::new();
    let prepared = prepared.into_iter().chain(core::iter::repeat_with(|| None));
    for (bytes, prepared) in entries.iter().zip(prepared) {
        let pooled = member.pool.get(bytes);
        let was_pooled = pooled.is_some();
        let (entry, good_under) = match (pooled, prepared) {
            (Some(entry), _) => (entry, None),
            (None, Some(Prepared { entry, keys })) => (entry, Some(keys)),
            (None, None) => match Entry::decode(bytes.to_vec()) {
                Ok(entry) => (entry, None),
                Err(_) => continue,
            },
        };
        let mut pending = Pending::ordered(entry);
        if let Err(refusal) = check_header(&pending.entry, &shared.network, time, 0) {
            dropped.push((pending, refusal));
            continue;
        }
        match find_keys(&pending.entry, &*shared.machine, before, &no_cache) {
            Ok(keys) => pending.keys = keys,
            Err(Halt::Refused(refusal)) => {
                dropped.push((pending, refusal));
                continue;
            }
            Err(Halt::Fault(fault)) => return Err(fault.to_string()),
        }
        let checked = was_pooled || good_under.is_some_and(|keys| keys == pending.keys);
        candidates.push((pending, checked));
    }
    let unchecked: Vec<_> = candidates
        .iter()
        .filter(|(_, checked)| !checked)
        .map(|(pending, _)| (&pending.entry, &pending.keys[..]))
        .collect();
    let mut verdicts = check_signatures(&unchecked).into_iter();
    let mut batch = Vec::with_capacity(candidates.len());
    for (pending, checked) in candidates {
        let verdict = if checked {
            Ok(())
        } else {
            verdicts.next().expect("a verdict for each")
        };
        // Whoever waits for an entry with a bad signature submitted another envelope of it.
        if verdict.is_ok() {
            batch.push(pending);
        }
    }
    Ok((batch, dropped))
}

/// The block is the network's: what it executed leaves the pool, and those who wait for what did not count hear of it.
pub(super) fn settle(
    shared: &Shared,
    member: &Member,
    time: TimeMs,
    block: Option<&mut ExecutedBlock>,
    dropped: Dropped,
) {
    if let Some(block) = block {
        let ids = block.listeners.iter().map(|(_, done)| done.entry_id);
        let count = block.listeners.len() as u64;
        shared.stats.waiting.fetch_add(count, Ordering::Relaxed);
        for (place, mut pooled) in member.pool.executed(ids) {
            shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
            block.listeners[place].0.join(&mut pooled.listeners);
        }
    }
    for (ordered, refusal) in dropped {
        // An entry that came too early stays in the pool; it is proposed again when its time has come.
        let early = ordered.entry.header().not_before > time;
        let pooled = if early {
            None
        } else {
            member.pool.remove(&ordered.entry.id())
        };
        let over = ordered.entry.header().not_after < time || refusal.code == REPLAYED;
        match pooled {
            Some(pooled) if over => pooled.refuse(shared, refusal),
            // Another node may pool it again, and its key may be known by then.
            Some(pooled) => pooled.leave_open(shared, &refusal.sentence),
            None => {}
        }
    }
    // Times of blocks rise, so that no block after this one can hold them.
    for pending in member.pool.expire(time) {
        if let Err(refusal) = check_header(&pending.entry, &shared.network, time, 0) {
            pending.refuse(shared, refusal);
        }
    }
}

/// The hash of entries as they were served.
pub(super) fn hash_of(entries: &[Arc<[u8]>]) -> Hash {
    let mut out = Encoder::new();
    out.array(entries.len());
    for entry in entries {
        out.bytes(entry);
    }
    Hash::from_bytes(sha256(&[&out.into_vec()]))
}
