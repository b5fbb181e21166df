//! Byzantine twins: two whole nodes with the key and the share of one validator, each linked to a part of the others.
//!
//! Both run the production stack honestly, so that what the two say together is what a clever liar would say: two proposals where one
//! leads, votes for each, and shares of whatever each has executed.

use std::path::Path;

use commonware_cryptography::ed25519;
use commonware_p2p::Recipients;
use commonware_p2p::simulated::{SplitOrigin, SplitTarget};
use commonware_runtime::{Supervisor as _, deterministic};

use super::node::{Being, Node, Peers, channels};
use super::scenario::Scenario;
use super::support::World;

/// Which twin a peer is linked to. A third of the peers hear both, so that evidence can come to light.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    One,
    Other,
    Both,
}

fn side(keys: &[ed25519::PublicKey], peer: &ed25519::PublicKey, sides: u64) -> Side {
    let Some(number) = keys.iter().position(|key| key == peer) else {
        return Side::Both;
    };
    match (sides >> (2 * number)) % 4 {
        0 => Side::One,
        1 => Side::Other,
        // At least one peer on each side, so that the twins are not one node.
        _ if number == 0 => Side::One,
        _ if number == 1 => Side::Other,
        _ => Side::Both,
    }
}

/// Starts both in the place of validator `number`.
pub(super) async fn start(
    context: &deterministic::Context,
    oracle: &Peers,
    (world, scenario): (&World, &Scenario),
    keys: &[ed25519::PublicKey],
    number: usize,
    (sides, life): (u64, u64),
    dirs: [&Path; 2],
) -> [Node; 2] {
    let mut links = [Vec::new(), Vec::new()];
    for (sender, receiver) in channels(oracle, &keys[number]).await {
        let heard_by: Vec<_> = keys.to_vec();
        let me = keys[number].clone();
        let forward = move |from: SplitOrigin, to: &Recipients<ed25519::PublicKey>, _: &_| {
            let mine = |peer: &ed25519::PublicKey| {
                let other = match from {
                    SplitOrigin::Primary => Side::Other,
                    SplitOrigin::Secondary => Side::One,
                };
                *peer != me && side(&heard_by, peer, sides) != other
            };
            let peers = match to {
                Recipients::All => heard_by.clone(),
                Recipients::Some(peers) => peers.clone(),
                Recipients::One(peer) => vec![peer.clone()],
            };
            let peers: Vec<_> = peers.into_iter().filter(mine).collect();
            (!peers.is_empty()).then_some(Recipients::Some(peers))
        };
        let heard_from = keys.to_vec();
        let route =
            move |message: &(ed25519::PublicKey, _)| match side(&heard_from, &message.0, sides) {
                Side::One => SplitTarget::Primary,
                Side::Other => SplitTarget::Secondary,
                Side::Both => SplitTarget::Both,
            };
        let (one, other) = sender.split_with(forward);
        let (to_one, to_other) = receiver.split_with(context.child("twins"), route);
        links[0].push((one, to_one));
        links[1].push((other, to_other));
    }
    let mut twin = 0;
    links.map(|links| {
        let being = Being {
            dir: dirs[twin].to_owned(),
            store: format!("twin-{twin}"),
            life,
            skew: 0,
            place: Some(number),
        };
        twin += 1;
        Node::start(context, world, scenario, being, oracle, links)
    })
}
