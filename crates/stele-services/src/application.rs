//! What an application consists of, what credentials fill in by themselves, and what is still missing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::dates;
use crate::definition::Definition;
use crate::file::{FieldKind, FormField, Language, Text, When};
use crate::words;

/// The longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 2000;

/// What an applicant hands in. It stays with applicant and office; the chain gets salted commitments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Application {
    /// The disclosed claims of verified credentials, by the code of the need.
    pub credentials: BTreeMap<String, Json>,
    /// The answers, by the code of the field.
    pub answers: Map<String, Json>,
    /// The codes of the documents that are uploaded.
    pub documents: BTreeSet<String>,
}

/// What is wrong with an item of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// It is not there.
    Missing,
    /// The credential does not disclose a claim that is asked for.
    ClaimMissing,
    /// The answer is not of the field's kind.
    Invalid,
    /// The answer says something else than the credential that fills the field in.
    Differs,
    /// The definition does not ask for it.
    NotAsked,
}

/// An item that keeps an application from being complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The code of the item; an office asks for it by this code.
    pub code: String,
    /// What is wrong.
    pub kind: GapKind,
    /// What it is called.
    pub title: Option<Text>,
}

impl Gap {
    /// The gap in a sentence.
    pub fn sentence(&self, language: Language) -> String {
        let title = self.title.as_ref().map(|title| title.get(language));
        words::gap(language, self.kind, title.unwrap_or(&self.code))
    }
}

/// Whether a condition holds under these answers; no condition always holds.
pub(crate) fn holds(when: Option<&When>, answers: &Map<String, Json>) -> bool {
    let Some(when) = when else {
        return true;
    };
    match answers.get(&when.field) {
        Some(Json::String(choice)) => *choice == when.is,
        Some(Json::Bool(yes)) => when.is == if *yes { "yes" } else { "no" },
        _ => false,
    }
}

/// The value at a path of claims; `null` counts as absent.
fn claim<'a>(claims: &'a Json, path: &[String]) -> Option<&'a Json> {
    let mut value = claims;
    for part in path {
        value = value.as_object()?.get(part)?;
    }
    (!value.is_null()).then_some(value)
}

/// The fields that presented credentials fill in (once-only).
pub fn prefill(definition: &Definition, credentials: &BTreeMap<String, Json>) -> Map<String, Json> {
    let fields = definition.file().form.iter();
    let filled = fields.filter_map(|field| {
        let from = field.from.as_ref()?;
        let value = claim(credentials.get(&from.credential)?, &from.claim)?;
        Some((field.code.clone(), value.clone()))
    });
    filled.collect()
}

fn fits(field: &FormField, answer: &Json) -> bool {
    match (field.kind, answer) {
        (FieldKind::Text, Json::String(text)) => {
            !text.trim().is_empty() && text.len() <= ANSWER_BYTES_MAX
        }
        (FieldKind::Date, Json::String(text)) => dates::date(text).is_some() || is_old_date(text),
        (FieldKind::Number, Json::Number(number)) => number.is_u64(),
        (FieldKind::Choice, Json::String(code)) => {
            field.choices.iter().any(|choice| choice.code == *code)
        }
        (FieldKind::YesNo, Json::Bool(_)) => true,
        _ => false,
    }
}

/// Days are counted from 1970, but people are older: 400 years later the calendar is the same.
fn is_old_date(text: &str) -> bool {
    let Some((year, rest)) = text.split_once('-') else {
        return false;
    };
    let later = year
        .parse::<u64>()
        .ok()
        .filter(|year| (1600..1970).contains(year));
    later.is_some_and(|year| dates::date(&format!("{}-{rest}", year + 400)).is_some())
}

/// Everything that keeps an application from being complete, in the order of the definition.
pub fn gaps(definition: &Definition, application: &Application) -> Vec<Gap> {
    let file = definition.file();
    let mut answers = application.answers.clone();
    let filled = prefill(definition, &application.credentials);
    for (code, value) in &filled {
        answers.entry(code).or_insert_with(|| value.clone());
    }
    let mut gaps = Vec::new();
    let mut add = |code: &str, kind| {
        gaps.push(Gap {
            code: code.to_owned(),
            kind,
            title: definition.item_title(code).cloned(),
        });
    };
    for need in &file.credentials {
        let asked = holds(need.when.as_ref(), &answers);
        match application.credentials.get(&need.code) {
            None if asked => add(&need.code, GapKind::Missing),
            Some(_) if !asked => add(&need.code, GapKind::NotAsked),
            Some(claims) if need.claims.iter().any(|path| claim(claims, path).is_none()) => {
                add(&need.code, GapKind::ClaimMissing);
            }
            _ => {}
        }
    }
    for field in &file.form {
        let asked = holds(field.when.as_ref(), &answers);
        match answers.get(&field.code) {
            None if asked && field.required => add(&field.code, GapKind::Missing),
            None => {}
            // What a credential fills in by itself is not the applicant's mistake.
            Some(_) if !asked && filled.contains_key(&field.code) => {}
            Some(_) if !asked => add(&field.code, GapKind::NotAsked),
            Some(answer) if !fits(field, answer) => add(&field.code, GapKind::Invalid),
            Some(answer) if filled.get(&field.code).is_some_and(|value| value != answer) => {
                add(&field.code, GapKind::Differs);
            }
            Some(_) => {}
        }
    }
    for need in &file.documents {
        let asked = holds(need.when.as_ref(), &answers);
        match application.documents.contains(&need.code) {
            false if asked => add(&need.code, GapKind::Missing),
            true if !asked => add(&need.code, GapKind::NotAsked),
            _ => {}
        }
    }
    let known = |code: &&String| definition.item_title(code).is_none();
    let strangers = (application.credentials.keys())
        .chain(application.answers.keys())
        .chain(&application.documents);
    for code in strangers.filter(known) {
        add(code, GapKind::NotAsked);
    }
    gaps
}

/// The fees of an application with these answers, in hundredths by currency.
pub fn fees(definition: &Definition, answers: &Map<String, Json>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for fee in &definition.file().fees {
        if holds(fee.when.as_ref(), answers) {
            let sum: &mut u64 = sums.entry(fee.currency.clone()).or_default();
            *sum = sum.saturating_add(fee.amount_cents);
        }
    }
    sums
}
