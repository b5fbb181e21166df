//! Resharing: the validators of one committee deal their shares of the network key to those of the next; the key stays.
//!
//! Desmedt and Jajodia, "Redistributing secret shares to new access structures and its applications" (1997), in the engine's
//! implementation. A state machine without I/O, as [`super::Founding`] is. It needs a quorum of dealers, and each dealer all next
//! validators but the third that may fail: shares that were not acknowledged stand in the dealer's public log.
//!
//! A dealer's randomness follows from its node key and the round, so one that was started again deals the same; what a next validator was dealt
//! must be kept before it is acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _};
use commonware_cryptography::bls12381::dkg::feldman_desmedt::{
    Dealer, DealerPrivMsg, DealerPubMsg, Info, Logs, Player, PlayerAck, Reveal, SignedDealerLog,
    observe,
};
use commonware_cryptography::bls12381::primitives::sharing::Mode;
use commonware_cryptography::ed25519;
use commonware_parallel::Sequential;
use commonware_utils::ordered::Set;
use commonware_utils::{Faults as _, N3f1};
use stele_core::cbor::{DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::id::{NetworkId, sha256};

use super::CeremonyError;
use super::founding::culprit;
use crate::keys::{Dealing, KeyVariant, NodeKey, Share, Sharing, engine_key, node_key};
use crate::random::{SeededRandom, SystemRandom};

type Key = ed25519::PublicKey;

/// The longest part of a message: a commitment for a hundred validators.
const PART_BYTES_MAX: usize = 32 << 10;
/// The longest message.
pub(crate) const MESSAGE_MAX: usize = PART_BYTES_MAX + 1_024;

/// Which change of the committee the messages belong to.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) network: NetworkId,
    /// The round's number on the chain.
    pub(crate) number: u64,
    /// The sharing of the committee that deals.
    pub(crate) previous: Sharing,
    /// The node keys of the next validators.
    pub(crate) next: Vec<[u8; 32]>,
}

impl Round {
    fn info(&self) -> Result<Info<KeyVariant, Key>, CeremonyError> {
        let wrong = |reason: String| CeremonyError::Participants(reason);
        let next: Option<Vec<_>> = self.next.iter().map(engine_key).collect();
        let next = next.ok_or_else(|| wrong("a node key is no Ed25519 key".to_owned()))?;
        let namespace = [b"stele-resharing/".as_slice(), self.network.as_bytes()].concat();
        let previous = self.previous.transcript();
        Info::new::<N3f1>(
            &namespace,
            self.number,
            Some(previous.clone()),
            Mode::NonZeroCounter,
            Reveal::V1,
            previous.players().clone(),
            Set::from_iter_dedup(next),
        )
        .map_err(|error| wrong(error.to_string()))
    }

    /// How many validators the decoders allow for.
    fn count(&self) -> NonZeroU32 {
        let count = self.next.len().max(self.previous.holders().len()).max(1);
        NonZeroU32::new(count as u32).expect("one at least")
    }

    /// What binds a dealer's randomness to the round.
    fn context(&self) -> [u8; 32] {
        let next: Vec<u8> = self.next.concat();
        sha256(&[
            self.network.as_bytes(),
            &self.number.to_be_bytes(),
            &sha256(&[&self.previous.encode()]),
            &next,
        ])
    }
}

enum Message {
    Deal { commitment: Vec<u8>, share: Vec<u8> },
    Ack(Vec<u8>),
}

impl Message {
    fn encode(&self, round: u64) -> Vec<u8> {
        let mut out = Encoder::new();
        match self {
            Self::Deal { commitment, share } => out
                .array(4)
                .uint(1)
                .uint(round)
                .bytes(commitment)
                .bytes(share),
            Self::Ack(ack) => out.array(3).uint(2).uint(round).bytes(ack),
        };
        out.into_vec()
    }

    fn decode(bytes: &[u8]) -> Result<(u64, Self), DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let parts = decoder.array(4)?;
        let kind = decoder.uint()?;
        let round = decoder.uint()?;
        let message = match (parts, kind) {
            (4, 1) => Self::Deal {
                commitment: decoder.bytes(PART_BYTES_MAX)?.to_vec(),
                share: decoder.bytes(64)?.to_vec(),
            },
            (3, 2) => Self::Ack(decoder.bytes(256)?.to_vec()),
            _ => {
                let kind = ErrorKind::Expected("a message of a resharing");
                return Err(DecodeError { offset: 0, kind });
            }
        };
        decoder.finish()?;
        Ok((round, message))
    }
}

