//! Outside witnesses of logs, both sides of C2SP tlog-witness (docs/design/0009-witnesses.md).
//!
//! A witness keeps one thing for each log: the newest checkpoint that it cosigned. It cosigns another only when that log
//! continues the one before. So nobody who asks for its cosignature, not even all validators of a network together,
//! can show two histories of one log.
//!
//! - [`Store`]: the witness's key and what it cosigned last, on disk. [`Witness`]: the rules. [`serve`]: both over HTTP.
//! - [`WitnessClient`]: what a log asks witnesses with.

mod client;
mod http;
mod service;
mod store;

pub use client::{ClientError, WitnessClient};
pub use http::serve;
pub use service::{Refusal, Witness};
pub use store::{Store, StoreError};

/// The largest request, in bytes: a proof of 63 hashes and a note of 64 KiB.
pub const REQUEST_BYTES_MAX: usize = 68 * 1024;
