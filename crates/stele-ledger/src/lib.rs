//! The durable entry log, the authenticated state and the execution of blocks over them.

pub mod log;
pub mod tiles;
