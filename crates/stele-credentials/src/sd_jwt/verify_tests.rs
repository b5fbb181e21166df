//! Tests of the verifier: what is accepted, and each refusal.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stele_core::suite::{SigningKey, Suite};

use super::rules::*;
use super::testing::*;
use super::*;
use crate::jose::rules::{CRIT_UNKNOWN, SIGNATURE, TYPE as OTHER_TYP};
use crate::jose::{PublicKey, Signer as _, sign};
use crate::json::to_base64url;
use crate::refusal::{Refusal, Rule};

const BINDING: BindingExpectation<'static> = BindingExpectation {
    audience: "https://verifier.example",
    nonce: "n-1",
    age_seconds_max: 300,
};

fn credential() -> String {
    let claims = json!({"given_name": "Fictional Ada", "family_name": "Example", "degree": {"name": "BSc", "grade": "1.3"}});
    let frame = Frame::new(&[
        ClaimPath::name("given_name"),
        ClaimPath::name("family_name"),
        ClaimPath::from_json(&json!(["degree", "grade"])).unwrap(),
    ]);
    issue_claims(claims, &frame).unwrap()
}

fn presented_with(audience: &str, nonce: &str, issued_at: u64, key: &SigningKey) -> String {
    let credential = credential();
    let held = Held::parse(&credential).unwrap();
    let binding = Binding {
        audience,
        nonce,
        issued_at,
    };
    held.present(&[ClaimPath::name("given_name")], Some((binding, key)))
        .unwrap()
}

fn presented() -> String {
    presented_with(BINDING.audience, BINDING.nonce, NOW, &holder())
}

fn bound() -> Expectation<'static> {
    Expectation {
        binding: Some(BINDING),
        ..Expectation::at(NOW)
    }
}

fn judge(text: &str, expectation: &Expectation<'_>) -> Result<Verified, Refusal> {
    verify(text, &issuer().public_key(), expectation)
}

