//! A real node on loopback, asked as any program would ask it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value as Json;
use stele_client::{Client, ClientError, Party};
use stele_core::cbor::BodyBuilder;
use stele_core::suite::{SigningKey, Suite};
use stele_node::{Node, NodeConfig, NodeError, RunningNode};

static SEEDS: AtomicU8 = AtomicU8::new(1);

fn new_key() -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[SEEDS.fetch_add(1, Ordering::Relaxed); 32])
        .expect("32 bytes")
}

fn config(home: &std::path::Path) -> NodeConfig {
    let mut config = NodeConfig::new(home);
    config.listen = ([127, 0, 0, 1], 0).into();
    config.ledger.disk_reserve_bytes = 0;
    config
}

/// Starts a node in `home`, runs `work` against it on a blocking thread, and shuts it down.
fn with_node<T: Send + 'static>(
    home: &std::path::Path,
    work: impl FnOnce(Client) -> T + Send + 'static,
) -> T {
    with_node_as(config(home), work)
}

/// As [`with_node`], with settings.
fn with_node_as<T: Send + 'static>(
    config: NodeConfig,
    work: impl FnOnce(Client) -> T + Send + 'static,
) -> T {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let node: RunningNode = Node::start(config, None).await.expect("starts");
        let (url, token) = (node.url().to_owned(), node.token().to_owned());
        let result = tokio::task::spawn_blocking(move || {
            let client = Client::connect(&url).expect("connects").with_token(&token);
            work(client)
        });
        let result = result.await.expect("the test's work does not panic");
        node.shutdown().await.expect("stops");
        result
    })
}

fn event(id: &str) -> Vec<u8> {
    BodyBuilder::new()
        .text("event_id", id)
        .bytes("commitment", &[7; 32])
        .text("type", "ObjectEvent")
        .build()
}

fn register(client: &Client) -> Party {
    client
        .register_party(new_key(), "organisation", Some("Fictional Olive Mill"))
        .expect("registers")
}

#[test]
fn submit_read_prove() {
    let home = tempfile::tempdir().expect("a folder");
    with_node(home.path(), |client| {
        let mill = register(&client);
        let done = mill
            .submit("trace", &[("event.record", event("urn:example:1"))])
            .expect("applies");
        let (receipt, verified) = client.verified_receipt(&done.entry_id).expect("proven");
        assert_eq!(verified.entry.expect("claim").record.party, mill.id());
        assert!(receipt.len() > 300);

        let view = client
            .get_json(&format!("/v1/entries/{}", done.entry_id))
            .expect("reads");
        assert_eq!(view["commands"][0]["body"]["event_id"], "urn:example:1");
        assert_eq!(view["outcome"]["applied"], true);
        let envelope = client
            .get_bytes(&format!("/v1/entries/{}/envelope", done.entry_id))
            .expect("reads");
        assert_eq!(
            stele_core::entry::Entry::decode(envelope)
                .expect("an entry")
                .id(),
            done.entry_id
        );

        let found = client.get_json("/v1/search?q=Olive").expect("searches");
        assert!(
            found["items"]
                .as_array()
                .expect("hits")
                .iter()
                .any(|hit| hit["kind"] == "party")
        );
        let history = client
            .get_json(&format!("/v1/parties/{}/entries", mill.id().did()))
            .expect("lists");
        assert_eq!(history["items"].as_array().expect("items").len(), 2);
        let party = client.party(&mill.id()).expect("reads");
        assert_eq!(party["name"], "Fictional Olive Mill");
        assert!(!party["document"].is_null());

        let network = client.get_json("/v1/network").expect("reads");
        assert_eq!(network["head"]["log_size"], 2);
        let block = client
            .get_json(&format!("/v1/blocks/{}", done.height))
            .expect("reads");
        assert_eq!(block["entries"][0]["entry_id"], done.entry_id.to_string());
        let key = [b"key/".as_slice(), mill.key().public().kid().as_bytes()].concat();
        let (_, value) = client.verified_state("identity", &key).expect("proven");
        assert!(value.is_some());
        let (_, value) = client
            .verified_state("identity", b"nothing here")
            .expect("proven absent");
        assert!(value.is_none());
        // One receipt for what is there and what is not, as of one block.
        let keys = [("identity", key.as_slice()), ("trace", b"nothing here")];
        let proven = client.verified_states(&keys).expect("proven together");
        assert!(proven.values[0].is_some() && proven.values[1].is_none());
        let verified = stele_core::receipt::verify(&proven.receipt, client.network());
        let verified = verified.expect("verifies");
        assert_eq!(verified.state.len(), 2);
        assert_eq!(verified.state[0].height, verified.state[1].height);
    });
}

