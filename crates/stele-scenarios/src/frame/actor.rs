//! Parties whose keys the node holds, and the time that their entries take to become final.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use stele_core::id::{EntryId, PartyId};

use super::{Run, ScenarioError};

/// A party that acts through the node's keystore, as an organisation does on its own node.
#[derive(Debug, Clone)]
pub struct Actor {
    /// What it calls itself.
    pub name: String,
    /// The name of its key in the node's keystore.
    pub key: String,
    /// Its id.
    pub id: PartyId,
}

/// A submitted entry that is final.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The entry.
    pub entry: EntryId,
    /// The block.
    pub height: u64,
    /// Its place in the log.
    pub log_index: u64,
    /// The rule that refused it, if one did.
    pub refused: Option<String>,
}

/// Times from submission to finality, as the submitter sees them.
#[derive(Debug, Clone, Default)]
pub struct Finality {
    times: Vec<Duration>,
}

impl Finality {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.times.len()
    }

    /// The value below which `percent` of all lie, by the nearest rank; zero without any.
    pub fn percentile(&self, percent: usize) -> Duration {
        percentile(&self.times, percent)
    }
}

/// By the nearest rank.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

impl Run<'_> {
    /// The party of the key `operator`, which every node has: the network's steward when the node founded it.
    ///
    /// # Errors
    /// [`ScenarioError::Client`].
    pub fn operator(&self) -> Result<Actor, ScenarioError> {
        let path = "/v1/keys";
        let keys = self
            .client()
            .get_json(path)
            .map_err(ScenarioError::client("listing the node's keys"))?;
        let found = keys["items"]
            .as_array()
            .and_then(|keys| keys.iter().find(|key| key["name"] == "operator"));
        let key = found.ok_or_else(|| {
            ScenarioError::broken("a key `operator` in the node's keystore", "none")
        })?;
        actor_of(key, "the node\u{2019}s operator")
    }

    /// Makes a key in the node's keystore and registers a new party with it.
    ///
    /// # Errors
    /// [`ScenarioError::Client`].
    pub fn register(
        &mut self,
        kind: &str,
        name: &str,
    ) -> Result<(Actor, Submitted), ScenarioError> {
        let request = json!({"name": name, "kind": kind});
        // Not counted for finality: most of the time goes into encrypting the new key.
        let answer = self.client().post_json("/v1/parties", &request);
        let answer = answer.map_err(ScenarioError::client(format!("registering {name}")))?;
        let key = answer["key"]["name"].as_str();
        let id = answer["party"]
            .as_str()
            .and_then(|did| PartyId::from_did(did).ok());
        let (Some(key), Some(id)) = (key, id) else {
            return Err(unlike("a party and its key", &answer));
        };
        let actor = Actor {
            name: name.to_owned(),
            key: key.to_owned(),
            id,
        };
        Ok((actor, submitted(&answer["entry"])?))
    }

    /// Signs commands with an actor's key and waits until they are final; a refusal is an error.
    ///
    /// # Errors
    /// [`ScenarioError::Client`], or [`ScenarioError::Broken`] when a rule refused.
    pub fn submit(
        &mut self,
        actor: &Actor,
        register: &str,
        commands: &[(&str, Json)],
    ) -> Result<Submitted, ScenarioError> {
        self.submit_together(actor, &[], register, commands)
    }

    /// As [`Run::submit`], countersigned by others.
    ///
    /// # Errors
    /// As [`Run::submit`].
    pub fn submit_together(
        &mut self,
        actor: &Actor,
        cosigners: &[&Actor],
        register: &str,
        commands: &[(&str, Json)],
    ) -> Result<Submitted, ScenarioError> {
        let done = self.submit_any(actor, cosigners, register, commands)?;
        match &done.refused {
            None => Ok(done),
            Some(code) => Err(ScenarioError::broken(
                format!("{} by {} to be applied", commands[0].0, actor.name),
                format!("refused by {code}"),
            )),
        }
    }

    /// Signs commands with an actor's key and waits until they are final, applied or refused.
    ///
    /// # Errors
    /// [`ScenarioError::Client`].
    pub fn submit_any(
        &mut self,
        actor: &Actor,
        cosigners: &[&Actor],
        register: &str,
        commands: &[(&str, Json)],
    ) -> Result<Submitted, ScenarioError> {
        let list: Vec<Json> = commands
            .iter()
            .map(|(name, body)| json!({"name": name, "body": body}))
            .collect();
        let mut request = json!({"key": actor.key, "register": register, "commands": list});
        if !cosigners.is_empty() {
            request["cosigners"] = cosigners
                .iter()
                .map(|other| Json::from(other.key.as_str()))
                .collect();
        }
        let begin = Instant::now();
        let answer = self.client().post_json("/v1/commands", &request);
        let took = begin.elapsed();
        let answer = answer.map_err(ScenarioError::client(format!(
            "submitting {} for {}",
            commands[0].0, actor.name
        )))?;
        let done = submitted(&answer)?;
        self.finality().add(took);
        Ok(done)
    }
}

fn submitted(answer: &Json) -> Result<Submitted, ScenarioError> {
    let entry = answer["entry_id"].as_str().and_then(|id| id.parse().ok());
    let (Some(entry), Some(height), Some(log_index)) = (
        entry,
        answer["height"].as_u64(),
        answer["log_index"].as_u64(),
    ) else {
        return Err(unlike("a final entry", answer));
    };
    let outcome = &answer["outcome"];
    let refused = (outcome["applied"] != true).then(|| {
        outcome["code"]
            .as_str()
            .unwrap_or("an unnamed rule")
            .to_owned()
    });
    Ok(Submitted {
        entry,
        height,
        log_index,
        refused,
    })
}

fn actor_of(key: &Json, name: &str) -> Result<Actor, ScenarioError> {
    let id = key["party"]
        .as_str()
        .and_then(|did| PartyId::from_did(did).ok());
    match (key["name"].as_str(), id) {
        (Some(key), Some(id)) => Ok(Actor {
            name: name.to_owned(),
            key: key.to_owned(),
            id,
        }),
        _ => Err(unlike("a key with its name and party", key)),
    }
}

fn unlike(expected: &str, found: &Json) -> ScenarioError {
    let found: String = found.to_string().chars().take(200).collect();
    ScenarioError::broken(format!("{expected} in the node's answer"), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_go_by_the_nearest_rank() {
        let times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&times[..1], 99), Duration::from_millis(200));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
