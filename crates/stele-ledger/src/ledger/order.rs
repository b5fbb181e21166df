//! The ledger in a network: others decide on the order of entries and sign the results together.
//!
//! The stages are those of a single validator: pool, order, execute, certify, persist. Only ordering and certifying lie outside:
//! the network calls [`Ledger::order`] with each block's worth of entries and [`Ledger::certified`] with each certificate.
//!
//! Whether an ordered entry counts is decided here, by every node alike, against the state before the block: it must decode, lie
//! inside its window at the block's time, be no replay, and be signed with keys that the state knows. All else is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use parking_lot::{Condvar, Mutex, RwLock};
use stele_core::block::Certificate;
use stele_core::entry::{ENTRY_BYTES_MAX, Entry};
use stele_core::id::{BlockHash, Height, TimeMs};
use stele_core::machine::{Halt, Refusal};
use stele_core::suite::SuiteError;

use super::admission::{KeyCache, check_header, check_signatures, find_keys, refuse_shape};
use super::execute::{Broken, ExecutedBlock, Executor};
use super::open::{Ledger, Shared, certificate_at};
use super::pool::Pool;
use super::prepare::{Prepared, PreparedBlock};
use super::reads::Reads;
use super::stats::LedgerStats;
use super::submit::{Origin, Pending};
use super::{Head, LedgerError};
use crate::log::LogReader;

/// How many executed blocks may wait for their certificates.
const UNCERTIFIED_MAX: usize = 8;

/// Called once an ordered block is dealt with.
pub type Done = Box<dyn FnOnce(Delivered) + Send>;

/// A block's worth of entries in the order that the network agreed on.
pub struct OrderedBlock {
    /// The engine's height; opaque to the ledger and handed back.
    pub position: u64,
    /// The proposer's time; the block's time is never before that of the block before.
    pub time: TimeMs,
    /// The entries as they were submitted.
    pub entries: Vec<Arc<[u8]>>,
    /// When following or catching up: the certificate that the result must have.
    pub certificate: Option<Certificate>,
    /// Called when the block is durable, or at once if it yields no block or is refused.
    pub done: Done,
}

/// What became of an ordered block.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// As in the order.
    pub position: u64,
    /// The ledger's height after it.
    pub height: Height,
    /// The time of that block.
    pub time: TimeMs,
    /// The block it became; `None` if no entry of it counted.
    pub produced: Option<Height>,
    /// How many of its entries did not count.
    pub dropped: usize,
    /// Why it was not executed: the certificate that came with it is not for this place.
    pub refused: Option<FollowError>,
}

/// Why a block that came with its certificate was not executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// Another block is due, perhaps because one before was refused. Nobody is to blame.
    #[error("block {found} came where {due} is due")]
    NotDue {
        /// The height that is due.
        due: Height,
        /// The height that came.
        found: Height,
    },
    /// The certificate is not the network's for this place. Whoever sent it is to blame.
    #[error("{0}")]
    Invalid(String),
}

/// A block that is executed and waits for the network's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncertified {
    /// The engine's height.
    pub position: u64,
    /// The certificate without its signature.
    pub certificate: Certificate,
}

impl Uncertified {
    /// The block's height.
    pub fn height(&self) -> Height {
        self.certificate.header.height
    }

    /// What is to be signed: the `Sig_structure` of the certificate.
    pub fn message(&self) -> Vec<u8> {
        self.certificate.message()
    }

    /// The block's hash.
    pub fn block_hash(&self) -> BlockHash {
        self.certificate.block_hash()
    }
}

/// Gets the network to sign a block.
pub trait Certifier: Send + Sync {
    /// Begins to; must not block. The signature comes back through [`Ledger::certified`].
    fn certify(&self, block: Uncertified);
}

/// Why a certificate was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertifyError {
    /// Its signature is not the network's. Whoever sent it is to blame.
    #[error("the certificate of block {height} does not verify: {error}")]
    Invalid {
        /// The height that it names.
        height: Height,
        /// What is wrong.
        error: SuiteError,
    },
    /// No block of this height waits for one: it is final already, or not executed yet.
    #[error("no block of height {0} waits for a certificate")]
    NotWaiting(Height),
    /// The network signed another result than ours. This ledger has halted.
    #[error("the network has another result for block {0} than this node")]
    Diverged(Height),
}

