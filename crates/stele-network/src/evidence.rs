//! Conflicting votes, kept as evidence that names the validator.

use bytes::Bytes;
use commonware_actor::Feedback;
use commonware_codec::{Copying, Encode as _, Error, ReadExt as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{
    Activity, Attributable as _, Finalize, Notarize, Nullify,
};
use commonware_consensus::types::Round;
use commonware_consensus::{Epochable as _, Reporter};
use commonware_cryptography::certificate::Attestation;
use stele_core::cbor::BodyBuilder;

use crate::block::Digest;
use crate::status::Progress;

/// Which vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoteKind {
    /// For a proposal.
    Notarize,
    /// To give a round up.
    Nullify,
    /// That a proposal is final.
    Finalize,
}

impl VoteKind {
    /// The kind in one word, as `governance` names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notarize => "notarize",
            Self::Nullify => "nullify",
            Self::Finalize => "finalize",
        }
    }
}

/// A vote as the engine signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Which vote.
    pub kind: VoteKind,
    /// The engine's encoding of what is voted on: a round, or a proposal.
    pub subject: Vec<u8>,
    /// The Ed25519 signature.
    pub signature: Vec<u8>,
}

/// Two votes of one validator that no honest validator casts both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The epoch that the votes belong to.
    pub epoch: u64,
    /// The validator's index in the epoch's committee.
    pub signer: u32,
    /// One.
    pub first: Vote,
    /// The other.
    pub second: Vote,
}

fn vote(
    kind: VoteKind,
    subject: &impl commonware_codec::Encode,
    by: &Attestation<Scheme>,
) -> Option<Vote> {
    Some(Vote {
        kind,
        subject: subject.encode().to_vec(),
        signature: by.signature.get()?.encode().to_vec(),
    })
}

impl Evidence {
    /// The evidence in an activity of the engine, if it is any. The votes' signatures are checked by whoever judges them.
    fn of(activity: &Activity<Scheme, Digest>) -> Option<Self> {
        let pair = match activity {
            Activity::ConflictingNotarize(pair) => Self::notarizes(pair.encode()),
            Activity::ConflictingFinalize(pair) => Self::finalizes(pair.encode()),
            Activity::NullifyFinalize(pair) => Self::nullify_finalize(pair.encode()),
            _ => return None,
        };
        pair.ok().flatten()
    }

    // The engine keeps the two votes of a pair to itself; its encoding is one after the other.

    fn notarizes(mut pair: Bytes) -> Result<Option<Self>, Error> {
        let (one, two) = (
            Notarize::<Scheme, Digest>::read(&mut pair)?,
            Notarize::<Scheme, Digest>::read(&mut pair)?,
        );
        let first = vote(VoteKind::Notarize, &one.proposal, &one.attestation);
        let second = vote(VoteKind::Notarize, &two.proposal, &two.attestation);
        Ok(Self::pair(
            one.epoch().get(),
            one.signer().get(),
            first,
            second,
        ))
    }

    fn finalizes(mut pair: Bytes) -> Result<Option<Self>, Error> {
        let (one, two) = (
            Finalize::<Scheme, Digest>::read(&mut pair)?,
            Finalize::<Scheme, Digest>::read(&mut pair)?,
        );
        let first = vote(VoteKind::Finalize, &one.proposal, &one.attestation);
        let second = vote(VoteKind::Finalize, &two.proposal, &two.attestation);
        Ok(Self::pair(
            one.epoch().get(),
            one.signer().get(),
            first,
            second,
        ))
    }

    fn nullify_finalize(mut pair: Bytes) -> Result<Option<Self>, Error> {
        let (one, two) = (
            Nullify::<Scheme>::read(&mut pair)?,
            Finalize::<Scheme, Digest>::read(&mut pair)?,
        );
        let first = vote(VoteKind::Nullify, &one.round, &one.attestation);
        let second = vote(VoteKind::Finalize, &two.proposal, &two.attestation);
        Ok(Self::pair(
            one.epoch().get(),
            one.signer().get(),
            first,
            second,
        ))
    }

    /// Epoch and view that both votes belong to.
    pub(crate) fn round(&self) -> Option<(u64, u64)> {
        let round = Round::read(&mut Copying(&self.first.subject)).ok()?;
        Some((round.epoch().get(), round.view().get()))
    }

    /// The body of `governance/evidence.report`.
    pub(crate) fn body(&self, committee: u64, node_key: &[u8; 32]) -> Vec<u8> {
        BodyBuilder::new()
            .uint("committee", committee)
            .bytes("node-key", node_key)
            .text("first-kind", self.first.kind.word())
            .bytes("first-subject", &self.first.subject)
            .bytes("first-signature", &self.first.signature)
            .text("second-kind", self.second.kind.word())
            .bytes("second-subject", &self.second.subject)
            .bytes("second-signature", &self.second.signature)
            .build()
    }

    fn pair(epoch: u64, signer: u32, first: Option<Vote>, second: Option<Vote>) -> Option<Self> {
        Some(Self {
            epoch,
            signer,
            first: first?,
            second: second?,
        })
    }
}

/// Passes everything on and keeps what is evidence.
#[derive(Clone)]
pub(crate) struct Watch<R> {
    inner: R,
    progress: Progress,
}

impl<R> Watch<R> {
    pub(crate) fn new(inner: R, progress: Progress) -> Self {
        Self { inner, progress }
    }
}

impl<R: Reporter<Activity = Activity<Scheme, Digest>>> Reporter for Watch<R> {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        if let Some(evidence) = Evidence::of(&activity) {
            tracing::error!(
                epoch = evidence.epoch,
                signer = evidence.signer,
                "a validator voted twice"
            );
            self.progress.evidence(evidence);
        }
        self.inner.report(activity)
    }
}
