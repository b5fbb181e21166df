//! Resolves the DIDs of a network, now and at any past time, with proofs, from the ledger's state and the rolls on disk.
//!
//! - A party, `did:stele:<party>`: its document is in the state, with all its versions ([`stele_registers::history`]).
//! - A member of a roll, `did:stele:<roll>:<index>`: its record and path come from [`rolls`], what happened to it from the state
//!   (design note 0013).
//!
//! did:key and did:jwk resolve by themselves ([`stele_credentials::did`]); did:web needs the network, so its caller fetches.

mod documents;
mod name;
mod resolve;
pub mod rolls;
mod time;

pub use name::{SteleDid, member_did};
pub use resolve::{Found, MemberProof, ResolveError, Resolver};
pub use time::height_at;
