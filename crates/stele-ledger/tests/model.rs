//! Random sequences of valid and invalid entries against a plain model in memory: what must be ordered, what must be recorded, what the
//! state must hold.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, channel};

use proptest::prelude::*;
use stele_core::block::Outcome;
use stele_core::cbor::BodyBuilder;
use stele_core::entry::Entry;
use stele_core::id::{Hash, LogIndex, PartyId};
use stele_core::machine::Refusal;
use stele_core::receipt::verify;
use stele_ledger::doctor;
use stele_ledger::ledger::{Finalised, Ledger, LedgerOptions, Progress, system_time};
use stele_registers::trace;
use support::{Signer, World, record_event};

const SIGNERS: u64 = 4;
const EVENTS: u8 = 6;
const ITEMS: u8 = 4;

/// One command, and what the model says of it.
#[derive(Debug, Clone)]
enum Step {
    Record { event: u8 },
    Claim { item: u8 },
    Offer { item: u8, to: u64 },
    Accept { item: u8, from: u64 },
    Unknown,
    BadBody,
}

#[derive(Debug, Clone)]
enum Action {
    Register {
        signer: u64,
    },
    /// A valid entry of one or more commands, which apply all or not at all.
    Steps {
        signer: u64,
        steps: Vec<Step>,
    },
    /// An entry that was submitted before.
    Replay {
        nth: prop::sample::Index,
    },
    Expired {
        signer: u64,
    },
    OtherNetwork {
        signer: u64,
    },
    Tampered {
        signer: u64,
    },
    NoEntry,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..EVENTS).prop_map(|event| Step::Record { event }),
        3 => (0..ITEMS).prop_map(|item| Step::Claim { item }),
        3 => (0..ITEMS, 1..=SIGNERS).prop_map(|(item, to)| Step::Offer { item, to }),
        3 => (0..ITEMS, 1..=SIGNERS).prop_map(|(item, from)| Step::Accept { item, from }),
        1 => Just(Step::Unknown),
        1 => Just(Step::BadBody),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let signer = 1..=SIGNERS;
    prop_oneof![
        3 => signer.clone().prop_map(|signer| Action::Register { signer }),
        12 => (signer.clone(), prop::collection::vec(step(), 1..4))
            .prop_map(|(signer, steps)| Action::Steps { signer, steps }),
        2 => any::<prop::sample::Index>().prop_map(|nth| Action::Replay { nth }),
        1 => signer.clone().prop_map(|signer| Action::Expired { signer }),
        1 => signer.clone().prop_map(|signer| Action::OtherNetwork { signer }),
        1 => signer.prop_map(|signer| Action::Tampered { signer }),
        1 => Just(Action::NoEntry),
        1 => Just(Action::Reopen),
    ]
}

/// What is to become of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    NotOrdered(&'static str),
    Applied,
    Refused(u64, &'static str),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Item {
    holder: u64,
    offered: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct Parties {
    registered: BTreeSet<u64>,
    events: BTreeSet<(u64, u8)>,
    items: BTreeMap<u8, Item>,
}

impl Parties {
    fn step(&mut self, signer: u64, step: &Step) -> Result<(), &'static str> {
        match *step {
            Step::Unknown => Err("registers.unknown-command"),
            Step::BadBody => Err("trace.event.record.bad-body"),
            Step::Record { event } => match self.events.insert((signer, event)) {
                true => Ok(()),
                false => Err("trace.event.exists"),
            },
            Step::Claim { item } => match self.items.entry(item) {
                std::collections::btree_map::Entry::Occupied(_) => Err("trace.custody.claimed"),
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(Item {
                        holder: signer,
                        offered: None,
                    });
                    Ok(())
                }
            },
            Step::Offer { to, .. } if to == signer => Err("trace.custody.self"),
            Step::Offer { to, .. } if !self.registered.contains(&to) => {
                Err("trace.custody.no-receiver")
            }
            Step::Offer { item, to } => match self.items.get_mut(&item) {
                Some(item) if item.holder != signer => Err("trace.custody.not-holder"),
                Some(item) if item.offered.is_some() => Err("trace.custody.offered"),
                Some(item) => {
                    item.offered = Some(to);
                    Ok(())
                }
                None => Err("trace.custody.not-holder"),
            },
            Step::Accept { item, from } => match self.items.get_mut(&item) {
                Some(item) if item.holder == from && item.offered == Some(signer) => {
                    item.holder = signer;
                    item.offered = None;
                    Ok(())
                }
                _ => Err("trace.custody.not-offered"),
            },
        }
    }

    /// All steps apply, or none does.
    fn steps(&mut self, signer: u64, steps: &[Step]) -> Expected {
        if !self.registered.contains(&signer) {
            return Expected::NotOrdered("identity.unknown-key");
        }
        let mut next = self.clone();
        for (index, step) in steps.iter().enumerate() {
            if let Err(code) = next.step(signer, step) {
                return Expected::Refused(index as u64, code);
            }
        }
        *self = next;
        Expected::Applied
    }
}

