//! The ledger in a network: blocks ordered by others, certificates made by others, blocks served by nodes that lie.
#![allow(missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use stele_core::entry::Entry;
use stele_core::genesis::Genesis;
use stele_core::id::{KeyId, TimeMs};
use stele_core::machine::{
    BlockContext, Executed, Fault, Halt, Overlay, StateMachine, StateReader,
};
use stele_core::suite::PublicKey;
use stele_ledger::ledger::{
    CertifiedBlock, Certifier, CertifyError, Delivered, FollowError, Ledger, LedgerOptions,
    OrderedBlock, Progress, Threads, Uncertified, system_time,
};
use stele_registers::Registry;
use support::{Signer, World, copy_folder, key, record_event};

/// Keeps what the network shall sign.
#[derive(Default)]
struct Inbox(Mutex<Vec<Uncertified>>);

impl Certifier for Inbox {
    fn certify(&self, block: Uncertified) {
        self.0.lock().push(block);
    }
}

struct Node {
    ledger: Ledger,
    inbox: Arc<Inbox>,
    clock: Arc<AtomicU64>,
    dir: PathBuf,
}

/// A node's folder, made like the others'.
fn folder(world: &World, name: &str) -> PathBuf {
    let dir = world.dir().join(name);
    Ledger::create(&dir, world.genesis(), world.machine(), &key(1000)).expect("created");
    dir
}

fn options(clock: &Arc<AtomicU64>) -> LedgerOptions {
    let clock = Arc::clone(clock);
    LedgerOptions {
        clock: Arc::new(move || TimeMs::new(clock.load(Ordering::Relaxed))),
        threads: Threads::Caller,
        ..World::options()
    }
}

impl Node {
    fn open(dir: &Path) -> Self {
        Self::open_with(dir, Arc::new(Registry::standard()), |options| options)
    }

    fn open_with(
        dir: &Path,
        machine: Arc<dyn StateMachine>,
        change: impl Fn(LedgerOptions) -> LedgerOptions,
    ) -> Self {
        let clock = Arc::new(AtomicU64::new(system_time().get()));
        let inbox = Arc::new(Inbox::default());
        let options = change(options(&clock));
        let ledger = Ledger::open_network(dir, machine, inbox.clone(), options);
        Self {
            ledger: ledger.expect("opens"),
            inbox,
            clock,
            dir: dir.to_owned(),
        }
    }

    /// Orders a block and has the network sign the result.
    fn order(&self, position: u64, time: u64, entries: &[&Entry]) -> Option<Delivered> {
        let delivered = self.order_unsigned(position, time, entries);
        self.sign();
        delivered.try_recv().ok()
    }

    fn order_unsigned(&self, position: u64, time: u64, entries: &[&Entry]) -> Receiver<Delivered> {
        let (sender, delivered) = channel();
        self.ledger.order(OrderedBlock {
            position,
            time: TimeMs::new(time),
            entries: entries.iter().map(|entry| entry.bytes().into()).collect(),
            certificate: None,
            done: Box::new(move |delivered| drop(sender.send(delivered))),
        });
        delivered
    }

    fn sign(&self) {
        for block in self.inbox.0.lock().drain(..) {
            let mut certificate = block.certificate.clone();
            certificate.signature = key(1000).sign(&block.message());
            self.ledger.certified(certificate).expect("it waits");
        }
    }

    /// Executes a block that another node served.
    fn follow(&self, block: CertifiedBlock) -> Option<Delivered> {
        let (sender, delivered) = channel();
        self.ledger.order(OrderedBlock {
            position: 0,
            time: block.certificate.header.time,
            entries: block.entries.into_iter().map(Arc::from).collect(),
            certificate: Some(block.certificate),
            done: Box::new(move |delivered| drop(sender.send(delivered))),
        });
        delivered.try_recv().ok()
    }

