//! What the office that handles a case does: asking for what is missing, confirming, lengthening the period, deciding.

use stele_core::cbor::Body;
use stele_core::id::Hash;

use super::cases::{codes, load, named};
use super::state::{Decision, LineKind, Status};
use super::{OUTCOMES, refusals};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

pub(super) fn request(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;
    let items = codes(body)?;

    let mut loaded = load(context, reference)?;
    loaded.by_office(context)?;
    loaded.pending(context)?;
    let (now, rules) = (context.time(), &loaded.definition.rules);
    let case = &mut loaded.case;
    ensure(!case.complete, &refusals::COMPLETE)?;
    let known = items.iter().all(|code| rules.items.contains(code));
    let once = items.windows(2).all(|pair| pair[0] != pair[1]);
    ensure(known && once, &refusals::NO_SUCH_ITEM)?;
    let in_time = rules.check_due(case.received).is_none_or(|due| now < due);
    ensure(in_time, &refusals::CHECK_OVER)?;
    case.clock.stop(now, rules);
    case.status = Status::Waiting;
    case.missing.extend(items.iter().cloned());
    case.missing.sort_unstable();
    case.missing.dedup();
    let event = loaded
        .event(context)
        .text_list("items", &items)
        .text_list("missing", &loaded.case.missing)
        .build();
    let by = context.signer();
    loaded.save(context, LineKind::Requested, by, None);
    context.emit("items.requested", event);
    Ok(())
}

pub(super) fn confirm(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;

    let mut loaded = load(context, reference)?;
    loaded.by_office(context)?;
    loaded.pending(context)?;
    ensure(!loaded.case.complete, &refusals::COMPLETE)?;
    ensure(loaded.case.missing.is_empty(), &refusals::STILL_MISSING)?;
    loaded.case.complete = true;
    let event = loaded.event(context).build();
    let by = context.signer();
    loaded.save(context, LineKind::Complete, by, None);
    context.emit("items.confirmed", event);
    Ok(())
}

pub(super) fn extend(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;
    let count = body.uint("count")?;
    let reasons = Hash::from_bytes(body.bytes32("reasons")?);

    let mut loaded = load(context, reference)?;
    loaded.by_office(context)?;
    loaded.pending(context)?;
    let rules = &loaded.definition.rules;
    let clock = &mut loaded.case.clock;
    let running = clock.due(rules).is_some_and(|due| context.time() < due);
    let allowed = (1..=rules.extension_max).contains(&count);
    ensure(
        running && allowed && clock.extension == 0,
        &refusals::NO_EXTENSION,
    )?;
    clock.extension = count;
    let event = loaded
        .event(context)
        .uint("count", count)
        .bytes("reasons", reasons.as_bytes())
        .build();
    let by = context.signer();
    loaded.save(context, LineKind::Extended, by, Some(reasons));
    context.emit("period.extended", event);
    Ok(())
}

pub(super) fn decide(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;
    let outcome = fields::choice(body, "outcome", OUTCOMES)?;
    let reasons = Hash::from_bytes(body.bytes32("reasons")?);

    let mut loaded = load(context, reference)?;
    loaded.by_office(context)?;
    loaded.pending(context)?;
    let now = context.time();
    loaded.case.status = Status::Decided;
    loaded.case.offered = None;
    loaded.case.missing.clear();
    loaded.case.decision = Some(Decision {
        by: Some(context.signer()),
        outcome: outcome.to_owned(),
        reasons: Some(reasons),
        time: now,
    });
    let mut event = loaded
        .event(context)
        .text("outcome", outcome)
        .bytes("reasons", reasons.as_bytes());
    if let Some(due) = loaded.definition.rules.appeal_due(now) {
        event = event.uint("appeal_due", due.get());
    }
    let (event, by) = (event.build(), context.signer());
    loaded.save(context, LineKind::Decided, by, Some(reasons));
    context.emit("decision.made", event);
    Ok(())
}
