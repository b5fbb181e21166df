//! Proofs: published vectors, altered copies, and each rule apart from the others.

use proptest::prelude::*;
use serde_json::{Value, json};
use stele_core::suite::SigningKey;

use super::bbs::{self, BbsSecretKey};
use super::json::Limits;
use super::keys::{ProofKey, controller_document, did_key_document, key_for};
use super::proof::{Expectation, Proof, ProofOptions, Purpose, Suite};
use super::rules::*;
use super::tests::{read_json, vectors, without_proof};
use super::verify::{check_binding, verify_credential, verify_presentation};
use super::{suites, time};
use crate::jose::Signer as _;
use crate::refusal::Refusal;
use crate::sd_jwt::rules::{EXPIRED, NOT_YET_VALID};

fn signature_only(document: &Value) -> Result<(), Refusal> {
    let limits = Limits::default();
    for proof in Proof::read_all(document, &limits)? {
        let key = did_key_document(super::keys::controller_of(&proof.verification_method)).unwrap();
        let key = key_for(&key, &proof.verification_method, Purpose::Assertion)?;
        if proof.suite == Suite::Bbs2023 {
            bbs::verify(document, &proof, &key, &limits)?;
        } else {
            suites::verify(document, &proof, &key, &limits)?;
        }
    }
    Ok(())
}

/// Copies of a document, each with one text or number outside `@context` and the proof's value altered.
fn altered(document: &Value) -> Vec<Value> {
    fn places(value: &Value, here: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => map
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "@context" | "proof"))
                .for_each(|(name, value)| places(value, &format!("{here}/{name}"), out)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, value)| places(value, &format!("{here}/{index}"), out)),
            _ => out.push(here.to_owned()),
        }
    }
    let mut found = Vec::new();
    places(document, "", &mut found);
    let mut copies: Vec<Value> = found
        .iter()
        .map(|place| {
            let mut copy = document.clone();
            let value = copy.pointer_mut(place).unwrap();
            *value = match &*value {
                Value::Number(number) => json!(number.as_f64().unwrap() + 1.0),
                other => json!(format!("{}x", other.as_str().unwrap())),
            };
            copy
        })
        .collect();
    for name in ["created", "verificationMethod", "proofPurpose"] {
        let mut copy = document.clone();
        copy["proof"][name] = match name {
            "created" => json!("2024-01-01T00:00:00Z"),
            "verificationMethod" => {
                let other =
                    SigningKey::from_seed(stele_core::suite::Suite::Ed25519, &[99; 32]).unwrap();
                json!(ProofKey::Signature(other.public_key()).did_url())
            }
            _ => json!("authentication"),
        };
        copies.push(copy);
    }
    copies
}

#[test]
fn published_signatures_verify_and_altered_copies_do_not() {
    let eddsa = vectors("vc-di-eddsa/TestVectors");
    let mut copies = 0;
    for file in [
        "eddsa-jcs-2022/signedJCS.json",
        "eddsa-rdfc-2022/signedDataInt.json",
        "eddsa-rdfc-2022/employ/signedDataInt.json",
        "../../vc-di-bbs/TestVectors/derivedRevealDocument.json",
        "../../vc-di-bbs/TestVectors/prc/derivedRevealDocument.json",
    ] {
        let document = read_json(eddsa.join(file));
        signature_only(&document).unwrap_or_else(|refusal| panic!("{file}: {refusal:?}"));
        for copy in altered(&document) {
            assert!(signature_only(&copy).is_err(), "{file}: {copy}");
            copies += 1;
        }
        let mut stripped = document.clone();
        stripped.as_object_mut().unwrap().shift_remove("issuer");
        assert!(signature_only(&stripped).is_err(), "{file}");
    }
    assert!(copies > 50);
    for file in [
        "signedProofSet1",
        "signedProofSet2",
        "signedProofChain1",
        "signedProofChain2",
    ] {
        let document = read_json(eddsa.join(format!("proof-set-chain/{file}.json")));
        signature_only(&document).unwrap_or_else(|refusal| panic!("{file}: {refusal:?}"));
    }
}

