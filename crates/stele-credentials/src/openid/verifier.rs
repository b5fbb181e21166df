//! A verifier by OpenID4VP 1.0: signed requests, encrypted answers, one answer for each request.
//!
//! # States
//! 1. *Open*: [`Verifier::start`] makes nonce, state and a key for this request alone, and the link for the QR code.
//! 2. *Fetched*, as often as the wallet likes: [`Verifier::request_object`].
//! 3. *Answered*: the first answer to [`Verifier::respond`] that can be decrypted settles the request, good or bad.
//!    Whoever sends it again is refused, and the person at the counter sees the reason in [`Verifier::outcome`].

use rand_core::CryptoRng;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use super::dcql::{Candidate, CredentialQuery, Query};
use super::rules::*;
use super::{Answer, Fault, Form, Record, Store, encode_component, new_secret};
use crate::jose::{self, DecryptionKey, PublicKey, Signer};
use crate::json::{self, JsonLimits};
use crate::refusal::Refusal;
use crate::sd_jwt::{BindingExpectation, Expectation, Parsed, TYPE, Verified, verify};

/// The type of a signed request (RFC 9101 section 10.8).
pub(super) const TYPE_REQUEST: &str = "oauth-authz-req+jwt";
/// Whom a request is meant for when the wallet is not known (OpenID4VP section 5.8).
pub(super) const AUDIENCE_ANY_WALLET: &str = "https://self-issued.me/v2";
/// The prefix of a `client_id` that is a DID (OpenID4VP section 5.9.3).
pub(super) const PREFIX_DID: &str = "decentralized_identifier:";
/// The most presentations of one answer.
const PRESENTATIONS_MAX: usize = 32;
const ANSWER_LIMITS: JsonLimits = JsonLimits {
    bytes_max: 1 << 20,
    depth_max: 16,
};

/// A verifier's settings.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// The verifier's DID, whose document lists the key that signs requests.
    pub did: String,
    /// The DID URL of that key.
    pub key_id: String,
    /// Requests are fetched below this address, without a slash at the end.
    pub request_base: String,
    /// Answers are posted below this address.
    pub response_base: String,
    /// Its name for people.
    pub display_name: String,
    /// How long a request is open, in seconds.
    pub lifetime_seconds: u64,
    /// How far two clocks may differ, in seconds.
    pub skew_seconds: u64,
}

/// A request that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its public name, in the addresses.
    pub id: String,
    /// What the one who started it asks for the outcome with; nobody else knows it.
    pub secret: String,
    /// The link for the QR code.
    pub link: String,
}

/// A running request.
#[derive(Clone)]
pub struct Session {
    secret: String,
    query: Query,
    nonce: String,
    state: String,
    key: DecryptionKey,
    redirect_uri: Option<String>,
    expires_at: u64,
    outcome: Option<Outcome>,
}

impl core::fmt::Debug for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Session(answered: {}, secrets redacted)",
            self.outcome.is_some()
        )
    }
}

/// How a request was answered.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The presented credentials, each with the name of the query that it answers; or why they were refused.
    pub presented: Result<Vec<(String, Verified)>, Refusal>,
    /// What the browser brings back to the redirect address, to tell that it is the same one (OpenID4VP section 13.3).
    pub response_code: Option<String>,
}

/// What the verifier's owner decides: whom to trust, for what, and what else has to hold.
pub trait Policy {
    /// Finds the issuer's key of a credential that is not verified yet, and refuses issuers that are not trusted for it.
    ///
    /// # Errors
    /// Why the issuer is not trusted, or its key not found.
    fn issuer_key(&self, credential: &Parsed<'_>) -> Result<PublicKey, Refusal>;

    /// Has the last word on a verified credential: its status, or the issuer's accreditation at issuance.
    ///
    /// # Errors
    /// Such as `status.revoked`.
    fn accept(&self, query: &CredentialQuery, credential: &Verified) -> Result<(), Refusal> {
        let _ = (query, credential);
        Ok(())
    }

    /// Verifies a presentation of another format than `dc+sd-jwt`, made for `audience` and `nonce` at the time `now`.
    ///
    /// # Errors
    /// `presentation.answer-malformed` unless overridden.
    fn verify_other(
        &self,
        query: &CredentialQuery,
        presentation: &Value,
        audience: &str,
        nonce: &str,
        now: u64,
    ) -> Result<Verified, Refusal> {
        let _ = (presentation, audience, nonce, now);
        Err(ANSWER_MALFORMED.because(format_args!("the format {}", query.format)))
    }
}

impl Verifier {
    /// The verifier as wallets and key bindings name it.
    pub fn client_id(&self) -> String {
        format!("{PREFIX_DID}{}", self.did)
    }

