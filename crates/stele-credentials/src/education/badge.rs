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
    use super::*;
    use crate::education::model::fictional;
    use crate::integrity::Limits;
    use crate::integrity::jsonld::to_rdf;
    use crate::integrity::structure::{Shape, check_credential};

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
}
