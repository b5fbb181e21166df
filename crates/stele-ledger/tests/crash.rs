//! kill -9 at any moment under load: every entry reported final is there after the restart, none is there twice.
//!
//! The test starts itself again as a child that opens the ledger, submits from several threads and reports each final entry on
//! its standard output. The parent kills it and reads the folder with its own reader (`support::reading`).

mod support;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use stele_core::receipt::verify;
use stele_ledger::doctor;
use stele_ledger::ledger::{Ledger, LedgerOptions, Progress};
use stele_ledger::log::LogOptions;
use support::reading::{Found, check_log};
use support::rng::Rng;
use support::{Signer, World, copy_folder, record_event};

const THREADS: u64 = 3;
/// Entries of one thread that may wait for their finality.
const OUTSTANDING_MAX: usize = 48;
const DIR: &str = "STELE_CRASH_DIR";
const MODE: &str = "STELE_CRASH_MODE";
const ROUND: &str = "STELE_CRASH_ROUND";

/// What is going on when the child is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// Blocks are built, written and synced.
    Load,
    /// As before, and after every other block a checkpoint is taken; files are tiny, so that segments are closed, moved and
    /// removed all the time.
    Checkpoints,
    /// The ledger is opened after the last kill: mostly nothing is submitted yet.
    StartUp,
}

impl Mode {
    fn options(self) -> LedgerOptions {
        match self {
            Self::Load => World::options(),
            Self::Checkpoints | Self::StartUp => LedgerOptions {
                checkpoint_blocks_max: 2,
                state_segment_bytes: 16 << 10,
                block_entries_max: 16,
                log: LogOptions {
                    segment_bytes_max: 64 << 10,
                    reserve_bytes: 16 << 10,
                    ..LogOptions::default()
                },
                ..World::options()
            },
        }
    }
}

// ---- The child ----

/// Counts what waits and holds its thread back at the limit.
#[derive(Default)]
struct Outstanding(Mutex<usize>, Condvar);

impl Outstanding {
    fn enter(&self) {
        let mut count = self.0.lock().expect("not poisoned");
        while *count >= OUTSTANDING_MAX {
            count = self.1.wait(count).expect("not poisoned");
        }
        *count += 1;
    }

    fn leave(&self) {
        *self.0.lock().expect("not poisoned") -= 1;
        self.1.notify_one();
    }
}

#[test]
#[ignore = "the child of the other tests, which start it"]
fn child() {
    let dir = std::env::var(DIR).expect("started by a test of this file");
    let mode = match std::env::var(MODE).expect("set").as_str() {
        "Load" => Mode::Load,
        "Checkpoints" => Mode::Checkpoints,
        _ => Mode::StartUp,
    };
    let round = std::env::var(ROUND).expect("set");
    let world = World::attach(Path::new(&dir));
    report("opening", &[]);
    let ledger = world.open_with(mode.options());
    report("opened", &[]);
    let number = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (world, ledger, round, number) = (&world, &ledger, &round, &number);
            scope.spawn(move || {
                let signer = Signer::new(thread + 1);
                let outstanding = Arc::new(Outstanding::default());
                loop {
                    let number = number.fetch_add(1, Ordering::Relaxed);
                    let id = format!("urn:example:crash:{round}:{number}");
                    let event = record_event(&id, [(number % 50) as u8; 32]);
                    submit(
                        ledger,
                        &outstanding,
                        &signer.entry(world, "trace", vec![event]),
                    );
                }
            });
        }
    });
}

fn submit(ledger: &Ledger, outstanding: &Arc<Outstanding>, entry: &stele_core::entry::Entry) {
    outstanding.enter();
    let waits = Arc::clone(outstanding);
    let result = ledger.submit(entry.bytes().to_vec(), move |progress| match progress {
        Progress::Admitted(_) => {}
        Progress::Refused(refusal) | Progress::Unknown(refusal) => panic!("{refusal}"),
        Progress::Final(done) => {
            report("final", done.entry_id.as_bytes());
            waits.leave();
        }
    });
    result.expect("taken in");
}

/// One line in one write, so that a kill leaves whole lines or nothing.
fn report(word: &str, id: &[u8]) {
    let line = format!("\n#{word} {}\n", hex::encode(id));
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).expect("the parent listens");
    out.flush().expect("the parent listens");
}

// ---- The parent ----

fn start(dir: &Path, mode: Mode, round: u64) -> (Child, Receiver<String>) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env(MODE, format!("{mode:?}"))
        .env(ROUND, format!("{}-{round}", std::process::id()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if let Some(line) = line.strip_prefix('#') {
                let _ = sender.send(line.to_owned());
            }
        }
    });
    (child, lines)
}

/// Runs a child and kills it; returns the ids that it reported final.
fn run_and_kill(dir: &Path, mode: Mode, round: u64, rng: &mut Rng) -> Vec<[u8; 32]> {
    let (mut child, lines) = start(dir, mode, round);
    let mut seen = Vec::new();
    let waits_for = match mode {
        Mode::StartUp => "opening",
        Mode::Load | Mode::Checkpoints => "final",
    };
    // The moment is random, but what must have happened before it does not depend on the machine's speed.
    while let Ok(line) = lines.recv() {
        let reached = line.starts_with(waits_for);
        seen.push(line);
        if reached {
            break;
        }
    }
    let micros = match mode {
        Mode::StartUp => rng.below(30_000),
        Mode::Load | Mode::Checkpoints => rng.below(60_000),
    };
    std::thread::sleep(Duration::from_micros(micros));
    assert_eq!(
        child.try_wait().expect("a child"),
        None,
        "the child ended by itself"
    );
    child.kill().expect("SIGKILL");
    child.wait().expect("ends");
    seen.extend(lines.iter());
    seen.iter()
        .filter_map(|line| line.strip_prefix("final "))
        .filter_map(|id| hex::decode(id).ok()?.try_into().ok())
        .collect()
}

