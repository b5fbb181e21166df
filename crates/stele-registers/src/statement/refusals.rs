//! The rules by which `statement` refuses.

use crate::spec::rules;

rules! {
    REGISTERED = "statement.hash.registered", "The signer has registered this statement already.",
        "Ask for the receipt of the entry that the record names.";
    UNKNOWN_ISSUER = "statement.issuer.unknown-key", "The network does not know the key that signed the statement.",
        "The issuer registers as a party first (identity/party.register), or adds the key to its party.";
    ISSUER_REVOKED = "statement.issuer.key-revoked", "The key that signed the statement has been revoked.",
        "The issuer signs the statement again with an active key.";
}
