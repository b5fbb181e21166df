//! Once-only: the query for credentials, what they fill in, and what is still missing.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use stele_services::application::fees;
use stele_services::query::disclosed;
use stele_services::{Application, Definition, GapKind, Language, dcql, gaps, prefill};

use crate::support::{BUSINESS, PARKING, RESIDENCE};

fn definition(text: &str) -> Definition {
    Definition::read(text.as_bytes()).unwrap()
}

fn answers(value: Json) -> Map<String, Json> {
    value.as_object().unwrap().clone()
}

fn found(definition: &Definition, application: &Application) -> Vec<(String, GapKind)> {
    let gaps = gaps(definition, application);
    gaps.into_iter().map(|gap| (gap.code, gap.kind)).collect()
}

#[test]
fn the_query_is_dcql() {
    let query = dcql(&definition(PARKING), &Map::new()).unwrap();
    let credentials = query["credentials"].as_array().unwrap();
    let ids: Vec<_> = credentials
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["identity_1", "identity_2", "vehicle_1", "vehicle_2"]);
    assert_eq!(
        credentials[0],
        json!({
            "id": "identity_1", "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:eudi:pid:de:1", "urn:eudi:pid:1"]},
            "claims": [{"path": ["family_name"]}, {"path": ["address", "postal_code"]}, {"path": ["address", "street_address"]}],
        })
    );
    let mdoc = "eu.europa.ec.eudi.pid.1";
    assert_eq!(credentials[1]["meta"], json!({"doctype_value": mdoc}));
    assert_eq!(
        credentials[1]["claims"][1],
        json!({"path": [mdoc, "resident_postal_code"]})
    );
    let sets = json!([
        {"options": [["identity_1"], ["identity_2"]], "required": true},
        {"options": [["vehicle_1"], ["vehicle_2"]], "required": true},
    ]);
    assert_eq!(query["credential_sets"], sets);
}

#[test]
fn what_is_asked_depends_on_the_answers() {
    let definition = definition(BUSINESS);
    let ids = |form: &str| {
        let query = dcql(&definition, &answers(json!({"legal-form": form}))).unwrap();
        let credentials = query["credentials"].as_array().unwrap().clone();
        credentials
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids("sole-trader"),
        ["identity_1", "identity_2", "tax-clearance"]
    );
    let company = ids("company");
    assert_eq!(
        company[2..4],
        ["company-registration_1", "company-registration_2"]
    );
    let query = dcql(&definition, &answers(json!({"legal-form": "company"}))).unwrap();
    let ldp = &query["credentials"][3];
    assert_eq!(
        ldp["meta"]["type_values"],
        json!([["VerifiableCredential", "CompanyRegistration"]])
    );
    assert_eq!(
        ldp["claims"][0]["path"],
        json!(["credentialSubject", "legal_name"])
    );

    let due = |form: &str| fees(&definition, &answers(json!({"legal-form": form})));
    assert_eq!(
        due("sole-trader"),
        BTreeMap::from([("EUR".to_owned(), 37_600)])
    );
    assert_eq!(due("company")["EUR"], 47_600);
}

#[test]
fn credentials_of_any_format_give_the_same_claims() {
    let definition = definition(PARKING);
    let mdoc = json!({"eu.europa.ec.eudi.pid.1": {
        "family_name": "Fictional-Muster", "resident_postal_code": "00000", "resident_street": "Beispielweg 1", "sex": 2,
    }});
    let sd_jwt = json!({
        "vct": "urn:eudi:pid:de:1", "family_name": "Fictional-Muster",
        "address": {"postal_code": "00000", "street_address": "Beispielweg 1", "country": "DE"},
    });
    let from_mdoc = disclosed(&definition, "identity_2", &mdoc).unwrap();
    assert_eq!(
        disclosed(&definition, "identity_1", &sd_jwt).unwrap(),
        from_mdoc
    );
    assert_eq!(from_mdoc.0, "identity");
    assert_eq!(
        from_mdoc.1["address"],
        json!({"postal_code": "00000", "street_address": "Beispielweg 1"})
    );
    assert!(
        from_mdoc.1.get("sex").is_none() && from_mdoc.1.get("vct").is_none(),
        "nothing else is kept"
    );
    assert_eq!(disclosed(&definition, "identity", &mdoc), None);
}

