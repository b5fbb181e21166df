//! The office's file: issuers, offers, and what was issued, in SQLite and durable (`synchronous = FULL`).

use std::path::Path;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::{Map, Value};
use stele_credentials::Refusal;
use stele_credentials::status::Status;

use crate::office::{IssuedRow, OfferRow, OfferState};
use crate::rules::{ISSUED_UNKNOWN, KEEPING, NOT_READY, OFFER_UNKNOWN};
use crate::settings::IssuerSettings;

/// "STLO": says that the file is an office's.
const APPLICATION_ID: i64 = 0x5354_4c4f;
const LAYOUT: i64 = 1;
/// The most rows of one page.
pub(crate) const PAGE_ROWS_MAX: usize = 1000;

/// The file.
pub(crate) struct OfficeFile(Mutex<Connection>);

/// An offer with its secrets, as it is kept.
pub(crate) struct KeptOffer {
    pub id: String,
    pub kind: String,
    pub reference: Option<String>,
    pub claims: Map<String, Value>,
    pub code: String,
    pub tx_code: Option<String>,
    pub state: OfferState,
    pub made_at: u64,
    pub expires_at: u64,
}

/// A credential that was committed to.
pub(crate) struct NewIssued {
    pub number: u64,
    pub offer: String,
    pub kind: String,
    pub reference: Option<String>,
    pub signed: [u8; 32],
    pub proof: Vec<u8>,
    pub issued_at: u64,
}

fn failed(error: impl core::fmt::Display) -> Refusal {
    KEEPING.because(error)
}

const OFFER_COLUMNS: &str = "id, kind, reference, state, made_at, expires_at";

