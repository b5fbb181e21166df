//! A wallet's side of OpenID4VP 1.0: who asks, for what, and the encrypted answer.

use rand_core::CryptoRng;
use serde_json::{Map, Value};

use super::Form;
use super::dcql::Query;
use super::rules::*;
use super::verifier::{AUDIENCE_ANY_WALLET, PREFIX_DID, TYPE_REQUEST};
use crate::did::{Did, DidUrl, Relationship, ResolutionOptions, Resolver};
use crate::jose::{Encryption, Jws, PublicKey, encrypt};
use crate::json::JsonLimits;
use crate::refusal::Refusal;

const LIMITS: JsonLimits = JsonLimits {
    bytes_max: 256 << 10,
    depth_max: 16,
};

/// What a QR code or link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLink {
    /// The verifier, as it names itself.
    pub client_id: String,
    /// Where the signed request lies.
    pub request_uri: String,
    /// Whether it is to be fetched by POST with a `wallet_nonce`.
    pub by_post: bool,
}

impl RequestLink {
    /// Reads a link such as `openid4vp://?client_id=...&request_uri=...`.
    ///
    /// # Errors
    /// `presentation.request-malformed`; `presentation.address` unless the request lies at an https address.
    pub fn parse(link: &str, allow_http: bool) -> Result<Self, Refusal> {
        let (_, query) = link
            .split_once('?')
            .ok_or_else(|| malformed("no parameters"))?;
        let form = Form::parse(query).map_err(|fault| malformed(fault.description))?;
        let need = |name: &str| {
            form.get(name)
                .map(str::to_owned)
                .ok_or_else(|| malformed(format_args!("{name} is missing")))
        };
        let request_uri = need("request_uri")?;
        check_address(&request_uri, allow_http)?;
        Ok(Self {
            client_id: need("client_id")?,
            request_uri,
            by_post: form.get("request_uri_method") == Some("post"),
        })
    }
}

/// How a wallet reads requests.
#[derive(Clone, Copy)]
pub struct RequestExpectation<'a> {
    /// The `client_id` of the link.
    pub client_id: &'a str,
    /// The `wallet_nonce` that was sent, if one was.
    pub wallet_nonce: Option<&'a str>,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// How far two clocks may differ, in seconds.
    pub skew_seconds: u64,
    /// Whether addresses without TLS are accepted: on one machine only.
    pub allow_http: bool,
}

/// A verified request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The verifier, whom the key binding names.
    pub client_id: String,
    /// The verifier's DID, which signed.
    pub verifier: Did,
    /// The name that it gives itself; show the DID with it.
    pub display_name: Option<String>,
    /// What it asks for.
    pub query: Query,
    /// What the key binding has to repeat.
    pub nonce: String,
    /// Where the answer goes.
    pub response_uri: String,
    state: Option<String>,
    encryption_key: PublicKey,
    encryption_key_id: Option<String>,
    encryption: Encryption,
}

impl Request {
    /// Verifies a signed request against the verifier's own DID document.
    ///
    /// # Errors
    /// Those of [`Jws`] and of the resolver, `presentation.verifier-unproven`, `presentation.request-malformed`,
    /// `presentation.request-expired`, `presentation.address`, `presentation.query-malformed`.
    pub fn verify(
        text: &str,
        resolver: &dyn Resolver,
        expectation: &RequestExpectation<'_>,
    ) -> Result<Self, Refusal> {
        let jws = Jws::parse(text)?;
        jws.check_type(&[TYPE_REQUEST])?;
        let did = expectation.client_id.strip_prefix(PREFIX_DID);
        let did = Did::parse(did.ok_or_else(|| UNPROVEN.because(expectation.client_id))?)?;
        let kid = jws
            .header_text("kid")
            .ok_or_else(|| UNPROVEN.because("no kid"))?;
        if DidUrl::parse(kid)?.did != did {
            return Err(UNPROVEN.because(kid));
        }
        let resolution = resolver.resolve(&did, &ResolutionOptions::default());
        let document = resolution.active_document()?;
        // The specification names no relationship; a request proves who asks.
        let key = document
            .key_for(Relationship::Authentication, kid)
            .or_else(|_| document.key_for(Relationship::AssertionMethod, kid))?;
        jws.verify(key)?;
        Self::read(&jws.claims(LIMITS)?, did, expectation)
    }

