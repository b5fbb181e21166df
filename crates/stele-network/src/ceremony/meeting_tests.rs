//! Foundings among four, over links that lose, repeat and reorder, with founders that are killed at any moment.

use rand_core::Rng as _;
use stele_core::genesis::Member;
use stele_core::id::{RegisterName, TimeMs};
use stele_core::suite::{SigningKey, Suite};
use stele_registers::Registry;

use super::*;
use crate::founding::Founder;
use crate::random::SeededRandom;

fn node_key(number: u8) -> NodeKey {
    NodeKey::from_seed(&[100 + number; 32])
}

fn plan(count: u8) -> FoundingPlan {
    let founder = |number: u8| Founder {
        member: Member {
            name: format!("Fictional Founder {number}"),
            key: SigningKey::from_seed(Suite::Ed25519, &[1 + number; 32])
                .unwrap()
                .public()
                .clone(),
        },
        node_key: node_key(number).public(),
        address: format!("127.0.0.1:{}", 7_100 + u16::from(number)),
    };
    let registry = Registry::standard();
    let registers = registry.registers().map(|register| {
        let name = RegisterName::new(register.name()).unwrap();
        (name, u64::from(register.version()))
    });
    FoundingPlan {
        name: "Fictional Four".to_owned(),
        time: TimeMs::new(1_767_225_600_000),
        epoch_blocks: 100,
        registers: registers.collect(),
        founders: (0..count).map(founder).collect(),
    }
}

/// What a founder has on its disk.
struct Disk {
    secret: Option<FoundingSecret>,
    share: Option<(Share, Sharing)>,
    partials: Vec<[u8; PARTIAL_BYTES]>,
    genesis: Option<Genesis>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            secret: Some(FoundingSecret::generate()),
            share: None,
            partials: Vec::new(),
            genesis: None,
        }
    }
}

struct World {
    plan: FoundingPlan,
    registry: Arc<Registry>,
    disks: Vec<Disk>,
    meetings: Vec<Meeting>,
}

impl World {
    fn new(count: u8) -> Self {
        let mut world = Self {
            plan: plan(count),
            registry: Arc::new(Registry::standard()),
            disks: (0..count).map(|_| Disk::default()).collect(),
            meetings: Vec::new(),
        };
        world.meetings = (0..count.into())
            .map(|number| world.begin(number))
            .collect();
        world
    }

    /// A founder's process starts, with what is on its disk.
    fn begin(&self, number: usize) -> Meeting {
        let disk = &self.disks[number];
        let kept = Kept {
            share: disk.share.clone(),
            partials: disk.partials.clone(),
            seated: disk.genesis.is_some(),
        };
        let (key, machine) = (node_key(number as u8), Arc::clone(&self.registry));
        Meeting::new(&key, self.plan.clone(), machine, disk.secret.as_ref(), kept).unwrap()
    }

    fn number_of(&self, key: &[u8; 32]) -> usize {
        let mut founders = self.plan.founders.iter();
        founders
            .position(|founder| founder.node_key == *key)
            .unwrap()
    }

    fn key_of(&self, number: usize) -> [u8; 32] {
        self.plan.founders[number].node_key
    }

