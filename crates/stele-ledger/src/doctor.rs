//! Looking at a ledger on disk, and making anew what the log can give back.
//!
//! [`check`] changes nothing. [`rebuild`] throws away the tree and the state and makes both from the log.

use std::ops::ControlFlow;
use std::path::Path;

use stele_core::block::Certificate;
use stele_core::id::{BlockHash, Height, LogIndex};
use stele_core::machine::StateMachine;
use stele_core::merkle;
use stele_core::state_proof::state_path;

use crate::ledger::{Ledger, LedgerError, certificate_at, check_network, execute_again};
use crate::log::{EntryLog, LogOptions, LogReader, TreeStore};
use crate::state::{State, StateOptions};

/// What was looked at and found whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Blocks whose checksums, signatures, order and roots are right.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// The height of the state on disk.
    pub state_height: Option<u64>,
    /// Keys in it.
    pub state_keys: u64,
}

/// A step of the work, for progress bars: what is being done, how much is done, how much there is.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// Checks everything: each checksum of the log, each certificate and its chain, the Merkle root after every block, each hash of the
/// tree's files, and the root and each value of the state on disk. The ledger must not be open.
///
/// It changes nothing but what every opening does: a torn, never final end is cut, and what lags is brought up.
///
/// # Errors
/// The first fault, naming file or block.
pub fn check(dir: &Path, progress: Progress<'_>) -> Result<Report, LedgerError> {
    let genesis = Ledger::read_genesis(dir)?;
    let log = EntryLog::open(&dir.join("log"), LogOptions::default())?;
    let reader = log.reader();
    let verified = reader.verify_all(|done, all| progress("reading the log", done, all))?;
    // Before the certificates: with a damaged genesis it may be the key that is wrong, not they.
    if verified.blocks > 0 {
        check_network(dir, &genesis, &newest_certificate(&reader)?)?;
    }
    check_chain(&reader, &genesis.network_key, progress)?;
    let tree = TreeStore::open(&dir.join("tree"), &reader)?;
    tree.reader().verify_all(&reader, |done, all| {
        progress("comparing the log's tree", done, all);
    })?;
    let height_max = Some(reader.blocks_count().saturating_sub(1));
    let (state, report) = State::open(
        &dir.join("state"),
        StateOptions {
            height_max,
            ..StateOptions::default()
        },
    )?;
    if let Some(height) = report.height {
        let certificate = certificate_at(&reader, Height::new(height))?;
        if *certificate.header.state_root.as_bytes() != state.root() {
            return Err(LedgerError::Diverged {
                height: Height::new(height),
                what: "state root",
            });
        }
    }
    check_values(dir, &state, progress)?;
    Ok(Report {
        blocks: verified.blocks,
        entries: verified.entries,
        log_bytes: verified.bytes,
        state_height: report.height,
        state_keys: state.len(),
    })
}

/// Reads each value of the state and compares it with its hash, and the key beside it with its path.
fn check_values(dir: &Path, state: &State, progress: Progress<'_>) -> Result<(), LedgerError> {
    let (mut done, all) = (0, state.len());
    let mut misplaced = None;
    state.scan(|pair| {
        if state_path(pair.register, pair.key) != *pair.path {
            misplaced = Some(format!(
                "key {} of register {} is not the one of its path",
                hex::encode(pair.key),
                pair.register
            ));
            return ControlFlow::Break(());
        }
        done += 1;
        progress("reading the state's values", done, all);
        ControlFlow::Continue(())
    })?;
    match misplaced {
        None => Ok(()),
        Some(reason) => Err(LedgerError::Damaged {
            what: dir.join("state").display().to_string(),
            reason,
        }),
    }
}

/// The newest certificate: it is never in the archive.
fn newest_certificate(log: &LogReader) -> Result<Certificate, LedgerError> {
    certificate_at(log, Height::new(log.blocks_count() - 1))
}

