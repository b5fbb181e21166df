//! Refusals: a stable code, a sentence for the person at the device, and what to do next.
//!
//! Every rule is one [`Rule`] of one table. The page docs/credentials/passkey-refusals.md is the table's content; a test
//! compares them and looks for the test that each rule names.

use core::fmt;

/// One rule that can refuse something.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The constant's name, by which the rule's test refers to it.
    pub name: &'static str,
    /// The stable code, such as `passkey.expired`. Programs decide by it; it never changes its meaning.
    pub code: &'static str,
    /// What is wrong, in words for everyone.
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

    /// The refusal by this rule, naming what was found. Details are for logs; no program should read them.
    pub fn because(&'static self, detail: impl fmt::Display) -> Refusal {
        let mut detail = detail.to_string();
        if detail.len() > DETAIL_BYTES_MAX {
            detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
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

/// Why something was refused. Nothing was changed by it, except that the ceremony is over and a copied passkey is locked.
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

    /// The refusal as JSON for an HTTP answer: code, sentence and hint. The detail stays in the log of the service.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "code": self.code(),
            "sentence": self.sentence(),
            "hint": self.hint(),
        })
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

/// Defines the rules as constants, and the table of them all.
macro_rules! refusal_table {
    ($($name:ident: $code:literal, $test:ident, $sentence:literal, $hint:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`: ", $sentence)]
            pub const $name: &Rule = &Rule {
                name: stringify!($name),
                code: $code,
                sentence: $sentence,
                hint: $hint,
                test: stringify!($test),
            };
        )*
        /// All rules.
        pub const TABLE: &[&Rule] = &[$($name),*];
    };
}

refusal_table! {
    MALFORMED: "passkey.malformed", malformed_answers_are_refused,
        "The answer of the device is not in the form that was expected.",
        "Reload the page and try again; if that does not help, try another browser.";
    UNKNOWN_CEREMONY: "passkey.unknown-ceremony", a_ceremony_that_was_never_started_is_unknown,
        "This attempt is not known here.",
        "Start again from the first page.";
    EXPIRED: "passkey.expired", an_answer_after_its_time_is_refused,
        "The time for this attempt is over.",
        "Start again, and confirm on the device while the page waits.";
    REPLAYED: "passkey.replayed", an_answer_counts_once_and_for_its_own_ceremony,
        "This answer was used before, or belongs to another attempt.",
        "Start again; every attempt takes one answer. If you did not try twice, tell the office.";
    WRONG_ORIGIN: "passkey.wrong-origin", answers_from_other_websites_are_refused,
        "The answer was made on another website.",
        "Open this service by its own address. If a link led you to a copy of it, tell the office.";
    WRONG_SITE: "passkey.wrong-site", a_passkey_of_another_site_is_refused,
        "This passkey belongs to another service.",
        "Choose the passkey that carries the name of this service.";
    NOT_VERIFIED: "passkey.not-verified", a_person_whom_the_device_did_not_verify_is_refused,
        "The device did not check that it is you.",
        "Confirm with fingerprint, face or PIN; set up the screen lock of the device if it has none.";
    CLONED: "passkey.cloned", a_counter_that_does_not_grow_locks_the_passkey,
        "This passkey seems to exist twice and is locked.",
        "Ask the office for a new code, register a new passkey, and delete this one from the device.";
    UNKNOWN_CREDENTIAL: "passkey.unknown-credential", a_passkey_that_is_not_registered_is_refused,
        "This passkey is not registered for this person.",
        "Choose another passkey, or ask the office for a code to register this device.";
    BAD_SIGNATURE: "passkey.bad-signature", a_changed_answer_is_refused,
        "The signature of the passkey is wrong.",
        "Try again; if it stays, ask the office for a code and register the device anew.";
    UNSUPPORTED: "passkey.unsupported", kinds_of_keys_and_attestations_that_are_not_asked_for_are_refused,
        "This kind of passkey is not accepted here.",
        "Use the passkeys of the phone or computer, or a security key with FIDO2.";
    CHANGED: "passkey.changed", a_passkey_whose_backup_rule_changed_is_refused,
        "The passkey now says something else about itself than when it was registered.",
        "Ask the office for a code and register the device anew.";
    ALREADY_REGISTERED: "passkey.already-registered", a_passkey_is_registered_once,
        "This passkey is registered already.",
        "Sign in with it; there is nothing to register.";
    TOO_MANY: "passkey.too-many", a_person_has_a_bounded_number_of_passkeys,
        "This person has as many passkeys as one person may have.",
        "Have an old one removed by the office first.";
    FULL: "passkey.full", the_store_of_credentials_is_bounded,
        "This service cannot take more passkeys.",
        "Tell the office: whoever runs the service has to raise its limit.";
    BUSY: "passkey.busy", ceremonies_are_bounded_and_free_themselves,
        "Too many people are signing in at this moment.",
        "Wait some minutes and start again.";
    UNKNOWN_CODE: "passkey.unknown-code", a_code_works_once_and_for_its_person,
        "This enrolment code is not valid.",
        "Check each character. A code works once: if it was used already, ask the office for a new one.";
    CODE_EXPIRED: "passkey.code-expired", a_code_ends_with_its_time,
        "This enrolment code is too old.",
        "Ask the office for a new one.";
}

/// The page docs/credentials/passkey-refusals.md.
pub fn page() -> String {
    let mut page = String::from(
        "# Refusals of passkeys\n\nEach refusal has a code that never changes its meaning, a sentence for the person at the device, \
         and a hint. The last column names the test that shows it.\nThe page is written from the table in \
         `crates/stele-passkeys` by `STELE_WRITE_PAGES=1 cargo nextest run -p stele-passkeys refusals_page`.\n\n\
         | code | sentence | hint | test |\n|---|---|---|---|\n",
    );
    for rule in TABLE {
        page.push_str(&format!(
            "| `{}` | {} | {} | `{}` |\n",
            rule.code, rule.sentence, rule.hint, rule.test
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::Path;

    /// The body of a test function, up to the next attribute of a test.
    fn body<'a>(source: &'a str, name: &str) -> Option<&'a str> {
        let start = source.find(&format!("fn {name}("))?;
        let rest = &source[start..];
        Some(&rest[..rest.find("#[test]").unwrap_or(rest.len())])
    }

    #[test]
    fn each_rule_has_its_own_code_and_a_test_that_names_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let texts: Vec<String> = ["tests.rs", "enrolment.rs"]
            .iter()
            .map(|name| std::fs::read_to_string(folder.join(name)).unwrap())
            .collect();
        let mut codes = HashSet::new();
        for rule in TABLE {
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
    fn the_refusals_page_is_the_table() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs/credentials/passkey-refusals.md");
        if std::env::var_os("STELE_WRITE_PAGES").is_some() {
            std::fs::write(&file, page()).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(
            written == page(),
            "docs/credentials/passkey-refusals.md is not what the table says"
        );
    }

    #[test]
    fn a_detail_is_cut_at_a_character() {
        let refusal = MALFORMED.because("aä".repeat(300));
        assert!(refusal.detail().unwrap().len() <= DETAIL_BYTES_MAX + '…'.len_utf8());
        assert!(refusal.detail().unwrap().ends_with("a…"));
    }
}
