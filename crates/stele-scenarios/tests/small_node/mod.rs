//! A node small enough for a test: the real ledger and the real registers behind the few HTTP paths that a scenario uses.
//!
//! It keeps one key, `operator`, the network's steward. It answers one request at a time and closes each connection.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::{Value as Json, json};
use stele_client::Client;
use stele_core::block::Outcome;
use stele_core::entry::EntryBuilder;
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{EntryId, LogIndex, NetworkId, PartyId, RegisterName, TimeMs};
use stele_core::machine::Refusal;
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Clock, Finalised, Ledger, LedgerOptions, Progress, system_time};
use stele_registers::Registry;
use stele_scenarios::{Block, Cell, Options, Report, Scenario, run};

const MINUTE_MS: u64 = 60_000;

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[n; 32]).unwrap()
}

struct Node {
    _folder: tempfile::TempDir,
    ledger: Ledger,
    clock: Clock,
    registry: Arc<Registry>,
    network: NetworkId,
    places: HashMap<EntryId, LogIndex>,
}

/// Status, content type, body.
type Reply = (u16, &'static str, Vec<u8>);

/// Starts a node on a fresh network; it serves until the test program ends.
pub fn start() -> Client {
    start_ahead(Arc::default())
}

/// As [`start`], with a clock that runs so many milliseconds ahead of the system's; it may be moved on while the node runs.
pub fn start_ahead(ahead_ms: Arc<AtomicU64>) -> Client {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("ledger");
    let registry = Arc::new(Registry::standard());
    let registers = registry.registers().map(|register| {
        let name = RegisterName::new(register.name()).unwrap();
        (name, u64::from(register.version()))
    });
    let genesis = Genesis {
        name: "fictional".to_owned(),
        time: TimeMs::new(system_time().get() - 10 * MINUTE_MS),
        network_key: key(200).public().clone(),
        members: vec![Member {
            name: "Fictional steward".to_owned(),
            key: key(1).public().clone(),
        }],
        registers: registers.collect(),
        committee: None,
    };
    Ledger::create(&dir, &genesis, &*registry, &key(200)).unwrap();
    let clock: Clock =
        Arc::new(move || TimeMs::new(system_time().get() + ahead_ms.load(Ordering::Relaxed)));
    let options = LedgerOptions {
        clock: clock.clone(),
        ..LedgerOptions::default()
    };
    let ledger = Ledger::open(&dir, registry.clone(), key(200), options).unwrap();
    let mut node = Node {
        _folder: folder,
        ledger,
        clock,
        registry,
        network: genesis.network_id(),
        places: HashMap::new(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            node.serve(stream.unwrap());
        }
    });
    Client::connect_to(&url, NetworkDescriptor::of_genesis(&genesis))
}

impl Node {
    fn serve(&mut self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace();
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return;
        };
        let (method, path) = (method.to_owned(), path.to_owned());
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let (status, kind, answer) = self.answer(&method, &path, body);
        let head = format!(
            "HTTP/1.1 {status} Answer\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&answer).unwrap();
    }

    fn answer(&mut self, method: &str, path: &str, body: Vec<u8>) -> Reply {
        let plain = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = plain.trim_start_matches('/').split('/').collect();
        match (method, &parts[..]) {
            ("GET", ["v1", "keys"]) => {
                let party = PartyId::of_first_key(&key(1).public().kid()).did();
                in_json(&json!({"items": [{"name": "operator", "party": party}]}))
            }
            ("POST", ["v1", "commands"]) => {
                let entry = self.sign(&serde_json::from_slice(&body).unwrap());
                self.submit(entry)
            }
            ("POST", ["v1", "entries"]) => self.submit(body),
            ("GET", ["v1", "entries", id, "receipt"]) => {
                let place = self.places[&id.parse::<EntryId>().unwrap()];
                receipt(self.ledger.entry_receipt(place, true).unwrap().encode())
            }
            ("GET", ["v1", "state", register, state_key, "receipt"]) => {
                let state_key = hex::decode(state_key).unwrap();
                receipt(
                    self.ledger
                        .state_receipt(&[(register, &state_key)])
                        .unwrap()
                        .encode(),
                )
            }
            _ => (404, "application/problem+json", b"{}".to_vec()),
        }
    }

