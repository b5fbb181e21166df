//! The bodies of the fuzz targets over seeded mutations of the published vectors, bounded, in every test run.

#[path = "../fuzz/bodies.rs"]
mod bodies;
#[path = "../fuzz/mutate.rs"]
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
        assert!(
            catch_unwind(body).is_ok(),
            "{name} breaks on {}",
            hex::encode(bytes)
        );
    };
    seeds.iter().for_each(|seed| check(seed));
    for seed in 0..count as u64 {
        check(&mutate(&mut Rng(seed), &seeds));
    }
}

#[test]
fn entries_under_mutation() {
    run("entry_decode", 20_000);
}

#[test]
fn records_under_mutation() {
    run("record_decode", 30_000);
}

#[test]
fn certificates_under_mutation() {
    run("certificate_decode", 30_000);
}

#[test]
fn cbor_values_under_mutation() {
    run("cbor_value", 50_000);
}

#[test]
fn geneses_under_mutation() {
    run("genesis_decode", 20_000);
}

#[test]
fn cose_keys_under_mutation() {
    run("cose_key_decode", 5_000);
}

#[test]
fn notes_under_mutation() {
    run("checkpoint_note", 30_000);
}

#[test]
fn receipts_under_mutation() {
    run("receipt_verify", 10_000);
}

#[test]
fn every_target_under_many_mutations_slow_() {
    for target in TARGETS {
        run(target.name, 500_000);
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
            std::fs::write(folder.join(format!("vector-{number}")), seed).expect("written");
        }
    }
}
