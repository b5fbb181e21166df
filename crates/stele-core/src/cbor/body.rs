//! Bodies of commands and events: maps from text keys to values, read field by field.

use super::decode::{DecodeError, Decoder, ErrorKind};
use super::encode::Encoder;

/// Most fields in one body.
pub const FIELDS_MAX: usize = 64;

/// Why a body does not fit its command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The body is not a map with text keys in deterministic encoding.
    #[error("the body is not a map of named fields: {0}")]
    NotABody(DecodeError),
    /// A required field is missing.
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    /// A field holds the wrong kind of value.
    #[error("the field `{field}` is wrong: {error}")]
    Wrong {
        /// The field's name.
        field: String,
        /// What is wrong with its value.
        error: DecodeError,
    },
    /// A field that the command does not know.
    #[error("the field `{0}` is unknown here")]
    Unknown(String),
}

/// The fields of one body; each is taken once, and [`Body::finish`] refuses what is left.
#[derive(Debug, Clone)]
pub struct Body<'a> {
    fields: Vec<(&'a str, &'a [u8], bool)>,
}

impl<'a> Body<'a> {
    /// Splits a body into its fields.
    ///
    /// # Errors
    /// [`BodyError::NotABody`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, BodyError> {
        Self::split(bytes).map_err(BodyError::NotABody)
    }

    fn split(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let count = decoder.map(FIELDS_MAX)?;
        let mut fields: Vec<(&'a str, &'a [u8], bool)> = Vec::with_capacity(count);
        for _ in 0..count {
            let offset = decoder.position();
            let name = decoder.text(64)?;
            // Deterministic order of text keys is by length first, then bytewise.
            if let Some((previous, _, _)) = fields.last() {
                match (previous.len(), *previous).cmp(&(name.len(), name)) {
                    core::cmp::Ordering::Less => {}
                    core::cmp::Ordering::Equal => {
                        return Err(DecodeError {
                            offset,
                            kind: ErrorKind::DuplicateKey,
                        });
                    }
                    core::cmp::Ordering::Greater => {
                        return Err(DecodeError {
                            offset,
                            kind: ErrorKind::KeyOrder,
                        });
                    }
                }
            }
            fields.push((name, decoder.skip()?, false));
        }
        decoder.finish()?;
        Ok(Self { fields })
    }

    fn take(&mut self, name: &str) -> Option<&'a [u8]> {
        let field = self.fields.iter_mut().find(|field| field.0 == name)?;
        field.2 = true;
        Some(field.1)
    }

    /// Reads an optional field with `read`.
    ///
    /// # Errors
    /// [`BodyError::Wrong`].
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, BodyError> {
        let Some(raw) = self.take(name) else {
            return Ok(None);
        };
        let mut decoder = Decoder::new(raw);
        let value = read(&mut decoder).and_then(|value| decoder.finish().map(|()| value));
        value.map(Some).map_err(|error| BodyError::Wrong {
            field: name.to_owned(),
            error,
        })
    }

    /// Reads a required field with `read`.
    ///
    /// # Errors
    /// [`BodyError::Missing`], [`BodyError::Wrong`].
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, DecodeError>,
    ) -> Result<T, BodyError> {
        self.optional(name, read)?.ok_or(BodyError::Missing(name))
    }

    /// A required text of 1 to `max` bytes.
    ///
    /// # Errors
    /// [`BodyError::Missing`], [`BodyError::Wrong`].
    pub fn text(&mut self, name: &'static str, max: usize) -> Result<&'a str, BodyError> {
        self.required(name, |decoder| nonempty_text(decoder, max))
    }

    /// An optional text of 1 to `max` bytes.
    ///
    /// # Errors
    /// [`BodyError::Wrong`].
    pub fn opt_text(
        &mut self,
        name: &'static str,
        max: usize,
    ) -> Result<Option<&'a str>, BodyError> {
        self.optional(name, |decoder| nonempty_text(decoder, max))
    }

    /// A required byte string of at most `max` bytes.
    ///
    /// # Errors
    /// [`BodyError::Missing`], [`BodyError::Wrong`].
    pub fn bytes(&mut self, name: &'static str, max: usize) -> Result<&'a [u8], BodyError> {
        self.required(name, |decoder| decoder.bytes(max))
    }

    /// An optional byte string of at most `max` bytes.
    ///
    /// # Errors
    /// [`BodyError::Wrong`].
    pub fn opt_bytes(
        &mut self,
        name: &'static str,
        max: usize,
    ) -> Result<Option<&'a [u8]>, BodyError> {
        self.optional(name, |decoder| decoder.bytes(max))
    }

    /// A required hash or id of 32 bytes.
    ///
    /// # Errors
    /// [`BodyError::Missing`], [`BodyError::Wrong`].
    pub fn bytes32(&mut self, name: &'static str) -> Result<[u8; 32], BodyError> {
        self.required(name, Decoder::bytes32)
    }

    /// An optional hash or id of 32 bytes.
    ///
    /// # Errors
    /// [`BodyError::Wrong`].
    pub fn opt_bytes32(&mut self, name: &'static str) -> Result<Option<[u8; 32]>, BodyError> {
        self.optional(name, Decoder::bytes32)
    }

    /// A required unsigned integer.
    ///
    /// # Errors
    /// [`BodyError::Missing`], [`BodyError::Wrong`].
    pub fn uint(&mut self, name: &'static str) -> Result<u64, BodyError> {
        self.required(name, Decoder::uint)
    }

    /// An optional unsigned integer.
    ///
    /// # Errors
    /// [`BodyError::Wrong`].
    pub fn opt_uint(&mut self, name: &'static str) -> Result<Option<u64>, BodyError> {
        self.optional(name, Decoder::uint)
    }

    /// An optional flag; absent means `false`.
    ///
    /// # Errors
    /// [`BodyError::Wrong`].
    pub fn flag(&mut self, name: &'static str) -> Result<bool, BodyError> {
        Ok(self.optional(name, Decoder::bool)?.unwrap_or(false))
    }

    /// A list of at most `max` items, each read with `read`; absent means empty.
    ///
    /// # Errors
    /// [`BodyError::Wrong`].
    pub fn list<T>(
        &mut self,
        name: &'static str,
        max: usize,
        mut read: impl FnMut(&mut Decoder<'a>) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, BodyError> {
        let items = self.optional(name, |decoder| {
            let count = decoder.array(max)?;
            (0..count)
                .map(|_| read(decoder))
                .collect::<Result<Vec<T>, _>>()
        })?;
        Ok(items.unwrap_or_default())
    }

    /// The raw encoded value of a field, if present.
    pub fn raw(&mut self, name: &str) -> Option<&'a [u8]> {
        self.take(name)
    }

    /// All fields must have been taken.
    ///
    /// # Errors
    /// [`BodyError::Unknown`] names the first one that was not.
    pub fn finish(self) -> Result<(), BodyError> {
        match self.fields.iter().find(|field| !field.2) {
            Some(field) => Err(BodyError::Unknown(field.0.to_owned())),
            None => Ok(()),
        }
    }
}

