//! `credential`: what issuers commit to when they issue, publish and correct.
//!
//! No credential and no personal data enters the chain. The register holds four kinds of facts, each by its hash:
//! - *Schemas*: the published form of a credential type; a version never changes.
//! - *Issuances*: the Merkle root over the salted commitments of a batch of credentials. The register takes it only from a party that
//!   is accredited for `credential/issue`, under an active key of that party, and keeps the chain of accreditations with it. So one receipt
//!   of one value says for ever that the issuer was accredited and its key valid at issuance, also after the issuer is gone.
//! - *Status lists*: the root over the shards of a list, versioned, so that a shard is provable as of any past time. Shards are served as
//!   static files; who reads one entry of them is seen by nobody.
//! - *Documents* that several parties sign, such as a learning agreement: a salted commitment, and who signed.
//!
//! A *compromise* says from when on signatures of a key are doubtful. What was committed before that time stays valid: its time is the
//! block's, not the signer's.

mod compromise;
mod documents;
mod issuance;
pub mod refusals;
mod schemas;
mod spec;
mod state;
mod status;

use stele_core::cbor::Body;

pub use issuance::ISSUE_ACTION;
pub use state::{
    Compromise, Document, Issuance, Schema, StatusList, compromise, compromise_key, document,
    document_key, issuance, issuance_key, list_ref, schema, schema_key, schema_ref, status_at,
    status_key, status_list,
};

use crate::context::Context;
use crate::register::{Register, Stop};
use crate::spec::{CommandSpec, EventSpec, RefusalSpec, StateKeySpec};
use crate::{governance, identity};

/// The register's name.
pub const NAME: &str = "credential";
/// The longest text of a field, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;
/// The most credentials under one root.
pub const COUNT_MAX: u64 = 1 << 24;
/// The most shards of a status list.
pub const SHARDS_MAX: u64 = 1 << 20;
/// The most entries of a shard.
pub const SHARD_ENTRIES_MAX: u64 = 1 << 24;

/// The register, version 1.
#[derive(Debug, Clone, Copy)]
pub struct Credential;

impl Register for Credential {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Commitments of issuers: schemas, issued batches, status lists, documents with several signers, compromised keys. No personal data."
    }

    fn reads(&self) -> &'static [&'static str] {
        &[governance::NAME, identity::NAME]
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

    fn apply(
        &self,
        context: &mut Context<'_, '_>,
        command: &str,
        body: &mut Body<'_>,
    ) -> Result<(), Stop> {
        match command {
            "schema.publish" => schemas::publish(context, body),
            "issuance.commit" => issuance::commit(context, body),
            "status.publish" => status::publish(context, body),
            "key.compromised" => compromise::report(context, body),
            "document.attest" => documents::attest(context, body),
            other => unreachable!("not among the commands of credential: {other}"),
        }
    }
}
