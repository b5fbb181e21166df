//! A network of four validators as an operator meets it: real processes, kill -9, more than a third gone, and everyone back.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use stele_node::local_network::{self, EPOCH_BLOCKS};
use stele_registers::Registry;
use support::Place;

/// How long what must come at last may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Node {
    child: Child,
    url: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        // SIGKILL: these tests are about nodes that end without a word.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(place: &Place, home: &Path) -> Node {
    start_with(place, home, &[])
}

fn start_with(place: &Place, home: &Path, more: &[&str]) -> Node {
    let ready = home.join("ready.json");
    let _ = std::fs::remove_file(&ready);
    let mut command: Command = place.command(&[
        "up",
        "--quiet",
        "--listen",
        "127.0.0.1:0",
        "--data",
        home.to_str().expect("UTF-8"),
        "--ready-file",
        ready.to_str().expect("UTF-8"),
    ]);
    let child = command
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("starts");
    // Ended with everything else if it does not come to serve.
    let mut node = Node {
        child,
        url: String::new(),
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = std::fs::read(&ready)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Json>(&bytes).ok());
        if let Some(told) = told {
            node.url = told["url"].as_str().expect("an address").to_owned();
            return node;
        }
        assert!(Instant::now() < deadline, "the node does not serve");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn status(place: &Place, node: &Node) -> Json {
    place
        .run(&["network", "status", "--format", "json", "--url", &node.url])
        .json()
}

/// Waits until `wanted` holds of what the node says of the network.
fn wait(place: &Place, node: &Node, what: &str, wanted: impl Fn(&Json) -> bool) -> Json {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = status(place, node);
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{what}: {status:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn alarms(status: &Json) -> Vec<&str> {
    let alarms = status["alarms"].as_array().expect("a list");
    alarms
        .iter()
        .map(|alarm| alarm["code"].as_str().expect("a code"))
        .collect()
}

/// The operator of `home` describes its member: an entry through one node.
fn describe(place: &Place, node: &Node, home: &Path, name: &str) -> support::Ran {
    let body = format!("{{\"name\": \"{name}\"}}");
    place.run(&[
        "submit",
        "governance",
        "member.describe",
        &body,
        "--format",
        "json",
        "--url",
        &node.url,
        "--data",
        home.to_str().expect("UTF-8"),
    ])
}

fn found(place: &Place, epoch_blocks: u64) -> Vec<PathBuf> {
    let (homes, founded) = local_network::found_with(
        &place.path().join("net"),
        "Fictional four",
        4,
        &Registry::standard(),
        epoch_blocks,
    )
    .expect("founded");
    assert!(founded);
    homes
}

#[test]
fn four_processes_bear_one_killed_stop_at_two_and_resume() {
    let place = Place::new();
    let homes = found(&place, EPOCH_BLOCKS);
    let mut nodes: Vec<_> = homes.iter().map(|home| start(&place, home)).collect();
    wait(&place, &nodes[0], "all four are heard", |status| {
        alarms(status).is_empty()
    });
    let first = describe(
        &place,
        &nodes[0],
        &homes[0],
        "Fictional office of the first",
    );
    assert_eq!(first.code, 0, "{first:?}");

    // One is killed: the others go on, and say so.
    drop(nodes.pop());
    let second = describe(
        &place,
        &nodes[1],
        &homes[1],
        "Fictional office of the second",
    );
    assert_eq!(second.code, 0, "{second:?}");
    let said = wait(&place, &nodes[0], "one is missed", |status| {
        alarms(status) == ["network.validator-silent"]
    });
    let height = said["height"].as_u64().expect("a height");

    // A second one is killed: nothing becomes final any more, reads go on.
    drop(nodes.pop());
    wait(&place, &nodes[0], "too few", |status| {
        alarms(status) == ["network.no-quorum"]
    });
    let health = place.run(&[
        "read",
        "network",
        "--format",
        "json",
        "--url",
        &nodes[0].url,
    ]);
    assert_eq!(health.code, 0, "reads go on: {health:?}");
    let stopped = status(&place, &nodes[0])["height"]
        .as_u64()
        .expect("a height");
    assert!(stopped >= height);

    // Both come back: the network resumes by itself, and they take up what they missed.
    nodes.push(start(&place, &homes[2]));
    nodes.push(start(&place, &homes[3]));
    wait(&place, &nodes[0], "all are back", |status| {
        alarms(status).is_empty()
    });
    let third = describe(
        &place,
        &nodes[3],
        &homes[3],
        "Fictional office of the fourth",
    );
    assert_eq!(third.code, 0, "{third:?}");
    let newest = status(&place, &nodes[3])["height"]
        .as_u64()
        .expect("a height");
    for node in &nodes {
        wait(&place, node, "level", |status| {
            status["height"].as_u64() >= Some(newest)
        });
    }
    // A receipt of any of them is one under the one key.
    let id = third.json()["entry_id"].as_str().expect("an id").to_owned();
    let receipt = place.path().join("fourth.receipt");
    let bundle = homes[0].join("network.json");
    for node in &nodes {
        let proven = place.run(&[
            "prove",
            "entry",
            &id,
            "--url",
            &node.url,
            "--network",
            bundle.to_str().expect("UTF-8"),
            "-o",
            receipt.to_str().expect("UTF-8"),
        ]);
        assert_eq!(proven.code, 0, "{proven:?}");
        let verified = place.run(&[
            "verify",
            receipt.to_str().expect("UTF-8"),
            "--network",
            bundle.to_str().expect("UTF-8"),
        ]);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
}

#[test]
fn a_follower_reads_along_and_serves() {
    let place = Place::new();
    let homes = found(&place, EPOCH_BLOCKS);
    let data = place.path().join("follower");
    let joined = place.run(&[
        "network",
        "join",
        homes[0].join("network.bundle").to_str().expect("UTF-8"),
        "--data",
        data.to_str().expect("UTF-8"),
        "--format",
        "json",
    ]);
    assert_eq!(joined.code, 0, "{joined:?}");
    let key = joined.json()["node_key"]
        .as_str()
        .expect("a key")
        .to_owned();
    // The operator of the first validator lets it connect.
    let seat = homes[0].join("validator/seat.json");
    let mut settings: Json =
        serde_json::from_slice(&std::fs::read(&seat).expect("a file")).expect("JSON");
    settings["followers"] = serde_json::json!([key]);
    std::fs::write(&seat, settings.to_string()).expect("written");

    let mut nodes = vec![start_with(&place, &homes[0], &["--snapshot-every", "1"])];
    nodes.extend(homes[1..].iter().map(|home| start(&place, home)));
    let first = describe(
        &place,
        &nodes[0],
        &homes[0],
        "Fictional office of the first",
    );
    assert_eq!(first.code, 0, "{first:?}");
    // It begins from a snapshot that the first validator has made, not from block 0.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let fetch = [
            "snapshot",
            "fetch",
            "--data",
            text(&data),
            "--url",
            &nodes[0].url,
        ];
        let fetched = place.run(&fetch);
        if fetched.code == 0 {
            break;
        }
        assert!(fetched.stderr.contains("no such snapshot"), "{fetched:?}");
        assert!(Instant::now() < deadline, "no snapshot is offered");
        std::thread::sleep(Duration::from_millis(200));
    }
    let again = place.run(&[
        "snapshot",
        "fetch",
        "--data",
        text(&data),
        "--url",
        &nodes[0].url,
    ]);
    assert_eq!(again.code, 2, "a ledger is there: {again:?}");
    let follower = start(&place, &data);
    let done = describe(
        &place,
        &nodes[1],
        &homes[1],
        "Fictional office of the second",
    );
    assert_eq!(done.code, 0, "{done:?}");
    let height = status(&place, &nodes[1])["height"]
        .as_u64()
        .expect("a height");
    let said = wait(&place, &follower, "the follower is level", |status| {
        status["height"].as_u64() >= Some(height)
    });
    assert_eq!(said["role"], "follower");
    // What a client gives to a follower goes to the validators and comes back final.
    let through = describe(
        &place,
        &follower,
        &homes[2],
        "Fictional office of the third",
    );
    assert_eq!(through.code, 0, "{through:?}");
    // The same place cannot be made twice, and what is no bundle makes none.
    let again = place.run(&[
        "network",
        "join",
        homes[0].join("network.bundle").to_str().expect("UTF-8"),
        "--data",
        data.to_str().expect("UTF-8"),
    ]);
    assert_eq!(again.code, 2, "{again:?}");
    let file = place.file("no.bundle", b"no bundle");
    let none = place.run(&[
        "network",
        "join",
        file.to_str().expect("UTF-8"),
        "--data",
        place.path().join("x").to_str().expect("UTF-8"),
    ]);
    assert_eq!(none.code, 2, "{none:?}");
    assert!(
        !place.path().join("x").exists(),
        "a refused request changes nothing"
    );
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Runs `stele network ...` as the member whose node lies in `home`; it must be done.
fn as_member(place: &Place, arguments: &[&str], home: &Path, node: &Node) -> support::Ran {
    let with = ["--data", text(home), "--url", &node.url];
    let ran = place.run(&[&["network"], arguments, &with].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// Makes a folder for another node.
fn join(place: &Place, homes: &[PathBuf], name: &str) -> PathBuf {
    let data = place.path().join(name);
    let bundle = homes[0].join("network.bundle");
    let joined = place.run(&["network", "join", text(&bundle), "--data", text(&data)]);
    assert_eq!(joined.code, 0, "{joined:?}");
    data
}

#[test]
fn members_take_another_in_leave_and_change_their_keys() {
    let place = Place::new();
    // Short epochs: a committee begins with the next one.
    let homes = found(&place, 60);
    let nodes: Vec<_> = homes.iter().map(|home| start(&place, home)).collect();
    wait(&place, &nodes[0], "all four are heard", |status| {
        alarms(status).is_empty()
    });

    // Another organisation makes its node and registers itself; a steward proposes it, two more agree.
    let harbour = join(&place, &homes, "harbour");
    let registered = place.run(&[
        "party",
        "register",
        "--key",
        "operator",
        "--name",
        "Fictional harbour",
        "--data",
        text(&harbour),
        "--url",
        &nodes[0].url,
    ]);
    assert_eq!(registered.code, 0, "{registered:?}");
    let card = harbour.join("card.json");
    let propose = [
        "propose",
        "--title",
        "Take the harbour in",
        "--admit",
        text(&card),
    ];
    as_member(&place, &propose, &homes[0], &nodes[0]);
    as_member(&place, &["vote", "1", "no"], &homes[1], &nodes[1]);
    as_member(&place, &["vote", "1", "yes"], &homes[1], &nodes[1]);
    let list = place.run(&["network", "proposals", "--url", &nodes[1].url]);
    assert!(
        list.stdout.contains("2 for, 0 against, 3 needed"),
        "{list:?}"
    );
    as_member(&place, &["vote", "1", "yes"], &homes[2], &nodes[2]);
    let one = place.run(&["network", "proposals", "1", "--url", &nodes[2].url]);
    assert!(
        one.stdout.contains("accepted") && one.stdout.contains("validator.add"),
        "{one:?}"
    );
    let fifth = start(&place, &harbour);
    wait(&place, &fifth, "the harbour validates", |status| {
        status["role"] == "validator" && status["committee"] == 2 && status["quorum"] == 4
    });

    // What only stewards decide together is refused to one alone, in words.
    let alone = place.run(&[
        "submit",
        "governance",
        "committee.refresh",
        "{}",
        "--data",
        text(&homes[0]),
        "--url",
        &nodes[0].url,
    ]);
    assert_eq!(alone.code, 1, "{alone:?}");
    assert!(
        alone.stdout.contains("governance.needs-proposal"),
        "{alone:?}"
    );

    // The second member moves its validator to another node, which holds the same member's key.
    let moved = place.path().join("moved");
    let passphrase = place.file("passphrase", b"a fictional passphrase\n");
    let exported = place.run(&[
        "keys",
        "export",
        "operator",
        "--passphrase-file",
        text(&passphrase),
        "--data",
        text(&homes[1]),
    ]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let key = place.file("operator.key", &exported.stdout);
    let imported = place.run(&[
        "keys",
        "import",
        text(&key),
        "--passphrase-file",
        text(&passphrase),
        "--data",
        text(&moved),
    ]);
    assert_eq!(imported.code, 0, "{imported:?}");
    let moved = join(&place, &homes, "moved");
    let card = moved.join("card.json");
    as_member(&place, &["rotate", text(&card)], &homes[1], &nodes[1]);
    let successor = start(&place, &moved);
    wait(&place, &successor, "the successor validates", |status| {
        status["role"] == "validator" && status["committee"] == 3
    });
    wait(&place, &nodes[1], "its predecessor follows", |status| {
        status["role"] == "follower"
    });

    // The first leaves; the four that stay go on, and every receipt verifies under the founders' key.
    as_member(&place, &["leave"], &homes[0], &nodes[0]);
    wait(&place, &fifth, "the first has left", |status| {
        status["committee"] == 4 && status["quorum"] == 3
    });
    let last = describe(&place, &fifth, &harbour, "Fictional harbour office");
    assert_eq!(last.code, 0, "{last:?}");
    let id = last.json()["entry_id"].as_str().expect("an id").to_owned();
    // Final at one node is not yet known to all.
    let height = last.json()["height"].as_u64().expect("a height");
    wait(&place, &successor, "the entry has come", |status| {
        status["height"].as_u64() >= Some(height)
    });
    let (receipt, descriptor) = (
        place.path().join("last.receipt"),
        homes[0].join("network.json"),
    );
    let proven = place.run(&[
        "prove",
        "entry",
        &id,
        "--url",
        &successor.url,
        "--network",
        text(&descriptor),
        "-o",
        text(&receipt),
    ]);
    assert_eq!(proven.code, 0, "{proven:?}");
}
