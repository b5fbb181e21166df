//! What the state holds of a party and of a key.

use stele_core::cbor::{Body, BodyBuilder, BodyError, DecodeError, Decoder, Encoder};
use stele_core::id::{Height, KeyId, PartyId};
use stele_core::machine::{Fault, StateReader};

use super::{GUARDIANS_MAX, KEYS_MAX, NAME};
use crate::context::View;
use crate::history::{self, read_opt_uint, write_opt_uint};
use crate::spec::KEY_BYTES_MAX;

/// What a party is, in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartyKind {
    /// A company, university, hospital, association.
    Organisation,
    /// A human being, under a pseudonym.
    Person,
    /// A thing with keys, owned by another party.
    Device,
    /// A public authority. The word alone gives no right: accreditations do.
    Authority,
    /// A program that acts for itself.
    Service,
}

impl PartyKind {
    /// The texts, in the order of the variants.
    pub const NAMES: &[&str] = &["organisation", "person", "device", "authority", "service"];
    const ALL: [Self; 5] = [
        Self::Organisation,
        Self::Person,
        Self::Device,
        Self::Authority,
        Self::Service,
    ];

    /// The kind as text.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The kind that a text names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The document of a party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyDocument {
    /// What it is.
    pub kind: PartyKind,
    /// What it calls itself; a person has no name here.
    pub name: Option<String>,
    /// `false` once deactivated or retired, for ever.
    pub active: bool,
    /// Its active keys, the first one it introduced itself with first as long as it is active.
    pub keys: Vec<KeyId>,
    /// Whose device it is.
    pub owner: Option<PartyId>,
    /// The device's model.
    pub model: Option<String>,
    /// A salted commitment to the device's serial number.
    pub serial: Option<[u8; 32]>,
    /// Who may recover the party.
    pub guardians: Vec<PartyId>,
    /// How many guardians must agree; 0 without guardians.
    pub threshold: u64,
    /// How long an agreed recovery can still be cancelled, in milliseconds.
    pub delay_ms: u64,
    /// Counts up when guardians change and when a recovery ends: recoveries of an earlier round are void.
    pub round: u64,
}

impl PartyDocument {
    /// The document of a new party.
    pub fn new(kind: PartyKind, name: Option<&str>, keys: Vec<KeyId>) -> Self {
        Self {
            kind,
            name: name.map(str::to_owned),
            active: true,
            keys,
            owner: None,
            model: None,
            serial: None,
            guardians: Vec::new(),
            threshold: 0,
            delay_ms: 0,
            round: 0,
        }
    }

    /// The document as it stands in the state.
    pub fn encode(&self) -> Vec<u8> {
        let keys: Vec<_> = self.keys.iter().map(KeyId::as_bytes).collect();
        let mut body = BodyBuilder::new()
            .text("kind", self.kind.name())
            .bool("active", self.active)
            .bytes_list("keys", &keys);
        if let Some(name) = &self.name {
            body = body.text("name", name);
        }
        if let Some(owner) = &self.owner {
            body = body.bytes("owner", owner.as_bytes());
        }
        if let Some(model) = &self.model {
            body = body.text("model", model);
        }
        if let Some(serial) = &self.serial {
            body = body.bytes("serial", serial);
        }
        if !self.guardians.is_empty() {
            let guardians: Vec<_> = self.guardians.iter().map(PartyId::as_bytes).collect();
            body = body
                .bytes_list("guardians", &guardians)
                .uint("threshold", self.threshold);
            body = body.uint("delay_ms", self.delay_ms);
        }
        if self.round > 0 {
            body = body.uint("round", self.round);
        }
        body.build()
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut body = Body::decode(bytes)?;
        let document = Self {
            kind: PartyKind::from_name(body.text("kind", 16)?).ok_or(BodyError::Missing("kind"))?,
            name: body.opt_text("name", 128)?.map(str::to_owned),
            active: body.flag("active")?,
            keys: body.list("keys", KEYS_MAX, |key| key.bytes32().map(KeyId::from_bytes))?,
            owner: body.opt_bytes32("owner")?.map(PartyId::from_bytes),
            model: body.opt_text("model", 128)?.map(str::to_owned),
            serial: body.opt_bytes32("serial")?,
            guardians: body.list("guardians", GUARDIANS_MAX, |party| {
                party.bytes32().map(PartyId::from_bytes)
            })?,
            threshold: body.opt_uint("threshold")?.unwrap_or(0),
            delay_ms: body.opt_uint("delay_ms")?.unwrap_or(0),
            round: body.opt_uint("round")?.unwrap_or(0),
        };
        body.finish()?;
        Ok(document)
    }
}

