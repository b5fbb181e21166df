//! A person's anchor: one hiding commitment to a root key and guardians, for recovery and revocation.
//!
//! `commitment = SHA-256("stele/anchor/v1" || salt || kid of the root key || guardians)`, with a fresh salt of 32 bytes and
//! `guardians = SHA-256("stele/anchor/guardians/v1" || threshold || delay_ms || kid of each guardian)`, numbers as 8 bytes, big-endian.
//!
//! Nothing of it shows before it is used. Using it opens the commitment once and puts a new one in its place, so that two uses have no key
//! in common. The root key and the guardians' keys countersign; any party may bring the entry to the chain. Persons meet their
//! counterparts under pairwise DIDs that the ledger never sees, so nothing links those to the anchor.

use stele_core::cbor::{Body, BodyError, Decoder};
use stele_core::id::{Hash, KeyId, TimeMs, sha256};

use super::members::Named;
use super::parties::kid_of;
use super::rolls::RollKind;
use super::{DELAY_MS_MAX, GUARDIANS_MAX, refusals};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

/// The commitment of an anchor.
pub fn anchor_commitment(salt: &[u8; 32], root: &KeyId, guardians: &Hash) -> Hash {
    Hash::from_bytes(sha256(&[
        b"stele/anchor/v1",
        salt,
        root.as_bytes(),
        guardians.as_bytes(),
    ]))
}

/// The part of an anchor's commitment that names its guardians; without any, `threshold` is 0.
pub fn anchor_guardians(threshold: u64, delay_ms: u64, guardians: &[KeyId]) -> Hash {
    let (threshold, delay_ms) = (threshold.to_be_bytes(), delay_ms.to_be_bytes());
    let mut parts: Vec<&[u8]> = vec![b"stele/anchor/guardians/v1", &threshold, &delay_ms];
    parts.extend(guardians.iter().map(|kid| kid.as_bytes().as_slice()));
    Hash::from_bytes(sha256(&parts))
}

/// What opens a commitment for its root key.
struct Opening<'a> {
    salt: [u8; 32],
    root_key: &'a [u8],
    guardians: Hash,
}

impl<'a> Opening<'a> {
    fn read(body: &mut Body<'a>) -> Result<Self, BodyError> {
        Ok(Self {
            salt: body.bytes32("salt")?,
            root_key: fields::key(body, "root_key")?,
            guardians: Hash::from_bytes(body.bytes32("guardians")?),
        })
    }

    /// Whether it opens the member's commitment and its root key countersigned.
    fn check_root(&self, context: &Context<'_, '_>, named: &Named<'_>) -> Outcome {
        ensure(named.roll.kind == RollKind::Anchor, &refusals::OTHER_KIND)?;
        let root = kid_of(self.root_key)?;
        let opened = anchor_commitment(&self.salt, &root, &self.guardians);
        ensure(opened == present(named), &refusals::NOT_OPENED)?;
        ensure(context.cosigned_by_key(&root), &refusals::NO_POSSESSION)
    }
}

/// The commitment that holds now: the last one, or the one that was enrolled.
fn present(named: &Named<'_>) -> Hash {
    named.member.commitment.unwrap_or_else(|| {
        let record = named
            .record
            .try_into()
            .expect("an anchor's record is 32 bytes");
        Hash::from_bytes(record)
    })
}

pub(super) fn renew(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let opening = Opening::read(body)?;
    let to = Hash::from_bytes(body.bytes32("new_commitment")?);
    let mut named = Named::read(context, body, &[RollKind::Anchor])?;
    opening.check_root(context, &named)?;
    ensure(to != present(&named), &refusals::SAME_COMMITMENT)?;
    named.member.commitment = Some(to);
    // Whoever holds the root key stops a recovery that was not asked for.
    named.member.pending = None;
    named.save(context, "anchor.renewed")
}

pub(super) fn end(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let opening = Opening::read(body)?;
    let named = Named::read(context, body, &[RollKind::Anchor])?;
    opening.check_root(context, &named)?;
    named.end(context)
}

pub(super) fn recover(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let salt = body.bytes32("salt")?;
    let root = fields::kid(body, "root_kid")?;
    let threshold = body.uint("threshold")?;
    let delay_ms = body.uint("delay_ms")?;
    let guardians = fields::list(
        body,
        "guardian_kids",
        1,
        GUARDIANS_MAX,
        |decoder: &mut Decoder<'_>| decoder.bytes32().map(KeyId::from_bytes),
    )?;
    // Their keys, for whoever checks the countersignatures: see `lookup`.
    fields::list(body, "guardian_keys", 1, GUARDIANS_MAX, fields::key_item)?;
    let to = Hash::from_bytes(body.bytes32("new_commitment")?);
    let mut named = Named::read(context, body, &[RollKind::Anchor])?;

    let of_guardians = anchor_guardians(threshold, delay_ms, &guardians);
    let opened = anchor_commitment(&salt, &root, &of_guardians);
    ensure(opened == present(&named), &refusals::NOT_OPENED)?;
    ensure(to != present(&named), &refusals::SAME_COMMITMENT)?;
    ensure(delay_ms <= DELAY_MS_MAX, &refusals::DELAY_TOO_LONG)?;
    let mut agreed: Vec<&KeyId> = Vec::new();
    for kid in &guardians {
        if context.cosigned_by_key(kid) && !agreed.contains(&kid) {
            agreed.push(kid);
        }
    }
    let enough = threshold > 0 && agreed.len() as u64 >= threshold;
    ensure(enough, &refusals::TOO_FEW_GUARDIANS)?;
    if delay_ms == 0 {
        named.member.commitment = Some(to);
        named.member.pending = None;
        named.save(context, "anchor.recovered")
    } else {
        let ripe = context.time().get().saturating_add(delay_ms);
        named.member.pending = Some((to, TimeMs::new(ripe)));
        named.save(context, "anchor.recovery-agreed")
    }
}

pub(super) fn finish(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let mut named = Named::read(context, body, &[RollKind::Anchor])?;
    let (to, ripe) = named.member.pending.ok_or(&refusals::NO_ANCHOR_RECOVERY)?;
    ensure(ripe <= context.time(), &refusals::NOT_RIPE)?;
    named.member.commitment = Some(to);
    named.member.pending = None;
    named.save(context, "anchor.recovered")
}
