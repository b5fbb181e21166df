//! Founding: all founders deal, all acknowledge, all see all dealers' logs, and all compute the same key.
//!
//! A state machine without I/O: [`Founding::outgoing`] says what is to be sent (again), [`Founding::receive`] takes what came. It
//! needs every founder; one who is absent or cheats stops it by name, and it is begun again without.
//!
//! A founder that is killed and comes back takes part again as if nothing had happened, if it kept its [`FoundingSecret`]: its
//! dealing, its acknowledgements and its log follow from it and from its node key, so it says nothing twice in different words.
//! That is why dealings and logs are sent until the receiver is [`Founding::settled`], even to founders who have acknowledged them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;

use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _};
use commonware_cryptography::bls12381::dkg::feldman_desmedt::{
    Dealer, DealerLog, DealerPrivMsg, DealerPubMsg, Info, Logs, Player, PlayerAck, Reveal,
    SignedDealerLog,
};
use commonware_cryptography::bls12381::primitives::sharing::Mode;
use commonware_cryptography::ed25519;
use commonware_parallel::Sequential;
use commonware_utils::N3f1;
use commonware_utils::ordered::Set;
use rand_core::CryptoRng;
use stele_core::cbor::{DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::genesis::VALIDATORS_MAX;
use stele_core::id::sha256;

use super::CeremonyError;
use crate::keys::{KeyError, KeyVariant, NodeKey, Share, Sharing, engine_key};
use crate::random::{SeededRandom, SystemRandom};

type Key = ed25519::PublicKey;

/// The longest part of a message: a log of a dealing to a hundred founders.
const PART_BYTES_MAX: usize = 64 << 10;

/// What a founder has after the ceremony.
#[derive(Debug, Clone)]
pub struct Founded {
    /// The public side, the same for all.
    pub sharing: Sharing,
    /// This founder's share.
    pub share: Share,
}

/// What a founder's dealing follows from. It is kept until the network is founded, and not longer.
#[derive(Clone, PartialEq, Eq)]
pub struct FoundingSecret([u8; 32]);

impl FoundingSecret {
    /// A new one.
    ///
    /// # Panics
    /// If the system has no randomness to give.
    pub fn generate() -> Self {
        Self(crate::random::seed())
    }

    /// Reads what [`FoundingSecret::save`] wrote.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let bytes = crate::keys::read_secret(path)?;
        let secret = <[u8; 32]>::try_from(&bytes[..]);
        secret.map(Self).map_err(|_| KeyError::Damaged {
            path: path.to_owned(),
            expected: "the secret of a founding ceremony",
        })
    }

    /// Writes it to a file that only its owner reads.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        crate::keys::write_secret(path, &self.0)
    }

    /// The source of one ceremony's dealing; another ceremony gets another.
    fn random(&self, context: &[u8; 32]) -> SeededRandom {
        SeededRandom::from_seed(sha256(&[b"stele/founding-secret/1", &self.0, context]))
    }
}

impl fmt::Debug for FoundingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FoundingSecret(redacted)")
    }
}

/// A message that was taken in, as long as only its repetition may follow.
struct Seen {
    hash: [u8; 32],
    answer: Option<Vec<u8>>,
}

enum Message {
    Deal { commitment: Vec<u8>, share: Vec<u8> },
    Ack(Vec<u8>),
    Log(Vec<u8>),
}

impl Message {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        match self {
            Self::Deal { commitment, share } => out.array(3).uint(1).bytes(commitment).bytes(share),
            Self::Ack(ack) => out.array(2).uint(2).bytes(ack),
            Self::Log(log) => out.array(2).uint(3).bytes(log),
        };
        out.into_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let parts = decoder.array(3)?;
        let message = match (parts, decoder.uint()?) {
            (3, 1) => Self::Deal {
                commitment: decoder.bytes(PART_BYTES_MAX)?.to_vec(),
                share: decoder.bytes(64)?.to_vec(),
            },
            (2, 2) => Self::Ack(decoder.bytes(256)?.to_vec()),
            (2, 3) => Self::Log(decoder.bytes(PART_BYTES_MAX)?.to_vec()),
            _ => {
                let kind = ErrorKind::Expected("a message of a founding ceremony");
                return Err(DecodeError { offset: 0, kind });
            }
        };
        decoder.finish()?;
        Ok(message)
    }
}

