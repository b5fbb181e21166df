//! One run of simplex for each epoch; between two epochs the committee may change.

use std::time::Duration;

use commonware_consensus::marshal::core::Mailbox as MarshalMailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Activity, Context};
use commonware_consensus::simplex::{self, ForwardPolicy, Plan, SkipBudget, SkipPolicy};
use commonware_consensus::types::{Epoch, Epocher as _, FixedEpocher, ViewDelta};
use commonware_consensus::{CertifiableAutomaton, Relay, Reporter};
use commonware_cryptography::certificate::Provider as _;
use commonware_cryptography::{Digestible as _, Sha256, ed25519};
use commonware_macros::select;
use commonware_p2p::utils::mux::{Builder as _, MuxHandle, Muxer};
use commonware_p2p::{Blocker, Channel, Message, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Handle, Metrics, Spawner, Storage};
use commonware_utils::channel::mpsc as channel;
use commonware_utils::vec::NonEmptyVec;
use commonware_utils::{NZDuration, NZUsize};
use futures::StreamExt as _;
use futures::channel::mpsc;
use rand_core::CryptoRng;
use std::sync::Arc;

use crate::block::{Block, Digest};
use crate::certify::Shares;
use crate::committee::Committees;
use crate::delivery::Boundary;
use crate::keys::Secrets;
use crate::marks::{Mark, MarkStart, Marks};
use crate::peers::{Peers, Roster};
use crate::status::Progress;

/// Timeouts of the engine. They decide how fast a dead leader is passed over, never what is agreed.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// How long a view waits for its leader's proposal.
    pub leader: Duration,
    /// How long a view waits until its proposal is certified.
    pub certification: Duration,
    /// How long until a vote to give a view up is sent again.
    pub retry: Duration,
    /// After this long without activity a leader is passed over at once.
    pub skip: Duration,
    /// How long a request to a peer may take.
    pub fetch: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            leader: Duration::from_millis(1_500),
            certification: Duration::from_millis(3_000),
            retry: Duration::from_millis(2_000),
            skip: Duration::from_millis(5_000),
            fetch: Duration::from_millis(1_500),
        }
    }
}

const REPLAY_BUFFER: usize = 1 << 20;
const WRITE_BUFFER: usize = 1 << 20;

pub(crate) struct Settings {
    pub(crate) partition: String,
    pub(crate) timeouts: Timeouts,
    pub(crate) epocher: FixedEpocher,
    pub(crate) page_cache: CacheRef,
}

struct Links<S: Sender> {
    votes: MuxHandle<S>,
    certificates: MuxHandle<S>,
    resolver: MuxHandle<S>,
    later_votes: channel::Receiver<(Channel, Message<S::PublicKey>)>,
    later_certificates: channel::Receiver<(Channel, Message<S::PublicKey>)>,
}

/// Runs the engine of the present epoch and replaces it at each boundary.
pub(crate) struct Epochs<E: Storage + Clock + Metrics, B, P, A> {
    pub(crate) context: E,
    pub(crate) settings: Settings,
    pub(crate) committees: Committees,
    pub(crate) marks: Marks<E>,
    pub(crate) blocker: B,
    pub(crate) roster: Roster<P>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) shares: Shares,
    pub(crate) application: A,
    pub(crate) marshal: MarshalMailbox<Scheme, Standard<Block>>,
    pub(crate) progress: Progress,
}

/// Waits for the engine to end, which it never does by itself while all is well.
async fn ended(engine: &mut Option<Handle<()>>) {
    match engine {
        Some(engine) => drop(engine.await),
        None => std::future::pending().await,
    }
}

