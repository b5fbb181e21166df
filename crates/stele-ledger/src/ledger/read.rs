//! Reading and proving. Everything here is served from final blocks only, from any thread.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stele_core::block::{Certificate, Record, decode_events};
use stele_core::id::{Height, LogIndex};
use stele_core::machine::StateReader;
use stele_core::merkle;
use stele_core::receipt::{EntryClaim, Receipt, STATE_CLAIMS_MAX, StateClaim};
use stele_core::state_proof::state_path;

use super::open::{Ledger, certificate_at};
use super::recover::{decode_item, replayable_from};
use super::{Head, LedgerError, LoggedEntry, Threads};
use crate::log::{BlockFrame, LogReader, TreeReader};
use crate::state::{ProvenValue, StatePin};

/// How long a state receipt waits for the block whose root it uses.
const PROOF_WAIT: Duration = Duration::from_secs(10);

/// How often several keys are proven again because a block came in between.
const PROOF_ATTEMPTS_MAX: usize = 100;

/// Why a proof could not be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The log or the state could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// None or more than 64 state keys were asked for, or a key is not 1 to 255 bytes long.
    #[error("a receipt proves 1 to {STATE_CLAIMS_MAX} state keys of 1 to 255 bytes")]
    BadRequest,
    /// The state moved on too fast, or the node finalises no blocks now: it has halted, or its log waits for disk space.
    #[error("no final block has the state that was to be proven; try again")]
    Busy,
}

impl Ledger {
    /// The newest final block.
    pub fn head(&self) -> Head {
        self.shared.head.read().clone()
    }

    /// Waits until a block above `height` is final, or `timeout` has passed; returns the newest height.
    pub fn wait_above(&self, height: Height, timeout: Duration) -> Height {
        let (current, moved) = &self.shared.head_moved;
        let deadline = Instant::now() + timeout;
        let mut current = current.lock();
        while *current <= height.get() {
            if moved.wait_until(&mut current, deadline).timed_out() {
                break;
            }
        }
        Height::new(*current)
    }

    /// Calls `watcher` with each new head, on a thread of the ledger; it must not block.
    pub fn on_head(&self, watcher: impl Fn(&Head) + Send + Sync + 'static) {
        self.shared.watchers.lock().push(Box::new(watcher));
    }

    /// The log's reader.
    pub fn log(&self) -> &LogReader {
        &self.shared.log
    }

    /// The reader of the log's Merkle tree.
    pub fn tree(&self) -> &TreeReader {
        &self.shared.tree
    }

    /// The state of the newest executed block, which may be a moment ahead of the newest final one. Not for proofs.
    pub fn state(&self) -> &dyn StateReader {
        &*self.shared.state
    }

    /// How many keys the state holds.
    pub fn state_keys(&self) -> u64 {
        self.shared.state.len()
    }

