//! How entries look in JSON.

use serde::Serialize;
use serde_json::Value as Json;
use stele_core::block::Outcome;
use stele_ledger::ledger::LoggedEntry;
use stele_registers::Registry;
use stele_registers::json::{body_to_json, cbor_to_json};
use utoipa::ToSchema;

/// Bytes as they are, in the OpenAPI document.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Binary(#[allow(dead_code)] Vec<u8>);

/// What became of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct OutcomeView {
    /// Whether all commands applied.
    pub applied: bool,
    /// The rule that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Which command was refused, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_index: Option<u64>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl OutcomeView {
    /// The view of a recorded outcome. The words of a refusal are not recorded, only its code.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Applied { .. } => Self {
                applied: true,
                ..Self::default()
            },
            Outcome::Refused {
                command_index,
                code,
            } => Self {
                code: Some(code.clone()),
                command_index: Some(*command_index),
                ..Self::default()
            },
        }
    }
}

/// A command in JSON.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommandView {
    /// The register it went to.
    pub register: String,
    /// Its name there.
    pub name: String,
    /// Its fields; byte strings in hex, parties as DIDs.
    #[schema(value_type = Object)]
    pub body: Json,
}

/// An event in JSON.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventView {
    /// Its name.
    pub name: String,
    /// Its fields.
    #[schema(value_type = Object)]
    pub body: Json,
}

/// An entry in JSON. Nothing here is proof: that is the receipt.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntryView {
    /// The entry's id, in hex.
    pub entry_id: String,
    /// Its place in the log.
    pub log_index: u64,
    /// The block.
    pub height: u64,
    /// The block's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// The register in its header.
    pub register: String,
    /// The signer's DID.
    pub party: String,
    /// The signer's key.
    pub kid: String,
    /// Keys that countersigned.
    pub cosigners: Vec<String>,
    /// The register version that judged.
    pub rule: String,
    /// What became of it.
    pub outcome: OutcomeView,
    /// Its commands.
    pub commands: Vec<CommandView>,
    /// What it made happen.
    pub events: Vec<EventView>,
    /// First millisecond of its validity window.
    pub not_before_ms: u64,
    /// Last millisecond of its validity window.
    pub not_after_ms: u64,
    /// Its size as signed, in bytes.
    pub size_bytes: usize,
}

/// The view of a final entry.
pub fn entry_view(registry: &Registry, logged: &LoggedEntry) -> EntryView {
    let (entry, record) = (&logged.entry, &logged.record);
    let mut outcome = OutcomeView::of(&record.outcome);
    if let Some((sentence, hint)) = outcome
        .code
        .as_deref()
        .and_then(|code| explain(registry, code))
    {
        outcome.detail = Some(sentence.to_owned());
        outcome.hint = Some(hint.to_owned());
    }
    EntryView {
        entry_id: entry.id().to_string(),
        log_index: logged.log_index.get(),
        height: record.height.get(),
        time_ms: record.time.get(),
        register: record.register.to_string(),
        party: record.party.did(),
        kid: entry.header().kid.to_string(),
        cosigners: entry.cosigner_kids().map(ToString::to_string).collect(),
        rule: record.rule.clone(),
        outcome,
        commands: entry
            .commands()
            .map(|command| command_view(registry, &command))
            .collect(),
        events: logged
            .events
            .iter()
            .map(|event| event_view(registry, &event.name, &event.body))
            .collect(),
        not_before_ms: entry.header().not_before.get(),
        not_after_ms: entry.header().not_after.get(),
        size_bytes: entry.bytes().len(),
    }
}

fn command_view(registry: &Registry, command: &stele_core::entry::Command<'_>) -> CommandView {
    let typed = registry
        .command(command.register, command.name)
        .and_then(|spec| body_to_json(spec.fields, command.body).ok());
    CommandView {
        register: command.register.to_owned(),
        name: command.name.to_owned(),
        body: typed.unwrap_or_else(|| free_json(command.body)),
    }
}

fn event_view(registry: &Registry, name: &str, body: &[u8]) -> EventView {
    let typed = registry
        .event(name)
        .and_then(|spec| body_to_json(spec.fields, body).ok());
    EventView {
        name: name.to_owned(),
        body: typed.unwrap_or_else(|| free_json(body)),
    }
}

/// A body that no description fits, such as one that its register refused: shown as it is.
fn free_json(body: &[u8]) -> Json {
    cbor_to_json(body).unwrap_or(Json::Null)
}

/// The words of a rule. Only its code is recorded; sentence and hint are this program's.
fn explain(registry: &Registry, code: &str) -> Option<(&'static str, &'static str)> {
    let rules = registry
        .registers()
        .flat_map(|register| register.refusals().iter());
    let rules = rules.chain(stele_registers::registry::REFUSALS);
    rules
        .into_iter()
        .find(|rule| rule.code == code)
        .map(|rule| (rule.sentence, rule.hint))
}
