//! The network in production: the engine's tokio runtime on threads of its own, and authenticated, encrypted links.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use commonware_cryptography::{ChaCha20Poly1305, ed25519};
use commonware_p2p::Blocker as _;
use commonware_p2p::authenticated::lookup;
use commonware_runtime::{Metrics as _, Quota, Runner as _, Spawner as _, Supervisor as _, tokio};
use commonware_stream::cups::{self, Cups};
use commonware_stream::sake::{self, Sake};
use commonware_utils::{NZU32, NZUsize};
use futures::FutureExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::Shared;
use parking_lot::Mutex;
use stele_core::id::NetworkId;
use stele_core::machine::Refusal;
use stele_core::suite::SigningKey;
use stele_ledger::ledger::{Certifier, Ledger, Uncertified, system_time};

use crate::application::Pace;
use crate::certify::Handover;
use crate::chain::{Chain, CommitteeError};
use crate::committee::Committee;
use crate::epochs::Timeouts;
use crate::evidence::Evidence;
use crate::keys::{NodeKey, Secrets, engine_key};
use crate::peers::Addressed;
use crate::score::{Faults, Score};
use crate::stack::{self, Ended, Links, Parts};
use crate::status::{Alarm, Progress, Status};
use crate::upgrades::upgrade_alarms;
use crate::wake::Wake;

/// The fewest places for peers. A committee that grows beyond what is set aside finds room when the node starts again.
const PEERS_MIN: usize = 16;
/// Messages of one peer on one channel in a second before they are held back.
const RATE: NonZeroU32 = NZU32!(4_096);
/// Messages of one peer on one channel at once. Every channel sets memory aside for this many of each place for a peer.
const BURST: NonZeroU32 = NZU32!(128);
/// Committees whose validators may connect at a time: the present one and the one before.
const PEER_SETS: usize = 2;
/// How long the tasks may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Settings of this node's part of the network. None is agreed on, except where said.
#[derive(Debug, Clone)]
pub struct NetworkOptions {
    /// Where this node listens for other nodes.
    pub listen: SocketAddr,
    /// A folder for the engine's own files; they can be deleted only as docs/operations.md says.
    pub dir: PathBuf,
    /// Nodes without a vote that may connect and read.
    pub followers: Vec<[u8; 32]>,
    /// How a leader fills its blocks. The limits must be the same on all nodes.
    pub pace: Pace,
    /// The engine's timeouts.
    pub timeouts: Timeouts,
    /// How many of the engine's blocks are kept for peers that are behind.
    pub retention: u64,
    /// Threads of the engine's runtime.
    pub threads: usize,
}

impl NetworkOptions {
    /// The defaults.
    pub fn new(listen: SocketAddr, dir: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            dir: dir.into(),
            followers: Vec::new(),
            pace: Pace::default(),
            timeouts: Timeouts::default(),
            retention: 4_096,
            threads: 2,
        }
    }
}

/// Who a node is, and what it keeps secret.
pub struct Identity {
    /// Its key on links and for votes.
    pub node_key: NodeKey,
    /// The key of the member that runs it: signs what the node itself puts on the chain. Without it the node takes no part in changes of
    /// the committee.
    pub member: Option<Arc<SigningKey>>,
    /// Where its shares of the network key are kept.
    pub secrets: Arc<dyn Secrets>,
}

type OracleSlot = Arc<Mutex<Option<lookup::Oracle<ed25519::PublicKey>>>>;

/// A place in the network that is not taken yet: the ledger is opened with its certifier, and then the network is started with both.
pub struct Seat {
    certifier: Arc<Handover>,
    executed: mpsc::UnboundedReceiver<Uncertified>,
}

impl Default for Seat {
    fn default() -> Self {
        let (certifier, executed) = Handover::new();
        Self {
            certifier,
            executed,
        }
    }
}

impl Seat {
    /// What the ledger is opened with.
    pub fn certifier(&self) -> Arc<dyn Certifier> {
        Arc::clone(&self.certifier) as Arc<dyn Certifier>
    }
}

