//! Lists: filters and keyset pages. No OFFSET, so page one thousand costs what page one does.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use stele_core::id::TimeMs;

use super::rows;
use crate::cursor::Cursor;
use crate::error::{ReadModelError, Result};
use crate::model::{
    BlockRow, EntryFilter, EntryRow, ITEM_BYTES_MAX, Item, ItemRow, Order, PAGE_ROWS_MAX, Page,
    PageRequest, PartyRow,
};
use crate::text::{match_expression, truncate};

/// The rows of a page when the request names no number.
const PAGE_ROWS_DEFAULT: usize = 50;

pub(super) fn entries(
    db: &Connection,
    filter: &EntryFilter,
    page: &PageRequest,
) -> Result<Page<EntryRow>> {
    let mut select = Select::new(page, &("entries", filter, page.order))?;
    // The most selective condition drives; the others are looked up row by row.
    let mut driver = None;
    if let Some(text) = &filter.text {
        match match_expression(text)? {
            Some(expression) => {
                driver = Some(("entry_text", "entry_text.rowid"));
                select.condition("entry_text MATCH ?", [Value::Text(expression)]);
            }
            // Only separators: no word to find, so nothing is found.
            None => return Ok(Page::empty()),
        }
    }
    if let Some(item) = &filter.item {
        let Some(number) = item_number(db, item)? else {
            return Ok(Page::empty());
        };
        select.link(&mut driver, "item_entries", "item", number, "");
    }
    for (party, condition) in [(filter.signer, " AND {t}.signer = 1"), (filter.party, "")] {
        if let Some(party) = party {
            let pid = db
                .prepare_cached("SELECT pid FROM parties WHERE id = ?1")?
                .query_row([party.as_bytes()], |r| r.get::<_, i64>(0))
                .optional()?;
            let Some(pid) = pid else {
                return Ok(Page::empty());
            };
            select.link(&mut driver, "party_entries", "pid", pid, condition);
        }
    }
    let (from, key) = match driver {
        Some((table, key)) => (
            format!("{table} CROSS JOIN entries e ON e.log_index = {key}"),
            key,
        ),
        None => ("entries e".to_owned(), "e.log_index"),
    };
    if let Some(register) = filter.register {
        let condition = "e.register = (SELECT rid FROM registers WHERE name = ?)";
        select.condition(condition, [Value::Text(register.to_string())]);
    }
    match filter.applied {
        Some(true) => select.condition("e.refused = 0", []),
        Some(false) => select.condition("e.refused = 1", []),
        None => {}
    }
    for (time, operator) in [(filter.from, ">="), (filter.to, "<")] {
        if let Some(time) = time {
            let first = first_at_or_after(db, time)?;
            select.condition(&format!("{key} {operator} ?"), [Value::Integer(first)]);
        }
    }
    let from = format!("{from} {}", rows::ENTRY_JOINS);
    select.run(db, rows::ENTRY_COLUMNS, &from, key, rows::entry)
}

pub(super) fn parties(
    db: &Connection,
    query: Option<&str>,
    page: &PageRequest,
) -> Result<Page<PartyRow>> {
    let mut select = Select::new(page, &("parties", query, page.order))?;
    let columns = rows::PARTY_COLUMNS;
    let Some(query) = query else {
        return select.run(db, columns, "parties", "pid", rows::party);
    };
    let Some(expression) = match_expression(query)? else {
        return Ok(Page::empty());
    };
    select.condition("party_text MATCH ?", [Value::Text(expression)]);
    let from = "party_text CROSS JOIN parties ON pid = party_text.rowid";
    select.run(db, columns, from, "party_text.rowid", rows::party)
}

pub(super) fn blocks(db: &Connection, page: &PageRequest) -> Result<Page<BlockRow>> {
    let select = Select::new(page, &("blocks", page.order))?;
    select.run(db, rows::BLOCK_COLUMNS, "blocks", "height", rows::block)
}