    /// Opens a request. With `redirect_uri` the wallet sends the person back there.
    ///
    /// # Errors
    /// `temporarily_unavailable` if the store is full.
    pub fn start<R: CryptoRng + ?Sized>(
        &self,
        query: Query,
        redirect_uri: Option<&str>,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Result<Started, Fault> {
        let (id, secret) = (new_secret(rng), new_secret(rng));
        let expires_at = now.saturating_add(self.lifetime_seconds);
        let session = Session {
            secret: secret.clone(),
            query,
            nonce: new_secret(rng),
            state: new_secret(rng),
            key: DecryptionKey::generate(rng),
            redirect_uri: redirect_uri.map(str::to_owned),
            expires_at,
            outcome: None,
        };
        // The outcome can be read for as long again.
        let kept_until = expires_at.saturating_add(self.lifetime_seconds);
        store.put(
            format!("presentation/{id}"),
            Record::Presentation(Box::new(session)),
            kept_until,
            now,
        )?;
        let link = format!(
            "openid4vp://?client_id={}&request_uri={}",
            encode_component(&self.client_id()),
            encode_component(&format!("{}/{id}", self.request_base)),
        );
        Ok(Started { id, secret, link })
    }

    /// The address of the request: GET, or POST with the wallet's `wallet_nonce` (OpenID4VP section 5.10).
    pub fn request_object(
        &self,
        id: &str,
        form: &Form,
        signer: &dyn Signer,
        store: &mut dyn Store,
        now: u64,
    ) -> Answer {
        let Ok(session) = open(id, store, now) else {
            return not_found();
        };
        let mut jwk = session.key.public_key().to_jwk_object();
        for (name, value) in [("use", "enc"), ("alg", "ECDH-ES"), ("kid", id)] {
            jwk.insert(name.to_owned(), value.into());
        }
        let algorithms = json!(["EdDSA", "ES256"]);
        let mut claims = json!({
            "iss": self.client_id(),
            "aud": AUDIENCE_ANY_WALLET,
            "iat": now,
            "exp": session.expires_at,
            "response_type": "vp_token",
            "response_mode": "direct_post.jwt",
            "client_id": self.client_id(),
            "nonce": session.nonce,
            "state": session.state,
            "response_uri": format!("{}/{id}", self.response_base),
            "dcql_query": session.query.to_json(),
            "client_metadata": {
                "client_name": self.display_name,
                "jwks": {"keys": [jwk]},
                "encrypted_response_enc_values_supported": ["A128GCM", "A256GCM"],
                "vp_formats_supported": {
                    TYPE: {"sd-jwt_alg_values": algorithms, "kb-jwt_alg_values": algorithms},
                },
            },
        });
        if let Some(nonce) = form.get("wallet_nonce") {
            claims["wallet_nonce"] = nonce.into();
        }
        match jose::sign_json(TYPE_REQUEST, Some(&self.key_id), &claims, signer) {
            Ok(text) => Answer::text("application/oauth-authz-req+jwt", text),
            Err(refusal) => Fault {
                status: 500,
                ..Fault::from_refusal("server_error", &refusal)
            }
            .answer(),
        }
    }

    /// The address of answers. The wallet learns no more than that the answer arrived, or why it was not taken.
    pub fn respond<R: CryptoRng + ?Sized>(
        &self,
        id: &str,
        form: &Form,
        policy: &dyn Policy,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Answer {
        let refused = |refusal: &Refusal| Fault::from_refusal("invalid_request", refusal).answer();
        let session = match open(id, store, now) {
            Ok(session) => session,
            Err(refusal) if refusal.rule() == SESSION_UNKNOWN => return not_found(),
            Err(refusal) => return refused(&refusal),
        };
        let payload = match payload_of(form, &session.key) {
            Ok(payload) => payload,
            // It may be anybody's noise: the request stays open.
            Err(refusal) => return refused(&refusal),
        };
        let state = payload
            .get("state")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(session.state.as_bytes())) {
            return refused(&STATE.refuse());
        }
        let presented = self.judge(session, &payload, policy, now);
        let response_code = session.redirect_uri.as_ref().map(|_| new_secret(rng));
        let answer = match (&presented, &session.redirect_uri) {
            (Err(refusal), _) if refusal.rule() != DECLINED => refused(refusal),
            (_, None) => Answer::json(200, json!({})),
            (_, Some(uri)) => {
                let mark = if uri.contains('?') { '&' } else { '?' };
                let code = response_code.as_deref().unwrap_or_default();
                Answer::json(
                    200,
                    json!({"redirect_uri": format!("{uri}{mark}response_code={code}")}),
                )
            }
        };
        session.outcome = Some(Outcome {
            presented,
            response_code,
        });
        answer
    }

    /// The outcome, for the one who started the request; `None` while it is open.
    ///
    /// # Errors
    /// `presentation.unknown`.
    pub fn outcome(
        &self,
        id: &str,
        secret: &str,
        store: &mut dyn Store,
        now: u64,
    ) -> Result<Option<Outcome>, Refusal> {
        match store.get(&format!("presentation/{id}"), now) {
            Some(Record::Presentation(session))
                if bool::from(session.secret.as_bytes().ct_eq(secret.as_bytes())) =>
            {
                Ok(session.outcome.clone())
            }
            _ => Err(SESSION_UNKNOWN.refuse()),
        }
    }

    fn judge(
        &self,
        session: &Session,
        payload: &Map<String, Value>,
        policy: &dyn Policy,
        now: u64,
    ) -> Result<Vec<(String, Verified)>, Refusal> {
        if let Some(error) = payload.get("error") {
            return Err(DECLINED.because(error));
        }
        let malformed = |what: &str| ANSWER_MALFORMED.because(what);
        let token = payload
            .get("vp_token")
            .and_then(Value::as_object)
            .ok_or_else(|| malformed("no vp_token"))?;
        let client_id = self.client_id();
        let mut presented = Vec::new();
        for (id, presentations) in token {
            let query = session
                .query
                .credentials
                .iter()
                .find(|query| query.id == *id);
            let query = query.ok_or_else(|| UNASKED.because(id))?;
            let presentations = presentations
                .as_array()
                .filter(|list| !list.is_empty())
                .ok_or_else(|| malformed("no list of presentations"))?;
            if (presentations.len() > 1 && !query.multiple)
                || presented.len() + presentations.len() > PRESENTATIONS_MAX
            {
                return Err(UNASKED.because(format_args!(
                    "{} presentations for {id}",
                    presentations.len()
                )));
            }
            for presentation in presentations {
                let verified = if query.format == TYPE {
                    let text = presentation
                        .as_str()
                        .ok_or_else(|| malformed("a presentation is no text"))?;
                    self.verify_sd_jwt(text, query, &client_id, session, policy, now)?
                } else {
                    policy.verify_other(query, presentation, &client_id, &session.nonce, now)?
                };
                policy.accept(query, &verified)?;
                // A holder who strips a claim, or shows another value, has not answered the query.
                let claims = Value::Object(verified.claims);
                let candidate = Candidate {
                    format: &query.format,
                    claims: &claims,
                };
                query
                    .claims_of(&candidate)
                    .ok_or_else(|| UNANSWERABLE.because(id))?;
                let Value::Object(claims) = claims else {
                    continue;
                };
                presented.push((id.clone(), Verified { claims, ..verified }));
            }
        }
        session
            .query
            .check_answered(&|id| presented.iter().any(|(found, _)| found == id))?;
        Ok(presented)
    }

    fn verify_sd_jwt(
        &self,
        text: &str,
        query: &CredentialQuery,
        client_id: &str,
        session: &Session,
        policy: &dyn Policy,
        now: u64,
    ) -> Result<Verified, Refusal> {
        let vcts: Vec<&str> = query.vcts.iter().map(String::as_str).collect();
        let binding = BindingExpectation {
            audience: client_id,
            nonce: &session.nonce,
            age_seconds_max: self.lifetime_seconds,
        };
        let expectation = Expectation {
            skew_seconds: self.skew_seconds,
            vcts: &vcts,
            binding: query.require_binding.then_some(binding),
            ..Expectation::at(now)
        };
        let key = policy.issuer_key(&Parsed::parse(text)?)?;
        verify(text, &key, &expectation)
    }
}

/// The open session, or why there is none.
fn open<'a>(id: &str, store: &'a mut dyn Store, now: u64) -> Result<&'a mut Session, Refusal> {
    match store.get(&format!("presentation/{id}"), now) {
        Some(Record::Presentation(session)) if session.outcome.is_some() => Err(REPLAYED.refuse()),
        Some(Record::Presentation(session)) if session.expires_at > now => Ok(session),
        _ => Err(SESSION_UNKNOWN.refuse()),
    }
}

fn not_found() -> Answer {
    Fault {
        status: 404,
        ..Fault::from_refusal("invalid_request", &SESSION_UNKNOWN.refuse())
    }
    .answer()
}

/// What an answer says: the content of `response`, or an error in the open, as a wallet without the key sends it.
fn payload_of(form: &Form, key: &DecryptionKey) -> Result<Map<String, Value>, Refusal> {
    if let (Some(error), None) = (form.get("error"), form.get("response")) {
        let mut payload = Map::new();
        payload.insert("error".to_owned(), error.into());
        payload.insert(
            "state".to_owned(),
            form.get("state").unwrap_or_default().into(),
        );
        return Ok(payload);
    }
    let response = form
        .get("response")
        .ok_or_else(|| ANSWER_MALFORMED.because("no encrypted response"))?;
    let (_, content) = key.decrypt(response)?;
    json::parse_object(&content, ANSWER_LIMITS)
}
