//! A real node on loopback, asked as any program would ask it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value as Json;
use stele_client::{Client, ClientError, Party};
use stele_core::cbor::BodyBuilder;
use stele_core::suite::{SigningKey, Suite};
use stele_node::{Node, NodeConfig, RunningNode};

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
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let node: RunningNode = Node::start(config(home), None).await.expect("starts");
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
