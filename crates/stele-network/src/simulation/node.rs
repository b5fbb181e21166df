//! One simulated node: the production stack over a ledger that has no threads of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use commonware_cryptography::ed25519;
use commonware_p2p::simulated::Oracle;
use commonware_p2p::{Receiver, Sender};
use commonware_runtime::{Clock as _, Handle, Quota, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::NZU32;
use futures::FutureExt as _;
use futures::channel::mpsc;
use stele_core::id::TimeMs;
use stele_ledger::ledger::{Ledger, LedgerOptions, Threads};
use stele_ledger::log::LogOptions;
use stele_network::keys::NodeKey;

use super::links::Reordering;
use super::scenario::Scenario;
use super::support::World;
use crate::application::Pace;
use crate::block::BlockLimits;
use crate::certify::Handover;
use crate::chain::Chain;
use crate::epochs::Timeouts;
use crate::evidence::Evidence;
use crate::keys::engine_key;
use crate::peers::Keyed;
use crate::score::{Faults, Score};
use crate::stack::{self, Links, Parts};
use crate::status::Progress;
use crate::wake::Wake;

pub(super) const QUOTA: Quota = Quota::per_second(NZU32!(100_000)).allow_burst(NZU32!(64));
pub(super) type Peers = Oracle<ed25519::PublicKey, deterministic::Context>;
pub(super) type Channel = (
    commonware_p2p::simulated::Sender<ed25519::PublicKey, deterministic::Context>,
    commonware_p2p::simulated::Receiver<ed25519::PublicKey>,
);

pub(super) const PACE: Pace = Pace {
    limits: BlockLimits {
        entries: 64,
        bytes: 64 << 10,
    },
    idle: Duration::from_millis(400),
};

/// One message in so many is overtaken, where messages are.
const OVERTAKEN: u64 = 12;

/// Who a node is and where it lives.
pub(super) struct Being {
    /// Its folder.
    pub(super) dir: PathBuf,
    /// What the names of its engine's stores begin with: each node has some of its own on the one simulated disk.
    pub(super) store: String,
    /// Which start of a node this is.
    pub(super) life: u64,
    /// How far its clock is from the true time, in milliseconds.
    pub(super) skew: i64,
    /// `None` for a node without a vote.
    pub(super) place: Option<usize>,
}

/// A node that runs.
pub(super) struct Node {
    pub(super) ledger: Arc<Ledger>,
    pub(super) dir: PathBuf,
    /// Its disk failed at times in this life, so that it may stop.
    pub(super) exposed: bool,
    progress: Progress,
    score: Score,
    handle: Handle<()>,
}

pub(super) async fn channels(oracle: &Peers, me: &ed25519::PublicKey) -> Vec<Channel> {
    let control = oracle.control(me.clone());
    let mut channels = Vec::new();
    for number in 0..9 {
        channels.push(
            control
                .register(number, QUOTA)
                .await
                .expect("the simulated network runs"),
        );
    }
    channels.reverse();
    channels
}

/// The key of the node without a vote.
pub(super) fn follower_key() -> NodeKey {
    NodeKey::from_seed(&[222; 32])
}

impl Node {
    /// Opens the ledger and starts the stack.
    pub(super) fn start<S, R>(
        context: &deterministic::Context,
        world: &World,
        scenario: &Scenario,
        being: Being,
        oracle: &Peers,
        mut channels: Vec<(S, R)>,
    ) -> Self
    where
        S: Sender<PublicKey = ed25519::PublicKey>,
        R: Receiver<PublicKey = ed25519::PublicKey>,
    {
        let Being {
            dir,
            store,
            life,
            skew,
            place,
        } = being;
        let place = place.map(|number| &world.places[number]);
        let node_key = place.map_or_else(follower_key, |place| place.node_key.clone());
        let clock = context.child("clock");
        let now = Arc::new(move || {
            let since = clock
                .current()
                .duration_since(UNIX_EPOCH)
                .expect("after 1970");
            TimeMs::new((since.as_millis() as u64).saturating_add_signed(skew))
        });
        let (certifier, executed) = Handover::new();
        let options = LedgerOptions {
            clock: now.clone(),
            threads: Threads::Caller,
            disk_reserve_bytes: 0,
            log: LogOptions {
                reserve_bytes: 0,
                ..LogOptions::default()
            },
            ..LedgerOptions::default()
        };
        let ledger = Ledger::open_network(&dir, world.registry.clone(), certifier, options);
        let ledger = Arc::new(ledger.expect("a crash leaves a ledger that opens"));
        let chain = Chain::new(Arc::clone(&ledger));
        let key = engine_key(&node_key.public()).expect("a node key");
        let control = oracle.control(key.clone());
        let score = Score::new(move |peer| {
            use commonware_p2p::Blocker as _;
            let _ = control.clone().block(peer);
        });
        let (ours, admitted) = mpsc::unbounded();
        let pooled = Wake::default();
        chain.on_admitted(pooled.clone(), move |entries| {
            let _ = ours.unbounded_send(entries);
        });
        let progress = Progress::new(now.clone());
        let overtaken = scenario.reorder.then_some(OVERTAKEN);
        let mut next = || {
            let (sender, receiver) = channels.pop().expect("nine channels");
            (sender, Reordering::new(receiver, overtaken, context))
        };
        let links = Links {
            votes: next(),
            certificates: next(),
            resolver: next(),
            backfill: next(),
            blocks: next(),
            entries: next(),
            partials: next(),
            sync: next(),
            resharing: next(),
        };
        let committee = world.genesis.committee.as_ref().expect("a committee");
        let secrets = place.map_or_else(Arc::default, |place| Arc::clone(&place.secrets));
        let follower = engine_key(&follower_key().public()).expect("a node key");
        let parts = Parts {
            network: world.genesis.network_id(),
            me: Arc::new(node_key),
            chain: chain.clone(),
            member: place.map(|place| place.member.clone()),
            secrets,
            blocker: oracle.control(key),
            peers: Keyed {
                manager: oracle.manager(),
                followers: if scenario.follower {
                    Arc::new([follower])
                } else {
                    Arc::new([])
                },
            },
            pace: PACE,
            timeouts: Timeouts::default(),
            epoch_blocks: committee.epoch_blocks,
            retention: scenario.retention,
            catch_up_at: scenario.catch_up_at,
            progress: progress.clone(),
            score: score.clone(),
            executed,
            admitted,
            pooled,
            clock: now,
            genesis_committee: chain.committee_numbered(1).expect("the founders"),
            partition: store.clone(),
        };
        let context = context
            .child("node")
            .with_attribute("life", format!("{store}-{life}"));
        let handle = context.spawn(async move |context| {
            let _ = stack::run(context, parts, links).await;
        });
        Self {
            ledger,
            dir,
            exposed: false,
            progress,
            score,
            handle,
        }
    }

    pub(super) fn height(&self) -> u64 {
        self.ledger.head().height().get()
    }

    /// Whether the stack has ended, as it does when its disk fails.
    pub(super) fn has_stopped(&mut self) -> bool {
        (&mut self.handle).now_or_never().is_some()
    }

    /// Where the node stands, for the message of a run that fails.
    pub(super) fn describe(&self) -> String {
        let status = self
            .progress
            .status([0; 32], self.height(), self.ledger.pool_len(), None);
        format!(
            "block {}, epoch {}, ordered {}, executed {}, {} wait for certificates, faults seen: {:?}",
            self.height(),
            status.epoch,
            status.ordered,
            status.executed,
            self.ledger.waiting_for_certificate().len(),
            self.score.all()
        )
    }

    pub(super) fn evidence(&self) -> Vec<Evidence> {
        self.progress.take_evidence()
    }

    /// What it blames others for.
    pub(super) fn faults(&self) -> BTreeMap<[u8; 32], Faults> {
        self.score.all()
    }

    /// Kills the node: tasks end where they are, nothing is flushed, and the ledger's files are as the last sync and chance left
    /// them. Returns where a new life finds them.
    pub(super) fn kill(self, next: &Path, torn: &[u8]) -> PathBuf {
        self.handle.abort();
        copy(&self.dir, next);
        // Closing flushes and takes a checkpoint, but in the old place: the copy is what a kill leaves.
        drop(self.ledger);
        tear(next, torn);
        next.to_owned()
    }
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

/// Leaves the beginning of a block that was being written at the end of the newest segment of the log.
fn tear(dir: &Path, torn: &[u8]) {
    use std::io::Write as _;
    let segments = std::fs::read_dir(dir.join("log")).expect("a log");
    let mut segments: Vec<_> = segments
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    segments.sort();
    let Some(last) = segments.last() else { return };
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(last)
        .expect("opens");
    file.write_all(torn).expect("written");
}
