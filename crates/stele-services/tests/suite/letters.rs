//! The letter of a decision.

use stele_core::id::TimeMs;
use stele_services::{Definition, Language, Letter, commitment};

use crate::support::{PARKING, at};

fn letter(outcome: &str, reasons: &[&str], explanation: &str) -> Letter {
    Letter {
        case: "00".repeat(32),
        outcome: outcome.to_owned(),
        reasons: reasons.iter().map(|code| (*code).to_owned()).collect(),
        explanation: explanation.to_owned(),
    }
}

#[test]
fn a_refusal_has_reasons_and_says_how_to_appeal() {
    let definition = Definition::read(PARKING.as_bytes()).unwrap();
    let refusal = letter(
        "refused",
        &["not-resident"],
        "Fictional Street 1 lies outside zone A.",
    );
    refusal.check(&definition).unwrap();
    let decided = TimeMs::new(at(&definition, 2026, 3, 18, 10));
    assert_eq!(refusal.text(&definition, Language::En, decided), "\
Fictional Town of Musterstadt, Road Traffic Office
Resident parking permit

Your application was refused.
- The applicant does not live in the zone (section 45(1b) StVO).

Fictional Street 1 lies outside zone A.

You can appeal within one month of notification, in writing, electronically or in person, at the authority named in the letter. The last day is 22 April 2026.
");
    let german = refusal.text(&definition, Language::De, decided);
    assert!(
        german.contains("Ihr Antrag wurde abgelehnt.")
            && german.contains("Der letzte Tag ist der 22. April 2026.")
    );
    let granted = letter("granted", &[], "").text(&definition, Language::De, decided);
    assert!(granted.contains("Der Parkausweis als Nachweis"));

    let salt = [3; 32];
    assert_eq!(
        refusal.commitment(&salt),
        commitment(&salt, &refusal.bytes())
    );
    let read: Letter = serde_json::from_slice(&refusal.bytes()).unwrap();
    assert_eq!(read, refusal);
}

#[test]
fn letters_that_may_not_be_sent() {
    let definition = Definition::read(PARKING.as_bytes()).unwrap();
    let long = "x".repeat(70_000);
    for (letter, code) in [
        (letter("maybe", &[], ""), "service-letter.outcome"),
        (
            letter("refused", &[], "Because."),
            "service-letter.no-reason",
        ),
        (
            letter("partly", &["not-resident"], " "),
            "service-letter.no-reason",
        ),
        (
            letter("refused", &["rude"], "Because."),
            "service-letter.unknown-reason",
        ),
        (
            letter("granted", &["not-resident"], ""),
            "service-letter.reason-for-grant",
        ),
        (
            letter("refused", &["not-resident"], &long),
            "service-letter.too-long",
        ),
    ] {
        let error = letter.check(&definition).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().ends_with('.') && error.hint().ends_with('.'));
    }
    letter("partly", &["not-resident"], "Only for half a year.")
        .check(&definition)
        .unwrap();
}
