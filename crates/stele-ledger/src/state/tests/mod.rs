//! The state against a plain map, whose root is computed by the definition and nothing cleverer.

mod damage;
mod life;
mod proofs;
mod upkeep;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use stele_core::state_proof::{EMPTY, inner_hash, leaf_hash, value_hash};

use super::{Change, OpenReport, State, StateOptions};

pub(super) const REGISTER: &str = "test";

/// What the state must be.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) values: BTreeMap<[u8; 32], Vec<u8>>,
    pub(super) height: Option<u64>,
}

pub(super) type Batch = Vec<([u8; 32], Option<Vec<u8>>)>;

impl Model {
    pub(super) fn apply(&mut self, height: u64, batch: &Batch) {
        for (path, value) in batch {
            match value {
                Some(value) => self.values.insert(*path, value.clone()),
                None => self.values.remove(path),
            };
        }
        self.height = Some(height);
    }

    pub(super) fn root(&self) -> [u8; 32] {
        let leaves: Vec<_> = self
            .values
            .iter()
            .map(|(path, value)| (*path, leaf_hash(path, &value_hash(value))))
            .collect();
        subtree(&leaves, 0)
    }
}

/// The definition: nothing is empty, one leaf is itself, all else is the hash of two halves.
fn subtree(leaves: &[([u8; 32], [u8; 32])], depth: usize) -> [u8; 32] {
    match leaves {
        [] => EMPTY,
        [(_, hash)] => *hash,
        _ => {
            let bit = |path: &[u8; 32]| path[depth / 8] >> (7 - depth % 8) & 1 == 1;
            let (left, right) = leaves.split_at(leaves.partition_point(|(path, _)| !bit(path)));
            inner_hash(&subtree(left, depth + 1), &subtree(right, depth + 1))
        }
    }
}

/// Options that make small states meet segment changes and compaction.
pub(super) fn small() -> StateOptions {
    StateOptions {
        segment_bytes: 2_000,
        threads: 1,
        ..StateOptions::default()
    }
}

pub(super) fn open(dir: &Path) -> (State, OpenReport) {
    State::open(dir, small()).expect("the state opens")
}

pub(super) fn apply(state: &State, model: &mut Model, batch: &Batch) {
    let height = model.height.map_or(0, |height| height + 1);
    model.apply(height, batch);
    let changes: Vec<Change<'_>> = batch
        .iter()
        .map(|(path, value)| Change {
            path: *path,
            register: REGISTER,
            key: &path[..5],
            value: value.as_deref(),
        })
        .collect();
    assert_eq!(
        state.apply(height, &changes).expect("the block applies"),
        model.root()
    );
}

/// Compares everything that can be asked.
pub(super) fn check(state: &State, model: &Model) {
    assert_eq!(state.root(), model.root());
    assert_eq!(state.height(), model.height);
    assert_eq!(state.len(), model.values.len() as u64);
    let mut rest = model.values.iter();
    state
        .scan(|seen| {
            let (path, value) = rest.next().expect("no more keys than in the model");
            assert_eq!((seen.path, seen.value), (path, value.as_slice()));
            assert_eq!((seen.register, seen.key), (REGISTER, &path[..5]));
            std::ops::ControlFlow::Continue(())
        })
        .expect("the scan succeeds");
    assert!(rest.next().is_none());
    let paths: Vec<[u8; 32]> = model.values.keys().copied().collect();
    for (path, value) in paths
        .iter()
        .zip(state.get_many(&paths).expect("reads succeed"))
    {
        assert_eq!(value.as_ref(), model.values.get(path));
        assert_eq!(state.get(path).expect("reads succeed"), value);
        check_proof(state, model, path);
        // Its neighbours: each bit flipped in turn is absent, or not.
        for depth in (0..24).chain([25, 100, 254, 255]) {
            let mut near = *path;
            near[depth / 8] ^= 0x80 >> (depth % 8);
            check_proof(state, model, &near);
        }
    }
    check_proof(state, model, &[0x5a; 32]);
}

pub(super) fn check_proof(state: &State, model: &Model, path: &[u8; 32]) {
    let proven = state.prove(path).expect("the proof is made");
    let value = model.values.get(path);
    assert_eq!(proven.value.as_ref(), value);
    assert_eq!((proven.root, proven.height), (state.root(), model.height));
    let hash = value.map(|value| value_hash(value));
    proven
        .proof
        .verify(&proven.root, path, hash.as_ref())
        .expect("the proof verifies");
}

/// Paths that are alike for long stretches, so that runs of every length, splits and lifts occur.
pub(super) fn path() -> impl Strategy<Value = [u8; 32]> {
    let shared = (
        any::<prop::sample::Index>(),
        0u8..3,
        0usize..256,
        any::<u8>(),
    )
        .prop_map(|(family, variant, flip, tail)| {
            let mut path = [[0u8; 32], [0xff; 32], [0x0f; 32]][family.index(3)];
            path[flip / 8] ^= 0x80 >> (flip % 8);
            match variant {
                0 => {}
                1 => path[31] ^= tail,
                _ => path[usize::from(tail) % 32] ^= tail,
            }
            path
        });
    prop_oneof![
        3 => shared,
        1 => any::<[u8; 32]>(),
        2 => (0u8..4, 0u8..16).prop_map(|(head, tail)| {
            let mut path = [0; 32];
            path[0] = head << 6;
            path[1] = tail << 3;
            path
        }),
    ]
}

pub(super) fn batch() -> impl Strategy<Value = Batch> {
    let value = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Some),
        2 => Just(None),
    ];
    prop::collection::vec((path(), value), 0..40)
}

/// A batch of `count` keys that spread over all shards, the same for the same `seed`.
pub(super) fn spread(count: u32, seed: u32) -> Batch {
    (0..count)
        .map(|index| {
            let path = value_hash(&index.to_le_bytes());
            (
                path,
                Some([index.to_le_bytes(), seed.to_le_bytes()].concat()),
            )
        })
        .collect()
}
