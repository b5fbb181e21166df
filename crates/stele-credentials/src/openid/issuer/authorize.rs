//! The authorisation code flow: PKCE always (RFC 7636, S256), pushed requests if the wallet likes (RFC 9126).

use rand_core::CryptoRng;
use serde_json::{Value, json};

use super::Issuer;
use crate::json::{self, JsonLimits};
use crate::openid::{Answer, Fault, Form, Record, Store, encode_component, new_secret};

const REQUEST_URI_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// A challenge is SHA-256 in base64url.
const CHALLENGE_BYTES: usize = 43;
const DETAILS_LIMITS: JsonLimits = JsonLimits {
    bytes_max: 16 << 10,
    depth_max: 8,
};

/// A wallet that may use the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    /// Where answers may go, compared as texts.
    pub redirect_uris: Vec<String>,
}

/// A wallet's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    client_id: String,
    redirect_uri: String,
    state: Option<String>,
    challenge: String,
    configurations: Vec<String>,
    by_details: bool,
}

impl Authorization {
    /// The kinds of credentials that the wallet asks for, for the consent screen.
    pub fn configurations(&self) -> &[String] {
        &self.configurations
    }
}

/// What an authorisation code gives.
#[derive(Debug, Clone)]
pub struct Code {
    pub(super) subject: String,
    pub(super) request: Authorization,
}

impl Issuer {
    /// The endpoint for pushed requests: 201 with a `request_uri`.
    pub fn push<R: CryptoRng + ?Sized>(
        &self,
        form: &Form,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Answer {
        let mut pushed = || {
            if form.get("request_uri").is_some() {
                return Err(Fault::invalid_request("A pushed request names no other."));
            }
            let request = self.read_request(form)?;
            let handle = new_secret(rng);
            let expires_at = now.saturating_add(self.lifetimes.authorization_seconds);
            store.put(
                format!("pushed/{handle}"),
                Record::Authorization(request),
                expires_at,
                now,
            )?;
            let body = json!({
                "request_uri": format!("{REQUEST_URI_PREFIX}{handle}"),
                "expires_in": self.lifetimes.authorization_seconds,
            });
            Ok(Answer::json(201, body))
        };
        pushed().unwrap_or_else(|fault| fault.answer())
    }

    /// The authorisation endpoint. On success the request waits under a handle while the server authenticates its person.
    ///
    /// # Errors
    /// An answer: a redirect with the error if the wallet is known, and a page's JSON if it is not (RFC 6749 section 4.1.2.1).
    pub fn authorize<R: CryptoRng + ?Sized>(
        &self,
        query: &Form,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Result<(String, Authorization), Answer> {
        let request = match query.get("request_uri") {
            Some(uri) => {
                let handle = uri.strip_prefix(REQUEST_URI_PREFIX).unwrap_or_default();
                match store.take(&format!("pushed/{handle}"), now) {
                    Some(Record::Authorization(request))
                        if query.get("client_id") == Some(&request.client_id) =>
                    {
                        Ok(request)
                    }
                    _ => {
                        return Err(Fault::invalid_request(
                            "The pushed request is unknown, expired or another client's.",
                        )
                        .answer());
                    }
                }
            }
            None => self.read_request(query),
        };
        let handle = new_secret(rng);
        let expires_at = now.saturating_add(self.lifetimes.authorization_seconds);
        let kept = request.and_then(|request| {
            store.put(
                format!("waiting/{handle}"),
                Record::Authorization(request.clone()),
                expires_at,
                now,
            )?;
            Ok((handle, request))
        });
        kept.map_err(|fault| match self.client(query) {
            Ok((_, redirect_uri)) => self.redirect_fault(redirect_uri, query.get("state"), &fault),
            Err(_) => fault.answer(),
        })
    }

    /// The request that waits under a handle, for the page on which the person signs in.
    pub fn waiting<'a>(
        &self,
        handle: &str,
        store: &'a mut dyn Store,
        now: u64,
    ) -> Option<&'a Authorization> {
        match store.get(&format!("waiting/{handle}"), now) {
            Some(Record::Authorization(request)) => Some(request),
            _ => None,
        }
    }

