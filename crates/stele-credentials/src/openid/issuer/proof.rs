//! Key proofs of the type `jwt` (OpenID4VCI section 8.2.1.1 and appendix F.1).

use serde_json::Value;

use super::Issuer;
use super::token::Token;
use crate::did::{DidUrl, jwk, key};
use crate::jose::{self, Jws, PublicKey};
use crate::json::JsonLimits;
use crate::openid::{Fault, Store};
use crate::refusal::Refusal;

const TYPE: &str = "openid4vci-proof+jwt";
const LIMITS: JsonLimits = JsonLimits {
    bytes_max: 64 << 10,
    depth_max: 8,
};
/// How long a proof made before the request is good, in seconds; the nonce bounds it anyway.
const AGE_SECONDS_MAX: u64 = 600;

impl Issuer {
    /// Verifies all proofs of a request, and uses up their nonce. Returns one key for each.
    pub(super) fn verify_proofs(
        &self,
        request: &Value,
        token: &Token,
        store: &mut dyn Store,
        now: u64,
    ) -> Result<Vec<PublicKey>, Fault> {
        let invalid = |what: &str| Fault::new("invalid_proof", what);
        let proofs = request.get("proofs").and_then(Value::as_object);
        let proofs =
            proofs.ok_or_else(|| invalid("The request holds no proofs of the holder's keys."))?;
        let texts = match (proofs.len(), proofs.get("jwt").and_then(Value::as_array)) {
            (1, Some(texts)) if !texts.is_empty() => texts,
            _ => return Err(invalid("Proofs of exactly one type, jwt, are expected.")),
        };
        if texts.len() > self.batch_max.max(1) {
            return Err(Fault::new(
                "invalid_credential_request",
                format!("At most {} credentials are issued at once.", self.batch_max),
            ));
        }
        let texts: Option<Vec<&str>> = texts.iter().map(Value::as_str).collect();
        let texts = texts.ok_or_else(|| invalid("A proof is a text."))?;
        let refused = |refusal: Refusal| Fault::from_refusal("invalid_proof", &refusal);
        let mut parsed = Vec::with_capacity(texts.len());
        for text in texts {
            let jws = Jws::parse(text).map_err(refused)?;
            jws.check_type(&[TYPE]).map_err(refused)?;
            let key = key_of(&jws)?;
            if parsed.iter().any(|(_, found)| *found == key) {
                return Err(invalid("Two proofs are of the same key."));
            }
            parsed.push((jws, key));
        }
        let items: Vec<_> = parsed.iter().map(|(jws, key)| (jws, key)).collect();
        jose::verify_batch(&items)
            .into_iter()
            .collect::<Result<(), Refusal>>()
            .map_err(refused)?;
        let mut nonce: Option<String> = None;
        for (jws, _) in &parsed {
            let claims = jws.claims(LIMITS).map_err(refused)?;
            let text = |name: &str| claims.get(name).and_then(Value::as_str);
            let for_us = match claims.get("aud") {
                Some(Value::Array(audiences)) => audiences
                    .iter()
                    .any(|one| one.as_str() == Some(&self.identifier)),
                aud => aud.and_then(Value::as_str) == Some(&self.identifier),
            };
            if !for_us {
                return Err(invalid("The proof is meant for another issuer."));
            }
            // With a pre-authorised code the wallet is anonymous, so iss says nothing and is not read.
            let other_client = token.client_id.is_some()
                && text("iss").is_some()
                && text("iss") != token.client_id.as_deref();
            if other_client {
                return Err(invalid("The proof names another client."));
            }
            let issued_at = claims
                .get("iat")
                .and_then(Value::as_u64)
                .ok_or_else(|| invalid("The proof has no iat."))?;
            let oldest = now.saturating_sub(AGE_SECONDS_MAX + self.skew_seconds);
            if !(oldest..=now.saturating_add(self.skew_seconds)).contains(&issued_at) {
                return Err(invalid("The proof is too old, or its clock is wrong."));
            }
            let found = text("nonce").ok_or_else(|| invalid("The proof has no nonce."))?;
            if nonce.get_or_insert_with(|| found.to_owned()) != found {
                return Err(invalid("The proofs of one request have one nonce."));
            }
        }
        self.use_nonce(&nonce.unwrap_or_default(), store, now)?;
        Ok(parsed.into_iter().map(|(_, key)| key).collect())
    }
}

/// The key that the proof's header holds: `jwk`, or a `kid` of did:key or did:jwk.
fn key_of(jws: &Jws<'_>) -> Result<PublicKey, Fault> {
    let invalid = |what: &str| Fault::new("invalid_proof", what);
    let refused = |refusal: Refusal| Fault::from_refusal("invalid_proof", &refusal);
    match (jws.header().get("jwk"), jws.header_text("kid")) {
        (Some(jwk), None) => PublicKey::from_jwk(jwk).map_err(refused),
        (None, Some(kid)) => {
            let url = DidUrl::parse(kid).map_err(refused)?;
            match url.did.method() {
                "key" => key::key_of(&url.did).map_err(refused),
                "jwk" => jwk::key_of(&url.did).map_err(refused),
                _ => Err(invalid("A kid of did:key or did:jwk is expected.")),
            }
        }
        _ => Err(invalid(
            "The proof names its key by exactly one of jwk and kid.",
        )),
    }
}
