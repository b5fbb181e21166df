//! Verifier and wallet against each other, and what goes wrong between them.

use proptest::prelude::*;
use serde_json::{Value, json};
use stele_core::suite::{SigningKey, Suite};

use super::dcql::{Candidate, CredentialQuery, Query};
use super::holder::{Request, RequestExpectation, RequestLink};
use super::rules::*;
use super::verifier::{Outcome, Policy, Started, Verifier};
use super::*;
use crate::did::{Relationship, SelfContained, key as did_key};
use crate::jose::{Signer as _, encrypt, sign_json};
use crate::refusal::{Refusal, Rule};
use crate::sd_jwt::{Binding, ClaimPath, Frame, Held, Issuance, Parsed, Verified};
use crate::status::Status;
use crate::testing::TestRng;

const NOW: u64 = 1_790_000_000;
const VCT: &str = "https://university.example/diploma";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Es256, &[seed; 32]).unwrap()
}

/// Trusts one university; the diploma with this grade was revoked.
struct Office;

impl Policy for Office {
    fn issuer_key(&self, credential: &Parsed<'_>) -> Result<crate::jose::PublicKey, Refusal> {
        assert_eq!(credential.issuer(), Some("https://university.example"));
        Ok(key(2).public_key())
    }

    fn accept(&self, query: &CredentialQuery, credential: &Verified) -> Result<(), Refusal> {
        assert_eq!(query.id, "diploma");
        let revoked = credential.claims.contains_key("grade");
        if revoked {
            Status::Invalid.require_valid()
        } else {
            Ok(())
        }
    }
}

struct World {
    verifier: Verifier,
    store: MemoryStore,
    rng: TestRng,
    now: u64,
}

impl World {
    fn new() -> Self {
        let did = did_key::did_of(&key(1).public_key());
        let verifier = Verifier {
            key_id: did.with_fragment(did.id()),
            did: did.to_string(),
            request_base: "https://verifier.example/request".to_owned(),
            response_base: "https://verifier.example/response".to_owned(),
            display_name: "Fictional housing office".to_owned(),
            lifetime_seconds: 300,
            skew_seconds: 60,
        };
        Self {
            verifier,
            store: MemoryStore::new(10),
            rng: TestRng(1),
            now: NOW,
        }
    }

    fn start(&mut self, redirect_uri: Option<&str>) -> Started {
        let query = Query::one("diploma", VCT, &[ClaimPath::name("given_name")]);
        self.verifier
            .start(
                query,
                redirect_uri,
                &mut self.store,
                &mut self.rng,
                self.now,
            )
            .unwrap()
    }

