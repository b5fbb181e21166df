//! What `credential` keeps of a document, read from proven bytes as docs/registers/credential.md describes it.
//!
//! Written against that page alone: a verifier links no register.

use stele_core::cbor::{DecodeError, Decoder};
use stele_core::id::PartyId;

use crate::kit::null_or;

/// The longest kind, in bytes, and the most signers.
const KIND_BYTES_MAX: usize = 256;
const SIGNERS_MAX: usize = 64;

/// The key of a document.
pub(super) fn document_key(commitment: &[u8; 32]) -> Vec<u8> {
    [b"document/".as_slice(), commitment].concat()
}

/// Who signed a document, in which block, and what it replaced and was replaced by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    pub height: u64,
    pub kind: String,
    pub signers: Vec<PartyId>,
    pub replaces: Option<[u8; 32]>,
    pub replaced_by: Option<[u8; 32]>,
}

impl Document {
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(6, "a document of six parts")?;
        decoder.bytes32()?;
        let height = decoder.uint()?;
        let kind = decoder.text(KIND_BYTES_MAX)?.to_owned();
        let mut signers = Vec::new();
        for _ in 0..decoder.array(SIGNERS_MAX)? {
            signers.push(PartyId::from_bytes(decoder.bytes32()?));
        }
        let replaces = null_or(&mut decoder, Decoder::bytes32)?;
        let replaced_by = null_or(&mut decoder, Decoder::bytes32)?;
        decoder.finish()?;
        Ok(Self {
            height,
            kind,
            signers,
            replaces,
            replaced_by,
        })
    }
}

#[cfg(test)]
mod tests {
    use stele_core::cbor::Encoder;

    use super::*;

    #[test]
    fn a_document_reads_as_the_page_says() {
        let mut out = Encoder::new();
        out.array(6).bytes(&[1; 32]).uint(9).text("a.kind").array(2);
        out.bytes(&[2; 32]).bytes(&[3; 32]).bytes(&[4; 32]).null();
        let bytes = out.into_vec();
        let expected = Document {
            height: 9,
            kind: "a.kind".to_owned(),
            signers: vec![PartyId::from_bytes([2; 32]), PartyId::from_bytes([3; 32])],
            replaces: Some([4; 32]),
            replaced_by: None,
        };
        assert_eq!(Document::decode(&bytes), Ok(expected));
        for cut in 0..bytes.len() {
            assert!(Document::decode(&bytes[..cut]).is_err());
        }
        assert_eq!(document_key(&[5; 32])[..9], *b"document/");
    }
}
