//! The token endpoint (OpenID4VCI section 6, RFC 6749 section 5).

use rand_core::CryptoRng;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{GRANT_PRE_AUTHORIZED, Issuer};
use crate::json::to_base64url;
use crate::openid::{Answer, Fault, Form, Record, Store, new_secret};

/// What an access token gives.
#[derive(Debug, Clone)]
pub struct Token {
    pub(super) subject: String,
    pub(super) configurations: Vec<String>,
    /// Whether the answer named credential identifiers, which requests then have to use.
    pub(super) with_identifiers: bool,
    /// The client that authorised; `None` after a pre-authorised code, which needs no client.
    pub(super) client_id: Option<String>,
}

impl Issuer {
    /// The token endpoint. Each code is taken once.
    pub fn token<R: CryptoRng + ?Sized>(
        &self,
        form: &Form,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Answer {
        let granted = form
            .need("grant_type")
            .and_then(|grant_type| match grant_type {
                GRANT_PRE_AUTHORIZED => self.redeem_offer(form, store, now),
                "authorization_code" => redeem_code(form, store, now),
                _ => Err(Fault::new(
                    "unsupported_grant_type",
                    "The grant type is not supported.",
                )),
            });
        let answered = granted.and_then(|token| {
            let secret = new_secret(rng);
            let mut body = json!({
                "access_token": secret,
                "token_type": "Bearer",
                "expires_in": self.lifetimes.token_seconds,
            });
            if token.with_identifiers {
                let details = token.configurations.iter().map(|id| {
                    json!({"type": "openid_credential", "credential_configuration_id": id, "credential_identifiers": [id]})
                });
                body["authorization_details"] = details.collect::<Value>();
            }
            let expires_at = now.saturating_add(self.lifetimes.token_seconds);
            store.put(format!("token/{secret}"), Record::Token(token), expires_at, now)?;
            Ok(Answer::json(200, body))
        });
        answered.unwrap_or_else(|fault| fault.answer())
    }

    fn redeem_offer(&self, form: &Form, store: &mut dyn Store, now: u64) -> Result<Token, Fault> {
        let invalid = || {
            Fault::new(
                "invalid_grant",
                "The pre-authorised code is unknown, expired or used, or the transaction code is wrong.",
            )
        };
        let details = form
            .get("authorization_details")
            .map(|details| self.read_details(details))
            .transpose()?;
        let key = format!("grant/{}", form.need("pre-authorized_code")?);
        let Some(Record::Grant(grant)) = store.get(&key, now) else {
            return Err(invalid());
        };
        match (&grant.tx_code, form.get("tx_code")) {
            (None, None) => {}
            (None, Some(_)) => {
                return Err(Fault::invalid_request("No transaction code is expected."));
            }
            (Some(_), None) => {
                return Err(Fault::invalid_request("The transaction code is missing."));
            }
            (Some(expected), Some(found)) => {
                if !bool::from(expected.as_bytes().ct_eq(found.as_bytes())) {
                    // Six digits are guessed quickly, so few tries are given.
                    grant.tries_left = grant.tries_left.saturating_sub(1);
                    if grant.tries_left == 0 {
                        store.take(&key, now);
                    }
                    return Err(invalid());
                }
            }
        }
        if let Some(other) = details
            .iter()
            .flatten()
            .find(|id| !grant.configurations.contains(id))
        {
            return Err(Fault::new(
                "invalid_authorization_details",
                format!("{other} was not offered."),
            ));
        }
        let Some(Record::Grant(grant)) = store.take(&key, now) else {
            return Err(invalid());
        };
        Ok(Token {
            subject: grant.subject,
            with_identifiers: details.is_some(),
            configurations: details.unwrap_or(grant.configurations),
            client_id: None,
        })
    }
}

fn redeem_code(form: &Form, store: &mut dyn Store, now: u64) -> Result<Token, Fault> {
    let invalid = || {
        Fault::new(
            "invalid_grant",
            "The code is unknown, expired, used, or was given to somebody else.",
        )
    };
    let (client_id, redirect_uri) = (form.need("client_id")?, form.need("redirect_uri")?);
    let (code, verifier) = (form.need("code")?, form.need("code_verifier")?);
    // Taken before it is judged: whoever tries a stolen code uses it up.
    let Some(Record::Code(code)) = store.take(&format!("code/{code}"), now) else {
        return Err(invalid());
    };
    let challenge = to_base64url(Sha256::digest(verifier.as_bytes()));
    if !(43..=128).contains(&verifier.len()) || !code.matches(client_id, redirect_uri, &challenge) {
        return Err(invalid());
    }
    Ok(Token {
        with_identifiers: code.by_details(),
        configurations: code.request.configurations().to_vec(),
        subject: code.subject,
        client_id: Some(client_id.to_owned()),
    })
}
