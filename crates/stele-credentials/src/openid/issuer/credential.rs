//! The endpoints of credentials: immediate, deferred, and the wallet's report (OpenID4VCI sections 8, 9 and 11).

use rand_core::CryptoRng;
use serde_json::{Value, json};

use super::token::Token;
use super::{CredentialConfiguration, CredentialRequest, CredentialSource, Issued, Issuer};
use crate::jose::PublicKey;
use crate::openid::{Answer, Fault, Record, Store, new_secret};
use crate::refusal::Refusal;

/// A request whose credentials are not ready.
#[derive(Debug, Clone)]
pub struct Deferred {
    subject: String,
    configuration: String,
    holders: Vec<PublicKey>,
    /// The access token of the request: it fetches the credential although it has expired for anything else.
    bearer: String,
}

impl Issuer {
    /// The credential endpoint. `bearer` is the access token of the header `Authorization`, without `Bearer`.
    pub fn credential<R: CryptoRng + ?Sized>(
        &self,
        bearer: &str,
        request: &Value,
        source: &mut dyn CredentialSource,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Answer {
        let mut issued = || {
            let token = self.check_token(bearer, store, now)?;
            if !request.is_object() {
                return Err(Fault::new(
                    "invalid_credential_request",
                    "The request is no JSON object.",
                ));
            }
            if request.get("credential_response_encryption").is_some() {
                return Err(Fault::new(
                    "invalid_encryption_parameters",
                    "Encrypted answers are not supported; TLS protects them.",
                ));
            }
            let configuration = self.asked_for(request, &token)?;
            let holders = self.verify_proofs(request, &token, store, now)?;
            let asked = Deferred {
                subject: token.subject,
                configuration: configuration.id.clone(),
                holders,
                bearer: bearer.to_owned(),
            };
            self.make(asked, None, source, store, rng, now)
        };
        issued().unwrap_or_else(|fault| fault.answer())
    }

    /// The deferred credential endpoint.
    pub fn deferred<R: CryptoRng + ?Sized>(
        &self,
        bearer: &str,
        request: &Value,
        source: &mut dyn CredentialSource,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Answer {
        let mut issued = || {
            let invalid = || {
                Fault::new(
                    "invalid_transaction_id",
                    "The transaction is unknown, finished or another person's.",
                )
            };
            let transaction = request
                .get("transaction_id")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let deferred = match store.get(&format!("deferred/{transaction}"), now) {
                Some(Record::Deferred(deferred)) if deferred.bearer == bearer => deferred.clone(),
                _ => {
                    self.check_token(bearer, store, now)?;
                    return Err(invalid());
                }
            };
            self.make(deferred, Some(transaction), source, store, rng, now)
        };
        issued().unwrap_or_else(|fault| fault.answer())
    }

    /// The notification endpoint: 204. `heard` is told subject, kind of credential and event, such as `credential_accepted`.
    pub fn notification(
        &self,
        bearer: &str,
        request: &Value,
        store: &mut dyn Store,
        now: u64,
        heard: &mut dyn FnMut(&str, &str, &str),
    ) -> Answer {
        let mut noted = || {
            let token = self.check_token(bearer, store, now)?;
            let text = |name: &str| request.get(name).and_then(Value::as_str);
            let event = text("event").filter(|event| {
                matches!(
                    *event,
                    "credential_accepted" | "credential_failure" | "credential_deleted"
                )
            });
            let (Some(id), Some(event)) = (text("notification_id"), event) else {
                return Err(Fault::new(
                    "invalid_notification_request",
                    "notification_id or event is missing or unknown.",
                ));
            };
            match store.get(&format!("notification/{id}"), now) {
                Some(Record::Notification(subject, configuration)) if *subject == token.subject => {
                    heard(subject, configuration, event);
                    Ok(Answer::empty(204))
                }
                _ => Err(Fault::new(
                    "invalid_notification_id",
                    "The notification_id is unknown.",
                )),
            }
        };
        noted().unwrap_or_else(|fault| fault.answer())
    }

    fn check_token(&self, bearer: &str, store: &mut dyn Store, now: u64) -> Result<Token, Fault> {
        match store.get(&format!("token/{bearer}"), now) {
            Some(Record::Token(token)) => Ok(token.clone()),
            _ => Err(Fault::invalid_token()),
        }
    }

    fn asked_for(&self, request: &Value, token: &Token) -> Result<&CredentialConfiguration, Fault> {
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        let (id, error) = match (
            text("credential_configuration_id"),
            text("credential_identifier"),
        ) {
            (Some(id), None) if !token.with_identifiers => (id, "unknown_credential_configuration"),
            (None, Some(id)) if token.with_identifiers => (id, "unknown_credential_identifier"),
            _ => {
                let expected = if token.with_identifiers {
                    "credential_identifier"
                } else {
                    "credential_configuration_id"
                };
                return Err(Fault::new(
                    "invalid_credential_request",
                    format!("Exactly {expected} is expected."),
                ));
            }
        };
        let granted = token.configurations.iter().any(|granted| granted == id);
        self.configuration(id).filter(|_| granted).ok_or_else(|| {
            Fault::new(
                error,
                "The access token does not cover this credential, or there is none.",
            )
        })
    }

    /// Asks the source for all credentials of a request: either all are ready, or the wallet asks again for all.
    fn make<R: CryptoRng + ?Sized>(
        &self,
        asked: Deferred,
        transaction: Option<&str>,
        source: &mut dyn CredentialSource,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Result<Answer, Fault> {
        let unknown = || {
            Fault::new(
                "unknown_credential_configuration",
                "The credential is not issued any more.",
            )
        };
        let configuration = self
            .configuration(&asked.configuration)
            .ok_or_else(unknown)?;
        let denied = |refusal: Refusal| Fault::from_refusal("credential_request_denied", &refusal);
        let expires_at = now.saturating_add(self.lifetimes.deferred_seconds);
        let mut credentials = Vec::with_capacity(asked.holders.len());
        for holder in &asked.holders {
            let request = CredentialRequest {
                subject: &asked.subject,
                configuration,
                holder,
                now,
            };
            match source.issue(&request).map_err(denied)? {
                Issued::Ready(credential) => credentials.push(json!({"credential": credential})),
                Issued::Later(interval) => {
                    let id = transaction.map_or_else(|| new_secret(rng), str::to_owned);
                    if transaction.is_none() {
                        store.put(
                            format!("deferred/{id}"),
                            Record::Deferred(asked),
                            expires_at,
                            now,
                        )?;
                    }
                    return Ok(Answer::json(
                        202,
                        json!({"transaction_id": id, "interval": interval}),
                    ));
                }
            }
        }
        if let Some(transaction) = transaction {
            store.take(&format!("deferred/{transaction}"), now);
            // A notification_id is optional, and wallets built on oid4vc-ts 0.4 refuse a deferred answer that has one.
            return Ok(Answer::json(200, json!({"credentials": credentials})));
        }
        let notification = new_secret(rng);
        let record = Record::Notification(asked.subject, asked.configuration);
        store.put(
            format!("notification/{notification}"),
            record,
            expires_at,
            now,
        )?;
        Ok(Answer::json(
            200,
            json!({"credentials": credentials, "notification_id": notification}),
        ))
    }
}
