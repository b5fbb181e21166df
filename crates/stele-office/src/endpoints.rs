//! The endpoints that wallets call, for every issuer of the office.

use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::Value;
use stele_credentials::Refusal;
use stele_credentials::openid::{Answer, Fault, Form};

use crate::desk::Desk;
use crate::office::Office;
use crate::seal::Drafts;

impl Office {
    /// `/.well-known/openid-credential-issuer`. Beside what the standard names, `stele_issuance_proofs` says where proofs of issuance
    /// are.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn metadata(&self, name: &str) -> Result<Value, Refusal> {
        let desk = self.desk(name)?;
        let mut metadata = desk.issuer.metadata();
        metadata["stele_issuance_proofs"] = format!("{}/proofs", desk.issuer.identifier).into();
        Ok(metadata)
    }

    /// `/.well-known/oauth-authorization-server`.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn authorization_server_metadata(&self, name: &str) -> Result<Value, Refusal> {
        Ok(self.desk(name)?.issuer.authorization_server_metadata())
    }

    /// The nonce endpoint.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn nonce(&self, name: &str, now: u64) -> Result<Answer, Refusal> {
        Ok(self.desk(name)?.issuer.nonce(&mut UnwrapErr(SysRng), now))
    }

    /// The token endpoint.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn token(&self, name: &str, form: &Form, now: u64) -> Result<Answer, Refusal> {
        let desk = self.desk(name)?;
        let store = &mut *self.running.lock();
        Ok(desk.issuer.token(form, store, &mut UnwrapErr(SysRng), now))
    }

    /// The credential endpoint. The answer is given only when the ledger has taken the commitment.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn credential(
        &self,
        name: &str,
        bearer: &str,
        request: &Value,
        now: u64,
    ) -> Result<Answer, Refusal> {
        self.issue(name, now, |desk, drafts| {
            let store = &mut *self.running.lock();
            desk.issuer
                .credential(bearer, request, drafts, store, &mut UnwrapErr(SysRng), now)
        })
    }

    /// The deferred credential endpoint.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn deferred(
        &self,
        name: &str,
        bearer: &str,
        request: &Value,
        now: u64,
    ) -> Result<Answer, Refusal> {
        self.issue(name, now, |desk, drafts| {
            let store = &mut *self.running.lock();
            desk.issuer
                .deferred(bearer, request, drafts, store, &mut UnwrapErr(SysRng), now)
        })
    }

    fn issue(
        &self,
        name: &str,
        now: u64,
        make: impl FnOnce(&Desk, &mut Drafts<'_>) -> Answer,
    ) -> Result<Answer, Refusal> {
        let desk = self.desk(name)?;
        let denied =
            |refusal: &Refusal| Fault::from_refusal("credential_request_denied", refusal).answer();
        let signer = match self.chain.signer(&desk.settings.key) {
            Ok(signer) => signer,
            Err(refusal) => return Ok(denied(&refusal)),
        };
        let mut drafts = Drafts::new(self, &desk, &signer);
        let answer = make(&desk, &mut drafts);
        if answer.status != 200 {
            return Ok(answer);
        }
        Ok(match drafts.seal(now) {
            Ok(()) => answer,
            Err(refusal) => denied(&refusal),
        })
    }

    /// The notification endpoint.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn notification(
        &self,
        name: &str,
        bearer: &str,
        request: &Value,
        now: u64,
    ) -> Result<Answer, Refusal> {
        let desk = self.desk(name)?;
        let store = &mut *self.running.lock();
        let mut heard = |_: &str, _: &str, _: &str| {};
        Ok(desk
            .issuer
            .notification(bearer, request, store, now, &mut heard))
    }

    /// A shard of the status list, as `application/statuslist+jwt`; `None` if there is no such shard.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.key`, `office.keeping`.
    pub fn status_list(
        &self,
        name: &str,
        shard: usize,
        now: u64,
    ) -> Result<Option<String>, Refusal> {
        let desk = self.desk(name)?;
        let signer = self.chain.signer(&desk.settings.key)?;
        self.lists.shard(&desk, &signer, &self.file, shard, now)
    }

    /// The proof of issuance of a credential, by SHA-256 of its signed part: whoever knows that, holds it.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.keeping`.
    pub fn proof(&self, name: &str, signed: &[u8; 32]) -> Result<Option<Vec<u8>>, Refusal> {
        self.desk(name)?;
        self.file.proof(name, signed)
    }
}
