//! Where running exchanges are kept: bounded, and each record until its time.

use std::collections::{BTreeSet, HashMap};

use super::Fault;
use super::issuer::{Authorization, Code, Deferred, Grant, Token};
use super::verifier::Session;

/// A record of a running exchange.
#[derive(Debug, Clone)]
pub enum Record {
    /// What a pre-authorised code gives.
    Grant(Grant),
    /// A request for authorisation that was pushed, or waits for its person.
    Authorization(Authorization),
    /// What an authorisation code gives.
    Code(Code),
    /// What an access token gives.
    Token(Token),
    /// A nonce that was used.
    UsedNonce,
    /// A credential that is not ready.
    Deferred(Deferred),
    /// The subject and the kind of a credential whose receipt the wallet may report.
    Notification(String, String),
    /// A verifier's request.
    Presentation(Box<Session>),
}

/// Keeps records by secret keys. Times are seconds since 1970.
pub trait Store {
    /// Keeps a record until `expires_at`, in place of one with the same key.
    ///
    /// # Errors
    /// `temporarily_unavailable` if there is no room.
    fn put(&mut self, key: String, record: Record, expires_at: u64, now: u64) -> Result<(), Fault>;

    /// The record, unless it has expired.
    fn get(&mut self, key: &str, now: u64) -> Option<&mut Record>;

    /// Takes the record away, unless it has expired.
    fn take(&mut self, key: &str, now: u64) -> Option<Record>;
}

/// A store in memory with room for a fixed number of records.
#[derive(Debug)]
pub struct MemoryStore {
    records: HashMap<String, (u64, Record)>,
    by_expiry: BTreeSet<(u64, String)>,
    records_max: usize,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(records_max: usize) -> Self {
        Self {
            records: HashMap::new(),
            by_expiry: BTreeSet::new(),
            records_max,
        }
    }

    /// The number of records, expired ones included that were not swept yet.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn sweep(&mut self, now: u64) {
        while let Some((expires_at, _)) = self.by_expiry.first() {
            if *expires_at > now {
                break;
            }
            if let Some((_, key)) = self.by_expiry.pop_first() {
                self.records.remove(&key);
            }
        }
    }
}

impl Store for MemoryStore {
    fn put(&mut self, key: String, record: Record, expires_at: u64, now: u64) -> Result<(), Fault> {
        self.sweep(now);
        if let Some((before, _)) = self.records.get(&key) {
            self.by_expiry.remove(&(*before, key.clone()));
        } else if self.records.len() >= self.records_max {
            return Err(Fault::busy());
        }
        self.by_expiry.insert((expires_at, key.clone()));
        self.records.insert(key, (expires_at, record));
        Ok(())
    }

    fn get(&mut self, key: &str, now: u64) -> Option<&mut Record> {
        let (expires_at, record) = self.records.get_mut(key)?;
        (*expires_at > now).then_some(record)
    }

    fn take(&mut self, key: &str, now: u64) -> Option<Record> {
        let (expires_at, record) = self.records.remove(key)?;
        self.by_expiry.remove(&(expires_at, key.to_owned()));
        (expires_at > now).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_expire_and_make_room() {
        let mut store = MemoryStore::new(2);
        store.put("a".to_owned(), Record::UsedNonce, 10, 0).unwrap();
        store.put("b".to_owned(), Record::UsedNonce, 20, 0).unwrap();
        assert_eq!(
            store
                .put("c".to_owned(), Record::UsedNonce, 20, 9)
                .unwrap_err()
                .status,
            503
        );
        assert!(store.get("a", 9).is_some() && store.get("a", 10).is_none());
        store
            .put("c".to_owned(), Record::UsedNonce, 20, 10)
            .unwrap();
        assert_eq!(store.len(), 2);
        assert!(store.take("b", 11).is_some() && store.take("b", 11).is_none());
        store
            .put("c".to_owned(), Record::UsedNonce, 30, 11)
            .unwrap();
        assert!(store.get("c", 25).is_some() && store.take("c", 30).is_none() && store.is_empty());
    }
}
