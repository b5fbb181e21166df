//! Our tiles, bundles and roots against logs that other implementations wrote.
//!
//! Read from `$STELE_DATA/interop/tlog` (see SOURCES.md there). The signatures under the checkpoints are verified
//! in stele-core's `merkle_vectors`.

use std::fs;
use std::path::{Path, PathBuf};

use stele_core::merkle::checkpoint::{Checkpoint, Note, NoteLimits};
use stele_core::merkle::{Frontier, Hash, leaf_hash};
use stele_ledger::log::{EntryLog, LogOptions, TreeStore};
use stele_ledger::tiles::{TileError, TilePath, entry_bundle, hash_tile, parse_bundle, tiles_of};

fn data(path: &str) -> PathBuf {
    let root =
        std::env::var_os("STELE_DATA").expect("set STELE_DATA to the folder of shared test data");
    // Tests run in the crate's folder; a relative STELE_DATA is meant from the workspace's root.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(root);
    let path = root.join("interop/tlog").join(path);
    assert!(path.exists(), "test data is missing: {}", path.display());
    path
}

fn read(path: &str) -> Vec<u8> {
    fs::read(data(path)).expect("test data is readable")
}

fn checkpoint(path: &str) -> Checkpoint {
    let note = String::from_utf8(read(path)).expect("a note is text");
    let note = Note::parse(&note, &NoteLimits::default()).expect("a note");
    Checkpoint::parse(&note.text).expect("a checkpoint")
}

fn hashes(tile: &[u8]) -> Vec<Hash> {
    assert_eq!(tile.len() % 32, 0);
    tile.as_chunks::<32>().0.to_vec()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// Writes the entries of Tessera's log into ours, one block for each of its sizes, and compares every file.
#[test]
fn our_log_of_tessera_s_entries_is_tessera_s_log() {
    let folder = "tessera/testdata/log";
    let bundle = read(&format!("{folder}/tile/entries/000.p/15"));
    let records = parse_bundle(&bundle).expect("an entry bundle");
    assert_eq!(records.len(), 15);

    let dir = tempfile::tempdir().expect("a folder");
    let mut log = EntryLog::open(dir.path(), LogOptions::default()).expect("opens");
    let mut tree = TreeStore::open(&dir.path().join("tree"), &log.reader()).expect("opens");
    assert_eq!(
        tree.root(),
        checkpoint(&format!("{folder}/checkpoint.0")).root
    );
    for (at, record) in records.iter().enumerate() {
        let root = tree.append_leaves(&[leaf_hash(record)]);
        log.append(log.next_height(), b"", &["entry"], &[record])
            .expect("appends");
        log.sync().expect("syncs");
        tree.commit().expect("commits");

        let size = at as u64 + 1;
        assert_eq!(
            root,
            checkpoint(&format!("{folder}/checkpoint.{size}")).root
        );
        for tile in tiles_of(size) {
            let ours = match tile {
                TilePath::Hashes {
                    level,
                    index,
                    width,
                } => hash_tile(&tree.reader(), level, index, width),
                TilePath::Entries { index, width } => entry_bundle(&log.reader(), index, width),
            };
            assert_eq!(
                ours.expect("a tile"),
                read(&format!("{folder}/{tile}")),
                "{tile}"
            );
        }
        // Every narrower tile stays available, a wider one is not.
        for width in 1..=at as u16 + 1 {
            let ours = entry_bundle(&log.reader(), 0, width).expect("a bundle");
            assert_eq!(ours, read(&format!("{folder}/tile/entries/000.p/{width}")));
        }
        let wider = hash_tile(&tree.reader(), 0, 0, at as u16 + 2);
        assert!(matches!(wider, Err(TileError::BeyondLog { .. })));
    }
    assert_eq!(checkpoint(&format!("{folder}/checkpoint")).size, 15);
    assert!(matches!(
        hash_tile(&tree.reader(), 1, 0, 1),
        Err(TileError::BeyondLog { .. })
    ));
    assert!(matches!(
        hash_tile(&tree.reader(), 63, u64::MAX, 1),
        Err(TileError::BeyondLog { .. })
    ));
    assert!(matches!(
        entry_bundle(&log.reader(), 1, 1),
        Err(TileError::BeyondLog { .. })
    ));
}

/// A mirror of 300 leaves with tiles on two levels, and the log that signed another root for the same size.
#[test]
fn sunlight_s_mirror_has_the_root_that_it_signed() {
    let folder = "sunlight/cmd/skylight/testdata";
    let log = "000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706";
    let mirror = format!("{folder}/witness/mirror/{log}");
    let mut leaves = hashes(&read(&format!("{mirror}/tile/0/000")));
    leaves.extend(hashes(&read(&format!("{mirror}/tile/0/001.p/44"))));
    assert_eq!(leaves.len(), 300);
    assert_eq!(
        root(&leaves),
        checkpoint(&format!("{mirror}/checkpoint")).root
    );
    assert_ne!(
        root(&leaves),
        checkpoint(&format!("{folder}/tree/checkpoint")).root
    );

    let dir = tempfile::tempdir().expect("a folder");
    let log = EntryLog::open(dir.path(), LogOptions::default()).expect("opens");
    let mut tree = TreeStore::open(&dir.path().join("tree"), &log.reader()).expect("opens");
    tree.append_leaves(&leaves);
    tree.commit().expect("commits");
    for path in ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"] {
        let TilePath::Hashes {
            level,
            index,
            width,
        } = TilePath::parse(path).expect("a tile")
        else {
            panic!("{path} is a hash tile");
        };
        let ours = hash_tile(&tree.reader(), level, index, width).expect("a tile");
        assert_eq!(ours, read(&format!("{mirror}/{path}")), "{path}");
    }
}

