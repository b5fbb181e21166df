//! Why a run ended early.

use std::path::PathBuf;

use stele_client::ClientError;
use stele_core::receipt::VerifyError;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The node could not be asked, or refused.
    #[error("{doing}: {}", chain(.source))]
    Client {
        /// What the scenario was doing.
        doing: String,
        /// The cause.
        #[source]
        source: ClientError,
    },
    /// A receipt does not verify.
    #[error("the receipt for \u{201c}{claim}\u{201d} does not verify: {source}")]
    Receipt {
        /// What it should have proven.
        claim: String,
        /// The cause.
        #[source]
        source: VerifyError,
    },
    /// What the scenario is there to show does not hold.
    #[error("expected {expected}, found {found}")]
    Broken {
        /// What should be.
        expected: String,
        /// What is.
        found: String,
    },
    /// Input that was asked for by name cannot be used.
    #[error("{}: {reason}", path.display())]
    Input {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The report could not be written.
    #[error("could not write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The scenario could not begin, for lack of data for instance. Neither passed nor failed.
    #[error("{0}")]
    Skipped(String),
}

impl ScenarioError {
    /// Adds what the scenario was doing.
    pub fn client(doing: impl Into<String>) -> impl FnOnce(ClientError) -> Self {
        let doing = doing.into();
        move |source| Self::Client { doing, source }
    }

    /// A broken expectation.
    pub fn broken(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Broken {
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Client { source, .. } => source.hint(),
            Self::Receipt { .. } => Some("is this the node of the network that you named?"),
            Self::Input { .. } => Some("--input takes a folder of *.jsonld or *.json files"),
            _ => None,
        }
    }
}

/// A client error with its causes, in one line.
fn chain(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
