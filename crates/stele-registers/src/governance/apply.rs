//! The commands of `governance`.

use stele_core::cbor::{Body, BodyBuilder, DecodeError, Decoder, Encoder};
use stele_core::id::{PartyId, RegisterName};
use stele_core::machine::Fault;

use super::{
    ACTIVATIONS_MAX, Member, ROLE_BYTES_MAX, ROLES_MAX, STEWARD, STEWARDS_KEY, changes, evidence,
    member_key, proposals, refusals, register_key,
};
use crate::context::{Context, View};
use crate::identity::{self, PartyKind};
use crate::register::Stop;
use crate::spec::ensure;
use crate::{fields, history};

type Outcome = Result<(), Stop>;

/// On whose authority a command runs that needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authority {
    /// The signer's own, as a steward.
    Signer,
    /// That of a proposal that has passed.
    Proposal,
}

impl Authority {
    /// Refuses what only a proposal may do.
    pub(super) fn require_proposal(self) -> Outcome {
        ensure(self == Self::Proposal, &refusals::NEEDS_PROPOSAL)
    }

    /// A steward may do it alone in a network of one validator, and only a proposal where a committee decides.
    fn require_steward(self, context: &Context<'_, '_>) -> Outcome {
        if self == Self::Proposal {
            return Ok(());
        }
        let steward = super::has_role(context.own(), &context.signer(), STEWARD)?;
        ensure(steward, &refusals::NOT_STEWARD)?;
        let alone = context.get(super::committee::COMMITTEE_KEY)?.is_none();
        ensure(alone, &refusals::NEEDS_PROPOSAL)
    }
}

pub(super) fn apply(context: &mut Context<'_, '_>, command: &str, body: &mut Body<'_>) -> Outcome {
    match command {
        "proposal.open" => proposals::open(context, body),
        "proposal.vote" => proposals::vote(context, body),
        "proposal.withdraw" => proposals::withdraw(context, body),
        "member.describe" => member_describe(context, body),
        "validator.leave" => changes::leave(context, body),
        "validator.rotate" => changes::rotate(context, body),
        "committee.deal" => changes::deal(context, body),
        "committee.confirm" => changes::confirm(context, body),
        "evidence.report" => evidence::report(context, body),
        other => execute(context, other, body, Authority::Signer),
    }
}

/// Executes a command that stewards decide on.
pub(super) fn execute(
    context: &mut Context<'_, '_>,
    command: &str,
    body: &mut Body<'_>,
    authority: Authority,
) -> Outcome {
    match command {
        "member.add" => member_add(context, body, authority),
        "member.suspend" => member_suspend(context, body, authority),
        "member.restore" => member_restore(context, body, authority),
        "role.grant" => role_grant(context, body, authority),
        "role.revoke" => role_revoke(context, body, authority),
        "register.activate" => register_activate(context, body, authority),
        "register.withdraw" => register_withdraw(context, body, authority),
        "validator.add" => changes::add(context, body, authority),
        "validator.remove" => changes::remove(context, body, authority),
        "committee.refresh" => changes::refresh(context, body, authority),
        other => unreachable!("not among the commands of governance: {other}"),
    }
}

fn load(context: &Context<'_, '_>, party: &PartyId) -> Result<Member, Stop> {
    super::member(context.own(), party)?.ok_or_else(|| (&refusals::NOT_MEMBER).into())
}

fn save(context: &mut Context<'_, '_>, party: &PartyId, member: &Member) -> Outcome {
    let height = context.height();
    Ok(history::write(
        context.state(),
        height,
        &member_key(party),
        member.encode(),
    )?)
}

pub(super) fn encode_uint(value: u64) -> Vec<u8> {
    let mut out = Encoder::new();
    out.uint(value);
    out.into_vec()
}

pub(super) fn stewards(context: &Context<'_, '_>) -> Result<u64, Stop> {
    Ok(steward_count(context.own())?)
}

pub(super) fn steward_count(view: View<'_>) -> Result<u64, Fault> {
    let bytes = view.get(STEWARDS_KEY)?.unwrap_or_default();
    Decoder::new(&bytes)
        .uint()
        .map_err(|error| view.unreadable(STEWARDS_KEY, error))
}

