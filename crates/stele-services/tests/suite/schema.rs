//! The published JSON Schema says of a file's shape what the program says.
//!
//! The schema uses a small part of JSON Schema 2020-12, which [`valid`] judges; a keyword that it does not know fails.

use serde_json::{Map, Value as Json, json};
use stele_services::check;

use crate::support::{ALL, json as parsed};

const SCHEMA: &str = include_str!("../../../../docs/services/service.schema.json");

fn valid(root: &Json, schema: &Json, value: &Json) -> bool {
    let keywords = schema.as_object().unwrap().iter();
    keywords.fold(true, |good, (keyword, rule)| {
        good & match keyword.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                valid(root, root.pointer(pointer).unwrap(), value)
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_u64() || value.is_i64(),
                other => panic!("an unknown type: {other}"),
            },
            "minimum" => value.as_f64() >= rule.as_f64(),
            "maximum" => value.as_f64() <= rule.as_f64(),
            "enum" => rule.as_array().unwrap().contains(value),
            "required" => {
                let mut names = rule.as_array().unwrap().iter();
                value
                    .as_object()
                    .is_none_or(|map| names.all(|name| map.contains_key(name.as_str().unwrap())))
            }
            "properties" => value.as_object().is_none_or(|map| {
                let mut fields = map.iter();
                fields
                    .all(|(name, value)| rule.get(name).is_none_or(|rule| valid(root, rule, value)))
            }),
            "additionalProperties" => {
                assert_eq!(rule, &json!(false));
                let known = schema["properties"].as_object().unwrap();
                value
                    .as_object()
                    .is_none_or(|map| map.keys().all(|name| known.contains_key(name)))
            }
            "items" => value
                .as_array()
                .is_none_or(|list| list.iter().all(|item| valid(root, rule, item))),
            "description" | "title" | "$schema" | "$id" | "$defs" => true,
            other => panic!("an unknown keyword: {other}"),
        }
    })
}

/// Whether the program can read the shape of a file, whatever it then finds in it.
fn has_shape(file: &Json) -> bool {
    check(file.to_string().as_bytes())
        .iter()
        .all(|finding| finding.code != "service-file.bad-shape")
}

/// Calls `judge` with every file that differs from `file` in one place: a member or item gone, a stranger in, or a value of
/// another type.
fn variants(file: &Json, judge: &mut impl FnMut(&Json, &str)) {
    let mut pointers = vec![String::new()];
    let mut next = 0;
    while next < pointers.len() {
        let pointer = pointers[next].clone();
        next += 1;
        let here = file.pointer(&pointer).unwrap();
        let mut changed = |value: Json, what: &str| {
            let mut file = file.clone();
            *file.pointer_mut(&pointer).unwrap() = value;
            judge(&file, &format!("{pointer}: {what}"));
        };
        for (value, what) in [
            (json!(true), "true"),
            (json!("x"), "text"),
            (json!(-1), "-1"),
            (json!(1), "1"),
            (json!([1]), "[1]"),
            (json!({"x": 1}), "{x}"),
        ] {
            changed(value, what);
        }
        match here {
            Json::Object(map) => {
                for name in map.keys() {
                    let mut less: Map<_, _> = map.clone();
                    less.shift_remove(name);
                    changed(Json::Object(less), &format!("without {name}"));
                    pointers.push(format!("{pointer}/{name}"));
                }
                let mut more = map.clone();
                more.insert("stranger".to_owned(), json!("x"));
                changed(Json::Object(more), "with a stranger");
            }
            // The first items stand for the others.
            Json::Array(list) => {
                pointers.extend((0..list.len().min(2)).map(|index| format!("{pointer}/{index}")))
            }
            _ => {}
        }
    }
}

#[test]
fn schema_and_program_agree() {
    let schema = parsed(SCHEMA);
    let (mut good, mut bad) = (0, 0);
    for text in ALL {
        let file = parsed(text);
        assert!(valid(&schema, &schema, &file));
        variants(&file, &mut |variant, what| {
            let expected = valid(&schema, &schema, variant);
            assert_eq!(has_shape(variant), expected, "{what}");
            *(if expected { &mut good } else { &mut bad }) += 1;
        });
    }
    assert!(
        good > 200 && bad > 2000,
        "{good} good and {bad} bad variants"
    );
}
