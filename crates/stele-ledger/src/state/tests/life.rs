//! Blocks, checkpoints and reopenings in any order.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::state::StateError;

#[derive(Clone, Debug)]
enum Step {
    Block(Batch),
    /// Deletes one in this many of the keys that exist, so that deletions hit.
    Thin(usize),
    Checkpoint,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => batch().prop_map(Step::Block),
        2 => (1usize..4).prop_map(Step::Thin),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_life_equals_the_model(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let (mut state, _) = open(dir.path());
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Block(batch) => apply(&state, &mut model, &batch),
                Step::Thin(each) => {
                    let batch =
                        model.values.keys().step_by(each).map(|path| (*path, None)).collect();
                    apply(&state, &mut model, &batch);
                }
                Step::Checkpoint => state.checkpoint().unwrap(),
                Step::Reopen => {
                    drop(state);
                    let (reopened, report) = open(dir.path());
                    assert_eq!(report.dropped, None);
                    assert_eq!((report.height, report.root), (model.height, model.root()));
                    assert_eq!(report.keys, model.values.len() as u64);
                    state = reopened;
                }
            }
        }
        check(&state, &model);
        drop(state);
        check(&open(dir.path()).0, &model);
    }
}

#[test]
fn great_batches_on_several_threads_equal_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let options = StateOptions {
        threads: 2,
        ..small()
    };
    let (state, _) = State::open(dir.path(), options).unwrap();
    let mut model = Model::default();
    apply(&state, &mut model, &spread(3_000, 0));
    apply(&state, &mut model, &spread(1_000, 1));
    let deletions = spread(2_900, 0)
        .into_iter()
        .map(|(path, _)| (path, None))
        .collect();
    apply(&state, &mut model, &deletions);
    check(&state, &model);
    drop(state);
    let (state, report) = open(dir.path());
    assert_eq!(
        (report.blocks_replayed, report.changes_replayed),
        (3, 6_900)
    );
    check(&state, &model);
}

#[test]
fn the_empty_state_and_the_last_deletion_have_the_empty_root() {
    let dir = tempfile::tempdir().unwrap();
    let (state, report) = open(dir.path());
    assert_eq!((report.height, report.root, report.keys), (None, EMPTY, 0));
    let mut model = Model::default();
    check(&state, &model);
    apply(&state, &mut model, &vec![([7; 32], Some(vec![]))]);
    check(&state, &model);
    apply(&state, &mut model, &vec![([7; 32], None), ([8; 32], None)]);
    assert_eq!(state.root(), EMPTY);
    apply(&state, &mut model, &vec![]);
    check(&state, &model);
    assert!(state.is_empty());
}

#[test]
fn of_several_changes_to_a_path_the_last_one_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = open(dir.path());
    let mut model = Model::default();
    let value = |byte| Some(vec![byte; 3]);
    apply(
        &state,
        &mut model,
        &vec![([1; 32], value(1)), ([1; 32], None), ([1; 32], value(2))],
    );
    apply(
        &state,
        &mut model,
        &vec![([1; 32], value(3)), ([2; 32], value(4)), ([2; 32], None)],
    );
    check(&state, &model);
    assert_eq!(state.get(&[1; 32]).unwrap(), value(3));
}

#[test]
fn values_of_every_length_up_to_the_limit_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = open(dir.path());
    let mut model = Model::default();
    for (height, length) in [0, 1, 1_900, 2_047, 2_048, 3_000, 100_000, 1 << 20]
        .into_iter()
        .enumerate()
    {
        apply(
            &state,
            &mut model,
            &vec![([height as u8; 32], Some(vec![height as u8; length]))],
        );
    }
    check(&state, &model);
    let too_long = vec![0; (1 << 20) + 1];
    let change = Change {
        path: [9; 32],
        register: REGISTER,
        key: b"k",
        value: Some(&too_long),
    };
    assert!(matches!(
        state.apply(99, &[change]),
        Err(StateError::TooLarge { .. })
    ));
    assert!(!state.has_failed());
    check(&state, &model);
}

#[test]
fn heights_ascend_with_gaps_and_survive() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = open(dir.path());
    state.apply(5, &[]).unwrap();
    for height in [0, 4, 5] {
        let refusal = state.apply(height, &[]);
        assert!(matches!(
            refusal,
            Err(StateError::HeightNotAhead { held: 5, .. })
        ));
    }
    state.apply(9, &[]).unwrap();
    drop(state);
    let (state, report) = open(dir.path());
    assert_eq!((report.height, report.blocks_replayed), (Some(9), 2));
    assert_eq!(state.head(), (EMPTY, Some(9)));
}

#[test]
fn readers_see_whole_blocks_while_blocks_and_checkpoints_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let options = StateOptions {
        threads: 2,
        segment_bytes: 20_000,
        ..StateOptions::default()
    };
    let (state, _) = State::open(dir.path(), options).unwrap();
    let mut model = Model::default();
    apply(&state, &mut model, &spread(400, 0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = || {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) || rounds == 0 {
                let path = value_hash(&(rounds % 500u32).to_le_bytes());
                let proven = state.prove(&path).unwrap();
                let hash = proven.value.as_ref().map(|value| value_hash(value));
                proven
                    .proof
                    .verify(&proven.root, &path, hash.as_ref())
                    .unwrap();
                // Every block writes its number into all keys: values read together are of one block.
                let paths: Vec<_> = (0..400u32)
                    .map(|index| value_hash(&index.to_le_bytes()))
                    .collect();
                let values = state.get_many(&paths).unwrap();
                let seeds: Vec<_> = values
                    .iter()
                    .map(|value| &value.as_ref().unwrap()[4..])
                    .collect();
                assert!(seeds.windows(2).all(|pair| pair[0] == pair[1]));
                rounds += 1;
            }
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        for seed in 1..30 {
            apply(&state, &mut model, &spread(400, seed));
            if seed % 5 == 0 {
                state.checkpoint().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    drop(state);
    assert_eq!(open(dir.path()).0.root(), model.root());
}
