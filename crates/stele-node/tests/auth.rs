//! The API's gate, the keys of a node, SCRAPI and the log's tiles, on a running node.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use stele_core::cbor::{Decoder, Encoder};
use stele_core::entry::EntryBuilder;
use stele_core::id::{RegisterName, TimeMs, sha256};
use stele_core::merkle::checkpoint::{Note, NoteLimits, VerifierKey, note_message};
use stele_core::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use stele_core::suite::{PublicKey, SigningKey, Suite};
use stele_node::auth::policy::action_of;
use stele_node::{Node, NodeConfig, RunningNode};

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

struct TestNode {
    node: RunningNode,
    address: String,
    _dir: tempfile::TempDir,
}

impl TestNode {
    async fn start(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = NodeConfig::new(dir.path());
        config.listen = "127.0.0.1:0".parse().unwrap();
        change(&mut config);
        let node = Node::start(config, None).await.unwrap();
        let address = node.url().strip_prefix("http://").unwrap().to_owned();
        Self {
            node,
            address,
            _dir: dir,
        }
    }

    /// Sends exactly these fields: some are ones that no HTTP client lets one choose.
    async fn send(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            request += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in fields {
            request += &format!("{name}: {value}\r\n");
        }
        let has = |name: &str| {
            fields
                .iter()
                .any(|(found, _)| found.eq_ignore_ascii_case(name))
        };
        if !has("content-length") && (!body.is_empty() || method != "GET") {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut bytes = (request + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        let address = self.address.clone();
        let exchange = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            // A node that has refused may close before it has read everything.
            let _ = stream.write_all(&bytes);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer
        };
        let answer = tokio::task::spawn_blocking(exchange).await.unwrap();
        let end = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("a head")
            + 4;
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head,
            body: answer[end..].to_vec(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let fields = [("Content-Type", "application/json")];
        self.send("POST", path, &fields, body.to_string().as_bytes())
            .await
    }

    fn network_key(&self) -> PublicKey {
        let key = self.node.descriptor()["key"].as_str().unwrap().to_owned();
        PublicKey::from_cose_key(&hex::decode(key).unwrap()).unwrap()
    }
}

fn now() -> u64 {
    stele_ledger::ledger::system_time().get()
}

/// An entry by which `key` registers itself as a party.
fn introduction(node: &TestNode, key: &SigningKey) -> Vec<u8> {
    let network = node.node.descriptor()["network_id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let mut body = Encoder::new();
    body.map(3)
        .text("keys")
        .array(1)
        .bytes(&key.public().to_cose_key());
    body.text("kind")
        .text("organisation")
        .text("name")
        .text("Fictional Pumps");
    let (from, to) = (TimeMs::new(now() - 1_000), TimeMs::new(now() + 60_000));
    let register = RegisterName::new("identity").unwrap();
    let nonce = sha256(&[key.public().kid().as_bytes()]);
    EntryBuilder::new(network, register, from, to, &nonce[..16])
        .command("party.register", body.into_vec())
        .sign(key)
        .unwrap()
        .into_bytes()
}

const REMOTE: (&str, &str) = ("X-Forwarded-For", "192.0.2.1");

#[tokio::test(flavor = "multi_thread")]
async fn every_route_has_an_action_and_a_refused_case() {
    // A policy file that permits nothing: whatever still answers is not guarded.
    let node = TestNode::start(|config| {
        let nothing = "@id(\"closed\") forbid (principal, action, resource);";
        std::fs::create_dir_all(&config.home).unwrap();
        std::fs::write(config.home.join("policies.cedar"), nothing).unwrap();
    })
    .await;
    let document = serde_json::to_value(stele_node::api::description()).unwrap();
    let mut routes: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if ["get", "post", "put", "delete", "patch", "options", "head"]
                .contains(&method.as_str())
            {
                routes.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert!(routes.len() > 30, "{} routes", routes.len());
    for path in ["/openapi.json", "/log/tile/{*path}", "/"] {
        routes.push(("GET".to_owned(), path.to_owned()));
    }
    for (method, template) in routes {
        let action = if template == "/" {
            action_of("GET", "/health")
        } else {
            action_of(&method, &template)
        };
        assert!(
            action.is_some(),
            "{method} {template} has no action in auth/policy.rs"
        );
        let mut path = String::new();
        for part in template.split('/').skip(1) {
            path.push('/');
            path.push_str(if part.starts_with('{') { "0" } else { part });
        }
        let answer = node.send(&method, &path, &[], b"").await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
        if answer.field("content-type") == Some("application/problem+json") {
            assert_eq!(answer.code(), "policy.closed", "{method} {path}");
        } else {
            assert!(
                answer.text().contains("policy.closed"),
                "{method} {path}: {}",
                answer.text()
            );
        }
    }
    assert_eq!(
        node.send("DELETE", "/v1/entries", &[], b"").await.status,
        405
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_do_what() {
    let node = TestNode::start(|_| {}).await;
    let token = format!("Bearer {}", node.node.token());
    // On its own machine the console works at once.
    assert_eq!(node.get("/v1/keys").await.status, 200);
    // Behind a proxy the peer's address says nothing.
    for (method, path) in [
        ("GET", "/v1/keys"),
        ("GET", "/metrics"),
        ("POST", "/v1/keys"),
        ("POST", "/v1/commands"),
        ("POST", "/v1/parties"),
    ] {
        let refused = node.send(method, path, &[REMOTE], b"{}").await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (401, "policy.not-permitted"),
            "{path}"
        );
        assert!(refused.field("www-authenticate").is_some());
    }
    for path in [
        "/v1/network",
        "/v1/entries",
        "/log/checkpoint",
        "/.well-known/scitt-keys",
        "/openapi.json",
        "/",
    ] {
        assert_eq!(
            node.send("GET", path, &[REMOTE], b"").await.status,
            200,
            "{path}"
        );
    }
    let shown = [REMOTE, ("Authorization", token.as_str())];
    assert_eq!(node.send("GET", "/metrics", &shown, b"").await.status, 200);
    let wrong = [("Authorization", "Bearer stele_00")];
    let refused = node.send("GET", "/v1/network", &wrong, b"").await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (401, "token.wrong"),
        "a wrong token is never overlooked"
    );

    let strict = TestNode::start(|config| config.trust_loopback = false).await;
    assert_eq!(strict.get("/v1/keys").await.status, 401);
    let own = format!("Bearer {}", strict.node.token());
    assert_eq!(
        strict
            .send("GET", "/v1/keys", &[("Authorization", &own)], b"")
            .await
            .status,
        200
    );
    assert_eq!(
        strict
            .send("GET", "/v1/keys", &[("Authorization", &token)], b"")
            .await
            .status,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_get_nothing() {
    let node =
        TestNode::start(|config| config.allowed_hosts = vec!["node.example".to_owned()]).await;
    let rebound = node
        .send("GET", "/v1/keys", &[("Host", "evil.example:4180")], b"")
        .await;
    assert_eq!(
        (rebound.status, rebound.code().as_str()),
        (421, "request.unknown-host")
    );
    for host in ["localhost:1", "127.0.0.1:1", "[::1]:1", "node.example"] {
        assert_eq!(
            node.send("GET", "/v1/network", &[("Host", host)], b"")
                .await
                .status,
            200,
            "{host}"
        );
    }
    let body = br#"{"name": "stolen"}"#;
    for foreign in [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
    ] {
        let refused = node.send("POST", "/v1/keys", &[foreign], body).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (403, "request.foreign-origin")
        );
        let reading = node.send("GET", "/v1/keys", &[foreign], b"").await;
        assert_eq!(
            reading.status, 401,
            "a foreign page reads as nobody in particular"
        );
    }
    let origin = node.node.url().to_owned();
    let own = node
        .send("POST", "/v1/keys", &[("Origin", &origin)], body)
        .await;
    assert_eq!(own.status, 201, "{}", own.text());
    assert!(own.field("access-control-allow-origin").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_parties_and_commands() {
    let node = TestNode::start(|_| {}).await;
    let maker = json!({"name": "Fictional Mill", "kind": "organisation", "key": "mill"});
    let made = node.post("/v1/parties", &maker).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!(made["key"]["party"], made["party"]);
    assert_eq!(made["entry"]["outcome"]["applied"], true);
    let again = node.post("/v1/parties", &maker).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (409, "keystore.key-exists")
    );
    let bad = node
        .post(
            "/v1/parties",
            &json!({"name": "X", "kind": "castle", "key": "castle"}),
        )
        .await;
    assert_eq!(bad.code(), "bad-body");
    assert!(
        bad.text().contains("commands[0].body.kind"),
        "{}",
        bad.text()
    );
    let names = node.get("/v1/keys").await.json();
    let names: Vec<_> = names["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["name"].clone())
        .collect();
    assert_eq!(
        names,
        ["mill", "network", "operator"],
        "the key of a party that is none is gone"
    );

    let carrier = node
        .post(
            "/v1/parties",
            &json!({"name": "Fictional Carrier", "kind": "organisation", "key": "carrier"}),
        )
        .await
        .json();
    let item = "11".repeat(32);
    let claim = json!({"key": "mill", "register": "trace", "commands": [{"name": "custody.claim", "body": {"items": [item]}}]});
    let claimed = node.post("/v1/commands", &claim).await;
    assert_eq!(claimed.status, 200, "{}", claimed.text());
    assert_eq!(claimed.json()["outcome"]["applied"], true);
    // Both sides of a hand-over held by this node: one countersigns.
    let transfer = json!({"key": "mill", "cosigners": ["carrier"], "register": "trace",
        "commands": [{"name": "custody.transfer", "body": {"items": [item], "to": carrier["party"]}}]});
    let moved = node.post("/v1/commands", &transfer).await.json();
    assert_eq!(moved["outcome"]["applied"], true, "{moved}");
    let refused = node.post("/v1/commands", &transfer).await.json();
    assert_eq!(refused["outcome"]["code"], "trace.custody.not-holder");

    let with_network =
        json!({"key": "network", "register": "trace", "commands": claim["commands"]});
    let refused = node.post("/v1/commands", &with_network).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "policy.network-key-signs-blocks-only")
    );
    for (body, said) in [
        (
            json!({"key": "mill", "register": "trace", "commands": []}),
            "commands",
        ),
        (
            json!({"key": "mill", "register": "none", "commands": claim["commands"]}),
            "`none`",
        ),
        (
            json!({"key": "mill", "register": "trace", "commands": [{"name": "x", "body": {}}]}),
            "commands[0].name",
        ),
        (
            json!({"key": "mill", "register": "trace", "commands": [{"name": "custody.claim", "body": {}}]}),
            "commands[0].body.items",
        ),
        (
            json!({"key": "absent", "register": "trace", "commands": claim["commands"]}),
            "absent",
        ),
        (json!({"register": "trace"}), "key"),
    ] {
        let refused = node.post("/v1/commands", &body).await;
        assert!((400..500).contains(&refused.status), "{body}");
        assert!(
            refused.json()["detail"].as_str().unwrap().contains(said),
            "{}",
            refused.text()
        );
    }

    let exported = node
        .post(
            "/v1/keys/mill/export",
            &json!({"passphrase": "a long passphrase"}),
        )
        .await;
    assert_eq!(exported.json()["format"], "stele-key/1");
    assert_eq!(
        node.post(
            "/v1/keys/network/export",
            &json!({"passphrase": "a long passphrase"})
        )
        .await
        .status,
        403
    );
    assert_eq!(
        node.send("DELETE", "/v1/keys/carrier", &[], b"")
            .await
            .status,
        204
    );
    assert_eq!(
        node.send("DELETE", "/v1/keys/network", &[], b"")
            .await
            .status,
        403
    );
}

fn base64(bytes: &[u8]) -> String {
    stele_core::merkle::base64_encode(bytes)
}

/// The fields of a request that `key` signs as RFC 9421 asks, written out here independently of the node's code.
fn signed_fields(
    node: &TestNode,
    key: &SigningKey,
    method: &str,
    path: &str,
    body: &[u8],
    nonce: &str,
) -> Vec<(String, String)> {
    let digest = format!("sha-256=:{}:", base64(&sha256(&[body])));
    let kid = key.public().kid();
    let params = format!(
        "(\"@method\" \"@target-uri\" \"content-digest\");created={};nonce=\"{nonce}\";keyid=\"{kid}\"",
        now() / 1000
    );
    let base = format!(
        "\"@method\": {method}\n\"@target-uri\": http://{}{path}\n\"content-digest\": {digest}\n\"@signature-params\": {params}",
        node.address
    );
    let signature = format!("sig1=:{}:", base64(&key.sign(base.as_bytes())));
    let field = |name: &str, value: String| (name.to_owned(), value);
    vec![
        field("Content-Digest", digest),
        field("Signature-Input", format!("sig1={params}")),
        field("Signature", signature),
        field(REMOTE.0, REMOTE.1.to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn parties_sign_requests() {
    let key = SigningKey::from_seed(Suite::Ed25519, &[3; 32]).unwrap();
    let did = stele_core::id::PartyId::of_first_key(&key.public().kid()).did();
    let node = TestNode::start(|config| {
        let rules = format!(
            "@id(\"open\") permit (principal, action in [Action::\"read\", Action::\"submit\"], resource);\n\
             @id(\"pumps-may-make-keys\") permit (principal == Party::\"{did}\", action == Action::\"create-key\", resource);"
        );
        std::fs::create_dir_all(&config.home).unwrap();
        std::fs::write(config.home.join("policies.cedar"), rules).unwrap();
    })
    .await;
    let path = "/v1/keys";
    let body = br#"{"name": "made-by-pumps"}"#;
    let send = async |nonce: &str, body: &[u8], sent: &[u8]| {
        let fields = signed_fields(&node, &key, "POST", path, body, nonce);
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let first = node.send("POST", path, &fields, sent).await;
        let second = node.send("POST", path, &fields, sent).await;
        (first, second)
    };
    let (unknown, _) = send("1", body, body).await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (401, "signature.unknown-key")
    );

    let entry = introduction(&node, &key);
    let fields = [("Content-Type", "application/cose"), REMOTE];
    let registered = node
        .send("POST", "/v1/entries?wait=final", &fields, &entry)
        .await;
    assert_eq!(
        registered.json()["outcome"]["applied"],
        true,
        "{}",
        registered.text()
    );

    let (made, replayed) = send("2", body, body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(
        (replayed.status, replayed.code().as_str()),
        (401, "signature.replayed")
    );
    let (changed, _) = send("3", body, br#"{"name": "made-by-others"}"#).await;
    assert_eq!(
        (changed.status, changed.code().as_str()),
        (401, "signature.bad-digest")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_and_limits() {
    let node = TestNode::start(|config| {
        config.trust_loopback = false;
        config.quotas.remote.requests_per_second = 0.001;
        config.quotas.remote.burst_seconds = 5_000.0;
    })
    .await;
    for _ in 0..5 {
        assert_eq!(node.get("/health").await.status, 200);
    }
    let refused = node.get("/health").await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "quota.requests")
    );
    let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=1_000).contains(&wait), "{wait}");

    let node = TestNode::start(|_| {}).await;
    for (path, bytes) in [
        ("/v1/keys", 70_000),
        ("/v1/entries", 2_200_000),
        ("/entries", 2_200_000),
    ] {
        // Refused by the length alone, before any of the body is sent.
        let length = bytes.to_string();
        let fields = [
            ("Content-Type", "application/cose"),
            ("Content-Length", length.as_str()),
        ];
        let refused = node.send("POST", path, &fields, b"").await;
        assert_eq!(refused.status, 413, "{path}");
    }
}

/// A statement of another format, signed by `key`.
fn foreign_statement(key: &SigningKey, payload: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let mut header = Encoder::new();
    header
        .map(4)
        .int(1)
        .int(key.suite().algorithm())
        .int(3)
        .text("application/json");
    header.int(4).bytes(key.public().kid().as_bytes());
    header
        .int(15)
        .map(2)
        .int(1)
        .text("pumps.example")
        .int(2)
        .text("urn:example:pump:7");
    let mut message = Encoder::new();
    message
        .array(4)
        .text("Signature1")
        .bytes(header.as_slice())
        .bytes(b"")
        .bytes(payload);
    let mut out = Encoder::new();
    out.tag(18)
        .array(4)
        .bytes(header.as_slice())
        .map(0)
        .bytes(payload);
    out.bytes(&key.sign(message.as_slice()));
    (out.into_vec(), sha256(&[message.as_slice()]))
}

/// The steps of docs/api-auth.md: from the COSE Receipt to the events, with the network key alone.
fn events_of_cose_receipt(receipt: &[u8], key: &PublicKey) -> Vec<u8> {
    let mut sign1 = Decoder::new(receipt);
    sign1.tag(18, "tag").unwrap();
    sign1.array(4).unwrap();
    let protected = sign1.bytes(4096).unwrap();
    assert_eq!(sign1.map(8).unwrap(), 3, "proofs, record, events");
    sign1.exactly(396, "proofs").unwrap();
    sign1.map(1).unwrap();
    sign1.exactly(-1, "inclusion").unwrap();
    sign1.array(1).unwrap();
    let proof = sign1.bytes(1 << 16).unwrap();
    sign1.exactly(-65539, "record").unwrap();
    let record = sign1.bytes(1 << 16).unwrap();
    sign1.exactly(-65540, "events").unwrap();
    let events = sign1.bytes(1 << 20).unwrap();
    sign1.null().unwrap();
    let signature = sign1.bytes(4096).unwrap();

    let mut proof = Decoder::new(proof);
    proof.array(3).unwrap();
    let (size, index) = (proof.uint().unwrap(), proof.uint().unwrap());
    let count = proof.array(64).unwrap();
    let path: Vec<[u8; 32]> = (0..count).map(|_| proof.bytes32().unwrap()).collect();
    let leaf = leaf_hash(record);
    let root = stele_core::merkle::root_from_inclusion(&leaf, index, size, &path).unwrap();
    let mut message = Encoder::new();
    message
        .array(4)
        .text("Signature1")
        .bytes(protected)
        .bytes(b"")
        .bytes(&root);
    key.verify(key.suite().algorithm(), message.as_slice(), signature)
        .unwrap();

    let hash = sha256(&[events]);
    assert!(
        record.windows(32).any(|window| window == hash),
        "the record commits to the events"
    );
    events.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn scitt_clients_register_statements() {
    let node = TestNode::start(|_| {}).await;
    let key = SigningKey::from_seed(Suite::Es256, &[4; 32]).unwrap();
    let cose = [("Content-Type", "application/cose"), REMOTE];
    let (statement, hash) = foreign_statement(&key, b"{}");
    let unknown = node.send("POST", "/entries", &cose, &statement).await;
    assert_eq!(unknown.status, 400);
    assert_eq!(
        unknown.field("content-type"),
        Some("application/concise-problem-details+cbor")
    );
    let mut problem = Decoder::new(&unknown.body);
    assert_eq!(problem.map(3).unwrap(), 3);
    problem.exactly(-1, "title").unwrap();
    assert_eq!(
        problem.text(100).unwrap(),
        "Rejected (scrapi.unknown-issuer)"
    );

    // A Stele entry is registered as it is.
    let entry = introduction(&node, &key);
    let registered = node.send("POST", "/entries", &cose, &entry).await;
    assert_eq!(registered.status, 201, "{}", registered.text());
    let network_key = node.network_key();
    events_of_cose_receipt(&registered.body, &network_key);
    let at = registered.field("location").unwrap();
    assert_eq!(node.get(at).await.body, registered.body);

    let receipt = node.send("POST", "/entries", &cose, &statement).await;
    assert_eq!(receipt.status, 201, "{}", receipt.text());
    assert_eq!(receipt.field("content-type"), Some("application/cose"));
    let location = receipt.field("location").unwrap();
    assert_eq!(location, format!("/entries/{}", hex::encode(hash)));
    let events = events_of_cose_receipt(&receipt.body, &network_key);
    assert!(
        events.windows(32).any(|window| window == hash),
        "the events name the statement"
    );
    let again = node.send("POST", "/entries", &cose, &statement).await;
    assert_eq!(
        (again.status, &again.body),
        (201, &receipt.body),
        "registering again gives the same receipt"
    );
    let resolved = node.get(location).await;
    assert_eq!((resolved.status, &resolved.body), (200, &receipt.body));
    let full = node
        .send(
            "GET",
            location,
            &[("Accept", "application/stele-receipt+cbor")],
            b"",
        )
        .await;
    assert_eq!(
        full.field("content-type"),
        Some("application/stele-receipt+cbor")
    );
    assert!(full.body.len() > receipt.body.len());

    let mut forged = statement.clone();
    *forged.last_mut().unwrap() ^= 1;
    // The hash of what is signed is registered already, but a forged signature gets no receipt.
    assert_eq!(
        node.send("POST", "/entries", &cose, &forged).await.status,
        400
    );
    assert_eq!(
        node.send("POST", "/entries", &[], &statement).await.status,
        415
    );
    assert_eq!(node.get("/entries/zz").await.status, 400);
    assert_eq!(
        node.get(&format!("/entries/{}", "00".repeat(32)))
            .await
            .status,
        404
    );

    let keys = node.get("/.well-known/scitt-keys").await;
    let mut set = Decoder::new(&keys.body);
    assert_eq!(set.array(8).unwrap(), 1);
    let kid = network_key.kid();
    assert!(keys.body.windows(32).any(|window| window == kid.as_bytes()));
    let base64url = base64(kid.as_bytes()).replace('+', "-").replace('/', "_");
    for kid in [kid.to_string(), base64url.trim_end_matches('=').to_owned()] {
        let one = node.get(&format!("/.well-known/scitt-keys/{kid}")).await;
        assert_eq!((one.status, one.body.as_slice()), (200, &keys.body[1..]));
    }
    assert_eq!(node.get("/.well-known/scitt-keys/other").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn monitors_follow_the_log() {
    let node = TestNode::start(|_| {}).await;
    for n in 0..5 {
        let made = node
            .post(
                "/v1/parties",
                &json!({"name": format!("Fictional {n}"), "kind": "organisation"}),
            )
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let note = node.get("/log/checkpoint").await.text();
    let note = Note::parse(&note, &NoteLimits::default()).unwrap();
    let key = VerifierKey::parse(node.get("/log/key").await.text().trim()).unwrap();
    assert_eq!(key.public_key, node.network_key().to_cose_key()[8..]);
    let signature = note.signatures_by(&key).next().expect("signed by the key");
    let message = note_message(&note.text).unwrap();
    node.network_key()
        .verify(-19, message, &signature.signature)
        .unwrap();
    let checkpoint = stele_core::merkle::checkpoint::Checkpoint::parse(&note.text).unwrap();
    assert_eq!(checkpoint.size, 5);

    let tile = node.get("/log/tile/0/000.p/5").await;
    assert_eq!(tile.body.len(), 5 * 32);
    assert!(tile.field("cache-control").is_some());
    let bundle = node.get("/log/tile/entries/000.p/5").await;
    let records = stele_ledger::tiles::parse_bundle(&bundle.body).unwrap();
    for (index, record) in records.iter().enumerate() {
        let leaf = leaf_hash(record);
        assert_eq!(tile.body[index * 32..][..32], leaf);
        let proof = node
            .get(&format!("/log/inclusion?index={index}"))
            .await
            .json();
        assert_eq!(proof["leaf_hash"], hex::encode(leaf));
        verify_inclusion(&leaf, index as u64, 5, &path(&proof), &checkpoint.root).unwrap();
    }
    let proof = node.get("/log/consistency?from=3&to=5").await.json();
    let from_root: [u8; 32] = hex::decode(proof["from_root"].as_str().unwrap())
        .unwrap()
        .try_into()
        .unwrap();
    verify_consistency(3, &from_root, 5, &checkpoint.root, &path(&proof)).unwrap();
    for (path, status) in [
        ("/log/tile/0/000", 404),
        ("/log/tile/0/0", 404),
        ("/log/tile/0/000.p/6", 404),
        ("/log/inclusion?index=5", 400),
        ("/log/consistency?from=0", 400),
        ("/log/consistency?from=6", 400),
        ("/log/inclusion", 400),
    ] {
        assert_eq!(node.get(path).await.status, status, "{path}");
    }
    let page = node.get("/metrics").await.text();
    for line in [
        "stele_log_entries 5",
        "stele_accepting 1",
        "stele_http_problems_total{code=\"log.beyond\"} 2",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}

fn path(proof: &Value) -> Vec<[u8; 32]> {
    let hashes = proof["path"].as_array().unwrap();
    hashes
        .iter()
        .map(|hash| {
            hex::decode(hash.as_str().unwrap())
                .unwrap()
                .try_into()
                .unwrap()
        })
        .collect()
}
