//! Handing a case from one office to another: both sign, and exactly one is responsible at any time.

use stele_core::cbor::Body;
use stele_core::id::{Hash, PartyId};

use super::cases::{Loaded, ensure_office, load, named};
use super::refusals;
use super::state::{LineKind, case_key};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

/// Refuses unless the signer may give the case away: its office, or the authority whose service it is. An office that lost
/// its accreditation may still hand over, so that no case is stuck.
fn by_giver(loaded: &Loaded, context: &Context<'_, '_>) -> Outcome {
    let signer = context.signer();
    let allowed = [loaded.case.office, loaded.definition.authority].contains(&signer);
    ensure(allowed, &refusals::NOT_OFFICE)
}

fn hand_over(mut loaded: Loaded, context: &mut Context<'_, '_>, to: PartyId) {
    let from = loaded.case.office;
    loaded.case.office = to;
    loaded.case.offered = None;
    let event = loaded
        .event(context)
        .bytes("from", from.as_bytes())
        .bytes("to", to.as_bytes())
        .build();
    let receiver = Hash::from_bytes(*to.as_bytes());
    loaded.save(context, LineKind::HandedOver, from, Some(receiver));
    context.emit("case.handed-over", event);
}

pub(super) fn offer(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;
    let to = fields::party(body, "to")?;

    let mut loaded = load(context, reference)?;
    by_giver(&loaded, context)?;
    loaded.pending(context)?;
    ensure(to != loaded.case.office, &refusals::SAME_OFFICE)?;
    ensure(loaded.case.offered.is_none(), &refusals::OFFERED)?;
    ensure_office(context, &to, &loaded.definition)?;
    loaded.case.offered = Some(to);
    let event = loaded.event(context).bytes("to", to.as_bytes()).build();
    context.put(&case_key(&loaded.reference), loaded.case.encode());
    context.emit("case.offered", event);
    Ok(())
}

pub(super) fn accept(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;

    let loaded = load(context, reference)?;
    loaded.pending(context)?;
    let to = context.signer();
    ensure(loaded.case.offered == Some(to), &refusals::NOT_OFFERED)?;
    ensure_office(context, &to, &loaded.definition)?;
    hand_over(loaded, context, to);
    Ok(())
}

pub(super) fn cancel(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;

    let mut loaded = load(context, reference)?;
    by_giver(&loaded, context)?;
    ensure(loaded.case.offered.take().is_some(), &refusals::NOT_OFFERED)?;
    let event = loaded.event(context).build();
    context.put(&case_key(&loaded.reference), loaded.case.encode());
    context.emit("case.offer-cancelled", event);
    Ok(())
}

pub(super) fn transfer(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;
    let to = fields::party(body, "to")?;

    let loaded = load(context, reference)?;
    by_giver(&loaded, context)?;
    loaded.pending(context)?;
    ensure(to != loaded.case.office, &refusals::SAME_OFFICE)?;
    ensure(context.cosigned_by(&to), &refusals::NOT_COUNTERSIGNED)?;
    let free = loaded.case.offered.is_none_or(|offered| offered == to);
    ensure(free, &refusals::OFFERED)?;
    ensure_office(context, &to, &loaded.definition)?;
    hand_over(loaded, context, to);
    Ok(())
}
