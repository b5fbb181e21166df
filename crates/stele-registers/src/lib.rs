//! The registers: deterministic state machines with typed commands, and the registry that executes entries through them.
//!
//! A [`Register`] owns a namespace of the state and changes it by commands. The [`Registry`] holds the registers of a
//! program in all their versions and is the [`stele_core::machine::StateMachine`] that the ledger drives: it finds the
//! keys that sign, asks governance which version of a register judges, and executes the commands of an entry all or none.
//!
//! - [`governance`]: members, roles, register versions
//! - [`identity`]: parties, keys, recovery, devices, accreditations
//! - [`trace`]: supply-chain event commitments, custody, lots, recalls
//! - [`statement`]: signed statements of other formats, registered by hash (SCITT)
//! - [`credential`]: what issuers commit to: schemas, issued batches, status lists, documents with several signers
//! - [`service`]: public services and their cases

pub mod context;
pub mod credential;
pub mod fields;
pub mod governance;
pub mod history;
pub mod identity;
pub mod json;
pub mod reference;
pub mod register;
pub mod registry;
pub mod service;
pub mod spec;
pub mod statement;
pub mod trace;

pub use context::{Context, Cosigner, Namespace, View};
pub use json::{JsonError, body_to_json, cbor_to_json, json_to_body};
pub use register::{Register, Stop};
pub use registry::Registry;
pub use spec::{CommandSpec, EventSpec, FieldSpec, FieldType, RefusalSpec, StateKeySpec};
