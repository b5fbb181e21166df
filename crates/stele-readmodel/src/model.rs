//! The trait, what it is fed, and what it answers.

use stele_core::id::{BlockHash, EntryId, Height, KeyId, LogIndex, PartyId, RegisterName, TimeMs};

use crate::error::Result;

/// Most rows of a page.
pub const PAGE_ROWS_MAX: usize = 500;
/// Longest search query, in bytes.
pub const QUERY_BYTES_MAX: usize = 256;
/// Most words of a search query; further ones are refused.
pub const QUERY_TERMS_MAX: usize = 16;
/// Searchable text kept per entry, in bytes; the rest is not searched.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most command names kept per entry for lists; the entry itself has up to 4,096 commands.
pub const COMMAND_NAMES_MAX: usize = 32;
/// Longest kind or id of an [`Item`], in bytes. Longer ones are found by their first bytes only.
pub const ITEM_BYTES_MAX: usize = 512;

/// Something that entries speak of and that users look up: a thing's key, a document, a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// What it is, such as `epc` or `key`.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// How an entry ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowOutcome {
    /// All its commands apply.
    Applied,
    /// None does.
    Refused {
        /// The command that was refused, from 0.
        command_index: u32,
        /// The rule that refused.
        code: String,
    },
}

/// One entry of the log, as the indexer hands it over.
#[derive(Debug, Clone)]
pub struct IndexedEntry {
    /// Its place in the log.
    pub log_index: LogIndex,
    /// Its block.
    pub height: Height,
    /// Its block's time.
    pub time: TimeMs,
    /// Its id.
    pub entry_id: EntryId,
    /// Who signed.
    pub party: PartyId,
    /// With which key.
    pub kid: KeyId,
    /// The register of its header.
    pub register: RegisterName,
    /// The register version that judged, such as `trace@1`.
    pub rule: String,
    /// How it ended.
    pub outcome: RowOutcome,
    /// Names of its commands, in order.
    pub command_names: Vec<String>,
    /// Its commands as JSON, kept as given.
    pub commands_json: String,
    /// Its events as JSON, kept as given.
    pub events_json: String,
    /// Bytes of the entry's encoding.
    pub size_bytes: u32,
    /// What full-text search finds it by.
    pub text: String,
    /// Parties that it speaks of, beside its signer.
    pub parties: Vec<PartyId>,
    /// Items that it speaks of.
    pub items: Vec<Item>,
}

/// A block, as the indexer hands it over and as it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRow {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: TimeMs,
    /// Its hash.
    pub hash: BlockHash,
    /// The log's size after it.
    pub tree_size: u64,
    /// Entries in it, refused ones included.
    pub entries: u32,
    /// Refused entries in it.
    pub refused: u32,
}

/// What the identity register's events say of a party; later records replace earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyRecord {
    /// The party.
    pub party: PartyId,
    /// `person`, `organisation`, `device`, `authority`, or whatever the register calls it.
    pub kind: String,
    /// Its name; empty when it has none.
    pub name: String,
    /// When this was recorded.
    pub time: TimeMs,
}

/// What one call of [`ReadModel::apply`] stores, all or nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Batch<'a> {
    /// Entries in log order, from [`Position::next_entry`] on.
    pub entries: &'a [IndexedEntry],
    /// Blocks in order, from [`Position::next_block`] on.
    pub blocks: &'a [BlockRow],
    /// Parties to insert or update.
    pub parties: &'a [PartyRecord],
}

/// How far the read model got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// The log index that it wants next; also the number of entries it holds.
    pub next_entry: LogIndex,
    /// The height that it wants next.
    pub next_block: Height,
}

/// An entry as answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Its place in the log.
    pub log_index: LogIndex,
    /// Its block.
    pub height: Height,
    /// Its block's time.
    pub time: TimeMs,
    /// Its id.
    pub entry_id: EntryId,
    /// Who signed.
    pub party: PartyId,
    /// The signer's name, when a [`PartyRecord`] gave one.
    pub party_name: Option<String>,
    /// With which key.
    pub kid: KeyId,
    /// The register of its header.
    pub register: String,
    /// The register version that judged.
    pub rule: String,
    /// How it ended.
    pub outcome: RowOutcome,
    /// Names of its commands, at most the first [`COMMAND_NAMES_MAX`] of them.
    pub command_names: Vec<String>,
    /// How many commands it has.
    pub command_count: u32,
    /// Its commands as the indexer gave them; empty in lists.
    pub commands_json: String,
    /// Its events as the indexer gave them; empty in lists.
    pub events_json: String,
    /// Bytes of the entry's encoding.
    pub size_bytes: u32,
}

/// A party as answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyRow {
    /// The party.
    pub party: PartyId,
    /// Its kind; empty until a [`PartyRecord`] says one.
    pub kind: String,
    /// Its name; empty until a [`PartyRecord`] says one.
    pub name: String,
    /// When it first signed, was spoken of or was recorded.
    pub first_seen: TimeMs,
    /// Entries that it signed.
    pub entries: u64,
}

/// An item as answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// The item.
    pub item: Item,
    /// Entries that speak of it.
    pub entries: u64,
}

