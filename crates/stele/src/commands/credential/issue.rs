//! Offers from a table.

use std::path::Path;

use serde_json::{Value as Json, json};
use stele_office::table::{self, TABLE_BYTES_MAX};
use stele_office::{IssuerSettings, Kind, NewOffer};

use super::{PAGE_ROWS, connect, read_input, refused, segment};
use crate::cli::OfficeArgs;
use crate::commands::write_file;
use crate::failure::{Exit, Failure, Outcome};
use crate::printer::Printer;

/// The table, and what becomes of it.
pub struct Table<'a> {
    pub from: &'a Path,
    pub kind: Option<&'a str>,
    pub codes: bool,
    pub out: Option<&'a Path>,
}

/// Offers a credential to each row.
///
/// # Errors
/// A table that does not fit, with its line; nothing is offered then. A refusal of the node names how many rows were offered before.
pub fn run(table: &Table<'_>, issuer: &str, office: &OfficeArgs, printer: &Printer) -> Outcome {
    let client = connect(office)?;
    let path = format!("/v1/issuers/{}", segment(issuer)?);
    let found = client.get_json(&path)?;
    let settings: IssuerSettings =
        serde_json::from_value(found["settings"].clone()).map_err(|error| {
            Failure::unusable("the issuer's settings cannot be read").because(&error)
        })?;
    let kind = kind_of(&settings, table.kind)?;
    let bytes = read_input(table.from, TABLE_BYTES_MAX as usize)?;
    let offers = table::read(&*bytes, kind, table.codes).map_err(|refusal| refused(&refusal))?;
    let all = offers.len();
    let mut made = Vec::with_capacity(all);
    let mut bar = printer.progress();
    for part in offers.chunks(PAGE_ROWS) {
        let request = json!({"offers": part.iter().map(offer_json).collect::<Vec<_>>()});
        let answer = client.post_json(&format!("{path}/offers"), &request);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                drop(bar);
                if !made.is_empty() {
                    write(table.out, &made, printer)?;
                }
                return Err(Failure::from(error).hint(format_args!(
                    "{} of {all} rows were offered and are written out; the others were not",
                    made.len()
                )));
            }
        };
        made.extend(answer["items"].as_array().cloned().unwrap_or_default());
        bar.update("offering", made.len() as u64, all as u64);
    }
    drop(bar);
    write(table.out, &made, printer)?;
    printer.note(format_args!("{all} credentials are offered"));
    if table.codes {
        printer.hint("send link and code by different ways: whoever has both can collect");
    }
    Ok(Exit::Done)
}

fn kind_of<'a>(settings: &'a IssuerSettings, wanted: Option<&str>) -> Result<&'a Kind, Failure> {
    let names: Vec<&str> = settings.kinds.iter().map(|kind| kind.id.as_str()).collect();
    let found = match (wanted, settings.kinds.as_slice()) {
        (Some(id), _) => settings.kind(id),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    found.ok_or_else(|| {
        Failure::unusable("name the kind of credential with --kind")
            .hint(format_args!("the issuer has: {}", names.join(", ")))
    })
}

fn offer_json(offer: &NewOffer) -> Json {
    let mut json =
        json!({"kind": offer.kind, "claims": offer.claims, "with_code": offer.wants_code});
    if let Some(reference) = &offer.reference {
        json["reference"] = reference.as_str().into();
    }
    json
}

fn write(out: Option<&Path>, made: &[Json], printer: &Printer) -> Result<(), Failure> {
    let bytes = if printer.is_json() {
        format!("{:#}\n", json!({ "items": made })).into_bytes()
    } else {
        csv_of(made)
            .map_err(|error| Failure::unusable("could not write a table").because(&error))?
    };
    match out {
        Some(path) => write_file(path, &bytes, true),
        None => printer.bytes(&bytes),
    }
}

fn csv_of(made: &[Json]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["reference", "offer", "link", "code", "until"])?;
    for offer in made {
        let text = |name: &str| offer[name].as_str().unwrap_or_default().to_owned();
        let seconds = offer["expires_at"].as_i64().unwrap_or_default();
        let until = stele_core::calendar::format_date_time(seconds.saturating_mul(1000));
        writer.write_record([
            text("reference"),
            text("id"),
            text("link"),
            text("tx_code"),
            until,
        ])?;
    }
    writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}
