//! A wallet in a few lines, the whole way through each flow, and what goes wrong on it.

use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stele_core::suite::{SigningKey, Suite};

use super::*;
use crate::jose::{Signer as _, sign};
use crate::json::to_base64url;
use crate::openid::{Answer, Body, Form, MemoryStore, Store as _};
use crate::sd_jwt::ClaimPath;
use crate::testing::TestRng;

const NOW: u64 = 1_790_000_000;
const ISSUER: &str = "https://university.example/openid";
const CALLBACK: &str = "https://wallet.example/callback";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

fn issuer() -> Issuer {
    let configuration = |id: &str| CredentialConfiguration {
        id: id.to_owned(),
        format: "dc+sd-jwt".to_owned(),
        vct: Some(format!("https://university.example/{id}")),
        types: Vec::new(),
        scope: Some(format!("scope-{id}")),
        signing_algorithms: vec!["EdDSA".to_owned()],
        display_name: "Fictional diploma".to_owned(),
        claims: vec![DisplayedClaim {
            path: ClaimPath::name("given_name"),
            display_name: "Given name".to_owned(),
        }],
    };
    Issuer {
        identifier: ISSUER.to_owned(),
        display_name: "Fictional University".to_owned(),
        configurations: vec![configuration("diploma"), configuration("transcript")],
        clients: vec![Client {
            id: "wallet".to_owned(),
            redirect_uris: vec![CALLBACK.to_owned()],
        }],
        batch_max: 3,
        lifetimes: Lifetimes::default(),
        skew_seconds: 60,
        nonce_secret: NonceSecret(zeroize::Zeroizing::new([7; 32])),
    }
}

/// Issues `subject` as credential, after as many refusals to be ready as asked for.
struct Source {
    later: u32,
    made: Vec<String>,
}

impl CredentialSource for Source {
    fn issue(&mut self, request: &CredentialRequest<'_>) -> Result<Issued, Refusal> {
        if request.subject == "nobody" {
            return Err(crate::sd_jwt::rules::PATH.refuse());
        }
        if self.later > 0 {
            self.later -= 1;
            return Ok(Issued::Later(5));
        }
        self.made.push(request.configuration.id.clone());
        Ok(Issued::Ready(json!(format!(
            "{}/{}",
            request.subject,
            to_base64url(request.holder.thumbprint())
        ))))
    }
}

struct World {
    issuer: Issuer,
    store: MemoryStore,
    rng: TestRng,
    source: Source,
    now: u64,
}

impl World {
    fn new() -> Self {
        Self {
            issuer: issuer(),
            store: MemoryStore::new(1000),
            rng: TestRng(1),
            source: Source {
                later: 0,
                made: Vec::new(),
            },
            now: NOW,
        }
    }

    fn offer(&mut self, subject: &str, tx_code: Option<&str>) -> String {
        let tx_code = tx_code.map(|code| TxCode {
            code: code.to_owned(),
            description: "In the letter".to_owned(),
        });
        let offer = self
            .issuer
            .offer(
                subject,
                &["diploma"],
                tx_code.as_ref(),
                &mut self.store,
                &mut self.rng,
                self.now,
            )
            .unwrap();
        assert_eq!(
            offer.json["grants"][GRANT_PRE_AUTHORIZED]["pre-authorized_code"],
            offer.pre_authorized_code.as_str()
        );
        offer.pre_authorized_code
    }

    fn token(&mut self, parameters: &[(&str, &str)]) -> Answer {
        self.issuer.token(
            &Form::of(parameters),
            &mut self.store,
            &mut self.rng,
            self.now,
        )
    }

    fn pre_authorized(&mut self, code: &str, tx_code: Option<&str>) -> Answer {
        let mut parameters = vec![
            ("grant_type", GRANT_PRE_AUTHORIZED),
            ("pre-authorized_code", code),
        ];
        parameters.extend(tx_code.map(|code| ("tx_code", code)));
        self.token(&parameters)
    }

    /// An access token for the diploma of `subject`.
    fn bearer(&mut self, subject: &str) -> String {
        let code = self.offer(subject, None);
        text(&self.pre_authorized(&code, None), "access_token")
    }

