//! ML-DSA-65 (FIPS 204) with the empty context.

use std::sync::Arc;

use ml_dsa::{
    EncodedVerifyingKey, MlDsa65, Seed, Signature, SigningKey, VerifyingKey, signature::Keypair,
};
use rand_core::CryptoRng;

/// Length of a public key in bytes (FIPS 204 table 2).
pub(super) const PUBLIC_LEN: usize = 1952;
/// Length of a signature in bytes (FIPS 204 table 2).
pub(super) const SIGNATURE_LEN: usize = 3309;

/// A public key with its matrix expanded, about 40 KiB; hence shared by its clones.
pub(super) type Public = Arc<VerifyingKey<MlDsa65>>;
/// A secret key; its crate wipes it when dropped.
pub(super) type Secret = Box<SigningKey<MlDsa65>>;

/// Reads a public key; every string of the right length is one.
pub(super) fn parse(material: &[u8]) -> Option<Public> {
    let encoded = EncodedVerifyingKey::<MlDsa65>::try_from(material).ok()?;
    Some(Arc::new(VerifyingKey::decode(&encoded)))
}

/// Writes the public key.
pub(super) fn material(key: &Public) -> Vec<u8> {
    key.encode().to_vec()
}

/// Verifies one signature.
pub(super) fn verify(key: &Public, message: &[u8], signature: &[u8]) -> bool {
    Signature::try_from(signature)
        .is_ok_and(|signature| key.verify_with_context(message, &[], &signature))
}

/// Makes the key pair of the 32-byte seed xi (FIPS 204 algorithm 6).
pub(super) fn from_seed(seed: &[u8; 32]) -> Secret {
    Box::new(SigningKey::from_seed(&Seed::from(*seed)))
}

/// The public half.
pub(super) fn public(key: &Secret) -> Public {
    Arc::new(key.verifying_key())
}

/// Signs deterministically (FIPS 204 section 3.4, `rnd` of zeros).
pub(super) fn sign(key: &Secret, message: &[u8]) -> Vec<u8> {
    let signature = key.expanded_key().sign_deterministic(message, &[]);
    signature
        .expect("the empty context is short enough and rejection sampling ends")
        .encode()
        .to_vec()
}

/// Signs in the hedged way, the default of FIPS 204: 32 bytes from `rng` enter the nonce.
pub(super) fn sign_with_rng<R: CryptoRng + ?Sized>(
    key: &Secret,
    message: &[u8],
    rng: &mut R,
) -> Vec<u8> {
    let signature = key.expanded_key().sign_randomized(message, &[], rng);
    signature
        .expect("the empty context is short enough and rejection sampling ends")
        .encode()
        .to_vec()
}