fn commitment(signer: u64, event: u8) -> [u8; 32] {
    [signer as u8 * 16 + event; 32]
}

fn item_name(item: u8) -> Hash {
    trace::item_hash(&format!("urn:epc:id:sgtin:4012345.{item:06}.1"))
}

fn party(signer: u64) -> PartyId {
    Signer::new(signer).party()
}

fn command(signer: u64, step: &Step) -> (&'static str, Vec<u8>) {
    let items = |item: &u8| BodyBuilder::new().bytes_list("items", &[item_name(*item).as_bytes()]);
    match step {
        Step::Record { event } => {
            let body = BodyBuilder::new()
                .text("event_id", &format!("urn:example:{event}"))
                .bytes("commitment", &commitment(signer, *event))
                .text("type", "ObjectEvent");
            ("event.record", body.build())
        }
        Step::Claim { item } => ("custody.claim", items(item).build()),
        Step::Offer { item, to } => {
            let body = items(item).bytes("to", party(*to).as_bytes());
            ("custody.offer", body.build())
        }
        Step::Accept { item, from } => {
            let body = items(item).bytes("from", party(*from).as_bytes());
            ("custody.accept", body.build())
        }
        Step::Unknown => ("no.such-command", BodyBuilder::new().build()),
        Step::BadBody => (
            "event.record",
            BodyBuilder::new().uint("event_id", 1).build(),
        ),
    }
}

struct Run {
    world: World,
    other: World,
    ledger: Option<Ledger>,
    options: LedgerOptions,
    parties: Parties,
    /// Entries that the model has ordered, in order, and what became of each.
    ordered: Vec<(Entry, Expected)>,
    submitted: Vec<(Entry, Expected)>,
    waiting: Vec<(Entry, Expected, Answer)>,
}

type Answer = Receiver<Result<Finalised, Refusal>>;

