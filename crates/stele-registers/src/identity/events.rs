//! Short ways to emit the events of `identity`.

use stele_core::cbor::BodyBuilder;
use stele_core::id::{KeyId, PartyId};

use crate::context::Context;

/// An event about a party and one of its keys.
pub(super) fn key(context: &mut Context<'_, '_>, event: &str, party: &PartyId, kid: &KeyId) {
    let body = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .bytes("kid", kid.as_bytes());
    context.emit(event, body.build());
}

/// An event about a party.
pub(super) fn party(context: &mut Context<'_, '_>, event: &str, party: &PartyId) {
    context.emit(
        event,
        BodyBuilder::new().bytes("party", party.as_bytes()).build(),
    );
}
