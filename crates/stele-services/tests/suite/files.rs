//! Checking service files: the shipped ones are good, and each rule finds what it is for, in its place.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use stele_core::id::{Hash, sha256};
use stele_registers::{Registry, json_to_body};
use stele_services::{Definition, check, publish_command};

use crate::support::{ALL, BUSINESS, PARKING, json, read, with};

#[test]
fn the_shipped_services_are_good() {
    for text in ALL {
        assert_eq!(check(text.as_bytes()), []);
        let definition = Definition::read(text.as_bytes()).unwrap();
        let hash = Hash::from_bytes(sha256(&[text.as_bytes()]));
        assert_eq!(definition.document(), hash);
        let file = definition.file();
        assert_eq!(
            serde_json::to_value(file).unwrap(),
            json(text),
            "nothing is lost in reading"
        );
        let spec = Registry::standard()
            .command("service", "definition.publish")
            .unwrap();
        json_to_body(spec.fields, &publish_command(&definition)).unwrap();
    }
}

/// What is put where, the code that finds it, and the place that the finding names if it is another one.
type Breakage = (&'static str, Json, &'static str, Option<&'static str>);

fn breakages() -> Vec<Breakage> {
    let long = "x".repeat(2001);
    let many: Vec<_> = (0..65)
        .map(|n| json!({"code": format!("d{n}"), "title": {"en": "x", "de": "x"}, "why_no_credential": {"en": "x", "de": "x"}}))
        .collect();
    let own = |pointer, value, code| (pointer, value, code, None);
    vec![
        own("/format", json!("stele-service/2"), "service-file.format"),
        own("/id", json!("Parking"), "service-file.id"),
        own("/version", json!(0), "service-file.version"),
        own("/authority/scope", json!("DE//M"), "service-file.scope"),
        own("/title/de", json!(" "), "service-file.text"),
        own("/summary/en", json!(long), "service-file.text"),
        own("/legal_basis", json!([]), "service-file.nothing"),
        own("/legal_basis/0/law", json!(""), "service-file.text"),
        own("/fees/0/currency", json!("Euro"), "service-file.currency"),
        own("/fees/0/when/is", json!("decade"), "service-file.when").at("/fees/0/when"),
        own("/fees/0/when/field", json!("street"), "service-file.when").at("/fees/0/when"),
        own("/fees/1/code", json!("year"), "service-file.code-twice"),
        own("/credentials/0/code", json!("Id"), "service-file.code"),
        own("/form/0/code", json!("vehicle"), "service-file.code-twice"),
        own("/documents", json!(many), "service-file.too-many").at(""),
        own("/credentials/0/accepts", json!([]), "service-file.nothing"),
        own(
            "/credentials/0/accepts/0/types",
            json!([]),
            "service-file.credential-types",
        )
        .at("/credentials/0/accepts/0"),
        own(
            "/credentials/0/accepts/1/elements/0",
            json!(""),
            "service-file.credential-types",
        )
        .at("/credentials/0/accepts/1"),
        own("/credentials/0/claims", json!([]), "service-file.nothing"),
        own(
            "/credentials/0/claims/1",
            json!(["family_name"]),
            "service-file.claim",
        )
        .at("/credentials/0/claims"),
        own("/credentials/0/claims/1", json!([]), "service-file.claim"),
        own("/form/0/choices", json!([]), "service-file.choices"),
        own("/form/0/kind", json!("text"), "service-file.choices").at("/form/0/choices"),
        own(
            "/form/1/from/claim",
            json!(["given_name"]),
            "service-file.from",
        )
        .at("/form/1/from"),
        own(
            "/form/1/from/credential",
            json!("passport"),
            "service-file.from",
        )
        .at("/form/1/from"),
        own("/offices", json!([]), "service-file.nothing"),
        own("/steps", json!([]), "service-file.nothing"),
        own("/steps/0/office", json!("mayor"), "service-file.office"),
        own(
            "/steps/1/office",
            json!("citizens-office"),
            "service-file.step-stays",
        ),
        own("/periods/decide/unit", json!("years"), "service-file.unit"),
        own("/periods/decide/count", json!(496), "service-file.length"),
        own("/periods/check/count", json!(0), "service-file.length"),
        own(
            "/periods/notified_after_days",
            json!(32),
            "service-file.length",
        ),
        own(
            "/periods/reminders/0/days_before",
            json!(2000),
            "service-file.length",
        ),
        own("/periods/supply", Json::Null, "service-file.period").at("/periods/reminders/1"),
        own("/periods/decide", Json::Null, "service-file.period").at("/periods/reminders/0"),
        own(
            "/calendar/weekend",
            json!(["sunday", "sunday"]),
            "service-file.weekend",
        ),
        own("/calendar/until", json!("2031-02-29"), "service-file.date"),
        own(
            "/calendar/until",
            json!("2031-12-25"),
            "service-file.after-calendar",
        )
        .at("/calendar/holidays/53/date"),
        own(
            "/calendar/holidays/0/date",
            json!("2026-1-1"),
            "service-file.date",
        ),
        own(
            "/calendar/holidays/1/date",
            json!("2026-01-01"),
            "service-file.not-ascending",
        ),
        own("/calendar/local_time", json!([]), "service-file.nothing"),
        own(
            "/calendar/local_time/0/offset",
            json!("CET"),
            "service-file.date",
        ),
        own(
            "/calendar/local_time/0/from",
            json!("2026-01-01"),
            "service-file.date",
        ),
        own(
            "/calendar/local_time/1/from",
            json!("2025-10-26T01:00:00Z"),
            "service-file.not-ascending",
        ),
        own(
            "/decision/refusal_reasons",
            json!([]),
            "service-file.nothing",
        ),
        own("/decision/remedy/en", json!(""), "service-file.text"),
    ]
}

trait Place {
    fn at(self, place: &'static str) -> Self;
}

impl Place for Breakage {
    fn at(mut self, place: &'static str) -> Self {
        self.3 = Some(place);
        self
    }
}

/// The line of a pointer's last part in pretty-printed JSON, found by counting through the text.
fn line_of(text: &str, pointer: &str) -> usize {
    let mut value = json(text);
    let mut line = 1;
    for part in pointer.split('/').skip(1) {
        // In pretty-printed JSON a value has one line more than it has line breaks, and each child begins on its own line.
        let lines = |value: &Json| serde_json::to_string_pretty(value).unwrap().lines().count();
        line += 1;
        let child = match &value {
            Json::Object(map) => {
                line += map
                    .iter()
                    .take_while(|(key, _)| *key != part)
                    .map(|(_, v)| lines(v))
                    .sum::<usize>();
                map[part].clone()
            }
            Json::Array(list) => {
                let index: usize = part.parse().unwrap();
                line += list[..index].iter().map(lines).sum::<usize>();
                list[index].clone()
            }
            _ => unreachable!(),
        };
        value = child;
    }
    line
}

#[test]
fn each_rule_finds_its_fault_in_its_place() {
    let mut seen = BTreeSet::new();
    for (pointer, value, code, place) in breakages() {
        let mut file = json(PARKING);
        *file
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("{pointer}")) = value.clone();
        let text = serde_json::to_string_pretty(&file).unwrap();
        let findings = check(text.as_bytes());
        let place = place.unwrap_or(pointer);
        let found = findings
            .iter()
            .find(|finding| finding.code == code && finding.path == place);
        let found = found.unwrap_or_else(|| panic!("{pointer} = {value}: {findings:#?}"));
        assert_eq!(found.line, line_of(&text, place), "{pointer}");
        assert!(
            found.sentence.ends_with('.') && found.hint.ends_with('.'),
            "{found}"
        );
        assert!(found.to_string().contains("hint: "));
        seen.insert(code);
    }
    let whole = [
        (" ".repeat(300_000), "service-file.too-large"),
        ("{\"format\": ".to_owned(), "service-file.not-json"),
        (
            PARKING.replacen("\"fees\"", "\"fee\"", 1),
            "service-file.bad-shape",
        ),
        (
            PARKING.replacen("\"version\": 1", "\"version\": 1, \"version\": 2", 1),
            "service-file.bad-shape",
        ),
        ("[".repeat(100_000), "service-file.not-json"),
        (
            PARKING.replacen(
                "{ \"en\": \"Resident parking permit\", \"de\": \"Bewohnerparkausweis\" }",
                "[\"x\", \"y\"]",
                1,
            ),
            "service-file.bad-shape",
        ),
    ];
    for (text, code) in whole {
        let findings = check(text.as_bytes());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].code, code);
        seen.insert(code);
    }
    assert_eq!(check(b"{\n\xff}")[0].line, 2);
    let page = include_str!("../../../../docs/services.md");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `service-file."));
    let documented: BTreeSet<_> = rows.map(|row| row.split('`').next().unwrap()).collect();
    let tested: BTreeSet<_> = seen
        .iter()
        .map(|code| code.strip_prefix("service-file.").unwrap())
        .collect();
    assert_eq!(
        documented, tested,
        "docs/services.md lists the rules, and each has a test"
    );
}