fn refused(text: &str, expectation: &Expectation<'_>) -> &'static Rule {
    judge(text, expectation).unwrap_err().rule()
}

/// A credential with any payload and disclosures, signed by the issuer.
fn signed(payload: Value, disclosures: &[Value]) -> String {
    let mut header = Map::new();
    header.insert("typ".to_owned(), TYPE.into());
    let mut text = sign(&header, payload.to_string().as_bytes(), &issuer()).unwrap() + "~";
    for disclosure in disclosures {
        text += &(to_base64url(disclosure.to_string()) + "~");
    }
    text
}

fn digest_of(disclosure: &Value) -> String {
    digest(&to_base64url(disclosure.to_string()))
}

#[test]
fn accepts_a_presentation_and_shows_only_what_was_chosen() {
    let verified = judge(&presented(), &bound()).unwrap();
    assert!(verified.is_bound);
    assert_eq!(verified.claims["given_name"], "Fictional Ada");
    assert_eq!(verified.claims["degree"], json!({"name": "BSc"}));
    assert!(!verified.claims.contains_key("family_name") && !verified.claims.contains_key("_sd"));
    assert_eq!(
        (verified.issuer.as_deref(), verified.vct.as_deref()),
        (Some(ISSUER), Some(VCT))
    );
    assert_eq!(verified.holder, Some(holder().public_key()));
}

#[test]
fn the_old_type_is_accepted_and_others_are_not() {
    for (typ, good) in [
        ("dc+sd-jwt", true),
        ("vc+sd-jwt", true),
        ("application/dc+sd-jwt", true),
        ("JWT", false),
    ] {
        let mut header = Map::new();
        header.insert("typ".to_owned(), typ.into());
        let text = sign(&header, b"{}", &issuer()).unwrap() + "~";
        let verdict = judge(&text, &Expectation::at(NOW));
        assert_eq!(
            verdict.map_err(|refusal| refusal.rule()).err(),
            (!good).then_some(OTHER_TYP)
        );
    }
}

#[test]
fn refuses_what_is_no_sd_jwt() {
    for text in ["", "a", "~~", "a.b.c~~x~"] {
        assert!(Parsed::parse(text).is_err(), "{text}");
    }
    assert_eq!(Parsed::parse("a.b.c").unwrap_err().rule(), MALFORMED);
    let doubled = credential().replacen('~', "~~", 1);
    assert_eq!(Parsed::parse(&doubled).unwrap_err().rule(), MALFORMED);
}

#[test]
fn refuses_a_forged_signature_and_another_key() {
    let other = SigningKey::from_seed(Suite::Ed25519, &[9; 32])
        .unwrap()
        .public_key();
    let verdict = verify(&credential(), &other, &Expectation::at(NOW));
    assert_eq!(verdict.unwrap_err().rule(), SIGNATURE);
}

#[test]
fn refuses_an_unknown_critical_header() {
    let mut header = Map::new();
    header.insert("typ".to_owned(), TYPE.into());
    header.insert("crit".to_owned(), json!(["x"]));
    let text = sign(&header, b"{}", &issuer()).unwrap() + "~";
    assert_eq!(refused(&text, &Expectation::at(NOW)), CRIT_UNKNOWN);
}

#[test]
fn refuses_a_disclosure_twice() {
    let text = credential();
    let first = text.split('~').nth(1).unwrap().to_owned() + "~";
    assert_eq!(
        refused(&(text + &first), &Expectation::at(NOW)),
        DISCLOSURE_DUPLICATE
    );
}

#[test]
fn refuses_a_disclosure_of_another_credential() {
    let foreign = to_base64url(json!(["salt", "title", "Professor"]).to_string());
    assert_eq!(
        refused(&(credential() + &foreign + "~"), &Expectation::at(NOW)),
        DISCLOSURE_FOREIGN
    );
    // A disclosure below one that was left out belongs nowhere either.
    let inner = json!(["s1", "grade", "1.0"]);
    let outer = json!(["s2", "degree", {"_sd": [digest_of(&inner)]}]);
    let payload = json!({"_sd": [digest_of(&outer)]});
    assert!(
        judge(
            &signed(payload.clone(), &[outer, inner.clone()]),
            &Expectation::at(NOW)
        )
        .is_ok()
    );
    assert_eq!(
        refused(&signed(payload, &[inner]), &Expectation::at(NOW)),
        DISCLOSURE_FOREIGN
    );
}

#[test]
fn refuses_a_digest_twice() {
    let disclosure = json!(["s", "a", 1]);
    let digest = digest_of(&disclosure);
    for payload in [
        json!({"_sd": [digest, digest]}),
        json!({"_sd": [digest], "b": {"_sd": [digest]}}),
        json!({"_sd": [digest], "b": [{"...": digest}]}),
    ] {
        assert_eq!(
            refused(&signed(payload.clone(), &[]), &Expectation::at(NOW)),
            DIGEST_DUPLICATE
        );
        let rule = refused(
            &signed(payload, std::slice::from_ref(&disclosure)),
            &Expectation::at(NOW),
        );
        assert!(rule == DIGEST_DUPLICATE || rule == DISCLOSURE_MALFORMED);
    }
}

#[test]
fn refuses_other_digests() {
    for name in [json!("sha-1"), json!("sha-512"), json!(1)] {
        assert_eq!(
            refused(
                &signed(json!({"_sd_alg": name}), &[]),
                &Expectation::at(NOW)
            ),
            DIGEST_ALGORITHM_UNKNOWN
        );
    }
}

#[test]
fn refuses_a_disclosure_over_a_claim() {
    let disclosure = json!(["s", "name", "Somebody"]);
    let text = signed(
        json!({"name": "Fictional", "_sd": [digest_of(&disclosure)]}),
        &[disclosure],
    );
    assert_eq!(refused(&text, &Expectation::at(NOW)), CLAIM_COLLISION);
}

#[test]
fn refuses_claims_of_wrong_shape() {
    for payload in [
        json!({"_sd": "x"}),
        json!({"_sd": [1]}),
        json!({"a": [{"...": 1}]}),
        json!({"a": [{"...": "x", "b": 1}]}),
        json!({"exp": "tomorrow"}),
        json!({"iat": -1}),
        json!({"iss": 1}),
        json!({"vct": []}),
        json!({"status": {"status_list": {"idx": -1, "uri": "x"}}}),
    ] {
        assert_eq!(
            refused(&signed(payload.clone(), &[]), &Expectation::at(NOW)),
            CLAIM_MALFORMED,
            "{payload}"
        );
    }
    let (member, element) = (json!(["s", "a", 1]), json!(["s", 1]));
    let swapped = signed(json!({"a": [{"...": digest_of(&member)}]}), &[member]);
    assert_eq!(
        refused(&swapped, &Expectation::at(NOW)),
        DISCLOSURE_MALFORMED
    );
    let swapped = signed(json!({"_sd": [digest_of(&element)]}), &[element]);
    assert_eq!(
        refused(&swapped, &Expectation::at(NOW)),
        DISCLOSURE_MALFORMED
    );
}

#[test]
fn refuses_a_chain_of_disclosures_that_is_too_deep() {
    let mut disclosures = vec![json!(["s", "a", 1])];
    for level in 0..100 {
        let digest = digest_of(disclosures.last().unwrap());
        disclosures.push(json!([level.to_string(), "a", {"_sd": [digest]}]));
    }
    let text = signed(
        json!({"_sd": [digest_of(disclosures.last().unwrap())]}),
        &disclosures,
    );
    assert_eq!(
        refused(&text, &Expectation::at(NOW)),
        crate::json::rules::JSON_TOO_DEEP
    );
}

#[test]
fn refuses_a_stripped_claim() {
    let required = [ClaimPath::name("family_name")];
    let expectation = Expectation {
        required: &required,
        ..bound()
    };
    assert_eq!(refused(&presented(), &expectation), CLAIM_MISSING);
    let required = [ClaimPath::name("given_name")];
    assert!(
        judge(
            &presented(),
            &Expectation {
                required: &required,
                ..bound()
            }
        )
        .is_ok()
    );
}

#[test]
fn refuses_an_expired_credential() {
    let text = credential();
    assert!(judge(&text, &Expectation::at(NOW + 1059)).is_ok());
    assert_eq!(refused(&text, &Expectation::at(NOW + 1060)), EXPIRED);
}

#[test]
fn refuses_a_credential_before_its_time() {
    let text = signed(json!({"nbf": NOW}), &[]);
    assert!(judge(&text, &Expectation::at(NOW - 60)).is_ok());
    assert_eq!(refused(&text, &Expectation::at(NOW - 61)), NOT_YET_VALID);
}

#[test]
fn refuses_a_credential_from_the_future() {
    let text = signed(json!({"iat": NOW}), &[]);
    assert!(judge(&text, &Expectation::at(NOW - 60)).is_ok());
    assert_eq!(refused(&text, &Expectation::at(NOW - 61)), ISSUED_IN_FUTURE);
}

#[test]
fn refuses_another_kind_of_credential() {
    assert!(
        judge(
            &credential(),
            &Expectation {
                vcts: &["x", VCT],
                ..Expectation::at(NOW)
            }
        )
        .is_ok()
    );
    assert_eq!(
        refused(
            &credential(),
            &Expectation {
                vcts: &["x"],
                ..Expectation::at(NOW)
            }
        ),
        OTHER_TYPE
    );
    assert_eq!(
        refused(
            &signed(json!({}), &[]),
            &Expectation {
                vcts: &["x"],
                ..Expectation::at(NOW)
            }
        ),
        OTHER_TYPE
    );
}

#[test]
fn refuses_another_issuer() {
    assert!(
        judge(
            &credential(),
            &Expectation {
                issuer: Some(ISSUER),
                ..Expectation::at(NOW)
            }
        )
        .is_ok()
    );
    let other = Expectation {
        issuer: Some("https://mill.example"),
        ..Expectation::at(NOW)
    };
    assert_eq!(refused(&credential(), &other), OTHER_ISSUER);
}

#[test]
fn refuses_a_presentation_without_binding() {
    assert_eq!(refused(&credential(), &bound()), BINDING_MISSING);
}

#[test]
fn refuses_a_binding_nobody_asked_for() {
    assert_eq!(
        refused(&presented(), &Expectation::at(NOW)),
        BINDING_UNEXPECTED
    );
}

#[test]
fn refuses_a_binding_without_holder_key() {
    let binding = presented().rsplit('~').next().unwrap().to_owned();
    assert_eq!(
        refused(&(signed(json!({}), &[]) + &binding), &bound()),
        HOLDER_KEY_MISSING
    );
}

#[test]
fn refuses_the_wrong_holder_key() {
    for key in [
        SigningKey::from_seed(Suite::Es256, &[8; 32]),
        SigningKey::from_seed(Suite::Ed25519, &[8; 32]),
    ] {
        let text = presented_with(BINDING.audience, BINDING.nonce, NOW, &key.unwrap());
        assert_eq!(refused(&text, &bound()), HOLDER_KEY_WRONG);
    }
}

#[test]
fn refuses_another_audience() {
    let text = presented_with("https://other.example", BINDING.nonce, NOW, &holder());
    assert_eq!(refused(&text, &bound()), AUDIENCE);
}

#[test]
fn refuses_another_nonce() {
    let text = presented_with(BINDING.audience, "n-0", NOW, &holder());
    assert_eq!(refused(&text, &bound()), NONCE);
}

#[test]
fn refuses_an_altered_presentation() {
    let text = presented();
    let parts: Vec<&str> = text.split('~').collect();
    assert_eq!(parts.len(), 3);
    let stripped = format!("{}~{}", parts[0], parts[2]);
    assert_eq!(refused(&stripped, &bound()), ALTERED);
    let family_name = credential().split('~').nth(2).unwrap().to_owned();
    let added = format!("{}~{}~{family_name}~{}", parts[0], parts[1], parts[2]);
    assert_eq!(refused(&added, &bound()), ALTERED);
}

#[test]
fn refuses_an_old_presentation() {
    for (issued_at, good) in [
        (NOW - 360, true),
        (NOW - 361, false),
        (NOW + 60, true),
        (NOW + 61, false),
    ] {
        let text = presented_with(BINDING.audience, BINDING.nonce, issued_at, &holder());
        let verdict = judge(&text, &bound());
        assert_eq!(
            verdict.map_err(|refusal| refusal.rule()).err(),
            (!good).then_some(BINDING_STALE)
        );
    }
}

#[test]
fn a_batch_gives_the_single_verdicts() {
    let key = issuer().public_key();
    let other = SigningKey::from_seed(Suite::Ed25519, &[9; 32])
        .unwrap()
        .public_key();
    let texts = [
        presented(),
        presented_with(BINDING.audience, "n-0", NOW, &holder()),
        credential(),
        presented_with(BINDING.audience, BINDING.nonce, NOW, &issuer()),
        signed(json!({}), &[]),
    ];
    let parsed: Vec<Parsed<'_>> = texts
        .iter()
        .cycle()
        .take(20)
        .map(|text| Parsed::parse(text).unwrap())
        .collect();
    let keys = |position: usize| if position % 7 == 6 { &other } else { &key };
    let items: Vec<_> = parsed
        .iter()
        .enumerate()
        .map(|(position, one)| (one, keys(position)))
        .collect();
    let rule = |verdict: Result<Verified, Refusal>| verdict.err().map(|refusal| refusal.rule());
    let batch: Vec<_> = verify_batch(&items, &[&bound()])
        .into_iter()
        .map(rule)
        .collect();
    let single: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(position, (_, key))| rule(verify(&texts[position % 5], key, &bound())))
        .collect();
    assert_eq!(batch, single);
    assert_eq!(
        batch[..5],
        [
            None,
            Some(NONCE),
            Some(BINDING_MISSING),
            Some(HOLDER_KEY_WRONG),
            Some(BINDING_MISSING)
        ]
    );
}

