//! did:jwk: the identifier is a JWK in base64url.

use serde_json::Value;

use super::rules::*;
use super::{Did, DidDocument, KeyForm, Relationship};
use crate::jose::PublicKey;
use crate::json::{self, JsonLimits, from_base64url, to_base64url};
use crate::refusal::Refusal;

const LIMITS: JsonLimits = JsonLimits {
    bytes_max: 1536,
    depth_max: 4,
};

/// The did:jwk of a key.
pub fn did_of(key: &PublicKey) -> Did {
    Did::parse(&format!(
        "did:jwk:{}",
        to_base64url(key.to_jwk().to_string())
    ))
    .expect("base64url is a DID's identifier")
}

/// The JWK of a did:jwk, as it stands there.
///
/// # Errors
/// `did.method-unsupported` for another method, `did.malformed`.
pub fn jwk_of(did: &Did) -> Result<Value, Refusal> {
    if did.method() != "jwk" {
        return Err(DID_METHOD.because(did));
    }
    from_base64url(did.id())
        .and_then(|text| json::parse(&text, LIMITS))
        .map_err(|refusal| DID_MALFORMED.because(refusal.code()))
}

/// The key of a did:jwk.
///
/// # Errors
/// As [`jwk_of`]; `jose.key-unsupported` for another kind of key.
pub fn key_of(did: &Did) -> Result<PublicKey, Refusal> {
    PublicKey::from_jwk(&jwk_of(did)?).map_err(|refusal| {
        if refusal.rule() == crate::jose::rules::KEY_UNSUPPORTED {
            refusal
        } else {
            DID_MALFORMED.because(refusal.code())
        }
    })
}

/// The document of a did:jwk: one key, `#0`, that may do what its `use` allows.
///
/// # Errors
/// As [`key_of`].
pub fn document(did: &Did) -> Result<DidDocument, Refusal> {
    let usage = jwk_of(did)?;
    let usage = usage.get("use").and_then(Value::as_str);
    let key = key_of(did)?;
    let mut relationships = Vec::new();
    if usage != Some("enc") {
        relationships.extend([
            Relationship::Authentication,
            Relationship::AssertionMethod,
            Relationship::CapabilityInvocation,
            Relationship::CapabilityDelegation,
        ]);
    }
    // An Ed25519 key cannot agree on a key.
    if usage != Some("sig") && key.as_ed25519().is_none() {
        relationships.push(Relationship::KeyAgreement);
    }
    Ok(DidDocument::new(did.clone()).with_key("0", key, KeyForm::JsonWebKey, &relationships))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// The P-256 example of the did:jwk specification.
    const EXAMPLE: &str = "did:jwk:eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImFjYklRaXVNczNpOF91c3pFakoydHBUdFJNNEVVM3l6OTFQSDZDZEgyVjAiLCJ5IjoiX0tjeUxqOXZXTXB0bm1LdG00NkdxRHo4d2Y3NEk1TEtncmwyR3pIM25TRSJ9";

    #[test]
    fn the_example_of_the_specification() {
        let did = Did::parse(EXAMPLE).unwrap();
        assert_eq!(
            jwk_of(&did).unwrap()["x"],
            "acbIQiuMs3i8_uszEjJ2tpTtRM4EU3yz91PH6CdH2V0"
        );
        let document = document(&did).unwrap();
        assert_eq!(document.methods[0].id, format!("{EXAMPLE}#0"));
        assert_eq!(document.relationships.len(), 5);
        assert_eq!(
            key_of(&did_of(&key_of(&did).unwrap())).unwrap(),
            key_of(&did).unwrap()
        );
    }

    #[test]
    fn the_use_of_a_key_limits_it() {
        let jwk = |usage: &str| {
            let mut jwk = jwk_of(&Did::parse(EXAMPLE).unwrap()).unwrap();
            jwk["use"] = json!(usage);
            document(&Did::parse(&format!("did:jwk:{}", to_base64url(jwk.to_string()))).unwrap())
                .unwrap()
        };
        assert!(
            jwk("enc")
                .relationships
                .iter()
                .all(|(one, _)| *one == Relationship::KeyAgreement)
        );
        assert!(
            jwk("sig")
                .relationships
                .iter()
                .all(|(one, _)| *one != Relationship::KeyAgreement)
        );
    }

    proptest! {
        #[test]
        fn random_identifiers_never_panic(id in "[A-Za-z0-9_-]{1,60}", text in "[{}\":a-z,0-9]{1,60}") {
            for id in [id, to_base64url(text)] {
                let _ = document(&Did::parse(&format!("did:jwk:{id}")).unwrap());
            }
        }
    }
}
