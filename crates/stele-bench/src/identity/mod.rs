//! `stele bench identity`: enrolling identities by the roll, resolving them with proofs, and credentials with their status.
//!
//! Four fifths of the identities are persons' anchors, the rest devices. Each roll is one signed entry that goes through the whole ledger; the
//! resolutions are those of a fresh process that opened what was filled.

mod credentials;
mod disclosure;
mod rolls;

use std::path::PathBuf;

pub use rolls::{Probe, probe};

use crate::ledger::BenchError;
use crate::machine::Machine;
use crate::report::Report;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the register is made; a folder below it is used and removed.
    pub dir: PathBuf,
    /// How many identities are enrolled.
    pub identities: u64,
    /// How many credentials are issued and verified.
    pub credentials: usize,
    /// How often two of ten claims are disclosed, and how often that is verified.
    pub disclosures: usize,
    /// This program with the arguments that make it call [`probe`]; the folder is appended. Without it what a fresh process does is
    /// not measured.
    pub probe_command: Option<Vec<String>>,
    /// The commit, if known.
    pub commit: String,
}

/// Runs the benchmark; `tell` hears the step, what is done and all.
///
/// # Errors
/// [`BenchError`].
pub fn run(options: &Options, tell: &mut dyn FnMut(&str, u64, u64)) -> Result<Report, BenchError> {
    std::fs::create_dir_all(&options.dir)
        .map_err(|error| BenchError::Folder(options.dir.clone(), error))?;
    let dir = tempfile::Builder::new()
        .prefix("stele-bench-")
        .tempdir_in(&options.dir);
    let dir = dir.map_err(|error| BenchError::Folder(options.dir.clone(), error))?;
    let mut figures = credentials::measure(options.credentials, tell)?;
    figures.extend(disclosure::measure(options.disclosures, tell)?);
    figures.extend(rolls::measure(options, dir.path(), tell)?);
    Ok(Report {
        bench: "identity",
        machine: Machine::look(dir.path()),
        commit: options.commit.clone(),
        figures,
    })
}
