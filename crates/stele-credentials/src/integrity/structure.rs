//! What W3C VC Data Model 2.0 demands of the shape of credentials and presentations (its sections 4.1 to 4.13).

use serde_json::{Map, Value};

use crate::contexts::{CREDENTIALS_V1, CREDENTIALS_V2};
use crate::refusal::Refusal;

use super::json::Limits;
use super::jsonld;
use super::rdf::is_iri;
use super::rules::{CREDENTIAL_STRUCTURE, HOLDER_MISMATCH};
use super::time;

/// Which documents are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// An issuer must be named. A draft that an issuer is about to sign may leave it away.
    pub issuer_required: bool,
    /// The base context of data model 1.1 is taken too, which the European Learning Model 3 uses.
    pub version_1: bool,
}

impl Shape {
    /// A credential of data model 2.0 as it is verified.
    pub const SIGNED: Self = Self {
        issuer_required: true,
        version_1: false,
    };
    /// A credential of data model 2.0 before its issuer is filled in.
    pub const DRAFT: Self = Self {
        issuer_required: false,
        version_1: false,
    };
}

fn bad(what: impl std::fmt::Display) -> Refusal {
    CREDENTIAL_STRUCTURE.because(what)
}

/// Checks a credential's shape, and that each of its words has a meaning.
///
/// # Errors
/// `credential.structure` and those of [`jsonld::to_rdf`].
pub fn check_credential(document: &Value, shape: Shape, limits: &Limits) -> Result<(), Refusal> {
    check_words(document, limits)?;
    check_members(document, shape)
}

/// Checks a presentation's shape and that of the credentials in it.
///
/// # Errors
/// As [`check_credential`].
pub fn check_presentation(document: &Value, limits: &Limits) -> Result<(), Refusal> {
    check_words(document, limits)?;
    let map = object(document, "the presentation")?;
    check_base(map, Shape::SIGNED)?;
    check_type(map, "VerifiablePresentation")?;
    check_id(map, "the presentation")?;
    if let Some(holder) = map.get("holder") {
        identifier(holder, true).ok_or_else(|| bad("the holder is not an address"))?;
    }
    for credential in many(map.get("verifiableCredential")) {
        let inner = object(credential, "a credential in the presentation")?;
        if types(inner).contains(&"EnvelopedVerifiableCredential") {
            let id = inner.get("id").and_then(Value::as_str);
            id.filter(|id| id.starts_with("data:"))
                .ok_or_else(|| bad("an enveloped credential is not in a data: address"))?;
        } else {
            check_members(credential, Shape::SIGNED)?;
        }
    }
    Ok(())
}

/// Checks that each unsigned credential of a presentation was issued by the holder, who signs the presentation
/// (section 4.13.3).
///
/// # Errors
/// `integrity.holder-mismatch`.
pub fn check_self_asserted(presentation: &Value) -> Result<(), Refusal> {
    let holder = presentation.get("holder").and_then(|h| identifier(h, true));
    for credential in many(presentation.get("verifiableCredential")) {
        let map = object(credential, "a credential in the presentation")?;
        if map.contains_key("proof") || types(map).contains(&"EnvelopedVerifiableCredential") {
            continue;
        }
        let issuer = issuer_of(credential);
        if issuer.is_none() || issuer != holder {
            return Err(HOLDER_MISMATCH.because(format_args!(
                "issued by {}, presented by {}",
                issuer.unwrap_or("no one"),
                holder.unwrap_or("no one")
            )));
        }
    }
    Ok(())
}

/// The identifier of a credential's issuer.
pub fn issuer_of(credential: &Value) -> Option<&str> {
    identifier(credential.get("issuer")?, true)
}

/// From when until when a credential is valid: `validFrom` and `validUntil`, or the names of data model 1.1.
///
/// # Errors
/// `credential.structure` for something that is not a time.
pub fn validity(
    credential: &Value,
) -> Result<(Option<time::UnixSeconds>, Option<time::UnixSeconds>), Refusal> {
    let read = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| credential.get(name));
        let Some(found) = found else {
            return Ok(None);
        };
        let text = found.as_str().and_then(time::parse);
        text.map(Some)
            .ok_or_else(|| bad(format_args!("{found} is not a time")))
    };
    Ok((
        read(["validFrom", "issuanceDate"])?,
        read(["validUntil", "expirationDate"])?,
    ))
}

fn check_members(document: &Value, shape: Shape) -> Result<(), Refusal> {
    let map = object(document, "the credential")?;
    check_base(map, shape)?;
    check_type(map, "VerifiableCredential")?;
    check_id(map, "the credential")?;
    check_issuer(map, shape)?;
    check_subjects(map)?;
    let (from, until) = validity(document)?;
    if from.zip(until).is_some_and(|(from, until)| from > until) {
        return Err(bad("it ends before it begins"));
    }
    for name in [
        "credentialStatus",
        "credentialSchema",
        "refreshService",
        "termsOfUse",
        "evidence",
        "proof",
    ] {
        for item in many(map.get(name)) {
            check_typed(item, name)?;
        }
    }
    check_texts(map)
}

