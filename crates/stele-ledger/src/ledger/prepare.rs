//! What can be checked of an ordered block before its turn to be executed, while the blocks before it are.
//!
//! Two things do not depend on the state: whether the certificate that came with a block is the network's, and whether an entry's
//! signatures are by given keys. Which keys may sign is looked up again when the block is judged, and what is found here counts only
//! if it was found under those keys: a node that prepares nothing has the same results.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender};
use rayon::prelude::*;
use stele_core::entry::Entry;
use stele_core::suite::{PublicKey, SuiteError};

use super::admission::{check_signatures, find_keys};
use super::open::Shared;
use super::order::{Member, OrderedBlock};

/// So many entries of successive blocks are checked together, unless one block alone has more.
const TOGETHER_MAX: usize = 4_096;
/// How many prepared blocks may wait to be executed.
pub(super) const PREPARED_MAX: usize = 16;

/// An entry whose signatures are good under these keys.
pub(super) struct Prepared {
    pub(super) entry: Entry,
    pub(super) keys: Vec<PublicKey>,
}

/// An ordered block with what is known of it ahead of its turn.
pub(super) struct PreparedBlock {
    pub(super) block: OrderedBlock,
    /// Whether the certificate that came with it verifies, if that was looked at.
    pub(super) certificate: Option<Result<(), SuiteError>>,
    /// For each entry what was found; shorter if the rest was not looked at.
    pub(super) entries: Vec<Option<Prepared>>,
}

impl PreparedBlock {
    /// A block of which nothing is known.
    pub(super) fn unprepared(block: OrderedBlock) -> Self {
        Self {
            block,
            certificate: None,
            entries: Vec::new(),
        }
    }
}

/// The preparing thread: takes what waits and hands it on in the same order.
pub(super) fn prepare_loop(
    shared: &Shared,
    member: &Member,
    ordered: &Receiver<OrderedBlock>,
    prepared: &Sender<PreparedBlock>,
) {
    while let Ok(first) = ordered.recv() {
        let mut count = first.entries.len();
        let mut blocks = vec![first];
        while count < TOGETHER_MAX {
            let Ok(next) = ordered.try_recv() else { break };
            count += next.entries.len();
            blocks.push(next);
        }
        for block in prepare(shared, member, blocks) {
            if prepared.send(block).is_err() {
                return;
            }
        }
    }
}

fn prepare(shared: &Shared, member: &Member, blocks: Vec<OrderedBlock>) -> Vec<PreparedBlock> {
    let idle = shared.closing.load(Ordering::Acquire) || shared.is_halted();
    let head = shared.head.read().height();
    let mut blocks: Vec<_> = blocks.into_iter().map(PreparedBlock::unprepared).collect();
    if idle {
        return blocks;
    }
    blocks.par_iter_mut().for_each(|prepared| {
        prepared.certificate = match &prepared.block.certificate {
            Some(certificate) if certificate.header.height > head => {
                Some(certificate.verify(&shared.genesis.network_key))
            }
            _ => None,
        };
    });
    // A block whose certificate is bad, or that is final here already, is not executed.
    let due = |prepared: &&mut PreparedBlock| {
        prepared.block.certificate.is_none() || matches!(prepared.certificate, Some(Ok(())))
    };
    let due: Vec<_> = blocks.iter_mut().filter(due).collect();
    let entries: Vec<_> = due
        .iter()
        .map(|prepared| &prepared.block.entries[..])
        .collect();
    let found: Vec<_> = entries
        .par_iter()
        .map(|entries| find(shared, member, entries))
        .collect();
    let unchecked: Vec<_> = found
        .iter()
        .flatten()
        .flatten()
        .map(|prepared| (&prepared.entry, &prepared.keys[..]))
        .collect();
    let mut verdicts = check_signatures(&unchecked).into_iter();
    for (block, found) in due.into_iter().zip(found) {
        let keep = |found: Option<Prepared>| {
            let found = found?;
            let verdict = verdicts.next().expect("a verdict for each");
            verdict.is_ok().then_some(found)
        };
        block.entries = found.into_iter().map(keep).collect();
    }
    blocks
}

/// Reads the entries that do not wait in the pool, where they were checked, and finds their keys as far as they are known by now.
fn find(shared: &Shared, member: &Member, entries: &[Arc<[u8]>]) -> Vec<Option<Prepared>> {
    let pooled = member.pool.contains(entries);
    let find = |(bytes, pooled): (&Arc<[u8]>, bool)| {
        if pooled {
            return None;
        }
        let entry = Entry::decode(bytes.to_vec()).ok()?;
        let keys = find_keys(&entry, &*shared.machine, &*shared.state, &shared.keys).ok()?;
        Some(Prepared { entry, keys })
    };
    entries.iter().zip(pooled).map(find).collect()
}