    fn nonce(&mut self) -> String {
        text(&self.issuer.nonce(&mut self.rng, self.now), "c_nonce")
    }

    fn credential(&mut self, bearer: &str, request: &Value) -> Answer {
        self.issuer.credential(
            bearer,
            request,
            &mut self.source,
            &mut self.store,
            &mut self.rng,
            self.now,
        )
    }

    fn deferred(&mut self, bearer: &str, request: &Value) -> Answer {
        self.issuer.deferred(
            bearer,
            request,
            &mut self.source,
            &mut self.store,
            &mut self.rng,
            self.now,
        )
    }

    /// A good request of the diploma with so many keys.
    fn request(&mut self, keys: u8) -> Value {
        let nonce = self.nonce();
        let proofs: Vec<String> = (0..keys)
            .map(|number| proof(&key(number), &claims(&nonce)))
            .collect();
        json!({"credential_configuration_id": "diploma", "proofs": {"jwt": proofs}})
    }
}

fn key(seed: u8) -> SigningKey {
    let suite = if seed.is_multiple_of(2) {
        Suite::Es256
    } else {
        Suite::Ed25519
    };
    SigningKey::from_seed(suite, &[seed + 1; 32]).unwrap()
}

fn claims(nonce: &str) -> Value {
    json!({"aud": ISSUER, "iat": NOW, "nonce": nonce})
}

fn proof(key: &SigningKey, claims: &Value) -> String {
    let header = json!({"typ": "openid4vci-proof+jwt", "jwk": key.public_key().to_jwk()});
    sign(
        header.as_object().unwrap(),
        claims.to_string().as_bytes(),
        key,
    )
    .unwrap()
}

fn text(answer: &Answer, name: &str) -> String {
    assert!(answer.status < 300, "{answer:?}");
    answer.as_json().unwrap()[name].as_str().unwrap().to_owned()
}

/// Status and error of an answer that refuses.
fn error(answer: &Answer) -> (u16, &str) {
    (
        answer.status,
        answer.as_json().unwrap()["error"].as_str().unwrap(),
    )
}

fn location(answer: &Answer) -> Form {
    assert_eq!((answer.status, &answer.body), (302, &Body::Empty));
    let (_, location) = answer
        .headers
        .iter()
        .find(|(name, _)| *name == "location")
        .unwrap();
    Form::parse(location.strip_prefix(&format!("{CALLBACK}?")).unwrap()).unwrap()
}

fn authorization(change: &[(&str, &str)]) -> Form {
    let challenge = to_base64url(Sha256::digest(VERIFIER));
    let mut parameters = vec![
        ("client_id", "wallet"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("scope", "scope-diploma"),
        ("state", "s t"),
    ];
    parameters.retain(|(name, _)| change.iter().all(|(changed, _)| name != changed));
    parameters.extend(change);
    Form::of(&parameters)
}

#[test]
fn the_pre_authorised_flow() {
    let mut world = World::new();
    let code = world.offer("ada", Some("493536"));
    assert_eq!(
        error(&world.pre_authorized(&code, None)),
        (400, "invalid_request")
    );
    assert_eq!(
        error(&world.pre_authorized(&code, Some("493537"))),
        (400, "invalid_grant")
    );
    let bearer = text(&world.pre_authorized(&code, Some("493536")), "access_token");
    assert_eq!(
        error(&world.pre_authorized(&code, Some("493536"))),
        (400, "invalid_grant")
    );
    let request = world.request(2);
    let answer = world.credential(&bearer, &request);
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .headers
            .contains(&("cache-control", "no-store".to_owned()))
    );
    let credentials = answer.as_json().unwrap()["credentials"].as_array().unwrap();
    assert_eq!(credentials.len(), 2);
    assert_eq!(
        credentials[1]["credential"],
        format!("ada/{}", to_base64url(key(1).public_key().thumbprint()))
    );
    let mut heard = Vec::new();
    let mut hear =
        |subject: &str, kind: &str, event: &str| heard.push(format!("{subject} {kind} {event}"));
    let note = |id: &str, event: &str| json!({"notification_id": id, "event": event});
    let id = text(&answer, "notification_id");
    let World {
        issuer, store, now, ..
    } = &mut world;
    assert_eq!(
        issuer
            .notification(
                &bearer,
                &note(&id, "credential_accepted"),
                store,
                *now,
                &mut hear
            )
            .status,
        204
    );
    assert_eq!(
        error(&issuer.notification(
            &bearer,
            &note("x", "credential_accepted"),
            store,
            *now,
            &mut hear
        )),
        (400, "invalid_notification_id")
    );
    assert_eq!(
        error(&issuer.notification(&bearer, &note(&id, "lost"), store, *now, &mut hear)),
        (400, "invalid_notification_request")
    );
    assert_eq!(
        error(&issuer.notification(
            "x",
            &note(&id, "credential_accepted"),
            store,
            *now,
            &mut hear
        )),
        (401, "invalid_token")
    );
    assert_eq!(heard, ["ada diploma credential_accepted"]);
}

