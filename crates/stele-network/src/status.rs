//! How the network does, seen from this node.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use commonware_consensus::types::Round;
use parking_lot::Mutex;
use serde::Serialize;
use stele_core::id::TimeMs;
use stele_ledger::ledger::Delivered;

use crate::block::Digest;
use crate::committee::Committee;
use crate::evidence::Evidence;

/// How many finality times are kept for the percentiles.
const FINALITY_KEPT: usize = 1_024;
/// How much evidence waits to be submitted at most.
const EVIDENCE_MAX: usize = 64;

/// How many of the newest places are kept to tell joining nodes.
const PLACES_KEPT: usize = 4_096;

/// Where a block of the engine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its height in the engine.
    pub(crate) position: u64,
    /// The ledger's height after it.
    pub(crate) height: u64,
}

/// What this node heard last of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// When, in milliseconds since 1970 by this node's clock.
    pub at: u64,
    /// The height of the newest block that it has final.
    pub height: u64,
}

/// One member of the committee in force.
#[derive(Debug, Clone, Serialize)]
pub struct ValidatorStatus {
    /// The member's party id, in hex.
    pub party: String,
    /// Its node key, in hex.
    pub node_key: String,
    /// Where it listens.
    pub address: String,
    /// Whether it is this node.
    pub me: bool,
    /// Milliseconds since something was heard from it; `null` if nothing yet. 0 for this node.
    pub heard_ms_ago: Option<u64>,
    /// The newest final block it told of.
    pub height: Option<u64>,
    /// How many blocks it is behind the newest that this node knows of.
    pub lag: Option<u64>,
}

/// Something that the operator should look at.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Alarm {
    /// A stable code, such as `network.no-quorum`.
    pub code: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// How the network does.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// `validator` or `follower`.
    pub role: &'static str,
    /// This node's key, in hex.
    pub node_key: String,
    /// The engine's epoch.
    pub epoch: u64,
    /// The engine's round within it.
    pub view: u64,
    /// The engine's newest finalized height.
    pub ordered: u64,
    /// The engine's height up to which blocks are durable here.
    pub executed: u64,
    /// The newest final block here.
    pub height: u64,
    /// The newest final block of any node that was heard.
    pub best_height: u64,
    /// The committee in force.
    pub committee: u64,
    /// How many of its validators must sign.
    pub quorum: usize,
    /// Its validators.
    pub validators: Vec<ValidatorStatus>,
    /// Milliseconds from a block's proposal until it is final here: median of the last blocks.
    pub finality_p50_ms: Option<u64>,
    /// The same, 99th percentile.
    pub finality_p99_ms: Option<u64>,
    /// Entries that wait in the pool.
    pub pool: usize,
    /// What the operator should look at.
    pub alarms: Vec<Alarm>,
}

#[derive(Default)]
struct State {
    epoch: u64,
    committee: Option<Committee>,
    view: u64,
    tip: u64,
    durable: u64,
    finality: VecDeque<u64>,
    /// The newest executed blocks of the engine, oldest first.
    places: VecDeque<(Digest, Place)>,
    heard: BTreeMap<[u8; 32], Heard>,
    dissent: BTreeMap<u64, usize>,
    evidence: VecDeque<Evidence>,
    evidence_reported: usize,
}

/// The running record that the tasks write and the status is read from.
#[derive(Clone)]
pub(crate) struct Progress {
    state: Arc<Mutex<State>>,
    clock: stele_ledger::ledger::Clock,
}

impl Progress {
    pub(crate) fn new(clock: stele_ledger::ledger::Clock) -> Self {
        Self {
            state: Arc::default(),
            clock,
        }
    }

    /// This node's clock.
    pub(crate) fn now(&self) -> TimeMs {
        (self.clock)()
    }

    pub(crate) fn epoch(&self, epoch: u64, committee: &Committee) {
        let mut state = self.state.lock();
        state.epoch = epoch;
        state.committee = Some(committee.clone());
    }

    /// This node reads the logs of others; the engine does not run here.
    pub(crate) fn follows(&self, committee: &Committee) {
        self.state.lock().committee = Some(committee.clone());
    }

    /// The node keys of the committee in force, as far as this node knows.
    pub(crate) fn validators(&self) -> Vec<[u8; 32]> {
        let state = self.state.lock();
        let validators = state
            .committee
            .iter()
            .flat_map(|committee| &committee.validators);
        validators.map(|validator| validator.node_key).collect()
    }

