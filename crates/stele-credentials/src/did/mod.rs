//! Decentralized identifiers (W3C DID 1.0) and their documents, without fetching anything.
//!
//! - [`Did`], [`DidUrl`]: syntax. [`DidDocument`]: who may sign for what. [`Resolver`], [`Resolution`]: W3C DID Resolution.
//! - [`key`], [`jwk`], [`web`]: the methods did:key, did:jwk and did:web. `did:stele` is resolved where the ledger is.

mod document;
pub mod jwk;
pub mod key;
mod resolution;
mod syntax;
pub mod web;

pub use document::{DidDocument, KeyForm, Relationship, Service, VerificationMethod};
pub use resolution::{
    DocumentMetadata, Resolution, ResolutionError, ResolutionOptions, Resolver, SelfContained,
};
pub use syntax::{DID_BYTES_MAX, Did, DidUrl};

/// Rules of identifiers.
pub mod rules {
    crate::refusal::refusal_table! {
        DID_MALFORMED: "did.malformed", refuses_bad_dids,
            "The identifier is not a valid DID.", "Copy the identifier again as a whole; it begins with did:.";
        DID_TOO_LONG: "did.too-long", refuses_long_dids,
            "The identifier is longer than this program accepts.", "Use a shorter identifier, such as did:key.";
        DID_METHOD: "did.method-unsupported", refuses_other_methods,
            "The identifier is of a kind that this program does not know.", "Use did:stele, did:key, did:jwk or did:web.";
        DID_NOT_FOUND: "did.not-found", refuses_unknown_dids,
            "Nobody registered this identifier.", "Check the identifier with its owner.";
        DID_WEB_ADDRESS: "did.web-address", refuses_bad_web_addresses,
            "The identifier does not name a web address that may be asked.", "Use a domain name, and path parts of letters, digits and hyphens.";
        DOCUMENT_MALFORMED: "did.document-malformed", refuses_bad_documents,
            "The identifier's document is not well formed.", "Tell the identifier's owner; the document has to be corrected there.";
        DOCUMENT_OF_ANOTHER: "did.document-of-another", refuses_documents_of_others,
            "The document that was found belongs to another identifier.", "Do not trust it; tell the identifier's owner.";
        KEY_NOT_LISTED: "did.key-not-listed", refuses_keys_that_the_document_does_not_list,
            "The signer's document does not list this key for this purpose.", "Ask the issuer whether the key was replaced; it may have been withdrawn.";
        DEACTIVATED: "did.deactivated", refuses_deactivated_dids,
            "The identifier was given up by its owner.", "Ask its owner for the current identifier.";
    }
}
