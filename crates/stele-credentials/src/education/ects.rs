//! Credit transfer between universities: what was agreed, what was achieved, what is recognised.
//!
//! Grades are converted as the ECTS Users' Guide 2015 (European Commission, section 4.3 and annex on grade distribution)
//! and EGRACONS do: each university publishes how often each passing grade was given in a field over at least two years;
//! a grade's place is the band of cumulative percentages it covers, best first; the receiving grade is one whose band
//! overlaps. Which one of several is a [`Convention`] that the receiving university states beforehand. Counts of students
//! are compared by cross-multiplication, so that nothing is rounded.

use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

use super::model::{Course, Institution};
use super::rules::{GRADE_UNKNOWN, TABLE_INVALID};

/// How often one passing grade was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeShare {
    /// The grade as it is written.
    pub grade: String,
    /// How many students got it.
    pub students: u32,
}

/// A university's published distribution of passing grades in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeTable {
    /// Whose table, for which field and years, and where it is published.
    pub source: String,
    /// The grades, best first.
    pub grades: Vec<GradeShare>,
}

/// Which of several overlapping grades is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// The best.
    Best,
    /// The one that holds the middle of the band.
    Middle,
    /// The lowest.
    Lowest,
}

/// Grades of one table, at most.
const GRADES_MAX: usize = 200;

impl GradeTable {
    /// Checks the table and gives the number of students in it.
    fn total(&self) -> Result<u128, Refusal> {
        let mut names: Vec<&str> = self
            .grades
            .iter()
            .map(|share| share.grade.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        let total: u128 = self
            .grades
            .iter()
            .map(|share| u128::from(share.students))
            .sum();
        if total == 0 || names.len() != self.grades.len() || names.len() > GRADES_MAX {
            return Err(TABLE_INVALID.because(&self.source));
        }
        Ok(total)
    }

    /// The students before a grade, and those up to and with it.
    fn band(&self, grade: &str) -> Result<(u128, u128), Refusal> {
        let mut before = 0;
        for share in &self.grades {
            let with = before + u128::from(share.students);
            if share.grade == grade {
                return Ok((before, with));
            }
            before = with;
        }
        Err(GRADE_UNKNOWN.because(grade))
    }
}

/// Converts a grade of one table into one of another.
///
/// A grade that nobody got covers a point instead of a band, and takes the grade that holds the point.
///
/// # Errors
/// `education.grade-unknown` and `education.table-invalid`.
pub fn convert(
    grade: &str,
    from: &GradeTable,
    to: &GradeTable,
    convention: Convention,
) -> Result<String, Refusal> {
    let (from_total, to_total) = (from.total()?, to.total()?);
    let (start, end) = from.band(grade)?;
    // All positions on one scale: students of one table times twice the total of the other, so that the middle is whole.
    let (start, end) = (2 * start * to_total, 2 * end * to_total);
    let middle = u128::midpoint(start, end);
    let mut before = 0;
    let mut overlapping = Vec::new();
    let mut middle_grade = None;
    for share in to.grades.iter().filter(|share| share.students > 0) {
        let band_end = before + 2 * u128::from(share.students) * from_total;
        if before < end && start < band_end {
            overlapping.push(&share.grade);
        }
        // A middle between two bands belongs to the better one.
        if middle_grade.is_none() && middle <= band_end {
            middle_grade = Some(&share.grade);
        }
        before = band_end;
    }
    let chosen = match convention {
        Convention::Best => overlapping.first().copied().or(middle_grade),
        Convention::Middle => middle_grade,
        Convention::Lowest => overlapping.last().copied().or(middle_grade),
    };
    chosen
        .cloned()
        .ok_or_else(|| TABLE_INVALID.because(&to.source))
}

/// A course to be taken away, and what it counts for at home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCourse {
    /// Title at the receiving university.
    pub title: String,
    /// Credits in tenths.
    pub tenths: u32,
    /// Title of what it replaces at home.
    pub replaces: String,
}

