//! `governance`: members of the network, their roles, and which version of which register judges from which height.
//!
//! A *steward* is a member with the role `steward`; the founding members begin as stewards. In a network of one validator a steward
//! acts alone. Where a committee of validators decides, stewards decide together, by [`proposals`]; how the committee changes is
//! [`changes`], and what accuses a validator is [`evidence`]. Roles other than `steward` mean what other registers and policies make of them.
//! Members and their roles are versioned documents ([`crate::history`]), so who was steward at a past height is provable.

mod apply;
pub mod changes;
mod committee;
pub mod evidence;
mod member;
pub mod proposals;
pub mod refusals;
mod spec;

use stele_core::cbor::{Body, Encoder};
use stele_core::genesis::Genesis;
use stele_core::id::{Height, PartyId};
use stele_core::machine::{Fault, StateReader};

pub use changes::{Change, ChangeStatus, change, dealing};
use committee::committee_numbered_in;
pub use committee::{
    Committee, Validator, committee, committee_number, committee_numbered, epoch_blocks,
};
pub use member::Member;
pub use proposals::{Proposal, ProposalStatus, proposal, proposal_count};

use crate::context::{Context, Namespace, View};
use crate::history;
use crate::register::{Register, Stop};
use crate::spec::{CommandSpec, EventSpec, RefusalSpec, StateKeySpec};

/// The register's name.
pub const NAME: &str = "governance";
/// The role that may change governance.
pub const STEWARD: &str = "steward";
/// The most roles of one member.
pub const ROLES_MAX: usize = 32;
/// The longest role name, in bytes.
pub const ROLE_BYTES_MAX: usize = 32;
/// The most versions that one register may have been given.
pub const ACTIVATIONS_MAX: usize = 256;

/// The register, version 1.
#[derive(Debug, Clone, Copy)]
pub struct Governance;

/// The key of a member's document.
pub fn member_key(party: &PartyId) -> Vec<u8> {
    [b"member/", party.as_bytes().as_slice()].concat()
}

/// The key of a register's schedule of versions.
pub fn register_key(register: &str) -> Vec<u8> {
    [b"register/", register.as_bytes()].concat()
}

/// The number of active stewards.
pub(crate) const STEWARDS_KEY: &[u8] = b"stewards";

/// The member `party` as of the last block, seen through a view of `governance`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn member(view: View<'_>, party: &PartyId) -> Result<Option<Member>, Fault> {
    let key = member_key(party);
    match history::current(view, &key)? {
        None => Ok(None),
        Some(version) => Member::decode(&version.content)
            .map(Some)
            .map_err(|error| view.unreadable(&key, error)),
    }
}

/// The member `party` as of a past block.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn member_at(
    reader: &dyn StateReader,
    party: &PartyId,
    height: Height,
) -> Result<Option<Member>, Fault> {
    let (view, key) = (View::new(reader, NAME), member_key(party));
    match history::at(view, &key, height)? {
        None => Ok(None),
        Some(version) => Member::decode(&version.content)
            .map(Some)
            .map_err(|error| view.unreadable(&key, error)),
    }
}

/// Whether `party` is an active member with `role`, seen through a view of `governance`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn has_role(view: View<'_>, party: &PartyId, role: &str) -> Result<bool, Fault> {
    Ok(member(view, party)?.is_some_and(|member| member.active && member.has_role(role)))
}

impl Register for Governance {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Members of the network, their roles, and which version of which register judges from which height."
    }

    fn reads(&self) -> &'static [&'static str] {
        &[crate::identity::NAME]
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
        let mut stewards = 0u64;
        for founder in &genesis.members {
            let key = member_key(&PartyId::of_first_key(&founder.key.kid()));
            if state.get(&key)?.is_some() {
                return Err((&refusals::ALREADY_MEMBER).into());
            }
            let member = Member {
                name: founder.name.clone(),
                url: None,
                active: true,
                roles: vec![STEWARD.to_owned()],
            };
            history::write(state, Height::new(0), &key, member.encode())?;
            stewards += 1;
        }
        state.put(STEWARDS_KEY, apply::encode_uint(stewards));
        for (name, version) in &genesis.registers {
            let mut schedule = Encoder::new();
            schedule.array(1).array(2).uint(*version).uint(0);
            state.put(&register_key(name.as_str()), schedule.into_vec());
        }
        committee::genesis(genesis, state)
    }

    fn apply(
        &self,
        context: &mut Context<'_, '_>,
        command: &str,
        body: &mut Body<'_>,
    ) -> Result<(), Stop> {
        apply::apply(context, command, body)
    }
}
