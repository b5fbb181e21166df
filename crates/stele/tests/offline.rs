//! Keys, doctor, completions, manual pages, and how the program behaves with wrong arguments.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use support::{Place, Ran, assert_snapshot, small_node};

#[test]
fn service_files_are_checked_with_the_line_of_each_fault() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services");
    let files: Vec<_> = fs::read_dir(folder)
        .expect("the shipped services")
        .map(|file| file.expect("a file").path().display().to_string())
        .filter(|path| path.ends_with(".json"))
        .collect();
    assert_eq!(files.len(), 3);
    let mut arguments = vec!["service", "check", "--format", "json"];
    arguments.extend(files.iter().map(String::as_str));
    let good = place.run(&arguments);
    assert_eq!(good.code, 0, "{}", good.whole());
    assert!(
        good.json()
            .as_array()
            .expect("a list")
            .iter()
            .all(|file| file["ok"] == true)
    );

    let text = fs::read_to_string(&files[0]).expect("a service");
    place.file(
        "broken.json",
        text.replacen("\"version\"", "\"versoin\"", 1),
    );
    let broken = place.run(&["service", "check", "broken.json"]);
    assert_eq!(broken.code, 1, "{}", broken.whole());
    assert!(
        broken.stdout.contains("service-file."),
        "{}",
        broken.whole()
    );
    assert!(broken.stdout.contains("broken.json:"), "{}", broken.whole());
    let missing = place.run(&["service", "check", "missing.json"]);
    assert_eq!(missing.code, 2, "{}", missing.whole());
}

#[test]
fn wrong_arguments_are_refused_before_anything_is_touched() {
    let place = Place::new();
    let runs = [
        place.run(&[]),
        place.run(&["frobnicate"]),
        place.run(&["keys", "list", "--format", "yaml"]),
        place.run(&["keys", "new", "a", "--suite", "rsa", "--data", "node"]),
        place.run(&["read", "entry", "xyz"]),
        place.run(&["read", "state", "trace", "zz"]),
        place.run(&["read", "network", "--url", "example"]),
        place.run(&["submit", "nothing", "at.all", "{}", "--data", "node"]),
        place.run(&["submit", "identity", "at.all", "{}", "--data", "node"]),
        place.run(&[
            "submit",
            "identity",
            "party.rename",
            "{name",
            "--data",
            "node",
        ]),
        place.run(&[
            "submit",
            "identity",
            "party.rename",
            "{\"surname\": 1}",
            "--data",
            "node",
        ]),
        place.run(&[
            "submit",
            "identity",
            "party.rename",
            "@missing.json",
            "--data",
            "node",
        ]),
        place.run(&["doctor", "--rebuild", "--repair"]),
        place.run(&["doctor", "--data", "node"]),
        place.run(&["up", "--listen", "here"]),
        place.run(&["keys", "list", "--quiet", "--verbose"]),
    ];
    assert!(
        runs.iter()
            .all(|ran| ran.code == 2 && ran.stdout.is_empty()),
        "all are unusable"
    );
    assert_eq!(
        fs::read_dir(place.path()).expect("readable").count(),
        0,
        "nothing was written"
    );
    assert_snapshot("wrong-arguments", &runs);
}

