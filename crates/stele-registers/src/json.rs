//! Bodies in JSON, for people and HTTP, and back.
//!
//! The mapping follows the field's type, so one JSON value has exactly one CBOR encoding and nothing is guessed.

use serde_json::{Map, Number, Value as Json};
use stele_core::cbor::{
    Body, BodyBuilder, BodyError, DecodeError, Decoder, Encoder, ErrorKind, Value,
};
use stele_core::id::PartyId;

use crate::spec::{FieldSpec, FieldType, KEY_BYTES_MAX};

/// Largest integer that every JSON reader keeps exactly (RFC 8259 section 6).
const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why JSON is no body of a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not an object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A required field is missing.
    #[error("the field `{0}` is missing")]
    Missing(String),
    /// A field that the command does not know.
    #[error("the field `{0}` is unknown here")]
    Unknown(String),
    /// A field holds the wrong value.
    #[error("the field `{field}` must be: {expected}")]
    Wrong {
        /// The field's name.
        field: String,
        /// What it may hold.
        expected: String,
    },
}

/// Encodes a JSON object as the body that `fields` describe. A field that is `null` counts as left out.
///
/// # Errors
/// [`JsonError`] names the first field that does not fit, with what it may hold.
pub fn json_to_body(fields: &[FieldSpec], json: &Json) -> Result<Vec<u8>, JsonError> {
    let object = json.as_object().ok_or(JsonError::NotAnObject)?;
    if let Some(name) = object
        .keys()
        .find(|name| !fields.iter().any(|field| field.name == **name))
    {
        return Err(JsonError::Unknown(name.clone()));
    }
    let mut builder = BodyBuilder::new();
    for field in fields {
        let value = object.get(field.name).filter(|value| !value.is_null());
        let Some(value) = value else {
            if field.required {
                return Err(JsonError::Missing(field.name.to_owned()));
            }
            continue;
        };
        let mut item = Encoder::new();
        if write(&mut item, field.kind, value).is_none() {
            let expected = describe(field.kind);
            return Err(JsonError::Wrong {
                field: field.name.to_owned(),
                expected,
            });
        }
        builder = builder.with(field.name, |out| {
            out.raw(item.as_slice());
        });
    }
    Ok(builder.build())
}

fn describe(kind: FieldType) -> String {
    match kind {
        FieldType::Hash => "64 hexadecimal digits".to_owned(),
        FieldType::Party => "a DID (did:stele:...) or 64 hexadecimal digits".to_owned(),
        FieldType::Key => "a COSE_Key in hexadecimal".to_owned(),
        FieldType::Bytes { min, max } => format!("{min} to {max} bytes in hexadecimal"),
        FieldType::Bool => "true or false".to_owned(),
        FieldType::List { of, min, max } => {
            format!("an array of {min} to {max}: {}", describe(*of))
        }
        other => other.to_string(),
    }
}

fn write(out: &mut Encoder, kind: FieldType, json: &Json) -> Option<()> {
    match kind {
        FieldType::Text { max } => {
            let text = json.as_str()?;
            (1..=max).contains(&text.len()).then(|| out.text(text))?;
        }
        FieldType::Choice(choices) => {
            let text = json.as_str()?;
            choices.contains(&text).then(|| out.text(text))?;
        }
        FieldType::Bytes { min, max } => {
            let bytes = hex::decode(json.as_str()?).ok()?;
            (min..=max)
                .contains(&bytes.len())
                .then(|| out.bytes(&bytes))?;
        }
        FieldType::Hash => {
            let bytes: [u8; 32] = hex::decode(json.as_str()?).ok()?.try_into().ok()?;
            out.bytes(&bytes);
        }
        FieldType::Party => {
            let text = json.as_str()?;
            let party = PartyId::from_did(text)
                .or_else(|_| text.parse::<PartyId>())
                .ok()?;
            out.bytes(party.as_bytes());
        }
        FieldType::Key => {
            let bytes = hex::decode(json.as_str()?).ok()?;
            (1..=KEY_BYTES_MAX)
                .contains(&bytes.len())
                .then(|| out.bytes(&bytes))?;
        }
        FieldType::Uint => {
            let value = match json {
                Json::Number(number) => number.as_u64()?,
                Json::String(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                    digits.parse().ok()?
                }
                _ => return None,
            };
            out.uint(value);
        }
        FieldType::Bool => {
            out.bool(json.as_bool()?);
        }
        FieldType::List { of, min, max } => {
            let items = json.as_array()?;
            (min..=max)
                .contains(&items.len())
                .then(|| out.array(items.len()))?;
            for item in items {
                write(out, *of, item)?;
            }
        }
    }
    Some(())
}

