//! The EPCIS repository of this node's operator: captured documents stay here, their commitments go to the register `trace`.
//!
//! Each event becomes one entry, signed by the operator's key, so one refused event does not take others with it. Entries of a
//! document are submitted together and become final together.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use stele_core::block::Outcome;
use stele_core::cbor::{Body, BodyBuilder};
use stele_core::entry::{Entry, EntryBuilder};
use stele_core::id::{Height, PartyId, RegisterName, TimeMs};
use stele_core::machine::Refusal;
use stele_core::suite::SigningKey;
use stele_epcis::{Anchor, AnchorError, EpcisService, EventStore, EventToAnchor, StoreError};
use stele_ledger::ledger::{Finalised, Ledger, LedgerError, LoggedEntry, Progress, system_time};
use stele_registers::{View, trace};

/// How long an anchoring entry may wait for its block, in milliseconds.
const WINDOW_MS: u64 = 10 * 60_000;
/// How far the window begins before now.
const BEFORE_MS: u64 = 5_000;
/// How long the last entry of a document may take to become final.
const WAIT: Duration = Duration::from_secs(60);

/// Opens the repository in `path`; events are anchored by `signer`.
///
/// # Errors
/// [`StoreError`].
pub fn open(
    path: &Path,
    ledger: Arc<Ledger>,
    signer: SigningKey,
) -> Result<EpcisService, StoreError> {
    let store = EventStore::open(path)?;
    let party = PartyId::of_first_key(&signer.public().kid());
    let anchor = LedgerAnchor {
        ledger,
        signer,
        party,
    };
    Ok(EpcisService::new(
        store,
        Arc::new(anchor),
        Arc::new(|| system_time().get() as i64),
    ))
}

struct LedgerAnchor {
    ledger: Arc<Ledger>,
    signer: SigningKey,
    party: PartyId,
}

type Anchored = Result<Option<[u8; 32]>, AnchorError>;

fn temporary(detail: impl Into<String>) -> AnchorError {
    AnchorError {
        code: "node.unavailable".to_owned(),
        detail: detail.into(),
        temporary: true,
    }
}

impl LedgerAnchor {
    fn entry(&self, event: &EventToAnchor) -> Result<Entry, AnchorError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).expect("the system gives random bytes");
        let now = system_time().get();
        let (from, until) = (TimeMs::new(now - BEFORE_MS), TimeMs::new(now + WINDOW_MS));
        let register = RegisterName::new(trace::NAME).expect("a register's name");
        let network = self.ledger.genesis().network_id();
        let (name, body) = command(event);
        let builder = EntryBuilder::new(network, register, from, until, &nonce).command(name, body);
        builder.sign(&self.signer).map_err(|error| AnchorError {
            code: error.code().to_owned(),
            detail: format!("{error}."),
            temporary: false,
        })
    }

    /// What a refusal means for the event: a known event with the same commitment is anchored already.
    fn judge(&self, event: &EventToAnchor, refusal: &Refusal) -> Anchored {
        if refusal.code.starts_with("node.") {
            return Err(temporary(refusal.sentence.clone()));
        }
        if let Some(entry) = self.known(event)? {
            return Ok(Some(entry));
        }
        Err(AnchorError {
            code: refusal.code.clone(),
            detail: refusal.sentence.clone(),
            temporary: false,
        })
    }

    /// The entry that holds this very commitment, if the register has it.
    fn known(&self, event: &EventToAnchor) -> Result<Option<[u8; 32]>, AnchorError> {
        let view = View::new(self.ledger.state(), trace::NAME);
        let record = trace::event(view, &trace::event_ref(&self.party, &event.event_id));
        let record = record.map_err(|fault| temporary(fault.to_string()))?;
        let Some(record) = record else {
            return Ok(None);
        };
        let corrected = record
            .correction
            .as_ref()
            .map(|correction| (correction.commitment, correction.height));
        let places = [Some((record.commitment, record.height)), corrected];
        let place = places
            .into_iter()
            .flatten()
            .find(|(commitment, _)| *commitment.as_bytes() == event.commitment);
        match place {
            Some((_, height)) => self
                .entry_in(height, &event.commitment)
                .map_err(|error| temporary(error.to_string())),
            None => Ok(None),
        }
    }

    /// The applied entry of this party in a block whose command holds the commitment.
    fn entry_in(
        &self,
        height: Height,
        commitment: &[u8; 32],
    ) -> Result<Option<[u8; 32]>, LedgerError> {
        let block = self.ledger.log().block(height)?;
        let holds = |logged: &LoggedEntry| {
            logged.record.party == self.party
                && matches!(logged.record.outcome, Outcome::Applied { .. })
                && logged.entry.commands().any(|command| {
                    let held =
                        Body::decode(command.body).and_then(|mut body| body.bytes32("commitment"));
                    held.is_ok_and(|held| held == *commitment)
                })
        };
        let entries = self.ledger.entries_of(&block)?;
        Ok(entries
            .iter()
            .find(|logged| holds(logged))
            .map(|logged| *logged.entry.id().as_bytes()))
    }
}

