//! Opaque keyset cursors: the last row's key, bound to the query that it belongs to.
//!
//! A cursor is hexadecimal text of 17 bytes: the format (1), the query's fingerprint (8), the key (8, big-endian).

use std::hash::{Hash, Hasher};

use crate::error::{ReadModelError, Result};

const FORMAT: u8 = 1;

/// A decoded cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    fingerprint: u64,
    /// The key of the last row that was answered.
    pub key: i64,
}

impl Cursor {
    /// A cursor behind the row `key` of the query with these parts.
    pub fn new(query: &impl Hash, key: i64) -> Self {
        Self {
            fingerprint: fingerprint(query),
            key,
        }
    }

    /// The same query's cursor behind another row.
    pub fn at(self, key: i64) -> Self {
        Self { key, ..self }
    }

    /// Its text.
    pub fn encode(&self) -> String {
        let mut bytes = [0; 17];
        bytes[0] = FORMAT;
        bytes[1..9].copy_from_slice(&self.fingerprint.to_be_bytes());
        bytes[9..].copy_from_slice(&self.key.to_be_bytes());
        hex::encode(bytes)
    }

    /// Reads a cursor and checks that it belongs to the query.
    ///
    /// # Errors
    /// [`ReadModelError::BadCursor`].
    pub fn decode(text: &str, query: &impl Hash) -> Result<Self> {
        let mut bytes = [0; 17];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ReadModelError::BadCursor)?;
        let eight = |at: usize| <[u8; 8]>::try_from(&bytes[at..at + 8]).expect("eight bytes");
        let cursor = Self {
            fingerprint: u64::from_be_bytes(eight(1)),
            key: i64::from_be_bytes(eight(9)),
        };
        let ours =
            bytes[0] == FORMAT && cursor.fingerprint == fingerprint(query) && cursor.key >= 0;
        ours.then_some(cursor).ok_or(ReadModelError::BadCursor)
    }
}

/// FNV-1a over what the query hashes: the same in every process, which a cursor must survive. It guards against
/// mistakes, not against forgery: a forged cursor reads nothing that a query could not.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn fingerprint(query: &impl Hash) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    query.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_belong_to_one_query() {
        let cursor = Cursor::new(&("entries", 7), 42);
        let text = cursor.encode();
        assert_eq!(
            Cursor::decode(&text, &("entries", 7)).expect("ours"),
            cursor
        );
        for (text, query) in [
            (text.as_str(), ("entries", 8)),
            (&text[2..], ("entries", 7)),
            (&text.replace('1', "2"), ("entries", 7)),
            ("", ("entries", 7)),
            ("zz", ("entries", 7)),
        ] {
            assert!(matches!(
                Cursor::decode(text, &query),
                Err(ReadModelError::BadCursor)
            ));
        }
    }
}
