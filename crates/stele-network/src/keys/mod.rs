//! Keys of a node, and shares of the one network key.
//!
//! A validator holds two secrets: its [`NodeKey`] (Ed25519; links and votes) and its [`Share`] of the network key (BLS12-381). A quorum of shares
//! signs as the network: 2f+1 of 3f+1 validators.

mod file;
mod node;
mod secrets;
mod sharing;

pub(crate) use file::{read as read_secret, write as write_secret};
pub use node::NodeKey;
pub(crate) use node::{engine_key, node_key};
pub use secrets::{Dealing, MemorySecrets, Secrets, SecretsFolder};
pub(crate) use sharing::{KeyVariant, bad_partials, recover, sign_partial};
pub use sharing::{PARTIAL_BYTES, Share, Sharing, SharingError};

use std::io;
use std::path::PathBuf;

/// Why a secret could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} is not {expected}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
}
