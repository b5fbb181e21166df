//! What the state holds of services, definitions and cases.

use stele_core::cbor::{DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::id::{Hash, Height, PartyId, TimeMs, sha256};
use stele_core::machine::Fault;

use super::clock::{Clock, Rules};
use super::{CODE_BYTES_MAX, ITEMS_MAX, OUTCOMES, SCOPE_BYTES_MAX, SERVICE_ID_BYTES_MAX};
use crate::context::View;
use crate::history::{or_null, read_opt_uint, write_opt_uint};

type Read<T> = Result<T, DecodeError>;

fn party(decoder: &mut Decoder<'_>) -> Read<PartyId> {
    decoder.bytes32().map(PartyId::from_bytes)
}

fn hash(decoder: &mut Decoder<'_>) -> Read<Hash> {
    decoder.bytes32().map(Hash::from_bytes)
}

fn word<T: Copy>(
    decoder: &mut Decoder<'_>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
    expected: &'static str,
) -> Read<T> {
    let offset = decoder.position();
    let text = decoder.text(32)?;
    all.iter()
        .copied()
        .find(|one| name(*one) == text)
        .ok_or(DecodeError {
            offset,
            kind: ErrorKind::Expected(expected),
        })
}

fn write_opt_bytes(out: &mut Encoder, value: Option<&[u8; 32]>) {
    match value {
        Some(bytes) => out.bytes(bytes),
        None => out.null(),
    };
}

fn load<T>(
    view: View<'_>,
    key: &[u8],
    decode: impl FnOnce(&mut Decoder<'_>) -> Read<T>,
) -> Result<Option<T>, Fault> {
    let Some(bytes) = view.get(key)? else {
        return Ok(None);
    };
    let mut decoder = Decoder::new(&bytes);
    let read = decode(&mut decoder).and_then(|value| decoder.finish().map(|()| value));
    read.map(Some).map_err(|error| view.unreadable(key, error))
}

/// A service: the versions that one authority has published under one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Whose service it is.
    pub authority: PartyId,
    /// Its id, unique for the authority.
    pub service_id: String,
    /// How many versions there are; they are numbered from 1.
    pub versions: u64,
}

impl Service {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(96);
        out.array(3)
            .bytes(self.authority.as_bytes())
            .text(&self.service_id)
            .uint(self.versions);
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Read<Self> {
        decoder.array_of(3, "a service of three parts")?;
        Ok(Self {
            authority: party(decoder)?,
            service_id: decoder.text(SERVICE_ID_BYTES_MAX)?.to_owned(),
            versions: decoder.uint()?,
        })
    }
}

/// A version of a service. Only `withdrawn` is ever written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Whose service it is.
    pub authority: PartyId,
    /// The service's id.
    pub service_id: String,
    /// SHA-256 of the service file's bytes.
    pub document: Hash,
    /// Where it holds: the scope of accreditations.
    pub scope: String,
    /// The block that published it.
    pub published: Height,
    /// The block from which on no new case may be opened under it.
    pub withdrawn: Option<Height>,
    /// What the chain applies.
    pub rules: Rules,
}

impl Definition {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(512);
        out.array(7)
            .bytes(self.authority.as_bytes())
            .text(&self.service_id)
            .bytes(self.document.as_bytes())
            .text(&self.scope)
            .uint(self.published.get());
        write_opt_uint(&mut out, self.withdrawn.map(Height::get));
        self.rules.encode(&mut out);
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Read<Self> {
        decoder.array_of(7, "a definition of seven parts")?;
        Ok(Self {
            authority: party(decoder)?,
            service_id: decoder.text(SERVICE_ID_BYTES_MAX)?.to_owned(),
            document: hash(decoder)?,
            scope: decoder.text(SCOPE_BYTES_MAX)?.to_owned(),
            published: Height::new(decoder.uint()?),
            withdrawn: read_opt_uint(decoder)?.map(Height::new),
            rules: Rules::decode(decoder)?,
        })
    }
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The office works on it.
    Open,
    /// The applicant owes items.
    Waiting,
    /// The office has decided.
    Decided,
    /// The period ended in silence, and the law counts that as a grant.
    Deemed,
    /// The applicant has appealed.
    Appealed,
    /// The appeal is decided.
    Settled,
    /// The applicant took the application back.
    Withdrawn,
    /// Nothing more can happen.
    Closed,
}

impl Status {
    const ALL: [Self; 8] = [
        Self::Open,
        Self::Waiting,
        Self::Decided,
        Self::Deemed,
        Self::Appealed,
        Self::Settled,
        Self::Withdrawn,
        Self::Closed,
    ];

