//! Measures every suite on one core: `cargo run --release -p stele-core --features sm --example suite_bench`.
//!
//! Prints operations per second by the wall clock, with messages of 300 bytes, which is about the size of
//! a `Sig_structure` with one command. The number after each line is a checksum of the verdicts.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![allow(clippy::disallowed_methods, reason = "it measures, and needs a clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use stele_core::suite::{BatchItem, PublicKey, SigningKey, Suite, verify_batch};

const MEASURE: Duration = Duration::from_millis(800);

/// Runs `operation`, which does `count` operations and returns a checksum, for about [`MEASURE`].
fn measure(name: &str, count: usize, mut operation: impl FnMut(usize) -> usize) {
    let mut checksum = operation(0);
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < MEASURE {
        rounds += 1;
        checksum = checksum.wrapping_add(black_box(operation(rounds)));
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = (rounds * count) as f64 / seconds;
    println!(
        "{name:<46} {rate:>10.0}/s {:>9.2} us  #{checksum}",
        1e6 / rate
    );
}

fn seed(suite: Suite, number: usize) -> Vec<u8> {
    let mut seed = vec![0x17; suite.secret_len()];
    seed[1..9].copy_from_slice(&(number as u64).to_le_bytes());
    seed
}

struct Signed {
    key: PublicKey,
    message: Vec<u8>,
    signature: Vec<u8>,
}

fn sign_many(suite: Suite, count: usize, keys: usize) -> Vec<Signed> {
    let keys: Vec<_> = (0..keys)
        .map(|number| SigningKey::from_seed(suite, &seed(suite, number)).expect("a good seed"))
        .collect();
    let signed = (0..count).map(|number| {
        let mut message = vec![0x5a; 300];
        message[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let key = &keys[number % keys.len()];
        let signature = key.sign(&message);
        Signed {
            key: key.public().clone(),
            message,
            signature,
        }
    });
    signed.collect()
}

fn measure_suite(suite: Suite) {
    let key = SigningKey::from_seed(suite, &seed(suite, 1)).expect("a good seed");
    let cose_key = key.public().to_cose_key();
    let mut message = vec![0x5a; 300];
    measure(&format!("suite::sign/suite={suite}"), 1, |round| {
        message[..8].copy_from_slice(&(round as u64).to_le_bytes());
        key.sign(&message).len()
    });
    measure(&format!("suite::parse_key/suite={suite}"), 1, |_| {
        PublicKey::from_cose_key(black_box(&cose_key))
            .is_ok()
            .into()
    });
    let signed = sign_many(suite, 64, 64);
    measure(&format!("suite::verify/suite={suite}"), 1, |round| {
        let item = &signed[round % signed.len()];
        item.key
            .verify(suite.algorithm(), &item.message, &item.signature)
            .is_ok()
            .into()
    });
}

fn measure_batch(size: usize, keys: usize, bad: usize) {
    let mut signed = sign_many(Suite::Ed25519, size, keys);
    for number in 0..bad {
        signed[number * size / bad].message[9] ^= 1;
    }
    let alg = Suite::Ed25519.algorithm();
    let items: Vec<_> = signed
        .iter()
        .map(|item| BatchItem {
            key: &item.key,
            alg,
            message: &item.message,
            signature: &item.signature,
        })
        .collect();
    measure(
        &format!("suite::verify_batch/size={size} keys={keys} bad={bad}"),
        size,
        |_| {
            verify_batch(&items)
                .iter()
                .filter(|verdict| verdict.is_ok())
                .count()
        },
    );
}

fn main() {
    for suite in Suite::ALL {
        measure_suite(*suite);
    }
    for size in [16, 64, 256, 512, 1024, 2048, 4096] {
        measure_batch(size, size, 0);
    }
    measure_batch(1024, 100, 0);
    for bad in [1, 8, 64, 1024] {
        measure_batch(1024, 1024, bad);
    }
}
