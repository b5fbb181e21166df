//! SD-JWT credentials with ten hidden claims, and their status.

use std::time::Instant;

use getrandom::SysRng;
use rand_core::UnwrapErr;
use rayon::prelude::*;
use serde_json::{Map, Value};
use stele_core::id::sha256;
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::Refusal;
use stele_credentials::jose::Signer as _;
use stele_credentials::sd_jwt::{
    Expectation, Frame, Issuance, Parsed, StatusReference, verify_batch,
};
use stele_credentials::status::{BitOrder, ListExpectation, StatusBits, TokenStatusList, Width};

use crate::ledger::BenchError;
use crate::report::{Better, Figure};

const CLAIMS: usize = 10;
const LIST: &str = "https://university.example/status/0";
const NOW: u64 = 1_790_000_000;
/// Entries of a shard; a hundred million holders are 96 of them.
const SHARD: usize = 1 << 20;
/// Credentials that are verified together.
const BATCH: usize = 256;

fn failed(refusal: Refusal) -> BenchError {
    BenchError::Workload(format!("{}: {}", refusal.code(), refusal.sentence()))
}

pub(super) fn measure(
    count: usize,
    tell: &mut dyn FnMut(&str, u64, u64),
) -> Result<Vec<Figure>, BenchError> {
    tell("issuing credentials", 0, count as u64);
    let issuer = SigningKey::from_seed(Suite::Ed25519, &[1; 32]).expect("32 bytes");
    let holder = SigningKey::from_seed(Suite::Ed25519, &[2; 32]).expect("32 bytes");
    let (issuer_key, holder_key) = (issuer.public_key(), holder.public_key());
    let names: Vec<String> = (0..CLAIMS)
        .map(|number| format!("claim_{number}"))
        .collect();
    let frame = Frame::of_names(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let issue = |number: usize| {
        let status = StatusReference {
            uri: LIST.to_owned(),
            index: number as u64,
        };
        let issuance = Issuance {
            vct: "https://university.example/diploma",
            issuer: Some("https://university.example"),
            key_id: Some("did:web:university.example#1"),
            issued_at: NOW,
            not_before: None,
            expires_at: Some(NOW + 1000),
            holder: Some(&holder_key),
            status: Some(&status),
        };
        let claims: Map<String, Value> = names
            .iter()
            .map(|name| (name.clone(), format!("Fictional value {number}").into()))
            .collect();
        issuance.issue(claims, &frame, &issuer, &mut UnwrapErr(SysRng))
    };
    let started = Instant::now();
    let issued = (0..count)
        .into_par_iter()
        .map(issue)
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let issued_rate = count as f64 / started.elapsed().as_secs_f64();

    tell("verifying credentials", 0, count as u64);
    let mut entries = StatusBits::new(Width::One, BitOrder::LowFirst, SHARD);
    // One in a hundred, scattered as people are: at equal distances the list would compress to nothing.
    for number in 0..SHARD as u64 / 100 {
        let hash = sha256(&[&number.to_be_bytes()]);
        let place = u64::from_be_bytes(*hash.first_chunk().expect("32 bytes")) % SHARD as u64;
        if place >= count as u64 {
            entries.set(place, 1).map_err(failed)?;
        }
    }
    let list = TokenStatusList::new(LIST, NOW, None, None, &entries);
    let token = list.to_jwt(None, &issuer).map_err(failed)?;
    let open = Expectation::at(NOW);
    let started = Instant::now();
    // A verifier inflates a list once for all credentials of the day.
    let entries = list.entries().map_err(failed)?;
    issued
        .par_chunks(BATCH)
        .try_for_each(|texts| -> Result<(), Refusal> {
            let parsed = texts
                .iter()
                .map(|text| Parsed::parse(text))
                .collect::<Result<Vec<_>, _>>()?;
            let items: Vec<_> = parsed.iter().map(|one| (one, &issuer_key)).collect();
            for verified in verify_batch(&items, &[&open]) {
                let status = verified?.status;
                let index = status.map_or(u64::MAX, |status| status.index);
                assert_eq!(entries.get(index)?, 0, "none of these is revoked");
            }
            Ok(())
        })
        .map_err(failed)?;
    let verified_rate = count as f64 / started.elapsed().as_secs_f64();

    let mut times = Vec::new();
    let expected = ListExpectation {
        uri: LIST,
        now: NOW,
        skew_seconds: 60,
    };
    for number in 0..200u64 {
        let started = Instant::now();
        let read = TokenStatusList::verify_jwt(&token, &issuer_key, &expected).map_err(failed)?;
        let status = read.status(number * 5_003 % SHARD as u64).map_err(failed)?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        std::hint::black_box(status);
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(vec![
        Figure::new(
            "sd-jwt-issued-per-second",
            issued_rate,
            "/s",
            Better::Higher,
            "SD-JWT VC, Ed25519, 10 hidden claims, holder key and status, two threads",
        )
        .goal(15_000.0),
        Figure::new(
            "sd-jwt-verified-per-second",
            verified_rate,
            "/s",
            Better::Higher,
            "the same, all claims shown, in batches of 256, each with its status from a list that was verified before",
        )
        .goal(15_000.0),
        Figure::new(
            "status-lookup",
            times[times.len() / 2],
            "ms",
            Better::Lower,
            "one credential among 10^8: verify the shard's JWT and read one place; median",
        )
        .goal(1.0),
        Figure::new(
            "status-download",
            token.len() as f64,
            "bytes",
            Better::Lower,
            "what a verifier downloads: one of 96 shards of 2^20 entries, 1 % revoked, scattered",
        ),
    ])
}
