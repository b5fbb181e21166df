//! Reads of single rows and counts.

use rusqlite::{Connection, OptionalExtension, params};
use stele_core::id::{EntryId, Height, LogIndex, PartyId, TimeMs};

use super::rows::{self, count};
use super::write::id8;
use crate::error::Result;
use crate::model::{BlockRow, EntryRow, MinuteCount, PartyRow, Position, RegisterCount, Totals};

/// Most minutes of an answer: a day.
const MINUTES_MAX: i64 = 1_440;

pub(super) fn position(db: &Connection) -> Result<Position> {
    let mut get = db.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let mut value = |name: &str| get.query_row([name], |r| count(r, 0));
    Ok(Position {
        next_entry: LogIndex::new(value("next_entry")?),
        next_block: Height::new(value("next_block")?),
    })
}

pub(super) fn log_index(db: &Connection, id: &EntryId) -> Result<Option<LogIndex>> {
    let index = db
        .prepare_cached("SELECT log_index FROM entries WHERE entry_id8 = ?1 AND entry_id = ?2")?
        .query_row(params![id8(id), id.as_bytes()], |r| count(r, 0))
        .optional()?;
    Ok(index.map(LogIndex::new))
}

pub(super) fn entry_at(db: &Connection, index: LogIndex) -> Result<Option<EntryRow>> {
    let Ok(key) = i64::try_from(index.get()) else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT {}, b.commands, b.events FROM entries e {} CROSS JOIN bodies b ON b.log_index = e.log_index
         WHERE e.log_index = ?1",
        rows::ENTRY_COLUMNS,
        rows::ENTRY_JOINS
    );
    let row = db
        .prepare_cached(&sql)?
        .query_row([key], |r| {
            let mut entry = rows::entry(r)?;
            entry.commands_json = r.get(15)?;
            entry.events_json = r.get(16)?;
            Ok(entry)
        })
        .optional()?;
    Ok(row)
}

pub(super) fn party(db: &Connection, id: &PartyId) -> Result<Option<PartyRow>> {
    let sql = format!("SELECT {} FROM parties WHERE id = ?1", rows::PARTY_COLUMNS);
    Ok(db
        .prepare_cached(&sql)?
        .query_row([id.as_bytes()], rows::party)
        .optional()?)
}

pub(super) fn block(db: &Connection, height: Height) -> Result<Option<BlockRow>> {
    let Ok(key) = i64::try_from(height.get()) else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT {} FROM blocks WHERE height = ?1",
        rows::BLOCK_COLUMNS
    );
    Ok(db
        .prepare_cached(&sql)?
        .query_row([key], rows::block)
        .optional()?)
}

pub(super) fn registers(db: &Connection) -> Result<Vec<RegisterCount>> {
    let mut select =
        db.prepare_cached("SELECT name, applied, refused FROM registers ORDER BY name")?;
    let found = select.query_map([], |r| {
        Ok(RegisterCount {
            register: r.get(0)?,
            applied: count(r, 1)?,
            refused: count(r, 2)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn minutes(db: &Connection, from: TimeMs, to: TimeMs) -> Result<Vec<MinuteCount>> {
    // Every minute in part inside the range: the first holds `from`, the last the millisecond before `to`.
    let first = (from.get() / 60_000).min(i64::MAX as u64) as i64;
    let end = to.get().div_ceil(60_000).min(i64::MAX as u64) as i64;
    let mut select = db.prepare_cached(
        "SELECT minute, applied, refused FROM minutes WHERE minute >= ?1 AND minute < ?2 ORDER BY minute LIMIT ?3",
    )?;
    let found = select.query_map([first, end, MINUTES_MAX], |r| {
        Ok(MinuteCount {
            start: TimeMs::new(count(r, 0)? * 60_000),
            applied: count(r, 1)?,
            refused: count(r, 2)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn totals(db: &Connection) -> Result<Totals> {
    let position = position(db)?;
    let refused = db
        .prepare_cached("SELECT coalesce(sum(refused), 0) FROM registers")?
        .query_row([], |r| count(r, 0))?;
    let parties = db
        .prepare_cached("SELECT coalesce(max(pid), 0) FROM parties")?
        .query_row([], |r| count(r, 0))?;
    Ok(Totals {
        entries: position.next_entry.get(),
        refused,
        blocks: position.next_block.get(),
        parties,
    })
}
