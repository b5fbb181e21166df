//! The ledger as the network drives it. The only file of this crate that calls the ledger.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use commonware_runtime::Clock;
use stele_core::block::Certificate;
use stele_core::id::{Height, NetworkId, TimeMs};
use stele_core::machine::Fault;
use stele_ledger::ledger::{
    CertifyError, Delivered, FollowError, Ledger, LedgerError, OrderedBlock, Progress, Uncertified,
};
use stele_registers::governance;

use crate::block::{Block, BlockLimits};
use crate::committee::{Committee, Validator};
use crate::keys::{Sharing, SharingError};
use crate::sync::ServedBlock;
use crate::wake::{Waiting, Wake};

/// Why the committee could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitteeError {
    /// The state could not be read.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The committee's sharing could not be read.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// There is none.
    #[error("the network has no such committee")]
    Missing,
}

/// A certificate that the ledger did not take.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct NotTaken(CertifyError);

impl NotTaken {
    /// Whether whoever sent it is to blame.
    pub(crate) fn is_invalid(&self) -> bool {
        matches!(
            self.0,
            CertifyError::Invalid { .. } | CertifyError::OtherNetwork { .. }
        )
    }
}

/// Shared handle to the ledger.
#[derive(Clone)]
pub(crate) struct Chain {
    ledger: Arc<Ledger>,
    moved: Wake,
}

impl Chain {
    pub(crate) fn new(ledger: Arc<Ledger>) -> Self {
        let moved = Wake::default();
        let bell = moved.clone();
        ledger.on_head(move |_| bell.ring());
        Self { ledger, moved }
    }

    /// Rings `pooled` with every entry that comes into the pool, and hands those of this node's clients to `ours`.
    pub(crate) fn on_admitted(
        &self,
        pooled: Wake,
        ours: impl Fn(Vec<Bytes>) + Send + Sync + 'static,
    ) {
        self.ledger.on_admitted(move |entries, is_client| {
            if is_client {
                ours(entries.iter().map(share).collect());
            }
            pooled.ring();
        });
    }

