//! Bringing the state up to the log after a crash, or making it anew.
//!
//! The log is the truth. The state may lag behind it (it is not synced with each block) or run ahead of it (a block was executed
//! and its log write was lost); in both cases it is taken back to a block that the log has, and the blocks after it
//! are executed again. Each must give the records and the state root that the log holds.

use std::path::Path;

use stele_core::block::Certificate;
use stele_core::cbor::Decoder;
use stele_core::entry::{ENTRY_BYTES_MAX, Entry, WINDOW_MS_MAX};
use stele_core::genesis::Genesis;
use stele_core::id::{Height, TimeMs};
use stele_core::machine::{BlockContext, Fault, Overlay, StateChange, StateMachine, StateReader};
use stele_core::state_proof;

use super::execute::{apply, execute_entry};
use super::open::certificate_at;
use super::replay::ReplayWindow;
use super::{LedgerError, LedgerOptions};
use crate::log::{BlockFrame, LogReader};
use crate::state::{State, StateError, StateOptions};

struct NoState;

impl StateReader for State {
    fn get_path(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        Self::get(self, path).map_err(|error| Fault(error.to_string()))
    }
}

impl StateReader for NoState {
    fn get_path(&self, _: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }
}

/// The state that a genesis starts with, and its root.
pub(super) fn genesis_state(
    machine: &dyn StateMachine,
    genesis: &Genesis,
) -> Result<([u8; 32], Vec<StateChange>), LedgerError> {
    let mut overlay = Overlay::new(&NoState);
    machine
        .genesis(genesis, &mut overlay)
        .map_err(|halt| LedgerError::Genesis(halt.to_string()))?;
    overlay.commit_entry();
    let changes = overlay.into_changes();
    Ok((root_of(&changes), changes))
}

/// The root over a sorted set of leaves, by the definition of the tree.
fn root_of(changes: &[StateChange]) -> [u8; 32] {
    let leaves: Vec<_> = changes
        .iter()
        .filter_map(|change| {
            change
                .value
                .as_ref()
                .map(|value| (change.path, stele_core::id::sha256(&[value])))
        })
        .collect();
    subtree(&leaves, 0)
}

fn subtree(leaves: &[([u8; 32], [u8; 32])], depth: u16) -> [u8; 32] {
    match leaves {
        [] => state_proof::EMPTY,
        [(path, value_hash)] => state_proof::leaf_hash(path, value_hash),
        _ => {
            let split = leaves.partition_point(|(path, _)| {
                path[usize::from(depth / 8)] & (0x80 >> (depth % 8)) == 0
            });
            let (left, right) = leaves.split_at(split);
            state_proof::inner_hash(&subtree(left, depth + 1), &subtree(right, depth + 1))
        }
    }
}

/// Opens the state and executes again what it lacks. Returns how many blocks that were.
pub(super) fn open_state(
    dir: &Path,
    log: &LogReader,
    genesis: &Genesis,
    machine: &dyn StateMachine,
    head: &Certificate,
    options: &LedgerOptions,
) -> Result<(State, u64), LedgerError> {
    let dir = dir.join("state");
    let options = StateOptions {
        height_max: Some(head.header.height.get()),
        segment_bytes: options.state_segment_bytes,
        ..StateOptions::default()
    };
    let (state, report) = match State::open(&dir, options.clone()) {
        // A checkpoint of blocks that the log lost in a power cut. They were never final, and the state is made anew.
        // No manifest: this very step was cut short by a kill.
        Err(StateError::Ahead { .. } | StateError::NoManifest { .. }) => {
            check_reaches_back(log, 0)?;
            State::destroy(&dir)?;
            State::open(&dir, options)?
        }
        opened => opened?,
    };
    let from = match report.height {
        Some(height) => {
            check_root(&state, &certificate_at(log, Height::new(height))?)?;
            height + 1
        }
        None => 0,
    };
    let executed = execute_again(
        &state,
        log,
        genesis,
        machine,
        from,
        head.header.height.get(),
        |_, _| {},
    )?;
    Ok((state, executed))
}

/// A log that began with a snapshot cannot give a state that is older.
fn check_reaches_back(log: &LogReader, from: u64) -> Result<(), LedgerError> {
    match log.base() {
        Some(base) if from <= base.height.get() => {
            let base = base.height;
            Err(LedgerError::StateLost { base })
        }
        _ => Ok(()),
    }
}

