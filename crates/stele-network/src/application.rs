//! Proposing and judging blocks: the engine's questions to this node.
//!
//! A proposal is judged by its form alone (note 0008, point 4): what its entries do, and whether they count, is decided by every
//! node alike when the block is executed.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::{Application, Heightable as _};
use commonware_cryptography::{Digested, Digestible as _};
use commonware_macros::select;
use commonware_runtime::Clock;
use futures::StreamExt as _;
use parking_lot::Mutex;
use stele_core::id::TimeMs;

use crate::block::{Block, BlockLimits, Digest, Round};
use crate::chain::Chain;
use crate::committee::Committees;
use crate::wake::Wake;

/// How far a proposer's clock may run ahead of a judge's before the judge waits.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(500);
/// How many blocks may be ordered ahead of those made durable here before this node proposes no more entries.
const AHEAD_MAX: u64 = 16;
/// How long a leader without entries waits while the epoch is to end soon.
const HURRY: Duration = Duration::from_millis(5);
/// How many blocks' entries are remembered by digest.
const REMEMBERED_MAX: usize = 256;

/// How a leader fills its blocks.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The most in one block.
    pub limits: BlockLimits,
    /// How long a leader without entries waits before it proposes an empty block.
    pub idle: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            limits: BlockLimits::default(),
            idle: Duration::from_millis(500),
        }
    }
}

/// A block's height in the engine, and the hashes of its entries.
type Remembered = (u64, Arc<[u64]>);

/// What a leader remembers of recent blocks. Apart from the proposer, because the ledger holds it until a block is durable and must not
/// hold itself.
#[derive(Default)]
pub(crate) struct Recent {
    /// The engine's height up to which blocks are durable here.
    done: AtomicU64,
    /// Hashes of the entries of recent blocks, so that a leader does not propose what its ancestors hold already.
    remembered: Mutex<HashMap<Digest, Remembered>>,
    hasher: RandomState,
}

impl Recent {
    /// The block at this height of the engine is durable.
    pub(crate) fn done(&self, height: u64) {
        self.done.fetch_max(height, Ordering::Relaxed);
        let mut remembered = self.remembered.lock();
        if remembered.len() > REMEMBERED_MAX / 2 {
            remembered.retain(|_, (at, _)| *at > height);
        }
    }

    fn hashes(&self, block: &Block) -> Arc<[u64]> {
        let mut remembered = self.remembered.lock();
        if let Some((_, hashes)) = remembered.get(&block.digest()) {
            return Arc::clone(hashes);
        }
        let hash = |entry: &Bytes| self.hasher.hash_one(entry);
        let hashes: Arc<[u64]> = block.entries().iter().map(hash).collect();
        if remembered.len() < REMEMBERED_MAX {
            let height = block.height().get();
            remembered.insert(block.digest(), (height, Arc::clone(&hashes)));
        }
        hashes
    }
}

struct Shared {
    chain: Chain,
    committees: Committees,
    pace: Pace,
    recent: Arc<Recent>,
    pooled: Wake,
    /// The time of day; timers are the engine's.
    clock: stele_ledger::ledger::Clock,
}

/// This node as the engine sees it.
#[derive(Clone)]
pub(crate) struct Proposer {
    shared: Arc<Shared>,
}

impl Proposer {
    pub(crate) fn new(
        chain: Chain,
        committees: Committees,
        pace: Pace,
        pooled: Wake,
        clock: stele_ledger::ledger::Clock,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                chain,
                committees,
                pace,
                recent: Arc::default(),
                pooled,
                clock,
            }),
        }
    }

    /// What it remembers; told of every block that is durable.
    pub(crate) fn recent(&self) -> Arc<Recent> {
        Arc::clone(&self.shared.recent)
    }

    /// The entries of ancestors that are not executed here yet.
    async fn pending(&self, mut ancestry: impl Ancestry<Block>) -> (HashSet<u64>, u64) {
        let done = self.shared.recent.done.load(Ordering::Relaxed);
        let mut pending = HashSet::new();
        let mut ahead = 0;
        while let Some(block) = ancestry.next().await {
            if block.height().get() <= done {
                break;
            }
            ahead += 1;
            pending.extend(self.shared.recent.hashes(block.inner()).iter());
            if ahead > AHEAD_MAX {
                break;
            }
        }
        (pending, ahead)
    }

    fn take(&self, pending: &HashSet<u64>) -> Vec<Bytes> {
        let shared = &self.shared;
        shared.chain.take(shared.pace.limits, &mut |entry| {
            pending.contains(&shared.recent.hasher.hash_one(entry))
        })
    }
}

impl<E: Clock> Application<E> for Proposer {
    type SigningScheme = Scheme;
    type Context = Round;
    type Block = Block;
    type Input = ();

    async fn propose(
        &mut self,
        (clock, round): (E, Round),
        ancestry: impl Ancestry<Block>,
        (): (),
    ) -> Option<Digested<Block>> {
        let parent = ancestry.peek()?.clone();
        let committee = self.shared.committees.of(round.round.epoch().get())?.number;
        // The next committee waits for this epoch to end: it is brought to its end without pauses.
        let pause = if self.shared.committees.is_outdated(committee) {
            HURRY.min(self.shared.pace.idle)
        } else {
            self.shared.pace.idle
        };
        let deadline = clock.current() + pause;
        let (pending, ahead) = self.pending(ancestry).await;
        let entries = loop {
            let pooled = self.shared.pooled.wait();
            // What is ordered must be executed some time: a network that outruns its ledgers only fills its disks.
            let entries = if ahead > AHEAD_MAX {
                Vec::new()
            } else {
                self.take(&pending)
            };
            if !entries.is_empty() || clock.current() >= deadline {
                break entries;
            }
            select! {
                () = pooled => {},
                () = clock.sleep_until(deadline) => {},
            }
        };
        // Strictly above its parent's: by its time the ledger knows a block that comes again.
        let now = (self.shared.clock)();
        let time = now.max(TimeMs::new(parent.inner().time().get() + 1));
        let height = parent.height().next();
        let block = Block::new(round, parent.digest(), height, time, committee, entries);
        let digest = block.digest();
        Some(Digested::precomputed(block, digest))
    }

    async fn verify(
        &mut self,
        (clock, round): (E, Round),
        mut ancestry: impl Ancestry<Block>,
    ) -> bool {
        let (Some(block), Some(parent)) = (ancestry.next().await, ancestry.next().await) else {
            // The parent is not to be had now; that says nothing about the block.
            return std::future::pending().await;
        };
        let committee = self.shared.committees.of(round.round.epoch().get());
        let right =
            committee.is_some_and(|committee| committee.number == block.inner().committee());
        if !right || block.inner().time() <= parent.inner().time() {
            tracing::warn!(height = %block.height(), leader = %block.inner().leader(), "a proposal is not well-formed");
            return false;
        }
        // A clock that is behind is no reason to refuse: the block becomes right by waiting.
        let ahead = block
            .inner()
            .time()
            .get()
            .saturating_sub((self.shared.clock)().get());
        let ahead = Duration::from_millis(ahead).saturating_sub(CLOCK_TOLERANCE);
        if !ahead.is_zero() {
            clock.sleep(ahead).await;
        }
        self.shared.recent.hashes(block.inner());
        true
    }
}
