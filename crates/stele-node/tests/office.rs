//! Issuing and asking over HTTP: what wallets, offices and pages of other origins see.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use stele_core::id::sha256;
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::jose::{self, Signer as _};
use stele_credentials::json::to_base64url;
use stele_credentials::openid::Form;
use stele_credentials::openid::issuer::GRANT_PRE_AUTHORIZED;
use stele_credentials::trust::IssuanceProof;
use stele_node::{Node, NodeConfig};

/// One answer.
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Option<(&'static str, String)>>,
) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (kind, body) = body.into().unwrap_or_default();
    if !kind.is_empty() {
        request = request.header("content-type", kind);
    }
    let mut answer = agent
        .run(request.body(body).expect("a request"))
        .expect("an answer");
    let headers = answer.headers().iter().map(|(name, value)| {
        let value = value.to_str().expect("text").to_owned();
        (name.as_str().to_owned(), value)
    });
    Answer {
        status: answer.status().as_u16(),
        headers: headers.collect(),
        body: answer.body_mut().read_to_vec().expect("a body"),
    }
}

fn get(url: &str) -> Answer {
    send("GET", url, &[], None)
}

fn post(url: &str, body: &Json) -> Answer {
    send("POST", url, &[], ("application/json", body.to_string()))
}

fn put(url: &str, body: &Json) -> Answer {
    send("PUT", url, &[], ("application/json", body.to_string()))
}

fn settings(key: &str) -> Json {
    json!({
        "display_name": "Fictional University",
        "key": key,
        "kinds": [{
            "id": "diploma",
            "vct": "https://university.example/diploma",
            "display_name": "Fictional diploma",
            "claims": [
                {"name": "given_name", "display_name": "Given name"},
                {"name": "degree", "display_name": "Degree"},
            ],
        }],
    })
}

#[test]
fn an_office_issues_and_asks_over_http() {
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
    let party = post(
        &format!("{url}/v1/parties"),
        &json!({"kind": "organisation", "name": "Fictional University", "key": "university"}),
    );
    assert_eq!(party.status, 201);
    let did = party.json()["party"].as_str().expect("a DID").to_owned();
    let issuer = format!("{url}/v1/issuers/university");
    for key in ["network", "nobody"] {
        let refused = put(&issuer, &settings(key));
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (422, &json!("office.key"))
        );
    }
    let made = put(&issuer, &settings("university"));
    assert_eq!(made.status, 200, "{}", made.json());
    let identifier = format!("{url}/openid/issuers/university");
    assert_eq!(made.json()["identifier"], identifier.as_str());

    let offer = || {
        let claims = json!({"given_name": "Fictional Ada", "degree": "Master"});
        let offers = json!({"offers": [{"kind": "diploma", "reference": "F-1", "claims": claims, "with_code": true}]});
        let made = post(&format!("{issuer}/offers"), &offers);
        assert_eq!(made.status, 201, "{}", made.json());
        made.json()["items"][0].clone()
    };
    let offered = offer();
    let holder = SigningKey::from_seed(Suite::Es256, &[9; 32]).expect("a key");
    let refused = credential(&identifier, &token(&identifier, &offered), &holder);
    assert_eq!(refused.status, 400, "nobody accredited the university");
    let text = refused.json()["error_description"].to_string();
    assert!(text.contains("office.chain-refused"), "{text}");

    let network = stele_client::Client::connect(url).expect("connects");
    let grant = json!({
        "key": "operator",
        "register": "identity",
        "commands": [{"name": "accreditation.grant", "body": {"subject": did, "action": "credential/issue"}}],
    });
    let granted = post(&format!("{url}/v1/commands"), &grant);
    assert_eq!(granted.status, 200, "{}", granted.json());
    let offered = offer();
    let received = credential(&identifier, &token(&identifier, &offered), &holder);
    assert_eq!(received.status, 200, "{}", received.json());
    assert_eq!(received.header("access-control-allow-origin"), "*");
    assert_eq!(received.header("cache-control"), "no-store");
    let text = received.json()["credentials"][0]["credential"].clone();
    let text = text.as_str().expect("a credential").to_owned();

    let signed = text.split('~').next().expect("a part");
    let hash = to_base64url(sha256(&[signed.as_bytes()]));
    let proof = get(&format!("{identifier}/proofs/{hash}"));
    assert_eq!(
        (proof.status, proof.header("content-type")),
        (200, "application/vnd.stele.issuance-proof+cbor")
    );
    let document = get(&format!("{url}/1.0/identifiers/{did}")).json();
    let jwk = &document["didDocument"]["verificationMethod"][0]["publicKeyJwk"];
    let key = jose::PublicKey::from_jwk(jwk).expect("a key");
    key.verify(
        signed.rsplit_once('.').expect("three parts").0.as_bytes(),
        &stele_credentials::json::from_base64url(signed.rsplit_once('.').expect("a signature").1)
            .expect("base64url"),
    )
    .expect("the key of the document signed it");
    let public = public_key(url, "university");
    let issued = IssuanceProof::decode(&proof.body)
        .expect("a proof")
        .verify(signed.as_bytes(), &public, network.network())
        .expect("holds under the network's key");
    assert_eq!(issued.issuer.did(), did);

    statuses(&issuer, &identifier, &offered);
    doors(url, &identifier);
    asks(url);
}

/// The public half of a key that the node holds.
fn public_key(url: &str, name: &str) -> stele_core::suite::PublicKey {
    let keys = get(&format!("{url}/v1/keys")).json();
    let items = keys["items"].as_array().expect("a list");
    let key = items
        .iter()
        .find(|key| key["name"] == name)
        .expect("the key");
    let bytes = hex::decode(key["public"].as_str().expect("hex")).expect("hex");
    stele_core::suite::PublicKey::from_cose_key(&bytes).expect("a key")
}

