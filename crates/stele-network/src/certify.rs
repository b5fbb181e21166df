//! Making a block's certificate: each validator signs the result with its share, a quorum of shares is the network's signature.
//!
//! Shares of the same result combine to the same bytes whoever sends them, so nothing here is agreed on: a validator sends its share until
//! it holds the certificate, and answers late shares with the certificate.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use commonware_consensus::types::{Epocher as _, FixedEpocher, Height as EngineHeight};
use commonware_cryptography::ed25519;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::{Clock, Spawner};
use futures::StreamExt as _;
use futures::channel::mpsc;
use parking_lot::{Mutex, RwLock};
use stele_core::block::Certificate;
use stele_core::cbor::{DecodeError, Decoder, Encoder};
use stele_core::id::{BlockHash, Height};
use stele_ledger::ledger::{Certifier, Uncertified};

use crate::chain::Chain;
use crate::committee::{Committee, Committees};
use crate::keys::{
    NodeKey, PARTIAL_BYTES, Share, bad_partials, engine_key, node_key, recover, sign_partial,
};
use crate::score::Score;
use crate::status::Progress;

/// How long a validator waits for a certificate before it sends its share again.
const RESEND: Duration = Duration::from_millis(1_000);
/// Shares for heights further ahead than this are not kept: their sender sends them again.
const AHEAD_MAX: u64 = 64;
/// For how many blocks at a time certificates are asked.
const ASK_MAX: usize = 8;
/// The longest message: a certificate is a few hundred bytes.
pub(crate) const MESSAGE_MAX: usize = 2_048;

/// The ledger's side: hands executed blocks over to the task.
pub(crate) struct Handover {
    blocks: Mutex<mpsc::UnboundedSender<Uncertified>>,
}

impl Handover {
    pub(crate) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Uncertified>) {
        // The ledger bounds how many blocks it executes ahead of their certificates.
        let (blocks, waiting) = mpsc::unbounded();
        let blocks = Mutex::new(blocks);
        (Arc::new(Self { blocks }), waiting)
    }

    /// Hands over to a task that takes the place of the one before. Blocks that wait already are asked of the ledger.
    pub(crate) fn reconnect(&self) -> mpsc::UnboundedReceiver<Uncertified> {
        let (blocks, waiting) = mpsc::unbounded();
        *self.blocks.lock() = blocks;
        waiting
    }
}

impl Certifier for Handover {
    fn certify(&self, block: Uncertified) {
        // Without the task the node is shutting down; the block is signed again after the next start.
        let _ = self.blocks.lock().unbounded_send(block);
    }
}

/// The shares of this node by committee number. A new one comes with each resharing.
pub(crate) type Shares = Arc<RwLock<BTreeMap<u64, Share>>>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Message {
    /// A validator's share of the signature over a block.
    Partial {
        committee: u64,
        height: Height,
        block: BlockHash,
        signature: [u8; PARTIAL_BYTES],
    },
    /// The whole certificate, for one who comes late.
    Certificate(Vec<u8>),
    /// Asks for the certificate of a block: from a node that has no share in the committee that signs it.
    Ask(Height),
}

impl Message {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        match self {
            Self::Partial {
                committee,
                height,
                block,
                signature,
            } => out
                .array(5)
                .uint(1)
                .uint(*committee)
                .uint(height.get())
                .bytes(block.as_bytes())
                .bytes(signature),
            Self::Certificate(bytes) => out.array(2).uint(2).bytes(bytes),
            Self::Ask(height) => out.array(2).uint(3).uint(height.get()),
        };
        out.into_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let parts = decoder.array(5)?;
        let message = match (parts, decoder.uint()?) {
            (5, 1) => Self::Partial {
                committee: decoder.uint()?,
                height: Height::new(decoder.uint()?),
                block: BlockHash::from_bytes(decoder.bytes32()?),
                signature: {
                    let offset = decoder.position();
                    let kind = stele_core::cbor::ErrorKind::Expected("a share of 48 bytes");
                    let bytes = decoder.bytes(PARTIAL_BYTES)?;
                    bytes.try_into().map_err(|_| DecodeError { offset, kind })?
                },
            },
            (2, 2) => Self::Certificate(decoder.bytes(MESSAGE_MAX)?.to_vec()),
            (2, 3) => Self::Ask(Height::new(decoder.uint()?)),
            _ => {
                return Err(DecodeError {
                    offset: 0,
                    kind: stele_core::cbor::ErrorKind::Expected("a share or a certificate"),
                });
            }
        };
        decoder.finish()?;
        Ok(message)
    }
}

/// Shares for one height, by the result they sign.
#[derive(Default)]
struct Collected {
    ours: Option<Uncertified>,
    committee: u64,
    partials: HashMap<BlockHash, BTreeMap<usize, [u8; PARTIAL_BYTES]>>,
}

