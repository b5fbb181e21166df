//! The hash of every disk encoding, made from fixed inputs, beside the one in `conformance.toml`. A difference is a format change and
//! brings a migration with it. `STELE_CONFORMANCE=write` makes the file anew.
//!
//! A log has a random salt; where it enters a file, the salt and the checksums over it are masked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stele_core::id::{Height, sha256};
use stele_core::state_proof::state_path;
use stele_ledger::log::{EntryLog, LogOptions, TreeStore};
use stele_ledger::state::{Change, State, StateOptions};
use stele_ledger::tiles::{TilePath, entry_bundle, hash_tile, tiles_of};

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
