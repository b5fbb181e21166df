//! One simulated run: a network, a load, faults by a seed, healing, and the checks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use commonware_cryptography::ed25519;
use commonware_p2p::simulated::{self, Link};
use commonware_runtime::{Clock as _, Runner as _, Supervisor as _, deterministic};
use commonware_utils::{NZUsize, Probability, probability};
use parking_lot::Mutex;
use rand_core::Rng as _;
use stele_core::id::TimeMs;
use stele_ledger::ledger::{Finalised, Progress as Word};

use super::byzantine;
use super::check;
use super::node::{Node, PACE, Peers};
use super::support::{World, key, quick_folder};
use crate::evidence::Evidence;
use crate::keys::engine_key;
use crate::stack;

/// What a run is made of.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) validators: u64,
    /// The last validator lies instead of taking part.
    pub(super) byzantine: bool,
    /// How long faults go on.
    pub(super) trouble: Duration,
    pub(super) epoch_blocks: u64,
    /// More is down than up: progress is rare, and whoever comes back is far behind.
    pub(super) harsh: bool,
}

impl Scenario {
    pub(super) fn of(validators: u64) -> Self {
        Self {
            validators,
            byzantine: false,
            trouble: Duration::from_secs(15),
            // Short, so that every run crosses several epochs.
            epoch_blocks: 12,
            harsh: false,
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) blocks: u64,
    pub(super) acknowledged: u64,
    pub(super) crashes: u64,
    pub(super) partitions: u64,
    /// The runtime's digest of every step that was taken.
    pub(super) steps: String,
}

/// What was acknowledged as final, and by which node.
pub(super) type Acknowledged = Arc<Mutex<Vec<(usize, Finalised)>>>;

/// How long a healed network may take until it makes new entries final.
const HEAL_WITHIN: Duration = Duration::from_secs(120);
const STEP: Duration = Duration::from_millis(250);

const GOOD: Link = Link {
    latency: Duration::from_millis(10),
    jitter: Duration::from_millis(3),
    success_rate: probability!(1.0),
};

struct Simulation<'a> {
    context: deterministic::Context,
    world: &'a World,
    scenario: &'a Scenario,
    oracle: Peers,
    keys: Vec<ed25519::PublicKey>,
    nodes: BTreeMap<usize, Node>,
    /// Where the files of those who are down lie.
    down: BTreeMap<usize, PathBuf>,
    folder: tempfile::TempDir,
    lives: u64,
    acknowledged: Acknowledged,
    submitted: u64,
    outcome: Outcome,
    evidence: Vec<Evidence>,
}

pub(super) fn simulate(seed: u64, scenario: &Scenario) -> Outcome {
    // The clock of the simulation starts in 1970; entries need room before it.
    let start = Duration::from_secs(1_000_000);
    let time = TimeMs::new(start.as_millis() as u64 - 1_000);
    super::support::log();
    let world = World::found_at(
        scenario.validators,
        scenario.epoch_blocks,
        time,
        quick_folder,
    );
    let config = deterministic::Config::default()
        .with_seed(seed)
        .with_start_time(std::time::UNIX_EPOCH + start)
        .with_timeout(Some(Duration::from_secs(900)));
    let runner = deterministic::Runner::new(config);
    let mut failed = Failed(Some(seed));
    let outcome = runner.start(|context| run(context, &world, scenario));
    failed.0 = None;
    outcome
}

/// Says how to replay a run that fails.
struct Failed(Option<u64>);

impl Drop for Failed {
    fn drop(&mut self) {
        if let Some(seed) = self.0 {
            println!(
                "the run of seed {seed} failed; STELE_SEED={seed} runs it again on this commit"
            );
        }
    }
}

