//! The papers of a transfer: what they say and how they are made. All names are fictional; which courses, grades and tables
//! there are follows from the run's seed.

use serde::{Deserialize, Serialize};
use stele_credentials::education::ects::{
    Convention, GradeShare, GradeTable, LearningAgreement, PlannedCourse, RecognitionDecision,
};
use stele_credentials::education::model::{Course, DiplomaSupplement, Student};
use stele_credentials::integrity::time;

use super::parties::{Parties, University};
use crate::kit::now_s;

/// A full semester, in tenths of a credit: 30 ECTS (ECTS Users' Guide 2015, section 2).
pub(super) const TENTHS: u64 = 300;
/// What the register calls these documents.
pub(super) const AGREEMENT_KIND: &str = "ects.learning-agreement";
pub(super) const TABLE_KIND: &str = "ects.grade-table";
/// The type under which a university commits to transcripts: that of a credential of the European Learning Model.
pub(super) const TRANSCRIPT_TYPE: &str = "EuropeanDigitalCredential";
/// The type under which a university commits to decisions.
pub(super) const DECISION_TYPE: &str = "ects.recognition-decision";

/// A distribution of grades as a university publishes it: before anybody is graded by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishedTable {
    /// Whose it is, a DID.
    pub publisher: String,
    /// For which years and field, and that it is fictional.
    pub note: String,
    /// Which of several overlapping grades the university gives when it converts into this table.
    pub convention: Convention,
    pub table: GradeTable,
}

/// What the three sign: the agreement, and by which tables its grades will be converted. A university publishes a table for
/// each field; which one counts must not be left to who converts, when the grade is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agreed {
    #[serde(flatten)]
    pub agreement: LearningAgreement,
    /// The tables by their commitments, in hex.
    pub sending_table: String,
    pub receiving_table: String,
}

/// A recognition decision, and which papers it rests on by their commitments, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    pub agreement: String,
    pub sending_table: String,
    pub receiving_table: String,
    /// SHA-256 of the transcript's canonical JSON.
    pub transcript: String,
    pub decision: RecognitionDecision,
}

/// Numbers that follow from a run's seed (SplitMix64).
pub(super) struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// A name for a paper, as a UUID of version 8 (RFC 9562 section 5.8).
    pub fn urn(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let group = (low >> 48) & 0x3fff | 0x8000;
        let (first, second) = (high >> 32, (high >> 16) & 0xffff);
        let (third, last) = (high & 0xfff, low & 0xffff_ffff_ffff);
        format!("urn:uuid:{first:08x}-{second:04x}-8{third:03x}-{group:04x}-{last:012x}")
    }
}

/// Course away, credits in tenths, what it replaces at home. They add up to 30 ECTS.
const PLANNED: [(&str, u32, &str); 5] = [
    ("Fluid Dynamics", 75, "Mechanics of Fluids"),
    ("Coastal Hydrology", 75, "Hydrology II"),
    ("History of Bridges", 50, "Free elective"),
    ("Numerical Methods", 50, "Numerics"),
    ("Field Laboratory", 50, "Laboratory III"),
];
/// The course that is not given after all, and the one that takes its place.
const CHANGED: (usize, &str) = (2, "Dams and Reservoirs");
/// Passed without being agreed: it counts for nothing at home and is not hidden.
pub(super) const ADDITIONAL: &str = "Samplian for Beginners";
const ADDITIONAL_TENTHS: u32 = 30;
/// Fields of study (ISCED-F 2013).
const FIELD_CODE: &str = "0732";
const FIELD: &str = "0732 civil engineering";
const OTHER_FIELD_CODE: &str = "0311";
const OTHER_FIELD: &str = "0311 economics";
const GIVEN: [&str; 6] = ["Ada", "Bela", "Cleo", "Dano", "Edda", "Faro"];
/// Who got how many, at the receiving university: from 30 with honours down to the pass mark, in steps.
const AWAY: [(&str, u32); 8] = [
    ("30L", 24),
    ("30", 61),
    ("29", 38),
    ("28", 72),
    ("27", 66),
    ("26", 58),
    ("24", 97),
    ("20", 84),
];
/// The same at home: 1.0 is best, 4.0 passes.
const HOME: [(&str, u32); 10] = [
    ("1.0", 55),
    ("1.3", 71),
    ("1.7", 102),
    ("2.0", 120),
    ("2.3", 114),
    ("2.7", 96),
    ("3.0", 83),
    ("3.3", 51),
    ("3.7", 36),
    ("4.0", 22),
];

fn table(
    (name, did): (&str, String),
    shares: &[(&str, u32)],
    scale: &str,
    numbers: &mut Numbers,
) -> PublishedTable {
    let grades = shares.iter().map(|(grade, students)| GradeShare {
        grade: (*grade).to_owned(),
        students: students + numbers.below(12) as u32,
    });
    PublishedTable {
        publisher: did,
        note: format!(
            "Fictional distribution of passing grades, {scale}, years 2024 and 2025, field {FIELD}; not of any real university."
        ),
        convention: Convention::Middle,
        table: GradeTable {
            source: format!("{name}, fictional, {FIELD_CODE}, 2024 to 2025"),
            grades: grades.collect(),
        },
    }
}

