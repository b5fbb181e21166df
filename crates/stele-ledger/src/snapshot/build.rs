//! Making a ledger of a snapshot, and checking every part of it against the certificates on the way.

use std::path::Path;

use rayon::prelude::*;
use stele_core::block::{Certificate, Outcome, Record};
use stele_core::id::{BlockHash, Hash, Height, LogIndex, sha256};
use stele_core::merkle::{Frontier, leaf_hash};
use stele_core::state_proof::state_path;
use stele_core::suite::PublicKey;

use super::body::{BodyReader, Chunks, OwnedKey, RawBlock};
use super::manifest::SnapshotManifest;
use super::sink::remove_folder;
use super::{Part, Progress, SnapshotError};
use crate::ledger::{decode_item, write_genesis};
use crate::log::{EntryLog, LogBase, LogOptions};
use crate::state::{Change, State, StateOptions};

/// Keys are added to the state in batches of so many bytes.
const BATCH_BYTES: usize = 8 << 20;
/// Blocks are checked together until they have so many bytes.
const BLOCKS_BYTES: usize = 16 << 20;
/// And at most so many.
const BLOCKS_MAX: usize = 1024;

/// Makes log and state in `dir` and, once both are durable and right, the genesis, which makes them a ledger.
pub(super) fn build(
    dir: &Path,
    manifest: &SnapshotManifest,
    chunks: &dyn Chunks,
    progress: Progress<'_>,
) -> Result<(), SnapshotError> {
    for name in ["log", "state", "tree"] {
        remove_folder(&dir.join(name))?;
    }
    let mut body = BodyReader::new(manifest, chunks);
    build_state(&dir.join("state"), manifest, &mut body, progress)?;
    build_log(&dir.join("log"), manifest, &mut body, progress)?;
    Ok(write_genesis(dir, &manifest.genesis)?)
}

fn build_state(
    dir: &Path,
    manifest: &SnapshotManifest,
    body: &mut BodyReader<'_>,
    progress: Progress<'_>,
) -> Result<(), SnapshotError> {
    let refused = |reason: &str| Err(SnapshotError::refused(Part::State, reason));
    let state = State::create(dir, StateOptions::default())?;
    let mut batch: Vec<([u8; 32], OwnedKey)> = Vec::new();
    let (mut bytes, mut last) = (0, None);
    progress("loading the state", 0, manifest.keys);
    for done in 0..manifest.keys {
        let key = body.key()?;
        let path = state_path(&key.register, &key.key);
        if last.is_some_and(|last| last >= path) {
            return refused("its keys are out of order");
        }
        last = Some(path);
        bytes += key.key.len() + key.value.len() + 100;
        batch.push((path, key));
        if bytes >= BATCH_BYTES {
            load(&state, &batch)?;
            batch.clear();
            bytes = 0;
            progress("loading the state", done + 1, manifest.keys);
        }
    }
    load(&state, &batch)?;
    if body.done != manifest.state_bytes {
        return refused("it has another length than the manifest says");
    }
    if state.root() != *manifest.certificate.header.state_root.as_bytes() {
        return refused("it does not have the root that the block certifies");
    }
    state.finish_load(manifest.height().get())?;
    progress("loading the state", manifest.keys, manifest.keys);
    Ok(())
}

fn load(state: &State, batch: &[([u8; 32], OwnedKey)]) -> Result<(), SnapshotError> {
    let changes: Vec<_> = batch
        .iter()
        .map(|(path, key)| Change {
            path: *path,
            register: &key.register,
            key: &key.key,
            value: Some(&key.value),
        })
        .collect();
    state.load(&changes)?;
    Ok(())
}

