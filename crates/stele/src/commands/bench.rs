//! `stele bench`: what this machine does.

use std::cell::RefCell;
use std::path::Path;

use stele_bench::identity;
use stele_bench::ledger::{self, Options};
use stele_bench::{Report, network};

use crate::cli::{BenchArgs, BenchWhat};
use crate::failure::{Exit, Failure, Outcome};
use crate::printer::Printer;

/// Measures.
///
/// # Errors
/// The benchmark could not run.
pub fn run(args: &BenchArgs, printer: &Printer) -> Outcome {
    match &args.what {
        BenchWhat::Ledger { dir, quick, commit } => {
            bench_ledger(dir.as_deref(), *quick, commit, printer)
        }
        BenchWhat::Network {
            dir,
            quick,
            missed,
            commit,
        } => bench_network(dir.as_deref(), *quick, *missed, commit, printer),
        BenchWhat::Identity {
            dir,
            quick,
            identities,
            commit,
        } => bench_identity(dir.as_deref(), *quick, *identities, commit, printer),
        BenchWhat::IdentityProbe { dir } => {
            let probe = identity::probe(dir).map_err(failed)?;
            printer.data(serde_json::to_string(&probe).expect("plain data"))?;
            Ok(Exit::Done)
        }
        BenchWhat::NetworkValidator { dir } => {
            network::validator(dir)
                .map_err(|error| Failure::unusable("a validator could not run").because(&error))?;
            Ok(Exit::Done)
        }
        BenchWhat::Probe { dir } => {
            let probe = ledger::probe(dir).map_err(failed)?;
            printer.data(serde_json::to_string(&probe).expect("plain data"))?;
            Ok(Exit::Done)
        }
    }
}

fn bench_ledger(dir: Option<&Path>, quick: bool, commit: &str, printer: &Printer) -> Outcome {
    let dir = dir.map_or_else(std::env::temp_dir, Path::to_owned);
    let mut options = if quick {
        Options::quick(dir)
    } else {
        Options::full(dir)
    };
    commit.clone_into(&mut options.commit);
    options.probe_command = probe_command("probe");
    say_if_not_release(printer);
    let bar = RefCell::new(printer.progress());
    let last = RefCell::new(String::new());
    let tell = |step: &str, done: u64, all: u64| {
        // Without a terminal each step is said once.
        if *last.borrow() != step {
            printer.detail(step);
            step.clone_into(&mut last.borrow_mut());
        }
        bar.borrow_mut().update(step, done, all);
    };
    let report = ledger::run(&options, &tell).map_err(failed)?;
    drop(bar);
    show(&report, printer)
}

fn bench_identity(
    dir: Option<&Path>,
    quick: bool,
    identities: Option<u64>,
    commit: &str,
    printer: &Printer,
) -> Outcome {
    let options = identity::Options {
        dir: dir.map_or_else(std::env::temp_dir, Path::to_owned),
        identities: identities.unwrap_or(if quick { 40_000 } else { 100_000_000 }),
        credentials: if quick { 200 } else { 40_000 },
        disclosures: if quick { 3 } else { 200 },
        probe_command: probe_command("identity-probe"),
        commit: commit.to_owned(),
    };
    say_if_not_release(printer);
    let mut bar = printer.progress();
    let mut tell = |step: &str, done: u64, all: u64| bar.update(step, done, all);
    let report = identity::run(&options, &mut tell).map_err(failed)?;
    drop(bar);
    show(&report, printer)
}

fn say_if_not_release(printer: &Printer) {
    if cfg!(debug_assertions) {
        printer.note("note: this is not a release build; its figures mean nothing");
    }
}

fn show(report: &Report, printer: &Printer) -> Outcome {
    if printer.is_json() {
        printer.json(&serde_json::to_value(report).expect("plain data"))?;
    } else {
        printer.data(report.to_markdown().trim_end())?;
    }
    Ok(Exit::Done)
}

fn bench_network(
    dir: Option<&Path>,
    quick: bool,
    missed: Option<u64>,
    commit: &str,
    printer: &Printer,
) -> Outcome {
    let program = std::env::current_exe()
        .map_err(|error| Failure::unusable("could not find this program").because(&error))?;
    let words = [
        program.display().to_string(),
        "bench".to_owned(),
        "network-validator".to_owned(),
    ];
    let options = network::Options {
        dir: dir.map_or_else(std::env::temp_dir, Path::to_owned),
        seconds: if quick { 2 } else { 15 },
        entries: if quick { 2_000 } else { 120_000 },
        missed: missed.unwrap_or(if quick { 5_000 } else { 1_000_000 }),
        validator_command: words.to_vec(),
        commit: commit.to_owned(),
    };
    say_if_not_release(printer);
    let tell = |step: &str| printer.note(format_args!("{step} ..."));
    let report = network::run(&options, &tell)
        .map_err(|error| Failure::unusable("the network could not be measured").because(&error))?;
    show(&report, printer)
}

/// This program with the arguments that make it measure itself.
fn probe_command(probe: &str) -> Option<Vec<String>> {
    let program = std::env::current_exe().ok()?;
    let words = [&program.display().to_string(), "bench", probe].map(str::to_owned);
    Some(words.to_vec())
}

fn failed(error: ledger::BenchError) -> Failure {
    Failure::of(
        Exit::Unusable,
        &error,
        Some("--dir names another folder; it needs several GiB of free space"),
    )
}
