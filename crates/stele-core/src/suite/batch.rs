//! Batch verification with the verdicts of single verification.

use super::{PublicKey, SuiteError};

/// One signature to verify.
#[derive(Debug, Clone, Copy)]
pub struct BatchItem<'a> {
    /// The signer's key.
    pub key: &'a PublicKey,
    /// The COSE algorithm that the signature names.
    pub alg: i64,
    /// The signed bytes.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

/// Verifies many signatures; element i is exactly what [`PublicKey::verify`] says of item i.
pub fn verify_batch(items: &[BatchItem<'_>]) -> Vec<Result<(), SuiteError>> {
    items
        .iter()
        .map(|item| item.key.verify(item.alg, item.message, item.signature))
        .collect()
}