    fn request_text(&mut self, id: &str, form: &Form) -> String {
        match self
            .verifier
            .request_object(id, form, &key(1), &mut self.store, self.now)
            .body
        {
            Body::Text("application/oauth-authz-req+jwt", text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// The request as the wallet sees it.
    fn request(&mut self, started: &Started) -> Request {
        let link = RequestLink::parse(&started.link, false).unwrap();
        assert_eq!(
            link.request_uri,
            format!("https://verifier.example/request/{}", started.id)
        );
        let text = self.request_text(&started.id, &Form::default());
        verified(&text, &link.client_id).unwrap()
    }

    fn respond(&mut self, id: &str, form: &Form) -> Answer {
        self.verifier
            .respond(id, form, &Office, &mut self.store, &mut self.rng, self.now)
    }

    fn outcome(&mut self, started: &Started) -> Option<Outcome> {
        self.verifier
            .outcome(&started.id, &started.secret, &mut self.store, self.now)
            .unwrap()
    }

    fn refused(&mut self, started: &Started) -> &'static Rule {
        self.outcome(started).unwrap().presented.unwrap_err().rule()
    }
}

fn expectation(client_id: &str) -> RequestExpectation<'_> {
    RequestExpectation {
        client_id,
        wallet_nonce: None,
        now: NOW,
        skew_seconds: 60,
        allow_http: false,
    }
}

fn verified(text: &str, client_id: &str) -> Result<Request, Refusal> {
    Request::verify(text, &SelfContained, &expectation(client_id))
}

fn credential() -> String {
    let holder = key(3).public_key();
    let issuance = Issuance {
        vct: VCT,
        issuer: Some("https://university.example"),
        key_id: None,
        issued_at: NOW,
        not_before: None,
        expires_at: None,
        holder: Some(&holder),
        status: None,
    };
    let Value::Object(claims) = json!({"given_name": "Fictional Ada", "grade": "1.3"}) else {
        unreachable!()
    };
    issuance
        .issue(
            claims,
            &Frame::of_names(&["given_name", "grade"]),
            &key(2),
            &mut TestRng(9),
        )
        .unwrap()
}

/// What the wallet presents: the claims that the query asks for, or those at `paths`.
fn presentation(request: &Request, paths: Option<&[ClaimPath]>, holder: u8) -> String {
    let credential = credential();
    let held = Held::parse(&credential).unwrap();
    let choices = request
        .query
        .choose(&[Candidate {
            format: "dc+sd-jwt",
            claims: held.claims(),
        }])
        .unwrap();
    let (_, asked) = &choices[0].candidates[0];
    let binding = Binding {
        audience: &request.client_id,
        nonce: &request.nonce,
        issued_at: NOW,
    };
    held.present(paths.unwrap_or(asked), Some((binding, &key(holder))))
        .unwrap()
}

fn code(answer: &Answer) -> (u16, String) {
    let body = answer.as_json().unwrap();
    let description = body["error_description"].as_str().unwrap_or_default();
    (
        answer.status,
        description
            .rsplit('[')
            .next()
            .unwrap()
            .trim_end_matches(']')
            .to_owned(),
    )
}

#[test]
fn a_wallet_presents_what_is_asked_for_and_no_more() {
    let mut world = World::new();
    let started = world.start(Some("https://verifier.example/done?x=1"));
    assert!(world.outcome(&started).is_none());
    let request = world.request(&started);
    assert_eq!(
        request.display_name.as_deref(),
        Some("Fictional housing office")
    );
    let text = presentation(&request, None, 3);
    let form = request
        .answer(&[("diploma", vec![text])], &mut TestRng(4))
        .unwrap();
    let answer = world.respond(&started.id, &Form::parse(&form.encode()).unwrap());
    assert_eq!(answer.status, 200, "{answer:?}");
    let outcome = world.outcome(&started).unwrap();
    let redirect = format!(
        "https://verifier.example/done?x=1&response_code={}",
        outcome.response_code.unwrap()
    );
    assert_eq!(answer.as_json().unwrap()["redirect_uri"], redirect);
    let presented = outcome.presented.unwrap();
    assert_eq!(
        (
            presented.len(),
            presented[0].0.as_str(),
            presented[0].1.is_bound
        ),
        (1, "diploma", true)
    );
    assert_eq!(presented[0].1.claims["given_name"], "Fictional Ada");
    assert!(!presented[0].1.claims.contains_key("grade"));
}

#[test]
fn refuses_a_replayed_answer() {
    let mut world = World::new();
    let (first, second) = (world.start(None), world.start(None));
    let request = world.request(&first);
    let text = presentation(&request, None, 3);
    let form = request
        .answer(&[("diploma", vec![text.clone()])], &mut TestRng(4))
        .unwrap();
    assert_eq!(world.respond(&first.id, &form).status, 200);
    assert_eq!(
        code(&world.respond(&first.id, &form)),
        (400, REPLAYED.code.to_owned())
    );
    // The same answer to another request cannot be decrypted there; the presentation in a fresh answer has the old nonce.
    assert_eq!(
        code(&world.respond(&second.id, &form)).1,
        "jose.undecipherable"
    );
    assert!(world.outcome(&second).is_none());
    let request = world.request(&second);
    let form = request
        .answer(&[("diploma", vec![text])], &mut TestRng(4))
        .unwrap();
    assert_eq!(
        code(&world.respond(&second.id, &form)),
        (400, "credential.nonce".to_owned())
    );
    assert_eq!(world.refused(&second).code, "credential.nonce");
}

#[test]
fn refuses_an_answer_of_another_state() {
    let mut world = World::new();
    let started = world.start(None);
    let text = world.request_text(&started.id, &Form::default());
    let claims = crate::jose::Jws::parse(&text)
        .unwrap()
        .claims(Default::default())
        .unwrap();
    let jwk = &claims["client_metadata"]["jwks"]["keys"][0];
    let key = crate::jose::PublicKey::from_jwk(jwk).unwrap();
    let sealed = |payload: Value| {
        let text = encrypt(
            payload.to_string().as_bytes(),
            &key,
            crate::jose::Encryption::A256Gcm,
            &[],
            &mut TestRng(3),
        )
        .unwrap();
        Form::of(&[("response", &text)])
    };
    for payload in [
        json!({"vp_token": {}}),
        json!({"vp_token": {}, "state": "x"}),
    ] {
        assert_eq!(
            code(&world.respond(&started.id, &sealed(payload))),
            (400, STATE.code.to_owned())
        );
    }
    assert!(world.outcome(&started).is_none(), "the request stays open");
    let answer = world.respond(
        &started.id,
        &sealed(json!({"vp_token": [], "state": claims["state"]})),
    );
    assert_eq!(code(&answer), (400, ANSWER_MALFORMED.code.to_owned()));
}

#[test]
fn refuses_answers_of_wrong_form() {
    let mut world = World::new();
    let started = world.start(None);
    assert_eq!(
        code(&world.respond(&started.id, &Form::default())).1,
        ANSWER_MALFORMED.code
    );
    assert_eq!(
        code(&world.respond(&started.id, &Form::of(&[("response", "x")]))).1,
        "jose.encrypted-malformed"
    );
    assert!(world.outcome(&started).is_none());
}

#[test]
fn refuses_unknown_and_old_requests() {
    let mut world = World::new();
    let started = world.start(None);
    let request = world.request(&started);
    let form = request.decline("access_denied", &mut TestRng(1)).unwrap();
    assert_eq!(
        code(&world.respond("x", &form)),
        (404, SESSION_UNKNOWN.code.to_owned())
    );
    let wrong = world
        .verifier
        .outcome(&started.id, "x", &mut world.store, NOW);
    assert_eq!(wrong.unwrap_err().rule(), SESSION_UNKNOWN);
    world.now += 300;
    assert_eq!(world.respond(&started.id, &form).status, 404);
    let answer = world.verifier.request_object(
        &started.id,
        &Form::default(),
        &key(1),
        &mut world.store,
        world.now,
    );
    assert_eq!(answer.status, 404);
}

#[test]
fn a_wallet_may_decline() {
    let mut world = World::new();
    let started = world.start(None);
    let request = world.request(&started);
    let form = request.decline("access_denied", &mut TestRng(1)).unwrap();
    assert_eq!(world.respond(&started.id, &form).status, 200);
    assert_eq!(world.refused(&started), DECLINED);
}

#[test]
fn refuses_answers_that_are_not_what_was_asked_for() {
    for (case, expected) in [
        ("stripped", UNANSWERABLE.code),
        ("nothing", UNANSWERABLE.code),
        ("unasked", UNASKED.code),
        ("twice", UNASKED.code),
        ("stolen", "credential.holder-key-wrong"),
        ("revoked", "status.revoked"),
    ] {
        let mut world = World::new();
        let started = world.start(None);
        let request = world.request(&started);
        let good = presentation(&request, None, 3);
        let answer = match case {
            "stripped" => vec![("diploma", vec![presentation(&request, Some(&[]), 3)])],
            "nothing" => vec![],
            "revoked" => {
                let paths = [ClaimPath::name("given_name"), ClaimPath::name("grade")];
                vec![("diploma", vec![presentation(&request, Some(&paths), 3)])]
            }
            "unasked" => vec![("diploma", vec![good.clone()]), ("other", vec![good])],
            "twice" => vec![("diploma", vec![good.clone(), good])],
            _ => vec![("diploma", vec![presentation(&request, None, 4)])],
        };
        let form = request.answer(&answer, &mut TestRng(4)).unwrap();
        assert_eq!(
            code(&world.respond(&started.id, &form)),
            (400, expected.to_owned()),
            "{case}"
        );
        assert_eq!(world.refused(&started).code, expected);
    }
}

/// A request with these claims changed, signed by the verifier's key under its kid.
fn changed(world: &mut World, started: &Started, name: &str, value: Value) -> String {
    let text = world.request_text(&started.id, &Form::default());
    let mut claims = crate::jose::Jws::parse(&text)
        .unwrap()
        .claims(Default::default())
        .unwrap();
    claims.insert(name.to_owned(), value);
    sign_json(
        "oauth-authz-req+jwt",
        Some(&world.verifier.key_id),
        &Value::Object(claims),
        &key(1),
    )
    .unwrap()
}

#[test]
fn refuses_malformed_requests() {
    let mut world = World::new();
    let started = world.start(None);
    let client_id = world.verifier.client_id();
    for (name, value, rule) in [
        ("response_type", json!("code"), REQUEST_MALFORMED),
        ("response_mode", json!("direct_post"), REQUEST_MALFORMED),
        ("aud", json!("https://other.example"), REQUEST_MALFORMED),
        ("nonce", json!(1), REQUEST_MALFORMED),
        ("client_metadata", json!({}), REQUEST_MALFORMED),
        ("dcql_query", json!({}), QUERY_MALFORMED),
        ("client_id", json!("x"), UNPROVEN),
    ] {
        let text = changed(&mut world, &started, name, value);
        assert_eq!(
            verified(&text, &client_id).unwrap_err().rule(),
            rule,
            "{name}"
        );
    }
    assert_eq!(
        RequestLink::parse("openid4vp://?client_id=x", false)
            .unwrap_err()
            .rule(),
        REQUEST_MALFORMED
    );
}

#[test]
fn refuses_addresses_without_tls() {
    let mut world = World::new();
    let started = world.start(None);
    let text = changed(
        &mut world,
        &started,
        "response_uri",
        json!("http://verifier.example/x"),
    );
    let client_id = world.verifier.client_id();
    assert_eq!(verified(&text, &client_id).unwrap_err().rule(), ADDRESS);
    let open = RequestExpectation {
        allow_http: true,
        ..expectation(&client_id)
    };
    assert!(Request::verify(&text, &SelfContained, &open).is_ok());
    let link = "openid4vp://?client_id=x&request_uri=http%3A%2F%2Fverifier.example";
    assert_eq!(RequestLink::parse(link, false).unwrap_err().rule(), ADDRESS);
}

#[test]
fn refuses_old_requests() {
    let mut world = World::new();
    let started = world.start(None);
    let client_id = world.verifier.client_id();
    let text = world.request_text(&started.id, &Form::of(&[("wallet_nonce", "w")]));
    for (now, wallet_nonce, good) in [
        (NOW, Some("w"), true),
        (NOW, Some("v"), false),
        (NOW + 359, None, true),
        (NOW + 360, None, false),
    ] {
        let expected = RequestExpectation {
            now,
            wallet_nonce,
            ..expectation(&client_id)
        };
        let verdict = Request::verify(&text, &SelfContained, &expected);
        assert_eq!(
            verdict.map_err(|refusal| refusal.rule()).err(),
            (!good).then_some(EXPIRED_REQUEST)
        );
    }
}

#[test]
fn refuses_a_verifier_that_is_not_who_it_says() {
    let mut world = World::new();
    let started = world.start(None);
    let text = world.request_text(&started.id, &Form::default());
    let client_id = world.verifier.client_id();
    let other = did_key::did_of(&key(7).public_key());
    // Another DID than the one that signed, no DID at all, and a prefix that is not known here.
    for wrong in [
        format!("decentralized_identifier:{other}"),
        "x509_san_dns:verifier.example".to_owned(),
        other.to_string(),
    ] {
        assert_eq!(
            verified(&text, &wrong).unwrap_err().rule(),
            UNPROVEN,
            "{wrong}"
        );
    }
    let claims = crate::jose::Jws::parse(&text)
        .unwrap()
        .claims(Default::default())
        .unwrap();
    let forged = sign_json(
        "oauth-authz-req+jwt",
        Some(&world.verifier.key_id),
        &Value::Object(claims),
        &key(7),
    )
    .unwrap();
    assert_eq!(
        verified(&forged, &client_id).unwrap_err().code(),
        "jose.signature"
    );
    let document =
        did_key::document(&crate::did::Did::parse(&world.verifier.did).unwrap()).unwrap();
    assert!(
        document
            .key_for(Relationship::Authentication, &world.verifier.key_id)
            .is_ok()
    );
}

proptest! {
    #[test]
    fn random_requests_and_answers_never_panic(text in "[A-Za-z0-9._-]{0,80}", link in "\\PC{0,60}") {
        let mut world = World::new();
        let started = world.start(None);
        let _ = RequestLink::parse(&link, true);
        let _ = verified(&text, &world.verifier.client_id());
        let _ = world.respond(&started.id, &Form::of(&[("response", &text), ("state", &link)]));
        let _ = world.respond(&started.id, &Form::of(&[("error", &text), ("state", &link)]));
        prop_assert!(world.outcome(&started).is_none());
    }
}
