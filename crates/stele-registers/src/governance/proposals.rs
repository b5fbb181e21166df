//! Proposals: what the stewards of a network of several validators decide together.
//!
//! A proposal holds commands of this register. It passes with the approval of `n - floor((n - 1) / 3)` of the `n` active stewards, the
//! same share of them that validators need to sign: what at most a third of the members want happens neither by voting nor by signing.
//! The vote that makes it pass also executes it; if a command of it is refused then, that vote is refused and the proposal stays open.

use stele_core::cbor::{Body, BodyBuilder, DecodeError, Decoder, Encoder};
use stele_core::id::{Height, PartyId, TimeMs};
use stele_core::machine::{Fault, StateReader};

use super::apply::{Authority, encode_uint, execute};
use super::{NAME, STEWARD, refusals};
use crate::context::{Context, View};
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

/// The most commands of one proposal.
pub const ACTIONS_MAX: usize = 16;
/// The longest command of a proposal, in bytes.
pub const ACTION_BYTES_MAX: usize = 4_096;
/// How long a proposal is open unless it says otherwise: 30 days, in milliseconds.
pub const OPEN_MS_DEFAULT: u64 = 30 * 86_400_000;
/// The longest time that a proposal may be open: 366 days, in milliseconds.
pub const OPEN_MS_MAX: u64 = 366 * 86_400_000;
/// The most votes on either side that are kept of one proposal. With more than 192 stewards a quorum is above it, and nothing passes.
pub const VOTES_MAX: usize = 128;

/// The number of the newest proposal.
const COUNT_KEY: &[u8] = b"proposals";

/// Commands that need the stewards' decision where a committee of validators decides.
pub(super) const DECIDED_TOGETHER: &[&str] = &[
    "committee.refresh",
    "member.add",
    "member.restore",
    "member.suspend",
    "register.activate",
    "register.withdraw",
    "role.grant",
    "role.revoke",
    "validator.add",
    "validator.remove",
];

/// How a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalStatus {
    /// Votes are taken, until its time is over.
    Open,
    /// It has passed and was executed.
    Accepted,
    /// It can no longer pass.
    Rejected,
    /// Its proposer took it back.
    Withdrawn,
}

impl ProposalStatus {
    const ALL: [Self; 4] = [Self::Open, Self::Accepted, Self::Rejected, Self::Withdrawn];

    fn number(self) -> u64 {
        self as u64
    }

    fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    /// The status in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The steward that made it.
    pub by: PartyId,
    /// What it is for, in words.
    pub title: String,
    /// The last time of a vote.
    pub until: TimeMs,
    /// The commands: each the deterministic encoding of `[name, body]`.
    pub actions: Vec<Vec<u8>>,
    /// Stewards that are for it, in the order of their votes.
    pub approvals: Vec<PartyId>,
    /// Stewards that are against it.
    pub rejections: Vec<PartyId>,
    /// How it stands.
    pub status: ProposalStatus,
    /// The block that decided it.
    pub decided: Option<Height>,
}

impl Proposal {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(8)
            .bytes(self.by.as_bytes())
            .text(&self.title)
            .uint(self.until.get())
            .array(self.actions.len());
        for action in &self.actions {
            out.bytes(action);
        }
        for votes in [&self.approvals, &self.rejections] {
            out.array(votes.len());
            for party in votes {
                out.bytes(party.as_bytes());
            }
        }
        out.uint(self.status.number());
        match self.decided {
            Some(height) => out.uint(height.get()),
            None => out.null(),
        };
        out.into_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(8, "a proposal of eight parts")?;
        let by = PartyId::from_bytes(decoder.bytes32()?);
        let title = decoder.text(256)?.to_owned();
        let until = TimeMs::new(decoder.uint()?);
        let count = decoder.array(ACTIONS_MAX)?;
        let actions: Result<Vec<_>, _> = (0..count)
            .map(|_| decoder.bytes(ACTION_BYTES_MAX).map(<[u8]>::to_vec))
            .collect();
        let actions = actions?;
        let mut votes = || -> Result<Vec<PartyId>, DecodeError> {
            let count = decoder.array(VOTES_MAX)?;
            (0..count)
                .map(|_| decoder.bytes32().map(PartyId::from_bytes))
                .collect()
        };
        let (approvals, rejections) = (votes()?, votes()?);
        let status = ProposalStatus::from_number(decoder.uint()?).ok_or(DecodeError {
            offset: 0,
            kind: stele_core::cbor::ErrorKind::Expected("a proposal's status"),
        })?;
        let decided = match decoder.peek()? {
            stele_core::cbor::Kind::Uint => Some(Height::new(decoder.uint()?)),
            _ => {
                decoder.null()?;
                None
            }
        };
        decoder.finish()?;
        Ok(Self {
            by,
            title,
            until,
            actions,
            approvals,
            rejections,
            status,
            decided,
        })
    }

    /// The commands by name, each with its body.
    ///
    /// # Panics
    /// Never on a proposal that came from the state: its commands were read when it was made.
    pub fn commands(&self) -> Vec<(String, Vec<u8>)> {
        let read = |action: &Vec<u8>| read_action(action).expect("read when the proposal was made");
        self.actions.iter().map(read).collect()
    }
}