#[test]
fn silence_needs_a_period() {
    let mut file = json(BUSINESS);
    file["periods"]
        .as_object_mut()
        .unwrap()
        .shift_remove("decide");
    file["periods"]["reminders"] = json!([]);
    let found = check(file.to_string().as_bytes());
    let codes: Vec<_> = found
        .iter()
        .map(|finding| (finding.code, finding.path.as_str()))
        .collect();
    let code = "service-file.period";
    assert_eq!(
        codes,
        [(code, "/periods/silence"), (code, "/periods/extension_max")]
    );
}

#[test]
fn a_conditional_credential_fills_in_only_under_its_condition() {
    let mut file = json(BUSINESS);
    let field = &mut file["form"][2];
    assert_eq!(field["code"], "company-name");
    field.as_object_mut().unwrap().shift_remove("when");
    let found = check(file.to_string().as_bytes());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].code, found[0].path.as_str()),
        ("service-file.from", "/form/2/from")
    );
}

#[test]
fn what_passes_here_the_register_accepts() {
    // The weekend may be written in any order; the command sorts it.
    let definition = with(
        PARKING,
        &[("/calendar/weekend", json!(["sunday", "saturday"]))],
    );
    assert_eq!(definition.rules().calendar.weekend, [6, 7]);
    assert!(definition.rules().calendar.is_sound());
    assert_eq!(read(&json(PARKING)).rules(), definition.rules());
}

