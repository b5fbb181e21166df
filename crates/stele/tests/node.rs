//! A real node, driven by the real program: up, party, submit, read, watch, prove, verify, stop.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use support::up::{Up, said};
use support::{Place, Ran};

fn done(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.whole());
    ran
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777
}

#[test]
fn an_entry_goes_from_a_key_to_a_receipt_that_verifies_without_the_node() {
    let place = Place::new();
    let up = Up::start(
        &place,
        &["--listen", "127.0.0.1:0", "--name", "Fictional Harbour"],
    );
    let out = fs::read_to_string(place.path().join("up.out")).expect("readable");
    assert!(
        out.contains("Stele is up.") && out.contains(&up.url) && out.contains("founded just now"),
        "{out}"
    );
    assert_eq!(
        mode(&place.path().join("ready.json")),
        0o600,
        "the ready file holds the token"
    );
    assert!(up.token.starts_with("stele_"));

    let node = ["--url", up.url.as_str(), "--data", "node"];
    let with = |words: &[&str]| place.run(&[words, &node].concat());
    let party = done(with(&[
        "party",
        "register",
        "--key",
        "mill",
        "--name",
        "Fictional Olive Mill",
        "--format",
        "json",
    ]))
    .json();
    let did = party["party"].as_str().expect("a DID").to_owned();
    let submitted = done(with(&[
        "submit",
        "identity",
        "party.rename",
        "{\"name\": \"Fictional Olive Mill & Sons\"}",
        "--key",
        "mill",
        "--format",
        "json",
    ]))
    .json();
    assert_eq!(
        (&submitted["status"], &submitted["outcome"]["applied"]),
        (&Json::from("final"), &Json::from(true))
    );
    let id = submitted["entry_id"].as_str().expect("an id");

    let at = ["--url", up.url.as_str()];
    let read =
        |words: &[&str]| done(place.run(&[words, &at, &["--format", "json"]].concat())).json();
    assert_eq!(read(&["read", "network"])["name"], "Fictional Harbour");
    assert_eq!(read(&["read", "entry", id])["party"], did.as_str());
    assert_eq!(
        read(&["read", "party", &did])["party"]
            .as_str()
            .unwrap_or(&did),
        did
    );
    assert!(
        read(&["read", "register"])
            .as_array()
            .is_some_and(|registers| registers.len() >= 3)
    );
    assert_eq!(read(&["read", "block", "0"])["height"], 0);
    let entries = done(place.run(&["read", "entries", "--party", &did, "--url", &up.url]));
    assert_eq!(entries.stdout.lines().count(), 2, "{}", entries.whole());
    assert!(
        entries.stdout.contains("identity/party.rename"),
        "{}",
        entries.whole()
    );
    let watched = done(place.run(&[
        "watch", "--from", "0", "--count", "2", "--url", &up.url, "--format", "json",
    ]));
    let indexes: Vec<_> = watched
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).expect("JSON")["log_index"].clone())
        .collect();
    assert_eq!(indexes, [Json::from(0), Json::from(1)]);
    let missing = place.run(&["read", "entry", &"0".repeat(64), "--url", &up.url]);
    assert_eq!(missing.code, 1, "{}", missing.whole());

    done(place.run(&[
        "prove",
        "entry",
        id,
        "--url",
        &up.url,
        "-o",
        "entry.receipt",
    ]));
    let absent = done(place.run(&[
        "prove",
        "state",
        "identity",
        "text:nothing of this name",
        "--url",
        &up.url,
        "--network",
        "node/network.json",
        "-o",
        "absent.receipt",
    ]));
    assert!(absent.stdout.contains("is absent"), "{}", absent.whole());
    let piped = place
        .command(&["prove", "entry", id, "--url", &up.url, "-o", "-"])
        .output()
        .expect("it runs");
    assert_eq!(
        piped.stdout,
        fs::read(place.path().join("entry.receipt")).expect("saved")
    );

    let busy = place.run(&["doctor", "--data", "node"]);
    assert_eq!(
        busy.code,
        2,
        "a running node's files are in use: {}",
        busy.whole()
    );
    let status = up.stop(libc::SIGTERM);
    assert_eq!(status.code(), Some(0), "{}", said(&place));

    let proven = done(place.run(&["verify", "entry.receipt", "--data", "node"]));
    assert!(
        proven.stdout.starts_with("VALID")
            && proven.stdout.contains(&did)
            && proven.stdout.contains("Olive Mill & Sons"),
        "{}",
        proven.whole()
    );
    done(place.run(&["verify", "absent.receipt", "--data", "node"]));
    let mut bytes = fs::read(place.path().join("entry.receipt")).expect("saved");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    place.file("changed.receipt", bytes);
    assert_eq!(
        place
            .run(&["verify", "changed.receipt", "--data", "node"])
            .code,
        1
    );
    let healthy = done(place.run(&["doctor", "--data", "node"]));
    assert!(healthy.stdout.contains("healthy"), "{}", healthy.whole());
}

