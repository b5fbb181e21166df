//! Witnesses as operators run them: real processes beside a node, and beside a network of four validators.
#![allow(missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use stele_client::Client;
use stele_core::genesis::Genesis;
use stele_core::merkle::checkpoint::{Note, NoteLimits};
use stele_core::witness::{LogKey, WitnessKey, log_origin};
use stele_ledger::ledger::Ledger;
use stele_node::{Home, local_network};
use stele_registers::Registry;
use support::{Place, Ran, key, small_node};

/// How long what must come at last may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that wrote where it serves.
struct Process {
    child: Child,
    told: Json,
}

impl Process {
    fn start(place: &Place, ready: &Path, arguments: &[&str]) -> Self {
        let _ = std::fs::remove_file(ready);
        let ready_text = ready.to_str().expect("UTF-8");
        let arguments = [arguments, &["--quiet", "--ready-file", ready_text]].concat();
        let child = place
            .command(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        // Ended with everything else if it does not come to serve.
        let mut process = Self {
            child,
            told: Json::Null,
        };
        let told = || serde_json::from_slice(&std::fs::read(ready).ok()?).ok();
        process.told = wait("it serves", told);
        process
    }

    fn text(&self, member: &str) -> &str {
        self.told[member].as_str().expect("text")
    }

    fn url(&self) -> &str {
        self.text("url")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL: what is promised must hold without a word of farewell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = wanted() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts a witness called `name` in a folder of the same name.
fn witness(place: &Place, name: &str, listen: &str, log: &str) -> Process {
    let dir = place.path().join(name);
    let ready = place.path().join(format!("{name}.json"));
    let dir = dir.to_str().expect("UTF-8");
    let name = format!("witness.example/{name}");
    let arguments = [
        "witness", "up", "--dir", dir, "--name", &name, "--listen", listen, "--log", log,
    ];
    Process::start(place, &ready, &arguments)
}

/// Starts a node that asks these witnesses.
fn node(place: &Place, home: &Path, witnesses: &[&Process]) -> Process {
    let endpoints: Vec<_> = witnesses
        .iter()
        .map(|witness| format!("{}={}", witness.url(), witness.text("key")))
        .collect();
    let mut arguments = vec!["up", "--listen", "127.0.0.1:0", "--data"];
    arguments.push(home.to_str().expect("UTF-8"));
    for endpoint in &endpoints {
        arguments.extend(["--witness", endpoint]);
    }
    Process::start(place, &home.join("ready.json"), &arguments)
}

/// An entry of the operator of `home`; its id.
fn entry(place: &Place, node: &Process, home: &Path, name: &str) -> String {
    let body = format!("{{\"name\": \"{name}\"}}");
    let data = home.to_str().expect("UTF-8");
    let ran = place.run(&[
        "submit",
        "governance",
        "member.describe",
        &body,
        "--format",
        "json",
        "--url",
        node.url(),
        "--data",
        data,
    ]);
    assert_eq!(ran.code, 0, "{}", ran.whole());
    ran.json()["entry_id"].as_str().expect("an id").to_owned()
}

fn status(place: &Place, node: &Process) -> Ran {
    place.run(&["witness", "status", "--format", "json", "--url", node.url()])
}

/// Waits until the node's witness of this number has cosigned the log at `size`.
fn wait_cosigned(place: &Place, node: &Process, number: usize, size: u64) {
    wait(&format!("witness {number} cosigns size {size}"), || {
        let status = status(place, node).json();
        let witness = &status["witnesses"][number];
        (witness["cosigned_size"].as_u64() >= Some(size)).then_some(())
    });
}

/// Fetches the receipt of an entry and verifies it under a policy of these witnesses.
fn verify(place: &Place, node: &Process, home: &Path, entry: &str, policy: &[&str]) -> Ran {
    let network = Home::new(home).descriptor().display().to_string();
    let receipt = place.path().join("fetched.receipt").display().to_string();
    let proved = place.run(&[
        "prove",
        "entry",
        entry,
        "--output",
        &receipt,
        "--network",
        &network,
        "--url",
        node.url(),
    ]);
    assert_eq!(proved.code, 0, "{}", proved.whole());
    let given = [
        "verify",
        &receipt,
        "--network",
        &network,
        "--format",
        "json",
    ];
    place.run(&[&given[..], policy].concat())
}

fn checkpoint(node: &Process) -> Note {
    let client = Client::connect(node.url()).expect("connects");
    let note = client.get_bytes("/log/checkpoint").expect("a checkpoint");
    let note = String::from_utf8(note).expect("text");
    Note::parse(&note, &NoteLimits::default()).expect("a note")
}

fn genesis(home: &Path) -> Genesis {
    Ledger::read_genesis(&Home::new(home).ledger()).expect("a genesis")
}

#[test]
fn receipts_carry_the_cosignatures_of_two_witnesses_through_death_and_return() {
    let place = Place::new();
    let home = place.path().join("node");
    small_node(&home);
    let origin = log_origin(&genesis(&home).network_id());
    let log_key = LogKey::of_ed25519(&origin, key(1).public()).expect("Ed25519");
    let log = format!("{origin}={}", log_key.format());
    let east = witness(&place, "east", "127.0.0.1:0", &log);
    let west = witness(&place, "west", "127.0.0.1:0", &log);
    let (east_key, west_key) = (east.text("key").to_owned(), west.text("key").to_owned());
    let node = node(&place, &home, &[&east, &west]);
    let both = ["--witness", &east_key, "--witness", &west_key];

    let first = entry(&place, &node, &home, "The first fictional name");
    wait_cosigned(&place, &node, 0, 1);
    wait_cosigned(&place, &node, 1, 1);
    let ran = verify(&place, &node, &home, &first, &both);
    let names = |ran: &Ran| -> Vec<String> {
        let witnessed = ran.json()["witnessed"].as_array().expect("judged").clone();
        witnessed
            .iter()
            .map(|by| by["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(ran.code, 0, "{}", ran.whole());
    assert_eq!(
        names(&ran),
        ["witness.example/east", "witness.example/west"]
    );

    // A later checkpoint covers the older entry too: its receipt moves there.
    let second = entry(&place, &node, &home, "The second fictional name");
    wait_cosigned(&place, &node, 0, 2);
    wait_cosigned(&place, &node, 1, 2);
    let ran = verify(&place, &node, &home, &first, &both);
    assert_eq!(ran.code, 0, "{}", ran.whole());
    let when = &ran.json()["when"];
    assert!(
        when["certificate"]["height"].as_u64() > when["record"]["height"].as_u64(),
        "{when}"
    );
    let note = checkpoint(&node);
    assert_eq!(log_key.open(&note).expect("the log's").size, 2);
    for witness in [&east_key, &west_key] {
        let witness = WitnessKey::parse(witness).expect("a key");
        let cosigned = note
            .signatures
            .iter()
            .filter(|line| witness.check(&note.text, line).is_some());
        assert_eq!(cosigned.count(), 1);
    }

    // One witness dies. The node goes on, and says so; what asks for both is not met by newer entries.
    let address = west
        .url()
        .strip_prefix("http://")
        .expect("an address")
        .to_owned();
    drop(west);
    let third = entry(&place, &node, &home, "The third fictional name");
    wait_cosigned(&place, &node, 0, 3);
    wait("the node sees that it is gone", || {
        (status(&place, &node).code == 1).then_some(())
    });
    let ran = verify(&place, &node, &home, &third, &both);
    assert_eq!(
        (ran.code, &ran.json()["code"]),
        (1, &Json::from("not-witnessed")),
        "{}",
        ran.whole()
    );
    let one = [&both[..], &["--witnesses-min", "1"]].concat();
    let ran = verify(&place, &node, &home, &third, &one);
    assert_eq!(names(&ran), ["witness.example/east"]);
    let ran = verify(&place, &node, &home, &second, &both);
    assert_eq!(ran.code, 0, "the older receipt stays: {}", ran.whole());

    // It comes back with its memory, and goes on from there.
    let west = witness(&place, "west", &address, &log);
    assert_eq!(west.text("key"), west_key);
    wait_cosigned(&place, &node, 1, 3);
    let ran = verify(&place, &node, &home, &third, &both);
    assert_eq!(ran.code, 0, "{}", ran.whole());
    assert_eq!(status(&place, &node).code, 0);
}

/// Who holds the network key certifies two histories, and shows each reader another one: as all validators together could.
#[test]
fn of_two_histories_under_one_network_key_one_gets_past_the_witness() {
    let place = Place::new();
    let (one, other) = (place.path().join("one"), place.path().join("other"));
    small_node(&one);
    small_node(&other);
    assert_eq!(genesis(&one), genesis(&other), "one network");
    let origin = log_origin(&genesis(&one).network_id());
    let log_key = LogKey::of_ed25519(&origin, key(1).public()).expect("Ed25519");
    let log = format!("{origin}={}", log_key.format());
    let witness = witness(&place, "honest", "127.0.0.1:0", &log);
    let policy = ["--witness", witness.text("key")];

    let shown = node(&place, &one, &[&witness]);
    let public = entry(&place, &shown, &one, "What everybody sees");
    wait_cosigned(&place, &shown, 0, 1);
    let hidden = node(&place, &other, &[&witness]);
    let secret = entry(&place, &hidden, &other, "What one reader is shown");
    wait("the witness refuses the other history", || {
        let status = status(&place, &hidden).json();
        let problem = status["witnesses"][0]["problem"].as_str()?.to_owned();
        problem.contains("422").then_some(())
    });

    // Without a witness both receipts are good. With one the second history is not.
    for (node, home, entry, witnessed) in
        [(&shown, &one, &public, 0), (&hidden, &other, &secret, 1)]
    {
        let plain = verify(&place, node, home, entry, &[]);
        assert_eq!(plain.code, 0, "{}", plain.whole());
        let ran = verify(&place, node, home, entry, &policy);
        assert_eq!(ran.code, witnessed, "{}", ran.whole());
        if witnessed == 1 {
            assert_eq!(ran.json()["code"], "not-witnessed");
        }
    }
    // The witness holds both checkpoints, and the log's own key signed both.
    let logs = place.path().join("honest/logs");
    let folder = std::fs::read_dir(logs)
        .expect("logs")
        .next()
        .expect("one log")
        .expect("readable")
        .path();
    let mut roots: Vec<_> = std::fs::read_dir(folder)
        .expect("files")
        .map(|file| {
            let note = std::fs::read_to_string(file.expect("readable").path()).expect("text");
            let note = Note::parse(&note, &NoteLimits::default()).expect("a note");
            let checkpoint = log_key.open(&note).expect("signed by the log");
            (checkpoint.size, checkpoint.root)
        })
        .collect();
    roots.sort_unstable();
    assert_eq!(
        roots.iter().map(|(size, _)| *size).collect::<Vec<_>>(),
        [1, 1]
    );
    assert_ne!(roots[0].1, roots[1].1, "one size, two roots");
}

#[test]
fn a_network_of_four_is_witnessed_under_its_network_key_alone() {
    let place = Place::new();
    let dir = place.path().join("net");
    let (homes, _) =
        local_network::found(&dir, "Fictional four", 4, &Registry::standard()).expect("founded");
    let genesis = genesis(&homes[0]);
    let origin = log_origin(&genesis.network_id());
    // No key of any node: only what a quorum certified passes.
    let log_key = LogKey::of_certificates(&origin, &genesis.network_key);
    let witness = witness(
        &place,
        "neighbour",
        "127.0.0.1:0",
        &format!("{origin}={}", log_key.format()),
    );
    let nodes: Vec<_> = homes
        .iter()
        .map(|home| node(&place, home, &[&witness]))
        .collect();
    let id = entry(
        &place,
        &nodes[0],
        &homes[0],
        "Fictional office of the first",
    );
    for (node, home) in nodes.iter().zip(&homes) {
        wait_cosigned(&place, node, 0, 1);
        let policy = ["--witness", witness.text("key")];
        let ran = verify(&place, node, home, &id, &policy);
        assert_eq!(ran.code, 0, "{}", ran.whole());
        // Each node's checkpoint verifies under every key that it names, the network's among them.
        let note = checkpoint(node);
        let keys = status(&place, node).json()["keys"]
            .as_array()
            .expect("keys")
            .clone();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0], log_key.format());
        for key in &keys {
            let key = LogKey::parse(key.as_str().expect("text")).expect("a key");
            assert_eq!(key.open(&note).expect("signed").origin, origin);
        }
    }
    let own: std::collections::BTreeSet<_> = nodes
        .iter()
        .map(|node| status(&place, node).json()["keys"][1].to_string())
        .collect();
    assert_eq!(own.len(), 4, "each node has a log key of its own");
}

#[test]
fn a_witness_that_cannot_start_says_why() {
    let place = Place::new();
    let log_key = LogKey::of_ed25519("log.example", key(1).public()).expect("Ed25519");
    let log = format!("log.example={}", log_key.format());
    let up = |dir: &str, more: &[&str]| {
        let given = [
            "witness",
            "up",
            "--dir",
            dir,
            "--listen",
            "127.0.0.1:0",
            "--log",
            &log,
        ];
        place.run(&[&given[..], more].concat())
    };
    let runs = [
        up("new", &[]),
        up("new", &["--name", "two words"]),
        up("new", &["--log", "log.example"]),
        up("new", &["--log", "log.example=log.example+00000000+AQAA"]),
        place.run(&["witness", "up", "--dir", "new"]),
    ];
    assert!(
        runs.iter()
            .all(|ran| ran.code == 2 && ran.stdout.is_empty())
    );
    support::assert_snapshot("witness-failures", &runs);
    assert!(!PathBuf::from(place.path()).join("new/witness.key").exists());
}
