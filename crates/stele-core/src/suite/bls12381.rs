//! BLS12-381: the suite of a network's own key, whose signatures a quorum of validators makes together.
//!
//! Plain BLS signatures (draft-irtf-cfrg-bls-signature, "minimal-signature-size"): a signature is a compressed point of G1 (48 bytes), a key one of
//! G2 (96 bytes), ciphersuite `BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_`. A signature combined from shares is such a
//! signature, so a verifier needs to know nothing of shares.

use blst::BLST_ERROR;
use blst::min_sig::{PublicKey as Point, SecretKey, Signature};

/// The domain separation tag of the ciphersuite.
const DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
/// Length of a signature in bytes.
pub(super) const SIGNATURE_LEN: usize = 48;

/// A public key: a point of the right subgroup of G2, not the point at infinity.
pub(super) type Public = Box<Point>;
/// A secret key; its crate wipes it when dropped.
pub(super) type Secret = SecretKey;

/// Reads the 96 bytes of a compressed point; `None` if it is no point of the subgroup, or the point at infinity.
pub(super) fn parse(material: &[u8]) -> Option<Public> {
    // The crate also reads the uncompressed form, which is twice as long.
    if material.len() != 96 {
        return None;
    }
    Point::key_validate(material).ok().map(Box::new)
}

/// Writes the compressed point.
pub(super) fn material(key: &Public) -> Vec<u8> {
    key.compress().to_vec()
}

/// Verifies one signature; a point outside the subgroup or at infinity is none.
pub(super) fn verify(key: &Public, message: &[u8], signature: &[u8]) -> bool {
    // The key was validated when it was read.
    signature.len() == SIGNATURE_LEN
        && Signature::sig_validate(signature, true).is_ok_and(|signature| {
            signature.verify(false, message, DST, &[], key, false) == BLST_ERROR::BLST_SUCCESS
        })
}

/// Reads a 32-byte big-endian scalar; `None` unless it lies in `1..r`.
pub(super) fn from_secret(secret: &[u8]) -> Option<Secret> {
    SecretKey::from_bytes(secret).ok()
}

/// The public key of a secret one.
pub(super) fn public(secret: &Secret) -> Public {
    Box::new(secret.sk_to_pk())
}

/// Signs; the same key and message always give the same signature.
pub(super) fn sign(key: &Secret, message: &[u8]) -> [u8; SIGNATURE_LEN] {
    key.sign(message, DST, &[]).compress()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_at_infinity_is_neither_key_nor_signature() {
        let mut key = [0u8; 96];
        key[0] = 0xc0;
        assert!(parse(&key).is_none());
        let secret = from_secret(&[7; 32]).unwrap();
        let public = public(&secret);
        let mut signature = [0u8; SIGNATURE_LEN];
        signature[0] = 0xc0;
        assert!(!verify(&public, b"message", &signature));
        assert!(verify(&public, b"message", &sign(&secret, b"message")));
        assert!(!verify(&public, b"another", &sign(&secret, b"message")));
    }

    #[test]
    fn only_scalars_below_the_order_are_secrets() {
        assert!(from_secret(&[0; 32]).is_none());
        assert!(from_secret(&[0xff; 32]).is_none());
    }
}