/// Writes a command for a proposal.
pub fn encode_action(command: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(2).text(command).raw(body);
    out.into_vec()
}

fn read_action(bytes: &[u8]) -> Result<(String, Vec<u8>), DecodeError> {
    let mut decoder = Decoder::new(bytes);
    decoder.array_of(2, "a command and its body")?;
    let command = decoder.text(96)?.to_owned();
    let body = decoder.text_map(16)?.to_vec();
    decoder.finish()?;
    Ok((command, body))
}

fn key(number: u64) -> Vec<u8> {
    [b"proposal/".as_slice(), &number.to_be_bytes()].concat()
}

/// How many proposals there were; they are numbered from 1.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn proposal_count(reader: &dyn StateReader) -> Result<u64, Fault> {
    count(View::new(reader, NAME))
}

/// The proposal with this number.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn proposal(reader: &dyn StateReader, number: u64) -> Result<Option<Proposal>, Fault> {
    read(View::new(reader, NAME), number)
}

/// How many approvals of active stewards a proposal needs now.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn approvals_needed(reader: &dyn StateReader) -> Result<u64, Fault> {
    super::apply::steward_count(View::new(reader, NAME)).map(quorum)
}

fn count(view: View<'_>) -> Result<u64, Fault> {
    match view.get(COUNT_KEY)? {
        None => Ok(0),
        Some(bytes) => Decoder::new(&bytes)
            .uint()
            .map_err(|error| view.unreadable(COUNT_KEY, error)),
    }
}

fn read(view: View<'_>, number: u64) -> Result<Option<Proposal>, Fault> {
    let key = key(number);
    match view.get(&key)? {
        None => Ok(None),
        Some(bytes) => Proposal::decode(&bytes)
            .map(Some)
            .map_err(|error| view.unreadable(&key, error)),
    }
}

fn require_active_steward(context: &Context<'_, '_>) -> Outcome {
    let steward = super::has_role(context.own(), &context.signer(), STEWARD)?;
    ensure(steward, &refusals::NOT_STEWARD)
}

/// `proposal.open`: its proposer is for it, so with one steward it is decided at once.
pub(super) fn open(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let title = body.text("title", 256)?.to_owned();
    let actions = fields::list(body, "actions", 1, ACTIONS_MAX, |decoder| {
        fields::bytes_item(decoder, 1, ACTION_BYTES_MAX).map(<[u8]>::to_vec)
    })?;
    let open_ms = body.opt_uint("open-ms")?.unwrap_or(OPEN_MS_DEFAULT);
    require_active_steward(context)?;
    ensure(
        (1..=OPEN_MS_MAX).contains(&open_ms),
        &refusals::PROPOSAL_BAD_TIME,
    )?;
    for action in &actions {
        let (command, _) =
            read_action(action).map_err(|error| refusals::PROPOSAL_BAD_ACTION.about(error))?;
        if !DECIDED_TOGETHER.contains(&command.as_str()) {
            return Err(refusals::PROPOSAL_BAD_ACTION.about(command));
        }
    }
    let number = count(context.own())? + 1;
    let by = context.signer();
    let proposal = Proposal {
        by,
        title: title.clone(),
        until: TimeMs::new(context.time().get().saturating_add(open_ms)),
        actions,
        approvals: vec![by],
        rejections: Vec::new(),
        status: ProposalStatus::Open,
        decided: None,
    };
    context.put(COUNT_KEY, encode_uint(number));
    let event = BodyBuilder::new()
        .uint("number", number)
        .text("title", &title)
        .bytes("by", by.as_bytes());
    context.emit("proposal.opened", event.build());
    settle(context, number, proposal)
}

fn load_open(context: &Context<'_, '_>, number: u64) -> Result<Proposal, Stop> {
    let proposal = read(context.own(), number)?.ok_or(&refusals::PROPOSAL_UNKNOWN)?;
    if proposal.status != ProposalStatus::Open {
        return Err(refusals::PROPOSAL_OVER.about(proposal.status.word()));
    }
    if context.time() > proposal.until {
        return Err(refusals::PROPOSAL_OVER.about("its time is over"));
    }
    Ok(proposal)
}

