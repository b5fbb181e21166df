//! A validator that lies: it votes for several proposals in every round it hears of, serves blocks with altered entries and false places
//! of the engine's blocks, and sends bytes that are no message.

use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Finalize, Notarize, Nullify, Proposal, Vote};
use commonware_cryptography::{Hasher as _, Sha256, ed25519};
use commonware_p2p::utils::mux::Muxer;
use commonware_p2p::{Receiver as _, Recipients, Sender as _};
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::ordered::Set;
use rand_core::Rng as _;
use stele_core::id::NetworkId;

use super::node::{Channel, Peers, channels};
use super::scenario::Liar;
use super::support::World;
use crate::block::Digest;
use crate::committee::consensus_namespace;
use crate::evidence::{Evidence, VoteKind};
use crate::keys::engine_key;
use crate::status::Place;
use crate::sync::Message;
use std::time::Duration;

fn keys(world: &World) -> Vec<ed25519::PublicKey> {
    let places = world.places.iter();
    places
        .map(|place| engine_key(&place.node_key.public()).expect("a key"))
        .collect()
}

fn scheme(world: &World, number: usize) -> Scheme {
    let network: NetworkId = world.genesis.network_id();
    let set = Set::from_iter_dedup(keys(world));
    let secret = world.places[number].node_key.engine_key();
    Scheme::signer(&consensus_namespace(&network), set, secret).expect("a member")
}

/// Two votes for two proposals that nobody made, each to a half of the others; and a vote to give the round up besides.
fn lies(scheme: &Scheme, heard: &Proposal<Digest>, salt: u64) -> [Vec<u8>; 4] {
    let invented = |number: u64| {
        let payload = Sha256::hash(&[&salt.to_be_bytes(), &number.to_be_bytes()]);
        Proposal::new(heard.round, heard.parent, payload)
    };
    let notarize = |number| {
        let vote = Notarize::sign(scheme, invented(number)).expect("a member signs");
        Vote::<Scheme, Digest>::Notarize(vote).encode().to_vec()
    };
    let nullify = Nullify::sign::<Digest>(scheme, heard.round).expect("a member signs");
    let finalize = Finalize::sign(scheme, invented(0)).expect("a member signs");
    [
        notarize(0),
        notarize(1),
        Vote::<Scheme, Digest>::Nullify(nullify).encode().to_vec(),
        Vote::<Scheme, Digest>::Finalize(finalize).encode().to_vec(),
    ]
}

/// Starts the liar in the place of a validator.
pub(super) async fn start(
    context: &deterministic::Context,
    oracle: &Peers,
    world: &World,
    (number, liar): (usize, Liar),
) {
    let all = keys(world);
    let mut channels = channels(oracle, &all[number]).await;
    if liar == Liar::Blocks {
        // The channels are in the order of `Links`, the last one first; resharing comes after sync.
        serve_lies(context, &all, number, channels.remove(1));
        // It says nothing on the other ones.
        context.child("silent").spawn(async move |_| {
            let _channels = channels;
            std::future::pending::<()>().await;
        });
        return;
    }
    let (votes_out, votes_in) = channels.pop().expect("the votes");
    let scheme = scheme(world, number);
    let others: Vec<_> = all
        .iter()
        .filter(|key| **key != all[number])
        .cloned()
        .collect();
    let (mux, mut votes) = Muxer::new(context.child("liar_mux"), votes_out, votes_in);
    mux.start();
    let (mut votes_out, mut votes_in) = votes.register(0).await.expect("the first epoch");
    let halves = others.clone();
    context.child("liar").spawn(move |mut context| async move {
        let mut answered = 0;
        while let Ok((_, bytes)) = votes_in.recv().await {
            let Ok(Vote::<Scheme, Digest>::Notarize(vote)) = Vote::decode(Copying(bytes.as_ref()))
            else {
                continue;
            };
            let view = vote.proposal.round.view().get();
            if view <= answered {
                continue;
            }
            answered = view;
            let [one, other, nullify, finalize] = lies(&scheme, &vote.proposal, context.next_u64());
            let (left, right) = halves.split_at(halves.len() / 2);
            votes_out.send(Recipients::Some(left.to_vec()), one.clone(), true);
            votes_out.send(Recipients::Some(right.to_vec()), other.clone(), true);
            // One node hears both, so that evidence can come to light.
            votes_out.send(Recipients::One(left[0].clone()), other, true);
            votes_out.send(Recipients::Some(right.to_vec()), nullify, true);
            votes_out.send(Recipients::Some(right.to_vec()), finalize, true);
        }
    });
    // Everything else it sends is noise, now and then cut from something true. Late enough that its votes are heard first.
    context.child("noise").spawn(move |mut context| async move {
        context.sleep(Duration::from_secs(5)).await;
        while let Some((mut out, _heard)) = channels.pop() {
            let length = (context.next_u64() % 300) as usize;
            let noise: Vec<u8> = (0..length).map(|_| context.next_u32() as u8).collect();
            out.send(Recipients::Some(others.clone()), noise, false);
            context.sleep(Duration::from_millis(700)).await;
        }
    });
}