impl<E, B, P, A> Epochs<E, B, P, A>
where
    E: CryptoRng + Spawner + Clock + Metrics + Storage,
    B: Blocker<PublicKey = ed25519::PublicKey>,
    P: Peers,
    A: CertifiableAutomaton<Context = Context<Digest, ed25519::PublicKey>, Digest = Digest>
        + Relay<Digest = Digest, PublicKey = ed25519::PublicKey, Plan = Plan<ed25519::PublicKey>>
        + Reporter<Activity = Activity<Scheme, Digest>>,
{
    /// Starts in the epoch that `mark` names; its committee is known already. Ends with `true` when this node's part in the engine is
    /// over: it voted, and votes no more.
    pub(crate) async fn run<S, R>(
        mut self,
        mark: Mark,
        (votes, certificates, resolver): ((S, R), (S, R), (S, R)),
        mut boundaries: mpsc::UnboundedReceiver<Boundary>,
    ) -> bool
    where
        S: Sender<PublicKey = ed25519::PublicKey>,
        R: Receiver<PublicKey = ed25519::PublicKey>,
    {
        let mut links = self.links(votes, certificates, resolver);
        let mut present = mark.epoch;
        let mut engine = self.enter(mark, &mut links).await;
        loop {
            select! {
                boundary = boundaries.next() => {
                    let Some(boundary) = boundary else { return false };
                    if boundary.next_epoch > present {
                        present = boundary.next_epoch;
                        let mark = Mark {
                            epoch: present,
                            committee: boundary.committee.number,
                            start: MarkStart::Boundary(boundary.block.digest()),
                        };
                        // Before anything is voted in the new epoch, so that a restart enters the same one.
                        self.marks.enter(&mark).await;
                        self.committees.enter(present, Arc::new(boundary.committee));
                        let next = self.enter(mark, &mut links).await;
                        let left = next.is_none();
                        if let Some(engine) = std::mem::replace(&mut engine, next) {
                            engine.abort();
                            if left {
                                tracing::info!(epoch = present, "this node is no longer a validator");
                                return true;
                            }
                        }
                    }
                    drop(boundary.entered);
                },
                () = ended(&mut engine) => {
                    tracing::error!(epoch = present, "the engine ended; its disk may have failed");
                    return false;
                },
                later = links.later_votes.recv() => {
                    let Some((epoch, (from, _))) = later else { return false };
                    self.heard_of(present, epoch, from);
                },
                later = links.later_certificates.recv() => {
                    let Some((epoch, (from, _))) = later else { return false };
                    self.heard_of(present, epoch, from);
                },
            }
        }
    }

    fn links<S, R>(&self, votes: (S, R), certificates: (S, R), resolver: (S, R)) -> Links<S>
    where
        S: Sender<PublicKey = ed25519::PublicKey>,
        R: Receiver<PublicKey = ed25519::PublicKey>,
    {
        let context = &self.context;
        let (mux, votes, later_votes) = Muxer::builder(context.child("vote_mux"), votes.0, votes.1)
            .with_backup()
            .build();
        mux.start();
        let (mux, certificates, later_certificates) = Muxer::builder(
            context.child("certificate_mux"),
            certificates.0,
            certificates.1,
        )
        .with_backup()
        .build();
        mux.start();
        let (mux, resolver) = Muxer::new(context.child("resolver_mux"), resolver.0, resolver.1);
        mux.start();
        Links {
            votes,
            certificates,
            resolver,
            later_votes,
            later_certificates,
        }
    }

    /// A peer speaks of a later epoch: it must know how ours ended.
    fn heard_of(&self, present: u64, epoch: u64, from: ed25519::PublicKey) {
        if epoch <= present {
            return;
        }
        let last = self.settings.epocher.last(Epoch::new(present));
        let last = last.expect("every epoch has a last height");
        self.marshal.hint_finalized(last, NonEmptyVec::new(from));
    }

    /// Starts the engine of an epoch, if this node votes in it.
    async fn enter<S>(&mut self, mark: Mark, links: &mut Links<S>) -> Option<Handle<()>>
    where
        S: Sender<PublicKey = ed25519::PublicKey>,
    {
        let epoch = mark.epoch;
        let committee = self
            .committees
            .of(epoch)
            .expect("its committee was entered");
        self.roster.enter(epoch, &committee);
        self.progress.epoch(epoch, &committee);
        tracing::info!(epoch, committee = committee.number, "an epoch begins");
        // Blocks of earlier committees are certified when a later one begins, so their shares sign nothing any more.
        if let Err(error) = self.secrets.forget_shares_before(committee.number) {
            tracing::error!(%error, "old shares of the network key could not be destroyed");
        }
        self.shares
            .write()
            .retain(|number, _| *number >= committee.number);
        if !self.committees.votes(epoch) {
            return None;
        }
        let scheme = self.committees.scheme(Epoch::new(epoch))?;
        let timeouts = self.settings.timeouts;
        let engine = simplex::Engine::new(
            self.context.child("simplex").with_attribute("epoch", epoch),
            simplex::Config {
                scheme: scheme.as_ref().clone(),
                elector: RoundRobin::<Sha256>::default(),
                blocker: self.blocker.clone(),
                automaton: self.application.clone(),
                relay: self.application.clone(),
                reporter: crate::evidence::Watch::new(
                    self.application.clone(),
                    self.progress.clone(),
                ),
                strategy: Sequential,
                partition: format!("{}-simplex-{epoch}", self.settings.partition),
                mailbox_size: NZUsize!(1024),
                epoch: Epoch::new(epoch),
                floor: mark.start.floor(),
                replay_buffer: NZUsize!(REPLAY_BUFFER),
                write_buffer: NZUsize!(WRITE_BUFFER),
                page_cache: self.settings.page_cache.clone(),
                leader_timeout: timeouts.leader,
                certification_timeout: timeouts.certification,
                timeout_retry: timeouts.retry,
                view_retention: ViewDelta::new(256),
                skip: SkipPolicy::Enabled {
                    timeout: timeouts.skip,
                    budget: SkipBudget::Participants,
                },
                fetch_timeout: NZDuration!(timeouts.fetch),
                fetch_retry_delay: Duration::from_millis(100),
                forward: ForwardPolicy::SilentVoters,
                track_historical_votes: true,
            },
        );
        let votes = links.votes.register(epoch).await.ok()?;
        let certificates = links.certificates.register(epoch).await.ok()?;
        let resolver = links.resolver.register(epoch).await.ok()?;
        Some(engine.start(votes, certificates, resolver))
    }
}
