//! W3C DID Resolution over HTTP, as any resolver's client would ask.

use serde_json::Value as Json;
use stele_core::merkle;
use stele_core::receipt::NetworkDescriptor;
use stele_core::receipt::verify;
use stele_core::suite::{SigningKey, Suite};
use stele_node::{Node, NodeConfig};

/// Status, media type and body of a GET.
fn ask(url: &str, path: &str, accept: &str) -> (u16, String, Json) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let answer = agent
        .get(format!("{url}{path}"))
        .header("Accept", accept)
        .call();
    let mut answer = answer.expect("an answer");
    let kind = answer.headers().get("content-type").expect("a type");
    let kind = kind.to_str().expect("text").to_owned();
    let body = answer.body_mut().read_to_string().expect("a body");
    let body = serde_json::from_str(&body).expect("JSON");
    (answer.status().as_u16(), kind, body)
}

#[test]
fn dids_resolve_with_proofs_and_say_why_they_do_not() {
    let home = tempfile::tempdir().expect("a folder");
    let mut config = NodeConfig::new(home.path());
    config.listen = ([127, 0, 0, 1], 0).into();
    config.ledger.disk_reserve_bytes = 0;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let node = Node::start(config, None).await.expect("starts");
        let url = node.url().to_owned();
        let work = tokio::task::spawn_blocking(move || check(&url));
        work.await.expect("the checks hold");
        node.shutdown().await.expect("stops");
    });
}

fn check(url: &str) {
    let client = stele_client::Client::connect(url).expect("connects");
    let key = SigningKey::from_seed(Suite::Ed25519, &[77; 32]).expect("32 bytes");
    let party = client
        .register_party(key, "organisation", Some("Fictional Mill"))
        .expect("registers");
    let did = party.id().did();
    let path = format!("/1.0/identifiers/{did}");

    let (status, kind, found) = ask(url, &path, "*/*");
    assert_eq!((status, kind.as_str()), (200, "application/did-resolution"));
    assert_eq!(found["didDocument"]["id"], did.as_str());
    assert_eq!(found["didDocumentMetadata"]["versionId"], "1");
    let (status, kind, alone) = ask(url, &path, "application/did");
    assert_eq!((status, kind.as_str()), (200, "application/did"));
    assert_eq!(alone, found["didDocument"]);
    let (status, _, versioned) = ask(url, &format!("{path}?versionId=1"), "*/*");
    assert_eq!((status, &versioned["didDocument"]), (200, &alone));

    // The proof holds under the network's key alone.
    let (_, _, proven) = ask(url, &format!("{path}?proof=true"), "*/*");
    let receipt = &proven["didDocumentMetadata"]["stele"]["proof"]["receipt"];
    let receipt = merkle::base64_decode(receipt.as_str().expect("text")).expect("base64");
    let network: &NetworkDescriptor = client.network();
    let verified = verify(&receipt, network).expect("verifies");
    assert!(verified.state.iter().all(|claim| claim.value.is_some()));

    let before = format!("{path}?versionTime=2001-01-01T00:00:00Z");
    let key = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    for (path, status, error) in [
        (before.as_str(), 404, "notFound"),
        (&format!("{path}?versionId=2"), 404, "notFound"),
        (&format!("{path}:0"), 404, "notFound"),
        (&format!("{path}:00"), 400, "invalidDid"),
        ("/1.0/identifiers/did:stele:nobody", 400, "invalidDid"),
        ("/1.0/identifiers/nonsense", 400, "invalidDid"),
        (
            "/1.0/identifiers/did:web:example.org",
            501,
            "methodNotSupported",
        ),
    ] {
        let (found, _, body) = ask(url, path, "*/*");
        assert_eq!(found, status, "{path}: {body}");
        assert_eq!(body["didResolutionMetadata"]["error"], error, "{path}");
        assert!(body["didDocument"].is_null());
    }
    let (status, _, body) = ask(url, &format!("/1.0/identifiers/{key}"), "*/*");
    assert_eq!((status, &body["didDocument"]["id"]), (200, &key.into()));
    for odd in [
        "versionTime=yesterday",
        "versionId=x",
        "proof=maybe",
        "other=1",
    ] {
        let (status, kind, _) = ask(url, &format!("{path}?{odd}"), "*/*");
        assert_eq!(
            (status, kind.as_str()),
            (400, "application/problem+json"),
            "{odd}"
        );
    }
}
