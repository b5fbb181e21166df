//! Measures the entry log and its tree; the figures stand in docs/design/0004-entry-log.md.
//!
//! `cargo run --release -p stele-ledger --example entry_log_speed -- DIR [ENTRIES]`
//!
//! Each line states what was done and how long it took on this machine; nothing is estimated. DIR must not
//! exist or be empty, on the disk to be measured.
#![allow(clippy::print_stdout, reason = "a measuring tool prints its figures")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use stele_core::id::{Height, LogIndex};
use stele_core::merkle::{Hash, leaf_hash, verify_inclusion};
use stele_ledger::log::{EntryLog, LogOptions, TreeStore};

const ENTRY_BYTES: usize = 300;
const RECORD_BYTES: usize = 200;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let dir = PathBuf::from(arguments.next().expect("a folder"));
    let entries = arguments.next().map_or(10_000_000, |count| {
        count.to_string_lossy().parse().expect("a number")
    });
    checksums();
    tree_in_memory();
    for per_block in [1, 100, 1000, 10_000] {
        append_and_sync(&dir.join(format!("append-{per_block}")), per_block);
    }
    large_log(&dir.join("large"), entries, 1000, 1);
    // The most index rows that so many entries can have.
    large_log(&dir.join("single"), entries, 1, 1000);
}

fn seconds(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64()
}

fn checksums() {
    let bytes = vec![0x5a; 64 << 20];
    let start = Instant::now();
    let crc = bytes
        .chunks(ENTRY_BYTES + RECORD_BYTES)
        .fold(0, |crc, item| crc ^ crc32fast::hash(item));
    let crc_rate = bytes.len() as f64 / seconds(start.elapsed()) / 1e6;
    let start = Instant::now();
    let hash = Sha256::digest(&bytes);
    let sha_rate = bytes.len() as f64 / seconds(start.elapsed()) / 1e6;
    println!(
        "checksums: CRC-32 of 500-byte items {crc_rate:.0} MB/s, SHA-256 {sha_rate:.0} MB/s ({crc:x} {:x})",
        hash[0]
    );
}

fn tree_in_memory() {
    let dir = tempfile::tempdir().expect("a folder");
    let log = EntryLog::open(dir.path(), LogOptions::default()).expect("opens");
    let mut tree = TreeStore::open(&dir.path().join("tree"), &log.reader()).expect("opens");
    let leaves: Vec<Hash> = (0..1000u64)
        .map(|at| leaf_hash(&at.to_be_bytes()))
        .collect();
    let start = Instant::now();
    for _ in 0..2000 {
        tree.append_leaves(&leaves);
        tree.commit().expect("commits");
    }
    let rate = tree.size() as f64 / seconds(start.elapsed());
    println!(
        "tree: 2,000,000 leaves in blocks of 1000, root and files for each block: {rate:.0} leaves/s"
    );
}

fn append_and_sync(dir: &Path, per_block: usize) {
    let mut log = EntryLog::open(dir, LogOptions::default()).expect("opens");
    let (entry, record) = (vec![7u8; ENTRY_BYTES], vec![8u8; RECORD_BYTES]);
    let (entries, records) = (vec![&entry; per_block], vec![&record; per_block]);
    let budget = Duration::from_secs(3);
    let (mut blocks, mut syncs) = (0, vec![]);
    let start = Instant::now();
    while start.elapsed() < budget {
        let block = Instant::now();
        log.append(log.next_height(), &[0; 300], &entries, &records)
            .expect("appends");
        log.sync().expect("syncs");
        syncs.push(block.elapsed());
        blocks += 1;
    }
    let elapsed = seconds(start.elapsed());
    syncs.sort_unstable();
    let at = |part: f64| seconds(syncs[(syncs.len() as f64 * part) as usize]) * 1e3;
    let bytes = (blocks * per_block * (ENTRY_BYTES + RECORD_BYTES)) as f64;
    println!(
        "append+fdatasync: {per_block} entries a block: {:.0} blocks/s, {:.0} entries/s, {:.1} MB/s, p50 {:.2} ms, p99 {:.2} ms",
        blocks as f64 / elapsed,
        (blocks * per_block) as f64 / elapsed,
        bytes / elapsed / 1e6,
        at(0.5),
        at(0.99),
    );
    drop(log);
    fs::remove_dir_all(dir).expect("removes");
}

