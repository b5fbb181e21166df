//! Changes of the committee: who is to validate next, the dealings of the present committee, and the confirmations of both.
//!
//! A change runs in a numbered *round* (docs/design/0012-changing-the-committee.md):
//! 1. It begins with the next validators: by a proposal, by a validator that leaves or takes a new key, or by a suspension.
//! 2. Each present validator deals its share of the network key to the next ones, over links, and puts the public log of its dealing here
//!    (`committee.deal`). The dealings are *complete* when all present validators have dealt, or when the round's time for dealing is
//!    over and a quorum has. From then on none is taken, so all compute the same new sharing of the same key.
//! 3. Each validator of either committee says with which sharing it ended (`committee.confirm`). With a quorum of both for the same sharing,
//!    the next committee is in force; the engine follows at its next epoch. When a quorum of the present one says that the dealings
//!    give none, the round has failed and the present committee stays.
//!
//! Logs and sharings are opaque here: what they mean is computed by every validator, and a quorum must agree on it.

use stele_core::cbor::{Body, BodyBuilder, DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::genesis::{SHARING_BYTES_MAX, VALIDATORS_MAX};
use stele_core::id::{Height, PartyId, TimeMs, sha256};
use stele_core::machine::{Fault, StateReader};
use stele_core::suite::PublicKey;

use super::apply::Authority;
use super::committee::{self, Committee, Validator};
use super::{NAME, refusals};
use crate::context::{Context, View};
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

/// The longest log of a dealing, in bytes.
pub const DEALING_BYTES_MAX: usize = 64 << 10;
/// How long dealings of validators that are silent are waited for, unless the change says otherwise, in milliseconds.
pub const DEALING_MS_DEFAULT: u64 = 60_000;
/// The longest such time: a day, in milliseconds.
pub const DEALING_MS_MAX: u64 = 86_400_000;

/// The newest change of the committee.
const CHANGE_KEY: &[u8] = b"change";

/// How a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeStatus {
    /// Dealings and confirmations are collected.
    Pending,
    /// The next committee is in force.
    Done,
    /// It was given up; the committee is as it was.
    Failed,
}

impl ChangeStatus {
    const ALL: [Self; 3] = [Self::Pending, Self::Done, Self::Failed];

    /// The status in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// A change of the committee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The number of the round, from 1; also failed rounds count.
    pub round: u64,
    /// The number of the committee that deals.
    pub from: u64,
    /// When it began, by the block's time.
    pub begun: TimeMs,
    /// Until when dealings of silent validators are waited for.
    pub deal_until: TimeMs,
    /// The next validators, ascending by node key.
    pub validators: Vec<Validator>,
    /// Node keys of the validators that have dealt, in the order of their entries.
    pub dealers: Vec<[u8; 32]>,
    /// What validators of either committee say that the dealings give: the hash of the sharing, or zeros for nothing.
    pub confirmed: Vec<([u8; 32], [u8; 32])>,
    /// How it stands.
    pub status: ChangeStatus,
}

/// What stands for "the dealings give no sharing".
const NO_SHARING: [u8; 32] = [0; 32];