/// One founder's side of the ceremony.
pub struct Founding {
    me: [u8; 32],
    founders: Vec<[u8; 32]>,
    info: Info<KeyVariant, Key>,
    dealer: Option<Dealer<KeyVariant, ed25519::PrivateKey>>,
    player: Option<Player<KeyVariant, ed25519::PrivateKey>>,
    deals: BTreeMap<[u8; 32], Vec<u8>>,
    acked: BTreeSet<[u8; 32]>,
    /// The dealings taken in, each with its acknowledgement.
    dealt: BTreeMap<[u8; 32], Seen>,
    own_log: Option<Vec<u8>>,
    logs: BTreeMap<[u8; 32], DealerLog<KeyVariant, Key>>,
    logged: BTreeMap<[u8; 32], Seen>,
    settled: BTreeSet<[u8; 32]>,
}

pub(super) fn culprit(culprit: &[u8; 32], what: impl ToString) -> CeremonyError {
    CeremonyError::Culprit {
        culprit: *culprit,
        what: what.to_string(),
    }
}

impl Founding {
    /// Begins. `context` binds the ceremony to one founding document: nothing of it counts in another.
    ///
    /// # Errors
    /// [`CeremonyError::Participants`].
    pub fn new(
        me: &NodeKey,
        founders: &[[u8; 32]],
        context: &[u8; 32],
    ) -> Result<Self, CeremonyError> {
        Self::with_random(me, founders, context, SystemRandom)
    }

    /// Begins, or takes part again after a restart: the same secret makes the same dealing.
    ///
    /// # Errors
    /// [`CeremonyError::Participants`].
    pub fn resumable(
        me: &NodeKey,
        founders: &[[u8; 32]],
        context: &[u8; 32],
        secret: &FoundingSecret,
    ) -> Result<Self, CeremonyError> {
        Self::with_random(me, founders, context, secret.random(context))
    }

    fn with_random(
        me: &NodeKey,
        founders: &[[u8; 32]],
        context: &[u8; 32],
        random: impl CryptoRng,
    ) -> Result<Self, CeremonyError> {
        let wrong = |reason: &str| CeremonyError::Participants(reason.to_owned());
        let sorted: BTreeSet<_> = founders.iter().copied().collect();
        if sorted.len() != founders.len() || founders.is_empty() || founders.len() > VALIDATORS_MAX
        {
            return Err(wrong("1 to 100 founders with different keys are needed"));
        }
        if !sorted.contains(&me.public()) {
            return Err(wrong("this node is not among the founders"));
        }
        let keys: Option<Vec<_>> = sorted.iter().map(engine_key).collect();
        let keys = Set::from_iter_dedup(keys.ok_or_else(|| wrong("a node key is no Ed25519 key"))?);
        let namespace = [b"stele-founding/".as_slice(), context].concat();
        let info = Info::new::<N3f1>(
            &namespace,
            0,
            None,
            Mode::NonZeroCounter,
            Reveal::V1,
            keys.clone(),
            keys,
        )
        .map_err(|error| CeremonyError::Participants(error.to_string()))?;
        let secret = me.engine_key();
        let (dealer, commitment, shares) =
            Dealer::start::<N3f1>(random, info.clone(), secret.clone(), None)
                .map_err(|error| CeremonyError::Participants(error.to_string()))?;
        let player = Player::new(info.clone(), secret)
            .map_err(|error| CeremonyError::Participants(error.to_string()))?;
        let commitment = commitment.encode().to_vec();
        let deals = shares.into_iter().map(|(to, share)| {
            let message = Message::Deal {
                commitment: commitment.clone(),
                share: share.encode().to_vec(),
            };
            (crate::keys::node_key(&to), message.encode())
        });
        let mut founding = Self {
            me: me.public(),
            founders: sorted.into_iter().collect(),
            info,
            dealer: Some(dealer),
            player: Some(player),
            deals: deals.collect(),
            acked: BTreeSet::new(),
            dealt: BTreeMap::new(),
            own_log: None,
            logs: BTreeMap::new(),
            logged: BTreeMap::new(),
            settled: BTreeSet::new(),
        };
        // A founder deals to itself too, without a link.
        let own = founding
            .deals
            .remove(&me.public())
            .expect("a deal for everyone");
        if let Some(ack) = founding.receive(me.public(), &own)? {
            founding.receive(me.public(), &ack)?;
        }
        Ok(founding)
    }

