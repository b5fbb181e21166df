//! Checking a service file: everything that is wrong with it at once, each with its line.

mod content;
mod periods;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use stele_registers::service::CODE_BYTES_MAX;

use self::rules::{BAD_CODE, BAD_SHAPE, BAD_TEXT, CODE_TWICE, NOT_JSON, Rule, TOO_LARGE};
use crate::file::{FILE_BYTES_MAX, ServiceFile, Text};
use crate::finding::Finding;
use crate::lines;

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
}

#[cfg(test)]
mod tests {
    use super::rules::ALL;

    #[test]
    fn the_page_lists_every_rule() {
        let page = include_str!("../../../../docs/services.md");
        for rule in ALL {
            assert!(
                page.contains(&format!("| `{}` |", rule.code)),
                "{}",
                rule.code
            );
        }
    }
}