/// A final block as one node serves it to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedBlock {
    /// Its certificate.
    pub certificate: Certificate,
    /// Its entries.
    pub entries: Vec<Vec<u8>>,
}

/// Called with the entries of each batch that came into the pool.
type Admitted = Box<dyn Fn(&[Arc<[u8]>], bool) + Send + Sync>;

/// What a ledger in a network has besides.
pub(super) struct Member {
    certifier: Arc<dyn Certifier>,
    pub(super) pool: Pool,
    /// Executed blocks by height, until they are certified.
    waiting: Mutex<BTreeMap<u64, ExecutedBlock>>,
    room: Condvar,
    pub(super) admitted: RwLock<Option<Admitted>>,
}

impl Member {
    pub(super) fn new(certifier: Arc<dyn Certifier>) -> Self {
        Self {
            certifier,
            pool: Pool::default(),
            waiting: Mutex::default(),
            room: Condvar::new(),
            admitted: RwLock::default(),
        }
    }

    /// Wakes an executing thread that waits for room, so that it sees the ledger close.
    pub(super) fn close(&self) {
        // The lock is taken so that the thread is either before its check or asleep.
        let _waiting = self.waiting.lock();
        self.room.notify_all();
    }

    fn wait_for_room(&self, shared: &Shared) {
        let mut waiting = self.waiting.lock();
        while waiting.len() >= UNCERTIFIED_MAX && !shared.closing.load(Ordering::Acquire) {
            self.room.wait(&mut waiting);
        }
    }
}

/// Who is told when a block is durable.
pub(super) struct Ordered {
    position: u64,
    dropped: usize,
    done: Done,
}

impl Ordered {
    pub(super) fn durable(self, head: &Head) {
        (self.done)(Delivered {
            position: self.position,
            height: head.height(),
            time: head.time(),
            produced: Some(head.height()),
            dropped: self.dropped,
            refused: None,
        });
    }
}

/// Executes ordered blocks, one after the other, and sends on those that are certified.
pub(super) fn order_loop(
    shared: &Shared,
    member: &Member,
    mut executor: Executor,
    ordered: &Receiver<PreparedBlock>,
    certified: &Sender<ExecutedBlock>,
) {
    while let Ok(block) = ordered.recv() {
        member.wait_for_room(shared);
        if shared.closing.load(Ordering::Acquire) || shared.is_halted() {
            continue;
        }
        let started = Instant::now();
        executor.order(shared, member, block, &mut |block| {
            let _ = certified.send(block);
        });
        LedgerStats::add_time(&shared.stats.execute_micros, started.elapsed());
    }
}

impl Executor {
    /// Executes one ordered block. Blocks that are certified thereby go to `release`, in order.
    pub(super) fn order(
        &mut self,
        shared: &Shared,
        member: &Member,
        block: PreparedBlock,
        release: &mut dyn FnMut(ExecutedBlock),
    ) {
        let PreparedBlock {
            block,
            certificate: verdict,
            entries: prepared,
        } = block;
        let OrderedBlock {
            position,
            mut time,
            entries,
            certificate,
            done,
        } = block;
        let untouched = |head: &Head, dropped, refused| Delivered {
            position,
            height: head.height(),
            time: head.time(),
            produced: None,
            dropped,
            refused,
        };
        if let Some(certificate) = &certificate {
            if certificate.header.height <= self.head.height() {
                done(untouched(&self.head, 0, None));
                return;
            }
            if let Err(reason) = self.check_certificate(shared, certificate, verdict) {
                done(untouched(&self.head, 0, Some(reason)));
                return;
            }
            time = certificate.header.time;
        }
        let count = entries.len();
        let time = time.max(self.head.time());
        let before = Reads::new(&*shared.state);
        let batch = match judge(shared, member, time, &entries, prepared, &before) {
            Ok(batch) => batch,
            Err(reason) => {
                Broken::new(reason, Vec::new()).halt(shared);
                return;
            }
        };
        let produced = match self.build(shared, time, batch, &before) {
            Ok(produced) => produced,
            Err(broken) => {
                broken.halt(shared);
                return;
            }
        };
        let Some(mut produced) = produced else {
            if certificate.is_some() {
                shared.halt_diverged(self.head.height().next());
                return;
            }
            done(untouched(&self.head, count, None));
            return;
        };
        let ids = produced.listeners.iter().map(|(_, done)| done.entry_id);
        member.pool.note_executed(ids);
        produced.ordered = Some(Ordered {
            position,
            dropped: count - produced.listeners.len(),
            done,
        });
        let uncertified = Uncertified {
            position,
            certificate: produced.certificate.clone(),
        };
        let height = uncertified.height();
        let mut waiting = member.waiting.lock();
        waiting.insert(height.get(), produced);
        match certificate {
            None => member.certifier.certify(uncertified),
            Some(certificate) => {
                if !accept(&mut waiting, certificate) {
                    shared.halt_diverged(height);
                    return;
                }
                release_certified(&mut waiting, release);
            }
        }
    }

