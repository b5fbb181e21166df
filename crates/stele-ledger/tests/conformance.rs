//! The hash of every disk encoding, made from fixed inputs, beside the one in `conformance.toml`. A difference is a format change and
//! brings a migration with it. `STELE_CONFORMANCE=write` makes the file anew.
//!
//! A log has a random salt; where it enters a file, the salt and the checksums over it are masked.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stele_core::cbor::BodyBuilder;
use stele_core::entry::EntryBuilder;
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{Height, RegisterName, TimeMs, sha256};
use stele_core::state_proof::state_path;
use stele_ledger::ledger::{Ledger, LedgerOptions};
use stele_ledger::log::{EntryLog, LogBase, LogOptions, TreeEdge, TreeStore};
use stele_ledger::state::{Change, State, StateOptions};
use stele_ledger::tiles::{TilePath, entry_bundle, hash_tile, tiles_of};
use stele_registers::Registry;

use support::key;

type Files = BTreeMap<String, Vec<u8>>;

fn read(dir: &Path, prefix: &str, files: &mut Files) {
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        if !name.eq_ignore_ascii_case("lock") {
            let bytes = std::fs::read(&path).expect("readable");
            files.insert(format!("{prefix}/{name}"), bytes);
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize
}

/// Masks what depends on the salt: in the segment header, and in the head of each frame.
fn mask_segment(bytes: &mut [u8]) {
    bytes[16..24].fill(0);
    bytes[60..64].fill(0);
    let mut at = 64;
    while at < bytes.len() {
        bytes[at + 60..at + 64].fill(0);
        at += 64 + u32_at(bytes, at + 40);
    }
}

fn log_files(dir: &Path, files: &mut Files) {
    let log_dir = dir.join("log");
    let options = LogOptions {
        segment_bytes_max: 4096,
        reserve_bytes: 0,
        ..LogOptions::default()
    };
    let mut log = EntryLog::open(&log_dir, options).expect("a new log");
    for height in 0..8u64 {
        let items: Vec<_> = (0..height * 40).map(|n| vec![n as u8; 9]).collect();
        let records: Vec<_> = (0..height * 40)
            .map(|n| vec![height as u8, n as u8])
            .collect();
        let header = format!("header {height}");
        log.append(Height::new(height), header.as_bytes(), &items, &records)
            .expect("appended");
        log.sync().expect("synced");
    }
    let reader = log.reader();
    let mut tree = TreeStore::open(&dir.join("tree"), &reader).expect("a new tree");
    tree.flush().expect("flushed");
    for path in tiles_of(reader.entries_count()) {
        let bytes = match path {
            TilePath::Entries { index, width } => entry_bundle(&reader, index, width),
            TilePath::Hashes {
                level,
                index,
                width,
            } => hash_tile(&tree.reader(), level, index, width),
        };
        files.insert(path.to_string(), bytes.expect("a tile"));
    }
    drop(tree);
    drop(log);
    let mut made = Files::new();
    read(&log_dir, "log", &mut made);
    read(&dir.join("tree"), "tree", &mut made);
    for (name, bytes) in &mut made {
        if name.ends_with(".seg") {
            mask_segment(bytes);
        } else if name == "log/index.dat" {
            bytes[12..24].fill(0);
        } else if name == "tree/durable.dat" {
            bytes[16..24].fill(0);
            bytes[76..80].fill(0);
        }
    }
    files.extend(made);
}

/// A log that begins behind a base, and its tree.
fn base_files(dir: &Path, files: &mut Files) {
    let dir = dir.join("based");
    let (log_dir, tree_dir) = (dir.join("log"), dir.join("tree"));
    let size = 70_000;
    let widths = [size % 256, size / 256 % 256, size / 65_536];
    let hashes = (0..widths.iter().sum::<u64>()).map(|n| sha256(&[&n.to_be_bytes()]));
    let base = LogBase {
        height: Height::new(1_000),
        header: b"header 1000".to_vec(),
        edge: TreeEdge::from_parts(size, hashes.collect()).expect("as many as it takes"),
    };
    let options = LogOptions {
        reserve_bytes: 0,
        ..LogOptions::default()
    };
    let mut log = EntryLog::create_from_base(&log_dir, &base, options).expect("a new log");
    for height in 1_001..1_004u64 {
        let items: Vec<_> = (0..200u64).map(|n| vec![n as u8; 5]).collect();
        log.append(Height::new(height), b"header", &items, &items)
            .expect("appended");
        log.sync().expect("synced");
    }
    let mut tree = TreeStore::open(&tree_dir, &log.reader()).expect("a new tree");
    tree.flush().expect("flushed");
    files.insert("based/root".to_owned(), tree.root().to_vec());
    drop((tree, log));
    let mut made = Files::new();
    read(&log_dir, "based/log", &mut made);
    read(&tree_dir, "based/tree", &mut made);
    for (name, bytes) in &mut made {
        if name.ends_with(".seg") {
            mask_segment(bytes);
        } else if name.ends_with("index.dat") {
            bytes[12..24].fill(0);
        } else if name.ends_with("durable.dat") {
            bytes[16..24].fill(0);
            bytes[76..80].fill(0);
        }
    }
    files.extend(made);
}

/// An archive of two segments. What depends on the salt is masked, the hashes over it included.
fn archive_files(dir: &Path, files: &mut Files) {
    let log_dir = dir.join("archived");
    let options = LogOptions {
        segment_bytes_max: 300_000,
        reserve_bytes: 0,
        ..LogOptions::default()
    };
    let mut log = EntryLog::open(&log_dir, options).expect("a new log");
    for height in 0..4u64 {
        let items: Vec<_> = (0..290u64).map(|n| vec![n as u8; 980]).collect();
        let records: Vec<_> = (0..290u64).map(|n| vec![n as u8; 20]).collect();
        log.append(Height::new(height), b"header", &items, &records)
            .expect("appended");
        log.sync().expect("synced");
    }
    let moved = log.reader().archive_below(Height::new(2)).expect("moved");
    assert_eq!(moved, 2);
    drop(log);
    let mut made = Files::new();
    read(&log_dir.join("archive"), "archive", &mut made);
    let path = log_dir.join("archive.dat");
    made.insert(
        "archive.dat".to_owned(),
        std::fs::read(path).expect("readable"),
    );
    for (name, bytes) in &mut made {
        if name.ends_with(".seg") {
            mask_segment(bytes);
        } else if name.ends_with(".seal") {
            bytes[16..24].fill(0);
            bytes[64..96].fill(0);
            bytes[128..].fill(0);
        } else {
            let rows = 24 + u32_at(bytes, 16);
            let end = bytes.len();
            for row in bytes[rows..end - 4].chunks_exact_mut(80) {
                row[..8].fill(0);
                row[48..].fill(0);
            }
            bytes[end - 4..].fill(0);
        }
    }
    files.extend(made);
}

/// A snapshot of a ledger in which nothing is left to chance.
fn snapshot_file(dir: &Path, files: &mut Files) {
    let time = 1_800_000_000_000;
    let now = Arc::new(AtomicU64::new(time));
    let registry = Arc::new(Registry::standard());
    let registers = registry.registers().map(|register| {
        let name = RegisterName::new(register.name()).expect("valid");
        (name, u64::from(register.version()))
    });
    let genesis = Genesis {
        name: "Conformance".to_owned(),
        time: TimeMs::new(time),
        network_key: key(1000).public().clone(),
        members: vec![Member {
            name: "Fictional Operator".to_owned(),
            key: key(1001).public().clone(),
        }],
        registers: registers.collect(),
        committee: None,
    };
    let folder = dir.join("ledger");
    Ledger::create(&folder, &genesis, &*registry, &key(1000)).expect("created");
    let clock = Arc::clone(&now);
    let options = LedgerOptions {
        clock: Arc::new(move || TimeMs::new(clock.load(Ordering::Relaxed))),
        ..support::World::options()
    };
    let ledger = Ledger::open(&folder, registry, key(1000), options).expect("opens");
    let body = BodyBuilder::new()
        .text("kind", "organisation")
        .text("name", "Fictional Maker")
        .bytes_list("keys", &[key(1).public().to_cose_key()])
        .build();
    let mut command = ("party.register", body);
    let mut register = "identity";
    for number in 0..6u64 {
        let now = now.fetch_add(1_200_000, Ordering::Relaxed) + 1_200_000;
        let entry = EntryBuilder::new(
            genesis.network_id(),
            RegisterName::new(register).expect("valid"),
            TimeMs::new(now),
            TimeMs::new(now + 1_000),
            &number.to_be_bytes(),
        );
        let entry = entry.command(command.0, command.1).sign(&key(1));
        let done = support::submit(&ledger, &entry.expect("a valid entry"));
        assert!(done.expect("ordered").refusal.is_none());
        command = support::record_event(&format!("urn:example:{number}"), [number as u8; 32]);
        register = "trace";
    }
    let path = dir.join("a.snapshot");
    let source = ledger.export_snapshot(&path).expect("exported");
    assert!(source.manifest().base.is_some());
    files.insert(
        "snapshot".to_owned(),
        std::fs::read(path).expect("readable"),
    );
}

fn state_files(dir: &Path, files: &mut Files) {
    let dir = dir.join("state");
    let mut options = StateOptions::default();
    options.segment_bytes = 2000;
    options.threads = 1;
    let state = State::create(&dir, options).expect("a new state");
    for height in 0..10u64 {
        let keys: Vec<_> = (0..20).map(|n| format!("key {}", height * 7 + n)).collect();
        let value = vec![height as u8; 10 + height as usize];
        let changes: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(n, key)| Change {
                path: state_path("trace", key.as_bytes()),
                register: "trace",
                key: key.as_bytes(),
                value: (n != 3).then_some(&value[..]),
            })
            .collect();
        state.apply(height, &changes).expect("applied");
        if height == 6 {
            state.checkpoint().expect("a checkpoint");
        }
    }
    files.insert("state/root".to_owned(), state.root().to_vec());
    read(&dir, "state", files);
}