    fn count(&self) -> NonZeroU32 {
        NonZeroU32::new(self.founders.len() as u32).expect("one at least")
    }

    /// All that the others may still need from this founder, and what this founder still needs an answer to; sending it twice does
    /// no harm.
    pub fn outgoing(&self) -> Vec<([u8; 32], Vec<u8>)> {
        let mut messages = Vec::new();
        for other in self.founders.iter().filter(|other| **other != self.me) {
            let settled = self.settled.contains(other);
            // After a restart the log is closed anew, with the acknowledgements of all; somebody may lack it.
            let unanswered = self.own_log.is_none() && !self.acked.contains(other);
            if !settled || unanswered {
                messages.push((*other, self.deals[other].clone()));
            }
            if let Some(log) = self.own_log.as_ref().filter(|_| !settled) {
                messages.push((*other, log.clone()));
            }
        }
        messages
    }

    /// This founder has its share on its disk and needs nothing more of the ceremony.
    pub fn settled(&mut self, founder: [u8; 32]) {
        self.settled.insert(founder);
    }

    /// Takes a message; gives the answer to it, if it has one.
    ///
    /// # Errors
    /// [`CeremonyError::Culprit`] names a founder who sent what no honest one sends.
    pub fn receive(
        &mut self,
        from: [u8; 32],
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, CeremonyError> {
        let Some(sender) = engine_key(&from).filter(|_| self.founders.binary_search(&from).is_ok())
        else {
            return Err(culprit(&from, "a message without being a founder"));
        };
        match Message::decode(bytes).map_err(|error| culprit(&from, error))? {
            Message::Deal { commitment, share } => {
                self.receive_deal(from, sender, &commitment, &share)
            }
            Message::Ack(ack) => {
                let ack = PlayerAck::decode(Copying(&ack)).map_err(|error| {
                    culprit(
                        &from,
                        format!("an acknowledgement that could not be read: {error}"),
                    )
                })?;
                if let Some(dealer) = &mut self.dealer {
                    dealer.receive_player_ack(sender, ack).map_err(|error| {
                        culprit(&from, format!("a wrong acknowledgement: {error}"))
                    })?;
                    self.acked.insert(from);
                }
                self.close_dealing();
                Ok(None)
            }
            Message::Log(log) => {
                let hash = sha256(&[&log]);
                if self.logged.get(&from).is_some_and(|seen| seen.hash == hash) {
                    return Ok(None);
                }
                let signed =
                    SignedDealerLog::<KeyVariant, Key>::decode_cfg(Copying(&log), &self.count())
                        .map_err(|error| {
                            culprit(&from, format!("a log that could not be read: {error}"))
                        })?;
                let (dealer, log) = signed
                    .check(&self.info)
                    .ok_or_else(|| culprit(&from, "a log with a wrong signature"))?;
                if dealer != sender {
                    return Err(culprit(&from, "the log of another founder"));
                }
                if self.logs.get(&from).is_some_and(|known| *known != log) {
                    return Err(culprit(&from, "two different logs of its dealing"));
                }
                self.logs.insert(from, log);
                self.logged.insert(from, Seen { hash, answer: None });
                Ok(None)
            }
        }
    }

    fn receive_deal(
        &mut self,
        from: [u8; 32],
        sender: Key,
        commitment: &[u8],
        share: &[u8],
    ) -> Result<Option<Vec<u8>>, CeremonyError> {
        let hash = sha256(&[&sha256(&[commitment]), share]);
        if let Some(seen) = self.dealt.get(&from) {
            if seen.hash != hash {
                return Err(culprit(&from, "two different dealings"));
            }
            return Ok(seen.answer.clone());
        }
        let commitment = DealerPubMsg::<KeyVariant>::decode_cfg(Copying(commitment), &self.count())
            .map_err(|error| {
                culprit(&from, format!("a dealing that could not be read: {error}"))
            })?;
        let share = DealerPrivMsg::decode(Copying(share)).map_err(|error| {
            culprit(&from, format!("a dealing that could not be read: {error}"))
        })?;
        let Some(player) = &mut self.player else {
            return Ok(None);
        };
        let ack = player
            .dealer_message::<N3f1>(sender, commitment, share)
            .map_err(|error| culprit(&from, format!("a wrong dealing: {error}")))?;
        let Some(ack) = ack else { return Ok(None) };
        let ack = Message::Ack(ack.encode().to_vec()).encode();
        let answer = Some(ack);
        let seen = Seen {
            hash,
            answer: answer.clone(),
        };
        self.dealt.insert(from, seen);
        Ok(answer)
    }

    /// Once everyone has acknowledged, the log of the dealing is closed and sent around.
    fn close_dealing(&mut self) {
        if self.acked.len() < self.founders.len() {
            return;
        }
        let Some(dealer) = self.dealer.take() else {
            return;
        };
        let log = dealer.finalize::<N3f1>();
        self.own_log = Some(Message::Log(log.encode().to_vec()).encode());
        let (_, log) = log.check(&self.info).expect("our own signature verifies");
        self.logs.insert(self.me, log);
    }

    /// Founders whose part is still missing here.
    pub fn missing(&self) -> Vec<[u8; 32]> {
        let missing = self.founders.iter().filter(|founder| {
            !self.acked.contains(*founder)
                || !self.dealt.contains_key(*founder)
                || !self.logs.contains_key(*founder)
        });
        missing.copied().collect()
    }

    /// The result, once the dealings and the logs of all founders are here.
    ///
    /// # Errors
    /// [`CeremonyError::NoResult`].
    pub fn finish(&mut self) -> Option<Result<Founded, CeremonyError>> {
        // After a restart a log may come before the dealing that it speaks of.
        if self.logs.len() < self.founders.len() || self.dealt.len() < self.founders.len() {
            return None;
        }
        let player = self.player.take()?;
        let mut logs = Logs::<KeyVariant, Key, N3f1>::new(self.info.clone());
        for (dealer, log) in &self.logs {
            logs.record(
                engine_key(dealer).expect("checked at the start"),
                log.clone(),
            );
        }
        let result = player.finalize(&mut SystemRandom, logs, &Sequential);
        Some(match result {
            Ok((output, share)) => Ok(Founded {
                sharing: Sharing::new(output),
                share: Share::new(share),
            }),
            Err(error) => Err(CeremonyError::NoResult(error.to_string())),
        })
    }
}

/// The whole ceremony among founders in one process: for a network of processes on one machine, and for tests.
///
/// # Errors
/// [`CeremonyError`].
pub fn found_in_process(
    founders: &[NodeKey],
    context: &[u8; 32],
) -> Result<Vec<Founded>, CeremonyError> {
    found(founders, context, |_| SystemRandom)
}

/// As [`found_in_process`], with secrets that follow from a seed: for simulations, which must take the same steps each time. Whoever
/// knows the seed knows the key.
///
/// # Errors
/// [`CeremonyError`].
pub fn found_from_seed(
    founders: &[NodeKey],
    context: &[u8; 32],
    seed: u64,
) -> Result<Vec<Founded>, CeremonyError> {
    found(founders, context, |number| {
        SeededRandom::new(seed.wrapping_add(number))
    })
}

fn found<R: CryptoRng>(
    founders: &[NodeKey],
    context: &[u8; 32],
    random: impl Fn(u64) -> R,
) -> Result<Vec<Founded>, CeremonyError> {
    let keys: Vec<_> = founders.iter().map(NodeKey::public).collect();
    let machines: Result<Vec<_>, _> = founders
        .iter()
        .zip(0..)
        .map(|(me, number)| Founding::with_random(me, &keys, context, random(number)))
        .collect();
    let mut machines: BTreeMap<_, _> = keys.iter().copied().zip(machines?).collect();
    let mut results = BTreeMap::new();
    while results.len() < keys.len() {
        let sent = machines.iter().flat_map(|(from, machine)| {
            let messages = machine.outgoing().into_iter();
            messages.map(|(to, bytes)| (*from, to, bytes))
        });
        let mut queue: VecDeque<_> = sent.collect();
        while let Some((from, to, bytes)) = queue.pop_front() {
            let receiver = machines.get_mut(&to).expect("a founder");
            if let Some(answer) = receiver.receive(from, &bytes)? {
                queue.push_back((to, from, answer));
            }
        }
        for (key, machine) in &mut machines {
            if let Some(result) = machine.finish() {
                results.insert(*key, result?);
            }
        }
    }
    Ok(keys.iter().map(|key| results[key].clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{bad_partials, recover, sign_partial};
    use stele_core::suite::Suite;

    fn keys(count: u8) -> Vec<NodeKey> {
        (1..=count)
            .map(|number| NodeKey::from_seed(&[number; 32]))
            .collect()
    }

    #[test]
    fn any_quorum_signs_as_the_network_and_fewer_do_not() {
        for count in [1u8, 2, 4, 7] {
            let founded = found_in_process(&keys(count), &[9; 32]).unwrap();
            let sharing = &founded[0].sharing;
            assert!(founded.iter().all(|one| one.sharing == *sharing));
            assert_eq!(Sharing::decode(&sharing.encode()).unwrap(), *sharing);
            let key = sharing.public_key();
            let quorum = sharing.quorum();
            assert_eq!(quorum, usize::from(count) - (usize::from(count) - 1) / 3);
            let partials: Vec<_> = founded
                .iter()
                .map(|one| {
                    let index = one.share.index();
                    (index, sign_partial(&one.share, b"message"))
                })
                .collect();
            let mut signatures = BTreeSet::new();
            for skip in 0..=partials.len() - quorum {
                let signature = recover(sharing, &partials[skip..skip + quorum]).unwrap();
                key.verify(Suite::Bls12381.algorithm(), b"message", &signature)
                    .unwrap();
                signatures.insert(signature);
            }
            assert_eq!(
                signatures.len(),
                1,
                "one message, one signature, whoever made it"
            );
            assert!(recover(sharing, &partials[1..quorum]).is_none());
        }
    }

    #[test]
    fn a_bad_share_is_found_by_its_index() {
        let founded = found_in_process(&keys(4), &[9; 32]).unwrap();
        let sharing = &founded[0].sharing;
        let mut partials: Vec<_> = founded
            .iter()
            .map(|one| (one.share.index(), sign_partial(&one.share, b"message")))
            .collect();
        partials.sort_unstable();
        partials[1].1 = sign_partial(&founded[0].share, b"another");
        let signature = recover(sharing, &partials[..3]).unwrap();
        let key = sharing.public_key();
        assert!(
            key.verify(Suite::Bls12381.algorithm(), b"message", &signature)
                .is_err()
        );
        assert_eq!(bad_partials(sharing, b"message", &partials), [1]);
    }

    #[test]
    fn a_founder_that_cheats_is_named() {
        let keys = keys(4);
        let public: Vec<_> = keys.iter().map(NodeKey::public).collect();
        let mut first = Founding::new(&keys[0], &public, &[1; 32]).unwrap();
        let second = Founding::new(&keys[1], &public, &[1; 32]).unwrap();
        // What is meant for another founder does not fit the commitment at our place.
        let (_, foreign) = second
            .outgoing()
            .into_iter()
            .find(|(to, _)| *to == public[2])
            .unwrap();
        let error = first.receive(public[1], &foreign).unwrap_err();
        assert!(matches!(error, CeremonyError::Culprit { culprit, .. } if culprit == public[1]));
        // A dealing of another ceremony is acknowledged under another context, which its dealer sees.
        let other = Founding::new(&keys[2], &public, &[2; 32]).unwrap();
        let (_, deal) = other
            .outgoing()
            .into_iter()
            .find(|(to, _)| *to == public[0])
            .unwrap();
        let ack = first.receive(public[2], &deal).unwrap().unwrap();
        let mut other = other;
        assert!(other.receive(public[0], &ack).is_err());
        let stranger = NodeKey::from_seed(&[99; 32]).public();
        assert!(first.receive(stranger, &deal).is_err());
        assert!(first.receive(public[3], b"garbage").is_err());
    }

    #[test]
    fn the_founders_must_be_different_and_hold_this_node() {
        let keys = keys(2);
        let one = keys[0].public();
        assert!(Founding::new(&keys[0], &[one, one], &[0; 32]).is_err());
        assert!(Founding::new(&keys[1], &[one], &[0; 32]).is_err());
        assert!(Founding::new(&keys[0], &[], &[0; 32]).is_err());
    }
}
