//! Publishing schemas.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::Hash;

use super::state::{self, Schema, schema_key, schema_ref};
use super::{TEXT_BYTES_MAX, refusals};
use crate::context::Context;
use crate::register::Stop;
use crate::spec::ensure;

pub(super) fn publish(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let id = body.text("id", TEXT_BYTES_MAX)?;
    let version = body.uint("version")?;
    let content = Hash::from_bytes(body.bytes32("content")?);
    let uri = body.opt_text("uri", TEXT_BYTES_MAX)?;

    let issuer = context.signer();
    let schema = schema_ref(&issuer, id);
    let known = state::schema(context.own(), &schema, version)?;
    ensure(known.is_none(), &refusals::SCHEMA_EXISTS)?;
    let value = Schema {
        entry: context.entry_id(),
        height: context.height(),
        content,
        uri: uri.map(str::to_owned),
    };
    context.put(&schema_key(&schema, version), value.encode());
    let event = BodyBuilder::new()
        .bytes("schema", schema.as_bytes())
        .bytes("issuer", issuer.as_bytes())
        .text("id", id)
        .uint("version", version)
        .bytes("content", content.as_bytes());
    context.emit("schema.published", event.build());
    Ok(())
}
