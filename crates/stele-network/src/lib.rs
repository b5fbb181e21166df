//! Validators: how organisations that do not trust each other order one chain and sign its results with one key.
//!
//! The design is `docs/design/0008-network.md`. This crate is the adapter to the BFT engine (commonware 2026.10): no other crate names one
//! of its types, so that a new release of the engine touches this folder alone.
//!
//! - [`keys`]: node keys, and shares of the one network key.
//! - [`ceremony`]: founding a network and resharing its key.
//! - `stack`: all tasks of one node and how they are wired; `epochs` runs the engine, `application` proposes and judges, `delivery`
//!   hands ordered blocks to the ledger, `certify` makes certificates, `gossip` spreads entries, `membership` changes the committee.
//! - `chain`: the ledger as the tasks above use it.
//! - [`Status`]: how the network does, seen from here.

pub mod ceremony;
pub mod keys;
mod random;

mod application;
mod block;
mod certify;
mod chain;
mod committee;
mod delivery;
mod epochs;
mod evidence;
mod fetch;
mod follow;
mod founding;
mod gossip;
mod marks;
mod membership;
mod peers;
mod runtime;
mod score;
mod stack;
mod status;
mod sync;
mod upgrades;
mod wake;

#[cfg(test)]
extern crate self as stele_network;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod simulation;

pub use application::Pace;
pub use block::BlockLimits;
pub use chain::CommitteeError;
pub use committee::{Committee, Validator};
pub use epochs::Timeouts;
pub use evidence::{Evidence, Vote, VoteKind};
pub use founding::{
    ADDRESS_BYTES_MAX, Card, CardError, Founder, FoundingPlan, MEMBER_NAME_BYTES_MAX,
    certify_block_zero, sign_block_zero,
};
pub use runtime::{Identity, Network, NetworkOptions, Seat};
pub use score::Faults;
pub use status::{Alarm, Status, ValidatorStatus};
pub use upgrades::upgrade_alarms;