/// The round that a message belongs to, if it is well-formed.
pub(crate) fn round_of(bytes: &[u8]) -> Result<u64, DecodeError> {
    Message::decode(bytes).map(|(round, _)| round)
}

/// What a message leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// To be made durable before the answer is sent.
    pub(crate) keep: Option<Dealing>,
    /// To be sent back.
    pub(crate) answer: Option<Vec<u8>>,
}

/// What the dealings of a round give.
#[derive(Debug, Clone)]
pub(crate) struct Reshared {
    /// The new sharing of the same key; `None` if the dealings give none.
    pub(crate) sharing: Option<Sharing>,
    /// This node's share in it.
    pub(crate) share: Option<Share>,
}

/// One node's side of a round.
pub(crate) struct Resharing {
    me: NodeKey,
    round: Round,
    info: Info<KeyVariant, Key>,
    dealer: Option<Dealer<KeyVariant, ed25519::PrivateKey>>,
    /// What this node deals to others, by node key, until they acknowledge it.
    deals: BTreeMap<[u8; 32], Vec<u8>>,
    log: Option<Vec<u8>>,
    /// What was dealt to this node.
    dealt: BTreeMap<[u8; 32], Dealing>,
    acks: BTreeMap<[u8; 32], Vec<u8>>,
}

impl Resharing {
    /// Begins, or takes up again, with the share of the committee that deals and the dealings that were kept.
    pub(crate) fn new(
        me: &NodeKey,
        round: Round,
        share: Option<&Share>,
        kept: Vec<Dealing>,
    ) -> Result<Self, CeremonyError> {
        let info = round.info()?;
        let mut resharing = Self {
            me: me.clone(),
            info,
            dealer: None,
            deals: BTreeMap::new(),
            log: None,
            dealt: BTreeMap::new(),
            acks: BTreeMap::new(),
            round,
        };
        for dealing in kept {
            // What was kept was checked when it came.
            let _ = resharing.take(&dealing);
        }
        let deals = resharing.round.previous.holders().contains(&me.public());
        if let Some(share) = share.filter(|_| deals) {
            resharing.deal(share)?;
        }
        Ok(resharing)
    }

    fn deal(&mut self, share: &Share) -> Result<(), CeremonyError> {
        let seed = self.me.derive(b"resharing", &self.round.context());
        let (dealer, commitment, shares) = Dealer::start::<N3f1>(
            SeededRandom::from_seed(seed),
            self.info.clone(),
            self.me.engine_key(),
            Some(share.inner().clone()),
        )
        .map_err(|error| CeremonyError::Participants(error.to_string()))?;
        self.dealer = Some(dealer);
        let commitment = commitment.encode().to_vec();
        for (to, share) in shares {
            let share = share.encode().to_vec();
            let to = node_key(&to);
            if to == self.me.public() {
                let own = Dealing {
                    dealer: to,
                    commitment: commitment.clone(),
                    share,
                };
                let ack = self.take(&own)?;
                self.receive_ack(to, &ack)?;
                continue;
            }
            let message = Message::Deal {
                commitment: commitment.clone(),
                share,
            };
            self.deals.insert(to, message.encode(self.round.number));
        }
        Ok(())
    }

    /// What others have not acknowledged; sending it twice does no harm.
    pub(crate) fn outgoing(&self) -> Vec<([u8; 32], Vec<u8>)> {
        let deals = self.deals.iter();
        deals.map(|(to, deal)| (*to, deal.clone())).collect()
    }

    /// Takes a message of this round.
    pub(crate) fn receive(
        &mut self,
        from: [u8; 32],
        bytes: &[u8],
    ) -> Result<Received, CeremonyError> {
        let (_, message) = Message::decode(bytes).map_err(|error| culprit(&from, error))?;
        match message {
            Message::Deal { commitment, share } => {
                let is_player = self.round.next.contains(&self.me.public());
                let is_dealer = self.round.previous.holders().contains(&from);
                if !is_player || !is_dealer {
                    return Err(culprit(&from, "a dealing that is not due"));
                }
                let dealing = Dealing {
                    dealer: from,
                    commitment,
                    share,
                };
                if let Some(known) = self.dealt.get(&from) {
                    if *known != dealing {
                        return Err(culprit(&from, "two different dealings"));
                    }
                    let ack = self.acks[&from].clone();
                    return Ok(Received {
                        keep: None,
                        answer: Some(Message::Ack(ack).encode(self.round.number)),
                    });
                }
                let ack = self.take(&dealing)?;
                Ok(Received {
                    keep: Some(dealing),
                    answer: Some(Message::Ack(ack).encode(self.round.number)),
                })
            }
            Message::Ack(ack) => {
                self.receive_ack(from, &ack)?;
                Ok(Received::default())
            }
        }
    }