#[test]
fn a_transaction_code_is_not_guessed() {
    let mut world = World::new();
    let code = world.offer("ada", Some("493536"));
    for _ in 0..5 {
        assert_eq!(
            error(&world.pre_authorized(&code, Some("000000"))),
            (400, "invalid_grant")
        );
    }
    assert_eq!(
        error(&world.pre_authorized(&code, Some("493536"))),
        (400, "invalid_grant")
    );
    let code = world.offer("ada", None);
    assert_eq!(
        error(&world.pre_authorized(&code, Some("1"))),
        (400, "invalid_request")
    );
}

#[test]
fn offers_expire_and_can_be_withdrawn() {
    let mut world = World::new();
    let (first, second) = (world.offer("ada", None), world.offer("ada", None));
    assert!(world.issuer.withdraw(&first, &mut world.store, NOW));
    assert_eq!(
        error(&world.pre_authorized(&first, None)),
        (400, "invalid_grant")
    );
    world.now += 24 * 3600;
    assert_eq!(
        error(&world.pre_authorized(&second, None)),
        (400, "invalid_grant")
    );
    let refused = world
        .issuer
        .offer("ada", &["x"], None, &mut world.store, &mut world.rng, NOW);
    assert_eq!(
        refused.unwrap_err().error,
        "unknown_credential_configuration"
    );
    assert_eq!(
        error(&world.token(&[("grant_type", "password")])),
        (400, "unsupported_grant_type")
    );
    assert_eq!(error(&world.token(&[])), (400, "invalid_request"));
}

#[test]
fn the_authorisation_code_flow_pushed_and_not() {
    for pushed in [false, true] {
        let mut world = World::new();
        let World {
            issuer, store, rng, ..
        } = &mut world;
        let mut query = authorization(&[]);
        if pushed {
            let answer = issuer.push(&query, store, rng, NOW);
            assert_eq!(answer.status, 201);
            query = Form::of(&[
                ("client_id", "wallet"),
                ("request_uri", &text(&answer, "request_uri")),
            ]);
        }
        let (handle, request) = issuer.authorize(&query, store, rng, NOW).unwrap();
        assert_eq!(request.configurations(), ["diploma"]);
        if pushed {
            assert_eq!(
                error(&issuer.authorize(&query, store, rng, NOW).unwrap_err()),
                (400, "invalid_request")
            );
        }
        let answer = location(&issuer.grant(&handle, "ada", store, rng, NOW));
        assert_eq!(
            (answer.get("state"), answer.get("iss")),
            (Some("s t"), Some(ISSUER))
        );
        assert_eq!(
            error(&issuer.grant(&handle, "eve", store, rng, NOW)),
            (400, "invalid_request")
        );
        let code = answer.get("code").unwrap();
        let exchange = [
            ("grant_type", "authorization_code"),
            ("client_id", "wallet"),
            ("redirect_uri", CALLBACK),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        let bearer = text(&world.token(&exchange), "access_token");
        assert_eq!(error(&world.token(&exchange)), (400, "invalid_grant"));
        let request = world.request(1);
        assert_eq!(world.credential(&bearer, &request).status, 200);
    }
}

#[test]
fn a_stolen_code_is_worth_nothing() {
    for (changed, value) in [
        (
            "code_verifier",
            "another-verifier-of-at-least-forty-three-letters",
        ),
        ("client_id", "x"),
        ("redirect_uri", "https://x.example"),
    ] {
        let mut world = World::new();
        let World {
            issuer, store, rng, ..
        } = &mut world;
        let (handle, _) = issuer
            .authorize(&authorization(&[]), store, rng, NOW)
            .unwrap();
        let answer = location(&issuer.grant(&handle, "ada", store, rng, NOW));
        let code = answer.get("code").unwrap();
        let mut exchange = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "wallet"),
            ("redirect_uri", CALLBACK),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        let good = exchange.clone();
        exchange.retain(|(name, _)| *name != changed);
        exchange.push((changed, value));
        assert_eq!(
            error(&world.token(&exchange)),
            (400, "invalid_grant"),
            "{changed}"
        );
        assert_eq!(
            error(&world.token(&good)),
            (400, "invalid_grant"),
            "the code is used up"
        );
    }
}