    fn submit(&self, entry: &Entry) -> Receiver<Progress> {
        let (sender, heard) = channel();
        self.ledger
            .submit(entry.bytes().to_vec(), listener(sender))
            .expect("taken in");
        heard
    }

    fn pooled(&self) -> Vec<Arc<[u8]>> {
        self.ledger
            .pool_take(usize::MAX, usize::MAX, &mut |_| false)
    }

    fn block(&self, height: u64) -> CertifiedBlock {
        let height = stele_core::id::Height::new(height);
        let blocks = self.ledger.certified_blocks(height, 1, usize::MAX);
        blocks.expect("readable").pop().expect("a final block")
    }
}

fn listener(sender: Sender<Progress>) -> impl FnMut(Progress) + Send + 'static {
    move |progress| {
        let _ = sender.send(progress);
    }
}

/// The last word that a submitter heard: its code, or `final`.
fn last_word(heard: &Receiver<Progress>) -> Option<String> {
    match heard.try_iter().last()? {
        Progress::Admitted(_) => None,
        Progress::Final(_) => Some("final".to_owned()),
        Progress::Refused(refusal) => Some(format!("refused {}", refusal.code)),
        Progress::Unknown(refusal) => Some(format!("unknown {}", refusal.code)),
    }
}

/// The founder, who may record events.
fn founder() -> Signer {
    Signer::new(1001)
}

fn event(world: &World, number: u64, now: u64) -> Entry {
    event_between(world, number, now - 60_000, now + 600_000)
}

fn event_between(world: &World, number: u64, from: u64, until: u64) -> Entry {
    let mut commitment = [0; 32];
    commitment[..8].copy_from_slice(&number.to_le_bytes());
    let command = record_event(&format!("urn:event:{number}"), commitment);
    founder().entry_at(world, from, until, "trace", vec![command])
}

/// A lying node serves the true certificate with other entries: nothing is kept of them, its sender is named, and the true ones are taken.
#[test]
fn entries_altered_under_a_valid_certificate_are_refused_and_change_nothing() {
    let world = World::new();
    let now = system_time().get();
    let source = Node::open(&folder(&world, "source"));
    let follower = Node::open(&folder(&world, "follower"));
    let (one, two, three) = (
        event(&world, 1, now),
        event(&world, 2, now),
        event(&world, 3, now),
    );
    assert!(source.order(1, now + 1, &[&one, &two]).is_some());
    let block = source.block(1);
    assert_eq!(block.entries.len(), 2);

    // A client of the follower waits for an entry that the liar puts into its block, and for one of the true block.
    let (waits_for_three, waits_for_two) = (follower.submit(&three), follower.submit(&two));
    let (one, two, three) = (
        one.bytes().to_vec(),
        two.bytes().to_vec(),
        three.bytes().to_vec(),
    );
    let mut broken = one.clone();
    *broken.last_mut().expect("bytes") ^= 1;
    let lies = [
        vec![],
        vec![one.clone()],
        vec![two.clone(), one.clone()],
        vec![one.clone(), three.clone()],
        vec![one.clone(), two.clone(), three.clone()],
        vec![broken, two.clone()],
        vec![vec![0xff; 40]],
    ];
    let mut hashes = std::collections::HashSet::new();
    for entries in lies {
        let served = CertifiedBlock {
            certificate: block.certificate.clone(),
            entries: entries.clone(),
        };
        let delivered = follower.follow(served).expect("an answer");
        let Some(FollowError::Altered {
            height,
            entries: hash,
        }) = delivered.refused
        else {
            panic!("{entries:?} was not refused: {delivered:?}");
        };
        assert_eq!(height.get(), 1);
        assert!(hashes.insert(hash), "two lies have one hash");
        assert_eq!(follower.ledger.head().height().get(), 0);
        assert!(follower.ledger.refusing().is_none(), "the follower halted");
        assert_eq!(follower.pooled().len(), 2, "the pool is as it was");
    }
    assert_eq!(last_word(&waits_for_three), None, "nothing is decided");
    assert_eq!(follower.ledger.stats().waiting, 2);

    let delivered = follower.follow(block).expect("an answer");
    assert_eq!((delivered.refused, delivered.repeated), (None, false));
    assert_eq!(follower.ledger.head(), source.ledger.head());
    assert_eq!(last_word(&waits_for_two).as_deref(), Some("final"));
    assert_eq!(follower.pooled(), [Arc::from(&three[..])]);
    assert_eq!(follower.ledger.stats().waiting, 1);
}