    fn read(
        claims: &Map<String, Value>,
        verifier: Did,
        expectation: &RequestExpectation<'_>,
    ) -> Result<Self, Refusal> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let need =
            |name: &str| text(name).ok_or_else(|| malformed(format_args!("{name} is missing")));
        if need("client_id")? != expectation.client_id {
            return Err(UNPROVEN.because("the request names another client_id than the link"));
        }
        for (name, expected) in [
            ("response_type", "vp_token"),
            ("response_mode", "direct_post.jwt"),
            ("aud", AUDIENCE_ANY_WALLET),
        ] {
            if need(name)? != expected {
                return Err(malformed(format_args!("{name} is not {expected}")));
            }
        }
        if expectation.wallet_nonce.is_some() && text("wallet_nonce") != expectation.wallet_nonce {
            return Err(EXPIRED_REQUEST.because("wallet_nonce"));
        }
        let late = |time: &Value| {
            time.as_u64()
                .is_none_or(|time| expectation.now >= time.saturating_add(expectation.skew_seconds))
        };
        if claims.get("exp").is_some_and(late) {
            return Err(EXPIRED_REQUEST.refuse());
        }
        let response_uri = need("response_uri")?.to_owned();
        check_address(&response_uri, expectation.allow_http)?;
        let metadata = claims.get("client_metadata").unwrap_or(&Value::Null);
        let keys = metadata
            .pointer("/jwks/keys")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let usable = keys.iter().take(16).find_map(|jwk| {
            let is_for_us = jwk.get("alg").is_none_or(|alg| alg == "ECDH-ES");
            let key = PublicKey::from_jwk(jwk)
                .ok()
                .filter(|key| is_for_us && key.as_ed25519().is_none())?;
            Some((key, jwk.get("kid").and_then(Value::as_str)))
        });
        let (encryption_key, encryption_key_id) =
            usable.ok_or_else(|| malformed("no key to encrypt for"))?;
        let names = metadata
            .get("encrypted_response_enc_values_supported")
            .and_then(Value::as_array);
        let encryption = match names {
            // The default of OpenID4VP section 8.3.
            None => Some(Encryption::A128Gcm),
            Some(names) => names
                .iter()
                .filter_map(Value::as_str)
                .find_map(Encryption::from_name),
        };
        Ok(Self {
            client_id: expectation.client_id.to_owned(),
            verifier,
            display_name: metadata
                .get("client_name")
                .and_then(Value::as_str)
                .map(str::to_owned),
            query: Query::from_json(
                claims
                    .get("dcql_query")
                    .ok_or_else(|| malformed("no dcql_query"))?,
            )?,
            nonce: need("nonce")?.to_owned(),
            response_uri,
            state: text("state").map(str::to_owned),
            encryption_key,
            encryption_key_id: encryption_key_id.map(str::to_owned),
            encryption: encryption.ok_or_else(|| malformed("no encryption in common"))?,
        })
    }

    /// The form to post to the verifier: for each query its presentations.
    ///
    /// # Errors
    /// None for a request that was verified.
    pub fn answer<R: CryptoRng + ?Sized>(
        &self,
        presentations: &[(&str, Vec<String>)],
        rng: &mut R,
    ) -> Result<Form, Refusal> {
        let token: Map<String, Value> = presentations
            .iter()
            .map(|(query, texts)| ((*query).to_owned(), texts.clone().into()))
            .collect();
        self.seal("vp_token", Value::Object(token), rng)
    }

    /// The form that declines, with an error of OAuth such as `access_denied`.
    ///
    /// # Errors
    /// As [`Request::answer`].
    pub fn decline<R: CryptoRng + ?Sized>(
        &self,
        error: &str,
        rng: &mut R,
    ) -> Result<Form, Refusal> {
        self.seal("error", error.into(), rng)
    }

    fn seal<R: CryptoRng + ?Sized>(
        &self,
        name: &str,
        value: Value,
        rng: &mut R,
    ) -> Result<Form, Refusal> {
        let mut payload = Map::new();
        payload.insert(name.to_owned(), value);
        if let Some(state) = &self.state {
            payload.insert("state".to_owned(), state.as_str().into());
        }
        let content = Value::Object(payload).to_string();
        let kid = self.encryption_key_id.as_deref().map(|kid| ("kid", kid));
        let header: Vec<(&str, &str)> = kid.into_iter().collect();
        let text = encrypt(
            content.as_bytes(),
            &self.encryption_key,
            self.encryption,
            &header,
            rng,
        )?;
        Ok(Form::of(&[("response", &text)]))
    }
}

fn malformed(detail: impl core::fmt::Display) -> Refusal {
    REQUEST_MALFORMED.because(detail)
}

fn check_address(address: &str, allow_http: bool) -> Result<(), Refusal> {
    let good = address.starts_with("https://") || (allow_http && address.starts_with("http://"));
    if good {
        Ok(())
    } else {
        Err(ADDRESS.because(address))
    }
}
