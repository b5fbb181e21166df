//! `stele service`: public services as files.

use std::path::{Path, PathBuf};

use serde_json::json;
use stele_services::file::FILE_BYTES_MAX;
use stele_services::{Definition, Finding};

use super::read_input;
use crate::cli::{ServiceArgs, ServiceWhat};
use crate::failure::{Exit, Failure, Outcome};
use crate::printer::{Printer, Tone, clean};

/// Checks service files.
///
/// # Errors
/// A file that cannot be read. A file with findings is an answer: exit code 1.
pub fn run(args: &ServiceArgs, printer: &Printer) -> Outcome {
    match &args.what {
        ServiceWhat::Check { files } => check(files, printer),
    }
}

fn check(files: &[PathBuf], printer: &Printer) -> Outcome {
    let mut results = Vec::with_capacity(files.len());
    for file in files {
        let bytes = read_input(file, FILE_BYTES_MAX)?;
        let findings = stele_services::check(&bytes);
        if !printer.is_json() {
            say(file, &bytes, &findings, printer)?;
        }
        results.push((file, findings));
    }
    if printer.is_json() {
        let files = results.iter().map(|(file, findings)| {
            json!({"file": file, "ok": findings.is_empty(), "findings": findings})
        });
        printer.json(&files.collect())?;
    }
    let whole = results.iter().all(|(_, findings)| findings.is_empty());
    Ok(if whole { Exit::Done } else { Exit::No })
}

fn say(file: &Path, bytes: &[u8], findings: &[Finding], printer: &Printer) -> Result<(), Failure> {
    let name = clean(&file.display().to_string());
    if let Ok(definition) = Definition::read(bytes) {
        printer.data(format_args!(
            "{}  {name}: {}",
            printer.word(Tone::Good, "Good."),
            definition.document()
        ))?;
    }
    for finding in findings {
        printer.data(format_args!(
            "{}  {name}:{}: {}\n       {}",
            printer.word(Tone::Bad, finding.code),
            finding.line,
            clean(&finding.sentence),
            finding.hint
        ))?;
    }
    Ok(())
}
