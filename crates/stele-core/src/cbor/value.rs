//! Free CBOR data.

use super::decode::{DecodeError, Decoder, ErrorKind, Kind, check};
use super::encode::Encoder;

/// Any value that deterministic CBOR may hold here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An unsigned integer.
    Uint(u64),
    /// The negative integer `-1 - n`.
    Nint(u64),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A text.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// A map; the order of the pairs does not matter, encoding sorts them.
    Map(Vec<(Value, Value)>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl Value {
    /// Reads exactly one item.
    ///
    /// # Errors
    /// Any [`DecodeError`]; the size is bounded by `bytes`, the depth by [`super::DEPTH_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.first().is_some_and(|first| first >> 5 == 6) {
            return Err(DecodeError {
                offset: 0,
                kind: ErrorKind::NotAllowed,
            });
        }
        check(bytes)?;
        let mut decoder = Decoder::new(bytes);
        let value = Self::read(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    }

    // Recursion is bounded: `decode` has checked the depth.
    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match decoder.peek()? {
            Kind::Uint => Self::Uint(decoder.uint()?),
            Kind::Nint => Self::Nint(decoder.nint()?),
            Kind::Bytes => Self::Bytes(decoder.bytes(usize::MAX)?.to_vec()),
            Kind::Text => Self::Text(decoder.text(usize::MAX)?.to_owned()),
            Kind::Array => {
                let count = decoder.array(usize::MAX)?;
                Self::Array(
                    (0..count)
                        .map(|_| Self::read(decoder))
                        .collect::<Result<_, _>>()?,
                )
            }
            Kind::Map => {
                let count = decoder.map(usize::MAX)?;
                let pairs = (0..count).map(|_| Ok((Self::read(decoder)?, Self::read(decoder)?)));
                Self::Map(pairs.collect::<Result<_, DecodeError>>()?)
            }
            Kind::Bool => Self::Bool(decoder.bool()?),
            Kind::Null => {
                decoder.null()?;
                Self::Null
            }
            Kind::Tag => {
                unreachable!("check allows a tag outermost only, and decode refuses it there")
            }
        })
    }

    /// The deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        self.write(&mut out);
        out.into_vec()
    }

    fn write(&self, out: &mut Encoder) {
        match self {
            Self::Uint(value) => out.uint(*value),
            Self::Nint(n) => out.nint(*n),
            Self::Bytes(bytes) => out.bytes(bytes),
            Self::Text(text) => out.text(text),
            Self::Bool(value) => out.bool(*value),
            Self::Null => out.null(),
            Self::Array(items) => {
                out.array(items.len());
                items.iter().for_each(|item| item.write(out));
                out
            }
            Self::Map(pairs) => {
                let mut encoded: Vec<_> = pairs
                    .iter()
                    .map(|(key, value)| (key.encode(), value))
                    .collect();
                encoded.sort_by(|a, b| a.0.cmp(&b.0));
                out.map(encoded.len());
                for (key, value) in encoded {
                    out.raw(&key);
                    value.write(out);
                }
                out
            }
        };
    }
}