fn count_steward(context: &mut Context<'_, '_>, more: bool) -> Outcome {
    let count = stewards(context)?;
    let count = if more {
        count + 1
    } else {
        count.checked_sub(1).expect("a steward was counted")
    };
    context.put(STEWARDS_KEY, encode_uint(count));
    Ok(())
}

fn emit_about(context: &mut Context<'_, '_>, event: &str, party: &PartyId) {
    let by = context.signer();
    let body = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .bytes("by", by.as_bytes());
    context.emit(event, body.build());
}

fn member_add(context: &mut Context<'_, '_>, body: &mut Body<'_>, authority: Authority) -> Outcome {
    let party = fields::party(body, "party")?;
    let name = body.text("name", 128)?;
    authority.require_steward(context)?;
    let document = identity::document(context.view(identity::NAME), &party)?
        .filter(|document| document.active)
        .ok_or(&refusals::NO_SUCH_PARTY)?;
    let kind = document.kind;
    ensure(
        kind != PartyKind::Person && kind != PartyKind::Device,
        &refusals::BAD_KIND,
    )?;
    ensure(
        super::member(context.own(), &party)?.is_none(),
        &refusals::ALREADY_MEMBER,
    )?;
    let member = Member {
        name: name.to_owned(),
        url: None,
        active: true,
        roles: Vec::new(),
    };
    save(context, &party, &member)?;
    let event = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .text("name", name)
        .bytes("by", context.signer().as_bytes());
    context.emit("member.added", event.build());
    Ok(())
}

fn member_describe(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let name = body.text("name", 128)?;
    let url = body.opt_text("url", 256)?;
    let party = context.signer();
    let mut member = load(context, &party)?;
    ensure(member.active, &refusals::SUSPENDED)?;
    member.name = name.to_owned();
    member.url = url.map(str::to_owned);
    save(context, &party, &member)?;
    let event = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .text("name", name);
    context.emit("member.described", event.build());
    Ok(())
}

fn member_suspend(
    context: &mut Context<'_, '_>,
    body: &mut Body<'_>,
    authority: Authority,
) -> Outcome {
    let party = fields::party(body, "party")?;
    body.opt_text("reason", 256)?;
    authority.require_steward(context)?;
    // So the signer stays an active steward, and there is always one.
    let own = authority == Authority::Signer && party == context.signer();
    ensure(!own, &refusals::SELF_SUSPENSION)?;
    let mut member = load(context, &party)?;
    ensure(member.active, &refusals::SUSPENDED)?;
    if member.has_role(STEWARD) {
        ensure(stewards(context)? > 1, &refusals::LAST_STEWARD)?;
        count_steward(context, false)?;
    }
    member.active = false;
    save(context, &party, &member)?;
    emit_about(context, "member.suspended", &party);
    changes::member_suspended(context, &party)
}

fn member_restore(
    context: &mut Context<'_, '_>,
    body: &mut Body<'_>,
    authority: Authority,
) -> Outcome {
    let party = fields::party(body, "party")?;
    authority.require_steward(context)?;
    let mut member = load(context, &party)?;
    ensure(!member.active, &refusals::NOT_SUSPENDED)?;
    member.active = true;
    save(context, &party, &member)?;
    if member.has_role(STEWARD) {
        count_steward(context, true)?;
    }
    emit_about(context, "member.restored", &party);
    Ok(())
}

fn role<'a>(body: &mut Body<'a>) -> Result<&'a str, Stop> {
    let role = body.text("role", ROLE_BYTES_MAX)?;
    let well_formed = role.starts_with(|first: char| first.is_ascii_lowercase())
        && role
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    ensure(well_formed, &refusals::BAD_ROLE)?;
    Ok(role)
}

fn emit_role(context: &mut Context<'_, '_>, event: &str, party: &PartyId, role: &str) {
    let body = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .text("role", role)
        .bytes("by", context.signer().as_bytes());
    context.emit(event, body.build());
}

