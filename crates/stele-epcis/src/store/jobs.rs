//! Capture jobs: what became of a captured document.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Value, json};

use super::{EventStore, StoreError};
use stele_core::calendar::format_date_time;

/// What a faulty event means for the others of its document (`GS1-Capture-Error-Behaviour`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// None is captured.
    #[default]
    Rollback,
    /// The others are captured.
    Proceed,
}

impl Behaviour {
    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Proceed => "proceed",
        }
    }

    /// Reads the header.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "rollback" => Some(Self::Rollback),
            "proceed" => Some(Self::Proceed),
            _ => None,
        }
    }
}

/// A capture job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub(crate) number: i64,
    /// Its id.
    pub id: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it ended; nothing while it runs.
    pub finished_ms: Option<i64>,
    /// No error so far.
    pub success: bool,
    /// What errors mean.
    pub behaviour: Behaviour,
    /// Problem details, one for each faulty event.
    pub errors: Vec<Value>,
}

impl Job {
    /// The standard's capture job document.
    pub fn to_json(&self) -> Value {
        let mut job = json!({
            "captureID": self.id,
            "createdAt": format_date_time(self.created_ms),
            "running": self.finished_ms.is_none(),
            "success": self.success,
            "captureErrorBehaviour": self.behaviour.as_str(),
            "errors": self.errors,
        });
        if let Some(ms) = self.finished_ms {
            job["finishedAt"] = Value::String(format_date_time(ms));
        }
        job
    }
}

const COLUMNS: &str = "number, id, created_ms, finished_ms, success, behaviour, errors";

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        number: row.get(0)?,
        id: row.get(1)?,
        created_ms: row.get(2)?,
        finished_ms: row.get(3)?,
        success: row.get(4)?,
        behaviour: Behaviour::parse(&row.get::<_, String>(5)?).unwrap_or_default(),
        errors: serde_json::from_str(&row.get::<_, String>(6)?).unwrap_or_default(),
    })
}

impl EventStore {
    /// A job by its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn job(&self, id: &str) -> Result<Option<Job>, StoreError> {
        self.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
            Ok(db.query_row(&sql, [id], job).optional()?)
        })
    }

    /// The newest jobs before `number`.
    pub(crate) fn jobs(&self, before: i64, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM jobs WHERE number < ?1 ORDER BY number DESC LIMIT ?2"
            );
            let mut select = db.prepare_cached(&sql)?;
            let found = select.query_map(params![before, limit as i64], job)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Ids of the jobs that did not end, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn unfinished_jobs(&self) -> Result<Vec<String>, StoreError> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT id FROM jobs WHERE finished_ms IS NULL ORDER BY number")?;
            let found = select.query_map([], |r| r.get(0))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Replaces a job's errors, and ends it when `finished_ms` is given.
    pub(crate) fn job_update(
        &self,
        number: i64,
        errors: &[Value],
        finished_ms: Option<i64>,
    ) -> Result<(), StoreError> {
        self.writer.lock().0.execute(
            "UPDATE jobs SET errors = ?2, success = ?3, finished_ms = ?4 WHERE number = ?1",
            params![
                number,
                Value::Array(errors.to_vec()).to_string(),
                errors.is_empty(),
                finished_ms
            ],
        )?;
        Ok(())
    }
}