#[test]
fn refusals_are_problems_with_code_and_hint() {
    let home = tempfile::tempdir().expect("a folder");
    with_node(home.path(), |client| {
        let mill = register(&client);
        let entry = mill
            .sign("trace", &[("event.record", event("urn:example:2"))])
            .expect("signs");
        client.submit(&entry).expect("ordered");
        let Err(ClientError::Refused(problem)) = client.submit(&entry) else {
            panic!("a replay is refused");
        };
        assert_eq!(
            (problem.status, problem.code.as_str()),
            (409, "entry.replayed")
        );
        assert!(!problem.hint.is_empty());
        for (path, status) in [
            ("/v1/entries/zz", 400),
            (
                "/v1/entries/0000000000000000000000000000000000000000000000000000000000000000",
                404,
            ),
            ("/v1/entries?limit=100000", 400),
            ("/v1/entries?cursor=nonsense", 400),
            ("/v1/parties/did:stele:nobody", 400),
            ("/v1/blocks/99999999", 404),
            ("/v1/registers/nothing", 404),
            ("/v1/state/identity/zz", 400),
            ("/v1/state/identity/aa/receipt?and=identity", 400),
            ("/v1/state/identity/aa/receipt?and=identity/aa", 400),
            ("/v1/state/identity/aa/receipt?and=identity/zz", 400),
            ("/v1/state/identity/aa/receipt?or=identity/bb", 400),
            ("/v1/nothing/at/all", 404),
        ] {
            match client.get_bytes(path) {
                Err(ClientError::Refused(problem)) => {
                    assert_eq!(problem.status, status, "{path}: {problem:?}");
                    assert!(
                        !problem.code.starts_with("http."),
                        "{path} answers a problem document"
                    );
                }
                other => panic!("{path}: {other:?}"),
            }
        }
    });
}

#[test]
fn a_recorded_refusal_is_answered_as_final_with_its_reason() {
    let home = tempfile::tempdir().expect("a folder");
    with_node(home.path(), |client| {
        let mill = register(&client);
        let error = mill
            .submit("trace", &[("event.unheard-of", BodyBuilder::new().build())])
            .expect_err("refused");
        assert_eq!(error.code(), Some("registers.unknown-command"));
        assert!(error.hint().is_some());
        let refused = client
            .get_json("/v1/entries?outcome=refused")
            .expect("lists");
        assert_eq!(
            refused["items"][0]["outcome"]["code"],
            "registers.unknown-command"
        );
    });
}

#[test]
fn the_watch_resumes_without_gap_or_repetition() {
    let home = tempfile::tempdir().expect("a folder");
    with_node(home.path(), |client| {
        let mill = Arc::new(register(&client));
        for number in 0..10 {
            mill.submit(
                "trace",
                &[("event.record", event(&format!("urn:example:w{number}")))],
            )
            .expect("applies");
        }
        let seen: Vec<u64> = client
            .watch(0)
            .take(4)
            .map(|event| event.expect("an event").entry.log_index)
            .collect();
        assert_eq!(seen, [0, 1, 2, 3]);
        let later = std::thread::spawn({
            let mill = Arc::clone(&mill);
            move || {
                mill.submit("trace", &[("event.record", event("urn:example:late"))])
                    .expect("applies")
            }
        });
        let seen: Vec<u64> = client
            .watch(4)
            .take(8)
            .map(|event| event.expect("an event").entry.log_index)
            .collect();
        assert_eq!(seen, (4..12).collect::<Vec<_>>());
        later.join().expect("submitted");
    });
}

#[test]
fn pages_hang_together() {
    let home = tempfile::tempdir().expect("a folder");
    with_node(home.path(), |client| {
        let mill = register(&client);
        for number in 0..23 {
            mill.submit(
                "trace",
                &[("event.record", event(&format!("urn:example:p{number}")))],
            )
            .expect("applies");
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: Json = client
                .get_json(&format!("/v1/entries?limit=5{cursor}"))
                .expect("a page");
            seen.extend(
                page["items"]
                    .as_array()
                    .expect("items")
                    .iter()
                    .map(|item| item["log_index"].as_u64().expect("index")),
            );
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, (0..24).rev().collect::<Vec<_>>());
    });
}

#[test]
fn a_restart_and_a_lost_read_model_lose_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let (id, did) = with_node(home.path(), |client| {
        let mill = register(&client);
        let done = mill
            .submit("trace", &[("event.record", event("urn:example:r"))])
            .expect("applies");
        (done.entry_id, mill.id().did())
    });
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(home.path().join(name));
    }
    with_node(home.path(), move |client| {
        client.verified_receipt(&id).expect("still proven");
        let history = client
            .get_json(&format!("/v1/parties/{did}/entries"))
            .expect("lists");
        assert_eq!(
            history["items"].as_array().expect("items").len(),
            2,
            "the read model is filled again"
        );
    });
}

