//! What an office needs of a ledger and of a keystore.

use std::sync::Arc;

use serde_json::Value;
use stele_core::id::PartyId;
use stele_core::suite::SigningKey;
use stele_credentials::Refusal;
use stele_credentials::jose::PublicKey;

/// A key with the party whose key it is.
#[derive(Clone)]
pub struct SigningParty {
    /// Signs credentials.
    pub key: Arc<SigningKey>,
    /// The party.
    pub party: PartyId,
    /// What the party calls itself on the ledger, if it has a name.
    pub name: Option<String>,
}

impl SigningParty {
    /// The party's DID.
    pub fn did(&self) -> String {
        self.party.did()
    }

    /// The DID URL of the key, as the party's document lists it.
    pub fn key_id(&self) -> String {
        format!("{}#{}", self.did(), self.key.public().kid())
    }
}

/// A ledger, and the keys of those who sign on it. Calls may wait.
pub trait Chain: Send + Sync {
    /// The key of a name, and whose it is.
    ///
    /// # Errors
    /// `office.key`.
    fn signer(&self, key: &str) -> Result<SigningParty, Refusal>;

    /// Signs a command of the register `credential` with the key of a name, and waits until it is final.
    ///
    /// # Errors
    /// `office.chain-refused`.
    fn submit(&self, key: &str, command: &str, body: Value) -> Result<(), Refusal>;

    /// A receipt of state keys of the register `credential`.
    ///
    /// # Errors
    /// `office.chain-refused`.
    fn receipt(&self, keys: &[Vec<u8>]) -> Result<Vec<u8>, Refusal>;

    /// The key that a DID's document lists for assertions under a DID URL, or its only one.
    ///
    /// # Errors
    /// `office.issuer-key-unknown`, and those of the DID's method.
    fn assertion_key(&self, did: &str, key_id: Option<&str>) -> Result<PublicKey, Refusal>;
}
