//! Members of rolls: what happened to one since it was enrolled.

use stele_core::cbor::{Body, BodyBuilder, DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::id::{Hash, Height, KeyId, PartyId, TimeMs};
use stele_core::machine::Fault;
use stele_core::merkle;
use stele_core::suite::PublicKey;

use super::document::{PartyDocument, PartyKind};
use super::parties::{create, kid_of};
use super::refusals;
use super::rolls::{self, PATH_MAX, Roll, RollId, RollKind};
use crate::context::{Context, View};
use crate::history::{or_null, read_opt_uint, write_opt_uint};
use crate::register::Stop;
use crate::spec::ensure;
use crate::{fields, governance, history};

/// What happened to a member, a versioned document ([`crate::history`]). A member to which nothing happened has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// The block that ended it, for ever.
    pub ended: Option<Height>,
    /// The party that it became: a device or organisation that has introduced itself with its key.
    pub party: Option<PartyId>,
    /// An anchor's present commitment, if it was renewed.
    pub commitment: Option<Hash>,
    /// An agreed recovery of an anchor: its new commitment, and the moment from which it may be finished.
    pub pending: Option<(Hash, TimeMs)>,
}

impl Member {
    /// The content of a version.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(128);
        out.array(5);
        write_opt_uint(&mut out, self.ended.map(Height::get));
        let hashes = [
            self.party.as_ref().map(PartyId::as_bytes),
            self.commitment.as_ref().map(Hash::as_bytes),
            self.pending.as_ref().map(|(to, _)| to.as_bytes()),
        ];
        for hash in hashes {
            match hash {
                Some(hash) => out.bytes(hash),
                None => out.null(),
            };
        }
        write_opt_uint(&mut out, self.pending.map(|(_, ripe)| ripe.get()));
        out.into_vec()
    }

    /// Reads the content of a version at a key `member/..`.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(5, "a member of five parts")?;
        let ended = read_opt_uint(&mut decoder)?.map(Height::new);
        let party = or_null(&mut decoder, Decoder::bytes32)?.map(PartyId::from_bytes);
        let commitment = or_null(&mut decoder, Decoder::bytes32)?.map(Hash::from_bytes);
        let to = or_null(&mut decoder, Decoder::bytes32)?.map(Hash::from_bytes);
        let offset = decoder.position();
        let ripe = read_opt_uint(&mut decoder)?.map(TimeMs::new);
        decoder.finish()?;
        let pending = match (to, ripe) {
            (Some(to), Some(ripe)) => Some((to, ripe)),
            (None, None) => None,
            _ => {
                let kind = ErrorKind::Expected("a new commitment and its time, or neither");
                return Err(DecodeError { offset, kind });
            }
        };
        Ok(Self {
            ended,
            party,
            commitment,
            pending,
        })
    }
}

/// The key of a member.
pub fn member_key(roll: &RollId, index: u64) -> Vec<u8> {
    [
        b"member/".as_slice(),
        roll.as_bytes(),
        b"/",
        &index.to_be_bytes(),
    ]
    .concat()
}

/// What happened to a member, through a view of `identity`; `None` when nothing did.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn member(view: View<'_>, roll: &RollId, index: u64) -> Result<Option<Member>, Fault> {
    let key = member_key(roll, index);
    content(view, &key, history::current(view, &key)?)
}

/// What had happened to a member up to block `height`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn member_at(
    view: View<'_>,
    roll: &RollId,
    index: u64,
    height: Height,
) -> Result<Option<Member>, Fault> {
    let key = member_key(roll, index);
    content(view, &key, history::at(view, &key, height)?)
}

fn content(
    view: View<'_>,
    key: &[u8],
    version: Option<history::Version>,
) -> Result<Option<Member>, Fault> {
    let decoded = version.map(|version| Member::decode(&version.content));
    decoded
        .transpose()
        .map_err(|error| view.unreadable(key, error))
}

/// A member that a command is about, with the record that it was enrolled with.
pub(super) struct Named<'a> {
    pub roll_id: RollId,
    pub index: u64,
    pub roll: Roll,
    pub record: &'a [u8],
    pub member: Member,
}

