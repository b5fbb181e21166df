//! Many submitters at once, clocks that go backwards, full queues and closing while entries wait.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};

use stele_core::entry::Entry;
use stele_core::id::{EntryId, Height, TimeMs};
use stele_ledger::ledger::{Ledger, LedgerOptions, Progress, system_time};
use support::{World, record_event};

#[test]
fn of_many_copies_exactly_one_is_ordered() {
    let world = World::new();
    let ledger = world.open();
    let mill = world.register(&ledger, 1, "Fictional Olive Mill");
    let before = ledger.head().log_size().get();
    let entries: Vec<_> = (0..40u8)
        .map(|n| {
            mill.entry(
                &world,
                "trace",
                vec![record_event(&format!("e{n}"), [n; 32])],
            )
        })
        .collect();
    let (ordered, replayed) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (entries, ledger, ordered, replayed) = (&entries, &ledger, &ordered, &replayed);
            scope.spawn(move || {
                // Each thread starts elsewhere, so that copies meet in one block and in different ones.
                for step in 0..entries.len() {
                    let entry = &entries[(step + thread * 5) % entries.len()];
                    match support::submit(ledger, entry) {
                        Ok(done) => {
                            assert_eq!(done.entry_id, entry.id());
                            assert!(done.refusal.is_none());
                            ordered.fetch_add(1, Ordering::Relaxed)
                        }
                        Err(refusal) => {
                            assert_eq!(refusal.code, "entry.replayed");
                            replayed.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                }
            });
        }
    });
    assert_eq!(ordered.into_inner(), 40);
    assert_eq!(replayed.into_inner(), 7 * 40);
    assert_eq!(ledger.head().log_size().get(), before + 40);
    assert_eq!(ledger.stats().waiting, 0);
    drop(ledger);
    let (found, _) = support::reading::check_log(world.dir(), &world.genesis().network_key);
    assert!(
        entries
            .iter()
            .all(|entry| found.contains_key(entry.id().as_bytes()))
    );
}

/// A clock that a test sets.
struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn new(now: u64) -> Self {
        Self(Arc::new(AtomicU64::new(now)))
    }

    fn set(&self, now: u64) {
        self.0.store(now, Ordering::SeqCst);
    }

    fn options(&self) -> LedgerOptions {
        let now = Arc::clone(&self.0);
        LedgerOptions {
            clock: Arc::new(move || TimeMs::new(now.load(Ordering::SeqCst))),
            ..World::options()
        }
    }
}

#[test]
fn block_times_never_fall_and_windows_are_judged_by_them() {
    let world = World::new();
    let start = system_time().get();
    let clock = TestClock::new(start);
    let ledger = world.open_with(clock.options());
    let mill = world.register(&ledger, 1, "Fictional Olive Mill");
    let mut number = 0;
    let mut entry = |from: u64, until: u64| {
        number += 1;
        let event = record_event(&format!("e{number}"), [1; 32]);
        mill.entry_at(&world, from, until, "trace", vec![event])
    };
    let code = |ledger: &Ledger, entry: &Entry| match support::submit(ledger, entry) {
        Ok(done) => {
            assert!(done.refusal.is_none());
            "ordered".to_owned()
        }
        Err(refusal) => refusal.code,
    };

    clock.set(start + 10_000);
    assert_eq!(code(&ledger, &entry(start, start + 60_000)), "ordered");
    assert_eq!(ledger.head().time().get(), start + 10_000);
    clock.set(start + 1_000);
    assert_eq!(code(&ledger, &entry(start, start + 60_000)), "ordered");
    assert_eq!(
        ledger.head().time().get(),
        start + 10_000,
        "the clock went back, the chain's time does not"
    );
    // Open by the clock, closed by the time of the block that it would come into.
    assert_eq!(code(&ledger, &entry(start, start + 9_999)), "entry.expired");
    // Both ends of a window belong to it.
    assert_eq!(code(&ledger, &entry(start, start + 10_000)), "ordered");
    clock.set(start + 20_000);
    assert_eq!(
        code(&ledger, &entry(start + 20_000, start + 30_000)),
        "ordered"
    );
    assert_eq!(code(&ledger, &entry(start, start + 20_000)), "ordered");
    assert_eq!(
        code(&ledger, &entry(start, start + 19_999)),
        "entry.expired"
    );
    // A client's clock may run a little ahead, and then the entry has to wait for its window.
    let early = code(&ledger, &entry(start + 20_001, start + 30_000));
    assert_eq!(early, "entry.not-yet-valid");
    let earlier = code(&ledger, &entry(start + 22_001, start + 30_000));
    assert_eq!(earlier, "entry.not-yet-valid");

    // A replay at the last moment of the window, and after a restart.
    let last = entry(start, start + 25_000);
    assert_eq!(code(&ledger, &last), "ordered");
    clock.set(start + 25_000);
    assert_eq!(code(&ledger, &last), "entry.replayed");
    let head = ledger.head();
    drop(ledger);
    clock.set(start);
    let ledger = world.open_with(clock.options());
    assert_eq!(code(&ledger, &last), "entry.replayed");
    assert_eq!(code(&ledger, &entry(start, start + 60_000)), "ordered");
    assert!(ledger.head().time() >= head.time());
    let mut time = TimeMs::new(0);
    for height in 0..=ledger.head().height().get() {
        let header = ledger
            .certificate(Height::new(height))
            .expect("there")
            .header;
        assert!(header.time >= time);
        time = header.time;
    }
}

