//! Building blocks: ordering, execution, roots and the certificate.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use stele_core::block::{BlockHeader, Certificate, Record, encode_events};
use stele_core::cbor::Encoder;
use stele_core::entry::Entry;
use stele_core::id::{EntryId, Hash, Height, KeyId, LogIndex, TimeMs, sha256};
use stele_core::machine::{
    BlockContext, Executed, Fault, Judgement, Overlay, Refusal, StateChange, StateMachine, Upgrade,
};
use stele_core::merkle;
use stele_core::suite::{PublicKey, SigningKey};

use super::admission::{check_header, refuse_replay};
use super::open::{Halted, Shared};
use super::order::Ordered;
use super::persist::SPACE_PAUSE;
use super::reads::Reads;
use super::replay::ReplayWindow;
use super::stats::LedgerStats;
use super::submit::{Listeners, Pending, refuse};
use super::{Finalised, Head};
use crate::state::{Change, State, StateError};

/// A block that is executed and not yet durable.
pub(super) struct ExecutedBlock {
    pub(super) certificate: Certificate,
    /// Log items: entry and events of each.
    pub(super) items: Vec<Vec<u8>>,
    pub(super) records: Vec<Vec<u8>>,
    /// Leaf hashes of the records.
    pub(super) leaves: Vec<merkle::Hash>,
    /// Submitters and what they will hear.
    pub(super) listeners: Vec<(Listeners, Finalised)>,
    /// In a network: what the engine is told once the block is durable.
    pub(super) ordered: Option<Ordered>,
}

/// The outcome of one entry, ready for the log.
pub(super) struct Line {
    pub(super) record: Record,
    pub(super) events: Vec<u8>,
    pub(super) executed: Executed,
}

/// Executes one entry and writes its record. Used alike when a block is built and when it is executed again.
pub(super) fn execute_entry(
    machine: &dyn StateMachine,
    block: &BlockContext,
    entry: &Entry,
    overlay: &mut Overlay<'_>,
) -> Result<Line, Fault> {
    let executed = machine.execute(block, entry, overlay)?;
    match executed.outcome {
        Judgement::Applied => overlay.commit_entry(),
        Judgement::Refused { .. } => overlay.roll_back(),
    }
    let events = encode_events(&executed.events);
    let record = Record {
        entry_id: entry.id(),
        envelope_hash: entry.envelope_hash(),
        party: executed.party,
        register: entry.header().register,
        rule: executed.rule.clone(),
        height: block.height,
        time: block.time,
        outcome: executed.outcome.outcome(sha256(&[&events])),
    };
    Ok(Line {
        record,
        events,
        executed,
    })
}

/// What the log keeps of an entry beside its record: `[entry, events]`.
pub(super) fn encode_item(entry: &[u8], events: &[u8]) -> Vec<u8> {
    let mut out = Encoder::with_capacity(entry.len() + events.len() + 12);
    out.array(2).bytes(entry).bytes(events);
    out.into_vec()
}

/// Applies a block's changes to the state and returns the new root.
pub(super) fn apply(
    state: &State,
    height: Height,
    changes: &[StateChange],
) -> Result<[u8; 32], StateError> {
    let changes: Vec<_> = changes
        .iter()
        .map(|change| Change {
            path: change.path,
            register: &change.register,
            key: &change.key,
            value: change.value.as_deref(),
        })
        .collect();
    state.apply(height.get(), &changes)
}

/// The executing thread's own state.
pub(super) struct Executor {
    pub(super) head: Head,
    pub(super) replay: ReplayWindow,
    pub(super) frontier: merkle::Frontier,
}

/// What a block's entries came to.
pub(super) struct Built {
    /// What became of the block.
    pub(super) result: BlockResult,
    /// Entries that did not count, and why.
    pub(super) dropped: Vec<(Pending, Refusal)>,
}

/// What became of a block.
pub(super) enum BlockResult {
    /// It is executed; its certificate lacks the signature.
    Done(Box<ExecutedBlock>),
    /// No entry of it counts: there is no block.
    Empty,
    /// Its entries are not those that the given certificate is for. Nothing of them is kept.
    Altered,
}

/// Takes what waits, builds block after block, signs each alone and hands it on to be made durable.
pub(super) fn execute_loop(
    shared: &Shared,
    signer: &SigningKey,
    mut executor: Executor,
    verified: &Receiver<Pending>,
    executed: &Sender<ExecutedBlock>,
) {
    while let Ok(first) = verified.recv() {
        if shared.is_halted() {
            first.refuse(shared, shared.refuse_halted());
            continue;
        }
        let batch = take_block(shared, first, verified);
        let started = Instant::now();
        let before = Reads::new(&*shared.state);
        let Built { result, dropped } =
            match executor.build(shared, (shared.options.clock)(), batch, &before, None) {
                Ok(built) => built,
                Err(broken) => {
                    broken.halt(shared);
                    continue;
                }
            };
        for (pending, refusal) in dropped {
            pending.refuse(shared, refusal);
        }
        if let BlockResult::Done(mut block) = result {
            block.certificate.signature = signer.sign(&block.certificate.message());
            LedgerStats::add_time(&shared.stats.execute_micros, started.elapsed());
            if executed.send(*block).is_err() {
                break;
            }
        }
    }
    // Whoever still waits must not wait for ever.
    for pending in verified.try_iter() {
        pending.refuse(shared, shared.refuse_halted());
    }
}