    /// Checks a dealing to this node; gives the acknowledgement.
    fn take(&mut self, dealing: &Dealing) -> Result<Vec<u8>, CeremonyError> {
        let from = dealing.dealer;
        let unreadable =
            |error| culprit(&from, format!("a dealing that could not be read: {error}"));
        let (sender, commitment, share) = self.read(dealing).map_err(unreadable)?;
        let wrong = |error: String| culprit(&from, format!("a wrong dealing: {error}"));
        let mut player = Player::new(self.info.clone(), self.me.engine_key())
            .map_err(|error| wrong(error.to_string()))?;
        let ack = player
            .dealer_message::<N3f1>(sender, commitment, share)
            .map_err(|error| wrong(error.to_string()))?;
        let ack = ack.expect("the first message of a new player").encode();
        self.acks.insert(from, ack.to_vec());
        self.dealt.insert(from, dealing.clone());
        Ok(ack.to_vec())
    }

    fn read(
        &self,
        dealing: &Dealing,
    ) -> Result<(Key, DealerPubMsg<KeyVariant>, DealerPrivMsg), String> {
        let sender = engine_key(&dealing.dealer).ok_or("the dealer's key is none")?;
        let count = self.round.count();
        let commitment = DealerPubMsg::decode_cfg(Copying(&dealing.commitment), &count)
            .map_err(|error| error.to_string())?;
        let share =
            DealerPrivMsg::decode(Copying(&dealing.share)).map_err(|error| error.to_string())?;
        Ok((sender, commitment, share))
    }

    fn receive_ack(&mut self, from: [u8; 32], ack: &[u8]) -> Result<(), CeremonyError> {
        let sender = engine_key(&from).ok_or_else(|| culprit(&from, "a message with no key"))?;
        let ack = PlayerAck::decode(Copying(ack)).map_err(|error| {
            culprit(
                &from,
                format!("an acknowledgement that could not be read: {error}"),
            )
        })?;
        // After the dealing is closed an acknowledgement changes nothing.
        if let Some(dealer) = &mut self.dealer {
            dealer
                .receive_player_ack(sender, ack)
                .map_err(|error| culprit(&from, format!("a wrong acknowledgement: {error}")))?;
        }
        self.deals.remove(&from);
        Ok(())
    }