/// Entries of one register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterCount {
    /// The register.
    pub register: String,
    /// Its applied entries.
    pub applied: u64,
    /// Its refused entries.
    pub refused: u64,
}

/// Entries of one minute; minutes without entries are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinuteCount {
    /// The minute's start.
    pub start: TimeMs,
    /// Entries applied in it.
    pub applied: u64,
    /// Entries refused in it.
    pub refused: u64,
}

/// Counts of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Entries.
    pub entries: u64,
    /// Refused entries.
    pub refused: u64,
    /// Blocks.
    pub blocks: u64,
    /// Parties.
    pub parties: u64,
}

/// Which entries are wanted; all conditions hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EntryFilter {
    /// Of this register.
    pub register: Option<RegisterName>,
    /// Signed by or speaking of this party.
    pub party: Option<PartyId>,
    /// Signed by this party.
    pub signer: Option<PartyId>,
    /// Applied (`true`) or refused (`false`).
    pub applied: Option<bool>,
    /// At or after this time.
    pub from: Option<TimeMs>,
    /// Before this time.
    pub to: Option<TimeMs>,
    /// Speaking of this item.
    pub item: Option<Item>,
    /// With all of these words in the text; the words are prefixes. At most [`QUERY_BYTES_MAX`].
    pub text: Option<String>,
}

/// Which end of the log comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The newest entry first.
    #[default]
    NewestFirst,
    /// The oldest entry first.
    OldestFirst,
}

/// Which page is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// [`Page::next`] of the page before, or nothing for the first one.
    pub cursor: Option<String>,
    /// Rows at most, 1 to [`PAGE_ROWS_MAX`]; 0 asks for 50.
    pub limit: usize,
    /// The order; it must stay the same from page to page.
    pub order: Order,
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Opaque; asks for the page after this one. Nothing at the end. Entries that arrive between two pages neither
    /// shift nor repeat a row.
    pub next: Option<String>,
}

/// The query side of a node. Calls block; an asynchronous caller runs them on its blocking threads.
pub trait ReadModel: Send + Sync {
    /// How far it got.
    ///
    /// # Errors
    /// [`ReadModelError::Engine`](crate::ReadModelError::Engine), as every other call may.
    fn position(&self) -> Result<Position>;

    /// Stores a batch and moves the position, all or nothing. An empty model takes the first batch wherever it begins: what lies before
    /// is not held.
    ///
    /// # Errors
    /// `EntryGap`, `BlockGap` and `TimeFalls` for a batch that does not continue the log.
    fn apply(&self, batch: Batch<'_>) -> Result<Position>;

    /// Forgets everything.
    ///
    /// # Errors
    /// As [`ReadModel::position`].
    fn reset(&self) -> Result<()>;

    /// The entries that pass the filter. Lists leave commands and events out.
    ///
    /// # Errors
    /// `BadRequest`, `BadCursor`, `TooExpensive`.
    fn entries(&self, filter: &EntryFilter, page: &PageRequest) -> Result<Page<EntryRow>>;

    /// One entry, with its commands and events.
    ///
    /// # Errors
    /// As [`ReadModel::position`].
    fn entry(&self, id: &EntryId) -> Result<Option<EntryRow>>;

    /// One entry by its place in the log, with its commands and events.
    ///
    /// # Errors
    /// As [`ReadModel::position`].
    fn entry_at(&self, index: LogIndex) -> Result<Option<EntryRow>>;

    /// Where an entry stands in the log.
    ///
    /// # Errors
    /// As [`ReadModel::position`].
    fn log_index(&self, id: &EntryId) -> Result<Option<LogIndex>>;

    /// Parties, in the order in which they were first seen; with `query`, those whose name, kind or DID has a word
    /// that starts with each of its words.
    ///
    /// # Errors
    /// `BadRequest`, `BadCursor`.
    fn parties(&self, query: Option<&str>, page: &PageRequest) -> Result<Page<PartyRow>>;

    /// One party.
    ///
    /// # Errors
    /// As [`ReadModel::position`].
    fn party(&self, id: &PartyId) -> Result<Option<PartyRow>>;

    /// Items whose id starts with `prefix`, in the order of their ids, at most `limit`.
    ///
    /// # Errors
    /// `BadRequest`.
    fn items(&self, prefix: &str, limit: usize) -> Result<Vec<ItemRow>>;

    /// Blocks.
    ///
    /// # Errors
    /// `BadRequest`, `BadCursor`.
    fn blocks(&self, page: &PageRequest) -> Result<Page<BlockRow>>;

    /// One block.
    ///
    /// # Errors
    /// As [`ReadModel::position`].
    fn block(&self, height: Height) -> Result<Option<BlockRow>>;

    /// Counts per register, in the order of their names.
    ///
    /// # Errors
    /// As [`ReadModel::position`].
    fn registers(&self) -> Result<Vec<RegisterCount>>;

    /// Counts per minute from `from` (included) to `to` (excluded), oldest first, at most 1,440 of them.
    ///
    /// # Errors
    /// As [`ReadModel::position`].
    fn minutes(&self, from: TimeMs, to: TimeMs) -> Result<Vec<MinuteCount>>;

    /// Counts of everything.
    ///
    /// # Errors
    /// As [`ReadModel::position`].
    fn totals(&self) -> Result<Totals>;
}
