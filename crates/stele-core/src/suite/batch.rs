//! Batch verification with the verdicts of single verification.

use super::public_key::Material;
use super::{PublicKey, Suite, SuiteError, ed25519};

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
///
/// Ed25519 signatures share one equation (see `ed25519.rs` for why it accepts the same signatures), which
/// pays from about 16 items on and gains little above 1,024. Other suites are verified one by one. The call
/// uses one thread: split a large batch into one slice for each core.
pub fn verify_batch(items: &[BatchItem<'_>]) -> Vec<Result<(), SuiteError>> {
    let mut verdicts = Vec::with_capacity(items.len());
    let mut shared = Vec::with_capacity(items.len());
    let mut positions = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let verdict = match &item.key.material {
            Material::Ed25519(key) => {
                let well_formed = Suite::from_algorithm(item.alg, item.key)
                    .and_then(|suite| suite.check_signature_len(item.signature));
                if well_formed.is_ok() {
                    shared.push((key, item.message, item.signature));
                    positions.push(position);
                }
                well_formed
            }
            _ => item.key.verify(item.alg, item.message, item.signature),
        };
        verdicts.push(verdict);
    }
    for (position, good) in positions.into_iter().zip(ed25519::verify_batch(&shared)) {
        if !good {
            verdicts[position] = Err(SuiteError::BadSignature {
                suite: Suite::Ed25519,
            });
        }
    }
    verdicts
}
