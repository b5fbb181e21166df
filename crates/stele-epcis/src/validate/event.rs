//! The five event types and events of extension types.

use serde_json::{Map, Value};

use super::Fault;
use super::checker::Checker;
use super::sensor::sensor_element;
use super::vocabulary::{
    ACTIONS, BIZ_STEPS, BIZ_TRANSACTION_TYPES, DISPOSITIONS, ERROR_REASONS,
    SOURCE_DESTINATION_TYPES,
};

type Members = Map<String, Value>;

/// An event of an `eventList`, of whatever type.
pub(super) fn event(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.require(map, &["type", "eventTime", "eventTimeZoneOffset"]);
    match map.get("type").and_then(Value::as_str) {
        Some("ObjectEvent") => object_event(c, map),
        Some("AggregationEvent") => aggregation_event(c, map, false),
        Some("AssociationEvent") => aggregation_event(c, map, true),
        Some("TransactionEvent") => transaction_event(c, map),
        Some("TransformationEvent") => transformation_event(c, map),
        _ => extended_event(c, map),
    }
}

/// An event of somebody's own type: its own members may have any name.
fn extended_event(c: &mut Checker, map: &Members) {
    if let Some(kind) = map.get("type") {
        c.at("type", |c| c.uri(kind));
    }
    for (name, value) in map {
        c.at(name, |c| {
            common(c, name, value);
        });
    }
}

fn object_event(c: &mut Checker, map: &Members) {
    c.require(map, &["action"]);
    c.members(map, true, |c, name, value| match name {
        "epcList" => unique_keys(c, value),
        "quantityList" => quantities(c, value),
        "persistentDisposition" => persistent_disposition(c, value),
        "ilmd" => ilmd(c, value),
        "action" => action(c, value),
        _ => common(c, name, value) || business(c, name, value),
    });
    let sensed = filled(map, "sensorElementList") && map.contains_key("readPoint");
    if !(map.contains_key("epcList") || filled(map, "quantityList") || sensed) {
        c.fault(Fault::Rule(
            "an object event has `epcList`, `quantityList`, or `sensorElementList` with `readPoint`",
        ));
    }
    if map.contains_key("ilmd") && !is_action(map, "ADD") {
        c.fault(Fault::Rule("`ilmd` goes with action ADD only"));
    }
}

/// Aggregation and association events: the same but for `parentID`, which an association always has.
fn aggregation_event(c: &mut Checker, map: &Members, association: bool) {
    c.require(map, &["action"]);
    if association {
        c.require(map, &["parentID"]);
    }
    c.members(map, true, |c, name, value| match name {
        "parentID" => key(c, value),
        "childEPCs" => keys(c, value),
        "childQuantityList" => quantities(c, value),
        "action" => action(c, value),
        _ => common(c, name, value) || business(c, name, value),
    });
    if !(filled(map, "childEPCs") || filled(map, "childQuantityList") || is_action(map, "DELETE")) {
        c.fault(Fault::Rule(
            "without action DELETE there are `childEPCs` or `childQuantityList`",
        ));
    }
}

fn transaction_event(c: &mut Checker, map: &Members) {
    c.require(map, &["bizTransactionList", "action"]);
    c.members(map, true, |c, name, value| match name {
        "parentID" => key(c, value),
        "epcList" => keys(c, value),
        "quantityList" => quantities(c, value),
        "action" => action(c, value),
        _ => common(c, name, value) || business(c, name, value),
    });
    if let Some(list) = map.get("bizTransactionList")
        && list.as_array().is_some_and(Vec::is_empty)
    {
        c.at("bizTransactionList", |c| c.fault(Fault::Empty));
    }
    if !(map.contains_key("epcList") || filled(map, "quantityList") || is_action(map, "DELETE")) {
        c.fault(Fault::Rule(
            "without action DELETE there are `epcList` or `quantityList`",
        ));
    }
}

fn transformation_event(c: &mut Checker, map: &Members) {
    c.members(map, true, |c, name, value| match name {
        "inputEPCList" | "outputEPCList" => unique_keys(c, value),
        "inputQuantityList" | "outputQuantityList" => quantities(c, value),
        "transformationID" => key(c, value),
        "persistentDisposition" => persistent_disposition(c, value),
        "ilmd" => ilmd(c, value),
        _ => common(c, name, value) || business(c, name, value),
    });
    let input = filled(map, "inputEPCList") || filled(map, "inputQuantityList");
    let output = filled(map, "outputEPCList") || filled(map, "outputQuantityList");
    let linked = map.contains_key("transformationID") && (input || output);
    if !(input && output || linked) {
        c.fault(Fault::Rule(
            "a transformation has inputs and outputs, or one of them and `transformationID`",
        ));
    }
}

/// The members that every event has.
fn common(c: &mut Checker, name: &str, value: &Value) -> bool {
    match name {
        "type" => {}
        "@context" => context(c, value),
        "eventTime" | "recordTime" => c.time(value),
        "eventTimeZoneOffset" => c.form(
            value,
            "an offset such as `+02:00`, at most 14:00",
            is_offset,
        ),
        "eventID" => c.uri(value),
        "certificationInfo" => {
            if value.is_array() {
                c.list(value, Checker::uri);
            } else {
                c.uri(value);
            }
        }
        "errorDeclaration" => error_declaration(c, value),
        _ => return false,
    }
    true
}