/// `proposal.vote`: a later vote of the same steward replaces its earlier one.
pub(super) fn vote(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let number = body.uint("number")?;
    let approve = body.required("approve", Decoder::bool)?;
    require_active_steward(context)?;
    let mut proposal = load_open(context, number)?;
    let by = context.signer();
    proposal.approvals.retain(|party| *party != by);
    proposal.rejections.retain(|party| *party != by);
    let votes = if approve {
        &mut proposal.approvals
    } else {
        &mut proposal.rejections
    };
    ensure(votes.len() < VOTES_MAX, &refusals::PROPOSAL_TOO_MANY_VOTES)?;
    votes.push(by);
    let event = BodyBuilder::new()
        .uint("number", number)
        .bool("approve", approve)
        .bytes("by", by.as_bytes());
    context.emit("proposal.voted", event.build());
    settle(context, number, proposal)
}

/// `proposal.withdraw`, by its proposer.
pub(super) fn withdraw(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let number = body.uint("number")?;
    let mut proposal = load_open(context, number)?;
    ensure(
        proposal.by == context.signer(),
        &refusals::PROPOSAL_NOT_YOURS,
    )?;
    proposal.status = ProposalStatus::Withdrawn;
    close(context, number, proposal);
    Ok(())
}

/// How many of `count` must agree: all but the third that may fail or lie.
pub(super) fn quorum(count: u64) -> u64 {
    count - count.saturating_sub(1) / 3
}

/// Decides the proposal if its votes suffice, and keeps it.
fn settle(context: &mut Context<'_, '_>, number: u64, mut proposal: Proposal) -> Outcome {
    let stewards = super::apply::stewards(context)?;
    let needed = quorum(stewards);
    let (own, state) = (context.own(), &proposal);
    // Only who is an active steward now counts: votes of members suspended since then do not.
    let active = |votes: &[PartyId]| -> Result<u64, Fault> {
        let mut count = 0;
        for party in votes {
            count += u64::from(super::has_role(own, party, STEWARD)?);
        }
        Ok(count)
    };
    let (approvals, rejections) = (active(&state.approvals)?, active(&state.rejections)?);
    if approvals >= needed {
        proposal.status = ProposalStatus::Accepted;
        let commands = proposal.commands();
        close(context, number, proposal);
        for (command, body) in commands {
            let mut body =
                Body::decode(&body).map_err(|error| refusals::PROPOSAL_BAD_ACTION.about(error))?;
            let step = execute(context, &command, &mut body, Authority::Proposal);
            // The field that does not fit is one of the proposal's, not of the vote.
            let step = step.and_then(|()| Ok(body.finish()?));
            step.map_err(|stop| match stop {
                Stop::BadBody(error) => {
                    refusals::PROPOSAL_BAD_ACTION.about(format!("{command}: {error}"))
                }
                other => other,
            })?;
        }
        return Ok(());
    }
    if rejections > stewards - needed {
        proposal.status = ProposalStatus::Rejected;
        close(context, number, proposal);
        return Ok(());
    }
    context.put(&key(number), proposal.encode());
    Ok(())
}

fn close(context: &mut Context<'_, '_>, number: u64, mut proposal: Proposal) {
    proposal.decided = Some(context.height());
    let event = BodyBuilder::new()
        .uint("number", number)
        .text("status", proposal.status.word());
    context.put(&key(number), proposal.encode());
    context.emit("proposal.closed", event.build());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_survives_its_encoding() {
        for status in ProposalStatus::ALL {
            let proposal = Proposal {
                by: PartyId::from_bytes([1; 32]),
                title: "Take the harbour in".to_owned(),
                until: TimeMs::new(5),
                actions: vec![encode_action("committee.refresh", &[0xa0])],
                approvals: vec![PartyId::from_bytes([1; 32])],
                rejections: vec![PartyId::from_bytes([2; 32]), PartyId::from_bytes([3; 32])],
                status,
                decided: (status != ProposalStatus::Open).then_some(Height::new(9)),
            };
            let bytes = proposal.encode();
            assert_eq!(Proposal::decode(&bytes), Ok(proposal.clone()));
            assert_eq!(proposal.commands()[0].0, "committee.refresh");
            for cut in 0..bytes.len() {
                assert!(Proposal::decode(&bytes[..cut]).is_err());
            }
        }
    }

    #[test]
    fn a_quorum_is_all_but_the_third_that_may_fail() {
        let quorums: Vec<_> = [1, 2, 3, 4, 5, 6, 7, 10].map(quorum).into();
        assert_eq!(quorums, [1, 2, 3, 3, 4, 5, 5, 7]);
    }
}