/// The tables of the sending and of the receiving university.
pub(super) fn tables(parties: &Parties, numbers: &mut Numbers) -> [PublishedTable; 2] {
    let of = |university: &University| (university.office.name.clone(), university.office.did());
    both(of(&parties.sending), of(&parties.receiving), numbers)
}

/// The sending university's table for another field: what is common there is rare here.
pub(super) fn of_another_field(table: &PublishedTable) -> PublishedTable {
    let mut other = turned(table);
    other.note = other.note.replace(FIELD, OTHER_FIELD);
    other.table.source = other.table.source.replace(FIELD_CODE, OTHER_FIELD_CODE);
    other
}

/// The same table with its students the other way round: what was rare is common now.
pub(super) fn turned(table: &PublishedTable) -> PublishedTable {
    let mut turned = table.clone();
    let students = table.table.grades.iter().rev().map(|share| share.students);
    for (share, students) in turned.table.grades.iter_mut().zip(students) {
        share.students = students;
    }
    turned
}

fn both(
    (sending, sending_did): (String, String),
    (receiving, receiving_did): (String, String),
    numbers: &mut Numbers,
) -> [PublishedTable; 2] {
    [
        table((&sending, sending_did), &HOME, "from 1.0 to 4.0", numbers),
        table(
            (&receiving, receiving_did),
            &AWAY,
            "from 30 with honours to 20",
            numbers,
        ),
    ]
}

/// Such tables of nobody.
#[cfg(test)]
pub(super) fn example_tables(numbers: &mut Numbers) -> [PublishedTable; 2] {
    let nobody = || ("Nobody".to_owned(), "did:example:nobody".to_owned());
    both(nobody(), nobody(), numbers)
}

/// What the three agree on before the stay.
pub(super) fn agreement(
    parties: &Parties,
    student: &str,
    numbers: &mut Numbers,
) -> LearningAgreement {
    let planned = |(title, tenths, replaces): &(&str, u32, &str)| PlannedCourse {
        title: (*title).to_owned(),
        tenths: *tenths,
        replaces: (*replaces).to_owned(),
    };
    LearningAgreement {
        id: numbers.urn(),
        student: student.to_owned(),
        sending: parties.sending.institution(),
        receiving: parties.receiving.institution(),
        courses: PLANNED.iter().map(planned).collect(),
    }
}

/// The same after one course fell through.
pub(super) fn changed(agreement: &LearningAgreement) -> LearningAgreement {
    let mut changed = agreement.clone();
    if let Some(course) = changed.courses.get_mut(CHANGED.0) {
        CHANGED.1.clone_into(&mut course.title);
    }
    changed
}

/// The sum of what is agreed, in tenths of a credit.
pub(super) fn agreed_tenths(agreement: &LearningAgreement) -> u64 {
    let each = agreement.courses.iter();
    each.map(|course| u64::from(course.tenths)).sum()
}

/// The student's name. It stands in the transcript and nowhere else.
pub(super) fn student(did: &str, numbers: &mut Numbers) -> Student {
    Student {
        id: did.to_owned(),
        given: format!("Fictional {}", GIVEN[numbers.below(GIVEN.len())]),
        family: format!("Example-{}", 1000 + numbers.below(9000)),
    }
}

/// What the receiving university certifies: every agreed course and one more, with grades from its own table.
pub(super) fn transcript(
    agreement: &LearningAgreement,
    student: Student,
    table: &GradeTable,
    numbers: &mut Numbers,
) -> DiplomaSupplement {
    let mut course = |title: &str, tenths: u32| Course {
        title: title.to_owned(),
        tenths,
        grade: table.grades[numbers.below(table.grades.len())]
            .grade
            .clone(),
    };
    let mut courses: Vec<Course> = agreement
        .courses
        .iter()
        .map(|planned| course(&planned.title, planned.tenths))
        .collect();
    courses.push(course(ADDITIONAL, ADDITIONAL_TENTHS));
    DiplomaSupplement {
        id: numbers.urn(),
        title: "Transcript of records".to_owned(),
        issuer: agreement.receiving.clone(),
        student,
        issued: now(),
        grade: "passed".to_owned(),
        courses,
    }
}

/// Now, as RFC 3339 in UTC.
pub(super) fn now() -> String {
    time::format(i64::try_from(now_s()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_is_one_semester() {
        let tenths: u64 = PLANNED.iter().map(|course| u64::from(course.1)).sum();
        assert_eq!(tenths, TENTHS);
    }

    #[test]
    fn a_urn_is_a_uuid_of_version_8() {
        let urn = Numbers(7).urn();
        let parts: Vec<&str> = urn["urn:uuid:".len()..].split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('8') && parts[3].starts_with(['8', '9', 'a', 'b']));
        assert_eq!(Numbers(7).urn(), urn);
        assert_ne!(Numbers(8).urn(), urn);
    }
}
