//! `stele data`: listing and getting data sets. Needs the sets: STELE_DATA.
#![allow(missing_docs)]

mod support;

use serde_json::Value as Json;
use support::Place;

const SET: &str = "epcis-examples";

#[test]
fn a_missing_set_is_said_with_the_way_to_get_it() {
    let place = Place::new();
    let listed = place.run(&["data", "list", "--format", "json"]).json();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["found"]),
        (&Json::from(SET), &Json::Null)
    );
    assert!(
        listed[0]["files"][0]["sha256"]
            .as_str()
            .is_some_and(|hash| hash.len() == 64)
    );
    let got = place.run(&["data", "get", SET]);
    assert_eq!(got.code, 2, "{}", got.whole());
    assert!(
        got.stderr.contains("stele downloads nothing by itself"),
        "{}",
        got.whole()
    );
    let unknown = place.run(&["data", "get", "nothing"]);
    assert_eq!(
        (unknown.code, unknown.stderr.contains("stele data list")),
        (2, true),
        "{}",
        unknown.whole()
    );
}

#[test]
fn a_set_is_copied_into_the_cache_and_found_there() {
    let sets = std::env::var("STELE_DATA")
        .expect("STELE_DATA names the folder of data sets (docs: stele data list)");
    let sets = std::path::absolute(sets)
        .expect("a path")
        .display()
        .to_string();
    let place = Place::new();
    let got = place.run_with(
        &["data", "get", SET, "--format", "json"],
        &[("STELE_DATA", &sets)],
        b"",
    );
    assert_eq!(got.code, 0, "{}", got.whole());
    let listed = place.run(&["data", "list", "--format", "json"]).json();
    assert_eq!(listed[0]["found"]["by"], "the cache", "{listed:#}");
    let again = place.run(&["data", "get", SET]);
    assert_eq!(again.code, 0, "{}", again.whole());

    let folder = std::path::PathBuf::from(
        got.json()["folder"]
            .as_str()
            .expect("a folder")
            .replace("[DIR]", &place.path().display().to_string()),
    );
    let first = std::fs::read_dir(&folder)
        .expect("readable")
        .flatten()
        .next()
        .expect("a file")
        .path();
    std::fs::write(&first, "changed").expect("writable");
    let damaged = place.run(&["data", "get", SET]);
    assert_eq!(damaged.code, 2, "{}", damaged.whole());
    assert!(
        damaged.stderr.contains(
            first
                .file_name()
                .and_then(|name| name.to_str())
                .expect("text")
        ),
        "{}",
        damaged.whole()
    );
}
