//! Rolls: many identities under one root, so that a register of hundreds of millions costs the state a few values.
//!
//! An organisation enrols up to [`RECORDS_MAX`] identities in one signed command. The state keeps the Merkle root (RFC 9162 section 2.1) over
//! their records; the records stay in the entry, in the log. A *member* is named by its roll and its place. As long as nothing happens to
//! it, it costs the state nothing: a record, its path and the absence of `member/<roll><index>` prove it. The first change brings its record
//! and path along and writes that key. Design note 0013.

use stele_core::cbor::{Body, BodyBuilder, DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::id::{Hash, Height, PartyId, TimeMs, sha256};
use stele_core::machine::Fault;
use stele_core::merkle::{self, Frontier};

use super::refusals;
use crate::context::{Context, View};
use crate::register::Stop;
use crate::spec::ensure;
use crate::{fields, identity};

/// The most records of a roll.
pub const RECORDS_MAX: usize = 16_384;
/// The most bytes of a roll's records: half of the largest entry.
pub const RECORDS_BYTES_MAX: usize = 512 * 1024;
/// The longest path from a record to its root, in hashes.
pub const PATH_MAX: usize = 14;
/// The action for which an identity provider is accredited: it answers for one anchor per person.
pub const ANCHOR_ACTION: &str = "identity/anchor.create";
/// The action for which a registrar of organisations is accredited.
pub const ORGANISATION_ACTION: &str = "identity/organisation.enrol";

/// Names a roll: `SHA-256("stele/roll/v1" || entry id || command index as 8 bytes, big-endian)`.
pub type RollId = Hash;

/// What the identities of a roll are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollKind {
    /// Persons' anchors: hiding commitments of 32 bytes each.
    Anchor,
    /// Devices of the organisation that enrols them.
    Device,
    /// Organisations, enrolled by their registrar.
    Organisation,
}

impl RollKind {
    /// The texts, in the order of the variants.
    pub const NAMES: &[&str] = &["anchor", "device", "organisation"];

    /// The kind as text.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The kind that a text names.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Anchor, Self::Device, Self::Organisation]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The bytes of a record: a commitment, or an Ed25519 public key (RFC 8032) and a salted commitment to what it is.
    pub fn record_bytes(self) -> usize {
        match self {
            Self::Anchor => 32,
            Self::Device | Self::Organisation => 64,
        }
    }

    /// The action for which who enrols must be accredited; devices are enrolled by their owner, whoever it is.
    fn action(self) -> Option<&'static str> {
        match self {
            Self::Anchor => Some(ANCHOR_ACTION),
            Self::Device => None,
            Self::Organisation => Some(ORGANISATION_ACTION),
        }
    }
}

/// A roll as it stands in the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roll {
    /// Who enrolled it and answers for it.
    pub issuer: PartyId,
    /// What its identities are.
    pub kind: RollKind,
    /// How many there are.
    pub count: u64,
    /// The root over their records.
    pub root: Hash,
    /// The block that enrolled it.
    pub height: Height,
    /// The time of that block.
    pub time: TimeMs,
}

impl Roll {
    /// The roll as it stands in the state.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(128);
        out.array(6)
            .bytes(self.issuer.as_bytes())
            .text(self.kind.name())
            .uint(self.count)
            .bytes(self.root.as_bytes())
            .uint(self.height.get())
            .uint(self.time.get());
        out.into_vec()
    }

    /// Reads a roll.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(6, "a roll of six parts")?;
        let issuer = PartyId::from_bytes(decoder.bytes32()?);
        let offset = decoder.position();
        let kind = RollKind::from_name(decoder.text(16)?).ok_or(DecodeError {
            offset,
            kind: ErrorKind::Expected("a kind of roll"),
        })?;
        let roll = Self {
            issuer,
            kind,
            count: decoder.uint()?,
            root: Hash::from_bytes(decoder.bytes32()?),
            height: Height::new(decoder.uint()?),
            time: TimeMs::new(decoder.uint()?),
        };
        decoder.finish()?;
        Ok(roll)
    }
}

/// The id of the roll that command `index` of an entry enrols.
pub fn roll_id(entry: &stele_core::id::EntryId, index: u64) -> RollId {
    Hash::from_bytes(sha256(&[
        b"stele/roll/v1",
        entry.as_bytes(),
        &index.to_be_bytes(),
    ]))
}

/// The key of a roll.
pub fn roll_key(roll: &RollId) -> Vec<u8> {
    [b"roll/".as_slice(), roll.as_bytes()].concat()
}

/// A roll, through a view of `identity`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn roll(view: View<'_>, id: &RollId) -> Result<Option<Roll>, Fault> {
    let key = roll_key(id);
    let Some(bytes) = view.get(&key)? else {
        return Ok(None);
    };
    Roll::decode(&bytes)
        .map(Some)
        .map_err(|error| view.unreadable(&key, error))
}

/// The root over records of `record_bytes` each.
pub fn records_root(records: &[u8], record_bytes: usize) -> Hash {
    let mut frontier = Frontier::new();
    for record in records.chunks_exact(record_bytes) {
        frontier.push(merkle::leaf_hash(record));
    }
    Hash::from_bytes(frontier.root())
}

pub(super) fn enrol(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let kind = fields::choice(body, "kind", RollKind::NAMES)?;
    let records = fields::bytes(body, "records", 32, RECORDS_BYTES_MAX)?;
    let scope = body.opt_text("scope", super::accreditation::SCOPE_BYTES_MAX)?;

    let kind = RollKind::from_name(kind).expect("one of the names");
    let record_bytes = kind.record_bytes();
    let count = records.len() / record_bytes;
    let whole = records.len().is_multiple_of(record_bytes);
    ensure(whole && count <= RECORDS_MAX, &refusals::BAD_RECORDS)?;
    let issuer = context.signer();
    if let Some(action) = kind.action() {
        let chain = identity::is_accredited(context.own(), &issuer, action, scope, context.time())?;
        ensure(chain.is_some(), &refusals::NOT_ENROLLER)?;
    }
    let id = roll_id(&context.entry_id(), context.command_index());
    let roll = Roll {
        issuer,
        kind,
        count: count as u64,
        root: records_root(records, record_bytes),
        height: context.height(),
        time: context.time(),
    };
    context.put(&roll_key(&id), roll.encode());
    let event = BodyBuilder::new()
        .bytes("roll", id.as_bytes())
        .bytes("issuer", issuer.as_bytes())
        .text("kind", kind.name())
        .uint("count", roll.count)
        .bytes("root", roll.root.as_bytes());
    context.emit("roll.enrolled", event.build());
    Ok(())
}