#[test]
fn bad_authorisation_requests() {
    let mut world = World::new();
    let World {
        issuer, store, rng, ..
    } = &mut world;
    // Unknown wallets and addresses are not redirected to.
    for (change, status) in [
        (("client_id", "x"), 401),
        (("redirect_uri", "https://x.example"), 400),
        (("client_id", ""), 400),
    ] {
        let answer = issuer
            .authorize(&authorization(&[change]), store, rng, NOW)
            .unwrap_err();
        assert_eq!(answer.status, status, "{change:?}");
    }
    for (change, expected) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("scope", "openid"), "invalid_scope"),
        (
            ("authorization_details", "{"),
            "invalid_authorization_details",
        ),
        (
            (
                "authorization_details",
                r#"[{"type":"openid_credential","credential_configuration_id":"x"}]"#,
            ),
            "invalid_authorization_details",
        ),
    ] {
        let answer = issuer
            .authorize(&authorization(&[change]), store, rng, NOW)
            .unwrap_err();
        let answer = location(&answer);
        assert_eq!(
            (answer.get("error"), answer.get("state")),
            (Some(expected), Some("s t")),
            "{change:?}"
        );
    }
    let (handle, _) = issuer
        .authorize(&authorization(&[]), store, rng, NOW)
        .unwrap();
    assert_eq!(
        location(&issuer.deny(&handle, store, NOW)).get("error"),
        Some("access_denied")
    );
    assert_eq!(
        error(&issuer.deny(&handle, store, NOW)),
        (400, "invalid_request")
    );
}

#[test]
fn authorization_details_give_identifiers() {
    let mut world = World::new();
    let code = world.offer("ada", None);
    let details = r#"[{"type":"openid_credential","credential_configuration_id":"diploma"}]"#;
    let answer = world.token(&[
        ("grant_type", GRANT_PRE_AUTHORIZED),
        ("pre-authorized_code", &code),
        ("authorization_details", details),
    ]);
    assert_eq!(
        answer.as_json().unwrap()["authorization_details"][0]["credential_identifiers"],
        json!(["diploma"])
    );
    let bearer = text(&answer, "access_token");
    let mut request = world.request(1);
    assert_eq!(
        error(&world.credential(&bearer, &request)),
        (400, "invalid_credential_request")
    );
    request
        .as_object_mut()
        .unwrap()
        .shift_remove("credential_configuration_id");
    request["credential_identifier"] = "transcript".into();
    assert_eq!(
        error(&world.credential(&bearer, &request)),
        (400, "unknown_credential_identifier")
    );
    request["credential_identifier"] = "diploma".into();
    assert_eq!(world.credential(&bearer, &request).status, 200);
}

