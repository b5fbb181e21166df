//! What an event says, flattened: the items it names, its times, and the terms that queries look for.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::gs1::match_key;
use stele_core::calendar::parse_date_time;

/// Members of the standard's events; everything else is an extension.
const STANDARD: &[&str] = &[
    "@context",
    "type",
    "eventTime",
    "recordTime",
    "eventTimeZoneOffset",
    "eventID",
    "certificationInfo",
    "errorDeclaration",
    "epcList",
    "quantityList",
    "action",
    "bizStep",
    "disposition",
    "persistentDisposition",
    "readPoint",
    "bizLocation",
    "bizTransactionList",
    "sourceList",
    "destinationList",
    "sensorElementList",
    "ilmd",
    "parentID",
    "childEPCs",
    "childQuantityList",
    "inputEPCList",
    "inputQuantityList",
    "outputEPCList",
    "outputQuantityList",
    "transformationID",
];
/// Prefixes of the standard's own words when they are written as URIs or compact names.
const WORD_PREFIXES: &[&str] = &[
    "urn:epcglobal:cbv:bizstep:",
    "urn:epcglobal:cbv:disp:",
    "urn:epcglobal:cbv:btt:",
    "urn:epcglobal:cbv:sdt:",
    "urn:epcglobal:cbv:er:",
    "https://ref.gs1.org/cbv/BizStep-",
    "https://ref.gs1.org/cbv/Disp-",
    "https://ref.gs1.org/cbv/BTT-",
    "https://ref.gs1.org/cbv/SDT-",
    "https://ref.gs1.org/cbv/ER-",
    "cbv:BizStep-",
    "cbv:Disp-",
    "cbv:BTT-",
    "cbv:SDT-",
    "cbv:ER-",
    "https://gs1.org/voc/",
    "https://www.gs1.org/voc/",
    "gs1:",
];

/// An event, flattened. The event must be valid.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFacts {
    /// `eventID`.
    pub event_id: String,
    /// `type`.
    pub event_type: String,
    /// `eventTime` in milliseconds since 1970.
    pub time_ms: i64,
    /// The error declaration, when the event has one.
    pub declaration: Option<Declaration>,
    /// Single things that it names, each once, in order: `epcList`, `childEPCs`, `parentID`, inputs and outputs.
    pub epcs: Vec<String>,
    /// Classes of things that its quantities count, such as lots, each once, in order.
    pub classes: Vec<String>,
    /// What it can be found by: field and text. Keys of both spellings stand in a field that ends in `~`.
    pub(crate) terms: BTreeSet<(String, String)>,
    /// What it can be found by: field and number. Times are milliseconds since 1970.
    pub(crate) numbers: Vec<(String, f64)>,
}

/// An error declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// `declarationTime` in milliseconds since 1970.
    pub time_ms: i64,
    /// `reason`.
    pub reason: Option<String>,
    /// `correctiveEventIDs`.
    pub corrective_event_ids: Vec<String>,
}