pub(super) fn items(db: &Connection, prefix: &str, limit: usize) -> Result<Vec<ItemRow>> {
    if prefix.len() > ITEM_BYTES_MAX {
        return Err(ReadModelError::BadRequest(format!(
            "an item's id has at most {ITEM_BYTES_MAX} bytes"
        )));
    }
    // Text compares as bytes of UTF-8, so every id with the prefix lies below the prefix and the last character.
    let mut select = db.prepare_cached(
        "SELECT kind, id, entries FROM items WHERE id >= ?1 AND id < ?1 || char(0x10FFFF) ORDER BY id, kind LIMIT ?2",
    )?;
    let found = select.query_map(params![prefix, rows_wanted(limit)? as i64], |r| {
        Ok(ItemRow {
            item: Item {
                kind: r.get(0)?,
                id: r.get(1)?,
            },
            entries: rows::count(r, 2)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn item_number(db: &Connection, item: &Item) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT item FROM items WHERE id = ?1 AND kind = ?2")?
        .query_row(
            [
                truncate(&item.id, ITEM_BYTES_MAX),
                truncate(&item.kind, ITEM_BYTES_MAX),
            ],
            |r| r.get(0),
        )
        .optional()?)
}

/// The first log index whose time is at or after `time`, or the log's end: times never fall, so a binary search over
/// the primary key answers it, and no index over times is kept.
fn first_at_or_after(db: &Connection, time: TimeMs) -> Result<i64> {
    let wanted = i64::try_from(time.get()).unwrap_or(i64::MAX);
    let mut at = db.prepare_cached("SELECT time_ms FROM entries WHERE log_index = ?1")?;
    let (mut low, mut high): (i64, i64) = (0, 0);
    if let Some(last) = db
        .prepare_cached("SELECT max(log_index) FROM entries")?
        .query_row([], |r| r.get::<_, Option<i64>>(0))?
    {
        high = last + 1;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        let time_ms: i64 = at.query_row([middle], |r| r.get(0))?;
        if time_ms < wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn rows_wanted(limit: usize) -> Result<usize> {
    match limit {
        0 => Ok(PAGE_ROWS_DEFAULT),
        limit if limit <= PAGE_ROWS_MAX => Ok(limit),
        _ => Err(ReadModelError::BadRequest(format!(
            "a page has at most {PAGE_ROWS_MAX} rows"
        ))),
    }
}

impl<T> Page<T> {
    fn empty() -> Self {
        Self {
            rows: Vec::new(),
            next: None,
        }
    }
}

/// A SELECT in the making: conditions with their values, a key to page by, and the cursor.
struct Select {
    conditions: Vec<String>,
    values: Vec<Value>,
    rows: usize,
    order: Order,
    after: Option<i64>,
    /// A cursor of this query; the next page's has another key.
    cursor: Cursor,
}

impl Select {
    fn new<Q: std::hash::Hash>(page: &PageRequest, query: &Q) -> Result<Self> {
        let after = match &page.cursor {
            Some(text) => Some(Cursor::decode(text, query)?.key),
            None => None,
        };
        Ok(Self {
            conditions: Vec::new(),
            values: Vec::new(),
            rows: rows_wanted(page.limit)?,
            order: page.order,
            after,
            cursor: Cursor::new(query, 0),
        })
    }

    fn condition(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.conditions.push(sql.to_owned());
        self.values.extend(values);
    }

    /// Rows that `table` links to `number`: drives the query when nothing else does, filters it otherwise. `{t}` in
    /// `extra` stands for the table.
    fn link(
        &mut self,
        driver: &mut Option<(&'static str, &'static str)>,
        table: &'static str,
        column: &str,
        number: i64,
        extra: &str,
    ) {
        let sql = if driver.is_none() {
            *driver = Some(match table {
                "item_entries" => (table, "item_entries.log_index"),
                _ => (table, "party_entries.log_index"),
            });
            format!("{table}.{column} = ?{}", extra.replace("{t}", table))
        } else {
            format!(
                "EXISTS (SELECT 1 FROM {table} x WHERE x.{column} = ? AND x.log_index = e.log_index{})",
                extra.replace("{t}", "x")
            )
        };
        self.condition(&sql, [Value::Integer(number)]);
    }

    fn run<T>(
        mut self,
        db: &Connection,
        columns: &str,
        from: &str,
        key: &str,
        map: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Page<T>> {
        let (operator, direction) = match self.order {
            Order::NewestFirst => ("<", "DESC"),
            Order::OldestFirst => (">", "ASC"),
        };
        if let Some(after) = self.after {
            self.condition(&format!("{key} {operator} ?"), [Value::Integer(after)]);
        }
        let conditions = if self.conditions.is_empty() {
            "1".to_owned()
        } else {
            self.conditions.join(" AND ")
        };
        // One row more than wanted says whether there is a next page. The key comes last.
        let sql = format!(
            "SELECT {columns}, {key} AS page_key FROM {from} WHERE {conditions} ORDER BY {key} {direction} LIMIT {}",
            self.rows + 1
        );
        let mut statement = db.prepare_cached(&sql)?;
        let key_column = statement.column_count() - 1;
        let found = statement.query_map(params_from_iter(self.values), |r| {
            Ok((map(r)?, r.get::<_, i64>(key_column)?))
        })?;
        let mut found = found.collect::<rusqlite::Result<Vec<_>>>()?;
        let more = found.len() > self.rows;
        found.truncate(self.rows);
        let next = match found.last() {
            Some((_, key)) if more => Some(self.cursor.at(*key).encode()),
            _ => None,
        };
        Ok(Page {
            rows: found.into_iter().map(|(row, _)| row).collect(),
            next,
        })
    }
}
