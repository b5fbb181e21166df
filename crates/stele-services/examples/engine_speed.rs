//! Prints what the engine costs: checking a service file, replaying a case, its timeline, and what the chain computes.
//!
//! `cargo run --release -p stele-services --example engine_speed`. One thread; the case has seven events.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::time::{Duration, Instant};

use stele_core::id::TimeMs;
use stele_services::{CaseEvent, Definition, Fact, Language, check, deadlines, replay, timeline};

const FILE: &[u8] = include_bytes!("../../../services/business-registration.json");
const HOUR: u64 = 3_600_000;

fn measure(what: &str, mut one: impl FnMut() -> usize) {
    let (begin, mut rounds, mut sum) = (Instant::now(), 0u32, 0);
    while begin.elapsed() < Duration::from_secs(1) {
        sum += one();
        rounds += 1;
    }
    let each = begin.elapsed() / rounds;
    println!(
        "{what}: {each:?} each, {rounds} times, checksum {}",
        sum / rounds as usize
    );
}

fn main() {
    let definition = Definition::read(FILE).expect("the shipped file is good");
    let begin = 1_796_112_000_000;
    let office = |name: &str| format!("did:stele:{name}");
    let items = || vec!["tax-clearance".to_owned()];
    let facts = [
        Fact::Opened {
            version: 1,
            office: office("trade"),
        },
        Fact::Requested { items: items() },
        Fact::Supplied { items: items() },
        Fact::Confirmed,
        Fact::HandedOver {
            to: office("order"),
        },
        Fact::HandedOver {
            to: office("trade"),
        },
        Fact::Decided {
            outcome: "granted".to_owned(),
        },
    ];
    let events: Vec<_> = (0..)
        .zip(facts)
        .map(|(n, fact)| CaseEvent {
            time: begin + n * 30 * HOUR,
            fact,
        })
        .collect();
    let now = TimeMs::new(begin + 300 * HOUR);
    let case = replay(&definition, &events[..5]).expect("a possible history");
    println!("service file of {} bytes", FILE.len());
    measure("check", || check(FILE).len());
    measure("replay", || {
        replay(&definition, &events).map_or(0, |case| case.missing.len() + 1)
    });
    measure("deadlines", || deadlines(&definition, &case, now).len());
    measure("timeline", || {
        timeline(&definition, &events, Language::De, now).map_or(0, |lines| lines.len())
    });
}