/// Real static-ct-api tiles: the leaf hashes of the data tiles are those of the hash tiles.
#[test]
fn navigli_s_data_tiles_have_the_hashes_of_its_hash_tiles() {
    let folder = "sunlight/testdata/navigli2025h2/tile";
    for (data_tile, hash_tile, count) in [
        ("data/000", "0/000", 256),
        ("data/003.p/10", "0/003.p/10", 10),
    ] {
        let leaves = ct_leaf_hashes(&read(&format!("{folder}/{data_tile}")));
        assert_eq!(leaves.len(), count);
        assert_eq!(
            leaves,
            hashes(&read(&format!("{folder}/{hash_tile}"))),
            "{data_tile}"
        );
    }
    // The partial tile is a prefix of the full one that followed it.
    let (partial, full) = (
        read(&format!("{folder}/0/003.p/10")),
        read(&format!("{folder}/0/003")),
    );
    assert_eq!(partial, full[..partial.len()]);
    for tile in ["000", "001", "002", "003"] {
        assert_eq!(hashes(&read(&format!("{folder}/0/{tile}"))).len(), 256);
    }
}

/// RFC 6962 leaf hashes of a static-ct-api data tile.
fn ct_leaf_hashes(mut rest: &[u8]) -> Vec<Hash> {
    fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> &'a [u8] {
        let (taken, behind) = rest.split_at(bytes);
        *rest = behind;
        taken
    }
    fn prefixed(rest: &mut &[u8], length_bytes: usize) {
        let length = take(rest, length_bytes);
        let length = length
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        take(rest, length);
    }

    let mut leaves = vec![];
    while !rest.is_empty() {
        let start = rest;
        take(&mut rest, 8);
        let is_precertificate = take(&mut rest, 2) == [0, 1];
        if is_precertificate {
            take(&mut rest, 32);
        }
        prefixed(&mut rest, 3);
        prefixed(&mut rest, 2);
        // MerkleTreeLeaf: version 1 (0), type timestamped_entry (0), then the TimestampedEntry.
        let mut leaf = vec![0, 0];
        leaf.extend_from_slice(&start[..start.len() - rest.len()]);
        leaves.push(leaf_hash(&leaf));
        if is_precertificate {
            prefixed(&mut rest, 3);
        }
        prefixed(&mut rest, 2);
    }
    leaves
}