#[test]
fn a_node_that_is_not_there_is_said() {
    let place = Place::new();
    // Port 1 of the loopback: nothing listens there, and nobody needs to be asked.
    let ran = place.run(&["read", "network", "--url", "http://127.0.0.1:1"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr
            .starts_with("error: could not reach http://127.0.0.1:1/v1/network\n  caused by: "),
        "{}",
        ran.whole()
    );
    assert!(
        ran.stderr.contains("hint: is the node running?"),
        "{}",
        ran.whole()
    );
}

#[test]
fn keys_are_made_listed_shown_carried_and_removed() {
    let place = Place::new();
    let missing = place.run(&["keys", "list", "--data", "a"]);
    assert_eq!(missing.code, 2);
    let made = place.run(&["keys", "new", "mill", "--data", "a", "--format", "json"]);
    assert_eq!(
        (made.code, &made.json()["suite"]),
        (0, &Json::from("Ed25519")),
        "{}",
        made.whole()
    );
    assert_eq!(
        place
            .run(&[
                "keys",
                "new",
                "press",
                "--suite",
                "ml-dsa-65",
                "--data",
                "a"
            ])
            .code,
        0
    );
    let again = place.run(&["keys", "new", "mill", "--data", "a"]);
    let listed = place
        .run(&["keys", "list", "--data", "a", "--format", "json"])
        .json();
    assert_eq!(listed.as_array().expect("a list").len(), 2);
    assert_eq!(listed[0], made.json());
    let shown = place.run(&["keys", "show", "mill", "--data", "a", "--format", "json"]);
    assert_eq!(shown.json(), made.json());

    let no_passphrase = place.run(&["keys", "export", "mill", "--data", "a"]);
    let variables = [("STELE_PASSPHRASE", "correct horse")];
    let exported = place.run_with(&["keys", "export", "mill", "--data", "a"], &variables, b"");
    assert_eq!(exported.code, 0, "{}", exported.whole());
    place.file("passphrase", "correct horse\nand a second line\n");
    let import = [
        "keys",
        "import",
        "-",
        "--name",
        "mill-2",
        "--passphrase-file",
        "passphrase",
        "--data",
        "b",
        "--format",
        "json",
    ];
    let imported = place.run_with(&import, &[], exported.stdout.as_bytes());
    assert_eq!(
        (imported.code, &imported.json()["kid"]),
        (0, &made.json()["kid"]),
        "{}",
        imported.whole()
    );
    let wrong = place.run_with(
        &["keys", "import", "-", "--name", "x", "--data", "b"],
        &[("STELE_PASSPHRASE", "wrong")],
        exported.stdout.as_bytes(),
    );
    let foreign = place.run_with(&["keys", "import", "-", "--data", "b"], &variables, b"{}");
    let unasked = place.run(&["keys", "remove", "mill", "--data", "a"]);
    let unknown = place.run(&["keys", "show", "nobody", "--data", "a"]);
    let bad_name = place.run(&["keys", "new", "../mill", "--data", "a"]);
    let failures = [
        missing,
        again,
        no_passphrase,
        wrong,
        foreign,
        unasked,
        unknown,
        bad_name,
    ];
    assert!(
        failures
            .iter()
            .all(|ran| ran.code == 2 && ran.stdout.is_empty())
    );
    assert_snapshot("keys-failures", &failures);
    assert_eq!(
        place
            .run(&["keys", "remove", "mill", "--yes", "--data", "a"])
            .code,
        0
    );
    assert_eq!(
        place
            .run(&["keys", "list", "--data", "a", "--format", "json"])
            .json()
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn doctor_finds_a_whole_ledger_whole_and_rebuilds_it() {
    let place = Place::new();
    small_node(&place.path().join("node"));
    let runs = [
        place.run(&["doctor", "--data", "node"]),
        place.run(&["doctor", "--rebuild", "--data", "node"]),
        place.run(&["doctor", "--repair", "--data", "node"]),
    ];
    assert!(runs.iter().all(|ran| ran.code == 0), "{runs:#?}");
    let report = place
        .run(&["doctor", "--data", "node", "--format", "json"])
        .json();
    assert_eq!(
        (&report["ok"], &report["keys"], &report["ledger"]["blocks"]),
        (&Json::from(true), &Json::from(2), &Json::from(1))
    );
    assert_eq!(report["faults"].as_array().map(Vec::len), Some(0));
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path))
        } else {
            files.push(path)
        }
    }
    files.sort();
    files
}

/// A copy of the node with one bit of a file flipped, a third of the way into what is not zero.
fn flipped(place: &Place, name: &str, file: &Path) -> PathBuf {
    let target = place.path().join(name);
    copy(&place.path().join("node"), &target);
    let damaged = target.join(
        file.strip_prefix(place.path().join("node"))
            .expect("below the node"),
    );
    let mut bytes = fs::read(&damaged).expect("readable");
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    assert!(used > 0, "{} holds something", damaged.display());
    bytes[used / 3] ^= 4;
    fs::write(&damaged, bytes).expect("writable");
    target
}

