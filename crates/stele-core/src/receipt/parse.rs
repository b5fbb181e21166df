//! Reading receipts: steps 2 and 3 of the verification, shape and encoding.

use super::{RECEIPT_FORMAT, STATE_CLAIMS_MAX, WITNESSES_MAX};
use crate::block::{
    BlockHeader, Event, HeaderError, LABEL_EVENTS, LABEL_RECORD, LABEL_VDP, Record, decode_events,
};
use crate::cbor::{self, DecodeError, Decoder, ErrorKind, Kind};
use crate::entry::SIGNATURE_BYTES_MAX;
use crate::id::RegisterName;
use crate::state_proof::{StateProof, Terminal};

/// A receipt as read, nothing of it believed yet.
pub(super) struct Parsed<'a> {
    pub header: BlockHeader,
    pub carried_root: Option<[u8; 32]>,
    pub signature: &'a [u8],
    pub claim: Option<(ParsedClaim<'a>, Record)>,
    pub entry: Option<&'a [u8]>,
    pub state: Vec<ParsedState<'a>>,
    pub witnesses: Vec<&'a str>,
}

pub(super) struct ParsedClaim<'a> {
    pub tree_size: u64,
    pub leaf_index: u64,
    pub path: Vec<[u8; 32]>,
    pub record_bytes: &'a [u8],
    pub events_bytes: Option<&'a [u8]>,
    pub events: Option<Vec<Event>>,
}

pub(super) struct ParsedState<'a> {
    pub register: &'a str,
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
    pub proof: StateProof,
    /// The siblings are not a whole number of hashes.
    pub siblings_cut: bool,
}

pub(super) enum ParseError {
    Decode(DecodeError),
    Version(String),
}

impl From<DecodeError> for ParseError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<HeaderError> for ParseError {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Decode(error) => Self::Decode(error),
            HeaderError::Version(version) => {
                Self::Version(format!("block header version {version}"))
            }
        }
    }
}

fn expected<T>(offset: usize, what: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError {
        offset,
        kind: ErrorKind::Expected(what),
    })
}

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed<'_>, ParseError> {
    cbor::check(bytes)?;
    let mut decoder = Decoder::new(bytes);
    let mut members = decoder.map(5)?;
    decoder.exactly(0, "the format (0)")?;
    let format = decoder.text(usize::MAX)?;
    decoder.exactly(1, "the certificate (1)")?;
    let certificate = decoder.bytes(usize::MAX)?;
    let (mut entry, mut state, mut witnesses) = (None, Vec::new(), Vec::new());
    members = members.saturating_sub(2);
    while members > 0 {
        let at = decoder.position();
        match decoder.uint()? {
            2 => entry = Some(decoder.bytes(usize::MAX)?),
            3 => state = state_claims(&mut decoder)?,
            4 => witnesses = witness_lines(&mut decoder)?,
            _ => {
                return Err(expected::<()>(at, "entry (2), state (3) or witnesses (4)")
                    .unwrap_err()
                    .into());
            }
        }
        members -= 1;
    }
    decoder.finish()?;
    let parsed = parse_certificate(certificate);
    // A fault of form goes before an unknown version, and the receipt's own version before the certificate's.
    if !matches!(parsed, Err(ParseError::Decode(_))) && format != RECEIPT_FORMAT {
        return Err(ParseError::Version(format.chars().take(64).collect()));
    }
    let mut parsed = parsed?;
    (parsed.entry, parsed.state, parsed.witnesses) = (entry, state, witnesses);
    Ok(parsed)
}

fn parse_certificate(bytes: &[u8]) -> Result<Parsed<'_>, ParseError> {
    cbor::check(bytes)?;
    let mut decoder = Decoder::new(bytes);
    decoder.tag(18, "the tag of a COSE_Sign1 (18)")?;
    decoder.array_of(4, "an array of four")?;
    let header = BlockHeader::decode(decoder.bytes(512)?);
    let claim = entry_claim(&mut decoder)?;
    let carried_root = if claim.is_some() {
        decoder.null()?;
        None
    } else {
        Some(decoder.bytes32()?)
    };
    let signature = decoder.bytes(SIGNATURE_BYTES_MAX)?;
    decoder.finish()?;
    let record = claim
        .as_ref()
        .map(|claim| Record::decode(claim.record_bytes))
        .transpose();
    // A fault of form goes before an unknown version.
    let (header, record) = match (header, record) {
        (_, Err(error @ HeaderError::Decode(_))) => return Err(error.into()),
        (header, record) => (header?, record?),
    };
    Ok(Parsed {
        header,
        carried_root,
        signature,
        claim: claim.zip(record),
        entry: None,
        state: Vec::new(),
        witnesses: Vec::new(),
    })
}

