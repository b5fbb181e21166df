//! The command of the register `service` that publishes a definition.

use serde_json::{Value as Json, json};
use stele_registers::service::calendar::Period;

use crate::definition::Definition;

fn unit(period: Period) -> &'static str {
    period.unit.name()
}

/// The body of `service/definition.publish`, in the JSON that `stele_registers::json_to_body` reads.
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