#[test]
fn doctor_names_each_damaged_file() {
    let place = Place::new();
    let home = small_node(&place.path().join("node"));
    let segments: Vec<_> = files_below(&home.ledger().join("log"))
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "seg" || e == "log"))
        .collect();
    let segment = segments.first().expect("the log has a segment").clone();
    let keys = home.keys().join("operator.json");
    for (name, file, command) in [
        ("log", segment, Some("--repair`")),
        ("keys", keys, None),
        ("descriptor", home.descriptor(), None),
        ("genesis", home.ledger().join("genesis.cbor"), None),
    ] {
        flipped(&place, name, &file);
        let ran = place.run(&["doctor", "--data", name]);
        assert_eq!(ran.code, 1, "{name}: {}", ran.whole());
        let file_name = file.file_name().expect("a name").to_str().expect("text");
        assert!(
            ran.stdout.contains(file_name),
            "{name} is named: {}",
            ran.whole()
        );
        assert!(ran.stderr.contains("hint: "), "{name}: {}", ran.whole());
        if let Some(command) = command {
            let command = format!("stele doctor --data {name} {command}");
            assert!(ran.stderr.contains(&command), "{name}: {}", ran.whole());
        }
        let report = place.run(&["doctor", "--data", name, "--format", "json"]);
        assert_eq!(
            (report.code, &report.json()["ok"]),
            (1, &Json::from(false)),
            "{name}"
        );
        assert!(
            report.json()["faults"]
                .as_array()
                .is_some_and(|faults| !faults.is_empty()),
            "{name}"
        );
    }
}

#[test]
fn doctor_repairs_only_when_told_to() {
    let place = Place::new();
    let home = small_node(&place.path().join("node"));
    let segment = files_below(&home.ledger().join("log"))
        .into_iter()
        .find(|file| file.extension().is_some_and(|e| e == "seg" || e == "log"));
    flipped(&place, "damaged", &segment.expect("the log has a segment"));
    let before: Vec<_> = files_below(&place.path().join("damaged/ledger/log"));
    let unasked = place.run(&["doctor", "--repair", "--data", "damaged"]);
    assert_eq!(unasked.code, 1, "{}", unasked.whole());
    assert!(
        unasked.stderr.contains("nothing was changed"),
        "{}",
        unasked.whole()
    );
    assert_eq!(
        files_below(&place.path().join("damaged/ledger/log")),
        before
    );
}

#[test]
fn completions_and_manual_pages_cover_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = place.run(&["completions", shell]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(
            ran.stdout.contains("verify") && ran.stdout.contains("doctor"),
            "{shell}"
        );
    }
    let page = place.run(&["man"]);
    assert!(
        page.stdout.starts_with(".ie") && page.stdout.contains("stele"),
        "{}",
        page.stdout
    );
    let pages = place.run(&["man", "pages", "--format", "json"]).json();
    let names: Vec<_> = pages["pages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Json::as_str)
        .collect();
    for name in [
        "stele.1",
        "stele-verify.1",
        "stele-keys-export.1",
        "stele-doctor.1",
    ] {
        assert!(
            names.contains(&name) && place.path().join("pages").join(name).exists(),
            "{name} in {names:?}"
        );
    }
}

#[test]
fn the_version_is_told_in_two_ways() {
    let place = Place::new();
    assert_eq!(place.run(&["--version"]).stdout, "stele [VERSION]\n");
    assert!(
        place
            .run(&["version"])
            .stdout
            .starts_with("stele [VERSION]\nformats    stele-receipt/1")
    );
    assert_eq!(
        place.run(&["version", "--format", "json"]).json()["version"],
        "[VERSION]"
    );
}

#[test]
fn quiet_leaves_data_and_errors() {
    let place = Place::new();
    let normal = place.run(&["keys", "new", "a", "--data", "n"]);
    assert!(normal.stderr.contains("hint:"), "{}", normal.whole());
    let quiet = place.run(&["keys", "new", "b", "--data", "n", "-q"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    assert!(quiet.stdout.contains("kid"));
    let failed: Ran = place.run(&["keys", "new", "b", "--data", "n", "-q"]);
    assert!(failed.stderr.starts_with("error: "), "{}", failed.whole());
}

#[test]
fn the_benchmark_runs_and_prints_figures() {
    let place = Place::new();
    let ran = place.run(&[
        "bench", "ledger", "--quick", "--dir", "bench", "--format", "json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.whole());
    let report = ran.json();
    assert_eq!(report["bench"], "ledger");
    assert!(
        report["figures"]
            .as_array()
            .is_some_and(|figures| figures.iter().any(|figure| figure["value"].is_number()))
    );
    assert_eq!(
        fs::read_dir(place.path().join("bench"))
            .expect("readable")
            .count(),
        0,
        "nothing is left behind"
    );
}