impl Change {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(8)
            .uint(self.round)
            .uint(self.from)
            .uint(self.begun.get())
            .uint(self.deal_until.get());
        committee::encode_validators(&mut out, &self.validators);
        out.array(self.dealers.len());
        for dealer in &self.dealers {
            out.bytes(dealer);
        }
        out.array(self.confirmed.len());
        for (node_key, sharing) in &self.confirmed {
            out.array(2).bytes(node_key).bytes(sharing);
        }
        out.uint(self.status as u64);
        out.into_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(8, "a change of eight parts")?;
        let (round, from) = (decoder.uint()?, decoder.uint()?);
        let begun = TimeMs::new(decoder.uint()?);
        let deal_until = TimeMs::new(decoder.uint()?);
        let validators = committee::decode_validators(&mut decoder)?;
        let count = decoder.array(VALIDATORS_MAX)?;
        let dealers: Result<_, _> = (0..count).map(|_| decoder.bytes32()).collect();
        let dealers = dealers?;
        let count = decoder.array(2 * VALIDATORS_MAX)?;
        let pair = |decoder: &mut Decoder<'_>| {
            decoder.array_of(2, "a node key and the hash of a sharing")?;
            Ok((decoder.bytes32()?, decoder.bytes32()?))
        };
        let confirmed: Result<_, _> = (0..count).map(|_| pair(&mut decoder)).collect();
        let confirmed = confirmed?;
        let number = decoder.uint()?;
        let status = ChangeStatus::ALL
            .into_iter()
            .find(|status| *status as u64 == number);
        let status = status.ok_or(DecodeError {
            offset: decoder.position(),
            kind: ErrorKind::Expected("a change's status"),
        })?;
        decoder.finish()?;
        Ok(Self {
            round,
            from,
            begun,
            deal_until,
            validators,
            dealers,
            confirmed,
            status,
        })
    }

    /// Whether no further dealing is taken at this time, given how many validators deal.
    pub fn is_complete(&self, dealers: usize, now: TimeMs) -> bool {
        let quorum = super::proposals::quorum(dealers as u64) as usize;
        self.dealers.len() == dealers || (now >= self.deal_until && self.dealers.len() >= quorum)
    }

    /// Whether this round has put the committee with this sharing into force.
    fn is_done_with(
        &self,
        round: u64,
        sharing: &[u8; 32],
        context: &Context<'_, '_>,
    ) -> Result<bool, Fault> {
        if self.round != round || self.status != ChangeStatus::Done {
            return Ok(false);
        }
        let next = committee::committee_numbered_in(context.own(), self.from + 1)?;
        Ok(next.is_some_and(|next| sha256(&[&next.sharing]) == *sharing))
    }

    fn votes_for(&self, validators: &[Validator], sharing: &[u8; 32]) -> u64 {
        let agrees = |validator: &&Validator| {
            self.confirmed
                .iter()
                .any(|(key, hash)| *key == validator.node_key && hash == sharing)
        };
        validators.iter().filter(agrees).count() as u64
    }
}

fn dealing_key(round: u64, node_key: &[u8; 32]) -> Vec<u8> {
    [b"dealing/".as_slice(), &round.to_be_bytes(), node_key].concat()
}

fn read(view: View<'_>) -> Result<Option<Change>, Fault> {
    match view.get(CHANGE_KEY)? {
        None => Ok(None),
        Some(bytes) => Change::decode(&bytes)
            .map(Some)
            .map_err(|error| view.unreadable(CHANGE_KEY, error)),
    }
}

/// The newest change of the committee, over or not; `None` if there never was one.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn change(reader: &dyn StateReader) -> Result<Option<Change>, Fault> {
    read(View::new(reader, NAME))
}

/// The log of a validator's dealing in the newest round. Those of earlier rounds stand in the entry log alone.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn dealing(
    reader: &dyn StateReader,
    round: u64,
    node_key: &[u8; 32],
) -> Result<Option<Vec<u8>>, Fault> {
    View::new(reader, NAME).get(&dealing_key(round, node_key))
}

fn present(context: &Context<'_, '_>) -> Result<Committee, Stop> {
    Ok(committee::committee_in(context.own())?.ok_or(&refusals::NO_COMMITTEE)?)
}

fn check_address(address: &str) -> Outcome {
    let well_formed = address.rsplit_once(':').is_some_and(|(host, port)| {
        let printable = host.bytes().all(|byte| byte.is_ascii_graphic());
        !host.is_empty() && printable && port.parse::<u16>().is_ok()
    });
    ensure(well_formed, &refusals::VALIDATOR_BAD_ADDRESS)
}

fn check_key(node_key: &[u8; 32]) -> Outcome {
    let key =
        PublicKey::from_ed25519(node_key).map_err(|_| Stop::from(&refusals::VALIDATOR_BAD_KEY))?;
    ensure(!key.is_small_order(), &refusals::VALIDATOR_BAD_KEY)
}

