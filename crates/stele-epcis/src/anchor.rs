//! How captured events reach the chain.

use crate::canonical::{item_hash, lot_hash};
use crate::facts::{Declaration, EventFacts};

/// Most items of an event: what one command of the register `trace` takes.
pub const ITEMS_MAX: usize = 1_024;
/// Longest event id that the register `trace` takes, in bytes.
pub const EVENT_ID_BYTES_MAX: usize = 256;
/// Longest event type that the register `trace` takes, in bytes.
pub const EVENT_TYPE_BYTES_MAX: usize = 64;

/// What the chain is told of an event: a salted commitment and hashes, no content.
#[derive(Debug, Clone, PartialEq)]
pub struct EventToAnchor {
    /// The event's id.
    pub event_id: String,
    /// Its type.
    pub event_type: String,
    /// When it happened, in milliseconds since 1970; negative before.
    pub time_ms: i64,
    /// `SHA-256(salt || canonical event)`.
    pub commitment: [u8; 32],
    /// [`item_hash`] of each EPC and each class that it names, each once.
    pub items: Vec<[u8; 32]>,
    /// [`lot_hash`] of each class that it names, each once.
    pub lots: Vec<[u8; 32]>,
    /// The event declares an earlier one of the same id wrong: it is a correction (`event.correct`), not a new event.
    pub declaration: Option<Declaration>,
}

impl EventToAnchor {
    /// What the chain is told of an event with these facts.
    pub fn new(facts: &EventFacts, commitment: [u8; 32]) -> Self {
        let named = facts.epcs.iter().chain(&facts.classes);
        Self {
            event_id: facts.event_id.clone(),
            event_type: facts.event_type.clone(),
            time_ms: facts.time_ms,
            commitment,
            items: named.map(|uri| item_hash(uri)).collect(),
            lots: facts.classes.iter().map(|uri| lot_hash(uri)).collect(),
            declaration: facts.declaration.clone(),
        }
    }
}

/// Why an event is not on the chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct AnchorError {
    /// The rule that refused, or what failed; a code such as `trace.event.exists`.
    pub code: String,
    /// The sentence.
    pub detail: String,
    /// The ledger could not be asked at all: the event stays, and [`EpcisService::resume`] tries again.
    ///
    /// [`EpcisService::resume`]: crate::EpcisService::resume
    pub temporary: bool,
}

/// Records commitments. The node implements it with its own key and the register `trace`.
pub trait Anchor: Send + Sync {
    /// Records events, in order; answers one result for each, the id of the entry that holds it (or none where nothing is
    /// recorded). An event that the register already holds with this very commitment is a success: after a crash the
    /// same events are brought again.
    fn anchor(&self, events: &[EventToAnchor]) -> Vec<Result<Option<[u8; 32]>, AnchorError>>;
}

/// Records nothing: for a repository without a ledger.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAnchor;

impl Anchor for NoAnchor {
    fn anchor(&self, events: &[EventToAnchor]) -> Vec<Result<Option<[u8; 32]>, AnchorError>> {
        vec![Ok(None); events.len()]
    }
}