/// The task that makes certificates.
pub(crate) struct Certifying<E, S> {
    pub(crate) context: E,
    pub(crate) chain: Chain,
    pub(crate) me: Arc<NodeKey>,
    pub(crate) committees: Committees,
    pub(crate) shares: Shares,
    pub(crate) sender: S,
    pub(crate) score: Score,
    pub(crate) progress: Progress,
    pub(crate) epocher: FixedEpocher,
    pub(crate) heights: Heights,
}

/// What is collected and not yet certified.
#[derive(Default)]
pub(crate) struct Heights(BTreeMap<u64, Collected>);

impl<E, S> Certifying<E, S>
where
    E: Clock + Spawner,
    S: Sender<PublicKey = ed25519::PublicKey>,
{
    pub(crate) async fn run<R>(
        mut self,
        mut receiver: R,
        mut executed: mpsc::UnboundedReceiver<Uncertified>,
    ) where
        R: Receiver<PublicKey = ed25519::PublicKey>,
    {
        let mut resend = self.context.current() + RESEND;
        for block in self.chain.waiting() {
            self.sign(block);
        }
        loop {
            select! {
                block = executed.next() => {
                    let Some(block) = block else { break };
                    self.sign(block);
                },
                message = receiver.recv() => {
                    let Ok((from, bytes)) = message else { break };
                    self.hear(&from, bytes.as_ref());
                },
                () = self.context.sleep_until(resend) => {
                    self.send_again();
                    resend = self.context.current() + RESEND;
                },
            }
        }
    }

    /// The committee whose shares sign the block that the engine ordered at this position.
    fn committee_at(&self, position: u64) -> Option<Arc<Committee>> {
        let epoch = self.epocher.containing(EngineHeight::new(position))?;
        self.committees.of(epoch.epoch().get())
    }

    fn sign(&mut self, block: Uncertified) {
        let Some(committee) = self.committee_at(block.position) else {
            return;
        };
        let height = block.height();
        let collected = self.heights.0.entry(height.get()).or_default();
        if collected.committee != committee.number {
            // Collected before this node knew which committee decides here.
            collected.partials.clear();
            collected.committee = committee.number;
        }
        collected.ours = Some(block);
        self.broadcast(height.get());
        self.try_recover(height.get());
    }

    /// Signs our result for a height and sends the share to the committee.
    fn broadcast(&mut self, height: u64) {
        let Some(collected) = self.heights.0.get_mut(&height) else {
            return;
        };
        let (Some(block), number) = (&collected.ours, collected.committee) else {
            return;
        };
        let Some(committee) = self.committees.numbered(number) else {
            return;
        };
        let shares = self.shares.read();
        let (Some(share), Some(index)) =
            (shares.get(&number), committee.index_of(&self.me.public()))
        else {
            return;
        };
        let signature = sign_partial(share, &block.message());
        drop(shares);
        let partials = collected.partials.entry(block.block_hash()).or_default();
        partials.insert(index, signature);
        let message = Message::Partial {
            committee: number,
            height: block.height(),
            block: block.block_hash(),
            signature,
        };
        let others = committee
            .validators
            .iter()
            .filter(|other| other.node_key != self.me.public());
        let others: Vec<_> = others
            .filter_map(|other| engine_key(&other.node_key))
            .collect();
        if !others.is_empty() {
            self.sender
                .send(Recipients::Some(others), message.encode(), true);
        }
    }

    fn send_again(&mut self) {
        let head = self.chain.height();
        self.heights.0.retain(|height, _| *height > head.get());
        let heights: Vec<_> = self.heights.0.keys().copied().collect();
        for height in heights {
            self.broadcast(height);
        }
        self.ask();
    }

    /// Asks for the certificates of blocks that this node executed and has no share to sign with: it belongs to a later committee, or
    /// lost its share.
    fn ask(&mut self) {
        let heights: Vec<_> = self.heights.0.iter().take(ASK_MAX).collect();
        let mut asks = Vec::new();
        for (height, collected) in heights {
            let number = collected.committee;
            let signs = self.shares.read().contains_key(&number)
                && (self.committees.numbered(number))
                    .is_some_and(|committee| committee.index_of(&self.me.public()).is_some());
            if signs || collected.ours.is_none() {
                continue;
            }
            if let Some(committee) = self.committees.numbered(number) {
                asks.push((*height, committee));
            }
        }
        for (height, committee) in asks {
            let members = committee.validators.iter();
            let members = members.filter_map(|one| engine_key(&one.node_key));
            let message = Message::Ask(Height::new(height)).encode();
            self.sender
                .send(Recipients::Some(members.collect()), message, false);
        }
    }

    fn hear(&mut self, from: &ed25519::PublicKey, bytes: &[u8]) {
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.score
                    .malformed(from, "a share of a certificate", &error);
                return;
            }
        };
        match message {
            Message::Partial {
                committee,
                height,
                block,
                signature,
            } => self.hear_partial(from, committee, height, block, signature),
            Message::Ask(height) => self.answer(from, height),
            Message::Certificate(bytes) => match Certificate::decode(&bytes) {
                Ok(certificate) => self.hear_certificate(from, certificate),
                Err(error) => self.score.malformed(from, "a certificate", &error),
            },
        }
    }

    /// Sends a certificate, if there is one.
    fn answer(&mut self, to: &ed25519::PublicKey, height: Height) {
        if height <= self.chain.height()
            && let Some(certificate) = self.chain.certificate(height)
        {
            let message = Message::Certificate(certificate.encode());
            self.sender
                .send(Recipients::One(to.clone()), message.encode(), false);
        }
    }

    fn hear_partial(
        &mut self,
        from: &ed25519::PublicKey,
        number: u64,
        height: Height,
        block: BlockHash,
        signature: [u8; PARTIAL_BYTES],
    ) {
        let head = self.chain.height();
        if height <= head {
            self.answer(from, height);
            return;
        }
        let key = node_key(from);
        let Some(index) = self
            .committees
            .numbered(number)
            .and_then(|committee| committee.index_of(&key))
        else {
            // A committee that this node does not know yet; the share is sent again.
            return;
        };
        if height.get() > head.get() + AHEAD_MAX {
            return;
        }
        let collected = self.heights.0.entry(height.get()).or_default();
        if collected.ours.is_none() {
            collected.committee = number;
        }
        if collected.committee != number {
            return;
        }
        // One share of each validator counts: one that signs two results gains nothing.
        if collected
            .partials
            .values()
            .any(|shares| shares.contains_key(&index))
        {
            return;
        }
        collected
            .partials
            .entry(block)
            .or_default()
            .insert(index, signature);
        self.try_recover(height.get());
    }

    fn try_recover(&mut self, height: u64) {
        let Some(collected) = self.heights.0.get_mut(&height) else {
            return;
        };
        let Some(block) = &collected.ours else { return };
        let Some(committee) = self.committees.numbered(collected.committee) else {
            return;
        };
        let ours = block.block_hash();
        let quorum = committee.sharing.quorum();
        self.progress.dissent(
            height,
            collected
                .partials
                .iter()
                .filter(|(hash, _)| **hash != ours)
                .map(|(_, shares)| shares.len())
                .sum(),
        );
        let Some(partials) = collected.partials.get_mut(&ours) else {
            return;
        };
        if partials.len() < quorum {
            return;
        }
        let shares: Vec<_> = partials
            .iter()
            .map(|(index, signature)| (*index, *signature))
            .collect();
        // Verified once, as a whole, when the ledger takes it; the shares one by one only if that fails.
        let mut certificate = block.certificate.clone();
        let combined = recover(&committee.sharing, &shares).map(|signature| {
            certificate.signature = signature.to_vec();
            self.chain.certified(certificate)
        });
        match combined {
            Some(Ok(())) => drop(self.heights.0.remove(&height)),
            Some(Err(refused)) if !refused.is_invalid() => {}
            _ => {
                for index in bad_partials(&committee.sharing, &block.message(), &shares) {
                    partials.remove(&index);
                    let key = committee
                        .validators
                        .get(index)
                        .and_then(|one| engine_key(&one.node_key));
                    if let Some(key) = key {
                        self.score
                            .blame(&key, "its share of a certificate does not verify");
                    }
                }
            }
        }
    }

    fn hear_certificate(&mut self, from: &ed25519::PublicKey, certificate: Certificate) {
        let height = certificate.header.height;
        match self.chain.certified(certificate) {
            Ok(()) => drop(self.heights.0.remove(&height.get())),
            Err(refused) if refused.is_invalid() => self.score.blame(from, &refused.to_string()),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_messages_are_refused_or_read() {
        let partial = Message::Partial {
            committee: 3,
            height: Height::new(9),
            block: BlockHash::from_bytes([7; 32]),
            signature: [5; PARTIAL_BYTES],
        };
        let good = [
            partial.encode(),
            Message::Certificate(vec![1; 200]).encode(),
        ];
        crate::hostile::assail(&good, |bytes| {
            if let Ok(Message::Certificate(bytes)) = Message::decode(bytes) {
                let _ = Certificate::decode(&bytes);
            }
        });
    }

    #[test]
    fn messages_survive_their_encoding() {
        for message in [
            Message::Partial {
                committee: 3,
                height: Height::new(9),
                block: BlockHash::from_bytes([7; 32]),
                signature: [5; PARTIAL_BYTES],
            },
            Message::Certificate(vec![1, 2, 3]),
            Message::Ask(Height::new(70_000)),
        ] {
            let bytes = message.encode();
            assert!(bytes.len() <= MESSAGE_MAX);
            assert_eq!(Message::decode(&bytes), Ok(message));
            for cut in 0..bytes.len() {
                assert!(Message::decode(&bytes[..cut]).is_err());
            }
        }
    }
}
