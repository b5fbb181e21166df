//! The part of a document that JSON Pointers select (vc-di-ecdsa section 3.4.13, which vc-di-bbs uses).
//!
//! A pointer selects the value it leads to, whole, and of every object on the way its identifier and types. The same
//! rule picks statements by the pointer they came from.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::refusal::Refusal;

use super::super::rdf::Quad;
use super::super::rules::POINTER_INVALID;

/// Pointers in one selection, at most.
pub const POINTERS_MAX: usize = 1_000;

/// Whether a value at `origin` is selected by `pointer`: one leads to, or through, the other.
fn touches(pointer: &str, origin: &str) -> bool {
    let leads = |from: &str, to: &str| {
        to.strip_prefix(from)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    leads(pointer, origin) || leads(origin, pointer)
}

/// The statements that pointers select, as indexes.
pub fn statements<'a>(
    quads: &'a [Quad],
    pointers: &'a [String],
) -> impl Iterator<Item = usize> + 'a {
    let selected = move |origin: &Rc<str>| pointers.iter().any(|pointer| touches(pointer, origin));
    let indexed = quads.iter().enumerate();
    indexed.filter_map(move |(index, quad)| selected(&quad.origin).then_some(index))
}

/// The document that pointers select; none if there are no pointers.
///
/// # Errors
/// `integrity.pointer-invalid` for a pointer that leads nowhere.
pub fn document(whole: &Value, pointers: &[String]) -> Result<Option<Value>, Refusal> {
    if pointers.len() > POINTERS_MAX {
        return Err(POINTER_INVALID.because(format_args!("more than {POINTERS_MAX} pointers")));
    }
    for pointer in pointers {
        let sound = pointer.is_empty() || pointer.starts_with('/');
        if !sound || whole.pointer(pointer).is_none() {
            return Err(POINTER_INVALID.because(pointer));
        }
    }
    if pointers.is_empty() {
        return Ok(None);
    }
    let mut selected = part(whole, "", pointers);
    if let (Some(Value::Object(map)), Some(context)) = (&mut selected, whole.get("@context"))
        && !map.contains_key("@context")
    {
        let mut with_context = Map::new();
        with_context.insert("@context".to_owned(), context.clone());
        with_context.append(map);
        *map = with_context;
    }
    Ok(selected)
}

fn part(value: &Value, here: &str, pointers: &[String]) -> Option<Value> {
    let leads = |pointer: &String| {
        here.strip_prefix(pointer.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if pointers.iter().any(leads) {
        return Some(value.clone());
    }
    let through = |pointer: &String| {
        pointer
            .strip_prefix(here)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    if !pointers.iter().any(through) {
        return None;
    }
    match value {
        Value::Object(map) => {
            let mut selected = Map::new();
            for (name, value) in map {
                let inner = format!("{here}/{}", name.replace('~', "~0").replace('/', "~1"));
                let always = matches!(name.as_str(), "id" | "type" | "@context" | "@id" | "@type");
                let chosen = if always {
                    Some(value.clone())
                } else {
                    part(value, &inner, pointers)
                };
                if let Some(chosen) = chosen {
                    selected.insert(name.clone(), chosen);
                }
            }
            Some(Value::Object(selected))
        }
        Value::Array(items) => {
            let indexed = items.iter().enumerate();
            let chosen = indexed
                .filter_map(|(index, item)| part(item, &format!("{here}/{index}"), pointers));
            Some(Value::Array(chosen.collect()))
        }
        _ => None,
    }
}