/// Executes the blocks `from..=to` of the log over `state`. `progress` hears the height done and the last one.
pub(crate) fn execute_again(
    state: &State,
    log: &LogReader,
    genesis: &Genesis,
    machine: &dyn StateMachine,
    from: u64,
    to: u64,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64, LedgerError> {
    if from > to {
        return Ok(0);
    }
    check_reaches_back(log, from)?;
    for block in log.blocks(Height::new(from)) {
        let block = block?;
        let height = block.height();
        if height.get() > to {
            break;
        }
        let certificate = certificate_at(log, height)?;
        if height == Height::new(0) {
            let (_, changes) = genesis_state(machine, genesis)?;
            apply(state, height, &changes)?;
        } else {
            execute_block(state, machine, &certificate, &block)?;
        }
        check_root(state, &certificate)?;
        progress(height.get(), to);
    }
    Ok(to + 1 - from)
}

fn check_root(state: &State, certificate: &Certificate) -> Result<(), LedgerError> {
    if state.root() == *certificate.header.state_root.as_bytes() {
        return Ok(());
    }
    Err(LedgerError::Diverged {
        height: certificate.header.height,
        what: "state root",
    })
}

fn execute_block(
    state: &State,
    machine: &dyn StateMachine,
    certificate: &Certificate,
    block: &BlockFrame,
) -> Result<(), LedgerError> {
    let header = &certificate.header;
    let context = BlockContext {
        network: header.network,
        height: header.height,
        time: header.time,
    };
    let mut overlay = Overlay::new(state);
    for (item, record) in block.items() {
        let (entry, events) = decode_item(item, header.height)?;
        let line = execute_entry(machine, &context, &entry, &mut overlay).map_err(|fault| {
            LedgerError::Damaged {
                what: "the state".to_owned(),
                reason: fault.to_string(),
            }
        })?;
        if line.record.encode() != record || line.events != events {
            return Err(LedgerError::Diverged {
                height: header.height,
                what: "record",
            });
        }
    }
    apply(state, header.height, &overlay.into_changes())?;
    Ok(())
}

/// Splits a log item into the entry and its encoded events.
pub(crate) fn decode_item(item: &[u8], height: Height) -> Result<(Entry, Vec<u8>), LedgerError> {
    let damaged = |reason: String| LedgerError::Damaged {
        what: format!("an entry of block {height}"),
        reason,
    };
    let mut decoder = Decoder::new(item);
    let split = decoder
        .array_of(2, "entry and events")
        .and_then(|()| Ok((decoder.bytes(ENTRY_BYTES_MAX)?, decoder.bytes(usize::MAX)?)));
    let (entry, events) = split.map_err(|error| damaged(error.to_string()))?;
    let entry = Entry::decode(entry.to_vec()).map_err(|error| damaged(error.to_string()))?;
    Ok((entry, events.to_vec()))
}

/// The first block whose entries could still be replayed after `head`: the last hour of blocks, by the blocks' own times.
pub(super) fn replayable_from(log: &LogReader, head: &Certificate) -> Result<Height, LedgerError> {
    let oldest = TimeMs::new(head.header.time.get().saturating_sub(WINDOW_MS_MAX));
    // Block times never fall, so the first block of the window is found by halving.
    let (mut low, mut high) = (log.first_height().get(), head.header.height.get());
    // The archive may be away: it is not asked where the hot folder has the answer.
    let hot = log.first_hot_height().get();
    if hot > low && hot <= high && certificate_at(log, Height::new(hot))?.header.time < oldest {
        low = hot + 1;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if certificate_at(log, Height::new(middle))?.header.time < oldest {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(Height::new(low))
}

/// The ids that a replay could still use.
pub(super) fn replay_window(
    log: &LogReader,
    head: &Certificate,
) -> Result<ReplayWindow, LedgerError> {
    let mut window = ReplayWindow::default();
    for block in log.blocks(replayable_from(log, head)?) {
        let block = block?;
        for (item, _) in block.items() {
            window.insert(&decode_item(item, block.height())?.0);
        }
    }
    window.forget_before(head.header.time);
    Ok(window)
}