    /// Checks a certificate that came with a block before anything of the block is executed. `verdict` is what is known of its
    /// signature.
    fn check_certificate(
        &self,
        shared: &Shared,
        certificate: &Certificate,
        verdict: Option<Result<(), SuiteError>>,
    ) -> Result<(), FollowError> {
        let header = &certificate.header;
        let expected = self.head.height().next();
        if header.height != expected {
            return Err(FollowError::NotDue {
                due: expected,
                found: header.height,
            });
        }
        if header.network != shared.network {
            let reason = format!("its certificate is of network {}", header.network);
            return Err(FollowError::Invalid(reason));
        }
        verdict
            .unwrap_or_else(|| certificate.verify(&shared.genesis.network_key))
            .map_err(|error| {
                FollowError::Invalid(format!("its certificate does not verify: {error}"))
            })?;
        if header.previous != self.head.hash {
            // Signed by the network, and yet not the child of what this node has: one of them is no longer one chain.
            let reason = "its certificate names another block before it".to_owned();
            return Err(FollowError::Invalid(reason));
        }
        Ok(())
    }
}

/// Puts a certificate on the block that waits for it; `false` if the block is another one.
fn accept(waiting: &mut BTreeMap<u64, ExecutedBlock>, certificate: Certificate) -> bool {
    let Some(block) = waiting.get_mut(&certificate.header.height.get()) else {
        return false;
    };
    let ours = &mut block.certificate;
    if ours.header != certificate.header || ours.log_root != certificate.log_root {
        return false;
    }
    ours.signature = certificate.signature;
    true
}

/// Hands on what is certified, lowest first, without gaps.
fn release_certified(
    waiting: &mut BTreeMap<u64, ExecutedBlock>,
    release: &mut dyn FnMut(ExecutedBlock),
) {
    while let Some(first) = waiting.first_entry() {
        if first.get().certificate.signature.is_empty() {
            break;
        }
        release(first.remove());
    }
}

/// The entries of an ordered block that may be executed, in order. What was checked for the pool or prepared is not checked again,
/// but the keys are always looked up in the state before the block: what a node happens to remember must not matter.
fn judge(
    shared: &Shared,
    member: &Member,
    time: TimeMs,
    entries: &[Arc<[u8]>],
    prepared: Vec<Option<Prepared>>,
    before: &Reads<'_>,
) -> Result<Vec<Pending>, String> {
    let no_cache = KeyCache::default();
    let mut candidates = Vec::with_capacity(entries.len());
    let prepared = prepared.into_iter().chain(core::iter::repeat_with(|| None));
    for (bytes, prepared) in entries.iter().zip(prepared) {
        let pooled = member.pool.remove(bytes);
        let was_pooled = pooled.is_some();
        let (mut pending, good_under) = match (pooled, prepared) {
            (Some(pending), _) => (pending, None),
            (None, Some(Prepared { entry, keys })) => (Pending::ordered(entry), Some(keys)),
            (None, None) => match Entry::decode(bytes.to_vec()) {
                Ok(entry) => (Pending::ordered(entry), None),
                Err(_) => continue,
            },
        };
        if !was_pooled {
            shared.stats.waiting.fetch_add(1, Ordering::Relaxed);
        }
        if let Err(refusal) = check_header(&pending.entry, &shared.network, time, 0) {
            pending.refuse(shared, refusal);
            continue;
        }
        match find_keys(&pending.entry, &*shared.machine, before, &no_cache) {
            Ok(keys) => pending.keys = keys,
            Err(Halt::Refused(refusal)) => {
                pending.refuse(shared, refusal);
                continue;
            }
            Err(Halt::Fault(fault)) => return Err(fault.to_string()),
        }
        let checked = was_pooled || good_under.is_some_and(|keys| keys == pending.keys);
        candidates.push((pending, was_pooled, checked));
    }
    let unchecked: Vec<_> = candidates
        .iter()
        .filter(|(_, _, checked)| !checked)
        .map(|(pending, _, _)| (&pending.entry, &pending.keys[..]))
        .collect();
    let mut verdicts = check_signatures(&unchecked).into_iter();
    let mut batch = Vec::with_capacity(candidates.len());
    for (mut pending, was_pooled, checked) in candidates {
        if !checked && let Err(refusal) = verdicts.next().expect("a verdict for each") {
            pending.refuse(shared, refusal);
            continue;
        }
        if !was_pooled {
            // The same content in another envelope may wait here, with someone who wants to know.
            if let Some(other) = member.pool.remove_id(&pending.entry.id()) {
                shared.stats.waiting.fetch_sub(1, Ordering::Relaxed);
                pending.listener = other.listener;
            }
        }
        batch.push(pending);
    }
    Ok(batch)
}

