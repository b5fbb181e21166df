//! The syntax of DIDs and DID URLs (W3C DID 1.0 section 3).

use core::fmt;

use super::rules::*;
use crate::refusal::Refusal;

/// The longest DID or DID URL that is read, in bytes: a did:jwk of a P-256 key has some 200.
pub const DID_BYTES_MAX: usize = 2048;

/// A DID: `did:method:identifier`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Did {
    text: String,
    method_end: usize,
}

impl Did {
    /// Reads a DID, without path, query or fragment.
    ///
    /// # Errors
    /// `did.too-long`, `did.malformed`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > DID_BYTES_MAX {
            return Err(DID_TOO_LONG.because(format_args!("{} bytes", text.len())));
        }
        let malformed = || DID_MALFORMED.because(text);
        let rest = text.strip_prefix("did:").ok_or_else(malformed)?;
        let (method, id) = rest.split_once(':').ok_or_else(malformed)?;
        let method_is_good = !method.is_empty()
            && method
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !method_is_good || id.is_empty() || id.ends_with(':') || !is_id(id.as_bytes()) {
            return Err(malformed());
        }
        Ok(Self {
            method_end: "did:".len() + method.len(),
            text: text.to_owned(),
        })
    }

    /// The method's name, such as `key`.
    pub fn method(&self) -> &str {
        &self.text["did:".len()..self.method_end]
    }

    /// The method-specific identifier.
    pub fn id(&self) -> &str {
        &self.text[self.method_end + 1..]
    }

    /// The whole DID.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The DID URL of a fragment of this DID's document.
    pub fn with_fragment(&self, fragment: &str) -> String {
        format!("{}#{fragment}", self.text)
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Did({})", self.text)
    }
}

/// A DID with path, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DidUrl {
    /// The DID.
    pub did: Did,
    /// From the first `/`, if there is one.
    pub path: Option<String>,
    /// After `?`.
    pub query: Option<String>,
    /// After `#`.
    pub fragment: Option<String>,
}

impl DidUrl {
    /// Reads a DID URL.
    ///
    /// # Errors
    /// `did.too-long`, `did.malformed`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > DID_BYTES_MAX {
            return Err(DID_TOO_LONG.because(format_args!("{} bytes", text.len())));
        }
        let (rest, fragment) = cut(text, '#');
        let (rest, query) = cut(rest, '?');
        let (did, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(&rest[at..])),
            None => (rest, None),
        };
        for part in [path, query, fragment].into_iter().flatten() {
            if !is_uri_part(part.as_bytes()) {
                return Err(DID_MALFORMED.because(text));
            }
        }
        Ok(Self {
            did: Did::parse(did)?,
            path: path.map(str::to_owned),
            query: query.map(str::to_owned),
            fragment: fragment.map(str::to_owned),
        })
    }

    /// A parameter of the query, as written, such as `versionTime` or `versionId`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query.as_deref()?.split('&');
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(found, value)| (found == name).then_some(value))
    }
}

impl fmt::Display for DidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            self.did,
            self.path.as_deref().unwrap_or_default()
        )?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        if let Some(fragment) = &self.fragment {
            write!(f, "#{fragment}")?;
        }
        Ok(())
    }
}

fn cut(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// `idchar` and colons: letters, digits, `.-_`, and percent-encoded bytes.
fn is_id(bytes: &[u8]) -> bool {
    every(bytes, |byte| {
        byte.is_ascii_alphanumeric() || b".-_:".contains(&byte)
    })
}

/// `pchar` of RFC 3986 with `/` and `?`.
fn is_uri_part(bytes: &[u8]) -> bool {
    every(bytes, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte)
    })
}

fn every(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    let mut rest = bytes;
    loop {
        match rest {
            [] => return true,
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                rest = after;
            }
            [byte, after @ ..] if allowed(*byte) => rest = after,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_dids_and_their_urls() {
        let url = DidUrl::parse(
            "did:web:example.com:a%20b/path?versionTime=2026-01-01T00:00:00Z&x=1#key-1",
        )
        .unwrap();
        assert_eq!(
            (url.did.method(), url.did.id()),
            ("web", "example.com:a%20b")
        );
        assert_eq!(url.parameter("versionTime"), Some("2026-01-01T00:00:00Z"));
        assert_eq!(url.parameter("versionId"), None);
        assert_eq!(url.fragment.as_deref(), Some("key-1"));
        assert_eq!(
            url.to_string(),
            "did:web:example.com:a%20b/path?versionTime=2026-01-01T00:00:00Z&x=1#key-1"
        );
    }

    #[test]
    fn refuses_bad_dids() {
        for text in [
            "",
            "did",
            "did:",
            "did:key",
            "did:key:",
            "did::x",
            "did:Key:x",
            "DID:key:x",
            "did:k-y:x",
            "did:key:a b",
            "did:key:a%2",
            "did:key:a%zz",
            "did:key:ä",
            "did:key:x:",
            "did:key:x#f",
            "did:key:x/p",
            "urn:did:key:x",
        ] {
            assert_eq!(
                Did::parse(text).unwrap_err().rule(),
                DID_MALFORMED,
                "{text}"
            );
        }
        for text in [
            "did:key:x# ",
            "did:key:x?ü",
            "did:key:x/<",
            "#f",
            "did:key:x#a#b",
        ] {
            assert_eq!(
                DidUrl::parse(text).unwrap_err().rule(),
                DID_MALFORMED,
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_long_dids() {
        let text = format!("did:key:{}", "z".repeat(DID_BYTES_MAX));
        assert_eq!(Did::parse(&text).unwrap_err().rule(), DID_TOO_LONG);
        assert_eq!(DidUrl::parse(&text).unwrap_err().rule(), DID_TOO_LONG);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written(text in "(did:[a-z]{1,3}:)?[a-z0-9:%/?#äA.=&-]{0,20}") {
            if let Ok(url) = DidUrl::parse(&text) {
                prop_assert_eq!(url.to_string(), text);
            }
        }
    }
}
