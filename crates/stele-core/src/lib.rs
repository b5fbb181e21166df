//! Identifiers, signature suites, entries, blocks, receipts and their verification, without I/O, clock or threads.
//!
//! Floor 0 of the house: every other crate, and every foreign verifier, agrees with what stands here.
//! All encodings are defined byte by byte in docs/format.md.
//!
//! - [`id`]: identifier newtypes. [`cbor`]: the one encoding of everything. [`suite`]: keys and signatures.
//! - [`entry`]: signed commands. [`genesis`]: what a network starts with. [`block`]: records and certificates.
//! - [`merkle`]: the log's tree. [`state_proof`]: the state's tree. [`receipt`]: proofs for anyone.
//! - [`witness`]: cosignatures of outsiders, against two histories.
//! - [`calendar`]: dates and times as text. [`machine`]: what the ledger asks of the registers.

pub mod block;
pub mod calendar;
pub mod cbor;
pub mod entry;
pub mod genesis;
pub mod id;
pub mod machine;
pub mod merkle;
pub mod receipt;
pub mod state_proof;
pub mod suite;
pub mod witness;
