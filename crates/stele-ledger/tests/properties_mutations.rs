//! The bodies of the fuzz targets over seeded damages of a small log and a small state, bounded, in every test run.

#[path = "../fuzz/bodies.rs"]
mod bodies;
#[path = "../../stele-core/fuzz/mutate.rs"]
mod mutate;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bodies::{TARGETS, Target};
use mutate::{Rng, mutate};

/// Runs a body over each seed as it is and over `count` mutations; the bytes that break it are shown.
fn run(name: &str, count: usize) {
    let target: &Target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("a target");
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let check = |bytes: &[u8]| {
        let body = AssertUnwindSafe(|| (target.body)(bytes));
        let held = catch_unwind(body).is_ok();
        assert!(held, "{name} breaks on {}", hex::encode(bytes));
    };
    seeds.iter().for_each(|seed| check(seed));
    for seed in 0..count as u64 {
        check(&mutate(&mut Rng(seed), &seeds));
    }
}

#[test]
fn damaged_logs() {
    run("log_frame_recovery", 1_500);
}

#[test]
fn damaged_states() {
    run("state_open", 500);
}

#[test]
fn tile_paths_and_bundles() {
    run("tile_path", 50_000);
}

#[test]
fn every_target_under_many_mutations_slow_() {
    for target in TARGETS {
        run(target.name, 30_000);
    }
}

/// Writes the seeds as files for cargo-fuzz below the folder that `STELE_FUZZ_CORPUS` names; `./test fuzz` does.
#[test]
#[ignore = "writes the corpus of the fuzz targets"]
fn writes_the_fuzz_corpus() {
    let folder = std::env::var_os("STELE_FUZZ_CORPUS").expect("STELE_FUZZ_CORPUS names a folder");
    for target in TARGETS {
        let folder = std::path::Path::new(&folder).join(target.name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed).expect("written");
        }
    }
}
