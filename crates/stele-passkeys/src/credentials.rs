//! What outlives the process: the passkeys of people, each with its public key and its counter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{Passkey, Uuid};

/// A registered passkey. There is no secret in it; who may write it may sign in as anybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRecord {
    /// The credential's id, base64url.
    pub id: String,
    /// Whose it is, in the issuer's own words.
    pub subject: String,
    /// What the authenticator knows the person by: random, and of this person only (Web Authentication, section 14.6.1: no
    /// personal data in user handles).
    pub handle: Uuid,
    /// The name that the device shows beside the passkey.
    pub display_name: String,
    /// When it was registered, in seconds since 1970.
    pub registered_at: u64,
    /// When it was last used, in seconds since 1970.
    pub used_at: Option<u64>,
    /// Since when it is locked, because its counter did not grow, in seconds since 1970.
    pub cloned_at: Option<u64>,
    /// The key and the counter, in the library's own form.
    pub(crate) passkey: Passkey,
}

/// All passkeys, by id and by person. It serialises to JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Credentials {
    version: u32,
    credentials: BTreeMap<String, CredentialRecord>,
    #[serde(skip)]
    by_subject: BTreeMap<String, Vec<String>>,
    #[serde(skip)]
    changes: u64,
}

/// The form on disk, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    credentials: BTreeMap<String, CredentialRecord>,
}

/// The form that is written. It changes with the meaning of a field.
const VERSION: u32 = 1;

/// Why stored credentials cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredCredentialsError {
    /// Written by another version.
    #[error("passkeys of version {0} cannot be read, only of version {VERSION}")]
    Version(u32),
    /// A record under another id than its own.
    #[error("the passkey under {0:?} has another id")]
    OtherId(String),
    /// Two people with one handle.
    #[error("a passkey of {0:?} carries the handle of another person")]
    Handle(String),
}

impl TryFrom<Stored> for Credentials {
    type Error = StoredCredentialsError;

    fn try_from(stored: Stored) -> Result<Self, StoredCredentialsError> {
        use StoredCredentialsError::{Handle, OtherId, Version};
        if stored.version != VERSION {
            return Err(Version(stored.version));
        }
        let mut credentials = Self::new();
        let mut owners: BTreeMap<Uuid, String> = BTreeMap::new();
        for (id, record) in stored.credentials {
            if record.id != id || crate::answer::encode(record.passkey.cred_id()) != id {
                return Err(OtherId(id));
            }
            let owner = owners
                .entry(record.handle)
                .or_insert_with(|| record.subject.clone());
            if *owner != record.subject {
                return Err(Handle(record.subject));
            }
            credentials.insert(record);
        }
        credentials.changes = 0;
        Ok(credentials)
    }
}

impl Credentials {
    /// No passkeys.
    pub fn new() -> Self {
        Self {
            version: VERSION,
            ..Self::default()
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.credentials.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.credentials.is_empty()
    }

    /// How often something changed since this was made or read. A service writes its credentials whenever this has moved:
    /// after a refusal too, for a copied passkey is locked by it.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The passkey with an id.
    pub fn get(&self, id: &str) -> Option<&CredentialRecord> {
        self.credentials.get(id)
    }

    /// The passkeys of a person, in the order of their registration.
    pub fn of(&self, subject: &str) -> impl Iterator<Item = &CredentialRecord> {
        let ids = self.by_subject.get(subject).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.credentials.get(id))
    }

    /// Removes a person's passkey: it was lost, or it is locked. Says whether there was one.
    pub fn remove(&mut self, subject: &str, id: &str) -> bool {
        if self.get(id).is_none_or(|record| record.subject != subject) {
            return false;
        }
        self.credentials.remove(id);
        if let Some(ids) = self.by_subject.get_mut(subject) {
            ids.retain(|other| other != id);
            if ids.is_empty() {
                self.by_subject.remove(subject);
            }
        }
        self.changes += 1;
        true
    }

    /// The handle of a person who has a passkey.
    pub(crate) fn handle(&self, subject: &str) -> Option<Uuid> {
        self.of(subject).next().map(|record| record.handle)
    }

    /// Adds a passkey whose id is not there yet.
    pub(crate) fn insert(&mut self, record: CredentialRecord) {
        let ids = self.by_subject.entry(record.subject.clone()).or_default();
        let place = ids.partition_point(|id| {
            self.credentials
                .get(id)
                .is_some_and(|other| other.registered_at <= record.registered_at)
        });
        ids.insert(place, record.id.clone());
        let before = self.credentials.insert(record.id.clone(), record);
        assert!(before.is_none(), "a passkey is registered once");
        self.changes += 1;
    }

    /// Changes a passkey that is there, counted as a change.
    pub(crate) fn change(&mut self, id: &str, change: impl FnOnce(&mut CredentialRecord)) {
        if let Some(record) = self.credentials.get_mut(id) {
            change(record);
            self.changes += 1;
        }
    }
}
