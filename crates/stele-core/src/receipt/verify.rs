//! Verifying receipts: who, what, when and by which rule, or why not.

use super::parse::{ParseError, Parsed, ParsedClaim, ParsedState, parse, parse_state_claim};
use super::{NetworkDescriptor, RECEIPT_BYTES_MAX};
use crate::block::{Certificate, Event, Outcome, Record};
use crate::entry::Entry;
use crate::id::{Hash, Height, LogIndex, TimeMs, sha256};
use crate::merkle;
use crate::state_proof::state_path;
use crate::witness::{Cosigned, WitnessPolicy};

/// Why a receipt does not verify; the codes of docs/format.md section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Reason {
    TooLarge,
    Malformed,
    NotCanonical,
    UnsupportedVersion,
    NoClaim,
    WrongNetwork,
    WrongKey,
    WrongTreeSize,
    BadInclusionProof,
    BadSignature,
    RecordMismatch,
    EntryMismatch,
    EventsMismatch,
    BadStateProof,
    NotWitnessed,
}

impl Reason {
    /// The reason's name, the same in every verifier.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::NotCanonical => "not-canonical",
            Self::UnsupportedVersion => "unsupported-version",
            Self::NoClaim => "no-claim",
            Self::WrongNetwork => "wrong-network",
            Self::WrongKey => "wrong-key",
            Self::WrongTreeSize => "wrong-tree-size",
            Self::BadInclusionProof => "bad-inclusion-proof",
            Self::BadSignature => "bad-signature",
            Self::RecordMismatch => "record-mismatch",
            Self::EntryMismatch => "entry-mismatch",
            Self::EventsMismatch => "events-mismatch",
            Self::BadStateProof => "bad-state-proof",
            Self::NotWitnessed => "not-witnessed",
        }
    }

    /// One plain sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::TooLarge => "The file is larger than any receipt.",
            Self::Malformed => "The file is not a receipt, or it is damaged.",
            Self::NotCanonical => "The receipt is not in its one permitted encoding.",
            Self::UnsupportedVersion => {
                "The receipt is of a version that this verifier does not know."
            }
            Self::NoClaim => "The receipt claims nothing.",
            Self::WrongNetwork => "The receipt speaks for another network than the one you trust.",
            Self::WrongKey => {
                "The receipt is signed with another key than the network key you trust."
            }
            Self::WrongTreeSize => "The proof is for another size of the log than the certificate.",
            Self::BadInclusionProof => "The proof does not fit the entry's place in the log.",
            Self::BadSignature => {
                "The network did not sign this: the receipt was altered or forged."
            }
            Self::RecordMismatch => {
                "The record is newer than the certificate that should cover it."
            }
            Self::EntryMismatch => "The entry in the file is not the entry that was recorded.",
            Self::EventsMismatch => "The events in the file are not those that were recorded.",
            Self::BadStateProof => "The state value shown is not what the network's state holds.",
            Self::NotWitnessed => {
                "Too few of the witnesses that you trust saw this history of the log."
            }
        }
    }
}

/// A receipt that does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", .reason.code())]
pub struct VerifyError {
    /// The first failing step.
    pub reason: Reason,
    /// What exactly was found.
    pub detail: String,
}

fn fail<T>(reason: Reason, detail: impl ToString) -> Result<T, VerifyError> {
    Err(VerifyError {
        reason,
        detail: detail.to_string(),
    })
}

/// What a valid receipt proves.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The certificate under which it is proven.
    pub certificate: Certificate,
    /// The proven entry, if the receipt claims one.
    pub entry: Option<VerifiedEntry>,
    /// The proven state values and absences.
    pub state: Vec<VerifiedState>,
    /// The witness lines as they were carried.
    pub witnesses: Vec<String>,
    /// Who of the policy's witnesses cosigned, in the policy's order; `None` without a policy.
    pub cosigned: Option<Vec<Cosigned>>,
}

/// A proven entry.
#[derive(Debug, Clone)]
pub struct VerifiedEntry {
    /// Its place in the log.
    pub log_index: LogIndex,
    /// Who, when, by which rule, and what became of it.
    pub record: Record,
    /// The entry, when it travelled along.
    pub entry: Option<Entry>,
    /// The events, when they travelled along.
    pub events: Option<Vec<Event>>,
}