async fn run(context: deterministic::Context, world: &World, scenario: &Scenario) -> Outcome {
    let places = world
        .places
        .iter()
        .map(|place| engine_key(&place.node_key.public()).expect("a key"));
    let keys: Vec<_> = places.collect();
    let config = simulated::Config {
        max_size: stack::message_max(&PACE.limits),
        max_peers_per_set: NZUsize!(16),
        disconnect_on_block: true,
        tracked_peer_sets: NZUsize!(4),
    };
    let network =
        simulated::Network::new_with_peers(context.child("network"), config, keys.clone());
    let (network, oracle) = network.await;
    network.start();
    let mut simulation = Simulation {
        context,
        world,
        scenario,
        oracle,
        keys,
        nodes: BTreeMap::new(),
        down: BTreeMap::new(),
        folder: quick_folder(),
        lives: 0,
        acknowledged: Acknowledged::default(),
        submitted: 0,
        outcome: Outcome {
            blocks: 0,
            acknowledged: 0,
            crashes: 0,
            partitions: 0,
            steps: String::new(),
        },
        evidence: Vec::new(),
    };
    simulation.link_all(&GOOD).await;
    for (number, place) in world.places.iter().enumerate() {
        if scenario.byzantine && number + 1 == world.places.len() {
            byzantine::start(&simulation.context, &simulation.oracle, world, number).await;
        } else {
            simulation.start(number, place.dir.path().to_owned()).await;
        }
    }
    simulation.trouble().await;
    simulation.heal().await;
    simulation.finish()
}

