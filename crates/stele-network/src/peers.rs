//! Which peers this node talks to, in production and in the simulation.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use commonware_cryptography::ed25519;
use commonware_p2p::authenticated::lookup;
use commonware_p2p::{
    Address, AddressableManager as _, AddressableTrackedPeers, Ingress, Provider, TrackedPeers,
};
use commonware_utils::Hostname;
use commonware_utils::ordered::Map;
use parking_lot::Mutex;

use crate::committee::{Committee, Validator};
use crate::keys::{engine_key, node_key};

/// Lets validators, and nodes without a vote, connect.
pub(crate) trait Peers:
    Provider<PublicKey = ed25519::PublicKey> + Clone + Send + 'static
{
    /// Replaces the set of peers by one with a higher number. `others` may connect, but nobody connects to them.
    fn track(&mut self, id: u64, validators: &[Validator], others: &[[u8; 32]]);
}

/// Who belongs to the network now: the committee that decides, the one before it, and the validators of a pending change.
#[derive(Clone)]
pub(crate) struct Roster<P> {
    peers: P,
    state: Arc<Mutex<Present>>,
}

#[derive(Default)]
struct Present {
    epoch: u64,
    committee: Vec<Validator>,
    before: Vec<[u8; 32]>,
    round: u64,
    changing: Vec<Validator>,
    tracked: Option<u64>,
}

/// How many rounds of changes there may be in one epoch: sets of peers are numbered by epoch and round.
const ROUNDS_MAX: u64 = 1 << 20;

impl<P: Peers> Roster<P> {
    pub(crate) fn new(peers: P) -> Self {
        Self {
            peers,
            state: Arc::default(),
        }
    }

    /// An epoch begins with this committee.
    pub(crate) fn enter(&mut self, epoch: u64, committee: &Committee) {
        let state = Arc::clone(&self.state);
        let mut state = state.lock();
        let keys = |validators: &[Validator]| -> Vec<[u8; 32]> {
            validators.iter().map(|one| one.node_key).collect()
        };
        // Who has left may connect for one more committee, to learn that it has.
        if keys(&state.committee) != keys(&committee.validators) {
            state.before = keys(&state.committee);
        }
        state.epoch = epoch;
        state.committee.clone_from(&committee.validators);
        self.track(&mut state);
    }

    /// A change is under way from one committee to the next validators. A follower, which enters no epochs, hears of committees by this alone.
    pub(crate) fn changing(&mut self, round: u64, from: &[Validator], next: &[Validator]) {
        let state = Arc::clone(&self.state);
        let mut state = state.lock();
        state.round = round;
        state.changing = [from, next].concat();
        self.track(&mut state);
    }

    fn track(&mut self, state: &mut Present) {
        let id = state.epoch * ROUNDS_MAX + state.round.min(ROUNDS_MAX - 1);
        // The same epoch and round have the same set.
        if state.tracked.replace(id) == Some(id) {
            return;
        }
        let mut validators = state.committee.clone();
        for next in &state.changing {
            if validators.iter().all(|one| one.node_key != next.node_key) {
                validators.push(next.clone());
            }
        }
        let others = state.before.iter().filter(|key| {
            let mut validators = validators.iter();
            validators.all(|one| one.node_key != **key)
        });
        let others: Vec<_> = others.copied().collect();
        self.peers.track(id, &validators, &others);
    }
}

/// Peers by the addresses that governance names.
#[derive(Clone, Debug)]
pub(crate) struct Addressed {
    pub(crate) oracle: lookup::Oracle<ed25519::PublicKey>,
    /// Nodes without a vote that may connect and read.
    pub(crate) followers: Arc<[ed25519::PublicKey]>,
    /// How many peers there is room for, this node included.
    pub(crate) places: usize,
}