    /// The person was authenticated and agrees: sends the browser back with a code.
    pub fn grant<R: CryptoRng + ?Sized>(
        &self,
        handle: &str,
        subject: &str,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Answer {
        let Some(Record::Authorization(request)) = store.take(&format!("waiting/{handle}"), now)
        else {
            return Fault::invalid_request("The request is unknown, expired or answered.").answer();
        };
        let code = new_secret(rng);
        let mut location = redirect(
            &request.redirect_uri,
            request.state.as_deref(),
            &self.identifier,
        );
        location.push_str(&format!("&code={code}"));
        let expires_at = now.saturating_add(self.lifetimes.code_seconds);
        let record = Code {
            subject: subject.to_owned(),
            request,
        };
        match store.put(
            format!("code/{code}"),
            Record::Code(record),
            expires_at,
            now,
        ) {
            Ok(()) => Answer::redirect(location),
            Err(fault) => fault.answer(),
        }
    }

    /// The person refuses, or could not be authenticated.
    pub fn deny(&self, handle: &str, store: &mut dyn Store, now: u64) -> Answer {
        match store.take(&format!("waiting/{handle}"), now) {
            Some(Record::Authorization(request)) => {
                let fault = Fault::new("access_denied", "The person did not agree.");
                self.redirect_fault(&request.redirect_uri, request.state.as_deref(), &fault)
            }
            _ => Fault::invalid_request("The request is unknown, expired or answered.").answer(),
        }
    }

    fn redirect_fault(&self, redirect_uri: &str, state: Option<&str>, fault: &Fault) -> Answer {
        let mut location = redirect(redirect_uri, state, &self.identifier);
        location.push_str(&format!(
            "&error={}&error_description={}",
            fault.error,
            encode_component(&fault.description)
        ));
        Answer::redirect(location)
    }

    /// The client and its address; without these nobody is redirected anywhere.
    fn client<'a>(&self, form: &'a Form) -> Result<(&'a str, &'a str), Fault> {
        let (id, redirect_uri) = (form.need("client_id")?, form.need("redirect_uri")?);
        let client = self.clients.iter().find(|client| client.id == id);
        let client = client.ok_or_else(|| Fault {
            status: 401,
            ..Fault::new("invalid_client", "The client is unknown.")
        })?;
        if !client.redirect_uris.iter().any(|uri| uri == redirect_uri) {
            return Err(Fault::invalid_request(
                "The redirect_uri is not the client's.",
            ));
        }
        Ok((id, redirect_uri))
    }

    fn read_request(&self, form: &Form) -> Result<Authorization, Fault> {
        let (client_id, redirect_uri) = self.client(form)?;
        if form.need("response_type")? != "code" {
            return Err(Fault::new(
                "unsupported_response_type",
                "Only response_type code is supported.",
            ));
        }
        let challenge = form.need("code_challenge")?;
        // Without a method RFC 7636 means plain, which protects nothing.
        if form.get("code_challenge_method") != Some("S256") || challenge.len() != CHALLENGE_BYTES {
            return Err(Fault::invalid_request(
                "code_challenge_method is S256, and the challenge has 43 letters.",
            ));
        }
        let details = form
            .get("authorization_details")
            .map(|details| self.read_details(details))
            .transpose()?;
        let by_details = details.is_some();
        let mut configurations = details.unwrap_or_default();
        for scope in form
            .get("scope")
            .into_iter()
            .flat_map(|scope| scope.split(' '))
        {
            let of_scope = self
                .configurations
                .iter()
                .filter(|one| one.scope.as_deref() == Some(scope));
            configurations.extend(of_scope.map(|one| one.id.clone()));
        }
        configurations.sort();
        configurations.dedup();
        if configurations.is_empty() {
            return Err(Fault::new(
                "invalid_scope",
                "The request asks for no credential of this issuer.",
            ));
        }
        Ok(Authorization {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            state: form.get("state").map(str::to_owned),
            challenge: challenge.to_owned(),
            configurations,
            by_details,
        })
    }

    /// Reads `authorization_details` (RFC 9396, OpenID4VCI section 5.1.1).
    pub(super) fn read_details(&self, details: &str) -> Result<Vec<String>, Fault> {
        let invalid = |what: &str| Fault::new("invalid_authorization_details", what);
        let details = json::parse(details.as_bytes(), DETAILS_LIMITS)
            .map_err(|refusal| invalid(refusal.sentence()))?;
        let details = details
            .as_array()
            .ok_or_else(|| invalid("A list is expected."))?;
        let ids = details.iter().map(|detail| {
            if detail.get("type").and_then(Value::as_str) != Some("openid_credential") {
                return Err(invalid("The type openid_credential is expected."));
            }
            let id = detail
                .get("credential_configuration_id")
                .and_then(Value::as_str)
                .unwrap_or_default();
            self.configuration(id)
                .map(|one| one.id.clone())
                .ok_or_else(|| invalid("There is no such credential."))
        });
        ids.collect()
    }
}

impl Code {
    pub(super) fn matches(&self, client_id: &str, redirect_uri: &str, challenge: &str) -> bool {
        let request = &self.request;
        (
            request.client_id.as_str(),
            request.redirect_uri.as_str(),
            request.challenge.as_str(),
        ) == (client_id, redirect_uri, challenge)
    }

    pub(super) const fn by_details(&self) -> bool {
        self.request.by_details
    }
}

/// The address with `iss` (RFC 9207), so that a wallet notices a mix-up, and `state`.
fn redirect(redirect_uri: &str, state: Option<&str>, issuer: &str) -> String {
    let mark = if redirect_uri.contains('?') { '&' } else { '?' };
    let mut location = format!("{redirect_uri}{mark}iss={}", encode_component(issuer));
    if let Some(state) = state {
        location.push_str(&format!("&state={}", encode_component(state)));
    }
    location
}