fn refusal(result: Result<impl std::fmt::Debug, ClientError>) -> (u16, String) {
    match result {
        Err(ClientError::Refused(problem)) => {
            assert!(!problem.hint.is_empty());
            (problem.status, problem.code)
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_read_only_node_serves_everything_and_takes_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let read_only = || {
        let mut config = config(home.path());
        config.read_only = true;
        config
    };
    // There must be something to be read, and nothing is made.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let started = runtime.block_on(Node::start(read_only(), None));
    assert!(matches!(started, Err(NodeError::NothingToRead(_))));
    assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 0);

    let entry_id = with_node(home.path(), |client| {
        let done = register(&client).submit("trace", &[("event.record", event("urn:example:1"))]);
        done.expect("applies").entry_id
    });
    let log = home.path().join("ledger/log");
    let bytes_in = |dir: &std::path::Path| -> u64 {
        let files = std::fs::read_dir(dir).expect("a folder").flatten();
        files
            .map(|file| file.metadata().expect("a file").len())
            .sum()
    };
    let before = bytes_in(&log);
    with_node_as(read_only(), move |client| {
        let health = client.get_json("/health").expect("reads");
        assert_eq!(health["status"], "read-only");
        assert_eq!(health["problem"]["code"], "node.read-only");
        let ready = client.get_json("/ready");
        assert!(matches!(ready, Err(ClientError::Refused(problem)) if problem.status == 503));
        let status = client.get_json("/v1/network/status").expect("reads");
        assert_eq!(status["role"], "read-only");
        assert_eq!(status["alarms"], serde_json::json!([]));
        client.verified_receipt(&entry_id).expect("proven");
        client.get_json("/v1/search?q=x").expect("searches");
        client.get_json("/v1/keys").expect("lists");
        client.get_bytes("/metrics").expect("counts");
        client.get_bytes("/").expect("the console");

        let no = (503, "node.read-only".to_owned());
        let post = |path: &str, body: Json| refusal(client.post_json(path, &body));
        assert_eq!(post("/v1/keys", serde_json::json!({"name": "new"})), no);
        let command = serde_json::json!({"key": "operator", "register": "governance",
            "commands": [{"name": "member.describe", "body": {"name": "Fictional Mill"}}]});
        assert_eq!(post("/v1/commands", command), no);
        assert_eq!(
            post("/v1/parties", serde_json::json!({"kind": "organisation"})),
            no
        );
        assert_eq!(post("/v1/scenarios/trace/runs", serde_json::json!({})), no);
        assert_eq!(
            refusal(client.send("DELETE", "/v1/keys/operator", "", Vec::new())),
            no
        );
        let capture = client.send("POST", "/epcis/capture", "application/json", b"{}".to_vec());
        assert!(matches!(capture, Err(ClientError::Refused(problem)) if problem.status == 503));
        let party = client.register_party(new_key(), "organisation", None);
        assert_eq!(refusal(party.map(|party| party.id())), no);
    });
    assert_eq!(bytes_in(&log), before);
    // It is a node as before afterwards.
    with_node(home.path(), |client| {
        register(&client);
        assert_eq!(client.get_json("/health").expect("reads")["status"], "ok");
    });
}

#[test]
fn an_upgrade_that_the_program_lacks_is_told_ahead_and_stops_it() {
    let home = tempfile::tempdir().expect("a folder");
    with_node(home.path(), |client| {
        let command = |name: &str, body: Json| serde_json::json!({"key": "operator", "register": "governance", "commands": [{"name": name, "body": body}]});
        let alarms = || {
            let status = client.get_json("/v1/network/status").expect("reads");
            let alarms = status["alarms"].as_array().expect("a list").clone();
            let text = |alarm: &Json, field: &str| alarm[field].as_str().expect("words").to_owned();
            let parts = alarms
                .iter()
                .map(|alarm| (text(alarm, "code"), text(alarm, "message")));
            parts.collect::<Vec<_>>()
        };
        assert_eq!(alarms(), []);
        let upgrade = serde_json::json!({"register": "trace", "version": 2, "height": 4});
        client
            .post_json(
                "/v1/commands",
                &command("register.activate", upgrade.clone()),
            )
            .expect("applies");
        let ahead = alarms();
        assert_eq!(ahead.len(), 1);
        assert_eq!(ahead[0].0, "network.upgrade-due");
        assert!(
            ahead[0].1.contains("block 4") && ahead[0].1.contains("3 blocks ahead"),
            "{}",
            ahead[0].1
        );
        assert_eq!(client.get_json("/health").expect("reads")["status"], "ok");
        // What is withdrawn is no alarm any more.
        let body = serde_json::json!({"register": "trace", "version": 2});
        let withdraw = command("register.withdraw", body);
        client
            .post_json("/v1/commands", &withdraw)
            .expect("applies");
        assert_eq!(alarms(), []);
        client
            .post_json("/v1/commands", &command("register.activate", upgrade))
            .expect("applies");

        let describe = command(
            "member.describe",
            serde_json::json!({"name": "Fictional Mill"}),
        );
        let no = (503, "node.upgrade-needed".to_owned());
        assert_eq!(refusal(client.post_json("/v1/commands", &describe)), no);
        let health = client.get_json("/health").expect("reads");
        assert_eq!(health["status"], "upgrade-needed");
        assert_eq!(health["problem"]["code"], "node.upgrade-needed");
        assert_eq!(health["height"], 3);
        let stopped = alarms();
        assert_eq!(stopped.len(), 1, "{stopped:?}");
        assert_eq!(stopped[0].0, "node.upgrade-needed");
        assert!(
            stopped[0].1.contains("version 2 of the register trace"),
            "{}",
            stopped[0].1
        );
        client.get_json("/v1/entries").expect("reads go on");
    });
}