/// Passes on what an honest node serves, altered: a follower must find out and go on without it.
fn serve_lies(
    context: &deterministic::Context,
    keys: &[ed25519::PublicKey],
    number: usize,
    (mut out, mut heard): Channel,
) {
    let others: Vec<_> = keys
        .iter()
        .filter(|key| **key != keys[number])
        .cloned()
        .collect();
    context
        .child("serve_lies")
        .spawn(move |mut context| async move {
            let mut best = 0;
            // Whoever asked, and under which number; ours is the place in the list.
            let mut asked: Vec<(ed25519::PublicKey, u64)> = Vec::new();
            while let Ok((from, bytes)) = heard.recv().await {
                let Ok(message) = Message::decode(bytes.as_ref()) else {
                    continue;
                };
                let source = others[context.next_u64() as usize % others.len()].clone();
                let our_id = asked.len() as u64;
                let (to, answer) = match message {
                    Message::Head { height } if height > best => {
                        best = height;
                        // Always ahead of everyone, so that it is asked first.
                        let head = Message::Head { height: best + 1 };
                        out.send(Recipients::All, head.encode(), false);
                        continue;
                    }
                    Message::GetBlocks { id, from: first } => {
                        asked.push((from, id));
                        (
                            source,
                            Message::GetBlocks {
                                id: our_id,
                                from: first,
                            },
                        )
                    }
                    Message::GetFloor { id } => {
                        asked.push((from, id));
                        (source, Message::GetFloor { id: our_id })
                    }
                    Message::GetPlace { id, block } => {
                        asked.push((from, id));
                        (source, Message::GetPlace { id: our_id, block })
                    }
                    Message::Blocks { id, mut blocks } => {
                        let (to, id) = asked[id as usize].clone();
                        if let Some(block) = blocks.iter_mut().find(|block| block.entries.len() > 1)
                        {
                            block.entries.swap(0, 1);
                        } else if let Some(block) = blocks.first_mut() {
                            block.entries.pop();
                        }
                        (to, Message::Blocks { id, blocks })
                    }
                    Message::Floor { id, floor } => {
                        let (to, id) = asked[id as usize].clone();
                        (to, Message::Floor { id, floor })
                    }
                    Message::Place { id, place } => {
                        let (to, id) = asked[id as usize].clone();
                        let place = place.map(|place| Place {
                            height: place.height.saturating_sub(5),
                            ..place
                        });
                        (to, Message::Place { id, place })
                    }
                    Message::Head { .. } => continue,
                };
                out.send(Recipients::One(to), answer.encode(), false);
            }
        });
}

/// The evidence names the liar and nobody else, and holds two different votes of its. Twins may happen to agree in all that one node heard.
pub(super) fn check_evidence(world: &World, evidence: &[Evidence], must_exist: bool) {
    let set = Set::from_iter_dedup(keys(world));
    let liar = keys(world).pop().expect("validators");
    let index = set.position(&liar).expect("a member") as u32;
    assert!(
        !must_exist || !evidence.is_empty(),
        "nobody noticed that a validator voted twice"
    );
    for found in evidence {
        assert_eq!(found.signer, index, "an honest validator is accused");
        assert_ne!(
            (found.first.kind, &found.first.subject),
            (found.second.kind, &found.second.subject)
        );
        assert!(matches!(
            found.first.kind,
            VoteKind::Notarize | VoteKind::Finalize | VoteKind::Nullify
        ));
    }
}