/// A proven state value, or a proven absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedState {
    /// The register.
    pub register: String,
    /// The key.
    pub key: Vec<u8>,
    /// The value; `None` is proven absence.
    pub value: Option<Vec<u8>>,
    /// The height after which it held.
    pub height: Height,
    /// That block's time.
    pub time: TimeMs,
}

/// Verifies a receipt under a network's key. Witness lines are carried along and not judged: see [`verify_witnessed`].
///
/// # Errors
/// [`VerifyError`] names the first step of docs/format.md section 7 that fails.
pub fn verify(bytes: &[u8], network: &NetworkDescriptor) -> Result<Verified, VerifyError> {
    judge(bytes, network, None)
}

/// Verifies a receipt under a network's key, and that enough outside witnesses saw the history of the log that it
/// belongs to, so that not even all validators together can have made it for this receipt alone.
///
/// # Errors
/// As [`verify`]; [`Reason::NotWitnessed`] where the policy is not met.
pub fn verify_witnessed(
    bytes: &[u8],
    network: &NetworkDescriptor,
    policy: &WitnessPolicy,
) -> Result<Verified, VerifyError> {
    judge(bytes, network, Some(policy))
}

fn judge(
    bytes: &[u8],
    network: &NetworkDescriptor,
    policy: Option<&WitnessPolicy>,
) -> Result<Verified, VerifyError> {
    if bytes.len() > RECEIPT_BYTES_MAX {
        return fail(Reason::TooLarge, format!("{} bytes", bytes.len()));
    }
    let parsed = match parse(bytes) {
        Ok(parsed) => parsed,
        Err(ParseError::Version(found)) => return fail(Reason::UnsupportedVersion, found),
        Err(ParseError::Decode(error)) if error.kind.is_canonicality() => {
            return fail(Reason::NotCanonical, error);
        }
        Err(ParseError::Decode(error)) => return fail(Reason::Malformed, error),
    };
    let certificate = check_certificate(&parsed, network)?;
    let entry = match &parsed.claim {
        Some((claim, record)) => Some(check_claim(claim, record, &parsed, &certificate)?),
        None => None,
    };
    if parsed.claim.is_none() && parsed.entry.is_some() {
        return fail(Reason::EntryMismatch, "an entry without a proof of it");
    }
    let state = check_state(&parsed, &certificate)?;
    let cosigned = match policy {
        Some(policy) => Some(check_witnesses(policy, &parsed, &certificate)?),
        None => None,
    };
    let witnesses = parsed
        .witnesses
        .iter()
        .map(|line| (*line).to_owned())
        .collect();
    Ok(Verified {
        certificate,
        entry,
        state,
        witnesses,
        cosigned,
    })
}

fn check_witnesses(
    policy: &WitnessPolicy,
    parsed: &Parsed<'_>,
    certificate: &Certificate,
) -> Result<Vec<Cosigned>, VerifyError> {
    let checkpoint = certificate.checkpoint().text();
    let checkpoint = checkpoint.expect("the origin of a network's log is plain text");
    let cosigned = policy.cosigners(&checkpoint, parsed.witnesses.iter().copied());
    if cosigned.len() < policy.min() {
        return fail(
            Reason::NotWitnessed,
            format!(
                "{} of {} witnesses cosigned, {} are asked for",
                cosigned.len(),
                policy.keys().len(),
                policy.min()
            ),
        );
    }
    Ok(cosigned)
}

fn check_certificate(
    parsed: &Parsed<'_>,
    network: &NetworkDescriptor,
) -> Result<Certificate, VerifyError> {
    let header = &parsed.header;
    if parsed.claim.is_none() && parsed.state.is_empty() {
        return fail(Reason::NoClaim, "neither an entry nor a state value");
    }
    if header.network != network.network {
        return fail(
            Reason::WrongNetwork,
            format!("the receipt names network {}", header.network),
        );
    }
    if header.kid != network.key.kid() {
        return fail(
            Reason::WrongKey,
            format!("the receipt names key {}", header.kid),
        );
    }
    if !network.key.suite().accepts(header.alg) {
        return fail(
            Reason::WrongKey,
            format!("algorithm {} does not fit the network key", header.alg),
        );
    }
    let log_root = match &parsed.claim {
        None => parsed
            .carried_root
            .expect("parsed: a certificate without a claim carries the root"),
        Some((claim, _)) => {
            if claim.tree_size != header.tree_size.get() {
                let sizes = format!(
                    "{} in the proof, {} in the certificate",
                    claim.tree_size, header.tree_size
                );
                return fail(Reason::WrongTreeSize, sizes);
            }
            let leaf = merkle::leaf_hash(claim.record_bytes);
            match merkle::root_from_inclusion(&leaf, claim.leaf_index, claim.tree_size, &claim.path)
            {
                Ok(root) => root,
                Err(error) => return fail(Reason::BadInclusionProof, error),
            }
        }
    };
    let certificate = Certificate {
        header: header.clone(),
        log_root: Hash::from_bytes(log_root),
        signature: parsed.signature.to_vec(),
    };
    match certificate.verify(&network.key) {
        Ok(()) => Ok(certificate),
        Err(error) => fail(Reason::BadSignature, error),
    }
}

