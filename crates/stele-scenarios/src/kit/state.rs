//! What `credential` keeps in the state, read from proven bytes as docs/registers/credential.md describes them.
//!
//! Written against those pages alone: a verifier links no register.

use stele_core::cbor::{Body, BodyError, DecodeError, Decoder, Kind};
use stele_core::id::{Hash, PartyId, sha256};
use stele_core::receipt::{NetworkDescriptor, VerifiedState, verify};
use stele_credentials::trust::rules;

use super::refusal::Refused;

/// The longest address of a list, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// The claim of a receipt about this very key.
///
/// # Errors
/// `trust.receipt`, `paper.receipt-of-another`.
pub(crate) fn one_claim(
    receipt: &[u8],
    register: &str,
    key: &[u8],
    network: &NetworkDescriptor,
) -> Result<VerifiedState, Refused> {
    let verified = verify(receipt, network).map_err(|error| rules::RECEIPT.because(error))?;
    let mut claims = verified.state.into_iter();
    claims
        .find(|claim| claim.register == register && claim.key == key)
        .ok_or_else(|| {
            Refused::new(
                "paper.receipt-of-another",
                "The receipt proves something else than it was shown for.",
            )
        })
}

/// A value that is kept with its past: `[number, from, until / null, content]` (docs/registers/README.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version<'a> {
    /// Counted from 1.
    pub number: u64,
    /// The block that wrote it.
    pub from: u64,
    /// The first block after which it did not hold any more; `None` while it holds.
    pub until: Option<u64>,
    pub content: &'a [u8],
}

/// Reads a value that is kept with its past.
pub(crate) fn version(bytes: &[u8]) -> Result<Version<'_>, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    decoder.array_of(4, "a version of four parts")?;
    let number = decoder.uint()?;
    let from = decoder.uint()?;
    let until = null_or(&mut decoder, Decoder::uint)?;
    let content = decoder.skip()?;
    decoder.finish()?;
    Ok(Version {
        number,
        from,
        until,
        content,
    })
}

/// A part that may be `null`.
pub(crate) fn null_or<'a, T>(
    decoder: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if decoder.peek()? == Kind::Null {
        return decoder.null().map(|()| None);
    }
    read(decoder).map(Some)
}

/// The map of a document in the state, by name.
pub(crate) struct StateMap<'a>(Body<'a>);

impl<'a> StateMap<'a> {
    pub fn read(content: &'a [u8]) -> Result<Self, BodyError> {
        Body::decode(content).map(Self)
    }

    pub fn flag(&mut self, name: &'static str) -> Result<bool, BodyError> {
        self.0.flag(name)
    }

    pub fn hash(&mut self, name: &'static str) -> Result<Option<[u8; 32]>, BodyError> {
        self.0.opt_bytes32(name)
    }

    pub fn hashes(&mut self, name: &'static str, max: usize) -> Result<Vec<[u8; 32]>, BodyError> {
        self.0.list(name, max, Decoder::bytes32)
    }
}

/// The key of the present version of a status list.
pub(super) fn status_key(issuer: &PartyId, list: &str) -> Vec<u8> {
    let list = sha256(&[
        b"stele/credential/status/v1",
        issuer.as_bytes(),
        list.as_bytes(),
    ]);
    [b"status/".as_slice(), &list].concat()
}

/// A published version of a status list: the root over its shards, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatusRoot {
    pub root: Hash,
    pub shards: u64,
}

impl StatusRoot {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(version(bytes)?.content);
        decoder.array_of(6, "a status list of six parts")?;
        let root = Hash::from_bytes(decoder.bytes32()?);
        let shards = decoder.uint()?;
        for _ in 0..4 {
            decoder.skip()?;
        }
        decoder.finish()?;
        Ok(Self { root, shards })
    }
}

/// The key of a report about a key.
pub(super) fn report_key(kid: &[u8; 32]) -> Vec<u8> {
    [b"compromise/".as_slice(), kid].concat()
}

/// The report of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyReport {
    /// From when on its signatures are doubtful, in milliseconds since 1970.
    pub since_ms: u64,
    pub by: PartyId,
}

impl KeyReport {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(3, "a report of three parts")?;
        let since_ms = decoder.uint()?;
        decoder.uint()?;
        let by = PartyId::from_bytes(decoder.bytes32()?);
        decoder.finish()?;
        Ok(Self { since_ms, by })
    }
}

/// The address of a list and the place of a shard in it, from the address of the shard.
pub(super) fn list_and_shard(uri: &str) -> Option<(&str, u64)> {
    let (list, shard) = uri.rsplit_once('/')?;
    (uri.len() <= TEXT_BYTES_MAX).then_some((list, shard.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use stele_core::cbor::Encoder;

    use super::*;

    #[test]
    fn a_status_list_reads_as_the_page_says() {
        let mut out = Encoder::new();
        out.array(4).uint(2).uint(9).null().array(6);
        out.bytes(&[7; 32])
            .uint(3)
            .uint(4096)
            .uint(1)
            .uint(99)
            .null();
        let bytes = out.into_vec();
        let read = StatusRoot::decode(&bytes).unwrap();
        assert_eq!((read.root, read.shards), (Hash::from_bytes([7; 32]), 3));
        for cut in 0..bytes.len() {
            assert!(StatusRoot::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn a_version_says_when_it_held() {
        let mut past = Encoder::new();
        past.array(4).uint(1).uint(4).uint(7).uint(99);
        let past = past.into_vec();
        let read = version(&past).unwrap();
        assert_eq!((read.number, read.from, read.until), (1, 4, Some(7)));
        assert_eq!(read.content, [0x18, 99]);
        let mut present = Encoder::new();
        present.array(4).uint(2).uint(7).null().text("x");
        assert_eq!(version(&present.into_vec()).unwrap().until, None);
        for cut in 0..past.len() {
            assert!(version(&past[..cut]).is_err());
        }
    }

    #[test]
    fn a_key_report_reads_as_the_page_says() {
        let mut out = Encoder::new();
        out.array(3).uint(1234).uint(5).bytes(&[1; 32]);
        let bytes = out.into_vec();
        let by = PartyId::from_bytes([1; 32]);
        assert_eq!(
            KeyReport::decode(&bytes),
            Ok(KeyReport { since_ms: 1234, by })
        );
        for cut in 0..bytes.len() {
            assert!(KeyReport::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn the_address_of_a_shard_names_its_list() {
        assert_eq!(
            list_and_shard("https://a.example/s/12"),
            Some(("https://a.example/s", 12))
        );
        for other in ["12", "https://a.example/s/", "https://a.example/s/-1"] {
            assert_eq!(list_and_shard(other), None);
        }
    }
}