fn take_block(shared: &Shared, first: Pending, verified: &Receiver<Pending>) -> Vec<Pending> {
    let options = &shared.options;
    let mut bytes = first.entry.bytes().len();
    let mut batch = vec![first];
    while batch.len() < options.block_entries_max && bytes < options.block_bytes_max {
        let Ok(pending) = verified.try_recv() else {
            break;
        };
        bytes += pending.entry.bytes().len();
        batch.push(pending);
    }
    batch
}

impl Executor {
    /// Executes a block of the given entries over the state before it. With a certificate given, the log's root is compared before anything is kept.
    ///
    /// Nobody hears of anything here: until the block's result is known to be the network's, nothing is said about its entries.
    pub(super) fn build(
        &mut self,
        shared: &Shared,
        time: TimeMs,
        batch: Vec<Pending>,
        before: &Reads<'_>,
        expected: Option<&Certificate>,
    ) -> Result<Built, Broken> {
        // A block's time never falls, whatever the clock of its proposer does.
        let time = time.max(self.head.time());
        self.replay.forget_before(time);
        let context = BlockContext {
            network: shared.network,
            height: self.head.height().next(),
            time,
        };
        match missing_version(shared, context.height, &[]) {
            Ok(None) => {}
            Ok(Some(upgrade)) => return Err(Broken::waiting(Halted::Upgrade(upgrade), batch)),
            Err(fault) => return Err(Broken::waiting(Halted::Broken(fault.to_string()), batch)),
        }
        let mut index = self.head.log_size();
        let mut overlay = Overlay::new(before);
        let mut block = Lines::with_capacity(batch.len());
        let mut dropped = Vec::new();
        let mut batch = batch.into_iter();
        while let Some(pending) = batch.next() {
            // The window is judged by the block's time here, so every node that executes it judges alike.
            if let Err(refusal) = check_header(&pending.entry, &shared.network, time, 0) {
                dropped.push((pending, refusal));
                continue;
            }
            if !self.replay.insert(&pending.entry) {
                let refusal = refuse_replay(&pending.entry.id());
                dropped.push((pending, refusal));
                continue;
            }
            let line = match execute_entry(&*shared.machine, &context, &pending.entry, &mut overlay)
            {
                Ok(line) => line,
                Err(fault) => {
                    // A register that this program does not know at all is only noticed when an entry comes for it.
                    let missing = missing_version(shared, context.height, &registers_of(&pending));
                    let cause = match missing {
                        Ok(Some(upgrade)) => Halted::Upgrade(upgrade),
                        _ => Halted::Broken(fault.to_string()),
                    };
                    let dropped = dropped.into_iter().map(|(pending, _)| pending);
                    let rest = core::iter::once(pending).chain(batch).chain(dropped);
                    let mut broken = Broken::waiting(cause, rest);
                    let done = block.listeners.into_iter();
                    broken
                        .listeners
                        .extend(done.map(|(listeners, _)| listeners));
                    return Err(broken);
                }
            };
            block.push(index, pending, line);
            index = index.next();
        }
        let leaves: Vec<_> = block
            .records
            .iter()
            .map(|record| merkle::leaf_hash(record))
            .collect();
        let mut frontier = self.frontier.clone();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        // A record names the hash of its whole entry, so entries that give the certified root are the certified ones.
        if expected.is_some_and(|expected| {
            frontier.size() != expected.header.tree_size.get()
                || frontier.root() != *expected.log_root.as_bytes()
        }) {
            for (id, not_after) in block.ids() {
                self.replay.remove(&id, not_after);
            }
            let result = BlockResult::Altered;
            return Ok(Built { result, dropped });
        }
        if block.records.is_empty() {
            let result = BlockResult::Empty;
            return Ok(Built { result, dropped });
        }
        for (keys, (_, done)) in block.keys.iter().zip(&block.listeners) {
            shared.note_keys(keys, done.refusal.as_ref());
        }
        self.frontier = frontier;
        let certificate = match self.result(shared, &context, overlay.into_changes()) {
            Ok(certificate) => certificate,
            Err(reason) => return Err(Broken::new(reason, block.listeners)),
        };
        self.head = Head::new(certificate.clone());
        let Lines {
            items,
            records,
            listeners,
            ..
        } = block;
        let result = BlockResult::Done(Box::new(ExecutedBlock {
            certificate,
            items,
            records,
            leaves,
            listeners,
            ordered: None,
        }));
        Ok(Built { result, dropped })
    }