#[test]
fn bad_credential_requests() {
    let mut world = World::new();
    let bearer = world.bearer("ada");
    let good = world.request(1);
    assert_eq!(error(&world.credential("x", &good)), (401, "invalid_token"));
    for (pointer, value, expected) in [
        ("", json!([]), "invalid_credential_request"),
        (
            "/credential_configuration_id",
            json!(1),
            "invalid_credential_request",
        ),
        (
            "/credential_configuration_id",
            json!("transcript"),
            "unknown_credential_configuration",
        ),
        (
            "/credential_configuration_id",
            json!("x"),
            "unknown_credential_configuration",
        ),
        ("/proofs", json!(null), "invalid_proof"),
        ("/proofs", json!({}), "invalid_proof"),
        ("/proofs", json!({"jwt": []}), "invalid_proof"),
        ("/proofs", json!({"jwt": [1]}), "invalid_proof"),
        ("/proofs", json!({"jwt": ["a.b.c"]}), "invalid_proof"),
        (
            "/proofs",
            json!({"jwt": ["x", "x", "x", "x"]}),
            "invalid_credential_request",
        ),
        (
            "/proofs",
            json!({"jwt": [good["proofs"]["jwt"][0], good["proofs"]["jwt"][0]]}),
            "invalid_proof",
        ),
    ] {
        let mut request = good.clone();
        *request.pointer_mut(pointer).unwrap() = value;
        assert_eq!(
            error(&world.credential(&bearer, &request)),
            (400, expected),
            "{request}"
        );
    }
    let mut encrypted = good.clone();
    encrypted["credential_response_encryption"] = json!({});
    assert_eq!(
        error(&world.credential(&bearer, &encrypted)),
        (400, "invalid_encryption_parameters")
    );
    assert!(world.source.made.is_empty());
    assert_eq!(world.credential(&bearer, &good).status, 200);
    assert_eq!(
        error(&world.credential(&bearer, &good)),
        (400, "invalid_nonce"),
        "a nonce is used once"
    );
    let bearer = world.bearer("nobody");
    let request = world.request(1);
    assert_eq!(
        error(&world.credential(&bearer, &request)),
        (400, "credential_request_denied")
    );
    world.now += 600;
    assert_eq!(
        error(&world.credential(&bearer, &request)),
        (401, "invalid_token")
    );
}

#[test]
fn bad_proofs() {
    let mut world = World::new();
    let bearer = world.bearer("ada");
    let nonce = world.nonce();
    let good = claims(&nonce);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let jwk = key(0).public_key().to_jwk();
    let signed = |header: Value, claims: &Value| {
        sign(
            header.as_object().unwrap(),
            claims.to_string().as_bytes(),
            &key(0),
        )
        .unwrap()
    };
    let mut foreign = issuer();
    foreign.nonce_secret = NonceSecret(zeroize::Zeroizing::new([8; 32]));
    let foreign_nonce = text(&foreign.nonce(&mut TestRng(5), NOW), "c_nonce");
    let old_nonce = text(&world.issuer.nonce(&mut TestRng(6), NOW - 300), "c_nonce");
    for (proof, expected) in [
        (
            proof(&key(0), &with("aud", json!("https://other.example"))),
            "invalid_proof",
        ),
        (
            proof(&key(0), &with("iat", json!(NOW - 661))),
            "invalid_proof",
        ),
        (
            proof(&key(0), &with("iat", json!(NOW + 61))),
            "invalid_proof",
        ),
        (proof(&key(0), &with("nonce", json!(null))), "invalid_proof"),
        (proof(&key(0), &with("nonce", json!("x"))), "invalid_nonce"),
        (
            proof(&key(0), &with("nonce", json!(foreign_nonce))),
            "invalid_nonce",
        ),
        (
            proof(&key(0), &with("nonce", json!(old_nonce))),
            "invalid_nonce",
        ),
        (
            signed(json!({"typ": "JWT", "jwk": jwk}), &good),
            "invalid_proof",
        ),
        (
            signed(json!({"typ": "openid4vci-proof+jwt"}), &good),
            "invalid_proof",
        ),
        (
            signed(
                json!({"typ": "openid4vci-proof+jwt", "jwk": jwk, "kid": "did:key:x"}),
                &good,
            ),
            "invalid_proof",
        ),
        (
            signed(
                json!({"typ": "openid4vci-proof+jwt", "kid": "did:web:a.example#1"}),
                &good,
            ),
            "invalid_proof",
        ),
        (
            signed(
                json!({"typ": "openid4vci-proof+jwt", "jwk": key(2).public_key().to_jwk()}),
                &good,
            ),
            "invalid_proof",
        ),
    ] {
        let request = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": [proof]}});
        assert_eq!(
            error(&world.credential(&bearer, &request)),
            (400, expected),
            "{proof}"
        );
    }
    let did = crate::did::key::did_of(&key(0).public_key());
    let by_did = signed(
        json!({"typ": "openid4vci-proof+jwt", "kid": did.with_fragment(did.id())}),
        &good,
    );
    let request = json!({"credential_configuration_id": "diploma", "proofs": {"jwt": [by_did]}});
    assert_eq!(world.credential(&bearer, &request).status, 200);
}