    /// The certificate of a final block.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn certificate(&self, height: Height) -> Result<Certificate, LedgerError> {
        certificate_at(&self.shared.log, height)
    }

    /// A final entry.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn entry(&self, index: LogIndex) -> Result<LoggedEntry, LedgerError> {
        let found = self.shared.log.entry(index)?;
        logged(index, found.height, &found.entry, &found.record)
    }

    /// The first block whose entries could still be replayed after the block of `head`.
    pub(crate) fn replayable_from(&self, head: &Certificate) -> Result<Height, LedgerError> {
        replayable_from(&self.shared.log, head)
    }

    /// Pins the state of the newest executed block, which may be a few blocks ahead of the newest final one.
    pub(crate) fn pin_state(&self, scratch: &Path) -> Result<StatePin, LedgerError> {
        Ok(self.shared.state.pin(scratch)?)
    }

    /// Whether executed blocks become final without the caller's doing.
    pub(crate) fn moves_by_itself(&self) -> bool {
        self.shared.options.threads == Threads::Own && !self.shared.is_halted()
    }

    /// The entries of a block as the log keeps them.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn entries_of(&self, block: &BlockFrame) -> Result<Vec<LoggedEntry>, LedgerError> {
        let mut index = block.first_index();
        let mut entries = Vec::with_capacity(block.len());
        for (item, record) in block.items() {
            entries.push(logged(index, block.height(), item, record)?);
            index = index.next();
        }
        Ok(entries)
    }

    /// The receipt of a final entry under the certificate of its own block; the same bytes for ever.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn entry_receipt(&self, index: LogIndex, with_entry: bool) -> Result<Receipt, LedgerError> {
        let height = self.shared.log.entry(index)?.height;
        self.entry_receipt_at(index, height, with_entry)
    }

    /// The receipt of a final entry under the certificate of a later block, which covers it too: one that witnesses cosigned.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::Tree`] when the block does not cover the entry.
    pub fn entry_receipt_at(
        &self,
        index: LogIndex,
        height: Height,
        with_entry: bool,
    ) -> Result<Receipt, LedgerError> {
        let found = self.shared.log.entry(index)?;
        let certificate = self.certificate(height)?;
        let path = self
            .shared
            .tree
            .prove_inclusion(index.get(), certificate.header.tree_size.get())?;
        self.check_path(index, &found.record, &path, &certificate)?;
        let (entry, events) = decode_item(&found.entry, found.height)?;
        let record =
            Record::decode(&found.record).map_err(|error| damaged(found.height, &error))?;
        let applied = matches!(record.outcome, stele_core::block::Outcome::Applied { .. });
        Ok(Receipt {
            certificate,
            claim: Some(EntryClaim {
                leaf_index: index,
                path,
                record: found.record,
                events: (with_entry && applied).then_some(events),
            }),
            entry: with_entry.then(|| entry.into_bytes()),
            state: Vec::new(),
            witnesses: Vec::new(),
        })
    }

    /// The tree's files carry no checksums: a proof is given out only when it leads to the root that was signed.
    fn check_path(
        &self,
        index: LogIndex,
        record: &[u8],
        path: &[merkle::Hash],
        certificate: &Certificate,
    ) -> Result<(), LedgerError> {
        let size = certificate.header.tree_size.get();
        let root = certificate.log_root.as_bytes();
        merkle::verify_inclusion(&merkle::leaf_hash(record), index.get(), size, path, root).map_err(
            |error| LedgerError::Damaged {
                what: self.shared.dir.join("tree").display().to_string(),
                reason: format!("its proof of entry {index} is wrong: {error}"),
            },
        )
    }

    /// A receipt for state keys, present or absent, all under the state root of one final block.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn state_receipt(&self, keys: &[(&str, &[u8])]) -> Result<Receipt, ProofError> {
        let well_formed = keys.iter().all(|(_, key)| (1..=255).contains(&key.len()));
        if keys.is_empty() || keys.len() > STATE_CLAIMS_MAX || !well_formed {
            return Err(ProofError::BadRequest);
        }
        let paths: Vec<_> = keys
            .iter()
            .map(|(register, key)| state_path(register, key))
            .collect();
        let (height, proven) = self.prove_together(&paths)?;
        // The state may be a block or two ahead of the log: its certificate comes when that block is final.
        let deadline = Instant::now() + PROOF_WAIT;
        while self.head().height() < height {
            // A block that waits for disk space may wait for long, one of a halted node for ever.
            let blocked = self.shared.log_waits_for_space.load(Ordering::Relaxed);
            if blocked || self.shared.is_halted() || Instant::now() >= deadline {
                return Err(ProofError::Busy);
            }
            self.wait_above(self.head().height(), Duration::from_millis(100));
        }
        let claims = keys
            .iter()
            .zip(proven)
            .map(|((register, key), proven)| StateClaim {
                register: (*register).to_owned(),
                key: key.to_vec(),
                value: proven.value,
                proof: proven.proof,
            });
        Ok(Receipt {
            certificate: self.certificate(height)?,
            claim: None,
            entry: None,
            state: claims.collect(),
            witnesses: Vec::new(),
        })
    }

    /// Proofs of several paths under one root. A block may be applied in between; then all are proven again.
    fn prove_together(&self, paths: &[[u8; 32]]) -> Result<(Height, Vec<ProvenValue>), ProofError> {
        for _ in 0..PROOF_ATTEMPTS_MAX {
            let proven = paths
                .iter()
                .map(|path| self.shared.state.prove(path))
                .collect::<Result<Vec<_>, _>>();
            let proven = proven.map_err(LedgerError::from)?;
            if proven
                .windows(2)
                .all(|pair| pair[0].root == pair[1].root && pair[0].height == pair[1].height)
            {
                let height = proven[0]
                    .height
                    .expect("block 0 is in the state of an open ledger");
                return Ok((Height::new(height), proven));
            }
        }
        Err(ProofError::Busy)
    }
}

fn damaged(height: Height, reason: &dyn std::fmt::Display) -> LedgerError {
    LedgerError::Damaged {
        what: format!("a record of block {height}"),
        reason: reason.to_string(),
    }
}

fn logged(
    index: LogIndex,
    height: Height,
    item: &[u8],
    record: &[u8],
) -> Result<LoggedEntry, LedgerError> {
    let (entry, events) = decode_item(item, height)?;
    let record = Record::decode(record).map_err(|error| damaged(height, &error))?;
    let events = decode_events(&events).map_err(|error| damaged(height, &error))?;
    Ok(LoggedEntry {
        log_index: index,
        entry,
        record,
        events,
    })
}
