//! Answers: status, headers, JSON, and events wrapped into the standard's query document.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{CONTEXT, VERSION};
use crate::problem::Problem;
use crate::query::Parameters;
use crate::store::StoredEvent;
use stele_core::calendar::format_date_time;

/// An answer, ready for HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers beside `Content-Type`.
    pub headers: Vec<(&'static str, String)>,
    /// `application/json`, or `application/problem+json` for a problem; nothing for an empty answer.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Option<Value>,
    /// For the server's log, never for the client: why the answer is a failure of the server.
    pub internal: Option<String>,
}

impl Response {
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: vec![
                ("GS1-EPCIS-Version", VERSION.to_owned()),
                ("GS1-CBV-Version", VERSION.to_owned()),
            ],
            content_type: None,
            body: None,
            internal: None,
        }
    }

    pub(super) fn json(status: u16, body: Value) -> Self {
        Self {
            content_type: Some("application/json"),
            body: Some(body),
            ..Self::empty(status)
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The `Link` header of a list: the same query with the next page's token, relative to the request's own address.
    pub(super) fn link(self, next: Option<String>, parameters: &Parameters) -> Self {
        match next {
            Some(token) => {
                let query = parameters.to_query_string(&token);
                self.header("Link", format!("<?{query}>; rel=\"next\""))
            }
            None => self,
        }
    }

    /// The value of a header.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        Self {
            content_type: Some("application/problem+json"),
            body: Some(problem.to_json()),
            internal: Some(problem.internal.clone()).filter(|text| !text.is_empty()),
            ..Self::empty(problem.status())
        }
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
            out
        })
}

/// Events as an `EPCISQueryDocument`, each with its `recordTime`.
///
/// The document's context joins those of the events. An event whose context gives a prefix another meaning than the
/// document's keeps its own, so no name ever changes its meaning. With one event, or several of one context, the
/// document's context is exactly theirs, and event, context and salt give the commitment again.
pub(super) fn query_document(name: &str, events: Vec<StoredEvent>, now_ms: i64) -> Value {
    let mut contexts = Contexts::default();
    let events: Vec<Value> = events
        .into_iter()
        .map(|stored| {
            let mut event = stored.event;
            if let Some(map) = event.as_object_mut() {
                if let Some(context) = map.get("@context")
                    && contexts.join(context)
                {
                    map.shift_remove("@context");
                }
                map.insert(
                    "recordTime".to_owned(),
                    format_date_time(stored.record_ms).into(),
                );
            }
            event
        })
        .collect();
    json!({
        "@context": contexts.into_value(),
        "type": "EPCISQueryDocument",
        "schemaVersion": "2.0",
        "creationDate": format_date_time(now_ms),
        "epcisBody": {"queryResults": {"queryName": name, "resultsBody": {"eventList": events}}},
    })
}

#[derive(Default)]
struct Contexts {
    /// The one context of all events so far, as it was written.
    only: Option<Value>,
    parts: Vec<Value>,
    prefixes: HashMap<String, Value>,
}

impl Contexts {
    /// Takes a context in, unless it gives a prefix another meaning.
    fn join(&mut self, context: &Value) -> bool {
        let parts = context
            .as_array()
            .map_or(std::slice::from_ref(context), Vec::as_slice);
        let objects = || parts.iter().filter_map(Value::as_object);
        let clash = |map: &Map<String, Value>| {
            map.iter().any(|(name, meaning)| {
                self.prefixes
                    .get(name)
                    .is_some_and(|known| known != meaning)
            })
        };
        if objects().any(clash) {
            return false;
        }
        for map in objects() {
            self.prefixes
                .extend(map.iter().map(|(n, v)| (n.clone(), v.clone())));
        }
        if self.parts.is_empty() {
            self.only = Some(context.clone());
        } else if self.only.as_ref() != Some(context) {
            self.only = None;
        }
        for part in parts {
            if !self.parts.contains(part) {
                self.parts.push(part.clone());
            }
        }
        true
    }

    fn into_value(self) -> Value {
        match self.only {
            Some(only) => only,
            None if self.parts.is_empty() => json!([CONTEXT]),
            None => Value::Array(self.parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_join_without_changing_a_name() {
        let gs1 = json!(CONTEXT);
        let (a, b) = (
            json!({"ex": "https://a.example/"}),
            json!({"ex": "https://b.example/"}),
        );
        let mut contexts = Contexts::default();
        assert!(contexts.join(&json!([gs1, a])));
        assert!(contexts.join(&json!([gs1, a])));
        assert!(
            !contexts.join(&json!([gs1, b])),
            "the prefix means something else"
        );
        assert!(contexts.join(&json!(CONTEXT)));
        assert_eq!(contexts.into_value(), json!([gs1, a]));
        let mut one = Contexts::default();
        assert!(one.join(&json!(CONTEXT)));
        assert_eq!(one.into_value(), json!(CONTEXT));
    }

    #[test]
    fn encoding() {
        assert_eq!(encode("urn:x/ä|b"), "urn%3Ax%2F%C3%A4%7Cb");
    }
}
