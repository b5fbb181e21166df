//! `stele doctor`: what is damaged in a node's folder, and making anew what can be.
//!
//! The keys, the descriptor and the ledger are looked at one after another, so that one fault does not hide another. Where
//! the ledger's log is damaged, its tree and state cannot be judged: they follow from it.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use serde_json::{Value as Json, json};
use stele_ledger::doctor;
use stele_ledger::ledger::{Ledger, LedgerError};
use stele_ledger::log::{EntryLog, LogError, LogOptions, TreeError, TreeStore, cut_damaged};
use stele_node::Home;
use stele_registers::Registry;

use crate::cli::DoctorArgs;
use crate::failure::{Exit, Failure, Outcome};
use crate::home::{keystore, locate};
use crate::network;
use crate::printer::{Printer, Tone};

/// Something damaged.
struct Fault {
    what: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Fault {
    fn of(failure: Failure) -> Self {
        Self {
            what: failure.message,
            causes: failure.causes,
            hints: failure.hints,
        }
    }

    fn json(&self) -> Json {
        json!({"fault": self.what, "causes": self.causes, "hints": self.hints})
    }
}

/// Checks, rebuilds or repairs.
///
/// # Errors
/// A [`Failure`] when there is nothing to look at or it is in use. Damage is an answer: exit code 1.
pub fn run(args: &DoctorArgs, printer: &Printer) -> Outcome {
    let home = locate(args.home.data.as_deref());
    if !Ledger::exists(&home.ledger()) {
        let missing = LedgerError::Missing(home.ledger());
        return Err(Failure::of(Exit::Unusable, &missing, missing.hint()));
    }
    if args.repair {
        return repair(&home, args, printer);
    }
    if args.rebuild {
        return rebuild(&home, args, printer);
    }
    check(&home, args, printer)
}

fn check(home: &Home, args: &DoctorArgs, printer: &Printer) -> Outcome {
    let mut faults = Vec::new();
    let keys = keystore(home).and_then(|store| Ok(store.list()?.len()));
    let keys = note_fault(keys, &mut faults);
    note_fault(check_descriptor(home), &mut faults);
    let ledger = match check_ledger(home, printer) {
        Ok(report) => Some(report),
        Err(error) if is_in_use(&error) => return Err(in_use(&error)),
        Err(error) => {
            faults.push(ledger_fault(&error, home, args));
            None
        }
    };
    let report = ledger.map(|report| {
        json!({
            "blocks": report.blocks, "entries": report.entries, "log_bytes": report.log_bytes,
            "state_height": report.state_height, "state_keys": report.state_keys,
        })
    });
    if printer.is_json() {
        let faults_json: Vec<_> = faults.iter().map(Fault::json).collect();
        printer.json(&json!({
            "ok": faults.is_empty(), "data": home.dir(), "keys": keys, "ledger": report, "faults": faults_json,
        }))?;
    } else {
        if let Some(report) = &report {
            printer.data(format_args!(
                "ledger  {} blocks, {} entries, {} bytes of log, {} keys in the state: whole",
                report["blocks"], report["entries"], report["log_bytes"], report["state_keys"]
            ))?;
        }
        if let Some(keys) = keys {
            printer.data(format_args!("keys    {keys}: whole"))?;
        }
        for fault in &faults {
            printer.data(format_args!(
                "{} {}",
                printer.word(Tone::Bad, "damage "),
                fault.what
            ))?;
            fault
                .causes
                .iter()
                .try_for_each(|cause| printer.data(format_args!("        {cause}")))?;
        }
        if faults.is_empty() {
            printer.data(format_args!(
                "{} {}",
                printer.word(Tone::Good, "healthy"),
                home.dir().display()
            ))?;
        }
    }
    for fault in &faults {
        fault.hints.iter().for_each(|hint| printer.hint(hint));
    }
    Ok(if faults.is_empty() {
        Exit::Done
    } else {
        Exit::No
    })
}

fn note_fault<T>(result: Result<T, Failure>, faults: &mut Vec<Fault>) -> Option<T> {
    result
        .map_err(|failure| faults.push(Fault::of(failure)))
        .ok()
}

fn check_descriptor(home: &Home) -> Result<(), Failure> {
    let descriptor = network::load(&home.descriptor())?;
    let Ok(genesis) = Ledger::read_genesis(&home.ledger()) else {
        // The ledger's own check names it.
        return Ok(());
    };
    descriptor.check_genesis(&genesis).map_err(|error| {
        Failure::unusable(format!(
            "{} is not of this ledger",
            home.descriptor().display()
        ))
        .because(&error)
        .hint("remove it and write the answer of GET /v1/network of this node in its place")
    })
}

fn check_ledger(home: &Home, printer: &Printer) -> Result<doctor::Report, LedgerError> {
    let dir = home.ledger();
    let mut bar = printer.progress();
    let report = doctor::check(&dir, &mut |step, done, all| bar.update(step, done, all))?;
    // The tree is derived from the log, but proofs are cut from it: a flipped bit there would make bad receipts.
    let log = EntryLog::open(&dir.join("log"), LogOptions::default())?;
    let reader = log.reader();
    let tree = TreeStore::open(&dir.join("tree"), &reader)?;
    tree.reader().verify_all(&reader, |done, all| {
        bar.update("checking the log's tree", done, all)
    })?;
    Ok(report)
}

fn is_in_use(error: &LedgerError) -> bool {
    use stele_ledger::state::StateError;
    matches!(
        error,
        LedgerError::Log(LogError::Locked { .. }) | LedgerError::State(StateError::Locked { .. })
    )
}

fn in_use(error: &LedgerError) -> Failure {
    Failure::of(
        Exit::Unusable,
        error,
        Some("stop the node that uses this folder, then run this again"),
    )
}

/// The fault with its hints, which name the folder where it is not the usual one.
fn ledger_fault(error: &LedgerError, home: &Home, args: &DoctorArgs) -> Fault {
    let hint = match error {
        LedgerError::Diverged { .. }
        | LedgerError::Log(_)
        | LedgerError::Tree(TreeError::Log(_)) => error.hint(),
        LedgerError::Tree(_) | LedgerError::State(_) => {
            Some("run `stele doctor --rebuild`: it follows from the log, which is whole")
        }
        _ => Some("restore the file from a backup"),
    };
    let mut fault = Fault::of(Failure::of(Exit::No, error, hint));
    if let LedgerError::Tree(_) = error {
        fault.what = format!("{}: {}", home.ledger().join("tree").display(), fault.what);
    }
    if args.home.data.is_some() {
        let here = format!("`stele doctor --data {}", home.dir().display());
        fault
            .hints
            .iter_mut()
            .for_each(|hint| *hint = hint.replace("`stele doctor", &here));
    }
    fault
}

fn rebuild(home: &Home, args: &DoctorArgs, printer: &Printer) -> Outcome {
    let blocks = match make_anew(home, printer) {
        Ok(blocks) => blocks,
        Err(error) if is_in_use(&error) => return Err(in_use(&error)),
        Err(error) => {
            let fault = ledger_fault(&error, home, args);
            let mut failure = Failure::no(fault.what);
            (failure.causes, failure.hints) = (fault.causes, fault.hints);
            return Err(failure);
        }
    };
    if printer.is_json() {
        printer.json(&json!({"ok": true, "data": home.dir(), "blocks_executed": blocks}))?;
    } else {
        printer.data(format_args!(
            "rebuilt tree and state from the log: {blocks} blocks executed"
        ))?;
    }
    Ok(Exit::Done)
}

/// Tree and state from the log. The read model goes: the node fills it again from the log at its next start.
fn make_anew(home: &Home, printer: &Printer) -> Result<u64, LedgerError> {
    let index = home.index();
    for ending in ["", "-wal", "-shm"] {
        let mut path = index.clone().into_os_string();
        path.push(ending);
        let path = PathBuf::from(path);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                let action = "remove";
                return Err(LedgerError::Io {
                    action,
                    path,
                    source,
                });
            }
            _ => {}
        }
    }
    let mut bar = printer.progress();
    doctor::rebuild(
        &home.ledger(),
        &Registry::standard(),
        &mut |step, done, all| bar.update(step, done, all),
    )
}