    /// The word in the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Decided => "decided",
            Self::Deemed => "deemed",
            Self::Appealed => "appealed",
            Self::Settled => "settled",
            Self::Withdrawn => "withdrawn",
            Self::Closed => "closed",
        }
    }

    /// Whether the office has still to decide.
    pub fn is_pending(self) -> bool {
        matches!(self, Self::Open | Self::Waiting)
    }
}

/// A decision, or what the law puts in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who decided; `None` when the period ended in silence.
    pub by: Option<PartyId>,
    /// One of [`OUTCOMES`].
    pub outcome: String,
    /// Commitment to decision and reasons; `None` for silence.
    pub reasons: Option<Hash>,
    /// When it was recorded.
    pub time: TimeMs,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Who applied: a pseudonym for this case.
    pub applicant: PartyId,
    /// The service, see [`service_ref`].
    pub service: Hash,
    /// The version of its definition that judges the case, for ever.
    pub version: u64,
    /// The office that handles it.
    pub office: PartyId,
    /// The office to which it is offered.
    pub offered: Option<PartyId>,
    /// Commitment to the application.
    pub application: Hash,
    /// When the application was received.
    pub opened: TimeMs,
    /// When the last thing that the office had asked for came in; the receipt of the application before that.
    pub received: TimeMs,
    /// Where it stands.
    pub status: Status,
    /// The codes of what the applicant owes, ascending.
    pub missing: Vec<String>,
    /// Whether the office has confirmed that nothing is missing.
    pub complete: bool,
    /// The period for the decision.
    pub clock: Clock,
    /// The decision.
    pub decision: Option<Decision>,
    /// How many lines its history has.
    pub lines: u64,
}

impl Case {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(320);
        out.array(14)
            .bytes(self.applicant.as_bytes())
            .bytes(self.service.as_bytes())
            .uint(self.version)
            .bytes(self.office.as_bytes());
        write_opt_bytes(&mut out, self.offered.as_ref().map(PartyId::as_bytes));
        out.bytes(self.application.as_bytes())
            .uint(self.opened.get())
            .uint(self.received.get())
            .text(self.status.name())
            .array(self.missing.len());
        for code in &self.missing {
            out.text(code);
        }
        out.bool(self.complete);
        self.clock.encode(&mut out);
        match &self.decision {
            None => {
                out.null();
            }
            Some(decision) => {
                out.array(4);
                write_opt_bytes(&mut out, decision.by.as_ref().map(PartyId::as_bytes));
                out.text(&decision.outcome);
                write_opt_bytes(&mut out, decision.reasons.as_ref().map(Hash::as_bytes));
                out.uint(decision.time.get());
            }
        }
        out.uint(self.lines);
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Read<Self> {
        decoder.array_of(14, "a case of fourteen parts")?;
        Ok(Self {
            applicant: party(decoder)?,
            service: hash(decoder)?,
            version: decoder.uint()?,
            office: party(decoder)?,
            offered: or_null(decoder, party)?,
            application: hash(decoder)?,
            opened: TimeMs::new(decoder.uint()?),
            received: TimeMs::new(decoder.uint()?),
            status: word(decoder, &Status::ALL, Status::name, "a status")?,
            missing: {
                let count = decoder.array(ITEMS_MAX)?;
                (0..count)
                    .map(|_| decoder.text(CODE_BYTES_MAX).map(str::to_owned))
                    .collect::<Read<_>>()?
            },
            complete: decoder.bool()?,
            clock: Clock::decode(decoder)?,
            decision: or_null(decoder, |decoder| {
                decoder.array_of(4, "a decision of four parts")?;
                Ok(Decision {
                    by: or_null(decoder, party)?,
                    outcome: word(decoder, OUTCOMES, |name| name, "an outcome")?.to_owned(),
                    reasons: or_null(decoder, hash)?,
                    time: TimeMs::new(decoder.uint()?),
                })
            })?,
            lines: decoder.uint()?,
        })
    }
}

/// What a line of a case's history tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// `by` applied; `other` is the hash of the documents.
    Opened,
    /// The office `by` asked for missing items.
    Requested,
    /// `by` supplied items; `other` is the hash of the documents.
    Supplied,
    /// The office `by` confirmed that nothing is missing.
    Complete,
    /// The office `by` handed the case to the party `other`.
    HandedOver,
    /// The office `by` lengthened the period; `other` is the commitment to its reasons.
    Extended,
    /// The office `by` decided; `other` is the commitment to decision and reasons.
    Decided,
    /// `by` recorded that the period had ended in silence.
    Deemed,
    /// The applicant `by` appealed; `other` is the commitment to the grounds.
    Appealed,
    /// `by` decided the appeal; `other` is the commitment to decision and reasons.
    Settled,
    /// The applicant `by` took the application back.
    Withdrawn,
    /// `by` closed the case.
    Closed,
}