#[test]
fn deferred_credentials() {
    let mut world = World::new();
    world.source.later = 2;
    let bearer = world.bearer("ada");
    let other = world.bearer("eve");
    let request = world.request(1);
    let answer = world.credential(&bearer, &request);
    assert_eq!(
        (answer.status, &answer.as_json().unwrap()["interval"]),
        (202, &json!(5))
    );
    let asked = json!({"transaction_id": text(&answer, "transaction_id")});
    assert_eq!(
        world.deferred(&bearer, &asked).as_json().unwrap()["transaction_id"],
        asked["transaction_id"]
    );
    assert_eq!(
        error(&world.deferred(&other, &asked)),
        (400, "invalid_transaction_id")
    );
    assert_eq!(error(&world.deferred("x", &asked)), (401, "invalid_token"));
    // Long after the token has expired.
    world.now += 24 * 3600;
    assert_eq!(world.deferred(&bearer, &asked).status, 200);
    assert_eq!(
        error(&world.deferred(&bearer, &asked)),
        (401, "invalid_token")
    );
}

#[test]
fn a_full_store_is_said_and_nonces_need_no_room() {
    let mut world = World::new();
    world.store = MemoryStore::new(1);
    world.offer("ada", None);
    let answer = world
        .issuer
        .push(&authorization(&[]), &mut world.store, &mut world.rng, NOW);
    assert_eq!(error(&answer), (503, "temporarily_unavailable"));
    world.nonce();
    assert_eq!(world.store.len(), 1);
    assert!(world.store.get("nonce/x", NOW).is_none());
}

#[test]
fn the_metadata_names_what_there_is() {
    let metadata = issuer().metadata();
    assert_eq!(metadata["credential_issuer"], ISSUER);
    let diploma = &metadata["credential_configurations_supported"]["diploma"];
    assert_eq!(
        (&diploma["format"], &diploma["scope"]),
        (&json!("dc+sd-jwt"), &json!("scope-diploma"))
    );
    assert_eq!(
        diploma["credential_metadata"]["claims"][0]["path"],
        json!(["given_name"])
    );
    assert_eq!(metadata["batch_credential_issuance"]["batch_size"], 3);
    assert_eq!(
        issuer().authorization_server_metadata()["code_challenge_methods_supported"],
        json!(["S256"])
    );
}

proptest! {
    #[test]
    fn random_requests_never_panic(body in "\\PC{0,80}", id in "[a-z]{0,8}", proof in "[A-Za-z0-9._-]{0,80}") {
        let mut world = World::new();
        let bearer = world.bearer("ada");
        let request = json!({"credential_configuration_id": id, "proofs": {"jwt": [proof]}, "transaction_id": body, "event": body});
        let _ = world.credential(&bearer, &request);
        let _ = world.deferred(&bearer, &request);
        let form = Form::parse(&body).unwrap_or_default();
        let World { issuer, store, rng, now, .. } = &mut world;
        let _ = issuer.token(&form, store, rng, *now);
        let _ = issuer.authorize(&form, store, rng, *now);
        let _ = issuer.notification(&bearer, &request, store, *now, &mut |_, _, _| {});
    }
}
