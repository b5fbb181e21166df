//! Open Badges 3.0 (1EdTech): one course as an AchievementCredential on VC data model 2.0.

use serde_json::{Value, json};

use crate::contexts::{CREDENTIALS_V2, OPEN_BADGES_V3};

use super::model::{Course, DiplomaSupplement};

/// The credential of one course, without a proof.
pub fn credential(supplement: &DiplomaSupplement, course: &Course, id: &str) -> Value {
    let issuer = json!({
        "id": supplement.issuer.id,
        "type": ["Profile"],
        "name": supplement.issuer.name,
    });
    json!({
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": id,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": issuer,
        "validFrom": supplement.issued,
        "name": course.title,
        "credentialSubject": {
            "id": supplement.student.id,
            "type": ["AchievementSubject"],
            "achievement": {
                "id": format!("{id}#achievement"),
                "type": ["Achievement"],
                "achievementType": "Course",
                "name": course.title,
                "description": format!("{} at {}, grade {}", course.title, supplement.issuer.name, course.grade),
                "criteria": { "narrative": "Passed the examination of the course." },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use stele_core::suite::SigningKey;

    use super::*;
    use crate::education::model::fictional;
    use crate::integrity::jsonld::to_rdf;
    use crate::integrity::keys::controller_document;
    use crate::integrity::structure::{Shape, check_credential};
    use crate::integrity::{
        Expectation, Limits, ProofKey, ProofOptions, Suite, suites, time, verify_credential,
    };
    use crate::jose::Signer as _;

    #[test]
    fn a_badge_is_a_credential() {
        let limits = Limits::default();
        let supplement = fictional(1);
        let badge = credential(
            &supplement,
            &supplement.courses[0],
            "urn:uuid:6f1c1a3e-0000-4000-8000-000000000002",
        );
        check_credential(&badge, Shape::SIGNED, &limits).unwrap();
        let mut broken = badge.clone();
        broken["credentialSubject"]["achievement"]["level"] = json!("A");
        assert_eq!(
            to_rdf(&broken, &limits).unwrap_err().code(),
            "integrity.term-undefined"
        );
    }

    /// A file of the specification; a run without it proves nothing and must not look green.
    fn published(name: &str) -> Value {
        let data = std::env::var_os("STELE_DATA")
            .expect("STELE_DATA names the folder of published samples; ./test sets it");
        let path = std::path::PathBuf::from(data)
            .join("formats/openbadges3")
            .join(name);
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    const SAMPLES: [&str; 3] = [
        "basicOpenBadgeCredential.json",
        "skillAssertionCase.json",
        "skillAssertionCtdl.json",
    ];
    #[test]
    fn the_bundled_context_is_that_of_the_specification() {
        let bundled = crate::contexts::BUNDLED
            .iter()
            .find(|context| context.url == OPEN_BADGES_V3)
            .unwrap();
        let bundled: Value = serde_json::from_str(bundled.text).unwrap();
        assert_eq!(bundled, published("context-3.0.3.json"));
    }

    #[test]
    fn a_published_sample_that_loses_its_words_is_refused() {
        let limits = Limits::default();
        let code = |sample: &Value| {
            check_credential(sample, Shape::SIGNED, &limits)
                .unwrap_err()
                .code()
        };
        for name in SAMPLES {
            let sample = published(name);
            let mut other = sample.clone();
            other["@context"][1] = json!("https://example.com/badges/v1");
            assert_eq!(code(&other), "integrity.context-unknown", "{name}");
            // Without the last of its contexts some word means nothing: an achievement, or the type of its schema.
            let mut fewer = sample;
            fewer["@context"].as_array_mut().unwrap().pop();
            assert_eq!(code(&fewer), "integrity.term-undefined", "{name}");
        }
    }

    #[test]
    fn each_published_sample_is_signed_and_verified() {
        let key = SigningKey::from_seed(stele_core::suite::Suite::Ed25519, &[4; 32]).unwrap();
        let public = ProofKey::Signature(key.public_key());
        let limits = Limits::default();
        for name in SAMPLES {
            let sample = published(name);
            let issuer = sample["issuer"]["id"].as_str().unwrap().to_owned();
            let method = format!("{issuer}#key");
            let now = time::parse("2026-07-31T10:00:00Z").unwrap();
            let options = ProofOptions::assertion(&method, now);
            for suite in [Suite::EddsaRdfc2022, Suite::EddsaJcs2022] {
                let signed = suites::sign(&sample, suite, &options, &key, &limits).unwrap();
                let document = controller_document(&issuer, &method, &public);
                let controllers = |asked: &str| (asked == issuer).then(|| document.clone());
                let judge = |badge: &Value| {
                    verify_credential(badge, &controllers, &Expectation::at(now), &limits)
                };
                let verified = judge(&signed).unwrap();
                assert_eq!(
                    (verified.issuer, verified.suites),
                    (issuer.clone(), vec![suite])
                );
                let refused = |at: &str, value: &str| {
                    let mut altered = signed.clone();
                    *altered.pointer_mut(at).unwrap() = json!(value);
                    judge(&altered).unwrap_err().code()
                };
                let achievement = "/credentialSubject/achievement/name";
                assert_eq!(refused(achievement, "Juggling"), "integrity.signature-bad");
                let subject = refused("/credentialSubject/id", "did:example:another");
                assert_eq!(subject, "integrity.signature-bad");
                let other = refused("/issuer/id", "https://example.com/issuers/1");
                assert_eq!(other, "integrity.issuer-mismatch");
                let early = refused("/validFrom", "2026-08-01T10:00:00Z");
                assert_eq!(early, "credential.not-yet-valid");
            }
        }
    }
}
