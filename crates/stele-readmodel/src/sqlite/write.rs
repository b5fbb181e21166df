//! The writing side: one transaction per batch.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use stele_core::id::{EntryId, Height, LogIndex, PartyId, TimeMs};

use super::open::{open_writer, with_path};
use super::rows;
use crate::error::{ReadModelError, Result};
use crate::model::{
    Batch, COMMAND_NAMES_MAX, ITEM_BYTES_MAX, IndexedEntry, Item, PartyRecord, Position,
    RowOutcome, TEXT_BYTES_MAX,
};
use crate::text::truncate;

/// Numbers of parties and items that are kept in memory; past that the table is asked.
const INTERNED_MAX: usize = 200_000;

/// The writing connection and what it remembers of the tables.
pub(super) struct Writer {
    path: PathBuf,
    db: Connection,
    known: Known,
}

/// Numbers given to names. Forgotten when a transaction fails, since it may have given some of them.
#[derive(Default)]
struct Known {
    registers: HashMap<String, i64>,
    parties: HashMap<PartyId, i64>,
    items: HashMap<Item, i64>,
}

/// Counts that a batch adds; written once at its end.
#[derive(Default)]
struct Counts {
    registers: HashMap<i64, [u64; 2]>,
    minutes: BTreeMap<u64, [u64; 2]>,
    parties: HashMap<i64, u64>,
    items: HashMap<i64, u64>,
}

impl Writer {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            db: open_writer(path)?,
            known: Known::default(),
        })
    }

    pub(super) fn apply(&mut self, batch: Batch<'_>) -> Result<Position> {
        let stored = apply(&mut self.db, &mut self.known, batch);
        if stored.is_err() {
            self.known = Known::default();
        }
        stored.map_err(|e| with_path(e, &self.path))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Best effort: without the mark the next open checks the file, which is slower and not wrong.
        let _ = self
            .db
            .execute("UPDATE meta SET value = 1 WHERE name = 'clean'", []);
    }
}

fn apply(db: &mut Connection, known: &mut Known, batch: Batch<'_>) -> Result<Position> {
    if known.parties.len() > INTERNED_MAX || known.items.len() > INTERNED_MAX {
        *known = Known::default();
    }
    let tx = db.transaction()?;
    let mut position = super::read::position(&tx)?;
    let mut last = TimeMs::new(meta(&tx, "last_ms")?);
    let mut counts = Counts::default();
    for record in batch.parties {
        upsert_party(&tx, known, record)?;
    }
    // A log that began with a snapshot begins late.
    if let Some(first) = batch.blocks.first()
        && position == Position::default()
    {
        let before = first.tree_size.saturating_sub(u64::from(first.entries));
        position.next_block = first.height;
        position.next_entry = LogIndex::new(before);
    }
    for block in batch.blocks {
        if block.height != position.next_block {
            return Err(ReadModelError::BlockGap {
                expected: position.next_block,
                found: block.height,
            });
        }
        rows::insert_block(&tx, block)?;
        position.next_block = Height::new(block.height.get() + 1);
    }
    for entry in batch.entries {
        if entry.log_index != position.next_entry {
            return Err(ReadModelError::EntryGap {
                expected: position.next_entry,
                found: entry.log_index,
            });
        }
        if entry.time < last {
            return Err(ReadModelError::TimeFalls {
                at: entry.log_index,
            });
        }
        insert_entry(&tx, known, &mut counts, entry)?;
        last = entry.time;
        position.next_entry = LogIndex::new(entry.log_index.get() + 1);
    }
    counts.write(&tx)?;
    let mut set = tx.prepare_cached("UPDATE meta SET value = ?2 WHERE name = ?1")?;
    set.execute(params![
        "next_entry",
        rows::to_i64(position.next_entry.get())?
    ])?;
    set.execute(params![
        "next_block",
        rows::to_i64(position.next_block.get())?
    ])?;
    set.execute(params!["last_ms", rows::to_i64(last.get())?])?;
    drop(set);
    tx.commit()?;
    Ok(position)
}

fn meta(tx: &Transaction<'_>, name: &str) -> Result<u64> {
    let value: i64 = tx
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |r| r.get(0))?;
    Ok(value.unsigned_abs())
}

fn insert_entry(
    tx: &Transaction<'_>,
    known: &mut Known,
    counts: &mut Counts,
    entry: &IndexedEntry,
) -> Result<()> {
    let index = rows::to_i64(entry.log_index.get())?;
    let rid = known.register(tx, entry.register.as_str())?;
    let pid = known.party(tx, &entry.party, entry.time)?;
    let (refused, command_index, code) = match &entry.outcome {
        RowOutcome::Applied => (0usize, None, None),
        RowOutcome::Refused {
            command_index,
            code,
        } => (1, Some(*command_index), Some(code)),
    };
    tx.prepare_cached(
        "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        index,
        rows::to_i64(entry.height.get())?,
        rows::to_i64(entry.time.get())?,
        entry.entry_id.as_bytes(),
        id8(&entry.entry_id),
        pid,
        entry.kid.as_bytes(),
        rid,
        entry.rule,
        refused as i64,
        command_index,
        code,
        rows::join_names(entry.command_names.iter().take(COMMAND_NAMES_MAX)),
        entry.command_names.len() as i64,
        entry.size_bytes,
    ])?;
    tx.prepare_cached("INSERT INTO bodies VALUES (?1, ?2, ?3)")?
        .execute(params![index, entry.commands_json, entry.events_json])?;
    if !entry.text.is_empty() {
        tx.prepare_cached("INSERT INTO entry_text (rowid, words) VALUES (?1, ?2)")?
            .execute(params![index, truncate(&entry.text, TEXT_BYTES_MAX)])?;
    }
    let mut link = tx.prepare_cached("INSERT OR IGNORE INTO party_entries VALUES (?1, ?2, ?3)")?;
    link.execute(params![pid, index, 1])?;
    for party in &entry.parties {
        let mentioned = known.party(tx, party, entry.time)?;
        link.execute(params![mentioned, index, 0])?;
    }
    let mut link = tx.prepare_cached("INSERT OR IGNORE INTO item_entries VALUES (?1, ?2)")?;
    for item in &entry.items {
        let number = known.item(tx, item)?;
        // An entry may name an item twice; it counts once.
        let added = link.execute(params![number, index])? as u64;
        *counts.items.entry(number).or_default() += added;
    }
    counts.registers.entry(rid).or_default()[refused] += 1;
    counts.minutes.entry(entry.time.get() / 60_000).or_default()[refused] += 1;
    *counts.parties.entry(pid).or_default() += 1;
    Ok(())
}