    /// An entry of the operator with commands in JSON.
    fn sign(&self, request: &Json) -> Vec<u8> {
        let register = request["register"].as_str().unwrap();
        let now = (self.clock)().get();
        let builder = EntryBuilder::new(
            self.network,
            RegisterName::new(register).unwrap(),
            TimeMs::new(now - MINUTE_MS),
            TimeMs::new(now + MINUTE_MS),
            &now.to_be_bytes(),
        );
        let commands = request["commands"].as_array().unwrap();
        let builder = commands.iter().fold(builder, |builder, command| {
            let name = command["name"].as_str().unwrap();
            let spec = self.registry.command(register, name).unwrap();
            let body = stele_registers::json::json_to_body(spec.fields, &command["body"]).unwrap();
            builder.command(name, body)
        });
        builder.sign(&key(1)).unwrap().into_bytes()
    }

    fn submit(&mut self, entry: Vec<u8>) -> Reply {
        let (sender, receiver) = mpsc::channel();
        let submitted = self.ledger.submit(entry, move |progress| {
            let end = match progress {
                Progress::Admitted(_) => return,
                Progress::Refused(refusal) | Progress::Unknown(refusal) => Err(refusal),
                Progress::Final(done) => Ok(done),
            };
            // The receiver may have given up on the time limit below; then nobody is left to tell.
            let _ = sender.send(end);
        });
        let end = submitted.and_then(|_| receiver.recv_timeout(Duration::from_secs(60)).unwrap());
        match end {
            Ok(done) => {
                self.places.insert(done.entry_id, done.log_index);
                in_json(&final_entry(&done))
            }
            Err(refusal) => problem(&refusal),
        }
    }
}

fn final_entry(done: &Finalised) -> Json {
    let mut outcome = match &done.record.outcome {
        Outcome::Applied { .. } => json!({"applied": true}),
        Outcome::Refused { code, .. } => json!({"applied": false, "code": code}),
    };
    if let Some(refusal) = &done.refusal {
        outcome["detail"] = refusal.sentence.as_str().into();
        outcome["hint"] = refusal.hint.as_str().into();
    }
    json!({
        "entry_id": done.entry_id.to_string(),
        "log_index": done.log_index.get(),
        "height": done.record.height.get(),
        "time_ms": done.record.time.get(),
        "outcome": outcome,
    })
}

fn problem(refusal: &Refusal) -> Reply {
    let body = json!({"status": 422, "code": refusal.code, "detail": refusal.sentence, "hint": refusal.hint});
    (
        422,
        "application/problem+json",
        body.to_string().into_bytes(),
    )
}

fn in_json(body: &Json) -> Reply {
    (200, "application/json", body.to_string().into_bytes())
}

fn receipt(bytes: Vec<u8>) -> Reply {
    (200, "application/stele-receipt+cbor", bytes)
}

/// Runs a scenario on a small node, always with the same seed.
#[allow(
    dead_code,
    reason = "one test runs its scenario on nodes whose clocks it moves"
)]
pub fn ran(scenario: &dyn Scenario) -> (Report, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        report: folder.path().to_owned(),
        seed: Some(7),
        ..Options::default()
    };
    let report = run(scenario, start(), options, &|_| ()).unwrap();
    (report, folder)
}

/// The codes in the tables of refusals, with their sentences.
pub fn refusals(report: &Report) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for block in report.steps.iter().flat_map(|step| &step.blocks) {
        let Block::Table { head, rows, .. } = block else {
            continue;
        };
        if head.get(1) != Some(&"Code") {
            continue;
        }
        for row in rows {
            if let [_, Cell::Code(code), Cell::Bad(sentence)] = &row[..] {
                found.push((code.clone(), sentence.clone()));
            }
        }
    }
    found
}
