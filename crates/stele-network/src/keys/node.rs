//! The key of a node: who it is on links, and what its votes are signed with.

use std::fmt;
use std::path::Path;

use bytes::Bytes;
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::{Signer as _, ed25519};
use stele_core::suite::{SigningKey, Suite};

use super::{KeyError, file};

/// An Ed25519 key of a node. Never printed.
#[derive(Clone)]
pub struct NodeKey {
    secret: ed25519::PrivateKey,
}

impl NodeKey {
    /// A new key.
    ///
    /// # Panics
    /// If the system has no randomness to give.
    pub fn generate() -> Self {
        Self::from_seed(&crate::random::seed())
    }

    /// The key with this seed (RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = ed25519::PrivateKey::decode(Bytes::copy_from_slice(seed));
        Self {
            secret: secret.expect("every 32 bytes are a seed"),
        }
    }

    /// Reads what [`NodeKey::save`] wrote.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let bytes = file::read(path)?;
        let seed = <[u8; 32]>::try_from(&bytes[..]).map_err(|_| KeyError::Damaged {
            path: path.to_owned(),
            expected: "the key of a node",
        })?;
        Ok(Self::from_seed(&seed))
    }

    /// Writes the seed to a file that only its owner reads.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        file::write(path, &self.secret.encode())
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        node_key(&self.secret.public_key())
    }

    /// A secret that follows from this key, for one purpose and context. Nobody without the key can compute it.
    pub(crate) fn derive(&self, purpose: &[u8], context: &[u8]) -> [u8; 32] {
        let length = (purpose.len() as u64).to_be_bytes();
        let secret = self.secret.encode();
        stele_core::id::sha256(&[b"stele/node-secret/1", &secret, &length, purpose, context])
    }

    /// The key in the form that signs what is not the engine's.
    pub(crate) fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(Suite::Ed25519, &self.secret.encode()).expect("every seed is one")
    }

    pub(crate) fn engine_key(&self) -> ed25519::PrivateKey {
        self.secret.clone()
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({}, redacted)", hex::encode(self.public()))
    }
}

/// The engine's form of a public node key; `None` if it is no point of the curve.
pub(crate) fn engine_key(node_key: &[u8; 32]) -> Option<ed25519::PublicKey> {
    ed25519::PublicKey::decode(Bytes::copy_from_slice(node_key)).ok()
}

/// The bytes of a public node key.
pub(crate) fn node_key(key: &ed25519::PublicKey) -> [u8; 32] {
    <[u8; 32]>::try_from(&key.encode()[..]).expect("an Ed25519 key has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file_and_is_not_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let key = NodeKey::from_seed(&[7; 32]);
        key.save(&path).unwrap();
        assert_eq!(NodeKey::load(&path).unwrap().public(), key.public());
        assert_eq!(
            engine_key(&key.public()).map(|key| node_key(&key)),
            Some(key.public())
        );
        assert!(!format!("{key:?}").contains(&hex::encode([7; 32])));
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(
            NodeKey::load(&path),
            Err(KeyError::Damaged { .. })
        ));
    }
}
