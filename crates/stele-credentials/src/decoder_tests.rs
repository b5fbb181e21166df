//! Every decoder against arbitrary and against slightly wrong input: it answers or refuses, and never panics.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use stele_core::suite::{SigningKey, Suite};

use crate::did::{self, DidDocument, KeyForm, Relationship};
use crate::jose::{PublicKey, Signer as _, sign};
use crate::openid::dcql::{Candidate, Query};
use crate::sd_jwt::{ClaimPath, Expectation, Frame, Held, Parsed, StatusReference, issue, verify};
use crate::status::{ListExpectation, TokenStatusList, bitstring};
use crate::testing::TestRng;

const NOW: u64 = 1_790_000_000;

/// Any JSON of a few levels, with the names that the formats use.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("_sd"),
        Just("..."),
        Just("_sd_alg"),
        Just("id"),
        Just("type"),
        Just("cnf"),
        Just("jwk"),
        Just("kty"),
        Just("crv"),
        Just("x"),
        Just("status"),
        Just("status_list"),
        Just("lst"),
        Just("path"),
        Just("exp"),
        Just("credentials"),
        Just("meta"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "[A-Za-z0-9:/#._-]{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("OKP"),
            Just("Ed25519"),
            Just("EC"),
            Just("P-256"),
            Just("sha-256")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..5).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

/// Puts `value` at one of the places of `document`, counted in the order of a walk.
fn replace(document: &mut Value, place: Index, value: Value) {
    fn walk(node: &Value, at: String, found: &mut Vec<String>) {
        match node {
            Value::Object(object) => {
                for (name, child) in object {
                    walk(
                        child,
                        format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                        found,
                    );
                }
            }
            Value::Array(items) => {
                for (index, child) in items.iter().enumerate() {
                    walk(child, format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
        found.push(at);
    }
    let mut places = Vec::new();
    walk(document, String::new(), &mut places);
    *document
        .pointer_mut(&places[place.index(places.len())])
        .unwrap() = value;
}

fn key() -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[1; 32]).unwrap()
}

/// Gives one value to everything that reads JSON.
fn read_everywhere(value: &Value) {
    let _ = PublicKey::from_jwk(value);
    let _ = DidDocument::from_json(value);
    let _ = ClaimPath::from_json(value);
    let _ = StatusReference::from_json(value);
    let entry = bitstring::Entry::from_json(value);
    if let Ok(entry) = entry {
        let _ = bitstring::read(value, &entry);
    }
    if let Ok(query) = Query::from_json(value) {
        let _ = query.choose(&[Candidate {
            format: "dc+sd-jwt",
            claims: value,
        }]);
        assert_eq!(Query::from_json(&query.to_json()).unwrap(), query);
    }
    let public = key().public_key();
    for typ in ["dc+sd-jwt", "statuslist+jwt", "kb+jwt"] {
        let header = json!({"typ": typ});
        let text = sign(
            header.as_object().unwrap(),
            value.to_string().as_bytes(),
            &key(),
        )
        .unwrap();
        let expectation = ListExpectation {
            uri: "x",
            now: NOW,
            skew_seconds: 0,
        };
        if let Ok(list) = TokenStatusList::verify_jwt(&text, &public, &expectation) {
            let _ = (list.status(0), list.entries());
        }
        for credential in [format!("{text}~"), format!("{text}~{text}")] {
            let _ = verify(&credential, &public, &Expectation::at(NOW));
            let _ = Held::parse(&credential);
            let _ = Parsed::parse(&credential);
        }
    }
    // A header of any shape, in front of a payload that is good.
    if let Value::Object(header) = value
        && let Ok(text) = sign(header, b"{}", &key())
    {
        let _ = verify(&format!("{text}~"), &public, &Expectation::at(NOW));
    }
    if let Value::Object(payload) = value.clone() {
        let frame = Frame::of_names(&["id", "status", "cnf"]).with_decoys(1);
        let issued = issue(
            payload,
            &frame,
            &serde_json::Map::new(),
            &key(),
            &mut TestRng(1),
        );
        if let Ok(issued) = issued {
            // What is issued can be read, or is refused for its claims alone.
            let read = verify(
                &issued,
                &public,
                &Expectation {
                    types: &[],
                    ..Expectation::at(NOW)
                },
            );
            let code = read.map_or_else(|refusal| refusal.code(), |_| "");
            assert!(
                code.is_empty() || code.starts_with("credential.") || code.starts_with("jose.key"),
                "{code}"
            );
            assert!(
                !matches!(
                    code,
                    "credential.malformed"
                        | "credential.disclosure-foreign"
                        | "credential.digest-duplicate"
                ),
                "{code}"
            );
        }
    }
}

fn good_documents() -> [Value; 4] {
    let public = key().public_key();
    let document = DidDocument::new(did::Did::parse("did:web:university.example").unwrap())
        .with_key("a", public.clone(), KeyForm::Multikey, &Relationship::ALL)
        .with_key(
            "b",
            public.clone(),
            KeyForm::JsonWebKey,
            &[Relationship::Authentication],
        )
        .with_service("s", "LinkedDomains", json!(["https://university.example"]));
    let query = json!({
        "credentials": [
            {"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}, "claims": [{"id": "x", "path": ["a", 0, null], "values": [1]}], "claim_sets": [["x"]]},
            {"id": "b", "format": "dc+sd-jwt", "multiple": true},
        ],
        "credential_sets": [{"options": [["a"], ["b"]], "required": false}],
    });
    let credential = json!({
        "iss": "https://university.example", "vct": "v", "iat": NOW, "exp": NOW + 10, "cnf": {"jwk": public.to_jwk()},
        "status": {"status_list": {"idx": 1, "uri": "x"}}, "_sd_alg": "sha-256", "_sd": ["x"], "list": [{"...": "y"}],
    });
    let list = json!({"sub": "x", "iat": NOW, "status_list": {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}});
    [document.to_json(), query, credential, list]
}

proptest! {
    #[test]
    fn arbitrary_json(value in any_json()) {
        read_everywhere(&value);
    }

    #[test]
    fn good_documents_with_one_wrong_place(which in 0usize..4, place in any::<Index>(), value in any_json()) {
        let mut document = good_documents()[which].clone();
        replace(&mut document, place, value);
        read_everywhere(&document);
    }

    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = DidDocument::parse(&bytes);
        let _ = PublicKey::from_ed25519(&bytes);
        let _ = PublicKey::from_sec1(&bytes);
        let _ = TokenStatusList::list_from_cbor(&bytes);
        let _ = crate::status::verify_cwt(&bytes, None, &key().public_key());
        let _ = crate::jose::DecryptionKey::from_bytes(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = (did::Did::parse(&text), did::DidUrl::parse(&text), Held::parse(&text));
    }
}
