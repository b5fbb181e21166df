//! What a receipt proves: as the JSON of vectors/README.md, and in plain sentences.

use serde_json::{Value as Json, json};
use stele_core::block::Outcome;
use stele_core::receipt::{Reason, Verified, VerifiedEntry, VerifyError};
use stele_registers::{Registry, body_to_json, cbor_to_json};

use crate::printer::clean;
use crate::time::utc;

/// The reasons in the order of their steps (docs/format.md section 7).
const STEPS: [Reason; 15] = [
    Reason::TooLarge,
    Reason::Malformed,
    Reason::NotCanonical,
    Reason::UnsupportedVersion,
    Reason::NoClaim,
    Reason::WrongNetwork,
    Reason::WrongKey,
    Reason::WrongTreeSize,
    Reason::BadInclusionProof,
    Reason::BadSignature,
    Reason::RecordMismatch,
    Reason::EntryMismatch,
    Reason::EventsMismatch,
    Reason::BadStateProof,
    Reason::NotWitnessed,
];

/// The step of section 7 that a reason belongs to; 0 for one that this program does not know.
pub fn step(reason: Reason) -> usize {
    STEPS
        .iter()
        .position(|known| *known == reason)
        .map_or(0, |at| at + 1)
}

/// The `expect` object of vectors/README.md with `"valid": true` before it, and `witnessed` behind it where a policy asked.
pub fn valid_json(verified: &Verified) -> Json {
    let header = &verified.certificate.header;
    let entry = verified.entry.as_ref();
    let record = entry.map(|proven| &proven.record);
    let signed = entry.and_then(|proven| proven.entry.as_ref());
    let state = verified.state.iter().map(|claim| {
        json!({"register": claim.register, "key": hex::encode(&claim.key), "value": claim.value.as_ref().map(hex::encode)})
    });
    let mut answer = json!({
        "valid": true,
        "who": record.map(|record| json!({
            "party": record.party.did(),
            "party_id": record.party.to_string(),
            "kid": signed.map(|entry| entry.header().kid.to_string()),
        })),
        "what": {
            "register": record.map(|record| record.register.to_string()),
            "entry_id": record.map(|record| record.entry_id.to_string()),
            "outcome": record.map(|record| outcome_json(&record.outcome)),
            "commands": signed.map(|entry| entry.commands().map(|command| json!({
                "register": command.register, "name": command.name, "body_hex": hex::encode(command.body),
            })).collect::<Vec<_>>()),
            "events": entry.and_then(|proven| proven.events.as_ref()).map(|events| events.iter().map(|event| json!({
                "name": event.name, "body_hex": hex::encode(&event.body),
            })).collect::<Vec<_>>()),
            "state": state.collect::<Vec<_>>(),
        },
        "when": {
            "record": record.map(|record| json!({"height": record.height.get(), "time_ms": record.time.get()})),
            "certificate": {"height": header.height.get(), "time_ms": header.time.get()},
        },
        "rule": record.map(|record| &record.rule),
        "witnesses": verified.witnesses,
    });
    if let Some(cosigned) = &verified.cosigned {
        let cosigned = cosigned
            .iter()
            .map(|by| json!({"name": by.name, "time": by.time}));
        answer["witnessed"] = cosigned.collect();
    }
    answer
}

fn outcome_json(outcome: &Outcome) -> Json {
    match outcome {
        Outcome::Applied { events_hash } => {
            json!({"applied": true, "events_hash": hex::encode(events_hash)})
        }
        Outcome::Refused {
            command_index,
            code,
        } => {
            json!({"applied": false, "command_index": command_index, "code": code})
        }
    }
}

/// Why a receipt does not verify, as JSON.
pub fn invalid_json(error: &VerifyError) -> Json {
    json!({
        "valid": false,
        "step": step(error.reason),
        "code": error.reason.code(),
        "detail": error.detail,
        "sentence": error.reason.sentence(),
    })
}

/// Who, what, when and by which rule, in sentences; one line each, the name of the question first.
pub fn sentences(
    verified: &Verified,
    network: &str,
    registry: &Registry,
) -> Vec<(&'static str, String)> {
    let mut lines = vec![(
        "",
        format!(
            "The network \"{}\" vouches for this receipt.",
            clean(network)
        ),
    )];
    if let Some(entry) = &verified.entry {
        entry_sentences(&mut lines, entry, registry);
    }
    let header = &verified.certificate.header;
    for claim in &verified.state {
        let held = match &claim.value {
            None => "is absent".to_owned(),
            Some(value) if value.is_empty() => "is present and empty".to_owned(),
            Some(value) => format!("holds {}", hex::encode(value)),
        };
        let key = hex::encode(&claim.key);
        lines.push((
            "what",
            format!(
                "The key {key} of the register {} {held}.",
                clean(&claim.register)
            ),
        ));
    }
    if let Some(entry) = &verified.entry {
        let (height, time) = (entry.record.height, utc(entry.record.time.get()));
        lines.push((
            "when",
            format!("The entry was ordered in block {height} at {time}."),
        ));
    }
    let certified = utc(header.time.get());
    lines.push((
        "when",
        format!(
            "All of this was certified in block {} at {certified}.",
            header.height
        ),
    ));
    if let Some(entry) = &verified.entry {
        lines.push((
            "rule",
            format!("The entry was judged by {}.", clean(&entry.record.rule)),
        ));
    }
    match &verified.cosigned {
        Some(cosigned) => lines.extend(cosigned.iter().map(|by| {
            let time = utc(by.time.saturating_mul(1000));
            let sentence = format!("{} saw this history of the log at {time}.", clean(&by.name));
            ("witness", sentence)
        })),
        None => lines.extend(verified.witnesses.iter().map(|line| {
            let sentence = format!("\"{}\" (carried along, not judged)", clean(line));
            ("witness", sentence)
        })),
    }
    lines
}

fn entry_sentences(
    lines: &mut Vec<(&'static str, String)>,
    proven: &VerifiedEntry,
    registry: &Registry,
) {
    let record = &proven.record;
    let signer = match &proven.entry {
        Some(entry) => format!("signed it with the key {}", entry.header().kid),
        None => "signed it; the entry itself is not in the file".to_owned(),
    };
    lines.push(("who", format!("{} {signer}.", record.party.did())));
    let place = format!(
        "Entry {} in the register {}",
        record.entry_id, record.register
    );
    let outcome = match &record.outcome {
        Outcome::Applied { .. } => "was applied".to_owned(),
        Outcome::Refused {
            command_index,
            code,
        } => {
            format!(
                "was refused by the rule {} at command {command_index}; it changed nothing",
                clean(code)
            )
        }
    };
    lines.push(("what", format!("{place} {outcome}.")));
    for command in proven.entry.iter().flat_map(|entry| entry.commands()) {
        let typed = registry
            .command(command.register, command.name)
            .and_then(|spec| body_to_json(spec.fields, command.body).ok());
        let name = format!("{}/{}", command.register, command.name);
        lines.push((
            "command",
            format!("{} {}", clean(&name), body(typed, command.body)),
        ));
    }
    for event in proven.events.iter().flatten() {
        let typed = registry
            .event(&event.name)
            .and_then(|spec| body_to_json(spec.fields, &event.body).ok());
        lines.push((
            "event",
            format!("{} {}", clean(&event.name), body(typed, &event.body)),
        ));
    }
}

fn body(typed: Option<Json>, bytes: &[u8]) -> String {
    let shown = typed.or_else(|| cbor_to_json(bytes).ok());
    shown.map_or_else(|| hex::encode(bytes), |body| clean(&body.to_string()))
}
