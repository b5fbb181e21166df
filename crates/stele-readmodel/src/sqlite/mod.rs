//! The embedded read model: one SQLite file, one writing connection, several reading ones.
//!
//! Invariants: the position in `meta` is stored by the transaction that stores the rows, so the file always holds
//! exactly the entries before `next_entry`; `meta.clean` is 1 only between an orderly close and the next open. A file
//! that was not closed in order is checked by `PRAGMA quick_check` before it is used. Write-ahead logging with
//! `synchronous = NORMAL` keeps the file whole through a power cut, which may cost the newest batches: they are
//! indexed again.

mod open;
mod query;
mod read;
mod rows;
mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use stele_core::id::{EntryId, Height, LogIndex, PartyId, TimeMs};

use crate::error::{ReadModelError, Result};
use crate::model::{
    Batch, BlockRow, EntryFilter, EntryRow, ItemRow, MinuteCount, Page, PageRequest, PartyRow,
    Position, ReadModel, RegisterCount, Totals,
};
use open::Reader;
use write::Writer;

/// Reading connections.
const READERS: usize = 4;

/// A [`ReadModel`] in one SQLite file.
///
/// After an `Engine` or `Damaged` error of [`ReadModel::apply`] nothing of the batch is stored and the model may be
/// used further; `Damaged` asks for [`SqliteReadModel::remove`] and indexing from the start.
pub struct SqliteReadModel {
    path: PathBuf,
    /// Read by every call, written by `reset`, which closes and replaces the file.
    open: RwLock<Option<Open>>,
}

struct Open {
    readers: Vec<Mutex<Reader>>,
    next_reader: AtomicUsize,
    /// Last, so that it closes last: only a writing connection folds the write-ahead log into the file.
    writer: Mutex<Writer>,
}

impl SqliteReadModel {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// `Damaged` and `OtherLayout` ask for [`SqliteReadModel::remove`] and a rebuild; `Engine` otherwise.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let open = Open::new(&path)?;
        Ok(Self {
            path,
            open: RwLock::new(Some(open)),
        })
    }

    /// Removes the file and what SQLite keeps beside it. The model must not be open.
    ///
    /// # Errors
    /// `Engine` when a file exists and cannot be removed.
    pub fn remove(path: &Path) -> Result<()> {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            match std::fs::remove_file(&name) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ReadModelError::Engine {
                        path: path.to_owned(),
                        source: Box::new(e),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Runs `work` on a free reading connection, in one read transaction: what it sees is one moment's state.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let guard = self.open.read();
        let open = guard.as_ref().ok_or_else(|| self.closed())?;
        let start = open.next_reader.fetch_add(1, Ordering::Relaxed);
        let at = |i: usize| &open.readers[(start + i) % READERS];
        let mut reader = (0..READERS)
            .find_map(|i| at(i).try_lock())
            .unwrap_or_else(|| at(0).lock());
        reader.run(&self.path, work)
    }

    /// After a `reset` that could not open the file anew.
    fn closed(&self) -> ReadModelError {
        ReadModelError::Engine {
            path: self.path.clone(),
            source: "the read model is closed because its file could not be opened anew".into(),
        }
    }
}

impl std::fmt::Debug for SqliteReadModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteReadModel")
            .field("path", &self.path)
            .finish()
    }
}

impl Open {
    fn new(path: &Path) -> Result<Self> {
        let writer = Writer::open(path)?;
        let readers = (0..READERS)
            .map(|_| Reader::open(path).map(Mutex::new))
            .collect::<Result<_>>()?;
        Ok(Self {
            writer: Mutex::new(writer),
            readers,
            next_reader: AtomicUsize::new(0),
        })
    }
}

impl ReadModel for SqliteReadModel {
    fn position(&self) -> Result<Position> {
        self.read(read::position)
    }

    fn apply(&self, batch: Batch<'_>) -> Result<Position> {
        let guard = self.open.read();
        let open = guard.as_ref().ok_or_else(|| self.closed())?;
        open.writer.lock().apply(batch)
    }

    fn reset(&self) -> Result<()> {
        let mut guard = self.open.write();
        *guard = None;
        Self::remove(&self.path)?;
        *guard = Some(Open::new(&self.path)?);
        Ok(())
    }

    fn entries(&self, filter: &EntryFilter, page: &PageRequest) -> Result<Page<EntryRow>> {
        self.read(|db| query::entries(db, filter, page))
    }

    fn entry(&self, id: &EntryId) -> Result<Option<EntryRow>> {
        self.read(|db| match read::log_index(db, id)? {
            Some(index) => read::entry_at(db, index),
            None => Ok(None),
        })
    }

    fn entry_at(&self, index: LogIndex) -> Result<Option<EntryRow>> {
        self.read(|db| read::entry_at(db, index))
    }

    fn log_index(&self, id: &EntryId) -> Result<Option<LogIndex>> {
        self.read(|db| read::log_index(db, id))
    }

    fn parties(&self, query: Option<&str>, page: &PageRequest) -> Result<Page<PartyRow>> {
        self.read(|db| query::parties(db, query, page))
    }

    fn party(&self, id: &PartyId) -> Result<Option<PartyRow>> {
        self.read(|db| read::party(db, id))
    }

    fn items(&self, prefix: &str, limit: usize) -> Result<Vec<ItemRow>> {
        self.read(|db| query::items(db, prefix, limit))
    }

    fn blocks(&self, page: &PageRequest) -> Result<Page<BlockRow>> {
        self.read(|db| query::blocks(db, page))
    }

    fn block(&self, height: Height) -> Result<Option<BlockRow>> {
        self.read(|db| read::block(db, height))
    }

    fn registers(&self) -> Result<Vec<RegisterCount>> {
        self.read(read::registers)
    }

    fn minutes(&self, from: TimeMs, to: TimeMs) -> Result<Vec<MinuteCount>> {
        self.read(|db| read::minutes(db, from, to))
    }

    fn totals(&self) -> Result<Totals> {
        self.read(read::totals)
    }
}
