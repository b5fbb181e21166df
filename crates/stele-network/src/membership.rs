//! This node's part in changes of the committee, and in accusing validators that voted twice.
//!
//! The task looks at the chain after every block. While a change is pending, a present validator deals to the next ones and puts the log of its
//! dealing on the chain; when the dealings are complete, every validator of either committee computes what they give, keeps its new share and
//! confirms it. All of it can be begun again after a crash: the chain says what is still to be done.
//!
//! What goes on the chain is an ordinary entry, signed with the key of the member that runs this node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use commonware_cryptography::ed25519;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::{Clock, Spawner};
use stele_core::cbor::BodyBuilder;
use stele_core::entry::EntryBuilder;
use stele_core::id::{RegisterName, TimeMs, sha256};
use stele_core::suite::SigningKey;
use stele_registers::governance::{self, Change, ChangeStatus};

use crate::ceremony::{CeremonyError, Reshared, Resharing, Round, round_of};
use crate::certify::Shares;
use crate::chain::{Chain, CommitteeError};
use crate::committee::{Committee, Committees};
use crate::evidence::Evidence;
use crate::keys::{NodeKey, Secrets, engine_key, node_key};
use crate::peers::{Peers, Roster};
use crate::score::Score;
use crate::status::Progress;

/// How often the task looks at the chain although nothing happened, and sends what was not acknowledged again.
const LOOK_EVERY: Duration = Duration::from_millis(1_000);
/// How long an entry of this node may take until it is given in again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long an entry of this node may be ordered after it was signed.
const WINDOW_MS: u64 = 60_000;
/// Clocks of others may be behind by this much.
const CLOCK_TOLERANCE_MS: u64 = 2_000;

/// The task.
pub(crate) struct Membership<E, S, P> {
    pub(crate) context: E,
    pub(crate) chain: Chain,
    pub(crate) me: Arc<NodeKey>,
    /// The key of the member that runs this node. A follower has none.
    pub(crate) member: Option<Arc<SigningKey>>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) shares: Shares,
    pub(crate) committees: Committees,
    pub(crate) roster: Roster<P>,
    pub(crate) sender: S,
    pub(crate) score: Score,
    pub(crate) progress: Progress,
    pub(crate) work: Work,
}

/// What the task has in hand.
#[derive(Default)]
pub(crate) struct Work {
    resharing: Option<(u64, Resharing)>,
    /// What the dealings of a round give, by the number of dealings it was computed from.
    result: Option<(u64, usize, Reshared)>,
    /// When an entry about something was last given in.
    given_in: BTreeMap<String, std::time::SystemTime>,
    evidence: Vec<Evidence>,
}