impl LineKind {
    const ALL: [Self; 12] = [
        Self::Opened,
        Self::Requested,
        Self::Supplied,
        Self::Complete,
        Self::HandedOver,
        Self::Extended,
        Self::Decided,
        Self::Deemed,
        Self::Appealed,
        Self::Settled,
        Self::Withdrawn,
        Self::Closed,
    ];

    /// The word in the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Requested => "requested",
            Self::Supplied => "supplied",
            Self::Complete => "complete",
            Self::HandedOver => "handed-over",
            Self::Extended => "extended",
            Self::Decided => "decided",
            Self::Deemed => "deemed",
            Self::Appealed => "appealed",
            Self::Settled => "settled",
            Self::Withdrawn => "withdrawn",
            Self::Closed => "closed",
        }
    }
}

/// A line of a case's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happened.
    pub kind: LineKind,
    /// Who did it.
    pub by: PartyId,
    /// What it refers to: see [`LineKind`].
    pub other: Option<Hash>,
    /// In which block.
    pub height: Height,
    /// When.
    pub time: TimeMs,
}

impl Line {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(96);
        out.array(5)
            .text(self.kind.name())
            .bytes(self.by.as_bytes());
        write_opt_bytes(&mut out, self.other.as_ref().map(Hash::as_bytes));
        out.uint(self.height.get()).uint(self.time.get());
        out.into_vec()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Read<Self> {
        decoder.array_of(5, "a line of five parts")?;
        Ok(Self {
            kind: word(decoder, &LineKind::ALL, LineKind::name, "a kind of line")?,
            by: party(decoder)?,
            other: or_null(decoder, hash)?,
            height: Height::new(decoder.uint()?),
            time: TimeMs::new(decoder.uint()?),
        })
    }
}

/// The reference of a service: `SHA-256("stele/service/service/v1" || authority || service id)`.
pub fn service_ref(authority: &PartyId, service_id: &str) -> Hash {
    Hash::from_bytes(sha256(&[
        b"stele/service/service/v1",
        authority.as_bytes(),
        service_id.as_bytes(),
    ]))
}

/// The reference of a case: `SHA-256("stele/service/case/v1" || applicant || case id)`.
pub fn case_ref(applicant: &PartyId, case_id: &Hash) -> Hash {
    Hash::from_bytes(sha256(&[
        b"stele/service/case/v1",
        applicant.as_bytes(),
        case_id.as_bytes(),
    ]))
}

/// What a line of a case says of the documents of its command: `SHA-256("stele/service/documents/v1" || commitments)`.
pub fn documents_hash(commitments: &[[u8; 32]]) -> Hash {
    let joined = commitments.concat();
    Hash::from_bytes(sha256(&[b"stele/service/documents/v1", &joined]))
}

/// The key of a service.
pub fn service_key(service: &Hash) -> Vec<u8> {
    [b"service/".as_slice(), service.as_bytes()].concat()
}

/// The key of version `number`, from 1, of a service.
pub fn definition_key(service: &Hash, number: u64) -> Vec<u8> {
    [
        &service_key(service),
        b"/".as_slice(),
        &number.to_be_bytes(),
    ]
    .concat()
}

/// The key of a case.
pub fn case_key(case: &Hash) -> Vec<u8> {
    [b"case/".as_slice(), case.as_bytes()].concat()
}

/// The key of line `number`, from 0, of a case's history.
pub fn case_line_key(case: &Hash, number: u64) -> Vec<u8> {
    [&case_key(case), b"/".as_slice(), &number.to_be_bytes()].concat()
}

/// A service, seen through a view of `service`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn service(view: View<'_>, service: &Hash) -> Result<Option<Service>, Fault> {
    load(view, &service_key(service), Service::decode)
}

/// Version `number`, from 1, of a service.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn definition(
    view: View<'_>,
    service: &Hash,
    number: u64,
) -> Result<Option<Definition>, Fault> {
    load(view, &definition_key(service, number), Definition::decode)
}

/// A case.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn case(view: View<'_>, case: &Hash) -> Result<Option<Case>, Fault> {
    load(view, &case_key(case), Case::decode)
}

/// Line `number`, from 0, of a case's history.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn case_line(view: View<'_>, case: &Hash, number: u64) -> Result<Option<Line>, Fault> {
    load(view, &case_line_key(case, number), Line::decode)
}