/// The standard registers, with one value more in the state for each entry.
struct Otherwise(Registry);

impl StateMachine for Otherwise {
    fn genesis(&self, genesis: &Genesis, overlay: &mut Overlay<'_>) -> Result<(), Halt> {
        self.0.genesis(genesis, overlay)
    }

    fn find_key(
        &self,
        state: &dyn StateReader,
        kid: &KeyId,
        entry: &Entry,
    ) -> Result<PublicKey, Halt> {
        self.0.find_key(state, kid, entry)
    }

    fn execute(
        &self,
        block: &BlockContext,
        entry: &Entry,
        overlay: &mut Overlay<'_>,
    ) -> Result<Executed, Fault> {
        let executed = self.0.execute(block, entry, overlay)?;
        overlay.set("trace", b"another program", Some(vec![1]));
        Ok(executed)
    }
}

#[test]
fn a_program_with_another_state_root_halts_and_keeps_serving() {
    let world = World::new();
    let now = system_time().get();
    let source = Node::open(&folder(&world, "source"));
    let dir = folder(&world, "other");
    let other = Node::open_with(&dir, Arc::new(Otherwise(Registry::standard())), |options| {
        options
    });
    assert!(
        source
            .order(1, now + 1, &[&event(&world, 1, now)])
            .is_some()
    );
    let waits = other.submit(&event(&world, 2, now));
    // The entries are the certified ones, so the difference is this program's own.
    assert!(other.follow(source.block(1)).is_none());
    assert_eq!(other.ledger.refusing().expect("halted").code, "node.halted");
    assert_eq!(
        last_word(&waits).as_deref(),
        Some("unknown node.unknown-outcome"),
        "the rest of the network may make it final"
    );
    assert_eq!(other.block(0), source.block(0));
}

#[test]
fn the_engines_order_with_another_result_than_the_networks_halts() {
    let world = World::new();
    let now = system_time().get();
    let node = Node::open(&folder(&world, "node"));
    let entry = event(&world, 1, now);
    let waits = node.submit(&entry);
    let delivered = node.order_unsigned(1, now + 1, &[&entry]);
    let mut other = node.inbox.0.lock().pop().expect("executed").certificate;
    other.header.state_root = stele_core::id::Hash::from_bytes([7; 32]);
    other.signature = key(1000).sign(&other.message());
    let height = other.header.height;
    assert_eq!(
        node.ledger.certified(other),
        Err(CertifyError::Diverged(height))
    );
    assert_eq!(node.ledger.refusing().expect("halted").code, "node.halted");
    assert_eq!(
        last_word(&waits).as_deref(),
        Some("unknown node.unknown-outcome")
    );
    assert!(delivered.try_recv().is_err(), "it is not durable");
}

