//! JSON as an outline for people.

use serde_json::{Map, Value as Json};

use crate::printer::clean;
use crate::time::utc;

/// The outline of a value, without a line break at its end.
pub fn outline(value: &Json) -> String {
    let mut out = Vec::new();
    match value {
        Json::Object(object) => members(&mut out, object, 0),
        Json::Array(items) => list(&mut out, items, 0),
        scalar => out.push(word("", scalar)),
    }
    out.join("\n")
}

fn members(out: &mut Vec<String>, object: &Map<String, Json>, depth: usize) {
    let indent = "  ".repeat(depth);
    let width = object.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in object {
        let name_shown = clean(name);
        match value {
            Json::Object(inner) if !inner.is_empty() => {
                out.push(format!("{indent}{name_shown}"));
                members(out, inner, depth + 1);
            }
            Json::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                out.push(format!("{indent}{name_shown}"));
                list(out, items, depth + 1);
            }
            other => out.push(format!(
                "{indent}{name_shown:<width$}  {}",
                word(name, other)
            )),
        }
    }
}

fn list(out: &mut Vec<String>, items: &[Json], depth: usize) {
    let indent = "  ".repeat(depth);
    if items.is_empty() {
        out.push(format!("{indent}none"));
    }
    for item in items {
        let start = out.len();
        match item {
            Json::Object(object) => members(out, object, depth + 1),
            Json::Array(inner) => list(out, inner, depth + 1),
            scalar => out.push(format!("{indent}  {}", word("", scalar))),
        }
        if let Some(first) = out.get_mut(start) {
            first.replace_range(indent.len()..indent.len() + 2, "- ");
        }
    }
}

fn word(name: &str, value: &Json) -> String {
    match value {
        Json::Null => "none".to_owned(),
        Json::String(text) if text.is_empty() => "empty".to_owned(),
        Json::String(text) => clean(text),
        Json::Array(items) if items.is_empty() => "none".to_owned(),
        Json::Array(items) => items
            .iter()
            .map(|item| word("", item))
            .collect::<Vec<_>>()
            .join(", "),
        Json::Object(_) => "empty".to_owned(),
        number => match number.as_u64().filter(|_| name.ends_with("_ms")) {
            Some(ms) => format!("{ms} ({})", utc(ms)),
            None => number.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::outline;

    #[test]
    fn nesting_shows_as_indentation() {
        let value = json!({
            "id": "ab", "time_ms": 0, "tags": ["x", "y"], "nothing": null, "none": [],
            "head": {"height": 3}, "items": [{"a": 1, "b": "x\ny"}, {"a": 2}],
        });
        let expected = "id       ab\ntime_ms  0 (1970-01-01 00:00:00.000 UTC)\ntags     x, y\nnothing  none\nnone     none\n\
                        head\n  height  3\nitems\n  - a  1\n    b  x\\u000ay\n  - a  2";
        assert_eq!(outline(&value), expected);
        assert_eq!(outline(&json!([])), "none");
        assert_eq!(outline(&json!([[1], "x"])), "- - 1\n- x");
    }
}
