//! Which key belongs to a key id, for the ledger: from the state, or from the entry that brings it.
//!
//! A signer that the state does not know may introduce itself: the entry's first command is `party.register` and the
//! signer's key is the first in its list, or `member.claim` of a roll's member with that key. A countersigner that the state does not know
//! may be a key that a command of the same entry brings (`party.register`, `key.add`, `key.rotate`, `recovery.open`, `device.register`, and
//! the commands that open an anchor), which thereby proves its possession. Only the first 64 commands are searched, so that one entry cannot make a node search a megabyte for
//! each of its countersignatures.

use stele_core::cbor::{Body, Decoder};
use stele_core::entry::{Command, Entry};
use stele_core::id::{KeyId, PartyId, sha256};
use stele_core::machine::{Fault, Halt, StateReader};

use super::document::{KeyRecord, key_key};
use super::{GUARDIANS_MAX, KEYS_MAX, NAME, refusals};
use crate::context::View;
use crate::fields;
use crate::spec::KEY_BYTES_MAX;

/// How many commands of an entry may bring keys.
pub const COMMANDS_SEARCHED_MAX: usize = 64;

/// What is known of a key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// An active key of this party.
    Active(PartyId),
    /// A key of this party that was revoked.
    Revoked(PartyId),
    /// Unknown to the state, but the entry brings it.
    Brought,
    /// Unknown.
    Unknown,
}

/// Whose key signed `entry` under `kid`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn party_of(state: &dyn StateReader, kid: &KeyId, entry: &Entry) -> Result<Found, Fault> {
    let (view, key) = (View::new(state, NAME), key_key(kid));
    let Some(bytes) = view.get(&key)? else {
        let brought = brought_key(kid, entry).is_some();
        return Ok(if brought {
            Found::Brought
        } else {
            Found::Unknown
        });
    };
    let status = KeyRecord::decode_status(&mut Decoder::new(&bytes));
    let (party, revoked) = status.map_err(|error| view.unreadable(&key, error))?;
    Ok(if revoked.is_some() {
        Found::Revoked(party)
    } else {
        Found::Active(party)
    })
}

/// Hands the COSE_Key of `kid` to `parse` if it may sign `entry` as of `state`.
///
/// # Errors
/// Refused as `identity.unknown-key` or `identity.key-revoked`; whatever `parse` says; [`Fault`] when storage fails.
pub fn with_key<T>(
    state: &dyn StateReader,
    kid: &KeyId,
    entry: &Entry,
    parse: impl FnOnce(&[u8]) -> Result<T, Halt>,
) -> Result<T, Halt> {
    let (view, key) = (View::new(state, NAME), key_key(kid));
    let Some(bytes) = view.get(&key)? else {
        return match brought_key(kid, entry) {
            Some(cose_key) => parse(cose_key),
            None => Err(refusals::UNKNOWN_KEY.refusal().into()),
        };
    };
    let record = KeyRecord::decode(&bytes).map_err(|error| view.unreadable(&key, error))?;
    if record.revoked.is_some() {
        return Err(refusals::KEY_REVOKED.refusal().into());
    }
    parse(&record.cose_key)
}

/// The COSE_Key with this id that `entry` itself brings.
fn brought_key<'a>(kid: &KeyId, entry: &'a Entry) -> Option<&'a [u8]> {
    let is_signer = entry.header().kid == *kid;
    let searched = if is_signer { 1 } else { COMMANDS_SEARCHED_MAX };
    entry
        .commands()
        .take(searched)
        .filter(|command| command.register == NAME)
        .find_map(|command| key_in(&command, kid, is_signer))
}

fn key_in<'a>(command: &Command<'a>, kid: &KeyId, is_signer: bool) -> Option<&'a [u8]> {
    let field = match command.name {
        "party.register" => {
            let mut body = Body::decode(command.body).ok()?;
            let keys = body.list("keys", KEYS_MAX, fields::key_item).ok()?;
            let candidates = if is_signer {
                keys.get(..1)
            } else {
                keys.get(1..)
            };
            return candidates?.iter().copied().find(|key| is_key(key, kid));
        }
        "anchor.recover" if !is_signer => {
            let mut body = Body::decode(command.body).ok()?;
            let keys = body.list("guardian_keys", GUARDIANS_MAX, fields::key_item);
            return keys.ok()?.into_iter().find(|key| is_key(key, kid));
        }
        "member.claim" if is_signer => "key",
        _ if is_signer => return None,
        "key.add" | "device.register" => "key",
        "key.rotate" | "recovery.open" => "new_key",
        "anchor.renew" | "anchor.end" => "root_key",
        _ => return None,
    };
    let key = Body::decode(command.body)
        .ok()?
        .bytes(field, KEY_BYTES_MAX)
        .ok()?;
    is_key(key, kid).then_some(key)
}

/// A key id is the hash of the key's encoding (docs/format.md section 2).
fn is_key(cose_key: &[u8], kid: &KeyId) -> bool {
    sha256(&[cose_key]) == *kid.as_bytes()
}
