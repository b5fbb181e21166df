//! Refusals: a stable code, a sentence for the person at the counter, and what to do next.
//!
//! Every rule of the crate is one [`Rule`], defined once in a table beside the code that applies it. The page
//! docs/credentials/refusals.md is the tables' content; a test compares them and looks for the test that each rule names.

use core::fmt;

/// One rule that can refuse something.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The constant's name, by which the rule's test refers to it.
    pub name: &'static str,
    /// The stable code, such as `credential.expired`. Programs decide by it; it never changes its meaning.
    pub code: &'static str,
    /// What is wrong, in words that a clerk understands.
    pub sentence: &'static str,
    /// What to do next.
    pub hint: &'static str,
    /// The test that shows the refusal.
    pub test: &'static str,
}

impl Rule {
    /// The refusal by this rule, without details.
    pub const fn refuse(&'static self) -> Refusal {
        Refusal {
            rule: self,
            detail: None,
        }
    }

    /// The refusal by this rule, naming what was found. Details are for people and logs; no program should read them.
    pub fn because(&'static self, detail: impl fmt::Display) -> Refusal {
        let mut detail = detail.to_string();
        if detail.len() > DETAIL_BYTES_MAX {
            let mut end = DETAIL_BYTES_MAX;
            while !detail.is_char_boundary(end) {
                end -= 1;
            }
            detail.truncate(end);
            detail.push('…');
        }
        Refusal {
            rule: self,
            detail: Some(detail.into_boxed_str()),
        }
    }
}

/// The longest detail, in bytes: details quote foreign input, which must not fill logs.
const DETAIL_BYTES_MAX: usize = 200;

/// Why something was refused. Nothing was changed by it.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    rule: &'static Rule,
    detail: Option<Box<str>>,
}

impl Refusal {
    /// The rule that refused.
    pub const fn rule(&self) -> &'static Rule {
        self.rule
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.rule.code
    }

    /// What is wrong, for people.
    pub const fn sentence(&self) -> &'static str {
        self.rule.sentence
    }

    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        self.rule.hint
    }

    /// What was found, if there is more to say than the sentence.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The refusal as JSON for an HTTP answer: code, sentence, hint and, if there is one, the detail.
    pub fn to_json(&self) -> serde_json::Value {
        let mut body = serde_json::json!({
            "code": self.code(),
            "sentence": self.sentence(),
            "hint": self.hint(),
        });
        if let Some(detail) = self.detail() {
            body["detail"] = detail.into();
        }
        body
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        write!(f, "\nhint: {}", self.hint())
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({}, {:?})", self.code(), self.detail)
    }
}

impl core::error::Error for Refusal {}

/// Defines a module's rules as constants, and the table of them all.
#[macro_export]
macro_rules! refusal_table {
    ($($name:ident: $code:literal, $test:ident, $sentence:literal, $hint:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`: ", $sentence)]
            pub const $name: &$crate::refusal::Rule = &$crate::refusal::Rule {
                name: stringify!($name),
                code: $code,
                sentence: $sentence,
                hint: $hint,
                test: stringify!($test),
            };
        )*
        /// All rules of this module.
        pub const TABLE: &[&$crate::refusal::Rule] = &[$($name),*];
    };
}
pub use refusal_table;

/// The tables of all modules, each with the heading of its part of the page.
pub const TABLES: &[(&str, &[&Rule])] = &[
    ("JSON and encodings", crate::json::rules::TABLE),
    ("Signatures and keys", crate::jose::rules::TABLE),
    ("Identifiers", crate::did::rules::TABLE),
    ("SD-JWT credentials", crate::sd_jwt::rules::TABLE),
    ("Status", crate::status::rules::TABLE),
    ("Presentations", crate::openid::rules::TABLE),
    ("Proofs of issuance", crate::trust::rules::TABLE),
    ("Data Integrity", crate::integrity::rules::TABLE),
    ("Education", crate::education::rules::TABLE),
];

/// The page docs/credentials/refusals.md.
pub fn page() -> String {
    let mut page = String::from(
        "# Refusals of credentials\n\nEach refusal has a code that never changes its meaning, a sentence for the person at the \
         counter, and a hint. The last column names the test that shows it.\nThe page is written from the tables in \
         `crates/stele-credentials` by `STELE_WRITE_PAGES=1 cargo nextest run -p stele-credentials refusals_page`.\n",
    );
    for (heading, table) in TABLES {
        page.push_str(&format!(
            "\n## {heading}\n\n| code | sentence | hint | test |\n|---|---|---|---|\n"
        ));
        for rule in *table {
            page.push_str(&format!(
                "| `{}` | {} | {} | `{}` |\n",
                rule.code, rule.sentence, rule.hint, rule.test
            ));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, found: &mut Vec<String>) {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }

    /// The body of a test function, up to the next attribute of a test.
    fn body<'a>(source: &'a str, name: &str) -> Option<&'a str> {
        let start = source.find(&format!("fn {name}("))?;
        let rest = &source[start..];
        Some(&rest[..rest.find("#[test]").unwrap_or(rest.len())])
    }

    #[test]
    fn each_rule_has_its_own_code_and_a_test_that_names_it() {
        let mut codes = HashSet::new();
        let mut texts = Vec::new();
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut texts,
        );
        for rule in TABLES.iter().flat_map(|(_, table)| table.iter()) {
            assert!(codes.insert(rule.code), "{} stands twice", rule.code);
            assert!(
                rule.sentence.ends_with('.') && rule.hint.ends_with('.'),
                "{}",
                rule.code
            );
            let body = texts.iter().find_map(|text| body(text, rule.test));
            let body =
                body.unwrap_or_else(|| panic!("{}: there is no test {}", rule.code, rule.test));
            assert!(
                body.contains(rule.name),
                "{}: {} does not name {}",
                rule.code,
                rule.test,
                rule.name
            );
        }
    }

    #[test]
    fn the_refusals_page_is_the_tables() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/credentials/refusals.md");
        if std::env::var_os("STELE_WRITE_PAGES").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, page()).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(
            written == page(),
            "docs/credentials/refusals.md is not what the tables say"
        );
    }

    #[test]
    fn a_detail_is_cut_at_a_character() {
        let refusal = crate::json::rules::JSON_MALFORMED.because("ä".repeat(300));
        assert_eq!(
            refusal.detail().unwrap().chars().count(),
            DETAIL_BYTES_MAX / 2 + 1
        );
    }
}
