//! W3C Data Integrity: signatures inside JSON-LD documents, and the VC data model around them.
//!
//! - [`json`]: limits and canonical JSON. [`jsonld`]: from JSON to RDF without losing a claim. [`rdf`], [`canonical`]:
//!   statements and their one text (RDFC-1.0).
//! - [`structure`]: the shape of credentials and presentations. [`time`]: points in time.
//! - [`keys`]: keys and whose they are. [`proof`]: what a proof states. [`suites`]: one signature over the whole;
//!   [`bbs`]: parts that can be shown alone. [`verify`]: the whole judgement.
//! - [`rules`]: every refusal.
//!
//! Nothing here reads a clock or a network: time, controller documents and randomness are passed in.

pub mod bbs;
pub mod canonical;
pub mod json;
pub mod jsonld;
pub mod keys;
pub mod proof;
pub mod rdf;
pub mod rules;
pub mod structure;
pub mod suites;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_proofs;
pub mod time;
pub mod verify;

pub use json::Limits;
pub use keys::ProofKey;
pub use proof::{Expectation, Proof, ProofOptions, Purpose, Suite};
pub use verify::{verify_credential, verify_presentation};