fn role_grant(context: &mut Context<'_, '_>, body: &mut Body<'_>, authority: Authority) -> Outcome {
    let party = fields::party(body, "party")?;
    let role = role(body)?;
    authority.require_steward(context)?;
    let mut member = load(context, &party)?;
    ensure(member.active, &refusals::SUSPENDED)?;
    ensure(!member.has_role(role), &refusals::ROLE_HELD)?;
    ensure(member.roles.len() < ROLES_MAX, &refusals::TOO_MANY_ROLES)?;
    member.roles.push(role.to_owned());
    member.roles.sort_unstable();
    save(context, &party, &member)?;
    if role == STEWARD {
        count_steward(context, true)?;
    }
    emit_role(context, "role.granted", &party, role);
    Ok(())
}

fn role_revoke(
    context: &mut Context<'_, '_>,
    body: &mut Body<'_>,
    authority: Authority,
) -> Outcome {
    let party = fields::party(body, "party")?;
    let role = role(body)?;
    authority.require_steward(context)?;
    let mut member = load(context, &party)?;
    ensure(member.has_role(role), &refusals::ROLE_NOT_HELD)?;
    if role == STEWARD && member.active {
        ensure(stewards(context)? > 1, &refusals::LAST_STEWARD)?;
        count_steward(context, false)?;
    }
    member.roles.retain(|held| held != role);
    save(context, &party, &member)?;
    emit_role(context, "role.revoked", &party, role);
    Ok(())
}

/// The versions of a register and their first heights, ascending.
fn schedule(context: &Context<'_, '_>, register: &str) -> Result<Vec<(u64, u64)>, Stop> {
    let (view, key) = (context.own(), register_key(register));
    let Some(bytes) = view.get(&key)? else {
        return Ok(Vec::new());
    };
    let read = || -> Result<_, DecodeError> {
        let mut decoder = Decoder::new(&bytes);
        let count = decoder.array(ACTIVATIONS_MAX)?;
        let pair = |decoder: &mut Decoder<'_>| {
            decoder.array_of(2, "a version and a height")?;
            Ok((decoder.uint()?, decoder.uint()?))
        };
        (0..count).map(|_| pair(&mut decoder)).collect()
    };
    Ok(read().map_err(|error| view.unreadable(&key, error))?)
}

fn save_schedule(context: &mut Context<'_, '_>, register: &str, schedule: &[(u64, u64)]) {
    let key = register_key(register);
    if schedule.is_empty() {
        return context.delete(&key);
    }
    let mut out = Encoder::new();
    out.array(schedule.len());
    for (version, height) in schedule {
        out.array(2).uint(*version).uint(*height);
    }
    context.put(&key, out.into_vec());
}

fn register_activate(
    context: &mut Context<'_, '_>,
    body: &mut Body<'_>,
    authority: Authority,
) -> Outcome {
    let register = body.text("register", 32)?;
    let (version, height) = (body.uint("version")?, body.uint("height")?);
    ensure(RegisterName::new(register).is_ok(), &refusals::BAD_REGISTER)?;
    authority.require_steward(context)?;
    let mut schedule = schedule(context, register)?;
    let (last_version, last_height) = schedule.last().copied().unwrap_or((0, 0));
    ensure(version > last_version, &refusals::OLD_VERSION)?;
    ensure(
        height > context.height().get().max(last_height),
        &refusals::PAST_HEIGHT,
    )?;
    ensure(
        schedule.len() < ACTIVATIONS_MAX,
        &refusals::TOO_MANY_VERSIONS,
    )?;
    schedule.push((version, height));
    save_schedule(context, register, &schedule);
    let event = BodyBuilder::new()
        .text("register", register)
        .uint("version", version)
        .uint("height", height)
        .bytes("by", context.signer().as_bytes());
    context.emit("register.scheduled", event.build());
    Ok(())
}

fn register_withdraw(
    context: &mut Context<'_, '_>,
    body: &mut Body<'_>,
    authority: Authority,
) -> Outcome {
    let register = body.text("register", 32)?;
    let version = body.uint("version")?;
    authority.require_steward(context)?;
    let mut schedule = schedule(context, register)?;
    let pending = schedule
        .last()
        .is_some_and(|last| last.0 == version && last.1 > context.height().get());
    ensure(pending, &refusals::NOT_PENDING)?;
    schedule.pop();
    save_schedule(context, register, &schedule);
    let event = BodyBuilder::new()
        .text("register", register)
        .uint("version", version)
        .bytes("by", context.signer().as_bytes());
    context.emit("register.withdrawn", event.build());
    Ok(())
}
