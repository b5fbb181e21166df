//! `stele archive`: old segments of the log leave the hot folder.

use std::sync::Arc;

use serde_json::json;
use stele_ledger::ledger::{Ledger, LedgerOptions};
use stele_registers::Registry;

use super::snapshot::Nobody;
use super::up::absolute;
use crate::cli::ArchiveArgs;
use crate::failure::{Exit, Outcome};
use crate::home::locate;
use crate::printer::Printer;

/// Moves what can be moved.
///
/// # Errors
/// A [`crate::failure::Failure`]; what was moved before stays moved.
pub fn run(args: &ArchiveArgs, printer: &Printer) -> Outcome {
    let home = locate(args.home.data.as_deref());
    let mut options = LedgerOptions::default();
    options.log.archive_dir = args.archive_dir.as_deref().map(absolute).transpose()?;
    let machine = Arc::new(Registry::standard());
    let ledger = Ledger::open_network(&home.ledger(), machine, Arc::new(Nobody), options)?;
    let moved = ledger.archive(args.keep)?;
    let status = ledger.log().archive();
    if printer.is_json() {
        printer.json(&json!({
            "data": home.dir(), "archive": status.dir, "moved": moved, "segments": status.segments, "blocks": status.blocks,
            "entries": status.entries, "bytes": status.bytes,
        }))?;
    } else {
        printer.data(format_args!(
            "moved {moved} segments; {} holds {} with {} blocks, {} entries, {} bytes",
            status.dir.display(),
            status.segments,
            status.blocks,
            status.entries,
            status.bytes
        ))?;
    }
    Ok(Exit::Done)
}
