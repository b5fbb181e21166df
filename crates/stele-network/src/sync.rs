//! Catching up from the logs of other nodes: certified blocks, each checked under the network key and executed here.
//!
//! Every node serves its log. A follower lives on it; a validator that was away uses it until it is near the others, and then joins the
//! engine at a finalized floor. Nothing in here has to be believed: a block counts by its certificate alone, and a floor by the votes of
//! the committee that the state names.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use commonware_codec::Encode as _;
use commonware_consensus::Epochable as _;
use commonware_consensus::marshal::core::Mailbox as MarshalMailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Finalization;
use commonware_consensus::types::{Epocher as _, FixedEpocher, Height as EngineHeight};
use commonware_cryptography::ed25519;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock, Spawner};
use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;
use rand_core::CryptoRng;
use stele_core::block::Certificate;
use stele_core::cbor::{DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::entry::ENTRY_BYTES_MAX;
use stele_core::id::Height;
use stele_ledger::ledger::FollowError;

use crate::block::{Block, Digest};
use crate::chain::Chain;
use crate::committee::{Committee, Committees, consensus_namespace};
use crate::fetch::Fetch;
use crate::keys::{engine_key, node_key};
use crate::marks::read_finalization;
use crate::score::Score;
use crate::status::Progress;

/// The most bytes of blocks in one answer, if it is more than one block.
const ANSWER_BYTES: usize = 1 << 20;
/// The most blocks in one answer.
const ANSWER_BLOCKS: usize = 512;
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
    /// The height of the finalized block in the engine.
    pub(crate) position: u64,
    /// The ledger's height after that block.
    pub(crate) height: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Message {
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
}

impl Message {
    fn encode(&self) -> Vec<u8> {
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
                out.array(7).uint(5).uint(*id).bytes(&floor.finalization);
                out.uint(floor.epoch)
                    .uint(floor.committee)
                    .uint(floor.position)
                    .uint(floor.height);
            }
        }
        out.into_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let parts = decoder.array(7)?;
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
            (7, 5) => Self::Floor {
                id: decoder.uint()?,
                floor: Some(Floor {
                    finalization: decoder.bytes(FLOOR_BYTES_MAX)?.to_vec(),
                    epoch: decoder.uint()?,
                    committee: decoder.uint()?,
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
            let (epocher, mark) = (epocher.clone(), progress.newest_mark());
            let floor = async move {
                let (position, height) = mark?;
                let at = EngineHeight::new(position);
                let finalization = marshal.get_finalization(at).await?;
                let epoch = epocher.containing(at)?.epoch().get();
                Some(Floor {
                    finalization: finalization.encode().to_vec(),
                    epoch,
                    committee: committees.of(epoch)?.number,
                    position,
                    height,
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
}

/// The answer that a question waits for.
enum Waiting {
    Blocks(oneshot::Sender<Vec<ServedBlock>>),
    Floor(oneshot::Sender<Option<Floor>>),
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

/// How many blocks may be handed to the ledger and not be durable yet.
const UNDONE_MAX: u64 = 64;
/// How many questions and answers that came too early a node has open at a time; an answer is about a mebibyte.
const OPEN_MAX: usize = 6;
/// How many of them to one node: two, so that its link is not idle while one is answered.
const ASKED_OF_ONE_MAX: usize = 2;
/// How long a node without news waits before it looks again.
const PAUSE: Duration = Duration::from_millis(100);

/// Brings the ledger up from the logs of others, until `enough` says so.
pub(crate) struct Follower<E> {
    pub(crate) context: E,
    pub(crate) chain: Chain,
    pub(crate) progress: Progress,
    pub(crate) score: Score,
    pub(crate) asker: Asker<E>,
}

/// Where a node joins the engine.
pub(crate) struct Joined {
    pub(crate) finalization: Finalization<Scheme, Digest>,
    pub(crate) epoch: u64,
    pub(crate) committee: Committee,
}

/// How long a node that starts listens for how far the others are.
const LISTEN: Duration = Duration::from_millis(2_500);

impl<E: Clock + Spawner + CryptoRng> Follower<E> {
    /// Whether another node has so many more blocks than this one that their logs are read first. Asks a quorum, for a while.
    pub(crate) async fn is_far_behind(&self, distance: u64, quorum: usize) -> bool {
        let behind = || {
            let best = self.progress.best_other().map_or(0, |(_, height)| height);
            best > self.chain.height().get() + distance
        };
        let deadline = self.context.current() + LISTEN;
        while self.context.current() < deadline {
            if behind() || self.progress.heads().len() + 1 >= quorum {
                break;
            }
            self.context.sleep(PAUSE).await;
        }
        behind()
    }

    /// Follows the logs of others until this node is a `member` of the committee in force, and then finds a place to join the engine.
    pub(crate) async fn join(&mut self, member: impl Fn() -> bool) -> Joined {
        loop {
            self.run(&member, 0).await;
            let Some((peer, _)) = self.progress.best_other() else {
                continue;
            };
            let Some(peer) = engine_key(&peer) else {
                continue;
            };
            let Some(floor) = self.asker.floor(&peer).await else {
                self.progress.silent(&node_key(&peer));
                self.context.sleep(PAUSE).await;
                continue;
            };
            // What was ordered up to the floor must be in our log before the engine goes on from there.
            self.run(&member, floor.height).await;
            match self.check(&floor) {
                Some(joined) => return joined,
                None => self
                    .score
                    .blame(&peer, "the floor that it offers does not verify"),
            }
        }
    }

    fn check(&mut self, floor: &Floor) -> Option<Joined> {
        let committee = self.chain.committee_numbered(floor.committee).ok()?;
        let finalization = read_finalization(&floor.finalization)?;
        let scheme = Scheme::verifier(
            &consensus_namespace(&self.chain.network()),
            committee.keys(),
        );
        let fits = finalization.epoch().get() == floor.epoch
            && finalization.verify(&mut self.context, &scheme, &Sequential);
        fits.then_some(Joined {
            finalization,
            epoch: floor.epoch,
            committee,
        })
    }

    /// Fetches, checks and executes block after block. `enough` is asked whenever this node is level with what it knows of the others.
    /// It does not end below the height `at_least`.
    async fn run(&self, enough: &impl Fn() -> bool, at_least: u64) {
        let height = || self.chain.height().get();
        let mut fetch = Fetch::new(height() + 1, ANSWER_BLOCKS as u64, OPEN_MAX);
        let mut asked = Asked::default();
        let (failed, mut failures) = mpsc::unbounded::<u64>();
        loop {
            // A block that was refused takes those behind it with it: they are asked for again, from another node.
            if let Ok(refused) = failures.try_recv() {
                while failures.try_recv().is_ok() {}
                tracing::debug!(height = refused, "blocks are fetched again");
                asked = Asked::default();
                fetch.restart(height() + 1);
            }
            let undone = (fetch.due() - 1).saturating_sub(height());
            if undone < UNDONE_MAX
                && let Some((peer, block)) = fetch.next()
            {
                self.execute(peer, block, failed.clone());
                continue;
            }
            self.ask(&mut fetch, &mut asked);
            let best = self.progress.best_other().map_or(0, |(_, best)| best);
            if undone == 0
                && fetch.is_idle()
                && best < fetch.due()
                && fetch.due() > at_least
                && enough()
            {
                return;
            }
            select! {
                answer = asked.next() => self.hear(answer, &mut fetch),
                // Also when blocks become durable here: then there is room for more.
                () = self.chain.moved(&self.context, PAUSE) => {},
            }
        }
    }

    /// Asks for as much as may be under way, each range from the node with the fewest open questions.
    fn ask(&self, fetch: &mut Fetch<(ed25519::PublicKey, ServedBlock)>, asked: &mut Asked) {
        let holders = self.progress.holders(fetch.due());
        let best = holders.iter().map(|(_, height)| *height).max();
        while let Some(range) = best.and_then(|best| fetch.question(best)) {
            let holder = holders
                .iter()
                .filter(|(_, height)| *height >= range.start)
                .filter_map(|(node, height)| Some((engine_key(node)?, *height)))
                .map(|(peer, height)| (asked.load(&peer), peer, height))
                .filter(|(load, ..)| load.0 < ASKED_OF_ONE_MAX)
                .min_by_key(|(load, ..)| *load);
            let Some((_, peer, height)) = holder else {
                fetch.failed(range);
                return;
            };
            // A node that is itself behind the others is not asked for more than it has.
            let (range, rest) = (range.start..range.end.min(height + 1), range.end);
            fetch.leave(range.end..rest);
            let (asker, start) = (self.asker.clone(), range.start);
            let answer = {
                let peer = peer.clone();
                async move {
                    let blocks = asker.blocks(&peer, start).await;
                    (peer, range, blocks)
                }
            };
            asked.begin(peer, answer.boxed());
        }
    }

    /// Takes an answer; what is not an answer to the question is blamed or passed over.
    fn hear(&self, answer: Answer, fetch: &mut Fetch<(ed25519::PublicKey, ServedBlock)>) {
        let (peer, range, blocks) = answer;
        let Some(blocks) = blocks.filter(|blocks| !blocks.is_empty()) else {
            tracing::debug!(
                from = range.start,
                "a node did not answer with the blocks it has"
            );
            self.progress.silent(&node_key(&peer));
            fetch.failed(range);
            return;
        };
        let in_order = blocks
            .iter()
            .zip(range.start..)
            .all(|(block, height)| block.certificate.header.height.get() == height);
        if !in_order {
            self.score
                .blame(&peer, "it answered with other blocks than asked for");
            self.progress.silent(&node_key(&peer));
            fetch.failed(range);
            return;
        }
        let blocks = blocks.into_iter().map(|block| (peer.clone(), block));
        fetch.answered(range, blocks.collect());
    }

    fn execute(
        &self,
        peer: ed25519::PublicKey,
        block: ServedBlock,
        failed: mpsc::UnboundedSender<u64>,
    ) {
        let score = self.score.clone();
        self.chain.follow(block, move |height, refused| {
            if let Some(refused) = refused {
                // A block behind a refused one is not due; its sender did nothing wrong.
                if matches!(refused, FollowError::Invalid(_)) {
                    score.blame(&peer, &refused.to_string());
                }
                let _ = failed.unbounded_send(height);
            }
        });
    }
}

/// Who answered, what it was asked for, and the blocks; `None` if no answer came in time.
type Answer = (ed25519::PublicKey, Range<u64>, Option<Vec<ServedBlock>>);

/// The questions that are under way.
#[derive(Default)]
struct Asked {
    answers: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// How many questions to each node are open, and how many it was asked in all.
    loads: BTreeMap<ed25519::PublicKey, (usize, u64)>,
}

impl Asked {
    fn load(&self, peer: &ed25519::PublicKey) -> (usize, u64) {
        self.loads.get(peer).copied().unwrap_or_default()
    }

    fn begin(&mut self, peer: ed25519::PublicKey, answer: BoxFuture<'static, Answer>) {
        let load = self.loads.entry(peer).or_default();
        *load = (load.0 + 1, load.1 + 1);
        self.answers.push(answer);
    }

    /// The next answer; waits for ever if there is no question.
    async fn next(&mut self) -> Answer {
        let Some(answer) = self.answers.next().await else {
            return std::future::pending().await;
        };
        if let Some(load) = self.loads.get_mut(&answer.0) {
            load.0 -= 1;
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_their_encoding() {
        let floor = Floor {
            finalization: vec![9; 300],
            epoch: 3,
            committee: 2,
            position: 77,
            height: 70,
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
