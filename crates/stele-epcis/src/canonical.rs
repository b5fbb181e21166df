//! The canonical form of an event, its hash, and the commitment that goes on the chain.
//!
//! An event is captured inside a document whose `@context` gives its extension names their meaning, so the event alone is
//! not the whole truth. The **canonical event** stands alone: the event with `@context` (its own, or else the
//! document's) and `eventID` (given, or made from the rest), without `recordTime` (which each repository sets for
//! itself). Its bytes are those of RFC 8785 (JCS). The commitment is `SHA-256(salt || bytes)` with 16 secret bytes of
//! salt, without which nobody can guess an event from its commitment.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use stele_core::id::sha256;

/// Bytes of a commitment's salt.
pub const SALT_BYTES: usize = 16;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// An integer that a double cannot hold exactly (RFC 7493 section 2.2); written as text it is welcome.
    #[error("the number {0} is beyond 2^53, where numbers lose digits; write it as text")]
    UnsafeNumber(String),
    /// Only objects are events.
    #[error("an event is an object")]
    NotAnObject,
}

/// The bytes of RFC 8785 for a JSON value.
///
/// # Errors
/// [`CanonicalError::UnsafeNumber`].
pub fn jcs(value: &Value) -> Result<String, CanonicalError> {
    let mut text = String::new();
    write_value(value, &mut text)?;
    Ok(text)
}

/// A text that is equal for equal JSON values.
pub(crate) fn comparable(value: &Value) -> String {
    jcs(value).unwrap_or_else(|_| value.to_string())
}

/// The canonical event: `event` of a document with `context`. Adds what is missing; see the module's head.
///
/// # Errors
/// [`CanonicalError`].
pub fn canonical_event(event: &Value, context: Option<&Value>) -> Result<Value, CanonicalError> {
    let source = event.as_object().ok_or(CanonicalError::NotAnObject)?;
    let mut map: Map<String, Value> = source
        .iter()
        .filter(|(name, _)| *name != "recordTime")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let (false, Some(context)) = (map.contains_key("@context"), context) {
        map.insert("@context".to_owned(), context.clone());
    }
    if !map.contains_key("eventID") {
        let id = made_event_id(&Value::Object(map.clone()))?;
        map.insert("eventID".to_owned(), Value::String(id));
    }
    Ok(Value::Object(map))
}

/// `urn:uuid:` of a version 8 UUID (RFC 9562) made from the event's hash: capturing the same event twice gives one id.
fn made_event_id(event: &Value) -> Result<String, CanonicalError> {
    let hash = sha256(&[b"stele/epcis/event-id/v1", jcs(event)?.as_bytes()]);
    let mut uuid: [u8; 16] = hash[..16].try_into().expect("16 of 32 bytes");
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    let hex = hex::encode(uuid);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Ok(format!("urn:uuid:{}", parts.join("-")))
}

/// SHA-256 of a canonical event's bytes.
///
/// # Errors
/// [`CanonicalError`].
pub fn event_hash(canonical: &Value) -> Result<[u8; 32], CanonicalError> {
    Ok(sha256(&[jcs(canonical)?.as_bytes()]))
}

/// What the register `trace` records of a canonical event: `SHA-256(salt || bytes)`.
///
/// # Errors
/// [`CanonicalError`].
pub fn commitment(salt: &[u8; SALT_BYTES], canonical: &Value) -> Result<[u8; 32], CanonicalError> {
    Ok(sha256(&[salt, jcs(canonical)?.as_bytes()]))
}

/// How `trace` knows an item: `SHA-256("stele/trace/item/v1" || EPC)`.
pub fn item_hash(epc: &str) -> [u8; 32] {
    sha256(&[b"stele/trace/item/v1", epc.as_bytes()])
}

/// How `trace` knows a lot: `SHA-256("stele/trace/lot/v1" || the lot's URI)`.
pub fn lot_hash(lot: &str) -> [u8; 32] {
    sha256(&[b"stele/trace/lot/v1", lot.as_bytes()])
}