#[test]
fn refusals_are_answers_with_exit_code_1() {
    let place = Place::new();
    let up = Up::start(&place, &["--listen", "127.0.0.1:0"]);
    let node = ["--url", up.url.as_str(), "--data", "node"];
    done(place.run(&["keys", "new", "stranger", "--data", "node"]));
    // A key of no party is refused before ordering.
    let arguments = [
        "submit",
        "identity",
        "party.rename",
        "{\"name\": \"x\"}",
        "--key",
        "stranger",
    ];
    let text = place.run(&[&arguments[..], &node].concat());
    assert_eq!(text.code, 1, "{}", text.whole());
    assert!(
        text.stderr.starts_with("error: ") && text.stderr.contains("hint: "),
        "{}",
        text.whole()
    );
    let json = place.run(&[&arguments[..], &node, &["--format", "json"]].concat());
    assert_eq!(
        (json.code, &json.json()["status"]),
        (1, &Json::from("refused")),
        "{}",
        json.whole()
    );
    assert!(
        json.json()["code"]
            .as_str()
            .is_some_and(|code| !code.is_empty())
    );
    let interrupted = up.stop(libc::SIGINT);
    assert_eq!(interrupted.code(), Some(0), "{}", said(&place));
}

#[test]
fn a_taken_port_is_said_and_gone_around() {
    // Whether or not somebody else has the usual port, it is taken now.
    let usual = TcpListener::bind("127.0.0.1:4180");
    let place = Place::new();
    let up = Up::start(&place, &[]);
    assert!(!up.url.ends_with(":4180"), "{}", up.url);
    assert!(
        said(&place).contains("127.0.0.1:4180 is taken"),
        "{}",
        said(&place)
    );
    let asked = place.run(&[
        "up",
        "--data",
        "other",
        "--listen",
        up.url.trim_start_matches("http://"),
    ]);
    assert_eq!(asked.code, 2, "{}", asked.whole());
    assert!(
        asked.stderr.contains("could not listen"),
        "{}",
        asked.whole()
    );
    drop(usual);
    assert_eq!(up.stop(libc::SIGTERM).code(), Some(0), "{}", said(&place));
}

#[test]
fn a_folder_serves_one_node_at_a_time_and_again_after_it() {
    let place = Place::new();
    let up = Up::start(&place, &["--listen", "127.0.0.1:0"]);
    let second = place.run(&["up", "--data", "node", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 2, "{}", second.whole());
    assert_eq!(up.stop(libc::SIGTERM).code(), Some(0), "{}", said(&place));
    fs::remove_file(place.path().join("ready.json")).expect("it is there");
    let again = Up::start(&place, &["--listen", "127.0.0.1:0"]);
    let out = fs::read_to_string(place.path().join("up.out")).expect("readable");
    assert!(!out.contains("founded just now"), "{out}");
    assert_eq!(
        said(&place),
        "",
        "a node that was stopped well has nothing to say of it"
    );
    assert_eq!(
        again.stop(libc::SIGTERM).code(),
        Some(0),
        "{}",
        said(&place)
    );
}

#[test]
fn a_scenario_runs_on_a_node_of_its_own_and_its_receipts_verify() {
    let place = Place::new();
    let listed = done(place.run(&["scenario", "list", "--format", "json"])).json();
    assert!(
        listed
            .as_array()
            .is_some_and(|all| all.iter().any(|scenario| scenario["name"] == "trace"))
    );
    let unknown = place.run(&["scenario", "run", "nothing"]);
    assert_eq!(unknown.code, 2, "{}", unknown.whole());
    let report = done(place.run(&[
        "scenario", "run", "trace", "--format", "json", "--seed", "7",
    ]))
    .json();
    assert_eq!(report["ok"], true);
    let evidence = report["evidence"].as_array().expect("evidence");
    assert!(!evidence.is_empty());
    let network = report["network_file"].as_str().expect("a file").to_owned();
    for item in evidence {
        let receipt = PathBuf::from(item["receipt"].as_str().expect("a file"));
        done(place.run(&[
            "verify",
            &receipt.display().to_string(),
            "--network",
            &network,
        ]));
    }
}

#[test]
fn a_damaged_log_is_repaired_and_served_again() {
    let place = Place::new();
    let up = Up::start(&place, &["--listen", "127.0.0.1:0"]);
    for name in ["a", "b", "c", "d"] {
        let register = [
            "party", "register", "--key", name, "--data", "node", "--url", &up.url,
        ];
        done(place.run(&register));
    }
    assert_eq!(up.stop(libc::SIGTERM).code(), Some(0), "{}", said(&place));
    fs::remove_file(place.path().join("ready.json")).expect("it is there");
    let log = place.path().join("node/ledger/log");
    let segment = fs::read_dir(&log)
        .expect("readable")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .expect("the log has a segment");
    let mut bytes = fs::read(&segment).expect("readable");
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("it holds something");
    bytes[used * 2 / 3] ^= 1;
    fs::write(&segment, bytes).expect("writable");

    assert_eq!(place.run(&["doctor", "--data", "node"]).code, 1);
    let refused = place.run(&["up", "--data", "node", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 2, "{}", refused.whole());
    assert!(
        refused.stderr.contains("stele doctor --repair"),
        "{}",
        refused.whole()
    );
    let repaired = done(place.run(&[
        "doctor", "--repair", "--yes", "--data", "node", "--format", "json",
    ]))
    .json();
    let kept = repaired["entries"].as_u64().expect("a number");
    assert!((1..4).contains(&kept), "{repaired:#}");
    assert_eq!(repaired["set_aside"].as_array().map(Vec::len), Some(1));
    done(place.run(&["doctor", "--data", "node"]));
    let up = Up::start(&place, &["--listen", "127.0.0.1:0"]);
    let listed = done(place.run(&["read", "entries", "--url", &up.url]));
    assert_eq!(
        listed.stdout.lines().count() as u64,
        kept,
        "{}",
        listed.whole()
    );
    done(place.run(&[
        "party", "register", "--key", "d", "--data", "node", "--url", &up.url,
    ]));
    assert_eq!(up.stop(libc::SIGTERM).code(), Some(0), "{}", said(&place));
}
