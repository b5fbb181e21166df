//! A founding from the first word to the network on every founder's disk.
//!
//! A state machine without I/O. All founders hold the same [`FoundingPlan`] and take the same steps:
//! 1. *Deal*: the key ceremony of [`Founding`]. It needs everyone.
//! 2. *Sign*: the share goes to this founder's disk ([`Task::KeepShare`]), and then the others get its partial signature over block 0.
//! 3. *Found*: with the partial signatures of **all** founders the block is certified, and the network goes to the disk
//!    ([`Task::TakeSeat`]). The others get all of these signatures.
//! 4. *End*: a founder may leave once everyone has said that its network is on its disk.
//!
//! Why it is safe to kill a founder at any time, and to start it again:
//! - Before step 2 it says again what it said before (see [`FoundingSecret`]).
//! - A partial signature is sent only after the share is on the disk, and nobody has a network before all have signed. So as soon as a
//!   network exists anywhere, every founder's share is on its own disk, and nobody needs another founder's secrets any more: the
//!   [`FoundingSecret`] can go, and block 0, which is public, is all that a late founder still lacks. A quorum of signatures would make
//!   the same block 0, but only all of them prove this, whoever sends them.
//!
//! Nothing is lost when the last words are lost: a founder with its network on its disk knows all that it will ever need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stele_core::block::Certificate;
use stele_core::genesis::Genesis;
use stele_core::machine::StateMachine;
use stele_ledger::ledger::Ledger;

use super::words::{TEXT_BYTES_MAX, Word};
use super::{CeremonyError, Founding, FoundingSecret};
use crate::founding::{FoundingPlan, certify_block_zero, sign_block_zero};
use crate::keys::{NodeKey, PARTIAL_BYTES, Share, Sharing, bad_partials};

/// How far a founder is, as far as it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing was heard of it yet.
    Unheard,
    /// It holds another plan than this founder.
    OtherPlan,
    /// It has given up.
    Stopped,
    /// It is there and deals.
    Dealing,
    /// Its share is on its disk, and it has signed block 0.
    Signed,
    /// The network is on its disk.
    Founded,
}

/// What a founder has kept of an earlier run under the same plan.
#[derive(Debug, Default)]
pub struct Kept {
    /// Its share, and the public side of all.
    pub share: Option<(Share, Sharing)>,
    /// The partial signatures of all founders over block 0, by index; empty before they were there.
    pub partials: Vec<[u8; PARTIAL_BYTES]>,
    /// The network is on its disk.
    pub seated: bool,
}

/// What is to be put on the disk before the meeting goes on.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "two are made in the life of a network"
)]
pub enum Task {
    /// The share, with the public side of all; then [`Meeting::share_kept`].
    KeepShare {
        /// This founder's share.
        share: Share,
        /// The public side.
        sharing: Sharing,
    },
    /// The network; then [`Meeting::seat_taken`].
    TakeSeat {
        /// Its genesis.
        genesis: Genesis,
        /// Block 0 under its key.
        block_zero: Certificate,
        /// The partial signatures of all founders, by index: for [`Kept`].
        partials: Vec<[u8; PARTIAL_BYTES]>,
    },
}

/// What this founder has once the key is there.
struct Signing {
    share: Share,
    sharing: Sharing,
    genesis: Genesis,
    block: Certificate,
    /// By index of the signer.
    partials: BTreeMap<usize, [u8; PARTIAL_BYTES]>,
    /// Our share is on the disk.
    kept: bool,
    certified: Option<Certificate>,
    seated: bool,
}

/// A message, and to whom.
pub type Sent = ([u8; 32], Vec<u8>);

/// One founder's side of a founding.
pub struct Meeting {
    me: [u8; 32],
    plan: FoundingPlan,
    context: [u8; 32],
    machine: Arc<dyn StateMachine>,
    /// `None` once nobody can need a secret of the ceremony any more.
    founding: Option<Founding>,
    signing: Option<Signing>,
    standings: BTreeMap<[u8; 32], Standing>,
    /// Partial signatures that came before the key.
    early: BTreeMap<[u8; 32], [u8; PARTIAL_BYTES]>,
    by_all: bool,
    notes: Vec<String>,
    noted: BTreeSet<[u8; 32]>,
}

fn culprit(culprit: &[u8; 32], what: &str) -> CeremonyError {
    CeremonyError::Culprit {
        culprit: *culprit,
        what: what.to_owned(),
    }
}