impl Run {
    fn new(block_entries_max: usize) -> Self {
        let home = World::new();
        let options = LedgerOptions {
            block_entries_max,
            checkpoint_blocks_max: 3,
            state_segment_bytes: 2 << 10,
            ..World::options()
        };
        Self {
            ledger: Some(home.open_with(options.clone())),
            world: home,
            other: World::new(),
            options,
            parties: Parties::default(),
            ordered: Vec::new(),
            submitted: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().expect("open")
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Register { signer } => {
                let key = Signer::new(*signer);
                let body = BodyBuilder::new()
                    .text("kind", "organisation")
                    .text("name", "Fictional Mill")
                    .bytes_list("keys", &[key.key().public().to_cose_key()])
                    .build();
                let entry = key.entry(&self.world, "identity", vec![("party.register", body)]);
                let expected = if self.parties.registered.insert(*signer) {
                    Expected::Applied
                } else {
                    Expected::Refused(0, "identity.party.exists")
                };
                self.submit(entry, expected);
                // Whether a key is known is judged when an entry comes in, so the registration must be final.
                self.settle();
            }
            Action::Steps { signer, steps } => {
                let commands = steps.iter().map(|step| command(*signer, step)).collect();
                let entry = Signer::new(*signer).entry(&self.world, "trace", commands);
                let expected = self.parties.steps(*signer, steps);
                self.submit(entry, expected);
            }
            Action::Replay { nth } if !self.submitted.is_empty() => {
                let (entry, before) = nth.get(&self.submitted).clone();
                let expected = match before {
                    Expected::Applied | Expected::Refused(..) => {
                        Expected::NotOrdered("entry.replayed")
                    }
                    // It was never ordered, so it may still be, and is judged as of now.
                    Expected::NotOrdered(_) => return,
                };
                self.submit(entry, expected);
            }
            Action::Replay { .. } => {}
            Action::Expired { signer } => {
                let until = system_time().get() - 120_000;
                let event = record_event("expired", [1; 32]);
                let signer = Signer::new(*signer);
                let entry =
                    signer.entry_at(&self.world, until - 1_000, until, "trace", vec![event]);
                self.submit(entry, Expected::NotOrdered("entry.expired"));
            }
            Action::OtherNetwork { signer } => {
                let event = record_event("elsewhere", [1; 32]);
                let entry = Signer::new(*signer).entry(&self.other, "trace", vec![event]);
                self.submit(entry, Expected::NotOrdered("entry.other-network"));
            }
            Action::Tampered { signer } => {
                let event = record_event("tampered", [1; 32]);
                let entry = Signer::new(*signer).entry(&self.world, "trace", vec![event]);
                let mut bytes = entry.into_bytes();
                *bytes.last_mut().expect("not empty") ^= 1;
                let entry = Entry::decode(bytes).expect("its form is good");
                let code = if self.parties.registered.contains(signer) {
                    "entry.bad-signature"
                } else {
                    "identity.unknown-key"
                };
                self.submit(entry, Expected::NotOrdered(code));
            }
            Action::NoEntry => {
                let refusal = support::submit_bytes(self.ledger(), vec![0xd2, 0x80]);
                assert_eq!(refusal.expect_err("no entry").code, "entry.malformed");
            }
            Action::Reopen => {
                self.settle();
                let head = self.ledger().head();
                self.ledger = None;
                self.ledger = Some(self.world.open_with(self.options.clone()));
                assert_eq!(self.ledger().head(), head);
            }
        }
    }

    /// Submits without waiting, so that blocks hold several entries.
    fn submit(&mut self, entry: Entry, expected: Expected) {
        self.submitted.push((entry.clone(), expected.clone()));
        let (sender, answer) = channel();
        let at_once = sender.clone();
        let listener = move |progress| {
            let _ = match progress {
                Progress::Admitted(_) => Ok(()),
                Progress::Refused(refusal) | Progress::Unknown(refusal) => {
                    sender.send(Err(refusal))
                }
                Progress::Final(done) => sender.send(Ok(*done)),
            };
        };
        if let Err(refusal) = self.ledger().submit(entry.bytes().to_vec(), listener) {
            at_once.send(Err(refusal)).expect("held here");
        }
        self.waiting.push((entry, expected, answer));
    }

    /// Waits for all answers and compares them with the model.
    fn settle(&mut self) {
        for (entry, expected, answer) in std::mem::take(&mut self.waiting) {
            let answer = answer.recv().expect("everybody hears something");
            match (&expected, answer) {
                (Expected::NotOrdered(code), Err(refusal)) => assert_eq!(refusal.code, *code),
                (Expected::Applied, Ok(done)) => {
                    assert!(done.refusal.is_none(), "{:?}", done.refusal);
                    self.order(entry, expected, &done);
                }
                (Expected::Refused(_, code), Ok(done)) => {
                    assert_eq!(done.refusal.as_ref().expect("refused").code, *code);
                    self.order(entry, expected, &done);
                }
                (expected, answer) => panic!("{expected:?} was expected: {answer:?}"),
            }
        }
    }

    fn order(&mut self, entry: Entry, expected: Expected, done: &Finalised) {
        assert_eq!(done.log_index.get(), self.ordered.len() as u64);
        assert_eq!(done.entry_id, entry.id());
        self.ordered.push((entry, expected));
    }