/// Commonware monorepo issue 3727, seen from the ledger: the engine's journal lost what our log has, and delivers it again.
#[test]
fn a_block_delivered_again_after_a_crash_changes_nothing() {
    let world = World::new();
    let now = system_time().get();
    let node = Node::open(&folder(&world, "node"));
    // The second entry of block 1 does not count: it comes too early.
    let (one, early) = (
        event(&world, 1, now),
        event_between(&world, 2, now + 1_000, now + 60_000),
    );
    let three = event(&world, 3, now);
    let first = node.order(1, now + 10, &[&one, &early]).expect("done");
    assert_eq!(
        (first.produced.map(|height| height.get()), first.dropped),
        (Some(1), 1)
    );
    node.order(2, now + 2_000, &[&three]).expect("done");
    let head = node.ledger.head();
    let copy = world.dir().join("after-the-crash");
    copy_folder(&node.dir, &copy);

    let node = Node::open(&copy);
    assert_eq!(node.ledger.head(), head);
    for (position, time, entries) in [
        (1, now + 10, vec![&one, &early]),
        (2, now + 2_000, vec![&three]),
    ] {
        let again = node
            .order(position, time, &entries)
            .expect("acknowledged at once");
        assert!(again.repeated);
        assert_eq!((again.produced, again.position), (None, position));
        assert_eq!(
            node.ledger.head(),
            head,
            "the entry that was early counts now"
        );
    }
    // What comes after goes on as if nothing had happened.
    let four = event(&world, 4, now);
    let next = node.order(3, now + 2_001, &[&four]).expect("done");
    assert_eq!(
        (next.repeated, next.produced.map(|height| height.get())),
        (false, Some(3))
    );
}

#[test]
fn one_entry_submitted_many_times_holds_a_bounded_number_of_listeners() {
    let world = World::new();
    let now = system_time().get();
    let node = Node::open(&folder(&world, "node"));
    let entry = event(&world, 1, now);
    let heard: Vec<_> = (0..20_000).map(|_| node.submit(&entry)).collect();
    assert_eq!((node.pooled().len(), node.ledger.stats().waiting), (1, 1));
    node.order(1, now + 1, &[&entry]).expect("done");
    let mut counts = std::collections::BTreeMap::<_, u32>::new();
    for heard in &heard {
        *counts.entry(last_word(heard).expect("a word")).or_default() += 1;
    }
    let expected = [("final", 64), ("unknown node.unknown-outcome", 20_000 - 64)];
    let expected = expected.map(|(word, count)| (word.to_owned(), count));
    assert_eq!(counts, expected.into_iter().collect());
    assert_eq!(node.ledger.stats().waiting, 0);
}

#[test]
fn the_pool_is_bounded_in_bytes_and_gives_them_back() {
    let world = World::new();
    let now = system_time().get();
    let dir = folder(&world, "node");
    let node = Node::open_with(&dir, Arc::new(Registry::standard()), |options| {
        LedgerOptions {
            queue_bytes_max: 2_000,
            ..options
        }
    });
    let entries: Vec<_> = (0..20).map(|number| event(&world, number, now)).collect();
    let mut taken = Vec::new();
    for entry in &entries {
        match node.ledger.submit(entry.bytes().to_vec(), |_| {}) {
            Ok(_) => taken.push(entry),
            Err(refusal) => assert_eq!(refusal.code, "node.busy"),
        }
    }
    let bytes =
        |entries: &[&Entry]| -> usize { entries.iter().map(|entry| entry.bytes().len()).sum() };
    assert!(!taken.is_empty() && bytes(&taken) <= 2_000);
    assert!(
        bytes(&taken) + entries[19].bytes().len() > 2_000,
        "room is left"
    );
    // A peer fares no better.
    let theirs = entries.iter().map(|entry| entry.bytes().to_vec());
    node.ledger
        .admit_from_peer(theirs.collect(), |refusal| panic!("{refusal}"));
    assert_eq!(node.pooled().len(), taken.len());
    node.order(1, now + 1, &taken).expect("done");
    let again = event(&world, 100, now);
    assert!(
        node.ledger.submit(again.bytes().to_vec(), |_| {}).is_ok(),
        "the room is free again"
    );
}

