//! Collects faults while walking a document, with the pointer to where it stands.

use serde_json::{Map, Value};

use super::{Fault, Profile, VIOLATIONS_MAX, Violation};
use crate::uri::is_uri;
use crate::{canonical, gs1};
use stele_core::calendar::parse_date_time;

pub(super) struct Checker {
    pub(super) profile: Profile,
    pub(super) skip_events: bool,
    pointer: String,
    found: Vec<Violation>,
}

impl Checker {
    pub(super) fn new(profile: Profile) -> Self {
        Self {
            profile,
            skip_events: false,
            pointer: String::new(),
            found: Vec::new(),
        }
    }

    pub(super) fn finish<T>(self, good: T) -> Result<T, Vec<Violation>> {
        if self.found.is_empty() {
            Ok(good)
        } else {
            Err(self.found)
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        if self.found.len() < VIOLATIONS_MAX {
            self.found.push(Violation {
                pointer: self.pointer.clone(),
                fault,
            });
        }
    }

    /// Runs `check` one step deeper.
    pub(super) fn at(&mut self, step: &str, check: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer
            .push_str(&step.replace('~', "~0").replace('/', "~1"));
        check(self);
        self.pointer.truncate(length);
    }

    pub(super) fn object<'v>(&mut self, value: &'v Value) -> Option<&'v Map<String, Value>> {
        let map = value.as_object();
        if map.is_none() {
            self.fault(Fault::Type("an object"));
        }
        map
    }

    pub(super) fn require(&mut self, map: &Map<String, Value>, names: &[&'static str]) {
        for name in names {
            if !map.contains_key(*name) {
                self.fault(Fault::Missing(name));
            }
        }
    }

    /// Each member by `check`, which says whether it knows the name; unknown names must be URIs when `extensible`.
    pub(super) fn members(
        &mut self,
        map: &Map<String, Value>,
        extensible: bool,
        mut check: impl FnMut(&mut Self, &str, &Value) -> bool,
    ) {
        for (name, value) in map {
            self.at(name, |c| {
                if !(check(c, name, value) || extensible && is_uri(name)) {
                    c.fault(Fault::UnknownMember);
                }
            });
        }
    }

    pub(super) fn list(&mut self, value: &Value, mut check: impl FnMut(&mut Self, &Value)) {
        let Some(items) = value.as_array() else {
            return self.fault(Fault::Type("an array"));
        };
        for (index, item) in items.iter().enumerate() {
            self.at(&index.to_string(), |c| check(c, item));
        }
    }

    /// A list with at least `min` items.
    pub(super) fn list_of(
        &mut self,
        value: &Value,
        min: usize,
        check: impl FnMut(&mut Self, &Value),
    ) {
        self.list(value, check);
        if value.as_array().is_some_and(|items| items.len() < min) {
            self.fault(Fault::Empty);
        }
    }

    /// No two items are equal; numbers are equal by value, objects whatever their order.
    pub(super) fn unique(&mut self, value: &Value) {
        let Some(items) = value.as_array() else {
            return;
        };
        let mut seen = std::collections::HashSet::new();
        for (index, item) in items.iter().enumerate() {
            if !seen.insert(canonical::comparable(item)) {
                self.at(&index.to_string(), |c| c.fault(Fault::Duplicate));
            }
        }
    }

    pub(super) fn string<'v>(&mut self, value: &'v Value) -> Option<&'v str> {
        let text = value.as_str();
        if text.is_none() {
            self.fault(Fault::Type("a string"));
        }
        text
    }

    pub(super) fn number(&mut self, value: &Value) {
        if !value.is_number() {
            self.fault(Fault::Type("a number"));
        }
    }

    pub(super) fn boolean(&mut self, value: &Value) {
        if !value.is_boolean() {
            self.fault(Fault::Type("a boolean"));
        }
    }

    pub(super) fn uri(&mut self, value: &Value) {
        if let Some(text) = self.string(value)
            && !is_uri(text)
        {
            self.fault(Fault::NotUri);
        }
    }

    /// A URI that identifies a thing, a class or a place: in the strict profile GS1 keys have GS1's form.
    pub(super) fn key(&mut self, value: &Value) {
        self.uri(value);
        if self.profile == Profile::Strict
            && let Some(Err(fault)) = value.as_str().map(gs1::check)
        {
            self.fault(Fault::Key(fault));
        }
    }

    pub(super) fn time(&mut self, value: &Value) {
        if let Some(text) = self.string(value)
            && parse_date_time(text).is_none()
        {
            self.fault(Fault::NotDateTime);
        }
    }

    pub(super) fn form(&mut self, value: &Value, form: &'static str, good: fn(&str) -> bool) {
        if let Some(text) = self.string(value)
            && !good(text)
        {
            self.fault(Fault::Form(form));
        }
    }

    /// A bare word, or a URI that does not start with one of `own`: the standard's own words must be bare.
    pub(super) fn word(&mut self, value: &Value, name: &'static str, words: &[&str], own: &[&str]) {
        if let Some(text) = self.string(value) {
            let foreign = is_uri(text) && !own.iter().any(|prefix| text.starts_with(prefix));
            if !foreign && !words.contains(&text) {
                self.fault(Fault::NotInVocabulary(name));
            }
        }
    }

    /// A word of the Core Business Vocabulary.
    pub(super) fn cbv(&mut self, value: &Value, name: &'static str, words: &[&str]) {
        const OWN: &[&str] = &[
            "urn:epcglobal:cbv",
            "http://ns.gs1.org/cbv/",
            "https://ns.gs1.org/cbv/",
        ];
        self.word(value, name, words, OWN);
    }

    /// A word of the GS1 Web Vocabulary.
    pub(super) fn web(&mut self, value: &Value, name: &'static str, words: &[&str]) {
        const OWN: &[&str] = &[
            "http://gs1.org/voc/",
            "https://gs1.org/voc/",
            "http://www.gs1.org/voc/",
            "https://www.gs1.org/voc/",
        ];
        self.word(value, name, words, OWN);
    }
}
