//! Following the logs of other nodes: a follower for as long as it runs, a validator until it is near the others.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use commonware_consensus::Epochable as _;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Finalization;
use commonware_cryptography::ed25519;
use commonware_macros::select;
use commonware_parallel::Sequential;
use commonware_runtime::{Clock, Spawner};
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use rand_core::CryptoRng;
use stele_core::id::{Hash, Height, NetworkId};
use stele_ledger::ledger::FollowError;

use crate::block::Digest;
use crate::chain::Chain;
use crate::committee::{Committee, consensus_namespace};
use crate::fetch::Fetch;
use crate::keys::{engine_key, node_key};
use crate::marks::read_finalization;
use crate::score::Score;
use crate::status::{Place, Progress};
use crate::sync::{ANSWER_BLOCKS, Asker, Floor, ServedBlock};

/// How many blocks may be handed to the ledger and not be durable yet.
const UNDONE_MAX: u64 = 64;
/// How many questions and answers that came too early a node has open at a time; an answer is about a mebibyte.
const OPEN_MAX: usize = 6;
/// How many of them to one node: two, so that its link is not idle while one is answered.
const ASKED_OF_ONE_MAX: usize = 2;
/// How long a node without news waits before it looks again.
const PAUSE: Duration = Duration::from_millis(100);

/// How many rounds must pass before a node votes again that does not know in which ones it has voted.
const ROUNDS_AFTER_LOSS: u64 = 16;
/// How often a floor's place is asked for before another floor is.
const PLACE_TRIES: usize = 20;

