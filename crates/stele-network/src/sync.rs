//! The channel on which nodes read each other's logs: certified blocks, and where the engine stands. `follow` asks on it.
//!
//! Every node serves its log. A follower lives on it; a validator that was away uses it until it is near the others, and then joins the
//! engine at a finalized floor. Nothing in here has to be believed of one node: a block counts by its certificate and the root of its
//! entries, a floor by the votes of the committee that the state names. What no signature says, which height the ledger has after the
//! floor's block, is taken only when f+1 of the committee say the same, one of whom is honest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_consensus::marshal::core::Mailbox as MarshalMailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::{Epocher as _, FixedEpocher, Height as EngineHeight};
use commonware_cryptography::ed25519;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::{Clock, Spawner};
use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;
use stele_core::block::Certificate;
use stele_core::cbor::{DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::entry::ENTRY_BYTES_MAX;
use stele_core::id::Height;

use crate::block::{Block, Digest};
use crate::chain::Chain;
use crate::committee::Committees;
use crate::keys::node_key;
use crate::score::Score;
use crate::status::{Place, Progress};

/// The most bytes of blocks in one answer, if it is more than one block.
const ANSWER_BYTES: usize = 1 << 20;
/// The most blocks in one answer.
pub(crate) const ANSWER_BLOCKS: usize = 512;
/// The most entries in one block of an answer.
const BLOCK_ENTRIES: usize = 65_536;
/// The longest message: one block of the largest size, with its frame.
pub(crate) const MESSAGE_MAX: usize = 4 << 20;
const CERTIFICATE_BYTES_MAX: usize = 1_024;
const FLOOR_BYTES_MAX: usize = 1 << 16;
/// How often a node tells the others how far it is.
const TELL_EVERY: Duration = Duration::from_millis(1_000);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A final block as one node serves it to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServedBlock {
    pub(crate) certificate: Certificate,
    pub(crate) entries: Vec<Bytes>,
}

/// Where the engine stands, for a node that joins it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Floor {
    /// The engine's encoding of a finalization.
    pub(crate) finalization: Vec<u8>,
    /// The epoch of the finalization.
    pub(crate) epoch: u64,
    /// The number of the epoch's committee.
    pub(crate) committee: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// How far the sender is.
    Head { height: u64 },
    /// Blocks from a height on, please.
    GetBlocks { id: u64, from: u64 },
    /// Here they are; none if the sender has none of them.
    Blocks { id: u64, blocks: Vec<ServedBlock> },
    /// Where does the engine stand?
    GetFloor { id: u64 },
    /// Here; nothing if the sender does not take part in it.
    Floor { id: u64, floor: Option<Floor> },
    /// Where does this block of the engine stand, and which height has the ledger after it?
    GetPlace { id: u64, block: Digest },
    /// There; nothing if the sender has not executed it, or not of late.
    Place { id: u64, place: Option<Place> },
}

