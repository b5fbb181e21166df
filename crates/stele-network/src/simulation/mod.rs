//! Deterministic simulation of whole networks: the production stack of each node over simulated time, links and storage.
//!
//! One seed decides everything: delays, losses, crashes, partitions, who submits what to whom. The same seed on the same commit takes the same
//! steps; a failing run prints both. What is checked is read from the nodes' logs by [`check`], which shares no code with the stack.
//!
//! `STELE_SEEDS=from..to` runs other seeds than the usual ones; `STELE_SEED=n` one alone.

mod byzantine;
mod check;
mod links;
mod node;
mod run;
mod scenario;
#[path = "../../tests/support/mod.rs"]
mod support;
mod traps;
mod twins;

use std::collections::BTreeMap;

use run::simulate;
use scenario::{Liar, Scenario};

/// The seeds to run: those asked for, else `usual`.
fn seeds(usual: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let number = |text: &str| text.parse::<u64>().expect("seeds are numbers");
    if let Ok(one) = std::env::var("STELE_SEED") {
        let one = number(&one);
        return one..one + 1;
    }
    match std::env::var("STELE_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").expect("seeds are given as from..to");
            number(from)..number(to)
        }
        Err(_) => usual,
    }
}

fn run_all(name: &str, usual: std::ops::Range<u64>, scenario: impl Fn(u64) -> Scenario) {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    let seeds = seeds(usual);
    let count = seeds.clone().count();
    for seed in seeds {
        for (what, count) in simulate(seed, &scenario(seed)).counts() {
            *totals.entry(what).or_default() += count;
        }
    }
    // The counts are part of the report: a run that met no crash has tested none.
    let totals: Vec<_> = totals
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    println!("{name}: {count} seeds, {}", totals.join(", "));
}

fn four(seed: u64) -> Scenario {
    Scenario::drawn(4, seed)
}

fn seven(seed: u64) -> Scenario {
    Scenario::drawn(7, seed)
}

fn ten(seed: u64) -> Scenario {
    Scenario::drawn(10, seed)
}

// 200 seeds, split over tests so that all cores take part.
#[test]
fn four_validators_first_half() {
    run_all("four validators", 0..70, four);
}

#[test]
fn four_validators_second_half() {
    run_all("four validators", 70..140, four);
}

#[test]
fn seven_validators() {
    run_all("seven validators", 1_000..1_045, seven);
}

#[test]
fn ten_validators() {
    run_all("ten validators", 2_000..2_015, ten);
}

/// The longer lane, 10,000 seeds: `./test --slow`.
macro_rules! slow_lane {
    ($($name:ident: $seeds:expr, $scenario:expr;)*) => {
        $(#[test]
        fn $name() {
            run_all(stringify!($name), $seeds, $scenario);
        })*
    };
}

slow_lane! {
    four_validators_a_slow_: 100_000..101_750, four;
    four_validators_b_slow_: 101_750..103_500, four;
    four_validators_c_slow_: 103_500..105_250, four;
    four_validators_d_slow_: 105_250..107_000, four;
    seven_validators_a_slow_: 110_000..111_100, seven;
    seven_validators_b_slow_: 111_100..112_200, seven;
    ten_validators_a_slow_: 120_000..120_400, ten;
    ten_validators_b_slow_: 120_400..120_800, ten;
}

#[test]
fn the_same_seed_takes_the_same_steps() {
    let everything = Scenario {
        liar: Liar::Twins,
        power_cuts: 1,
        disk_faults: true,
        reorder: true,
        skew: true,
        follower: true,
        reshares: true,
        ..Scenario::of(4)
    };
    let (first, second) = (simulate(7, &everything), simulate(7, &everything));
    assert_eq!(first, second);
    assert_ne!(first.steps, simulate(8, &everything).steps);
}
