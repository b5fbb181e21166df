//! Deterministic simulation of whole networks: the production stack of each node over simulated time, links and storage.
//!
//! One seed decides everything: delays, losses, crashes, partitions, who submits what to whom. The same seed on the same commit takes the same
//! steps; a failing run prints both. What is checked is read from the nodes' logs by [`check`], which shares no code with the stack.
//!
//! `STELE_SEEDS=from..to` runs other seeds than the usual ones; `STELE_SEED=n` one alone.

mod byzantine;
mod check;
mod node;
mod run;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use run::{Outcome, Scenario, simulate};

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
    for seed in seeds(usual) {
        let outcome = simulate(seed, &scenario(seed));
        let Outcome {
            blocks,
            acknowledged,
            crashes,
            partitions,
            ..
        } = outcome;
        for (what, count) in [
            ("seeds", 1),
            ("blocks", blocks),
            ("acknowledged entries", acknowledged),
            ("crashes", crashes),
            ("partitions", partitions),
        ] {
            *totals.entry(what).or_default() += count;
        }
    }
    // The counts are part of the report: a run that met no crash has tested none.
    let totals: Vec<_> = totals
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    println!("{name}: {}", totals.join(", "));
}

fn four(_: u64) -> Scenario {
    Scenario::of(4)
}

// The seeds are split over tests, so that all cores take part.
#[test]
fn four_validators_first_half() {
    run_all("four validators", 0..60, four);
}

#[test]
fn four_validators_second_half() {
    run_all("four validators", 60..120, four);
}

#[test]
fn seven_validators() {
    run_all("seven validators", 1_000..1_030, |_| Scenario::of(7));
}

#[test]
fn ten_validators() {
    run_all("ten validators", 2_000..2_010, |_| Scenario::of(10));
}

#[test]
fn one_of_four_is_byzantine() {
    run_all("one of four is Byzantine", 3_000..3_040, |_| Scenario {
        byzantine: true,
        ..Scenario::of(4)
    });
}

#[test]
fn seven_validators_in_harsh_weather() {
    run_all("seven validators in harsh weather", 4_000..4_020, |_| {
        Scenario {
            harsh: true,
            ..Scenario::of(7)
        }
    });
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
    four_validators_a_slow_: 100_000..101_500, four;
    four_validators_b_slow_: 101_500..103_000, four;
    four_validators_c_slow_: 103_000..104_500, four;
    four_validators_d_slow_: 104_500..106_000, four;
    seven_validators_a_slow_: 110_000..110_500, |_| Scenario::of(7);
    seven_validators_b_slow_: 110_500..111_000, |_| Scenario::of(7);
    harsh_weather_a_slow_: 120_000..120_750, |_| Scenario { harsh: true, ..Scenario::of(7) };
    harsh_weather_b_slow_: 120_750..121_500, |_| Scenario { harsh: true, ..Scenario::of(7) };
    one_is_byzantine_slow_: 130_000..131_500, |_| Scenario { byzantine: true, ..Scenario::of(4) };
}

#[test]
fn the_same_seed_takes_the_same_steps() {
    let (first, second) = (simulate(7, &four(7)), simulate(7, &four(7)));
    assert_eq!(first, second);
    assert_ne!(first.steps, simulate(8, &four(8)).steps);
}
