//! Signed statements as others make them: any well-formed CBOR, read for what registration needs.
//!
//! Stele's own decoder takes deterministic CBOR only. A foreign statement may be encoded in any way that RFC 8949 allows; what counts
//! of it are the bytes that its signature covers, and those are taken as they are.

use std::ops::Range;

use stele_core::cbor::Encoder;
use stele_core::id::{Hash, KeyId, sha256};

/// Arrays, maps and tags nest no deeper.
const DEPTH_MAX: usize = 16;
/// The label of a Stele entry's own parameters (docs/format.md section 3).
const LABEL_ENTRY: i64 = -65537;

/// Why bytes are no statement that can be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not a COSE_Sign1.
    #[error("this is no COSE_Sign1: {0}")]
    Malformed(&'static str),
    /// The payload is detached.
    #[error("the statement's payload is detached, and the node has no way to get it")]
    NoPayload,
    /// There is no `alg` in the protected header.
    #[error("the protected header has no alg (1)")]
    NoAlgorithm,
    /// The key is given by certificate only.
    #[error(
        "the statement names its key by an X.509 certificate (x5chain or x5t), which is not supported"
    )]
    X509,
    /// There is no `kid`, or it is none of ours.
    #[error(
        "the protected header has no kid (4) of 32 bytes, the COSE Key thumbprint of the issuer's key (RFC 9679)"
    )]
    NoKid,
    /// A header parameter is critical and unknown.
    #[error("the header parameter {0} is marked critical (crit) and not understood here")]
    Critical(String),
}

impl StatementError {
    /// The rule's name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "scrapi.malformed",
            Self::NoPayload => "scrapi.payload-missing",
            Self::NoAlgorithm => "scrapi.no-algorithm",
            Self::X509 => "scrapi.x509-unsupported",
            Self::NoKid => "scrapi.no-kid",
            Self::Critical(_) => "scrapi.critical",
        }
    }

    /// The title that the draft gives to such an error.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "Malformed request",
            Self::NoPayload => "Payload Missing",
            Self::NoAlgorithm => "Bad Signature Algorithm",
            _ => "Rejected",
        }
    }

    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed(_) => {
                "Send a tagged or untagged COSE_Sign1 (RFC 9052 section 4.2), at most 1 MiB."
            }
            Self::NoPayload => {
                "Attach the payload; for a large artifact sign its hash (COSE Hash Envelope)."
            }
            Self::NoAlgorithm => "Name the algorithm in the protected header.",
            Self::X509 | Self::NoKid => {
                "Register the issuer's key as a party's key, and set kid to its thumbprint."
            }
            Self::Critical(_) => "Leave crit out, or name parameters 1 to 4, 15 and 16 only.",
        }
    }
}

/// A COSE_Sign1 as it came.
#[derive(Debug)]
pub struct Statement<'a> {
    /// COSE algorithm of the signature.
    pub alg: i64,
    /// The issuer's key.
    pub kid: KeyId,
    /// The signature.
    pub signature: &'a [u8],
    /// `sub` of the CWT claims.
    pub subject: Option<String>,
    /// The payload's media type.
    pub content_type: Option<String>,
    protected: &'a [u8],
    payload: &'a [u8],
    stele_entry: bool,
}