fn dealing_ms(body: &mut Body<'_>) -> Result<u64, Stop> {
    Ok(body.opt_uint("dealing-ms")?.unwrap_or(DEALING_MS_DEFAULT))
}

/// Begins a round with these validators.
fn begin(
    context: &mut Context<'_, '_>,
    present: &Committee,
    mut validators: Vec<Validator>,
    dealing_ms: u64,
) -> Outcome {
    ensure(
        (1..=DEALING_MS_MAX).contains(&dealing_ms),
        &refusals::CHANGE_BAD_TIME,
    )?;
    let last = read(context.own())?;
    let now = context.time();
    if let Some(last) = &last {
        // One that has outlived its time for dealing makes room: it lacks validators that nobody can wait for.
        let blocks = last.status == ChangeStatus::Pending && now < last.deal_until;
        ensure(!blocks, &refusals::CHANGE_PENDING)?;
        for dealer in &last.dealers {
            context.delete(&dealing_key(last.round, dealer));
        }
    }
    validators.sort_by_key(|validator| validator.node_key);
    ensure(!validators.is_empty(), &refusals::COMMITTEE_EMPTY)?;
    ensure(
        validators.len() <= VALIDATORS_MAX,
        &refusals::COMMITTEE_FULL,
    )?;
    let change = Change {
        round: last.map_or(0, |last| last.round) + 1,
        from: present.number,
        begun: now,
        deal_until: TimeMs::new(now.get().saturating_add(dealing_ms)),
        validators,
        dealers: Vec::new(),
        confirmed: Vec::new(),
        status: ChangeStatus::Pending,
    };
    context.put(CHANGE_KEY, change.encode());
    emit_round(context, "committee.changing", &change);
    Ok(())
}

fn emit_round(context: &mut Context<'_, '_>, event: &str, change: &Change) {
    let body = BodyBuilder::new()
        .uint("round", change.round)
        .uint("committee", change.from);
    context.emit(event, body.build());
}

/// `validator.add`, by a proposal.
pub(super) fn add(
    context: &mut Context<'_, '_>,
    body: &mut Body<'_>,
    authority: Authority,
) -> Outcome {
    let party = fields::party(body, "party")?;
    let node_key = body.bytes32("node-key")?;
    let address = body.text("address", 255)?.to_owned();
    let wait = dealing_ms(body)?;
    authority.require_proposal()?;
    check_address(&address)?;
    let committee = present(context)?;
    let member = super::member(context.own(), &party)?.ok_or(&refusals::NOT_MEMBER)?;
    ensure(member.active, &refusals::SUSPENDED)?;
    check_key(&node_key)?;
    let mut validators = committee.validators.clone();
    let taken = |one: &Validator| one.node_key == node_key || one.address == address;
    ensure(!validators.iter().any(taken), &refusals::VALIDATOR_EXISTS)?;
    validators.push(Validator {
        party,
        node_key,
        address,
    });
    begin(context, &committee, validators, wait)
}

fn without(
    committee: &Committee,
    node_key: &[u8; 32],
) -> Result<(Validator, Vec<Validator>), Stop> {
    let (leaving, staying): (Vec<_>, Vec<_>) = committee
        .validators
        .iter()
        .cloned()
        .partition(|validator| validator.node_key == *node_key);
    let leaving = leaving
        .into_iter()
        .next()
        .ok_or(&refusals::VALIDATOR_UNKNOWN)?;
    Ok((leaving, staying))
}

/// `validator.remove`, by a proposal.
pub(super) fn remove(
    context: &mut Context<'_, '_>,
    body: &mut Body<'_>,
    authority: Authority,
) -> Outcome {
    let node_key = body.bytes32("node-key")?;
    let wait = dealing_ms(body)?;
    authority.require_proposal()?;
    let committee = present(context)?;
    let (_, staying) = without(&committee, &node_key)?;
    begin(context, &committee, staying, wait)
}