/// This node's part of a running network. Dropping it leaves the network and waits for its tasks.
pub struct Network {
    me: [u8; 32],
    ledger: Arc<Ledger>,
    progress: Progress,
    score: Score,
    metrics: Arc<Mutex<Option<tokio::Context>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    /// Takes the seat: connects to the other nodes and takes part.
    ///
    /// # Errors
    /// [`CommitteeError`] if the ledger's state has no committee.
    ///
    /// # Panics
    /// If the system starts no thread.
    pub fn start(
        seat: Seat,
        ledger: Arc<Ledger>,
        identity: Identity,
        options: NetworkOptions,
    ) -> Result<Self, CommitteeError> {
        let chain = Chain::new(Arc::clone(&ledger));
        let genesis_committee = chain.committee_numbered(1)?;
        let epoch_blocks = ledger
            .genesis()
            .committee
            .as_ref()
            .ok_or(CommitteeError::Missing)?
            .epoch_blocks;
        let progress = Progress::new(Arc::new(system_time));
        let oracle_slot: OracleSlot = Arc::default();
        let score = Score::new({
            let slot = Arc::clone(&oracle_slot);
            move |peer| {
                if let Some(oracle) = &mut *slot.lock() {
                    oracle.block(peer);
                }
            }
        });
        let metrics: Arc<Mutex<Option<tokio::Context>>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let me = identity.node_key.public();
        let term = Term {
            network: ledger.genesis().network_id(),
            chain,
            me: Arc::new(identity.node_key),
            member: identity.member,
            secrets: identity.secrets,
            options,
            epoch_blocks,
            genesis_committee,
            progress: progress.clone(),
            score: score.clone(),
            metrics: Arc::clone(&metrics),
            oracle_slot,
        };
        let run = move || {
            let mut stopped = stopped.shared();
            let mut executed = seat.executed;
            // A validator that has left begins a new term as a follower; one that is asked to stop does not.
            while term.serve(executed, &mut stopped) {
                tracing::info!("this node goes on as a follower");
                executed = seat.certifier.reconnect();
            }
        };
        let thread = std::thread::Builder::new()
            .name("stele-network".to_owned())
            .spawn(run);
        Ok(Self {
            me,
            ledger,
            progress,
            score,
            metrics,
            stop: Some(stop),
            thread: Some(thread.expect("the system starts a thread")),
        })
    }

    /// How the network does, seen from here.
    pub fn status(&self) -> Status {
        let halted = self.ledger.refusing().map(|refusal: Refusal| Alarm {
            code: refusal.code,
            message: refusal.sentence,
            hint: refusal.hint,
        });
        let height = self.ledger.head().height().get();
        let mut status = self
            .progress
            .status(self.me, height, self.ledger.pool_len(), halted);
        status.alarms.extend(upgrade_alarms(&self.ledger));
        if self.has_stopped() {
            status.alarms.insert(0, stopped());
        }
        status
    }

