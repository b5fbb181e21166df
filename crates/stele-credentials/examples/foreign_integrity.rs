//! Our side of the checks of Data Integrity and education papers: JSON on standard input, JSON on standard output.
//!
//! `foreign_integrity contexts | key | canonical | sign | derive | verify | elm | badge`. A refusal is an answer:
//! `{"refusal": {...}}`. Keys are made from `suite` and `seed` (a number): they are for tests only.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};
use stele_core::suite::SigningKey;
use stele_credentials::contexts::BUNDLED;
use stele_credentials::education::{badge, elm, model};
use stele_credentials::integrity::bbs::{self, BbsSecretKey};
use stele_credentials::integrity::keys::did_key_document;
use stele_credentials::integrity::*;
use stele_credentials::jose::Signer as _;
use stele_credentials::refusal::Refusal;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let command = std::env::args().nth(1).unwrap_or_default();
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text)?;
    let input: Value = serde_json::from_slice(&text)?;
    let answer = match command.as_str() {
        "contexts" => Ok(contexts()),
        "key" => Ok(json!({ "did": public(&input).did(), "method": public(&input).did_url() })),
        "canonical" => suites::canonical(&input["document"], &Limits::default()).map(
            |canonical| json!({ "text": canonical.text(), "statements": canonical.lines.len() }),
        ),
        "sign" => sign(&input),
        "derive" => derive(&input),
        "verify" => verify(&input),
        "elm" => Ok(json!({ "document": elm::credential(&model::fictional(courses(&input))) })),
        "badge" => Ok(json!({ "document": a_badge() })),
        other => return Err(format!("there is no command {other:?}").into()),
    };
    let answer = answer.unwrap_or_else(|refusal| json!({ "refusal": refusal.to_json() }));
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}

fn contexts() -> Value {
    let parsed = BUNDLED.iter().map(|context| {
        let document: Value =
            serde_json::from_str(context.text).expect("a bundled context is JSON");
        (context.url.to_owned(), document)
    });
    Value::Object(parsed.collect())
}

fn courses(input: &Value) -> usize {
    input["courses"].as_u64().unwrap_or(2).min(300) as usize
}

fn a_badge() -> Value {
    let supplement = model::fictional(1);
    let id = "urn:uuid:6f1c1a3e-0000-4000-8000-000000000002";
    badge::credential(&supplement, &supplement.courses[0], id)
}

fn suite(input: &Value) -> Suite {
    let name = input["suite"].as_str().unwrap_or_default();
    let found = Suite::ALL.into_iter().find(|suite| suite.name() == name);
    found.expect("the test names a suite")
}

fn seed(input: &Value) -> [u8; 32] {
    [input["seed"].as_u64().unwrap_or(1) as u8; 32]
}

fn signer(input: &Value) -> SigningKey {
    let kind = match suite(input) {
        Suite::EcdsaRdfc2019 => stele_core::suite::Suite::Es256,
        _ => stele_core::suite::Suite::Ed25519,
    };
    SigningKey::from_seed(kind, &seed(input)).expect("a seed has 32 bytes")
}

fn bbs_key(input: &Value) -> BbsSecretKey {
    BbsSecretKey::from_seed(&seed(input)).expect("a seed has 32 bytes")
}

fn public(input: &Value) -> ProofKey {
    match suite(input) {
        Suite::Bbs2023 => bbs_key(input).public(),
        _ => ProofKey::Signature(signer(input).public_key()),
    }
}

fn pointers(input: &Value, name: &str) -> Vec<String> {
    serde_json::from_value(input[name].clone()).unwrap_or_default()
}

/// Signs `document` with its issuer set to the key's DID.
fn sign(input: &Value) -> Result<Value, Refusal> {
    let public = public(input);
    let mut document = input["document"].clone();
    match document.get_mut("issuer") {
        Some(Value::Object(issuer)) => {
            issuer.insert("id".to_owned(), public.did().into());
        }
        _ => document["issuer"] = public.did().into(),
    }
    let options =
        ProofOptions::assertion(public.did_url(), input["now"].as_i64().unwrap_or_default());
    let limits = Limits::default();
    let signed = if suite(input) == Suite::Bbs2023 {
        let mandatory = pointers(input, "mandatory");
        bbs::sign_base(
            &document,
            &options,
            &bbs_key(input),
            &mandatory,
            &seed(input),
            &limits,
        )?
    } else {
        suites::sign(&document, suite(input), &options, &signer(input), &limits)?
    };
    Ok(json!({ "document": signed }))
}

fn derive(input: &Value) -> Result<Value, Refusal> {
    let selective = pointers(input, "selective");
    let derived = bbs::derive(&input["document"], &selective, b"", &Limits::default())?;
    Ok(json!({ "document": derived }))
}

fn verify(input: &Value) -> Result<Value, Refusal> {
    let expected = Expectation::at(input["now"].as_i64().unwrap_or_default());
    let limits = Limits::default();
    let verified = verify_credential(&input["document"], &did_key_document, &expected, &limits)?;
    let suites: Vec<&str> = verified.suites.iter().map(|suite| suite.name()).collect();
    Ok(json!({ "issuer": verified.issuer, "suites": suites }))
}
