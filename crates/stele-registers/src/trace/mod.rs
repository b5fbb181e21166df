//! `trace`: supply-chain events, custody, lots and recalls.
//!
//! Event data (GS1 EPCIS 2.0) stays with its owner; the chain holds a salted commitment to each event and the hashes of
//! the items it names. What the chain adds is order, time, accountability, and one holder for each item at any time:
//!
//! - An *event* belongs to the party that records it; two parties may record the same event id, each for itself.
//! - An *item* is known by [`item_hash`] of its EPC URI. Whoever claims it first is its maker and first holder. Custody then
//!   moves only with both signatures: an offer and an acceptance in two entries, or one countersigned entry.
//! - A *lot* is a list of items of one maker. A *recall* names a lot or items; its maker issues it, or a party accredited
//!   for `trace/recall.issue`.
//!
//! Everything that happens to an item is a numbered line of its history, so "where has it been" takes one state read for
//! the item and one for each line, each of them provable.

mod custody;
mod events;
mod lots;
mod recalls;
pub mod refusals;
mod spec;
mod state;

use stele_core::cbor::Body;
use stele_core::id::{Hash, PartyId, sha256};

pub use recalls::SEVERITIES;
pub use state::{
    Correction, EventRecord, Item, Line, LineKind, Lot, Recall, event, event_key, event_ref, item,
    item_key, item_line, item_line_key, lot, lot_key, page, page_key, recall, recall_key,
    recall_ref,
};

use crate::context::Context;
use crate::register::{Register, Stop};
use crate::spec::{CommandSpec, EventSpec, RefusalSpec, StateKeySpec};

/// The register's name.
pub const NAME: &str = "trace";
/// The most items that one command names.
pub const ITEMS_MAX: usize = 1024;
/// How many items a page of a lot or recall holds.
pub const PAGE_ITEMS: usize = 256;
/// The action that allows recalls of what others have made.
pub const RECALL_ACTION: &str = "trace/recall.issue";

/// How an item is named on the chain: `SHA-256("stele/trace/item/v1" || EPC URI)`.
pub fn item_hash(epc_uri: &str) -> Hash {
    Hash::from_bytes(sha256(&[b"stele/trace/item/v1", epc_uri.as_bytes()]))
}

/// How a lot is named on the chain: `SHA-256("stele/trace/lot/v1" || lot URI)`, for instance of an LGTIN.
pub fn lot_hash(lot_uri: &str) -> Hash {
    Hash::from_bytes(sha256(&[b"stele/trace/lot/v1", lot_uri.as_bytes()]))
}

/// The register, version 1.
#[derive(Debug, Clone, Copy)]
pub struct Trace;

impl Register for Trace {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Supply-chain event commitments, custody handed over by both sides, lots and recalls."
    }

    fn reads(&self) -> &'static [&'static str] {
        &[crate::identity::NAME]
    }

    fn commands(&self) -> &'static [CommandSpec] {
        spec::COMMANDS
    }

    fn events(&self) -> &'static [EventSpec] {
        spec::EVENTS
    }

    fn state_keys(&self) -> &'static [StateKeySpec] {
        spec::STATE_KEYS
    }

    fn refusals(&self) -> &'static [&'static RefusalSpec] {
        refusals::ALL
    }

    fn apply(
        &self,
        context: &mut Context<'_, '_>,
        command: &str,
        body: &mut Body<'_>,
    ) -> Result<(), Stop> {
        match command {
            "event.record" => events::record(context, body),
            "event.correct" => events::correct(context, body),
            "custody.claim" => custody::claim(context, body),
            "custody.offer" => custody::offer(context, body),
            "custody.accept" => custody::accept(context, body),
            "custody.withdraw" => custody::withdraw(context, body),
            "custody.transfer" => custody::transfer(context, body),
            "lot.assign" => lots::assign(context, body),
            "recall.issue" => recalls::issue(context, body),
            "recall.close" => recalls::close(context, body),
            other => unreachable!("not among the commands of trace: {other}"),
        }
    }
}

/// Whether `party` is registered and active.
fn is_active(context: &Context<'_, '_>, party: &PartyId) -> Result<bool, Stop> {
    let document = crate::identity::document(context.view(crate::identity::NAME), party)?;
    Ok(document.is_some_and(|document| document.active))
}
