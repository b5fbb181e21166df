//! The rules of passkeys, and the page docs/credentials/passkey-refusals.md. A refusal changes nothing, except that the ceremony is over
//! and a copied passkey is locked.

pub use stele_refusal::{Refusal, Rule};

stele_refusal::refusal_table! {
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
    format!(
        "# Refusals of passkeys\n\nEach refusal has a code that never changes its meaning, a sentence for the person at the device, \
         and a hint. The last column names the test that shows it.\nThe page is written from the table in \
         `crates/stele-passkeys` by `STELE_WRITE_PAGES=1 cargo nextest run -p stele-passkeys refusals_page`.\n\n{}",
        stele_refusal::rows(TABLE)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn each_rule_has_its_own_code_and_a_test_that_names_it() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        stele_refusal::check::tables([TABLE], &sources);
    }

    #[test]
    fn the_refusals_page_is_the_table() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs/credentials/passkey-refusals.md");
        stele_refusal::check::page(&file, &page());
    }
}
