//! Who decides in which epoch, and with which keys votes are checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Epoch;
use commonware_cryptography::certificate::{Provider, Scoped};
use commonware_cryptography::ed25519;
use commonware_utils::ordered::Set;
use parking_lot::RwLock;
use stele_core::id::{NetworkId, PartyId};

use crate::keys::{NodeKey, Sharing};

/// One validator of a committee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// The member that runs it.
    pub party: PartyId,
    /// Its key on links and for votes.
    pub node_key: [u8; 32],
    /// Where it listens, as `host:port`.
    pub address: String,
}

/// The validators of a stretch of epochs, and the public side of their shares of the network key.
#[derive(Debug, Clone)]
pub struct Committee {
    /// 1 for the founders, one more with each change.
    pub number: u64,
    /// Sorted by node key; a validator's place is its index in votes and shares.
    pub validators: Vec<Validator>,
    /// The public polynomial of the shares.
    pub sharing: Sharing,
}

impl Committee {
    /// The validators' keys in the engine's type.
    pub(crate) fn keys(&self) -> Set<ed25519::PublicKey> {
        Set::from_iter_dedup(
            self.validators
                .iter()
                .filter_map(|validator| crate::keys::engine_key(&validator.node_key)),
        )
    }

    /// The index of a node key.
    pub fn index_of(&self, node_key: &[u8; 32]) -> Option<usize> {
        self.validators
            .iter()
            .position(|validator| validator.node_key == *node_key)
    }
}

/// What the votes of a network are signed under besides their content.
pub(crate) fn consensus_namespace(network: &NetworkId) -> Vec<u8> {
    [b"stele-consensus/".as_slice(), network.as_bytes()].concat()
}

struct InEpoch {
    committee: Arc<Committee>,
    scheme: Arc<Scheme>,
}

/// The committees of the epochs that this node knows.
#[derive(Clone)]
pub(crate) struct Committees {
    namespace: Arc<[u8]>,
    me: Arc<NodeKey>,
    epochs: Arc<RwLock<BTreeMap<u64, InEpoch>>>,
    in_force: Arc<AtomicU64>,
}

/// How many epochs behind the newest are kept: marshal asks for older ones only while it catches up, in order.
const EPOCHS_KEPT: usize = 8;

impl Committees {
    pub(crate) fn new(network: &NetworkId, me: Arc<NodeKey>) -> Self {
        Self {
            namespace: consensus_namespace(network).into(),
            me,
            epochs: Arc::default(),
            in_force: Arc::default(),
        }
    }

    /// The state names this committee: it decides from the next epoch on.
    pub(crate) fn in_force(&self, number: u64) {
        self.in_force.fetch_max(number, Ordering::Relaxed);
    }

    /// Whether a later committee than this one waits for the epoch to end.
    pub(crate) fn is_outdated(&self, number: u64) -> bool {
        self.in_force.load(Ordering::Relaxed) > number
    }

    /// Lets `committee` decide in `epoch`.
    pub(crate) fn enter(&self, epoch: u64, committee: Arc<Committee>) {
        let keys = committee.keys();
        let signer = Scheme::signer(&self.namespace, keys.clone(), self.me.engine_key());
        let scheme = signer.unwrap_or_else(|| Scheme::verifier(&self.namespace, keys));
        let mut epochs = self.epochs.write();
        epochs.insert(
            epoch,
            InEpoch {
                committee,
                scheme: Arc::new(scheme),
            },
        );
        while epochs.len() > EPOCHS_KEPT {
            epochs.pop_first();
        }
    }

    pub(crate) fn of(&self, epoch: u64) -> Option<Arc<Committee>> {
        let epochs = self.epochs.read();
        epochs.get(&epoch).map(|entry| Arc::clone(&entry.committee))
    }

    /// The committee with this number, if it decides in an epoch that is still known.
    pub(crate) fn numbered(&self, number: u64) -> Option<Arc<Committee>> {
        let epochs = self.epochs.read();
        let mut entries = epochs.values().rev();
        let entry = entries.find(|entry| entry.committee.number == number)?;
        Some(Arc::clone(&entry.committee))
    }

    pub(crate) fn votes(&self, epoch: u64) -> bool {
        self.of(epoch)
            .is_some_and(|committee| committee.index_of(&self.me.public()).is_some())
    }
}

impl Provider for Committees {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        let epochs = self.epochs.read();
        let entry = epochs.get(&epoch.get())?;
        Some(Scoped::scheme(Arc::clone(&entry.scheme)))
    }
}
