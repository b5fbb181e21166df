//! Rows between SQLite's types and ours.

use rusqlite::types::Type;
use rusqlite::{Row, Transaction, params};
use stele_core::id::{BlockHash, EntryId, Height, KeyId, LogIndex, PartyId, TimeMs};

use crate::error::{ReadModelError, Result};
use crate::model::{BlockRow, EntryRow, PartyRow, RowOutcome};

/// A count as SQLite's integer.
pub(super) fn to_i64(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| {
        ReadModelError::BadRequest(format!("{value} is above the largest number, 2^63 - 1"))
    })
}

/// A column that holds a count.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn small(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    let value: i64 = row.get(column)?;
    u32::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn bytes32(row: &Row<'_>, column: usize) -> rusqlite::Result<[u8; 32]> {
    let blob: Vec<u8> = row.get(column)?;
    blob.try_into()
        .map_err(|_| rusqlite::Error::InvalidColumnType(column, "32 bytes".to_owned(), Type::Blob))
}

/// The columns that [`entry`] reads, over `entries e`, `parties s` and `registers r`.
pub(super) const ENTRY_COLUMNS: &str = "e.log_index, e.height, e.time_ms, e.entry_id, s.id, s.name, e.kid, r.name, \
     e.rule, e.refused, e.command_index, e.code, e.names, e.commands, e.size_bytes";
/// The tables behind [`ENTRY_COLUMNS`] beside `entries e`. CROSS JOIN keeps SQLite from starting with them.
pub(super) const ENTRY_JOINS: &str =
    "CROSS JOIN parties s ON s.pid = e.party CROSS JOIN registers r ON r.rid = e.register";

pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    let name: String = row.get(5)?;
    let outcome = if row.get::<_, i64>(9)? == 0 {
        RowOutcome::Applied
    } else {
        RowOutcome::Refused {
            command_index: small(row, 10)?,
            code: row.get(11)?,
        }
    };
    Ok(EntryRow {
        log_index: LogIndex::new(count(row, 0)?),
        height: Height::new(count(row, 1)?),
        time: TimeMs::new(count(row, 2)?),
        entry_id: EntryId::from_bytes(bytes32(row, 3)?),
        party: PartyId::from_bytes(bytes32(row, 4)?),
        party_name: (!name.is_empty()).then_some(name),
        kid: KeyId::from_bytes(bytes32(row, 6)?),
        register: row.get(7)?,
        rule: row.get(8)?,
        outcome,
        command_names: split_names(&row.get::<_, String>(12)?),
        command_count: small(row, 13)?,
        commands_json: String::new(),
        events_json: String::new(),
        size_bytes: small(row, 14)?,
    })
}

/// The columns that [`party`] reads.
pub(super) const PARTY_COLUMNS: &str = "id, kind, name, first_seen_ms, entries";

pub(super) fn party(row: &Row<'_>) -> rusqlite::Result<PartyRow> {
    Ok(PartyRow {
        party: PartyId::from_bytes(bytes32(row, 0)?),
        kind: row.get(1)?,
        name: row.get(2)?,
        first_seen: TimeMs::new(count(row, 3)?),
        entries: count(row, 4)?,
    })
}

/// The columns that [`block`] reads.
pub(super) const BLOCK_COLUMNS: &str = "height, time_ms, hash, tree_size, entries, refused";

pub(super) fn block(row: &Row<'_>) -> rusqlite::Result<BlockRow> {
    Ok(BlockRow {
        height: Height::new(count(row, 0)?),
        time: TimeMs::new(count(row, 1)?),
        hash: BlockHash::from_bytes(bytes32(row, 2)?),
        tree_size: count(row, 3)?,
        entries: small(row, 4)?,
        refused: small(row, 5)?,
    })
}

pub(super) fn insert_block(tx: &Transaction<'_>, block: &BlockRow) -> Result<()> {
    tx.prepare_cached("INSERT INTO blocks VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            to_i64(block.height.get())?,
            to_i64(block.time.get())?,
            block.hash.as_bytes(),
            to_i64(block.tree_size)?,
            block.entries,
            block.refused
        ])?;
    Ok(())
}

/// Names in one text, each ended by a line feed. A refused entry may carry any text as a name.
pub(super) fn join_names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.fold(String::new(), |mut text, name| {
        text.push_str(&name.replace('\\', "\\\\").replace('\n', "\\n"));
        text.push('\n');
        text
    })
}

fn split_names(text: &str) -> Vec<String> {
    text.split_terminator('\n')
        .map(|name| {
            let mut plain = String::with_capacity(name.len());
            let mut characters = name.chars();
            while let Some(c) = characters.next() {
                match c {
                    '\\' => plain.push(if characters.next() == Some('n') {
                        '\n'
                    } else {
                        '\\'
                    }),
                    other => plain.push(other),
                }
            }
            plain
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        let names: Vec<String> = ["commission", "", "a\nb", "\\n", "\\", "x\\\ny"]
            .map(str::to_owned)
            .into();
        assert_eq!(split_names(&join_names(names.iter())), names);
        assert!(split_names("").is_empty());
    }
}