impl<'a> Statement<'a> {
    /// Reads a statement.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StatementError> {
        let shape = StatementError::Malformed;
        let mut reader = Reader { bytes, at: 0 };
        if reader.peek_major() == Some(6) && reader.head()?.1 != 18 {
            return Err(shape("it has another tag than 18"));
        }
        if reader.head()? != (4, 4) {
            return Err(shape("it is not an array of four"));
        }
        let protected = reader.byte_string()?;
        if reader.peek_major() != Some(5) {
            return Err(shape("its unprotected header is no map"));
        }
        reader.skip(0)?;
        if bytes.get(reader.at) == Some(&0xf6) {
            return Err(StatementError::NoPayload);
        }
        let payload = reader.byte_string()?;
        let signature = reader.byte_string()?;
        if reader.at != bytes.len() {
            return Err(shape("bytes follow it"));
        }
        let mut statement = Self {
            alg: 0,
            kid: KeyId::from_bytes([0; 32]),
            signature,
            subject: None,
            content_type: None,
            protected,
            payload,
            stele_entry: false,
        };
        statement.read_protected()?;
        Ok(statement)
    }

    /// Whether it carries the parameters of a Stele entry; it is then judged as one.
    pub fn is_stele_entry(&self) -> bool {
        self.stele_entry
    }

    /// The bytes that the signature covers (RFC 9052 section 4.4, empty external data).
    pub fn sig_structure(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(self.protected.len() + self.payload.len() + 32);
        out.array(4)
            .text("Signature1")
            .bytes(self.protected)
            .bytes(b"")
            .bytes(self.payload);
        out.into_vec()
    }

    /// The hash by which it is registered.
    pub fn hash(&self) -> Hash {
        Hash::from_bytes(sha256(&[&self.sig_structure()]))
    }

    fn read_protected(&mut self) -> Result<(), StatementError> {
        let mut reader = Reader {
            bytes: self.protected,
            at: 0,
        };
        let (major, count) = reader.head()?;
        if major != 5 {
            return Err(StatementError::Malformed("its protected header is no map"));
        }
        let (mut alg, mut kid, mut x509, mut critical) = (None, None, false, None);
        for _ in 0..count {
            let label = reader.label()?;
            let at = reader.at;
            reader.skip(1)?;
            let mut value = Reader {
                bytes: self.protected,
                at,
            };
            match label {
                Some(1) => alg = value.integer(),
                Some(2) => critical = value.unknown_critical()?,
                Some(3) => self.content_type = value.text_or_number(),
                Some(4) => kid = value.byte_string().ok(),
                // The preimage's type says more than the hash's (COSE Hash Envelope).
                Some(259) => {
                    self.content_type = value.text_or_number().or(self.content_type.take())
                }
                Some(15) => self.subject = value.claim(2)?,
                Some(33..=35) => x509 = true,
                Some(LABEL_ENTRY) => self.stele_entry = true,
                _ => {}
            }
        }
        if reader.at != self.protected.len() {
            return Err(StatementError::Malformed(
                "bytes follow its protected header",
            ));
        }
        if self.stele_entry {
            return Ok(());
        }
        if let Some(label) = critical {
            return Err(StatementError::Critical(label));
        }
        self.alg = alg.ok_or(StatementError::NoAlgorithm)?;
        self.kid = match kid.and_then(|kid| <[u8; 32]>::try_from(kid).ok()) {
            Some(kid) => KeyId::from_bytes(kid),
            None if x509 => return Err(StatementError::X509),
            None => return Err(StatementError::NoKid),
        };
        Ok(())
    }
}

