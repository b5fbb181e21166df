//! The ledger in a network: others decide on the order of entries and sign the results together.
//!
//! The stages are those of a single validator: pool, order, execute, certify, persist. Only ordering and certifying lie outside:
//! the network calls [`Ledger::order`] with each block's worth of entries and [`Ledger::certified`] with each certificate.
//!
//! Whether an ordered entry counts is decided here, by every node alike, against the state before the block: it must decode, lie
//! inside its window at the block's time, be no replay, and be signed with keys that the state knows. All else is dropped.
//!
//! The engine delivers a block at least once, and again after a crash that its journal did not survive as well as our log. Its blocks'
//! times rise strictly, so a block whose time is not above that of the newest one here is known and passed over. Executing it again
//! would not do: an entry that did not count then, for its window or its key, could count now, on this node alone.
//!
//! A block that came with its certificate is compared with it before anything is kept: entries that do not give the certified log root are not
//! the network's, and whoever sent them is to blame. A node halts only when its own result differs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use parking_lot::{Condvar, Mutex, RwLock};
use stele_core::block::Certificate;
use stele_core::entry::{ENTRY_BYTES_MAX, Entry};
use stele_core::id::{BlockHash, Hash, Height, NetworkId, TimeMs};
use stele_core::machine::Refusal;
use stele_core::suite::SuiteError;

use super::admission::{check_header, find_keys, refuse_shape};
use super::execute::{BlockResult, Broken, ExecutedBlock, Executor};
use super::judge::{hash_of, judge, settle};
use super::open::{Ledger, Shared, certificate_at};
use super::pool::Pool;
use super::prepare::PreparedBlock;
use super::reads::Reads;
use super::stats::LedgerStats;
use super::submit::{Pending, Progress, unknown_outcome};
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
    /// The proposer's time, above that of every block ordered before.
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
    /// It was executed before, perhaps in an earlier life of this node: `height` may be that of a later block.
    pub repeated: bool,
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
    /// The certificate is the network's, and its entries do not give the certified log root here. Whoever sent them is to blame, unless
    /// this node executes otherwise than the network: then all nodes serve the same entries.
    #[error("the entries served for block {height} are not those that its certificate is for")]
    Altered {
        /// The block.
        height: Height,
        /// The hash of the entries as they were served.
        entries: Hash,
    },
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
    /// It is another network's. Whoever sent it is to blame.
    #[error("the certificate of block {height} is of network {network}")]
    OtherNetwork {
        /// The height that it names.
        height: Height,
        /// The network that it names.
        network: NetworkId,
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

    /// The ledger halts: whoever waits hears that this node does not know what becomes of their entries. Blocks that wait for their
    /// certificates are kept, because the network may still need this node's signature.
    pub(super) fn abandon(&self, shared: &Shared, reason: &str) {
        let reason = format!("this node has halted ({reason})");
        let mut waiting = self.waiting.lock();
        let mut open = Vec::new();
        for (listeners, done) in waiting.values_mut().flat_map(|block| &mut block.listeners) {
            open.push((std::mem::take(listeners), done.entry_id));
        }
        drop(waiting);
        for (mut listeners, id) in open {
            listeners.tell(Progress::Unknown(unknown_outcome(&id, &reason)));
        }
        for pending in self.pool.drain() {
            pending.leave_open(shared, &reason);
        }
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
            repeated: false,
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
        let untouched = |head: &Head, dropped, repeated, refused| Delivered {
            position,
            height: head.height(),
            time: head.time(),
            produced: None,
            dropped,
            repeated,
            refused,
        };
        match &certificate {
            Some(certificate) => {
                if certificate.header.height <= self.head.height() {
                    done(untouched(&self.head, 0, true, None));
                    return;
                }
                if let Err(reason) = self.check_certificate(shared, certificate, verdict) {
                    done(untouched(&self.head, 0, false, Some(reason)));
                    return;
                }
                time = certificate.header.time;
            }
            None if time <= self.head.time() => {
                done(untouched(&self.head, 0, true, None));
                return;
            }
            None => {}
        }
        let count = entries.len();
        let before = Reads::new(&*shared.state);
        let built = judge(shared, member, time, &entries, prepared, &before)
            .map_err(|reason| Broken::new(reason, Vec::new()))
            .and_then(|(batch, mut dropped)| {
                let mut built = self.build(shared, time, batch, &before, certificate.as_ref())?;
                dropped.append(&mut built.dropped);
                Ok((built.result, dropped))
            });
        let (result, dropped) = match built {
            Ok(built) => built,
            Err(broken) => {
                broken.halt(shared);
                return;
            }
        };
        let mut block = match result {
            BlockResult::Done(block) => block,
            BlockResult::Altered => {
                let refused = FollowError::Altered {
                    height: self.head.height().next(),
                    entries: hash_of(&entries),
                };
                done(untouched(&self.head, 0, false, Some(refused)));
                return;
            }
            BlockResult::Empty => {
                settle(shared, member, time, None, dropped);
                done(untouched(&self.head, count, false, None));
                return;
            }
        };
        settle(shared, member, time, Some(&mut block), dropped);
        block.ordered = Some(Ordered {
            position,
            dropped: count - block.listeners.len(),
            done,
        });
        let uncertified = Uncertified {
            position,
            certificate: block.certificate.clone(),
        };
        let height = uncertified.height();
        let mut waiting = member.waiting.lock();
        waiting.insert(height.get(), *block);
        let Some(certificate) = certificate else {
            drop(waiting);
            member.certifier.certify(uncertified);
            return;
        };
        // The log's root is the certified one, so another state root is this program's own.
        let agrees = accept(&mut waiting, certificate);
        if agrees {
            release_certified(&mut waiting, release);
        }
        drop(waiting);
        if !agrees {
            shared.halt_diverged(height);
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

    /// Halts: the network has another block of this height than the one that is executed here.
    pub fn diverged(&self, height: Height) {
        self.shared.halt_diverged(height);
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
        let (height, network) = (certificate.header.height, certificate.header.network);
        if network != shared.network {
            return Err(CertifyError::OtherNetwork { height, network });
        }
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
            drop(waiting);
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
        // Entries that are over by this clock are proposed all the same: the chain's time alone says that they are, and hears it so.
        let now = (self.shared.options.clock)();
        member.pool.take(now, entries_max, bytes_max, skip)
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
            let Some(pending) = Pending::from_peer(shared, entry, keys, Arc::clone(&blame)) else {
                break;
            };
            batch.push(pending);
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