impl Message {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        match self {
            Self::Head { height } => {
                out.array(2).uint(1).uint(*height);
            }
            Self::GetBlocks { id, from } => {
                out.array(3).uint(2).uint(*id).uint(*from);
            }
            Self::Blocks { id, blocks } => {
                out.array(3).uint(3).uint(*id).array(blocks.len());
                for block in blocks {
                    out.array(2).bytes(&block.certificate.encode());
                    out.array(block.entries.len());
                    for entry in &block.entries {
                        out.bytes(entry);
                    }
                }
            }
            Self::GetFloor { id } => {
                out.array(2).uint(4).uint(*id);
            }
            Self::Floor { id, floor: None } => {
                out.array(2).uint(5).uint(*id);
            }
            Self::Floor {
                id,
                floor: Some(floor),
            } => {
                out.array(5).uint(5).uint(*id).bytes(&floor.finalization);
                out.uint(floor.epoch).uint(floor.committee);
            }
            Self::GetPlace { id, block } => {
                out.array(3).uint(6).uint(*id).bytes(block.as_ref());
            }
            Self::Place { id, place: None } => {
                out.array(2).uint(7).uint(*id);
            }
            Self::Place {
                id,
                place: Some(place),
            } => {
                out.array(4).uint(7).uint(*id);
                out.uint(place.position).uint(place.height);
            }
        }
        out.into_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let parts = decoder.array(5)?;
        let message = match (parts, decoder.uint()?) {
            (2, 1) => Self::Head {
                height: decoder.uint()?,
            },
            (3, 2) => Self::GetBlocks {
                id: decoder.uint()?,
                from: decoder.uint()?,
            },
            (3, 3) => {
                let id = decoder.uint()?;
                let count = decoder.array(ANSWER_BLOCKS)?;
                let mut blocks = Vec::with_capacity(count);
                for _ in 0..count {
                    blocks.push(read_block(&mut decoder)?);
                }
                Self::Blocks { id, blocks }
            }
            (2, 4) => Self::GetFloor {
                id: decoder.uint()?,
            },
            (2, 5) => Self::Floor {
                id: decoder.uint()?,
                floor: None,
            },
            (5, 5) => Self::Floor {
                id: decoder.uint()?,
                floor: Some(Floor {
                    finalization: decoder.bytes(FLOOR_BYTES_MAX)?.to_vec(),
                    epoch: decoder.uint()?,
                    committee: decoder.uint()?,
                }),
            },
            (3, 6) => Self::GetPlace {
                id: decoder.uint()?,
                block: read_digest(&mut decoder)?,
            },
            (2, 7) => Self::Place {
                id: decoder.uint()?,
                place: None,
            },
            (4, 7) => Self::Place {
                id: decoder.uint()?,
                place: Some(Place {
                    position: decoder.uint()?,
                    height: decoder.uint()?,
                }),
            },
            _ => {
                return Err(DecodeError {
                    offset: 0,
                    kind: ErrorKind::Expected("a message of the sync channel"),
                });
            }
        };
        decoder.finish()?;
        Ok(message)
    }
}

fn read_digest(decoder: &mut Decoder<'_>) -> Result<Digest, DecodeError> {
    let offset = decoder.position();
    let bytes = Bytes::copy_from_slice(&decoder.bytes32()?);
    Digest::decode(bytes).map_err(|_| DecodeError {
        offset,
        kind: ErrorKind::Expected("the digest of a block"),
    })
}

fn read_block(decoder: &mut Decoder<'_>) -> Result<ServedBlock, DecodeError> {
    decoder.array_of(2, "a certificate and entries")?;
    let offset = decoder.position();
    let certificate = decoder.bytes(CERTIFICATE_BYTES_MAX)?;
    let certificate = Certificate::decode(certificate).map_err(|_| DecodeError {
        offset,
        kind: ErrorKind::Expected("a certificate"),
    })?;
    let count = decoder.array(BLOCK_ENTRIES)?;
    let mut entries = Vec::with_capacity(count.min(4_096));
    for _ in 0..count {
        entries.push(Bytes::copy_from_slice(decoder.bytes(ENTRY_BYTES_MAX)?));
    }
    Ok(ServedBlock {
        certificate,
        entries,
    })
}

type FloorSource = Arc<dyn Fn() -> BoxFuture<'static, Option<Floor>> + Send + Sync>;

/// Where a floor comes from: the engine, once it runs here.
#[derive(Clone, Default)]
pub(crate) struct FloorSlot {
    source: Arc<Mutex<Option<FloorSource>>>,
}

