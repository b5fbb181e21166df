//! Reading the kinds of fields that [`stele_core::cbor::Body`] does not know.

use stele_core::cbor::{Body, BodyError, DecodeError, Decoder, ErrorKind};
use stele_core::id::{KeyId, PartyId};

use crate::spec::KEY_BYTES_MAX;

fn wrong(field: &'static str, expected: &'static str) -> BodyError {
    let error = DecodeError {
        offset: 0,
        kind: ErrorKind::Expected(expected),
    };
    BodyError::Wrong {
        field: field.to_owned(),
        error,
    }
}

/// One of the given texts.
///
/// # Errors
/// [`BodyError`].
pub fn choice(
    body: &mut Body<'_>,
    name: &'static str,
    choices: &'static [&'static str],
) -> Result<&'static str, BodyError> {
    let text = body.text(name, 64)?;
    choices
        .iter()
        .find(|choice| **choice == text)
        .copied()
        .ok_or_else(|| wrong(name, "one of the texts that the command names"))
}

/// A party id.
///
/// # Errors
/// [`BodyError`].
pub fn party(body: &mut Body<'_>, name: &'static str) -> Result<PartyId, BodyError> {
    body.bytes32(name).map(PartyId::from_bytes)
}

/// A key id.
///
/// # Errors
/// [`BodyError`].
pub fn kid(body: &mut Body<'_>, name: &'static str) -> Result<KeyId, BodyError> {
    body.bytes32(name).map(KeyId::from_bytes)
}

/// The bytes of a COSE_Key.
///
/// # Errors
/// [`BodyError`].
pub fn key<'a>(body: &mut Body<'a>, name: &'static str) -> Result<&'a [u8], BodyError> {
    body.required(name, key_item)
}

/// One COSE_Key in a byte string that is not empty.
///
/// # Errors
/// [`DecodeError`].
pub fn key_item<'a>(decoder: &mut Decoder<'a>) -> Result<&'a [u8], DecodeError> {
    let offset = decoder.position();
    match decoder.bytes(KEY_BYTES_MAX)? {
        [] => Err(DecodeError {
            offset,
            kind: ErrorKind::Expected("a COSE_Key"),
        }),
        raw => Ok(raw),
    }
}

/// A byte string of `min` to `max` bytes.
///
/// # Errors
/// [`BodyError`].
pub fn bytes<'a>(
    body: &mut Body<'a>,
    name: &'static str,
    min: usize,
    max: usize,
) -> Result<&'a [u8], BodyError> {
    body.required(name, |decoder| bytes_item(decoder, min, max))
}

/// A byte string of `min` to `max` bytes, as an item.
///
/// # Errors
/// [`DecodeError`].
pub fn bytes_item<'a>(
    decoder: &mut Decoder<'a>,
    min: usize,
    max: usize,
) -> Result<&'a [u8], DecodeError> {
    let offset = decoder.position();
    let bytes = decoder.bytes(max)?;
    if bytes.len() < min {
        let kind = ErrorKind::Expected("more bytes");
        return Err(DecodeError { offset, kind });
    }
    Ok(bytes)
}

/// A list of `min` to `max` items; an absent field is an empty list, which only `min` 0 allows.
///
/// # Errors
/// [`BodyError`].
pub fn list<'a, T>(
    body: &mut Body<'a>,
    name: &'static str,
    min: usize,
    max: usize,
    read: impl FnMut(&mut Decoder<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, BodyError> {
    let items = body.list(name, max, read)?;
    if items.len() < min {
        Err(wrong(name, "more items"))
    } else {
        Ok(items)
    }
}

/// A list of `min` to `max` different hashes.
///
/// # Errors
/// [`BodyError`].
pub fn hashes(
    body: &mut Body<'_>,
    name: &'static str,
    min: usize,
    max: usize,
) -> Result<Vec<[u8; 32]>, BodyError> {
    let items = list(body, name, min, max, Decoder::bytes32)?;
    let mut sorted = items.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(wrong(name, "each item only once"));
    }
    Ok(items)
}

/// A list of `min` to `max` texts of 1 to `bytes_max` bytes.
///
/// # Errors
/// [`BodyError`].
pub fn texts<'a>(
    body: &mut Body<'a>,
    name: &'static str,
    min: usize,
    max: usize,
    bytes_max: usize,
) -> Result<Vec<&'a str>, BodyError> {
    list(body, name, min, max, |decoder| {
        let offset = decoder.position();
        match decoder.text(bytes_max)? {
            "" => Err(DecodeError {
                offset,
                kind: ErrorKind::Expected("a text that is not empty"),
            }),
            text => Ok(text),
        }
    })
}
