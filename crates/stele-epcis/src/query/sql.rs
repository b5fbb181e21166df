//! A query as SQL. Every value is bound; only names of our own stand in the text.

use rusqlite::types::Value as Bound;

use super::{Condition, Query};
use crate::query::Order;

/// A WHERE clause over `events e` with its values.
pub(super) struct Where {
    pub sql: String,
    pub values: Vec<Bound>,
}

impl Where {
    pub(super) fn of(query: &Query) -> Self {
        let mut clause = Self {
            sql: "e.visible = 1".to_owned(),
            values: Vec::new(),
        };
        for condition in &query.conditions {
            clause.add(condition);
        }
        clause
    }

    pub(super) fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Bound>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn add(&mut self, condition: &Condition) {
        match condition {
            Condition::Type(types) => {
                self.and(&format!("e.type IN ({})", marks(types.len())), texts(types))
            }
            Condition::EventId(ids) => {
                self.and(&format!("e.event_id IN ({})", marks(ids.len())), texts(ids))
            }
            Condition::Time { column, below, ms } => {
                let operator = if *below { "<" } else { ">=" };
                self.and(&format!("e.{column} {operator} ?"), [Bound::Integer(*ms)]);
            }
            Condition::Term { field, values } => {
                let found = format!(
                    "SELECT seq FROM terms WHERE field = ? AND value IN ({})",
                    marks(values.len())
                );
                self.and(&format!("e.seq IN ({found})"), named(field, texts(values)));
            }
            Condition::Key {
                field,
                keys,
                prefixes,
            } => self.key(field, keys, prefixes),
            Condition::Within { field, places } => {
                let sql = format!(
                    "e.seq IN (SELECT seq FROM terms WHERE field = ? AND value IN (
                        WITH RECURSIVE inside(place) AS (
                            VALUES {} UNION SELECT child FROM children JOIN inside ON parent = place
                        ) SELECT place FROM inside))",
                    vec!["(?)"; places.len()].join(", ")
                );
                let keys: Vec<String> = places.iter().map(|p| crate::gs1::match_key(p)).collect();
                self.and(&sql, named(field, texts(&keys)));
            }
            Condition::Number {
                field,
                operator,
                values,
            } => {
                let found = if *operator == "=" {
                    format!("value IN ({})", marks(values.len()))
                } else {
                    format!("value {operator} ?")
                };
                let sql = format!("e.seq IN (SELECT seq FROM numbers WHERE field = ? AND {found})");
                self.and(
                    &sql,
                    named(field, values.iter().map(|v| Bound::Real(*v)).collect()),
                );
            }
        }
    }

    fn key(&mut self, field: &str, keys: &[String], prefixes: &[String]) {
        let mut sql = format!(
            "e.seq IN (SELECT seq FROM terms WHERE field = ? AND value IN ({})",
            marks(keys.len())
        );
        let mut values = named(&format!("{field}~"), texts(keys));
        for prefix in prefixes {
            sql.push_str(
                " UNION SELECT seq FROM terms WHERE field = ? AND value >= ? AND value < ?",
            );
            values.push(Bound::Text(field.to_owned()));
            values.push(Bound::Text(prefix.clone()));
            // Text compares by bytes of UTF-8; no EPC holds the last character.
            values.push(Bound::Text(format!("{prefix}\u{10FFFF}")));
        }
        sql.push(')');
        self.and(&sql, values);
    }
}

/// The column that orders a query's events.
pub(super) fn order_column(order: Order) -> &'static str {
    match order {
        Order::Captured => "e.seq",
        Order::EventTime => "e.event_ms",
        Order::RecordTime => "e.record_ms",
    }
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn texts(values: &[String]) -> Vec<Bound> {
    values.iter().map(|v| Bound::Text(v.clone())).collect()
}

fn named(field: &str, mut values: Vec<Bound>) -> Vec<Bound> {
    values.insert(0, Bound::Text(field.to_owned()));
    values
}