/// Reads `host:port`.
pub(crate) fn address(text: &str) -> Option<Address> {
    // Where a validator connects from may be another address than the one it listens on; keys decide who it is.
    let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let ingress = match text.parse::<SocketAddr>() {
        Ok(socket) => Ingress::Socket(socket),
        Err(_) => {
            let (host, port) = text.rsplit_once(':')?;
            Ingress::Dns {
                host: Hostname::new(host).ok()?,
                port: port.parse().ok()?,
            }
        }
    };
    Some(Address::Asymmetric {
        ingress,
        egress: anywhere,
    })
}

impl Provider for Addressed {
    type PublicKey = ed25519::PublicKey;

    fn peer_set(
        &mut self,
        id: u64,
    ) -> impl Future<Output = Option<TrackedPeers<Self::PublicKey>>> + Send {
        self.oracle.peer_set(id)
    }

    fn subscribe(
        &mut self,
    ) -> impl Future<Output = commonware_p2p::PeerSetSubscription<Self::PublicKey>> + Send {
        self.oracle.subscribe()
    }
}

impl Peers for Addressed {
    fn track(&mut self, id: u64, validators: &[Validator], others: &[[u8; 32]]) {
        let primary = validators.iter().filter_map(|validator| {
            Some((
                engine_key(&validator.node_key)?,
                address(&validator.address)?,
            ))
        });
        let primary = Map::from_iter_dedup(primary.take(self.places - 1));
        if validators.len() >= self.places {
            tracing::error!("the committee has outgrown the room for links; start this node again");
        }
        let left = (self.places - 1).saturating_sub(validators.len());
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let others = others.iter().filter_map(engine_key);
        let without_vote = self.followers.iter().cloned().chain(others);
        let is_validator = |key: &ed25519::PublicKey| {
            let key = node_key(key);
            validators.iter().any(|one| one.node_key == key)
        };
        let secondary = without_vote
            .filter(|key| !is_validator(key))
            .take(left)
            .map(|key| {
                let address = Address::Asymmetric {
                    ingress: Ingress::Socket(nowhere),
                    egress: nowhere,
                };
                (key, address)
            });
        let secondary = Map::from_iter_dedup(secondary);
        self.oracle
            .track(id, AddressableTrackedPeers::new(primary, secondary));
    }
}

/// Peers of a simulated network, which needs no addresses.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(crate) struct Keyed<M> {
    pub(crate) manager: M,
    pub(crate) followers: Arc<[ed25519::PublicKey]>,
}

#[cfg(test)]
impl<M: commonware_p2p::Manager<PublicKey = ed25519::PublicKey>> Provider for Keyed<M> {
    type PublicKey = ed25519::PublicKey;

    fn peer_set(
        &mut self,
        id: u64,
    ) -> impl Future<Output = Option<TrackedPeers<Self::PublicKey>>> + Send {
        self.manager.peer_set(id)
    }

    fn subscribe(
        &mut self,
    ) -> impl Future<Output = commonware_p2p::PeerSetSubscription<Self::PublicKey>> + Send {
        self.manager.subscribe()
    }
}

#[cfg(test)]
impl<M: commonware_p2p::Manager<PublicKey = ed25519::PublicKey>> Peers for Keyed<M> {
    fn track(&mut self, id: u64, validators: &[Validator], others: &[[u8; 32]]) {
        use commonware_utils::ordered::Set;
        let keys = validators
            .iter()
            .filter_map(|one| engine_key(&one.node_key));
        let others = others.iter().filter_map(engine_key);
        let others = Set::from_iter_dedup(self.followers.iter().cloned().chain(others));
        self.manager
            .track(id, TrackedPeers::new(Set::from_iter_dedup(keys), others));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sockets_or_host_names() {
        assert!(address("127.0.0.1:7100").is_some());
        assert!(address("[::1]:7100").is_some());
        assert!(address("validator.example:7100").is_some());
        for bad in ["", "7100", "host", "host:", "host:99999", "ho st:1"] {
            assert!(address(bad).is_none(), "{bad}");
        }
    }
}
