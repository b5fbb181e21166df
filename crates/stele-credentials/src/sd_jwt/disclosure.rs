//! Disclosures: salted claims, and the digests that stand for them (RFC 9901 section 4.2).

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::rules::*;
use crate::json::{self, JsonLimits, from_base64url, to_base64url};
use crate::refusal::Refusal;

/// The most disclosures of one credential.
pub const DISCLOSURES_MAX: usize = 1024;

/// A decoded disclosure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Disclosure {
    /// The member's name; `None` for an element of a list.
    pub name: Option<String>,
    pub value: Value,
}

impl Disclosure {
    pub(super) fn parse(encoded: &str, limits: JsonLimits) -> Result<Self, Refusal> {
        let bytes = from_base64url(encoded)
            .map_err(|refusal| DISCLOSURE_MALFORMED.because(refusal.code()))?;
        let Value::Array(items) = json::parse(&bytes, limits)? else {
            return Err(DISCLOSURE_MALFORMED.because("no list"));
        };
        let mut items = items.into_iter();
        match (items.next(), items.next(), items.next(), items.next()) {
            (Some(Value::String(_)), Some(Value::String(name)), Some(value), None) => {
                if is_reserved(&name) {
                    return Err(CLAIM_RESERVED.because(name));
                }
                Ok(Self {
                    name: Some(name),
                    value,
                })
            }
            (Some(Value::String(_)), Some(value), None, None) => Ok(Self { name: None, value }),
            _ => Err(DISCLOSURE_MALFORMED.because("no list of salt, name and value")),
        }
    }
}

/// Names that the format keeps for itself at every level (RFC 9901 section 4.1).
pub(super) fn is_reserved(name: &str) -> bool {
    matches!(name, "_sd" | "...")
}

/// The digest of a text with SHA-256, in base64url: of a disclosure, or of a whole presentation (`sd_hash`).
pub fn digest(text: &str) -> String {
    to_base64url(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn disclosure(value: Value) -> Result<Disclosure, Refusal> {
        Disclosure::parse(&to_base64url(value.to_string()), JsonLimits::default())
    }

    /// RFC 9901 section 4.2.1 and 4.2.3: this very text has this digest.
    #[test]
    fn the_digest_of_the_specification() {
        let text = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        assert_eq!(digest(text), "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
        let read = Disclosure::parse(text, JsonLimits::default()).unwrap();
        assert_eq!(
            (read.name.as_deref(), read.value),
            (Some("family_name"), json!("Möbius"))
        );
    }

    #[test]
    fn refuses_bad_disclosures() {
        for value in [
            json!({}),
            json!([]),
            json!(["s"]),
            json!([1, "n", 2]),
            json!(["s", 1, 2]),
            json!(["s", "n", 1, 2]),
        ] {
            assert_eq!(disclosure(value).unwrap_err().rule(), DISCLOSURE_MALFORMED);
        }
        let padded = Disclosure::parse("WyJzIiwxXQ==", JsonLimits::default());
        assert_eq!(padded.unwrap_err().rule(), DISCLOSURE_MALFORMED);
        assert_eq!(
            disclosure(json!(["s", "_sd", []])).unwrap_err().rule(),
            CLAIM_RESERVED
        );
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in "[A-Za-z0-9_-]{0,60}", inner in "[\\[\\]\",a-z0-9{}:.]{0,40}") {
            for text in [text, to_base64url(inner)] {
                let _ = Disclosure::parse(&text, JsonLimits::default());
            }
        }
    }
}