/// The members that the five types share: why, where, and what sensors said.
fn business(c: &mut Checker, name: &str, value: &Value) -> bool {
    match name {
        "bizStep" => c.cbv(value, "bizStep", BIZ_STEPS),
        "disposition" => c.cbv(value, "disposition", DISPOSITIONS),
        "readPoint" | "bizLocation" => {
            if let Some(map) = c.object(value) {
                c.require(map, &["id"]);
                if let Some(id) = map.get("id") {
                    c.at("id", |c| c.key(id));
                }
            }
        }
        "bizTransactionList" => c.list(value, |c, value| {
            typed(c, value, "bizTransaction", BIZ_TRANSACTION_TYPES, false);
        }),
        "sourceList" => c.list(value, |c, v| {
            typed(c, v, "source", SOURCE_DESTINATION_TYPES, true)
        }),
        "destinationList" => c.list(value, |c, v| {
            typed(c, v, "destination", SOURCE_DESTINATION_TYPES, true);
        }),
        "sensorElementList" => c.list(value, sensor_element),
        _ => return false,
    }
    true
}

/// A JSON-LD context: a URI, an object, or a list of different ones.
pub(super) fn context(c: &mut Checker, value: &Value) {
    fn one(c: &mut Checker, value: &Value) {
        match value {
            Value::Object(_) => {}
            Value::String(_) => c.uri(value),
            _ => c.fault(Fault::Type("a URI or an object")),
        }
    }
    if value.is_array() {
        c.list(value, one);
        c.unique(value);
    } else {
        one(c, value);
    }
}

fn error_declaration(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.require(map, &["declarationTime"]);
    c.members(map, true, |c, name, value| {
        match name {
            "declarationTime" => c.time(value),
            "reason" => c.cbv(value, "reason", ERROR_REASONS),
            "correctiveEventIDs" => c.list(value, Checker::uri),
            _ => return false,
        }
        true
    });
}

fn persistent_disposition(c: &mut Checker, value: &Value) -> bool {
    if let Some(map) = c.object(value) {
        c.members(map, false, |c, name, value| {
            let known = matches!(name, "set" | "unset");
            if known {
                c.list_of(value, 1, |c, v| c.cbv(v, "disposition", DISPOSITIONS));
                c.unique(value);
            }
            known
        });
        if !(map.contains_key("set") || map.contains_key("unset")) {
            c.fault(Fault::Rule("there is `set` or `unset`"));
        }
    }
    true
}

fn ilmd(c: &mut Checker, value: &Value) -> bool {
    if let Some(map) = c.object(value) {
        c.members(map, true, |_, _, _| false);
    }
    true
}

fn quantities(c: &mut Checker, value: &Value) -> bool {
    c.list(value, |c, value| {
        let Some(map) = c.object(value) else { return };
        c.require(map, &["epcClass"]);
        c.members(map, false, |c, name, value| {
            match name {
                "epcClass" => c.key(value),
                "quantity" => c.number(value),
                "uom" => c.form(value, "a unit code such as `KGM`", is_uom),
                _ => return false,
            }
            true
        });
    });
    true
}

/// A business transaction, a source or a destination: a URI with a type.
fn typed(
    c: &mut Checker,
    value: &Value,
    member: &'static str,
    types: &[&str],
    type_required: bool,
) {
    let Some(map) = c.object(value) else { return };
    c.require(map, &[member]);
    if type_required {
        c.require(map, &["type"]);
    }
    c.members(map, false, |c, name, value| {
        if name == member {
            c.uri(value);
        } else if name == "type" {
            c.cbv(value, "type", types);
        }
        name == member || name == "type"
    });
}

fn key(c: &mut Checker, value: &Value) -> bool {
    c.key(value);
    true
}

fn keys(c: &mut Checker, value: &Value) -> bool {
    c.list(value, Checker::key);
    true
}

fn unique_keys(c: &mut Checker, value: &Value) -> bool {
    keys(c, value);
    c.unique(value);
    true
}

fn action(c: &mut Checker, value: &Value) -> bool {
    c.form(value, "ADD, OBSERVE or DELETE", |text| {
        ACTIONS.contains(&text)
    });
    true
}

fn is_action(map: &Members, wanted: &str) -> bool {
    map.get("action").and_then(Value::as_str) == Some(wanted)
}

fn filled(map: &Members, name: &str) -> bool {
    map.get(name)
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
}

/// `+hh:mm` or `-hh:mm`, at most 14:00.
fn is_offset(text: &str) -> bool {
    let [sign, h1, h2, b':', m1, m2] = text.as_bytes() else {
        return false;
    };
    let digits = [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit());
    let hour_is_good =
        matches!((h1, h2), (b'0', _) | (b'1', b'0'..=b'3')) && (b'0'..=b'5').contains(m1);
    matches!(sign, b'+' | b'-') && digits && (hour_is_good || &text[1..] == "14:00")
}

/// Two or three upper-case letters or digits (UN/CEFACT Recommendation 20).
fn is_uom(text: &str) -> bool {
    (2..=3).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