    pub(crate) fn tip(&self, round: Round, height: u64) {
        let mut state = self.state.lock();
        state.view = round.view().get();
        state.tip = state.tip.max(height);
    }

    pub(crate) fn durable(&self, block: Digest, delivered: &Delivered) {
        let now = self.now();
        let position = delivered.position;
        let mut state = self.state.lock();
        state.durable = state.durable.max(position);
        if delivered.repeated {
            // The ledger is past it, so its height says nothing about this block.
            return;
        }
        if delivered.produced.is_some() {
            let took = now.get().saturating_sub(delivered.time.get());
            if state.finality.len() == FINALITY_KEPT {
                state.finality.pop_front();
            }
            state.finality.push_back(took);
        }
        if state.places.len() == PLACES_KEPT {
            state.places.pop_front();
        }
        let height = delivered.height.get();
        state.places.push_back((block, Place { position, height }));
        state.dissent = state.dissent.split_off(&(delivered.height.get() + 1));
    }

    /// The place of the newest block of the engine that is executed here.
    pub(crate) fn newest_place(&self) -> Option<Place> {
        let state = self.state.lock();
        state.places.back().map(|(_, place)| *place)
    }

    /// The place of a block of the engine, if it was executed here of late.
    pub(crate) fn place_of(&self, block: &Digest) -> Option<Place> {
        let state = self.state.lock();
        let found = state.places.iter().rev().find(|(other, _)| other == block);
        found.map(|(_, place)| *place)
    }

    pub(crate) fn heard(&self, from: [u8; 32], height: u64) {
        let heard = Heard {
            at: self.now().get(),
            height,
        };
        self.state.lock().heard.insert(from, heard);
    }

    pub(crate) fn heads(&self) -> BTreeMap<[u8; 32], Heard> {
        self.state.lock().heard.clone()
    }

    /// Another node with the newest final block, and its height; none of those `without`.
    pub(crate) fn best_other(&self, without: &[[u8; 32]]) -> Option<([u8; 32], u64)> {
        let state = self.state.lock();
        let others = state.heard.iter();
        let best = others
            .filter(|(node, _)| !without.contains(node))
            .max_by_key(|(_, heard)| heard.height)?;
        Some((*best.0, best.1.height))
    }

    /// Other nodes that have the block of this height, and how far each is. Those heard lately, if there are any.
    pub(crate) fn holders(&self, height: u64) -> Vec<([u8; 32], u64)> {
        let since = self.now().get().saturating_sub(SILENT_MS);
        let state = self.state.lock();
        let holders = || {
            let heard = state.heard.iter();
            heard.filter(move |(_, heard)| heard.height >= height)
        };
        let lately = holders().any(|(_, heard)| heard.at >= since);
        holders()
            .filter(|(_, heard)| !lately || heard.at >= since)
            .map(|(node, heard)| (*node, heard.height))
            .collect()
    }

    /// A node did not keep its word: until it speaks again, others are asked.
    pub(crate) fn silent(&self, node: &[u8; 32]) {
        self.state.lock().heard.remove(node);
    }

    pub(crate) fn dissent(&self, height: u64, others: usize) {
        if others > 0 {
            self.state.lock().dissent.insert(height, others);
        }
    }

    pub(crate) fn evidence(&self, evidence: Evidence) {
        let mut state = self.state.lock();
        if state.evidence.len() < EVIDENCE_MAX && !state.evidence.contains(&evidence) {
            state.evidence.push_back(evidence);
        }
    }

    pub(crate) fn take_evidence(&self) -> Vec<Evidence> {
        let mut state = self.state.lock();
        state.evidence_reported = 0;
        state.evidence.drain(..).collect()
    }

    /// Evidence that was not asked for here before. It stays for [`Progress::take_evidence`].
    pub(crate) fn new_evidence(&self) -> Vec<Evidence> {
        let mut state = self.state.lock();
        let seen = state.evidence_reported.min(state.evidence.len());
        state.evidence_reported = state.evidence.len();
        state.evidence.iter().skip(seen).cloned().collect()
    }
}

/// After this long without a word a validator counts as silent.
const SILENT_MS: u64 = 5_000;
/// So many blocks behind, a node counts as lagging.
const LAG_MAX: u64 = 64;

