//! The verifier: offline, with the network's key and nothing else.

use serde_json::{Map, Value as Json};
use stele_core::id::{PartyId, sha256};
use stele_core::merkle;
use stele_core::receipt::{NetworkDescriptor, VerifiedState, verify as verify_receipt};
use stele_core::suite;
use stele_credentials::Refusal;
use stele_credentials::jose::PublicKey;
use stele_credentials::sd_jwt::{BindingExpectation, Expectation, StatusReference, verify};
use stele_credentials::status::{ListExpectation, TokenStatusList};
use stele_credentials::trust::{IssuanceProof, Issued, rules};

use super::papers::{VCT, signed_part};
use super::shown::{Question, Shown, StatusProof};
use super::state::{KeyReport, StatusRoot, list_and_shard, status_key};

/// How old the holder's signature may be, in seconds.
const AGE_SECONDS_MAX: u64 = 300;

/// Why the verifier says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub code: String,
    pub sentence: String,
}

impl Refused {
    pub fn new(code: &str, sentence: &str) -> Self {
        Self {
            code: code.to_owned(),
            sentence: sentence.to_owned(),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.sentence())
    }
}

/// What the verifier knows now.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    /// The shown claims, without those of the format.
    pub claims: Map<String, Json>,
    pub issued: Issued,
    /// When the status list was known to say so, in milliseconds since 1970.
    pub status_as_of_ms: u64,
    /// When the issuer's key was known to be unreported, or reported from a later time on; `None` if nobody asked.
    pub key_as_of_ms: Option<u64>,
}

/// Checks signature, holder, issuance, accreditation, key and status, in this order.
///
/// # Errors
/// The first rule that something breaks.
pub(super) fn judge(
    shown: &Shown,
    question: &Question,
    network: &NetworkDescriptor,
) -> Result<Accepted, Refused> {
    let core_key = suite::PublicKey::from_cose_key(&shown.issuer_key)
        .map_err(|error| rules::PROOF_MALFORMED.because(error))?;
    let issuer_key = PublicKey::from_core(&core_key)?;
    let expectation = Expectation {
        vcts: &[VCT],
        required: &question.required,
        binding: Some(BindingExpectation {
            audience: question.audience,
            nonce: &question.nonce,
            age_seconds_max: AGE_SECONDS_MAX,
        }),
        ..Expectation::at(question.now)
    };
    let verified = verify(&shown.presentation, &issuer_key, &expectation)?;

    let proof = IssuanceProof::decode(&shown.proof)?;
    let signed = signed_part(&shown.presentation).as_bytes();
    let issued = proof.verify(signed, &core_key, network)?;
    let issuer = verified.issuer.as_deref().unwrap_or_default();
    issued.require(issuer, verified.vct.as_deref().unwrap_or_default())?;
    issued.require_scope(question.scope)?;

    let key_as_of_ms = match &shown.key_receipt {
        Some(receipt) => Some(judge_key(receipt, &issued, network)?),
        None => None,
    };
    let reference = verified.status.ok_or_else(|| {
        Refused::new(
            "diploma.status-missing",
            "The diploma does not say where its status is published.",
        )
    })?;
    let status_as_of_ms = judge_status(
        &shown.status,
        &reference,
        &issued.issuer,
        &issuer_key,
        question,
        network,
    )?;
    Ok(Accepted {
        claims: verified.claims,
        issued,
        status_as_of_ms,
        key_as_of_ms,
    })
}

/// The one claim of a receipt about a key of `credential`.
fn claim(
    receipt: &[u8],
    key: &[u8],
    network: &NetworkDescriptor,
) -> Result<VerifiedState, Refused> {
    let verified =
        verify_receipt(receipt, network).map_err(|error| rules::RECEIPT.because(error))?;
    let mut claims = verified.state.into_iter();
    claims
        .find(|claim| claim.register == "credential" && claim.key == key)
        .ok_or_else(|| {
            Refused::new(
                "diploma.receipt-of-another",
                "The receipt proves something else than it was shown for.",
            )
        })
}

/// Whether the key was safe when the diploma was committed to, as far as is known at the returned time.
fn judge_key(receipt: &[u8], issued: &Issued, network: &NetworkDescriptor) -> Result<u64, Refused> {
    let key = [b"compromise/".as_slice(), issued.issuance.kid.as_bytes()].concat();
    let claim = claim(receipt, &key, network)?;
    if let Some(value) = &claim.value {
        let report =
            KeyReport::decode(value).map_err(|error| rules::PROOF_MALFORMED.because(error))?;
        // The block's time counts; the date inside the credential is whatever the holder of the key wrote.
        if report.since_ms <= issued.issuance.time.get() {
            return Err(rules::COMPROMISED.refuse().into());
        }
    }
    Ok(claim.time.get())
}

/// Whether the diploma stands in a list that its issuer published, and is not revoked there, at the returned time.
fn judge_status(
    status: &StatusProof,
    reference: &StatusReference,
    issuer: &PartyId,
    issuer_key: &PublicKey,
    question: &Question,
    network: &NetworkDescriptor,
) -> Result<u64, Refused> {
    let unpublished = || {
        Refused::new(
            "diploma.status-not-published",
            "The issuer did not publish this list of statuses at the receipt\u{2019}s time.",
        )
    };
    let (list, shard) = list_and_shard(&reference.uri).ok_or_else(unpublished)?;
    let claim = claim(&status.receipt, &status_key(issuer, list), network)?;
    let published = claim.value.as_deref().ok_or_else(unpublished)?;
    let published =
        StatusRoot::decode(published).map_err(|error| rules::PROOF_MALFORMED.because(error))?;
    let leaf = merkle::leaf_hash(&sha256(&[status.shard.as_bytes()]));
    let led_to = merkle::root_from_inclusion(&leaf, shard, published.shards, &status.path);
    if led_to.ok().as_ref() != Some(published.root.as_bytes()) {
        return Err(unpublished());
    }
    let expectation = ListExpectation {
        uri: &reference.uri,
        now: question.now,
        skew_seconds: 60,
    };
    let list = TokenStatusList::verify_jwt(&status.shard, issuer_key, &expectation)?;
    list.status_of(reference)?.require_valid()?;
    Ok(claim.time.get())
}