#[test]
fn refuses_oversized_and_deeply_nested_credentials() {
    let long = credential() + &"x".repeat(1 << 20);
    assert_eq!(refused(&long, &Expectation::at(NOW)).code, "json.too-large");
    let mut value = json!(1);
    for _ in 0..40 {
        value = json!({"a": value});
    }
    let deep = signed(json!({"a": value}), &[]);
    assert_eq!(refused(&deep, &Expectation::at(NOW)).code, "json.too-deep");
    let disclosure = json!(["s", "a", value]);
    let deep = signed(json!({"_sd": [digest_of(&disclosure)]}), &[disclosure]);
    assert_eq!(refused(&deep, &Expectation::at(NOW)).code, "json.too-deep");
    let many: Vec<Value> = (0..=DISCLOSURES_MAX)
        .map(|number| json!(["s", number]))
        .collect();
    assert_eq!(
        refused(&signed(json!({}), &many), &Expectation::at(NOW)),
        MALFORMED
    );
}

#[test]
fn refuses_a_credential_that_is_not_signed() {
    let text = credential();
    let payload = text.split('.').nth(1).unwrap();
    for alg in ["none", "NONE"] {
        let header = to_base64url(json!({"alg": alg, "typ": TYPE}).to_string());
        for signature in ["", "AAAA"] {
            let forged = format!("{header}.{payload}.{signature}~");
            assert_eq!(
                refused(&forged, &Expectation::at(NOW)).code,
                "jose.alg-none"
            );
        }
    }
}