impl EventFacts {
    /// Flattens a valid event with an `eventID`; nothing for any other value.
    pub fn of(event: &Value) -> Option<Self> {
        let map = event.as_object()?;
        let mut facts = Self {
            event_id: text(map, "eventID")?.to_owned(),
            event_type: text(map, "type")?.to_owned(),
            time_ms: parse_date_time(text(map, "eventTime")?)?,
            declaration: None,
            epcs: Vec::new(),
            classes: Vec::new(),
            terms: BTreeSet::new(),
            numbers: Vec::new(),
        };
        facts.things(map);
        facts.business(map);
        facts.declaration = facts.declared(map);
        for sensor in items(map, "sensorElementList") {
            facts.sensor(sensor);
        }
        for (name, value) in map
            .iter()
            .filter(|(name, _)| !STANDARD.contains(&name.as_str()))
        {
            facts.extension("x:", name, value);
        }
        for (name, value) in map
            .get("ilmd")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            facts.extension("ilmd:", name, value);
        }
        Some(facts)
    }

    fn term(&mut self, field: &str, value: &str) {
        self.terms.insert((field.to_owned(), value.to_owned()));
    }

    fn key(&mut self, field: &str, uri: &str) {
        self.term(field, uri);
        self.term(&format!("{field}~"), &match_key(uri));
    }

    /// What: the five lists of single things and the four of quantities.
    fn things(&mut self, map: &Map<String, Value>) {
        let parent = map.get("parentID").into_iter();
        let lists = [
            ("epcList", "epc"),
            ("childEPCs", "epc"),
            ("inputEPCList", "inputEPC"),
            ("outputEPCList", "outputEPC"),
        ];
        let singles = lists
            .into_iter()
            .flat_map(|(list, field)| items(map, list).map(move |v| (field, v)));
        for (field, value) in singles.chain(parent.map(|v| ("parentID", v))) {
            let Some(uri) = value.as_str() else { continue };
            self.key(field, uri);
            self.key("anyEPC", uri);
            if !self.epcs.iter().any(|seen| seen == uri) {
                self.epcs.push(uri.to_owned());
            }
        }
        let quantities = [
            ("quantityList", "epcClass"),
            ("childQuantityList", "epcClass"),
            ("inputQuantityList", "inputEPCClass"),
            ("outputQuantityList", "outputEPCClass"),
        ];
        for (list, field) in quantities {
            for element in items(map, list).filter_map(Value::as_object) {
                let Some(uri) = text(element, "epcClass") else {
                    continue;
                };
                self.key(field, uri);
                self.key("anyEPCClass", uri);
                if !self.classes.iter().any(|seen| seen == uri) {
                    self.classes.push(uri.to_owned());
                }
                if let Some(quantity) = element.get("quantity").and_then(Value::as_f64) {
                    self.numbers.push(("quantity".to_owned(), quantity));
                    if let Some(uom) = text(element, "uom") {
                        self.numbers.push((format!("quantity_{uom}"), quantity));
                    }
                }
            }
        }
        if let Some(id) = text(map, "transformationID") {
            self.key("transformationID", id);
        }
    }

    /// Why and where.
    fn business(&mut self, map: &Map<String, Value>) {
        for field in ["action", "bizStep", "disposition"] {
            if let Some(value) = text(map, field) {
                self.term(field, word(value));
            }
        }
        for field in ["readPoint", "bizLocation"] {
            if let Some(id) = map
                .get(field)
                .and_then(|place| place.get("id"))
                .and_then(Value::as_str)
            {
                self.key(field, id);
            }
        }
        if let Some(change) = map.get("persistentDisposition").and_then(Value::as_object) {
            for name in ["set", "unset"] {
                for value in items(change, name).filter_map(Value::as_str) {
                    self.term(&format!("persistentDisposition_{name}"), word(value));
                }
            }
        }
        let lists = [
            ("bizTransactionList", "bizTransaction"),
            ("sourceList", "source"),
            ("destinationList", "destination"),
        ];
        for (list, member) in lists {
            for element in items(map, list).filter_map(Value::as_object) {
                if let (Some(uri), kind) = (text(element, member), text(element, "type")) {
                    self.key(&format!("{member}_{}", word(kind.unwrap_or_default())), uri);
                }
            }
        }
    }

    fn declared(&mut self, map: &Map<String, Value>) -> Option<Declaration> {
        let declaration = map.get("errorDeclaration")?.as_object()?;
        let time_ms = parse_date_time(text(declaration, "declarationTime")?)?;
        let reason = text(declaration, "reason").map(str::to_owned);
        let corrective_event_ids: Vec<String> = items(declaration, "correctiveEventIDs")
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        self.term("has", "errorDeclaration");
        self.numbers
            .push(("errorDeclarationTime".to_owned(), time_ms as f64));
        if let Some(reason) = &reason {
            self.term("errorReason", word(reason));
        }
        for id in &corrective_event_ids {
            self.term("correctiveEventID", id);
        }
        Some(Declaration {
            time_ms,
            reason,
            corrective_event_ids,
        })
    }

    fn sensor(&mut self, element: &Value) {
        self.term("has", "sensorElementList");
        let metadata = element.get("sensorMetadata").into_iter();
        let reports = element
            .get("sensorReport")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for map in metadata.chain(reports).filter_map(Value::as_object) {
            for (name, value) in map {
                match (name.as_str(), value) {
                    ("time" | "startTime" | "endTime", Value::String(text)) => {
                        if let Some(ms) = parse_date_time(text) {
                            self.numbers.push((name.clone(), ms as f64));
                        }
                    }
                    (_, Value::Number(number)) => {
                        let uom = text(map, "uom").unwrap_or_default();
                        let number = number.as_f64().unwrap_or_default();
                        self.numbers.push((name.clone(), number));
                        self.numbers.push((format!("{name}_{uom}"), number));
                    }
                    ("type", Value::String(text)) => self.term("sensorType", word(text)),
                    (_, Value::String(text)) => self.term(name, text),
                    (_, Value::Bool(value)) => {
                        self.term(name, if *value { "true" } else { "false" })
                    }
                    _ => {}
                }
            }
        }
    }

    /// An extension's or ILMD's top-level value; values inside it are not indexed.
    fn extension(&mut self, kind: &str, name: &str, value: &Value) {
        let field = format!("{kind}{name}");
        self.term("has", &field);
        let values = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            match value {
                Value::String(text) => {
                    self.term(&field, text);
                    let number = parse_date_time(text)
                        .map(|ms| ms as f64)
                        .or_else(|| text.parse().ok());
                    self.numbers
                        .extend(number.filter(|n| n.is_finite()).map(|n| (field.clone(), n)));
                }
                Value::Number(number) => {
                    self.term(&field, &number.to_string());
                    self.numbers
                        .extend(number.as_f64().map(|n| (field.clone(), n)));
                }
                Value::Bool(value) => self.term(&field, if *value { "true" } else { "false" }),
                _ => {}
            }
        }
    }
}

