//! Recovery of a party by a threshold of the guardians that it named.
//!
//! A guardian opens a recovery to a new key, which countersigns; that counts as its approval. Others approve. Once the
//! threshold is reached the recovery happens at once, or, when the party chose a delay, after a guardian finishes it once
//! the delay has passed. Until then the party may cancel with any key it still has. All old keys are revoked. Every
//! change of guardians, cancellation and recovery begins a new round; recoveries of an earlier round are void.

use stele_core::cbor::{Body, BodyBuilder, DecodeError, Decoder, Encoder};
use stele_core::id::{KeyId, PartyId};

use super::document::{self, PartyDocument};
use super::parties::{load, possessed, put_new_key, revoke_key, save};
use super::{DELAY_MS_MAX, GUARDIANS_MAX, events, refusals};
use crate::context::Context;
use crate::fields;
use crate::history::{read_opt_uint, write_opt_uint};
use crate::register::Stop;
use crate::spec::{KEY_BYTES_MAX, ensure};

type Outcome = Result<(), Stop>;

/// The key of the recovery of `party` to the key `kid`.
pub fn recovery_key(party: &PartyId, kid: &KeyId) -> Vec<u8> {
    [
        b"recovery/".as_slice(),
        party.as_bytes(),
        b"/",
        kid.as_bytes(),
    ]
    .concat()
}

/// A recovery as it stands in the state.
struct Recovery {
    round: u64,
    ripe_ms: Option<u64>,
    approvals: Vec<PartyId>,
    cose_key: Vec<u8>,
}

impl Recovery {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(4).uint(self.round);
        write_opt_uint(&mut out, self.ripe_ms);
        out.array(self.approvals.len());
        for guardian in &self.approvals {
            out.bytes(guardian.as_bytes());
        }
        out.bytes(&self.cose_key);
        out.into_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(4, "a recovery of four parts")?;
        let round = decoder.uint()?;
        let ripe_ms = read_opt_uint(&mut decoder)?;
        let count = decoder.array(GUARDIANS_MAX)?;
        let approvals = (0..count)
            .map(|_| decoder.bytes32().map(PartyId::from_bytes))
            .collect::<Result<_, _>>()?;
        let cose_key = decoder.bytes(KEY_BYTES_MAX)?.to_vec();
        decoder.finish()?;
        Ok(Self {
            round,
            ripe_ms,
            approvals,
            cose_key,
        })
    }
}

pub(super) fn set_guardians(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let threshold = body.uint("threshold")?;
    let delay_ms = body.opt_uint("delay_ms")?.unwrap_or(0);
    let guardians: Vec<PartyId> = fields::list(body, "guardians", 0, GUARDIANS_MAX, |decoder| {
        decoder.bytes32().map(PartyId::from_bytes)
    })?;
    let party = context.signer();
    let mut document = load(context, &party)?;
    let least = u64::from(!guardians.is_empty());
    ensure(
        (least..=guardians.len() as u64).contains(&threshold),
        &refusals::BAD_THRESHOLD,
    )?;
    ensure(delay_ms <= DELAY_MS_MAX, &refusals::DELAY_TOO_LONG)?;
    for (index, guardian) in guardians.iter().enumerate() {
        let known = document::document(context.own(), guardian)?.is_some_and(|found| found.active);
        let named_once = !guardians[..index].contains(guardian);
        ensure(
            known && named_once && *guardian != party,
            &refusals::BAD_GUARDIAN,
        )?;
    }
    document.guardians = guardians;
    document.threshold = threshold;
    document.delay_ms = delay_ms;
    document.round += 1;
    save(context, &party, &document)?;
    let event = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .uint("threshold", threshold)
        .uint("guardians", document.guardians.len() as u64);
    context.emit("guardians.set", event.build());
    Ok(())
}

/// The document of the party to recover, if the signer is one of its guardians.
fn guarded(context: &Context<'_, '_>, party: &PartyId) -> Result<PartyDocument, Stop> {
    let document = load(context, party)?;
    ensure(
        document.guardians.contains(&context.signer()),
        &refusals::NOT_GUARDIAN,
    )?;
    Ok(document)
}

