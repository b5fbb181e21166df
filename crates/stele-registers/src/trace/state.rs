//! What the state holds of events, items, lots and recalls.

use stele_core::cbor::{DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::id::{Hash, Height, PartyId, TimeMs, sha256};
use stele_core::machine::Fault;

use super::{ITEMS_MAX, PAGE_ITEMS};
use crate::context::View;
use crate::history::{or_null, read_opt_uint, write_opt_uint};

type Read<T> = Result<T, DecodeError>;

fn party(decoder: &mut Decoder<'_>) -> Read<PartyId> {
    decoder.bytes32().map(PartyId::from_bytes)
}

fn hash(decoder: &mut Decoder<'_>) -> Read<Hash> {
    decoder.bytes32().map(Hash::from_bytes)
}

fn write_opt_bytes(out: &mut Encoder, value: Option<&[u8; 32]>) {
    match value {
        Some(bytes) => out.bytes(bytes),
        None => out.null(),
    };
}

fn write_opt_text(out: &mut Encoder, value: Option<&str>) {
    match value {
        Some(text) => out.text(text),
        None => out.null(),
    };
}

fn load<T>(
    view: View<'_>,
    key: &[u8],
    decode: impl FnOnce(&mut Decoder<'_>) -> Read<T>,
) -> Result<Option<T>, Fault> {
    let Some(bytes) = view.get(key)? else {
        return Ok(None);
    };
    let mut decoder = Decoder::new(&bytes);
    let read = decode(&mut decoder).and_then(|value| decoder.finish().map(|()| value));
    read.map(Some).map_err(|error| view.unreadable(key, error))
}

/// An item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// Who claimed it first; `None` when only events have named it.
    pub maker: Option<PartyId>,
    /// Who holds it.
    pub holder: Option<PartyId>,
    /// The block since which the holder holds it.
    pub since: Option<Height>,
    /// To whom it is offered.
    pub offered: Option<PartyId>,
    /// Its lot.
    pub lot: Option<Hash>,
    /// The last recall that named it; a recall of its lot stands at the lot.
    pub recall: Option<Hash>,
    /// How many lines its history has.
    pub lines: u64,
}

impl Item {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(192);
        out.array(7);
        write_opt_bytes(&mut out, self.maker.as_ref().map(PartyId::as_bytes));
        write_opt_bytes(&mut out, self.holder.as_ref().map(PartyId::as_bytes));
        write_opt_uint(&mut out, self.since.map(Height::get));
        write_opt_bytes(&mut out, self.offered.as_ref().map(PartyId::as_bytes));
        write_opt_bytes(&mut out, self.lot.as_ref().map(Hash::as_bytes));
        write_opt_bytes(&mut out, self.recall.as_ref().map(Hash::as_bytes));
        out.uint(self.lines);
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Read<Self> {
        decoder.array_of(7, "an item of seven parts")?;
        Ok(Self {
            maker: or_null(decoder, party)?,
            holder: or_null(decoder, party)?,
            since: read_opt_uint(decoder)?.map(Height::new),
            offered: or_null(decoder, party)?,
            lot: or_null(decoder, hash)?,
            recall: or_null(decoder, hash)?,
            lines: decoder.uint()?,
        })
    }
}

/// What a line of an item's history tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// `by` recorded an event; `other` is its reference.
    Event,
    /// `by` claimed the new item.
    Claim,
    /// `by` handed it to the party `other`.
    HandOver,
    /// `by` assigned it to the lot `other`.
    Lot,
    /// `by` recalled it; `other` is the recall's reference.
    Recall,
}

impl LineKind {
    const ALL: [Self; 5] = [
        Self::Event,
        Self::Claim,
        Self::HandOver,
        Self::Lot,
        Self::Recall,
    ];

    /// The word in the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Claim => "claim",
            Self::HandOver => "hand-over",
            Self::Lot => "lot",
            Self::Recall => "recall",
        }
    }
}

/// A line of an item's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happened.
    pub kind: LineKind,
    /// Who did it.
    pub by: PartyId,
    /// What it refers to: see [`LineKind`].
    pub other: Option<Hash>,
    /// In which block.
    pub height: Height,
    /// When.
    pub time: TimeMs,
}

impl Line {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(96);
        out.array(5)
            .text(self.kind.name())
            .bytes(self.by.as_bytes());
        write_opt_bytes(&mut out, self.other.as_ref().map(Hash::as_bytes));
        out.uint(self.height.get()).uint(self.time.get());
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Read<Self> {
        decoder.array_of(5, "a line of five parts")?;
        let offset = decoder.position();
        let name = decoder.text(16)?;
        let kind = LineKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(DecodeError {
                offset,
                kind: ErrorKind::Expected("a kind of line"),
            })?;
        Ok(Self {
            kind,
            by: party(decoder)?,
            other: or_null(decoder, hash)?,
            height: Height::new(decoder.uint()?),
            time: TimeMs::new(decoder.uint()?),
        })
    }
}