/// Pointers to every value of a file.
fn pointers(value: &Json, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Json::Object(map) => map
            .iter()
            .for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), found)),
        Json::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(i, value)| pointers(value, &format!("{at}/{i}"), found));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_input_panics_and_findings_have_lines(cut in 0..12_000usize, flip in any::<u8>(), at in 0..12_000usize) {
        let mut bytes = PARKING.as_bytes()[..cut.min(PARKING.len())].to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = flip;
        }
        let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
        for finding in check(&bytes) {
            prop_assert!((1..=lines).contains(&finding.line), "{}", finding);
        }
    }

    #[test]
    fn a_foreign_value_anywhere_is_found_or_harmless(number in 0..500usize, which in 0..6usize) {
        let mut file = json(PARKING);
        let mut places = Vec::new();
        pointers(&file, "", &mut places);
        let place = &places[number % places.len()];
        let values = [json!(null), json!(-1), json!(u64::MAX), json!([]), json!({}), json!("\u{0}é")];
        *file.pointer_mut(place).unwrap() = values[which].clone();
        let text = file.to_string();
        match Definition::read(text.as_bytes()) {
            Err(findings) => prop_assert!(!findings.is_empty()),
            Ok(definition) => prop_assert!(definition.rules().calendar.is_sound()),
        }
    }
}