/// The `"name" = "hash"` lines of the file, which is TOML of the simplest kind.
fn kept(path: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path).expect("conformance.toml");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let pair = |line: &str| {
        let (name, hash) = line.split_once(" = ").expect("\"name\" = \"hash\"");
        let bare = |text: &str| text.trim_matches('"').to_owned();
        (bare(name), bare(hash))
    };
    lines.map(pair).collect()
}

#[test]
fn disk_encodings_conformance_() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut files = Files::new();
    log_files(dir.path(), &mut files);
    state_files(dir.path(), &mut files);
    base_files(dir.path(), &mut files);
    archive_files(dir.path(), &mut files);
    snapshot_file(dir.path(), &mut files);
    let made: BTreeMap<_, _> = files
        .into_iter()
        .map(|(name, bytes)| (name, hex::encode(sha256(&[&bytes]))))
        .collect();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conformance.toml");
    if std::env::var("STELE_CONFORMANCE").is_ok_and(|value| value == "write") {
        let mut text = "# SHA-256 of each file of a small ledger, made by tests/conformance.rs. A changed line is a format\n\
             # change (docs/design); STELE_CONFORMANCE=write makes the file anew.\n\n"
            .to_owned();
        for (name, hash) in &made {
            text += &format!("\"{name}\" = \"{hash}\"\n");
        }
        std::fs::write(&path, text).expect("written");
    }
    let kept = kept(&path);
    for (name, hash) in &made {
        assert_eq!(
            kept.get(name),
            Some(hash),
            "{name} is written in another way"
        );
    }
    assert_eq!(kept.len(), made.len(), "conformance.toml names more files");
    assert!(made.len() > 15, "{} files", made.len());
}
