//! Recalls of lots and items.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::Hash;

use super::custody::add_line;
use super::lots::append;
use super::state::{self, LineKind, Recall, lot_key, recall_key, recall_ref};
use super::{ITEMS_MAX, RECALL_ACTION, refusals};
use crate::context::Context;
use crate::register::Stop;
use crate::spec::ensure;
use crate::{fields, identity};

/// How severe a recall is, most severe first.
pub const SEVERITIES: &[&str] = &["critical", "serious", "moderate", "minor"];

type Outcome = Result<(), Stop>;

fn accredited(context: &Context<'_, '_>) -> Result<bool, Stop> {
    let view = context.view(identity::NAME);
    let chain =
        identity::is_accredited(view, &context.signer(), RECALL_ACTION, None, context.time())?;
    Ok(chain.is_some())
}

pub(super) fn issue(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let recall_id = body.text("recall_id", 128)?;
    let lot = body.opt_bytes32("lot")?.map(Hash::from_bytes);
    let items = fields::hashes(body, "items", 0, ITEMS_MAX)?;
    let items: Vec<Hash> = items.into_iter().map(Hash::from_bytes).collect();
    let reason = body.text("reason", 512)?;
    let severity = fields::choice(body, "severity", SEVERITIES)?;

    ensure(lot.is_some() == items.is_empty(), &refusals::RECALL_TARGET)?;
    let issuer = context.signer();
    let reference = recall_ref(&issuer, recall_id);
    let key = recall_key(&reference);
    ensure(context.get(&key)?.is_none(), &refusals::RECALL_EXISTS)?;
    let previous = match &lot {
        Some(lot) => recall_lot(context, lot, reference)?,
        None => {
            recall_items(context, &items, reference)?;
            None
        }
    };
    let recall = Recall {
        issuer,
        recall_id: recall_id.to_owned(),
        reason: reason.to_owned(),
        severity: severity.to_owned(),
        lot,
        items: items.len() as u64,
        previous,
        issued: context.height(),
        closed: None,
        outcome: None,
    };
    context.put(&key, recall.encode());
    append(context, &key, 0, &items)?;
    let mut event = BodyBuilder::new()
        .bytes("recall", reference.as_bytes())
        .text("recall_id", recall_id)
        .bytes("issuer", issuer.as_bytes())
        .text("severity", severity);
    if let Some(lot) = &lot {
        event = event.bytes("lot", lot.as_bytes());
    }
    context.emit("recall.issued", event.build());
    Ok(())
}

/// Marks the lot; returns the recall that named it before.
fn recall_lot(
    context: &mut Context<'_, '_>,
    hash: &Hash,
    reference: Hash,
) -> Result<Option<Hash>, Stop> {
    let mut lot = state::lot(context.own(), hash)?.ok_or(&refusals::NO_LOT)?;
    let allowed = lot.maker == context.signer() || accredited(context)?;
    ensure(allowed, &refusals::NOT_RECALLER)?;
    let previous = lot.recall.replace(reference);
    context.put(&lot_key(hash), lot.encode());
    Ok(previous)
}

fn recall_items(context: &mut Context<'_, '_>, items: &[Hash], reference: Hash) -> Outcome {
    let accredited = accredited(context)?;
    for item in items {
        let mut head = state::item(context.own(), item)?.unwrap_or_default();
        if !accredited && head.maker != Some(context.signer()) {
            return Err(refusals::NOT_RECALLER.about(item));
        }
        head.recall = Some(reference);
        add_line(context, item, &mut head, LineKind::Recall, Some(reference));
    }
    Ok(())
}

pub(super) fn close(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let recall_id = body.text("recall_id", 128)?;
    let outcome = body.opt_text("outcome", 512)?;
    let issuer = context.signer();
    let reference = recall_ref(&issuer, recall_id);
    let mut recall = state::recall(context.own(), &reference)?.ok_or(&refusals::NO_RECALL)?;
    ensure(recall.closed.is_none(), &refusals::RECALL_CLOSED)?;
    recall.closed = Some(context.height());
    recall.outcome = outcome.map(str::to_owned);
    context.put(&recall_key(&reference), recall.encode());
    let event = BodyBuilder::new()
        .bytes("recall", reference.as_bytes())
        .text("recall_id", recall_id)
        .bytes("issuer", issuer.as_bytes());
    context.emit("recall.closed", event.build());
    Ok(())
}
