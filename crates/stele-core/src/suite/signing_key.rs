//! Signing keys of every suite behind one type.

use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::public_key::Material;
use super::{PublicKey, Suite, SuiteError, bls12381, ed25519, es256, hybrid, ml_dsa};

/// A secret key with its public key.
///
/// The secret is wiped from memory on drop (but for SM2, whose crate does not), is not `Clone`, and
/// does not appear in `Debug`.
pub struct SigningKey {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    Ed25519(ed25519::Secret),
    Es256(es256::Secret),
    MlDsa65(ml_dsa::Secret),
    Ed25519MlDsa65(hybrid::Secret),
    Bls12381(bls12381::Secret),
    #[cfg(feature = "sm")]
    Sm2(super::sm2::Secret),
}

impl SigningKey {
    /// Makes a new key from `rng`.
    pub fn generate<R: CryptoRng + ?Sized>(suite: Suite, rng: &mut R) -> Self {
        let mut secret = Zeroizing::new(vec![0; suite.secret_len()]);
        loop {
            rng.fill_bytes(&mut secret);
            // A random 32-byte string fails only as a scalar outside the group order: for P-256 and SM2
            // in one case of 2^32, for BLS12-381 in every other one. Drawing again keeps the scalars uniform.
            if let Ok(key) = Self::from_seed(suite, &secret) {
                return key;
            }
        }
    }

    /// Makes the key whose secret is `seed`: the 32-byte seed of RFC 8032 for Ed25519, the 32-byte
    /// big-endian scalar for ES256, BLS12-381 and SM2, the 32-byte seed xi of FIPS 204 for ML-DSA-65, and for the
    /// hybrid the Ed25519 seed followed by the ML-DSA-65 seed.
    ///
    /// # Errors
    /// [`SuiteError::SecretLength`], or [`SuiteError::InvalidSecret`] for a scalar that is zero or not below the group order.
    pub fn from_seed(suite: Suite, seed: &[u8]) -> Result<Self, SuiteError> {
        let (expected, found) = (suite.secret_len(), seed.len());
        let wrong_length = SuiteError::SecretLength {
            suite,
            expected,
            found,
        };
        if expected != found {
            return Err(wrong_length);
        }
        let (first, second) = seed.split_first_chunk::<32>().ok_or(wrong_length)?;
        let secret = match suite {
            Suite::Ed25519 => Some(Secret::Ed25519(ed25519::from_seed(first))),
            Suite::Es256 => es256::from_secret(seed).map(Secret::Es256),
            Suite::MlDsa65 => Some(Secret::MlDsa65(ml_dsa::from_seed(first))),
            Suite::Ed25519MlDsa65 => second
                .first_chunk::<32>()
                .map(|second| Secret::Ed25519MlDsa65(hybrid::from_seeds(first, second))),
            Suite::Bls12381 => bls12381::from_secret(seed).map(Secret::Bls12381),
            #[cfg(feature = "sm")]
            Suite::Sm2 => super::sm2::from_secret(seed).map(Secret::Sm2),
        };
        let secret = secret.ok_or(SuiteError::InvalidSecret { suite })?;
        let public = PublicKey::from_material(secret.public());
        Ok(Self { secret, public })
    }

    /// Reads what [`SigningKey::to_secret_bytes`] wrote; the same as [`SigningKey::from_seed`].
    ///
    /// # Errors
    /// As [`SigningKey::from_seed`].
    pub fn from_secret_bytes(suite: Suite, bytes: &[u8]) -> Result<Self, SuiteError> {
        Self::from_seed(suite, bytes)
    }

    /// The secret, for a keystore to encrypt: [`Suite::secret_len`] bytes, wiped when dropped.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        match &self.secret {
            Secret::Ed25519(key) => Zeroizing::new(key.as_bytes().to_vec()),
            Secret::Es256(key) => {
                let scalar = Zeroizing::new(<[u8; 32]>::from(key.to_bytes()));
                Zeroizing::new(scalar.to_vec())
            }
            Secret::MlDsa65(key) => Zeroizing::new(key.as_seed().to_vec()),
            Secret::Ed25519MlDsa65(key) => Zeroizing::new(hybrid::seeds(key).concat()),
            Secret::Bls12381(key) => Zeroizing::new(key.serialize().to_vec()),
            #[cfg(feature = "sm")]
            Secret::Sm2(key) => {
                let scalar = Zeroizing::new(<[u8; 32]>::from(key.to_bytes()));
                Zeroizing::new(scalar.to_vec())
            }
        }
    }

    /// The key's suite.
    pub const fn suite(&self) -> Suite {
        self.public.suite()
    }

    /// The public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs deterministically: the same key and message always give the same signature.
    ///
    /// Use [`SigningKey::sign_with_rng`] where randomness is at hand and others may observe or disturb the device.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(key) => ed25519::sign(key, message).to_vec(),
            Secret::Es256(key) => es256::sign(key, message).to_vec(),
            Secret::MlDsa65(key) => ml_dsa::sign(key, message),
            Secret::Ed25519MlDsa65(key) => hybrid::sign(key, message),
            Secret::Bls12381(key) => bls12381::sign(key, message).to_vec(),
            #[cfg(feature = "sm")]
            Secret::Sm2(key) => super::sm2::sign(key, message).to_vec(),
        }
    }

    /// Signs with randomness from `rng` mixed into the nonce (hedged), which protects against fault and
    /// side-channel attacks on deterministic nonces. Ed25519 and BLS12-381 have no such mode and stay deterministic.
    pub fn sign_with_rng<R: CryptoRng + ?Sized>(&self, message: &[u8], rng: &mut R) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(key) => ed25519::sign(key, message).to_vec(),
            Secret::Es256(key) => es256::sign_with_rng(key, message, rng).to_vec(),
            Secret::MlDsa65(key) => ml_dsa::sign_with_rng(key, message, rng),
            Secret::Ed25519MlDsa65(key) => hybrid::sign_with_rng(key, message, rng),
            Secret::Bls12381(key) => bls12381::sign(key, message).to_vec(),
            #[cfg(feature = "sm")]
            Secret::Sm2(key) => super::sm2::sign_with_rng(key, message, rng).to_vec(),
        }
    }
}

impl Secret {
    fn public(&self) -> Material {
        match self {
            Self::Ed25519(key) => Material::Ed25519(ed25519::public(key)),
            Self::Es256(key) => Material::Es256(*key.verifying_key()),
            Self::MlDsa65(key) => Material::MlDsa65(ml_dsa::public(key)),
            Self::Ed25519MlDsa65(key) => Material::Ed25519MlDsa65(hybrid::public(key)),
            Self::Bls12381(key) => Material::Bls12381(bls12381::public(key)),
            #[cfg(feature = "sm")]
            Self::Sm2(key) => Material::Sm2(std::sync::Arc::new(key.verifying_key().clone())),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, redacted)", self.suite())
    }
}
