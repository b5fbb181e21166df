//! Reading deterministic CBOR, and nothing else.

use super::DEPTH_MAX;

/// Why bytes were not read, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct DecodeError {
    /// Offset of the offending item from the start of the decoded bytes.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: ErrorKind,
}

/// What is wrong with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes end inside an item.
    #[error("the encoding is cut off")]
    Truncated,
    /// Another kind of item, or another value of it, was required.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A length or count is above the limit for this place.
    #[error("longer than the limit of {0}")]
    TooLong(usize),
    /// A text string is not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// Arrays and maps are nested deeper than 16.
    #[error("nested too deep")]
    TooDeep,
    /// A float, `undefined`, reserved simple value, or a tag where none is allowed.
    #[error("a kind of value that is not allowed")]
    NotAllowed,
    /// The head of the item is not the shortest.
    #[error("a head that is not the shortest")]
    LongHead,
    /// The item has no definite length.
    #[error("an indefinite length")]
    IndefiniteLength,
    /// A map's keys are not in bytewise order.
    #[error("map keys out of order")]
    KeyOrder,
    /// A map holds a key twice.
    #[error("a duplicate map key")]
    DuplicateKey,
    /// Bytes follow the last item.
    #[error("bytes after the value")]
    TrailingBytes,
}

impl ErrorKind {
    /// Whether the bytes are CBOR for an allowed value, but not its one deterministic encoding.
    pub fn is_canonicality(self) -> bool {
        matches!(
            self,
            Self::LongHead | Self::IndefiniteLength | Self::KeyOrder | Self::DuplicateKey
        )
    }
}

/// The kind of the next item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Uint,
    Nint,
    Bytes,
    Text,
    Array,
    Map,
    Tag,
    Bool,
    Null,
}

type Result<T> = core::result::Result<T, DecodeError>;