impl Progress {
    /// The status, with the ledger's own figures given.
    pub(crate) fn status(
        &self,
        me: [u8; 32],
        height: u64,
        pool: usize,
        halted: Option<Alarm>,
    ) -> Status {
        let now = self.now().get();
        let state = self.state.lock();
        let best = state
            .heard
            .values()
            .map(|heard| heard.height)
            .max()
            .unwrap_or(0)
            .max(height);
        let validators: Vec<ValidatorStatus> = state
            .committee
            .iter()
            .flat_map(|committee| &committee.validators)
            .map(|validator| {
                let is_me = validator.node_key == me;
                let heard = if is_me {
                    Some(Heard { at: now, height })
                } else {
                    state.heard.get(&validator.node_key).copied()
                };
                ValidatorStatus {
                    party: hex::encode(validator.party.as_bytes()),
                    node_key: hex::encode(validator.node_key),
                    address: validator.address.clone(),
                    me: is_me,
                    heard_ms_ago: heard.map(|heard| now.saturating_sub(heard.at)),
                    height: heard.map(|heard| heard.height),
                    lag: heard.map(|heard| best.saturating_sub(heard.height)),
                }
            })
            .collect();
        let quorum = state
            .committee
            .as_ref()
            .map_or(0, |committee| committee.sharing.quorum());
        let is_validator = validators.iter().any(|validator| validator.me);
        let mut alarms: Vec<Alarm> = halted.into_iter().collect();
        alarms.extend(alarms_of(
            &validators,
            quorum,
            best.saturating_sub(height),
            &state.dissent,
        ));
        let mut finality: Vec<u64> = state.finality.iter().copied().collect();
        finality.sort_unstable();
        let percentile = |percent: usize| {
            let at = (finality.len() * percent).div_ceil(100).max(1) - 1;
            finality.get(at).copied()
        };
        Status {
            role: if is_validator {
                "validator"
            } else {
                "follower"
            },
            node_key: hex::encode(me),
            epoch: state.epoch,
            view: state.view,
            ordered: state.tip,
            executed: state.durable,
            height,
            best_height: best,
            committee: state
                .committee
                .as_ref()
                .map_or(0, |committee| committee.number),
            quorum,
            finality_p50_ms: percentile(50),
            finality_p99_ms: percentile(99),
            validators,
            pool,
            alarms,
        }
    }
}

fn alarm(code: &str, message: String, hint: &str) -> Alarm {
    Alarm {
        code: code.to_owned(),
        message,
        hint: hint.to_owned(),
    }
}

fn alarms_of(
    validators: &[ValidatorStatus],
    quorum: usize,
    lag: u64,
    dissent: &BTreeMap<u64, usize>,
) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    let (live, silent): (Vec<_>, Vec<_>) = validators
        .iter()
        .partition(|validator| validator.heard_ms_ago.is_some_and(|ago| ago <= SILENT_MS));
    let names = |list: &[&ValidatorStatus]| {
        let names: Vec<_> = list
            .iter()
            .map(|one| format!("{} ({})", &one.node_key[..8], one.address))
            .collect();
        names.join(", ")
    };
    if live.len() < quorum {
        alarms.push(alarm(
            "network.no-quorum",
            format!(
                "Only {} of {} validators are heard, {quorum} are needed: nothing new becomes final. Silent: {}.",
                live.len(), validators.len(), names(&silent)
            ),
            "Reads go on. Bring the silent validators or the links to them back; the network resumes by itself.",
        ));
    } else if !silent.is_empty() {
        alarms.push(alarm(
            "network.validator-silent",
            format!("{} of {} validators are silent: {}.", silent.len(), validators.len(), names(&silent)),
            "The network goes on without them. Ask their operators; `stele network status` there says more.",
        ));
    }
    if lag > LAG_MAX {
        alarms.push(alarm(
            "network.lagging",
            format!("This node is {lag} blocks behind."),
            "It catches up by itself; if the distance grows, look at its disk and processor.",
        ));
    }
    if let Some((height, others)) = dissent.last_key_value() {
        alarms.push(alarm(
            "network.dissent",
            format!("{others} validators have another result than this node for block {height}."),
            "Compare the versions of the programs; run `stele doctor` here and there.",
        ));
    }
    alarms
}
