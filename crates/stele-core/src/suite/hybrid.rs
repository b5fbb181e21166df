//! Ed25519+ML-DSA-65: two signatures over the same message, side by side; both must verify.
//!
//! The pair is as strong as the stronger half as long as no half is accepted alone under another name.
//! The key id covers both public keys and the algorithm number, and the message (a COSE `Sig_structure`)
//! covers the key id, so a stripped half is a signature under a key that nobody registered.

use std::sync::Arc;

use rand_core::CryptoRng;

use super::{ed25519, ml_dsa};

/// Length of the Ed25519 half of a public key, in bytes.
const ED25519_PUBLIC_LEN: usize = 32;
/// Length of the Ed25519 half of a signature, in bytes.
const ED25519_SIGNATURE_LEN: usize = 64;

/// Both public keys.
#[derive(Debug, Clone)]
pub(super) struct Public {
    ed25519: Arc<ed25519::Public>,
    ml_dsa: ml_dsa::Public,
}

/// Both secret keys; each wipes itself when dropped.
pub(super) struct Secret {
    ed25519: ed25519::Secret,
    ml_dsa: ml_dsa::Secret,
}

/// Reads the Ed25519 public key and then the ML-DSA-65 public key.
pub(super) fn parse(material: &[u8]) -> Option<Public> {
    let (ed25519, ml_dsa) = material.split_at_checked(ED25519_PUBLIC_LEN)?;
    Some(Public {
        ed25519: Arc::new(ed25519::parse(ed25519)?),
        ml_dsa: ml_dsa::parse(ml_dsa)?,
    })
}

/// Writes both public keys.
pub(super) fn material(key: &Public) -> Vec<u8> {
    let mut material = Vec::with_capacity(ED25519_PUBLIC_LEN + ml_dsa::PUBLIC_LEN);
    material.extend_from_slice(ed25519::material(&key.ed25519));
    material.extend_from_slice(&ml_dsa::material(&key.ml_dsa));
    material
}

/// Whether the Ed25519 half has small order, so that only the other half still says who signed.
pub(super) fn is_small_order(key: &Public) -> bool {
    ed25519::is_small_order(&key.ed25519)
}

/// Verifies both halves.
pub(super) fn verify(key: &Public, message: &[u8], signature: &[u8]) -> bool {
    signature
        .split_at_checked(ED25519_SIGNATURE_LEN)
        .is_some_and(|(ed25519, ml_dsa)| {
            ed25519::verify(&key.ed25519, message, ed25519)
                && ml_dsa::verify(&key.ml_dsa, message, ml_dsa)
        })
}

/// Makes both key pairs, each from its own 32-byte seed.
pub(super) fn from_seeds(ed25519: &[u8; 32], ml_dsa: &[u8; 32]) -> Secret {
    Secret {
        ed25519: ed25519::from_seed(ed25519),
        ml_dsa: ml_dsa::from_seed(ml_dsa),
    }
}

/// Both seeds, Ed25519 first.
pub(super) fn seeds(key: &Secret) -> [&[u8]; 2] {
    [key.ed25519.as_bytes(), key.ml_dsa.as_seed()]
}

/// The public half.
pub(super) fn public(key: &Secret) -> Public {
    Public {
        ed25519: Arc::new(ed25519::public(&key.ed25519)),
        ml_dsa: ml_dsa::public(&key.ml_dsa),
    }
}

/// Signs deterministically with both.
pub(super) fn sign(key: &Secret, message: &[u8]) -> Vec<u8> {
    concat(
        &ed25519::sign(&key.ed25519, message),
        &ml_dsa::sign(&key.ml_dsa, message),
    )
}

/// Signs with both; `rng` hedges the ML-DSA half.
pub(super) fn sign_with_rng<R: CryptoRng + ?Sized>(
    key: &Secret,
    message: &[u8],
    rng: &mut R,
) -> Vec<u8> {
    concat(
        &ed25519::sign(&key.ed25519, message),
        &ml_dsa::sign_with_rng(&key.ml_dsa, message, rng),
    )
}

fn concat(ed25519: &[u8], ml_dsa: &[u8]) -> Vec<u8> {
    [ed25519, ml_dsa].concat()
}
