//! The network stack of one node: which task talks to which. Generic over the runtime, so that the simulation runs this very code.

use std::num::{NonZeroU16, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use commonware_broadcast::buffered;
use commonware_consensus::marshal::core::{Actor as Marshal, Mailbox as MarshalMailbox};
use commonware_consensus::marshal::resolver::p2p as backfill;
use commonware_consensus::marshal::standard::{Deferred, Standard};
use commonware_consensus::marshal::{self, Start};
use commonware_consensus::simplex;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::{FixedEpocher, Height, ViewDelta};
use commonware_cryptography::certificate::Verifier as _;
use commonware_cryptography::{Digested, Digestible as _, Signer as _, ed25519};
use commonware_p2p::{Blocker, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Handle, Metrics, Spawner, Storage};
use commonware_storage::archive::prunable;
use commonware_storage::translator::EightCap;
use commonware_utils::{NZDuration, NZU16, NZU64, NZUsize};
use futures::channel::mpsc;
use parking_lot::RwLock;
use rand_core::CryptoRng;
use stele_core::id::NetworkId;
use stele_core::suite::SigningKey;

use crate::application::{Pace, Proposer};
use crate::block::{Block, BlockLimits, Digest};
use crate::certify::{Certifying, Heights, Shares};
use crate::chain::Chain;
use crate::committee::{Committee, Committees};
use crate::delivery::{self, Deliveries};
use crate::epochs::{Epochs, Settings, Timeouts};
use crate::follow::Follower;
use crate::gossip::Gossip;
use crate::keys::{NodeKey, Secrets};
use crate::marks::{Mark, MarkStart, Marks, Reached};
use crate::membership::{Membership, Work};
use crate::peers::{Peers, Roster};
use crate::score::Score;
use crate::status::Progress;
use crate::sync::{Asker, Exchange, FloorSlot};
use crate::wake::Wake;

const PAGE_BYTES: NonZeroU16 = NZU16!(16_384);
const PAGES: NonZeroUsize = NZUsize!(2_048);
const MAILBOX: NonZeroUsize = NZUsize!(1_024);
/// The granularity in which the engine's stores are pruned, in blocks. Never changed for stored data.
const SECTION: u64 = 256;
/// Blocks that marshal may have handed over and the ledger has not made durable.
const UNACKNOWLEDGED_MAX: usize = 16;
/// How many proposals of each peer are buffered: fewer stall small blocks.
const BUFFERED: usize = 128;
/// So many of the engine's blocks behind the others, a validator joins it at a finalized floor.
pub(crate) const CATCH_UP_AT: u64 = 512;
/// How long a validator that has a journal of its own waits for others to offer a floor.
const JOIN_WITHIN: Duration = Duration::from_secs(3);
/// How many missing blocks are fetched at a time.
const REPAIR: usize = 32;

/// The links to all peers.
pub(crate) struct Links<S, R> {
    pub(crate) votes: (S, R),
    pub(crate) certificates: (S, R),
    pub(crate) resolver: (S, R),
    pub(crate) backfill: (S, R),
    pub(crate) blocks: (S, R),
    pub(crate) entries: (S, R),
    pub(crate) partials: (S, R),
    pub(crate) sync: (S, R),
    pub(crate) resharing: (S, R),
}

/// What a node's stack is made of.
pub(crate) struct Parts<B, P> {
    pub(crate) network: NetworkId,
    pub(crate) me: Arc<NodeKey>,
    pub(crate) chain: Chain,
    /// The key of the member that runs this node.
    pub(crate) member: Option<Arc<SigningKey>>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) blocker: B,
    pub(crate) peers: P,
    pub(crate) pace: Pace,
    pub(crate) timeouts: Timeouts,
    /// Blocks of the engine in an epoch; agreed on in the genesis.
    pub(crate) epoch_blocks: u64,
    /// How many of the engine's blocks are kept for peers that are behind.
    pub(crate) retention: u64,
    /// So many of the engine's blocks behind, the node joins it anew; well below `retention`.
    pub(crate) catch_up_at: u64,
    pub(crate) progress: Progress,
    pub(crate) score: Score,
    pub(crate) executed: mpsc::UnboundedReceiver<stele_ledger::ledger::Uncertified>,
    pub(crate) admitted: mpsc::UnboundedReceiver<Vec<Bytes>>,
    pub(crate) pooled: Wake,
    /// The time of day, as the ledger has it.
    pub(crate) clock: stele_ledger::ledger::Clock,
    pub(crate) genesis_committee: Committee,
    /// What the names of the engine's stores begin with.
    pub(crate) partition: String,
}

