//! One simulated run: a network, a load, faults by a seed, healing, and the checks.
//!
//! A run has as many lives of the whole network as there are power cuts, and one more: between them the runtime is torn down, every write
//! that was not synced is kept in part or not at all, and all nodes start again from what is left.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Duration;

use commonware_cryptography::ed25519;
use commonware_p2p::simulated::{self, Link};
use commonware_runtime::deterministic::{FaultConfig, PartialWriteMode, WriteConfig};
use commonware_runtime::{Clock as _, Supervisor as _, deterministic};
use commonware_utils::{NZUsize, Probability, probability};
use parking_lot::Mutex;
use rand_core::Rng as _;
use stele_core::cbor::BodyBuilder;
use stele_core::id::TimeMs;
use stele_core::suite::SigningKey;
use stele_ledger::ledger::{Finalised, Progress as Word};

use stele_registers::governance::{self, ProposalStatus, proposals::encode_action};

use super::node::{Being, Node, PACE, Peers, channels, copy, follower_key};
use super::scenario::{Liar, Outcome, Scenario};
use super::support::{World, key, quick_folder};
use super::{byzantine, check, twins};
use crate::evidence::Evidence;
use crate::keys::engine_key;
use crate::stack;

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

/// What outlives a power cut.
pub(super) struct Carried {
    /// Where the files of those who are down lie.
    pub(super) down: BTreeMap<usize, PathBuf>,
    pub(super) twin_dirs: Vec<PathBuf>,
    folder: tempfile::TempDir,
    pub(super) lives: u64,
    /// Nodes whose disk has failed once.
    scarred: BTreeSet<usize>,
    /// How often each node lost the engine's stores.
    stores: BTreeMap<usize, u64>,
    acknowledged: Acknowledged,
    submitted: u64,
    pub(super) outcome: Outcome,
    evidence: Vec<Evidence>,
}

pub(super) struct Simulation<'a> {
    pub(super) context: deterministic::Context,
    world: &'a World,
    scenario: &'a Scenario,
    oracle: Peers,
    /// Of the validators, then of the follower if there is one.
    keys: Vec<ed25519::PublicKey>,
    skews: Vec<i64>,
    pub(super) nodes: BTreeMap<usize, Node>,
    twins: Vec<Node>,
    pub(super) carried: Carried,
    /// The disks fail now and then.
    disks_fail: bool,
}

thread_local! {
    /// Panics of tasks in this run. A task ends with its panic, and the run goes on without it.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes panics, which the runtime catches as an operating system catches a process that aborts.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            usual(info);
        }));
    });
    PANICS.take();
}

/// Half of the bytes that were not synced are on the disk after a power cut, and half are not.
fn torn(seed: u64) -> FaultConfig {
    FaultConfig::default().write(WriteConfig {
        failure_rate: probability!(0.0),
        retention_rate: probability!(0.5),
        mode: mode(seed),
    })
}

fn mode(seed: u64) -> PartialWriteMode {
    if seed.is_multiple_of(2) {
        PartialWriteMode::Prefix
    } else {
        PartialWriteMode::Subset
    }
}

/// Runs a network through faults by the seed, and checks what it came to.
pub(super) fn simulate(seed: u64, scenario: &Scenario) -> Outcome {
    simulate_with(
        seed,
        scenario,
        async |simulation: &mut Simulation<'_>, life: u64| {
            let lives = simulation.scenario.power_cuts + 1;
            simulation
                .trouble(simulation.scenario.trouble / lives as u32)
                .await;
            if life + 1 == lives {
                simulation.heal().await;
            }
        },
    )
}

