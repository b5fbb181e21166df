//! The node's answers.

use serde::{Deserialize, Serialize};
use stele_core::id::EntryId;

/// The newest final block, as `/v1/network` tells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    /// Its height.
    pub height: u64,
    /// Its time, in milliseconds since 1970.
    pub time_ms: u64,
    /// Entries in the log.
    pub log_size: u64,
    /// The state root, in hex.
    pub state_root: String,
}

/// `/v1/network`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkInfo {
    /// `stele-network/1`.
    pub format: String,
    /// The network's name.
    pub name: String,
    /// Its id, in hex.
    pub network_id: String,
    /// Its key, a COSE_Key in hex.
    pub key: String,
    /// Its genesis, in hex.
    pub genesis: String,
    /// The newest final block.
    pub head: Head,
}

/// Applied or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeSummary {
    /// Whether all commands applied.
    pub applied: bool,
    /// The rule that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Which command was refused, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_index: Option<u64>,
    /// Why, in words; the node knows it only at the time of submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The next step, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// An answer with its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, below 400.
    pub status: u16,
    /// The headers; those that are not text are left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The answer to a submission that waited for finality.
#[derive(Debug, Clone)]
pub struct Final {
    /// The entry.
    pub entry_id: EntryId,
    /// Its place in the log.
    pub log_index: u64,
    /// The block.
    pub height: u64,
    /// The block's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// What became of it.
    pub outcome: OutcomeSummary,
}

/// One line of a list of entries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntrySummary {
    /// The entry's id, in hex.
    pub entry_id: String,
    /// Its place in the log.
    pub log_index: u64,
    /// The block.
    pub height: u64,
    /// The block's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// The register.
    pub register: String,
    /// The signer's DID.
    pub party: String,
    /// The signer's name, where it has one.
    #[serde(default)]
    pub party_name: Option<String>,
    /// The names of the commands.
    pub commands: Vec<String>,
    /// What became of it.
    pub outcome: OutcomeSummary,
}

/// State values as of one block, proven together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenStates {
    /// The receipt.
    pub receipt: Vec<u8>,
    /// The values in the order in which they were asked for; `None` where a key holds nothing.
    pub values: Vec<Option<Vec<u8>>>,
}
