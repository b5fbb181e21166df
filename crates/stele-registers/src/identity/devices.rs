//! Devices: parties that belong to a party.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::PartyId;

use super::document::{self, PartyDocument, PartyKind};
use super::parties::{create, end, load, possessed, save};
use super::{events, refusals};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

/// The document of an active device that belongs to the signer.
fn own_device(context: &Context<'_, '_>, device: &PartyId) -> Result<PartyDocument, Stop> {
    let document = document::document(context.own(), device)?
        .filter(|document| document.active && document.kind == PartyKind::Device)
        .ok_or(&refusals::NOT_A_DEVICE)?;
    ensure(
        document.owner == Some(context.signer()),
        &refusals::NOT_OWNER,
    )?;
    Ok(document)
}

pub(super) fn register(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let cose_key = fields::key(body, "key")?;
    let model = body.text("model", 128)?;
    let serial = body.bytes32("serial_commitment")?;
    let owner = context.signer();
    load(context, &owner)?;
    let kid = possessed(context, cose_key)?;
    let mut document = PartyDocument::new(PartyKind::Device, None, vec![kid]);
    document.owner = Some(owner);
    document.model = Some(model.to_owned());
    document.serial = Some(serial);
    let height = context.height();
    let device = create(context.state(), height, &document, &[cose_key])?;
    let event = BodyBuilder::new()
        .bytes("device", device.as_bytes())
        .bytes("owner", owner.as_bytes())
        .text("model", model);
    context.emit("device.registered", event.build());
    Ok(())
}

pub(super) fn transfer(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let device = fields::party(body, "device")?;
    let to = fields::party(body, "to")?;
    let mut document = own_device(context, &device)?;
    let from = context.signer();
    ensure(
        to != from && to != device && context.cosigned_by(&to),
        &refusals::NO_NEW_OWNER,
    )?;
    load(context, &to)?;
    document.owner = Some(to);
    save(context, &device, &document)?;
    let event = BodyBuilder::new()
        .bytes("device", device.as_bytes())
        .bytes("from", from.as_bytes())
        .bytes("to", to.as_bytes());
    context.emit("device.transferred", event.build());
    Ok(())
}

pub(super) fn retire(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let device = fields::party(body, "device")?;
    body.opt_text("reason", 256)?;
    own_device(context, &device)?;
    end(context, &device)?;
    events::party(context, "device.retired", &device);
    Ok(())
}