impl Ledger {
    /// Executes an ordered block after those before it. Never blocks; whoever orders bounds how many are not done.
    ///
    /// # Panics
    /// If this ledger is not in a network.
    pub fn order(&self, block: OrderedBlock) {
        let member = self.shared.member().expect("a ledger in a network");
        if let Some(inline) = &self.inline {
            if self.shared.is_halted() {
                return;
            }
            let mut inline = inline.lock();
            let mut released = Vec::new();
            inline.executor.order(
                &self.shared,
                member,
                PreparedBlock::unprepared(block),
                &mut |block| released.push(block),
            );
            for block in released {
                inline.persister.take(&self.shared, block);
            }
        } else if let Some(ordered) = &self.ordered {
            let _ = ordered.send(block);
        }
    }

    /// Takes the certificate of an executed block.
    ///
    /// # Errors
    /// [`CertifyError`].
    ///
    /// # Panics
    /// If this ledger is not in a network.
    pub fn certified(&self, certificate: Certificate) -> Result<(), CertifyError> {
        let shared = &self.shared;
        let member = shared.member().expect("a ledger in a network");
        let height = certificate.header.height;
        if !member.waiting.lock().contains_key(&height.get()) {
            return Err(CertifyError::NotWaiting(height));
        }
        certificate
            .verify(&shared.genesis.network_key)
            .map_err(|error| CertifyError::Invalid { height, error })?;
        let mut released = Vec::new();
        let mut inline = self.inline.as_ref().map(|inline| inline.lock());
        let mut waiting = member.waiting.lock();
        if !waiting.contains_key(&height.get()) {
            return Err(CertifyError::NotWaiting(height));
        }
        if !accept(&mut waiting, certificate) {
            shared.halt_diverged(height);
            return Err(CertifyError::Diverged(height));
        }
        release_certified(&mut waiting, &mut |block| match &self.certified {
            // Under the lock, so that blocks keep their order.
            Some(certified) => drop(certified.send(block)),
            None => released.push(block),
        });
        member.room.notify_all();
        drop(waiting);
        if let Some(inline) = &mut inline {
            for block in released {
                inline.persister.take(shared, block);
            }
        }
        Ok(())
    }

    /// The executed blocks that wait for a certificate, lowest first: after a restart, or when messages were lost, they are
    /// signed again.
    pub fn waiting_for_certificate(&self) -> Vec<Uncertified> {
        let Some(member) = self.shared.member() else {
            return Vec::new();
        };
        let waiting = member.waiting.lock();
        let blocks = waiting
            .values()
            .filter(|block| block.certificate.signature.is_empty());
        let uncertified = blocks.map(|block| Uncertified {
            position: block.ordered.as_ref().map_or(0, |ordered| ordered.position),
            certificate: block.certificate.clone(),
        });
        uncertified.collect()
    }

