//! Offers from a CSV file: the first line names the claims, each further line is one person.

use std::io::Read;

use serde_json::Map;
use stele_credentials::Refusal;

use crate::office::NewOffer;
use crate::rules::{CLAIM, TABLE_UNREADABLE};
use crate::settings::Kind;

/// The column with the office's own reference, such as a matriculation number: it is not part of the credential.
pub const REFERENCE: &str = "reference";
/// The most rows of one table.
pub const ROWS_MAX: usize = 100_000;
/// The largest table, in bytes.
pub const TABLE_BYTES_MAX: u64 = 64 << 20;

/// Reads a table for a kind of credential. A column is named by its claim, or by the claim's name for people; empty cells are claims
/// left out.
///
/// # Errors
/// `office.table`, `office.claim`: the first line that does not fit, by its number. Nothing is taken then.
pub fn read(input: impl Read, kind: &Kind, wants_code: bool) -> Result<Vec<NewOffer>, Refusal> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(input.take(TABLE_BYTES_MAX));
    let headers = reader
        .headers()
        .map_err(|error| TABLE_UNREADABLE.because(error))?;
    let columns = headers
        .iter()
        .map(|header| column(header, kind))
        .collect::<Result<Vec<_>, _>>()?;
    let mut offers = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| TABLE_UNREADABLE.because(error))?;
        let line = record.position().map_or(0, csv::Position::line);
        if offers.len() == ROWS_MAX {
            return Err(TABLE_UNREADABLE.because(format_args!("more than {ROWS_MAX} rows")));
        }
        let mut claims = Map::new();
        let mut reference = None;
        for (cell, column) in record.iter().zip(&columns) {
            if cell.is_empty() {
                continue;
            }
            let Some(claim) = column else {
                reference = Some(cell.to_owned());
                continue;
            };
            let value = claim.value.read(cell).ok_or_else(|| {
                CLAIM.because(format_args!(
                    "line {line}, {}: {} is expected",
                    claim.name,
                    claim.value.name()
                ))
            })?;
            claims.insert(claim.name.clone(), value);
        }
        kind.check_values(&claims).map_err(|refusal| {
            let detail = refusal.detail().unwrap_or_default();
            CLAIM.because(format_args!("line {line}, {detail}"))
        })?;
        offers.push(NewOffer {
            kind: kind.id.clone(),
            reference,
            claims,
            wants_code,
        });
    }
    if offers.is_empty() {
        return Err(TABLE_UNREADABLE.because("no row below the first line"));
    }
    Ok(offers)
}

/// The claim of a column; `None` for the reference.
fn column<'a>(
    header: &str,
    kind: &'a Kind,
) -> Result<Option<&'a crate::settings::ClaimSetting>, Refusal> {
    // A byte order mark, as spreadsheets write it.
    let header = header.trim_start_matches('\u{feff}');
    if header.eq_ignore_ascii_case(REFERENCE) {
        return Ok(None);
    }
    kind.claims
        .iter()
        .find(|claim| claim.name == header || claim.display_name == header)
        .map(Some)
        .ok_or_else(|| {
            let names: Vec<&str> = kind
                .claims
                .iter()
                .map(|claim| claim.name.as_str())
                .collect();
            TABLE_UNREADABLE.because(format_args!(
                "no claim is called `{header}`; there are {}, and {REFERENCE}",
                names.join(", ")
            ))
        })
}
