//! SM2 signatures with SM3 (GB/T 32918.2) under the default signer id of GM/T 0009.

use std::sync::Arc;

use rand_core::CryptoRng;
use sm2::dsa::signature::{RandomizedSigner, Signer, Verifier};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};

use super::es256::uncompressed;

/// The signer id that enters the hash (GM/T 0009 section 10).
const SIGNER_ID: &str = "1234567812345678";

/// n - 1 for the order n of the curve's group (GB/T 32918.5).
const ORDER_MINUS_1: [u8; 32] = [
    0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x72, 0x03, 0xdf, 0x6b, 0x21, 0xc6, 0x05, 0x2b, 0x53, 0xbb, 0xf4, 0x09, 0x39, 0xd5, 0x41, 0x22,
];

/// A public key with the hash of its signer information.
pub(super) type Public = Arc<VerifyingKey>;
/// A secret key. Unlike the others, its crate does not wipe it when dropped.
pub(super) type Secret = SigningKey;

/// Reads x and y, 32 bytes each; `None` if the point is not on the curve or a coordinate is not reduced.
pub(super) fn parse(material: &[u8]) -> Option<Public> {
    VerifyingKey::from_sec1_bytes(SIGNER_ID, &uncompressed(material)?)
        .ok()
        .map(Arc::new)
}

/// Writes x and y.
pub(super) fn material(key: &Public) -> Vec<u8> {
    key.to_sec1_bytes()[1..].to_vec()
}

/// Verifies one signature.
pub(super) fn verify(key: &Public, message: &[u8], signature: &[u8]) -> bool {
    Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

/// Reads a 32-byte big-endian scalar; `None` unless it lies in `1..n - 1` (GB/T 32918.2 section 6.1).
pub(super) fn from_secret(secret: &[u8]) -> Option<Secret> {
    // The crate also admits n - 1, with which signing fails: it divides by 1 + d.
    if secret == ORDER_MINUS_1 {
        return None;
    }
    SigningKey::from_slice(SIGNER_ID, secret).ok()
}

/// Signs with a nonce derived as in RFC 6979, with SM3.
pub(super) fn sign(key: &Secret, message: &[u8]) -> [u8; 64] {
    key.sign(message).to_bytes().into()
}

/// Signs with a derived nonce that has 32 bytes of randomness mixed in.
pub(super) fn sign_with_rng<R: CryptoRng + ?Sized>(
    key: &Secret,
    message: &[u8],
    rng: &mut R,
) -> [u8; 64] {
    key.sign_with_rng(rng, message).to_bytes().into()
}
