//! Identifiers, signature suites, entries, blocks, receipts and their verification, without I/O, clock or threads.

pub mod merkle;