#[test]
fn published_base_proof_is_made_again_to_the_bit() {
    let folder = vectors("vc-di-bbs/TestVectors");
    let keys = read_json(folder.join("BBSKeyMaterial.json"));
    let bytes = |value: &Value| hex_bytes(value.as_str().unwrap());
    let secret: [u8; 32] = bytes(&keys["privateKeyHex"]).try_into().unwrap();
    let secret = BbsSecretKey::from_bytes(&secret).unwrap();
    let hmac_key: [u8; 32] = bytes(&keys["hmacKeyString"]).try_into().unwrap();
    let signed = read_json(folder.join("addSignedSDBase.json"));
    let mandatory: Vec<String> =
        serde_json::from_value(read_json(folder.join("windMandatory.json"))).unwrap();
    let limits = Limits::default();
    let created = time::parse(signed["proof"]["created"].as_str().unwrap()).unwrap();
    let method = signed["proof"]["verificationMethod"].as_str().unwrap();
    let options = ProofOptions::assertion(method, created);
    let bare = without_proof(&signed);
    let ours = bbs::sign_base(&bare, &options, &secret, &mandatory, &hmac_key, &limits).unwrap();
    assert_eq!(ours, signed);
    bbs::verify_base(&signed, &secret.public(), &limits).unwrap();
    let mut copy = signed.clone();
    copy["credentialSubject"]["sails"][0]["size"] = json!(9.9);
    assert!(bbs::verify_base(&copy, &secret.public(), &limits).is_err());
    // The vectors' choice of fields gives the vectors' document; only the random part of the proof differs.
    let selective: Vec<String> =
        serde_json::from_value(read_json(folder.join("windSelective.json"))).unwrap();
    let derived = bbs::derive(&signed, &selective, &[0x11, 0x33, 0x77, 0xaa], &limits).unwrap();
    let theirs = read_json(folder.join("derivedRevealDocument.json"));
    assert_eq!(
        super::json::jcs(&without_proof(&derived)).unwrap(),
        super::json::jcs(&without_proof(&theirs)).unwrap()
    );
    signature_only(&derived).unwrap();
}

fn hex_bytes(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap())
        .collect()
}

const NOW: i64 = 1_800_000_000;

fn ed25519(seed: u8) -> (SigningKey, ProofKey) {
    let key = SigningKey::from_seed(stele_core::suite::Suite::Ed25519, &[seed; 32]).unwrap();
    let public = ProofKey::Signature(key.public_key());
    (key, public)
}

fn credential(issuer: &str) -> Value {
    json!({
        "@context": ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"],
        "type": ["VerifiableCredential", "ExampleDegree"],
        "issuer": issuer,
        "validFrom": time::format(NOW - 1_000),
        "validUntil": time::format(NOW + 1_000),
        "credentialSubject": { "name": "Fictional Student", "degree": "Bachelor", "grade": "1.3" },
    })
}

/// A fictional credential signed by one suite, with a key derived from a number.
fn signed(suite: Suite, seed: u8) -> Value {
    let limits = Limits::default();
    let options = |key: &ProofKey| ProofOptions::assertion(key.did_url(), NOW - 100);
    match suite {
        Suite::Bbs2023 => {
            let key = BbsSecretKey::from_seed(&[seed; 32]).unwrap();
            let public = key.public();
            let mandatory = ["/issuer", "/validUntil", "/validFrom"].map(str::to_owned);
            let document = credential(&public.did());
            bbs::sign_base(
                &document,
                &options(&public),
                &key,
                &mandatory,
                &[seed; 32],
                &limits,
            )
            .unwrap()
        }
        _ => {
            let kind = match suite {
                Suite::EcdsaRdfc2019 => stele_core::suite::Suite::Es256,
                _ => stele_core::suite::Suite::Ed25519,
            };
            let key = SigningKey::from_seed(kind, &[seed; 32]).unwrap();
            let public = ProofKey::Signature(key.public_key());
            suites::sign(
                &credential(&public.did()),
                suite,
                &options(&public),
                &key,
                &limits,
            )
            .unwrap()
        }
    }
}

fn judge(document: &Value) -> Result<super::verify::VerifiedCredential, Refusal> {
    verify_credential(
        document,
        &did_key_document,
        &Expectation::at(NOW),
        &Limits::default(),
    )
}

#[test]
fn an_altered_copy_is_refused_by_each_suite() {
    for suite in Suite::ALL {
        let mut document = signed(suite, 7);
        if suite == Suite::Bbs2023 {
            document = bbs::derive(
                &document,
                &["/credentialSubject/degree".to_owned()],
                b"",
                &Limits::default(),
            )
            .unwrap();
            assert_eq!(
                document["credentialSubject"],
                json!({ "degree": "Bachelor" })
            );
        }
        assert_eq!(judge(&document).unwrap().suites, [suite]);
        let mut copy = document.clone();
        copy["credentialSubject"]["degree"] = json!("Master");
        assert_eq!(
            judge(&copy).unwrap_err().code(),
            SIGNATURE_BAD.code,
            "{suite:?}"
        );
    }
}

