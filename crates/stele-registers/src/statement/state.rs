//! What `statement` keeps.

use stele_core::cbor::{DecodeError, Decoder, Encoder};
use stele_core::id::{EntryId, Height, KeyId, PartyId};
use stele_core::machine::Fault;

use super::TEXT_BYTES_MAX;
use crate::context::View;
use crate::history::or_null;

/// What a registrar recorded of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRecord {
    /// The entry that registered it; its receipt proves the registration.
    pub entry: EntryId,
    /// The block of that entry.
    pub height: Height,
    /// The party whose key signed the statement.
    pub issuer: PartyId,
    /// That key.
    pub issuer_kid: KeyId,
    /// What it is about.
    pub subject: Option<String>,
    /// The media type of its payload.
    pub content_type: Option<String>,
}

impl StatementRecord {
    /// The value in the state.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(6)
            .bytes(self.entry.as_bytes())
            .uint(self.height.get())
            .bytes(self.issuer.as_bytes())
            .bytes(self.issuer_kid.as_bytes());
        for text in [&self.subject, &self.content_type] {
            match text {
                Some(text) => out.text(text),
                None => out.null(),
            };
        }
        out.into_vec()
    }

    /// Reads what [`StatementRecord::encode`] wrote.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(6, "a statement's record of six parts")?;
        let record = Self {
            entry: EntryId::from_bytes(decoder.bytes32()?),
            height: Height::new(decoder.uint()?),
            issuer: PartyId::from_bytes(decoder.bytes32()?),
            issuer_kid: KeyId::from_bytes(decoder.bytes32()?),
            subject: or_null(&mut decoder, text)?,
            content_type: or_null(&mut decoder, text)?,
        };
        decoder.finish()?;
        Ok(record)
    }
}

fn text(decoder: &mut Decoder<'_>) -> Result<String, DecodeError> {
    decoder.text(TEXT_BYTES_MAX).map(str::to_owned)
}

/// Where a registrar's record of a statement stands.
pub fn record_key(registrar: &PartyId, statement_hash: &[u8; 32]) -> Vec<u8> {
    [
        b"statement/".as_slice(),
        registrar.as_bytes(),
        statement_hash,
    ]
    .concat()
}

/// A registrar's record of a statement.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn record(
    view: View<'_>,
    registrar: &PartyId,
    statement_hash: &[u8; 32],
) -> Result<Option<StatementRecord>, Fault> {
    let key = record_key(registrar, statement_hash);
    let Some(bytes) = view.get(&key)? else {
        return Ok(None);
    };
    let record = StatementRecord::decode(&bytes);
    record
        .map(Some)
        .map_err(|error| view.unreadable(&key, error))
}
