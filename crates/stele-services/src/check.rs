//! Checking a service file: everything that is wrong with it at once, each with its line.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use stele_registers::service::calendar::{CLOCK_CHANGES_MAX, DAY_MAX, FREE_DAYS_MAX, Unit};
use stele_registers::service::clock::NOTICE_DAYS_MAX;
use stele_registers::service::{CODE_BYTES_MAX, ITEMS_MAX, SCOPE_BYTES_MAX, SERVICE_ID_BYTES_MAX};

use crate::definition::{calendar, item_codes};
use crate::file::{
    CredentialFormat, CredentialNeed, FILE_BYTES_MAX, FORMAT, FieldKind, FormField, RemindOf,
    ServiceFile, Silence, Span, Text, When,
};
use crate::finding::Finding;
use crate::{dates, lines};

/// A rule for service files: its code and the next step of whoever broke it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub code: &'static str,
    pub hint: &'static str,
}

macro_rules! rules {
    ($($name:ident = $code:literal, $hint:literal;)*) => {
        $(const $name: Rule = Rule { code: $code, hint: $hint };)*
        /// All rules.
        #[cfg(test)]
        pub(crate) const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    TOO_LARGE = "service-file.too-large", "Keep the file below 256 KiB; long explanations belong on a web page.";
    NOT_JSON = "service-file.not-json", "Mend the comma, bracket or quotation mark at this place; an editor that knows JSON shows it.";
    BAD_SHAPE = "service-file.bad-shape", "Compare the field with the schema in docs/services/service.schema.json.";
    BAD_FORMAT = "service-file.format", "Write \"stele-service/1\".";
    BAD_ID = "service-file.id", "Write at most 64 lower-case letters, digits and hyphens, such as \"parking-permit\".";
    BAD_VERSION = "service-file.version", "Number versions 1, 2, 3.";
    BAD_SCOPE = "service-file.scope", "Write words joined by slashes, such as \"DE/BY/Musterstadt\".";
    BAD_TEXT = "service-file.text", "Write the text in both languages, each with 1 to 2,000 bytes.";
    NOTHING = "service-file.nothing", "Name at least one.";
    BAD_CODE = "service-file.code", "Write at most 48 lower-case letters, digits and hyphens.";
    CODE_TWICE = "service-file.code-twice", "Give each its own code; credentials, form fields and documents share one list.";
    TOO_MANY = "service-file.too-many", "Ask for less, or split the service.";
    UNKNOWN_OFFICE = "service-file.office", "Name one of the file's offices by its code.";
    STEP_STAYS = "service-file.step-stays", "Join the two steps, or give the second to another office.";
    BAD_WHEN = "service-file.when", "Name a form field of the kind choice or yes-no that is always asked, and one of its choices, \"yes\" or \"no\".";
    BAD_TYPES = "service-file.credential-types", "Name at least one type; for mso_mdoc exactly one doctype, the namespace, and an element for each claim.";
    BAD_CLAIM = "service-file.claim", "Name each claim once, as a path such as [\"address\", \"locality\"], of at most 8 parts.";
    BAD_CHOICES = "service-file.choices", "Give a field of the kind choice at least two choices, and no other field any.";
    UNKNOWN_CLAIM = "service-file.from", "Name one of the file's credentials that is needed whenever the field is asked, and one of the claims asked of it.";
    BAD_DATE = "service-file.date", "Write dates as 2026-12-25, instants as 2026-03-29T01:00:00Z, offsets as +02:00.";
    NOT_ASCENDING = "service-file.not-ascending", "Sort the list by date, each date once.";
    AFTER_CALENDAR = "service-file.after-calendar", "Move `until` to the end of the last year whose holidays you list.";
    NO_WORKING_DAY = "service-file.weekend", "Name each day once and leave at least one working day.";
    BAD_UNIT = "service-file.unit", "Write days, weeks, months or working-days.";
    BAD_LENGTH = "service-file.length", "At least 1, and at most 1830 days, 260 weeks, 60 months or 500 working days; 31 days until notification.";
    NO_PERIOD = "service-file.period", "Give the period that this needs, or take it out.";
    BAD_CURRENCY = "service-file.currency", "Write the three capital letters of ISO 4217, such as \"EUR\".";
}

/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 2000;
/// The deepest claim.
const CLAIM_PARTS_MAX: usize = 8;

/// Everything that is wrong with a service file; nothing when it may be published.
///
/// The bytes may come from anybody: no input panics, and the work is bounded by the size.
pub fn check(bytes: &[u8]) -> Vec<Finding> {
    read(bytes).err().unwrap_or_default()
}

/// The file, if nothing is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<ServiceFile, Vec<Finding>> {
    let whole = |rule: Rule, line, sentence: String| {
        vec![Finding {
            code: rule.code,
            path: String::new(),
            line,
            sentence,
            hint: rule.hint,
        }]
    };
    if bytes.len() > FILE_BYTES_MAX {
        let sentence = format!("The file has {} bytes.", bytes.len());
        return Err(whole(TOO_LARGE, 1, sentence));
    }
    let text = core::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        whole(NOT_JSON, line, "The text is not UTF-8.".to_owned())
    })?;
    let unreadable = |rule: Rule, error: &serde_json::Error| {
        let message = error.to_string();
        // The place is told apart from the sentence.
        let message = message.split(" at line ").next().unwrap_or(&message);
        let sentence = format!("The file cannot be read: {message}.");
        whole(rule, error.line().max(1), sentence)
    };
    let json: Json = serde_json::from_str(text).map_err(|error| unreadable(NOT_JSON, &error))?;
    let file: ServiceFile =
        serde_json::from_str(text).map_err(|error| unreadable(BAD_SHAPE, &error))?;
    if let Some(path) = positional(&json, &serde_json::to_value(&file).unwrap_or_default()) {
        let sentence = format!("{path} is a list where named fields belong.");
        let line = lines::lines(text).get(&path).copied().unwrap_or(1);
        return Err(whole(BAD_SHAPE, line, sentence));
    }
    let mut checker = Checker {
        file: &file,
        lines: lines::lines(text),
        findings: Vec::new(),
    };
    checker.all();
    let mut findings = checker.findings;
    if findings.is_empty() {
        return Ok(file);
    }
    findings.sort_by_key(|finding| finding.line);
    Err(findings)
}

