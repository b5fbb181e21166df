//! How a command ends: its exit code, and what a person reads when it did not do what was asked.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

use stele_client::ClientError;
use stele_ledger::ledger::LedgerError;
use stele_node::NodeError;
use stele_node::auth::KeystoreError;

/// The exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done; for `verify`, valid.
    Done,
    /// 1: the answer is no: invalid, refused, damaged, failed.
    No,
    /// 2: no answer: wrong arguments, unusable input, no node, no disk.
    Unusable,
}

#[cfg(test)]
impl Exit {
    /// What the reference page says.
    pub const ALL: &[(u8, &str)] = &[
        (0, "done; for `verify`: the receipt is valid"),
        (
            1,
            "the answer is no: the receipt is invalid, the entry was refused, the scenario failed, files are damaged",
        ),
        (
            2,
            "there is no answer: wrong arguments, unusable input, a node that cannot be reached, a file that cannot be read",
        ),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what was asked. Shown as `error: ...`, the causes, and `hint: ...` lines.
#[derive(Debug)]
pub struct Failure {
    /// With which code the program ends.
    pub exit: Exit,
    /// One sentence; empty when nothing is to be said, as when the reader of a pipe has gone.
    pub message: String,
    /// What caused it, outermost first.
    pub causes: Vec<String>,
    /// Next steps.
    pub hints: Vec<String>,
}

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    /// There is no answer.
    pub fn unusable(message: impl Display) -> Self {
        Self {
            exit: Exit::Unusable,
            message: message.to_string(),
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// The answer is no.
    pub fn no(message: impl Display) -> Self {
        Self {
            exit: Exit::No,
            ..Self::unusable(message)
        }
    }

    /// Nobody reads any more: an end without words.
    pub fn reader_gone() -> Self {
        Self {
            exit: Exit::Done,
            ..Self::unusable("")
        }
    }

    /// Adds a cause and the causes behind it.
    pub fn because(mut self, cause: &dyn Error) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            let text = error.to_string();
            // Some errors repeat their source in their own text.
            if self.causes.last().is_none_or(|last| *last != text) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds a next step.
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// From an error with its own chain of causes.
    pub fn of(exit: Exit, error: &dyn Error, hint: Option<&str>) -> Self {
        let mut failure = Self {
            exit,
            ..Self::unusable(error)
        };
        if let Some(source) = error.source() {
            failure = failure.because(source);
        }
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// A file or folder that could not be used.
    pub fn io(
        action: &str,
        path: impl AsRef<std::path::Path>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let message = format!("could not {action} {}", path.as_ref().display());
        move |error| Self::unusable(message).because(&error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::Refused(_) | ClientError::NotApplied(_) | ClientError::BadReceipt(_) => {
                Exit::No
            }
            _ => Exit::Unusable,
        };
        Self::of(exit, &error, error.hint())
    }
}

impl From<KeystoreError> for Failure {
    fn from(error: KeystoreError) -> Self {
        Self::of(Exit::Unusable, &error, Some(error.hint()))
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::of(Exit::Unusable, &error, error.hint())
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        Self::of(Exit::Unusable, &error, error.hint())
    }
}
