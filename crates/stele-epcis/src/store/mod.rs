//! The owner's events in one SQLite file: durable (`synchronous = FULL`), since nothing else has them.
//!
//! Invariants: an event is stored, with its salt, before its commitment goes on the chain, so no commitment is ever
//! without its event after a crash; only visible events have terms and numbers and are found by queries; a job without
//! `finished_ms` is unfinished and is taken up again by `EpcisService::resume`.

mod jobs;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};
use serde_json::Value;

pub use jobs::{Behaviour, Job};
pub(crate) use write::{NewEvent, NewJob, Pending};

use crate::canonical::SALT_BYTES;

/// "STLE": says that the file is an event store of ours.
const APPLICATION_ID: i64 = 0x5354_4c45;
const LAYOUT: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");
const READERS: usize = 2;
/// A query's budget: callbacks every `STEP` instructions of SQLite's machine, about two seconds of one core in all.
const STEP: i32 = 100_000;
const STEPS_MAX: u64 = 2_000;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is damaged or not ours. Nothing else holds these events: restore it from a backup.
    #[error("the event store {} is damaged ({detail}); restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the check found.
        detail: String,
    },
    /// Another version of this crate wrote the file.
    #[error("the event store {} has layout {found}, this program knows layout {expected}", path.display())]
    OtherLayout {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// Ours.
        expected: i64,
    },
    /// The query looks at more than one request may.
    #[error("the query looks at too many events")]
    TooExpensive,
    /// The engine or the disk failed; nothing of the call is stored.
    #[error("the event store failed")]
    Engine(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Self::TooExpensive,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                path: PathBuf::new(),
                detail: error.to_string(),
            },
            _ => Self::Engine(error),
        }
    }
}

/// The owner's events, jobs and named queries.
#[derive(Debug)]
pub struct EventStore {
    path: PathBuf,
    readers: Vec<Mutex<Reader>>,
    next_reader: AtomicUsize,
    /// Last, so that it closes last: only a writing connection folds the write-ahead log into the file.
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Reader {
    db: Connection,
    steps: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Writer(Connection);

impl Drop for Writer {
    fn drop(&mut self) {
        // Best effort: without the mark the next open checks the file, which is slower and not wrong.
        let _ = self
            .0
            .execute("UPDATE meta SET value = 1 WHERE name = 'clean'", []);
    }
}

/// A captured event as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its place in the store.
    pub(crate) seq: i64,
    /// The canonical event.
    pub event: Value,
    /// When it was captured, in milliseconds since 1970.
    pub record_ms: i64,
    /// The commitment's salt.
    pub salt: [u8; SALT_BYTES],
    /// What the register `trace` records.
    pub commitment: [u8; 32],
    /// The entry that recorded it; nothing when the anchor records nothing.
    pub entry_id: Option<[u8; 32]>,
}

/// The columns that [`stored`] reads, of `events e`.
pub(crate) const EVENT_COLUMNS: &str =
    "e.seq, e.json, e.record_ms, e.salt, e.commitment, e.entry_id";

pub(crate) fn stored(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let text: String = row.get(1)?;
    let wrong =
        |e| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(e));
    Ok(StoredEvent {
        seq: row.get(0)?,
        event: serde_json::from_str(&text).map_err(wrong)?,
        record_ms: row.get(2)?,
        salt: row.get(3)?,
        commitment: row.get(4)?,
        entry_id: row.get(5)?,
    })
}

impl EventStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let fail = |e| match e {
            StoreError::Damaged { detail, .. } => StoreError::Damaged {
                path: path.clone(),
                detail,
            },
            other => other,
        };
        let writer = Writer(open_writer(&path).map_err(fail)?);
        let readers = (0..READERS)
            .map(|_| open_reader(&path).map(Mutex::new))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            path,
            readers,
            next_reader: AtomicUsize::new(0),
            writer: Mutex::new(writer),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` in one read transaction with a budget.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let at = self.next_reader.fetch_add(1, Ordering::Relaxed) % READERS;
        let mut reader = self.readers[at].lock();
        reader.steps.store(0, Ordering::Relaxed);
        let transaction = reader.db.transaction()?;
        work(&transaction)
    }

    /// The event, and its error declaration behind it, with this id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn event(&self, event_id: &str) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(|db| {
            let sql = format!(
                "SELECT {EVENT_COLUMNS} FROM events e WHERE event_id = ?1 AND visible = 1 ORDER BY declared"
            );
            let mut select = db.prepare_cached(&sql)?;
            let found = select.query_map([event_id], stored)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Visible events.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn events_count(&self) -> Result<u64, StoreError> {
        self.read(|db| {
            let count: i64 =
                db.query_row("SELECT count(*) FROM events WHERE visible = 1", [], |r| {
                    r.get(0)
                })?;
            Ok(count.unsigned_abs())
        })
    }

    pub(crate) fn query_put(
        &self,
        name: &str,
        body: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let added = self.writer.lock().0.execute(
            "INSERT OR IGNORE INTO queries VALUES (?1, ?2, ?3)",
            params![name, body, now_ms],
        )?;
        Ok(added == 1)
    }

    pub(crate) fn query_delete(&self, name: &str) -> Result<bool, StoreError> {
        let gone = self
            .writer
            .lock()
            .0
            .execute("DELETE FROM queries WHERE name = ?1", [name])?;
        Ok(gone == 1)
    }

    pub(crate) fn query_get(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.read(|db| {
            Ok(db
                .query_row("SELECT body FROM queries WHERE name = ?1", [name], |r| {
                    r.get(0)
                })
                .optional()?)
        })
    }

    /// Names and bodies behind `after`, in the order of their names.
    pub(crate) fn query_list(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT name, body FROM queries WHERE name > ?1 ORDER BY name LIMIT ?2",
            )?;
            let found =
                select.query_map(params![after, limit as i64], |r| Ok((r.get(0)?, r.get(1)?)))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    pub(crate) fn queries_count(&self) -> Result<u64, StoreError> {
        self.read(|db| {
            let count: i64 = db.query_row("SELECT count(*) FROM queries", [], |r| r.get(0))?;
            Ok(count.unsigned_abs())
        })
    }
}

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open(path)?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    if tables == 0 {
        db.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; {SCHEMA}
             INSERT INTO meta VALUES ('clean', 1);
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT}; COMMIT;"
        ))?;
    }
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |r| r.get::<_, i64>(0));
    let damaged = |detail: &str| StoreError::Damaged {
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(damaged("it is another program's file"));
    }
    let found = pragma("user_version")?;
    if found != LAYOUT {
        return Err(StoreError::OtherLayout {
            path: path.to_owned(),
            found,
            expected: LAYOUT,
        });
    }
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;",
    )?;
    let clean: i64 = db.query_row("SELECT value FROM meta WHERE name = 'clean'", [], |r| {
        r.get(0)
    })?;
    if clean != 1 {
        let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
        if verdict != "ok" {
            return Err(damaged(&verdict));
        }
    }
    db.execute("UPDATE meta SET value = 0 WHERE name = 'clean'", [])?;
    Ok(db)
}

fn open_reader(path: &Path) -> Result<Reader, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.execute_batch("PRAGMA query_only = 1; PRAGMA cache_size = -8192;")?;
    let steps = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&steps);
    db.progress_handler(
        STEP,
        Some(move || counter.fetch_add(1, Ordering::Relaxed) >= STEPS_MAX),
    )?;
    Ok(Reader { db, steps })
}