/// Where a file lists fields by their place instead of their names, which serde would take.
fn positional(written: &Json, read: &Json) -> Option<String> {
    let inner = |name: &str, written: &Json, read: Option<&Json>| {
        positional(written, read?).map(|path| format!("/{name}{path}"))
    };
    match (written, read) {
        (Json::Array(_), Json::Object(_)) => Some(String::new()),
        (Json::Object(written), Json::Object(read)) => {
            let mut fields = written.iter();
            fields.find_map(|(name, value)| inner(name, value, read.get(name)))
        }
        (Json::Array(written), Json::Array(read)) => {
            let mut items = written.iter().enumerate();
            items.find_map(|(index, value)| inner(&index.to_string(), value, read.get(index)))
        }
        _ => None,
    }
}

struct Checker<'a> {
    file: &'a ServiceFile,
    lines: BTreeMap<String, usize>,
    findings: Vec<Finding>,
}

fn is_code(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_scope(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    text.len() <= SCOPE_BYTES_MAX && text.split('/').all(word)
}

impl Checker<'_> {
    fn add(&mut self, rule: Rule, path: &str, sentence: impl Into<String>) {
        // A field that was left out has no line of its own: that of what should hold it is nearest.
        let mut at = path;
        let line = loop {
            match (self.lines.get(at), at.rfind('/')) {
                (Some(line), _) => break *line,
                (None, Some(end)) => at = &at[..end],
                (None, None) => break 1,
            }
        };
        self.findings.push(Finding {
            code: rule.code,
            path: path.to_owned(),
            line,
            sentence: sentence.into(),
            hint: rule.hint,
        });
    }

    fn need(&mut self, holds: bool, rule: Rule, path: &str, sentence: &str) {
        if !holds {
            self.add(rule, path, sentence);
        }
    }

    fn all(&mut self) {
        self.head();
        self.items();
        self.offices();
        self.periods();
        self.calendar();
        self.decision();
    }

    fn text(&mut self, path: &str, text: &Text) {
        for (language, content) in [("en", &text.en), ("de", &text.de)] {
            let fits = !content.trim().is_empty() && content.len() <= TEXT_BYTES_MAX;
            let path = format!("{path}/{language}");
            self.need(fits, BAD_TEXT, &path, "The text is empty or too long.");
        }
    }

    fn plain(&mut self, path: &str, content: &str) {
        let fits = !content.trim().is_empty() && content.len() <= TEXT_BYTES_MAX;
        self.need(fits, BAD_TEXT, path, "The text is empty or too long.");
    }

    /// Codes that must be well formed and unique among themselves.
    fn codes<'c>(&mut self, codes: impl IntoIterator<Item = (String, &'c str)>) {
        let mut seen = BTreeSet::new();
        for (path, code) in codes {
            let path = format!("{path}/code");
            if !is_code(code, CODE_BYTES_MAX) {
                self.add(BAD_CODE, &path, format!("“{code}” is no code."));
            }
            if !seen.insert(code) {
                self.add(CODE_TWICE, &path, format!("“{code}” is used twice."));
            }
        }
    }

    fn head(&mut self) {
        let file = self.file;
        let format = file.format == FORMAT;
        self.need(format, BAD_FORMAT, "/format", "This format is not known.");
        let id = is_code(&file.id, SERVICE_ID_BYTES_MAX);
        self.need(id, BAD_ID, "/id", "The id is not written as it must be.");
        let version = file.version > 0;
        self.need(version, BAD_VERSION, "/version", "There is no version 0.");
        let scope = is_scope(&file.authority.scope);
        let sentence = "The scope is not written as it must be.";
        self.need(scope, BAD_SCOPE, "/authority/scope", sentence);
        self.text("/authority/name", &file.authority.name);
        self.text("/title", &file.title);
        self.text("/summary", &file.summary);
        let sentence = "No law is named on which the service rests.";
        self.need(
            !file.legal_basis.is_empty(),
            NOTHING,
            "/legal_basis",
            sentence,
        );
        for (index, basis) in file.legal_basis.iter().enumerate() {
            let path = format!("/legal_basis/{index}");
            self.plain(&format!("{path}/law"), &basis.law);
            self.plain(&format!("{path}/section"), &basis.section);
            self.text(&format!("{path}/says"), &basis.says);
        }
        let fees = file.fees.iter().enumerate();
        self.codes(
            fees.clone()
                .map(|(index, fee)| (format!("/fees/{index}"), fee.code.as_str())),
        );
        for (index, fee) in fees {
            let path = format!("/fees/{index}");
            self.text(&format!("{path}/title"), &fee.title);
            let currency = fee.currency.len() == 3
                && fee.currency.bytes().all(|byte| byte.is_ascii_uppercase());
            let sentence = "This is no currency.";
            self.need(
                currency,
                BAD_CURRENCY,
                &format!("{path}/currency"),
                sentence,
            );
            self.when(&path, fee.when.as_ref());
        }
    }

    fn items(&mut self) {
        let file = self.file;
        let place = |list: &str, length: usize| {
            let list = list.to_owned();
            (0..length).map(move |index| format!("/{list}/{index}"))
        };
        let places = place("credentials", file.credentials.len())
            .chain(place("form", file.form.len()))
            .chain(place("documents", file.documents.len()));
        let codes = item_codes(file);
        let many = codes.len() <= ITEMS_MAX;
        let sentence = "An application would need more than 64 items.";
        self.need(many, TOO_MANY, "", sentence);
        self.codes(places.zip(codes));
        for (index, need) in file.credentials.iter().enumerate() {
            self.credential(&format!("/credentials/{index}"), need);
        }
        for (index, field) in file.form.iter().enumerate() {
            self.field(&format!("/form/{index}"), field);
        }
        for (index, need) in file.documents.iter().enumerate() {
            let path = format!("/documents/{index}");
            self.text(&format!("{path}/title"), &need.title);
            self.text(
                &format!("{path}/why_no_credential"),
                &need.why_no_credential,
            );
            self.when(&path, need.when.as_ref());
        }
    }

    fn credential(&mut self, path: &str, need: &CredentialNeed) {
        self.text(&format!("{path}/title"), &need.title);
        self.text(&format!("{path}/purpose"), &need.purpose);
        self.when(path, need.when.as_ref());
        let accepts = format!("{path}/accepts");
        let sentence = "No kind of credential is accepted.";
        self.need(!need.accepts.is_empty(), NOTHING, &accepts, sentence);
        for (index, accepted) in need.accepts.iter().enumerate() {
            let named = accepted.types.iter().all(|name| !name.is_empty());
            let fits = match accepted.format {
                CredentialFormat::Mdoc => {
                    let elements = &accepted.elements;
                    let namespace = accepted.namespace.as_deref().unwrap_or("");
                    accepted.types.len() == 1
                        && !namespace.is_empty()
                        && elements.len() == need.claims.len()
                        && elements.iter().all(|name| !name.is_empty())
                }
                _ => {
                    !accepted.types.is_empty()
                        && accepted.namespace.is_none()
                        && accepted.elements.is_empty()
                }
            };
            let sentence = "The types do not fit the format of the credential.";
            self.need(
                named && fits,
                BAD_TYPES,
                &format!("{accepts}/{index}"),
                sentence,
            );
        }
        let claims = format!("{path}/claims");
        let sentence = "No claim is asked for.";
        self.need(!need.claims.is_empty(), NOTHING, &claims, sentence);
        let once: BTreeSet<_> = need.claims.iter().collect();
        let sentence = "A claim is named twice.";
        self.need(
            once.len() == need.claims.len(),
            BAD_CLAIM,
            &claims,
            sentence,
        );
        for (index, claim) in need.claims.iter().enumerate() {
            let fits = (1..=CLAIM_PARTS_MAX).contains(&claim.len())
                && claim.iter().all(|part| !part.is_empty());
            let sentence = "This is no path to a claim.";
            self.need(fits, BAD_CLAIM, &format!("{claims}/{index}"), sentence);
        }
        if let Some(action) = &need.issuer_action {
            self.plain(&format!("{path}/issuer_action"), action);
        }
    }

    fn field(&mut self, path: &str, field: &FormField) {
        self.text(&format!("{path}/title"), &field.title);
        self.when(path, field.when.as_ref());
        let choices = format!("{path}/choices");
        let fits = match field.kind {
            FieldKind::Choice => field.choices.len() >= 2,
            _ => field.choices.is_empty(),
        };
        let sentence = "The choices do not fit the kind of the field.";
        self.need(fits, BAD_CHOICES, &choices, sentence);
        let all = field.choices.iter().enumerate();
        self.codes(
            all.clone()
                .map(|(index, one)| (format!("{choices}/{index}"), one.code.as_str())),
        );
        for (index, choice) in all {
            self.text(&format!("{choices}/{index}/title"), &choice.title);
        }
        if let Some(from) = &field.from {
            let mut needs = self.file.credentials.iter();
            // A credential that is not always asked for may fill in only what is asked under the same condition.
            let known = needs.any(|need| {
                need.code == from.credential
                    && need.claims.contains(&from.claim)
                    && (need.when.is_none() || need.when == field.when)
            });
            let sentence = "The credential or its claim is not asked for.";
            self.need(known, UNKNOWN_CLAIM, &format!("{path}/from"), sentence);
        }
    }

    fn when(&mut self, path: &str, when: Option<&When>) {
        let Some(when) = when else {
            return;
        };
        let field = self.file.form.iter().find(|field| field.code == when.field);
        let known = field.is_some_and(|field| {
            field.when.is_none()
                && match field.kind {
                    FieldKind::YesNo => ["yes", "no"].contains(&when.is.as_str()),
                    FieldKind::Choice => field.choices.iter().any(|one| one.code == when.is),
                    _ => false,
                }
        });
        let sentence = "The condition cannot be judged.";
        self.need(known, BAD_WHEN, &format!("{path}/when"), sentence);
    }

    fn offices(&mut self) {
        let file = self.file;
        let offices = file.offices.iter().enumerate();
        let sentence = "No office works on a case.";
        self.need(!file.offices.is_empty(), NOTHING, "/offices", sentence);
        self.codes(
            offices
                .clone()
                .map(|(i, office)| (format!("/offices/{i}"), office.code.as_str())),
        );
        for (index, office) in offices {
            self.text(&format!("/offices/{index}/title"), &office.title);
        }
        let steps = file.steps.iter().enumerate();
        let sentence = "A case has no step.";
        self.need(!file.steps.is_empty(), NOTHING, "/steps", sentence);
        self.codes(
            steps
                .clone()
                .map(|(i, step)| (format!("/steps/{i}"), step.code.as_str())),
        );
        for (index, step) in steps {
            let path = format!("/steps/{index}");
            self.text(&format!("{path}/title"), &step.title);
            let known = file.offices.iter().any(|office| office.code == step.office);
            let sentence = "There is no such office.";
            self.need(known, UNKNOWN_OFFICE, &format!("{path}/office"), sentence);
            let moves = index == 0 || file.steps[index - 1].office != step.office;
            let sentence = "The step before is with the same office.";
            self.need(moves, STEP_STAYS, &format!("{path}/office"), sentence);
        }
    }

    fn span(&mut self, path: &str, span: Option<&Span>, more: u64) {
        let Some(span) = span else {
            return;
        };
        self.plain(&format!("{path}/law"), &span.law);
        let Some(unit) = Unit::from_name(&span.unit) else {
            let sentence = format!("“{}” is no unit.", span.unit);
            return self.add(BAD_UNIT, &format!("{path}/unit"), sentence);
        };
        let fits = span.count > 0 && span.count.saturating_add(more) <= unit.count_max();
        let sentence = "The period is empty or too long.";
        self.need(fits, BAD_LENGTH, &format!("{path}/count"), sentence);
    }

    fn periods(&mut self) {
        let periods = &self.file.periods;
        self.span(
            "/periods/decide",
            periods.decide.as_ref(),
            periods.extension_max,
        );
        self.span("/periods/check", periods.check.as_ref(), 0);
        self.span("/periods/supply", periods.supply.as_ref(), 0);
        self.span("/periods/appeal", periods.appeal.as_ref(), 0);
        let notice = periods.notified_after_days <= NOTICE_DAYS_MAX;
        let sentence = "A decision would count as notified too late.";
        self.need(notice, BAD_LENGTH, "/periods/notified_after_days", sentence);
        if periods.decide.is_none() {
            let silent = periods.silence == Silence::MeansNothing;
            let sentence = "Silence can grant nothing without a period for the decision.";
            self.need(silent, NO_PERIOD, "/periods/silence", sentence);
            let sentence = "There is no period that could be lengthened.";
            let path = "/periods/extension_max";
            self.need(periods.extension_max == 0, NO_PERIOD, path, sentence);
        }
        for (index, reminder) in periods.reminders.iter().enumerate() {
            let there = match reminder.of {
                RemindOf::Decide => periods.decide.is_some(),
                RemindOf::Supply => periods.supply.is_some(),
                RemindOf::Appeal => periods.appeal.is_some(),
            };
            let path = format!("/periods/reminders/{index}");
            let sentence = "There is no period of which to remind.";
            self.need(there, NO_PERIOD, &path, sentence);
            let fits = reminder.days_before <= Unit::Days.count_max();
            let path = format!("{path}/days_before");
            self.need(fits, BAD_LENGTH, &path, "The reminder comes too early.");
        }
    }

    fn calendar(&mut self) {
        let written = &self.file.calendar;
        let weekend: BTreeSet<_> = written.weekend.iter().collect();
        let works = weekend.len() == written.weekend.len() && weekend.len() <= 6;
        let sentence = "A day is named twice, or no working day is left.";
        self.need(works, NO_WORKING_DAY, "/calendar/weekend", sentence);
        let until = dates::date(&written.until).filter(|day| day.get() <= DAY_MAX);
        let sentence = "This is no date that can be reckoned with.";
        self.need(until.is_some(), BAD_DATE, "/calendar/until", sentence);
        let many = written.holidays.len() <= FREE_DAYS_MAX;
        self.need(
            many,
            TOO_MANY,
            "/calendar/holidays",
            "There are more than 512 holidays.",
        );
        let mut last = None;
        for (index, holiday) in written.holidays.iter().enumerate() {
            let path = format!("/calendar/holidays/{index}/date");
            let Some(day) = dates::date(&holiday.date) else {
                self.add(BAD_DATE, &path, format!("“{}” is no date.", holiday.date));
                continue;
            };
            let sentence = "The holidays are not in order.";
            self.need(
                last.is_none_or(|last| day > last),
                NOT_ASCENDING,
                &path,
                sentence,
            );
            let sentence = "The holiday lies after the end of the calendar.";
            let within = until.is_none_or(|until| day <= until);
            self.need(within, AFTER_CALENDAR, &path, sentence);
            last = Some(day);
            self.plain(&format!("/calendar/holidays/{index}/name"), &holiday.name);
        }
        self.local_time();
        // What the chain would refuse must not pass here, whatever the reason.
        if self.findings.is_empty() && !calendar(self.file).is_sound() {
            self.add(BAD_DATE, "/calendar", "The calendar is not in order.");
        }
    }

    fn local_time(&mut self) {
        let changes = &self.file.calendar.local_time;
        let path = "/calendar/local_time";
        self.need(
            !changes.is_empty(),
            NOTHING,
            path,
            "Local time is not given.",
        );
        let many = changes.len() <= CLOCK_CHANGES_MAX;
        self.need(
            many,
            TOO_MANY,
            path,
            "Local time changes more than 64 times.",
        );
        let mut last = None;
        for (index, change) in changes.iter().enumerate() {
            let path = format!("{path}/{index}");
            let offset = dates::offset_minutes(&change.offset);
            let sentence = "This is no offset from UTC.";
            self.need(
                offset.is_some(),
                BAD_DATE,
                &format!("{path}/offset"),
                sentence,
            );
            let path = format!("{path}/from");
            let Some(from) = dates::instant(&change.from) else {
                self.add(BAD_DATE, &path, format!("“{}” is no instant.", change.from));
                continue;
            };
            let sentence = "The changes of local time are not in order.";
            self.need(
                last.is_none_or(|last| from > last),
                NOT_ASCENDING,
                &path,
                sentence,
            );
            last = Some(from);
        }
    }

    fn decision(&mut self) {
        let decision = &self.file.decision;
        self.text("/decision/grants", &decision.grants);
        self.text("/decision/remedy", &decision.remedy);
        let path = "/decision/refusal_reasons";
        let reasons = decision.refusal_reasons.iter().enumerate();
        let sentence = "No ground is named on which the application may be refused.";
        self.need(
            !decision.refusal_reasons.is_empty(),
            NOTHING,
            path,
            sentence,
        );
        self.codes(
            reasons
                .clone()
                .map(|(i, reason)| (format!("{path}/{i}"), reason.code.as_str())),
        );
        for (index, reason) in reasons {
            self.text(&format!("{path}/{index}/title"), &reason.title);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_every_rule() {
        let page = include_str!("../../../docs/services.md");
        for rule in ALL {
            assert!(
                page.contains(&format!("| `{}` |", rule.code)),
                "{}",
                rule.code
            );
        }
    }
}
