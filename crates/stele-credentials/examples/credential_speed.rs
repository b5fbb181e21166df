//! How many credentials one core issues and verifies in a second: `cargo run --release --example credential_speed`.
//!
//! Each figure is the mean of one run, on one thread where it does not say two, with an Ed25519 issuer, ten hidden claims and an Ed25519 holder.

#[path = "shared/rng.rs"]
mod rng;

use std::hint::black_box;
use std::time::Instant;

use rand_core::TryRng as _;
use rng::SystemRng;
use serde_json::{Map, Value};
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::jose::Signer as _;
use stele_credentials::sd_jwt::*;
use stele_credentials::status::{BitOrder, ListExpectation, StatusBits, TokenStatusList, Width};

const COUNT: usize = 20_000;
const STATUS_LIST: &str = "https://university.example/status/0";
const NOW: u64 = 1_790_000_000;

/// A moment on both clocks.
struct Moment {
    clock: Instant,
    cpu_ticks: u64,
}

impl Moment {
    /// Hundredths of a second that the process has worked, on all its threads (proc(5), utime and stime).
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let ticks = fields
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok());
        Self {
            clock: Instant::now(),
            cpu_ticks: ticks.sum(),
        }
    }
}

/// Prints both rates: on a busy machine the one by the clock says little.
fn report(what: &str, count: usize, began: Moment) {
    let seconds = began.clock.elapsed().as_secs_f64();
    let cpu_seconds = (Moment::now().cpu_ticks - began.cpu_ticks) as f64 / 100.0;
    let count = count as f64;
    eprintln!(
        "{what:<40} {:>9.0} /s {:>9.0} per CPU-second",
        count / seconds,
        count / cpu_seconds
    );
}

/// Gives each of two threads one half.
fn on_two_threads<T: Sync>(items: &[T], work: impl Fn(&[T]) + Sync) {
    let (first, second) = items.split_at(items.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| work(first));
        work(second);
    });
}

