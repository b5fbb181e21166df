//! Parties that keep their own keys, outside the node.

use std::time::Instant;

use stele_client::{Final, Party};
use stele_core::suite::SigningKey;

use super::random;
use crate::frame::{Run, ScenarioError};

/// An organisation or device that keeps its own keys.
#[derive(Debug, Clone)]
pub(crate) struct Office {
    /// What it calls itself.
    pub name: String,
    /// Its id and the key that it signs with.
    pub party: Party,
}

impl Office {
    /// With a new key, not registered yet.
    pub fn new(run: &Run<'_>, name: &str) -> Self {
        Self::with_first_key(run, name, random::key())
    }

    /// With this key as its first one, not registered yet.
    pub fn with_first_key(run: &Run<'_>, name: &str, key: SigningKey) -> Self {
        Self {
            name: name.to_owned(),
            party: Party::new(run.client().clone(), key),
        }
    }

    /// The same party, signing with another of its keys.
    pub fn signing_with(&self, run: &Run<'_>, key: SigningKey) -> Self {
        Self {
            name: self.name.clone(),
            party: Party::with_key(run.client().clone(), self.party.id(), key),
        }
    }

    /// Its DID.
    pub fn did(&self) -> String {
        self.party.id().did()
    }
}

/// Signs commands with an office's key and waits until they are final, applied or refused.
///
/// # Errors
/// [`ScenarioError::Client`].
pub(crate) fn attempt(
    run: &mut Run<'_>,
    office: &Office,
    cosigners: &[&SigningKey],
    register: &str,
    commands: &[(&str, Vec<u8>)],
) -> Result<Final, ScenarioError> {
    let names: Vec<&str> = commands.iter().map(|(name, _)| *name).collect();
    let doing = format!("submitting {} for {}", names.join(", "), office.name);
    let entry = office
        .party
        .sign_with_cosigners(register, commands, cosigners)
        .map_err(|error| ScenarioError::client(doing.as_str())(error.into()))?;
    let begin = Instant::now();
    let done = run
        .client()
        .submit(&entry)
        .map_err(ScenarioError::client(doing))?;
    run.finality().add(begin.elapsed());
    Ok(done)
}

/// As [`attempt`], with its receipt as the proof of `claim`; a refusal is an error. Returns the receipt's file too.
///
/// # Errors
/// As [`attempt`] and [`prove`], and [`ScenarioError::Broken`] when a rule refused.
pub(crate) fn submit(
    run: &mut Run<'_>,
    office: &Office,
    cosigners: &[&SigningKey],
    register: &str,
    commands: &[(&str, Vec<u8>)],
    claim: &str,
) -> Result<(Final, String), ScenarioError> {
    let done = attempt(run, office, cosigners, register, commands)?;
    if !done.outcome.applied {
        let code = done.outcome.code.as_deref().unwrap_or("an unnamed rule");
        return Err(ScenarioError::broken(
            format!("what {} signed to be applied", office.name),
            format!("refused by {code}"),
        ));
    }
    let file = prove(run, &done, claim)?;
    Ok((done, file))
}

/// The receipt of a final entry, verified and kept as the proof of `claim`. Returns its file.
///
/// # Errors
/// [`ScenarioError::Client`], [`ScenarioError::Receipt`], or [`ScenarioError::Broken`] when it proves another entry.
pub(crate) fn prove(run: &mut Run<'_>, done: &Final, claim: &str) -> Result<String, ScenarioError> {
    let receipt = run
        .client()
        .receipt(&done.entry_id)
        .map_err(ScenarioError::client("reading a receipt"))?;
    let (verified, file) = run.evidence(claim, &receipt)?;
    let proven = verified.entry.as_ref().map(|entry| entry.record.entry_id);
    run.check(
        proven == Some(done.entry_id),
        "a receipt of the entry that was submitted",
        || format!("a receipt of {proven:?}"),
    )?;
    Ok(file)
}

/// The receipt of a state key and the value that it proves; `None` for a proven absence.
///
/// # Errors
/// [`ScenarioError::Client`].
pub(crate) fn receipt_of_state(
    run: &Run<'_>,
    register: &str,
    key: &[u8],
) -> Result<(Vec<u8>, Option<Vec<u8>>), ScenarioError> {
    run.client()
        .verified_state(register, key)
        .map_err(ScenarioError::client("reading the receipt of a state"))
}