/// Brings the ledger up from the logs of others.
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
    /// Listens for a while to how far the others are: until a quorum was heard.
    pub(crate) async fn listen(&self, quorum: usize) {
        let deadline = self.context.current() + LISTEN;
        while self.context.current() < deadline && self.progress.heads().len() + 1 < quorum {
            self.context.sleep(PAUSE).await;
        }
    }

    /// Whether the engine is so many of its blocks ahead of this node that it joins anew: the others may have pruned what it lacks.
    /// Of blocks without entries nothing is known but that they come once in `idle` at most.
    pub(crate) fn is_far_behind(&self, distance: u64, idle: Duration) -> bool {
        let best = self
            .progress
            .best_other(&[])
            .map_or(0, |(_, height)| height);
        let asleep = self
            .progress
            .now()
            .get()
            .saturating_sub(self.chain.head_time().get());
        let idle_blocks = asleep / (idle.as_millis() as u64).max(1);
        let heard = !self.progress.heads().is_empty();
        heard && best.saturating_sub(self.chain.height().get()) + idle_blocks > distance
    }

    /// Brings the ledger to a height that f+1 validators have final. The engine goes on after what it knows to be acknowledged, so a ledger
    /// that lost blocks since, such as an old copy of its folder, must have them again before: below the height that it had `reached`,
    /// this waits for the others.
    pub(crate) async fn catch_up(&self, committee: &Committee, reached: u64) {
        let enough = committee.validators.len() - committee.sharing.quorum() + 1;
        if self.chain.height().get() < reached {
            tracing::warn!(
                reached,
                "this ledger has lost blocks; the others are asked for them"
            );
        }
        loop {
            let heads = self.progress.heads();
            let members = committee.validators.iter();
            let heights = members.filter_map(|member| Some(heads.get(&member.node_key)?.height));
            let mut heights: Vec<_> = heights.collect();
            heights.sort_unstable_by(|one, other| other.cmp(one));
            let target = heights.get(enough - 1).copied();
            if let Some(target) = target {
                self.run(&|height, _| height >= target).await;
            }
            if self.chain.height().get() >= reached {
                return;
            }
            self.context.sleep(PAUSE).await;
        }
    }

    /// Follows the logs of others until this node is a `member` of the committee in force, and then finds a place to join the engine.
    ///
    /// A node that has `lost` the engine's journal does not know in which rounds it has voted already. So that it does not vote twice, it
    /// joins only once the network has finalized rounds well past those of its last life.
    ///
    /// With a limit of `patience` it gives up when nobody offers a place.
    pub(crate) async fn join(
        &mut self,
        member: impl Fn() -> bool,
        lost: bool,
        patience: Option<Duration>,
    ) -> Option<Joined> {
        let until = patience.map(|patience| self.context.current() + patience);
        let mut first = None;
        loop {
            if until.is_some_and(|until| self.context.current() >= until) {
                tracing::warn!(
                    "nobody says where the engine stands; it goes on from its own journal"
                );
                return None;
            }
            self.run(&|_, level| level && member()).await;
            let Some((peer, _)) = self.progress.best_other(&[]) else {
                self.context.sleep(PAUSE).await;
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
            let Ok(committee) = self.chain.committee_numbered(floor.committee) else {
                // It may be in a block that is not here yet.
                self.progress.silent(&node_key(&peer));
                self.context.sleep(PAUSE).await;
                continue;
            };
            let network = self.chain.network();
            let joined = match check_floor(&mut self.context, &network, &floor, committee) {
                Ok(joined) => joined,
                Err(error) => {
                    self.score.blame(&peer, &error.to_string());
                    continue;
                }
            };
            let round = joined.finalization.proposal.round;
            let first = *first.get_or_insert(round);
            let past = round.epoch() > first.epoch()
                || round.view().get() > first.view().get() + ROUNDS_AFTER_LOSS;
            if lost && !past {
                self.context.sleep(PAUSE).await;
                continue;
            }
            let block = joined.finalization.proposal.payload;
            let Some(place) = self.agreed_place(block, &joined.committee).await else {
                continue;
            };
            // What was ordered up to the floor must be in our log before the engine goes on from there.
            self.run(&|height, _| height >= place.height).await;
            return Some(joined);
        }
    }

    /// Where a block of the engine stands, if so many of the committee say the same that one of them is honest.
    pub(crate) async fn agreed_place(&self, block: Digest, committee: &Committee) -> Option<Place> {
        let enough = committee.validators.len() - committee.sharing.quorum() + 1;
        let members = committee.keys();
        for _ in 0..PLACE_TRIES {
            let heads = self.progress.heads();
            let asked = members
                .iter()
                .filter(|member| heads.contains_key(&node_key(member)));
            let answers =
                asked.map(|member| async move { (member, self.asker.place(member, block).await) });
            let answers = futures::future::join_all(answers).await;
            let agreed = answers.iter().find_map(|(_, place)| {
                let same = answers.iter().filter(|(_, other)| other == place);
                place.filter(|_| same.count() >= enough)
            });
            if let Some(agreed) = agreed {
                for (member, place) in &answers {
                    if place.is_some_and(|place| place != agreed) {
                        self.score
                            .blame(member, "it names another place for a block than the others");
                    }
                }
                return Some(agreed);
            }
            self.context.sleep(PAUSE).await;
        }
        tracing::warn!(
            enough,
            "too few validators say where the engine's block stands"
        );
        None
    }

    /// Fetches, checks and executes block after block. Whenever nothing waits to be executed, `enough` is asked: it is given this node's
    /// height, and whether that is level with what is known of the others.
    async fn run(&self, enough: &impl Fn(u64, bool) -> bool) {
        let height = || self.chain.height().get();
        let mut fetch = Fetch::new(height() + 1, ANSWER_BLOCKS as u64, OPEN_MAX);
        let mut asked = Asked::default();
        let (failed, mut failures) = mpsc::unbounded::<(ed25519::PublicKey, FollowError)>();
        let mut suspects = Suspects::default();
        loop {
            // A block that was refused takes those behind it with it: they are asked for again, from another node.
            let mut again = false;
            while let Ok((peer, failure)) = failures.try_recv() {
                tracing::debug!(%failure, "blocks are fetched again");
                again = true;
                match failure {
                    FollowError::Altered { height, entries } => {
                        suspects.note(height.get(), peer, entries);
                    }
                    FollowError::Invalid(reason) => self.score.blame(&peer, &reason),
                    // A block behind a refused one is not due; its sender did nothing wrong.
                    _ => {}
                }
            }
            if again {
                asked = Asked::default();
                fetch.restart(height() + 1);
            }
            self.judge(&mut suspects);
            let without = suspects.nodes();
            let done = height();
            let undone = (fetch.due() - 1).saturating_sub(done);
            if undone < UNDONE_MAX
                && let Some((peer, block)) = fetch.next()
            {
                let failed = failed.clone();
                self.chain.follow(block, move |refused| {
                    if let Some(refused) = refused {
                        let _ = failed.unbounded_send((peer, refused));
                    }
                });
                continue;
            }
            let best = self.progress.best_other(&without);
            let level = best.is_none_or(|(_, best)| best < fetch.due()) && fetch.is_idle();
            if undone == 0 && suspects.is_empty() && enough(done, level) {
                return;
            }
            self.ask(&mut fetch, &mut asked, &without);
            select! {
                answer = asked.next() => self.hear(answer, &mut fetch),
                // Also when blocks become durable here: then there is room for more.
                () = self.chain.moved(&self.context, PAUSE) => {},
            }
        }
    }

    /// Asks for as much as may be under way, each range from the node with the fewest open questions.
    fn ask(
        &self,
        fetch: &mut Fetch<(ed25519::PublicKey, ServedBlock)>,
        asked: &mut Asked,
        without: &[[u8; 32]],
    ) {
        let mut holders = self.progress.holders(fetch.due());
        holders.retain(|(node, _)| !without.contains(node));
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

    /// Tells liars from a node that is wrong itself: once another node's entries are right, those who served others have lied; if more serve
    /// the same wrong ones than can be liars, this node executes otherwise than the network.
    fn judge(&self, suspects: &mut Suspects) {
        if suspects.is_empty() {
            return;
        }
        if self.chain.height().get() >= suspects.height {
            for (peer, _) in suspects.served.drain(..) {
                self.score.blame(
                    &peer,
                    "the entries that it served are not those of the block",
                );
            }
            return;
        }
        let Ok(committee) = self.chain.committee() else {
            return;
        };
        let one_is_honest = committee.validators.len() - committee.sharing.quorum() + 1;
        let members = committee.keys();
        let agree = |entries: &Hash| {
            let same = suspects
                .served
                .iter()
                .filter(|(peer, other)| other == entries && members.position(peer).is_some());
            same.count() >= one_is_honest
        };
        if suspects.served.iter().any(|(_, entries)| agree(entries)) {
            self.chain.diverged(Height::new(suspects.height));
        }
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

/// Why a floor is not taken. Whoever offered it is to blame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FloorError {
    #[error("the finalization of its floor cannot be read")]
    Unreadable,
    #[error("its floor is said to be of epoch {named} and is of epoch {found}")]
    OtherEpoch { named: u64, found: u64 },
    #[error("its floor is not finalized by committee {committee} of network {network}")]
    NotSigned { committee: u64, network: NetworkId },
}

/// Checks that the committee of this network finalized what a floor names.
pub(crate) fn check_floor(
    rng: &mut impl CryptoRng,
    network: &NetworkId,
    floor: &Floor,
    committee: Committee,
) -> Result<Joined, FloorError> {
    let finalization = read_finalization(&floor.finalization).ok_or(FloorError::Unreadable)?;
    let found = finalization.epoch().get();
    if found != floor.epoch {
        return Err(FloorError::OtherEpoch {
            named: floor.epoch,
            found,
        });
    }
    let scheme = Scheme::verifier(&consensus_namespace(network), committee.keys());
    if !finalization.verify(rng, &scheme, &Sequential) {
        return Err(FloorError::NotSigned {
            committee: committee.number,
            network: *network,
        });
    }
    Ok(Joined {
        finalization,
        epoch: floor.epoch,
        committee,
    })
}

/// Nodes that served entries which do not give the certified result, for the block that is due.
#[derive(Default)]
struct Suspects {
    height: u64,
    served: Vec<(ed25519::PublicKey, Hash)>,
}

impl Suspects {
    fn note(&mut self, height: u64, peer: ed25519::PublicKey, entries: Hash) {
        if self.height != height {
            self.served.clear();
            self.height = height;
        }
        if self.served.iter().all(|(other, _)| *other != peer) {
            self.served.push((peer, entries));
        }
    }

    fn is_empty(&self) -> bool {
        self.served.is_empty()
    }

    /// Others are asked instead.
    fn nodes(&self) -> Vec<[u8; 32]> {
        let peers = self.served.iter().map(|(peer, _)| node_key(peer));
        peers.collect()
    }
}