impl FloorSlot {
    /// From now on floors are offered.
    pub(crate) fn offer(
        &self,
        marshal: MarshalMailbox<Scheme, Standard<Block>>,
        committees: Committees,
        epocher: FixedEpocher,
        progress: Progress,
    ) {
        let source = move || {
            let (marshal, committees) = (marshal.clone(), committees.clone());
            let (epocher, newest) = (epocher.clone(), progress.newest_place());
            let floor = async move {
                let at = EngineHeight::new(newest?.position);
                let finalization = marshal.get_finalization(at).await?;
                let epoch = epocher.containing(at)?.epoch().get();
                Some(Floor {
                    finalization: finalization.encode().to_vec(),
                    epoch,
                    committee: committees.of(epoch)?.number,
                })
            };
            floor.boxed()
        };
        *self.source.lock() = Some(Arc::new(source));
    }
}

pub(crate) enum Ask {
    Blocks {
        peer: ed25519::PublicKey,
        from: u64,
        answer: oneshot::Sender<Vec<ServedBlock>>,
    },
    Floor {
        peer: ed25519::PublicKey,
        answer: oneshot::Sender<Option<Floor>>,
    },
    Place {
        peer: ed25519::PublicKey,
        block: Digest,
        answer: oneshot::Sender<Option<Place>>,
    },
}

/// The answer that a question waits for.
enum Waiting {
    Blocks(oneshot::Sender<Vec<ServedBlock>>),
    Floor(oneshot::Sender<Option<Floor>>),
    Place(oneshot::Sender<Option<Place>>),
}

/// Asks other nodes.
pub(crate) struct Asker<E> {
    context: Arc<E>,
    asks: mpsc::UnboundedSender<Ask>,
}

impl<E> Clone for Asker<E> {
    fn clone(&self) -> Self {
        Self {
            context: Arc::clone(&self.context),
            asks: self.asks.clone(),
        }
    }
}

impl<E: Clock> Asker<E> {
    pub(crate) fn new(context: E, asks: mpsc::UnboundedSender<Ask>) -> Self {
        Self {
            context: Arc::new(context),
            asks,
        }
    }

    async fn within<T>(&self, answer: oneshot::Receiver<T>) -> Option<T> {
        select! {
            answer = answer => answer.ok(),
            () = self.context.sleep(ANSWER_WITHIN) => None,
        }
    }

    /// Blocks from `from` on; `None` if no answer came in time.
    pub(crate) async fn blocks(
        &self,
        peer: &ed25519::PublicKey,
        from: u64,
    ) -> Option<Vec<ServedBlock>> {
        let (answer, answered) = oneshot::channel();
        let peer = peer.clone();
        let ask = Ask::Blocks { peer, from, answer };
        self.asks.unbounded_send(ask).ok()?;
        self.within(answered).await
    }

    /// The floor that a peer offers.
    pub(crate) async fn floor(&self, peer: &ed25519::PublicKey) -> Option<Floor> {
        let (answer, answered) = oneshot::channel();
        let peer = peer.clone();
        self.asks.unbounded_send(Ask::Floor { peer, answer }).ok()?;
        self.within(answered).await.flatten()
    }

    /// Where a peer says that a block of the engine stands.
    pub(crate) async fn place(&self, peer: &ed25519::PublicKey, block: Digest) -> Option<Place> {
        let (answer, answered) = oneshot::channel();
        let peer = peer.clone();
        let ask = Ask::Place {
            peer,
            block,
            answer,
        };
        self.asks.unbounded_send(ask).ok()?;
        self.within(answered).await.flatten()
    }
}

/// The task on the sync channel: serves others and carries this node's questions.
pub(crate) struct Exchange<E, S> {
    pub(crate) context: E,
    pub(crate) chain: Chain,
    pub(crate) progress: Progress,
    pub(crate) score: Score,
    pub(crate) sender: S,
    pub(crate) floor: FloorSlot,
}