/// As [`simulate`], with a story of one's own. After the last life the network must be whole.
pub(super) fn simulate_with(
    seed: u64,
    scenario: &Scenario,
    story: impl AsyncFn(&mut Simulation<'_>, u64),
) -> Outcome {
    // The clock of the simulation starts in 1970; entries need room before it.
    let start = Duration::from_secs(1_000_000);
    let time = TimeMs::new(start.as_millis() as u64 - 1_000);
    super::support::log();
    note_panics();
    let world = World::found_at(
        scenario.validators,
        scenario.epoch_blocks,
        time,
        quick_folder,
    );
    let config = deterministic::Config::default()
        .with_seed(seed)
        .with_start_time(std::time::UNIX_EPOCH + start)
        .with_timeout(Some(Duration::from_secs(3_600)))
        .with_catch_panics(true)
        .with_storage_fault_config(torn(seed));
    let mut failed = Failed(Some(seed));
    let mut runner = deterministic::Runner::new(config);
    let mut carried = Carried::of(&world, scenario);
    for life in 0..=scenario.power_cuts {
        let (world, story) = (&world, &story);
        let (back, checkpoint) = runner.start_and_recover(move |context| async move {
            let mut simulation = Simulation::begin(context, world, (scenario, seed), carried).await;
            story(&mut simulation, life).await;
            if life == scenario.power_cuts {
                simulation.finish();
                simulation.carried
            } else {
                simulation.power_cut()
            }
        });
        carried = back;
        runner = deterministic::Runner::from(checkpoint);
    }
    failed.0 = None;
    carried.outcome
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

impl Carried {
    fn of(world: &World, scenario: &Scenario) -> Self {
        let folder = quick_folder();
        copy(world.places[0].dir.path(), &folder.path().join("founding"));
        let mut down = BTreeMap::new();
        let mut twin_dirs = Vec::new();
        for (number, place) in world.places.iter().enumerate() {
            let is_last = number + 1 == world.places.len();
            match scenario.liar {
                Liar::Twins if is_last => {
                    let other = folder.path().join("twin");
                    copy(place.dir.path(), &other);
                    twin_dirs = vec![place.dir.path().to_owned(), other];
                }
                Liar::Votes | Liar::Blocks if is_last => {}
                _ => drop(down.insert(number, place.dir.path().to_owned())),
            }
        }
        if scenario.follower {
            let dir = folder.path().join("follower");
            copy(world.places[0].dir.path(), &dir);
            down.insert(world.places.len(), dir);
        }
        let outcome = Outcome {
            twins: u64::from(scenario.liar == Liar::Twins),
            liars: u64::from([Liar::Votes, Liar::Blocks].contains(&scenario.liar)),
            skewed: u64::from(scenario.skew),
            reordered: u64::from(scenario.reorder),
            ..Outcome::default()
        };
        Self {
            down,
            twin_dirs,
            folder,
            lives: 0,
            scarred: BTreeSet::new(),
            stores: BTreeMap::new(),
            acknowledged: Acknowledged::default(),
            submitted: 0,
            outcome,
            evidence: Vec::new(),
        }
    }
}

impl<'a> Simulation<'a> {
    /// Starts everyone who is down.
    async fn begin(
        context: deterministic::Context,
        world: &'a World,
        (scenario, seed): (&'a Scenario, u64),
        carried: Carried,
    ) -> Self {
        let places = world.places.iter().map(|place| place.node_key.public());
        let follower = scenario.follower.then(|| follower_key().public());
        let keys = places.chain(follower);
        let keys: Vec<_> = keys
            .map(|key| engine_key(&key).expect("a node key"))
            .collect();
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
        let mut simulation = Self {
            skews: scenario.skews(keys.len(), seed),
            context,
            world,
            scenario,
            oracle,
            keys,
            nodes: BTreeMap::new(),
            twins: Vec::new(),
            carried,
            disks_fail: false,
        };
        simulation.link_all(&GOOD).await;
        let last = world.places.len() - 1;
        match scenario.liar {
            Liar::None => {}
            liar @ (Liar::Votes | Liar::Blocks) => {
                let oracle = &simulation.oracle;
                byzantine::start(&simulation.context, oracle, world, (last, liar)).await;
            }
            Liar::Twins => simulation.start_twins(last, seed).await,
        }
        while !simulation.carried.down.is_empty() {
            simulation.revive().await;
        }
        simulation
    }

    async fn start_twins(&mut self, number: usize, seed: u64) {
        self.carried.lives += 1;
        let twins = twins::start(
            &self.context,
            &self.oracle,
            (self.world, self.scenario),
            &self.keys,
            number,
            (seed, self.carried.lives),
            [&self.carried.twin_dirs[0], &self.carried.twin_dirs[1]],
        );
        self.twins = twins.await.into();
    }

    pub(super) fn chance(&mut self, of: u64) -> u64 {
        self.context.next_u64() % of
    }

    pub(super) async fn start(&mut self, number: usize, dir: PathBuf) {
        self.carried.lives += 1;
        let lost = self.carried.stores.get(&number).copied().unwrap_or(0);
        let being = Being {
            dir,
            store: format!("node-{number}-{lost}"),
            life: self.carried.lives,
            skew: self.skews[number],
            place: (number < self.world.places.len()).then_some(number),
        };
        let channels = channels(&self.oracle, &self.keys[number]).await;
        let node = Node::start(
            &self.context,
            self.world,
            self.scenario,
            being,
            &self.oracle,
            channels,
        );
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
    pub(super) fn submit(&mut self) {
        let numbers: Vec<_> = self.nodes.keys().copied().collect();
        let Some(count) = u64::try_from(numbers.len()).ok().filter(|count| *count > 0) else {
            return;
        };
        let number = numbers[self.chance(count) as usize];
        self.carried.submitted += 1;
        let now = self
            .context
            .current()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        let entry = self.world.event(
            // The follower's client is the first member.
            &key(1_000 + (number % self.world.places.len()) as u64),
            self.carried.submitted,
            now.as_millis() as u64,
        );
        let acknowledged = Arc::clone(&self.carried.acknowledged);
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

    /// The stewards propose new shares for the committee, or vote on what is proposed.
    fn decide_on_new_shares(&mut self) {
        let numbers: Vec<_> = self.nodes.keys().copied().collect();
        let Some(count) = u64::try_from(numbers.len()).ok().filter(|count| *count > 0) else {
            return;
        };
        let node = numbers[self.chance(count) as usize];
        let ledger = Arc::clone(&self.nodes[&node].ledger);
        let newest = governance::proposal_count(ledger.state()).expect("readable");
        let proposal = governance::proposal(ledger.state(), newest).expect("readable");
        let open = proposal.filter(|proposal| proposal.status == ProposalStatus::Open);
        let now = self.context.current().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("after 1970").as_millis() as u64;
        let members = self.world.places.iter().map(|place| &*place.member);
        let entry = |member: &SigningKey, command: &str, body: Vec<u8>| {
            let entry = self
                .world
                .entry_at(member, now, governance::NAME, command, body);
            // A node may refuse; the stewards try again.
            let _ = ledger.submit(entry.bytes().to_vec(), |_| {});
        };
        if open.is_none() {
            let refresh = BodyBuilder::new().uint("dealing-ms", 3_000).build();
            let body = BodyBuilder::new()
                .text("title", "New shares")
                .bytes_list("actions", &[encode_action("committee.refresh", &refresh)]);
            let proposer = &self.world.places[0].member;
            entry(proposer, "proposal.open", body.build());
            return;
        }
        for member in members {
            let body = BodyBuilder::new()
                .uint("number", newest)
                .bool("approve", true);
            entry(member, "proposal.vote", body.build());
        }
    }

    /// Faults by chance, under load.
    async fn trouble(&mut self, duration: Duration) {
        let end = self.context.current() + duration;
        let faulty_max = self.scenario.faulty_max();
        while self.context.current() < end {
            for _ in 0..=self.chance(2) {
                self.submit();
            }
            if self.scenario.reshares && self.chance(4) == 0 {
                self.decide_on_new_shares();
            }
            let fault = self.chance(16);
            if self.scenario.harsh {
                match fault {
                    0..=2 => self.crash().await,
                    3 | 4 => self.revive().await,
                    5 => self.part().await,
                    6 => self.worsen().await,
                    7 | 8 => self.link_all(&GOOD).await,
                    9 => self.fail_disks(),
                    10 => self.mend_disks(),
                    _ => {}
                }
            } else {
                match fault {
                    // Now and then more than the network can bear: it must stop, not err.
                    0 if self.carried.down.len() <= faulty_max => self.crash().await,
                    1..=3 => self.revive().await,
                    4 => self.part().await,
                    5 => self.worsen().await,
                    6..=9 => self.link_all(&GOOD).await,
                    10 => self.fail_disks(),
                    11..=13 => self.mend_disks(),
                    _ => {}
                }
            }
            self.context.sleep(STEP).await;
            self.bury().await;
            self.note_evidence();
        }
    }

    /// From now on a write in so many ends short and a sync in so many fails, whichever node it is of.
    fn fail_disks(&mut self) {
        if !self.scenario.disk_faults {
            return;
        }
        self.disks_fail = true;
        for node in self.nodes.values_mut().chain(&mut self.twins) {
            node.exposed = true;
        }
        self.carried.scarred.extend(self.nodes.keys());
        let faults = FaultConfig::default()
            .write(WriteConfig {
                failure_rate: probability!(0.004),
                retention_rate: probability!(0.5),
                mode: mode(self.carried.lives),
            })
            .sync(probability!(0.004));
        *self.context.storage_fault_config().write() = faults;
    }

    fn mend_disks(&mut self) {
        self.disks_fail = false;
        *self.context.storage_fault_config().write() = torn(self.carried.lives);
    }

    /// Takes note of nodes that stopped: only a failing disk is a reason to.
    async fn bury(&mut self) {
        let numbers: Vec<_> = self.nodes.keys().copied().collect();
        for number in numbers {
            let node = self.nodes.get_mut(&number).expect("just seen");
            if !node.has_stopped() {
                continue;
            }
            let exposed = node.exposed;
            let panics = PANICS.take();
            // What a failing disk has left may be a store that the engine does not open any more. Its operator replaces the store, as
            // docs/operations.md says.
            let unopened = !exposed
                && self.carried.scarred.contains(&number)
                && panics
                    .iter()
                    .any(|panic| panic.contains("failed to initialize"));
            assert!(
                exposed || unopened,
                "node {number} stopped by itself: {panics:?}"
            );
            self.carried.outcome.disk_failures += 1;
            self.kill(number).await;
            if unopened {
                self.lose_store(number);
            }
        }
    }

    /// Evidence is kept in memory until it is submitted: a crash loses it.
    fn note_evidence(&mut self) {
        let found = self.nodes.values().flat_map(Node::evidence);
        self.carried.evidence.extend(found);
    }

    async fn crash(&mut self) {
        let numbers: Vec<_> = self.nodes.keys().copied().collect();
        if numbers.len() <= 1 {
            return;
        }
        let number = numbers[self.chance(numbers.len() as u64) as usize];
        self.carried.outcome.crashes += 1;
        self.kill(number).await;
        // One at a time may lose the engine's stores, as with a disk that is replaced.
        let whole = self.scenario.faulty_max() > 0 && self.carried.stores.is_empty();
        if whole && number < self.world.places.len() && self.chance(4) == 0 {
            self.lose_store(number);
        }
    }

    /// The node that is down starts without what the engine had stored.
    pub(super) fn lose_store(&mut self, number: usize) {
        *self.carried.stores.entry(number).or_default() += 1;
        self.carried.outcome.stores_lost += 1;
    }

    /// The node that is down starts from the ledger that it was founded with; the engine's stores are whole.
    pub(super) fn restore_from_the_founding(&mut self, number: usize) {
        let dir = self.next_dir(&number.to_string());
        copy(&self.carried.folder.path().join("founding"), &dir);
        self.carried.down.insert(number, dir);
    }

    /// Cuts a node off from all others.
    pub(super) async fn isolate(&self, number: usize) {
        for other in 0..self.keys.len() {
            if other != number {
                self.link(number, other, None).await;
            }
        }
    }

    /// How many entries were acknowledged as final.
    pub(super) fn acknowledged(&self) -> usize {
        self.carried.acknowledged.lock().len()
    }

    /// How much evidence of double votes there is.
    pub(super) fn evidence(&mut self) -> usize {
        self.note_evidence();
        self.carried.evidence.len()
    }

    /// What a crash leaves of a block that was being written.
    fn torn_block(&mut self) -> Vec<u8> {
        let length = self.chance(200);
        self.carried.outcome.torn_writes += u64::from(length > 0);
        (0..length).map(|_| self.context.next_u32() as u8).collect()
    }

    fn next_dir(&mut self, name: &str) -> PathBuf {
        self.carried.lives += 1;
        let name = format!("{name}-{}", self.carried.lives);
        self.carried.folder.path().join(name)
    }

    pub(super) async fn kill(&mut self, number: usize) {
        let node = self.nodes.remove(&number).expect("it runs");
        let torn = self.torn_block();
        let next = self.next_dir(&number.to_string());
        let dir = node.kill(&next, &torn);
        self.carried.down.insert(number, dir);
        // The tasks that were killed are gone before anyone starts again.
        self.context.sleep(Duration::from_millis(1)).await;
    }

    /// All nodes lose power at once.
    fn power_cut(mut self) -> Carried {
        self.note_evidence();
        for (number, node) in std::mem::take(&mut self.nodes) {
            let torn = self.torn_block();
            let next = self.next_dir(&number.to_string());
            let dir = node.kill(&next, &torn);
            self.carried.down.insert(number, dir);
        }
        let twins = std::mem::take(&mut self.twins);
        self.carried.twin_dirs.clear();
        for node in twins {
            let torn = self.torn_block();
            let next = self.next_dir("twin");
            self.carried.twin_dirs.push(node.kill(&next, &torn));
        }
        self.carried.outcome.power_cuts += 1;
        self.carried.outcome.torn_writes += 1;
        self.carried
    }

    pub(super) async fn revive(&mut self) {
        if let Some((number, dir)) = self.carried.down.pop_first() {
            self.start(number, dir).await;
            let exposed = self.disks_fail;
            self.nodes.get_mut(&number).expect("just started").exposed = exposed;
            if exposed {
                self.carried.scarred.insert(number);
            }
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
        self.carried.outcome.partitions += 1;
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

    /// Who may be cut off: the liar.
    fn liar(&self) -> Option<&ed25519::PublicKey> {
        let last = &self.keys[self.world.places.len() - 1];
        (self.scenario.liar != Liar::None).then_some(last)
    }

    /// An honest node never has a reason to cut off another one.
    async fn check_blocked(&self) {
        let blocked = self.oracle.blocked().await.expect("the network runs");
        for (from, to) in &blocked {
            let liar = self.liar();
            assert!(
                liar == Some(from) || liar == Some(to),
                "an honest node was cut off by another: {:#?}",
                self.nodes.values().map(Node::describe).collect::<Vec<_>>()
            );
        }
    }

    /// Everyone is back and every link is good: entries must become final again, on every node.
    pub(super) async fn heal(&mut self) {
        self.link_all(&GOOD).await;
        self.mend_disks();
        self.bury().await;
        self.check_blocked().await;
        while !self.carried.down.is_empty() {
            self.revive().await;
        }
        let before = self.carried.acknowledged.lock().len();
        let deadline = self.context.current() + HEAL_WITHIN;
        loop {
            self.submit();
            self.context.sleep(STEP).await;
            // A disk that failed before it was mended may stop its node only now.
            self.bury().await;
            while !self.carried.down.is_empty() {
                self.revive().await;
            }
            let heights: Vec<_> = self.nodes.values().map(Node::height).collect();
            let level = heights.iter().all(|height| height == &heights[0]);
            let acknowledged = self.carried.acknowledged.lock().len();
            if level && acknowledged >= before + 3 {
                break;
            }
            assert!(
                self.context.current() < deadline,
                "no progress after healing: heights {heights:?}, {acknowledged} of {} acknowledged; {:#?}; {:?}",
                self.carried.submitted,
                self.nodes.values().map(Node::describe).collect::<Vec<_>>(),
                PANICS.take()
            );
        }
        self.check_blocked().await;
    }

    fn finish(&mut self) {
        let acknowledged = self.carried.acknowledged.lock().clone();
        self.note_evidence();
        let (world, evidence) = (self.world, &self.carried.evidence);
        match self.scenario.liar {
            Liar::Votes => byzantine::check_evidence(world, evidence, true),
            Liar::Twins => byzantine::check_evidence(world, evidence, false),
            Liar::None | Liar::Blocks => assert!(
                self.carried.outcome.stores_lost > 0 || evidence.is_empty(),
                "an honest validator is accused: {evidence:?}"
            ),
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
        self.carried.outcome.blocks = check::agreement(&world.genesis, &ledgers);
        check::durability(&ledgers, &acknowledged);
        for twin in &self.twins {
            // What even a twin has final is the network's.
            check::agreement(
                &world.genesis,
                &[Arc::clone(&ledgers[0]), Arc::clone(&twin.ledger)],
            );
        }
        if !self.scenario.disk_faults {
            let panics = PANICS.take();
            assert!(
                panics.is_empty(),
                "a task broke its own invariant: {panics:?}"
            );
        }
        self.carried.outcome.acknowledged = acknowledged.len() as u64;
        assert!(!ledgers.is_empty());
        let committee = governance::committee_number(ledgers[0].state());
        self.carried.outcome.resharings = committee.expect("readable").expect("a committee") - 1;
        self.carried.outcome.steps = self.context.auditor().state();
    }
}
