//! Refusals: a stable code, a sentence for the person at the counter, and what to do next.
//!
//! Every rule of a crate is one [`Rule`], defined once in a table ([`refusal_table!`]) beside the code that applies it. Tests of such a crate
//! call [`check`]: each rule has a code of its own and a test that names it, and the page in docs/ is the tables' content.

pub mod check;

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
            pub const $name: &$crate::Rule = &$crate::Rule {
                name: stringify!($name),
                code: $code,
                sentence: $sentence,
                hint: $hint,
                test: stringify!($test),
            };
        )*
        /// All rules of this module.
        pub const TABLE: &[&$crate::Rule] = &[$($name),*];
    };
}

/// The rows of a table for a page, below its heading.
pub fn rows(table: &[&Rule]) -> String {
    let mut rows = String::from("| code | sentence | hint | test |\n|---|---|---|---|\n");
    for rule in table {
        rows.push_str(&format!(
            "| `{}` | {} | {} | `{}` |\n",
            rule.code, rule.sentence, rule.hint, rule.test
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    mod rules {
        crate::refusal_table! {
            ONE: "test.one", a_detail_is_cut_at_a_character, "One is refused.", "Try another.";
        }
    }

    #[test]
    fn a_detail_is_cut_at_a_character() {
        let refusal = rules::ONE.because("aä".repeat(300));
        let detail = refusal.detail().unwrap();
        assert!(detail.len() <= super::DETAIL_BYTES_MAX + '…'.len_utf8());
        assert!(detail.ends_with("a…"));
    }

    #[test]
    fn tables_are_checked_against_the_sources() {
        let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        super::check::tables([rules::TABLE], &src);
        let twice =
            std::panic::catch_unwind(|| super::check::tables([rules::TABLE, rules::TABLE], &src));
        assert!(twice.is_err());
    }
}