fn nonempty_text<'a>(decoder: &mut Decoder<'a>, max: usize) -> Result<&'a str, DecodeError> {
    let offset = decoder.position();
    match decoder.text(max)? {
        "" => Err(DecodeError {
            offset,
            kind: ErrorKind::Expected("a text that is not empty"),
        }),
        text => Ok(text),
    }
}

/// Writes a body, sorting its keys.
#[derive(Debug, Default, Clone)]
pub struct BodyBuilder {
    fields: Vec<(String, Vec<u8>)>,
}

impl BodyBuilder {
    /// An empty body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field whose value `write` encodes as exactly one item.
    pub fn with(mut self, name: &str, write: impl FnOnce(&mut Encoder)) -> Self {
        let mut value = Encoder::new();
        write(&mut value);
        self.fields.push((name.to_owned(), value.into_vec()));
        self
    }

    /// Adds a text.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.with(name, |out| {
            out.text(value);
        })
    }

    /// Adds bytes.
    pub fn bytes(self, name: &str, value: &[u8]) -> Self {
        self.with(name, |out| {
            out.bytes(value);
        })
    }

    /// Adds an unsigned integer.
    pub fn uint(self, name: &str, value: u64) -> Self {
        self.with(name, |out| {
            out.uint(value);
        })
    }

    /// Adds a flag.
    pub fn bool(self, name: &str, value: bool) -> Self {
        self.with(name, |out| {
            out.bool(value);
        })
    }

    /// Adds a list of byte strings.
    pub fn bytes_list<B: AsRef<[u8]>>(self, name: &str, items: &[B]) -> Self {
        self.with(name, |out| {
            out.array(items.len());
            for item in items {
                out.bytes(item.as_ref());
            }
        })
    }

    /// Adds a list of texts.
    pub fn text_list<S: AsRef<str>>(self, name: &str, items: &[S]) -> Self {
        self.with(name, |out| {
            out.array(items.len());
            for item in items {
                out.text(item.as_ref());
            }
        })
    }

    /// The encoded body. Panics when a key was added twice or there are more than 64: the caller's own fault.
    pub fn build(mut self) -> Vec<u8> {
        self.fields
            .sort_by(|a, b| (a.0.len(), &a.0).cmp(&(b.0.len(), &b.0)));
        assert!(
            self.fields.windows(2).all(|pair| pair[0].0 != pair[1].0),
            "a field was added twice"
        );
        assert!(self.fields.len() <= FIELDS_MAX, "too many fields");
        let mut out = Encoder::new();
        out.map(self.fields.len());
        for (name, value) in self.fields {
            out.text(&name).raw(&value);
        }
        out.into_vec()
    }
}
