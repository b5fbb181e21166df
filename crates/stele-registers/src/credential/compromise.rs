//! Reporting that a key is no longer its owner's alone.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::{PartyId, TimeMs};

use super::issuance::ISSUE_ACTION;
use super::state::{self, Compromise, compromise_key};
use super::{TEXT_BYTES_MAX, refusals};
use crate::context::Context;
use crate::register::Stop;
use crate::spec::ensure;
use crate::{fields, governance, identity};

pub(super) fn report(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let kid = fields::kid(body, "kid")?;
    let since = TimeMs::new(body.uint("since")?);
    body.opt_text("reason", TEXT_BYTES_MAX)?;

    let record = identity::key_record(context.view(identity::NAME), &kid)?;
    let party = record.ok_or(&refusals::NO_KEY)?.party;
    ensure(may_report(context, &party)?, &refusals::NOT_YOURS)?;
    ensure(since <= context.time(), &refusals::FUTURE)?;
    let before = state::compromise(context.own(), &kid)?;
    let earlier = before.is_none_or(|before| since < before.since);
    ensure(earlier, &refusals::LATER)?;

    let report = Compromise {
        since,
        height: context.height(),
        by: context.signer(),
    };
    context.put(&compromise_key(&kid), report.encode());
    let event = BodyBuilder::new()
        .bytes("kid", kid.as_bytes())
        .bytes("party", party.as_bytes())
        .uint("since", since.get())
        .bytes("by", report.by.as_bytes());
    context.emit("key.compromised", event.build());
    Ok(())
}

/// The party itself, a steward, or whoever granted it an accreditation to issue: an issuer whose keys are all in foreign hands
/// cannot be asked any more.
fn may_report(context: &Context<'_, '_>, party: &PartyId) -> Result<bool, Stop> {
    let signer = context.signer();
    if signer == *party
        || governance::has_role(context.view(governance::NAME), &signer, governance::STEWARD)?
    {
        return Ok(true);
    }
    let identities = context.view(identity::NAME);
    Ok(identity::has_granted(
        identities,
        &signer,
        party,
        ISSUE_ACTION,
    )?)
}