impl<E: Clock + Spawner, S: Sender<PublicKey = ed25519::PublicKey>> Exchange<E, S> {
    /// Runs until the channel closes.
    pub(crate) async fn run<R>(mut self, mut receiver: R, mut asks: mpsc::UnboundedReceiver<Ask>)
    where
        R: Receiver<PublicKey = ed25519::PublicKey>,
    {
        let mut waiting: BTreeMap<u64, ([u8; 32], Waiting)> = BTreeMap::new();
        let mut next_id = 0;
        let mut tell = self.context.current();
        loop {
            select! {
                ask = asks.next() => {
                    let Some(ask) = ask else { break };
                    next_id += 1;
                    waiting.retain(|_, (_, waiting)| !waiting.is_given_up());
                    let (peer, message, wait) = match ask {
                        Ask::Blocks { peer, from, answer } => {
                            (peer, Message::GetBlocks { id: next_id, from }, Waiting::Blocks(answer))
                        }
                        Ask::Floor { peer, answer } => {
                            (peer, Message::GetFloor { id: next_id }, Waiting::Floor(answer))
                        }
                        Ask::Place { peer, block, answer } => {
                            (peer, Message::GetPlace { id: next_id, block }, Waiting::Place(answer))
                        }
                    };
                    waiting.insert(next_id, (node_key(&peer), wait));
                    self.sender.send(Recipients::One(peer), message.encode(), false);
                },
                message = receiver.recv() => {
                    let Ok((from, bytes)) = message else { break };
                    match Message::decode(bytes.as_ref()) {
                        Ok(Message::Head { height }) => self.progress.heard(node_key(&from), height),
                        Ok(Message::GetBlocks { id, from: first }) => self.serve_blocks(from, id, first),
                        Ok(Message::GetFloor { id }) => self.serve_floor(from, id).await,
                        Ok(Message::Blocks { id, blocks }) => {
                            if let Some(Waiting::Blocks(answer)) = take(&mut waiting, id, &from) {
                                let _ = answer.send(blocks);
                            }
                        }
                        Ok(Message::Floor { id, floor }) => {
                            if let Some(Waiting::Floor(answer)) = take(&mut waiting, id, &from) {
                                let _ = answer.send(floor);
                            }
                        }
                        Ok(Message::GetPlace { id, block }) => {
                            let place = self.progress.place_of(&block);
                            let message = Message::Place { id, place }.encode();
                            self.sender.send(Recipients::One(from), message, false);
                        }
                        Ok(Message::Place { id, place }) => {
                            if let Some(Waiting::Place(answer)) = take(&mut waiting, id, &from) {
                                let _ = answer.send(place);
                            }
                        }
                        Err(error) => self.score.malformed(&from, "a message of the sync channel", &error),
                    }
                },
                () = self.context.sleep_until(tell) => {
                    let height = self.chain.height().get();
                    // Also when nothing is new: the others see by it that this node lives.
                    self.sender.send(Recipients::All, Message::Head { height }.encode(), true);
                    tell = self.context.current() + TELL_EVERY;
                },
            }
        }
    }
}

impl Waiting {
    fn is_given_up(&self) -> bool {
        match self {
            Self::Blocks(answer) => answer.is_canceled(),
            Self::Floor(answer) => answer.is_canceled(),
            Self::Place(answer) => answer.is_canceled(),
        }
    }
}

/// Takes what waits for this answer; an answer of another peer, or one that nobody waits for, is passed over.
fn take(
    waiting: &mut BTreeMap<u64, ([u8; 32], Waiting)>,
    id: u64,
    from: &ed25519::PublicKey,
) -> Option<Waiting> {
    let (asked, _) = waiting.get(&id)?;
    if *asked != node_key(from) {
        return None;
    }
    waiting.remove(&id).map(|(_, waiting)| waiting)
}

impl<E: Clock + Spawner, S: Sender<PublicKey = ed25519::PublicKey>> Exchange<E, S> {
    fn serve_blocks(&mut self, to: ed25519::PublicKey, id: u64, from: u64) {
        let blocks = self
            .chain
            .blocks(Height::new(from), ANSWER_BLOCKS, ANSWER_BYTES);
        let blocks = blocks.unwrap_or_else(|error| {
            tracing::warn!(from, %error, "blocks could not be read for another node");
            Vec::new()
        });
        let mut message = Message::Blocks { id, blocks }.encode();
        if message.len() > MESSAGE_MAX {
            // A log of a single validator may hold larger blocks than a network orders.
            tracing::warn!(from, "a block is too large to be sent to another node");
            message = Message::Blocks {
                id,
                blocks: Vec::new(),
            }
            .encode();
        }
        self.sender.send(Recipients::One(to), message, false);
    }