/// Decodes a body into a JSON object whose members stand in the order of `fields`.
///
/// # Errors
/// [`BodyError`] when the body does not fit `fields`.
pub fn body_to_json(fields: &[FieldSpec], bytes: &[u8]) -> Result<Json, BodyError> {
    let mut body = Body::decode(bytes)?;
    let mut object = Map::new();
    for field in fields {
        match body.optional(field.name, |decoder| read(decoder, field.kind))? {
            Some(value) => {
                object.insert(field.name.to_owned(), value);
            }
            None if field.required => return Err(BodyError::Missing(field.name)),
            None => {}
        }
    }
    body.finish()?;
    Ok(Json::Object(object))
}

fn read(decoder: &mut Decoder<'_>, kind: FieldType) -> Result<Json, DecodeError> {
    let offset = decoder.position();
    let wrong = |what| DecodeError {
        offset,
        kind: ErrorKind::Expected(what),
    };
    Ok(match kind {
        FieldType::Text { max } => match decoder.text(max)? {
            "" => return Err(wrong("a text that is not empty")),
            text => Json::from(text),
        },
        FieldType::Choice(choices) => {
            let text = decoder.text(64)?;
            if !choices.contains(&text) {
                return Err(wrong("one of the texts that the command names"));
            }
            Json::from(text)
        }
        FieldType::Bytes { min, max } => {
            let bytes = decoder.bytes(max)?;
            if bytes.len() < min {
                return Err(wrong("more bytes"));
            }
            Json::from(hex::encode(bytes))
        }
        FieldType::Hash => Json::from(hex::encode(decoder.bytes32()?)),
        FieldType::Party => Json::from(PartyId::from_bytes(decoder.bytes32()?).did()),
        FieldType::Key => Json::from(hex::encode(crate::fields::key_item(decoder)?)),
        FieldType::Uint => uint(decoder.uint()?),
        FieldType::Bool => Json::from(decoder.bool()?),
        FieldType::List { of, min, max } => {
            let count = decoder.array(max)?;
            if count < min {
                return Err(wrong("more items"));
            }
            Json::Array(
                (0..count)
                    .map(|_| read(decoder, *of))
                    .collect::<Result<_, _>>()?,
            )
        }
    })
}

fn uint(value: u64) -> Json {
    if value <= JSON_INTEGER_MAX {
        Json::from(value)
    } else {
        Json::from(value.to_string())
    }
}

/// Any CBOR item as JSON for people to read: bytes in hexadecimal, map keys as text. There is no way back.
///
/// # Errors
/// [`DecodeError`].
pub fn cbor_to_json(bytes: &[u8]) -> Result<Json, DecodeError> {
    Ok(readable(Value::decode(bytes)?))
}