/// The bare word of a standard vocabulary's value in any of its spellings; another value as it is.
pub(crate) fn word(value: &str) -> &str {
    WORD_PREFIXES
        .iter()
        .find_map(|prefix| value.strip_prefix(prefix))
        .unwrap_or(value)
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name)?.as_str()
}

fn items<'a>(map: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    map.get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_and_terms_of_an_event() {
        let event = json!({
            "type": "AggregationEvent", "eventID": "urn:uuid:1", "eventTime": "2024-01-01T00:00:00Z",
            "parentID": "urn:epc:id:sscc:0614141.1234567890", "action": "ADD",
            "childEPCs": ["urn:epc:id:sgtin:0614141.812345.1", "urn:epc:id:sgtin:0614141.812345.1"],
            "childQuantityList": [{"epcClass": "urn:epc:class:lgtin:0614141.812345.L1", "quantity": 2.5, "uom": "KGM"}],
            "bizStep": "https://ref.gs1.org/cbv/BizStep-packing", "ex:size": ["7", "big"],
            "errorDeclaration": {"declarationTime": "2024-01-02T00:00:00Z", "reason": "incorrect_data"},
            "sensorElementList": [{"sensorReport": [{"type": "Temperature", "value": 4.5, "uom": "CEL"}]}],
        });
        let facts = EventFacts::of(&event).expect("facts");
        assert_eq!(
            facts.epcs,
            [
                "urn:epc:id:sgtin:0614141.812345.1",
                "urn:epc:id:sscc:0614141.1234567890"
            ]
        );
        assert_eq!(facts.classes, ["urn:epc:class:lgtin:0614141.812345.L1"]);
        assert_eq!(facts.time_ms, 1_704_067_200_000);
        for (field, value) in [
            ("bizStep", "packing"),
            ("anyEPC~", "/01/80614141123458/21/1"),
            ("parentID~", "/00/106141412345678908"),
            ("has", "errorDeclaration"),
            ("x:ex:size", "big"),
            ("sensorType", "Temperature"),
        ] {
            assert!(
                facts.terms.contains(&(field.to_owned(), value.to_owned())),
                "{field} {value}"
            );
        }
        for (field, value) in [
            ("quantity_KGM", 2.5),
            ("value_CEL", 4.5),
            ("x:ex:size", 7.0),
        ] {
            assert!(
                facts.numbers.contains(&(field.to_owned(), value)),
                "{field}"
            );
        }
        assert_eq!(EventFacts::of(&json!([])), None);
    }
}
