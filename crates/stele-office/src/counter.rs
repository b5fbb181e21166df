//! A counter: where an office asks people for credentials, by OpenID4VP.

use std::collections::HashMap;
use std::sync::Arc;

use getrandom::SysRng;
use parking_lot::Mutex;
use rand_core::UnwrapErr;
use serde_json::{Map, Value};
use stele_credentials::Refusal;
use stele_credentials::jose::PublicKey;
use stele_credentials::openid::dcql::{CredentialQuery, Query};
use stele_credentials::openid::verifier::{Policy, Started, Verifier};
use stele_credentials::openid::{Answer, Fault, Form, MemoryStore};
use stele_credentials::sd_jwt::{Parsed, StatusReference, Verified};

use crate::chain::{Chain, SigningParty};
use crate::office::Office;
use crate::rules::{BUSY, KEY_UNKNOWN, NOT_TRUSTED};

/// The most requests that are open or can still be read.
const REQUESTS_MAX: usize = 10_000;
const LIFETIME_SECONDS: u64 = 600;
const SKEW_SECONDS: u64 = 60;

/// Asks for credentials, and judges what is shown.
pub struct Counter {
    base: String,
    chain: Arc<dyn Chain>,
    office: Arc<Office>,
    state: Mutex<State>,
}

struct State {
    store: MemoryStore,
    asked: HashMap<String, Arc<Asked>>,
}

/// Who asks, and whom they trust.
struct Asked {
    verifier: Verifier,
    signer: SigningParty,
    issuers: Vec<String>,
    until: u64,
}

/// A request to a person.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRequest {
    /// The name of the node's key that signs the request; its party is who asks.
    pub key: String,
    /// What is asked for, in the Digital Credentials Query Language (OpenID4VP section 6).
    pub query: Value,
    /// The DIDs of the issuers that are trusted; empty: any issuer whose key can be found.
    pub issuers: Vec<String>,
    /// Where the wallet sends the person afterwards.
    pub redirect_uri: Option<String>,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub enum Judgement {
    /// Nobody has answered yet.
    Open,
    /// What was shown, and holds.
    Shown(Vec<Presented>),
    /// Why the answer was refused.
    Refused(Refusal),
}

/// A credential that was shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Presented {
    /// The part of the query that it answers.
    pub query_id: String,
    /// Its issuer.
    pub issuer: Option<String>,
    /// Its type.
    pub vct: Option<String>,
    /// The claims that were shown.
    pub claims: Map<String, Value>,
    /// Whether its status was looked up; a list that is served elsewhere is not.
    pub status_checked: bool,
    /// Where its status stands.
    pub status: Option<StatusReference>,
}

