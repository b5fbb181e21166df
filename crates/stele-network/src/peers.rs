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

use crate::committee::Committee;
use crate::keys::engine_key;

/// Lets a committee's validators, and the followers of this node, connect.
pub(crate) trait Peers:
    Provider<PublicKey = ed25519::PublicKey> + Clone + Send + 'static
{
    fn track(&mut self, id: u64, committee: &Committee);
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
    fn track(&mut self, id: u64, committee: &Committee) {
        let primary = committee.validators.iter().filter_map(|validator| {
            Some((
                engine_key(&validator.node_key)?,
                address(&validator.address)?,
            ))
        });
        let primary = Map::from_iter_dedup(primary.take(self.places - 1));
        if committee.validators.len() >= self.places {
            tracing::error!("the committee has outgrown the room for links; start this node again");
        }
        let left = (self.places - 1).saturating_sub(committee.validators.len());
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let followers = self.followers.iter().take(left).map(|key| {
            let address = Address::Asymmetric {
                ingress: Ingress::Socket(nowhere),
                egress: nowhere,
            };
            (key.clone(), address)
        });
        let secondary = Map::from_iter_dedup(followers);
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
    fn track(&mut self, id: u64, committee: &Committee) {
        let followers =
            commonware_utils::ordered::Set::from_iter_dedup(self.followers.iter().cloned());
        self.manager
            .track(id, TrackedPeers::new(committee.keys(), followers));
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
