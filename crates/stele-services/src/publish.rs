//! Commands of the register `service` that are made from a definition, in the JSON that `stele_registers::json_to_body` reads.

use serde_json::{Value as Json, json};
use stele_core::id::{Hash, PartyId};
use stele_registers::service::calendar::Period;
use stele_registers::service::service_ref;

use crate::definition::Definition;

fn unit(period: Period) -> &'static str {
    period.unit.name()
}

/// The body of `service/definition.publish`.
pub fn publish_command(definition: &Definition) -> Json {
    let (file, rules) = (definition.file(), definition.rules());
    let calendar = &rules.calendar;
    let free_days: Vec<_> = calendar.free_days.iter().map(|day| day.get()).collect();
    let clock_from: Vec<_> = calendar
        .clock
        .iter()
        .map(|change| change.from.get())
        .collect();
    let clock_offset: Vec<_> = calendar
        .clock
        .iter()
        .map(|change| change.offset_biased)
        .collect();
    json!({
        "service_id": file.id,
        "version": file.version,
        "document": definition.document().to_string(),
        "scope": file.authority.scope,
        "decide_count": rules.decide.count,
        "decide_unit": unit(rules.decide),
        "deemed": rules.deemed,
        "restart": rules.restart,
        "check_count": rules.check.count,
        "check_unit": unit(rules.check),
        "extension_max": rules.extension_max,
        "appeal_count": rules.appeal.count,
        "appeal_unit": unit(rules.appeal),
        "notice_days": rules.notice_days,
        "items": rules.items,
        "weekend": calendar.weekend,
        "free_days": free_days,
        "calendar_until": calendar.until.get(),
        "clock_from": clock_from,
        "clock_offset": clock_offset,
    })
}

/// What an application puts on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// 32 random bytes, drawn for this case.
    pub case_id: [u8; 32],
    /// Who published the definition.
    pub authority: PartyId,
    /// Commitment to the application.
    pub application: Hash,
    /// Commitments to what is presented with it, each once.
    pub documents: Vec<Hash>,
    /// The office that shall handle it; the authority itself if `None`.
    pub office: Option<PartyId>,
}

/// The body of `service/case.open` under this very definition.
pub fn open_command(definition: &Definition, opening: &Opening) -> Json {
    let service = service_ref(&opening.authority, &definition.file().id);
    let documents: Vec<_> = opening.documents.iter().map(Hash::to_string).collect();
    let mut body = json!({
        "case_id": Hash::from_bytes(opening.case_id).to_string(),
        "service": service.to_string(),
        "version": definition.file().version,
        "document": definition.document().to_string(),
        "application": opening.application.to_string(),
        "documents": documents,
    });
    if let Some(office) = &opening.office {
        body["office"] = json!(office.did());
    }
    body
}
