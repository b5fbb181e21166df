//! Founding a network of one validator, and the folder a node keeps.
//!
//! | path | holds |
//! |---|---|
//! | `ledger/` | entry log, tree, state (stele-ledger) |
//! | `keys/` | keystore, encrypted under the node's secret or a passphrase |
//! | `node.secret` | random secret that unlocks the node's own keys and is the source of the API token and of the log key; readable by its owner only |
//! | `network.json` | the descriptor that verifiers keep |
//! | `policies.cedar` | the operator's own API policies, if any (docs/security.md) |
//! | `index.db`, `epcis.db` | read model and captured documents |
//! | `offices.db` | issuers of credentials, their offers and status lists |

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;
use stele_core::genesis::{Genesis, Member};
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Ledger, system_time};
use stele_registers::Registry;

use crate::NodeError;
use crate::auth::Keystore;
use crate::local_network::registers_of;

/// Name of the network's own key in the keystore.
pub const NETWORK_KEY: &str = "network";
/// Name of the operator's key: the founding member and first steward.
pub const OPERATOR_KEY: &str = "operator";

/// Where a node keeps its files.
#[derive(Debug, Clone)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// The folder `dir`; nothing is touched yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The ledger's folder.
    pub fn ledger(&self) -> PathBuf {
        self.dir.join("ledger")
    }

    /// The keystore's folder.
    pub fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// The read model's file.
    pub fn index(&self) -> PathBuf {
        self.dir.join("index.db")
    }

    /// The captured EPCIS documents' file.
    pub fn epcis(&self) -> PathBuf {
        self.dir.join("epcis.db")
    }

    /// Issuers, their offers and what they issued.
    pub fn offices(&self) -> PathBuf {
        self.dir.join("offices.db")
    }

    /// Snapshots that the node offers to new nodes.
    pub fn snapshots(&self) -> PathBuf {
        self.dir.join("snapshots")
    }

    /// The records of rolls; made anew from the log where it is missing.
    pub fn rolls(&self) -> PathBuf {
        self.dir.join("rolls.dat")
    }

    /// The network descriptor's file.
    pub fn descriptor(&self) -> PathBuf {
        self.dir.join("network.json")
    }

    /// The API's own policies, when the operator wrote some.
    pub fn policies(&self) -> PathBuf {
        self.dir.join("policies.cedar")
    }

    /// The folder of scenario reports.
    pub fn reports(&self) -> PathBuf {
        self.dir.join("reports")
    }

    /// The node's secret, made at first use.
    ///
    /// # Errors
    /// [`NodeError::Io`].
    pub fn secret(&self) -> Result<[u8; 32], NodeError> {
        let path = self.dir.join("node.secret");
        if let Ok(text) = fs::read_to_string(&path) {
            let mut secret = [0; 32];
            if hex::decode_to_slice(text.trim(), &mut secret).is_ok() {
                return Ok(secret);
            }
            return Err(NodeError::Damaged {
                what: path.display().to_string(),
                hint: "restore it from a backup: the node's keys are encrypted under it",
            });
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the system gives random bytes");
        let failed = |source| NodeError::Io {
            action: "write",
            path: path.clone(),
            source,
        };
        fs::create_dir_all(&self.dir).map_err(failed)?;
        fs::set_permissions(&self.dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        file.write_all(hex::encode(secret).as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        Ok(secret)
    }

    /// Founds a network of one validator here, unless there is one: keys, genesis, block 0, descriptor.
    /// Returns whether it was founded now.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn found_network(
        &self,
        name: &str,
        keystore: &Keystore,
        registry: &Registry,
    ) -> Result<bool, NodeError> {
        if Ledger::exists(&self.ledger()) {
            return Ok(false);
        }
        let network = self.key_or_new(keystore, NETWORK_KEY)?;
        let operator = self.key_or_new(keystore, OPERATOR_KEY)?;
        let genesis = Genesis {
            name: name.to_owned(),
            time: system_time(),
            network_key: network.public().clone(),
            members: vec![Member {
                name: format!("Operator of {name}"),
                key: operator.public().clone(),
            }],
            registers: registers_of(registry),
            committee: None,
        };
        Ledger::create(&self.ledger(), &genesis, registry, &network)?;
        let descriptor = descriptor_json(&genesis);
        let text = serde_json::to_string_pretty(&descriptor).expect("plain data") + "\n";
        let path = self.descriptor();
        fs::write(&path, text).map_err(|source| NodeError::Io {
            action: "write",
            path,
            source,
        })?;
        Ok(true)
    }

    fn key_or_new(&self, keystore: &Keystore, name: &str) -> Result<SigningKey, NodeError> {
        if !keystore.contains(name) {
            keystore.generate(name, Suite::Ed25519)?;
        }
        Ok(keystore.unlock(name)?)
    }
}

/// The network descriptor (docs/format.md section 8).
pub fn descriptor_json(genesis: &Genesis) -> serde_json::Value {
    json!({
        "format": "stele-network/1",
        "name": genesis.name,
        "network_id": genesis.network_id().to_string(),
        "key": hex::encode(genesis.network_key.to_cose_key()),
        "genesis": hex::encode(genesis.encode()),
    })
}
