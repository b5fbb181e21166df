//! `statement`: signed statements of other formats, registered by hash (SCITT).
//!
//! A statement is any COSE_Sign1 that a party signed outside Stele. A *registrar* checks its signature and registers its hash: SHA-256 of the
//! COSE `Sig_structure`, which stays the same whatever is added to the unprotected header, receipts for instance. The chain holds when
//! it was registered, by whom, and whose key had signed it; the statement itself stays with its issuer.
//!
//! The register knows that the issuer's key was an active key of a party when the statement was registered. That the signature verified is what
//! the registrar says, and it answers for it by name: each registrar has its own record of a statement.

pub mod refusals;
mod spec;
mod state;

use stele_core::cbor::{Body, BodyBuilder};

pub use state::{StatementRecord, record, record_key};

use crate::context::Context;
use crate::register::{Register, Stop};
use crate::spec::{CommandSpec, EventSpec, RefusalSpec, StateKeySpec, ensure};
use crate::{fields, identity};

/// The register's name.
pub const NAME: &str = "statement";
/// The longest subject and content type, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// The register, version 1.
#[derive(Debug, Clone, Copy)]
pub struct Statement;

impl Register for Statement {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Signed statements of other formats, registered by hash: when, by whom, and whose key had signed."
    }

    fn reads(&self) -> &'static [&'static str] {
        &[identity::NAME]
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
            "statement.register" => register(context, body),
            other => unreachable!("not among the commands of statement: {other}"),
        }
    }
}

fn register(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let hash = body.bytes32("statement_hash")?;
    let issuer_kid = fields::kid(body, "issuer_kid")?;
    let subject = body.opt_text("subject", TEXT_BYTES_MAX)?;
    let content_type = body.opt_text("content_type", TEXT_BYTES_MAX)?;

    let issuer_key = identity::key_record(context.view(identity::NAME), &issuer_kid)?;
    let issuer_key = issuer_key.ok_or(&refusals::UNKNOWN_ISSUER)?;
    ensure(issuer_key.revoked.is_none(), &refusals::ISSUER_REVOKED)?;
    let key = record_key(&context.signer(), &hash);
    ensure(context.get(&key)?.is_none(), &refusals::REGISTERED)?;

    let record = StatementRecord {
        entry: context.entry_id(),
        height: context.height(),
        issuer: issuer_key.party,
        issuer_kid,
        subject: subject.map(str::to_owned),
        content_type: content_type.map(str::to_owned),
    };
    context.put(&key, record.encode());
    let mut event = BodyBuilder::new()
        .bytes("statement_hash", &hash)
        .bytes("issuer", record.issuer.as_bytes())
        .bytes("issuer_kid", issuer_kid.as_bytes());
    if let Some(subject) = subject {
        event = event.text("subject", subject);
    }
    if let Some(content_type) = content_type {
        event = event.text("content_type", content_type);
    }
    context.emit("statement.registered", event.build());
    Ok(())
}
