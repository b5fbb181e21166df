//! Compaction, leftovers of crashes, refusals and failures.

use std::fs;
use std::path::Path;

use super::*;
use crate::state::files::{names, segment_name, segment_number};
use crate::state::{StateError, files};

fn segments(dir: &Path) -> Vec<u32> {
    names(dir)
        .unwrap()
        .iter()
        .filter_map(|name| segment_number(name))
        .collect()
}

#[test]
fn checkpoints_give_back_the_space_of_garbage() {
    let dir = tempfile::tempdir().unwrap();
    let (mut state, _) = open(dir.path());
    let mut model = Model::default();
    // Written once and kept, among what is rewritten all the time.
    let kept = (0..40u8)
        .map(|index| ([index | 0x40; 32], Some(vec![index; 30])))
        .collect();
    apply(&state, &mut model, &kept);
    for seed in 0..60 {
        apply(&state, &mut model, &spread(20, seed));
        if seed % 7 == 0 {
            state.checkpoint().unwrap();
            check(&state, &model);
        }
        if seed % 17 == 0 {
            drop(state);
            state = open(dir.path()).0;
        }
    }
    state.checkpoint().unwrap();
    let live: u64 = model.values.len() as u64 * 80;
    let log: u64 = segments(dir.path())
        .iter()
        .map(|number| {
            fs::metadata(dir.path().join(segment_name(*number)))
                .unwrap()
                .len()
        })
        .sum();
    // At most half is garbage in closed segments; the last one is not looked at.
    assert!(
        log < 2 * live + 2 * 2_000 + 2_000,
        "{log} bytes of log for {live} live ones"
    );
    assert_eq!(
        names(dir.path())
            .unwrap()
            .iter()
            .filter(|name| files::is_checkpoint(name))
            .count(),
        1
    );
    check(&state, &model);
    drop(state);
    check(&open(dir.path()).0, &model);
}

#[test]
fn what_a_crash_during_a_checkpoint_leaves_behind_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = open(dir.path());
    let mut model = Model::default();
    for seed in 0..20 {
        apply(&state, &mut model, &spread(20, seed));
    }
    let old = fs::read(dir.path().join(segment_name(0))).unwrap();
    state.checkpoint().unwrap();
    drop(state);
    assert!(
        !segments(dir.path()).contains(&0),
        "the first segment was emptied and removed"
    );
    // As if the crash had come before the removals, and another amid the next checkpoint.
    fs::write(dir.path().join(segment_name(0)), old).unwrap();
    fs::write(dir.path().join(files::checkpoint_name(2)), b"half").unwrap();
    fs::write(dir.path().join("MANIFEST.tmp"), b"half").unwrap();
    let (state, _) = open(dir.path());
    assert!(!segments(dir.path()).contains(&0));
    assert_eq!(
        names(dir.path())
            .unwrap()
            .iter()
            .filter(|name| files::is_checkpoint(name))
            .count(),
        1
    );
    check(&state, &model);
    state.checkpoint().unwrap();
}

#[test]
fn a_failed_write_closes_the_state_until_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = open(dir.path());
    let mut model = Model::default();
    for seed in 0..2 {
        apply(&state, &mut model, &spread(20, seed));
    }
    // The next segment's name is taken by a directory, so that its creation fails.
    let next = segments(dir.path()).last().unwrap() + 1;
    let obstacle = dir.path().join(segment_name(next));
    fs::create_dir(&obstacle).unwrap();
    let mut height = model.height.unwrap();
    let error = loop {
        height += 1;
        match state.apply(height, &[]) {
            Ok(_) => model.height = Some(height),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StateError::Io { .. }), "{error}");
    assert!(state.has_failed());
    fs::remove_dir(&obstacle).unwrap();
    assert!(matches!(state.apply(height, &[]), Err(StateError::Failed)));
    assert!(matches!(state.checkpoint(), Err(StateError::Failed)));
    check(&state, &model);
    drop(state);
    let (state, report) = open(dir.path());
    assert_eq!(report.dropped, None);
    check(&state, &model);
    apply(&state, &mut model, &spread(5, 9));
    check(&state, &model);
}

#[test]
fn frames_above_the_height_asked_for_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = open(dir.path());
    let mut model = Model::default();
    let mut models = Vec::new();
    for seed in 0..8 {
        apply(&state, &mut model, &spread(20, seed));
        models.push(model.clone());
        if seed == 2 {
            state.checkpoint().unwrap();
        }
    }
    drop(state);
    let at = |height| {
        State::open(
            dir.path(),
            StateOptions {
                height_max: Some(height),
                ..small()
            },
        )
    };
    for height in [7, 5, 3, 2] {
        let (state, report) = at(height).unwrap();
        assert_eq!(report.height, Some(height));
        assert_eq!(report.dropped.is_some(), height < 7);
        check(&state, &models[height as usize]);
    }
    assert!(matches!(
        at(1),
        Err(StateError::Ahead {
            held: 2,
            allowed: 1
        })
    ));
    check(&open(dir.path()).0, &models[2]);
}

#[test]
fn a_state_is_open_once_and_created_in_an_empty_place() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("state");
    let state = State::create(&place, small()).unwrap();
    let mut model = Model::default();
    apply(&state, &mut model, &spread(3, 0));
    assert!(matches!(
        State::open(&place, small()),
        Err(StateError::Locked { .. })
    ));
    assert!(matches!(
        State::destroy(&place),
        Err(StateError::Locked { .. })
    ));
    drop(state);
    assert!(matches!(
        State::create(&place, small()),
        Err(StateError::NotEmpty { .. })
    ));
    fs::write(place.join("foreign"), b"kept").unwrap();
    State::destroy(&place).unwrap();
    assert_eq!(fs::read(place.join("foreign")).unwrap(), b"kept");
    fs::remove_file(place.join("foreign")).unwrap();
    check(&State::create(&place, small()).unwrap(), &Model::default());
}

#[test]
fn a_crash_during_creation_is_no_damage() {
    for length in [0, 10, 32] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(segment_name(0)), vec![7; length]).unwrap();
        fs::write(dir.path().join("MANIFEST.tmp"), b"half").unwrap();
        let (state, _) = open(dir.path());
        let mut model = Model::default();
        apply(&state, &mut model, &spread(3, 0));
        drop(state);
        check(&open(dir.path()).0, &model);
    }
}

#[test]
fn sizes_and_the_need_for_a_checkpoint_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = open(dir.path());
    let mut model = Model::default();
    apply(&state, &mut model, &spread(2_000, 0));
    assert!(state.memory_bytes() > 2_000 * 112);
    assert!(state.disk_bytes().unwrap() > 2_000 * 48);
    assert!(!state.checkpoint_due());
    let value = vec![0; 1 << 20];
    for round in 0..70u8 {
        apply(
            &state,
            &mut model,
            &vec![([round % 3; 32], Some(value.clone()))],
        );
    }
    assert!(state.checkpoint_due());
    state.checkpoint().unwrap();
    assert!(!state.checkpoint_due());
    assert!(state.disk_bytes().unwrap() < 10 << 20);
}
