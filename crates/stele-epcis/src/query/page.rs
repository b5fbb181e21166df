//! Running a query, page by page.
//!
//! A token is hexadecimal text of 32 bytes: the query's fingerprint (8), the last event's order key (8) and place in the
//! store (8), and how many events `eventCountLimit` leaves (8). Events captured between two pages neither shift nor
//! repeat one.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Bound;

use super::params::bad;
use super::sql::{Where, order_column};
use super::{Order, Query, QueryError};
use crate::store::{EVENT_COLUMNS, EventStore, StoredEvent, stored};

/// Bytes of events in a page; the page ends early past them, and the token goes on.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A page of events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Asks for the next page; nothing at the end.
    pub next: Option<String>,
}

struct Token {
    key: i64,
    seq: i64,
    left: u64,
}

impl Query {
    /// The page that the query asks for.
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn run(&self, store: &EventStore) -> Result<EventPage, QueryError> {
        let token = self
            .token
            .as_deref()
            .map(|text| self.read_token(text))
            .transpose()?;
        let left = match (&token, self.count_limit) {
            (Some(token), Some(_)) => token.left,
            (None, Some(limit)) => limit,
            (_, None) => u64::MAX,
        };
        let mut clause = Where::of(self);
        if token.is_none() {
            self.check_count(store, &clause)?;
        }
        let column = order_column(self.order);
        let (operator, direction) = if self.descending {
            ("<", "DESC")
        } else {
            (">", "ASC")
        };
        if let Some(token) = &token {
            clause.and(
                &format!("({column}, e.seq) {operator} (?, ?)"),
                [Bound::Integer(token.key), Bound::Integer(token.seq)],
            );
        }
        let order = match self.order {
            Order::Captured => format!("e.seq {direction}"),
            _ => format!("{column} {direction}, e.seq {direction}"),
        };
        let wanted = self
            .per_page
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let sql = format!(
            "SELECT {EVENT_COLUMNS}, {column}, length(e.json) FROM events e WHERE {} ORDER BY {order} LIMIT {}",
            clause.sql,
            wanted + 1
        );
        let (events, last, more) = store.read(|db| {
            let mut select = db.prepare_cached(&sql)?;
            let mut rows = select.query(params_from_iter(clause.values))?;
            let (mut events, mut bytes, mut last, mut more) = (Vec::new(), 0, None, false);
            while let Some(row) = rows.next()? {
                if events.len() == wanted || bytes > PAGE_BYTES_MAX {
                    more = true;
                    break;
                }
                let event = stored(row)?;
                last = Some((row.get::<_, i64>(6)?, event.seq));
                bytes += row.get::<_, i64>(7)?.unsigned_abs() as usize;
                events.push(event);
            }
            Ok((events, last, more))
        })?;
        let left = left.saturating_sub(events.len() as u64);
        let next = match last {
            Some((key, seq)) if more && left > 0 => {
                Some(self.write_token(&Token { key, seq, left }))
            }
            _ => None,
        };
        Ok(EventPage { events, next })
    }

    /// `maxEventCount`: all pages together.
    fn check_count(&self, store: &EventStore, clause: &Where) -> Result<(), QueryError> {
        let Some(max) = self.count_max else {
            return Ok(());
        };
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM events e WHERE {} LIMIT {})",
            clause.sql,
            max + 1
        );
        let count: i64 = store.read(|db| {
            Ok(db
                .prepare_cached(&sql)?
                .query_row(params_from_iter(clause.values.iter()), |r| r.get(0))?)
        })?;
        if count.unsigned_abs() > max {
            return Err(QueryError::TooLarge { max });
        }
        Ok(())
    }

    fn write_token(&self, token: &Token) -> String {
        let mut bytes = self.fingerprint.to_vec();
        bytes.extend(token.key.to_be_bytes());
        bytes.extend(token.seq.to_be_bytes());
        bytes.extend(token.left.to_be_bytes());
        hex::encode(bytes)
    }

    fn read_token(&self, text: &str) -> Result<Token, QueryError> {
        let mut bytes = [0; 32];
        let read = hex::decode_to_slice(text, &mut bytes);
        if read.is_err() || bytes[..8] != self.fingerprint {
            return bad("`nextPageToken` does not belong to this query".to_owned());
        }
        let eight = |at: usize| <[u8; 8]>::try_from(&bytes[at..at + 8]).expect("eight bytes");
        Ok(Token {
            key: i64::from_be_bytes(eight(8)),
            seq: i64::from_be_bytes(eight(16)),
            left: u64::from_be_bytes(eight(24)),
        })
    }
}
