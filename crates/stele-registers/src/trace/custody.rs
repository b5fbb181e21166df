//! Custody: one holder for each item, handed over by both sides.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::{Hash, PartyId};

use super::state::{self, Item, Line, LineKind, item_key, item_line_key};
use super::{ITEMS_MAX, is_active, refusals};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

/// Adds a line to an item's history and writes the item.
pub(super) fn add_line(
    context: &mut Context<'_, '_>,
    item: &Hash,
    head: &mut Item,
    kind: LineKind,
    other: Option<Hash>,
) {
    let by = context.signer();
    add_line_by(context, item, head, kind, by, other);
}

fn add_line_by(
    context: &mut Context<'_, '_>,
    item: &Hash,
    head: &mut Item,
    kind: LineKind,
    by: PartyId,
    other: Option<Hash>,
) {
    let line = Line {
        kind,
        by,
        other,
        height: context.height(),
        time: context.time(),
    };
    context.put(&item_line_key(item, head.lines), line.encode());
    head.lines += 1;
    context.put(&item_key(item), head.encode());
}

pub(super) fn items(body: &mut Body<'_>) -> Result<Vec<Hash>, Stop> {
    let items = fields::hashes(body, "items", 1, ITEMS_MAX)?;
    Ok(items.into_iter().map(Hash::from_bytes).collect())
}

fn emit(context: &mut Context<'_, '_>, event: &str, items: &[Hash], parties: &[(&str, PartyId)]) {
    let items: Vec<_> = items.iter().map(Hash::as_bytes).collect();
    let mut body = BodyBuilder::new().bytes_list("items", &items);
    for (name, party) in parties {
        body = body.bytes(name, party.as_bytes());
    }
    context.emit(event, body.build());
}

/// The item, if `holder` holds it.
fn held(context: &Context<'_, '_>, item: &Hash, holder: &PartyId) -> Result<Item, Stop> {
    match state::item(context.own(), item)? {
        Some(head) if head.holder == Some(*holder) => Ok(head),
        _ => Err(refusals::NOT_HOLDER.about(item)),
    }
}

fn hand_over(
    context: &mut Context<'_, '_>,
    item: &Hash,
    mut head: Item,
    from: PartyId,
    to: PartyId,
) {
    head.holder = Some(to);
    head.since = Some(context.height());
    head.offered = None;
    let receiver = Hash::from_bytes(*to.as_bytes());
    add_line_by(
        context,
        item,
        &mut head,
        LineKind::HandOver,
        from,
        Some(receiver),
    );
}

pub(super) fn claim(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let items = items(body)?;
    let maker = context.signer();
    for item in &items {
        let mut head = state::item(context.own(), item)?.unwrap_or_default();
        if head.maker.is_some() {
            return Err(refusals::CLAIMED.about(item));
        }
        head.maker = Some(maker);
        head.holder = Some(maker);
        head.since = Some(context.height());
        add_line(context, item, &mut head, LineKind::Claim, None);
    }
    emit(context, "custody.claimed", &items, &[("by", maker)]);
    Ok(())
}

pub(super) fn offer(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let items = items(body)?;
    let to = fields::party(body, "to")?;
    let from = context.signer();
    ensure(to != from, &refusals::SELF_TRANSFER)?;
    ensure(is_active(context, &to)?, &refusals::NO_RECEIVER)?;
    for item in &items {
        let mut head = held(context, item, &from)?;
        if head.offered.is_some() {
            return Err(refusals::OFFERED.about(item));
        }
        head.offered = Some(to);
        context.put(&item_key(item), head.encode());
    }
    emit(
        context,
        "custody.offered",
        &items,
        &[("from", from), ("to", to)],
    );
    Ok(())
}

pub(super) fn accept(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let items = items(body)?;
    let from = fields::party(body, "from")?;
    let to = context.signer();
    for item in &items {
        let head = match state::item(context.own(), item)? {
            Some(head) if head.holder == Some(from) && head.offered == Some(to) => head,
            _ => return Err(refusals::NOT_OFFERED.about(item)),
        };
        hand_over(context, item, head, from, to);
    }
    emit(
        context,
        "custody.moved",
        &items,
        &[("from", from), ("to", to)],
    );
    Ok(())
}

pub(super) fn withdraw(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let items = items(body)?;
    let from = context.signer();
    for item in &items {
        let mut head = held(context, item, &from)?;
        if head.offered.take().is_none() {
            return Err(refusals::NOT_OFFERED.about(item));
        }
        context.put(&item_key(item), head.encode());
    }
    emit(context, "custody.withdrawn", &items, &[("from", from)]);
    Ok(())
}

pub(super) fn transfer(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let items = items(body)?;
    let to = fields::party(body, "to")?;
    let from = context.signer();
    ensure(to != from, &refusals::SELF_TRANSFER)?;
    ensure(context.cosigned_by(&to), &refusals::NOT_COUNTERSIGNED)?;
    for item in &items {
        let head = held(context, item, &from)?;
        if head.offered.is_some_and(|offered| offered != to) {
            return Err(refusals::OFFERED.about(item));
        }
        hand_over(context, item, head, from, to);
    }
    emit(
        context,
        "custody.moved",
        &items,
        &[("from", from), ("to", to)],
    );
    Ok(())
}
