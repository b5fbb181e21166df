//! Settings of an issuer that fit a table.

use std::path::Path;

use stele_office::table::{REFERENCE, TABLE_BYTES_MAX};
use stele_office::{ClaimSetting, IssuerSettings, Kind, Shown, ValueType};

use super::{read_input, refused};
use crate::failure::{Exit, Failure, Outcome};
use crate::printer::Printer;

/// Writes settings whose kind has a claim for each column.
///
/// # Errors
/// A table that cannot be read.
pub fn run(from: &Path, key: &str, kind: &str, vct: &str, printer: &Printer) -> Outcome {
    let bytes = read_input(from, TABLE_BYTES_MAX as usize)?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(&*bytes);
    let unreadable =
        |error: csv::Error| Failure::unusable("the table cannot be read").because(&error);
    let headers = reader.headers().map_err(unreadable)?.clone();
    let rows = reader
        .records()
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    let mut claims = Vec::new();
    for (at, header) in headers.iter().enumerate() {
        let header = header.trim_start_matches('\u{feff}');
        if header.eq_ignore_ascii_case(REFERENCE) {
            continue;
        }
        let cells: Vec<&str> = rows.iter().filter_map(|row| row.get(at)).collect();
        claims.push(ClaimSetting {
            name: name_of(header),
            display_name: header.to_owned(),
            value: ValueType::of_cells(&cells),
            shown: Shown::Chosen,
            optional: cells.iter().any(|cell| cell.is_empty()),
        });
    }
    let settings = IssuerSettings {
        display_name: "The issuer's name for people".to_owned(),
        key: key.to_owned(),
        scope: None,
        offer_days: 30,
        copies_max: 5,
        clients: Vec::new(),
        kinds: vec![Kind {
            id: kind.to_owned(),
            vct: vct.to_owned(),
            display_name: kind.to_owned(),
            valid_days: None,
            by_hand: false,
            claims,
        }],
    };
    settings.check().map_err(|refusal| refused(&refusal))?;
    printer.json(&serde_json::to_value(&settings).expect("plain data"))?;
    printer.hint("write the names for people, then: stele credential issuer NAME FILE");
    Ok(Exit::Done)
}

/// A claim's name made from a column's: `Date of birth` becomes `date_of_birth`.
fn name_of(header: &str) -> String {
    let mut name = String::new();
    for letter in header.chars() {
        if letter.is_ascii_alphanumeric() {
            name.push(letter.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.trim_end_matches('_').to_owned()
}