/// The signature is good and the issuer another one: whoever finds the key has to compare, and [`Expectation::issuer`] does.
#[test]
fn signature_and_issuer_are_judged_apart() {
    let other = SigningKey::from_seed(Suite::Ed25519, &[9; 32]).unwrap();
    let mut header = Map::new();
    header.insert("typ".to_owned(), TYPE.into());
    let text = sign(
        &header,
        json!({"iss": ISSUER, "vct": VCT}).to_string().as_bytes(),
        &other,
    )
    .unwrap()
        + "~";
    let ours = Expectation {
        issuer: Some(ISSUER),
        ..Expectation::at(NOW)
    };
    assert_eq!(
        verify(&text, &issuer().public_key(), &ours)
            .unwrap_err()
            .rule(),
        SIGNATURE
    );
    let theirs = Expectation {
        issuer: Some("https://mill.example"),
        ..Expectation::at(NOW)
    };
    assert_eq!(
        verify(&text, &other.public_key(), &theirs)
            .unwrap_err()
            .rule(),
        OTHER_ISSUER
    );
}

/// The examples of the draft that became RFC 9901: signature, disclosures, and key binding where there is one.
#[test]
fn accepts_the_published_examples() {
    let folder = std::env::var("STELE_DATA")
        .expect("STELE_DATA names the folder of published vectors; ./test sets it");
    let folder = std::path::Path::new(&folder).join("interop/credentials/sd-jwt");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let document = read("draft-22-examples.json");
    let key = PublicKey::from_jwk(&document["issuer_jwk"]).unwrap();
    let (mut plain, mut with_binding) = (0, 0);
    for example in document["examples"].as_array().unwrap() {
        let text = example["value"].as_str().unwrap();
        // One of them is the issuer's JWT alone.
        let text = &if text.contains('~') {
            text.to_owned()
        } else {
            format!("{text}~")
        };
        let binding = text.rsplit('~').next().unwrap();
        let claims = (!binding.is_empty()).then(|| {
            crate::jose::Jws::parse(binding)
                .unwrap()
                .claims(Default::default())
                .unwrap()
        });
        let member = |name: &str| {
            claims
                .as_ref()
                .map_or("", |claims| claims[name].as_str().unwrap())
                .to_owned()
        };
        let (audience, nonce) = (member("aud"), member("nonce"));
        let issued_at = claims
            .as_ref()
            .map_or(1_700_000_000, |claims| claims["iat"].as_u64().unwrap());
        let expected = BindingExpectation {
            audience: &audience,
            nonce: &nonce,
            age_seconds_max: 300,
        };
        let expectation = Expectation {
            types: &[],
            binding: claims.is_some().then_some(expected),
            ..Expectation::at(issued_at)
        };
        let verified = verify(text, &key, &expectation)
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", example["section"]));
        assert_eq!(verified.is_bound, claims.is_some());
        Held::parse(&text[..=text.rfind('~').unwrap()]).unwrap();
        let altered = Expectation {
            binding: Some(BindingExpectation {
                nonce: "other",
                ..expected
            }),
            ..expectation
        };
        if claims.is_some() {
            assert_eq!(verify(text, &key, &altered).unwrap_err().rule(), NONCE);
            with_binding += 1;
        } else {
            plain += 1;
        }
    }
    assert!(
        with_binding > 0 && plain > 0 && with_binding + plain == 9,
        "{with_binding} and {plain}"
    );
}