fn check_chain(
    log: &LogReader,
    key: &stele_core::suite::PublicKey,
    progress: Progress<'_>,
) -> Result<(), LedgerError> {
    let all = log.blocks_count();
    let mut frontier = merkle::Frontier::new();
    let mut previous: Option<Certificate> = None;
    if let Some(base) = log.base() {
        let certificate = certificate_at(log, base.height)?;
        frontier = base.edge.frontier();
        let right = certificate.verify(key).is_ok()
            && certificate.header.height == base.height
            && certificate.header.tree_size == base.first_index()
            && *certificate.log_root.as_bytes() == frontier.root();
        if !right {
            return Err(LedgerError::Damaged {
                what: "the log's base".to_owned(),
                reason: "it is not what the network certified".to_owned(),
            });
        }
        previous = Some(certificate);
    }
    for block in log.blocks(log.first_height()) {
        let block = block?;
        let height = block.height();
        let certificate = certificate_at(log, height)?;
        block
            .items()
            .for_each(|(_, record)| frontier.push(merkle::leaf_hash(record)));
        let header = &certificate.header;
        let (hash_before, time_before) = match &previous {
            Some(previous) => (previous.block_hash(), previous.header.time),
            None => (BlockHash::from_bytes([0; 32]), header.time),
        };
        let fault = if certificate.verify(key).is_err() {
            Some("its signature is not the network's")
        } else if header.height != height || header.previous != hash_before {
            Some("it does not follow the block before it")
        } else if header.time < time_before {
            Some("its time is before that of the block before it")
        } else if header.tree_size != LogIndex::new(frontier.size())
            || *certificate.log_root.as_bytes() != frontier.root()
        {
            Some("its log root is not that of the records")
        } else {
            None
        };
        if let Some(reason) = fault {
            let what = format!("the certificate of block {height}");
            return Err(LedgerError::Damaged {
                what,
                reason: reason.to_owned(),
            });
        }
        progress("checking certificates", height.get() + 1, all);
        previous = Some(certificate);
        if height.get() + 1 == all {
            break;
        }
    }
    Ok(())
}

/// Makes tree and state anew from the log. The ledger must not be open. Returns how many blocks were executed. Where the log began
/// with a snapshot, the state on disk is kept, checked and brought up.
///
/// # Errors
/// [`LedgerError::Diverged`] when execution gives another result than the log records.
pub fn rebuild(
    dir: &Path,
    machine: &dyn StateMachine,
    progress: Progress<'_>,
) -> Result<u64, LedgerError> {
    let genesis = Ledger::read_genesis(dir)?;
    let log = EntryLog::open(&dir.join("log"), LogOptions::default())?;
    let reader = log.reader();
    if reader.blocks_count() > 0 {
        check_network(dir, &genesis, &newest_certificate(&reader)?)?;
    }
    let mut tree = TreeStore::rebuild(&dir.join("tree"), &reader, |done, all| {
        progress("computing the log's tree", done, all)
    })?;
    tree.flush()?;
    let state_dir = dir.join("state");
    let Some(last) = reader.blocks_count().checked_sub(1) else {
        State::destroy(&state_dir)?;
        return Ok(0);
    };
    let (state, from) = match reader.base() {
        None => {
            State::destroy(&state_dir)?;
            (State::create(&state_dir, StateOptions::default())?, 0)
        }
        // The log does not reach back to block 0, so the state at hand has to be right as far as it goes.
        Some(base) => open_certified(&state_dir, &reader, last)?
            .ok_or(LedgerError::StateLost { base: base.height })?,
    };
    let step = |done, all| progress("executing blocks", done, all);
    let executed = execute_again(&state, &reader, &genesis, machine, from, last, step)?;
    state.checkpoint()?;
    Ok(executed)
}

/// The state on disk and the block that it lacks first, if it has the root that its block certifies.
fn open_certified(
    dir: &Path,
    log: &LogReader,
    last: u64,
) -> Result<Option<(State, u64)>, LedgerError> {
    let options = StateOptions {
        height_max: Some(last),
        ..StateOptions::default()
    };
    let Ok((state, report)) = State::open(dir, options) else {
        return Ok(None);
    };
    let Some(height) = report.height else {
        return Ok(None);
    };
    let certificate = certificate_at(log, Height::new(height))?;
    let right = *certificate.header.state_root.as_bytes() == state.root();
    Ok(right.then_some((state, height + 1)))
}
