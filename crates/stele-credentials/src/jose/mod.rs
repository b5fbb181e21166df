//! JOSE with the two algorithms that wallets speak: Ed25519 and ES256.
//!
//! Small on purpose (RFC 8725): no `none`, no algorithm that the key does not imply, no `crit`, no key taken from a URL.
//! Signatures are judged by the core, so Ed25519 follows ZIP-215 and many are verified in one batch.
//!
//! - [`Jws`]: compact form (RFC 7515). [`PublicKey`]: a JWK (RFC 7517) and its thumbprint (RFC 7638). [`Signer`]: who signs.
//! - [`encrypt`], [`DecryptionKey`]: JWE with ECDH-ES and AES-GCM, for answers of wallets.

mod jwe;
mod jws;
mod key;
mod signer;

pub use jwe::{DecryptionKey, Encryption, encrypt};
pub use jws::{Jws, TEXT_BYTES_MAX, sign, sign_json, verify_batch};
pub use key::PublicKey;
pub use signer::Signer;

/// Rules of signatures and keys.
pub mod rules {
    crate::refusal::refusal_table! {
        JWS_MALFORMED: "jose.malformed", refuses_what_is_no_jws,
            "The document is not a signed token of three parts.", "Copy or scan the document again as a whole.";
        ALG_NONE: "jose.alg-none", refuses_alg_none,
            "The document says that it is not signed at all.", "Do not accept it; ask the issuer for a signed document.";
        ALG_UNSUPPORTED: "jose.alg-unsupported", refuses_other_algorithms,
            "The document is signed with an algorithm that is not accepted here.", "Ask the issuer to sign with Ed25519 (EdDSA) or ES256.";
        CRIT_UNKNOWN: "jose.crit-unknown", refuses_critical_headers,
            "The document asks for a critical extension that this program does not know.", "Use a program that knows the extension named in the detail.";
        SIGNATURE: "jose.signature", refuses_bad_signatures,
            "The signature does not fit the document and the key: it was altered, or another key signed it.", "Do not accept it; ask the holder for the original.";
        KEY_ALG: "jose.key-algorithm", refuses_an_algorithm_of_another_key,
            "The document names an algorithm that does not belong to the signer's key.", "Do not accept it; ask the issuer for a correct document.";
        TYPE: "jose.type", refuses_another_type,
            "The document is of another type than the one that is expected here.", "Check that the right document was sent.";
        JWE_MALFORMED: "jose.encrypted-malformed", refuses_what_is_no_jwe,
            "The encrypted message is not in a form that is accepted here.", "Ask the sender to encrypt with ECDH-ES and A128GCM or A256GCM.";
        JWE_UNDECIPHERABLE: "jose.undecipherable", decrypts_what_was_encrypted_for_it,
            "The message was encrypted for somebody else, or was altered.", "Start again and scan the new code.";
        KEY_MALFORMED: "jose.key-malformed", refuses_bad_keys,
            "The key is not a valid public key.", "Ask the owner of the key for a correct one.";
        KEY_UNSUPPORTED: "jose.key-unsupported", refuses_keys_of_other_kinds,
            "The key is of a kind that is not accepted here.", "Use a key of the curve Ed25519 or P-256.";
        KEY_PRIVATE: "jose.key-private", refuses_private_keys,
            "A secret key was sent where a public key belongs.", "Treat this key as lost: make a new one, and send only its public part.";
        KEY_WEAK: "jose.key-weak", refuses_weak_keys,
            "The key is one of the few for which anyone can sign.", "Make a new key with a current program.";
    }
}
