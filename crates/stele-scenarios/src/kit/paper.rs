//! A credential as a holder shows it, with everything that a verifier needs offline; and that verifier.

use serde_json::{Map, Value as Json};
use stele_core::cbor::BodyBuilder;
use stele_core::id::{KeyId, PartyId, sha256};
use stele_core::merkle;
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite;
use stele_credentials::jose::PublicKey;
use stele_credentials::sd_jwt::{
    BindingExpectation, ClaimPath, Expectation, StatusReference, verify,
};
use stele_credentials::status::{ListExpectation, TokenStatusList};
use stele_credentials::trust::{IssuanceProof, Issued, rules};

use super::refusal::Refused;
use super::state::{KeyReport, StatusRoot, list_and_shard, one_claim, report_key, status_key};
use super::status::StatusProof;

/// How old the holder's signature may be, in seconds.
const AGE_SECONDS_MAX: u64 = 300;
/// How far two clocks may differ, in seconds.
const SKEW_SECONDS: u64 = 60;

/// What the holder hands over. None of it has to be fetched.
#[derive(Debug, Clone)]
pub(crate) struct Paper {
    /// The issuer's JWT, the chosen disclosures, and the holder's signature over nonce and audience.
    pub presentation: String,
    /// The key that signed it, a COSE_Key; the proof of issuance names it by its id.
    pub issuer_key: Vec<u8>,
    /// The proof of issuance.
    pub proof: Vec<u8>,
    pub status: StatusProof,
    /// A receipt about reports of the issuer's key, if the holder has one.
    pub key_receipt: Option<Vec<u8>>,
}

impl Paper {
    /// All that has to travel, in bytes.
    pub fn bytes(&self) -> usize {
        self.presentation.len()
            + self.issuer_key.len()
            + self.proof.len()
            + self.status.shard.len()
            + 32 * self.status.path.len()
            + self.status.receipt.len()
            + self.key_receipt.as_ref().map_or(0, Vec::len)
    }
}

/// What a verifier asks of a paper.
#[derive(Debug, Clone)]
pub(crate) struct PaperRule<'a> {
    /// The accepted kinds.
    pub vcts: &'a [&'a str],
    /// Within which scope the issuer has to be accredited.
    pub scope: &'a str,
    /// Claims that have to be shown.
    pub required: &'a [ClaimPath],
    pub audience: &'a str,
    pub nonce: &'a str,
    /// Now, in seconds since 1970.
    pub now: u64,
}

/// What the verifier knows of a paper.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    /// The shown claims, without those of the format.
    pub claims: Map<String, Json>,
    /// The key that the credential is bound to, and that signed the answer.
    pub holder: PublicKey,
    pub issued: Issued,
    /// When the status list was known to say so, in milliseconds since 1970.
    pub status_as_of_ms: u64,
    /// When the issuer's key was known to be unreported, or reported from a later time on; `None` if nobody asked.
    pub key_as_of_ms: Option<u64>,
}

/// The JWT of a credential or presentation, without disclosures and key binding: what an issuer commits to.
pub(crate) fn signed_part(text: &str) -> &str {
    text.split('~').next().unwrap_or_default()
}

/// The body of `issuance.commit`.
pub(crate) fn commit_body(
    root: &[u8; 32],
    count: u64,
    vct: &str,
    kid: &KeyId,
    scope: &str,
) -> Vec<u8> {
    BodyBuilder::new()
        .bytes("root", root)
        .uint("count", count)
        .text("type", vct)
        .bytes("issuing_kid", kid.as_bytes())
        .text("scope", scope)
        .build()
}

/// Checks signature, holder, issuance, accreditation, key and status, in this order.
///
/// # Errors
/// The first rule that something breaks.
pub(crate) fn judge_paper(
    paper: &Paper,
    rule: &PaperRule<'_>,
    network: &NetworkDescriptor,
) -> Result<Accepted, Refused> {
    let core_key = suite::PublicKey::from_cose_key(&paper.issuer_key)
        .map_err(|error| rules::PROOF_MALFORMED.because(error))?;
    let issuer_key = PublicKey::from_core(&core_key)?;
    let expectation = Expectation {
        vcts: rule.vcts,
        required: rule.required,
        binding: Some(BindingExpectation {
            audience: rule.audience,
            nonce: rule.nonce,
            age_seconds_max: AGE_SECONDS_MAX,
        }),
        ..Expectation::at(rule.now)
    };
    let verified = verify(&paper.presentation, &issuer_key, &expectation)?;
    let holder = verified
        .holder
        .ok_or_else(|| Refused::new("paper.not-bound", "The credential is bound to no key."))?;

    let proof = IssuanceProof::decode(&paper.proof)?;
    let signed = signed_part(&paper.presentation).as_bytes();
    let issued = proof.verify(signed, &core_key, network)?;
    let issuer = verified.issuer.as_deref().unwrap_or_default();
    issued.require(issuer, verified.vct.as_deref().unwrap_or_default())?;
    issued.require_scope(rule.scope)?;

    let key_as_of_ms = match &paper.key_receipt {
        Some(receipt) => Some(judge_key(receipt, &issued, network)?),
        None => None,
    };
    let reference = verified.status.ok_or_else(|| {
        Refused::new(
            "paper.status-missing",
            "The credential does not say where its status is published.",
        )
    })?;
    let status_as_of_ms = judge_status(
        &paper.status,
        &reference,
        &issued.issuer,
        &issuer_key,
        rule.now,
        network,
    )?;
    Ok(Accepted {
        claims: verified.claims,
        holder,
        issued,
        status_as_of_ms,
        key_as_of_ms,
    })
}

/// Whether the key was safe when the credential was committed to, as far as is known at the returned time.
fn judge_key(receipt: &[u8], issued: &Issued, network: &NetworkDescriptor) -> Result<u64, Refused> {
    let key = report_key(issued.issuance.kid.as_bytes());
    let claim = one_claim(receipt, "credential", &key, network)?;
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

/// Whether the credential stands in a list that its issuer published, and is not revoked there, at the returned time.
fn judge_status(
    status: &StatusProof,
    reference: &StatusReference,
    issuer: &PartyId,
    issuer_key: &PublicKey,
    now: u64,
    network: &NetworkDescriptor,
) -> Result<u64, Refused> {
    let unpublished = || {
        Refused::new(
            "paper.status-not-published",
            "The issuer did not publish this list of statuses at the receipt\u{2019}s time.",
        )
    };
    let (list, shard) = list_and_shard(&reference.uri).ok_or_else(unpublished)?;
    let key = status_key(issuer, list);
    let claim = one_claim(&status.receipt, "credential", &key, network)?;
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
        now,
        skew_seconds: SKEW_SECONDS,
    };
    let list = TokenStatusList::verify_jwt(&status.shard, issuer_key, &expectation)?;
    list.status_of(reference)?.require_valid()?;
    Ok(claim.time.get())
}
