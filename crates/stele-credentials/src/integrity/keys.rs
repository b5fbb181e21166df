//! Keys of proofs, and the controller documents that say whose they are (W3C Controlled Identifiers 1.0).

use std::fmt;

use serde_json::Value;

use crate::did;
use crate::jose::PublicKey;
use crate::refusal::Refusal;

use super::proof::Purpose;
use super::rules::{CONTROLLER_UNKNOWN, KEY_MALFORMED, KEY_NOT_LISTED};

/// Multicodec `bls12_381-g2-pub`.
const BLS12381_G2: [u8; 2] = [0xeb, 0x01];
/// Bytes of a BBS public key.
pub const BBS_PUBLIC_BYTES: usize = 96;
/// A key of 98 bytes has at most 135 digits in base 58; longer text is refused before decoding, which is quadratic.
const MULTIBASE_CHARACTERS_MAX: usize = 140;

/// The public key of a proof.
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one or two live at a time, and the larger kind is the common one"
)]
pub enum ProofKey {
    /// Ed25519 or P-256.
    Signature(PublicKey),
    /// BBS over BLS12-381, the compressed point of G2.
    Bbs(Box<[u8; BBS_PUBLIC_BYTES]>),
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofKey({})", self.to_multibase())
    }
}

impl ProofKey {
    /// Reads a Multikey's `publicKeyMultibase`.
    ///
    /// # Errors
    /// `integrity.key-malformed`, or those of [`did::key::from_multibase`].
    pub fn from_multibase(text: &str) -> Result<Self, Refusal> {
        let digits = text
            .strip_prefix('z')
            .filter(|digits| digits.len() <= MULTIBASE_CHARACTERS_MAX)
            .ok_or_else(|| KEY_MALFORMED.because("not a Multikey"))?;
        let bytes = bs58::decode(digits).into_vec();
        let bytes = bytes.map_err(|error| KEY_MALFORMED.because(error))?;
        match bytes.split_first_chunk::<2>() {
            Some((&BLS12381_G2, key)) => {
                let key = key
                    .try_into()
                    .map_err(|_| KEY_MALFORMED.because("a BBS key has 96 bytes"))?;
                Ok(Self::Bbs(Box::new(key)))
            }
            _ => did::key::from_multibase(text).map(Self::Signature),
        }
    }

    /// Writes what [`Self::from_multibase`] reads.
    pub fn to_multibase(&self) -> String {
        match self {
            Self::Signature(key) => did::key::to_multibase(key),
            Self::Bbs(key) => {
                let bytes = [BLS12381_G2.as_slice(), key.as_slice()].concat();
                format!("z{}", bs58::encode(bytes).into_string())
            }
        }
    }

    /// The did:key of this key.
    pub fn did(&self) -> String {
        format!("did:key:{}", self.to_multibase())
    }

    /// The name of this key within its did:key.
    pub fn did_url(&self) -> String {
        let key = self.to_multibase();
        format!("did:key:{key}#{key}")
    }
}

/// The controller document of a did:key, for signatures and BBS; none for anything else.
pub fn did_key_document(controller: &str) -> Option<Value> {
    let multibase = controller.strip_prefix("did:key:")?;
    let key = ProofKey::from_multibase(multibase).ok()?;
    Some(controller_document(controller, &key.did_url(), &key))
}

/// A controller document with one key, for assertion and authentication.
pub fn controller_document(controller: &str, method: &str, key: &ProofKey) -> Value {
    serde_json::json!({
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": controller,
        "verificationMethod": [{
            "id": method,
            "type": "Multikey",
            "controller": controller,
            "publicKeyMultibase": key.to_multibase(),
        }],
        "assertionMethod": [method],
        "authentication": [method],
    })
}

/// The controller of a verification method: its URL without the fragment.
pub fn controller_of(method: &str) -> &str {
    method
        .split_once('#')
        .map_or(method, |(controller, _)| controller)
}

/// Finds a verification method in its controller's document, listed for this purpose (Controlled Identifiers 1.0
/// section 3.3, "retrieve verification method").
///
/// # Errors
/// `integrity.controller-unknown` if the document is another's; `integrity.key-not-listed`; `integrity.key-malformed`.
pub fn key_for(document: &Value, method: &str, purpose: Purpose) -> Result<ProofKey, Refusal> {
    let controller = controller_of(method);
    if document.get("id").and_then(Value::as_str) != Some(controller) {
        return Err(
            CONTROLLER_UNKNOWN.because(format_args!("the document is not that of {controller}"))
        );
    }
    let is_method = |id: &str| {
        id == method
            || (id.starts_with('#')
                && method.ends_with(id)
                && method.len() == controller.len() + id.len())
    };
    let named = |item: &Value| {
        item.get("id")
            .and_then(Value::as_str)
            .is_some_and(is_method)
    };
    let items = |name: &str| {
        document
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
    };
    let listed = items(purpose.name())
        .iter()
        .find(|item| item.as_str().map_or_else(|| named(item), is_method))
        .ok_or_else(|| KEY_NOT_LISTED.because(format_args!("{method} for {}", purpose.name())))?;
    let found = if listed.is_object() {
        Some(listed)
    } else {
        items("verificationMethod").iter().find(|item| named(item))
    };
    let found = found.ok_or_else(|| KEY_NOT_LISTED.because(method))?;
    // A key that someone else controls says nothing about this controller.
    if found
        .get("controller")
        .is_some_and(|other| other.as_str() != Some(controller))
    {
        return Err(KEY_NOT_LISTED.because(format_args!("{method} is another's")));
    }
    match (found.get("publicKeyMultibase"), found.get("publicKeyJwk")) {
        (Some(Value::String(text)), None) => ProofKey::from_multibase(text),
        (None, Some(jwk)) => PublicKey::from_jwk(jwk).map(ProofKey::Signature),
        _ => Err(KEY_MALFORMED.because("the method has no key in a known form")),
    }
}