/// A reader of any well-formed CBOR with definite lengths in what it looks at.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek_major(&self) -> Option<u8> {
        self.bytes.get(self.at).map(|first| first >> 5)
    }

    /// Major type and argument of the next item; indefinite lengths are not for here.
    fn head(&mut self) -> Result<(u8, u64), StatementError> {
        match self.raw_head()? {
            (major, Some(argument)) => Ok((major, argument)),
            (_, None) => Err(StatementError::Malformed(
                "it has an indefinite length where it matters",
            )),
        }
    }

    fn raw_head(&mut self) -> Result<(u8, Option<u64>), StatementError> {
        let cut = StatementError::Malformed("it is cut off");
        let first = *self.bytes.get(self.at).ok_or(cut.clone())?;
        self.at += 1;
        let info = first & 31;
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => {
                let length = 1usize << (info - 24);
                let bytes = self.bytes.get(self.at..self.at + length).ok_or(cut)?;
                self.at += length;
                Some(
                    bytes
                        .iter()
                        .fold(0, |value, byte| (value << 8) | u64::from(*byte)),
                )
            }
            31 => None,
            _ => return Err(StatementError::Malformed("it has a reserved length")),
        };
        Ok((first >> 5, argument))
    }

    fn take(&mut self, length: u64) -> Result<Range<usize>, StatementError> {
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length));
        let end = end.filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(StatementError::Malformed("it is cut off"))?;
        let start = std::mem::replace(&mut self.at, end);
        Ok(start..end)
    }

    fn byte_string(&mut self) -> Result<&'a [u8], StatementError> {
        match self.head()? {
            (2, length) => Ok(&self.bytes[self.take(length)?]),
            _ => Err(StatementError::Malformed("a byte string is missing")),
        }
    }

    /// Skips one item of any kind. Work is bounded by the bytes, recursion by the depth.
    fn skip(&mut self, depth: usize) -> Result<(), StatementError> {
        if depth > DEPTH_MAX {
            return Err(StatementError::Malformed("it is nested too deep"));
        }
        let (major, argument) = self.raw_head()?;
        match (major, argument) {
            (0 | 1, Some(_)) | (7, Some(_)) => {}
            (2 | 3, Some(length)) => {
                self.take(length)?;
            }
            (4, Some(count)) => self.skip_items(count, 1, depth)?,
            (5, Some(count)) => self.skip_items(count, 2, depth)?,
            (6, Some(_)) => self.skip(depth + 1)?,
            (2..=5, None) => {
                while self.bytes.get(self.at) != Some(&0xff) {
                    self.skip(depth + 1)?;
                }
                self.at += 1;
            }
            _ => return Err(StatementError::Malformed("it has a misplaced break")),
        }
        Ok(())
    }

    fn skip_items(&mut self, count: u64, each: u64, depth: usize) -> Result<(), StatementError> {
        // Each item has a byte at least: a count beyond the bytes left fails here and not after a long loop.
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(StatementError::Malformed("it is cut off"));
        }
        for _ in 0..count * each {
            self.skip(depth + 1)?;
        }
        Ok(())
    }

    fn integer(&mut self) -> Option<i64> {
        match self.head().ok()? {
            (0, value) => i64::try_from(value).ok(),
            (1, value) => i64::try_from(value).ok().map(|value| -1 - value),
            _ => None,
        }
    }

    /// A map's label: an integer, or `None` for a text.
    fn label(&mut self) -> Result<Option<i64>, StatementError> {
        match self.peek_major() {
            Some(0 | 1) => Ok(self.integer()),
            Some(3) => self.skip(DEPTH_MAX).map(|()| None),
            _ => Err(StatementError::Malformed(
                "a header label is neither integer nor text",
            )),
        }
    }

    fn text(&mut self) -> Option<String> {
        match self.head().ok()? {
            (3, length) => {
                let range = self.take(length).ok()?;
                std::str::from_utf8(&self.bytes[range])
                    .ok()
                    .map(str::to_owned)
            }
            _ => None,
        }
    }

    /// A content type: a media type, or the number of a CoAP content format.
    fn text_or_number(&mut self) -> Option<String> {
        match self.peek_major()? {
            0 => self
                .integer()
                .map(|number| format!("coap-content-format:{number}")),
            _ => self.text(),
        }
    }

    /// A text among the CWT claims, by its key.
    fn claim(&mut self, wanted: i64) -> Result<Option<String>, StatementError> {
        let (5, count) = self.head()? else {
            return Ok(None);
        };
        let mut found = None;
        for _ in 0..count {
            let label = self.label()?;
            let at = self.at;
            self.skip(2)?;
            if label == Some(wanted) {
                found = Reader {
                    bytes: self.bytes,
                    at,
                }
                .text();
            }
        }
        Ok(found)
    }

    /// The first label in `crit` that is not understood here.
    fn unknown_critical(&mut self) -> Result<Option<String>, StatementError> {
        let (4, count) = self.head()? else {
            return Err(StatementError::Malformed("crit is no array"));
        };
        for _ in 0..count {
            let at = self.at;
            match self.label()? {
                Some(1..=4 | 15 | 16) => {}
                Some(other) => return Ok(Some(other.to_string())),
                None => {
                    return Ok(Reader {
                        bytes: self.bytes,
                        at,
                    }
                    .text());
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(kid: &[u8]) -> Encoder {
        let mut out = Encoder::new();
        out.map(4)
            .int(1)
            .int(-19)
            .int(3)
            .text("application/json")
            .int(4)
            .bytes(kid);
        out.int(15)
            .map(2)
            .int(1)
            .text("issuer.example")
            .int(2)
            .text("pump 7");
        out
    }

    fn sign1(protected: &[u8], unprotected: &[u8], payload: Option<&[u8]>) -> Vec<u8> {
        let mut out = Encoder::new();
        out.tag(18).array(4).bytes(protected).raw(unprotected);
        match payload {
            Some(payload) => out.bytes(payload),
            None => out.null(),
        };
        out.bytes(&[9; 64]);
        out.into_vec()
    }

    #[test]
    fn a_statement_is_read_and_named_by_what_it_signs() {
        let protected = header(&[7; 32]).into_vec();
        let tagged = sign1(&protected, &[0xa0], Some(b"payload"));
        let statement = Statement::parse(&tagged).unwrap();
        assert_eq!(
            (statement.alg, statement.kid),
            (-19, KeyId::from_bytes([7; 32]))
        );
        assert_eq!(statement.subject.as_deref(), Some("pump 7"));
        assert_eq!(statement.content_type.as_deref(), Some("application/json"));
        assert!(!statement.is_stele_entry());
        // Without tag, with a receipt added, in indefinite length and with a float: the same statement.
        let untagged = &tagged[1..];
        let odd = [
            0xbf, 0x19, 0x01, 0x8a, 0x81, 0x41, 0x00, 0x01, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
        ];
        let with_receipt = sign1(&protected, &odd, Some(b"payload"));
        for same in [untagged, &with_receipt] {
            assert_eq!(Statement::parse(same).unwrap().hash(), statement.hash());
        }
        let other = sign1(&protected, &[0xa0], Some(b"Payload"));
        assert_ne!(Statement::parse(&other).unwrap().hash(), statement.hash());
    }

    #[test]
    fn what_cannot_be_registered_is_told_why() {
        let good = header(&[7; 32]).into_vec();
        let code = |bytes: &[u8]| Statement::parse(bytes).unwrap_err().code();
        assert_eq!(code(&sign1(&good, &[0xa0], None)), "scrapi.payload-missing");
        assert_eq!(
            code(&sign1(&header(b"urn:kid").into_vec(), &[0xa0], Some(b""))),
            "scrapi.no-kid"
        );
        let protected = |write: &dyn Fn(&mut Encoder)| {
            let mut out = Encoder::new();
            write(&mut out);
            sign1(out.as_slice(), &[0xa0], Some(b"p"))
        };
        assert_eq!(
            code(&protected(&|out| {
                out.map(0);
            })),
            "scrapi.no-algorithm"
        );
        let x509 = protected(&|out| {
            out.map(2).int(1).int(-7).int(33).bytes(b"cert");
        });
        assert_eq!(code(&x509), "scrapi.x509-unsupported");
        let critical = protected(&|out| {
            out.map(3)
                .int(1)
                .int(-7)
                .int(2)
                .array(2)
                .int(15)
                .int(99)
                .int(4)
                .bytes(&[7; 32]);
        });
        assert_eq!(code(&critical), "scrapi.critical");
        let known = protected(&|out| {
            out.map(3)
                .int(1)
                .int(-7)
                .int(2)
                .array(1)
                .int(15)
                .int(4)
                .bytes(&[7; 32]);
        });
        assert!(Statement::parse(&known).is_ok());
        assert_eq!(
            code(&protected(&|out| {
                out.array(0);
            })),
            "scrapi.malformed"
        );

        let whole = sign1(&good, &[0xa0], Some(b"payload"));
        for end in 0..whole.len() {
            assert_eq!(code(&whole[..end]), "scrapi.malformed", "{end}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(code(&longer), "scrapi.malformed");
        assert_eq!(
            code(&sign1(&good, &[0x81; 40], Some(b"p"))),
            "scrapi.malformed"
        );
        assert_eq!(
            code(&[
                0xd2, 0x84, 0x40, 0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
            ]),
            "scrapi.malformed"
        );
    }

    #[test]
    fn an_entry_of_our_own_is_recognised() {
        let mut out = Encoder::new();
        out.map(3)
            .int(1)
            .int(-19)
            .int(4)
            .bytes(&[7; 32])
            .int(LABEL_ENTRY)
            .array(0);
        let bytes = sign1(out.as_slice(), &[0xa0], Some(b"p"));
        assert!(Statement::parse(&bytes).unwrap().is_stele_entry());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200), flip in any::<(usize, u8)>()) {
            let _ = Statement::parse(&bytes);
            let mut near = sign1(&header(&[7; 32]).into_vec(), &[0xa0], Some(b"payload"));
            let at = flip.0 % near.len();
            near[at] ^= flip.1;
            if let Ok(statement) = Statement::parse(&near) {
                let _ = statement.hash();
            }
        }
    }
}
