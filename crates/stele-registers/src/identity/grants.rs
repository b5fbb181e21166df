//! Granting and revoking accreditations.

use stele_core::cbor::{Body, BodyBuilder, Encoder};
use stele_core::id::{Hash, PartyId, TimeMs, sha256};

use super::accreditation::{
    self, ACTION_BYTES_MAX, Accreditation, AccreditationId, SCOPE_BYTES_MAX, accreditation_key,
    holdings_key, is_action,
};
use super::parties::load;
use super::{CHAIN_MAX, HOLDINGS_MAX, refusals};
use crate::context::Context;
use crate::register::Stop;
use crate::spec::ensure;
use crate::{fields, governance};

type Outcome = Result<(), Stop>;

fn signer_is_steward(context: &Context<'_, '_>) -> Result<bool, Stop> {
    let view = context.view(governance::NAME);
    Ok(governance::has_role(
        view,
        &context.signer(),
        governance::STEWARD,
    )?)
}

/// The accreditation under which the signer grants: the named one, none for a steward, or the first that fits.
fn find_parent(
    context: &Context<'_, '_>,
    named: Option<AccreditationId>,
    action: &str,
    scope: Option<&str>,
) -> Result<Option<AccreditationId>, Stop> {
    let (view, now, signer) = (context.own(), context.time(), context.signer());
    if let Some(id) = named {
        let parent = accreditation::accreditation(view, &id)?.ok_or(&refusals::NO_ACCREDITATION)?;
        let fits = parent.subject == signer && parent.delegable && parent.covers(action, scope);
        let valid = accreditation::valid_chain(view, id, now)?.is_some();
        ensure(fits && valid, &refusals::BAD_PARENT)?;
        return Ok(Some(id));
    }
    if signer_is_steward(context)? {
        return Ok(None);
    }
    let chain =
        accreditation::find_chain(view, &signer, action, scope, now, |held| held.delegable)?;
    Ok(Some(chain.ok_or(&refusals::NOT_ISSUER)?[0]))
}

pub(super) fn grant(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let subject = fields::party(body, "subject")?;
    let action = body.text("action", ACTION_BYTES_MAX)?;
    let scope = body.opt_text("scope", SCOPE_BYTES_MAX)?;
    let until = body.opt_uint("until")?.map(TimeMs::new);
    let delegable = body.flag("delegable")?;
    let parent = body.opt_bytes32("parent")?.map(Hash::from_bytes);

    ensure(is_action(action), &refusals::BAD_ACTION)?;
    load(context, &subject)?;
    let parent = find_parent(context, parent, action, scope)?;
    let above = match &parent {
        Some(id) => accreditation::accreditation(context.own(), id)?,
        None => None,
    };
    let (depth, latest) = above.map_or((1, None), |above| (above.depth + 1, above.until));
    ensure(depth <= CHAIN_MAX as u64, &refusals::CHAIN_TOO_LONG)?;
    let until = until.or(latest);
    let in_time = until
        .is_none_or(|until| until > context.time() && latest.is_none_or(|latest| until <= latest));
    ensure(in_time, &refusals::BAD_UNTIL)?;

    let index = context.command_index().to_be_bytes();
    let entry_id = context.entry_id();
    let id = Hash::from_bytes(sha256(&[
        b"stele/accreditation/v1",
        entry_id.as_bytes(),
        &index,
    ]));
    let granted = Accreditation {
        issuer: context.signer(),
        subject,
        action: action.to_owned(),
        scope: scope.map(str::to_owned),
        until,
        delegable,
        parent,
        depth,
        granted: context.height(),
        revoked: None,
    };
    let mut held = accreditation::holdings(context.own(), &subject, action)?;
    if held.len() == HOLDINGS_MAX {
        // Those that time has ended make room.
        let mut current = Vec::with_capacity(HOLDINGS_MAX);
        for id in held {
            let found = accreditation::accreditation(context.own(), &id)?;
            if found.is_some_and(|found| found.is_current(context.time())) {
                current.push(id);
            }
        }
        held = current;
    }
    ensure(held.len() < HOLDINGS_MAX, &refusals::TOO_MANY_HELD)?;
    held.push(id);
    save_holdings(context, &subject, action, &held);
    context.put(&accreditation_key(&id), granted.encode());
    emit_granted(context, &id, &granted);
    Ok(())
}

fn save_holdings(
    context: &mut Context<'_, '_>,
    party: &PartyId,
    action: &str,
    held: &[AccreditationId],
) {
    let key = holdings_key(party, action);
    if held.is_empty() {
        return context.delete(&key);
    }
    let mut out = Encoder::with_capacity(held.len() * 34 + 3);
    out.array(held.len());
    for id in held {
        out.bytes(id.as_bytes());
    }
    context.put(&key, out.into_vec());
}

fn emit_granted(context: &mut Context<'_, '_>, id: &AccreditationId, granted: &Accreditation) {
    let mut event = BodyBuilder::new()
        .bytes("id", id.as_bytes())
        .bytes("issuer", granted.issuer.as_bytes())
        .bytes("subject", granted.subject.as_bytes())
        .text("action", &granted.action);
    if let Some(scope) = &granted.scope {
        event = event.text("scope", scope);
    }
    if let Some(until) = granted.until {
        event = event.uint("until", until.get());
    }
    context.emit("accreditation.granted", event.build());
}

pub(super) fn revoke(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let id = Hash::from_bytes(body.bytes32("id")?);
    body.opt_text("reason", 256)?;
    let mut found =
        accreditation::accreditation(context.own(), &id)?.ok_or(&refusals::NO_ACCREDITATION)?;
    let allowed = found.issuer == context.signer() || signer_is_steward(context)?;
    ensure(allowed, &refusals::NOT_REVOKER)?;
    ensure(found.revoked.is_none(), &refusals::ALREADY_REVOKED)?;
    found.revoked = Some(context.height());
    context.put(&accreditation_key(&id), found.encode());
    let mut held = accreditation::holdings(context.own(), &found.subject, &found.action)?;
    held.retain(|held| *held != id);
    save_holdings(context, &found.subject, &found.action, &held);
    let event = BodyBuilder::new()
        .bytes("id", id.as_bytes())
        .bytes("subject", found.subject.as_bytes())
        .bytes("by", context.signer().as_bytes());
    context.emit("accreditation.revoked", event.build());
    Ok(())
}