/// A strict pull decoder over a borrowed slice.
///
/// Every length is checked against the bytes left and against the caller's limit before anything is allocated.
/// The order of map keys is checked by [`check`], which every envelope runs over foreign bytes first;
/// the typed readers then only have to look at shape.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn error<T>(&self, offset: usize, kind: ErrorKind) -> Result<T> {
        Err(DecodeError { offset, kind })
    }

    /// The kind of the next item, without reading it.
    ///
    /// # Errors
    /// `Truncated` at the end, `NotAllowed` for floats and other simple values.
    pub fn peek(&self) -> Result<Kind> {
        let Some(first) = self.bytes.get(self.at) else {
            return self.error(self.at, ErrorKind::Truncated);
        };
        Ok(match first >> 5 {
            0 => Kind::Uint,
            1 => Kind::Nint,
            2 => Kind::Bytes,
            3 => Kind::Text,
            4 => Kind::Array,
            5 => Kind::Map,
            6 => Kind::Tag,
            _ => match first & 31 {
                20 | 21 => Kind::Bool,
                22 => Kind::Null,
                _ => return self.error(self.at, ErrorKind::NotAllowed),
            },
        })
    }

    fn head(&mut self) -> Result<(u8, u64)> {
        let start = self.at;
        let Some(first) = self.bytes.get(start).copied() else {
            return self.error(start, ErrorKind::Truncated);
        };
        let (major, info) = (first >> 5, first & 31);
        self.at += 1;
        let width = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24..=27 => 1usize << (info - 24),
            31 => {
                let kind = indefinite_kind(&self.bytes[start..]);
                return self.error(start, kind);
            }
            _ => return self.error(start, ErrorKind::NotAllowed),
        };
        let Some(raw) = self.bytes.get(self.at..self.at + width) else {
            return self.error(start, ErrorKind::Truncated);
        };
        self.at += width;
        let value = raw
            .iter()
            .fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
        let least = match width {
            1 => 24,
            2 => 0x100,
            4 => 0x1_0000,
            _ => 0x1_0000_0000,
        };
        if value < least {
            // A two-byte simple value below 32 and a float are not "long heads" but forbidden kinds.
            let kind = if major == 7 {
                ErrorKind::NotAllowed
            } else {
                ErrorKind::LongHead
            };
            return self.error(start, kind);
        }
        if major == 7 {
            return self.error(start, ErrorKind::NotAllowed);
        }
        Ok((major, value))
    }

    fn expect(&mut self, major: u8, what: &'static str) -> Result<u64> {
        let start = self.at;
        // The wrong kind is reported before any fault of its head.
        match self.bytes.get(start) {
            None => return self.error(start, ErrorKind::Truncated),
            Some(first) if first >> 5 != major => {
                return self.error(start, ErrorKind::Expected(what));
            }
            Some(_) => {}
        }
        let (_, value) = self.head()?;
        Ok(value)
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn uint(&mut self) -> Result<u64> {
        self.expect(0, "an unsigned integer")
    }

    /// An integer that fits 64 bits with its sign.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn int(&mut self) -> Result<i64> {
        let start = self.at;
        let negative = self.peek()? == Kind::Nint;
        let value = if negative {
            self.expect(1, "an integer")?
        } else {
            self.expect(0, "an integer")?
        };
        match i64::try_from(value) {
            Ok(value) => Ok(if negative { -1 - value } else { value }),
            Err(_) => self.error(start, ErrorKind::Expected("an integer of 64 bits")),
        }
    }

    /// The argument `n` of a negative integer `-1 - n`.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn nint(&mut self) -> Result<u64> {
        self.expect(1, "a negative integer")
    }

    fn slice(&mut self, start: usize, length: u64, max: usize) -> Result<&'a [u8]> {
        if length > max as u64 {
            return self.error(start, ErrorKind::TooLong(max));
        }
        // Compared before it is added: a claimed length may be close to 2^64.
        if length > (self.bytes.len() - self.at) as u64 {
            return self.error(start, ErrorKind::Truncated);
        }
        let end = self.at + length as usize;
        let slice = &self.bytes[self.at..end];
        self.at = end;
        Ok(slice)
    }

    /// A byte string of at most `max` bytes.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn bytes(&mut self, max: usize) -> Result<&'a [u8]> {
        let start = self.at;
        let length = self.expect(2, "a byte string")?;
        self.slice(start, length, max)
    }

    /// A byte string of exactly 32 bytes.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn bytes32(&mut self) -> Result<[u8; 32]> {
        let start = self.at;
        match self.bytes(32)?.try_into() {
            Ok(array) => Ok(array),
            Err(_) => self.error(start, ErrorKind::Expected("32 bytes")),
        }
    }

    /// A text of at most `max` bytes.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn text(&mut self, max: usize) -> Result<&'a str> {
        let start = self.at;
        let length = self.expect(3, "a text")?;
        match core::str::from_utf8(self.slice(start, length, max)?) {
            Ok(text) => Ok(text),
            Err(_) => self.error(start, ErrorKind::NotUtf8),
        }
    }

    fn count(&mut self, start: usize, count: u64, max: usize) -> Result<usize> {
        if count > max as u64 {
            return self.error(start, ErrorKind::TooLong(max));
        }
        // Each item takes a byte at least, so a count above the bytes left is cut off for sure.
        if count > (self.bytes.len() - self.at) as u64 {
            return self.error(start, ErrorKind::Truncated);
        }
        Ok(count as usize)
    }

    /// The head of an array of at most `max` items.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn array(&mut self, max: usize) -> Result<usize> {
        let start = self.at;
        let count = self.expect(4, "an array")?;
        self.count(start, count, max)
    }

    /// The head of an array of exactly `count` items.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn array_of(&mut self, count: usize, what: &'static str) -> Result<()> {
        let start = self.at;
        if self.expect(4, what)? != count as u64 {
            return self.error(start, ErrorKind::Expected(what));
        }
        Ok(())
    }

    /// The head of a map of at most `max` pairs.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn map(&mut self, max: usize) -> Result<usize> {
        let start = self.at;
        let count = self.expect(5, "a map")?;
        self.count(start, count, max)
    }

    /// Exactly this tag.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn tag(&mut self, tag: u64, what: &'static str) -> Result<()> {
        let start = self.at;
        if self.expect(6, what)? != tag {
            return self.error(start, ErrorKind::Expected(what));
        }
        Ok(())
    }

    /// Exactly this integer.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn exactly(&mut self, value: i64, what: &'static str) -> Result<()> {
        let start = self.at;
        if self.int()? != value {
            return self.error(start, ErrorKind::Expected(what));
        }
        Ok(())
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn bool(&mut self) -> Result<bool> {
        match self.bytes.get(self.at) {
            Some(0xf4) => {
                self.at += 1;
                Ok(false)
            }
            Some(0xf5) => {
                self.at += 1;
                Ok(true)
            }
            None => self.error(self.at, ErrorKind::Truncated),
            Some(_) => self.error(self.at, ErrorKind::Expected("true or false")),
        }
    }

    /// `null`.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn null(&mut self) -> Result<()> {
        match self.bytes.get(self.at) {
            Some(0xf6) => {
                self.at += 1;
                Ok(())
            }
            None => self.error(self.at, ErrorKind::Truncated),
            Some(_) => self.error(self.at, ErrorKind::Expected("null")),
        }
    }

    /// Reads one whole item, checked for deterministic encoding, and returns its bytes.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn skip(&mut self) -> Result<&'a [u8]> {
        let start = self.at;
        self.item(DEPTH_MAX, false)?;
        Ok(&self.bytes[start..self.at])
    }

    /// Reads one whole map whose keys are texts, checked for deterministic encoding, at most `depth` levels deep,
    /// and returns its bytes.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn text_map(&mut self, depth: usize) -> Result<&'a [u8]> {
        let start = self.at;
        if self.peek()? != Kind::Map {
            return self.error(start, ErrorKind::Expected("a map of named fields"));
        }
        let (_, count) = self.head()?;
        self.pairs(start, count, depth - 1, true)?;
        Ok(&self.bytes[start..self.at])
    }

    fn item(&mut self, depth_left: usize, tag_allowed: bool) -> Result<()> {
        let start = self.at;
        match self.peek()? {
            Kind::Bool | Kind::Null => self.at += 1,
            _ => {
                let (major, argument) = self.head()?;
                match major {
                    0 | 1 => {}
                    2 => {
                        self.slice(start, argument, usize::MAX)?;
                    }
                    3 => {
                        let text = self.slice(start, argument, usize::MAX)?;
                        if core::str::from_utf8(text).is_err() {
                            return self.error(start, ErrorKind::NotUtf8);
                        }
                    }
                    4 | 5 if depth_left == 0 => return self.error(start, ErrorKind::TooDeep),
                    4 => {
                        for _ in 0..self.count(start, argument, usize::MAX)? {
                            self.item(depth_left - 1, false)?;
                        }
                    }
                    5 => self.pairs(start, argument, depth_left - 1, false)?,
                    6 if tag_allowed && argument == 18 => self.item(depth_left, false)?,
                    _ => return self.error(start, ErrorKind::NotAllowed),
                }
            }
        }
        Ok(())
    }

    fn pairs(
        &mut self,
        start: usize,
        count: u64,
        depth_left: usize,
        text_keys: bool,
    ) -> Result<()> {
        let mut previous: Option<&[u8]> = None;
        for _ in 0..self.count(start, count, usize::MAX)? {
            let key_start = self.at;
            if text_keys && self.peek()? != Kind::Text {
                return self.error(key_start, ErrorKind::Expected("a text key"));
            }
            self.item(depth_left, false)?;
            let key = &self.bytes[key_start..self.at];
            match previous.map(|previous| previous.cmp(key)) {
                Some(core::cmp::Ordering::Equal) => {
                    return self.error(key_start, ErrorKind::DuplicateKey);
                }
                Some(core::cmp::Ordering::Greater) => {
                    return self.error(key_start, ErrorKind::KeyOrder);
                }
                _ => previous = Some(key),
            }
            self.item(depth_left, false)?;
        }
        Ok(())
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// `TrailingBytes`.
    pub fn finish(&self) -> Result<()> {
        if self.is_empty() {
            Ok(())
        } else {
            self.error(self.at, ErrorKind::TrailingBytes)
        }
    }
}