impl Simulation<'_> {
    fn chance(&mut self, of: u64) -> u64 {
        self.context.next_u64() % of
    }

    async fn start(&mut self, number: usize, dir: PathBuf) {
        self.lives += 1;
        let node = Node::start(
            &self.context,
            self.world,
            number,
            self.lives,
            dir,
            &self.oracle,
        )
        .await;
        self.nodes.insert(number, node);
    }

    async fn link(&self, one: usize, other: usize, link: Option<&Link>) {
        for (from, to) in [(one, other), (other, one)] {
            let (from, to) = (self.keys[from].clone(), self.keys[to].clone());
            // Taken away first: a link that is there cannot be changed.
            let _ = self.oracle.remove_link(from.clone(), to.clone()).await;
            if let Some(link) = link {
                let _ = self.oracle.add_link(from, to, link.clone()).await;
            }
        }
    }

    async fn link_all(&self, link: &Link) {
        for one in 0..self.keys.len() {
            for other in one + 1..self.keys.len() {
                self.link(one, other, Some(link)).await;
            }
        }
    }

    /// One client's entry to a node that runs.
    fn submit(&mut self) {
        let numbers: Vec<_> = self.nodes.keys().copied().collect();
        let Some(count) = u64::try_from(numbers.len()).ok().filter(|count| *count > 0) else {
            return;
        };
        let number = numbers[self.chance(count) as usize];
        self.submitted += 1;
        let now = self
            .context
            .current()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        let entry = self.world.event(
            &key(1_000 + number as u64),
            self.submitted,
            now.as_millis() as u64,
        );
        let acknowledged = Arc::clone(&self.acknowledged);
        let listener = move |word: Word| {
            if let Word::Final(done) = word {
                acknowledged.lock().push((number, *done));
            }
        };
        // A node may refuse; then nothing was promised.
        let _ = self.nodes[&number]
            .ledger
            .submit(entry.bytes().to_vec(), listener);
    }

    /// Faults by chance, under load.
    async fn trouble(&mut self) {
        let end = self.context.current() + self.scenario.trouble;
        let faulty_max =
            (self.scenario.validators as usize - 1) / 3 - usize::from(self.scenario.byzantine);
        while self.context.current() < end {
            for _ in 0..=self.chance(2) {
                self.submit();
            }
            let fault = self.chance(16);
            if self.scenario.harsh {
                match fault {
                    0..=2 => self.crash().await,
                    3 | 4 => self.revive().await,
                    5 => self.part().await,
                    6 => self.worsen().await,
                    7 | 8 => self.link_all(&GOOD).await,
                    _ => {}
                }
            } else {
                match fault {
                    // Now and then more than the network can bear: it must stop, not err.
                    0 if self.down.len() <= faulty_max => self.crash().await,
                    1..=3 => self.revive().await,
                    4 => self.part().await,
                    5 => self.worsen().await,
                    6..=9 => self.link_all(&GOOD).await,
                    _ => {}
                }
            }
            self.context.sleep(STEP).await;
            self.note_evidence();
        }
    }

    /// Evidence is kept in memory until it is submitted: a crash loses it.
    fn note_evidence(&mut self) {
        self.evidence
            .extend(self.nodes.values().flat_map(Node::evidence));
    }

    async fn crash(&mut self) {
        let numbers: Vec<_> = self.nodes.keys().copied().collect();
        if numbers.len() <= 1 {
            return;
        }
        let number = numbers[self.chance(numbers.len() as u64) as usize];
        let node = self.nodes.remove(&number).expect("just seen");
        let torn: Vec<u8> = (0..self.chance(200))
            .map(|_| self.context.next_u32() as u8)
            .collect();
        self.lives += 1;
        let next = self.folder.path().join(format!("{number}-{}", self.lives));
        let dir = node.kill(&next, &torn);
        self.down.insert(number, dir);
        self.outcome.crashes += 1;
        // The tasks that were killed are gone before anyone starts again.
        self.context.sleep(Duration::from_millis(1)).await;
    }

    async fn revive(&mut self) {
        if let Some((number, dir)) = self.down.pop_first() {
            self.start(number, dir).await;
        }
    }

    /// Cuts the network into two parts.
    async fn part(&mut self) {
        let count = self.keys.len();
        let side = self.context.next_u64();
        for one in 0..count {
            for other in one + 1..count {
                let apart = (side >> one) & 1 != (side >> other) & 1;
                self.link(one, other, (!apart).then_some(&GOOD)).await;
            }
        }
        self.outcome.partitions += 1;
    }

    /// Slow links that lose messages.
    async fn worsen(&mut self) {
        let link = Link {
            latency: Duration::from_millis(20 + self.chance(180)),
            jitter: Duration::from_millis(self.chance(60)),
            success_rate: [probability!(0.5), probability!(0.75), probability!(1.0)]
                [self.chance(3) as usize],
        };
        let _: Probability = link.success_rate;
        self.link_all(&link).await;
    }

    /// Everyone is back and every link is good: entries must become final again, on every node.
    async fn heal(&mut self) {
        self.link_all(&GOOD).await;
        for from in &self.keys {
            for to in &self.keys {
                let honest = |key: &ed25519::PublicKey| {
                    !self.scenario.byzantine || Some(key) != self.keys.last()
                };
                // An honest node never has a reason to cut off another one.
                if honest(from) && honest(to) {
                    let blocked = self.oracle.blocked().await.expect("the network runs");
                    assert!(
                        !blocked.contains(&(from.clone(), to.clone())),
                        "an honest node was cut off by another"
                    );
                }
            }
        }
        while !self.down.is_empty() {
            self.revive().await;
        }
        let before = self.acknowledged.lock().len();
        let deadline = self.context.current() + HEAL_WITHIN;
        loop {
            self.submit();
            self.context.sleep(STEP).await;
            let heights: Vec<_> = self.nodes.values().map(Node::height).collect();
            let level = heights.iter().all(|height| height == &heights[0]);
            if level && self.acknowledged.lock().len() >= before + 3 {
                break;
            }
            assert!(
                self.context.current() < deadline,
                "no progress after healing: heights {heights:?}, {} of {} acknowledged; {:#?}",
                self.acknowledged.lock().len(),
                self.submitted,
                self.nodes.values().map(Node::describe).collect::<Vec<_>>()
            );
        }
    }

    fn finish(mut self) -> Outcome {
        let acknowledged = self.acknowledged.lock().clone();
        let dirs: Vec<_> = self.nodes.values().map(|node| node.dir.clone()).collect();
        if self.scenario.byzantine {
            self.note_evidence();
            byzantine::check_evidence(self.world, &self.evidence);
        }
        let ledgers: Vec<_> = self
            .nodes
            .values()
            .map(|node| Arc::clone(&node.ledger))
            .collect();
        for ledger in &ledgers {
            assert!(
                ledger.refusing().is_none(),
                "a node halted: {:?}",
                ledger.refusing()
            );
        }
        self.outcome.blocks = check::agreement(&self.world.genesis, &ledgers);
        check::durability(&ledgers, &acknowledged);
        self.outcome.acknowledged = acknowledged.len() as u64;
        assert!(!dirs.is_empty());
        self.outcome.steps = self.context.auditor().state();
        self.outcome
    }
}
