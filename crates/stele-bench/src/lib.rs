//! Measures the ledger, the network and identities end to end, beside the hardware's limit and a database.
//!
//! Every figure is of durable, signature-verified work, measured in one run on one machine, and named with it. What could
//! not be measured is said, not left out: its figure has no value and a note why.

pub mod identity;
pub mod ledger;
mod machine;
pub mod network;
mod postgres;
mod register;
mod report;
mod workload;

pub use machine::Machine;
pub use register::BenchRegister;
pub use report::{Better, Figure, Report};
