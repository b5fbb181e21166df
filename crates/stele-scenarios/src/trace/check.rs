//! Comparing events with what the chain holds of them.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use stele_core::cbor::Body;
use stele_core::id::EntryId;
use stele_epcis::canonical::{canonical_event, commitment, jcs};

use super::documents::Document;
use super::epcis::{self, Opening};
use crate::{Run, ScenarioError};

/// An entry that recorded events, proven.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub file: String,
    pub receipt: Vec<u8>,
    /// What the entry says of each event: its id and the commitment.
    pub commitments: Vec<(String, [u8; 32])>,
}

/// Proven entries by their ids.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    entries: BTreeMap<EntryId, Recorded>,
}

impl Chain {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn entries(&self) -> impl Iterator<Item = (&EntryId, &Recorded)> {
        self.entries.iter()
    }

    /// The entry that recorded this event.
    pub fn of_event(&self, event_id: &str) -> Option<&Recorded> {
        self.entries
            .values()
            .find(|recorded| recorded.commitments.iter().any(|(id, _)| id == event_id))
    }

    /// Checks one event of its owner: the proven entry holds the commitment that event and salt give.
    pub fn check(
        &mut self,
        run: &mut Run<'_>,
        event: &Json,
        context: &Json,
    ) -> Result<Opening, ScenarioError> {
        let canonical = canonical_event(event, Some(context)).map_err(|error| {
            ScenarioError::broken("an event with a canonical form", error.to_string())
        })?;
        let id = canonical["eventID"].as_str().unwrap_or_default().to_owned();
        let text = jcs(&canonical).unwrap_or_default();
        let openings = epcis::openings(run.client(), &id)?;
        // The repository must give back what its owner captured, byte for byte in the canonical form.
        let opening = openings
            .into_iter()
            .find(|opening| jcs(&opening.event).is_ok_and(|other| other == text));
        let opening = opening.ok_or_else(|| {
            ScenarioError::broken(
                format!("the event {id} as it was captured"),
                "another event",
            )
        })?;
        let made = commitment(&opening.salt, &canonical).unwrap_or_default();
        let recorded = self.prove(run, &opening.entry)?;
        let holds = recorded
            .commitments
            .iter()
            .any(|(other, hash)| *other == id && *hash == made);
        run.check(
            holds,
            "the proven commitment to be that of the event",
            || format!("another one for {id}"),
        )?;
        Ok(opening)
    }

    fn prove(&mut self, run: &mut Run<'_>, id: &EntryId) -> Result<&Recorded, ScenarioError> {
        if !self.entries.contains_key(id) {
            let receipt = run
                .client()
                .receipt(id)
                .map_err(ScenarioError::client("reading a receipt"))?;
            let verified = run.verify("an entry recorded events", &receipt)?;
            let entry = verified
                .entry
                .as_ref()
                .filter(|entry| entry.record.entry_id == *id);
            let Some(entry) = entry.and_then(|proven| proven.entry.as_ref()) else {
                return Err(ScenarioError::broken(
                    "a receipt with the entry that recorded events",
                    "another receipt",
                ));
            };
            let commitments: Vec<_> = entry
                .commands()
                .filter(|command| command.register == "trace" && command.name.starts_with("event."))
                .filter_map(|command| {
                    let mut body = Body::decode(command.body).ok()?;
                    let id = body.text("event_id", 256).ok()?.to_owned();
                    Some((id, body.bytes32("commitment").ok()?))
                })
                .collect();
            let claim = match commitments.as_slice() {
                [(id, _)] => format!("The commitment to event {id} was recorded"),
                list => format!(
                    "The commitments to {} events were recorded, {} the first",
                    list.len(),
                    list.first().map_or("", |(id, _)| id)
                ),
            };
            let (_, file) = run.evidence(claim, &receipt)?;
            self.entries.insert(
                *id,
                Recorded {
                    file,
                    receipt,
                    commitments,
                },
            );
        }
        Ok(&self.entries[id])
    }
}

pub(super) fn commitments(
    run: &mut Run<'_>,
    documents: &[Document],
) -> Result<Chain, ScenarioError> {
    run.step("check-commitments", |run| {
        let mut chain = Chain::default();
        let total = documents.iter().map(|document| document.events().len()).sum();
        let mut done = 0;
        for document in documents {
            for event in document.events() {
                run.at(done, total);
                chain.check(run, event, &document.json["@context"])?;
                done += 1;
            }
        }
        let detail = format!(
            "Each of {done} events, hashed with its salt, is the commitment that a verified receipt proves; {} entries hold them all.",
            chain.len()
        );
        Ok((chain, detail))
    })
}
