//! This node's seat in a network of several: its node key, its shares of the network key, where it listens.
//!
//! | path in the home | holds |
//! |---|---|
//! | `validator/node.key` | the seed of the node key; readable by its owner only |
//! | `validator/share-N.key` | the share of committee N; readable by its owner only |
//! | `validator/dealing-R-KEY.key` | what a validator dealt to this node in round R; readable by its owner only |
//! | `validator/seat.json` | where the node listens for other nodes, and which followers may connect |
//! | `network.bundle` | genesis and block 0: all that another node needs to join |
//! | `engine/` | the BFT engine's own files |

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stele_core::block::Certificate;
use stele_core::cbor::{DecodeError, Decoder, Encoder};
use stele_core::genesis::{GENESIS_BYTES_MAX, Genesis};
use stele_ledger::ledger::Ledger;
use stele_network::NetworkOptions;
use stele_network::keys::{NodeKey, Secrets as _, SecretsFolder, Share};
use stele_registers::Registry;

use crate::{Home, NodeError, descriptor_json};

/// What `seat.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeatFile {
    /// Where the node listens for other nodes.
    listen: SocketAddr,
    /// Node keys, in hex, of nodes without a vote that may connect and read.
    #[serde(default)]
    followers: Vec<String>,
}

/// A node's seat, as its files hold it.
#[derive(Debug)]
pub struct SeatFiles {
    /// The node key.
    pub node_key: NodeKey,
    /// Its shares of the network key; none on a follower.
    pub secrets: SecretsFolder,
    /// Settings of the network.
    pub options: NetworkOptions,
}

/// Genesis and block 0 of a network: what a node joins it with.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// The genesis.
    pub genesis: Genesis,
    /// Block 0 under the network key.
    pub block_zero: Certificate,
}

impl Bundle {
    /// The bytes of a `network.bundle`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(3)
            .uint(1)
            .bytes(&self.genesis.encode())
            .bytes(&self.block_zero.encode());
        out.into_vec()
    }

    /// Reads a `network.bundle`.
    ///
    /// # Errors
    /// A text that says what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let words = |error: DecodeError| error.to_string();
        let mut decoder = Decoder::new(bytes);
        decoder
            .array_of(3, "a bundle of three parts")
            .map_err(words)?;
        decoder.exactly(1, "version 1").map_err(words)?;
        let genesis = decoder.bytes(GENESIS_BYTES_MAX).map_err(words)?;
        let block_zero = decoder.bytes(1024).map_err(words)?;
        decoder.finish().map_err(words)?;
        let genesis = Genesis::decode(genesis).map_err(words)?;
        let block_zero = Certificate::decode(block_zero).map_err(|error| error.to_string())?;
        block_zero
            .verify(&genesis.network_key)
            .map_err(|error| format!("block 0 is not signed by the network: {error}"))?;
        Ok(Self {
            genesis,
            block_zero,
        })
    }
}

pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> NodeError {
    let path = path.to_owned();
    move |source| NodeError::Io {
        action,
        path,
        source,
    }
}

/// Writes a file as a whole: what was there before stays until the new content is on the disk.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), NodeError> {
    let temporary = path.with_extension("tmp");
    let mut file = fs::File::create(&temporary).map_err(io("create", &temporary))?;
    file.write_all(bytes).map_err(io("write", &temporary))?;
    file.sync_all().map_err(io("sync", &temporary))?;
    fs::rename(&temporary, path).map_err(io("rename", &temporary))?;
    let dir = path.parent().expect("a file in a folder");
    fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io("sync", dir))
}

impl Home {
    pub(crate) fn seat(&self) -> PathBuf {
        self.dir().join("validator")
    }

    pub(crate) fn node_key(&self) -> PathBuf {
        self.seat().join("node.key")
    }

    /// The share of a committee.
    pub(crate) fn share(&self, committee: u64) -> PathBuf {
        self.seat().join(format!("share-{committee}.key"))
    }

    /// Whether this home has a seat in a network of several, with its ledger.
    pub(crate) fn has_seat(&self) -> bool {
        self.seat().join("seat.json").exists()
    }

    /// The file that other nodes join with.
    pub fn bundle(&self) -> PathBuf {
        self.dir().join("network.bundle")
    }

    /// Takes a seat in a network of several: writes its ledger with block 0, its keys and its settings into this home.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn take_seat(
        &self,
        bundle: &Bundle,
        registry: &Registry,
        node_key: &NodeKey,
        share: Option<&Share>,
        listen: SocketAddr,
        followers: &[[u8; 32]],
    ) -> Result<(), NodeError> {
        let seat = self.seat();
        fs::create_dir_all(&seat).map_err(io("create", &seat))?;
        node_key.save(&self.node_key())?;
        if let Some(share) = share {
            SecretsFolder::new(&seat).keep_share(1, share)?;
        }
        write_durably(&self.bundle(), &bundle.encode())?;
        let descriptor = descriptor_json(&bundle.genesis);
        let text = serde_json::to_string_pretty(&descriptor).expect("plain data") + "\n";
        write_durably(&self.descriptor(), text.as_bytes())?;
        let ledger = self.ledger();
        // What an interrupted attempt has finished already is not made twice.
        let made = Ledger::exists(&ledger) && Ledger::read_genesis(&ledger)? == bundle.genesis;
        if !made {
            Ledger::create_certified(&ledger, &bundle.genesis, registry, &bundle.block_zero)?;
        }
        let file = SeatFile {
            listen,
            followers: followers.iter().map(hex::encode).collect(),
        };
        let text = serde_json::to_string_pretty(&file).expect("plain data") + "\n";
        // Last: the seat is taken when this file is there.
        write_durably(&seat.join("seat.json"), text.as_bytes())
    }

    /// The seat in this home; `None` where there is none.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn read_seat(&self) -> Result<Option<SeatFiles>, NodeError> {
        let seat = self.seat();
        let path = seat.join("seat.json");
        if !path.exists() {
            return Ok(None);
        }
        let damaged = |hint| NodeError::Damaged {
            what: path.display().to_string(),
            hint,
        };
        let text = fs::read_to_string(&path).map_err(io("read", &path))?;
        let file: SeatFile = serde_json::from_str(&text).map_err(|_| {
            damaged("it is JSON with `listen` (an address) and `followers` (node keys in hex)")
        })?;
        let mut options = NetworkOptions::new(file.listen, self.dir().join("engine"));
        for follower in &file.followers {
            let mut key = [0; 32];
            hex::decode_to_slice(follower, &mut key)
                .map_err(|_| damaged("a follower is a node key: 64 hexadecimal digits"))?;
            options.followers.push(key);
        }
        Ok(Some(SeatFiles {
            node_key: NodeKey::load(&self.node_key())?,
            secrets: SecretsFolder::new(seat),
            options,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_bundle_is_refused_in_words() {
        for bytes in [&b""[..], b"not a bundle", &[0x83, 0x01, 0x40, 0x40]] {
            assert!(!Bundle::decode(bytes).unwrap_err().is_empty());
        }
    }
}
