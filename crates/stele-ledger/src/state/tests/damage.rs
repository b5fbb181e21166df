//! Torn and bit-flipped files: found, named, and never believed.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::state::StateError;
use crate::state::files::{checkpoint_name, segment_name};

/// Blocks before and after a checkpoint, in one segment.
struct Sample {
    dir: tempfile::TempDir,
    /// The model after each block.
    models: Vec<Model>,
}

fn options() -> StateOptions {
    StateOptions {
        threads: 1,
        ..StateOptions::default()
    }
}

impl Sample {
    fn new(checkpoint: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (state, _) = State::open(dir.path(), options()).unwrap();
        let mut model = Model::default();
        let mut models = vec![model.clone()];
        for block in 0..4 {
            apply(&state, &mut model, &spread(12 - 2 * block, block));
            models.push(model.clone());
            if checkpoint && block == 1 {
                state.checkpoint().unwrap();
            }
        }
        Self { dir, models }
    }

    fn segment(&self) -> PathBuf {
        self.dir.path().join(segment_name(0))
    }

    /// What opening gives: an error that names `file`, or one of the models, read without a wrong answer.
    fn outcome(&self, file: &Path) -> Outcome {
        let state = match State::open(self.dir.path(), options()) {
            Err(StateError::Corrupt { file: named, .. }) => {
                assert_eq!(named, file);
                return Outcome::Refused;
            }
            Err(error) => panic!("unexpected: {error}"),
            Ok((state, report)) => {
                if let Some(dropped) = report.dropped {
                    assert_eq!(dropped.file, file);
                }
                state
            }
        };
        let model = self
            .models
            .iter()
            .find(|model| model.height == state.height())
            .expect("the height of a block");
        assert_eq!(state.root(), model.root());
        let mut damaged = 0;
        for (path, value) in &model.values {
            match state.get(path) {
                Ok(read) => assert_eq!(read.as_ref(), Some(value)),
                Err(StateError::Corrupt { file: named, .. }) => {
                    assert_eq!(named, file);
                    damaged += 1;
                }
                Err(error) => panic!("unexpected: {error}"),
            }
        }
        Outcome::Opened {
            height: state.height(),
            damaged,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    Opened { height: Option<u64>, damaged: usize },
}

#[test]
fn a_tail_torn_at_any_byte_falls_back_to_the_block_before() {
    for checkpoint in [false, true] {
        let sample = Sample::new(checkpoint);
        let path = sample.segment();
        let whole = fs::read(&path).unwrap();
        let frames: Vec<usize> = (0..whole.len() - 4)
            .filter(|&at| whole[at..at + 4] == *b"SFRM")
            .collect();
        assert_eq!(frames.len(), 4);
        for cut in frames[3] + 1..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let (state, report) = State::open(sample.dir.path(), options()).unwrap();
            assert_eq!(
                (report.height, report.root),
                (Some(2), sample.models[3].root())
            );
            let dropped = report.dropped.expect("the cut is reported");
            assert_eq!(dropped.file, path);
            assert_eq!(
                (dropped.offset, dropped.bytes),
                (frames[3] as u64, (cut - frames[3]) as u64)
            );
            if cut % 50 == 0 {
                // The ledger executes the lost block again.
                let mut model = sample.models[3].clone();
                apply(&state, &mut model, &spread(6, 3));
                drop(state);
                let (state, report) = State::open(sample.dir.path(), options()).unwrap();
                assert_eq!(report.dropped, None);
                check(&state, &model);
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_the_value_log_is_never_believed() {
    for checkpoint in [false, true] {
        let sample = Sample::new(checkpoint);
        let path = sample.segment();
        let whole = fs::read(&path).unwrap();
        let mut seen = [0; 3];
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            match sample.outcome(&path) {
                Outcome::Refused => seen[0] += 1,
                Outcome::Opened {
                    height: Some(3),
                    damaged,
                } => {
                    // Only what the checkpoint vouches for is not read again at opening.
                    assert!(checkpoint);
                    seen[1] += damaged;
                }
                Outcome::Opened { damaged, .. } => {
                    assert_eq!(damaged, 0);
                    seen[2] += 1;
                }
            }
        }
        assert!(
            seen[0] > 0 && seen[2] > 0 && (!checkpoint || seen[1] > 0),
            "{seen:?}"
        );
    }
}

#[test]
fn a_flipped_bit_in_checkpoint_or_manifest_is_refused_and_named() {
    let sample = Sample::new(true);
    for name in [checkpoint_name(1), "MANIFEST".to_owned()] {
        let path = sample.dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        // The headers of empty shards are all alike: every byte of the first ones, then a sample.
        for at in (0..whole.len()).filter(|at| *at < 600 || at % 13 == 0) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            assert_eq!(sample.outcome(&path), Outcome::Refused, "byte {at}");
        }
        for cut in (0..whole.len()).step_by(97) {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(sample.outcome(&path), Outcome::Refused, "cut at {cut}");
        }
        fs::write(&path, &whole).unwrap();
    }
    check(
        &State::open(sample.dir.path(), options()).unwrap().0,
        &sample.models[4],
    );
}

#[test]
fn a_creation_that_was_cut_short_is_taken_up_again() {
    let whole = tempfile::tempdir().unwrap();
    drop(State::open(whole.path(), options()).unwrap());
    let header = fs::read(whole.path().join(segment_name(0))).unwrap();
    for length in 0..=header.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(segment_name(0)), &header[..length]).unwrap();
        let (state, report) = State::open(dir.path(), options()).unwrap();
        assert_eq!(report.height, None);
        check(&state, &Model::default());
    }
}

#[test]
fn missing_files_are_named() {
    let sample = Sample::new(true);
    for name in [checkpoint_name(1), segment_name(0)] {
        let path = sample.dir.path().join(&name);
        let aside = sample.dir.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        assert_eq!(sample.outcome(&path), Outcome::Refused);
        fs::rename(&aside, &path).unwrap();
    }
    fs::remove_file(sample.dir.path().join("MANIFEST")).unwrap();
    let error = State::open(sample.dir.path(), options()).unwrap_err();
    assert!(matches!(error, StateError::NoManifest { .. }));
    // The repair: away with it, and a new one.
    State::destroy(sample.dir.path()).unwrap();
    let state = State::create(sample.dir.path(), options()).unwrap();
    check(&state, &Model::default());
}

#[test]
fn the_log_ending_before_the_checkpoint_is_damage_and_not_a_torn_tail() {
    let sample = Sample::new(true);
    let path = sample.segment();
    let whole = fs::read(&path).unwrap();
    for cut in [0, 20, 40, 300] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(sample.outcome(&path), Outcome::Refused);
    }
}
