//! An office that has nothing but a CSV file: from the table to offers, and from a file to the judgement of a credential.
#![allow(missing_docs)]

mod support;

use std::fs;

use serde_json::json;
use support::up::Up;
use support::{Place, Ran};

const TABLE: &str = "reference,Given name,Degree,ECTS,Awarded on,Grade\n\
    F-1,Fictional Ada,Master of Science,120,2026-09-30,1.3\n\
    F-2,Fictional Bob,Bachelor of Arts,180,2026-09-30,\n";

fn done(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.whole());
    ran
}

#[test]
fn a_table_becomes_offers_with_links_and_codes() {
    let place = Place::new();
    let up = Up::start(&place, &["--listen", "127.0.0.1:0"]);
    let at = ["--url", up.url.as_str()];
    let run = |words: &[&str]| place.run(&[words, &at].concat());
    let node = ["--data", "node"];
    let registered = run(&[
        &[
            "party",
            "register",
            "--key",
            "university",
            "--name",
            "Fictional University",
            "--format",
            "json",
        ][..],
        &node,
    ]
    .concat());
    let did = done(registered).json()["party"]
        .as_str()
        .expect("a DID")
        .to_owned();
    let grant = json!({"subject": did, "action": "credential/issue"}).to_string();
    done(run(&[
        &["submit", "identity", "accreditation.grant", &grant][..],
        &node,
    ]
    .concat()));

    place.file("students.csv", TABLE);
    let settings = [
        "credential",
        "settings",
        "--from",
        "students.csv",
        "--key",
        "university",
    ];
    let settings = done(place.run(&settings)).json();
    let claims: Vec<_> = settings["kinds"][0]["claims"]
        .as_array()
        .expect("claims")
        .iter()
        .map(|claim| {
            (
                claim["name"].clone(),
                claim["value"].clone(),
                claim["optional"] == true,
            )
        })
        .collect();
    let expected = [
        ("given_name", "text", false),
        ("degree", "text", false),
        ("ects", "integer", false),
        ("awarded_on", "date", false),
        ("grade", "number", true),
    ];
    let expected = expected.map(|(name, value, optional)| (json!(name), json!(value), optional));
    assert_eq!(claims, expected);
    place.file("issuer.json", settings.to_string());
    done(run(&["credential", "issuer", "university", "issuer.json"]));
    let shown = done(run(&["credential", "issuer", "university"])).json();
    assert_eq!(shown, settings);

    // One bad row, and nobody is offered anything.
    let bad = TABLE.replace("180", "many");
    place.file("bad.csv", bad);
    let issue = ["credential", "issue", "--issuer", "university", "--from"];
    let refused = run(&[&issue[..], &["bad.csv"]].concat());
    assert_eq!(refused.code, 1, "{}", refused.whole());
    assert!(refused.stderr.contains("line 3, ects") && refused.stderr.contains("office.claim"));
    let offers = [
        "credential",
        "list",
        "--issuer",
        "university",
        "--offers",
        "--format",
        "json",
    ];
    assert_eq!(done(run(&offers)).json()["items"], json!([]));

    done(run(&[
        &issue[..],
        &["students.csv", "--codes", "--out", "offers.csv"],
    ]
    .concat()));
    let written = fs::read_to_string(place.path().join("offers.csv")).expect("written");
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[0], "reference,offer,link,code,until");
    assert_eq!(lines.len(), 3);
    for (line, reference) in lines[1..].iter().zip(["F-1", "F-2"]) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[0], reference);
        assert!(cells[2].starts_with("openid-credential-offer://?credential_offer="));
        assert!(cells[3].len() == 6 && cells[3].bytes().all(|digit| digit.is_ascii_digit()));
    }
    let listed = done(run(&offers)).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(listed["items"][0]["state"], "ready");
    let unknown = run(&[
        "credential",
        "status",
        "revoked",
        "nothing",
        "--issuer",
        "university",
    ]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("office.issued-unknown"),
        "{}",
        unknown.whole()
    );
    let missing = run(&["credential", "list", "--issuer", "../keys"]);
    assert_eq!(missing.code, 2, "{}", missing.whole());
}

#[test]
fn a_credential_is_judged_from_a_file() {
    let place = Place::new();
    place.file("none.txt", "not a credential");
    let judged = place.run(&["credential", "verify", "none.txt", "--format", "json"]);
    assert_eq!(judged.code, 1, "{}", judged.whole());
    assert_eq!(judged.json()["code"], "credential.malformed");
    let absent = place.run(&["credential", "verify", "absent.txt"]);
    assert_eq!(absent.code, 2);
}