#[test]
fn issuer_and_signature_are_bound_apart() {
    let limits = Limits::default();
    let (key, public) = ed25519(1);
    let options = ProofOptions::assertion(public.did_url(), NOW);
    // A good signature by someone whom the credential does not name.
    let other = "did:web:university.example";
    let document = suites::sign(
        &credential(other),
        Suite::EddsaRdfc2022,
        &options,
        &key,
        &limits,
    )
    .unwrap();
    signature_only(&document).unwrap();
    let proof = Proof::read(&document["proof"]).unwrap();
    assert_eq!(
        check_binding(&proof, other).unwrap_err().code(),
        ISSUER_MISMATCH.code
    );
    assert_eq!(judge(&document).unwrap_err().code(), ISSUER_MISMATCH.code);
    // The right name, and a signature by another key.
    let own = suites::sign(
        &credential(&public.did()),
        Suite::EddsaRdfc2022,
        &options,
        &ed25519(2).0,
        &limits,
    )
    .unwrap();
    check_binding(&Proof::read(&own["proof"]).unwrap(), &public.did()).unwrap();
    assert_eq!(judge(&own).unwrap_err().code(), SIGNATURE_BAD.code);
    // Controller documents.
    let method = format!("{other}#key-1");
    let good = controller_document(other, &method, &public);
    assert_eq!(key_for(&good, &method, Purpose::Assertion).unwrap(), public);
    let code = |document: &Value| {
        key_for(document, &method, Purpose::Assertion)
            .unwrap_err()
            .code()
    };
    let with = |place: &str, value: Value| {
        let mut document = good.clone();
        *document.pointer_mut(place).unwrap() = value;
        document
    };
    assert_eq!(
        code(&with("/id", json!("did:web:other.example"))),
        CONTROLLER_UNKNOWN.code
    );
    assert_eq!(
        code(&with("/assertionMethod", json!([]))),
        KEY_NOT_LISTED.code
    );
    assert_eq!(
        code(&with("/verificationMethod", json!([]))),
        KEY_NOT_LISTED.code
    );
    assert_eq!(
        code(&with(
            "/verificationMethod/0/controller",
            json!("did:web:o.example")
        )),
        KEY_NOT_LISTED.code
    );
    assert_eq!(
        code(&with(
            "/verificationMethod/0/publicKeyMultibase",
            json!("z6")
        )),
        "jose.key-unsupported"
    );
    assert_eq!(
        code(&with(
            "/verificationMethod/0/publicKeyMultibase",
            json!("m6")
        )),
        KEY_MALFORMED.code
    );
    let unknown = |_: &str| None;
    let refusal = verify_credential(&own, &unknown, &Expectation::at(NOW), &limits).unwrap_err();
    assert_eq!(refusal.code(), CONTROLLER_UNKNOWN.code);
}

#[test]
fn each_rule_of_time_and_purpose_refuses() {
    let good = signed(Suite::EddsaRdfc2022, 1);
    let limits = Limits::default();
    let at =
        |now| verify_credential(&good, &did_key_document, &Expectation::at(now), &limits).map(drop);
    at(NOW).unwrap();
    assert_eq!(at(NOW + 1_001).unwrap_err().code(), EXPIRED.code);
    assert_eq!(at(NOW - 1_061).unwrap_err().code(), NOT_YET_VALID.code);
    at(NOW + 1_000).unwrap();
    assert_eq!(
        at(NOW - 900).unwrap_err().code(),
        PROOF_FROM_THE_FUTURE.code
    );
    assert_eq!(
        judge(&without_proof(&good)).unwrap_err().code(),
        PROOF_MISSING.code
    );
    let with = |name: &str, value: Value| {
        let mut copy = good.clone();
        copy["proof"][name] = value;
        judge(&copy).unwrap_err().code()
    };
    assert_eq!(
        with("proofPurpose", json!("authentication")),
        PURPOSE_WRONG.code
    );
    assert_eq!(with("cryptosuite", json!("none")), SUITE_UNKNOWN.code);
    assert_eq!(
        with("type", json!("Ed25519Signature2020")),
        SUITE_UNKNOWN.code
    );
    assert_eq!(with("proofValue", json!("u123")), PROOF_MALFORMED.code);
    assert_eq!(with("created", json!("yesterday")), PROOF_MALFORMED.code);
    assert_eq!(
        with("expires", json!("2001-01-01T00:00:00Z")),
        PROOF_EXPIRED.code
    );
    // The example context gives every word a meaning, so the signature covers it.
    assert_eq!(with("grade", json!("1.0")), SIGNATURE_BAD.code);
    // Presentations.
    let (key, public) = ed25519(5);
    let presentation = json!({
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": "VerifiablePresentation",
        "holder": public.did(),
        "verifiableCredential": [good],
    });
    let options = ProofOptions::authentication(public.did_url(), NOW, "office.example", "n-1");
    let shown = suites::sign(&presentation, Suite::EddsaRdfc2022, &options, &key, &limits).unwrap();
    let verify = |domain, challenge| {
        let expected = Expectation {
            domain: Some(domain),
            challenge: Some(challenge),
            ..Expectation::at(NOW)
        };
        verify_presentation(&shown, &did_key_document, &expected, &limits)
    };
    let verified = verify("office.example", "n-1").unwrap();
    assert_eq!(
        (verified.holder, verified.credentials.len()),
        (public.did(), 1)
    );
    assert_eq!(
        verify("other.example", "n-1").unwrap_err().code(),
        DOMAIN_WRONG.code
    );
    assert_eq!(
        verify("office.example", "n-2").unwrap_err().code(),
        CHALLENGE_WRONG.code
    );
}

