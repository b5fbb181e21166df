//! Key ceremonies: how the members of a network come to hold shares of one key that nobody ever holds whole.
//!
//! Joint-Feldman distributed key generation (Gennaro, Jarecki, Krawczyk and Rabin, 1999) in the engine's implementation: every
//! founder deals to every founder over an authenticated, encrypted link.

//!
//! - [`Founding`]: the ceremony itself, without I/O; [`found_in_process`] holds it among founders in one process.
//! - [`Meeting`]: a founding from the first word to the network on every founder's disk, without I/O. [`hold_founding`] holds it over links.

mod founding;
mod links;
mod meeting;
mod resharing;
mod words;

pub use founding::{Founded, Founding, FoundingSecret, found_from_seed, found_in_process};
pub use links::{FoundingError, FoundingFiles, FoundingProgress, hold_founding};
pub use meeting::{Kept, Meeting, Sent, Standing, Task};
pub(crate) use resharing::{MESSAGE_MAX, Reshared, Resharing, Round, round_of};

/// Why a ceremony failed, and through whom.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// The set of participants is not usable.
    #[error("the participants of the ceremony are not usable: {0}")]
    Participants(String),
    /// A participant sent what no honest one sends.
    #[error("{} sent {what}", hex::encode(culprit))]
    Culprit {
        /// Its node key.
        culprit: [u8; 32],
        /// What it sent.
        what: String,
    },
    /// The ceremony gave no result.
    #[error("the ceremony gave no key: {0}")]
    NoResult(String),
}
