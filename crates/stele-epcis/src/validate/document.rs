//! Documents: the frame around events.

use serde_json::Value;

use super::checker::Checker;
use super::event::{context, event};
use super::{Fault, Kind};

const EVENT_DOCUMENT: &str = "EPCISDocument";
const QUERY_DOCUMENT: &str = "EPCISQueryDocument";

/// A document of either kind, or an event that stands alone.
pub(super) fn top(c: &mut Checker, value: &Value) -> Kind {
    let Some(map) = c.object(value) else {
        return Kind::Event;
    };
    match map.get("type").and_then(Value::as_str) {
        Some(EVENT_DOCUMENT) => {
            event_document(c, value);
            Kind::Document
        }
        Some(QUERY_DOCUMENT) => {
            query_document(c, value);
            Kind::QueryDocument
        }
        _ => {
            c.require(map, &["@context"]);
            event(c, value);
            Kind::Event
        }
    }
}

fn event_document(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.require(
        map,
        &["@context", "schemaVersion", "creationDate", "epcisBody"],
    );
    c.members(map, true, |c, name, value| {
        match name {
            "type" => {}
            "instanceIdentifier" | "sender" | "receiver" => {
                c.string(value);
            }
            "epcisHeader" => header(c, value),
            "epcisBody" => {
                let Some(body) = c.object(value) else {
                    return true;
                };
                c.require(body, &["eventList"]);
                if let Some(events) = body.get("eventList") {
                    c.at("eventList", |c| event_list(c, events));
                }
            }
            _ => return frame(c, name, value),
        }
        true
    });
}

fn query_document(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.require(map, &["@context", "epcisBody"]);
    c.members(map, true, |c, name, value| {
        match name {
            "type" => {}
            "epcisBody" => {
                let Some(body) = c.object(value) else {
                    return true;
                };
                c.require(body, &["queryResults"]);
                c.members(body, true, |c, name, value| {
                    if name == "queryResults" {
                        query_results(c, value);
                    }
                    name == "queryResults"
                });
            }
            _ => return frame(c, name, value),
        }
        true
    });
}

/// The members that both kinds of document share.
fn frame(c: &mut Checker, name: &str, value: &Value) -> bool {
    match name {
        "@context" => context(c, value),
        "id" => c.uri(value),
        "schemaVersion" => c.form(value, "a version such as `2.0`", is_version),
        "creationDate" => c.time(value),
        _ => return false,
    }
    true
}

fn query_results(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.require(map, &["queryName", "resultsBody"]);
    c.members(map, true, |c, name, value| {
        match name {
            "queryName" | "subscriptionID" => {
                c.string(value);
            }
            "resultsBody" => {
                let Some(body) = c.object(value) else {
                    return true;
                };
                c.require(body, &["eventList"]);
                c.members(body, true, |c, name, value| {
                    match name {
                        "eventList" => event_list(c, value),
                        "vocabularyList" => c.list(value, vocabulary),
                        _ => return false,
                    }
                    true
                });
            }
            _ => return false,
        }
        true
    });
}

fn event_list(c: &mut Checker, value: &Value) {
    if c.skip_events {
        if !value.is_array() {
            c.fault(Fault::Type("an array"));
        }
    } else {
        c.list(value, event);
    }
}

fn header(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.members(map, true, |c, name, value| {
        if name != "epcisMasterData" {
            return false;
        }
        if let Some(data) = c.object(value)
            && let Some(list) = data.get("vocabularyList")
        {
            c.at("vocabularyList", |c| c.list(list, vocabulary));
        }
        true
    });
}

fn vocabulary(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.require(map, &["type"]);
    if let Some(kind) = map.get("type") {
        c.at("type", |c| c.uri(kind));
    }
    if let Some(list) = map.get("vocabularyElementList") {
        c.at("vocabularyElementList", |c| {
            c.list(list, vocabulary_element)
        });
    }
}

fn vocabulary_element(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.require(map, &["id"]);
    if let Some(id) = map.get("id") {
        c.at("id", |c| c.uri(id));
    }
    if let Some(list) = map.get("children") {
        c.at("children", |c| c.list(list, Checker::uri));
    }
    if let Some(list) = map.get("attributes") {
        c.at("attributes", |c| {
            c.list(list, |c, value| {
                let Some(map) = c.object(value) else { return };
                c.require(map, &["id"]);
                if let Some(id) = map.get("id") {
                    c.at("id", |c| c.uri(id));
                }
                if let Some(value) = map.get("attribute")
                    && !(value.is_number() || value.is_string() || value.is_object())
                {
                    c.at("attribute", |c| {
                        c.fault(Fault::Type("a number, a string or an object"))
                    });
                }
            });
        });
    }
}

/// Digits, with points between them.
fn is_version(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}
