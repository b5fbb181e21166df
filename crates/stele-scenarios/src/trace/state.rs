//! What `trace` keeps in the state, read from proven bytes as docs/registers/trace.md describes them.
//!
//! Written against that page alone: the scenario is an outside program and links no register.

use stele_core::cbor::{DecodeError, Decoder, Kind};
use stele_core::id::{Hash, PartyId, sha256};

/// The longest text in any of these values, in bytes.
const TEXT_BYTES_MAX: usize = 1024;
/// Items on a page of a lot.
pub(super) const PAGE_ITEMS: u64 = 256;

/// The key of an item.
pub(super) fn item_key(item: &Hash) -> Vec<u8> {
    [b"item/".as_slice(), item.as_bytes()].concat()
}

/// The key of a line of an item's history.
pub(super) fn line_key(item: &Hash, number: u64) -> Vec<u8> {
    page_key(&item_key(item), number)
}

/// The reference of an event that `party` recorded.
pub(super) fn event_ref(party: &PartyId, event_id: &str) -> Hash {
    Hash::from_bytes(sha256(&[
        b"stele/trace/event/v1",
        party.as_bytes(),
        event_id.as_bytes(),
    ]))
}

/// The key of a lot.
pub(super) fn lot_key(lot: &Hash) -> Vec<u8> {
    [b"lot/".as_slice(), lot.as_bytes()].concat()
}

/// The key of a recall that `issuer` issued.
pub(super) fn recall_key(issuer: &PartyId, recall_id: &str) -> Vec<u8> {
    let hash = sha256(&[
        b"stele/trace/recall/v1",
        issuer.as_bytes(),
        recall_id.as_bytes(),
    ]);
    [b"recall/".as_slice(), &hash].concat()
}

/// The key of page `number` of what stands at `key`.
pub(super) fn page_key(key: &[u8], number: u64) -> Vec<u8> {
    [key, b"/".as_slice(), &number.to_be_bytes()].concat()
}

/// An item: who made it, who holds it since which block, its lot and the length of its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub maker: Option<PartyId>,
    pub holder: Option<PartyId>,
    pub since: Option<u64>,
    pub lot: Option<Hash>,
    pub lines: u64,
}

impl Item {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        whole(bytes, |decoder| {
            decoder.array_of(7, "an item of seven parts")?;
            let maker = or_null(decoder, party)?;
            let holder = or_null(decoder, party)?;
            let since = or_null(decoder, Decoder::uint)?;
            or_null(decoder, party)?;
            let lot = or_null(decoder, hash)?;
            or_null(decoder, hash)?;
            Ok(Self {
                maker,
                holder,
                since,
                lot,
                lines: decoder.uint()?,
            })
        })
    }
}

/// A line of an item's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub what: String,
    pub by: PartyId,
    pub other: Option<Hash>,
    pub height: u64,
    pub time_ms: u64,
}

impl Line {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        whole(bytes, |decoder| {
            decoder.array_of(5, "a line of five parts")?;
            Ok(Self {
                what: decoder.text(TEXT_BYTES_MAX)?.to_owned(),
                by: party(decoder)?,
                other: or_null(decoder, hash)?,
                height: decoder.uint()?,
                time_ms: decoder.uint()?,
            })
        })
    }
}

/// A lot: its maker, how many items it has, and the last recall that named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lot {
    pub maker: PartyId,
    pub items: u64,
    pub recall: Option<Hash>,
}

impl Lot {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        whole(bytes, |decoder| {
            decoder.array_of(4, "a lot of four parts")?;
            let lot = Self {
                maker: party(decoder)?,
                items: decoder.uint()?,
                recall: or_null(decoder, hash)?,
            };
            decoder.uint()?;
            Ok(lot)
        })
    }
}

/// The items on a page of a lot.
pub(super) fn decode_page(bytes: &[u8]) -> Result<Vec<Hash>, DecodeError> {
    whole(bytes, |decoder| {
        let count = decoder.array(PAGE_ITEMS as usize)?;
        (0..count).map(|_| hash(decoder)).collect()
    })
}

/// A recall: who issued it, and the block that closed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recall {
    pub issuer: PartyId,
    pub lot: Option<Hash>,
    pub closed: Option<u64>,
}

impl Recall {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        whole(bytes, |decoder| {
            decoder.array_of(10, "a recall of ten parts")?;
            let issuer = party(decoder)?;
            for _ in 0..3 {
                decoder.text(TEXT_BYTES_MAX)?;
            }
            let lot = or_null(decoder, hash)?;
            decoder.uint()?;
            or_null(decoder, hash)?;
            decoder.uint()?;
            let closed = or_null(decoder, Decoder::uint)?;
            decoder.skip()?;
            Ok(Self {
                issuer,
                lot,
                closed,
            })
        })
    }
}

fn whole<T>(
    bytes: &[u8],
    read: impl FnOnce(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let value = read(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}

fn or_null<'a, T>(
    decoder: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if decoder.peek()? == Kind::Null {
        decoder.null().map(|()| None)
    } else {
        read(decoder).map(Some)
    }
}

fn party(decoder: &mut Decoder<'_>) -> Result<PartyId, DecodeError> {
    decoder.bytes32().map(PartyId::from_bytes)
}

fn hash(decoder: &mut Decoder<'_>) -> Result<Hash, DecodeError> {
    decoder.bytes32().map(Hash::from_bytes)
}

#[cfg(test)]
mod tests {
    use stele_core::cbor::Encoder;

    use super::*;

    #[test]
    fn an_item_reads_as_the_page_says() {
        let (maker, lot) = ([1; 32], [2; 32]);
        let mut out = Encoder::new();
        out.array(7)
            .bytes(&maker)
            .bytes(&maker)
            .uint(9)
            .null()
            .bytes(&lot)
            .null()
            .uint(3);
        let item = Item::decode(&out.into_vec()).unwrap();
        assert_eq!(item.holder, Some(PartyId::from_bytes(maker)));
        assert_eq!((item.since, item.lines), (Some(9), 3));
        assert_eq!(item.lot, Some(Hash::from_bytes(lot)));
    }

    #[test]
    fn more_than_the_value_is_refused() {
        let mut out = Encoder::new();
        out.array(0).uint(1);
        assert!(decode_page(&out.into_vec()).is_err());
        assert!(Recall::decode(&[0xf6]).is_err());
    }

    #[test]
    fn keys_are_those_of_the_page() {
        let item = Hash::from_bytes([7; 32]);
        assert_eq!(line_key(&item, 258)[5..37], [7; 32]);
        assert_eq!(&line_key(&item, 258)[37..], b"/\0\0\0\0\0\0\x01\x02");
    }
}