fn parking() -> Application {
    let identity = json!({"family_name": "Fictional-Muster", "address": {"postal_code": "00000", "street_address": "Beispielweg 1"}});
    let vehicle = json!({"registration_number": "XX-YY 123", "category": "M1"});
    Application {
        credentials: [
            ("identity".to_owned(), identity),
            ("vehicle".to_owned(), vehicle),
        ]
        .into(),
        answers: answers(json!({"zone": "a", "duration": "year", "keeper": "own"})),
        documents: [].into(),
    }
}

#[test]
fn credentials_fill_in_the_form() {
    let definition = definition(PARKING);
    let mut application = parking();
    assert_eq!(found(&definition, &application), []);
    let filled = prefill(&definition, &application.credentials);
    assert_eq!(
        Json::Object(filled),
        json!({"street": "Beispielweg 1", "number-plate": "XX-YY 123"})
    );
    // The credential's word counts, not the applicant's.
    application
        .answers
        .insert("number-plate".into(), json!("XX-YY 123"));
    assert_eq!(found(&definition, &application), []);
    application
        .answers
        .insert("number-plate".into(), json!("XX-YY 999"));
    let gaps = found(&definition, &application);
    assert_eq!(gaps, [("number-plate".to_owned(), GapKind::Differs)]);
}

#[test]
fn everything_that_is_missing_is_named() {
    let definition = definition(PARKING);
    let gap = |change: fn(&mut Application)| {
        let mut application = parking();
        change(&mut application);
        found(&definition, &application)
    };
    let one = |code: &str, kind| vec![(code.to_owned(), kind)];
    let missing = |code| one(code, GapKind::Missing);
    assert_eq!(gap(|a| drop(a.answers.remove("zone"))), missing("zone"));
    assert_eq!(
        gap(|a| drop(a.answers.insert("keeper".into(), json!("other")))),
        missing("keeper-consent")
    );
    assert_eq!(
        gap(|a| drop(a.answers.insert("zone".into(), json!("z")))),
        one("zone", GapKind::Invalid)
    );
    assert_eq!(
        gap(|a| drop(a.answers.insert("zone".into(), json!(1)))),
        one("zone", GapKind::Invalid)
    );
    let unasked = |code| one(code, GapKind::NotAsked);
    assert_eq!(
        gap(|a| a.documents.extend(["keeper-consent".to_owned()])),
        unasked("keeper-consent")
    );
    assert_eq!(
        gap(|a| a.documents.extend(["photo".to_owned()])),
        unasked("photo")
    );
    assert_eq!(
        gap(|a| drop(a.answers.insert("religion".into(), json!("x")))),
        unasked("religion")
    );
    let without = gap(|a| drop(a.credentials.remove("vehicle")));
    assert_eq!(
        without,
        [missing("vehicle"), missing("number-plate")].concat()
    );
    let stripped = gap(|a| a.credentials.get_mut("vehicle").unwrap()["category"] = Json::Null);
    assert_eq!(stripped, one("vehicle", GapKind::ClaimMissing));

    let empty = Application::default();
    let required = found(&definition, &empty);
    assert_eq!(
        required.len(),
        2 + 5,
        "two credentials and five fields: {required:?}"
    );
    let sentences: Vec<_> = gaps(&definition, &empty)
        .iter()
        .map(|gap| gap.sentence(Language::De))
        .collect();
    assert!(
        sentences.contains(&"„Parkzone“ fehlt.".to_owned()),
        "{sentences:?}"
    );
}

#[test]
fn answers_of_each_kind() {
    let definition = definition(BUSINESS);
    let fits = |code: &str, answer: Json| {
        let mut application = Application::default();
        application.answers.insert(code.to_owned(), answer);
        !found(&definition, &application).contains(&(code.to_owned(), GapKind::Invalid))
    };
    for (code, good, bad) in [
        ("begins-on", json!("2026-12-01"), json!("2026-12-32")),
        ("begins-on", json!("1950-02-28"), json!("1950-02-29")),
        ("employees", json!(3), json!(-3)),
        ("employees", json!(0), json!(1.5)),
        ("premises", json!("Beispielweg 2"), json!("  ")),
        ("premises", json!("x".repeat(2000)), json!("x".repeat(2001))),
    ] {
        assert!(fits(code, good.clone()), "{code}: {good}");
        assert!(!fits(code, bad.clone()), "{code}: {bad}");
    }
}

#[test]
fn a_condition_on_yes_or_no() {
    let definition = definition(RESIDENCE);
    let missing = |for_another: bool| {
        let application = Application {
            answers: answers(json!({"for-another": for_another})),
            ..Application::default()
        };
        found(&definition, &application)
            .contains(&("power-of-attorney".to_owned(), GapKind::Missing))
    };
    assert!(missing(true) && !missing(false));
}