fn repair(home: &Home, args: &DoctorArgs, printer: &Printer) -> Outcome {
    let damage = match check_ledger(home, printer) {
        Ok(_) => {
            printer.note("nothing to repair: the ledger is whole");
            return check(home, args, printer);
        }
        Err(error) if is_in_use(&error) => return Err(in_use(&error)),
        Err(LedgerError::Log(error @ LogError::Damaged { .. })) => error,
        Err(LedgerError::Tree(_) | LedgerError::State(_) | LedgerError::Diverged { .. }) => {
            printer.note("the log is whole; tree and state are made anew from it");
            return rebuild(home, args, printer);
        }
        Err(error) => return Err(Failure::of(Exit::No, &error, error.hint())),
    };
    printer.note(&damage);
    printer.note(
        "A repair keeps the blocks before the damage and sets the rest aside in files that end in .damaged.\n\
         Final entries are lost by it, unless a backup or another node has them.",
    );
    if !args.yes && !asked("Repair now? [y/N] ") {
        return Err(
            Failure::no("nothing was changed").hint("add --yes to repair without being asked")
        );
    }
    let cut = cut_damaged(&home.ledger().join("log"), &LogOptions::default())
        .map_err(LedgerError::from)?;
    let executed = make_anew(home, printer)?;
    if printer.is_json() {
        printer.json(&json!({
            "ok": true, "data": home.dir(), "blocks": cut.blocks, "entries": cut.entries,
            "set_aside": cut.set_aside, "blocks_executed": executed,
        }))?;
    } else {
        printer.data(format_args!(
            "kept {} blocks with {} entries, all of them verified",
            cut.blocks, cut.entries
        ))?;
        cut.set_aside
            .iter()
            .try_for_each(|file| printer.data(format_args!("set aside {}", file.display())))?;
        printer.data(format_args!(
            "rebuilt tree and state: {executed} blocks executed"
        ))?;
    }
    Ok(Exit::Done)
}

/// Asks a person; without one the answer is no.
fn asked(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    let mut err = io::stderr().lock();
    let _ = write!(err, "{question}").and_then(|()| err.flush());
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
