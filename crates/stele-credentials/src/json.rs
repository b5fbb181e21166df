//! Strict JSON: bounded in size and depth, no member twice, nothing after the value.
//!
//! JSON with a member twice is read differently by different programs (RFC 8259 section 4), so what one checks another
//! may not see. RFC 7515 section 4 and RFC 9901 ask to refuse it.

use core::cell::Cell;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::refusal::{Refusal, Rule};

/// Rules of JSON and encodings.
pub mod rules {
    crate::refusal::refusal_table! {
        JSON_MALFORMED: "json.malformed", refuses_bad_json,
            "The document is not valid JSON.", "Ask the sender for the document again; it may have been cut or altered.";
        JSON_TOO_LARGE: "json.too-large", refuses_large_and_deep_json,
            "The document is larger than this program accepts.", "Send a smaller document, without embedded files.";
        JSON_TOO_DEEP: "json.too-deep", refuses_large_and_deep_json,
            "The document is nested deeper than this program accepts.", "Send a document with fewer levels of nesting.";
        JSON_DUPLICATE_MEMBER: "json.duplicate-member", refuses_a_member_twice,
            "The document names the same field twice, so it could be read in two ways.", "Ask the issuer for a corrected document.";
        BASE64URL: "encoding.base64url", refuses_bad_base64url,
            "A part of the document is not in the encoding base64url without padding.", "Copy or scan the document again as a whole.";
    }
}
use rules::*;

/// Bounds of a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// The longest text, in bytes.
    pub bytes_max: usize,
    /// The deepest nesting of arrays and objects, counting the outermost as 1.
    pub depth_max: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self {
            bytes_max: 1 << 20,
            depth_max: 32,
        }
    }
}

/// Reads one JSON value.
///
/// # Errors
/// `json.too-large`, `json.too-deep`, `json.duplicate-member`, or `json.malformed`.
pub fn parse(text: &[u8], limits: JsonLimits) -> Result<Value, Refusal> {
    if text.len() > limits.bytes_max {
        return Err(JSON_TOO_LARGE.because(format_args!("{} bytes", text.len())));
    }
    let reason = Cell::new(None);
    let seed = Seed {
        depth_left: limits.depth_max.min(DEPTH_MAX),
        reason: &reason,
    };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = seed.deserialize(&mut reader);
    match value.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(reason.get().unwrap_or(JSON_MALFORMED).because(error)),
    }
}

/// Reads one JSON object; like [`parse`].
///
/// # Errors
/// As [`parse`], and `json.malformed` for any other value.
pub fn parse_object(text: &[u8], limits: JsonLimits) -> Result<Map<String, Value>, Refusal> {
    match parse(text, limits)? {
        Value::Object(object) => Ok(object),
        _ => Err(JSON_MALFORMED.because("an object is expected")),
    }
}

/// serde_json stops at 128 levels by itself.
const DEPTH_MAX: usize = 120;

/// Reads base64url without padding; each text has one value and each value one text.
///
/// # Errors
/// `encoding.base64url`.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|error| BASE64URL.because(error))
}

/// Writes base64url without padding.
pub fn to_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends base64url without padding.
pub fn push_base64url(bytes: impl AsRef<[u8]>, out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    depth_left: usize,
    reason: &'a Cell<Option<&'static Rule>>,
}

impl Seed<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return Err(self.fail(JSON_TOO_DEEP, "too deep"));
        };
        Ok(Self { depth_left, ..self })
    }

    fn fail<E: de::Error>(self, rule: &'static Rule, what: &str) -> E {
        self.reason.set(Some(rule));
        E::custom(what)
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        match Number::from_f64(value) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(self.fail(JSON_MALFORMED, "a number out of range")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.insert(name, value).is_some() {
                return Err(self.fail(JSON_DUPLICATE_MEMBER, "a member stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str) -> &'static Rule {
        parse(text.as_bytes(), JsonLimits::default())
            .unwrap_err()
            .rule()
    }

    #[test]
    fn refuses_bad_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1} x",
            "\"\\ud800\"",
            "1e999",
            "nul",
            "{'a':1}",
        ] {
            assert_eq!(refusal(text), JSON_MALFORMED, "{text}");
        }
        let utf8 = parse(b"\"\xff\"", JsonLimits::default());
        assert_eq!(utf8.unwrap_err().rule(), JSON_MALFORMED);
    }

    #[test]
    fn refuses_large_and_deep_json() {
        let limits = JsonLimits {
            bytes_max: 10,
            depth_max: 3,
        };
        assert!(parse(b"[[[1]]]", limits).is_ok());
        assert_eq!(
            parse(b"[[[[1]]]]", limits).unwrap_err().rule(),
            JSON_TOO_DEEP
        );
        assert_eq!(
            parse(b"[[[{}]]]", limits).unwrap_err().rule(),
            JSON_TOO_DEEP
        );
        assert_eq!(
            parse(b"[1,2,3,4,5]", limits).unwrap_err().rule(),
            JSON_TOO_LARGE
        );
        let bottomless = "[".repeat(100_000);
        assert_eq!(refusal(&bottomless), JSON_TOO_DEEP);
    }

    #[test]
    fn refuses_a_member_twice() {
        assert_eq!(refusal(r#"{"a":1,"b":2,"a":1}"#), JSON_DUPLICATE_MEMBER);
        assert_eq!(
            refusal(r#"[{"x":{"a":1,"\u0061":2}}]"#),
            JSON_DUPLICATE_MEMBER
        );
        assert!(parse(br#"{"a":{"a":1}}"#, JsonLimits::default()).is_ok());
    }

    #[test]
    fn refuses_bad_base64url() {
        for text in ["a", "aa=", "aa==", "a+/a", "ab", "aGk\n", "ä"] {
            assert_eq!(
                from_base64url(text).unwrap_err().rule(),
                BASE64URL,
                "{text}"
            );
        }
        assert_eq!(from_base64url("aGk").unwrap(), b"hi");
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_reads(text in "[\\[\\]{}\",:0-9a-c \\\\-]{0,40}") {
            let ours = parse(text.as_bytes(), JsonLimits::default());
            let theirs = serde_json::from_str::<Value>(&text);
            match ours {
                Ok(value) => prop_assert_eq!(value, theirs.unwrap()),
                Err(refusal) if refusal.rule() == JSON_DUPLICATE_MEMBER => prop_assert!(theirs.is_ok() || theirs.is_err()),
                Err(_) => prop_assert!(theirs.is_err()),
            }
        }

        #[test]
        fn base64url_round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(from_base64url(&to_base64url(&bytes)).unwrap(), bytes);
        }
    }
}
