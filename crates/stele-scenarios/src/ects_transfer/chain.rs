//! What goes onto the chain: signed, sent, and kept for counting its bytes and for searching them.

use std::time::Instant;

use stele_client::Final;
use stele_core::cbor::BodyBuilder;
use stele_core::entry::Entry;
use stele_core::suite::SigningKey;

use crate::frame::{Run, ScenarioError};
use crate::kit::{Office, prove};

/// Every entry that the parties of this scenario signed, applied or refused.
#[derive(Default)]
pub(super) struct Chain {
    pub entries: Vec<Entry>,
}

/// A signed command of one register: register, name, body.
pub(super) type Command = (&'static str, &'static str, Vec<u8>);

impl Chain {
    /// Signs a command and waits until it is final, applied or refused.
    pub fn attempt(
        &mut self,
        run: &mut Run<'_>,
        office: &Office,
        cosigners: &[&SigningKey],
        command: Command,
    ) -> Result<Final, ScenarioError> {
        let (register, name, body) = command;
        let doing = format!("submitting {name} for {}", office.name);
        let entry = office
            .party
            .sign_with_cosigners(register, &[(name, body)], cosigners)
            .map_err(|error| ScenarioError::client(doing.as_str())(error.into()))?;
        let begin = Instant::now();
        let done = run.client().submit(&entry);
        self.entries.push(entry);
        let done = done.map_err(ScenarioError::client(doing))?;
        run.finality().add(begin.elapsed());
        Ok(done)
    }

    /// As [`Chain::attempt`]; a refusal is an error.
    pub fn apply(
        &mut self,
        run: &mut Run<'_>,
        office: &Office,
        cosigners: &[&SigningKey],
        command: Command,
    ) -> Result<Final, ScenarioError> {
        let name = command.1;
        let done = self.attempt(run, office, cosigners, command)?;
        if done.outcome.applied {
            return Ok(done);
        }
        let code = done.outcome.code.as_deref().unwrap_or("an unnamed rule");
        Err(ScenarioError::broken(
            format!("{name} by {} to be applied", office.name),
            format!("refused by {code}"),
        ))
    }

    /// As [`Chain::apply`], with its receipt as the proof of `claim`. Returns the receipt's file too.
    pub fn prove(
        &mut self,
        run: &mut Run<'_>,
        office: &Office,
        cosigners: &[&SigningKey],
        command: Command,
        claim: &str,
    ) -> Result<(Final, String), ScenarioError> {
        let done = self.apply(run, office, cosigners, command)?;
        let file = prove(run, &done, claim)?;
        Ok((done, file))
    }

    /// The bytes of all entries from this place on, signatures included.
    pub fn bytes_since(&self, place: usize) -> usize {
        let entries = self.entries.get(place..).unwrap_or_default();
        entries.iter().map(|entry| entry.bytes().len()).sum()
    }

    /// The first entry that holds these words, in its commands or anywhere else.
    pub fn holding(&self, words: &str) -> Option<&Entry> {
        let holds = |entry: &&Entry| {
            let mut windows = entry.bytes().windows(words.len().max(1));
            windows.any(|window| window == words.as_bytes())
        };
        self.entries.iter().find(holds)
    }
}

/// The command that signs a document by its salted commitment.
pub(super) fn attest(kind: &str, commitment: &[u8; 32], replaces: Option<&[u8; 32]>) -> Command {
    let mut body = BodyBuilder::new()
        .text("kind", kind)
        .bytes("commitment", commitment);
    if let Some(old) = replaces {
        body = body.bytes("replaces", old);
    }
    ("credential", "document.attest", body.build())
}