impl Named<'_> {
    /// Reads which member a command names, and checks that it is enrolled so and has not ended.
    pub fn read<'a>(
        context: &Context<'_, '_>,
        body: &mut Body<'a>,
        kinds: &[RollKind],
    ) -> Result<Named<'a>, Stop> {
        let roll_id = Hash::from_bytes(body.bytes32("roll")?);
        let index = body.uint("index")?;
        let record = fields::bytes(body, "record", 32, 64)?;
        let path = fields::list(body, "path", 0, PATH_MAX, Decoder::bytes32)?;

        let roll = rolls::roll(context.own(), &roll_id)?.ok_or(&refusals::NO_ROLL)?;
        ensure(kinds.contains(&roll.kind), &refusals::OTHER_KIND)?;
        let leaf = merkle::leaf_hash(record);
        let enrolled =
            merkle::verify_inclusion(&leaf, index, roll.count, &path, roll.root.as_bytes());
        // The length tells a record from an inner node, should the two ever hash alike.
        let enrolled = enrolled.is_ok() && record.len() == roll.kind.record_bytes();
        ensure(enrolled, &refusals::NOT_ENROLLED)?;
        let member = member(context.own(), &roll_id, index)?.unwrap_or_default();
        ensure(member.ended.is_none(), &refusals::MEMBER_ENDED)?;
        Ok(Named {
            roll_id,
            index,
            roll,
            record,
            member,
        })
    }

    /// Ends the member for ever.
    pub fn end(mut self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        self.member.ended = Some(context.height());
        self.member.pending = None;
        self.save(context, "member.ended")
    }

    /// Writes the member and tells of it.
    pub fn save(self, context: &mut Context<'_, '_>, event: &str) -> Result<(), Stop> {
        let height = context.height();
        let key = member_key(&self.roll_id, self.index);
        history::write(context.state(), height, &key, self.member.encode())?;
        let mut body = BodyBuilder::new()
            .bytes("roll", self.roll_id.as_bytes())
            .uint("index", self.index);
        if let Some(party) = self.member.party.filter(|_| event == "member.claimed") {
            body = body.bytes("party", party.as_bytes());
        }
        context.emit(event, body.build());
        Ok(())
    }
}

const WITH_KEYS: &[RollKind] = &[RollKind::Device, RollKind::Organisation];

/// The id of the key in a record.
fn record_kid(record: &[u8]) -> Option<KeyId> {
    let key = PublicKey::from_ed25519(record.first_chunk()?).ok()?;
    Some(key.kid())
}

pub(super) fn claim(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let cose_key = fields::key(body, "key")?;
    let mut named = Named::read(context, body, WITH_KEYS)?;
    ensure(named.member.party.is_none(), &refusals::CLAIMED)?;
    let kid = kid_of(cose_key)?;
    let own = record_kid(named.record) == Some(kid);
    ensure(own && context.kid() == kid, &refusals::NOT_MEMBER_KEY)?;
    let kind = match named.roll.kind {
        RollKind::Device => PartyKind::Device,
        _ => PartyKind::Organisation,
    };
    let mut document = PartyDocument::new(kind, None, vec![kid]);
    if kind == PartyKind::Device {
        document.owner = Some(named.roll.issuer);
        document.serial = named.record.last_chunk().copied();
    }
    let height = context.height();
    let party = create(context.state(), height, &document, &[cose_key])?;
    named.member.party = Some(party);
    named.save(context, "member.claimed")
}

pub(super) fn end(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    body.opt_text("reason", 256)?;
    let all = [RollKind::Anchor, RollKind::Device, RollKind::Organisation];
    let named = Named::read(context, body, &all)?;
    ensure(named.member.party.is_none(), &refusals::CLAIMED)?;
    let signer = context.signer();
    let allowed = named.roll.issuer == signer
        || governance::has_role(context.view(governance::NAME), &signer, governance::STEWARD)?;
    ensure(allowed, &refusals::NOT_ENDER)?;
    named.end(context)
}
