//! What `credential` keeps.

use stele_core::cbor::{DecodeError, Decoder, Encoder};
use stele_core::entry::COUNTERSIGNATURES_MAX;
use stele_core::id::{EntryId, Hash, Height, KeyId, PartyId, TimeMs, sha256};
use stele_core::machine::Fault;

use super::TEXT_BYTES_MAX;
use crate::context::View;
use crate::history::{self, or_null};
use crate::identity::{AccreditationId, CHAIN_MAX};

fn opt_text(out: &mut Encoder, text: Option<&str>) {
    match text {
        Some(text) => out.text(text),
        None => out.null(),
    };
}

fn opt_hash(out: &mut Encoder, hash: Option<&Hash>) {
    match hash {
        Some(hash) => out.bytes(hash.as_bytes()),
        None => out.null(),
    };
}

fn hash(decoder: &mut Decoder<'_>) -> Result<Hash, DecodeError> {
    decoder.bytes32().map(Hash::from_bytes)
}

fn text(decoder: &mut Decoder<'_>) -> Result<String, DecodeError> {
    decoder.text(TEXT_BYTES_MAX).map(str::to_owned)
}

/// A published version of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The entry that published it.
    pub entry: EntryId,
    /// The block of that entry.
    pub height: Height,
    /// SHA-256 of the schema's bytes.
    pub content: Hash,
    /// Where it was published; a convenience, the hash decides.
    pub uri: Option<String>,
}

impl Schema {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(4)
            .bytes(self.entry.as_bytes())
            .uint(self.height.get())
            .bytes(self.content.as_bytes());
        opt_text(&mut out, self.uri.as_deref());
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.array_of(4, "a schema of four parts")?;
        Ok(Self {
            entry: EntryId::from_bytes(decoder.bytes32()?),
            height: Height::new(decoder.uint()?),
            content: hash(decoder)?,
            uri: or_null(decoder, text)?,
        })
    }
}

/// A batch of issued credentials: what its one value proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuance {
    /// The entry that committed to it.
    pub entry: EntryId,
    /// The block of that entry.
    pub height: Height,
    /// The time of that block: the credentials existed by then.
    pub time: TimeMs,
    /// The key that signs the credentials; it was an active key of the issuer.
    pub kid: KeyId,
    /// The credentials' type: the `vct` of an SD-JWT VC, the type of a W3C credential.
    pub credential_type: String,
    /// Within which scope the issuer was accredited for it.
    pub scope: Option<String>,
    /// How many credentials stand under the root.
    pub count: u64,
    /// The schema.
    pub schema: Option<Hash>,
    /// The accreditations that allowed it, from the issuer's own up to the one that a steward granted.
    pub chain: Vec<AccreditationId>,
}

impl Issuance {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(9)
            .bytes(self.entry.as_bytes())
            .uint(self.height.get())
            .uint(self.time.get())
            .bytes(self.kid.as_bytes())
            .text(&self.credential_type);
        opt_text(&mut out, self.scope.as_deref());
        out.uint(self.count);
        opt_hash(&mut out, self.schema.as_ref());
        out.array(self.chain.len());
        for id in &self.chain {
            out.bytes(id.as_bytes());
        }
        out.into_vec()
    }

    /// Reads the value of a key `issuance/..`: what a verifier finds in a receipt.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        whole(bytes, |decoder| {
            decoder.array_of(9, "an issuance of nine parts")?;
            Ok(Self {
                entry: EntryId::from_bytes(decoder.bytes32()?),
                height: Height::new(decoder.uint()?),
                time: TimeMs::new(decoder.uint()?),
                kid: KeyId::from_bytes(decoder.bytes32()?),
                credential_type: text(decoder)?,
                scope: or_null(decoder, text)?,
                count: decoder.uint()?,
                schema: or_null(decoder, hash)?,
                chain: {
                    let count = decoder.array(CHAIN_MAX)?;
                    (0..count)
                        .map(|_| hash(decoder))
                        .collect::<Result<_, _>>()?
                },
            })
        })
    }
}

/// A version of a status list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList {
    /// The Merkle root (RFC 9162) over its shards: leaf `n` is SHA-256 of the bytes of shard `n` as they are served.
    pub root: Hash,
    /// How many shards it has.
    pub shards: u64,
    /// How many entries each shard has.
    pub shard_entries: u64,
    /// How many bits each entry has: 1, 2, 4 or 8.
    pub bits: u64,
    /// When it was made, as its issuer says.
    pub made: TimeMs,
    /// Where its shards are served.
    pub uri: Option<String>,
}

impl StatusList {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(6)
            .bytes(self.root.as_bytes())
            .uint(self.shards)
            .uint(self.shard_entries)
            .uint(self.bits)
            .uint(self.made.get());
        opt_text(&mut out, self.uri.as_deref());
        out.into_vec()
    }

    /// Reads the content of a version at a key `status/..`.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        whole(bytes, |decoder| {
            decoder.array_of(6, "a status list of six parts")?;
            Ok(Self {
                root: hash(decoder)?,
                shards: decoder.uint()?,
                shard_entries: decoder.uint()?,
                bits: decoder.uint()?,
                made: TimeMs::new(decoder.uint()?),
                uri: or_null(decoder, text)?,
            })
        })
    }
}

/// From when on a key's signatures are doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compromise {
    /// What was not committed before this time is doubtful.
    pub since: TimeMs,
    /// The block that reported it.
    pub height: Height,
    /// Who reported it.
    pub by: PartyId,
}

