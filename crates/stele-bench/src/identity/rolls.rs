//! Enrolling by the roll, and resolving with proofs in a fresh process.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use stele_core::id::sha256;
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::did::Did;
use stele_registers::identity::{RECORDS_BYTES_MAX, RollKind};
use stele_resolver::{Resolver, SteleDid, member_did};

use super::Options;
use crate::ledger::{BenchError, disk_bytes, submit_all};
use crate::machine::resident_bytes;
use crate::report::{Better, Figure};
use crate::workload::{World, reopen};

/// Rolls that are made and submitted together, some 32 MiB.
const TOGETHER: u64 = 64;
/// Every fifth roll is of devices.
const DEVICES_EVERY: u64 = 5;
/// Resolutions that are timed.
const RESOLUTIONS: u64 = 100_000;

/// What a fresh process measures of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Probe {
    open_seconds: f64,
    resident_bytes: u64,
    index_seconds: f64,
    resolutions_per_second: f64,
    resolution_ms_p99: f64,
    identities: u64,
    state_keys: u64,
    proof_bytes: u64,
}

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Workload(error.to_string())
}

/// The records of roll `number`: commitments that look random, or some real keys with commitments.
fn records(number: u64, keys: &[[u8; 32]]) -> (RollKind, Vec<u8>) {
    let kind = if number % DEVICES_EVERY == DEVICES_EVERY - 1 {
        RollKind::Device
    } else {
        RollKind::Anchor
    };
    let count = RECORDS_BYTES_MAX / kind.record_bytes();
    let mut records = Vec::with_capacity(RECORDS_BYTES_MAX);
    for index in 0..count as u64 {
        if kind == RollKind::Device {
            records.extend_from_slice(&keys[(index as usize) % keys.len()]);
        }
        records.extend_from_slice(&sha256(&[&number.to_be_bytes(), &index.to_be_bytes()]));
    }
    (kind, records)
}

pub(super) fn measure(
    options: &Options,
    dir: &Path,
    tell: &mut dyn FnMut(&str, u64, u64),
) -> Result<Vec<Figure>, BenchError> {
    let home = dir.join("identity");
    std::fs::create_dir_all(&home).map_err(|error| BenchError::Folder(home.clone(), error))?;
    let world = World::found(&home.join("ledger"), 1)?;
    let ledger = world.open(&home.join("ledger"))?;
    submit_all(&ledger, world.registrations())?;
    submit_all(&ledger, vec![world.accreditation()])?;
    let keys: Vec<[u8; 32]> = (0..100u8)
        .map(|n| {
            let key = SigningKey::from_seed(Suite::Ed25519, &[n; 32]).expect("32 bytes");
            *key.public().to_cose_key().last_chunk().expect("a key")
        })
        .collect();
    let (mut enrolled, mut number, mut seconds) = (0u64, 0u64, 0.0);
    while enrolled < options.identities {
        tell("enrolling", enrolled, options.identities);
        let made: Vec<_> = (number..number + TOGETHER)
            .into_par_iter()
            .map(|number| {
                let (kind, records) = records(number, &keys);
                let count = records.len() / kind.record_bytes();
                (count as u64, world.enrolment(number, kind.name(), &records))
            })
            .collect();
        number += TOGETHER;
        let mut entries = Vec::new();
        for (count, entry) in made {
            if enrolled < options.identities {
                enrolled += count;
                entries.push(entry);
            }
        }
        let started = Instant::now();
        submit_all(&ledger, entries)?;
        seconds += started.elapsed().as_secs_f64();
    }
    drop(ledger);
    tell("resolving in a fresh process", 0, 1);
    let probed = match &options.probe_command {
        Some(command) => apart(command, &home),
        None => Err("no program to start".to_owned()),
    };
    let disk = disk_bytes(&home) as f64 / f64::from(1u32 << 30);
    let mut figures = vec![
        Figure::new(
            "identity-enrolments-per-second",
            enrolled as f64 / seconds,
            "/s",
            Better::Higher,
            "signed rolls of 16,384 anchors or 8,192 devices: verified, executed, durable; making and signing them is not counted",
        )
        .goal(200_000.0),
        Figure::new(
            "identity-disk",
            disk,
            "GiB",
            Better::Lower,
            format!("{enrolled} identities: log, state and the file of rolls"),
        )
        .goal(30.0),
    ];
    figures.extend(of_probe(probed));
    Ok(figures)
}