impl Meeting {
    /// Begins, or goes on with what was kept. `secret` is needed as long as the network is not on this founder's disk.
    ///
    /// # Errors
    /// [`CeremonyError::Participants`] if the plan does not name this node, or its founders cannot hold a ceremony;
    /// [`CeremonyError::NoResult`] if what was kept does not fit the plan.
    pub fn new(
        me: &NodeKey,
        plan: FoundingPlan,
        machine: Arc<dyn StateMachine>,
        secret: Option<&FoundingSecret>,
        kept: Kept,
    ) -> Result<Self, CeremonyError> {
        let context = plan.context();
        let keys = plan.node_keys();
        let founding = match secret {
            _ if kept.seated => None,
            Some(secret) => Some(Founding::resumable(me, &keys, &context, secret)?),
            None => {
                let reason = "the secret of this founder's dealing is missing".to_owned();
                return Err(CeremonyError::NoResult(reason));
            }
        };
        let standings = keys.iter().filter(|key| **key != me.public());
        let mut meeting = Self {
            me: me.public(),
            context,
            machine,
            founding,
            signing: None,
            standings: standings.map(|key| (*key, Standing::Unheard)).collect(),
            early: BTreeMap::new(),
            by_all: false,
            notes: Vec::new(),
            noted: BTreeSet::new(),
            plan,
        };
        if let Some((share, sharing)) = kept.share {
            let mut signing = meeting.sign(share, sharing)?;
            signing.kept = true;
            let own = signing.own();
            let unfit =
                |what: &str| CeremonyError::NoResult(format!("{what} does not fit the plan"));
            if !bad_partials(&signing.sharing, &signing.block.message(), &[own]).is_empty() {
                return Err(unfit("the share on the disk"));
            }
            if !kept.partials.is_empty() {
                signing.partials = kept.partials.into_iter().enumerate().collect();
                signing.certify(keys.len())?;
            }
            signing.seated = kept.seated;
            meeting.signing = Some(signing);
        }
        let seated = meeting.standing() == Standing::Founded;
        if kept.seated && (!seated || !meeting.has_certified()) {
            let reason = "the network on the disk lacks what the ceremony kept".to_owned();
            return Err(CeremonyError::NoResult(reason));
        }
        Ok(meeting)
    }

    /// The plan.
    pub fn plan(&self) -> &FoundingPlan {
        &self.plan
    }

    /// How far the others are, by node key.
    pub fn standings(&self) -> &BTreeMap<[u8; 32], Standing> {
        &self.standings
    }

    /// How far this founder is.
    pub fn standing(&self) -> Standing {
        match &self.signing {
            Some(signing) if signing.seated => Standing::Founded,
            Some(signing) if signing.kept => Standing::Signed,
            _ => Standing::Dealing,
        }
    }

    /// Whether everyone is done, so that this founder may leave.
    pub fn is_over(&self) -> bool {
        let mut others = self.standings.values();
        self.standing() == Standing::Founded
            && (self.by_all || others.all(|standing| *standing == Standing::Founded))
    }

    /// What the operator should read, each once.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// All that the others may still need from this founder. To be sent now and then; sending it twice does no harm.
    pub fn outgoing(&self) -> Vec<Sent> {
        let mut messages = Vec::new();
        let mut say = |to: &[u8; 32], word: Word| messages.push((*to, word.encode(&self.context)));
        for to in self.standings.keys() {
            match self.word() {
                Some(word) => say(to, word),
                None => say(to, Word::Here),
            }
        }
        for (to, message) in self.founding.iter().flat_map(Founding::outgoing) {
            // A founder with another plan would take our dealing for a false one.
            if self.standings.get(&to) >= Some(&Standing::Dealing) {
                say(&to, Word::Ceremony(message));
            }
        }
        messages
    }

    /// What this founder has to say of block 0.
    fn word(&self) -> Option<Word> {
        let signing = self.signing.as_ref().filter(|signing| signing.kept)?;
        Some(if signing.seated {
            Word::Founded {
                partials: signing.partials.values().copied().collect(),
                by_all: self.is_over(),
            }
        } else {
            Word::Signed(signing.own().1)
        })
    }

    fn has_certified(&self) -> bool {
        let signing = self.signing.as_ref();
        signing.is_some_and(|signing| signing.certified.is_some())
    }