    async fn serve_floor(&mut self, to: ed25519::PublicKey, id: u64) {
        let source = self.floor.source.lock().clone();
        let floor = match source {
            Some(source) => source().await,
            None => None,
        };
        self.sender.send(
            Recipients::One(to),
            Message::Floor { id, floor }.encode(),
            false,
        );
    }
}

#[cfg(test)]
mod tests {
    use commonware_cryptography::{Hasher as _, Sha256};

    use super::*;

    #[test]
    fn hostile_messages_are_refused_or_read() {
        let header = stele_core::block::BlockHeader {
            alg: stele_core::suite::Suite::Bls12381.algorithm(),
            kid: stele_core::id::KeyId::from_bytes([1; 32]),
            network: stele_core::id::NetworkId::from_bytes([2; 32]),
            height: Height::new(3),
            time: stele_core::id::TimeMs::new(4),
            previous: stele_core::id::BlockHash::from_bytes([5; 32]),
            tree_size: stele_core::id::LogIndex::new(6),
            state_root: stele_core::id::Hash::from_bytes([7; 32]),
        };
        let certificate = Certificate {
            header,
            log_root: stele_core::id::Hash::from_bytes([8; 32]),
            signature: vec![9; 48],
        };
        let blocks = vec![
            ServedBlock {
                certificate,
                entries: vec![Bytes::from_static(b"entry"); 3],
            };
            2
        ];
        let floor = Floor {
            finalization: vec![9; 120],
            epoch: 3,
            committee: 2,
        };
        let good = [
            Message::Blocks { id: 3, blocks },
            Message::Floor {
                id: 6,
                floor: Some(floor),
            },
            Message::GetBlocks { id: 1, from: 2 },
        ];
        assert!(matches!(
            Message::decode(&good[0].encode()),
            Ok(Message::Blocks { .. })
        ));
        let good = good.map(|message| message.encode());
        crate::hostile::assail(&good, |bytes| match Message::decode(bytes) {
            Ok(Message::Floor {
                floor: Some(floor), ..
            }) => drop(crate::marks::read_finalization(&floor.finalization)),
            Ok(Message::Blocks { blocks, .. }) => {
                let held =
                    |block: &ServedBlock| block.entries.iter().map(Bytes::len).sum::<usize>();
                assert!(blocks.iter().map(held).sum::<usize>() <= bytes.len());
            }
            _ => {}
        });
    }

    #[test]
    fn messages_survive_their_encoding() {
        let floor = Floor {
            finalization: vec![9; 300],
            epoch: 3,
            committee: 2,
        };
        for message in [
            Message::Head { height: 7 },
            Message::GetBlocks { id: 1, from: 2 },
            Message::Blocks {
                id: 3,
                blocks: Vec::new(),
            },
            Message::GetFloor { id: 4 },
            Message::Floor { id: 5, floor: None },
            Message::Floor {
                id: 6,
                floor: Some(floor),
            },
            Message::GetPlace {
                id: 7,
                block: Sha256::hash(&[b"a block"]),
            },
            Message::Place { id: 8, place: None },
            Message::Place {
                id: 9,
                place: Some(Place {
                    position: 77,
                    height: 70,
                }),
            },
        ] {
            let bytes = message.encode();
            assert_eq!(Message::decode(&bytes), Ok(message));
            for cut in 0..bytes.len() {
                assert!(Message::decode(&bytes[..cut]).is_err());
            }
        }
        // Lengths that no message has are refused before anything is set aside for them.
        assert!(Message::decode(&[0x83, 3, 1, 0x9a, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