fn token(identifier: &str, offered: &Json) -> String {
    let link = offered["link"].as_str().expect("a link");
    let link = Form::parse(link.split_once('?').expect("a query").1).expect("a form");
    let offer: Json =
        serde_json::from_str(link.get("credential_offer").expect("an offer")).expect("JSON");
    let code = &offer["grants"][GRANT_PRE_AUTHORIZED]["pre-authorized_code"];
    let form = Form::of(&[
        ("grant_type", GRANT_PRE_AUTHORIZED),
        ("pre-authorized_code", code.as_str().expect("a code")),
        ("tx_code", offered["tx_code"].as_str().expect("a code")),
    ]);
    let kind = "application/x-www-form-urlencoded";
    let answer = send(
        "POST",
        &format!("{identifier}/token"),
        &[("origin", "https://wallet.example")],
        (kind, form.encode()),
    );
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

fn credential(identifier: &str, token: &str, holder: &SigningKey) -> Answer {
    let nonce = post(&format!("{identifier}/nonce"), &Json::Null).json();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a time")
        .as_secs();
    let header = json!({"typ": "openid4vci-proof+jwt", "jwk": holder.public_key().to_jwk()});
    let claims = json!({"aud": identifier, "iat": now, "nonce": nonce["c_nonce"]});
    let header = header.as_object().expect("an object");
    let proof = jose::sign(header, claims.to_string().as_bytes(), holder).expect("signs");
    let body = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": [proof]}});
    let bearer = format!("Bearer {token}");
    send(
        "POST",
        &format!("{identifier}/credential"),
        &[
            ("authorization", bearer.as_str()),
            ("origin", "https://wallet.example"),
        ],
        ("application/json", body.to_string()),
    )
}

/// The office's own side.
fn statuses(issuer: &str, identifier: &str, offered: &Json) {
    let list = get(&format!("{identifier}/status/0"));
    assert_eq!(list.header("content-type"), "application/statuslist+jwt");
    assert_eq!(get(&format!("{identifier}/status/7")).status, 404);
    let id = offered["id"].as_str().expect("an id");
    let status = format!("{issuer}/issued/{id}/status");
    let revoked = put(&status, &json!({"status": "revoked"}));
    assert_eq!(revoked.json(), json!({"before": "valid", "now": "revoked"}));
    assert_ne!(get(&format!("{identifier}/status/0")).body, list.body);
    assert_eq!(put(&status, &json!({"status": "lost"})).status, 400);
    let issued = get(&format!("{issuer}/issued")).json();
    assert_eq!(issued["items"][0]["status"], "revoked");
    assert_eq!(issued["items"][0]["reference"], "F-1");
    let offers = get(&format!("{issuer}/offers?limit=1")).json();
    assert_eq!(offers["items"][0]["state"], "collected");
    assert!(!offers.to_string().contains("Ada"));
}

/// What is open, and what is not.
fn doors(url: &str, identifier: &str) {
    let preflight = send(
        "OPTIONS",
        &format!("{identifier}/credential"),
        &[("origin", "https://wallet.example")],
        None,
    );
    assert_eq!(preflight.status, 204);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    let metadata = get(&format!(
        "{url}/.well-known/openid-credential-issuer/openid/issuers/university"
    ));
    assert_eq!(metadata.header("access-control-allow-origin"), "*");
    assert_eq!(metadata.json()["credential_issuer"], identifier);
    assert_eq!(
        metadata.json()["stele_issuance_proofs"],
        format!("{identifier}/proofs")
    );
    // A page of another origin cannot run the office, though it comes from this machine.
    let foreign = &[("origin", "https://evil.example")];
    let offers = format!("{url}/v1/issuers/university/offers");
    assert_eq!(
        send(
            "POST",
            &offers,
            foreign,
            ("application/json", "{}".to_owned())
        )
        .status,
        403
    );
    assert_eq!(send("GET", &offers, foreign, None).status, 401);
    assert_eq!(
        get(&format!("{url}/openid/issuers/other/status/0")).status,
        404
    );
    assert_eq!(get(&format!("{url}/openid/nothing")).status, 404);
    let used = send(
        "POST",
        &format!("{identifier}/token"),
        &[],
        (
            "application/x-www-form-urlencoded",
            "grant_type=x".to_owned(),
        ),
    );
    assert_eq!(used.json()["error"], "unsupported_grant_type");
}

/// The counter.
fn asks(url: &str) {
    let request = json!({
        "key": "university",
        "dcql_query": {"credentials": [{
            "id": "diploma", "format": "dc+sd-jwt",
            "meta": {"vct_values": ["https://university.example/diploma"]},
            "claims": [{"path": ["degree"]}],
        }]},
    });
    let started = post(&format!("{url}/v1/presentations"), &request);
    assert_eq!(started.status, 201, "{}", started.json());
    let started = started.json();
    let id = started["id"].as_str().expect("an id");
    let object = get(&format!("{url}/openid/verifier/requests/{id}"));
    assert_eq!(
        object.header("content-type"),
        "application/oauth-authz-req+jwt"
    );
    let outcome = format!("{url}/v1/presentations/{id}");
    let secret = started["secret"].as_str().expect("a secret");
    let open = send("GET", &outcome, &[("x-presentation-secret", secret)], None);
    assert_eq!(open.json(), json!({"state": "open"}));
    assert_eq!(get(&outcome).status, 404);
    let wrong = json!({"key": "university", "dcql_query": {"credentials": []}});
    let refused = post(&format!("{url}/v1/presentations"), &wrong);
    assert_eq!(refused.json()["code"], "presentation.query-malformed");
}
