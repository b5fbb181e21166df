//! A log that another implementation wrote (Tessera), under our witness.
//!
//! Read from `$STELE_DATA/interop/tlog` (see SOURCES.md there).
#![allow(missing_docs)]

use std::path::{Path, PathBuf};

use stele_core::merkle::checkpoint::{Note, NoteLimits};
use stele_core::merkle::{Hash, HashSource, node_hash, prove_consistency};
use stele_core::witness::{AddCheckpoint, LogKey};
use stele_witness::{Refusal, Store, Witness};

const ORIGIN: &str = "example.com/log/testdata";
const KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

fn data(path: &str) -> PathBuf {
    let root =
        std::env::var_os("STELE_DATA").expect("set STELE_DATA to the folder of shared test data");
    // Tests run in the crate's folder; a relative STELE_DATA is meant from the workspace's root.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(root);
    root.join("interop/tlog/tessera/testdata/log").join(path)
}

/// The leaf hashes of the log's one tile.
struct Tile(Vec<Hash>);

impl HashSource for Tile {
    type Error = std::convert::Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        if level == 0 {
            return Ok(self.0[index as usize]);
        }
        let (left, right) = (
            self.node(level - 1, 2 * index)?,
            self.node(level - 1, 2 * index + 1)?,
        );
        Ok(node_hash(&left, &right))
    }
}

fn request(tile: &Tile, old: u64, size: u64) -> String {
    let note = std::fs::read_to_string(data(&format!("checkpoint.{size}"))).expect("a checkpoint");
    let request = AddCheckpoint {
        old_size: old,
        proof: if old == 0 || old >= size {
            Vec::new()
        } else {
            prove_consistency(tile, old, size).expect("a proof")
        },
        note: Note::parse(&note, &NoteLimits::default()).expect("a note"),
    };
    request.format().expect("formats")
}

#[test]
fn tessera_s_log_is_cosigned_at_every_size_by_any_steps() {
    let tile = std::fs::read(data("tile/0/000.p/15")).expect("a tile");
    let tile = Tile(tile.as_chunks::<32>().0.to_vec());
    for step in [1, 2, 3, 7, 15] {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path(), Some("witness.example/tessera")).expect("opens");
        let key = LogKey::parse(KEY).expect("the key of SOURCES.md");
        let witness = Witness::new(store, [(ORIGIN.to_owned(), key)]).expect("starts");
        let mut old = 0;
        for size in (0..=15).step_by(step) {
            let asked = request(&tile, old, size);
            witness
                .add_checkpoint(asked.as_bytes(), 1)
                .expect("cosigns");
            old = size;
        }
        let again = request(&tile, 0, 1);
        let refused = witness.add_checkpoint(again.as_bytes(), 1);
        assert!(matches!(refused, Err(Refusal::OtherSize { .. })));
        // Their checkpoint under another size is not theirs.
        let forged = request(&tile, old, 15).replacen("\n15\n", "\n16\n", 1);
        let refused = witness.add_checkpoint(forged.as_bytes(), 1).unwrap_err();
        assert_eq!(refused.status(), 403, "{refused}");
    }
}