/// An entry whose window is over by this node's clock may still be in a block of the others: only the chain's time ends it.
#[test]
fn a_pooled_entry_ends_by_the_chains_time_not_by_this_nodes_clock() {
    let world = World::new();
    let now = system_time().get();
    let node = Node::open(&folder(&world, "node"));
    let (late, lost) = (
        event_between(&world, 1, now - 1_000, now + 5_000),
        event_between(&world, 2, now - 1_000, now + 5_000),
    );
    let (waits_for_late, waits_for_lost) = (node.submit(&late), node.submit(&lost));
    // This node's clock runs ahead.
    node.clock.store(now + 60_000, Ordering::Relaxed);
    assert_eq!(node.pooled().len(), 2);
    assert_eq!(last_word(&waits_for_late), None);
    node.order(1, now + 4_000, &[&late]).expect("done");
    assert_eq!(last_word(&waits_for_late).as_deref(), Some("final"));
    assert_eq!(last_word(&waits_for_lost), None);
    // A block without entries carries the chain's time past the window; nobody can make it final now.
    let empty = node.order(2, now + 5_001, &[]).expect("done");
    assert_eq!(empty.produced, None);
    assert_eq!(
        last_word(&waits_for_lost).as_deref(),
        Some("refused entry.expired")
    );
    assert_eq!((node.pooled().len(), node.ledger.stats().waiting), (0, 0));
}

/// An entry that another node's clock let in too early is dropped from a block and stays in the pool.
#[test]
fn an_entry_ordered_too_early_is_proposed_again_when_its_time_has_come() {
    let world = World::new();
    let now = system_time().get();
    let node = Node::open(&folder(&world, "node"));
    let entry = event_between(&world, 1, now + 1_500, now + 60_000);
    let waits = node.submit(&entry);
    assert!(node.pooled().is_empty(), "its window is not open yet");
    node.order(1, now + 1_000, &[&entry]).expect("done");
    assert_eq!(last_word(&waits), None);
    node.clock.store(now + 1_500, Ordering::Relaxed);
    assert_eq!(node.pooled().len(), 1);
    node.order(2, now + 1_500, &[&entry]).expect("done");
    assert_eq!(last_word(&waits).as_deref(), Some("final"));
}

#[test]
fn a_certificate_of_another_network_or_key_is_refused_by_name() {
    let (world, other) = (World::new(), World::new());
    let now = system_time().get();
    let node = Node::open(&folder(&world, "node"));
    let entry = event(&world, 1, now);
    node.order_unsigned(1, now + 1, &[&entry]);
    let waiting = node.inbox.0.lock().pop().expect("executed").certificate;
    let height = waiting.header.height;
    let signed = |change: &dyn Fn(&mut stele_core::block::Certificate), seed| {
        let mut certificate = waiting.clone();
        change(&mut certificate);
        certificate.signature = key(seed).sign(&certificate.message());
        certificate
    };
    // Both networks are run with one key: the network's id alone tells them apart.
    let network = other.genesis().network_id();
    let foreign = signed(&|certificate| certificate.header.network = network, 1000);
    let refused = node.ledger.certified(foreign.clone()).unwrap_err();
    assert_eq!(refused, CertifyError::OtherNetwork { height, network });
    assert!(refused.to_string().contains(&network.to_string()));
    let forged = node.ledger.certified(signed(&|_| {}, 999)).unwrap_err();
    assert!(matches!(forged, CertifyError::Invalid { .. }), "{forged}");

    let follower = Node::open(&folder(&world, "follower"));
    let served = |certificate| CertifiedBlock {
        certificate,
        entries: vec![entry.bytes().to_vec()],
    };
    for (certificate, named) in [
        (foreign, network.to_string()),
        (signed(&|_| {}, 999), "does not verify".to_owned()),
    ] {
        let delivered = follower.follow(served(certificate)).expect("an answer");
        let Some(FollowError::Invalid(reason)) = delivered.refused else {
            panic!("{delivered:?}");
        };
        assert!(reason.contains(&named), "{reason}");
    }
    follower
        .follow(served(signed(&|_| {}, 1000)))
        .expect("an answer");
    assert_eq!(follower.ledger.head().height(), height);
}
