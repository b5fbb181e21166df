//! What all handlers share.

use std::sync::Arc;
use std::time::Duration;

use stele_core::id::{EntryId, LogIndex};
use stele_core::machine::Refusal;
use stele_core::merkle::checkpoint::Note;
use stele_core::receipt::Receipt;
use stele_core::suite::SigningKey;
use stele_core::witness::LogKey;
use stele_epcis::EpcisService;
use stele_ledger::ledger::{Finalised, Ledger, LedgerError, Progress, ProofError, unknown_outcome};
use stele_network::Network;
use stele_office::{Counter, Office};
use stele_registers::Registry;
use stele_resolver::Resolver;
use tokio::sync::{oneshot, watch};

use crate::auth::{ApiToken, Gate, Keystore};
use crate::did_web::WebDocuments;
use crate::index::Index;
use crate::metrics::Metrics;
use crate::office::NodeChain;
use crate::runs::Runs;
use crate::snapshots::Snapshots;
use crate::witnesses::Witnesses;

/// How long a request waits for its entry to become final.
pub const FINAL_WAIT: Duration = Duration::from_secs(30);

/// The node's parts, shared by all requests.
pub struct App {
    /// Who is asked to cosign the log's checkpoints. Before the ledger, which it holds too.
    pub witnesses: Witnesses,
    /// Signs checkpoints where the network key cannot.
    pub log_key: Arc<SigningKey>,
    /// This node's part of a network of several validators; `None` where there is one. Before the ledger, so that the node leaves
    /// the network before its ledger closes.
    pub network: Option<Network>,
    /// Snapshots for new nodes. Before the ledger, which the thread that makes them holds.
    pub snapshots: Snapshots,
    /// Documents of DIDs. Before the ledger, which it holds too.
    pub resolver: Resolver,
    /// Documents of did:web, where the operator lets the node fetch them.
    pub web_documents: Option<WebDocuments>,
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// The registers.
    pub registry: Arc<Registry>,
    /// The read model and what feeds it.
    pub index: Index,
    /// Keys that the node holds.
    pub keystore: Keystore,
    /// The operator's token.
    pub token: ApiToken,
    /// What every request passes: host, origin, quotas, caller, policies.
    pub gate: Gate,
    /// The EPCIS capture and query service.
    pub epcis: Arc<EpcisService>,
    /// Issuers of credentials, and what they keep.
    pub office: Arc<Office>,
    /// Requests for credentials.
    pub counter: Counter,
    /// What ties the office to this node.
    pub chain: Arc<NodeChain>,
    /// Scenario runs.
    pub runs: Runs,
    /// Counters of the API.
    pub metrics: Metrics,
    /// The node's own address.
    pub url: String,
    /// Moves with each final block.
    pub heads: watch::Receiver<u64>,
}

/// Shared by handlers.
pub type SharedApp = Arc<App>;

/// What a submission came to.
pub enum Submitted {
    /// The signatures are good; the entry waits for a block.
    Admitted(EntryId),
    /// The entry is final.
    Final(Box<Finalised>),
}

impl App {
    /// The refusal of whatever changes something, on a node that was started read-only.
    pub fn read_only(&self) -> Option<Refusal> {
        let refusing = self.ledger.is_read_only().then(|| self.ledger.refusing());
        refusing.flatten()
    }

    /// Submits an entry and waits: for finality, or only until it is admitted.
    ///
    /// # Errors
    /// A [`Refusal`]: the entry was not ordered, or with the code `node.unknown-outcome` nobody here knows.
    pub async fn submit(&self, bytes: Vec<u8>, wait_final: bool) -> Result<Submitted, Refusal> {
        let (sender, receiver) = oneshot::channel();
        let mut sender = Some(sender);
        let id = self.ledger.submit(bytes, move |progress| {
            let answer = match progress {
                Progress::Admitted(_) if wait_final => return,
                Progress::Admitted(id) => Ok(Submitted::Admitted(id)),
                Progress::Final(done) => Ok(Submitted::Final(done)),
                Progress::Refused(refusal) | Progress::Unknown(refusal) => Err(refusal),
            };
            if let Some(sender) = sender.take() {
                // The client may have gone; the entry goes its way all the same.
                let _ = sender.send(answer);
            }
        })?;
        match tokio::time::timeout(FINAL_WAIT, receiver).await {
            Ok(Ok(answer)) => answer,
            // Not known to be lost: saying "refused" here could be a lie.
            Ok(Err(_)) => Err(unknown_outcome(&id, "this node is closing")),
            Err(_) => Err(unknown_outcome(
                &id,
                "it waits for longer than a request does",
            )),
        }
    }

    /// The receipt of a final entry: under the newest cosigned block that covers it where there are witnesses, under its own
    /// block otherwise.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn entry_receipt(&self, index: LogIndex, with_entry: bool) -> Result<Receipt, LedgerError> {
        let Some((height, lines)) = self.witnesses.best_for(index) else {
            return self.ledger.entry_receipt(index, with_entry);
        };
        let mut receipt = self.ledger.entry_receipt_at(index, height, with_entry)?;
        receipt.witnesses = lines;
        Ok(receipt)
    }

    /// A receipt for state keys, with the witness lines of its block where there are some.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn state_receipt(&self, keys: &[(&str, &[u8])]) -> Result<Receipt, ProofError> {
        let mut receipt = self.ledger.state_receipt(keys)?;
        receipt.witnesses = self.witnesses.lines_of(&receipt.certificate);
        Ok(receipt)
    }

    /// The log's checkpoint under its signatures: the newest that witnesses cosigned, or the newest of all where none did.
    pub fn checkpoint(&self) -> Note {
        let (certificate, lines) = self
            .witnesses
            .newest()
            .unwrap_or_else(|| (self.ledger.head().certificate, Vec::new()));
        let mut note = self.ledger.checkpoint_note(&certificate, &self.log_key);
        note.signatures.extend(lines);
        note
    }

    /// The keys under which the checkpoint verifies, as C2SP verifier keys.
    pub fn log_keys(&self) -> Vec<String> {
        let keys = self.ledger.log_keys(self.log_key.public());
        keys.iter().map(LogKey::format).collect()
    }

    /// The log index of an entry, waiting for the read model to reach what is final.
    ///
    /// # Errors
    /// A text for the log when the read model fails.
    pub async fn find_entry(&self, id: EntryId) -> Result<Option<LogIndex>, String> {
        if let Some(found) = self.index.log_index(&id)? {
            return Ok(Some(found));
        }
        self.index
            .caught_up(self.ledger.head().log_size(), Duration::from_secs(5))
            .await;
        self.index.log_index(&id)
    }
}