fn check_words(document: &Value, limits: &Limits) -> Result<(), Refusal> {
    // The direction of a name has no RDF, so signatures over RDF refuse it; the data model allows it.
    let mut plain = document.clone();
    // A proof is no part of what is said: it is read, and its own words are signed, with the proof (see `proof`).
    without_proof(&mut plain);
    if let Some(inner) = plain.get_mut("verifiableCredential") {
        match inner {
            Value::Array(items) => items.iter_mut().for_each(without_proof),
            one => without_proof(one),
        }
    }
    for holder in [
        "/name",
        "/description",
        "/issuer/name",
        "/issuer/description",
    ] {
        match plain.pointer_mut(holder) {
            Some(Value::Array(items)) => items.iter_mut().for_each(without_direction),
            Some(value) => without_direction(value),
            None => {}
        }
    }
    jsonld::to_rdf(&plain, limits).map(drop)
}

fn without_proof(value: &mut Value) {
    if let Some(map) = value.as_object_mut() {
        map.shift_remove("proof");
    }
}

fn without_direction(value: &mut Value) {
    if let Some(map) = value.as_object_mut() {
        map.shift_remove("@direction");
    }
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, Refusal> {
    value
        .as_object()
        .ok_or_else(|| bad(format_args!("{what} is not an object")))
}

/// One value or the items of an array.
fn many(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
    }
}

fn types(map: &Map<String, Value>) -> Vec<&str> {
    many(map.get("type"))
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

fn identifier(value: &Value, or_object: bool) -> Option<&str> {
    let text = match value {
        Value::String(text) => text,
        Value::Object(map) if or_object => map.get("id")?.as_str()?,
        _ => return None,
    };
    is_iri(text).then_some(text)
}

fn check_base(map: &Map<String, Value>, shape: Shape) -> Result<(), Refusal> {
    let first = many(map.get("@context")).first().and_then(Value::as_str);
    match first {
        Some(CREDENTIALS_V2) => Ok(()),
        Some(CREDENTIALS_V1) if shape.version_1 => Ok(()),
        _ => Err(bad("its first context is not that of the data model")),
    }
}

fn check_type(map: &Map<String, Value>, needed: &str) -> Result<(), Refusal> {
    if types(map).contains(&needed) {
        Ok(())
    } else {
        Err(bad(format_args!("it is not a {needed}")))
    }
}

fn check_id(map: &Map<String, Value>, what: &str) -> Result<(), Refusal> {
    match map.get("id") {
        Some(id) if identifier(id, false).is_none() => {
            Err(bad(format_args!("the id of {what} is not one address")))
        }
        _ => Ok(()),
    }
}

fn check_issuer(map: &Map<String, Value>, shape: Shape) -> Result<(), Refusal> {
    let Some(issuer) = map.get("issuer") else {
        return if shape.issuer_required {
            Err(bad("it names no issuer"))
        } else {
            Ok(())
        };
    };
    let draft = !shape.issuer_required && issuer.is_object() && issuer.get("id").is_none();
    if !draft && identifier(issuer, true).is_none() {
        return Err(bad("its issuer is not an address"));
    }
    issuer.as_object().map_or(Ok(()), check_texts)
}

fn check_subjects(map: &Map<String, Value>) -> Result<(), Refusal> {
    let subjects = many(map.get("credentialSubject"));
    if subjects.is_empty() {
        return Err(bad("it is about no one"));
    }
    for subject in subjects {
        let subject = object(subject, "a subject")?;
        if subject.is_empty() {
            return Err(bad("it says nothing about a subject"));
        }
        check_id(subject, "a subject")?;
    }
    Ok(())
}

fn check_typed(item: &Value, name: &str) -> Result<(), Refusal> {
    let map = object(item, name)?;
    let kinds = many(map.get("type"));
    if kinds.is_empty() || !kinds.iter().all(Value::is_string) {
        return Err(bad(format_args!("{name} has no type")));
    }
    if name == "credentialSchema" && !map.contains_key("id") {
        return Err(bad("a schema has no id"));
    }
    check_id(map, name)
}

/// Names and descriptions are texts, or texts with language and direction (section 11.1).
fn check_texts(map: &Map<String, Value>) -> Result<(), Refusal> {
    for name in ["name", "description"] {
        for value in many(map.get(name)) {
            let good = match value {
                Value::String(_) => true,
                Value::Object(map) => {
                    let known = |name: &String| {
                        matches!(name.as_str(), "@value" | "@language" | "@direction")
                    };
                    map.get("@value").is_some_and(Value::is_string) && map.keys().all(known)
                }
                _ => false,
            };
            if !good {
                return Err(bad(format_args!("{name} is not a text")));
            }
        }
    }
    Ok(())
}
