//! The proof of issuance that a holder keeps beside a credential.

use stele_core::cbor::{DecodeError, Decoder, Encoder};
use stele_core::id::{Hash, Height, KeyId, PartyId, TimeMs};
use stele_core::merkle;
use stele_core::receipt::{NetworkDescriptor, VerifiedState, verify};
use stele_core::suite;
use stele_registers::credential::{Compromise, Issuance, NAME, compromise_key, issuance_key};

use super::batch::commitment;
use super::rules::*;
use crate::refusal::Refusal;

/// The largest proof, in bytes.
pub const PROOF_BYTES_MAX: usize = 64 << 10;
/// The longest path: 2^24 credentials in a batch.
const PATH_MAX: usize = 24;
const VERSION: u64 = 1;
const ISSUANCE_PREFIX: &[u8] = b"issuance/";

/// Salt, place and path of a credential, and the receipt of its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuanceProof {
    /// The salt of the credential's commitment.
    pub salt: [u8; 32],
    /// Its place in the batch.
    pub index: u64,
    /// Its path to the batch's root, lowest first.
    pub path: Vec<merkle::Hash>,
    /// A receipt of `credential/issuance/<issuer><root>`, and perhaps of `credential/compromise/<kid>` beside it.
    pub receipt: Vec<u8>,
}

/// What a proof of issuance shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Who committed to the credential.
    pub issuer: PartyId,
    /// When, under which key, of which type, within which scope, and by which accreditations.
    pub issuance: Issuance,
    /// Whether the key was reported since.
    pub key_report: KeyReport,
}

/// What is known about reports of the issuer's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyReport {
    /// The receipt does not say.
    NotAsked,
    /// Nobody had reported it after this block, at this time.
    NoneAsOf(Height, TimeMs),
    /// It was reported, as doubtful from a time on that lies after the credential was committed to.
    LaterThanIssuance(Compromise),
}

impl IssuanceProof {
    /// The proof as bytes, deterministic CBOR: `[1, salt, index, [* hash], receipt]`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(self.receipt.len() + 256);
        out.array(5)
            .uint(VERSION)
            .bytes(&self.salt)
            .uint(self.index);
        out.array(self.path.len());
        for hash in &self.path {
            out.bytes(hash);
        }
        out.bytes(&self.receipt);
        out.into_vec()
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// `trust.proof-malformed`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(PROOF_MALFORMED.because(format_args!("above {PROOF_BYTES_MAX} bytes")));
        }
        Self::read(bytes).map_err(|error| PROOF_MALFORMED.because(error))
    }

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(5, "a proof of issuance of five parts")?;
        let offset = decoder.position();
        if decoder.uint()? != VERSION {
            let kind = stele_core::cbor::ErrorKind::Expected("version 1");
            return Err(DecodeError { offset, kind });
        }
        let salt = decoder.bytes32()?;
        let index = decoder.uint()?;
        let hashes = decoder.array(PATH_MAX)?;
        let path = (0..hashes)
            .map(|_| decoder.bytes32())
            .collect::<Result<_, _>>()?;
        let receipt = decoder.bytes(PROOF_BYTES_MAX)?.to_vec();
        decoder.finish()?;
        Ok(Self {
            salt,
            index,
            path,
            receipt,
        })
    }

    /// Checks that an accredited issuer committed to `credential` (see [`commitment`]) under `signing_key`, the key that verified its
    /// signature, and that the key was not reported as compromised from an earlier time on, as far as the receipt says.
    ///
    /// # Errors
    /// `trust.receipt`, `trust.proof-malformed`, `trust.not-committed`, `trust.other-key`, `trust.key-compromised`.
    pub fn verify(
        &self,
        credential: &[u8],
        signing_key: &suite::PublicKey,
        network: &NetworkDescriptor,
    ) -> Result<Issued, Refusal> {
        let verified = verify(&self.receipt, network).map_err(|error| RECEIPT.because(error))?;
        let claims: Vec<_> = verified
            .state
            .iter()
            .filter(|claim| claim.register == NAME)
            .collect();
        let (issuer, root, value) = claims
            .iter()
            .find_map(|claim| issuance_claim(claim))
            .ok_or_else(|| PROOF_MALFORMED.because("the receipt proves no issuance"))?;
        let issuance = Issuance::decode(value).map_err(|error| PROOF_MALFORMED.because(error))?;

        let leaf = merkle::leaf_hash(&commitment(&self.salt, credential));
        let led_to = merkle::root_from_inclusion(&leaf, self.index, issuance.count, &self.path);
        if led_to.map(Hash::from_bytes) != Ok(root) {
            return Err(NOT_COMMITTED.refuse());
        }
        if signing_key.kid() != issuance.kid {
            return Err(OTHER_KEY.refuse());
        }
        let key_report = key_report(&claims, &issuance)?;
        Ok(Issued {
            issuer,
            issuance,
            key_report,
        })
    }

    /// The state keys that the receipt of a batch should prove: the issuance, and whether its key was reported.
    pub fn state_keys(issuer: &PartyId, root: &merkle::Hash, kid: &KeyId) -> [Vec<u8>; 2] {
        [
            issuance_key(issuer, &Hash::from_bytes(*root)),
            compromise_key(kid),
        ]
    }
}

impl Issued {
    /// Whether the credential says of itself what the issuer committed to.
    ///
    /// # Errors
    /// `trust.other-issuer`, `trust.other-type`.
    pub fn require(&self, issuer: &str, credential_type: &str) -> Result<(), Refusal> {
        if issuer != self.issuer.did() {
            return Err(OTHER_ISSUER.because(issuer));
        }
        if credential_type != self.issuance.credential_type {
            return Err(OTHER_TYPE.because(credential_type));
        }
        Ok(())
    }

    /// Whether the issuer was accredited within `scope` or a part of it, as `XX/universities`.
    ///
    /// # Errors
    /// `trust.outside-scope`.
    pub fn require_scope(&self, scope: &str) -> Result<(), Refusal> {
        let held = self.issuance.scope.as_deref().unwrap_or_default();
        let within = held
            .strip_prefix(scope)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if within {
            Ok(())
        } else {
            Err(OUTSIDE_SCOPE.because(held))
        }
    }
}

/// Issuer, root and value of a claim about an issuance that is there.
fn issuance_claim<'a>(claim: &&'a VerifiedState) -> Option<(PartyId, Hash, &'a [u8])> {
    let ids: &[u8; 64] = claim.key.strip_prefix(ISSUANCE_PREFIX)?.try_into().ok()?;
    let (issuer, root) = ids.split_at(32);
    Some((
        PartyId::from_bytes(issuer.try_into().ok()?),
        Hash::from_bytes(root.try_into().ok()?),
        claim.value.as_deref()?,
    ))
}

fn key_report(claims: &[&VerifiedState], issuance: &Issuance) -> Result<KeyReport, Refusal> {
    let key = compromise_key(&issuance.kid);
    let Some(claim) = claims.iter().find(|claim| claim.key == key) else {
        return Ok(KeyReport::NotAsked);
    };
    let Some(value) = &claim.value else {
        return Ok(KeyReport::NoneAsOf(claim.height, claim.time));
    };
    let report = Compromise::decode(value).map_err(|error| PROOF_MALFORMED.because(error))?;
    if report.since <= issuance.time {
        return Err(COMPROMISED.refuse());
    }
    Ok(KeyReport::LaterThanIssuance(report))
}
