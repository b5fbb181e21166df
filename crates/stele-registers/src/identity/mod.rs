//! `identity`: who is behind a key, and who may do what.
//!
//! - A *party* is a DID with 1 to 16 active keys. It introduces itself: the entry that registers it is signed by its first
//!   key, from which its id follows, and countersigned by every further key, so nobody registers a key of another.
//! - Keys are added, rotated and revoked; a revoked key never comes back. A party that lost its keys is recovered by a
//!   threshold of the guardians it named before.
//! - *Devices* are parties owned by a party; ownership moves with both owners' signatures.
//! - *Rolls* enrol identities by the thousand under one root: persons' *anchors*, devices, organisations. A member costs the state
//!   nothing until something happens to it.
//! - *Accreditations* say who may do what, granted by whom, until when; chains of up to eight begin at a steward.
//!
//! Names are claims of the party itself. Personal data never enters the chain: a person has no name here.
//!
//! Everything keeps its past: keys and accreditations carry the heights at which they began and ended, and a party's
//! document is versioned ([`crate::history`]). [`document_at`] and [`accreditation_at`] answer for any past height.

mod accreditation;
mod anchors;
mod devices;
mod document;
mod events;
mod grants;
mod keys;
pub mod lookup;
mod members;
mod parties;
mod recovery;
pub mod refusals;
mod rolls;
mod spec;

use stele_core::cbor::Body;
use stele_core::genesis::Genesis;
use stele_core::id::Height;

pub use accreditation::{
    Accreditation, AccreditationId, accreditation, accreditation_at, accreditation_key,
    has_granted, holdings_key, is_accredited,
};
pub use anchors::{anchor_commitment, anchor_guardians};
pub use document::{
    KeyRecord, PartyDocument, PartyKind, document, document_at, key_key, key_record, party_key,
};
pub use members::{Member, member, member_at, member_key};
pub use recovery::recovery_key;
pub use rolls::{
    ANCHOR_ACTION, ORGANISATION_ACTION, PATH_MAX, RECORDS_BYTES_MAX, RECORDS_MAX, Roll, RollId,
    RollKind, records_root, roll, roll_id, roll_key,
};

use crate::context::{Context, Namespace};
use crate::register::{Register, Stop};
use crate::spec::{CommandSpec, EventSpec, RefusalSpec, StateKeySpec};

/// The register's name.
pub const NAME: &str = "identity";
/// The most active keys of a party.
pub const KEYS_MAX: usize = 16;
/// The most guardians of a party.
pub const GUARDIANS_MAX: usize = 16;
/// The longest chain of accreditations.
pub const CHAIN_MAX: usize = 8;
/// The most accreditations that one party may hold for one action.
pub const HOLDINGS_MAX: usize = 64;
/// The longest delay of a recovery, in milliseconds: 90 days.
pub const DELAY_MS_MAX: u64 = 90 * 24 * 3_600_000;

/// The register, version 1.
#[derive(Debug, Clone, Copy)]
pub struct Identity;

impl Register for Identity {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Parties and their keys, recovery, devices, and accreditations: who may do what, granted by whom, until when."
    }

    fn reads(&self) -> &'static [&'static str] {
        &[crate::governance::NAME]
    }

    fn commands(&self) -> &'static [CommandSpec] {
        spec::COMMANDS
    }

    fn events(&self) -> &'static [EventSpec] {
        spec::EVENTS
    }

    fn state_keys(&self) -> &'static [StateKeySpec] {
        spec::STATE_KEYS
    }

    fn refusals(&self) -> &'static [&'static RefusalSpec] {
        refusals::ALL
    }

    fn genesis(&self, genesis: &Genesis, state: &mut Namespace<'_, '_>) -> Result<(), Stop> {
        for founder in &genesis.members {
            let kid = founder.key.kid();
            let document =
                PartyDocument::new(PartyKind::Organisation, Some(&founder.name), vec![kid]);
            parties::create(
                state,
                Height::new(0),
                &document,
                &[&founder.key.to_cose_key()],
            )?;
        }
        Ok(())
    }

    fn apply(
        &self,
        context: &mut Context<'_, '_>,
        command: &str,
        body: &mut Body<'_>,
    ) -> Result<(), Stop> {
        match command {
            "party.register" => parties::register(context, body),
            "party.rename" => parties::rename(context, body),
            "party.deactivate" => parties::deactivate(context, body),
            "key.add" => keys::add(context, body),
            "key.rotate" => keys::rotate(context, body),
            "key.revoke" => keys::revoke(context, body),
            "guardians.set" => recovery::set_guardians(context, body),
            "recovery.open" => recovery::open(context, body),
            "recovery.approve" => recovery::approve(context, body),
            "recovery.finish" => recovery::finish(context, body),
            "recovery.cancel" => recovery::cancel(context, body),
            "device.register" => devices::register(context, body),
            "device.transfer" => devices::transfer(context, body),
            "device.retire" => devices::retire(context, body),
            "roll.enrol" => rolls::enrol(context, body),
            "member.claim" => members::claim(context, body),
            "member.end" => members::end(context, body),
            "anchor.renew" => anchors::renew(context, body),
            "anchor.end" => anchors::end(context, body),
            "anchor.recover" => anchors::recover(context, body),
            "anchor.finish" => anchors::finish(context, body),
            "accreditation.grant" => grants::grant(context, body),
            "accreditation.revoke" => grants::revoke(context, body),
            other => unreachable!("not among the commands of identity: {other}"),
        }
    }
}
