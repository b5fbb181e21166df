//! ES256: ECDSA on P-256 with SHA-256 (RFC 9053 section 2.1), signatures as r and s of 32 bytes each.

use p256::ecdsa::signature::{RandomizedSigner, Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use rand_core::CryptoRng;

/// A public key: a point of the curve, not the point at infinity.
pub(super) type Public = VerifyingKey;
/// A secret key; its crate wipes it when dropped.
pub(super) type Secret = SigningKey;

/// Reads x and y, 32 bytes each; `None` if the point is not on the curve or a coordinate is not reduced.
pub(super) fn parse(material: &[u8]) -> Option<Public> {
    VerifyingKey::from_sec1_bytes(&uncompressed(material)?).ok()
}

/// The SEC 1 uncompressed form of x and y.
pub(super) fn uncompressed(material: &[u8]) -> Option<[u8; 65]> {
    let mut point = [4; 65];
    (material.len() == 64).then(|| point[1..].copy_from_slice(material))?;
    Some(point)
}

/// Writes x and y.
pub(super) fn material(key: &Public) -> Vec<u8> {
    key.to_sec1_point(false).as_bytes()[1..].to_vec()
}

/// Verifies one signature. r and s must lie in `1..n`; a high s is as good as a low one, since nothing
/// in Stele is identified by a hash over a signature.
pub(super) fn verify(key: &Public, message: &[u8], signature: &[u8]) -> bool {
    Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

/// Reads a 32-byte big-endian scalar; `None` unless it lies in `1..n`.
pub(super) fn from_secret(secret: &[u8]) -> Option<Secret> {
    SigningKey::from_slice(secret).ok()
}

/// Signs with the deterministic nonce of RFC 6979.
pub(super) fn sign(key: &Secret, message: &[u8]) -> [u8; 64] {
    let signature: Signature = key.sign(message);
    signature.to_bytes().into()
}

/// Signs with the nonce of RFC 6979 and 32 bytes of randomness mixed in (its section 3.6).
pub(super) fn sign_with_rng<R: CryptoRng + ?Sized>(
    key: &Secret,
    message: &[u8],
    rng: &mut R,
) -> [u8; 64] {
    let signature: Signature = key.sign_with_rng(rng, message);
    signature.to_bytes().into()
}
