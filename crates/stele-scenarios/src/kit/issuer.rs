//! An issuer of credentials: signs them, commits to them in batches, and publishes their status.

use serde_json::{Map, Value as Json};
use stele_client::Final;
use stele_core::suite::SigningKey;
use stele_credentials::Refusal;
use stele_credentials::jose::PublicKey;
use stele_credentials::sd_jwt::{Binding, ClaimPath, Frame, Held, Issuance};
use stele_credentials::trust::{Batch, IssuanceProof, commitment};

use super::now_s;
use super::office::{Office, receipt_of_state, submit};
use super::paper::{Paper, commit_body, signed_part};
use super::random::{self, System};
use super::status::StatusLists;
use crate::frame::{Run, ScenarioError};

/// A credential as its holder keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// Its number at its issuer, which decides its place in the status list.
    pub number: u64,
    /// The SD-JWT with all disclosures.
    pub text: String,
    /// The salt of its commitment.
    pub salt: [u8; 32],
    /// The proof of issuance; empty until the issuer has committed to it.
    pub proof: Vec<u8>,
    /// The key that signed it, a COSE_Key.
    pub issuer_key: Vec<u8>,
}

/// What a verifier asks of whoever stands before it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Fresh for each question.
    pub nonce: String,
    /// The verifier's own name.
    pub audience: &'static str,
    /// Now, in seconds since 1970.
    pub now: u64,
}

impl Question {
    /// A question of this verifier with a fresh nonce.
    pub fn fresh(audience: &'static str) -> Self {
        Self {
            nonce: hex::encode(random::bytes::<16>()),
            audience,
            now: now_s(),
        }
    }
}

/// Who issues one kind of credential.
pub(crate) struct Issuer {
    /// The party, signing with the key that it signs credentials with.
    pub signing: Office,
    /// The kind.
    pub vct: &'static str,
    /// Within which scope they are issued.
    pub scope: &'static str,
    /// Their status.
    pub lists: StatusLists,
    next: u64,
}

fn failed(refusal: Refusal) -> ScenarioError {
    ScenarioError::broken("a credential", refusal.to_string())
}

impl Issuer {
    /// Issues credentials of this kind; their first number is `first`.
    pub fn new(
        signing: Office,
        vct: &'static str,
        scope: &'static str,
        lists: StatusLists,
        first: u64,
    ) -> Self {
        Self {
            signing,
            vct,
            scope,
            lists,
            next: first,
        }
    }

    /// Signs a credential in which what `frame` names may be kept back, bound to a key. It is issued at `issued_at`, in seconds since 1970.
    ///
    /// # Errors
    /// [`ScenarioError::Broken`].
    pub fn issue(
        &mut self,
        holder: &PublicKey,
        claims: Map<String, Json>,
        frame: &Frame,
        issued_at: u64,
    ) -> Result<Certificate, ScenarioError> {
        let number = self.next;
        self.next += 1;
        let (issuer, status) = (self.signing.did(), self.lists.reference(number));
        let issuance = Issuance {
            vct: self.vct,
            issuer: Some(&issuer),
            key_id: None,
            issued_at,
            not_before: None,
            expires_at: None,
            holder: Some(holder),
            status: Some(&status),
        };
        let key = self.signing.party.key();
        let text = issuance
            .issue(claims, frame, key, &mut System)
            .map_err(failed)?;
        Ok(Certificate {
            number,
            text,
            salt: random::bytes(),
            proof: Vec::new(),
            issuer_key: key.public().to_cose_key(),
        })
    }

    /// Commits to credentials with one root, and gives each its proof. The receipts stand for `claim`.
    ///
    /// # Errors
    /// Those of [`submit`].
    pub fn commit(
        &self,
        run: &mut Run<'_>,
        certificates: &mut [&mut Certificate],
        claim: &str,
    ) -> Result<Final, ScenarioError> {
        let mut tree = Batch::new();
        for certificate in certificates.iter() {
            let signed = signed_part(&certificate.text).as_bytes();
            tree.push(&commitment(&certificate.salt, signed));
        }
        let (root, kid) = (tree.root(), self.signing.party.key().public().kid());
        let body = commit_body(&root, tree.count(), self.vct, &kid, self.scope);
        let command = [("issuance.commit", body)];
        let (done, _) = submit(run, &self.signing, &[], "credential", &command, claim)?;
        let [key, _] = IssuanceProof::state_keys(&self.signing.party.id(), &root, &kid);
        let (receipt, value) = receipt_of_state(run, "credential", &key)?;
        let there = value.is_some();
        run.check(there, "the batch in the state", || "none".to_owned())?;
        run.evidence(format!("{claim}: the batch stands in the state"), &receipt)?;
        for (index, certificate) in (0..).zip(certificates.iter_mut()) {
            let path = tree.path(index);
            let path = path.ok_or_else(|| ScenarioError::broken("a path", "none"))?;
            let receipt = receipt.clone();
            let salt = certificate.salt;
            certificate.proof = IssuanceProof {
                salt,
                index,
                path,
                receipt,
            }
            .encode();
        }
        Ok(done)
    }

    /// The receipt about reports of the key that signs here, and what it proves.
    ///
    /// # Errors
    /// [`ScenarioError::Client`].
    pub fn key_receipt(&self, run: &Run<'_>) -> Result<(Vec<u8>, Option<Vec<u8>>), ScenarioError> {
        let kid = self.signing.party.key().public().kid();
        let key = super::state::report_key(kid.as_bytes());
        receipt_of_state(run, "credential", &key)
    }

    /// What a holder shows of a certificate: `fields`, for this question, signed by `key`.
    ///
    /// # Errors
    /// [`ScenarioError::Broken`].
    pub fn shown(
        &self,
        certificate: &Certificate,
        key: &SigningKey,
        fields: &[ClaimPath],
        question: &Question,
    ) -> Result<Paper, ScenarioError> {
        let binding = Binding {
            audience: question.audience,
            nonce: &question.nonce,
            issued_at: question.now,
        };
        let held = Held::parse(&certificate.text).map_err(failed)?;
        let presentation = held.present(fields, Some((binding, key))).map_err(failed)?;
        Ok(Paper {
            presentation,
            issuer_key: certificate.issuer_key.clone(),
            proof: certificate.proof.clone(),
            status: self.lists.proof(certificate.number),
            key_receipt: None,
        })
    }
}
