//! Registering, renaming and ending a party.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::{Height, KeyId, PartyId};
use stele_core::machine::Fault;
use stele_core::suite::PublicKey;

use super::document::{self, KeyRecord, PartyDocument, PartyKind, key_key, party_key};
use super::{KEYS_MAX, events, refusals};
use crate::context::{Context, Namespace};
use crate::register::Stop;
use crate::spec::ensure;
use crate::{fields, governance, history};

type Outcome = Result<(), Stop>;

/// Writes a new party and its keys; `cose_keys` are the keys whose ids `document` lists. A key that is known is refused.
pub(super) fn create(
    state: &mut Namespace<'_, '_>,
    height: Height,
    document: &PartyDocument,
    cose_keys: &[&[u8]],
) -> Result<PartyId, Stop> {
    let party = PartyId::of_first_key(&document.keys[0]);
    for (kid, cose_key) in document.keys.iter().zip(cose_keys) {
        put_new_key(state, height, party, kid, cose_key, None)?;
    }
    history::write(state, height, &party_key(&party), document.encode())?;
    Ok(party)
}

pub(super) fn put_new_key(
    state: &mut Namespace<'_, '_>,
    height: Height,
    party: PartyId,
    kid: &KeyId,
    cose_key: &[u8],
    purpose: Option<&str>,
) -> Outcome {
    let key = key_key(kid);
    ensure(state.get(&key)?.is_none(), &refusals::KEY_EXISTS)?;
    let purpose = purpose.map(str::to_owned);
    let record = KeyRecord {
        party,
        revoked: None,
        added: height,
        purpose,
        cose_key: cose_key.to_vec(),
    };
    state.put(&key, record.encode());
    Ok(())
}

/// Marks an active key as revoked in this block.
pub(super) fn revoke_key(context: &mut Context<'_, '_>, kid: &KeyId) -> Result<(), Fault> {
    let view = context.own();
    let mut record = document::key_record(view, kid)?
        .ok_or_else(|| view.unreadable(&key_key(kid), "a key that a party lists is missing"))?;
    record.revoked = Some(context.height());
    context.put(&key_key(kid), record.encode());
    Ok(())
}

/// The document of an active party.
pub(super) fn load(context: &Context<'_, '_>, party: &PartyId) -> Result<PartyDocument, Stop> {
    document::document(context.own(), party)?
        .filter(|document| document.active)
        .ok_or_else(|| (&refusals::NO_SUCH_PARTY).into())
}

pub(super) fn save(
    context: &mut Context<'_, '_>,
    party: &PartyId,
    document: &PartyDocument,
) -> Outcome {
    let height = context.height();
    Ok(history::write(
        context.state(),
        height,
        &party_key(party),
        document.encode(),
    )?)
}

/// The id of a key that a command brings, if it is well-formed.
pub(super) fn kid_of(cose_key: &[u8]) -> Result<KeyId, Stop> {
    match PublicKey::from_cose_key(cose_key) {
        Ok(key) if !key.suite().is_for_parties() => Err(refusals::NETWORK_SUITE.about(key.suite())),
        Ok(key) if key.is_small_order() => Err((&refusals::SMALL_ORDER).into()),
        Ok(key) => Ok(key.kid()),
        Err(error) => Err(refusals::BAD_KEY.about(error)),
    }
}

/// The id of a key that a command brings, if it is well-formed and countersigned the entry.
pub(super) fn possessed(context: &Context<'_, '_>, cose_key: &[u8]) -> Result<KeyId, Stop> {
    let kid = kid_of(cose_key)?;
    ensure(context.cosigned_by_key(&kid), &refusals::NO_POSSESSION)?;
    Ok(kid)
}

pub(super) fn register(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let kind = fields::choice(body, "kind", PartyKind::NAMES)?;
    let name = body.opt_text("name", 128)?;
    let cose_keys = fields::list(body, "keys", 1, KEYS_MAX, fields::key_item)?;

    let kind = PartyKind::from_name(kind).expect("one of the names");
    ensure(kind != PartyKind::Device, &refusals::DEVICE_NEEDS_OWNER)?;
    ensure(
        kind != PartyKind::Person || name.is_none(),
        &refusals::PERSON_NAME,
    )?;
    let signer = context.kid();
    ensure(
        context.get(&key_key(&signer))?.is_none(),
        &refusals::PARTY_EXISTS,
    )?;
    let mut kids = vec![kid_of(cose_keys[0])?];
    // The registry lets an unknown key sign only such an entry, and the first command makes the key known.
    assert!(
        kids[0] == signer && context.command_index() == 0,
        "the signer was not brought by this command"
    );
    for cose_key in &cose_keys[1..] {
        kids.push(possessed(context, cose_key)?);
    }

    let document = PartyDocument::new(kind, name, kids);
    let height = context.height();
    let party = create(context.state(), height, &document, &cose_keys)?;
    let mut event = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .text("kind", kind.name());
    if let Some(name) = name {
        event = event.text("name", name);
    }
    context.emit("party.registered", event.build());
    Ok(())
}

pub(super) fn rename(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let name = body.text("name", 128)?;
    let party = context.signer();
    let mut document = load(context, &party)?;
    ensure(document.kind != PartyKind::Person, &refusals::PERSON_NAME)?;
    document.name = Some(name.to_owned());
    save(context, &party, &document)?;
    let event = BodyBuilder::new()
        .bytes("party", party.as_bytes())
        .text("name", name);
    context.emit("party.renamed", event.build());
    Ok(())
}

pub(super) fn deactivate(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    body.opt_text("reason", 256)?;
    let party = context.signer();
    let steward =
        governance::has_role(context.view(governance::NAME), &party, governance::STEWARD)?;
    ensure(!steward, &refusals::IS_STEWARD)?;
    end(context, &party)?;
    events::party(context, "party.deactivated", &party);
    Ok(())
}

/// Ends an active party: all its keys are revoked, and neither it nor they come back.
pub(super) fn end(context: &mut Context<'_, '_>, party: &PartyId) -> Outcome {
    let mut document = load(context, party)?;
    for kid in std::mem::take(&mut document.keys) {
        revoke_key(context, &kid)?;
    }
    document.active = false;
    save(context, party, &document)
}