    /// Whether this node takes no part any more, because a task of the engine ended: its disk failed, or a program's invariant broke.
    pub fn has_stopped(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Evidence of validators that voted twice, each once.
    pub fn take_evidence(&self) -> Vec<Evidence> {
        self.progress.take_evidence()
    }

    /// Peers that sent what no honest node sends, by node key.
    pub fn faults(&self) -> BTreeMap<[u8; 32], Faults> {
        self.score.all()
    }

    /// The engine's metrics as Prometheus text.
    pub fn metrics(&self) -> String {
        self.metrics
            .lock()
            .as_ref()
            .map(|context| context.encode())
            .unwrap_or_default()
    }
}

fn stopped() -> Alarm {
    Alarm {
        code: "network.stopped".to_owned(),
        message: "This node takes no part in the network any more: a task of the engine ended."
            .to_owned(),
        hint: "Reads go on. The log says why; look at the disk, then restart the node.".to_owned(),
    }
}

/// What one term of a node in the network needs: from its start, or from its leaving the committee, to its end.
struct Term {
    network: NetworkId,
    chain: Chain,
    me: Arc<NodeKey>,
    member: Option<Arc<SigningKey>>,
    secrets: Arc<dyn Secrets>,
    options: NetworkOptions,
    epoch_blocks: u64,
    genesis_committee: Committee,
    progress: Progress,
    score: Score,
    metrics: Arc<Mutex<Option<tokio::Context>>>,
    oracle_slot: OracleSlot,
}

impl Term {
    /// Runs until it is stopped or broken, or until this node has left the committee: then it gives `true`.
    fn serve(
        &self,
        executed: mpsc::UnboundedReceiver<Uncertified>,
        stopped: &mut Shared<oneshot::Receiver<()>>,
    ) -> bool {
        let options = &self.options;
        let config = tokio::Config::new()
            .with_worker_threads(options.threads)
            .with_tcp_nodelay(Some(true))
            .with_storage_directory(&options.dir);
        let (ours, admitted) = mpsc::unbounded();
        let pooled = Wake::default();
        self.chain.on_admitted(pooled.clone(), move |entries| {
            let _ = ours.unbounded_send(entries);
        });
        tokio::Runner::new(config).start(async move |context| {
            *self.metrics.lock() = Some(context.child("stele"));
            // Room for twice the committee, so that it may grow while the node runs.
            let committee = self
                .chain
                .committee()
                .map_or(0, |committee| committee.validators.len());
            let places = (2 * committee + options.followers.len()).max(PEERS_MIN);
            let (mut p2p, oracle) = lookup::Network::new(
                context.child("p2p"),
                link_config(
                    &self.me,
                    &[b"stele-links/".as_slice(), self.network.as_bytes()].concat(),
                    options.listen,
                    places,
                    stack::message_max(&options.pace.limits),
                ),
            );
            *self.oracle_slot.lock() = Some(oracle.clone());
            let quota = Quota::per_second(RATE).allow_burst(BURST);
            let mut channel = 0;
            let mut register = || {
                channel += 1;
                p2p.register(channel - 1, quota)
            };
            let links = Links {
                votes: register(),
                certificates: register(),
                resolver: register(),
                backfill: register(),
                blocks: register(),
                entries: register(),
                partials: register(),
                sync: register(),
                resharing: register(),
            };
            p2p.start();
            let followers = options.followers.iter().filter_map(engine_key).collect();
            let parts = Parts {
                network: self.network,
                me: Arc::clone(&self.me),
                chain: self.chain.clone(),
                member: self.member.clone(),
                secrets: Arc::clone(&self.secrets),
                blocker: oracle.clone(),
                peers: Addressed {
                    oracle,
                    followers,
                    places,
                },
                pace: options.pace,
                timeouts: options.timeouts,
                epoch_blocks: self.epoch_blocks,
                retention: options.retention,
                catch_up_at: stack::CATCH_UP_AT,
                progress: self.progress.clone(),
                score: self.score.clone(),
                executed,
                admitted,
                pooled,
                clock: Arc::new(system_time),
                genesis_committee: self.genesis_committee.clone(),
                partition: "stele".to_owned(),
            };
            let running = context
                .child("node")
                .spawn(move |context| stack::run(context, parts, links));
            let mut left = false;
            commonware_macros::select! {
                _ = stopped => {},
                result = running => match result {
                    Ok(ended) => left = ended == Ended::Left,
                    Err(error) => tracing::error!(%error, "the network's tasks ended"),
                },
            }
            self.metrics.lock().take();
            let _ = context.stop(0, Some(STOP_WITHIN)).await;
            left
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the network's thread broke its own invariant");
        }
    }
}

pub(crate) type Handshake = Cups<Sake<ed25519::PrivateKey>, ChaCha20Poly1305>;

/// Links: authenticated by node keys, encrypted, and only among nodes of one namespace.
pub(crate) fn link_config(
    me: &NodeKey,
    namespace: &[u8],
    listen: SocketAddr,
    places: usize,
    message_max: u32,
) -> lookup::Config<Handshake> {
    let handshake = Cups::new(
        Sake {
            signer: me.engine_key(),
            synchrony_bound: Duration::from_secs(10),
            max_handshake_age: Duration::from_secs(20),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let local = lookup::Config::local(
        handshake,
        namespace,
        listen,
        NonZeroUsize::new(places).expect("at least the fewest"),
        message_max,
        NZUsize!(1_024),
    );
    lookup::Config {
        // Who connects is decided by its key: members sit behind gateways and change addresses.
        bypass_ip_check: true,
        block_duration: Duration::from_secs(600),
        tracked_peer_sets: NZUsize!(PEER_SETS),
        ..local
    }
}
