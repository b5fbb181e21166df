//! Published vectors and the ways to lose a claim.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::canonical::canonicalise;
use super::json::Limits;
use super::jsonld::{self, select};
use super::rules::*;
use super::structure::{Shape, check_credential, check_presentation, check_self_asserted};

/// The folder of published vectors; a run without it proves nothing and must not look green.
pub(super) fn vectors(folder: &str) -> PathBuf {
    let data = std::env::var_os("STELE_DATA").expect(
        "STELE_DATA names the folder of published vectors; ./test sets it, by hand: STELE_DATA=... cargo nextest run",
    );
    PathBuf::from(data).join("interop/credentials").join(folder)
}

pub(super) fn read_text(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn read_json(path: PathBuf) -> Value {
    serde_json::from_str(&read_text(path)).unwrap()
}

pub(super) fn without_proof(document: &Value) -> Value {
    let mut bare = document.clone();
    bare.as_object_mut().unwrap().shift_remove("proof");
    bare
}

fn canonical_text(document: &Value) -> String {
    let limits = Limits::default();
    let quads = jsonld::to_rdf(document, &limits).unwrap();
    canonicalise(&quads, limits.canonical_steps_max)
        .unwrap()
        .text()
}

#[test]
fn canonical_text_is_the_published_one() {
    let eddsa = vectors("vc-di-eddsa/TestVectors/eddsa-rdfc-2022");
    let document = without_proof(&read_json(eddsa.join("signedDataInt.json")));
    assert_eq!(
        canonical_text(&document),
        read_text(eddsa.join("canonDocDataInt.txt"))
    );
    let config = read_json(eddsa.join("proofConfigDataInt.json"));
    assert_eq!(
        canonical_text(&config),
        read_text(eddsa.join("proofCanonDataInt.txt"))
    );
    let employ = eddsa.join("employ");
    let document = without_proof(&read_json(employ.join("signedDataInt.json")));
    assert_eq!(
        canonical_text(&document),
        read_text(employ.join("canonDocDataInt.txt"))
    );
    let bbs = vectors("vc-di-bbs/TestVectors");
    let lines: Vec<String> =
        serde_json::from_value(read_json(bbs.join("addBaseDocCanon.json"))).unwrap();
    assert_eq!(
        canonical_text(&read_json(bbs.join("windDoc.json"))),
        lines.concat()
    );
}

#[test]
fn the_data_models_files_are_judged_as_their_names_say() {
    let limits = Limits::default();
    let root = vectors("vc-data-model-2.0/tests/input");
    let mut judged = (0, 0);
    for folder in [root.clone(), root.join("names-and-descriptions")] {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".json") {
                continue;
            }
            // Two files leave the dates to the reader.
            let text = read_text(path)
                .replace("FUTURE DATE", "2199-01-01T00:00:00Z")
                .replace("PAST DATE", "2001-01-01T00:00:00Z");
            let document: Value = serde_json::from_str(&text).unwrap();
            let result = if name.starts_with("presentation") {
                check_presentation(&document, &limits)
            } else {
                // The files are for an issuer that fills itself in; only this one is about the missing issuer.
                let shape = if name.contains("no-issuer") {
                    Shape::SIGNED
                } else {
                    Shape::DRAFT
                };
                check_credential(&document, shape, &limits)
            };
            if name.contains("-ok") {
                judged.0 += 1;
                result.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
            } else if name.contains("-fail") {
                judged.1 += 1;
                assert!(result.is_err(), "{name} was accepted");
            } else {
                // presentation-self-asserted-vc-no-holder and -mismatch: the shape is right, the rest is the next test.
                result.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
            }
        }
    }
    // All files that were there when this was written: nothing is skipped silently.
    assert_eq!(judged, (ACCEPTED, REFUSED));
    let no_one = check_credential(&json!({}), Shape::SIGNED, &limits).unwrap_err();
    assert_eq!(no_one.code(), CREDENTIAL_STRUCTURE.code);
}

const ACCEPTED: usize = 65;
const REFUSED: usize = 52;

