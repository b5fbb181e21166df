//! Documents that several parties sign.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::{Hash, PartyId};

use super::state::{self, Document, document_key};
use super::{TEXT_BYTES_MAX, refusals};
use crate::context::Context;
use crate::register::Stop;
use crate::spec::ensure;

pub(super) fn attest(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let kind = body.text("kind", TEXT_BYTES_MAX)?;
    let commitment = Hash::from_bytes(body.bytes32("commitment")?);
    let replaces = body.opt_bytes32("replaces")?.map(Hash::from_bytes);

    let known = state::document(context.own(), &commitment)?;
    ensure(known.is_none(), &refusals::ATTESTED)?;
    let signers = signers(context);
    if let Some(old) = replaces {
        replace(context, &old, commitment, &signers)?;
    }
    let document = Document {
        entry: context.entry_id(),
        height: context.height(),
        kind: kind.to_owned(),
        signers,
        replaces,
        replaced_by: None,
    };
    context.put(&document_key(&commitment), document.encode());
    let mut event = BodyBuilder::new()
        .text("kind", kind)
        .bytes("commitment", commitment.as_bytes())
        .bytes("signer", context.signer().as_bytes())
        .uint("signers", document.signers.len() as u64);
    if let Some(old) = replaces {
        event = event.bytes("replaces", old.as_bytes());
    }
    context.emit("document.attested", event.build());
    Ok(())
}

/// The parties that signed, each once, the entry's signer first.
fn signers(context: &Context<'_, '_>) -> Vec<PartyId> {
    let mut signers = vec![context.signer()];
    for party in context.cosigners().iter().filter_map(|found| found.party) {
        if !signers.contains(&party) {
            signers.push(party);
        }
    }
    signers
}

fn replace(
    context: &mut Context<'_, '_>,
    old: &Hash,
    new: Hash,
    signers: &[PartyId],
) -> Result<(), Stop> {
    let mut document = state::document(context.own(), old)?.ok_or(&refusals::NO_DOCUMENT)?;
    ensure(document.replaced_by.is_none(), &refusals::REPLACED)?;
    let agreed = document.signers.iter().all(|party| signers.contains(party));
    ensure(agreed, &refusals::OTHER_SIGNERS)?;
    document.replaced_by = Some(new);
    context.put(&document_key(old), document.encode());
    Ok(())
}