fn offer_row(row: &Row<'_>) -> rusqlite::Result<OfferRow> {
    Ok(OfferRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        reference: row.get(2)?,
        state: OfferState::from_name(&row.get::<_, String>(3)?),
        made_at: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

fn kept_offer(row: &Row<'_>) -> rusqlite::Result<KeptOffer> {
    let claims: String = row.get(6)?;
    let OfferRow {
        id,
        kind,
        reference,
        state,
        made_at,
        expires_at,
    } = offer_row(row)?;
    Ok(KeptOffer {
        claims: serde_json::from_str(&claims).unwrap_or_default(),
        code: row.get(7)?,
        tx_code: row.get(8)?,
        id,
        kind,
        reference,
        state,
        made_at,
        expires_at,
    })
}

impl OfficeFile {
    /// Opens or makes the file.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let db = Connection::open(path).map_err(failed)?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;",
        )
        .map_err(failed)?;
        let number = |name: &str| {
            db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
                .map_err(failed)
        };
        match (number("application_id")?, number("user_version")?) {
            (0, 0) => {
                let schema = include_str!("schema.sql");
                db.execute_batch(&format!(
                    "BEGIN; {schema} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT}; COMMIT;"
                ))
                .map_err(failed)?;
            }
            (APPLICATION_ID, LAYOUT) => {}
            (application, layout) => {
                return Err(failed(format_args!(
                    "the file is of {application:x}, layout {layout}"
                )));
            }
        }
        Ok(Self(Mutex::new(db)))
    }

    fn transaction<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut db = self.0.lock();
        let transaction = db.transaction().map_err(failed)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    /// Every issuer with its settings and secret, by name.
    pub fn issuers(&self) -> Result<Vec<(String, IssuerSettings, [u8; 32])>, Refusal> {
        let db = self.0.lock();
        let mut rows = db
            .prepare("SELECT name, settings, secret FROM issuers ORDER BY name")
            .map_err(failed)?;
        let found = rows
            .query_map([], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get(2)?,
                ))
            })
            .map_err(failed)?;
        found
            .map(|row| {
                let (name, settings, secret) = row.map_err(failed)?;
                Ok((
                    name,
                    serde_json::from_str(&settings).map_err(failed)?,
                    secret,
                ))
            })
            .collect()
    }

    /// Makes or changes an issuer; returns its secret, which stays the same.
    pub fn put_issuer(
        &self,
        name: &str,
        settings: &IssuerSettings,
        secret: &[u8; 32],
    ) -> Result<[u8; 32], Refusal> {
        let text = serde_json::to_string(settings).map_err(failed)?;
        self.0
            .lock()
            .query_row(
                "INSERT INTO issuers (name, settings, secret) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET settings = excluded.settings RETURNING secret",
                params![name, text, secret],
                |row| row.get(0),
            )
            .map_err(failed)
    }

    /// Keeps offers, all or none.
    pub fn add_offers(&self, issuer: &str, offers: &[KeptOffer]) -> Result<(), Refusal> {
        self.transaction(|db| {
            let mut insert = db
                .prepare(
                    "INSERT INTO offers (id, issuer, kind, reference, claims, code, tx_code, state, made_at, expires_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )
                .map_err(failed)?;
            for offer in offers {
                let claims = serde_json::to_string(&offer.claims).map_err(failed)?;
                insert
                    .execute(params![
                        offer.id,
                        issuer,
                        offer.kind,
                        offer.reference,
                        claims,
                        offer.code,
                        offer.tx_code,
                        offer.state.name(),
                        offer.made_at,
                        offer.expires_at
                    ])
                    .map_err(failed)?;
            }
            Ok(())
        })
    }

    /// What is still offered by an issuer, with the secrets.
    pub fn open_offers(&self, issuer: &str) -> Result<Vec<KeptOffer>, Refusal> {
        let db = self.0.lock();
        let query = format!(
            "SELECT {OFFER_COLUMNS}, claims, code, tx_code FROM offers WHERE issuer = ?1 AND claims IS NOT NULL"
        );
        let mut rows = db.prepare(&query).map_err(failed)?;
        let found = rows.query_map([issuer], kept_offer).map_err(failed)?;
        found.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// One open offer.
    pub fn open_offer(&self, issuer: &str, id: &str) -> Result<KeptOffer, Refusal> {
        let query = format!(
            "SELECT {OFFER_COLUMNS}, claims, code, tx_code FROM offers WHERE issuer = ?1 AND id = ?2 AND claims IS NOT NULL"
        );
        self.0
            .lock()
            .query_row(&query, [issuer, id], kept_offer)
            .optional()
            .map_err(failed)?
            .ok_or_else(|| NOT_READY.refuse())
    }

    /// The oldest open offer of a kind to a person.
    pub fn open_offer_to(
        &self,
        issuer: &str,
        reference: &str,
        kind: &str,
    ) -> Result<KeptOffer, Refusal> {
        let query = format!(
            "SELECT {OFFER_COLUMNS}, claims, code, tx_code FROM offers
             WHERE issuer = ?1 AND reference = ?2 AND kind = ?3 AND claims IS NOT NULL ORDER BY made_at, rowid LIMIT 1"
        );
        self.0
            .lock()
            .query_row(&query, [issuer, reference, kind], kept_offer)
            .optional()
            .map_err(failed)?
            .ok_or_else(|| NOT_READY.refuse())
    }

    /// Offers from the newest on, after the first `skip`.
    pub fn offers(&self, issuer: &str, skip: usize, rows: usize) -> Result<Vec<OfferRow>, Refusal> {
        let db = self.0.lock();
        let query = format!(
            "SELECT {OFFER_COLUMNS} FROM offers WHERE issuer = ?1 ORDER BY made_at DESC, rowid DESC LIMIT ?2 OFFSET ?3"
        );
        let mut found = db.prepare(&query).map_err(failed)?;
        let found = found
            .query_map(params![issuer, rows.min(PAGE_ROWS_MAX), skip], offer_row)
            .map_err(failed)?;
        found.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// A clerk approves what waits.
    pub fn approve(&self, issuer: &str, id: &str) -> Result<(), Refusal> {
        let changed = self
            .0
            .lock()
            .execute(
                "UPDATE offers SET state = 'ready' WHERE issuer = ?1 AND id = ?2 AND state = 'waiting'",
                [issuer, id],
            )
            .map_err(failed)?;
        if changed == 1 {
            Ok(())
        } else {
            Err(OFFER_UNKNOWN.refuse())
        }
    }

    /// Takes an open offer back; returns its code.
    pub fn withdraw(&self, issuer: &str, id: &str) -> Result<String, Refusal> {
        self.transaction(|db| {
            let code = db
                .query_row(
                    "SELECT code FROM offers WHERE issuer = ?1 AND id = ?2 AND claims IS NOT NULL",
                    [issuer, id],
                    |row| row.get(0),
                )
                .optional()
                .map_err(failed)?
                .ok_or_else(|| OFFER_UNKNOWN.refuse())?;
            close(db, id, "withdrawn")?;
            Ok(code)
        })
    }

    /// Removes the personal data of offers whose time is over.
    pub fn sweep(&self, now: u64) -> Result<usize, Refusal> {
        self.0
            .lock()
            .execute(
                "UPDATE offers SET state = 'expired', claims = NULL, code = NULL, tx_code = NULL
                 WHERE claims IS NOT NULL AND expires_at <= ?1",
                [now],
            )
            .map_err(failed)
    }

    /// The next number of an issuer's credentials.
    pub fn next_number(&self, issuer: &str) -> Result<u64, Refusal> {
        self.0
            .lock()
            .query_row(
                "UPDATE issuers SET next_number = next_number + 1 WHERE name = ?1 RETURNING next_number - 1",
                [issuer],
                |row| row.get(0),
            )
            .map_err(failed)
    }

    /// How many numbers were given out.
    pub fn numbers(&self, issuer: &str) -> Result<u64, Refusal> {
        self.0
            .lock()
            .query_row(
                "SELECT next_number FROM issuers WHERE name = ?1",
                [issuer],
                |row| row.get(0),
            )
            .map_err(failed)
    }

    /// Keeps what was issued, and removes the claims of its offers.
    pub fn add_issued(&self, issuer: &str, issued: &[NewIssued]) -> Result<(), Refusal> {
        self.transaction(|db| {
            let mut insert = db
                .prepare(
                    "INSERT INTO issued (issuer, number, offer, kind, reference, signed, proof, issued_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )
                .map_err(failed)?;
            for one in issued {
                insert
                    .execute(params![
                        issuer,
                        one.number,
                        one.offer,
                        one.kind,
                        one.reference,
                        one.signed,
                        one.proof,
                        one.issued_at
                    ])
                    .map_err(failed)?;
                close(db, &one.offer, "collected")?;
            }
            Ok(())
        })
    }

    /// What was issued, from the newest on.
    pub fn issued(
        &self,
        issuer: &str,
        skip: usize,
        rows: usize,
    ) -> Result<Vec<IssuedRow>, Refusal> {
        let db = self.0.lock();
        let mut found = db
            .prepare(
                "SELECT number, offer, kind, reference, status, issued_at FROM issued
                 WHERE issuer = ?1 ORDER BY number DESC LIMIT ?2 OFFSET ?3",
            )
            .map_err(failed)?;
        let found = found
            .query_map(params![issuer, rows.min(PAGE_ROWS_MAX), skip], |row| {
                Ok(IssuedRow {
                    number: row.get(0)?,
                    offer: row.get(1)?,
                    kind: row.get(2)?,
                    reference: row.get(3)?,
                    status: Status::from_value(row.get(4)?),
                    issued_at: row.get(5)?,
                })
            })
            .map_err(failed)?;
        found.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// The proof of issuance of a credential, by the hash of its signed part.
    pub fn proof(&self, issuer: &str, signed: &[u8; 32]) -> Result<Option<Vec<u8>>, Refusal> {
        self.0
            .lock()
            .query_row(
                "SELECT proof FROM issued WHERE issuer = ?1 AND signed = ?2",
                params![issuer, signed],
                |row| row.get(0),
            )
            .optional()
            .map_err(failed)
    }

    /// Changes the status of all copies that came from one offer; returns what it was.
    pub fn set_status(&self, issuer: &str, offer: &str, status: Status) -> Result<Status, Refusal> {
        self.transaction(|db| {
            let before = db
                .query_row(
                    "SELECT max(status) FROM issued WHERE issuer = ?1 AND offer = ?2",
                    [issuer, offer],
                    |row| row.get::<_, Option<u8>>(0),
                )
                .map_err(failed)?
                .ok_or_else(|| ISSUED_UNKNOWN.refuse())?;
            db.execute(
                "UPDATE issued SET status = ?3 WHERE issuer = ?1 AND offer = ?2",
                params![issuer, offer, status.value()],
            )
            .map_err(failed)?;
            Ok(Status::from_value(before))
        })
    }

    /// Every passkey's id and record.
    pub fn passkeys(&self) -> Result<Vec<(String, String)>, Refusal> {
        let db = self.0.lock();
        let mut found = db
            .prepare("SELECT id, record FROM passkeys")
            .map_err(failed)?;
        let found = found
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(failed)?;
        found.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// Keeps a passkey, in place of the same one.
    pub fn put_passkey(&self, id: &str, subject: &str, record: &str) -> Result<(), Refusal> {
        self.0
            .lock()
            .execute(
                "INSERT INTO passkeys (id, subject, record) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                [id, subject, record],
            )
            .map_err(failed)?;
        Ok(())
    }

    /// What is kept under a name.
    pub fn document(&self, name: &str) -> Result<Option<String>, Refusal> {
        self.0
            .lock()
            .query_row(
                "SELECT content FROM documents WHERE name = ?1",
                [name],
                |row| row.get(0),
            )
            .optional()
            .map_err(failed)
    }

    /// Keeps something under a name.
    pub fn put_document(&self, name: &str, content: &str) -> Result<(), Refusal> {
        self.0
            .lock()
            .execute(
                "INSERT INTO documents (name, content) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET content = excluded.content",
                [name, content],
            )
            .map_err(failed)?;
        Ok(())
    }

    /// The numbers whose status is another than valid.
    pub fn not_valid(&self, issuer: &str) -> Result<Vec<(u64, u8)>, Refusal> {
        let db = self.0.lock();
        let mut found = db
            .prepare("SELECT number, status FROM issued WHERE issuer = ?1 AND status <> 0")
            .map_err(failed)?;
        let found = found
            .query_map([issuer], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(failed)?;
        found.collect::<rusqlite::Result<_>>().map_err(failed)
    }
}

/// Ends an offer and removes what it held of a person.
fn close(db: &Transaction<'_>, id: &str, state: &str) -> Result<(), Refusal> {
    db.execute(
        "UPDATE offers SET state = ?2, claims = NULL, code = NULL, tx_code = NULL WHERE id = ?1",
        [id, state],
    )
    .map_err(failed)?;
    Ok(())
}
