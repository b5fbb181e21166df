//! Ed25519 (RFC 8032), judged by ZIP-215.
//!
//! RFC 8032 leaves open whether the verification equation is multiplied by the cofactor, and which
//! encodings of R and A are good. Implementations differ, and single verification may differ from batch
//! verification, which would split a network. ZIP-215 closes both questions: the cofactored equation
//! `[8][s]B = [8]R + [8][k]A`, any encoding that decompresses, and s below the group order.

use ed25519_zebra::{Signature, SigningKey, VerificationKey};
use zeroize::Zeroizing;

/// A decompressed public key.
pub(super) type Public = VerificationKey;
/// A secret key, wiped when dropped.
pub(super) type Secret = Zeroizing<SigningKey>;

/// Reads 32 bytes of public key; `None` if they are no point of the curve.
pub(super) fn parse(material: &[u8]) -> Option<Public> {
    VerificationKey::try_from(material).ok()
}

/// Verifies one signature of 64 bytes.
pub(super) fn verify(key: &Public, message: &[u8], signature: &[u8]) -> bool {
    Signature::from_slice(signature).is_ok_and(|signature| key.verify(&signature, message).is_ok())
}

/// Makes the key pair of a 32-byte seed.
pub(super) fn from_seed(seed: &[u8; 32]) -> Secret {
    Zeroizing::new(SigningKey::from_bytes(seed))
}

/// Signs deterministically (RFC 8032 section 5.1.6).
pub(super) fn sign(key: &Secret, message: &[u8]) -> [u8; 64] {
    key.sign(message).to_bytes()
}