fn main() {
    let issuer = SigningKey::from_seed(Suite::Ed25519, &[1; 32]).expect("a seed");
    let holder = SigningKey::from_seed(Suite::Ed25519, &[2; 32]).expect("a seed");
    let (issuer_key, holder_key) = (issuer.public_key(), holder.public_key());
    let names: Vec<String> = (0..10).map(|number| format!("claim_{number}")).collect();
    let frame = Frame::of_names(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let issue = |number: usize| {
        let status = StatusReference {
            uri: STATUS_LIST.to_owned(),
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
        issuance
            .issue(claims, &frame, &issuer, &mut SystemRng)
            .expect("the claims are good")
    };
    let began = Moment::now();
    let issued: Vec<String> = (0..COUNT).map(issue).collect();
    report("issue, 10 hidden claims", COUNT, began);
    let began = Moment::now();
    on_two_threads(&(0..COUNT).collect::<Vec<_>>(), |numbers| {
        for number in numbers {
            black_box(issue(*number));
        }
    });
    report("issue, on two threads", COUNT, began);

    let open = Expectation::at(NOW);
    let began = Moment::now();
    for text in &issued {
        black_box(verify(text, &issuer_key, &open).expect("a good credential"));
    }
    report("verify one by one, 10 claims shown", COUNT, began);

    let began = Moment::now();
    for chunk in issued.chunks(256) {
        let parsed: Vec<Parsed<'_>> = chunk
            .iter()
            .map(|text| Parsed::parse(text).expect("well formed"))
            .collect();
        let items: Vec<_> = parsed.iter().map(|one| (one, &issuer_key)).collect();
        assert!(verify_batch(&items, &[&open]).iter().all(Result::is_ok));
    }
    report("verify in batches of 256", COUNT, began);

    let mut entries = StatusBits::new(Width::One, BitOrder::LowFirst, 1 << 20);
    entries.set(COUNT as u64, 1).expect("a place of the list");
    let list = TokenStatusList::new(STATUS_LIST, NOW, None, None, &entries);
    let began = Moment::now();
    on_two_threads(&issued, |texts| {
        // The list is inflated once for all credentials of a verifier, as it is downloaded once.
        let entries = list.entries().expect("a good list");
        for chunk in texts.chunks(256) {
            let parsed: Vec<Parsed<'_>> = chunk
                .iter()
                .map(|text| Parsed::parse(text).expect("well formed"))
                .collect();
            let items: Vec<_> = parsed.iter().map(|one| (one, &issuer_key)).collect();
            for verified in verify_batch(&items, &[&open]) {
                let status = verified
                    .expect("a good credential")
                    .status
                    .expect("a status");
                assert_eq!(entries.get(status.index).expect("a place of the list"), 0);
            }
        }
    });
    report("verify with status, on two threads", COUNT, began);

    let binding = Binding {
        audience: "https://verifier.example",
        nonce: "n",
        issued_at: NOW,
    };
    let paths = [ClaimPath::name("claim_1"), ClaimPath::name("claim_2")];
    let began = Moment::now();
    let presented: Vec<String> = issued
        .iter()
        .map(|text| {
            let held = Held::parse(text).expect("well formed");
            held.present(&paths, Some((binding, &holder)))
                .expect("presentable")
        })
        .collect();
    report("present two claims with key binding", COUNT, began);

    let expected = BindingExpectation {
        audience: binding.audience,
        nonce: "n",
        age_seconds_max: 60,
    };
    let bound = Expectation {
        binding: Some(expected),
        ..Expectation::at(NOW)
    };
    let began = Moment::now();
    for chunk in presented.chunks(256) {
        let parsed: Vec<Parsed<'_>> = chunk
            .iter()
            .map(|text| Parsed::parse(text).expect("well formed"))
            .collect();
        let items: Vec<_> = parsed.iter().map(|one| (one, &issuer_key)).collect();
        assert!(verify_batch(&items, &[&bound]).iter().all(Result::is_ok));
    }
    report("verify presentations in batches of 256", COUNT, began);
    measure_status(&issuer);
}

/// Lists of 2^20 entries, one in a hundred revoked at random: what a verifier downloads, and how long one answer takes.
fn measure_status(issuer: &SigningKey) {
    let mut random = SystemRng;
    let uri = STATUS_LIST;
    for shard_bits in [17, 20, 22] {
        let size = 1_u64 << shard_bits;
        let mut entries = StatusBits::new(Width::One, BitOrder::LowFirst, 1 << shard_bits);
        for _ in 0..size / 100 {
            let Ok(place) = random.try_next_u64();
            entries.set(place % size, 1).expect("a place of the list");
        }
        let began = Instant::now();
        let list = TokenStatusList::new(uri, NOW, Some(NOW + 86400), Some(3600), &entries);
        let text = list.to_jwt(None, issuer).expect("the key signs");
        let compressing = began.elapsed();
        let expectation = ListExpectation {
            uri,
            now: NOW,
            skew_seconds: 0,
        };
        let key = issuer.public_key();
        let (mut first, mut next) = (Vec::new(), Vec::new());
        for round in 0..200 {
            let Ok(place) = random.try_next_u64();
            // The first place of all, the last of all, and places between.
            let place = match round {
                0 => 0,
                1 => size - 1,
                _ => place % size,
            };
            let began = Instant::now();
            let list = TokenStatusList::verify_jwt(&text, &key, &expectation).expect("a good list");
            let status = list.status(place).expect("a place of the list");
            first.push(began.elapsed().as_micros());
            assert_eq!(
                status.value(),
                entries.get(place).expect("a place of the list")
            );
            let began = Instant::now();
            black_box(list.status(place).expect("a place of the list"));
            next.push(began.elapsed().as_micros());
        }
        first.sort_unstable();
        next.sort_unstable();
        eprintln!(
            "2^{shard_bits} entries, 1 % revoked: {} bytes as JWT, made in {} ms; verify and read one: median {} us, most {} us; \
             read another: median {} us, most {} us",
            text.len(),
            compressing.as_millis(),
            first[100],
            first[199],
            next[100],
            next[199],
        );
    }
}
