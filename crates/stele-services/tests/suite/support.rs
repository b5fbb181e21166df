//! The shipped services as bytes and as definitions.

use serde_json::Value as Json;
use stele_registers::service::calendar::Day;
use stele_services::Definition;

pub const RESIDENCE: &str = include_str!("../../../../services/residence-certificate.json");
pub const BUSINESS: &str = include_str!("../../../../services/business-registration.json");
pub const PARKING: &str = include_str!("../../../../services/parking-permit.json");
pub const ALL: [&str; 3] = [RESIDENCE, BUSINESS, PARKING];

pub fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

pub fn read(json: &Json) -> Definition {
    let text = serde_json::to_string_pretty(json).unwrap();
    Definition::read(text.as_bytes()).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// The definition with `value` at a JSON pointer.
pub fn with(text: &str, changes: &[(&str, Json)]) -> Definition {
    let mut json = json(text);
    for (pointer, value) in changes {
        *json
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("{pointer}")) = value.clone();
    }
    read(&json)
}

/// An instant of a local day in 2026 to 2031, in whole hours after its midnight.
pub fn at(definition: &Definition, year: u64, month: u64, day: u64, hours: u64) -> u64 {
    let day = Day::from_date(year, month, day).unwrap();
    definition.calendar().start_of(day).get() + hours * 3_600_000
}
