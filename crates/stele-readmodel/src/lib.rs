//! Queries over the log: history, filters, search and counts, rebuilt from the log at will, never the source of a proof.
//!
//! The log is the truth; this is a view of it. A [`ReadModel`] is fed in log order, in batches, and stores how far it
//! got ([`Position`]) in the transaction that stores the batch, so it resumes without a gap or a repetition after a
//! crash, and [`ReadModel::reset`] starts it over. [`SqliteReadModel`] is the embedded implementation;
//! [`contract`] is the suite that every implementation runs. Decisions and figures: docs/design/0005-read-model.md.

pub mod contract;
mod cursor;
mod error;
mod model;
mod sqlite;
mod text;

pub use error::{ReadModelError, Result};
pub use model::{
    Batch, BlockRow, EntryFilter, EntryRow, IndexedEntry, Item, ItemRow, MinuteCount, Order, Page,
    PageRequest, PartyRecord, PartyRow, Position, ReadModel, RegisterCount, RowOutcome, Totals,
};
pub use model::{
    COMMAND_NAMES_MAX, ITEM_BYTES_MAX, PAGE_ROWS_MAX, QUERY_BYTES_MAX, QUERY_TERMS_MAX,
    TEXT_BYTES_MAX,
};
pub use sqlite::SqliteReadModel;
