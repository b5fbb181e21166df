//! What `identity` keeps in the state, read from proven bytes as docs/registers/identity.md describes them.
//!
//! Written against that page alone: a verifier links no register.

use stele_core::cbor::{BodyError, DecodeError, Decoder};
use stele_core::id::PartyId;

use crate::kit::{StateMap, null_or, version};

/// The most active keys of a party.
const KEYS_MAX: usize = 16;

pub(super) fn roll_key(roll: &[u8; 32]) -> Vec<u8> {
    [b"roll/".as_slice(), roll].concat()
}

pub(super) fn member_key(roll: &[u8; 32], index: u64) -> Vec<u8> {
    [b"member/".as_slice(), roll, b"/", &index.to_be_bytes()].concat()
}

pub(super) fn party_key(party: &PartyId) -> Vec<u8> {
    [b"party/".as_slice(), party.as_bytes()].concat()
}

/// The key of an earlier version of what stands at `key`.
pub(super) fn earlier(key: &[u8], number: u64) -> Vec<u8> {
    [key, b"/v/", &number.to_be_bytes()].concat()
}

/// A roll: who enrolled how many under which root, and when, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RollRoot {
    pub issuer: PartyId,
    pub count: u64,
    pub root: [u8; 32],
    pub time_ms: u64,
}

impl RollRoot {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(6, "a roll of six parts")?;
        let issuer = PartyId::from_bytes(decoder.bytes32()?);
        decoder.text(16)?;
        let count = decoder.uint()?;
        let root = decoder.bytes32()?;
        decoder.uint()?;
        let time_ms = decoder.uint()?;
        decoder.finish()?;
        Ok(Self {
            issuer,
            count,
            root,
            time_ms,
        })
    }
}

/// What happened to a member of a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub ended: bool,
    /// The party that it became.
    pub party: Option<PartyId>,
}

impl Member {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(version(bytes)?.content);
        decoder.array_of(5, "a member of five parts")?;
        let ended = null_or(&mut decoder, Decoder::uint)?.is_some();
        let party = null_or(&mut decoder, Decoder::bytes32)?.map(PartyId::from_bytes);
        for _ in 0..3 {
            decoder.skip()?;
        }
        decoder.finish()?;
        Ok(Self { ended, party })
    }
}

/// A party's document: whether it is active, its keys by id, and for a device its owner and the commitment to its serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartyDocument {
    /// Counted from 1.
    pub number: u64,
    /// From which block on it held, and the first block after which it did not.
    pub held: (u64, Option<u64>),
    pub active: bool,
    pub keys: Vec<[u8; 32]>,
    pub owner: Option<PartyId>,
    pub serial: Option<[u8; 32]>,
}

impl PartyDocument {
    pub fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let unreadable = |error| BodyError::Wrong {
            field: "version".to_owned(),
            error,
        };
        let version = version(bytes).map_err(unreadable)?;
        let mut map = StateMap::read(version.content)?;
        Ok(Self {
            number: version.number,
            held: (version.from, version.until),
            active: map.flag("active")?,
            keys: map.hashes("keys", KEYS_MAX)?,
            owner: map.hash("owner")?.map(PartyId::from_bytes),
            serial: map.hash("serial")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use stele_core::cbor::{BodyBuilder, Encoder};

    use super::*;

    fn present(content: &[u8]) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(4).uint(3).uint(8).null().raw(content);
        out.into_vec()
    }

    #[test]
    fn a_roll_reads_as_the_page_says() {
        let mut out = Encoder::new();
        out.array(6).bytes(&[1; 32]).text("device").uint(9);
        out.bytes(&[2; 32]).uint(4).uint(55);
        let bytes = out.into_vec();
        let read = RollRoot::decode(&bytes).unwrap();
        assert_eq!((read.count, read.root, read.time_ms), (9, [2; 32], 55));
        for cut in 0..bytes.len() {
            assert!(RollRoot::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn a_member_reads_as_the_page_says() {
        let mut claimed = Encoder::new();
        claimed.array(5).null().bytes(&[5; 32]).null().null().null();
        let read = Member::decode(&present(&claimed.into_vec())).unwrap();
        let party = Some(PartyId::from_bytes([5; 32]));
        assert_eq!(
            read,
            Member {
                ended: false,
                party
            }
        );
        let mut ended = Encoder::new();
        ended.array(5).uint(7).null().null().null().null();
        let bytes = present(&ended.into_vec());
        assert!(Member::decode(&bytes).unwrap().ended);
        for cut in 0..bytes.len() {
            assert!(Member::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn a_device_reads_as_the_page_says() {
        let body = BodyBuilder::new()
            .text("kind", "device")
            .bool("active", true)
            .bytes_list("keys", &[[6; 32]])
            .bytes("owner", &[7; 32])
            .bytes("serial", &[8; 32]);
        let bytes = present(&body.build());
        let read = PartyDocument::decode(&bytes).unwrap();
        assert_eq!((read.number, read.held), (3, (8, None)));
        assert_eq!((read.active, read.keys), (true, vec![[6; 32]]));
        assert_eq!(read.owner, Some(PartyId::from_bytes([7; 32])));
        assert_eq!(read.serial, Some([8; 32]));
        for cut in 0..bytes.len() {
            assert!(PartyDocument::decode(&bytes[..cut]).is_err());
        }
    }
}