    /// Next validators that have not acknowledged this node's dealing.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.deals.len()
    }

    /// How many may be missing when a dealing is closed: more shares than these must not stand in public.
    pub(crate) fn missing_max(&self) -> usize {
        N3f1::max_faults(self.round.next.len()) as usize
    }

    /// Closes this node's dealing and gives its log; `None` if it does not deal. The first log stays.
    pub(crate) fn close(&mut self) -> Option<Vec<u8>> {
        if let Some(dealer) = self.dealer.take() {
            self.log = Some(dealer.finalize::<N3f1>().encode().to_vec());
        }
        self.log.clone()
    }

    /// What the dealings on the chain give.
    pub(crate) fn finish(&self, logs: &[Vec<u8>]) -> Reshared {
        let mut collected = Logs::<KeyVariant, Key, N3f1>::new(self.info.clone());
        let holders: BTreeSet<_> = self.round.previous.holders().into_iter().collect();
        for log in logs {
            let signed =
                SignedDealerLog::<KeyVariant, Key>::decode_cfg(Copying(log), &self.round.count());
            let checked = signed.ok().and_then(|signed| signed.check(&self.info));
            // A log that is none counts as one that is missing, for everyone alike.
            if let Some((dealer, log)) =
                checked.filter(|(dealer, _)| holders.contains(&node_key(dealer)))
            {
                collected.record(dealer, log);
            }
        }
        let sharing =
            observe::<KeyVariant, Key, N3f1>(&mut SystemRandom, collected.clone(), &Sequential);
        let sharing = match sharing {
            Ok(output) => Sharing::new(output),
            Err(error) => {
                tracing::warn!(%error, "the dealings of a change of the committee give no shares");
                return Reshared {
                    sharing: None,
                    share: None,
                };
            }
        };
        Reshared {
            share: self.share(collected),
            sharing: Some(sharing),
        }
    }

    fn share(&self, logs: Logs<KeyVariant, Key, N3f1>) -> Option<Share> {
        let mut player = Player::new(self.info.clone(), self.me.engine_key()).ok()?;
        for dealing in self.dealt.values() {
            let (sender, commitment, share) = self.read(dealing).ok()?;
            let _ = player.dealer_message::<N3f1>(sender, commitment, share);
        }
        match player.finalize(&mut SystemRandom, logs, &Sequential) {
            Ok((_, share)) => Some(Share::new(share)),
            Err(error) => {
                tracing::error!(%error, "this node has lost what it was dealt and gets no share");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ceremony::found_in_process;
    use crate::keys::{recover, sign_partial};
    use stele_core::suite::Suite;

    fn keys(range: std::ops::RangeInclusive<u8>) -> Vec<NodeKey> {
        range
            .map(|number| NodeKey::from_seed(&[number; 32]))
            .collect()
    }

    fn public(keys: &[NodeKey]) -> Vec<[u8; 32]> {
        let mut public: Vec<_> = keys.iter().map(NodeKey::public).collect();
        public.sort_unstable();
        public
    }

    struct Net {
        machines: BTreeMap<[u8; 32], Resharing>,
    }

    impl Net {
        fn new(round: &Round, present: &[(NodeKey, Share)], joining: &[NodeKey]) -> Self {
            let mut machines = BTreeMap::new();
            for (key, share) in present {
                let one = Resharing::new(key, round.clone(), Some(share), Vec::new()).unwrap();
                machines.insert(key.public(), one);
            }
            for key in joining {
                let one = Resharing::new(key, round.clone(), None, Vec::new()).unwrap();
                machines.insert(key.public(), one);
            }
            Self { machines }
        }

        /// Delivers all messages but those to and from the nodes that are down.
        fn exchange(&mut self, down: &[[u8; 32]]) {
            let sent: Vec<_> = self
                .machines
                .iter()
                .flat_map(|(from, one)| one.outgoing().into_iter().map(|(to, m)| (*from, to, m)))
                .collect();
            for (from, to, message) in sent {
                if down.contains(&from) || down.contains(&to) {
                    continue;
                }
                let received = self.machines.get_mut(&to).unwrap().receive(from, &message);
                if let Some(answer) = received.unwrap().answer {
                    let back = self.machines.get_mut(&from).unwrap();
                    assert_eq!(back.receive(to, &answer).unwrap(), Received::default());
                }
            }
        }
    }

    fn founded(count: u8) -> (Vec<(NodeKey, Share)>, Sharing) {
        let keys = keys(1..=count);
        let founded = found_in_process(&keys, &[9; 32]).unwrap();
        let sharing = founded[0].sharing.clone();
        let shares = founded.into_iter().map(|one| one.share);
        (keys.into_iter().zip(shares).collect(), sharing)
    }

    fn round(previous: &Sharing, next: &[NodeKey]) -> Round {
        Round {
            network: NetworkId::from_bytes([7; 32]),
            number: 1,
            previous: previous.clone(),
            next: public(next),
        }
    }

    fn signs(sharing: &Sharing, shares: &[Share], key: &Sharing) {
        let partials: Vec<_> = shares
            .iter()
            .take(sharing.quorum())
            .map(|share| (share.index(), sign_partial(share, b"message")))
            .collect();
        let signature = recover(sharing, &partials).unwrap();
        key.public_key()
            .verify(Suite::Bls12381.algorithm(), b"message", &signature)
            .unwrap();
    }

    #[test]
    fn committees_grow_shrink_and_are_replaced_under_one_key() {
        for (present, next) in [
            (4, 1..=5),
            (4, 1..=3),
            (4, 2..=5),
            (4, 5..=8),
            (1, 1..=4),
            (7, 1..=4),
        ] {
            let (members, sharing) = founded(present);
            let next = keys(next);
            let round = round(&sharing, &next);
            let joining: Vec<_> = next
                .iter()
                .filter(|key| members.iter().all(|(one, _)| one.public() != key.public()))
                .cloned()
                .collect();
            let mut net = Net::new(&round, &members, &joining);
            net.exchange(&[]);
            let logs: Vec<_> = net
                .machines
                .values_mut()
                .filter_map(Resharing::close)
                .collect();
            assert_eq!(logs.len(), members.len());
            let results: Vec<_> = net.machines.values().map(|one| one.finish(&logs)).collect();
            let new = results[0].sharing.clone().unwrap();
            assert!(results.iter().all(|one| one.sharing.as_ref() == Some(&new)));
            assert_eq!(new.network_key(), sharing.network_key());
            assert_eq!(new.holders(), public(&next));
            let shares: Vec<_> = results.into_iter().filter_map(|one| one.share).collect();
            assert_eq!(shares.len(), next.len());
            signs(&new, &shares, &sharing);
        }
    }

    #[test]
    fn a_third_may_be_down_and_gets_its_share_from_the_logs() {
        let (members, sharing) = founded(4);
        let next = keys(1..=5);
        let round = round(&sharing, &next);
        let mut net = Net::new(&round, &members, &next[4..]);
        let down = [next[4].public()];
        net.exchange(&down);
        for one in net.machines.values() {
            assert!(one.unacknowledged() <= one.missing_max());
        }
        // One dealer is silent altogether.
        let mut logs: Vec<_> = net
            .machines
            .values_mut()
            .filter_map(Resharing::close)
            .collect();
        logs.pop();
        let late = net.machines[&down[0]].finish(&logs);
        let other = net.machines[&next[0].public()].finish(&logs);
        assert_eq!(late.sharing, other.sharing);
        let new = other.sharing.unwrap();
        let shares: Vec<_> = net
            .machines
            .values()
            .map(|one| one.finish(&logs).share.unwrap())
            .collect();
        signs(&new, &shares[1..], &sharing);
        // Too few logs give nothing, and everyone sees it.
        assert!(net.machines[&down[0]].finish(&logs[..2]).sharing.is_none());
        assert!(
            net.machines[&down[0]]
                .finish(&[b"junk".to_vec()])
                .sharing
                .is_none()
        );
    }

    #[test]
    fn a_node_that_was_started_again_deals_the_same_and_knows_what_it_was_dealt() {
        let (members, sharing) = founded(4);
        let next = keys(1..=4);
        let round = round(&sharing, &next);
        let mut net = Net::new(&round, &members, &[]);
        let (key, share) = &members[0];
        let first = Resharing::new(key, round.clone(), Some(share), Vec::new()).unwrap();
        assert_eq!(first.outgoing(), net.machines[&key.public()].outgoing());
        let mut kept = Vec::new();
        for (other, _) in &members[1..] {
            let sent = net.machines[&other.public()].outgoing();
            let (_, deal) = sent.iter().find(|(to, _)| *to == key.public()).unwrap();
            let one = net.machines.get_mut(&key.public()).unwrap();
            kept.push(one.receive(other.public(), deal).unwrap().keep.unwrap());
        }
        net.exchange(&[]);
        let logs: Vec<_> = net
            .machines
            .values_mut()
            .filter_map(Resharing::close)
            .collect();
        let again = Resharing::new(key, round.clone(), Some(share), kept).unwrap();
        let (one, other) = (
            again.finish(&logs),
            net.machines[&key.public()].finish(&logs),
        );
        let message = |share: &Share| sign_partial(share, b"same");
        assert_eq!(message(&one.share.unwrap()), message(&other.share.unwrap()));
        // Without what it acknowledged it gets none, though the round succeeds.
        let lost = Resharing::new(key, round, None, Vec::new())
            .unwrap()
            .finish(&logs);
        assert!(lost.sharing.is_some() && lost.share.is_none());
    }

    #[test]
    fn who_cheats_is_named() {
        let (members, sharing) = founded(4);
        let next = keys(1..=5);
        let round = round(&sharing, &next);
        let net = Net::new(&round, &members, &next[4..]);
        let [one, other, joining] = [0, 1, 4].map(|at| next[at].public());
        let mut machine = Resharing::new(&next[4], round.clone(), None, Vec::new()).unwrap();
        let sent = net.machines[&one].outgoing();
        let (_, foreign) = sent.iter().find(|(to, _)| *to == other).unwrap();
        for (from, bytes) in [(one, &foreign[..]), (joining, &foreign[..]), (one, b"junk")] {
            let error = machine.receive(from, bytes).unwrap_err();
            assert!(matches!(error, CeremonyError::Culprit { culprit, .. } if culprit == from));
        }
        let (_, deal) = sent.iter().find(|(to, _)| *to == joining).unwrap();
        for cut in 0..deal.len() {
            assert!(machine.receive(one, &deal[..cut]).is_err());
        }
        assert!(machine.receive(one, deal).unwrap().keep.is_some());
        assert!(machine.receive(one, deal).unwrap().keep.is_none());
        assert!(deal.len() <= MESSAGE_MAX);
    }
}