    pub(crate) fn take(
        &self,
        limits: BlockLimits,
        skip: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Vec<Bytes> {
        let entries = self.ledger.pool_take(limits.entries, limits.bytes, skip);
        entries.iter().map(share).collect()
    }

    /// What clients of this node submitted and what still waits, oldest first.
    pub(crate) fn oldest_of_clients(&self, entries_max: usize, bytes_max: usize) -> Vec<Bytes> {
        let entries = self.ledger.pool_oldest_of_clients(entries_max, bytes_max);
        entries.iter().map(share).collect()
    }

    pub(crate) fn order(&self, block: &Block, done: impl FnOnce(Delivered) + Send + 'static) {
        use commonware_consensus::Heightable as _;
        self.ledger.order(OrderedBlock {
            position: block.height().get(),
            time: block.time(),
            entries: block
                .entries()
                .iter()
                .map(|entry| Arc::from(&entry[..]))
                .collect(),
            certificate: None,
            done: Box::new(done),
        });
    }

    /// Executes a block that another node served. `done` hears why it was not, if so.
    pub(crate) fn follow(
        &self,
        block: ServedBlock,
        done: impl FnOnce(Option<FollowError>) + Send + 'static,
    ) {
        self.ledger.order(OrderedBlock {
            position: 0,
            time: block.certificate.header.time,
            entries: block
                .entries
                .iter()
                .map(|entry| Arc::from(&entry[..]))
                .collect(),
            certificate: Some(block.certificate),
            done: Box::new(move |delivered| done(delivered.refused)),
        });
    }

    /// Halts the ledger: more nodes than can be liars have another block of this height than it computes.
    pub(crate) fn diverged(&self, height: Height) {
        self.ledger.diverged(height);
    }

    /// Takes in entries that another node spread.
    pub(crate) fn admit(
        &self,
        entries: Vec<Vec<u8>>,
        blame: impl Fn(&str) + Send + Sync + 'static,
    ) {
        self.ledger.admit_from_peer(entries, move |refusal| {
            blame(&format!("an entry of its is refused: {refusal}"));
        });
    }

    pub(crate) fn committee(&self) -> Result<Committee, CommitteeError> {
        let committee = governance::committee(self.ledger.state())?;
        read_committee(committee.ok_or(CommitteeError::Missing)?)
    }

    /// The number of the committee that the state names.
    pub(crate) fn committee_number(&self) -> Result<u64, CommitteeError> {
        let number = governance::committee_number(self.ledger.state())?;
        number.ok_or(CommitteeError::Missing)
    }

    pub(crate) fn committee_numbered(&self, number: u64) -> Result<Committee, CommitteeError> {
        let committee = governance::committee_numbered(self.ledger.state(), number)?;
        read_committee(committee.ok_or(CommitteeError::Missing)?)
    }

    /// The newest change of the committee.
    pub(crate) fn change(&self) -> Result<Option<governance::Change>, CommitteeError> {
        Ok(governance::change(self.ledger.state())?)
    }

    /// The log of a dealing in the newest round.
    pub(crate) fn dealing(
        &self,
        round: u64,
        node_key: &[u8; 32],
    ) -> Result<Option<Vec<u8>>, CommitteeError> {
        let dealing = governance::dealing(self.ledger.state(), round, node_key);
        Ok(dealing?)
    }

    /// Whether evidence against a validator is on the chain. A state that cannot be read has none to show.
    pub(crate) fn has_evidence(&self, node_key: &[u8; 32], epoch: u64, view: u64) -> bool {
        let found = governance::evidence::has_evidence(self.ledger.state(), node_key, epoch, view);
        found.unwrap_or(false)
    }

    /// Submits an entry of this node's own member; what becomes of it is seen in the state.
    pub(crate) fn submit(&self, entry: Vec<u8>, what: String) {
        let word = what.clone();
        let submitted = self.ledger.submit(entry, move |progress| {
            let refusal = match progress {
                Progress::Refused(refusal) => Some(refusal),
                Progress::Final(done) => done.refusal,
                _ => None,
            };
            if let Some(refusal) = refusal {
                tracing::warn!(what = word, refusal = %refusal, "an entry of this node was refused");
            }
        });
        if let Err(refusal) = submitted {
            tracing::warn!(what, %refusal, "an entry of this node was not taken");
        }
    }

    /// Rings with the next final block.
    pub(crate) fn moved_bell(&self) -> Waiting {
        self.moved.wait()
    }

    pub(crate) fn height(&self) -> Height {
        self.ledger.head().height()
    }

    pub(crate) fn head_time(&self) -> TimeMs {
        self.ledger.head().time()
    }

    pub(crate) fn network(&self) -> NetworkId {
        self.ledger.genesis().network_id()
    }

    pub(crate) fn genesis_time(&self) -> TimeMs {
        self.ledger.genesis().time
    }

    pub(crate) fn waiting(&self) -> Vec<Uncertified> {
        self.ledger.waiting_for_certificate()
    }

    pub(crate) fn certificate(&self, height: Height) -> Option<Certificate> {
        self.ledger.certificate(height).ok()
    }

    pub(crate) fn certified(&self, certificate: Certificate) -> Result<(), NotTaken> {
        self.ledger.certified(certificate).map_err(NotTaken)
    }

    pub(crate) fn blocks(
        &self,
        from: Height,
        blocks_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<ServedBlock>, LedgerError> {
        let blocks = self.ledger.certified_blocks(from, blocks_max, bytes_max)?;
        let served = blocks.into_iter().map(|block| ServedBlock {
            certificate: block.certificate,
            entries: block.entries.into_iter().map(Bytes::from).collect(),
        });
        Ok(served.collect())
    }

    /// Waits for the next final block, at most for `timeout`.
    pub(crate) async fn moved<E: Clock>(&self, clock: &E, timeout: Duration) {
        let moved = self.moved.wait();
        commonware_macros::select! {
            () = moved => {},
            () = clock.sleep(timeout) => {},
        }
    }
}

fn share(entry: &Arc<[u8]>) -> Bytes {
    Bytes::from_owner(Arc::clone(entry))
}

pub(crate) fn read_validators(validators: &[governance::Validator]) -> Vec<Validator> {
    let read = |validator: &governance::Validator| Validator {
        party: validator.party,
        node_key: validator.node_key,
        address: validator.address.clone(),
    };
    validators.iter().map(read).collect()
}

fn read_committee(committee: governance::Committee) -> Result<Committee, CommitteeError> {
    Ok(Committee {
        number: committee.number,
        validators: read_validators(&committee.validators),
        sharing: Sharing::decode(&committee.sharing)?,
    })
}