#[test]
fn self_asserted_credentials_are_the_holders() {
    let folder = vectors("vc-data-model-2.0/tests/input");
    let check = |name: &str| check_self_asserted(&read_json(folder.join(name)));
    check("presentation-self-asserted-vc-ok.json").unwrap();
    for name in [
        "presentation-self-asserted-vc-no-holder.json",
        "presentation-self-asserted-vc-holder-mismatch.json",
        "presentation-self-asserted-vc-issuer-mismatch.json",
    ] {
        assert_eq!(
            check(name).unwrap_err().code(),
            HOLDER_MISMATCH.code,
            "{name}"
        );
    }
}

fn code_of(document: &Value) -> &'static str {
    jsonld::to_rdf(document, &Limits::default())
        .unwrap_err()
        .code()
}

#[test]
fn each_way_to_lose_a_claim_is_refused() {
    let base = "https://www.w3.org/ns/credentials/v2";
    let with = |context: Value, members: Value| {
        let mut document = json!({ "@context": [base, context], "type": "VerifiableCredential" });
        document
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        document
    };
    let plain = |members: Value| with(json!({ "p": "https://p.example/" }), members);
    assert!(
        jsonld::to_rdf(
            &plain(json!({ "p:a": "x", "name": "y" })),
            &Limits::default()
        )
        .is_ok()
    );
    for (document, rule) in [
        (plain(json!({ "grade": "1.0" })), TERM_UNDEFINED),
        (
            plain(json!({ "credentialSubject": { "grade": "1.0" } })),
            TERM_UNDEFINED,
        ),
        (
            plain(json!({ "evidence": { "type": "Passport" } })),
            TERM_UNDEFINED,
        ),
        (
            plain(json!({ "name": { "@value": "a", "grade": "1" } })),
            TERM_UNDEFINED,
        ),
        (
            with(json!("https://example.org/unknown"), json!({})),
            CONTEXT_UNKNOWN,
        ),
        (with(json!({ "@version": 2 }), json!({})), CONTEXT_INVALID),
        (
            with(
                json!({ "a": { "@id": "b" }, "b": { "@id": "a" } }),
                json!({}),
            ),
            CONTEXT_INVALID,
        ),
        (
            with(
                json!({ "VerifiableCredential": "https://evil.example/" }),
                json!({}),
            ),
            CONTEXT_SWAP,
        ),
        (
            with(json!({ "name": "https://evil.example/name" }), json!({})),
            CONTEXT_SWAP,
        ),
        (with(json!(null), json!({})), CONTEXT_SWAP),
        (
            plain(
                json!({ "credentialSubject": { "@context": { "name": "urn:evil" }, "name": "a" } }),
            ),
            CONTEXT_SWAP,
        ),
        (
            with(
                json!({ "a": { "@id": "urn:a", "@container": "@index" } }),
                json!({}),
            ),
            SYNTAX_UNSUPPORTED,
        ),
        (plain(json!({ "@reverse": {} })), SYNTAX_UNSUPPORTED),
        (plain(json!({ "id": "_:b0" })), SYNTAX_UNSUPPORTED),
        (plain(json!({ "id": "relative" })), IRI_INVALID),
        (plain(json!({ "id": "https ://not.example" })), IRI_INVALID),
        (
            plain(json!({ "issuer": "https://x.example/<a>" })),
            IRI_INVALID,
        ),
        (
            plain(json!({ "name": { "@value": "a", "@language": "no language" } })),
            LANGUAGE_INVALID,
        ),
        (plain(json!({ "p:a": null })), VALUE_INVALID),
        (plain(json!({ "name": { "@value": null } })), VALUE_INVALID),
    ] {
        assert_eq!(code_of(&document), rule.code, "{document}");
    }
}

#[test]
fn pointers_that_lead_nowhere_are_refused() {
    let document = json!({ "@context": [], "a": { "b": [1, 2] } });
    let select = |pointer: &str| select::document(&document, &[pointer.to_owned()]);
    let part = select("/a/b/1").unwrap().unwrap();
    assert_eq!(part, json!({ "@context": [], "a": { "b": [2] } }));
    for pointer in ["/a/c", "a", "/a/b/2", "/a/b/x"] {
        assert_eq!(select(pointer).unwrap_err().code(), POINTER_INVALID.code);
    }
}
