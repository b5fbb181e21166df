//! The issuer: hide the claims that a frame names, and sign the rest.

use rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use super::disclosure::{digest, is_reserved};
use super::rules::*;
use super::{DIGEST_ALGORITHM, DISCLOSURES_MAX, Frame, StatusReference, TYPE};
use crate::jose::{self, PublicKey, Signer};
use crate::json::{push_base64url, to_base64url};
use crate::refusal::Refusal;

/// A salt has 128 bits (RFC 9901 section 9.3).
const SALT_BYTES: usize = 16;
/// Deeper claims could not be read again under the default limits.
const DEPTH_MAX: usize = 24;
/// What an SD-JWT VC never hides (draft-ietf-oauth-sd-jwt-vc section 3.2.2.2).
const ALWAYS_OPEN: [&str; 7] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status"];

/// A credential to issue as SD-JWT VC. Times are seconds since 1970.
#[derive(Debug, Clone)]
pub struct Issuance<'a> {
    /// The kind of credential, a URI mostly.
    pub vct: &'a str,
    /// The issuer, a URI or DID; `None` if the key says it, as with a certificate.
    pub issuer: Option<&'a str>,
    /// The key's name in the header, such as a DID URL.
    pub key_id: Option<&'a str>,
    /// When it is issued.
    pub issued_at: u64,
    /// From when it is valid.
    pub not_before: Option<u64>,
    /// Until when it is valid.
    pub expires_at: Option<u64>,
    /// The holder's key; without one anybody may present the credential.
    pub holder: Option<&'a PublicKey>,
    /// Where its status is published.
    pub status: Option<&'a StatusReference>,
}

impl Issuance<'_> {
    /// Issues the credential with these claims; returns the compact form with all disclosures, ending in `~`.
    ///
    /// # Errors
    /// `credential.claim-always-open` if the frame hides what verifiers need, those of [`issue`], and the signer's.
    pub fn issue<R: CryptoRng + ?Sized>(
        &self,
        claims: Map<String, Value>,
        frame: &Frame,
        signer: &dyn Signer,
        rng: &mut R,
    ) -> Result<String, Refusal> {
        if let Some(name) = ALWAYS_OPEN.iter().find(|name| frame.member(name).is_some()) {
            return Err(CLAIM_ALWAYS_OPEN.because(name));
        }
        let mut payload = Map::with_capacity(claims.len() + 8);
        if let Some(issuer) = self.issuer {
            payload.insert("iss".to_owned(), issuer.into());
        }
        payload.insert("vct".to_owned(), self.vct.into());
        payload.insert("iat".to_owned(), self.issued_at.into());
        if let Some(time) = self.not_before {
            payload.insert("nbf".to_owned(), time.into());
        }
        if let Some(time) = self.expires_at {
            payload.insert("exp".to_owned(), time.into());
        }
        if let Some(holder) = self.holder {
            payload.insert("cnf".to_owned(), json!({"jwk": holder.to_jwk()}));
        }
        if let Some(status) = self.status {
            payload.insert("status".to_owned(), status.to_json());
        }
        for (name, value) in claims {
            if payload.contains_key(&name) {
                return Err(CLAIM_COLLISION.because(name));
            }
            payload.insert(name, value);
        }
        let mut header = Map::with_capacity(2);
        header.insert("typ".to_owned(), TYPE.into());
        if let Some(key_id) = self.key_id {
            header.insert("kid".to_owned(), key_id.into());
        }
        issue(payload, frame, &header, signer, rng)
    }
}

/// Issues any SD-JWT: hides the claims of `frame` in `payload`, signs the rest under `header`.
///
/// # Errors
/// `credential.claim-reserved` if a claim has a name that the format keeps, `json.too-deep`, `credential.malformed` for too
/// many disclosures, and the signer's.
pub fn issue<R: CryptoRng + ?Sized>(
    payload: Map<String, Value>,
    frame: &Frame,
    header: &Map<String, Value>,
    signer: &dyn Signer,
    rng: &mut R,
) -> Result<String, Refusal> {
    if payload.contains_key("_sd_alg") {
        return Err(CLAIM_RESERVED.because("_sd_alg"));
    }
    let mut work = Work {
        disclosures: String::new(),
        count: 0,
        rng,
    };
    let mut payload = work.conceal_object(payload, Some(frame), DEPTH_MAX)?;
    payload.insert("_sd_alg".to_owned(), DIGEST_ALGORITHM.into());
    let Work { disclosures, .. } = work;
    let mut text = jose::sign(
        header,
        Value::Object(payload).to_string().as_bytes(),
        signer,
    )?;
    text.push('~');
    text.push_str(&disclosures);
    Ok(text)
}

struct Work<'a, R: ?Sized> {
    /// Each ends in `~`.
    disclosures: String,
    count: usize,
    rng: &'a mut R,
}

