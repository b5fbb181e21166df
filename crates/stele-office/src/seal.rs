//! From drafts to credentials: signed first, committed to on the ledger, kept, and only then given out.

use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use stele_core::id::sha256;
use stele_credentials::Refusal;
use stele_credentials::openid::issuer::{CredentialRequest, CredentialSource, Issued};
use stele_credentials::sd_jwt::Issuance;
use stele_credentials::trust::{Batch, IssuanceProof, commitment};

use crate::chain::SigningParty;
use crate::desk::Desk;
use crate::office::{OfferState, Office, random};
use crate::people::PERSON;
use crate::rules::{KIND_UNKNOWN, NOT_READY};
use crate::store::NewIssued;

/// When a wallet may ask again for what a clerk has to approve, in seconds.
const ASK_AGAIN_SECONDS: u64 = 60;

/// What one request of a wallet led to, before anybody outside has seen it.
pub(crate) struct Drafts<'a> {
    office: &'a Office,
    desk: &'a Desk,
    signer: &'a SigningParty,
    made: Vec<Draft>,
    /// The offer that is being collected, until this is dropped.
    taken: Option<String>,
}

struct Draft {
    number: u64,
    offer: String,
    kind: String,
    vct: String,
    reference: Option<String>,
    /// The JWT without its disclosures: what the issuer commits to.
    signed: String,
    salt: [u8; 32],
}

impl<'a> Drafts<'a> {
    pub fn new(office: &'a Office, desk: &'a Desk, signer: &'a SigningParty) -> Self {
        Self {
            office,
            desk,
            signer,
            made: Vec::new(),
            taken: None,
        }
    }

    /// Takes an offer for this request alone, so that two requests at once do not both collect it.
    fn take(&mut self, offer: &str) -> Result<(), Refusal> {
        if self.taken.as_deref() == Some(offer) {
            return Ok(());
        }
        if self.taken.is_some() || !self.office.collecting.lock().insert(offer.to_owned()) {
            return Err(NOT_READY.refuse());
        }
        self.taken = Some(offer.to_owned());
        Ok(())
    }

    /// Commits to what was made, in one entry, and keeps it with its proofs.
    ///
    /// # Errors
    /// `office.chain-refused`, `office.keeping`: nothing was issued.
    pub fn seal(&mut self, now: u64) -> Result<(), Refusal> {
        let Some(first) = self.made.first() else {
            return Ok(());
        };
        let mut batch = Batch::new();
        for draft in &self.made {
            batch.push(&commitment(&draft.salt, draft.signed.as_bytes()));
        }
        let kid = self.signer.key.public().kid();
        let mut body = json!({
            "root": hex::encode(batch.root()),
            "count": batch.count(),
            "type": first.vct,
            "issuing_kid": hex::encode(kid.as_bytes()),
        });
        if let Some(scope) = &self.desk.settings.scope {
            body["scope"] = scope.as_str().into();
        }
        let chain = &self.office.chain;
        chain.submit(&self.desk.settings.key, "issuance.commit", body)?;
        let keys = IssuanceProof::state_keys(&self.signer.party, &batch.root(), &kid);
        let receipt = chain.receipt(&keys)?;
        let issued = (0..).zip(&self.made).map(|(index, draft)| NewIssued {
            number: draft.number,
            offer: draft.offer.clone(),
            kind: draft.kind.clone(),
            reference: draft.reference.clone(),
            signed: sha256(&[draft.signed.as_bytes()]),
            proof: IssuanceProof {
                salt: draft.salt,
                index,
                path: batch.path(index).unwrap_or_default(),
                receipt: receipt.clone(),
            }
            .encode(),
            issued_at: now,
        });
        self.office
            .file
            .add_issued(&self.desk.name, &issued.collect::<Vec<_>>())
    }
}

impl Drop for Drafts<'_> {
    fn drop(&mut self) {
        if let Some(offer) = self.taken.take() {
            self.office.collecting.lock().remove(&offer);
        }
    }
}

impl CredentialSource for Drafts<'_> {
    fn issue(&mut self, request: &CredentialRequest<'_>) -> Result<Issued, Refusal> {
        let desk = self.desk;
        let file = &self.office.file;
        let offer = match request.subject.strip_prefix(PERSON) {
            Some(reference) => file.open_offer_to(&desk.name, reference, &request.configuration.id),
            None => file.open_offer(&desk.name, request.subject),
        }?;
        self.take(&offer.id)?;
        let kind = desk.settings.kind(&offer.kind);
        let kind = kind.ok_or_else(|| KIND_UNKNOWN.because(&offer.kind))?;
        if offer.state == OfferState::Waiting {
            return Ok(Issued::Later(ASK_AGAIN_SECONDS));
        }
        let number = self.office.file.next_number(&desk.name)?;
        let status = desk.layout.reference(number);
        let (issuer, key_id) = (self.signer.did(), self.signer.key_id());
        let issuance = Issuance {
            vct: &kind.vct,
            issuer: Some(&issuer),
            key_id: Some(&key_id),
            issued_at: request.now,
            not_before: None,
            expires_at: kind.expires_at(request.now),
            holder: Some(request.holder),
            status: Some(&status),
        };
        let rng = &mut UnwrapErr(SysRng);
        let text = issuance.issue(offer.claims, &kind.frame(), &*self.signer.key, rng)?;
        let signed = text.split('~').next().unwrap_or_default().to_owned();
        self.made.push(Draft {
            number,
            offer: offer.id,
            kind: offer.kind,
            vct: kind.vct.clone(),
            reference: offer.reference,
            signed,
            salt: random(),
        });
        Ok(Issued::Ready(Value::from(text)))
    }
}
