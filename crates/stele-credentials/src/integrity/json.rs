//! What a document may cost at most, and the canonical JSON of RFC 8785 (JCS).

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use crate::json::{self, JsonLimits};
use crate::refusal::Refusal;

use super::rules::{NUMBER_UNSAFE, TOO_DEEP, TOO_LARGE};

/// What a reader takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes and nesting of the JSON text.
    pub json: JsonLimits,
    /// Values in the document, names of members not counted.
    pub values_max: usize,
    /// RDF statements that a document may expand to.
    pub statements_max: usize,
    /// Steps of canonicalisation over blank nodes that look alike (RDFC-1.0 section 4.8 can take exponential time).
    pub canonical_steps_max: usize,
    /// Proofs on one document.
    pub proofs_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json: JsonLimits::default(),
            values_max: 50_000,
            statements_max: 20_000,
            canonical_steps_max: 20_000,
            proofs_max: 8,
        }
    }
}

/// Reads one document; [`crate::json::parse`] and then [`check`].
///
/// # Errors
/// `json.too-large`, `json.too-deep`, `json.duplicate-member`, `json.malformed` and `integrity.too-large`.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, Refusal> {
    let value = json::parse(bytes, limits.json)?;
    check(&value, limits)?;
    Ok(value)
}

/// Checks a value that no text was read for, such as one that a program made or another format carried.
///
/// # Errors
/// `integrity.too-large` and `integrity.too-deep`.
pub fn check(value: &Value, limits: &Limits) -> Result<(), Refusal> {
    // A walk with its own stack: a value of any depth must not overflow ours.
    let mut open = vec![(value, 1)];
    let mut count = 0;
    while let Some((value, depth)) = open.pop() {
        count += 1;
        if count > limits.values_max {
            return Err(TOO_LARGE.because(format_args!("more than {} values", limits.values_max)));
        }
        let nested = matches!(value, Value::Array(_) | Value::Object(_));
        if nested && depth > limits.json.depth_max {
            return Err(
                TOO_DEEP.because(format_args!("more than {} levels", limits.json.depth_max))
            );
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(map) => open.extend(map.values().map(|item| (item, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}

/// The bytes of RFC 8785 for a value.
///
/// # Errors
/// `integrity.number-unsafe` for an integer that a double does not hold exactly (RFC 7493 section 2.2).
pub fn jcs(value: &Value) -> Result<String, Refusal> {
    let mut text = String::new();
    write_value(value, &mut text)?;
    Ok(text)
}

fn write_value(value: &Value, out: &mut String) -> Result<(), Refusal> {
    match value {
        Value::Number(number) => out.push_str(&number_text(number)?),
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
        Value::Object(map) => write_object(map, out)?,
        Value::String(text) => write_string(text, out),
        Value::Null | Value::Bool(_) => {
            let _ = write!(out, "{value}");
        }
    }
    Ok(())
}

/// Members in the order of their names' UTF-16 code units (section 3.2.3).
fn write_object(map: &Map<String, Value>, out: &mut String) -> Result<(), Refusal> {
    let mut members: Vec<_> = map.iter().collect();
    members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
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
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// ECMAScript's `Number::toString` (RFC 8785 section 3.2.2.3).
///
/// # Errors
/// `integrity.number-unsafe`.
pub(super) fn number_text(number: &Number) -> Result<String, Refusal> {
    let value = safe_double(number)?;
    if value == 0.0 {
        // Minus zero too.
        return Ok("0".to_owned());
    }
    let sign = if value < 0.0 { "-" } else { "" };
    // Rust and ECMAScript agree on the number of digits. Of two texts of that length that read back as the same double,
    // ECMAScript wants the nearer one, and the even one of two that are equally near; rounding to that length gives it.
    let shortest = format!("{:e}", value.abs());
    let count = shortest
        .bytes()
        .take_while(|b| *b != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    let nearest = format!("{:.*e}", count.saturating_sub(1), value.abs());
    let scientific = if nearest.parse() == Ok(value.abs()) {
        nearest
    } else {
        shortest
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // The value is 0.digits times ten to the power of `point`.
    let (count, point) = (digits.len() as i32, exponent + 1);
    let zeros = |n: i32| "0".repeat(n as usize);
    Ok(if count <= point && point <= 21 {
        format!("{sign}{digits}{}", zeros(point - count))
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(point as usize);
        format!("{sign}{whole}.{fraction}")
    } else if -6 < point && point <= 0 {
        format!("{sign}0.{}{digits}", zeros(-point))
    } else {
        let (first, rest) = digits.split_at(1);
        let way = if point > 0 { "+" } else { "-" };
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{dot}{rest}e{way}{}", (point - 1).abs())
    })
}

/// The double of a number that loses nothing by being one.
///
/// # Errors
/// `integrity.number-unsafe`.
pub(super) fn safe_double(number: &Number) -> Result<f64, Refusal> {
    const SAFE: u64 = 1 << 53;
    let magnitude = number
        .as_u64()
        .or_else(|| number.as_i64().map(i64::unsigned_abs));
    // Between 2^53 and 10^21 a double is written as an integer, which the next reader cannot hold exactly.
    let between = |value: f64| value.abs() > SAFE as f64 && value.abs() < 1e21;
    match number.as_f64() {
        Some(value) if magnitude.is_none_or(|m| m <= SAFE) && !between(value) => Ok(value),
        _ => Err(NUMBER_UNSAFE.because(number)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn refuses_large_and_deep_values() {
        let limits = Limits {
            json: JsonLimits {
                depth_max: 3,
                ..JsonLimits::default()
            },
            values_max: 4,
            ..Limits::default()
        };
        assert!(check(&json!([[[1]]]), &limits).is_ok());
        let deep = check(&json!([[[[]]]]), &limits).unwrap_err();
        assert_eq!(deep.code(), TOO_DEEP.code);
        let large = check(&json!([1, 2, 3, 4]), &limits).unwrap_err();
        assert_eq!(large.code(), TOO_LARGE.code);
        let numbers = jcs(&json!([9_007_199_254_740_993_u64])).unwrap_err();
        assert_eq!(numbers.code(), NUMBER_UNSAFE.code);
    }

    /// Values of RFC 8785 appendix B.
    #[test]
    fn numbers_are_written_as_the_rfc_shows() {
        for (bits, text) in [
            (0x0000_0000_0000_0001_u64, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x8000_0000_0000_0000, "0"),
        ] {
            let number = Number::from_f64(f64::from_bits(bits)).unwrap();
            assert_eq!(number_text(&number).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn canonical_text_reads_back_as_the_value(text in "\\PC{0,20}", bits in any::<u64>()) {
            let number = Number::from_f64(f64::from_bits(bits)).map_or(Value::Null, Value::Number);
            let value = json!({ (text.clone()): [text, number] });
            if let Ok(canonical) = jcs(&value) {
                let back: Value = serde_json::from_str(&canonical).unwrap();
                prop_assert_eq!(jcs(&back).unwrap(), canonical);
            }
        }
    }
}
