//! Evidence that a validator voted twice, judged here so that nobody has to be believed.
//!
//! The votes are those of the engine (commonware simplex with Ed25519; docs/design/0008-network.md): a signature over
//! `varint(len(ns)) || ns || subject` with `ns = "stele-consensus/" || network id || kind`. A subject begins with the epoch and the view as
//! varints (LEB128); a proposal goes on with its parent's view and the payload. An engine whose votes are encoded otherwise brings a new
//! version of this register.

use stele_core::cbor::{Body, BodyBuilder, Encoder};
use stele_core::id::NetworkId;
use stele_core::machine::{Fault, StateReader};
use stele_core::suite::{PublicKey, Suite};

use super::{NAME, committee_numbered_in, refusals};
use crate::context::{Context, View};
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

/// The kinds of votes: for a proposal, that it is final, and to give a round up.
pub(super) const KINDS: &[&str] = &["notarize", "finalize", "nullify"];
/// The longest subject of a vote, in bytes.
pub(super) const SUBJECT_BYTES_MAX: usize = 128;

/// One vote as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedVote {
    /// `notarize`, `finalize` or `nullify`.
    pub kind: &'static str,
    /// What is voted on, in the engine's encoding.
    pub subject: Vec<u8>,
    /// The Ed25519 signature.
    pub signature: Vec<u8>,
}

fn vote(
    body: &mut Body<'_>,
    kind: &'static str,
    subject: &'static str,
    signature: &'static str,
) -> Result<SignedVote, Stop> {
    Ok(SignedVote {
        kind: fields::choice(body, kind, KINDS)?,
        subject: fields::bytes(body, subject, 1, SUBJECT_BYTES_MAX)?.to_vec(),
        signature: fields::bytes(body, signature, 64, 64)?.to_vec(),
    })
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(first & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

impl SignedVote {
    /// Epoch and view.
    fn round(&self) -> Option<(u64, u64)> {
        let mut rest = &self.subject[..];
        let round = (read_varint(&mut rest)?, read_varint(&mut rest)?);
        // To give a round up names the round alone; a proposal names more.
        (rest.is_empty() == (self.kind == "nullify")).then_some(round)
    }

    fn is_signed_by(&self, network: &NetworkId, key: &PublicKey) -> bool {
        let suffix: &[u8] = match self.kind {
            "notarize" => b"_NOTARIZE",
            "finalize" => b"_FINALIZE",
            _ => b"_NULLIFY",
        };
        let namespace = [b"stele-consensus/".as_slice(), network.as_bytes(), suffix].concat();
        // Shorter than 128 bytes: its length is one byte of varint.
        let length = [namespace.len() as u8];
        let message = [&length, &namespace[..], &self.subject].concat();
        let algorithm = Suite::Ed25519.algorithm();
        key.verify(algorithm, &message, &self.signature).is_ok()
    }
}

/// Whether an honest validator never casts both votes in one round.
fn conflict(first: &SignedVote, second: &SignedVote) -> bool {
    match (first.kind, second.kind) {
        ("notarize", "notarize") | ("finalize", "finalize") => first.subject != second.subject,
        ("nullify", "finalize") | ("finalize", "nullify") => true,
        _ => false,
    }
}

fn key(node_key: &[u8; 32], epoch: u64, view: u64) -> Vec<u8> {
    [
        b"evidence/".as_slice(),
        node_key,
        &epoch.to_be_bytes(),
        &view.to_be_bytes(),
    ]
    .concat()
}

/// Whether evidence against this node key in this round is on the chain.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn has_evidence(
    reader: &dyn StateReader,
    node_key: &[u8; 32],
    epoch: u64,
    view: u64,
) -> Result<bool, Fault> {
    let found = View::new(reader, NAME).get(&key(node_key, epoch, view))?;
    Ok(found.is_some())
}

/// `evidence.report`: by anyone, as it proves itself.
pub(super) fn report(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Result<(), Stop> {
    let number = body.uint("committee")?;
    let node_key = body.bytes32("node-key")?;
    let first = vote(body, "first-kind", "first-subject", "first-signature")?;
    let second = vote(body, "second-kind", "second-subject", "second-signature")?;
    let committee =
        committee_numbered_in(context.own(), number)?.ok_or(&refusals::EVIDENCE_NO_VALIDATOR)?;
    let culprit = committee
        .validators
        .iter()
        .find(|validator| validator.node_key == node_key)
        .ok_or(&refusals::EVIDENCE_NO_VALIDATOR)?;
    let (epoch, view) = match (first.round(), second.round()) {
        (Some(one), Some(other)) if one == other => one,
        _ => return Err((&refusals::EVIDENCE_NO_CONFLICT).into()),
    };
    ensure(conflict(&first, &second), &refusals::EVIDENCE_NO_CONFLICT)?;
    let signer =
        PublicKey::from_ed25519(&node_key).map_err(|_| &refusals::EVIDENCE_BAD_SIGNATURE)?;
    let network = context.network();
    let signed = first.is_signed_by(&network, &signer) && second.is_signed_by(&network, &signer);
    ensure(signed, &refusals::EVIDENCE_BAD_SIGNATURE)?;
    let key = key(&node_key, epoch, view);
    ensure(context.get(&key)?.is_none(), &refusals::EVIDENCE_KNOWN)?;
    let by = context.signer();
    let mut out = Encoder::new();
    out.array(3)
        .bytes(culprit.party.as_bytes())
        .bytes(by.as_bytes())
        .uint(context.height().get());
    context.put(&key, out.into_vec());
    let event = BodyBuilder::new()
        .bytes("party", culprit.party.as_bytes())
        .bytes("node-key", &node_key)
        .uint("epoch", epoch)
        .uint("view", view)
        .bytes("by", by.as_bytes());
    context.emit("evidence.recorded", event.build());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_read_within_their_bounds() {
        for (bytes, expected) in [
            (&[0u8][..], Some(0)),
            (&[0x7f], Some(127)),
            (&[0x80, 0x01], Some(128)),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                Some(u64::MAX),
            ),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                None,
            ),
            (&[0x80], None),
            (&[], None),
        ] {
            assert_eq!(read_varint(&mut &bytes[..]), expected, "{bytes:?}");
        }
    }
}