fn write_value(value: &Value, out: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Number(number) => write_number(number, out)?,
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            // RFC 8785 section 3.2.3: by UTF-16 code units, which differ from UTF-8's order above U+FFFF.
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write_value(value, out)?;
            }
            out.push('}');
        }
        Value::String(text) => write_string(text, out),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Null => out.push_str("null"),
    }
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// ECMAScript's `Number::toString` (RFC 8785 section 3.2.2.3): the shortest digits that read back as the same double.
fn write_number(number: &serde_json::Number, out: &mut String) -> Result<(), CanonicalError> {
    const SAFE: u64 = 1 << 53;
    let magnitude = number
        .as_u64()
        .or_else(|| number.as_i64().map(i64::unsigned_abs));
    if magnitude.is_some_and(|m| m > SAFE) {
        return Err(CanonicalError::UnsafeNumber(number.to_string()));
    }
    let value = number.as_f64().unwrap_or_default();
    if value == 0.0 {
        // Minus zero too.
        out.push('0');
        return Ok(());
    }
    if value < 0.0 {
        out.push('-');
    }
    // Rust and ECMAScript agree on the number of digits. Where two texts of that length read back as the same double,
    // ECMAScript wants the nearer one, and the even one of two that are equally near; rounding to that length gives it.
    let shortest = format!("{:e}", value.abs());
    let digits = shortest
        .bytes()
        .take_while(|b| *b != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    let nearest = format!("{:.*e}", digits - 1, value.abs());
    let scientific = if nearest.parse() == Ok(value.abs()) {
        nearest
    } else {
        shortest
    };
    let (mantissa, exponent) = scientific
        .split_once('e')
        .expect("the format has an exponent");
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().expect("the format has a decimal exponent");
    // The value is 0.digits times ten to the power of `point`.
    let (count, point) = (digits.len() as i32, exponent + 1);
    let zeros = |n: i32| "0".repeat(n as usize);
    if count <= point && point <= 21 {
        out.push_str(&digits);
        out.push_str(&zeros(point - count));
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(point as usize);
        let _ = write!(out, "{whole}.{fraction}");
    } else if -6 < point && point <= 0 {
        let _ = write!(out, "0.{}{digits}", zeros(-point));
    } else {
        let (first, rest) = digits.split_at(1);
        let sign = if point > 0 { "+" } else { "-" };
        let dot = if rest.is_empty() { "" } else { "." };
        let _ = write!(out, "{first}{dot}{rest}e{sign}{}", (point - 1).abs());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rfcs_example() {
        let value: Value = serde_json::from_str(
            r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#,
        )
        .expect("JSON");
        assert_eq!(
            jcs(&value).expect("canonical"),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn the_rfcs_numbers() {
        // RFC 8785 appendix B: bits and text.
        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let value = f64::from_bits(bits);
            assert_eq!(jcs(&json!(value)).expect("canonical"), text);
        }
    }

    #[test]
    fn names_sort_by_utf16() {
        let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        assert_eq!(
            jcs(&value).expect("canonical"),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn numbers_beyond_doubles_are_refused() {
        assert_eq!(
            jcs(&json!(9_007_199_254_740_992_u64)).expect("exact"),
            "9007199254740992"
        );
        assert!(jcs(&json!(9_007_199_254_740_993_u64)).is_err());
        assert!(jcs(&json!({"a": [i64::MIN]})).is_err());
    }

    #[test]
    fn a_canonical_event_stands_alone() {
        let context = json!(["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]);
        let event =
            json!({"type": "ObjectEvent", "recordTime": "2024-01-01T00:00:00Z", "epcList": []});
        let canonical = canonical_event(&event, Some(&context)).expect("canonical");
        assert_eq!(canonical["@context"], context);
        assert!(canonical.get("recordTime").is_none());
        let id = canonical["eventID"].as_str().expect("an id");
        assert!(
            id.starts_with("urn:uuid:") && id.len() == 45 && id.as_bytes()[23] == b'8',
            "{id}"
        );
        // The same event again, its members in another order and recorded at another time.
        let again =
            json!({"epcList": [], "type": "ObjectEvent", "recordTime": "2025-01-01T00:00:00Z"});
        let again = canonical_event(&again, Some(&context)).expect("canonical");
        assert_eq!(jcs(&again), jcs(&canonical));
        assert_eq!(event_hash(&again), event_hash(&canonical));
        // What is canonical stays as it is.
        assert_eq!(canonical_event(&canonical, None).as_ref(), Ok(&canonical));
        let other = json!(["https://example.org/other"]);
        let other = canonical_event(&event, Some(&other)).expect("canonical");
        assert_ne!(
            event_hash(&other),
            event_hash(&canonical),
            "the context is part of the event"
        );
        assert_ne!(
            commitment(&[0; 16], &canonical),
            commitment(&[1; 16], &canonical)
        );
    }

    proptest::proptest! {
        #[test]
        fn numbers_read_back_as_themselves(bits in proptest::prelude::any::<u64>()) {
            let value = f64::from_bits(bits);
            proptest::prop_assume!(value.is_finite());
            let text = jcs(&json!(value)).expect("canonical");
            proptest::prop_assert_eq!(text.parse::<f64>().expect("a number"), value);
        }
    }
}
