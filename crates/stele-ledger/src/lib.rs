//! The durable entry log, the authenticated state and the execution of blocks over them.
//!
//! - [`ledger`]: takes entries in, orders them into blocks, makes them final, proves them.
//! - [`log`]: the entry log, the truth, and its Merkle tree. [`tiles`]: the log as C2SP tiles.
//! - [`state`]: the authenticated state, derived from the log.
//! - [`snapshot`]: a ledger as of one certified block, for a new node.
//! - [`doctor`]: looks at what is on disk, and makes anew what can be.

mod disk;
pub mod doctor;
pub mod ledger;
pub mod log;
pub mod snapshot;
pub mod state;
pub mod tiles;
