//! Credentials, their status, DIDs and the OpenID protocols that carry them, without I/O, clock or randomness.
//!
//! A university, an authority and a citizen use software that already speaks these formats; Stele anchors them. Time,
//! random bytes and fetched documents are passed in, and every refusal is one [`Refusal`] with a stable code.
//!
//! - [`refusal`]: codes, sentences, hints. [`json`]: strict JSON and base64url.
//! - [`jose`]: JWS, JWK and thumbprints with Ed25519 and P-256. [`did`]: identifiers and their documents.
//! - [`sd_jwt`]: credentials whose holder chooses what to show. [`status`]: revoked or suspended.
//! - [`integrity`]: W3C Data Integrity and the VC data model, from the bundled [`contexts`].
//! - [`education`]: diplomas, badges, and credits that move between universities.
//! - [`openid`]: issuing and presenting over HTTP, without HTTP. [`trust`]: proofs of issuance from the ledger.

pub mod contexts;
#[cfg(test)]
mod decoder_tests;
pub mod did;
pub mod education;
pub mod integrity;
pub mod jose;
pub mod json;
pub mod openid;
pub mod refusal;
pub mod sd_jwt;
pub mod status;
#[cfg(test)]
mod testing;
pub mod trust;

pub use refusal::Refusal;