    /// The message that tells the others why this founder gives up.
    pub fn farewell(&self, error: &CeremonyError) -> Vec<Sent> {
        let mut text = match error {
            CeremonyError::Culprit { culprit, what } => {
                format!("{} sent {what}", self.name_of(culprit))
            }
            other => other.to_string(),
        };
        while text.len() > TEXT_BYTES_MAX {
            text.pop();
        }
        let word = Word::Stopped(text).encode(&self.context);
        let others = self.standings.keys();
        others.map(|other| (*other, word.clone())).collect()
    }

    /// Takes a message; gives the answers to it.
    ///
    /// # Errors
    /// [`CeremonyError::Culprit`] names a founder who sent what no honest one sends: the founding fails.
    pub fn receive(&mut self, from: [u8; 32], bytes: &[u8]) -> Result<Vec<Sent>, CeremonyError> {
        let Some(before) = self.standings.get(&from).copied() else {
            return Err(culprit(&from, "a message without being a founder"));
        };
        let (plan, word) =
            Word::decode(bytes).map_err(|error| culprit(&from, &format!("garbage: {error}")))?;
        if plan != self.context {
            // What was said under the right plan stands; a founder may have begun with a wrong file.
            if before < Standing::Dealing {
                self.standings.insert(from, Standing::OtherPlan);
            }
            return Ok(Vec::new());
        }
        match word {
            Word::Here => {
                self.advance(from, Standing::Dealing);
                // A founder that starts again is where it was before; it may be told at once.
                Ok(Vec::new())
            }
            Word::Ceremony(message) => {
                self.advance(from, Standing::Dealing);
                let Some(founding) = &mut self.founding else {
                    return Ok(Vec::new());
                };
                let answer = founding.receive(from, &message)?;
                let answer = answer.map(|answer| Word::Ceremony(answer).encode(&self.context));
                Ok(answer.map(|answer| (from, answer)).into_iter().collect())
            }
            Word::Signed(partial) => {
                self.advance(from, Standing::Signed);
                if let Some(founding) = &mut self.founding {
                    founding.settled(from);
                }
                match &mut self.signing {
                    Some(signing) => signing.take(&from, partial)?,
                    None => {
                        self.early.insert(from, partial);
                    }
                }
                let late = self.signing.as_ref().is_some_and(|signing| signing.seated);
                let answer = late.then(|| self.word()).flatten();
                let answer = answer.map(|word| (from, word.encode(&self.context)));
                Ok(answer.into_iter().collect())
            }
            Word::Founded { partials, by_all } => {
                self.receive_founded(from, partials, by_all)?;
                Ok(Vec::new())
            }
            Word::Stopped(text) => {
                if self.noted.insert(from) {
                    let name = self.name_of(&from);
                    self.notes
                        .push(format!("{name} has stopped, and says: {text}"));
                }
                if before < Standing::Signed {
                    self.standings.insert(from, Standing::Stopped);
                }
                Ok(Vec::new())
            }
        }
    }

    fn receive_founded(
        &mut self,
        from: [u8; 32],
        partials: Vec<[u8; PARTIAL_BYTES]>,
        by_all: bool,
    ) -> Result<(), CeremonyError> {
        let Some(signing) = &mut self.signing else {
            // It can only be so if this founder has signed already.
            if self.noted.insert(from) {
                let name = self.name_of(&from);
                self.notes.push(format!(
                    "{name} says that the network is founded, so this founder has held a share already: restore its folder from a \
                     backup, or have all begin again under a new plan"
                ));
            }
            return Ok(());
        };
        let holders = signing.sharing.holders();
        if partials.len() != holders.len() {
            return Err(culprit(&from, "too few signatures over block 0"));
        }
        for (holder, partial) in holders.iter().zip(partials) {
            // Whoever passes on a wrong one is to blame, not the founder in whose name it is.
            let taken = signing.take(holder, partial);
            taken.map_err(|_| culprit(&from, "a wrong signature over block 0"))?;
        }
        self.by_all |= by_all;
        if let Some(founding) = &mut self.founding {
            founding.settled(from);
        }
        self.advance(from, Standing::Founded);
        Ok(())
    }