/// Opens what a kill has left, asks it, and compares the folder with what was reported.
fn check(world: &World, mode: Mode, reported: &HashSet<[u8; 32]>, rng: &mut Rng) {
    let ledger = world.open_with(mode.options());
    let head = ledger.head();
    let recovered = ledger.recovered();
    let network = ledger.descriptor();
    // A second handle on the log is not possible while the ledger is open, so the reader works on a copy of the log alone.
    let copy = support::quick_folder();
    copy_folder(&world.dir().join("log"), &copy.path().join("log"));
    let (found, header) = check_log(copy.path(), &world.genesis().network_key);
    assert_eq!(header.height, head.height());
    assert_eq!(recovered.entries, found.len() as u64);
    for id in reported {
        assert!(
            found.contains_key(id),
            "entry {} was reported final and is gone",
            hex::encode(id)
        );
    }
    let ids: Vec<_> = reported.iter().collect();
    for _ in 0..5.min(ids.len()) {
        let id = ids[rng.below(ids.len() as u64) as usize];
        check_entry(&ledger, &network, id, &found);
    }
    let unknown = ledger.state_receipt(&[("identity", b"nobody")]);
    verify(&unknown.expect("proof").encode(), &network).expect("valid");
}

fn check_entry(
    ledger: &Ledger,
    network: &stele_core::receipt::NetworkDescriptor,
    id: &[u8; 32],
    found: &HashMap<[u8; 32], Found>,
) {
    let entry = &found[id];
    let index = stele_core::id::LogIndex::new(entry.log_index);
    let receipt = ledger.entry_receipt(index, true).expect("a receipt");
    let claim = verify(&receipt.encode(), network).expect("valid").entry;
    assert_eq!(
        claim.expect("an entry claim").record.entry_id.as_bytes(),
        id
    );
    let refusal = support::submit_bytes(ledger, entry.entry.clone()).expect_err("a replay");
    assert_eq!(refusal.code, "entry.replayed");
}

/// Executes the whole log again in a fresh state, in a copy, and compares the roots.
fn check_execution(world: &World, mode: Mode) {
    let head = world.open_with(mode.options()).head();
    let copy = support::quick_folder();
    copy_folder(world.dir(), copy.path());
    doctor::check(copy.path(), &mut |_, _, _| {}).expect("whole");
    doctor::rebuild(copy.path(), world.machine(), &mut |_, _, _| {}).expect("the same again");
    let report = doctor::check(copy.path(), &mut |_, _, _| {}).expect("whole");
    assert_eq!(report.state_height, Some(head.height().get()));
    let ledger = world.try_open(copy.path(), mode.options()).expect("opens");
    assert_eq!(ledger.head(), head);
    assert_eq!(ledger.recovered().blocks_executed_again, 0);
}

/// `rounds` kills in one folder. After most of them the folder is checked; after the others the next child has to recover.
fn kill_again_and_again(test: &str, rounds: u64, mode_of: impl Fn(u64) -> Mode) {
    let mut rng = Rng::seeded(test);
    let world = World::new();
    let ledger = world.open();
    for signer in 1..=THREADS {
        world.register(&ledger, signer, &format!("Fictional Mill {signer}"));
    }
    drop(ledger);
    let mut reported = HashSet::new();
    let (mut in_all, mut checks) = (0, 0);
    for round in 0..rounds {
        let mode = mode_of(round);
        let ids = run_and_kill(world.dir(), mode, round, &mut rng);
        in_all += ids.len();
        reported.extend(ids);
        if round % 3 != 0 {
            check(&world, mode, &reported, &mut rng);
            checks += 1;
        }
        if round % 50 == 24 {
            check_execution(&world, mode);
        }
    }
    check(&world, Mode::Load, &reported, &mut rng);
    check_execution(&world, Mode::Load);
    assert_eq!(reported.len(), in_all, "an entry was reported final twice");
    assert!(
        in_all as u64 >= rounds / 2,
        "only {in_all} entries: the kills met no load"
    );
    eprintln!("{test}: {rounds} kills, {in_all} entries reported final, {checks} checks");
}

#[test]
fn what_was_final_survives_a_kill_under_load() {
    kill_again_and_again("load", 50, |_| Mode::Load);
}

#[test]
fn what_was_final_survives_a_kill_during_checkpoints_and_start_up() {
    kill_again_and_again("checkpoints", 24, |round| match round % 2 {
        0 => Mode::Checkpoints,
        _ => Mode::StartUp,
    });
}

#[test]
fn what_was_final_survives_many_kills_slow_() {
    kill_again_and_again("many", 500, |round| match round % 4 {
        0 | 1 => Mode::Load,
        2 => Mode::Checkpoints,
        _ => Mode::StartUp,
    });
}