impl<R: CryptoRng + ?Sized> Work<'_, R> {
    fn conceal(
        &mut self,
        value: Value,
        frame: Option<&Frame>,
        depth: usize,
    ) -> Result<Value, Refusal> {
        let deeper = || {
            depth
                .checked_sub(1)
                .ok_or_else(|| crate::json::rules::JSON_TOO_DEEP.refuse())
        };
        match value {
            Value::Object(object) => Ok(Value::Object(self.conceal_object(
                object,
                frame,
                deeper()?,
            )?)),
            Value::Array(items) => {
                let depth = deeper()?;
                let mut array = Vec::with_capacity(items.len());
                for (index, item) in items.into_iter().enumerate() {
                    let frame = frame.and_then(|frame| frame.element(index));
                    let item = self.conceal(item, frame, depth)?;
                    array.push(match frame {
                        Some(frame) if frame.disclosable => {
                            let mut stub = Map::with_capacity(1);
                            stub.insert("...".to_owned(), self.disclose(None, &item)?.into());
                            Value::Object(stub)
                        }
                        _ => item,
                    });
                }
                Ok(Value::Array(array))
            }
            plain => Ok(plain),
        }
    }

    fn conceal_object(
        &mut self,
        object: Map<String, Value>,
        frame: Option<&Frame>,
        depth: usize,
    ) -> Result<Map<String, Value>, Refusal> {
        let mut open = Map::with_capacity(object.len());
        let mut digests = Vec::new();
        for (name, value) in object {
            if is_reserved(&name) {
                return Err(CLAIM_RESERVED.because(name));
            }
            let frame = frame.and_then(|frame| frame.member(&name));
            let value = self.conceal(value, frame, depth)?;
            if frame.is_some_and(|frame| frame.disclosable) {
                digests.push(self.disclose(Some(&name), &value)?);
            } else {
                open.insert(name, value);
            }
        }
        if !digests.is_empty() {
            for _ in 0..frame.map_or(0, |frame| frame.decoys) {
                let mut random = [0; 32];
                self.rng.fill_bytes(&mut random);
                // The digest of a random text looks like any other.
                digests.push(digest(&to_base64url(random)));
            }
            // The order of digests shall not tell the order of claims (RFC 9901 section 4.2.4.1).
            digests.sort_unstable();
            open.insert("_sd".to_owned(), digests.into());
        }
        Ok(open)
    }

    /// Writes a disclosure and returns its digest.
    fn disclose(&mut self, name: Option<&str>, value: &Value) -> Result<String, Refusal> {
        self.count += 1;
        if self.count > DISCLOSURES_MAX {
            return Err(MALFORMED.because(format_args!("more than {DISCLOSURES_MAX} disclosures")));
        }
        let mut salt = [0; SALT_BYTES];
        self.rng.fill_bytes(&mut salt);
        let salt = to_base64url(salt);
        let array = match name {
            Some(name) => serde_json::to_vec(&(salt, name, value)),
            None => serde_json::to_vec(&(salt, value)),
        };
        let array = array.map_err(|error| crate::json::rules::JSON_MALFORMED.because(error))?;
        let start = self.disclosures.len();
        push_base64url(array, &mut self.disclosures);
        let digest = digest(&self.disclosures[start..]);
        self.disclosures.push('~');
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::json::rules::JSON_TOO_DEEP;

    #[test]
    fn refuses_reserved_claims() {
        for claims in [
            json!({"_sd": []}),
            json!({"a": {"...": 1}}),
            json!({"a": [{"_sd": 1}]}),
            json!({"_sd_alg": "x"}),
        ] {
            let refusal = issue_claims(claims, &Frame::default()).unwrap_err();
            assert_eq!(refusal.rule(), CLAIM_RESERVED);
        }
    }

    #[test]
    fn refuses_to_conceal_what_verifiers_need() {
        for name in ["iss", "exp", "vct", "status", "cnf", "nbf"] {
            let refusal = issue_claims(json!({}), &Frame::of_names(&[name])).unwrap_err();
            assert_eq!(refusal.rule(), CLAIM_ALWAYS_OPEN);
        }
    }

    #[test]
    fn refuses_claims_too_deep_to_be_read_again() {
        let mut value = json!(1);
        for _ in 0..30 {
            value = json!([value]);
        }
        let refusal = issue_claims(json!({"a": value}), &Frame::default()).unwrap_err();
        assert_eq!(refusal.rule(), JSON_TOO_DEEP);
    }

    #[test]
    fn digests_are_sorted_and_decoys_are_added() {
        let text = issue_claims(
            json!({"a": 1, "b": 2}),
            &Frame::of_names(&["a", "b"]).with_decoys(3),
        )
        .unwrap();
        let jws = jose::Jws::parse(text.split('~').next().unwrap()).unwrap();
        let claims = jws.claims(crate::json::JsonLimits::default()).unwrap();
        let digests: Vec<&str> = claims["_sd"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item.as_str().unwrap())
            .collect();
        assert_eq!((digests.len(), text.matches('~').count()), (5, 3));
        assert!(digests.is_sorted() && digests.iter().all(|digest| digest.len() == 43));
    }
}
