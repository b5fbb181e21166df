//! Opening, checking and sharing the file's connections.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{ReadModelError, Result};

/// "STLR": says that the file is a read model of ours.
const APPLICATION_ID: i64 = 0x5354_4c52;
/// Counts changes of schema.sql.
const LAYOUT: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");

/// A query's budget: SQLite calls back every `STEP` virtual machine instructions, and `STEPS_MAX` of them (about a
/// second of one core) end the query.
const STEP: i32 = 100_000;
const STEPS_MAX: u64 = 1_000;

/// Names the error of any SQLite call.
pub(super) fn failed(path: &Path) -> impl Fn(rusqlite::Error) -> ReadModelError + '_ {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ReadModelError::Damaged {
            path: path.to_owned(),
            detail: error.to_string(),
        },
        Some(ErrorCode::OperationInterrupted) => ReadModelError::TooExpensive,
        _ => ReadModelError::Engine {
            path: path.to_owned(),
            source: Box::new(error),
        },
    }
}

/// Functions below the trait do not know the path: `Reader::run` and the writer put it in.
impl From<rusqlite::Error> for ReadModelError {
    fn from(error: rusqlite::Error) -> Self {
        failed(Path::new(""))(error)
    }
}

/// Puts the path into an error that was made without it.
pub(super) fn with_path(error: ReadModelError, file: &Path) -> ReadModelError {
    match error {
        ReadModelError::Damaged { detail, .. } => ReadModelError::Damaged {
            path: file.to_owned(),
            detail,
        },
        ReadModelError::Engine { source, .. } => ReadModelError::Engine {
            path: file.to_owned(),
            source,
        },
        other => other,
    }
}

/// Opens the writing connection: creates the tables, or checks that they are ours, whole, and of our layout.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    open_checked(path).map_err(|e| with_path(e, path))
}

fn open_checked(path: &Path) -> Result<Connection> {
    let db = Connection::open(path)?;
    db.set_prepared_statement_cache_capacity(64);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    if tables == 0 {
        db.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;")?;
        db.execute_batch(&format!(
            "BEGIN; {SCHEMA}
             INSERT INTO meta VALUES ('next_entry', 0), ('next_block', 0), ('last_ms', 0), ('clean', 1);
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT}; COMMIT;"
        ))?;
    }
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |r| r.get::<_, i64>(0));
    if pragma("application_id")? != APPLICATION_ID {
        return Err(ReadModelError::Damaged {
            path: path.to_owned(),
            detail: "it is another program's file".to_owned(),
        });
    }
    let layout = pragma("user_version")?;
    if layout != LAYOUT {
        return Err(ReadModelError::OtherLayout {
            path: path.to_owned(),
            found: layout,
            expected: LAYOUT,
        });
    }
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;
         PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4096;",
    )?;
    let clean: i64 = db.query_row("SELECT value FROM meta WHERE name = 'clean'", [], |r| {
        r.get(0)
    })?;
    if clean != 1 {
        let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
        if verdict != "ok" {
            return Err(ReadModelError::Damaged {
                path: path.to_owned(),
                detail: verdict,
            });
        }
    }
    db.execute("UPDATE meta SET value = 0 WHERE name = 'clean'", [])?;
    Ok(db)
}

/// A reading connection with a budget per query.
pub(super) struct Reader {
    db: Connection,
    steps: Arc<AtomicU64>,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let fail = failed(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags).map_err(&fail)?;
        db.set_prepared_statement_cache_capacity(64);
        db.execute_batch(
            "PRAGMA query_only = 1; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;",
        )
        .map_err(&fail)?;
        let steps = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&steps);
        db.progress_handler(
            STEP,
            Some(move || counter.fetch_add(1, Ordering::Relaxed) >= STEPS_MAX),
        )
        .map_err(&fail)?;
        Ok(Self { db, steps })
    }

    pub(super) fn run<T>(
        &mut self,
        path: &Path,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        self.steps.store(0, Ordering::Relaxed);
        let transaction = self.db.transaction().map_err(failed(path))?;
        // Dropping the transaction ends it; nothing was written.
        work(&transaction).map_err(|e| with_path(e, path))
    }
}
