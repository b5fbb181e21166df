//! Documents whose state at any past height can be asked and proven.
//!
//! A versioned document lies at its key as `[number, from, until, content]`: `number` counts from 1, `from` is the height
//! of the block that wrote it, `until` is the height of the block that replaced it, or `null` for the present one. When a
//! document is replaced, the old version moves to `<key>/v/<number as 8 bytes, big-endian>` with `until` set. What held
//! after block `h` is therefore the one version with `from <= h < until`, and that one value proves it under any later
//! state root. Changes within one block leave one version: the block is the finest grain of history.

use stele_core::cbor::{DecodeError, Decoder, Encoder, Kind};
use stele_core::id::Height;
use stele_core::machine::Fault;

use crate::context::{Namespace, View};

/// A version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1.
    pub number: u64,
    /// The block that wrote it.
    pub from: Height,
    /// The block that replaced it.
    pub until: Option<Height>,
    /// The document: one CBOR item.
    pub content: Vec<u8>,
}

impl Version {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(self.content.len() + 28);
        out.array(4).uint(self.number).uint(self.from.get());
        write_opt_uint(&mut out, self.until.map(Height::get));
        out.raw(&self.content);
        out.into_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(4, "a version of four parts")?;
        let number = decoder.uint()?;
        let from = Height::new(decoder.uint()?);
        let until = read_opt_uint(&mut decoder)?.map(Height::new);
        let content = decoder.skip()?.to_vec();
        decoder.finish()?;
        Ok(Self {
            number,
            from,
            until,
            content,
        })
    }
}

/// Writes a number or `null`.
pub(crate) fn write_opt_uint(out: &mut Encoder, value: Option<u64>) {
    match value {
        Some(value) => out.uint(value),
        None => out.null(),
    };
}

/// Reads an item that may be `null`.
pub(crate) fn or_null<'a, T>(
    decoder: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if decoder.peek()? == Kind::Null {
        decoder.null().map(|()| None)
    } else {
        read(decoder).map(Some)
    }
}

/// Reads a number or `null`.
pub(crate) fn read_opt_uint(decoder: &mut Decoder<'_>) -> Result<Option<u64>, DecodeError> {
    or_null(decoder, Decoder::uint)
}

/// The key under which version `number` of the document at `key` is kept once it is replaced.
pub fn version_key(key: &[u8], number: u64) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len() + 11);
    full.extend_from_slice(key);
    full.extend_from_slice(b"/v/");
    full.extend_from_slice(&number.to_be_bytes());
    full
}

fn read(view: View<'_>, key: &[u8]) -> Result<Option<Version>, Fault> {
    let Some(bytes) = view.get(key)? else {
        return Ok(None);
    };
    Version::decode(&bytes)
        .map(Some)
        .map_err(|error| view.unreadable(key, error))
}

/// The present version of the document at `key`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn current(view: View<'_>, key: &[u8]) -> Result<Option<Version>, Fault> {
    read(view, key)
}

/// The version of the document at `key` that held after block `height`: one read for the present version, one more for
/// the version before it, and a binary search over older ones. `None` when the document did not exist yet.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn at(view: View<'_>, key: &[u8], height: Height) -> Result<Option<Version>, Fault> {
    let Some(present) = read(view, key)? else {
        return Ok(None);
    };
    if present.from <= height {
        return Ok(Some(present));
    }
    // Versions low..high are candidates. The newest is tried first: most questions are about recent heights.
    let (mut low, mut high) = (1, present.number);
    let mut probe = high.saturating_sub(1);
    while low < high {
        let key = version_key(key, probe);
        let version =
            read(view, &key)?.ok_or_else(|| view.unreadable(&key, "the version is missing"))?;
        if height < version.from {
            high = probe;
        } else if version.until.is_none_or(|until| height < until) {
            return Ok(Some(version));
        } else {
            low = probe + 1;
        }
        probe = low + (high - low) / 2;
    }
    Ok(None)
}

/// Writes a new version of the document at `key` in the block at `height`.
pub(crate) fn write(
    state: &mut Namespace<'_, '_>,
    height: Height,
    key: &[u8],
    content: Vec<u8>,
) -> Result<(), Fault> {
    let number = match read(state.own(), key)? {
        None => 1,
        Some(old) if old.from == height => old.number,
        Some(mut old) => {
            old.until = Some(height);
            state.put(&version_key(key, old.number), old.encode());
            old.number + 1
        }
    };
    state.put(
        key,
        Version {
            number,
            from: height,
            until: None,
            content,
        }
        .encode(),
    );
    Ok(())
}
