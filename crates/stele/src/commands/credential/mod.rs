//! `stele credential`: issuers, offers from tables, revocation, verification.

mod issue;
mod settings;
mod verify;

use std::path::Path;

use serde_json::{Value as Json, json};
use stele_client::Client;
use stele_core::calendar::format_date_time;

use super::read_input;
use crate::cli::{CredentialArgs, CredentialWhat, OfficeArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::printer::{Printer, Tone, clean};

/// The largest settings, in bytes.
const SETTINGS_BYTES_MAX: usize = 1 << 20;
/// Rows of one request.
const PAGE_ROWS: usize = 1_000;

/// Runs a command.
///
/// # Errors
/// No node, unusable input, or a refusal.
pub fn run(args: &CredentialArgs, printer: &Printer) -> Outcome {
    match &args.what {
        CredentialWhat::Issuer { name, file, office } => {
            issuer(name, file.as_deref(), office, printer)
        }
        CredentialWhat::Settings {
            from,
            key,
            kind,
            vct,
        } => settings::run(from, key, kind, vct, printer),
        CredentialWhat::Issue {
            from,
            issuer,
            kind,
            codes,
            out,
            office,
        } => {
            let table = issue::Table {
                from,
                kind: kind.as_deref(),
                codes: *codes,
                out: out.as_deref(),
            };
            issue::run(&table, issuer, office, printer)
        }
        CredentialWhat::List {
            issuer,
            offers,
            office,
        } => list(issuer, *offers, office, printer),
        CredentialWhat::Status {
            status,
            offer,
            issuer,
            office,
        } => set_status(status, offer, issuer, office, printer),
        CredentialWhat::Verify {
            file,
            proof,
            network,
            issuer_key,
            url,
            home,
        } => {
            let given = verify::Given {
                file,
                proof: proof.as_deref(),
                network: network.as_deref(),
                issuer_key: issuer_key.as_deref(),
                url: url.as_deref(),
                home: home.data.as_deref(),
            };
            verify::run(&given, printer)
        }
    }
}

fn connect(office: &OfficeArgs) -> Result<Client, Failure> {
    let client = Client::connect(&office.node.url)?;
    Ok(match &office.token {
        Some(token) => client.with_token(token),
        None => client,
    })
}

/// A refusal of credentials as a command's answer.
fn refused(refusal: &stele_credentials::Refusal) -> Failure {
    let failure = Failure::no(format_args!("{} [{}]", refusal.sentence(), refusal.code()));
    let failure = match refusal.detail() {
        Some(detail) => Failure {
            causes: vec![clean(detail)],
            ..failure
        },
        None => failure,
    };
    failure.hint(refusal.hint())
}

/// A name as one segment of an address.
fn segment(name: &str) -> Result<&str, Failure> {
    if stele_office::settings::is_name(name) {
        return Ok(name);
    }
    Err(Failure::unusable(format_args!(
        "`{}` is no name: 1 to 64 letters, digits, hyphens, points and underscores",
        clean(name)
    )))
}

fn issuer(name: &str, file: Option<&Path>, office: &OfficeArgs, printer: &Printer) -> Outcome {
    let client = connect(office)?;
    let path = format!("/v1/issuers/{}", segment(name)?);
    let Some(file) = file else {
        let found = client.get_json(&path)?;
        printer.json(&found["settings"])?;
        return Ok(Exit::Done);
    };
    let settings = read_input(file, SETTINGS_BYTES_MAX)?;
    let answer = client.send("PUT", &path, "application/json", settings)?;
    let made: Json = serde_json::from_slice(&answer)
        .map_err(|error| Failure::unusable("the node's answer is no JSON").because(&error))?;
    if printer.is_json() {
        printer.json(&made)?;
    } else {
        printer.data(format_args!(
            "{} {}",
            printer.word(Tone::Good, "ready"),
            made["identifier"].as_str().unwrap_or_default()
        ))?;
    }
    printer.hint(format_args!(
        "offer credentials with: stele credential issue --issuer {name} --from FILE.csv"
    ));
    Ok(Exit::Done)
}

fn list(issuer: &str, offers: bool, office: &OfficeArgs, printer: &Printer) -> Outcome {
    let client = connect(office)?;
    let what = if offers { "offers" } else { "issued" };
    let mut items = Vec::new();
    loop {
        let path = format!(
            "/v1/issuers/{}/{what}?skip={}&limit={PAGE_ROWS}",
            segment(issuer)?,
            items.len()
        );
        let page = client.get_json(&path)?;
        let rows = page["items"].as_array().cloned().unwrap_or_default();
        let count = rows.len();
        items.extend(rows);
        if count < PAGE_ROWS {
            break;
        }
    }
    if printer.is_json() {
        printer.json(&json!({ "items": items }))?;
        return Ok(Exit::Done);
    }
    let text = |row: &Json, name: &str| clean(row[name].as_str().unwrap_or("-"));
    for row in &items {
        let (id, state, at) = if offers {
            ("id", "state", "made_at")
        } else {
            ("offer", "status", "issued_at")
        };
        let seconds = row[at].as_i64().unwrap_or_default();
        printer.data(format_args!(
            "{}  {:<9}  {}  {}  {}",
            text(row, id),
            text(row, state),
            format_date_time(seconds.saturating_mul(1000)),
            text(row, "kind"),
            text(row, "reference")
        ))?;
    }
    printer.note(format_args!("{} {what}", items.len()));
    Ok(Exit::Done)
}

fn set_status(
    status: &str,
    offer: &str,
    issuer: &str,
    office: &OfficeArgs,
    printer: &Printer,
) -> Outcome {
    let client = connect(office)?;
    let path = format!(
        "/v1/issuers/{}/issued/{}/status",
        segment(issuer)?,
        segment(offer)?
    );
    let body = json!({ "status": status }).to_string().into_bytes();
    let answer = client.send("PUT", &path, "application/json", body)?;
    let answer: Json = serde_json::from_slice(&answer).unwrap_or_default();
    if printer.is_json() {
        printer.json(&answer)?;
    } else {
        printer.data(format_args!(
            "{} (before: {})",
            printer.word(Tone::Good, status),
            answer["before"].as_str().unwrap_or("unknown")
        ))?;
    }
    Ok(Exit::Done)
}