/// Holds a thread of the ledger until it is opened.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn wait(&self) {
        let mut open = self.0.lock().expect("not poisoned");
        while !*open {
            open = self.1.wait(open).expect("not poisoned");
        }
    }

    fn open(&self) {
        *self.0.lock().expect("not poisoned") = true;
        self.1.notify_all();
    }
}

#[test]
fn a_full_queue_refuses_as_busy_and_closing_finishes_what_waits() {
    let world = World::new();
    let ledger = world.open_with(LedgerOptions {
        queue_entries_max: 4,
        block_entries_max: 2,
        ..World::options()
    });
    let mill = world.register(&ledger, 1, "Fictional Olive Mill");
    let gate = Arc::new(Gate::default());
    let (sender, answers) = channel();
    let (mut taken, mut busy) = (Vec::new(), None);
    // The gate holds the ledger's threads, so the queues fill: however fast the machine, a refusal must come.
    for n in 0..1_000u32 {
        let event = record_event(&format!("e{n}"), [1; 32]);
        let entry = mill.entry(&world, "trace", vec![event]);
        let (gate, sender) = (Arc::clone(&gate), sender.clone());
        let listener = move |progress| {
            gate.wait();
            match progress {
                Progress::Admitted(_) => {}
                Progress::Refused(refusal) | Progress::Unknown(refusal) => panic!("{refusal}"),
                Progress::Final(done) => sender.send(done.entry_id).expect("the test listens"),
            }
        };
        match ledger.submit(entry.bytes().to_vec(), listener) {
            Ok(id) => taken.push(id),
            Err(refusal) => {
                busy = Some(refusal);
                break;
            }
        }
    }
    assert_eq!(busy.expect("the queue has a bound").code, "node.busy");
    assert!(taken.len() >= 4, "{} taken in", taken.len());
    let opener = std::thread::spawn({
        let gate = Arc::clone(&gate);
        move || gate.open()
    });
    // Entries are waiting now; closing finishes them.
    drop(ledger);
    opener.join().expect("opened");
    drop(sender);
    let heard: Vec<EntryId> = answers.iter().collect();
    assert_eq!(heard, taken, "in the order of submission, each once");
    let (found, _) = support::reading::check_log(world.dir(), &world.genesis().network_key);
    assert!(taken.iter().all(|id| found.contains_key(id.as_bytes())));
    drop(world.open());
}

/// A register that breaks in the middle of a block halts the node: all who wait hear of it, and what was not ordered is not.
#[test]
fn everybody_hears_of_a_halt() {
    let world = World::new();
    let ledger = world.open();
    let mill = world.register(&ledger, 1, "Fictional Olive Mill");
    let item = [9; 32];
    let first = mill.entry(&world, "trace", vec![record_event("first", item)]);
    support::submit(&ledger, &first).expect("ordered");
    let head = ledger.head();
    // Damage each value on disk below the open ledger: the next look at the item is a fault of the state.
    for entry in std::fs::read_dir(world.dir().join("state")).expect("a state") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|ending| ending == "seg") {
            let len = std::fs::metadata(&path).expect("there").len();
            let file = std::fs::File::options().write(true).open(&path);
            use std::os::unix::fs::FileExt;
            file.expect("opens")
                .write_all_at(&vec![0xee; len as usize - 64], 64)
                .expect("written");
        }
    }
    let (sender, answers) = channel();
    let mut submitted = 0;
    for n in 0..50u32 {
        let event = record_event(&format!("after {n}"), item);
        let entry = mill.entry(&world, "trace", vec![event]);
        let sender = sender.clone();
        let listener = move |progress| match progress {
            Progress::Admitted(_) => {}
            Progress::Refused(refusal) | Progress::Unknown(refusal) => {
                sender.send(refusal.code).expect("the test listens")
            }
            Progress::Final(_) => panic!("nothing can be executed"),
        };
        match ledger.submit(entry.bytes().to_vec(), listener) {
            Ok(_) => submitted += 1,
            Err(refusal) => assert_eq!(refusal.code, "node.halted", "{refusal}"),
        }
    }
    drop(sender);
    let heard: Vec<String> = answers.iter().collect();
    assert!(submitted > 0, "the first was taken in");
    assert_eq!(heard.len(), submitted, "everybody hears something");
    assert!(heard.iter().all(|code| code == "node.halted"), "{heard:?}");
    assert_eq!(ledger.refusing().expect("halted").code, "node.halted");
    assert_eq!(ledger.stats().waiting, 0);
    ledger
        .entry_receipt(stele_core::id::LogIndex::new(0), true)
        .expect("reads of the log go on");
    drop(ledger);
    let error = world
        .try_open(world.dir(), World::options())
        .map(drop)
        .err();
    if error.is_some() {
        stele_ledger::doctor::rebuild(world.dir(), world.machine(), &mut |_, _, _| {})
            .expect("rebuilt");
    }
    let ledger = world.open();
    assert_eq!(ledger.head(), head);
}
