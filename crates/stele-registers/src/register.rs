//! The trait that every register implements.

use stele_core::cbor::{Body, BodyError};
use stele_core::genesis::Genesis;
use stele_core::machine::{Fault, Halt, Refusal};

use crate::context::{Context, Namespace};
use crate::spec::{CommandSpec, EventSpec, RefusalSpec, StateKeySpec};

/// A deterministic state machine with typed commands over its own namespace of the state.
///
/// `apply` may depend on nothing but its arguments: no clock, no randomness, no floats, no order of a hash map. It reads
/// and writes keys of its own namespace and reads those of the registers it declares in [`Register::reads`].
///
/// docs/registers/add-a-register.md is the checklist for a new one.
pub trait Register: Send + Sync + 'static {
    /// The register's name, such as `trace`.
    fn name(&self) -> &'static str;

    /// The version of its rules. Governance says from which height a version judges.
    fn version(&self) -> u32;

    /// One sentence for people: what the register holds.
    fn about(&self) -> &'static str {
        ""
    }

    /// Other registers whose state it may read.
    fn reads(&self) -> &'static [&'static str] {
        &[]
    }

    /// Its commands.
    fn commands(&self) -> &'static [CommandSpec];

    /// The events that its commands emit.
    fn events(&self) -> &'static [EventSpec] {
        &[]
    }

    /// The keys of its namespace.
    fn state_keys(&self) -> &'static [StateKeySpec] {
        &[]
    }

    /// The rules by which its commands refuse, besides `<register>.<command>.bad-body`.
    fn refusals(&self) -> &'static [&'static RefusalSpec] {
        &[]
    }

    /// Writes what the register's namespace holds when the network starts.
    ///
    /// # Errors
    /// [`Stop`] when the register cannot start from this genesis.
    fn genesis(&self, _genesis: &Genesis, _state: &mut Namespace<'_, '_>) -> Result<(), Stop> {
        Ok(())
    }

    /// Executes one command whose name is in [`Register::commands`].
    ///
    /// Fields that `body` still holds afterwards are refused as unknown. After an error everything that the entry has
    /// written is taken back, so there is no need to check before writing.
    ///
    /// # Errors
    /// [`Stop`] when a rule refuses, the body does not fit, or the state cannot be read.
    fn apply(
        &self,
        context: &mut Context<'_, '_>,
        command: &str,
        body: &mut Body<'_>,
    ) -> Result<(), Stop>;
}

/// Why a command stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The body does not fit; recorded as `<register>.<command>.bad-body`.
    #[error(transparent)]
    BadBody(#[from] BodyError),
    /// A rule refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The state could not be read; the block is given up.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Refused(refusal) => Self::Refused(refusal),
            Halt::Fault(fault) => Self::Fault(fault),
        }
    }
}
