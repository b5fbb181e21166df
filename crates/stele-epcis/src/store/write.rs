//! Storing, publishing and dropping events.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;

use super::{Behaviour, EVENT_COLUMNS, EventStore, Job, StoreError, StoredEvent, stored};
use crate::canonical::SALT_BYTES;
use crate::facts::EventFacts;

/// An event on its way into the store.
pub(crate) struct NewEvent {
    /// Its place in the captured document, for error messages.
    pub index: usize,
    pub facts: EventFacts,
    /// The canonical event's bytes.
    pub json: String,
    pub salt: [u8; SALT_BYTES],
    pub commitment: [u8; 32],
}

/// A stored event that is not visible yet.
pub(crate) struct Pending {
    pub stored: StoredEvent,
    pub facts: EventFacts,
}

/// A captured document's worth of rows.
pub(crate) struct NewJob<'a> {
    pub id: &'a str,
    pub behaviour: Behaviour,
    pub now_ms: i64,
    pub events: &'a [NewEvent],
    /// Parent and child of the master data.
    pub children: &'a [(String, String)],
    /// Problems that are known already.
    pub errors: Vec<Value>,
}

/// What became of the events of a new job.
pub(crate) struct Begun {
    pub number: i64,
    /// Indexes of events whose id another event has.
    pub conflicts: Vec<usize>,
    /// Events that were captured before and are the same.
    pub known: usize,
}

impl EventStore {
    /// Stores a job and its events, invisible. With [`Behaviour::Rollback`] a conflict leaves the job without events.
    pub(crate) fn begin(
        &self,
        job: NewJob<'_>,
        conflict: impl Fn(usize) -> Value,
    ) -> Result<Begun, StoreError> {
        let mut writer = self.writer.lock();
        let mut tx = writer.0.transaction()?;
        tx.execute(
            "INSERT INTO jobs (id, created_ms, success, behaviour, errors) VALUES (?1, ?2, 1, ?3, '[]')",
            params![job.id, job.now_ms, job.behaviour.as_str()],
        )?;
        let mut begun = Begun {
            number: tx.last_insert_rowid(),
            conflicts: Vec::new(),
            known: 0,
        };
        let mut events = tx.savepoint()?;
        for event in job.events {
            match insert(&events, event, begun.number, job.now_ms)? {
                Inserted::New => {}
                Inserted::Known => begun.known += 1,
                Inserted::Conflict => begun.conflicts.push(event.index),
            }
        }
        for (parent, child) in job.children {
            events.execute(
                "INSERT OR IGNORE INTO children VALUES (?1, ?2)",
                [parent, child],
            )?;
        }
        let mut errors = job.errors;
        errors.extend(begun.conflicts.iter().map(|index| conflict(*index)));
        if job.behaviour == Behaviour::Rollback && !errors.is_empty() {
            events.rollback()?;
            events.finish()?;
        } else {
            events.commit()?;
        }
        if !errors.is_empty() {
            tx.execute(
                "UPDATE jobs SET errors = ?2, success = 0 WHERE number = ?1",
                params![begun.number, Value::Array(errors).to_string()],
            )?;
        }
        tx.commit()?;
        Ok(begun)
    }

    /// Invisible events of a job that are not anchored yet, in order.
    pub(crate) fn pending(&self, job: &Job, limit: usize) -> Result<Vec<Pending>, StoreError> {
        self.select_pending(job, "e.anchored = 0", limit)
    }

    fn select_pending(
        &self,
        job: &Job,
        condition: &str,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        self.read(|db| {
            let sql = format!(
                "SELECT {EVENT_COLUMNS} FROM events e WHERE job = ?1 AND visible = 0 AND {condition} ORDER BY seq LIMIT ?2"
            );
            let mut select = db.prepare_cached(&sql)?;
            let found = select.query_map(params![job.number, limit as i64], |row| {
                let stored = stored(row)?;
                // What is stored was valid when it was stored.
                let facts = EventFacts::of(&stored.event).ok_or(rusqlite::Error::InvalidQuery)?;
                Ok(Pending { stored, facts })
            })?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Notes the entry of each event; `publish` makes them visible too.
    pub(crate) fn anchored(
        &self,
        events: &[(&Pending, Option<[u8; 32]>)],
        publish: bool,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock();
        let tx = writer.0.transaction()?;
        for (event, entry_id) in events {
            tx.execute(
                "UPDATE events SET entry_id = ?2, anchored = 1 WHERE seq = ?1",
                params![event.stored.seq, entry_id],
            )?;
            if publish {
                make_visible(&tx, event)?;
            }
        }
        tx.commit()?;
        Ok(())
    }

    /// Makes all events of a job visible.
    pub(crate) fn publish(&self, job: &Job) -> Result<(), StoreError> {
        let events = self.select_pending(job, "1", i64::MAX as usize)?;
        let mut writer = self.writer.lock();
        let tx = writer.0.transaction()?;
        for event in &events {
            make_visible(&tx, event)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Drops one invisible event.
    pub(crate) fn drop_event(&self, event: &Pending) -> Result<(), StoreError> {
        self.writer.lock().0.execute(
            "DELETE FROM events WHERE seq = ?1 AND visible = 0",
            [event.stored.seq],
        )?;
        Ok(())
    }

    /// Drops all invisible events of a job.
    pub(crate) fn drop_pending(&self, job: &Job) -> Result<(), StoreError> {
        self.writer.lock().0.execute(
            "DELETE FROM events WHERE job = ?1 AND visible = 0",
            [job.number],
        )?;
        Ok(())
    }
}

enum Inserted {
    New,
    Known,
    Conflict,
}

fn insert(
    tx: &rusqlite::Connection,
    event: &NewEvent,
    job: i64,
    now_ms: i64,
) -> Result<Inserted, StoreError> {
    let declared = event.facts.declaration.is_some();
    let before: Option<String> = tx
        .prepare_cached("SELECT json FROM events WHERE event_id = ?1 AND declared = ?2")?
        .query_row(params![event.facts.event_id, declared], |r| r.get(0))
        .optional()?;
    if let Some(before) = before {
        return Ok(if before == event.json {
            Inserted::Known
        } else {
            Inserted::Conflict
        });
    }
    tx.prepare_cached(
        "INSERT INTO events (event_id, declared, type, event_ms, record_ms, json, salt, commitment, job, visible)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)",
    )?
    .execute(params![
        event.facts.event_id,
        declared,
        event.facts.event_type,
        event.facts.time_ms,
        now_ms,
        event.json,
        event.salt,
        event.commitment,
        job
    ])?;
    Ok(Inserted::New)
}

fn make_visible(tx: &Transaction<'_>, event: &Pending) -> Result<(), StoreError> {
    let seq = event.stored.seq;
    tx.prepare_cached("UPDATE events SET visible = 1 WHERE seq = ?1")?
        .execute([seq])?;
    let mut add = tx.prepare_cached("INSERT OR IGNORE INTO terms VALUES (?1, ?2, ?3)")?;
    for (field, value) in &event.facts.terms {
        add.execute(params![field, value, seq])?;
    }
    let mut add = tx.prepare_cached("INSERT OR IGNORE INTO numbers VALUES (?1, ?2, ?3)")?;
    for (field, value) in &event.facts.numbers {
        add.execute(params![field, value, seq])?;
    }
    Ok(())
}
