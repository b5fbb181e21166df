//! `stele snapshot`: a ledger as of one certified block, in a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use stele_ledger::ledger::{Certifier, Ledger, LedgerError, LedgerOptions, Uncertified};
use stele_ledger::snapshot::{
    SnapshotError, SnapshotSink, SnapshotSource, adopt, holds_block_zero_alone, restore, staging,
};
use stele_node::{Home, descriptor_json};
use stele_registers::Registry;

use super::write_file;
use crate::cli::{SnapshotArgs, SnapshotWhat};
use crate::failure::{Exit, Failure, Outcome};
use crate::home::{connect, locate};
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
        SnapshotWhat::Fetch { network, node } => {
            fetch(&home, &node.url, network.as_deref(), printer)
        }
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

/// How often a chunk that came damaged is asked for.
const TRIES: u32 = 3;

fn fetch(home: &Home, url: &str, descriptor: Option<&Path>, printer: &Printer) -> Outcome {
    let own = home.descriptor();
    let descriptor = network::load(descriptor.unwrap_or(&own))?;
    let dir = home.ledger();
    let (target, fresh) = target_of(&dir)?;
    let client = connect(url, None, printer)?;
    if !Ledger::exists(&target) {
        let offered = client.get_json("/v1/snapshot")?;
        let id = offered["id"].as_str().unwrap_or_default().to_owned();
        let manifest = client.get_bytes(&format!("/v1/snapshot/{id}/manifest"))?;
        let mut sink = SnapshotSink::begin(&target, descriptor.network, &manifest)
            .map_err(|error| failure(&error))?;
        let missing: Vec<u32> = sink.missing().collect();
        let all = u64::from(sink.manifest().chunk_count());
        let mut bar = printer.progress();
        for (index, left) in missing.iter().zip((1..=missing.len() as u64).rev()) {
            bar.update("fetching", all - left, all);
            let path = format!("/v1/snapshot/{id}/chunks/{index}");
            let mut tries = 0;
            while let Err(error) = sink.put(*index, &client.get_bytes(&path)?) {
                tries += 1;
                if !error.blames_sender() || tries == TRIES {
                    return Err(failure(&error));
                }
            }
        }
        let finished = sink.finish(&mut |step, done, all| bar.update(step, done, all));
        finished.map_err(|error| failure(&error))?;
    }
    if fresh {
        adopt(&dir).map_err(|error| failure(&error))?;
    }
    let height = client.get_json("/v1/network")?["head"]["height"].clone();
    if printer.is_json() {
        printer.json(&json!({"data": home.dir(), "ledger": dir, "height_of_node": height}))?;
    } else {
        printer.data(format_args!(
            "The ledger is ready in {}. The node takes up the blocks after it when it starts:\n  stele up --data {}",
            dir.display(),
            home.dir().display()
        ))?;
    }
    Ok(Exit::Done)
}

/// Where a snapshot is restored for the ledger in `dir`, and whether one of block 0 alone is there already.
fn target_of(dir: &Path) -> Result<(PathBuf, bool), Failure> {
    let fresh = Ledger::exists(dir);
    if fresh && !holds_block_zero_alone(dir).map_err(|error| failure(&error))? {
        let what = "a ledger of more than block 0";
        let dir = dir.to_owned();
        return Err(failure(&SnapshotError::Occupied { dir, what }));
    }
    let target = if fresh { staging(dir) } else { dir.to_owned() };
    Ok((target, fresh))
}

fn restore_into(home: &Home, file: &Path, descriptor: Option<&Path>, printer: &Printer) -> Outcome {
    let source = SnapshotSource::open(file).map_err(|error| failure(&error))?;
    let own = home.descriptor();
    let descriptor = network::load(descriptor.unwrap_or(&own))?;
    let dir = home.ledger();
    let (target, fresh) = target_of(&dir)?;
    let mut bar = printer.progress();
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