/// Learning agreement: what a student will take, agreed by student and both universities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningAgreement {
    /// Identifier of the agreement.
    pub id: String,
    /// The student's pairwise identifier.
    pub student: String,
    /// Home university.
    pub sending: Institution,
    /// University of the stay.
    pub receiving: Institution,
    /// What is planned.
    pub courses: Vec<PlannedCourse>,
}

/// Transcript of records: what the student achieved there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranscriptOfRecords {
    /// The agreement it answers.
    pub agreement: String,
    /// The student's pairwise identifier.
    pub student: String,
    /// Who certifies.
    pub issuer: Institution,
    /// When, as RFC 3339 in UTC.
    pub issued: String,
    /// Courses that were passed.
    pub courses: Vec<Course>,
    /// How grades are distributed there.
    pub table: GradeTable,
}

/// One recognised course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecognisedCourse {
    /// Title where it was taken.
    pub title: String,
    /// What it replaces at home.
    pub replaces: String,
    /// Credits in tenths, never fewer than were agreed and earned.
    pub tenths: u32,
    /// Grade where it was taken.
    pub original_grade: String,
    /// Grade at home.
    pub grade: String,
}

/// Recognition decision of the home university.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecognitionDecision {
    /// The agreement it closes.
    pub agreement: String,
    /// The student's pairwise identifier.
    pub student: String,
    /// Who decides.
    pub issuer: Institution,
    /// When, as RFC 3339 in UTC.
    pub decided: String,
    /// Recognised in full.
    pub recognised: Vec<RecognisedCourse>,
    /// Agreed but not passed.
    pub open: Vec<String>,
    /// Passed but not agreed: for the supplement, without credit in the degree.
    pub additional: Vec<String>,
    /// How grades are distributed at home, and which of several is given.
    pub table: GradeTable,
    /// The convention stated beforehand.
    pub convention: Convention,
}

