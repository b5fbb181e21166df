//! What can go wrong between a client and its node.

use serde::Deserialize;

/// An answer in the form of RFC 9457, as Stele nodes write it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// One short phrase.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// One plain sentence about this case.
    #[serde(default)]
    pub detail: String,
    /// The rule that refused, such as `entry.expired`.
    #[serde(default)]
    pub code: String,
    /// The next step, if there is one.
    #[serde(default)]
    pub hint: String,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The node could not be reached, or the connection broke.
    #[error("could not reach {url}")]
    Unreachable {
        /// The address tried.
        url: String,
        /// The cause.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The node refused, and said why.
    #[error("{} ({})", .0.detail, .0.code)]
    Refused(Problem),
    /// An entry is final, but a rule of its register refused it.
    #[error("the entry was recorded as refused: {}", .0.code)]
    NotApplied(Problem),
    /// The node's answer is not what the API promises.
    #[error("the node's answer to {url} is not what the API promises: {reason}")]
    BadAnswer {
        /// The address asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A receipt from the node does not verify.
    #[error("the node's receipt does not verify: {0}")]
    BadReceipt(#[from] stele_core::receipt::VerifyError),
    /// What was to be signed is not a valid entry.
    #[error("the entry cannot be built: {0}")]
    BadEntry(#[from] stele_core::entry::EntryError),
}

impl ClientError {
    /// The rule that refused, if one did.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) | Self::NotApplied(problem) => Some(&problem.code),
            Self::BadReceipt(error) => Some(error.reason.code()),
            Self::BadEntry(error) => Some(error.code()),
            _ => None,
        }
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) | Self::NotApplied(problem) if !problem.hint.is_empty() => {
                Some(&problem.hint)
            }
            Self::Unreachable { .. } => Some("is the node running? `./stele up` starts one"),
            _ => None,
        }
    }
}