    /// The oldest pooled entries up to the limits, without those that `skip` names by their bytes. They stay in the pool
    /// until they are executed or expire.
    pub fn pool_take(
        &self,
        entries_max: usize,
        bytes_max: usize,
        skip: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Vec<Arc<[u8]>> {
        let Some(member) = self.shared.member() else {
            return Vec::new();
        };
        for pending in member.pool.expire((self.shared.options.clock)()) {
            let now = (self.shared.options.clock)();
            if let Err(refusal) = check_header(&pending.entry, &self.shared.network, now, 0) {
                pending.refuse(&self.shared, refusal);
            }
        }
        member.pool.take(entries_max, bytes_max, skip)
    }

    /// The oldest entries in the pool that clients of this node submitted, up to the limits.
    pub fn pool_oldest_of_clients(&self, entries_max: usize, bytes_max: usize) -> Vec<Arc<[u8]>> {
        self.shared.member().map_or_else(Vec::new, |member| {
            member.pool.oldest_of_clients(entries_max, bytes_max)
        })
    }

    /// How many entries wait to be ordered.
    pub fn pool_len(&self) -> usize {
        self.shared.member().map_or(0, |member| member.pool.len())
    }

    /// Calls `hook` with the entries of each batch that comes into the pool, and whether this node's own clients submitted them.
    /// It is called on a thread of the ledger and must not block.
    pub fn on_admitted(&self, hook: impl Fn(&[Arc<[u8]>], bool) + Send + Sync + 'static) {
        if let Some(member) = self.shared.member() {
            *member.admitted.write() = Some(Box::new(hook));
        }
    }

    /// Takes in entries that another node sent. `blame` hears of what no honest node sends.
    pub fn admit_from_peer(
        &self,
        entries: Vec<Vec<u8>>,
        blame: impl Fn(&Refusal) + Send + Sync + 'static,
    ) {
        let Some(member) = self.shared.member() else {
            return;
        };
        let blame: Arc<dyn Fn(&Refusal) + Send + Sync> = Arc::new(blame);
        let now = (self.shared.options.clock)();
        let mut batch = Vec::with_capacity(entries.len());
        for bytes in entries {
            if self.shared.check_accepting().is_err()
                || member.pool.len() + batch.len() >= self.shared.options.queue_entries_max
            {
                break;
            }
            let entry = match Entry::decode(bytes) {
                Ok(entry) => entry,
                Err(error) => {
                    blame(&refuse_shape(&error));
                    return;
                }
            };
            if check_header(
                &entry,
                &self.shared.network,
                now,
                super::admission::CLOCK_TOLERANCE_MS,
            )
            .is_err()
            {
                continue;
            }
            let shared = &self.shared;
            let Ok(keys) = find_keys(&entry, &*shared.machine, &*shared.state, &shared.keys) else {
                // Its key may be in a block that this node has not executed yet.
                continue;
            };
            batch.push(Pending {
                entry,
                keys,
                listener: Box::new(|_| {}),
                origin: Origin::Peer(Arc::clone(&blame)),
            });
        }
        let count = batch.len() as u64;
        self.shared
            .stats
            .waiting
            .fetch_add(count, Ordering::Relaxed);
        self.enqueue(batch);
    }

    /// Final blocks from a height on, to serve another node: at least one if there is one, then up to the limits.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn certified_blocks(
        &self,
        from: Height,
        blocks_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<CertifiedBlock>, LedgerError> {
        let head = self.head().height();
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        let mut height = from;
        while height <= head && blocks.len() < blocks_max {
            let block = certified_block(&self.shared.log, height)?;
            bytes += block.entries.iter().map(Vec::len).sum::<usize>();
            if bytes > bytes_max && !blocks.is_empty() {
                break;
            }
            blocks.push(block);
            height = height.next();
        }
        Ok(blocks)
    }
}

fn certified_block(log: &LogReader, height: Height) -> Result<CertifiedBlock, LedgerError> {
    let damaged = |error: stele_core::cbor::DecodeError| LedgerError::Damaged {
        what: format!("an entry of block {height}"),
        reason: error.to_string(),
    };
    let mut entries = Vec::new();
    for (item, _) in log.block(height)?.items() {
        let mut decoder = stele_core::cbor::Decoder::new(item);
        decoder.array_of(2, "entry and events").map_err(damaged)?;
        entries.push(decoder.bytes(ENTRY_BYTES_MAX).map_err(damaged)?.to_vec());
    }
    Ok(CertifiedBlock {
        certificate: certificate_at(log, height)?,
        entries,
    })
}