proptest! {
    #[test]
    fn random_text_never_panics(text in "[A-Za-z0-9._~-]{0,200}") {
        let _ = judge(&text, &Expectation::at(NOW));
    }

    #[test]
    fn an_altered_presentation_is_never_accepted(position in 0usize..4000, letter in "[A-Za-z0-9._~-]") {
        let text = presented();
        let position = position % text.len();
        let mut altered = text.clone();
        altered.replace_range(position..=position, &letter);
        prop_assume!(altered != text);
        prop_assert!(judge(&altered, &bound()).is_err());
    }

    /// Random payloads under a good signature: the decoder behind the signature.
    #[test]
    fn random_payloads_never_panic(text in "[\\[\\]{}\":,_sd.a0-9 ]{0,60}") {
        let mut header = Map::new();
        header.insert("typ".to_owned(), TYPE.into());
        let text = sign(&header, text.as_bytes(), &issuer()).unwrap() + "~";
        let _ = judge(&text, &Expectation::at(NOW));
    }

    /// Whatever is hidden and whatever is chosen: all fields shown give back the claims, and a choice shows no other field.
    #[test]
    fn hiding_and_showing_gives_back_the_claims(
        values in proptest::collection::vec((any::<i32>(), any::<bool>(), any::<bool>()), 1..12),
        decoys in 0usize..3,
    ) {
        let mut claims = Map::new();
        let (mut hidden, mut chosen) = (Vec::new(), Vec::new());
        for (position, (value, hide, choose)) in values.iter().enumerate() {
            let name = format!("claim-{position}");
            claims.insert(name.clone(), json!({"value": value, "list": [value, position]}));
            if *hide {
                hidden.push(ClaimPath::name(&name));
                hidden.push(ClaimPath::name(&name).join(PathItem::Name("list".to_owned())).join(PathItem::Every));
                if *choose {
                    chosen.push(ClaimPath::name(&name));
                }
            }
        }
        let text = issue_claims(Value::Object(claims.clone()), &Frame::new(&hidden).with_decoys(decoys)).unwrap();
        let whole = verify_open(&text).unwrap();
        for (name, value) in &claims {
            prop_assert_eq!(&whole.claims[name], value);
        }
        let presented = Held::parse(&text).unwrap().present(&chosen, None).unwrap();
        let part = verify_open(&presented).unwrap();
        for (name, value) in &claims {
            let path = ClaimPath::name(name);
            let shown = !hidden.contains(&path) || chosen.contains(&path);
            prop_assert_eq!(part.claims.get(name), shown.then_some(value));
        }
    }
}