#[test]
fn a_base_proof_is_for_the_holder_alone() {
    let limits = Limits::default();
    let base = signed(Suite::Bbs2023, 3);
    assert_eq!(judge(&base).unwrap_err().code(), BASE_PROOF.code);
    let show = |fields: &[&str], header: &[u8]| {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        bbs::derive(&base, &fields, header, &limits)
    };
    let first = show(&["/credentialSubject/degree"], b"n-1").unwrap();
    let second = show(&["/credentialSubject/degree"], b"n-1").unwrap();
    judge(&first).unwrap();
    // Two showings of the same fields share nothing but what is shown.
    assert_ne!(first["proof"]["proofValue"], second["proof"]["proofValue"]);
    assert_eq!(first["credentialSubject"], json!({ "degree": "Bachelor" }));
    let expected = |challenge| Expectation {
        challenge: Some(challenge),
        ..Expectation::at(NOW)
    };
    let verify =
        |challenge| verify_credential(&first, &did_key_document, &expected(challenge), &limits);
    verify("n-1").unwrap();
    assert_eq!(verify("n-2").unwrap_err().code(), CHALLENGE_WRONG.code);
    assert_eq!(
        show(&["/credentialSubject/age"], b"").unwrap_err().code(),
        POINTER_INVALID.code
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A signed document with any bytes of it changed never panics, and is never taken for another document.
    #[test]
    fn mutated_documents_are_refused_or_say_the_same(at in 0_usize..100_000, byte in any::<u8>(), which in 0_usize..4) {
        let suite = Suite::ALL[which];
        let mut document = signed(suite, 9);
        let limits = Limits::default();
        if suite == Suite::Bbs2023 {
            document = bbs::derive(&document, &["/credentialSubject/grade".to_owned()], b"", &limits).unwrap();
        }
        let mut bytes = serde_json::to_vec(&document).unwrap();
        let place = at % bytes.len();
        bytes[place] = byte;
        if let Ok(read) = super::json::parse(&bytes, &limits)
            && judge(&read).is_ok()
        {
            prop_assert_eq!(without_proof(&read), without_proof(&document));
        }
    }

    #[test]
    fn any_proof_value_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), header in 0_usize..3) {
        let mut document = bbs::derive(&signed(Suite::Bbs2023, 9), &[], b"", &Limits::default()).unwrap();
        let prefix: &[u8] = [&[0xd9, 0x5d, 0x02][..], &[0xd9, 0x5d, 0x03], &[]][header];
        let value = crate::json::to_base64url([prefix, &bytes].concat());
        document["proof"]["proofValue"] = json!(format!("u{value}"));
        prop_assert!(judge(&document).is_err());
        prop_assert!(bbs::derive(&document, &[], b"", &Limits::default()).is_err());
    }

    #[test]
    fn any_json_is_expanded_or_refused(text in "[{}\\[\\]\":,@a-d0-9. ]{0,80}") {
        if let Ok(value) = super::json::parse(text.as_bytes(), &Limits::default()) {
            let _ = super::jsonld::to_rdf(&value, &Limits::default());
            let _ = judge(&value);
        }
    }
}