fn readable(value: Value) -> Json {
    match value {
        Value::Uint(value) => uint(value),
        Value::Nint(n) => match i64::try_from(n) {
            Ok(n) if n.unsigned_abs() < JSON_INTEGER_MAX => Json::Number(Number::from(-1 - n)),
            _ => Json::from((-1 - i128::from(n)).to_string()),
        },
        Value::Bytes(bytes) => Json::from(hex::encode(bytes)),
        Value::Text(text) => Json::from(text),
        Value::Bool(value) => Json::from(value),
        Value::Null => Json::Null,
        Value::Array(items) => Json::Array(items.into_iter().map(readable).collect()),
        Value::Map(pairs) => Json::Object(
            pairs
                .into_iter()
                .map(|(key, value)| {
                    let key = match readable(key) {
                        Json::String(text) => text,
                        other => other.to_string(),
                    };
                    (key, readable(value))
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[FieldSpec] = &[
        FieldSpec::required("to", FieldType::Party, ""),
        FieldSpec::required(
            "items",
            FieldType::List {
                of: &FieldType::Hash,
                min: 1,
                max: 2,
            },
            "",
        ),
        FieldSpec::optional("when", FieldType::Uint, ""),
        FieldSpec::optional("note", FieldType::Text { max: 4 }, ""),
        FieldSpec::optional("level", FieldType::Choice(&["high", "low"]), ""),
        FieldSpec::optional("salt", FieldType::Bytes { min: 1, max: 2 }, ""),
        FieldSpec::optional("key", FieldType::Key, ""),
        FieldSpec::optional("open", FieldType::Bool, ""),
    ];

    #[test]
    fn every_type_goes_there_and_back() {
        let party = PartyId::from_bytes([7; 32]);
        let full = json!({
            "to": party.did(), "items": ["11".repeat(32), "22".repeat(32)], "when": 1_700_000_000_000_u64,
            "note": "four", "level": "low", "salt": "00ff", "key": "a1", "open": true,
        });
        let body = json_to_body(FIELDS, &full).unwrap();
        assert_eq!(body_to_json(FIELDS, &body).unwrap(), full);
        assert_eq!(
            body_to_json(FIELDS, &body).unwrap().to_string(),
            full.to_string(),
            "the order is the spec's"
        );

        let by_hex = json!({"to": party.to_string(), "items": ["11".repeat(32)], "when": "18446744073709551615", "note": null});
        let body = json_to_body(FIELDS, &by_hex).unwrap();
        let back = body_to_json(FIELDS, &body).unwrap();
        assert_eq!(back["to"], party.did());
        assert_eq!(
            back["when"], "18446744073709551615",
            "beyond 2^53-1 a number would lose digits"
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let good = json!({"to": PartyId::from_bytes([7; 32]).did(), "items": ["11".repeat(32)]});
        let with = |name: &str, value: Json| {
            let mut object = good.clone();
            object[name] = value;
            json_to_body(FIELDS, &object)
        };
        assert!(json_to_body(FIELDS, &good).is_ok());
        assert_eq!(
            json_to_body(FIELDS, &json!([])),
            Err(JsonError::NotAnObject)
        );
        assert_eq!(
            json_to_body(FIELDS, &json!({})),
            Err(JsonError::Missing("to".into()))
        );
        assert_eq!(
            with("more", json!(1)),
            Err(JsonError::Unknown("more".into()))
        );
        for (name, value) in [
            ("to", json!("did:stele:x")),
            ("items", json!([])),
            ("items", json!(["11".repeat(31)])),
            (
                "items",
                json!(["11".repeat(32), "11".repeat(32), "11".repeat(32)]),
            ),
            ("when", json!(-1)),
            ("when", json!(1.5)),
            ("when", json!("1e3")),
            ("note", json!("")),
            ("note", json!("fives")),
            ("level", json!("middle")),
            ("salt", json!("")),
            ("salt", json!("000000")),
            ("key", json!("zz")),
            ("open", json!("true")),
        ] {
            match with(name, value.clone()) {
                Err(JsonError::Wrong { field, .. }) => assert_eq!(field, name),
                other => panic!("{name} = {value}: {other:?}"),
            }
        }
    }

    #[test]
    fn any_state_value_is_readable() {
        let value = Value::Map(vec![
            (Value::Text("id".into()), Value::Bytes(vec![0xab])),
            (
                Value::Uint(3),
                Value::Array(vec![Value::Null, Value::Nint(0), Value::Nint(u64::MAX)]),
            ),
        ]);
        let json = cbor_to_json(&value.encode()).unwrap();
        assert_eq!(
            json,
            json!({"3": [null, -1, "-18446744073709551616"], "id": "ab"})
        );
    }
}
