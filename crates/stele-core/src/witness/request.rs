//! What a log sends to a witness (C2SP tlog-witness, `add-checkpoint`): an old size, a consistency proof, a checkpoint.

use crate::merkle::checkpoint::{Note, NoteError, NoteLimits, parse_size};
use crate::merkle::{Hash, base64_decode, base64_encode};

/// The most hashes in a consistency proof: one for each bit of a tree size.
pub const PROOF_HASHES_MAX: usize = 63;
/// The content type of a 409 answer, whose body is the size that the witness has.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// Why a request was refused before its checkpoint was looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The lines before the checkpoint are not `old <size>`, hashes, and an empty one.
    #[error("line {line} of the request is malformed")]
    Line {
        /// Number of the line, from 1.
        line: usize,
    },
    /// The proof is longer than any can be.
    #[error("the proof has more than {PROOF_HASHES_MAX} hashes")]
    ProofTooLong,
    /// The checkpoint is no note.
    #[error("the checkpoint is no signed note")]
    Note(#[from] NoteError),
}

/// An `add-checkpoint` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness cosigned last, as the log believes; 0 for none.
    pub old_size: u64,
    /// The consistency proof from that size; empty from 0 and where the size is the same.
    pub proof: Vec<Hash>,
    /// The checkpoint under its signatures.
    pub note: Note,
}

impl AddCheckpoint {
    /// Reads a request's body.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse(body: &str, limits: &NoteLimits) -> Result<Self, RequestError> {
        let mut rest = body;
        let mut next = |line| {
            let (found, behind) = rest.split_once('\n').ok_or(RequestError::Line { line })?;
            rest = behind;
            Ok::<_, RequestError>(found)
        };
        let old_size = next(1)?
            .strip_prefix("old ")
            .and_then(parse_size)
            .ok_or(RequestError::Line { line: 1 })?;
        let mut proof = Vec::new();
        loop {
            let line = proof.len() + 2;
            let found = next(line)?;
            if found.is_empty() {
                break;
            }
            if proof.len() == PROOF_HASHES_MAX {
                return Err(RequestError::ProofTooLong);
            }
            let hash = base64_decode(found).and_then(|hash| Hash::try_from(hash).ok());
            proof.push(hash.ok_or(RequestError::Line { line })?);
        }
        Ok(Self {
            old_size,
            proof,
            note: Note::parse(rest, limits)?,
        })
    }

    /// The request's body.
    ///
    /// # Errors
    /// [`NoteError`] when the note cannot be written.
    pub fn format(&self) -> Result<String, NoteError> {
        let mut body = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            body.push_str(&base64_encode(hash));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(&self.note.format()?);
        Ok(body)
    }
}

/// Reads the body of a 409 answer.
pub fn parse_size_answer(body: &str) -> Option<u64> {
    parse_size(body.strip_suffix('\n')?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOTE: &str = "log\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n— log AAAAAAA=\n";

    fn parse(body: &str) -> Result<AddCheckpoint, RequestError> {
        AddCheckpoint::parse(body, &NoteLimits::default())
    }

    #[test]
    fn requests_come_back_as_they_were() {
        let hash = base64_encode(&[9; 32]);
        for body in [
            format!("old 0\n\n{NOTE}"),
            format!("old 2\n{hash}\n{hash}\n\n{NOTE}"),
            format!(
                "old 18446744073709551615\n{}\n{NOTE}",
                format!("{hash}\n").repeat(63)
            ),
        ] {
            assert_eq!(parse(&body).unwrap().format().unwrap(), body);
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_line() {
        let hash = base64_encode(&[9; 32]);
        for (body, line) in [
            (String::new(), 1),
            (format!("new 0\n\n{NOTE}"), 1),
            (format!("old 01\n\n{NOTE}"), 1),
            (format!("old -1\n\n{NOTE}"), 1),
            (format!("old 18446744073709551616\n\n{NOTE}"), 1),
            (format!("old 1 \n\n{NOTE}"), 1),
            (format!("old 1\n{}\n\n{NOTE}", &hash[..40]), 2),
            (format!("old 1\n{hash}\n {hash}\n\n{NOTE}"), 3),
            ("old 1\n".to_owned(), 2),
        ] {
            assert_eq!(parse(&body), Err(RequestError::Line { line }), "{body:?}");
        }
        let long = format!("old 1\n{}\n{NOTE}", format!("{hash}\n").repeat(64));
        assert_eq!(parse(&long), Err(RequestError::ProofTooLong));
        assert!(matches!(
            parse("old 1\n\nlog\n"),
            Err(RequestError::Note(_))
        ));
    }

    #[test]
    fn sizes_are_one_decimal_line() {
        assert_eq!(parse_size_answer("12\n"), Some(12));
        for body in [
            "",
            "12",
            "012\n",
            "12\n\n",
            "-1\n",
            "18446744073709551616\n",
        ] {
            assert_eq!(parse_size_answer(body), None, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(body in "(old [0-9]{0,3}|\n|— |[0-9A-Za-z+/=]{44}| |x){0,40}") {
            if let Ok(request) = parse(&body) {
                prop_assert_eq!(request.format().unwrap(), body);
            }
        }
    }
}
