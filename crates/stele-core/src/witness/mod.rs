//! Outside witnesses: who saw which history of a network's log (docs/format.md section 9).
//!
//! A witness is somebody outside the network who keeps the newest checkpoint of its log, and cosigns a later one only
//! when that log continues the one before (C2SP tlog-witness). Validators who all lie together can certify two
//! histories; they cannot get both past one honest witness. So a verifier asks for cosignatures:
//!
//! - [`WitnessKey`]: who may say so. [`WitnessPolicy`]: how many of them must.
//! - [`LogKey`]: what a witness, or a monitor, checks a checkpoint with: an Ed25519 line or a Stele certificate.
//! - [`cosign`]: what a witness writes. [`AddCheckpoint`]: what it is asked.
//!
//! No I/O and no clock: times are given and reported. Status: BETA.

mod log_key;
mod policy;
mod request;

pub use log_key::{KEY_TYPE_CERTIFICATE, LogKey, LogKeyError, certificate_line, note_line};
pub use policy::{Cosigned, PolicyError, WITNESS_KEYS_MAX, WitnessKey, WitnessPolicy, cosign};
pub use request::{
    AddCheckpoint, PROOF_HASHES_MAX, RequestError, SIZE_CONTENT_TYPE, parse_size_answer,
};

use crate::id::NetworkId;

/// The name of a network's log in checkpoints: `stele/` and the network id in hexadecimal.
pub fn log_origin(network: &NetworkId) -> String {
    format!("stele/{network}")
}
