//! did:key: the identifier is the key (W3C CCG did:key 0.9), for Ed25519 and P-256.

use super::rules::*;
use super::{Did, DidDocument, KeyForm, Relationship};
use crate::jose::PublicKey;
use crate::jose::rules::{KEY_MALFORMED, KEY_UNSUPPORTED};
use crate::refusal::Refusal;

/// Multicodec `ed25519-pub`.
const ED25519: [u8; 2] = [0xed, 0x01];
/// Multicodec `p256-pub`.
const P256: [u8; 2] = [0x80, 0x24];
/// A compressed P-256 key with its prefix has at most 49 digits; longer text is refused before base 58, which is quadratic.
const MULTIBASE_BYTES_MAX: usize = 64;

/// Writes a key as multibase: `z`, then base 58 of the multicodec prefix and the key.
pub fn to_multibase(key: &PublicKey) -> String {
    let mut bytes = Vec::with_capacity(35);
    if let Some(ed25519) = key.as_ed25519() {
        bytes.extend_from_slice(&ED25519);
        bytes.extend_from_slice(ed25519);
    } else if let Some(p256) = key.to_compressed_p256() {
        bytes.extend_from_slice(&P256);
        bytes.extend_from_slice(&p256);
    }
    format!("z{}", bs58::encode(bytes).into_string())
}

/// Reads what [`to_multibase`] writes.
///
/// # Errors
/// `jose.key-unsupported` for another multicodec or base, `jose.key-malformed`, `jose.key-weak`.
pub fn from_multibase(text: &str) -> Result<PublicKey, Refusal> {
    let digits = text
        .strip_prefix('z')
        .filter(|digits| digits.len() <= 4 * MULTIBASE_BYTES_MAX)
        .ok_or_else(|| KEY_UNSUPPORTED.because("not in base 58"))?;
    let bytes = bs58::decode(digits).into_vec();
    let bytes = bytes.map_err(|error| KEY_MALFORMED.because(error))?;
    match bytes.split_first_chunk::<2>() {
        Some((&ED25519, key)) => PublicKey::from_ed25519(key),
        Some((&P256, key)) if key.len() == 33 => PublicKey::from_sec1(key),
        Some((&P256, _)) => Err(KEY_MALFORMED.because("a compressed P-256 key has 33 bytes")),
        _ => Err(KEY_UNSUPPORTED.because("another multicodec")),
    }
}

/// The did:key of a key.
pub fn did_of(key: &PublicKey) -> Did {
    Did::parse(&format!("did:key:{}", to_multibase(key)))
        .expect("a multibase key is a DID's identifier")
}

/// The key of a did:key.
///
/// # Errors
/// `did.method-unsupported` for another method, `did.malformed` if there is no key in it, `jose.key-unsupported`.
pub fn key_of(did: &Did) -> Result<PublicKey, Refusal> {
    if did.method() != "key" {
        return Err(DID_METHOD.because(did));
    }
    from_multibase(did.id()).map_err(|refusal| {
        if refusal.rule() == KEY_UNSUPPORTED {
            refusal
        } else {
            DID_MALFORMED.because(refusal.code())
        }
    })
}

/// The document of a did:key.
///
/// # Errors
/// As [`key_of`].
pub fn document(did: &Did) -> Result<DidDocument, Refusal> {
    let relationships = [
        Relationship::Authentication,
        Relationship::AssertionMethod,
        Relationship::CapabilityInvocation,
        Relationship::CapabilityDelegation,
    ];
    Ok(DidDocument::new(did.clone()).with_key(
        did.id(),
        key_of(did)?,
        KeyForm::Multikey,
        &relationships,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Signer as _;
    use proptest::prelude::*;
    use stele_core::suite::{SigningKey, Suite};

    /// From the specification's test vectors: the seed of zeros, and a P-256 key.
    #[test]
    fn the_vectors_of_the_specification() {
        let key = SigningKey::from_seed(Suite::Ed25519, &[0; 32])
            .unwrap()
            .public_key();
        assert_eq!(
            did_of(&key).as_str(),
            "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
        );
        let did = Did::parse("did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169").unwrap();
        let key = key_of(&did).unwrap();
        assert_eq!(did_of(&key), did);
        assert_eq!(key.algorithm(), "ES256");
    }

    #[test]
    fn the_document_lists_the_key() {
        let did = Did::parse("did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp").unwrap();
        let document = document(&did).unwrap();
        let key = document.key_for(Relationship::AssertionMethod, &did.with_fragment(did.id()));
        assert_eq!(key.unwrap(), &key_of(&did).unwrap());
    }

    #[test]
    fn refuses_did_keys_without_a_key() {
        for id in [
            "z",
            "z6Mk",
            "z0OIl",
            "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWpX",
        ] {
            let did = Did::parse(&format!("did:key:{id}")).unwrap();
            let rule = key_of(&did).unwrap_err().rule();
            assert!(rule == DID_MALFORMED || rule == KEY_UNSUPPORTED, "{id}");
        }
    }

    proptest! {
        #[test]
        fn random_multibase_never_panics(text in "z?[1-9A-Za-z]{0,60}") {
            if let Ok(key) = from_multibase(&text) {
                prop_assert_eq!(to_multibase(&key), text);
            }
        }
    }
}