    /// The log, its receipts and the state say what the model says.
    fn compare(&self) {
        let ledger = self.ledger();
        let network = ledger.descriptor();
        assert_eq!(ledger.head().log_size().get(), self.ordered.len() as u64);
        for (index, (entry, expected)) in self.ordered.iter().enumerate() {
            let index = LogIndex::new(index as u64);
            let logged = ledger.entry(index).expect("there");
            assert_eq!(logged.entry.bytes(), entry.bytes());
            let receipt = ledger.entry_receipt(index, true).expect("a receipt");
            let claim = verify(&receipt.encode(), &network).expect("valid").entry;
            let claim = claim.expect("an entry claim");
            assert_eq!(claim.record, logged.record);
            assert_eq!(claim.record.entry_id, entry.id());
            match (expected, &claim.record.outcome) {
                (Expected::Applied, Outcome::Applied { .. }) => {}
                (
                    Expected::Refused(wanted_index, wanted),
                    Outcome::Refused {
                        command_index,
                        code,
                    },
                ) => {
                    assert_eq!((wanted_index, *wanted), (command_index, code.as_str()));
                    assert!(logged.events.is_empty(), "what is refused makes no events");
                }
                (expected, found) => panic!("{expected:?} was expected: {found:?}"),
            }
        }
        self.compare_state(ledger);
    }

    fn compare_state(&self, ledger: &Ledger) {
        let network = ledger.descriptor();
        let value = |register: &str, key: &[u8]| {
            let receipt = ledger.state_receipt(&[(register, key)]).expect("a proof");
            let verified = verify(&receipt.encode(), &network).expect("valid");
            verified.state[0].value.clone()
        };
        for signer in 1..=SIGNERS {
            let kid = Signer::new(signer).key().public().kid();
            let key = [b"key/".as_slice(), kid.as_bytes()].concat();
            let known = value("identity", &key).is_some();
            assert_eq!(known, self.parties.registered.contains(&signer));
            for event in 0..EVENTS {
                let reference = trace::event_ref(&party(signer), &format!("urn:example:{event}"));
                let found = value("trace", &trace::event_key(&reference));
                let expected = self.parties.events.contains(&(signer, event));
                assert_eq!(found.is_some(), expected);
                let commitment = commitment(signer, event);
                let held =
                    found.is_none_or(|bytes| bytes.windows(32).any(|window| window == commitment));
                assert!(held, "the commitment is in the state");
            }
        }
        for item in 0..ITEMS {
            let found = value("trace", &trace::item_key(&item_name(item)));
            let expected = self.parties.items.get(&item);
            assert_eq!(found.is_some(), expected.is_some());
            let Some(expected) = expected else { continue };
            let bytes = found.expect("compared");
            let holder = party(expected.holder);
            let has = |party: PartyId| bytes.windows(32).any(|window| window == party.as_bytes());
            assert!(has(holder), "the holder is in the state");
            if let Some(offered) = expected.offered {
                assert!(has(party(offered)), "the offer is in the state");
            }
        }
    }
}

fn run(actions: &[Action], block_entries_max: usize) {
    let mut run = Run::new(block_entries_max);
    for action in actions {
        run.act(action);
    }
    run.settle();
    run.compare();
    let head = run.ledger().head();
    run.ledger = None;
    let dir = run.world.dir();
    let (found, _) = support::reading::check_log(dir, &run.world.genesis().network_key);
    assert_eq!(found.len(), run.ordered.len());
    doctor::rebuild(dir, run.world.machine(), &mut |_, _, _| {}).expect("the same again");
    doctor::check(dir, &mut |_, _, _| {}).expect("whole");
    run.ledger = Some(run.world.open_with(run.options.clone()));
    assert_eq!(run.ledger().head(), head);
    run.compare();
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn the_ledger_does_what_the_model_says(
        actions in prop::collection::vec(action(), 1..60),
        block_entries_max in 1..8usize,
    ) {
        run(&actions, block_entries_max);
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn the_ledger_does_what_the_model_says_slow_(
        actions in prop::collection::vec(action(), 1..200),
        block_entries_max in 1..32usize,
    ) {
        run(&actions, block_entries_max);
    }
}
