//! `stele read`: what a node says, without proof.

use serde_json::Value as Json;
use stele_client::Client;

use crate::cli::{OutcomeWanted, ReadArgs, ReadWhat};
use crate::failure::{Exit, Outcome};
use crate::home::connect;
use crate::outline::outline;
use crate::printer::{Printer, clean};
use crate::time::utc;

/// Reads one resource.
///
/// # Errors
/// No node, or no such resource.
pub fn run(args: &ReadArgs, printer: &Printer) -> Outcome {
    let path = path_of(&args.what);
    let client = connect(&args.node.url, None, printer)?;
    let answer = read(&client, &path)?;
    if printer.is_json() {
        printer.json(&answer)?;
        return Ok(Exit::Done);
    }
    match &args.what {
        ReadWhat::Entries { .. } => {
            for line in answer["items"].as_array().into_iter().flatten() {
                printer.data(entry_line(line))?;
            }
            if let Some(cursor) = answer["next_cursor"].as_str() {
                printer.hint(format_args!("there are more: --cursor {}", clean(cursor)));
            }
        }
        _ => printer.data(outline(&answer))?,
    }
    Ok(Exit::Done)
}

fn read(client: &Client, path: &str) -> Result<Json, crate::failure::Failure> {
    Ok(client.get_json(path)?)
}

fn path_of(what: &ReadWhat) -> String {
    match what {
        ReadWhat::Network => "/v1/network".to_owned(),
        ReadWhat::Entry { id } => format!("/v1/entries/{id}"),
        ReadWhat::Entries {
            register,
            party,
            outcome,
            q,
            cursor,
            limit,
        } => {
            let outcome = outcome.map(|outcome| match outcome {
                OutcomeWanted::Applied => "applied",
                OutcomeWanted::Refused => "refused",
            });
            let mut path = format!("/v1/entries?limit={limit}");
            let filters = [
                ("register", register.clone()),
                ("party", party.map(|party| party.did())),
                ("outcome", outcome.map(str::to_owned)),
                ("q", q.clone()),
                ("cursor", cursor.clone()),
            ];
            for (name, value) in filters {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={}", quote(&value)));
                }
            }
            path
        }
        ReadWhat::Party { party } => format!("/v1/parties/{}", party.did()),
        ReadWhat::State { register, key } => {
            format!("/v1/state/{}/{}", quote(register), hex::encode(&key.0))
        }
        ReadWhat::Block { height } => format!("/v1/blocks/{height}"),
        ReadWhat::Register { name: None } => "/v1/registers".to_owned(),
        ReadWhat::Register { name: Some(name) } => format!("/v1/registers/{}", quote(name)),
        ReadWhat::Search { query } => format!("/v1/search?q={}", quote(query)),
    }
}

/// Percent-encodes what is not unreserved (RFC 3986 section 2.3).
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// One line about an entry.
pub(super) fn entry_line(entry: &Json) -> String {
    let text = |value: &Json| clean(value.as_str().unwrap_or_default());
    let index = entry["log_index"].as_u64().unwrap_or_default();
    let when = utc(entry["time_ms"].as_u64().unwrap_or_default());
    let commands: Vec<_> = entry["commands"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    let outcome = match entry["outcome"]["code"].as_str() {
        None => "applied".to_owned(),
        Some(code) => format!("refused: {}", clean(code)),
    };
    let party = entry["party_name"]
        .as_str()
        .map_or_else(|| text(&entry["party"]), clean);
    let (register, id) = (text(&entry["register"]), text(&entry["entry_id"]));
    format!(
        "{index:>8}  {when}  {register}/{}  {party}  {outcome}  {id}",
        commands.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(quote("a-Z_0.~"), "a-Z_0.~");
        assert_eq!(quote("a b&c=/ü"), "a%20b%26c%3D%2F%C3%BC");
    }
}