    /// What the network will sign of the block.
    fn result(
        &mut self,
        shared: &Shared,
        context: &BlockContext,
        changes: Vec<StateChange>,
    ) -> Result<Certificate, String> {
        let state_root = apply_when_space(shared, context.height, &changes)
            .map_err(|error| error.to_string())?;
        let header = BlockHeader {
            alg: 0,
            kid: KeyId::from_bytes([0; 32]),
            network: shared.network,
            height: context.height,
            time: context.time,
            previous: self.head.hash,
            tree_size: LogIndex::new(self.frontier.size()),
            state_root: Hash::from_bytes(state_root),
        };
        Ok(Certificate::unsigned(
            header,
            Hash::from_bytes(self.frontier.root()),
            &shared.genesis.network_key,
        ))
    }
}

/// The version that judges at `height` and that this program lacks, if there is one.
fn missing_version(
    shared: &Shared,
    height: Height,
    also: &[&str],
) -> Result<Option<Upgrade>, Fault> {
    let missing = shared
        .machine
        .missing_versions(&*shared.state, height, also)?;
    Ok(missing.into_iter().find(|upgrade| upgrade.height <= height))
}

/// The registers of an entry's commands.
fn registers_of(pending: &Pending) -> Vec<&str> {
    pending
        .entry
        .commands()
        .map(|command| command.register)
        .collect()
}

/// As [`apply`]; where the disk is full it waits until space returns, or the ledger is closed.
fn apply_when_space(
    shared: &Shared,
    height: Height,
    changes: &[StateChange],
) -> Result<[u8; 32], StateError> {
    loop {
        match apply(&shared.state, height, changes) {
            Err(StateError::NoSpace { .. }) if !shared.closing.load(Ordering::Acquire) => {
                shared.state_waits_for_space.store(true, Ordering::Relaxed);
                std::thread::sleep(SPACE_PAUSE);
            }
            result => {
                shared.state_waits_for_space.store(false, Ordering::Relaxed);
                return result;
            }
        }
    }
}

/// A block that could not be executed: the ledger halts, and these hear of it.
pub(super) struct Broken {
    pub(super) cause: Halted,
    pub(super) listeners: Vec<Listeners>,
}

impl Broken {
    /// Halts the ledger; those who wait for this block hear of it.
    pub(super) fn halt(self, shared: &Shared) {
        let refusal = shared.halt_for(self.cause);
        // In a network they wait in the pool, which has let go of them.
        if shared.member().is_none() {
            for listeners in self.listeners {
                refuse(listeners, shared, refusal.clone());
            }
        }
    }

    /// A block that was given up with these entries waiting.
    fn waiting(cause: Halted, batch: impl IntoIterator<Item = Pending>) -> Self {
        let listeners = batch.into_iter().map(|pending| pending.listeners);
        Self {
            cause,
            listeners: listeners.collect(),
        }
    }

    pub(super) fn new(reason: String, listeners: Vec<(Listeners, Finalised)>) -> Self {
        let listeners = listeners.into_iter().map(|(listeners, _)| listeners);
        Self {
            cause: Halted::Broken(reason),
            listeners: listeners.collect(),
        }
    }
}

struct Lines {
    items: Vec<Vec<u8>>,
    records: Vec<Vec<u8>>,
    listeners: Vec<(Listeners, Finalised)>,
    /// The keys of each entry's signers.
    keys: Vec<Vec<PublicKey>>,
    ends: Vec<TimeMs>,
}

impl Lines {
    fn with_capacity(count: usize) -> Self {
        Self {
            items: Vec::with_capacity(count),
            records: Vec::with_capacity(count),
            listeners: Vec::with_capacity(count),
            keys: Vec::with_capacity(count),
            ends: Vec::with_capacity(count),
        }
    }

    /// The entries' ids, and when their windows end.
    fn ids(&self) -> impl Iterator<Item = (EntryId, TimeMs)> {
        let ids = self.listeners.iter().map(|(_, done)| done.entry_id);
        ids.zip(self.ends.iter().copied())
    }

    fn push(&mut self, log_index: LogIndex, pending: Pending, line: Line) {
        self.items
            .push(encode_item(pending.entry.bytes(), &line.events));
        self.records.push(line.record.encode());
        let refusal = match line.executed.outcome {
            Judgement::Applied => None,
            Judgement::Refused { refusal, .. } => Some(refusal),
        };
        let entry_id = pending.entry.id();
        self.ends.push(pending.entry.header().not_after);
        self.keys.push(pending.keys);
        self.listeners.push((
            pending.listeners,
            Finalised {
                entry_id,
                log_index,
                record: line.record,
                refusal,
            },
        ));
    }
}
