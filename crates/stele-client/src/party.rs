//! A party that signs and submits.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use stele_core::entry::{Entry, EntryBuilder, EntryError};
use stele_core::id::{PartyId, RegisterName, TimeMs};
use stele_core::suite::SigningKey;

use crate::{Client, ClientError, Final, Problem};

/// How long an entry stays valid after it is signed, in milliseconds.
const WINDOW_MS: u64 = 600_000;
/// How far back its window reaches, so that a node with a slower clock takes it too.
const BACKDATE_MS: u64 = 60_000;

/// A signing key of a party, and the node it submits to.
#[derive(Debug, Clone)]
pub struct Party {
    client: Client,
    key: Arc<SigningKey>,
    id: PartyId,
}

impl Party {
    /// The party whose first key is `key`. It need not be registered yet.
    pub fn new(client: Client, key: SigningKey) -> Self {
        let id = PartyId::of_first_key(&key.public().kid());
        Self {
            client,
            key: Arc::new(key),
            id,
        }
    }

    /// The party `id`, signing with one of its later keys.
    pub fn with_key(client: Client, id: PartyId, key: SigningKey) -> Self {
        Self {
            client,
            key: Arc::new(key),
            id,
        }
    }

    /// The party's id.
    pub fn id(&self) -> PartyId {
        self.id
    }

    /// The key it signs with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Builds an entry with a fresh nonce and a window around now, and signs it.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn sign(&self, register: &str, commands: &[(&str, Vec<u8>)]) -> Result<Entry, EntryError> {
        self.sign_with_cosigners(register, commands, &[])
    }

    /// As [`Party::sign`], countersigned by others.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn sign_with_cosigners(
        &self,
        register: &str,
        commands: &[(&str, Vec<u8>)],
        cosigners: &[&SigningKey],
    ) -> Result<Entry, EntryError> {
        let register =
            RegisterName::new(register).map_err(|_| EntryError::BadCommand(register.to_owned()))?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis() as u64;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).expect("the system gives random bytes");
        let (from, until) = (TimeMs::new(now - BACKDATE_MS), TimeMs::new(now + WINDOW_MS));
        let builder =
            EntryBuilder::new(self.client.network().network, register, from, until, &nonce);
        let builder = commands.iter().fold(builder, |builder, (name, body)| {
            builder.command(name, body.clone())
        });
        builder.sign_with_cosigners(&self.key, cosigners)
    }

    /// Signs, submits, waits until the entry is final, and takes a recorded refusal as an error.
    ///
    /// # Errors
    /// [`ClientError::Refused`], [`ClientError::NotApplied`] and others.
    pub fn submit(
        &self,
        register: &str,
        commands: &[(&str, Vec<u8>)],
    ) -> Result<Final, ClientError> {
        self.submit_with_cosigners(register, commands, &[])
    }

    /// As [`Party::submit`], countersigned by others.
    ///
    /// # Errors
    /// As [`Party::submit`].
    pub fn submit_with_cosigners(
        &self,
        register: &str,
        commands: &[(&str, Vec<u8>)],
        cosigners: &[&SigningKey],
    ) -> Result<Final, ClientError> {
        let done = self
            .client
            .submit(&self.sign_with_cosigners(register, commands, cosigners)?)?;
        if done.outcome.applied {
            return Ok(done);
        }
        let outcome = done.outcome;
        Err(ClientError::NotApplied(Problem {
            title: "Refused by a rule of the register".to_owned(),
            status: 200,
            detail: outcome.detail.unwrap_or_default(),
            code: outcome.code.unwrap_or_default(),
            hint: outcome.hint.unwrap_or_default(),
        }))
    }
}
