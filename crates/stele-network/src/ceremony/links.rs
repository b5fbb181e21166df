//! Holding a founding over links: authenticated by node keys, encrypted by the engine's own protocol.
//!
//! The listen addresses are those of the later network. The links stand under a namespace of their own, so that nothing said here
//! counts there.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use commonware_macros::select;
use commonware_p2p::authenticated::lookup;
use commonware_p2p::{AddressableManager as _, AddressableTrackedPeers, Recipients};
use commonware_runtime::{Clock as _, Quota, Runner as _, Spawner as _, Supervisor as _, tokio};
use commonware_utils::NZU32;
use commonware_utils::ordered::Map;
use stele_core::block::Certificate;
use stele_core::genesis::Genesis;

use super::meeting::{Meeting, Sent, Standing, Task};
use super::{CeremonyError, words};
use crate::keys::{NodeKey, PARTIAL_BYTES, Share, Sharing, engine_key, node_key};
use crate::peers::address;
use crate::runtime::link_config;

/// What the links of foundings are authenticated under. Not the plan: founders with different plans must hear of it.
const NAMESPACE: &[u8] = b"stele-founding-links/1";
/// The fewest places for peers.
const PEERS_MIN: usize = 16;
/// How often everything is said again, for few founders.
const SAY_EVERY: Duration = Duration::from_millis(250);
/// How much less often for each founder more: what is said grows with their number.
const SAY_LATER: Duration = Duration::from_millis(20);
/// How long the last word is repeated once everyone is done, or when this founder gives up.
const LINGER: Duration = Duration::from_secs(2);
/// How long the tasks may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Where a founder keeps what must outlive its process. Each method returns when it is on the disk.
pub trait FoundingFiles {
    /// Keeps the share and the public side of all.
    ///
    /// # Errors
    /// Whatever kept it from the disk.
    fn keep_share(
        &mut self,
        share: &Share,
        sharing: &Sharing,
    ) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Keeps the partial signatures of all founders, and writes the network.
    ///
    /// # Errors
    /// Whatever kept it from the disk.
    fn take_seat(
        &mut self,
        genesis: &Genesis,
        block_zero: &Certificate,
        partials: &[[u8; PARTIAL_BYTES]],
    ) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// How a founding goes, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundingProgress {
    /// How far this founder is.
    pub standing: Standing,
    /// How far the others are, and for how long nothing was heard of each; `None` if nothing ever was.
    pub others: BTreeMap<[u8; 32], (Standing, Option<Duration>)>,
    /// What the operator should read, each once.
    pub notes: Vec<String>,
}

/// Why a founding failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoundingError {
    /// The ceremony.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// What had to be kept could not be.
    #[error("what the ceremony made could not be put on the disk")]
    Files(#[source] Box<dyn Error + Send + Sync>),
    /// The links ended.
    #[error("the links to the other founders ended")]
    Links,
}

/// Holds the founding on the calling thread until everyone is done. `tell` hears how it goes, several times a second. `scratch` is a
/// folder for the engine's runtime; nothing of value comes to lie there.
///
/// It may be killed at any time: see [`Meeting`].
///
/// # Errors
/// [`FoundingError`].
pub fn hold_founding(
    me: &NodeKey,
    meeting: Meeting,
    listen: SocketAddr,
    scratch: &Path,
    files: &mut dyn FoundingFiles,
    tell: &mut dyn FnMut(FoundingProgress),
) -> Result<(), FoundingError> {
    let config = tokio::Config::new()
        .with_storage_directory(scratch)
        .with_worker_threads(1)
        .with_tcp_nodelay(Some(true));
    tokio::Runner::new(config).start(async move |context| {
        let founders = meeting.plan().founders.len();
        let places = (founders + 1).max(PEERS_MIN);
        let message_max = commonware_p2p::max_message_size(&[words::MESSAGE_MAX]);
        let (mut p2p, mut oracle) = lookup::Network::new(
            context.child("p2p"),
            link_config(me, NAMESPACE, listen, places, message_max),
        );
        let quota = Quota::per_second(NZU32!(1_024)).allow_burst(NZU32!(128));
        let (sender, mut receiver) = p2p.register(0, quota);
        let peers = meeting.plan().founders.iter().filter_map(|founder| {
            Some((engine_key(&founder.node_key)?, address(&founder.address)?))
        });
        let peers = Map::from_iter_dedup(peers);
        let _ = oracle.track(0, AddressableTrackedPeers::new(peers, Map::default()));
        p2p.start();
        let mut hall = Hall {
            say_every: SAY_EVERY + SAY_LATER * founders as u32,
            heard: BTreeMap::new(),
            meeting,
            sender,
            files,
            tell,
        };
        let result = hall.hold(&context, &mut receiver).await;
        if let Err(FoundingError::Ceremony(error)) = &result {
            hall.take_leave(&context, error).await;
        }
        drop(hall);
        let _ = context.stop(0, Some(STOP_WITHIN)).await;
        result
    })
}