/// Checks that `bytes` are exactly one item (optionally under tag 18) in deterministic encoding.
///
/// # Errors
/// The first fault, with its offset.
pub fn check(bytes: &[u8]) -> Result<()> {
    let mut decoder = Decoder::new(bytes);
    decoder.item(DEPTH_MAX, true)?;
    decoder.finish()
}

/// What to say of an item without a definite length: well-formed CBOR in a second encoding, or no CBOR at all.
fn indefinite_kind(bytes: &[u8]) -> ErrorKind {
    let mut rest = bytes;
    match loose_item(&mut rest, DEPTH_MAX) {
        Some(()) => ErrorKind::IndefiniteLength,
        None => ErrorKind::NotAllowed,
    }
}

/// The byte that ends an item without a definite length.
const BREAK: u8 = 0xff;

/// Passes one well-formed item of any encoding (RFC 8949 appendix C), or answers `None`.
fn loose_item(rest: &mut &[u8], depth_left: usize) -> Option<()> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    let (major, info) = (first >> 5, first & 31);
    let argument = match info {
        0..=23 => Some(u64::from(info)),
        24..=27 => {
            let (raw, after) = rest.split_at_checked(1 << (info - 24))?;
            *rest = after;
            Some(
                raw.iter()
                    .fold(0, |value, byte| (value << 8) | u64::from(*byte)),
            )
        }
        31 => None,
        _ => return None,
    };
    match (major, argument) {
        (0 | 1, Some(_)) => Some(()),
        (2 | 3, Some(length)) => {
            *rest = rest.get(usize::try_from(length).ok()?..)?;
            Some(())
        }
        (4..=6, _) if depth_left == 0 => None,
        (4 | 5, Some(count)) => {
            let items = count.checked_mul(u64::from(major - 3))?;
            (0..items).try_for_each(|_| loose_item(rest, depth_left - 1))
        }
        (6, Some(_)) => loose_item(rest, depth_left - 1),
        (7, Some(_)) => Some(()),
        (2 | 3, None) => loose_until_break(rest, |rest| {
            // Chunks are strings of the same kind, each with a definite length.
            let chunk = *rest.first()?;
            (chunk >> 5 == major && chunk & 31 != 31).then_some(())?;
            loose_item(rest, depth_left)
        }),
        (4, None) => loose_until_break(rest, |rest| loose_item(rest, depth_left - 1)),
        (5, None) => loose_until_break(rest, |rest| {
            loose_item(rest, depth_left - 1)?;
            loose_item(rest, depth_left - 1)
        }),
        _ => None,
    }
}

fn loose_until_break(
    rest: &mut &[u8],
    mut part: impl FnMut(&mut &[u8]) -> Option<()>,
) -> Option<()> {
    while *rest.first()? != BREAK {
        part(rest)?;
    }
    *rest = &rest[1..];
    Some(())
}