/// Decides by the agreement: each agreed course that was passed is recognised in full (ECTS Users' Guide 2015, section 4.2).
///
/// # Errors
/// Those of [`convert`].
pub fn recognise(
    agreement: &LearningAgreement,
    transcript: &TranscriptOfRecords,
    table: GradeTable,
    convention: Convention,
    decided: &str,
) -> Result<RecognitionDecision, Refusal> {
    let mut left: Vec<&Course> = transcript.courses.iter().collect();
    let (mut recognised, mut open) = (Vec::new(), Vec::new());
    for planned in &agreement.courses {
        let passed = left
            .iter()
            .position(|course| course.title == planned.title && course.tenths >= planned.tenths);
        let Some(index) = passed else {
            open.push(planned.title.clone());
            continue;
        };
        let course = left.remove(index);
        recognised.push(RecognisedCourse {
            title: course.title.clone(),
            replaces: planned.replaces.clone(),
            tenths: course.tenths,
            original_grade: course.grade.clone(),
            grade: convert(&course.grade, &transcript.table, &table, convention)?,
        });
    }
    Ok(RecognitionDecision {
        agreement: agreement.id.clone(),
        student: agreement.student.clone(),
        issuer: agreement.sending.clone(),
        decided: decided.to_owned(),
        recognised,
        open,
        additional: left
            .into_iter()
            .map(|course| course.title.clone())
            .collect(),
        table,
        convention,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(shares: &[(&str, u32)]) -> GradeTable {
        let share = |(grade, students): &(&str, u32)| GradeShare {
            grade: (*grade).to_owned(),
            students: *students,
        };
        GradeTable {
            source: "fictional distribution".to_owned(),
            grades: shares.iter().map(share).collect(),
        }
    }

    #[test]
    fn bands_are_compared_as_the_guide_says() {
        // Cumulative: 30 covers 0 to 10 %, 28 covers 10 to 30 %, 24 covers 30 to 60 %, 18 the rest.
        let from = table(&[("30", 10), ("28", 20), ("24", 30), ("18", 40)]);
        // A 0 to 20 %, B to 40 %, C to 70 %, D the rest: 28 overlaps A and B, 24 overlaps B and C, 18 overlaps C and D.
        let to = table(&[("A", 40), ("B", 40), ("C", 60), ("D", 60)]);
        for (grade, best, middle, lowest) in [
            ("30", "A", "A", "A"),
            ("28", "A", "A", "B"),
            ("24", "B", "C", "C"),
            ("18", "C", "D", "D"),
        ] {
            let give = |convention| convert(grade, &from, &to, convention).unwrap();
            assert_eq!(give(Convention::Best), best, "{grade}");
            assert_eq!(give(Convention::Middle), middle, "{grade}");
            assert_eq!(give(Convention::Lowest), lowest, "{grade}");
        }
    }

    #[test]
    fn refuses_grades_outside_the_table() {
        let good = table(&[("A", 1), ("B", 1)]);
        let code = |grade: &str, to: &GradeTable| {
            convert(grade, &good, to, Convention::Best)
                .unwrap_err()
                .code()
        };
        assert_eq!(code("C", &good), GRADE_UNKNOWN.code);
        for bad in [table(&[]), table(&[("A", 0)]), table(&[("A", 1), ("A", 2)])] {
            assert_eq!(code("A", &bad), TABLE_INVALID.code);
        }
    }

    #[test]
    fn thirty_credits_move_home() {
        let at = |id: &str| Institution {
            id: id.to_owned(),
            name: format!("Fictional University {id}"),
            legal_id: "DE-FICTIONAL-0002".to_owned(),
            country: "DEU".to_owned(),
        };
        let planned = |title: &str| PlannedCourse {
            title: title.to_owned(),
            tenths: 100,
            replaces: format!("{title} at home"),
        };
        let agreement = LearningAgreement {
            id: "urn:agreement".to_owned(),
            student: "did:example:fictional-student".to_owned(),
            sending: at("urn:home"),
            receiving: at("urn:away"),
            courses: ["Optics", "Logic", "Latin", "Dance"].map(planned).to_vec(),
        };
        let passed = |title: &str, grade: &str| Course {
            title: title.to_owned(),
            tenths: 100,
            grade: grade.to_owned(),
        };
        let transcript = TranscriptOfRecords {
            agreement: agreement.id.clone(),
            student: agreement.student.clone(),
            issuer: agreement.receiving.clone(),
            issued: "2026-07-31T10:00:00Z".to_owned(),
            courses: vec![
                passed("Logic", "A"),
                passed("Optics", "B"),
                passed("Latin", "A"),
                passed("Chess", "A"),
            ],
            table: table(&[("A", 1), ("B", 1)]),
        };
        let home = table(&[("1", 3), ("2", 3), ("3", 6)]);
        let decision = recognise(
            &agreement,
            &transcript,
            home,
            Convention::Lowest,
            "2026-09-01T08:00:00Z",
        )
        .unwrap();
        assert_eq!(
            decision
                .recognised
                .iter()
                .map(|course| course.tenths)
                .sum::<u32>(),
            300
        );
        let grades: Vec<&str> = decision
            .recognised
            .iter()
            .map(|course| course.grade.as_str())
            .collect();
        assert_eq!(grades, ["3", "2", "2"]);
        assert_eq!(
            (decision.open, decision.additional),
            (vec!["Dance".to_owned()], vec!["Chess".to_owned()])
        );
        let salted = |salt| super::super::commitment(&[salt; 16], &agreement).unwrap();
        assert_ne!(salted(1), salted(2));
        assert_eq!(salted(1), salted(1));
    }

    proptest! {
        /// A better grade never becomes a lower one than a lower grade becomes.
        #[test]
        fn order_is_kept(from in proptest::collection::vec(0_u32..50, 1..8), to in proptest::collection::vec(0_u32..50, 1..8)) {
            let make = |shares: &[u32]| GradeTable {
                source: "fictional".to_owned(),
                grades: shares.iter().enumerate().map(|(index, students)| GradeShare { grade: format!("{index:02}"), students: *students }).collect(),
            };
            let (from, to) = (make(&from), make(&to));
            for convention in [Convention::Best, Convention::Middle, Convention::Lowest] {
                let given: Vec<_> = from.grades.iter().filter(|share| share.students > 0)
                    .map_while(|share| convert(&share.grade, &from, &to, convention).ok()).collect();
                prop_assert!(given.is_sorted());
            }
        }
    }
}