fn entry_claim<'a>(decoder: &mut Decoder<'a>) -> Result<Option<ParsedClaim<'a>>, DecodeError> {
    let at = decoder.position();
    let members = decoder.map(3)?;
    if members == 0 {
        return Ok(None);
    }
    if members < 2 {
        return expected(at, "a proof and its record");
    }
    decoder.exactly(LABEL_VDP, "the proofs (396)")?;
    if decoder.map(1)? != 1 {
        return expected(at, "inclusion proofs");
    }
    decoder.exactly(-1, "inclusion proofs (-1)")?;
    decoder.array_of(1, "one inclusion proof")?;
    let (tree_size, leaf_index, path) = inclusion_proof(decoder.bytes(usize::MAX)?)?;
    decoder.exactly(LABEL_RECORD, "the record (-65539)")?;
    let record_bytes = decoder.bytes(usize::MAX)?;
    let mut events_bytes = None;
    if members == 3 {
        decoder.exactly(LABEL_EVENTS, "the events (-65540)")?;
        events_bytes = Some(decoder.bytes(usize::MAX)?);
    }
    let events = events_bytes.map(decode_events).transpose()?;
    Ok(Some(ParsedClaim {
        tree_size,
        leaf_index,
        path,
        record_bytes,
        events_bytes,
        events,
    }))
}

fn inclusion_proof(bytes: &[u8]) -> Result<(u64, u64, Vec<[u8; 32]>), DecodeError> {
    cbor::check(bytes)?;
    let mut decoder = Decoder::new(bytes);
    decoder.array_of(3, "an inclusion proof of three parts")?;
    let tree_size = decoder.uint()?;
    let leaf_index = decoder.uint()?;
    let count = decoder.array(usize::MAX)?;
    let path = (0..count)
        .map(|_| decoder.bytes32())
        .collect::<Result<_, _>>()?;
    decoder.finish()?;
    Ok((tree_size, leaf_index, path))
}

fn state_claims<'a>(decoder: &mut Decoder<'a>) -> Result<Vec<ParsedState<'a>>, DecodeError> {
    let at = decoder.position();
    let count = decoder.array(STATE_CLAIMS_MAX)?;
    if count == 0 {
        return expected(at, "a state claim at least");
    }
    (0..count).map(|_| state_claim(decoder)).collect()
}

pub(super) fn parse_state_claim(bytes: &[u8]) -> Result<ParsedState<'_>, DecodeError> {
    cbor::check(bytes)?;
    let mut decoder = Decoder::new(bytes);
    let claim = state_claim(&mut decoder)?;
    decoder.finish()?;
    Ok(claim)
}

fn state_claim<'a>(decoder: &mut Decoder<'a>) -> Result<ParsedState<'a>, DecodeError> {
    decoder.array_of(4, "a state claim of four parts")?;
    let at = decoder.position();
    let register = decoder.text(32)?;
    if RegisterName::new(register).is_err() {
        return expected(at, "a register name");
    }
    let at = decoder.position();
    let key = decoder.bytes(255)?;
    if key.is_empty() {
        return expected(at, "a key of 1 to 255 bytes");
    }
    let value = match decoder.peek()? {
        Kind::Null => {
            decoder.null()?;
            None
        }
        _ => Some(decoder.bytes(usize::MAX)?),
    };
    decoder.array_of(4, "a state proof of four parts")?;
    let at = decoder.position();
    let depth = match decoder.uint()? {
        depth @ 0..=256 => depth as u16,
        _ => return expected(at, "a depth of at most 256"),
    };
    let sibling_bitmap = decoder.bytes(32)?.to_vec();
    let (siblings, rest) = decoder.bytes(usize::MAX)?.as_chunks::<32>();
    let siblings_cut = !rest.is_empty();
    let at = decoder.position();
    let terminal = match decoder.peek()? {
        Kind::Array => {
            decoder.array_of(2, "another leaf of two parts")?;
            Terminal::OtherLeaf {
                path: decoder.bytes32()?,
                value_hash: decoder.bytes32()?,
            }
        }
        _ => match decoder.uint()? {
            0 => Terminal::Leaf,
            1 => Terminal::Empty,
            _ => return expected(at, "a terminal"),
        },
    };
    let proof = StateProof {
        depth,
        sibling_bitmap,
        siblings: siblings.to_vec(),
        terminal,
    };
    Ok(ParsedState {
        register,
        key,
        value,
        proof,
        siblings_cut,
    })
}

fn witness_lines<'a>(decoder: &mut Decoder<'a>) -> Result<Vec<&'a str>, DecodeError> {
    let at = decoder.position();
    let count = decoder.array(WITNESSES_MAX)?;
    if count == 0 {
        return expected(at, "a witness line at least");
    }
    (0..count).map(|_| decoder.text(usize::MAX)).collect()
}