impl Counter {
    /// A counter at the address that wallets see.
    pub fn new(base: &str, chain: Arc<dyn Chain>, office: Arc<Office>) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            chain,
            office,
            state: Mutex::new(State {
                store: MemoryStore::new(REQUESTS_MAX),
                asked: HashMap::new(),
            }),
        }
    }

    /// Opens a request; the link goes into a QR code or a button.
    ///
    /// # Errors
    /// `presentation.query-malformed`, `office.key`, `office.busy`.
    pub fn ask(&self, request: &NewRequest, now: u64) -> Result<Started, Refusal> {
        let query = Query::from_json(&request.query)?;
        let signer = self.chain.signer(&request.key)?;
        let verifier = Verifier {
            did: signer.did(),
            key_id: signer.key_id(),
            request_base: format!("{}/openid/verifier/requests", self.base),
            response_base: format!("{}/openid/verifier/responses", self.base),
            display_name: signer.name.clone().unwrap_or_else(|| signer.did()),
            lifetime_seconds: LIFETIME_SECONDS,
            skew_seconds: SKEW_SECONDS,
        };
        let state = &mut *self.state.lock();
        state.asked.retain(|_, asked| asked.until > now);
        let started = verifier
            .start(
                query,
                request.redirect_uri.as_deref(),
                &mut state.store,
                &mut UnwrapErr(SysRng),
                now,
            )
            .map_err(|fault| BUSY.because(fault.description))?;
        let asked = Asked {
            verifier,
            signer,
            issuers: request.issuers.clone(),
            until: now.saturating_add(2 * LIFETIME_SECONDS),
        };
        state.asked.insert(started.id.clone(), Arc::new(asked));
        Ok(started)
    }

    /// The address of a request: GET, or POST with the wallet's nonce.
    pub fn request_object(&self, id: &str, form: &Form, now: u64) -> Answer {
        let state = &mut *self.state.lock();
        match state.asked.get(id) {
            Some(asked) => {
                asked
                    .verifier
                    .request_object(id, form, &*asked.signer.key, &mut state.store, now)
            }
            None => unknown(),
        }
    }

    /// The address of answers.
    pub fn respond(&self, id: &str, form: &Form, now: u64) -> Answer {
        let state = &mut *self.state.lock();
        let Some(asked) = state.asked.get(id).cloned() else {
            return unknown();
        };
        let policy = Trust {
            counter: self,
            issuers: &asked.issuers,
            now,
        };
        asked.verifier.respond(
            id,
            form,
            &policy,
            &mut state.store,
            &mut UnwrapErr(SysRng),
            now,
        )
    }

    /// What became of a request, for the one who holds its secret.
    ///
    /// # Errors
    /// `presentation.unknown`.
    pub fn judgement(&self, id: &str, secret: &str, now: u64) -> Result<Judgement, Refusal> {
        let state = &mut *self.state.lock();
        let unknown = || stele_credentials::openid::rules::SESSION_UNKNOWN.refuse();
        let asked = state.asked.get(id).ok_or_else(unknown)?;
        let outcome = asked.verifier.outcome(id, secret, &mut state.store, now)?;
        Ok(match outcome.map(|outcome| outcome.presented) {
            None => Judgement::Open,
            Some(Err(refusal)) => Judgement::Refused(refusal),
            Some(Ok(shown)) => Judgement::Shown(
                shown
                    .into_iter()
                    .map(|(query_id, verified)| self.presented(query_id, verified))
                    .collect(),
            ),
        })
    }

    fn presented(&self, query_id: String, verified: Verified) -> Presented {
        let own = |status: &StatusReference| self.office.own_list(&status.uri).is_some();
        Presented {
            query_id,
            issuer: verified.issuer,
            vct: verified.vct,
            claims: verified.claims,
            status_checked: verified.status.as_ref().is_none_or(own),
            status: verified.status,
        }
    }
}

/// Whom a request trusts.
struct Trust<'a> {
    counter: &'a Counter,
    issuers: &'a [String],
    now: u64,
}

impl Policy for Trust<'_> {
    fn issuer_key(&self, credential: &Parsed<'_>) -> Result<PublicKey, Refusal> {
        let issuer = credential.issuer().ok_or(KEY_UNKNOWN.refuse())?;
        if !self.issuers.is_empty() && !self.issuers.iter().any(|trusted| trusted == issuer) {
            return Err(NOT_TRUSTED.because(issuer));
        }
        if !issuer.starts_with("did:") {
            return Err(KEY_UNKNOWN.because(issuer));
        }
        self.counter
            .chain
            .assertion_key(issuer, credential.key_id())
    }

    fn accept(&self, _: &CredentialQuery, credential: &Verified) -> Result<(), Refusal> {
        match &credential.status {
            Some(reference) => self.counter.office.require_valid(reference, self.now),
            None => Ok(()),
        }
    }
}

fn unknown() -> Answer {
    let refusal = stele_credentials::openid::rules::SESSION_UNKNOWN.refuse();
    Fault {
        status: 404,
        ..Fault::from_refusal("invalid_request", &refusal)
    }
    .answer()
}