/// `validator.leave`, by the member that runs it: nobody has to be asked.
pub(super) fn leave(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let node_key = body.bytes32("node-key")?;
    let wait = dealing_ms(body)?;
    let committee = present(context)?;
    let (leaving, staying) = without(&committee, &node_key)?;
    ensure(
        leaving.party == context.signer(),
        &refusals::VALIDATOR_NOT_YOURS,
    )?;
    begin(context, &committee, staying, wait)
}

/// `validator.rotate`, by the member that runs it: a new node key, a new address, or both.
pub(super) fn rotate(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let node_key = body.bytes32("node-key")?;
    let new_key = body.bytes32("new-node-key")?;
    let address = body.text("address", 255)?.to_owned();
    let wait = dealing_ms(body)?;
    check_address(&address)?;
    let committee = present(context)?;
    let (leaving, mut validators) = without(&committee, &node_key)?;
    ensure(
        leaving.party == context.signer(),
        &refusals::VALIDATOR_NOT_YOURS,
    )?;
    check_key(&new_key)?;
    let taken = |one: &Validator| one.node_key == new_key || one.address == address;
    ensure(!validators.iter().any(taken), &refusals::VALIDATOR_EXISTS)?;
    validators.push(Validator {
        party: leaving.party,
        node_key: new_key,
        address,
    });
    begin(context, &committee, validators, wait)
}

/// `committee.refresh`, by a proposal: the same validators, new shares.
pub(super) fn refresh(
    context: &mut Context<'_, '_>,
    body: &mut Body<'_>,
    authority: Authority,
) -> Outcome {
    let wait = dealing_ms(body)?;
    authority.require_proposal()?;
    let committee = present(context)?;
    begin(context, &committee, committee.validators.clone(), wait)
}

/// A suspended member's validators leave the committee.
pub(super) fn member_suspended(context: &mut Context<'_, '_>, party: &PartyId) -> Outcome {
    let Some(committee) = committee::committee_in(context.own())? else {
        return Ok(());
    };
    let runs = |validator: &&Validator| validator.party == *party;
    if !committee.validators.iter().any(|one| runs(&one)) {
        return Ok(());
    }
    let staying = committee.validators.iter().filter(|one| !runs(one));
    let staying = staying.cloned().collect();
    begin(context, &committee, staying, DEALING_MS_DEFAULT)
}

fn pending(context: &Context<'_, '_>, round: u64) -> Result<Change, Stop> {
    let change = read(context.own())?.filter(|change| change.status == ChangeStatus::Pending);
    let change = change.ok_or(&refusals::CHANGE_NONE)?;
    ensure(change.round == round, &refusals::CHANGE_NONE)?;
    Ok(change)
}

/// `committee.deal`, by the member that runs the dealing validator.
pub(super) fn deal(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let round = body.uint("round")?;
    let node_key = body.bytes32("node-key")?;
    let log = fields::bytes(body, "log", 1, DEALING_BYTES_MAX)?.to_vec();
    let mut change = pending(context, round)?;
    let committee = present(context)?;
    let (dealer, _) = without(&committee, &node_key)?;
    ensure(
        dealer.party == context.signer(),
        &refusals::VALIDATOR_NOT_YOURS,
    )?;
    ensure(
        !change.dealers.contains(&node_key),
        &refusals::DEALING_EXISTS,
    )?;
    let complete = change.is_complete(committee.validators.len(), context.time());
    ensure(!complete, &refusals::DEALING_LATE)?;
    change.dealers.push(node_key);
    context.put(&dealing_key(round, &node_key), log);
    context.put(CHANGE_KEY, change.encode());
    let event = BodyBuilder::new()
        .uint("round", round)
        .bytes("node-key", &node_key);
    context.emit("committee.dealt", event.build());
    Ok(())
}

