//! Receipts: self-contained proofs under one network key (docs/format.md section 7).
//!
//! A [`Receipt`] proves that an entry is in the log with its outcome, or that state values are present or absent, or both.
//! [`verify()`] needs the receipt's bytes and a [`NetworkDescriptor`], nothing else: no clock, no network, no issuer.

mod build;
mod descriptor;
mod parse;
mod verify;

pub use build::{EntryClaim, Receipt, StateClaim, encode_state_proof};
pub use descriptor::{DescriptorError, NetworkDescriptor};
pub use verify::{
    Reason, Verified, VerifiedEntry, VerifiedState, VerifyError, verify, verify_state_claim,
    verify_witnessed,
};

/// The largest receipt, in bytes, the entry included.
pub const RECEIPT_BYTES_MAX: usize = 2 << 20;
/// The most state claims in one receipt.
pub const STATE_CLAIMS_MAX: usize = 64;
/// The most witness lines in one receipt.
pub const WITNESSES_MAX: usize = 64;
/// Key 0 of every receipt.
pub const RECEIPT_FORMAT: &str = "stele-receipt/1";
