//! `service`: public services, from the published rule to the closed case.
//!
//! An authority publishes a *definition*: the hash of its service file and those of its rules that the chain applies by
//! itself (periods, calendar, what an application may need). A version never changes. A *case* is opened under one exact
//! version by a pseudonymous party and is judged by it to its end, whatever is published or withdrawn later.
//!
//! No personal data enters the chain: applications, documents, decisions and reasons are salted commitments, applicants are
//! pairwise pseudonyms, and what is missing is named by a code of the definition.
//!
//! ```text
//! open ⇄ waiting        items asked for, items supplied (the clock stands still)
//!   ├─ decided ─┬─ appealed ─ settled
//!   ├─ deemed   │
//!   └─ withdrawn┘            each of these four ends ─ closed
//! ```
//!
//! [`calendar`] counts days, [`clock`] runs the period of a case; both are pure and serve `stele-services` too, so that the
//! chain and a citizen's phone name the same day.

mod appeals;
pub mod calendar;
mod cases;
pub mod clock;
mod definitions;
mod handovers;
mod offices;
pub mod refusals;
mod spec;
mod state;

use stele_core::cbor::Body;

pub use state::{
    Case, Decision, Definition, Line, LineKind, Service as ServiceRecord, Status, case, case_key,
    case_line, case_line_key, case_ref, definition, definition_key, documents_hash, service,
    service_key, service_ref,
};

use crate::context::Context;
use crate::identity;
use crate::register::{Register, Stop};
use crate::spec::{CommandSpec, EventSpec, RefusalSpec, StateKeySpec};

/// The register's name.
pub const NAME: &str = "service";
/// The action that allows publishing definitions, in the definition's scope.
pub const PUBLISH_ACTION: &str = "service/publish";
/// The action that allows handling and deciding cases, in the scope `<scope>/<service id>`.
pub const DECIDE_ACTION: &str = "service/decide";
/// The action that allows deciding appeals, in the scope `<scope>/<service id>`.
pub const APPEAL_ACTION: &str = "service/appeal";
/// The longest service id, in bytes.
pub const SERVICE_ID_BYTES_MAX: usize = 64;
/// The longest scope of a definition, in bytes.
pub const SCOPE_BYTES_MAX: usize = 128;
/// The longest code of an item, in bytes.
pub const CODE_BYTES_MAX: usize = 48;
/// The most items of a definition.
pub const ITEMS_MAX: usize = 64;
/// The most documents that one command commits to.
pub const DOCUMENTS_MAX: usize = 64;

/// What a decision says.
pub const OUTCOMES: &[&str] = &["granted", "partly", "refused"];
/// What the decision on an appeal says.
pub const APPEAL_OUTCOMES: &[&str] = &["allowed", "partly", "dismissed"];

/// The register, version 1.
#[derive(Debug, Clone, Copy)]
pub struct Service;

impl Register for Service {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Public services: definitions by hash and version, and cases under exactly one of them, with their clocks, decisions and appeals."
    }

    fn reads(&self) -> &'static [&'static str] {
        &[identity::NAME]
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
            "definition.publish" => definitions::publish(context, body),
            "definition.withdraw" => definitions::withdraw(context, body),
            "case.open" => cases::open(context, body),
            "case.supply" => cases::supply(context, body),
            "case.withdraw" => cases::withdraw(context, body),
            "case.deem" => cases::deem(context, body),
            "case.close" => cases::close(context, body),
            "items.request" => offices::request(context, body),
            "items.confirm" => offices::confirm(context, body),
            "period.extend" => offices::extend(context, body),
            "decision.make" => offices::decide(context, body),
            "handover.offer" => handovers::offer(context, body),
            "handover.accept" => handovers::accept(context, body),
            "handover.cancel" => handovers::cancel(context, body),
            "handover.transfer" => handovers::transfer(context, body),
            "appeal.lodge" => appeals::lodge(context, body),
            "appeal.decide" => appeals::decide(context, body),
            other => unreachable!("not among the commands of service: {other}"),
        }
    }
}

/// The scope in which an office handles cases of a definition.
fn case_scope(definition: &Definition) -> String {
    format!("{}/{}", definition.scope, definition.service_id)
}

/// Whether `party` may do `action` within `scope` now.
fn is_accredited(
    context: &Context<'_, '_>,
    party: &stele_core::id::PartyId,
    action: &str,
    scope: &str,
) -> Result<bool, Stop> {
    let view = context.view(identity::NAME);
    let chain = identity::is_accredited(view, party, action, Some(scope), context.time())?;
    Ok(chain.is_some())
}
