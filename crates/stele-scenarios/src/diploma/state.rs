//! What `credential` keeps in the state, read from proven bytes as docs/registers/credential.md describes them.
//!
//! Written against that page alone: a verifier links no register.

use stele_core::cbor::{DecodeError, Decoder};
use stele_core::id::{Hash, PartyId, sha256};

/// The longest address of a list, in bytes.
const TEXT_BYTES_MAX: usize = 256;

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
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(4, "a version of four parts")?;
        decoder.uint()?;
        decoder.uint()?;
        decoder.null()?;
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

/// The report of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyReport {
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
