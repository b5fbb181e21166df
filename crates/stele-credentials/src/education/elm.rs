//! The European Learning Model 3: a supplement as a European Digital Credential (application profile EDC, SHACL
//! `EDC-generic-no-cv`).
//!
//! One struct gives one document, to the byte of its canonical JSON: the short form in a QR code holds the struct, and
//! the reader makes the signed document again.

use serde_json::{Value, json};

use crate::contexts::{CREDENTIALS_V1, DATA_INTEGRITY_V2, ELM_EDC_AP};

use super::model::{DiplomaSupplement, Institution, credits};

/// The concept of one ECTS credit.
const ECTS: &str = "http://data.europa.eu/snb/education-credit/6fcec5c5af";

fn concept(id: &str, scheme: &str) -> Value {
    json!({ "id": id, "type": "Concept", "inScheme": { "id": scheme, "type": "ConceptScheme" } })
}

fn organisation(of: &Institution) -> Value {
    let countries = "http://publications.europa.eu/resource/authority/country";
    json!({
        "id": of.id,
        "type": "Organisation",
        "legalName": { "en": of.name },
        "eIDASIdentifier": {
            "id": format!("{}#legal-identifier", of.id),
            "type": "LegalIdentifier",
            "notation": of.legal_id,
            "spatial": concept(&format!("{countries}/{}", of.country), countries),
        },
        "location": {
            "id": format!("{}#location", of.id),
            "type": "Location",
            "address": {
                "id": format!("{}#address", of.id),
                "type": "Address",
                "countryCode": concept(&format!("{countries}/{}", of.country), countries),
            },
        },
    })
}

/// What a viewer shows as the first page. The profile demands a picture; ours is one transparent dot, since the words are
/// the document.
fn individual_display(base: &str, language: &Value) -> Value {
    const DOT: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
    let files = "http://publications.europa.eu/resource/authority/file-type";
    let encodings = "http://data.europa.eu/snb/encoding";
    json!({
        "id": format!("{base}#individual-display"),
        "type": "IndividualDisplay",
        "language": language,
        "displayDetail": {
            "id": format!("{base}#display-detail"),
            "type": "DisplayDetail",
            "page": 1,
            "image": {
                "id": format!("{base}#picture"),
                "type": "MediaObject",
                "content": DOT,
                "contentEncoding": concept(&format!("{encodings}/6146cde7dd"), &format!("{encodings}/25831c2")),
                "contentType": concept(&format!("{files}/PNG"), files),
            },
        },
    })
}

/// The credential without a proof.
pub fn credential(supplement: &DiplomaSupplement) -> Value {
    let base = &supplement.id;
    let node = |name: &str| format!("{base}#{name}");
    let awarded = json!({
        "id": node("awarding"),
        "type": "AwardingProcess",
        "awardingBody": organisation(&supplement.issuer),
    });
    let achievement = |name: &str, title: &str, tenths: u64, grade: &str| {
        let tenths = u32::try_from(tenths).unwrap_or(u32::MAX);
        json!({
            "id": node(name),
            "type": "LearningAchievement",
            "title": { "en": title },
            "awardedBy": awarded,
            "specifiedBy": {
                "id": node(&format!("{name}-specification")),
                "type": "LearningAchievementSpecification",
                "title": { "en": title },
                "creditPoint": {
                    "id": node(&format!("{name}-credit")),
                    "type": "CreditPoint",
                    "framework": concept(ECTS, "http://data.europa.eu/snb/education-credit/25831c2"),
                    "point": credits(tenths),
                },
            },
            "provenBy": {
                "id": node(&format!("{name}-assessment")),
                "type": "LearningAssessment",
                "title": { "en": title },
                "awardedBy": awarded,
                "grade": {
                    "id": node(&format!("{name}-grade")),
                    "type": "Note",
                    "noteLiteral": { "en": grade },
                },
            },
        })
    };
    let mut whole = achievement(
        "diploma",
        &supplement.title,
        supplement.tenths(),
        &supplement.grade,
    );
    let parts = supplement
        .courses
        .iter()
        .enumerate()
        .map(|(index, course)| {
            achievement(
                &format!("c{index}"),
                &course.title,
                course.tenths.into(),
                &course.grade,
            )
        });
    whole["hasPart"] = parts.collect();
    let languages = "http://publications.europa.eu/resource/authority/language";
    let english = concept(&format!("{languages}/ENG"), languages);
    let student = &supplement.student;
    json!({
        "@context": [CREDENTIALS_V1, ELM_EDC_AP, DATA_INTEGRITY_V2],
        "id": base,
        "type": ["VerifiableCredential", "EuropeanDigitalCredential"],
        "credentialProfiles": concept(
            "http://data.europa.eu/snb/credential/bdc47cb449",
            "http://data.europa.eu/snb/credential/25831c2",
        ),
        "displayParameter": {
            "id": node("display"),
            "type": "DisplayParameter",
            "title": { "en": supplement.title },
            "primaryLanguage": english,
            "language": english,
            "individualDisplay": individual_display(base, &english),
        },
        "issuer": organisation(&supplement.issuer),
        "credentialSubject": {
            "id": student.id,
            "type": "Person",
            "givenName": { "en": student.given },
            "familyName": { "en": student.family },
            "fullName": { "en": format!("{} {}", student.given, student.family) },
            "hasClaim": whole,
        },
        "credentialSchema": {
            "id": "http://data.europa.eu/snb/model/ap/edc-generic-no-cv",
            "type": "ShaclValidator2017",
        },
        "issuanceDate": supplement.issued,
        "issued": supplement.issued,
        "validFrom": supplement.issued,
    })
}

#[cfg(test)]
mod tests {
    use stele_core::suite::SigningKey;

    use super::*;
    use crate::education::model::fictional;
    use crate::integrity::keys::did_key_document;
    use crate::integrity::{
        Expectation, Limits, ProofKey, ProofOptions, Suite, suites, time, verify_credential,
    };
    use crate::jose::Signer as _;

    #[test]
    fn a_supplement_is_signed_and_verified_without_losing_a_word() {
        let key = SigningKey::from_seed(stele_core::suite::Suite::Ed25519, &[4; 32]).unwrap();
        let public = ProofKey::Signature(key.public_key());
        let mut supplement = fictional(30);
        supplement.issuer.id = public.did();
        let now = time::parse(&supplement.issued).unwrap();
        let options = ProofOptions::assertion(public.did_url(), now);
        let limits = Limits::default();
        let signed = suites::sign(
            &credential(&supplement),
            Suite::EddsaRdfc2022,
            &options,
            &key,
            &limits,
        )
        .unwrap();
        let judge = |document: &Value| {
            verify_credential(document, &did_key_document, &Expectation::at(now), &limits)
        };
        assert_eq!(judge(&signed).unwrap().issuer, public.did());
        let mut better = signed.clone();
        let grade = "/credentialSubject/hasClaim/hasPart/29/provenBy/grade/noteLiteral/en";
        *better.pointer_mut(grade).unwrap() = json!("1.0 with distinction");
        assert_eq!(
            judge(&better).unwrap_err().code(),
            "integrity.signature-bad"
        );
    }
}
