//! What `service` keeps in the state, read from proven bytes as docs/registers/service.md describes them.
//!
//! Written against that page alone: a verifier links no register.

use stele_core::cbor::{DecodeError, Decoder};
use stele_core::id::{Hash, PartyId};

use crate::kit::null_or;

/// The longest text of a state value, in bytes, and the most items of a list.
const TEXT_BYTES_MAX: usize = 256;
const ITEMS_MAX: usize = 64;

pub(super) fn definition_key(service: &Hash, version: u64) -> Vec<u8> {
    let version = version.to_be_bytes();
    [b"service/".as_slice(), service.as_bytes(), b"/", &version].concat()
}

pub(super) fn case_key(case: &Hash) -> Vec<u8> {
    [b"case/".as_slice(), case.as_bytes()].concat()
}

/// A version of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VersionState {
    pub document: Hash,
    /// The block that withdrew it for new cases.
    pub withdrawn: Option<u64>,
}

impl VersionState {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(7, "a version of seven parts")?;
        decoder.skip()?;
        decoder.skip()?;
        let document = Hash::from_bytes(decoder.bytes32()?);
        decoder.skip()?;
        decoder.uint()?;
        let withdrawn = null_or(&mut decoder, Decoder::uint)?;
        decoder.skip()?;
        decoder.finish()?;
        Ok(Self {
            document,
            withdrawn,
        })
    }
}

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CaseState {
    pub version: u64,
    pub office: PartyId,
    /// When it was received, in milliseconds since 1970.
    pub opened_ms: u64,
    pub status: String,
    pub missing: Vec<String>,
    pub complete: bool,
    /// What was decided.
    pub outcome: Option<String>,
    /// How many lines its history has.
    pub lines: u64,
}

impl CaseState {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(14, "a case of fourteen parts")?;
        decoder.bytes32()?;
        decoder.bytes32()?;
        let version = decoder.uint()?;
        let office = PartyId::from_bytes(decoder.bytes32()?);
        decoder.skip()?;
        decoder.bytes32()?;
        let opened_ms = decoder.uint()?;
        decoder.uint()?;
        let status = decoder.text(TEXT_BYTES_MAX)?.to_owned();
        let count = decoder.array(ITEMS_MAX)?;
        let missing = (0..count)
            .map(|_| decoder.text(TEXT_BYTES_MAX).map(str::to_owned))
            .collect::<Result<_, _>>()?;
        let complete = decoder.bool()?;
        decoder.skip()?;
        let outcome = null_or(&mut decoder, |decoder| {
            decoder.array_of(4, "a decision of four parts")?;
            decoder.skip()?;
            let outcome = decoder.text(TEXT_BYTES_MAX)?.to_owned();
            decoder.skip()?;
            decoder.uint()?;
            Ok(outcome)
        })?;
        let lines = decoder.uint()?;
        decoder.finish()?;
        Ok(Self {
            version,
            office,
            opened_ms,
            status,
            missing,
            complete,
            outcome,
            lines,
        })
    }
}

#[cfg(test)]
mod tests {
    use stele_core::cbor::Encoder;

    use super::*;

    #[test]
    fn a_version_reads_as_the_page_says() {
        let mut out = Encoder::new();
        out.array(7).bytes(&[1; 32]).text("parking-permit");
        out.bytes(&[2; 32]).text("DE/XX").uint(4).uint(9).array(0);
        let bytes = out.into_vec();
        let read = VersionState::decode(&bytes).unwrap();
        assert_eq!(read.document, Hash::from_bytes([2; 32]));
        assert_eq!(read.withdrawn, Some(9));
        for cut in 0..bytes.len() {
            assert!(VersionState::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn a_case_reads_as_the_page_says() {
        let mut out = Encoder::new();
        out.array(14).bytes(&[1; 32]).bytes(&[2; 32]).uint(1);
        out.bytes(&[3; 32]).null().bytes(&[4; 32]).uint(55).uint(55);
        out.text("decided").array(1).text("zone").bool(true);
        out.array(5).uint(55).null().uint(0).uint(20_000).uint(0);
        out.array(4).bytes(&[3; 32]).text("refused");
        out.bytes(&[5; 32]).uint(66).uint(3);
        let bytes = out.into_vec();
        let read = CaseState::decode(&bytes).unwrap();
        assert_eq!((read.version, read.opened_ms, read.lines), (1, 55, 3));
        assert_eq!(read.office, PartyId::from_bytes([3; 32]));
        assert_eq!(
            (read.status.as_str(), read.complete, read.outcome.as_deref()),
            ("decided", true, Some("refused"))
        );
        assert_eq!(read.missing, ["zone"]);
        for cut in 0..bytes.len() {
            assert!(CaseState::decode(&bytes[..cut]).is_err());
        }
    }
}