fn build_log(
    dir: &Path,
    manifest: &SnapshotManifest,
    body: &mut BodyReader<'_>,
    progress: Progress<'_>,
) -> Result<(), SnapshotError> {
    let options = LogOptions::default();
    let limits = options.limits;
    let mut log = match &manifest.base {
        None => EntryLog::open(dir, options)?,
        Some(base) => EntryLog::create_from_base(
            dir,
            &LogBase {
                height: base.certificate.header.height,
                header: base.certificate.encode(),
                edge: base.edge.clone(),
            },
            options,
        )?,
    };
    let mut chain = Chain::after(manifest);
    let (first, last) = (manifest.first_block(), manifest.height());
    let all = last.get() - first.get() + 1;
    let mut next = first;
    progress("checking the blocks", 0, all);
    while next <= last {
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        while next <= last && blocks.len() < BLOCKS_MAX && bytes < BLOCKS_BYTES {
            let before = body.done;
            blocks.push(body.block(&limits)?);
            bytes += (body.done - before) as usize;
            next = next.next();
        }
        let key = &manifest.genesis.network_key;
        let checked: Vec<_> = blocks
            .par_iter()
            .map(|block| check_block(block, key))
            .collect::<Result<_, _>>()?;
        for (block, (certificate, leaves)) in blocks.iter().zip(checked) {
            chain.extend(&certificate, &leaves)?;
            let height = certificate.header.height;
            log.append(height, &block.certificate, &block.items, &block.records)?;
        }
        log.sync()?;
        progress("checking the blocks", next.get() - first.get(), all);
    }
    let refused = |part, reason: &str| Err(SnapshotError::refused(part, reason));
    if body.done != manifest.bytes() {
        return refused(
            Part::Blocks,
            "they have another length than the manifest says",
        );
    }
    if chain.last.as_ref() != Some(&manifest.certificate) {
        return refused(
            Part::Blocks,
            "the last one is not the block that the snapshot is of",
        );
    }
    Ok(())
}

/// What has to follow on what.
struct Chain {
    last: Option<Certificate>,
    frontier: Frontier,
}

impl Chain {
    fn after(manifest: &SnapshotManifest) -> Self {
        match &manifest.base {
            None => Self {
                last: None,
                frontier: Frontier::new(),
            },
            Some(base) => Self {
                last: Some(base.certificate.clone()),
                frontier: base.edge.frontier(),
            },
        }
    }

    fn extend(
        &mut self,
        certificate: &Certificate,
        leaves: &[[u8; 32]],
    ) -> Result<(), SnapshotError> {
        let header = &certificate.header;
        let (height, previous, time) = match &self.last {
            None => (Height::new(0), BlockHash::from_bytes([0; 32]), header.time),
            Some(last) => (
                last.header.height.next(),
                last.block_hash(),
                last.header.time,
            ),
        };
        leaves.iter().for_each(|leaf| self.frontier.push(*leaf));
        let root = Hash::from_bytes(self.frontier.root());
        let fault = if header.height != height || header.previous != previous || header.time < time
        {
            "does not follow the block before it"
        } else if header.tree_size != LogIndex::new(self.frontier.size())
            || certificate.log_root != root
        {
            "certifies another log root than that of the records"
        } else {
            self.last = Some(certificate.clone());
            return Ok(());
        };
        let reason = format!("block {height} {fault}");
        Err(SnapshotError::refused(Part::Blocks, reason))
    }
}

/// Checks what a block says of itself: the signature, and that each entry and its events are those of its record.
fn check_block(
    block: &RawBlock,
    key: &PublicKey,
) -> Result<(Certificate, Vec<[u8; 32]>), SnapshotError> {
    let refused = |reason: String| SnapshotError::refused(Part::Blocks, reason);
    let certificate =
        Certificate::decode(&block.certificate).map_err(|error| refused(error.to_string()))?;
    let height = certificate.header.height;
    if let Err(error) = certificate.verify(key) {
        let reason = format!("the certificate of block {height} does not verify: {error}");
        return Err(refused(reason));
    }
    for (item, record) in block.items.iter().zip(&block.records) {
        let record = Record::decode(record).map_err(|error| refused(error.to_string()))?;
        let (entry, events) =
            decode_item(item, height).map_err(|error| refused(error.to_string()))?;
        let events_are_right = match record.outcome {
            Outcome::Applied { events_hash } => sha256(&[&events]) == events_hash,
            // An entry that was refused made nothing happen: an empty list.
            Outcome::Refused { .. } => events == [0x80],
        };
        if record.entry_id != entry.id()
            || record.envelope_hash != entry.envelope_hash()
            || record.height != height
            || !events_are_right
        {
            let reason = format!("an entry of block {height} is not the one of its record");
            return Err(refused(reason));
        }
    }
    let leaves = block.records.iter().map(|record| leaf_hash(record));
    Ok((certificate, leaves.collect()))
}
