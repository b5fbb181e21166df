//! Signature suites by their COSE names: keys, thumbprints, single and batch verification, signing.
//!
//! The encodings are section 2 of docs/format.md; the choices are design note 0002.
//!
//! - [`PublicKey`] is a parsed COSE_Key, ready to verify, with its thumbprint at hand.
//! - [`verify_batch`] gives exactly the verdicts of [`PublicKey::verify`], only faster for Ed25519.
//! - [`SigningKey`] signs; it wipes its secret and never prints it.
//!
//! # Example
//! ```
//! use stele_core::suite::{SigningKey, Suite};
//!
//! let key = SigningKey::from_seed(Suite::Ed25519, &[7; 32])?;
//! let signature = key.sign(b"a message");
//! key.public().verify(Suite::Ed25519.algorithm(), b"a message", &signature)?;
//! # Ok::<(), stele_core::suite::SuiteError>(())
//! ```

mod batch;
mod bls12381;
mod cose_key;
mod ed25519;
mod es256;
mod hybrid;
mod ml_dsa;
mod public_key;
mod signing_key;
#[cfg(feature = "sm")]
mod sm2;

pub use batch::{BatchItem, verify_batch};
pub use public_key::PublicKey;
pub use signing_key::SigningKey;

use core::fmt;

/// A signature suite: an algorithm with all its parameters fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// Ed25519 (RFC 8032), verified by ZIP-215.
    Ed25519,
    /// ECDSA on P-256 with SHA-256 (RFC 9053 section 2.1); either s is accepted.
    Es256,
    /// ML-DSA-65 with the empty context (FIPS 204).
    MlDsa65,
    /// Ed25519 and ML-DSA-65 over the same message; both must verify.
    Ed25519MlDsa65,
    /// BLS signatures on BLS12-381, 48 bytes, for the key of a network alone (draft-irtf-cfrg-bls-signature).
    Bls12381,
    /// SM2 with SM3 and the default signer id (GB/T 32918.2).
    #[cfg(feature = "sm")]
    Sm2,
}

impl Suite {
    /// Every suite of this build.
    pub const ALL: &'static [Self] = &[
        Self::Ed25519,
        Self::Es256,
        Self::MlDsa65,
        Self::Ed25519MlDsa65,
        Self::Bls12381,
        #[cfg(feature = "sm")]
        Self::Sm2,
    ];

    /// The suite's name in docs/format.md, such as `ES256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::Es256 => "ES256",
            Self::MlDsa65 => "ML-DSA-65",
            Self::Ed25519MlDsa65 => "Ed25519+ML-DSA-65",
            Self::Bls12381 => "BLS12-381",
            #[cfg(feature = "sm")]
            Self::Sm2 => "SM2",
        }
    }

    /// The suite with this name, or `None` if this build has none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|suite| suite.name() == name)
    }

    /// The COSE algorithm number that Stele writes.
    pub const fn algorithm(self) -> i64 {
        match self {
            Self::Ed25519 => -19,
            Self::Es256 => -7,
            Self::MlDsa65 => -49,
            Self::Ed25519MlDsa65 => -65600,
            Self::Bls12381 => -65602,
            #[cfg(feature = "sm")]
            Self::Sm2 => -65601,
        }
    }

    /// Whether a signature of this suite may carry `alg`: its own number, and for Ed25519 also the
    /// older `EdDSA` (-8, RFC 9053).
    pub const fn accepts(self, alg: i64) -> bool {
        alg == self.algorithm() || (alg == -8 && matches!(self, Self::Ed25519))
    }

    /// The suite that `alg` means for a signature by `key`.
    ///
    /// # Errors
    /// As [`PublicKey::verify`] for an algorithm that is unknown or does not fit the key.
    pub fn from_algorithm(alg: i64, key: &PublicKey) -> Result<Self, SuiteError> {
        let suite = key.suite();
        if suite.accepts(alg) {
            Ok(suite)
        } else if Self::ALL.iter().any(|other| other.accepts(alg)) {
            Err(SuiteError::AlgorithmMismatch { suite, alg })
        } else {
            Err(SuiteError::UnknownAlgorithm { alg })
        }
    }

    /// Length of a signature in bytes.
    pub const fn signature_len(self) -> usize {
        match self {
            Self::Ed25519 | Self::Es256 => 64,
            Self::MlDsa65 => ml_dsa::SIGNATURE_LEN,
            Self::Ed25519MlDsa65 => 64 + ml_dsa::SIGNATURE_LEN,
            Self::Bls12381 => bls12381::SIGNATURE_LEN,
            #[cfg(feature = "sm")]
            Self::Sm2 => 64,
        }
    }

    /// Length of a secret key in bytes, as [`SigningKey::to_secret_bytes`] writes it.
    pub const fn secret_len(self) -> usize {
        match self {
            Self::Ed25519MlDsa65 => 64,
            _ => 32,
        }
    }

    /// Whether a party may sign entries with keys of this suite. The key of a network signs its blocks and nothing else.
    pub const fn is_for_parties(self) -> bool {
        !matches!(self, Self::Bls12381)
    }

    /// Refuses a signature of the wrong length before any arithmetic.
    fn check_signature_len(self, signature: &[u8]) -> Result<(), SuiteError> {
        let (expected, found) = (self.signature_len(), signature.len());
        if expected == found {
            Ok(())
        } else {
            Err(SuiteError::SignatureLength {
                suite: self,
                expected,
                found,
            })
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a key or a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// The bytes are not the COSE_Key of any suite of this build, in its one permitted encoding.
    #[error("not a COSE_Key of a known suite in its deterministic encoding")]
    UnknownKey,
    /// The COSE_Key names a suite, but its content is no public key of it (such as a point off the curve).
    #[error("the COSE_Key holds no valid {suite} public key")]
    InvalidKey {
        /// The suite that the COSE_Key names.
        suite: Suite,
    },
    /// No suite of this build has this algorithm number.
    #[error("unknown COSE algorithm {alg}")]
    UnknownAlgorithm {
        /// The number found.
        alg: i64,
    },
    /// The algorithm belongs to another suite than the key.
    #[error("COSE algorithm {alg} does not fit a key of suite {suite}")]
    AlgorithmMismatch {
        /// The key's suite.
        suite: Suite,
        /// The number found.
        alg: i64,
    },
    /// The signature has the wrong length.
    #[error("a {suite} signature has {expected} bytes, found {found}")]
    SignatureLength {
        /// The key's suite.
        suite: Suite,
        /// The suite's signature length, in bytes.
        expected: usize,
        /// The length found, in bytes.
        found: usize,
    },
    /// The signature does not verify.
    #[error("the {suite} signature does not verify")]
    BadSignature {
        /// The key's suite.
        suite: Suite,
    },
    /// The secret key has the wrong length.
    #[error("a {suite} secret key has {expected} bytes, found {found}")]
    SecretLength {
        /// The suite asked for.
        suite: Suite,
        /// The suite's secret length, in bytes.
        expected: usize,
        /// The length found, in bytes.
        found: usize,
    },
    /// The bytes are not a secret key (a scalar of zero, or not below the group order).
    #[error("not a valid {suite} secret key")]
    InvalidSecret {
        /// The suite asked for.
        suite: Suite,
    },
}