/// What the state holds of a key: whose it is, and in which blocks it began and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Whose key it is.
    pub party: PartyId,
    /// The block that revoked it.
    pub revoked: Option<Height>,
    /// The block that added it.
    pub added: Height,
    /// What the party uses it for, in its own words.
    pub purpose: Option<String>,
    /// The COSE_Key.
    pub cose_key: Vec<u8>,
}

impl KeyRecord {
    /// The record as it stands in the state.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(self.cose_key.len() + 64);
        out.array(5).bytes(self.party.as_bytes());
        write_opt_uint(&mut out, self.revoked.map(Height::get));
        out.uint(self.added.get());
        match &self.purpose {
            Some(purpose) => out.text(purpose),
            None => out.null(),
        };
        out.bytes(&self.cose_key);
        out.into_vec()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let (party, revoked) = Self::decode_status(&mut decoder)?;
        let added = Height::new(decoder.uint()?);
        let purpose = if decoder.peek()? == stele_core::cbor::Kind::Null {
            decoder.null()?;
            None
        } else {
            Some(decoder.text(64)?.to_owned())
        };
        let cose_key = decoder.bytes(KEY_BYTES_MAX)?.to_vec();
        decoder.finish()?;
        Ok(Self {
            party,
            revoked,
            added,
            purpose,
            cose_key,
        })
    }

    /// The first two parts, which is all that the execution of an entry needs.
    pub(super) fn decode_status(
        decoder: &mut Decoder<'_>,
    ) -> Result<(PartyId, Option<Height>), DecodeError> {
        decoder.array_of(5, "a key record of five parts")?;
        let party = PartyId::from_bytes(decoder.bytes32()?);
        Ok((party, read_opt_uint(decoder)?.map(Height::new)))
    }
}

/// The key of a party's document.
pub fn party_key(party: &PartyId) -> Vec<u8> {
    [b"party/", party.as_bytes().as_slice()].concat()
}

/// The key of a key's record.
pub fn key_key(kid: &KeyId) -> [u8; 36] {
    let mut key = *b"key/................................";
    key[4..].copy_from_slice(kid.as_bytes());
    key
}

/// The present document of `party`, seen through a view of `identity`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn document(view: View<'_>, party: &PartyId) -> Result<Option<PartyDocument>, Fault> {
    let key = party_key(party);
    decoded(view, &key, history::current(view, &key)?)
}

/// The document of `party` as it was after block `height`. The version's own value in the state proves it:
/// [`history::at`] says which.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn document_at(
    reader: &dyn StateReader,
    party: &PartyId,
    height: Height,
) -> Result<Option<PartyDocument>, Fault> {
    let (view, key) = (View::new(reader, NAME), party_key(party));
    decoded(view, &key, history::at(view, &key, height)?)
}

fn decoded(
    view: View<'_>,
    key: &[u8],
    version: Option<history::Version>,
) -> Result<Option<PartyDocument>, Fault> {
    let Some(version) = version else {
        return Ok(None);
    };
    PartyDocument::decode(&version.content)
        .map(Some)
        .map_err(|error| view.unreadable(key, error))
}

/// The record of a key, seen through a view of `identity`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn key_record(view: View<'_>, kid: &KeyId) -> Result<Option<KeyRecord>, Fault> {
    let key = key_key(kid);
    let Some(bytes) = view.get(&key)? else {
        return Ok(None);
    };
    KeyRecord::decode(&bytes)
        .map(Some)
        .map_err(|error| view.unreadable(&key, error))
}
