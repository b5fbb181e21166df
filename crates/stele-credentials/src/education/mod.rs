//! Papers of education: diplomas with their supplement, badges, and the transfer of credits between universities.
//!
//! - [`model`]: a diploma supplement as a plain struct. [`elm`]: the same as a credential of the European Learning Model 3.
//! - [`badge`]: a course as an Open Badge 3.0.
//! - [`ects`]: learning agreement, transcript, recognition decision; grades converted by published distributions.
//! - [`compact`]: a signed supplement and its receipt in few bytes, for a QR code.
//!
//! Personal data stays in these documents; a ledger gets a salted commitment ([`commitment`]).

pub mod badge;
pub mod compact;
pub mod ects;
pub mod elm;
pub mod model;

use serde::Serialize;
use stele_core::id::sha256;

use crate::integrity::json::jcs;
use crate::refusal::Refusal;

/// Rules of education papers.
pub mod rules {
    crate::refusal::refusal_table! {
        GRADE_UNKNOWN: "education.grade-unknown", refuses_grades_outside_the_table,
            "The grade does not stand in the university's table of grades.", "Ask the university for the table that was in force.";
        TABLE_INVALID: "education.table-invalid", refuses_grades_outside_the_table,
            "The table of grades cannot be used.", "A table lists each passing grade once, best first, with how many students got it.";
        COMPACT_MALFORMED: "education.compact-malformed", any_bytes_are_read_or_refused,
            "The scanned code does not hold a paper of this kind.", "Scan the code again as a whole.";
        COMPACT_TOO_LARGE: "education.compact-too-large", refuses_a_code_that_unpacks_to_too_much,
            "The scanned code unpacks to more than a paper can hold.", "Do not rely on the code.";
        COMPACT_UNFAITHFUL: "education.compact-unfaithful", refuses_to_shorten_another_document,
            "The document says more than its short form can carry.", "Hand over the document itself.";
    }
}

/// Bytes of a commitment's salt.
pub const SALT_BYTES: usize = 16;

/// `SHA-256("stele/education/commitment/v1" || salt || canonical JSON)`: what a ledger may know of a paper. Without the salt
/// nobody can guess the paper from it.
///
/// # Errors
/// `integrity.number-unsafe`; the types here hold no such number.
pub fn commitment(salt: &[u8; SALT_BYTES], paper: &impl Serialize) -> Result<[u8; 32], Refusal> {
    let value = serde_json::to_value(paper).unwrap_or_default();
    Ok(sha256(&[
        b"stele/education/commitment/v1",
        salt,
        jcs(&value)?.as_bytes(),
    ]))
}