impl Anchor for LedgerAnchor {
    fn anchor(&self, events: &[EventToAnchor]) -> Vec<Anchored> {
        let (sender, receiver) = channel::<(usize, Result<Finalised, Refusal>)>();
        let mut answers: Vec<Option<Anchored>> = Vec::with_capacity(events.len());
        for (number, event) in events.iter().enumerate() {
            let sender = sender.clone();
            let submitted = self.entry(event).map(|entry| {
                self.ledger.submit(entry.into_bytes(), move |progress| {
                    let answer = match progress {
                        Progress::Admitted(_) => return,
                        Progress::Refused(refusal) | Progress::Unknown(refusal) => Err(refusal),
                        Progress::Final(done) => Ok(*done),
                    };
                    // Whoever waited may have given up; the job is taken up again later.
                    let _ = sender.send((number, answer));
                })
            });
            answers.push(match submitted {
                Ok(Ok(_)) => None,
                Ok(Err(refusal)) => Some(self.judge(event, &refusal)),
                Err(error) => Some(Err(error)),
            });
        }
        drop(sender);
        // Ends when all have answered, or when one takes too long.
        while let Ok((number, answer)) = receiver.recv_timeout(WAIT) {
            answers[number] = Some(match answer {
                Ok(Finalised {
                    refusal: None,
                    entry_id,
                    ..
                }) => Ok(Some(*entry_id.as_bytes())),
                Ok(Finalised {
                    refusal: Some(refusal),
                    ..
                })
                | Err(refusal) => self.judge(&events[number], &refusal),
            });
        }
        let late = || Err(temporary("the entry is not final yet"));
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(late))
            .collect()
    }
}

fn command(event: &EventToAnchor) -> (&'static str, Vec<u8>) {
    let body = BodyBuilder::new()
        .text("event_id", &event.event_id)
        .bytes("commitment", &event.commitment);
    match &event.declaration {
        None => {
            let mut body = body.text("type", &event.event_type);
            if !event.items.is_empty() {
                body = body.bytes_list("items", &event.items);
            }
            if let Ok(time) = u64::try_from(event.time_ms) {
                body = body.uint("time", time);
            }
            ("event.record", body.build())
        }
        Some(declaration) => {
            let mut body = body;
            if let Some(reason) = declaration
                .reason
                .as_deref()
                .filter(|reason| (1..=256).contains(&reason.len()))
            {
                body = body.text("reason", reason);
            }
            if let Ok(time) = u64::try_from(declaration.time_ms) {
                body = body.uint("declared", time);
            }
            if !declaration.corrective_event_ids.is_empty() {
                body = body.text_list("corrective_event_ids", &declaration.corrective_event_ids);
            }
            ("event.correct", body.build())
        }
    }
}
