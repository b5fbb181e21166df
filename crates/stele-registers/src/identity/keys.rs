//! Adding, rotating and revoking keys.

use stele_core::cbor::{Body, BodyBuilder};

use super::parties::{load, possessed, put_new_key, revoke_key, save};
use super::{KEYS_MAX, events, refusals};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

pub(super) fn add(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let cose_key = fields::key(body, "key")?;
    let purpose = body.opt_text("purpose", 64)?;
    let party = context.signer();
    let kid = possessed(context, cose_key)?;
    let mut document = load(context, &party)?;
    ensure(document.keys.len() < KEYS_MAX, &refusals::TOO_MANY_KEYS)?;
    let height = context.height();
    put_new_key(context.state(), height, party, &kid, cose_key, purpose)?;
    document.keys.push(kid);
    save(context, &party, &document)?;
    events::key(context, "key.added", &party, &kid);
    Ok(())
}

pub(super) fn rotate(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let old = fields::kid(body, "old")?;
    let cose_key = fields::key(body, "new_key")?;
    let party = context.signer();
    let new = possessed(context, cose_key)?;
    let mut document = load(context, &party)?;
    let place = document
        .keys
        .iter()
        .position(|kid| *kid == old)
        .ok_or(&refusals::NOT_YOUR_KEY)?;
    let height = context.height();
    put_new_key(context.state(), height, party, &new, cose_key, None)?;
    revoke_key(context, &old)?;
    document.keys[place] = new;
    save(context, &party, &document)?;
    let event = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .bytes("old", old.as_bytes())
        .bytes("new", new.as_bytes());
    context.emit("key.rotated", event.build());
    Ok(())
}

pub(super) fn revoke(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let kid = fields::kid(body, "kid")?;
    body.opt_text("reason", 256)?;
    let party = context.signer();
    let mut document = load(context, &party)?;
    let place = document
        .keys
        .iter()
        .position(|held| *held == kid)
        .ok_or(&refusals::NOT_YOUR_KEY)?;
    ensure(document.keys.len() > 1, &refusals::LAST_KEY)?;
    document.keys.remove(place);
    revoke_key(context, &kid)?;
    save(context, &party, &document)?;
    events::key(context, "key.revoked", &party, &kid);
    Ok(())
}