impl<E, S, P> Membership<E, S, P>
where
    E: Clock + Spawner,
    S: Sender<PublicKey = ed25519::PublicKey>,
    P: Peers,
{
    /// Runs until the channel closes.
    pub(crate) async fn run<R>(mut self, mut receiver: R)
    where
        R: Receiver<PublicKey = ed25519::PublicKey>,
    {
        let mut tick = self.context.current();
        let mut moved = self.chain.moved_bell();
        loop {
            select! {
                message = receiver.recv() => {
                    let Ok((from, bytes)) = message else { break };
                    self.hear(&from, bytes.as_ref());
                },
                () = &mut moved => {
                    // Taken before the look, so that no block is missed.
                    moved = self.chain.moved_bell();
                    self.look();
                },
                () = self.context.sleep_until(tick) => {
                    self.look();
                    self.send_again();
                    tick = self.context.current() + LOOK_EVERY;
                },
            }
        }
    }

    fn now(&self) -> TimeMs {
        let since = self.context.current().duration_since(UNIX_EPOCH);
        TimeMs::new(since.unwrap_or(Duration::ZERO).as_millis() as u64)
    }

    fn look(&mut self) {
        if let Err(error) = self.try_look() {
            tracing::error!(%error, "a change of the committee could not be followed");
        }
    }

    fn try_look(&mut self) -> Result<(), CommitteeError> {
        self.accuse();
        let present = self.chain.committee_number()?;
        self.committees.in_force(present);
        let Some(change) = self.chain.change()? else {
            return Ok(());
        };
        match change.status {
            ChangeStatus::Pending => self.take_part(&change),
            ChangeStatus::Done => self.make_up(&change, present),
            ChangeStatus::Failed => {
                self.work.resharing = None;
                self.work.result = None;
                Ok(())
            }
        }
    }

    fn begin(&mut self, change: &Change) -> Result<(), CommitteeError> {
        if matches!(&self.work.resharing, Some((round, _)) if *round == change.round) {
            return Ok(());
        }
        let next = crate::chain::read_validators(&change.validators);
        let previous = self.chain.committee_numbered(change.from)?;
        self.roster
            .changing(change.round, &previous.validators, &next);
        let round = Round {
            network: self.chain.network(),
            number: change.round,
            previous: previous.sharing,
            next: next.iter().map(|validator| validator.node_key).collect(),
        };
        let kept = self.secrets.dealings(change.round).unwrap_or_else(|error| {
            tracing::error!(%error, "what was dealt to this node could not be read");
            Vec::new()
        });
        let shares = self.shares.read();
        let begun = Resharing::new(&self.me, round, shares.get(&change.from), kept);
        drop(shares);
        match begun {
            Ok(resharing) => {
                tracing::info!(
                    round = change.round,
                    validators = next.len(),
                    "the committee is changing"
                );
                self.work.resharing = Some((change.round, resharing));
                self.send_again();
            }
            Err(error) => {
                tracing::error!(round = change.round, %error, "this node cannot take part in the change of the committee");
            }
        }
        Ok(())
    }

    /// Whether this node's key stands for a validator of the present or the next committee.
    fn is_concerned(&self, change: &Change, present: &Committee) -> bool {
        let me = self.me.public();
        present.index_of(&me).is_some() || change.validators.iter().any(|next| next.node_key == me)
    }

    fn take_part(&mut self, change: &Change) -> Result<(), CommitteeError> {
        self.begin(change)?;
        let present = self.chain.committee_numbered(change.from)?;
        if !self.is_concerned(change, &present) {
            return Ok(());
        }
        let now = self.now();
        self.publish_dealing(change, &present, now);
        if !change.is_complete(present.validators.len(), now) {
            return Ok(());
        }
        let Some(reshared) = self.compute(change)? else {
            return Ok(());
        };
        let is_next = |node_key: &[u8; 32]| {
            let mut next = change.validators.iter();
            next.any(|validator| validator.node_key == *node_key)
        };
        let sharing = match (&reshared.sharing, &reshared.share) {
            // A next validator without a share must not be counted on.
            (Some(_), None) if is_next(&self.me.public()) => return Ok(()),
            (Some(sharing), Some(share)) => {
                if !self.keep(change.from + 1, share) {
                    return Ok(());
                }
                Some(sharing.encode())
            }
            (Some(sharing), None) => Some(sharing.encode()),
            (None, _) => None,
        };
        let hash = sharing.as_ref().map_or([0; 32], |bytes| sha256(&[bytes]));
        if change.confirmed.contains(&(self.me.public(), hash)) {
            return Ok(());
        }
        let mut body = BodyBuilder::new()
            .uint("round", change.round)
            .bytes("node-key", &self.me.public());
        if let Some(sharing) = &sharing {
            body = body.bytes("sharing", sharing);
        }
        let about = format!("confirm {} {}", change.round, change.dealers.len());
        self.give_in(about, "committee.confirm", body.build());
        Ok(())
    }

    /// Puts the log of this node's dealing on the chain: when all have acknowledged it, or late, when all but a bearable few have.
    fn publish_dealing(&mut self, change: &Change, present: &Committee, now: TimeMs) {
        let me = self.me.public();
        if present.index_of(&me).is_none() || change.dealers.contains(&me) {
            return;
        }
        let Some((_, resharing)) = &mut self.work.resharing else {
            return;
        };
        // Half of the time is for those who are slow, so that few shares stand in public.
        let half = change.begun.get() / 2 + change.deal_until.get() / 2;
        let missing = resharing.unacknowledged();
        let may_close = missing == 0 || (now.get() >= half && missing <= resharing.missing_max());
        if !may_close {
            return;
        }
        let Some(log) = resharing.close() else {
            return;
        };
        let body = BodyBuilder::new()
            .uint("round", change.round)
            .bytes("node-key", &me)
            .bytes("log", &log);
        let about = format!("deal {}", change.round);
        self.give_in(about, "committee.deal", body.build());
    }

    /// What the dealings on the chain give; `None` if this node does not take part.
    fn compute(&mut self, change: &Change) -> Result<Option<Reshared>, CommitteeError> {
        let key = (change.round, change.dealers.len());
        if let Some((round, dealings, reshared)) = &self.work.result
            && (*round, *dealings) == key
        {
            return Ok(Some(reshared.clone()));
        }
        let Some((_, resharing)) = &self.work.resharing else {
            return Ok(None);
        };
        let mut logs = Vec::with_capacity(change.dealers.len());
        for dealer in &change.dealers {
            logs.extend(self.chain.dealing(change.round, dealer)?);
        }
        let reshared = resharing.finish(&logs);
        self.work.result = Some((key.0, key.1, reshared.clone()));
        Ok(Some(reshared))
    }

    /// Keeps this node's share in a committee; `false` if it could not be written.
    fn keep(&self, committee: u64, share: &crate::keys::Share) -> bool {
        if self.shares.read().contains_key(&committee) {
            return true;
        }
        match self.secrets.keep_share(committee, share) {
            Ok(()) => {
                self.shares.write().insert(committee, share.clone());
                tracing::info!(committee, "this node holds its share in the next committee");
                true
            }
            Err(error) => {
                tracing::error!(committee, %error, "the share in the next committee could not be kept");
                false
            }
        }
    }

    /// A node that was away when the committee changed computes its share from what stands on the chain.
    fn make_up(&mut self, change: &Change, present: u64) -> Result<(), CommitteeError> {
        let me = self.me.public();
        let is_ours = present == change.from + 1
            && change.validators.iter().any(|next| next.node_key == me)
            && !self.shares.read().contains_key(&present);
        if is_ours {
            self.begin(change)?;
            if let Some(share) = self.compute(change)?.and_then(|reshared| reshared.share) {
                self.keep(present, &share);
            }
        } else {
            self.work.resharing = None;
            self.work.result = None;
        }
        Ok(())
    }

    /// Reports validators that voted twice. Evidence stays here until it is on the chain.
    fn accuse(&mut self) {
        self.work.evidence.extend(self.progress.new_evidence());
        if self.work.evidence.is_empty() || self.member.is_none() {
            return;
        }
        let waiting = std::mem::take(&mut self.work.evidence);
        for evidence in waiting {
            let Some(committee) = self.committees.of(evidence.epoch) else {
                continue;
            };
            let Some(culprit) = committee.validators.get(evidence.signer as usize) else {
                continue;
            };
            let key = culprit.node_key;
            let Some((epoch, view)) = evidence.round() else {
                continue;
            };
            if self.chain.has_evidence(&key, epoch, view) {
                continue;
            }
            let about = format!("evidence {} {epoch} {view}", hex::encode(key));
            let body = evidence.body(committee.number, &key);
            self.give_in(about, "evidence.report", body);
            self.work.evidence.push(evidence);
        }
    }

    /// Gives an entry of the member in, unless one about the same was given in a moment ago.
    fn give_in(&mut self, about: String, command: &str, body: Vec<u8>) {
        let Some(member) = &self.member else {
            return;
        };
        let now = self.context.current();
        let recent = self.work.given_in.get(&about).is_some_and(|at| {
            now.duration_since(*at)
                .is_ok_and(|since| since < AGAIN_AFTER)
        });
        if recent {
            return;
        }
        self.work.given_in.retain(|_, at| {
            now.duration_since(*at)
                .is_ok_and(|since| since < 10 * AGAIN_AFTER)
        });
        let now_ms = self.now().get();
        let nonce = sha256(&[&self.me.public(), about.as_bytes(), &now_ms.to_be_bytes()]);
        let register = RegisterName::new(governance::NAME).expect("a register");
        let entry = EntryBuilder::new(
            self.chain.network(),
            register,
            TimeMs::new(now_ms.saturating_sub(CLOCK_TOLERANCE_MS)),
            TimeMs::new(now_ms + WINDOW_MS),
            &nonce[..16],
        )
        .command(command, body)
        .sign(member)
        .expect("within the limits of an entry");
        self.work.given_in.insert(about, now);
        self.chain.submit(entry.into_bytes(), command.to_owned());
    }

    fn hear(&mut self, from: &ed25519::PublicKey, bytes: &[u8]) {
        let round = match round_of(bytes) {
            Ok(round) => round,
            Err(error) => {
                self.score
                    .malformed(from, "a message of a resharing", &error);
                return;
            }
        };
        // A round that is not known here yet, or over: its sender sends again while it matters.
        let Some((present, resharing)) = &mut self.work.resharing else {
            return;
        };
        if *present != round {
            return;
        }
        match resharing.receive(node_key(from), bytes) {
            Ok(received) => {
                if let Some(dealing) = &received.keep
                    && let Err(error) = self.secrets.keep_dealing(round, dealing)
                {
                    // Unacknowledged, its share will stand in the dealer's log.
                    tracing::error!(%error, "what was dealt to this node could not be kept");
                    return;
                }
                if let Some(answer) = received.answer {
                    self.sender
                        .send(Recipients::One(from.clone()), answer, true);
                }
            }
            Err(CeremonyError::Culprit { what, .. }) => self.score.blame(from, &what),
            Err(error) => tracing::warn!(%error, "a message of a resharing could not be used"),
        }
    }

    fn send_again(&mut self) {
        let Some((_, resharing)) = &self.work.resharing else {
            return;
        };
        for (to, message) in resharing.outgoing() {
            if let Some(to) = engine_key(&to) {
                self.sender.send(Recipients::One(to), message, true);
            }
        }
    }
}