fn check_claim(
    claim: &ParsedClaim<'_>,
    record: &Record,
    parsed: &Parsed<'_>,
    certificate: &Certificate,
) -> Result<VerifiedEntry, VerifyError> {
    let header = &certificate.header;
    if record.height > header.height || record.time > header.time {
        return fail(
            Reason::RecordMismatch,
            format!(
                "record of block {}, certificate of block {}",
                record.height, header.height
            ),
        );
    }
    let entry = match parsed.entry {
        None => None,
        Some(bytes) => match Entry::decode(bytes.to_vec()) {
            Err(error) => return fail(Reason::EntryMismatch, error),
            Ok(entry) => {
                let agrees = entry.id() == record.entry_id
                    && entry.envelope_hash() == record.envelope_hash
                    && entry.header().register == record.register
                    && entry.header().network == header.network;
                if !agrees {
                    return fail(
                        Reason::EntryMismatch,
                        "its hashes, register or network differ from the record's",
                    );
                }
                Some(entry)
            }
        },
    };
    if let Some(events) = claim.events_bytes {
        match &record.outcome {
            Outcome::Applied { events_hash } if *events_hash == sha256(&[events]) => {}
            Outcome::Applied { .. } => {
                return fail(
                    Reason::EventsMismatch,
                    "their hash differs from the record's",
                );
            }
            Outcome::Refused { .. } => {
                return fail(Reason::EventsMismatch, "a refused entry has none");
            }
        }
    }
    Ok(VerifiedEntry {
        log_index: LogIndex::new(claim.leaf_index),
        record: record.clone(),
        entry,
        events: claim.events.clone(),
    })
}

fn check_state(
    parsed: &Parsed<'_>,
    certificate: &Certificate,
) -> Result<Vec<VerifiedState>, VerifyError> {
    let header = &certificate.header;
    let mut proven = Vec::with_capacity(parsed.state.len());
    for claim in &parsed.state {
        check_state_claim(claim, header.state_root.as_bytes())?;
        proven.push(VerifiedState {
            register: claim.register.to_owned(),
            key: claim.key.to_vec(),
            value: claim.value.map(<[u8]>::to_vec),
            height: header.height,
            time: header.time,
        });
    }
    Ok(proven)
}

fn check_state_claim(claim: &ParsedState<'_>, state_root: &[u8; 32]) -> Result<(), VerifyError> {
    let about = || format!("{}/{}", claim.register, hex::encode(claim.key));
    if claim.siblings_cut {
        return fail(
            Reason::BadStateProof,
            format!("{}: a sibling is cut short", about()),
        );
    }
    let path = state_path(claim.register, claim.key);
    let value_hash = claim.value.map(|value| sha256(&[value]));
    match claim.proof.verify(state_root, &path, value_hash.as_ref()) {
        Ok(()) => Ok(()),
        Err(error) => fail(Reason::BadStateProof, format!("{}: {error}", about())),
    }
}

/// Checks one encoded state claim under a state root.
///
/// # Errors
/// [`VerifyError`] with the codes of steps 2, 3 and 14.
pub fn verify_state_claim(bytes: &[u8], state_root: &[u8; 32]) -> Result<(), VerifyError> {
    match parse_state_claim(bytes) {
        Ok(claim) => check_state_claim(&claim, state_root),
        Err(error) if error.kind.is_canonicality() => fail(Reason::NotCanonical, error),
        Err(error) => fail(Reason::Malformed, error),
    }
}
