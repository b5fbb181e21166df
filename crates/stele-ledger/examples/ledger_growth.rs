//! Measures how a ledger's files grow, what the archive takes over, and what a snapshot costs; the figures stand in
//! docs/performance.md.
//!
//! `cargo run --release -p stele-ledger --example ledger_growth -- DIR [ENTRIES]`
//!
//! Real entries through the whole ledger: signed, executed, final. Each records one event, which is one new key. The ledger's clock
//! passes a minute after each thousand, so that the log has blocks of many hours. Every figure is a length that the file system
//! reports, or a time on this machine; nothing is estimated. DIR must not exist.
#![allow(clippy::print_stdout, reason = "a measuring tool prints its figures")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Instant;

use stele_core::cbor::BodyBuilder;
use stele_core::entry::{Entry, EntryBuilder};
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{NetworkId, RegisterName, TimeMs, sha256};
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Ledger, LedgerOptions, Progress, system_time};
use stele_ledger::snapshot::restore;
use stele_registers::Registry;

/// Entries that are submitted together.
const ROUND: u64 = 1_000;
const MINUTE_MS: u64 = 60_000;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let dir = PathBuf::from(arguments.next().expect("a folder"));
    let entries = arguments.next().map_or(1_000_000, |count| {
        count.to_string_lossy().parse().expect("a number")
    });
    let (genesis, registry) = found(&dir.join("ledger"));
    let now = Arc::new(AtomicU64::new(system_time().get()));
    let options = || {
        let now = Arc::clone(&now);
        let mut options = LedgerOptions {
            clock: Arc::new(move || TimeMs::new(now.load(Ordering::Relaxed))),
            ..LedgerOptions::default()
        };
        options.log.segment_bytes_max = 64 << 20;
        options
    };
    let open = |options: LedgerOptions| {
        Ledger::open(&dir.join("ledger"), registry.clone(), key(1), options).expect("opens")
    };
    let ledger = open(options());
    fill(&ledger, genesis.network_id(), &now, entries);
    // Closing takes a checkpoint.
    drop(ledger);
    let per_million = |bytes: u64| bytes as f64 / entries as f64;
    let show = |what: &str, bytes: u64| {
        println!(
            "{what}: {bytes} bytes, {:.1} MB per million entries",
            per_million(bytes)
        );
    };
    let home = dir.join("ledger");
    show("log, segments", bytes_of(&home.join("log"), "seg"));
    show("log, index.dat", bytes_of(&home.join("log"), "dat"));
    show("tree", bytes_of(&home.join("tree"), "dat"));
    show("state, values", bytes_of(&home.join("state"), "seg"));
    show("state, checkpoint", bytes_of(&home.join("state"), "idx"));
    let ledger = open(options());
    let started = Instant::now();
    let snapshot = dir.join("a.snapshot");
    let source = ledger.export_snapshot(&snapshot).expect("exported");
    println!("snapshot made in {:.2} s", started.elapsed().as_secs_f64());
    show("snapshot, state", source.manifest().state_bytes);
    println!(
        "snapshot, blocks of the last hour: {} bytes",
        source.manifest().block_bytes
    );
    let started = Instant::now();
    let moved = ledger.archive(0).expect("archived");
    println!(
        "{moved} segments archived in {:.2} s",
        started.elapsed().as_secs_f64()
    );
    show("log, hot segments", bytes_of(&home.join("log"), "seg"));
    let archive = ledger.log().archive().dir;
    show("archive, segments", bytes_of(&archive, "seg"));
    show("archive, seals", bytes_of(&archive, "seal"));
    drop(ledger);
    let started = Instant::now();
    restore(
        &dir.join("copy"),
        genesis.network_id(),
        &source,
        &mut |_, _, _| {},
    )
    .expect("restored");
    println!("restored in {:.2} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let copy = Ledger::open(&dir.join("copy"), registry.clone(), key(1), options()).expect("opens");
    println!(
        "opened in {:.2} s at block {} with {} keys",
        started.elapsed().as_secs_f64(),
        copy.head().height(),
        copy.state_keys()
    );
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[seed; 32]).expect("32 bytes")
}

fn found(dir: &Path) -> (Genesis, Arc<Registry>) {
    let registry = Arc::new(Registry::standard());
    let registers = registry.registers().map(|register| {
        let name = RegisterName::new(register.name()).expect("valid");
        (name, u64::from(register.version()))
    });
    let genesis = Genesis {
        name: "Growth".to_owned(),
        time: system_time(),
        network_key: key(1).public().clone(),
        members: vec![Member {
            name: "Fictional Operator".to_owned(),
            key: key(2).public().clone(),
        }],
        registers: registers.collect(),
        committee: None,
    };
    Ledger::create(dir, &genesis, &*registry, &key(1)).expect("created");
    (genesis, registry)
}

fn fill(ledger: &Ledger, network: NetworkId, now: &AtomicU64, entries: u64) {
    let started = Instant::now();
    let body = BodyBuilder::new()
        .text("kind", "organisation")
        .text("name", "Fictional Maker")
        .bytes_list("keys", &[key(3).public().to_cose_key()])
        .build();
    let time = now.load(Ordering::Relaxed);
    finish(
        ledger,
        vec![sign(
            network,
            time,
            u64::MAX,
            "identity",
            ("party.register", body),
        )],
    );
    for first in (0..entries).step_by(ROUND as usize) {
        let time = now.fetch_add(MINUTE_MS, Ordering::Relaxed) + MINUTE_MS;
        let numbers = first..entries.min(first + ROUND);
        let events = numbers.map(|number| {
            let body = BodyBuilder::new()
                .text("event_id", &format!("urn:uuid:growth:{number:012}"))
                .bytes("commitment", &sha256(&[&number.to_be_bytes()]))
                .text("type", "ObjectEvent")
                .build();
            sign(network, time, number, "trace", ("event.record", body))
        });
        finish(ledger, events.collect());
    }
    println!(
        "{entries} entries in {} blocks, {:.1} s",
        ledger.head().height(),
        started.elapsed().as_secs_f64()
    );
}

fn sign(
    network: NetworkId,
    time: u64,
    nonce: u64,
    register: &str,
    command: (&str, Vec<u8>),
) -> Entry {
    let register = RegisterName::new(register).expect("valid");
    let (from, until) = (TimeMs::new(time - 1_000), TimeMs::new(time + 600_000));
    EntryBuilder::new(network, register, from, until, &nonce.to_be_bytes())
        .command(command.0, command.1)
        .sign(&key(3))
        .expect("a valid entry")
}

/// Submits and waits until all are final.
fn finish(ledger: &Ledger, entries: Vec<Entry>) {
    let (sender, receiver) = channel();
    for entry in entries {
        let sender = sender.clone();
        ledger
            .submit(entry.into_bytes(), move |progress| match progress {
                Progress::Admitted(_) => {}
                Progress::Refused(refusal) | Progress::Unknown(refusal) => {
                    panic!("refused: {refusal}")
                }
                Progress::Final(done) => {
                    assert!(done.refusal.is_none(), "{:?}", done.refusal);
                    let _ = sender.send(());
                }
            })
            .expect("admitted");
    }
    drop(sender);
    receiver.iter().for_each(drop);
}

/// Bytes of the files of a folder with this ending.
fn bytes_of(dir: &Path, ending: &str) -> u64 {
    let files = fs::read_dir(dir).expect("readable");
    files
        .map(|entry| entry.expect("readable"))
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|found| found == ending)
        })
        .map(|entry| entry.metadata().expect("a length").len())
        .sum()
}