/// The first 8 bytes of an entry id, as SQLite's integer.
pub(super) fn id8(id: &EntryId) -> i64 {
    let (first, _) = id.as_bytes().split_first_chunk::<8>().expect("32 bytes");
    i64::from_be_bytes(*first)
}

fn upsert_party(tx: &Transaction<'_>, known: &mut Known, record: &PartyRecord) -> Result<()> {
    let pid = known.party(tx, &record.party, record.time)?;
    let kind = truncate(&record.kind, ITEM_BYTES_MAX);
    let name = truncate(&record.name, ITEM_BYTES_MAX);
    tx.prepare_cached("UPDATE parties SET kind = ?2, name = ?3 WHERE pid = ?1")?
        .execute(params![pid, kind, name])?;
    let words = format!("{name} {kind} {}", record.party.did());
    tx.prepare_cached("INSERT OR REPLACE INTO party_text (rowid, words) VALUES (?1, ?2)")?
        .execute(params![pid, words])?;
    Ok(())
}

impl Known {
    fn register(&mut self, tx: &Transaction<'_>, name: &str) -> Result<i64> {
        if let Some(rid) = self.registers.get(name) {
            return Ok(*rid);
        }
        tx.prepare_cached("INSERT OR IGNORE INTO registers (name) VALUES (?1)")?
            .execute([name])?;
        let rid = tx
            .prepare_cached("SELECT rid FROM registers WHERE name = ?1")?
            .query_row([name], |r| r.get(0))?;
        self.registers.insert(name.to_owned(), rid);
        Ok(rid)
    }

    fn party(&mut self, tx: &Transaction<'_>, id: &PartyId, time: TimeMs) -> Result<i64> {
        if let Some(pid) = self.parties.get(id) {
            return Ok(*pid);
        }
        let found = tx
            .prepare_cached("SELECT pid FROM parties WHERE id = ?1")?
            .query_row([id.as_bytes()], |r| r.get(0))
            .optional()?;
        let pid = match found {
            Some(pid) => pid,
            None => {
                tx.prepare_cached("INSERT INTO parties (id, first_seen_ms) VALUES (?1, ?2)")?
                    .execute(params![id.as_bytes(), rows::to_i64(time.get())?])?;
                let pid = tx.last_insert_rowid();
                tx.prepare_cached("INSERT INTO party_text (rowid, words) VALUES (?1, ?2)")?
                    .execute(params![pid, id.did()])?;
                pid
            }
        };
        self.parties.insert(*id, pid);
        Ok(pid)
    }

    fn item(&mut self, tx: &Transaction<'_>, item: &Item) -> Result<i64> {
        if let Some(number) = self.items.get(item) {
            return Ok(*number);
        }
        let id = truncate(&item.id, ITEM_BYTES_MAX);
        let kind = truncate(&item.kind, ITEM_BYTES_MAX);
        let found = tx
            .prepare_cached("SELECT item FROM items WHERE id = ?1 AND kind = ?2")?
            .query_row([id, kind], |r| r.get(0))
            .optional()?;
        let number = match found {
            Some(number) => number,
            None => {
                tx.prepare_cached("INSERT INTO items (id, kind) VALUES (?1, ?2)")?
                    .execute([id, kind])?;
                tx.last_insert_rowid()
            }
        };
        self.items.insert(item.clone(), number);
        Ok(number)
    }
}

impl Counts {
    fn write(self, tx: &Transaction<'_>) -> Result<()> {
        let mut add = tx.prepare_cached(
            "UPDATE registers SET applied = applied + ?2, refused = refused + ?3 WHERE rid = ?1",
        )?;
        for (rid, [applied, refused]) in self.registers {
            add.execute(params![rid, rows::to_i64(applied)?, rows::to_i64(refused)?])?;
        }
        let mut add = tx.prepare_cached(
            "INSERT INTO minutes VALUES (?1, ?2, ?3) ON CONFLICT (minute) DO UPDATE
             SET applied = applied + excluded.applied, refused = refused + excluded.refused",
        )?;
        for (minute, [applied, refused]) in self.minutes {
            add.execute(params![
                rows::to_i64(minute)?,
                rows::to_i64(applied)?,
                rows::to_i64(refused)?
            ])?;
        }
        let mut add =
            tx.prepare_cached("UPDATE parties SET entries = entries + ?2 WHERE pid = ?1")?;
        for (pid, entries) in self.parties {
            add.execute(params![pid, rows::to_i64(entries)?])?;
        }
        let mut add =
            tx.prepare_cached("UPDATE items SET entries = entries + ?2 WHERE item = ?1")?;
        for (item, entries) in self.items {
            add.execute(params![item, rows::to_i64(entries)?])?;
        }
        Ok(())
    }
}
