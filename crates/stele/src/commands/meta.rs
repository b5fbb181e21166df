//! `stele completions`, `stele man` and `stele version`: the program about itself.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;
use stele_core::receipt::RECEIPT_FORMAT;
use stele_core::suite::Suite;
use stele_registers::Registry;

use crate::cli::Cli;
use crate::failure::{Exit, Failure, Outcome};
use crate::printer::Printer;

/// The completion script of a shell.
///
/// # Errors
/// A [`Failure`] when stdout takes no more.
pub fn completions(shell: Shell, printer: &Printer) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "stele", &mut script);
    printer.bytes(&script)?;
    Ok(Exit::Done)
}

/// The manual page, or all pages as files.
///
/// # Errors
/// A [`Failure`] when a file cannot be written.
pub fn man(dir: Option<&Path>, printer: &Printer) -> Outcome {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| {
                Failure::unusable("could not write the manual page").because(&error)
            })?;
        printer.bytes(&page)?;
        return Ok(Exit::Done);
    };
    fs::create_dir_all(dir).map_err(Failure::io("create", dir))?;
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, dir).map_err(Failure::io("write manual pages into", dir))?;
    let mut pages = Vec::new();
    for entry in fs::read_dir(dir).map_err(Failure::io("list", dir))? {
        let name = entry.map_err(Failure::io("list", dir))?.file_name();
        pages.extend(
            name.to_str()
                .filter(|name| name.starts_with("stele") && name.ends_with(".1"))
                .map(str::to_owned),
        );
    }
    pages.sort();
    if printer.is_json() {
        printer.json(&json!({"folder": dir, "pages": pages}))?;
    } else {
        pages
            .iter()
            .try_for_each(|page| printer.data(dir.join(page).display()))?;
    }
    Ok(Exit::Done)
}

/// The version, and the formats, suites and registers that this program knows.
///
/// # Errors
/// A [`Failure`] when stdout takes no more.
pub fn version(printer: &Printer) -> Outcome {
    let registry = Registry::standard();
    let registers: Vec<_> = registry
        .registers()
        .map(|register| format!("{}@{}", register.name(), register.version()))
        .collect();
    let suites: Vec<_> = Suite::ALL.iter().map(|suite| suite.name()).collect();
    if printer.is_json() {
        printer.json(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "formats": [RECEIPT_FORMAT, "stele-network/1", "stele-key/1"],
            "suites": suites,
            "registers": registers,
        }))?;
    } else {
        printer.data(format_args!("stele {}", env!("CARGO_PKG_VERSION")))?;
        printer.data(format_args!(
            "formats    {RECEIPT_FORMAT}, stele-network/1, stele-key/1"
        ))?;
        printer.data(format_args!("suites     {}", suites.join(", ")))?;
        printer.data(format_args!("registers  {}", registers.join(", ")))?;
    }
    Ok(Exit::Done)
}
