//! Deterministic CBOR: one encoding for each value, and no other is read.
//!
//! The core deterministic encoding of RFC 8949 section 4.2.1, without floats, without undefined and with
//! no tags but those a structure names (docs/format.md section 1). A pull [`Decoder`] reads borrowed slices and takes a
//! limit for every length; [`Value`] holds free data; [`Body`] reads the text-keyed maps of commands and events.

mod body;
mod decode;
mod encode;
mod value;

pub use body::{Body, BodyBuilder, BodyError};
pub use decode::{DecodeError, Decoder, ErrorKind, Kind, check};
pub use encode::Encoder;
pub use value::Value;

/// The deepest nesting of arrays and maps, counting the outermost as 1.
pub const DEPTH_MAX: usize = 16;