fn of_probe(probed: Result<Probe, String>) -> Vec<Figure> {
    let measured = |id, unit, better, goal: f64, value: fn(&Probe) -> f64, note: &str| {
        match &probed {
            Ok(probe) => Figure::new(id, value(probe), unit, better, note),
            Err(why) => Figure::missing(id, unit, better, why.clone()),
        }
        .goal(goal)
    };
    let mut figures = vec![
        measured(
            "identity-reopen",
            "s",
            Better::Lower,
            150.0,
            |probe| probe.open_seconds,
            "a fresh process opens the ledger and the file of rolls",
        ),
        measured(
            "identity-resident",
            "GiB",
            Better::Lower,
            8.0,
            |probe| probe.resident_bytes as f64 / f64::from(1u32 << 30),
            "resident memory after the resolutions",
        ),
        measured(
            "identity-resolutions-per-second",
            "/s",
            Better::Higher,
            10_000.0,
            |probe| probe.resolutions_per_second,
            "a member's document, its record and path, and the receipt of its roll and of the absence of changes, encoded; two threads",
        ),
        measured(
            "identity-resolution-p99",
            "ms",
            Better::Lower,
            5.0,
            |probe| probe.resolution_ms_p99,
            "of the same resolutions",
        ),
    ];
    if let Ok(probe) = &probed {
        figures.push(Figure::new(
            "identity-index-seconds",
            probe.index_seconds,
            "s",
            Better::Lower,
            "making the file of rolls anew from the log",
        ));
        figures.push(Figure::new(
            "identity-state-keys",
            probe.state_keys as f64,
            "keys",
            Better::Lower,
            format!("of the state, for {} identities", probe.identities),
        ));
        figures.push(Figure::new(
            "identity-proof-bytes",
            probe.proof_bytes as f64,
            "bytes",
            Better::Lower,
            "receipt, record and path of one resolution",
        ));
    }
    figures
}

fn apart(command: &[String], home: &Path) -> Result<Probe, String> {
    let output = Command::new(&command[0])
        .args(&command[1..])
        .arg(home)
        .output()
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Opens what [`super::run`] filled and measures itself: opening, the file of rolls, resolutions with proofs.
///
/// # Errors
/// [`BenchError`].
pub fn probe(home: &Path) -> Result<Probe, BenchError> {
    let started = Instant::now();
    let ledger = Arc::new(reopen(&home.join("ledger"))?);
    let resolver = Resolver::open(Arc::clone(&ledger), &home.join("rolls.dat")).map_err(failed)?;
    let open_seconds = started.elapsed().as_secs_f64();

    // Every roll once, so that all are in the file: what is measured after it is warm.
    let started = Instant::now();
    let height = ledger.head().height().get();
    for height in 0..=height {
        resolver
            .load_block(stele_core::id::Height::new(height))
            .map_err(failed)?;
    }
    let index_seconds = started.elapsed().as_secs_f64();
    let mut rolls = resolver.rolls().rolls();
    rolls.sort_unstable();
    let identities = rolls.iter().map(|(_, count)| count).sum();

    let resolve = |number: u64| -> Result<(f64, u64), BenchError> {
        // A multiplicative hash, so that neighbours in time are far apart on the disk.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (roll, count) = rolls[(mixed >> 32) as usize % rolls.len()];
        let did = Did::parse(&member_did(&roll, mixed % count))
            .map_err(|refusal| failed(refusal.code()))?;
        let started = Instant::now();
        let name = SteleDid::parse(&did).map_err(|refusal| failed(refusal.code()))?;
        let found = resolver.resolve(&did, &name, None).map_err(failed)?;
        let proof = resolver.prove(&name).map_err(failed)?;
        let receipt = proof.receipt.encode();
        let took = started.elapsed().as_secs_f64() * 1000.0;
        let member = proof.member.filter(|_| found.is_some());
        let member = member.ok_or_else(|| failed("a member does not resolve"))?;
        let bytes = receipt.len() + member.record.len() + member.path.len() * 32;
        Ok((took, bytes as u64))
    };
    // Once before, so that the pages are in memory.
    (0..RESOLUTIONS)
        .into_par_iter()
        .try_for_each(|number| resolve(number).map(drop))?;
    let started = Instant::now();
    let timed = (0..RESOLUTIONS)
        .into_par_iter()
        .map(resolve)
        .collect::<Result<Vec<_>, _>>()?;
    let seconds = started.elapsed().as_secs_f64();
    let mut times: Vec<f64> = timed.iter().map(|(took, _)| *took).collect();
    times.sort_unstable_by(f64::total_cmp);
    Ok(Probe {
        open_seconds,
        resident_bytes: resident_bytes(),
        index_seconds,
        resolutions_per_second: RESOLUTIONS as f64 / seconds,
        resolution_ms_p99: times[times.len() * 99 / 100],
        identities,
        state_keys: ledger.state_keys(),
        proof_bytes: timed[0].1,
    })
}
