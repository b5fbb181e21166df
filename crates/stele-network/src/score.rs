//! Peers that send what no honest node sends are cut off, with a metric and a line in the log.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use commonware_cryptography::ed25519;
use parking_lot::Mutex;

use crate::keys::node_key;

/// Cuts a peer off.
type Block = Arc<dyn Fn(ed25519::PublicKey) + Send + Sync>;

/// Faults by peer.
#[derive(Clone)]
pub(crate) struct Score {
    faults: Arc<Mutex<BTreeMap<[u8; 32], Faults>>>,
    block: Block,
}

/// What a peer did wrong so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// How often.
    pub count: u64,
    /// The last one, in words.
    pub last: String,
}

impl Score {
    pub(crate) fn new(block: impl Fn(ed25519::PublicKey) + Send + Sync + 'static) -> Self {
        Self {
            faults: Arc::default(),
            block: Arc::new(block),
        }
    }

    /// The peer sent bytes that are not a message.
    pub(crate) fn malformed(&self, peer: &ed25519::PublicKey, what: &str, error: &dyn Display) {
        self.blame(peer, &format!("{what} could not be read: {error}"));
    }

    /// The peer sent what no honest node sends.
    pub(crate) fn blame(&self, peer: &ed25519::PublicKey, fault: &str) {
        let key = node_key(peer);
        tracing::warn!(peer = %hex::encode(key), fault, "a peer is cut off");
        let mut faults = self.faults.lock();
        let entry = faults.entry(key).or_default();
        entry.count += 1;
        fault.clone_into(&mut entry.last);
        drop(faults);
        (self.block)(peer.clone());
    }

    /// Every peer that was blamed.
    pub(crate) fn all(&self) -> BTreeMap<[u8; 32], Faults> {
        self.faults.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{NodeKey, engine_key};

    #[test]
    fn whoever_is_blamed_is_cut_off_and_counted() {
        let cut_off = Arc::new(Mutex::new(Vec::new()));
        let score = Score::new({
            let cut_off = Arc::clone(&cut_off);
            move |peer| cut_off.lock().push(node_key(&peer))
        });
        let key = NodeKey::from_seed(&[3; 32]).public();
        let peer = engine_key(&key).unwrap();
        score.malformed(&peer, "a batch of entries", &"it ends too early");
        score.blame(&peer, "its share of a certificate does not verify");
        assert_eq!(*cut_off.lock(), [key, key]);
        let faults = score.all();
        assert_eq!(faults.len(), 1);
        assert_eq!(
            faults[&key],
            Faults {
                count: 2,
                last: "its share of a certificate does not verify".to_owned()
            }
        );
    }
}
