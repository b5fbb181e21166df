//! What a verifier keeps of a network: its id and its key.

use crate::genesis::Genesis;
use crate::id::NetworkId;
use crate::suite::PublicKey;

/// A network's id and the one key under which its receipts verify.
#[derive(Debug, Clone)]
pub struct NetworkDescriptor {
    /// The network's name; for people only.
    pub name: String,
    /// The network's id.
    pub network: NetworkId,
    /// The network key.
    pub key: PublicKey,
}

/// Why a descriptor contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptorError {
    /// The genesis has another hash than the network id.
    #[error("the genesis given does not belong to the network {0}")]
    OtherGenesis(NetworkId),
    /// The genesis names another network key.
    #[error("the genesis names another network key")]
    OtherKey,
}

impl NetworkDescriptor {
    /// The descriptor that a genesis implies.
    pub fn of_genesis(genesis: &Genesis) -> Self {
        Self {
            name: genesis.name.clone(),
            network: genesis.network_id(),
            key: genesis.network_key.clone(),
        }
    }

    /// Checks the descriptor against a genesis.
    ///
    /// # Errors
    /// [`DescriptorError`] when they disagree.
    pub fn check_genesis(&self, genesis: &Genesis) -> Result<(), DescriptorError> {
        if genesis.network_id() != self.network {
            return Err(DescriptorError::OtherGenesis(self.network));
        }
        if genesis.network_key.kid() != self.key.kid() {
            return Err(DescriptorError::OtherKey);
        }
        Ok(())
    }
}
