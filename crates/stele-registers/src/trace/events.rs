//! Recording events and declaring them wrong.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::{Hash, TimeMs};

use super::custody::add_line;
use super::state::{self, Correction, EventRecord, LineKind, event_key, event_ref};
use super::{ITEMS_MAX, refusals};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

pub(super) fn record(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let event_id = body.text("event_id", 256)?;
    let commitment = Hash::from_bytes(body.bytes32("commitment")?);
    let event_type = body.text("type", 64)?;
    let items = fields::hashes(body, "items", 0, ITEMS_MAX)?;
    let time = body.opt_uint("time")?.map(TimeMs::new);

    let party = context.signer();
    let reference = event_ref(&party, event_id);
    let key = event_key(&reference);
    ensure(context.get(&key)?.is_none(), &refusals::EVENT_EXISTS)?;
    let event = EventRecord {
        party,
        event_id: event_id.to_owned(),
        commitment,
        event_type: event_type.to_owned(),
        time,
        items: items.len() as u64,
        height: context.height(),
        correction: None,
    };
    context.put(&key, event.encode());
    for item in &items {
        let item = Hash::from_bytes(*item);
        let mut head = state::item(context.own(), &item)?.unwrap_or_default();
        add_line(context, &item, &mut head, LineKind::Event, Some(reference));
    }
    let event = BodyBuilder::new()
        .bytes("event", reference.as_bytes())
        .text("event_id", event_id)
        .bytes("commitment", commitment.as_bytes());
    context.emit("event.recorded", event.build());
    Ok(())
}

pub(super) fn correct(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let event_id = body.text("event_id", 256)?;
    let commitment = Hash::from_bytes(body.bytes32("commitment")?);
    let reason = body.opt_text("reason", 256)?;
    let declared = body.opt_uint("declared")?.map(TimeMs::new);
    let corrective = fields::texts(body, "corrective_event_ids", 0, 16, 256)?;

    let reference = event_ref(&context.signer(), event_id);
    let mut event = state::event(context.own(), &reference)?.ok_or(&refusals::NO_EVENT)?;
    ensure(event.correction.is_none(), &refusals::EVENT_CORRECTED)?;
    event.correction = Some(Correction {
        commitment,
        reason: reason.map(str::to_owned),
        declared,
        corrective_event_ids: corrective.into_iter().map(str::to_owned).collect(),
        height: context.height(),
    });
    context.put(&event_key(&reference), event.encode());
    let event = BodyBuilder::new()
        .bytes("event", reference.as_bytes())
        .text("event_id", event_id)
        .bytes("commitment", commitment.as_bytes());
    context.emit("event.corrected", event.build());
    Ok(())
}
