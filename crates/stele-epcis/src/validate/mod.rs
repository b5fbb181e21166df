//! Validation of EPCIS 2.0 documents and events, agreeing with GS1's JSON Schema.
//!
//! [`validate`] accepts what `EPCIS-JSON-Schema.json` accepts with `format` asserted (URIs by RFC 3986, times by RFC
//! 3339), and names every fault with a JSON pointer (RFC 6901). tests/foreign/test_epcis.py compares the verdicts with
//! PyPI jsonschema's over GS1's documents and thousands of mutations of them; docs/epcis.md lists the differences.
//! [`Profile::Strict`] also checks the form of GS1 keys.

mod checker;
mod document;
mod event;
mod sensor;
pub mod vocabulary;

use std::fmt;

use serde_json::Value;

use checker::Checker;

/// Faults that are named before the rest of a document is left unread.
pub const VIOLATIONS_MAX: usize = 100;

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// What GS1's JSON Schema asks.
    #[default]
    Schema,
    /// Also the form of GS1 keys: EPC URNs and the primary keys of GS1 Digital Link URIs.
    Strict,
}

/// What a valid text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `EPCISDocument`.
    Document,
    /// `EPCISQueryDocument`.
    QueryDocument,
    /// One event with its own `@context`.
    Event,
}

/// One fault and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer to the faulty value; empty for the whole.
    pub pointer: String,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.pointer.is_empty() {
            "the document"
        } else {
            &self.pointer
        };
        write!(f, "{at}: {}", self.fault)
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It has another JSON type.
    #[error("expected {0}")]
    Type(&'static str),
    /// A required member is missing.
    #[error("member `{0}` is missing")]
    Missing(&'static str),
    /// The member has no meaning here, and its name is not that of an extension (a URI or `prefix:name`).
    #[error("no such member; an extension is named by a URI or `prefix:name`")]
    UnknownMember,
    /// It is not a URI.
    #[error("not a URI (RFC 3986)")]
    NotUri,
    /// It is not a date-time.
    #[error("not a date-time with a zone (RFC 3339)")]
    NotDateTime,
    /// It is neither one of the words nor a URI of another vocabulary.
    #[error("neither a standard value of {0} nor a URI of another vocabulary")]
    NotInVocabulary(&'static str),
    /// It is written in another form.
    #[error("expected {0}")]
    Form(&'static str),
    /// It stands in the list twice.
    #[error("stands in the list twice")]
    Duplicate,
    /// The list must not be empty.
    #[error("must not be empty")]
    Empty,
    /// A rule across members.
    #[error("{0}")]
    Rule(&'static str),
    /// A GS1 key of a wrong form ([`Profile::Strict`]).
    #[error("not a well-formed GS1 key: {0}")]
    Key(&'static str),
}

/// Checks a document or a single event.
///
/// # Errors
/// At least one violation, at most [`VIOLATIONS_MAX`].
pub fn validate(value: &Value, profile: Profile) -> Result<Kind, Vec<Violation>> {
    let mut checker = Checker::new(profile);
    let kind = document::top(&mut checker, value);
    checker.finish(kind)
}

/// Checks an event as it stands in a document's `eventList`, where `@context` may be missing.
///
/// # Errors
/// As [`validate`]; pointers start at the event.
pub fn validate_event(value: &Value, profile: Profile) -> Result<(), Vec<Violation>> {
    let mut checker = Checker::new(profile);
    event::event(&mut checker, value);
    checker.finish(())
}

/// Checks a document without its events. For a capture that goes on after faulty events.
///
/// # Errors
/// As [`validate`].
pub fn validate_frame(value: &Value, profile: Profile) -> Result<Kind, Vec<Violation>> {
    let mut checker = Checker::new(profile);
    checker.skip_events = true;
    let kind = document::top(&mut checker, value);
    checker.finish(kind)
}
