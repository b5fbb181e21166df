//! Committing to issued credentials.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::Hash;

use super::state::{self, Issuance, issuance_key, schema_ref};
use super::{COUNT_MAX, TEXT_BYTES_MAX, refusals};
use crate::context::Context;
use crate::register::Stop;
use crate::spec::ensure;
use crate::{fields, identity};

/// The action that an issuer is accredited for.
pub const ISSUE_ACTION: &str = "credential/issue";

pub(super) fn commit(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let root = Hash::from_bytes(body.bytes32("root")?);
    let count = body.uint("count")?;
    let credential_type = body.text("type", TEXT_BYTES_MAX)?;
    let kid = fields::kid(body, "issuing_kid")?;
    let scope = body.opt_text("scope", TEXT_BYTES_MAX)?;
    let schema_id = body.opt_text("schema", TEXT_BYTES_MAX)?;
    let schema_version = body.opt_uint("schema_version")?;

    let issuer = context.signer();
    ensure((1..=COUNT_MAX).contains(&count), &refusals::BAD_COUNT)?;
    let key = issuance_key(&issuer, &root);
    ensure(context.get(&key)?.is_none(), &refusals::ISSUED)?;
    let identities = context.view(identity::NAME);
    let chain = identity::is_accredited(identities, &issuer, ISSUE_ACTION, scope, context.time())?
        .ok_or(&refusals::NOT_ACCREDITED)?;
    let record = identity::key_record(identities, &kid)?;
    let own = record.is_some_and(|record| record.party == issuer && record.revoked.is_none());
    ensure(own, &refusals::FOREIGN_KEY)?;
    let reported = state::compromise(context.own(), &kid)?;
    ensure(reported.is_none(), &refusals::DOUBTFUL_KEY)?;
    let schema = match (schema_id, schema_version) {
        (None, None) => None,
        (id, version) => {
            let schema = schema_ref(&issuer, id.unwrap_or_default());
            let version = version.unwrap_or_default();
            let known = state::schema(context.own(), &schema, version)?;
            Some(known.ok_or(&refusals::NO_SCHEMA)?.content)
        }
    };

    let issuance = Issuance {
        entry: context.entry_id(),
        height: context.height(),
        time: context.time(),
        kid,
        credential_type: credential_type.to_owned(),
        scope: scope.map(str::to_owned),
        count,
        schema,
        chain,
    };
    context.put(&key, issuance.encode());
    let mut event = BodyBuilder::new()
        .bytes("issuer", issuer.as_bytes())
        .bytes("root", root.as_bytes())
        .bytes("kid", kid.as_bytes())
        .text("type", credential_type)
        .uint("count", count)
        .bytes("accreditation", issuance.chain[0].as_bytes());
    if let Some(scope) = scope {
        event = event.text("scope", scope);
    }
    context.emit("issuance.committed", event.build());
    Ok(())
}