/// An upper bound of the messages that a stack sends, in bytes.
pub(crate) fn message_max(limits: &BlockLimits) -> u32 {
    const PARTICIPANTS: u32 = 100;
    let engine =
        simplex::max_payload_size::<Scheme, Digest>(PARTICIPANTS).max(marshal::max_payload_size::<
            Standard<Block>,
            Scheme,
        >(
            PARTICIPANTS, limits
        ));
    let largest = [
        commonware_p2p::utils::mux::prefixed(engine),
        crate::gossip::MESSAGE_MAX,
        crate::certify::MESSAGE_MAX,
        crate::sync::MESSAGE_MAX,
        crate::ceremony::MESSAGE_MAX,
    ];
    commonware_p2p::max_message_size(&largest)
}

fn archive<C>(name: &str, page_cache: &CacheRef, codec_config: C) -> prunable::Config<EightCap, C> {
    prunable::Config {
        translator: EightCap,
        metadata_partition: format!("{name}-metadata"),
        key_partition: format!("{name}-key"),
        key_page_cache: page_cache.clone(),
        value_partition: format!("{name}-value"),
        compression: None,
        codec_config,
        items_per_section: NZU64!(SECTION),
        key_write_buffer: NZUsize!(1 << 16),
        value_write_buffer: NZUsize!(1 << 20),
        replay_buffer: NZUsize!(1 << 20),
    }
}

/// Why the stack ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The next committee is without this node: it goes on as a follower, with new links.
    Left,
    /// The runtime ends, or something is broken.
    Broken,
}