/// The declaration that an event was wrong (EPCIS 2.0 `errorDeclaration`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Commitment to the event with its error declaration.
    pub commitment: Hash,
    /// Why.
    pub reason: Option<String>,
    /// When it was declared, in the party's own words.
    pub declared: Option<TimeMs>,
    /// The ids of the events that take its place.
    pub corrective_event_ids: Vec<String>,
    /// In which block.
    pub height: Height,
}

/// An event as its owner recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Whose event it is.
    pub party: PartyId,
    /// Its id, unique for the party.
    pub event_id: String,
    /// `SHA-256(salt || canonical JSON of the event)`, made by its owner.
    pub commitment: Hash,
    /// The type of event, such as `ObjectEvent`.
    pub event_type: String,
    /// When it happened, in the party's own words.
    pub time: Option<TimeMs>,
    /// How many items it names.
    pub items: u64,
    /// The block that recorded it.
    pub height: Height,
    /// Set once the event was declared wrong.
    pub correction: Option<Correction>,
}

impl EventRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(256);
        out.array(8)
            .bytes(self.party.as_bytes())
            .text(&self.event_id);
        out.bytes(self.commitment.as_bytes()).text(&self.event_type);
        write_opt_uint(&mut out, self.time.map(TimeMs::get));
        out.uint(self.items).uint(self.height.get());
        match &self.correction {
            None => {
                out.null();
            }
            Some(correction) => {
                out.array(5).bytes(correction.commitment.as_bytes());
                write_opt_text(&mut out, correction.reason.as_deref());
                write_opt_uint(&mut out, correction.declared.map(TimeMs::get));
                out.array(correction.corrective_event_ids.len());
                for id in &correction.corrective_event_ids {
                    out.text(id);
                }
                out.uint(correction.height.get());
            }
        }
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Read<Self> {
        decoder.array_of(8, "an event of eight parts")?;
        Ok(Self {
            party: party(decoder)?,
            event_id: decoder.text(256)?.to_owned(),
            commitment: hash(decoder)?,
            event_type: decoder.text(64)?.to_owned(),
            time: read_opt_uint(decoder)?.map(TimeMs::new),
            items: decoder.uint()?,
            height: Height::new(decoder.uint()?),
            correction: or_null(decoder, |decoder| {
                decoder.array_of(5, "a correction of five parts")?;
                let commitment = hash(decoder)?;
                let reason = or_null(decoder, |d| d.text(256).map(str::to_owned))?;
                let declared = read_opt_uint(decoder)?.map(TimeMs::new);
                let count = decoder.array(16)?;
                let ids = (0..count).map(|_| decoder.text(256).map(str::to_owned));
                Ok(Correction {
                    commitment,
                    reason,
                    declared,
                    corrective_event_ids: ids.collect::<Read<_>>()?,
                    height: Height::new(decoder.uint()?),
                })
            })?,
        })
    }
}

/// A lot: items of one maker, listed in pages of [`PAGE_ITEMS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Who made it.
    pub maker: PartyId,
    /// How many items it has.
    pub items: u64,
    /// The last recall that named it.
    pub recall: Option<Hash>,
    /// The block that began it.
    pub height: Height,
}

impl Lot {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(96);
        out.array(4).bytes(self.maker.as_bytes()).uint(self.items);
        write_opt_bytes(&mut out, self.recall.as_ref().map(Hash::as_bytes));
        out.uint(self.height.get());
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Read<Self> {
        decoder.array_of(4, "a lot of four parts")?;
        Ok(Self {
            maker: party(decoder)?,
            items: decoder.uint()?,
            recall: or_null(decoder, hash)?,
            height: Height::new(decoder.uint()?),
        })
    }
}

/// A recall of a lot, or of items listed in pages of [`PAGE_ITEMS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// Who issued it.
    pub issuer: PartyId,
    /// Its id, unique for the issuer.
    pub recall_id: String,
    /// Why.
    pub reason: String,
    /// One of [`super::SEVERITIES`].
    pub severity: String,
    /// The recalled lot; `None` when items are recalled.
    pub lot: Option<Hash>,
    /// How many items are listed; 0 for a lot.
    pub items: u64,
    /// The recall that named the lot before.
    pub previous: Option<Hash>,
    /// The block that issued it.
    pub issued: Height,
    /// The block that closed it.
    pub closed: Option<Height>,
    /// What came of it.
    pub outcome: Option<String>,
}

