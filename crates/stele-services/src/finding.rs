//! What is wrong with a service file, so that a clerk finds the place and the next step.

use core::fmt;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule, such as `service-file.date.unknown`; stable.
    pub code: &'static str,
    /// Where, as a JSON pointer (RFC 6901); empty for the whole file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, in one plain sentence.
    pub sentence: String,
    /// The next step.
    pub hint: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() {
            "the file"
        } else {
            &self.path
        };
        write!(
            f,
            "line {}, {place}: {} [{}]\nhint: {}",
            self.line, self.sentence, self.code, self.hint
        )
    }
}