struct Hall<'a, S> {
    meeting: Meeting,
    sender: S,
    files: &'a mut dyn FoundingFiles,
    tell: &'a mut dyn FnMut(FoundingProgress),
    heard: BTreeMap<[u8; 32], SystemTime>,
    say_every: Duration,
}

impl<S> Hall<'_, S>
where
    S: commonware_p2p::Sender<PublicKey = commonware_cryptography::ed25519::PublicKey>,
{
    async fn hold<R>(
        &mut self,
        context: &tokio::Context,
        receiver: &mut R,
    ) -> Result<(), FoundingError>
    where
        R: commonware_p2p::Receiver<PublicKey = commonware_cryptography::ed25519::PublicKey>,
    {
        let mut say_at = context.current();
        let mut leave_at = None;
        loop {
            if self.work(context)? {
                // The others wait for what is new.
                say_at = context.current();
            }
            if leave_at.is_some_and(|at| context.current() >= at) {
                self.show(context);
                return Ok(());
            }
            if leave_at.is_none() && self.meeting.is_over() {
                leave_at = Some(context.current() + LINGER);
            }
            select! {
                () = context.sleep_until(say_at) => {
                    let messages = self.meeting.outgoing();
                    self.send(messages);
                    self.show(context);
                    say_at = context.current() + self.say_every;
                },
                message = receiver.recv() => {
                    let Ok((from, bytes)) = message else { return Err(FoundingError::Links) };
                    let from = node_key(&from);
                    self.heard.insert(from, context.current());
                    let answers = self.meeting.receive(from, bytes.as_ref())?;
                    self.send(answers);
                },
            }
        }
    }

    /// Puts on the disk what is to be there before more is said, and shows each step, however fast the next one follows. Returns
    /// whether there was something.
    fn work(&mut self, context: &tokio::Context) -> Result<bool, FoundingError> {
        let mut worked = false;
        while let Some(task) = self.meeting.task()? {
            worked = true;
            match task {
                Task::KeepShare { share, sharing } => {
                    let kept = self.files.keep_share(&share, &sharing);
                    kept.map_err(FoundingError::Files)?;
                    self.meeting.share_kept();
                }
                Task::TakeSeat {
                    genesis,
                    block_zero,
                    partials,
                } => {
                    let taken = self.files.take_seat(&genesis, &block_zero, &partials);
                    taken.map_err(FoundingError::Files)?;
                    self.meeting.seat_taken();
                }
            }
            self.show(context);
        }
        Ok(worked)
    }

    /// Tells the others for a moment why this founder gives up.
    async fn take_leave(&mut self, context: &tokio::Context, error: &CeremonyError) {
        let until = context.current() + LINGER;
        while context.current() < until {
            let messages = self.meeting.farewell(error);
            self.send(messages);
            context.sleep(SAY_EVERY).await;
        }
    }

    fn send(&mut self, messages: Vec<Sent>) {
        for (to, message) in messages {
            if let Some(to) = engine_key(&to) {
                // Who is not connected now hears it the next time.
                let _ = self.sender.send(Recipients::One(to), message, false);
            }
        }
    }

    fn show(&mut self, context: &tokio::Context) {
        let now = context.current();
        let others = self.meeting.standings().iter().map(|(key, standing)| {
            let heard = self.heard.get(key);
            let silent = heard.map(|at| now.duration_since(*at).unwrap_or_default());
            (*key, (*standing, silent))
        });
        let progress = FoundingProgress {
            standing: self.meeting.standing(),
            others: others.collect(),
            notes: self.meeting.take_notes(),
        };
        (self.tell)(progress);
    }
}
