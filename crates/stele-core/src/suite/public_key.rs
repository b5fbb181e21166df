//! Public keys of every suite behind one type.

use core::fmt;
use core::hash::{Hash, Hasher};

use super::{Suite, SuiteError, bls12381, cose_key, ed25519, es256, hybrid, ml_dsa};
use crate::id::{KeyId, sha256};

/// A public key, parsed and ready to verify; cheap to clone.
///
/// Two keys are equal when their COSE_Keys are. An Ed25519 key given in a non-canonical encoding
/// (ZIP-215 admits it) is thus another key than the canonical one of the same point.
#[derive(Clone)]
pub struct PublicKey {
    pub(super) material: Material,
    kid: KeyId,
}

/// What a suite needs to verify.
#[derive(Clone)]
pub(super) enum Material {
    Ed25519(ed25519::Public),
    Es256(es256::Public),
    MlDsa65(ml_dsa::Public),
    Ed25519MlDsa65(hybrid::Public),
    Bls12381(bls12381::Public),
    #[cfg(feature = "sm")]
    Sm2(super::sm2::Public),
}

impl PublicKey {
    /// Reads a COSE_Key (docs/format.md section 2).
    ///
    /// # Errors
    /// - [`SuiteError::UnknownKey`] for any bytes but the deterministic encoding of exactly the members listed there.
    /// - [`SuiteError::InvalidKey`] if the members are no public key of the suite they name.
    pub fn from_cose_key(encoded: &[u8]) -> Result<Self, SuiteError> {
        let (suite, bytes) = cose_key::decode(encoded)?;
        let material = match suite {
            Suite::Ed25519 => ed25519::parse(&bytes).map(Material::Ed25519),
            Suite::Es256 => es256::parse(&bytes).map(Material::Es256),
            Suite::MlDsa65 => ml_dsa::parse(&bytes).map(Material::MlDsa65),
            Suite::Ed25519MlDsa65 => hybrid::parse(&bytes).map(Material::Ed25519MlDsa65),
            Suite::Bls12381 => bls12381::parse(&bytes).map(Material::Bls12381),
            #[cfg(feature = "sm")]
            Suite::Sm2 => super::sm2::parse(&bytes).map(Material::Sm2),
        };
        let material = material.ok_or(SuiteError::InvalidKey { suite })?;
        Ok(Self {
            material,
            kid: KeyId::from_bytes(sha256(&[encoded])),
        })
    }

    /// The Ed25519 key with these 32 bytes (RFC 8032 section 5.1.5; read as ZIP-215 says).
    ///
    /// # Errors
    /// [`SuiteError::InvalidKey`] if they are no point of the curve.
    pub fn from_ed25519(bytes: &[u8; 32]) -> Result<Self, SuiteError> {
        let key = ed25519::parse(bytes).ok_or(SuiteError::InvalidKey {
            suite: Suite::Ed25519,
        })?;
        Ok(Self::from_material(Material::Ed25519(key)))
    }

    /// Wraps key material that is known to be good.
    pub(super) fn from_material(material: Material) -> Self {
        let kid = KeyId::from_bytes(sha256(&[&material.to_cose_key()]));
        Self { material, kid }
    }

    /// Writes the COSE_Key; the inverse of [`PublicKey::from_cose_key`].
    pub fn to_cose_key(&self) -> Vec<u8> {
        self.material.to_cose_key()
    }

    /// The key's COSE Key thumbprint with SHA-256 (RFC 9679).
    pub const fn kid(&self) -> KeyId {
        self.kid
    }

    /// The key's suite.
    pub const fn suite(&self) -> Suite {
        self.material.suite()
    }

    /// Whether the key, or the Ed25519 half of a hybrid one, is an Ed25519 point of small order. ZIP-215 admits these 14 encodings,
    /// but anyone can sign for them, so no party may register one.
    pub fn is_small_order(&self) -> bool {
        match &self.material {
            Material::Ed25519(key) => ed25519::is_small_order(key),
            Material::Ed25519MlDsa65(key) => hybrid::is_small_order(key),
            _ => false,
        }
    }

    /// Whether a party may sign entries with the key: it is of a suite [for parties](Suite::is_for_parties) and not of small order.
    pub fn is_for_parties(&self) -> bool {
        self.suite().is_for_parties() && !self.is_small_order()
    }

    /// Verifies `signature` over `message`, made under COSE algorithm `alg`.
    ///
    /// # Errors
    /// In this order: [`SuiteError::UnknownAlgorithm`], [`SuiteError::AlgorithmMismatch`],
    /// [`SuiteError::SignatureLength`], [`SuiteError::BadSignature`].
    pub fn verify(&self, alg: i64, message: &[u8], signature: &[u8]) -> Result<(), SuiteError> {
        let suite = Suite::from_algorithm(alg, self)?;
        suite.check_signature_len(signature)?;
        let good = match &self.material {
            Material::Ed25519(key) => ed25519::verify(key, message, signature),
            Material::Es256(key) => es256::verify(key, message, signature),
            Material::MlDsa65(key) => ml_dsa::verify(key, message, signature),
            Material::Ed25519MlDsa65(key) => hybrid::verify(key, message, signature),
            Material::Bls12381(key) => bls12381::verify(key, message, signature),
            #[cfg(feature = "sm")]
            Material::Sm2(key) => super::sm2::verify(key, message, signature),
        };
        if good {
            Ok(())
        } else {
            Err(SuiteError::BadSignature { suite })
        }
    }
}

impl Material {
    const fn suite(&self) -> Suite {
        match self {
            Self::Ed25519(_) => Suite::Ed25519,
            Self::Es256(_) => Suite::Es256,
            Self::MlDsa65(_) => Suite::MlDsa65,
            Self::Ed25519MlDsa65(_) => Suite::Ed25519MlDsa65,
            Self::Bls12381(_) => Suite::Bls12381,
            #[cfg(feature = "sm")]
            Self::Sm2(_) => Suite::Sm2,
        }
    }

    fn to_cose_key(&self) -> Vec<u8> {
        let bytes = match self {
            Self::Ed25519(key) => ed25519::material(key).to_vec(),
            Self::Es256(key) => es256::material(key),
            Self::MlDsa65(key) => ml_dsa::material(key),
            Self::Ed25519MlDsa65(key) => hybrid::material(key),
            Self::Bls12381(key) => bls12381::material(key),
            #[cfg(feature = "sm")]
            Self::Sm2(key) => super::sm2::material(key),
        };
        cose_key::encode(self.suite(), &bytes)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kid.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.suite(), self.kid)
    }
}