/// `committee.confirm`, by the member that runs a validator of the present or the next committee. A later one replaces an earlier one.
pub(super) fn confirm(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let round = body.uint("round")?;
    let node_key = body.bytes32("node-key")?;
    let sharing = body.optional("sharing", |decoder| {
        fields::bytes_item(decoder, 1, SHARING_BYTES_MAX)
    })?;
    let hash = sharing.map_or(NO_SHARING, |sharing| sha256(&[sharing]));
    let mut change = match read(context.own())? {
        // The others were quicker; that this validator agrees is still worth knowing.
        Some(change) if change.is_done_with(round, &hash, context)? => change,
        _ => pending(context, round)?,
    };
    let committee = committee::committee_numbered_in(context.own(), change.from)?;
    let committee = committee.ok_or(&refusals::NO_COMMITTEE)?;
    let ours = committee
        .validators
        .iter()
        .chain(&change.validators)
        .find(|validator| validator.node_key == node_key)
        .ok_or(&refusals::VALIDATOR_UNKNOWN)?;
    ensure(
        ours.party == context.signer(),
        &refusals::VALIDATOR_NOT_YOURS,
    )?;
    let complete = change.is_complete(committee.validators.len(), context.time());
    ensure(complete, &refusals::DEALING_INCOMPLETE)?;
    change.confirmed.retain(|(key, _)| *key != node_key);
    change.confirmed.push((node_key, hash));
    let event = BodyBuilder::new()
        .uint("round", round)
        .bytes("node-key", &node_key)
        .bytes("sharing-hash", &hash);
    context.emit("committee.confirmed", event.build());
    let quorum = |validators: &[Validator]| super::proposals::quorum(validators.len() as u64);
    let of_present = change.votes_for(&committee.validators, &hash);
    let of_next = change.votes_for(&change.validators, &hash);
    let pending = change.status == ChangeStatus::Pending;
    if pending && of_present >= quorum(&committee.validators) {
        match sharing {
            None => {
                change.status = ChangeStatus::Failed;
                emit_round(context, "committee.failed", &change);
            }
            Some(sharing) if of_next >= quorum(&change.validators) => {
                change.status = ChangeStatus::Done;
                enact(context, &change, sharing);
            }
            Some(_) => {}
        }
    }
    context.put(CHANGE_KEY, change.encode());
    Ok(())
}

fn enact(context: &mut Context<'_, '_>, change: &Change, sharing: &[u8]) {
    let next = Committee {
        number: change.from + 1,
        since: Height::new(context.height().get()),
        sharing: sharing.to_vec(),
        validators: change.validators.clone(),
    };
    committee::put(context.state(), &next);
    let event = BodyBuilder::new()
        .uint("round", change.round)
        .uint("committee", next.number)
        .bytes_list(
            "node-keys",
            &next
                .validators
                .iter()
                .map(|validator| validator.node_key)
                .collect::<Vec<_>>(),
        );
    context.emit("committee.changed", event.build());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_survives_its_encoding_and_is_complete_in_time() {
        let mut change = Change {
            round: 3,
            from: 2,
            begun: TimeMs::new(10),
            deal_until: TimeMs::new(100),
            validators: vec![Validator {
                party: PartyId::from_bytes([4; 32]),
                node_key: [5; 32],
                address: "validator.example:7100".to_owned(),
            }],
            dealers: vec![[5; 32], [6; 32], [7; 32]],
            confirmed: vec![([5; 32], NO_SHARING)],
            status: ChangeStatus::Pending,
        };
        let bytes = change.encode();
        assert_eq!(Change::decode(&bytes), Ok(change.clone()));
        for cut in 0..bytes.len() {
            assert!(Change::decode(&bytes[..cut]).is_err());
        }
        assert!(!change.is_complete(4, TimeMs::new(99)));
        assert!(change.is_complete(4, TimeMs::new(100)));
        assert!(change.is_complete(3, TimeMs::new(0)));
        change.dealers.pop();
        assert!(!change.is_complete(4, TimeMs::new(1_000)));
    }
}
