//! The citizen's timeline, made of nothing but verified receipts.

use serde_json::{Map, Value as Json, json};
use stele_core::block::Event;
use stele_core::cbor::Value;
use stele_core::id::{EntryId, Hash, PartyId, TimeMs};
use stele_services::timeline::When;
use stele_services::{CaseEvent, Definition, Language, Opening, open_command, replay, timeline};

use super::commands::Case;
use super::state::{CaseState, case_key};
use crate::frame::{Block, Run, ScenarioError};
use crate::kit::{Office, now_ms, receipt_of_state};

/// The command that opens a case under this definition. The first commitment is the application's.
pub(super) fn opening_of(
    definition: &Definition,
    authority: &Office,
    office: Option<&Office>,
    case_id: &[u8; 32],
    commitments: &[Hash],
) -> Json {
    let (application, documents) = match commitments.split_first() {
        Some((first, rest)) => (*first, rest.to_vec()),
        None => (Hash::from_bytes(crate::kit::random::bytes()), Vec::new()),
    };
    let opening = Opening {
        case_id: *case_id,
        authority: authority.party.id(),
        application,
        documents,
        office: office.map(|office| office.party.id()),
    };
    open_command(definition, &opening)
}

/// An event's body as JSON: what has 32 bytes and stands for a party is written as its DID, other bytes in hexadecimal.
fn event_json(event: &Event) -> Json {
    let Ok(Value::Map(fields)) = Value::decode(&event.body) else {
        return Json::Null;
    };
    let fields = fields.into_iter().filter_map(|(name, value)| match name {
        Value::Text(name) => {
            let value = plain(&name, value);
            Some((name, value))
        }
        _ => None,
    });
    Json::Object(fields.collect::<Map<_, _>>())
}

fn plain(name: &str, value: Value) -> Json {
    const PARTIES: [&str; 4] = ["office", "to", "from", "applicant"];
    match value {
        Value::Uint(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::Bool(flag) => flag.into(),
        Value::Bytes(bytes) => match bytes.first_chunk() {
            Some(id) if bytes.len() == 32 && PARTIES.contains(&name) => {
                PartyId::from_bytes(*id).did().into()
            }
            _ => hex::encode(bytes).into(),
        },
        Value::Array(items) => items.into_iter().map(|item| plain(name, item)).collect(),
        Value::Nint(_) | Value::Map(_) | Value::Null => Json::Null,
    }
}

/// The events of a case from the receipts of its entries, each verified under the network's key, and the receipts.
pub(super) fn events(
    run: &mut Run<'_>,
    entries: &[EntryId],
) -> Result<(Vec<CaseEvent>, Vec<Vec<u8>>), ScenarioError> {
    let (mut found, mut receipts) = (Vec::new(), Vec::new());
    for entry in entries {
        let receipt = run
            .client()
            .receipt(entry)
            .map_err(ScenarioError::client("reading a receipt of the case"))?;
        let proven = run.verify("a step of the case", &receipt)?.entry;
        let events = proven.and_then(|proven| proven.events).unwrap_or_default();
        let events = events
            .iter()
            .filter_map(|event| CaseEvent::from_register(&event.name, &event_json(event)));
        found.extend(events);
        receipts.push(receipt);
    }
    Ok((found, receipts))
}

pub(super) fn tell(
    run: &mut Run<'_>,
    definition: &Definition,
    case: &Case,
) -> Result<(), ScenarioError> {
    run.step("tell-citizen", |run| {
        let (happened, receipts) = events(run, &case.entries)?;
        let replayed = replay(definition, &happened).map_err(|error| ScenarioError::broken("a history that can be", error.illegal.to_string()))?;
        let (receipt, value) = receipt_of_state(run, "service", &case_key(&case.reference))?;
        let state = CaseState::decode(value.as_deref().unwrap_or_default()).map_err(|error| ScenarioError::broken("a case", error.to_string()))?;
        let same = state.status == replayed.status.name() && state.version == replayed.version && state.office.did() == replayed.office && state.lines == happened.len() as u64;
        run.check(same, "the phone\u{2019}s case to be the chain\u{2019}s", || format!("{replayed:?}, {state:?}"))?;
        run.evidence("The case as it stands at the end of the story", &receipt)?;
        let now = TimeMs::new(now_ms());
        let mut stops = Vec::new();
        let mut kept = Vec::new();
        for language in [Language::En, Language::De] {
            let lines = timeline(definition, &happened, language, now).map_err(|error| ScenarioError::broken("a timeline", error.illegal.to_string()))?;
            if language == Language::En {
                stops = lines
                    .iter()
                    .map(|line| {
                        let place = match line.when {
                            When::Happened => "proven by a receipt",
                            When::ByLaw => "by law",
                            When::Coming => "to come",
                        };
                        (line.date.clone(), line.sentence.clone(), place.to_owned(), None)
                    })
                    .collect();
            }
            kept.push(json!(lines));
        }
        run.keep("timeline.json", json!({"en": kept[0], "de": kept[1]}).to_string().as_bytes())?;
        let count = stops.len();
        run.show(Block::Timeline { caption: "What the citizen reads, made of verified receipts alone".to_owned(), stops });
        let bytes: usize = receipts.iter().map(Vec::len).sum();
        let detail = format!("{count} lines from {} receipts of {bytes} bytes together; the phone, the office and the chain count the same days.", receipts.len());
        Ok(((), detail))
    })
}