fn large_log(dir: &Path, entries: u64, per_block: u64, blocks_per_sync: u64) {
    let mut log = EntryLog::open(dir, LogOptions::default()).expect("opens");
    let tree_dir = dir.join("tree");
    let mut tree = TreeStore::open(&tree_dir, &log.reader()).expect("opens");
    let start = Instant::now();
    for block in 0..entries / per_block {
        let text = |length: usize, at: u64| {
            let mut bytes = vec![0u8; length];
            bytes[..8].copy_from_slice(&(block * per_block + at).to_be_bytes());
            bytes
        };
        let entries: Vec<_> = (0..per_block).map(|at| text(ENTRY_BYTES, at)).collect();
        let records: Vec<_> = (0..per_block).map(|at| text(RECORD_BYTES, at)).collect();
        let leaves: Vec<Hash> = records.iter().map(|record| leaf_hash(record)).collect();
        tree.append_leaves(&leaves);
        log.append(Height::new(block), &[0; 300], &entries, &records)
            .expect("appends");
        if (block + 1) % blocks_per_sync == 0 {
            log.sync().expect("syncs");
            tree.commit().expect("commits");
        }
    }
    log.sync().expect("syncs");
    tree.commit().expect("commits");
    let elapsed = seconds(start.elapsed());
    println!(
        "large log: {entries} entries, {per_block} a block, sync every {blocks_per_sync} blocks; leaf hashes, log and tree: {:.0} entries/s",
        entries as f64 / elapsed
    );
    let root = tree.root();
    tree.flush().expect("flushes");
    drop((log, tree));

    let timed_open = |what: &str| {
        let start = Instant::now();
        let log = EntryLog::open(dir, LogOptions::default()).expect("opens");
        let log_open = seconds(start.elapsed());
        let start = Instant::now();
        let tree = TreeStore::open(&tree_dir, &log.reader()).expect("opens");
        assert_eq!(tree.root(), root);
        println!(
            "open, {what}: log {log_open:.3} s, tree {:.3} s",
            seconds(start.elapsed())
        );
        (log, tree)
    };
    drop(timed_open("as left"));
    fs::remove_file(dir.join("index.dat")).expect("removes");
    drop(timed_open("without index.dat"));
    fs::remove_dir_all(&tree_dir).expect("removes");
    let (log, tree) = timed_open("without the tree");

    let (reader, proofs) = (log.reader(), tree.reader());
    let count = 20_000u64;
    let index = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % reader.entries_count();
    let start = Instant::now();
    let bytes: usize = (0..count)
        .map(|at| {
            reader
                .entry(LogIndex::new(index(at)))
                .expect("reads")
                .entry
                .len()
        })
        .sum();
    println!(
        "entry: {:.0}/s by random log index ({bytes} bytes)",
        count as f64 / seconds(start.elapsed())
    );
    let start = Instant::now();
    let size = proofs.size();
    let found: Vec<_> = (0..count)
        .map(|at| proofs.prove_inclusion(index(at), size).expect("proves"))
        .collect();
    println!(
        "prove_inclusion: {:.0}/s",
        count as f64 / seconds(start.elapsed())
    );
    for (at, proof) in found.iter().enumerate().take(100) {
        let record = reader
            .entry(LogIndex::new(index(at as u64)))
            .expect("reads")
            .record;
        verify_inclusion(&leaf_hash(&record), index(at as u64), size, proof, &root)
            .expect("verifies");
    }
    let start = Instant::now();
    let report = reader.verify_all(|_, _| {}).expect("verifies");
    println!(
        "verify_all: {} entries, {:.2} GB in {:.2} s",
        report.entries,
        report.bytes as f64 / 1e9,
        seconds(start.elapsed())
    );
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!(
        "peak memory: {}",
        status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap_or("unknown")
    );
}
