//! JSON that leaves no room for two readings: RFC 8259 with bounds and without duplicate member names (RFC 7493).

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Bounds of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document's text.
    pub bytes_max: usize,
    /// Arrays and objects inside one another.
    pub depth_max: usize,
    /// Values of all kinds in it.
    pub values_max: usize,
    /// Events of a document.
    pub events_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 8 * 1024 * 1024,
            depth_max: 32,
            values_max: 1_000_000,
            events_max: 10_000,
        }
    }
}

/// Why a text is not a document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It has too many bytes.
    #[error("the document has {found} bytes, at most {max} are taken")]
    TooLong {
        /// Its bytes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// It is not JSON, repeats a member name, or passes a bound.
    #[error("not JSON that is taken here: {0}")]
    Syntax(String),
}

/// Reads a document.
///
/// # Errors
/// [`JsonError`].
pub fn parse(text: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    if text.len() > limits.bytes_max {
        return Err(JsonError::TooLong {
            found: text.len(),
            max: limits.bytes_max,
        });
    }
    let left = Cell::new(limits.values_max);
    let strict = Strict {
        depth: limits.depth_max,
        left: &left,
    };
    let syntax = |e: serde_json::Error| JsonError::Syntax(e.to_string());
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = strict.deserialize(&mut reader).map_err(syntax)?;
    reader.end().map_err(syntax)?;
    Ok(value)
}

/// Builds a [`Value`], counting what is left of each bound.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    left: &'a Cell<usize>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom("nested too deep")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(D::Error::custom("too many values")),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
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
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number out of range"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if map.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "member {name:?} stands twice"
                )));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_duplicates() {
        let limits = Limits {
            bytes_max: 60,
            depth_max: 3,
            values_max: 8,
            events_max: 1,
        };
        for good in [
            "{}",
            "[[[1]]]",
            "{\"a\":{\"a\":1}}",
            "1.5e3",
            "[1,2,3,4,5,6,7]",
        ] {
            let plain: Value = serde_json::from_str(good).expect(good);
            assert_eq!(parse(good.as_bytes(), &limits).expect(good), plain);
        }
        for bad in [
            "",
            "[[[[1]]]]",
            "{\"a\":1,\"a\":2}",
            "1e999",
            "NaN",
            "[1,2,3,4,5,6,7,8]",
            "{} {}",
            "\"\\ud800\"",
        ] {
            assert!(parse(bad.as_bytes(), &limits).is_err(), "{bad}");
        }
        assert!(matches!(
            parse(&[b' '; 61], &limits),
            Err(JsonError::TooLong { found: 61, max: 60 })
        ));
    }
}