/// Runs the stack until one of its tasks ends.
pub(crate) async fn run<E, S, R, B, P>(context: E, parts: Parts<B, P>, links: Links<S, R>) -> Ended
where
    E: CryptoRng + Spawner + Clock + Metrics + Storage,
    S: Sender<PublicKey = ed25519::PublicKey>,
    R: Receiver<PublicKey = ed25519::PublicKey>,
    B: Blocker<PublicKey = ed25519::PublicKey>,
    P: Peers,
{
    let Parts {
        network,
        me,
        chain,
        member,
        secrets,
        blocker,
        peers,
        pace,
        timeouts,
        epoch_blocks,
        retention,
        catch_up_at,
        progress,
        score,
        executed,
        admitted,
        pooled,
        clock,
        genesis_committee,
        partition,
    } = parts;
    let node = hex::encode(&me.public()[..4]);
    tracing::debug!(node = %node, height = %chain.height(), "the stack starts");
    let epocher = FixedEpocher::new(NZU64!(epoch_blocks));
    let page_cache = CacheRef::new(PAGE_BYTES, PAGES);
    let committees = Committees::new(&network, Arc::clone(&me));
    let mut marks = Marks::open(context.child("marks"), &partition).await;
    let known = chain
        .committee()
        .unwrap_or_else(|_| genesis_committee.clone());
    let begun = match secrets.has_begun() {
        Ok(begun) => begun,
        Err(error) => {
            tracing::error!(%error, "it could not be read whether this node has taken part");
            return Ended::Broken;
        }
    };
    let shares: Shares = match secrets.shares() {
        Ok(shares) => Arc::new(RwLock::new(shares)),
        Err(error) => {
            tracing::error!(%error, "the shares of the network key could not be read");
            return Ended::Broken;
        }
    };
    // Until the engine names an epoch, peers are those of the committee that the state knows.
    let (mut last, mut start) = (marks.last(), None);
    let mut roster = Roster::new(peers.clone());
    roster.enter(last.as_ref().map_or(0, |mark| mark.epoch), &known);

    let (asks, asked) = mpsc::unbounded();
    let floor_source = FloorSlot::default();
    let exchange = Exchange {
        context: context.child("exchange"),
        chain: chain.clone(),
        progress: progress.clone(),
        score: score.clone(),
        sender: links.sync.0,
        floor: floor_source.clone(),
    };
    let answers = links.sync.1;
    let exchange = context
        .child("sync")
        .spawn(move |_| exchange.run(answers, asked));
    let mut follower = Follower {
        context: context.child("follower"),
        chain: chain.clone(),
        progress: progress.clone(),
        score: score.clone(),
        asker: Asker::new(context.child("asker"), asks),
    };
    progress.follows(&known);
    let gossip = Gossip {
        context: context.child("spreading"),
        chain: chain.clone(),
        me: Arc::clone(&me),
        progress: progress.clone(),
        sender: links.entries.0,
        score: score.clone(),
    };
    let entries = links.entries.1;
    let gossip = context
        .child("gossip")
        .spawn(move |_| gossip.run(entries, admitted));
    let membership = Membership {
        context: context.child("membership_clock"),
        chain: chain.clone(),
        me: Arc::clone(&me),
        member,
        secrets: Arc::clone(&secrets),
        shares: Arc::clone(&shares),
        committees: committees.clone(),
        roster: roster.clone(),
        sender: links.resharing.0,
        score: score.clone(),
        progress: progress.clone(),
        work: Work::default(),
    };
    let dealings = links.resharing.1;
    let membership = context
        .child("membership")
        .spawn(move |_| membership.run(dealings));
    let is_member = |committee: &Committee| committee.index_of(&me.public()).is_some();
    let reached = Reached::open(context.child("reached"), &partition).await;
    let mut far = false;
    if is_member(&known) {
        follower.listen(known.sharing.quorum()).await;
        // Before the ledger is level: its newest block says how long this node slept.
        far = follower.is_far_behind(catch_up_at, pace.idle);
        follower.catch_up(&known, reached.height()).await;
    }
    // The engine knows nothing: either it never ran here, or its journal of votes is gone.
    let lost = last.is_none() && begun;
    // Only founders begin with the engine's first block.
    let fresh = last.is_none() && !begun && known.number == 1;
    if !is_member(&known) || far || (last.is_none() && !fresh) {
        let member = {
            let (chain, me) = (chain.clone(), Arc::clone(&me));
            move || {
                chain
                    .committee()
                    .is_ok_and(|committee| committee.index_of(&me.public()).is_some())
            }
        };
        // The engine's own journal is the way back when all nodes were down and none can tell where it stood.
        let may_go_on = is_member(&known) && (last.is_some() || fresh);
        let patience = may_go_on.then_some(JOIN_WITHIN);
        if let Some(joined) = follower.join(member, lost, patience).await {
            let mark = Mark {
                epoch: joined.epoch,
                committee: joined.committee.number,
                start: MarkStart::Floor(joined.finalization.clone()),
            };
            marks.enter(&mark).await;
            last = Some(mark);
            start = Some(Start::Floor(joined.finalization));
        }
    }
    let public_key = me.engine_key().public_key();

    tracing::debug!(node = %node, height = %chain.height(), epoch = last.as_ref().map(|mark| mark.epoch), "the engine opens");
    let genesis = Block::genesis(&network, &genesis_committee, chain.genesis_time());
    let digest = genesis.digest();
    if last.is_none() {
        let mark = Mark {
            epoch: 0,
            committee: 1,
            start: MarkStart::Boundary(digest),
        };
        marks.enter(&mark).await;
        last = Some(mark);
    }
    // After the mark: a node that is killed in between has one, and takes part by it.
    if let Err(error) = secrets.begin() {
        tracing::error!(%error, "it could not be noted that this node takes part");
        return Ended::Broken;
    }
    for mark in marks.all() {
        match chain.committee_numbered(mark.committee) {
            Ok(committee) => committees.enter(mark.epoch, Arc::new(committee)),
            Err(error) => {
                tracing::error!(epoch = mark.epoch, %error, "the committee of an epoch cannot be read");
                return Ended::Broken;
            }
        }
    }

    let finalizations = prunable::Archive::init(
        context.child("finalizations"),
        archive(
            &format!("{partition}-finalizations"),
            &page_cache,
            Scheme::certificate_codec_config_unbounded(),
        ),
    )
    .await
    .expect("the engine's store of finalizations opens");
    let blocks = prunable::Archive::init(
        context.child("blocks"),
        archive(&format!("{partition}-blocks"), &page_cache, pace.limits),
    )
    .await
    .expect("the engine's store of blocks opens");
    let (actor, marshal, _) = Marshal::init(
        context.child("marshal"),
        finalizations,
        blocks,
        marshal::Config {
            provider: committees.clone(),
            epocher: epocher.clone(),
            start: start.unwrap_or_else(|| Start::Genesis(Digested::precomputed(genesis, digest))),
            partition_prefix: format!("{partition}-marshal"),
            mailbox_size: MAILBOX,
            view_retention: ViewDelta::new(256),
            prunable_items_per_section: NZU64!(SECTION),
            page_cache: page_cache.clone(),
            replay_buffer: NZUsize!(1 << 20),
            key_write_buffer: NZUsize!(1 << 16),
            value_write_buffer: NZUsize!(1 << 20),
            block_codec_config: pace.limits,
            max_repair: NZUsize!(REPAIR),
            max_pending_acks: NZUsize!(UNACKNOWLEDGED_MAX),
            strategy: Sequential,
        },
    )
    .await;
    let proposer = Proposer::new(chain.clone(), committees.clone(), pace, pooled, clock);
    let recent = proposer.recent();
    let application = Deferred::new(
        context.child("application"),
        proposer,
        marshal.clone(),
        epocher.clone(),
    );
    let (deliveries, delivered) = Deliveries::new(progress.clone());
    let (boundary, boundaries) = mpsc::unbounded();

    // The epoch after a boundary begins only when the boundary is delivered again, so the last mark is where the engine stands.
    let mark = last.expect("the first epoch is marked at least");
    let epochs = Epochs {
        context: context.child("epochs"),
        settings: Settings {
            partition,
            timeouts,
            epocher: epocher.clone(),
            page_cache: page_cache.clone(),
        },
        committees: committees.clone(),
        marks,
        blocker: blocker.clone(),
        roster,
        secrets,
        shares: Arc::clone(&shares),
        application,
        marshal: marshal.clone(),
        progress: progress.clone(),
    };
    floor_source.offer(
        marshal.clone(),
        committees.clone(),
        epocher.clone(),
        progress.clone(),
    );

    let (buffer, buffered) = buffered::Engine::new(
        context.child("buffer"),
        buffered::Config {
            public_key: public_key.clone(),
            mailbox_size: MAILBOX,
            deque_size: BUFFERED,
            priority: false,
            codec_config: pace.limits,
            peer_provider: peers.clone(),
            strategy: Sequential,
        },
    );
    let resolver = backfill::init(
        context.child("backfill"),
        backfill::Config {
            public_key,
            peer_provider: peers,
            blocker,
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(timeouts.fetch),
            fetch_retry_delay: Duration::from_millis(100),
            priority_requests: false,
            priority_responses: false,
        },
        links.backfill,
    );
    let certifying = Certifying {
        context: context.child("certifying"),
        chain: chain.clone(),
        me: Arc::clone(&me),
        committees: committees.clone(),
        shares,
        sender: links.partials.0,
        score: score.clone(),
        progress: progress.clone(),
        epocher: epocher.clone(),
        heights: Heights::default(),
    };
    // Before marshal: with gaps to fill, it asks the buffer before it does anything else.
    let buffering = buffer.start(links.blocks);
    let marshalling = actor.start(deliveries, buffered, resolver);
    tracing::debug!(node = %node, "marshal runs");
    let processed = marshal.get_processed().await;
    tracing::debug!(node = %node, ?processed, "marshal answers");
    recent.done(processed.map_or(0, |processed| processed.height().get()));

    let (partials, kept) = (links.partials.1, chain.clone());
    let engine = (links.votes, links.certificates, links.resolver);
    let left = Arc::new(AtomicBool::new(false));
    let has_left = Arc::clone(&left);
    let tasks = [
        exchange,
        membership,
        buffering,
        context
            .child("certify")
            .spawn(move |_| certifying.run(partials, executed)),
        gossip,
        context.child("deliver").spawn(move |_| {
            delivery::deliver(delivered, chain, epocher, recent, progress, boundary)
        }),
        marshalling,
        context.child("engine").spawn(async move |_| {
            let left = epochs.run(mark, engine, boundaries).await;
            has_left.store(left, Ordering::Release);
        }),
        context
            .child("prune")
            .spawn(move |context| prune(context, marshal, retention, reached, kept)),
    ];
    match Handle::select(tasks).await {
        Ok(()) | Err(commonware_runtime::Error::Closed) => {}
        Err(error) => tracing::error!(%error, "a task of the network ended"),
    }
    if left.load(Ordering::Acquire) {
        Ended::Left
    } else {
        Ended::Broken
    }
}

/// How often the engine's stores are pruned.
const PRUNE_EVERY: Duration = Duration::from_secs(10);

/// Keeps the engine's stores from growing without bound: what is durable in our log is kept there only for peers that are behind.
async fn prune<E>(
    context: E,
    marshal: MarshalMailbox<Scheme, Standard<Block>>,
    retention: u64,
    mut reached: Reached<E>,
    chain: Chain,
) where
    E: Storage + Clock + Metrics,
{
    loop {
        context.sleep(PRUNE_EVERY).await;
        reached.note(chain.height().get()).await;
        let Some(processed) = marshal.get_processed().await else {
            continue;
        };
        let keep_from = processed.height().get().saturating_sub(retention);
        marshal.prune(Height::new(keep_from));
    }
}