    /// What is to be put on the disk now.
    ///
    /// # Errors
    /// [`CeremonyError`]: the founding fails.
    pub fn task(&mut self) -> Result<Option<Task>, CeremonyError> {
        if self.signing.is_none()
            && let Some(result) = self.founding.as_mut().and_then(Founding::finish)
        {
            let founded = result?;
            let mut signing = self.sign(founded.share, founded.sharing)?;
            for (from, partial) in std::mem::take(&mut self.early) {
                signing.take(&from, partial)?;
            }
            self.signing = Some(signing);
        }
        let Some(signing) = &mut self.signing else {
            return Ok(None);
        };
        if !signing.kept {
            return Ok(Some(Task::KeepShare {
                share: signing.share.clone(),
                sharing: signing.sharing.clone(),
            }));
        }
        if signing.seated {
            return Ok(None);
        }
        if signing.certified.is_none() && signing.partials.len() == self.plan.founders.len() {
            signing.certify(self.plan.founders.len())?;
        }
        Ok(signing.certified.clone().map(|block_zero| Task::TakeSeat {
            genesis: signing.genesis.clone(),
            block_zero,
            partials: signing.partials.values().copied().collect(),
        }))
    }

    /// The share is on the disk.
    pub fn share_kept(&mut self) {
        if let Some(signing) = &mut self.signing {
            signing.kept = true;
        }
    }

    /// The network is on the disk: nobody needs a secret of the ceremony any more.
    pub fn seat_taken(&mut self) {
        if let Some(signing) = &mut self.signing {
            signing.seated = true;
        }
        self.founding = None;
    }

    /// The name of a founder.
    pub fn name_of(&self, node_key: &[u8; 32]) -> String {
        let mut founders = self.plan.founders.iter();
        let founder = founders.find(|founder| founder.node_key == *node_key);
        founder.map_or_else(
            || hex::encode(node_key),
            |founder| founder.member.name.clone(),
        )
    }

    fn advance(&mut self, founder: [u8; 32], to: Standing) {
        let standing = self.standings.entry(founder).or_insert(to);
        // A founder that says less than before has started again, and will come to the same point.
        *standing = to.max(*standing);
    }

    /// Everything that follows from the key.
    fn sign(&self, share: Share, sharing: Sharing) -> Result<Signing, CeremonyError> {
        let genesis = self.plan.genesis(&sharing)?;
        let block = Ledger::block_zero(&genesis, &*self.machine)
            .map_err(|error| CeremonyError::NoResult(error.to_string()))?;
        if sharing.holders().get(share.index()) != Some(&self.me) {
            let reason = "the share is not this founder's".to_owned();
            return Err(CeremonyError::NoResult(reason));
        }
        let own = sign_block_zero(&share, &block);
        Ok(Signing {
            partials: BTreeMap::from([(share.index(), own)]),
            share,
            sharing,
            genesis,
            block,
            kept: false,
            certified: None,
            seated: false,
        })
    }
}

impl Signing {
    /// Our index and partial signature.
    fn own(&self) -> (usize, [u8; PARTIAL_BYTES]) {
        let index = self.share.index();
        (index, self.partials[&index])
    }

    /// Takes in a founder's partial signature over block 0.
    fn take(&mut self, from: &[u8; 32], partial: [u8; PARTIAL_BYTES]) -> Result<(), CeremonyError> {
        let holders = self.sharing.holders();
        let index = holders.iter().position(|holder| holder == from);
        let index = index.ok_or_else(|| culprit(from, "a signature without holding a share"))?;
        if self.partials.get(&index) == Some(&partial) {
            return Ok(());
        }
        let bad = bad_partials(&self.sharing, &self.block.message(), &[(index, partial)]);
        if !bad.is_empty() {
            return Err(culprit(from, "a wrong signature over block 0"));
        }
        self.partials.insert(index, partial);
        Ok(())
    }

    /// Makes the network's signature of the partial signatures of all founders.
    fn certify(&mut self, founders: usize) -> Result<(), CeremonyError> {
        if self.partials.len() != founders {
            let reason = "not every founder has signed block 0".to_owned();
            return Err(CeremonyError::NoResult(reason));
        }
        let partials: Vec<_> = self.partials.iter().map(|(at, one)| (*at, *one)).collect();
        let block = self.block.clone();
        self.certified = Some(certify_block_zero(&self.sharing, block, &partials)?);
        Ok(())
    }
}

#[cfg(test)]
#[path = "meeting_tests.rs"]
mod tests;
