//! A diploma supplement as a plain struct (the sections of the joint EU, Council of Europe and UNESCO template).

use serde::{Deserialize, Serialize};

/// A university or faculty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Institution {
    /// Its identifier, which signs: a DID.
    pub id: String,
    /// Legal name in English.
    pub name: String,
    /// Its number in its country's register.
    pub legal_id: String,
    /// Country as three letters of the EU authority table, such as `DEU`.
    pub country: String,
}

/// A student. Examples are fictional and say so in the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Student {
    /// An identifier, best a pairwise one.
    pub id: String,
    /// Given name.
    pub given: String,
    /// Family name.
    pub family: String,
}

/// A course with its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// Title in English.
    pub title: String,
    /// Credits in tenths of an ECTS credit: no fraction is ever rounded.
    pub tenths: u32,
    /// The grade as the university writes it.
    pub grade: String,
}

/// A diploma with its supplement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiplomaSupplement {
    /// Identifier of the credential.
    pub id: String,
    /// Title of the qualification.
    pub title: String,
    /// Who awards it.
    pub issuer: Institution,
    /// Who earned it.
    pub student: Student,
    /// When it was awarded and from when it is valid, as RFC 3339 in UTC.
    pub issued: String,
    /// The overall grade.
    pub grade: String,
    /// What was studied, in order.
    pub courses: Vec<Course>,
}

/// Tenths of a credit as a decimal: `75` is `7.5`.
pub(super) fn credits(tenths: u32) -> String {
    match (tenths / 10, tenths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

impl DiplomaSupplement {
    /// The sum of the courses' credits, in tenths.
    pub fn tenths(&self) -> u64 {
        self.courses
            .iter()
            .map(|course| u64::from(course.tenths))
            .sum()
    }
}

/// A fictional supplement with this many courses, for examples, tests and measurements.
pub fn fictional(courses: usize) -> DiplomaSupplement {
    const SUBJECTS: [&str; 10] = [
        "Analysis",
        "Linear Algebra",
        "Algorithms",
        "Databases",
        "Operating Systems",
        "Statistics",
        "Computer Networks",
        "Numerical Methods",
        "Theory of Computation",
        "Software Engineering",
    ];
    let course = |index: usize| Course {
        title: format!(
            "{} {}",
            SUBJECTS[index % SUBJECTS.len()],
            index / SUBJECTS.len() + 1
        ),
        tenths: [50, 75, 60][index % 3],
        grade: ["1.0", "1.3", "1.7", "2.0", "2.3"][index * 7 % 5].to_owned(),
    };
    DiplomaSupplement {
        id: "urn:uuid:6f1c1a3e-0000-4000-8000-000000000001".to_owned(),
        title: "Bachelor of Science in Informatics".to_owned(),
        issuer: Institution {
            id: "did:web:university.example".to_owned(),
            name: "Fictional University of Exampleville".to_owned(),
            legal_id: "DE-FICTIONAL-0001".to_owned(),
            country: "DEU".to_owned(),
        },
        student: Student {
            id: "did:example:fictional-student".to_owned(),
            given: "Fictional Ada".to_owned(),
            family: "Fictional Example".to_owned(),
        },
        issued: "2026-07-31T10:00:00Z".to_owned(),
        grade: "1.6".to_owned(),
        courses: (0..courses).map(course).collect(),
    }
}
