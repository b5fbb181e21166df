//! Snapshots and the archive from the command line: a node's ledger is carried elsewhere, and old blocks leave the hot folder.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::running::Running;
use support::{Place, Ran, small_node};

fn good(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.whole());
    ran
}

fn up<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["up", "--data", data, "--listen", "127.0.0.1:0"], more].concat()
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.expect("cp starts").success());
}

#[test]
fn a_ledger_is_carried_in_a_file_and_archived() {
    let place = Place::new();
    let archive = ["--archive-after", "1000", "--archive-dir", "cheap"];
    let (node, url) = Running::node(&place, "first", &up("node", &archive));
    let register = [
        "party",
        "register",
        "--key",
        "mill",
        "--name",
        "Fictional mill",
    ];
    let here = ["--data", "node", "--url", &url];
    good(place.run(&[&register[..], &here].concat()));
    let head = |url: &str| {
        let read = place.run(&["read", "network", "--format", "json", "--url", url]);
        good(read).json()["head"].clone()
    };
    let before = head(&url);
    // A running node keeps its folder to itself.
    let create = ["snapshot", "create", "a.snapshot", "--data", "node"];
    let refused = place.run(&create);
    assert_eq!(refused.code, 2, "{}", refused.whole());
    assert!(refused.stderr.contains("hint:"), "{}", refused.whole());
    node.stop();
    let json = ["--format", "json"];
    let made = good(place.run(&[&create[..], &json].concat())).json();
    assert_eq!(made["height"], before["height"]);
    let again = place.run(&create);
    assert_eq!(again.code, 2, "{}", again.whole());
    let shown = good(place.run(&["snapshot", "show", "a.snapshot", "--format", "json"])).json();
    assert_eq!(shown["id"], made["id"]);
    good(place.run(&["snapshot", "show", "a.snapshot"]));

    // The same node without its ledger.
    let node = place.path().join("node");
    let bare = place.path().join("bare");
    copy(&node, &bare);
    fs::remove_dir_all(bare.join("ledger")).expect("removed");
    fs::remove_file(bare.join("index.db")).expect("removed");
    fs::remove_file(bare.join("network.json")).expect("removed");
    let restore = ["snapshot", "restore", "a.snapshot", "--data", "bare"];
    let refused = place.run(&restore);
    assert_eq!(refused.code, 2, "no descriptor: {}", refused.whole());
    let named = [&restore[..], &["--network", "node/network.json"]].concat();
    good(place.run(&named));
    good(place.run(&["doctor", "--data", "bare"]));
    let refused = place.run(&named);
    assert_eq!(refused.code, 2, "a ledger is there: {}", refused.whole());
    let (restored, url) = Running::node(&place, "restored", &up("bare", &[]));
    assert_eq!(head(&url), before);
    restored.stop();

    // Of another network, and damaged.
    small_node(&place.path().join("other"));
    let refused = place.run(&["snapshot", "restore", "a.snapshot", "--data", "other"]);
    assert_eq!(refused.code, 1, "{}", refused.whole());
    assert!(
        refused.stderr.contains("is of network"),
        "{}",
        refused.whole()
    );
    let mut bytes = fs::read(place.path().join("a.snapshot")).expect("readable");
    bytes[100] ^= 1;
    place.file("damaged.snapshot", &bytes);
    let refused = place.run(&["snapshot", "show", "damaged.snapshot"]);
    assert_eq!(refused.code, 1, "{}", refused.whole());
    assert!(refused.stderr.contains("hint:"), "{}", refused.whole());
    place.file("cut.snapshot", &bytes[..bytes.len() - 1]);
    let refused = place.run(&["snapshot", "show", "cut.snapshot"]);
    assert_eq!(refused.code, 1, "{}", refused.whole());

    // There is no closed segment yet, which is no failure.
    let archive = ["archive", "--data", "node", "--archive-dir", "cheap"];
    let archived = good(place.run(&[&archive[..], &json].concat())).json();
    assert_eq!(archived["moved"], 0);
    good(place.run(&archive));
}