fn load_recovery(
    context: &Context<'_, '_>,
    party: &PartyId,
    kid: &KeyId,
    round: u64,
) -> Result<Option<Recovery>, Stop> {
    let (view, key) = (context.own(), recovery_key(party, kid));
    let Some(bytes) = view.get(&key)? else {
        return Ok(None);
    };
    let recovery = Recovery::decode(&bytes).map_err(|error| view.unreadable(&key, error))?;
    Ok(Some(recovery).filter(|recovery| recovery.round == round))
}

pub(super) fn open(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let party = fields::party(body, "party")?;
    let cose_key = fields::key(body, "new_key")?;
    let document = guarded(context, &party)?;
    let kid = possessed(context, cose_key)?;
    ensure(
        document::key_record(context.own(), &kid)?.is_none(),
        &refusals::KEY_EXISTS,
    )?;
    let open = load_recovery(context, &party, &kid, document.round)?;
    ensure(open.is_none(), &refusals::RECOVERY_OPEN)?;
    let recovery = Recovery {
        round: document.round,
        ripe_ms: None,
        approvals: Vec::new(),
        cose_key: cose_key.to_vec(),
    };
    events::key(context, "recovery.opened", &party, &kid);
    add_approval(context, &party, &kid, document, recovery)
}

pub(super) fn approve(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let party = fields::party(body, "party")?;
    let kid = fields::kid(body, "recovery")?;
    let document = guarded(context, &party)?;
    let recovery =
        load_recovery(context, &party, &kid, document.round)?.ok_or(&refusals::NO_RECOVERY)?;
    ensure(
        !recovery.approvals.contains(&context.signer()),
        &refusals::ALREADY_APPROVED,
    )?;
    add_approval(context, &party, &kid, document, recovery)
}

fn add_approval(
    context: &mut Context<'_, '_>,
    party: &PartyId,
    kid: &KeyId,
    document: PartyDocument,
    mut recovery: Recovery,
) -> Outcome {
    recovery.approvals.push(context.signer());
    let reached = recovery.approvals.len() as u64 >= document.threshold;
    if reached && recovery.ripe_ms.is_none() {
        recovery.ripe_ms = Some(context.time().get().saturating_add(document.delay_ms));
    }
    let event = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .bytes("kid", kid.as_bytes())
        .bytes("guardian", context.signer().as_bytes());
    context.emit("recovery.approved", event.build());
    if reached && document.delay_ms == 0 {
        return recover(context, party, kid, document, &recovery);
    }
    context.put(&recovery_key(party, kid), recovery.encode());
    Ok(())
}

pub(super) fn finish(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let party = fields::party(body, "party")?;
    let kid = fields::kid(body, "recovery")?;
    let document = guarded(context, &party)?;
    let recovery =
        load_recovery(context, &party, &kid, document.round)?.ok_or(&refusals::NO_RECOVERY)?;
    let ripe = recovery
        .ripe_ms
        .is_some_and(|ripe_ms| ripe_ms <= context.time().get());
    ensure(ripe, &refusals::NOT_RIPE)?;
    recover(context, &party, &kid, document, &recovery)
}

fn recover(
    context: &mut Context<'_, '_>,
    party: &PartyId,
    kid: &KeyId,
    mut document: PartyDocument,
    recovery: &Recovery,
) -> Outcome {
    // The key was new when the recovery was opened; it may have been registered since.
    let height = context.height();
    put_new_key(
        context.state(),
        height,
        *party,
        kid,
        &recovery.cose_key,
        Some("recovery"),
    )?;
    for old in std::mem::replace(&mut document.keys, vec![*kid]) {
        revoke_key(context, &old)?;
    }
    document.round += 1;
    save(context, party, &document)?;
    context.delete(&recovery_key(party, kid));
    events::key(context, "recovery.done", party, kid);
    Ok(())
}

pub(super) fn cancel(context: &mut Context<'_, '_>, _body: &mut Body<'_>) -> Outcome {
    let party = context.signer();
    let mut document = load(context, &party)?;
    document.round += 1;
    save(context, &party, &document)?;
    events::party(context, "recovery.cancelled", &party);
    Ok(())
}
