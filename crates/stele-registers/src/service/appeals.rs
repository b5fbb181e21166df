//! Appeals against decisions, and what comes of them.

use stele_core::cbor::Body;
use stele_core::id::Hash;

use super::cases::{load, named};
use super::state::{LineKind, Status};
use super::{APPEAL_ACTION, APPEAL_OUTCOMES, case_scope, is_accredited, refusals};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

pub(super) fn lodge(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;
    let grounds = Hash::from_bytes(body.bytes32("grounds")?);

    let mut loaded = load(context, reference)?;
    loaded.by_applicant(context)?;
    let decided = match (loaded.case.status, &loaded.case.decision) {
        (Status::Decided, Some(decision)) => decision.time,
        _ => return Err((&refusals::NO_DECISION).into()),
    };
    let due = loaded.definition.rules.appeal_due(decided);
    let due = due.ok_or(&refusals::NO_APPEAL)?;
    ensure(context.time() < due, &refusals::APPEAL_OVER)?;
    loaded.case.status = Status::Appealed;
    let event = loaded
        .event(context)
        .bytes("grounds", grounds.as_bytes())
        .build();
    let by = context.signer();
    loaded.save(context, LineKind::Appealed, by, Some(grounds));
    context.emit("appeal.lodged", event);
    Ok(())
}

pub(super) fn decide(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;
    let outcome = fields::choice(body, "outcome", APPEAL_OUTCOMES)?;
    let reasons = Hash::from_bytes(body.bytes32("reasons")?);

    let mut loaded = load(context, reference)?;
    let by = context.signer();
    let scope = case_scope(&loaded.definition);
    let accredited = is_accredited(context, &by, APPEAL_ACTION, &scope)?;
    ensure(accredited, &refusals::NOT_APPEAL_BODY)?;
    ensure(
        loaded.case.status == Status::Appealed,
        &refusals::NO_LODGED_APPEAL,
    )?;
    loaded.case.status = Status::Settled;
    let event = loaded
        .event(context)
        .text("outcome", outcome)
        .bytes("reasons", reasons.as_bytes())
        .build();
    loaded.save(context, LineKind::Settled, by, Some(reasons));
    context.emit("appeal.decided", event);
    Ok(())
}