impl Recall {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(256);
        out.array(10)
            .bytes(self.issuer.as_bytes())
            .text(&self.recall_id);
        out.text(&self.reason).text(&self.severity);
        write_opt_bytes(&mut out, self.lot.as_ref().map(Hash::as_bytes));
        out.uint(self.items);
        write_opt_bytes(&mut out, self.previous.as_ref().map(Hash::as_bytes));
        out.uint(self.issued.get());
        write_opt_uint(&mut out, self.closed.map(Height::get));
        write_opt_text(&mut out, self.outcome.as_deref());
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Read<Self> {
        decoder.array_of(10, "a recall of ten parts")?;
        Ok(Self {
            issuer: party(decoder)?,
            recall_id: decoder.text(128)?.to_owned(),
            reason: decoder.text(512)?.to_owned(),
            severity: decoder.text(16)?.to_owned(),
            lot: or_null(decoder, hash)?,
            items: decoder.uint()?,
            previous: or_null(decoder, hash)?,
            issued: Height::new(decoder.uint()?),
            closed: read_opt_uint(decoder)?.map(Height::new),
            outcome: or_null(decoder, |d| d.text(512).map(str::to_owned))?,
        })
    }
}

/// The reference of an event: `SHA-256("stele/trace/event/v1" || party || event id)`.
pub fn event_ref(party: &PartyId, event_id: &str) -> Hash {
    Hash::from_bytes(sha256(&[
        b"stele/trace/event/v1",
        party.as_bytes(),
        event_id.as_bytes(),
    ]))
}

/// The reference of a recall: `SHA-256("stele/trace/recall/v1" || issuer || recall id)`.
pub fn recall_ref(issuer: &PartyId, recall_id: &str) -> Hash {
    Hash::from_bytes(sha256(&[
        b"stele/trace/recall/v1",
        issuer.as_bytes(),
        recall_id.as_bytes(),
    ]))
}

fn key(prefix: &[u8], hash: &Hash) -> Vec<u8> {
    [prefix, hash.as_bytes()].concat()
}

/// The key of an item.
pub fn item_key(item: &Hash) -> Vec<u8> {
    key(b"item/", item)
}

/// The key of line `number`, from 0, of an item's history.
pub fn item_line_key(item: &Hash, number: u64) -> Vec<u8> {
    page_key(&item_key(item), number)
}

/// The key of an event.
pub fn event_key(event_ref: &Hash) -> Vec<u8> {
    key(b"event/", event_ref)
}

/// The key of a lot.
pub fn lot_key(lot: &Hash) -> Vec<u8> {
    key(b"lot/", lot)
}

/// The key of a recall.
pub fn recall_key(recall_ref: &Hash) -> Vec<u8> {
    key(b"recall/", recall_ref)
}

/// The key of page `number`, from 0, of the lot or recall at `key`.
pub fn page_key(key: &[u8], number: u64) -> Vec<u8> {
    [key, b"/".as_slice(), &number.to_be_bytes()].concat()
}

/// An item, seen through a view of `trace`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn item(view: View<'_>, item: &Hash) -> Result<Option<Item>, Fault> {
    load(view, &item_key(item), Item::decode)
}

/// Line `number`, from 0, of an item's history.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn item_line(view: View<'_>, item: &Hash, number: u64) -> Result<Option<Line>, Fault> {
    load(view, &item_line_key(item, number), Line::decode)
}

/// An event.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn event(view: View<'_>, event_ref: &Hash) -> Result<Option<EventRecord>, Fault> {
    load(view, &event_key(event_ref), EventRecord::decode)
}

/// A lot.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn lot(view: View<'_>, lot: &Hash) -> Result<Option<Lot>, Fault> {
    load(view, &lot_key(lot), Lot::decode)
}

/// A recall.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn recall(view: View<'_>, recall_ref: &Hash) -> Result<Option<Recall>, Fault> {
    load(view, &recall_key(recall_ref), Recall::decode)
}

/// The items on page `number`, from 0, of the lot or recall at `key`; empty past the last page.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn page(view: View<'_>, key: &[u8], number: u64) -> Result<Vec<Hash>, Fault> {
    let items = load(view, &page_key(key, number), |decoder| {
        let count = decoder.array(PAGE_ITEMS)?;
        (0..count).map(|_| hash(decoder)).collect::<Read<Vec<_>>>()
    })?;
    Ok(items.unwrap_or_default())
}

pub(super) fn encode_page(items: &[Hash]) -> Vec<u8> {
    let mut out = Encoder::with_capacity(items.len() * 34 + 3);
    out.array(items.len());
    for item in items {
        out.bytes(item.as_bytes());
    }
    out.into_vec()
}

const _: () = assert!(PAGE_ITEMS <= ITEMS_MAX, "a command fills whole pages");