impl Compromise {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(3)
            .uint(self.since.get())
            .uint(self.height.get())
            .bytes(self.by.as_bytes());
        out.into_vec()
    }

    /// Reads the value of a key `compromise/..`.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        whole(bytes, |decoder| {
            decoder.array_of(3, "a compromise of three parts")?;
            Ok(Self {
                since: TimeMs::new(decoder.uint()?),
                height: Height::new(decoder.uint()?),
                by: PartyId::from_bytes(decoder.bytes32()?),
            })
        })
    }
}

/// A document that parties signed, by its commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The entry that holds the signatures.
    pub entry: EntryId,
    /// The block of that entry.
    pub height: Height,
    /// What kind of document it is, such as `ects.learning-agreement`.
    pub kind: String,
    /// Who signed: the entry's signer first, then the countersigners.
    pub signers: Vec<PartyId>,
    /// The document that it replaces.
    pub replaces: Option<Hash>,
    /// The document that replaced it.
    pub replaced_by: Option<Hash>,
}

impl Document {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(6)
            .bytes(self.entry.as_bytes())
            .uint(self.height.get())
            .text(&self.kind)
            .array(self.signers.len());
        for signer in &self.signers {
            out.bytes(signer.as_bytes());
        }
        opt_hash(&mut out, self.replaces.as_ref());
        opt_hash(&mut out, self.replaced_by.as_ref());
        out.into_vec()
    }

    /// Reads the value of a key `document/..`.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        whole(bytes, |decoder| {
            decoder.array_of(6, "a document of six parts")?;
            Ok(Self {
                entry: EntryId::from_bytes(decoder.bytes32()?),
                height: Height::new(decoder.uint()?),
                kind: text(decoder)?,
                signers: {
                    let count = decoder.array(COUNTERSIGNATURES_MAX + 1)?;
                    (0..count)
                        .map(|_| decoder.bytes32().map(PartyId::from_bytes))
                        .collect::<Result<_, _>>()?
                },
                replaces: or_null(decoder, hash)?,
                replaced_by: or_null(decoder, hash)?,
            })
        })
    }
}

fn whole<T>(
    bytes: &[u8],
    read: impl FnOnce(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let read = read(&mut decoder)?;
    decoder.finish()?;
    Ok(read)
}

/// Names a schema: `SHA-256("stele/credential/schema/v1" || issuer || id)`.
pub fn schema_ref(issuer: &PartyId, id: &str) -> Hash {
    Hash::from_bytes(sha256(&[
        b"stele/credential/schema/v1",
        issuer.as_bytes(),
        id.as_bytes(),
    ]))
}

/// Names a status list: `SHA-256("stele/credential/status/v1" || issuer || list)`.
pub fn list_ref(issuer: &PartyId, list: &str) -> Hash {
    Hash::from_bytes(sha256(&[
        b"stele/credential/status/v1",
        issuer.as_bytes(),
        list.as_bytes(),
    ]))
}

/// The key of a version of a schema.
pub fn schema_key(schema: &Hash, version: u64) -> Vec<u8> {
    [
        b"schema/".as_slice(),
        schema.as_bytes(),
        b"/",
        &version.to_be_bytes(),
    ]
    .concat()
}

/// The key of an issuance.
pub fn issuance_key(issuer: &PartyId, root: &Hash) -> Vec<u8> {
    [b"issuance/".as_slice(), issuer.as_bytes(), root.as_bytes()].concat()
}

/// The key of a status list.
pub fn status_key(list: &Hash) -> Vec<u8> {
    [b"status/".as_slice(), list.as_bytes()].concat()
}

/// The key of the report about a key.
pub fn compromise_key(kid: &KeyId) -> Vec<u8> {
    [b"compromise/".as_slice(), kid.as_bytes()].concat()
}

/// The key of a document.
pub fn document_key(commitment: &Hash) -> Vec<u8> {
    [b"document/".as_slice(), commitment.as_bytes()].concat()
}

fn read<T>(
    view: View<'_>,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, Fault> {
    let Some(bytes) = view.get(key)? else {
        return Ok(None);
    };
    decode(&bytes)
        .map(Some)
        .map_err(|error| view.unreadable(key, error))
}

/// A version of a schema.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn schema(view: View<'_>, schema: &Hash, version: u64) -> Result<Option<Schema>, Fault> {
    read(view, &schema_key(schema, version), |bytes| {
        whole(bytes, Schema::decode)
    })
}

/// An issuance.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn issuance(view: View<'_>, issuer: &PartyId, root: &Hash) -> Result<Option<Issuance>, Fault> {
    read(view, &issuance_key(issuer, root), Issuance::decode)
}

/// The present version of a status list.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn status_list(view: View<'_>, list: &Hash) -> Result<Option<StatusList>, Fault> {
    let key = status_key(list);
    content(view, &key, history::current(view, &key)?)
}

/// The version of a status list that held after block `height`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn status_at(view: View<'_>, list: &Hash, height: Height) -> Result<Option<StatusList>, Fault> {
    let key = status_key(list);
    content(view, &key, history::at(view, &key, height)?)
}

fn content(
    view: View<'_>,
    key: &[u8],
    version: Option<history::Version>,
) -> Result<Option<StatusList>, Fault> {
    let decoded = version.map(|version| StatusList::decode(&version.content));
    decoded
        .transpose()
        .map_err(|error| view.unreadable(key, error))
}

/// The report about a key, if there is one.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn compromise(view: View<'_>, kid: &KeyId) -> Result<Option<Compromise>, Fault> {
    read(view, &compromise_key(kid), Compromise::decode)
}

/// A document.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn document(view: View<'_>, commitment: &Hash) -> Result<Option<Document>, Fault> {
    read(view, &document_key(commitment), Document::decode)
}
