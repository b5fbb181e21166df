//! `stele snapshot`: a ledger as of one certified block, in a file.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use stele_ledger::ledger::{Certifier, Ledger, LedgerError, LedgerOptions, Uncertified};
use stele_ledger::snapshot::{
    SnapshotError, SnapshotSource, adopt, holds_block_zero_alone, restore, staging,
};
use stele_node::{Home, descriptor_json};
use stele_registers::Registry;

use super::write_file;
use crate::cli::{SnapshotArgs, SnapshotWhat};
use crate::failure::{Exit, Failure, Outcome};
use crate::home::locate;
use crate::network;
use crate::printer::{Printer, clean};

/// Runs `snapshot`.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &SnapshotArgs, printer: &Printer) -> Outcome {
    let home = locate(args.home.data.as_deref());
    match &args.what {
        SnapshotWhat::Create { file } => create(&home, file, printer),
        SnapshotWhat::Show { file } => show(file, printer),
        SnapshotWhat::Restore { file, network } => {
            restore_into(&home, file, network.as_deref(), printer)
        }
    }
}

/// A ledger that is opened to be read signs nothing.
pub(super) struct Nobody;

impl Certifier for Nobody {
    fn certify(&self, _: Uncertified) {}
}

fn create(home: &Home, file: &Path, printer: &Printer) -> Outcome {
    let machine = Arc::new(Registry::standard());
    let options = LedgerOptions::default();
    let ledger = Ledger::open_network(&home.ledger(), machine, Arc::new(Nobody), options)
        .map_err(|error| in_use_or(&error))?;
    let source = ledger
        .export_snapshot(file)
        .map_err(|error| failure(&error))?;
    say(&source, "wrote", printer)
}

fn show(file: &Path, printer: &Printer) -> Outcome {
    let source = SnapshotSource::open(file).map_err(|error| failure(&error))?;
    let manifest = source.manifest();
    let of_itself = manifest.genesis.network_id();
    manifest
        .verify(of_itself)
        .map_err(|error| failure(&error))?;
    let mut bar = printer.progress();
    for index in 0..manifest.chunk_count() {
        source.chunk(index).map_err(|error| failure(&error))?;
        bar.update(
            "reading the chunks",
            u64::from(index) + 1,
            u64::from(manifest.chunk_count()),
        );
    }
    drop(bar);
    say(&source, "whole", printer)
}

fn restore_into(home: &Home, file: &Path, descriptor: Option<&Path>, printer: &Printer) -> Outcome {
    let source = SnapshotSource::open(file).map_err(|error| failure(&error))?;
    let own = home.descriptor();
    let descriptor = network::load(descriptor.unwrap_or(&own))?;
    let dir = home.ledger();
    let fresh = Ledger::exists(&dir);
    if fresh && !holds_block_zero_alone(&dir).map_err(|error| failure(&error))? {
        let what = "a ledger of more than block 0";
        return Err(failure(&SnapshotError::Occupied { dir, what }));
    }
    let mut bar = printer.progress();
    let target = if fresh { staging(&dir) } else { dir.clone() };
    if !Ledger::exists(&target) {
        restore(
            &target,
            descriptor.network,
            &source,
            &mut |step, done, all| {
                bar.update(step, done, all);
            },
        )
        .map_err(|error| failure(&error))?;
    }
    drop(bar);
    if fresh {
        adopt(&dir).map_err(|error| failure(&error))?;
    }
    if !own.exists() {
        let text = format!("{:#}\n", descriptor_json(&source.manifest().genesis));
        write_file(&own, text.as_bytes(), false)?;
    }
    say(&source, "restored", printer)
}

fn say(source: &SnapshotSource, done: &str, printer: &Printer) -> Outcome {
    let manifest = source.manifest();
    let header = &manifest.certificate.header;
    let facts: Json = json!({
        "file": source.path(), "id": hex::encode(manifest.id()), "network_id": header.network.to_string(),
        "height": header.height.get(), "time": header.time.get(), "entries": header.tree_size.get(), "keys": manifest.keys,
        "first_block": manifest.first_block().get(), "bytes": manifest.bytes(), "chunks": manifest.chunk_count(),
    });
    if printer.is_json() {
        printer.json(&facts)?;
    } else {
        printer.data(format_args!(
            "{done}  block {} of \"{}\": {} entries, {} keys in the state, blocks from {} on, {} bytes",
            facts["height"],
            clean(&manifest.genesis.name),
            facts["entries"],
            facts["keys"],
            facts["first_block"],
            facts["bytes"]
        ))?;
    }
    Ok(Exit::Done)
}

fn failure(error: &SnapshotError) -> Failure {
    match error {
        SnapshotError::Ledger(error) => in_use_or(error),
        SnapshotError::Refused { .. }
        | SnapshotError::WrongNetwork { .. }
        | SnapshotError::Chunk { .. }
        | SnapshotError::NotASnapshot { .. } => Failure::of(Exit::No, error, error.hint()),
        _ => Failure::of(Exit::Unusable, error, error.hint()),
    }
}

fn in_use_or(error: &LedgerError) -> Failure {
    Failure::of(Exit::Unusable, error, error.hint())
}