    /// Writes what is to be written. With `dies`, the process ends after the disk has it and before anything follows from it.
    fn work(&mut self, number: usize, dies: bool) {
        while let Some(task) = self.meetings[number].task().unwrap() {
            match task {
                Task::KeepShare { share, sharing } => {
                    self.disks[number].share = Some((share, sharing));
                    if !dies {
                        self.meetings[number].share_kept();
                    }
                }
                Task::TakeSeat {
                    genesis, partials, ..
                } => {
                    let without = self.disks.iter().filter(|disk| disk.share.is_none());
                    assert_eq!(
                        without.count(),
                        0,
                        "a network before everyone holds its share"
                    );
                    let disk = &mut self.disks[number];
                    (disk.partials, disk.genesis, disk.secret) = (partials, Some(genesis), None);
                    if !dies {
                        self.meetings[number].seat_taken();
                    }
                }
            }
            if dies {
                self.meetings[number] = self.begin(number);
                return;
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize, bytes: &[u8]) -> Vec<(usize, usize, Vec<u8>)> {
        let from = self.key_of(from);
        let answers = self.meetings[to].receive(from, bytes).unwrap();
        let answers = answers.into_iter();
        answers
            .map(|(receiver, bytes)| (to, self.number_of(&receiver), bytes))
            .collect()
    }

    fn says(&self, number: usize) -> Vec<(usize, usize, Vec<u8>)> {
        let messages = self.meetings[number].outgoing().into_iter();
        messages
            .map(|(to, bytes)| (number, self.number_of(&to), bytes))
            .collect()
    }

    /// Everyone hears everything, until all are done.
    fn calm(&mut self) {
        for _ in 0..20 {
            for number in 0..self.meetings.len() {
                let mut messages = self.says(number);
                while let Some((from, to, bytes)) = messages.pop() {
                    messages.extend(self.deliver(from, to, &bytes));
                    self.work(to, false);
                }
            }
            if self.meetings.iter().all(Meeting::is_over) {
                return;
            }
        }
        panic!("the founding does not end");
    }

    fn check(&self) {
        let genesis = self.disks[0].genesis.as_ref().unwrap();
        for (number, disk) in self.disks.iter().enumerate() {
            assert_eq!(disk.genesis.as_ref(), Some(genesis));
            assert!(disk.secret.is_none());
            let (share, sharing) = disk.share.as_ref().unwrap();
            assert_eq!(sharing.public_key(), genesis.network_key);
            let signed = (share.index(), crate::keys::sign_partial(share, b"message"));
            assert!(bad_partials(sharing, b"message", &[signed]).is_empty());
            assert_eq!(sharing.holders()[share.index()], self.key_of(number));
        }
    }
}

#[test]
fn founders_come_to_one_network() {
    for count in [1, 2, 4, 7] {
        let mut world = World::new(count);
        for number in 0..count.into() {
            world.work(number, false);
        }
        world.calm();
        world.check();
    }
}

#[test]
fn whoever_is_killed_whenever_all_come_to_one_network() {
    for seed in 0..12 {
        let mut random = SeededRandom::new(seed);
        let mut world = World::new(4);
        let mut links: Vec<(usize, usize, Vec<u8>)> = Vec::new();
        for _ in 0..400 {
            let number = (random.next_u32() % 4) as usize;
            match random.next_u32() % 100 {
                0..15 => links.extend(world.says(number)),
                15..18 => world.meetings[number] = world.begin(number),
                _ if links.is_empty() => links.extend(world.says(number)),
                roll => {
                    // In any order; some twice, some never.
                    let at = random.next_u32() as usize % links.len();
                    let (from, to, bytes) = links[at].clone();
                    if roll >= 30 {
                        links.swap_remove(at);
                    }
                    if roll < 90 {
                        links.extend(world.deliver(from, to, &bytes));
                        world.work(to, random.next_u32().is_multiple_of(5));
                    }
                }
            }
        }
        world.calm();
        world.check();
    }
}

#[test]
fn a_founder_that_comes_back_late_is_told_what_it_lacks() {
    let mut world = World::new(4);
    // All but the last words reach the fourth: it has signed, and then it is gone.
    for _ in 0..20 {
        for number in 0..4 {
            let mut messages = world.says(number);
            while let Some((from, to, bytes)) = messages.pop() {
                if to == 3 && world.disks[3].share.is_some() {
                    continue;
                }
                messages.extend(world.deliver(from, to, &bytes));
                world.work(to, false);
            }
        }
    }
    assert!(world.disks[..3].iter().all(|disk| disk.genesis.is_some()));
    assert!(world.disks[3].genesis.is_none());
    assert!(world.meetings.iter().all(|meeting| !meeting.is_over()));
    // The first is alone with it, in new processes of both.
    for number in [0, 3] {
        world.meetings[number] = world.begin(number);
    }
    for (from, to, bytes) in world.says(0) {
        if to == 3 {
            world.deliver(from, to, &bytes);
        }
    }
    world.work(3, false);
    world.check();
    world.calm();
}

#[test]
fn another_plan_is_said_and_nobody_is_blamed() {
    let world = World::new(4);
    let mut other = plan(4);
    other.name.push('x');
    let machine = Arc::clone(&world.registry);
    let secret = FoundingSecret::generate();
    let mut other =
        Meeting::new(&node_key(3), other, machine, Some(&secret), Kept::default()).unwrap();
    let mut first = world.begin(0);
    for (_, bytes) in other.outgoing() {
        assert!(first.receive(world.key_of(3), &bytes).unwrap().is_empty());
    }
    assert_eq!(first.standings()[&world.key_of(3)], Standing::OtherPlan);
    for (to, bytes) in first.outgoing() {
        if to == world.key_of(3) {
            other.receive(world.key_of(0), &bytes).unwrap();
        }
    }
    assert_eq!(other.standings()[&world.key_of(0)], Standing::OtherPlan);
    // With the right file it is welcome.
    for (_, bytes) in world.begin(3).outgoing() {
        first.receive(world.key_of(3), &bytes).unwrap();
    }
    assert_eq!(first.standings()[&world.key_of(3)], Standing::Dealing);
}

fn blamed(result: Result<Vec<Sent>, CeremonyError>) -> ([u8; 32], String) {
    match result {
        Err(CeremonyError::Culprit { culprit, what }) => (culprit, what),
        other => panic!("nobody is blamed: {other:?}"),
    }
}

#[test]
fn who_sends_what_no_honest_founder_sends_is_named() {
    let mut world = World::new(4);
    world.calm();
    let context = world.plan.context();
    let (second, third) = (world.key_of(1), world.key_of(2));
    let garbage = world.meetings[0].receive(second, b"garbage");
    assert_eq!(blamed(garbage).0, second);
    let wrong = Word::Signed([7; PARTIAL_BYTES]).encode(&context);
    let (culprit, what) = blamed(world.meetings[0].receive(second, &wrong));
    assert_eq!(
        (culprit, what.as_str()),
        (second, "a wrong signature over block 0")
    );
    // Whoever passes on a wrong signature is to blame, not the one in whose name it is.
    let mut partials = world.disks[0].partials.clone();
    partials.swap(0, 1);
    let mut late = world.begin(0);
    late.signing = None;
    let (share, sharing) = world.disks[0].share.clone().unwrap();
    late.signing = Some(late.sign(share, sharing).unwrap());
    let founded = Word::Founded {
        partials,
        by_all: true,
    };
    assert_eq!(
        blamed(late.receive(third, &founded.encode(&context))).0,
        third
    );
    let few = Word::Founded {
        partials: Vec::new(),
        by_all: true,
    };
    assert_eq!(blamed(late.receive(third, &few.encode(&context))).0, third);
    assert!(!late.is_over());
    let stranger = NodeKey::from_seed(&[1; 32]).public();
    let here = Word::Here.encode(&context);
    assert_eq!(blamed(late.receive(stranger, &here)).0, stranger);
}

#[test]
fn a_founder_that_has_lost_its_dealing_is_named() {
    let mut world = World::new(4);
    let first = world.key_of(0);
    let to_second = |meeting: &mut Meeting, heard: &[u8; 32], context: &[u8; 32]| {
        // It must have heard of the second to deal to it.
        meeting
            .receive(*heard, &Word::Here.encode(context))
            .unwrap();
        let sent = meeting.outgoing().into_iter();
        sent.filter(|(to, _)| to == heard)
            .map(|(_, bytes)| bytes)
            .collect::<Vec<_>>()
    };
    let (second, context) = (world.key_of(1), world.plan.context());
    for bytes in to_second(&mut world.meetings[0], &second, &context) {
        world.meetings[1].receive(first, &bytes).unwrap();
    }
    world.disks[0] = Disk::default();
    let mut again = world.begin(0);
    let sent = to_second(&mut again, &second, &context);
    let results = sent
        .iter()
        .map(|bytes| world.meetings[1].receive(first, bytes));
    let failed: Vec<_> = results.filter(Result::is_err).map(blamed).collect();
    assert_eq!(failed, [(first, "two different dealings".to_owned())]);
    // The others hear why it ends.
    let error = CeremonyError::Culprit {
        culprit: first,
        what: "two different dealings".to_owned(),
    };
    for (to, bytes) in world.meetings[1].farewell(&error) {
        let number = world.number_of(&to);
        world.meetings[number].receive(second, &bytes).unwrap();
    }
    assert_eq!(world.meetings[2].standings()[&second], Standing::Stopped);
    let notes = world.meetings[2].take_notes();
    assert_eq!(
        notes,
        [
            "Fictional Founder 1 has stopped, and says: Fictional Founder 0 sent two different dealings"
        ]
    );
}
