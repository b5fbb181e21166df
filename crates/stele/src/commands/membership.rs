//! `stele network propose`, `proposals`, `vote`, `leave`, `rotate`: who validates is decided by the members.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use stele_client::{Client, ClientError, Party};
use stele_registers::governance::{NAME, proposals::encode_action};
use stele_registers::{Registry, json_to_body};

use super::read_input;
use super::submit::report;
use crate::cli::{ByMember, NetworkWhat, VoteWord};
use crate::failure::{Exit, Failure, Outcome};
use crate::home::{connect, keystore, locate};
use crate::printer::{Printer, Tone, clean};
use crate::time::utc;

/// The file in a node's folder that says who the node is, for a proposal to take it in.
pub const CARD: &str = "card.json";
const CARD_BYTES_MAX: usize = 64 << 10;

/// Who a node is: public, to be handed to the stewards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Card {
    /// The party of the member that runs it, as a DID.
    pub party: String,
    /// Its node key, in hex.
    pub node_key: String,
    /// Where other nodes reach it.
    pub address: String,
}

impl Card {
    /// Writes it.
    ///
    /// # Errors
    /// A [`Failure`].
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).expect("plain data") + "\n";
        std::fs::write(path, text).map_err(|error| {
            Failure::unusable(format!("could not write {}", path.display())).because(&error)
        })
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = read_input(path, CARD_BYTES_MAX)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::unusable(format!("{} is no card of a node", path.display()))
                .because(&error)
                .hint("`stele network join` writes one into the new node's folder")
        })
    }
}

/// Runs what of `network` members decide.
///
/// # Errors
/// A [`Failure`].
pub fn run(what: &NetworkWhat, printer: &Printer) -> Outcome {
    match what {
        NetworkWhat::Propose {
            title,
            admit,
            commands,
            by,
        } => propose(title, admit.as_deref(), commands, by, printer),
        NetworkWhat::Proposals { number, node } => proposals(*number, &node.url, printer),
        NetworkWhat::Vote { number, vote, by } => {
            let body = json!({"number": number, "approve": *vote == VoteWord::Yes});
            submit("proposal.vote", &body, by, printer)
        }
        NetworkWhat::Leave { node_key, by } => {
            let node_key = own_validator(node_key.as_deref(), by, printer)?;
            submit(
                "validator.leave",
                &json!({"node-key": node_key}),
                by,
                printer,
            )
        }
        NetworkWhat::Rotate { card, node_key, by } => {
            let node_key = own_validator(node_key.as_deref(), by, printer)?;
            let card = Card::read(card)?;
            let body = json!({"node-key": node_key, "new-node-key": card.node_key, "address": card.address});
            submit("validator.rotate", &body, by, printer)
        }
        _ => unreachable!("not decided by members"),
    }
}

/// The validator that is meant: the one that is named, or that of the node that is asked.
fn own_validator(named: Option<&str>, by: &ByMember, printer: &Printer) -> Result<String, Failure> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let status = connect(&by.node.url, None, printer)?.get_json("/v1/network/status")?;
    let mine = status["validators"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|validator| validator["me"] == true);
    let key = mine.and_then(|validator| validator["node_key"].as_str());
    key.filter(|key| !key.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::unusable("the node that was asked is no validator of a committee")
                .hint("name the validator with --node-key; `stele network status` lists them")
        })
}

fn body_of(command: &str, body: &Json) -> Result<Vec<u8>, Failure> {
    let registry = Registry::standard();
    let spec = registry.command(NAME, command).ok_or_else(|| {
        Failure::unusable(format!("governance has no command `{}`", clean(command)))
            .hint("docs/registers/governance.md lists its commands")
    })?;
    json_to_body(spec.fields, body).map_err(|error| {
        let fields = spec.fields.iter().map(|field| {
            let optional = if field.required { "" } else { " (optional)" };
            format!("{}{optional}: {}", field.name, field.kind)
        });
        let failure = Failure::unusable(format!("the body does not fit {NAME}/{command}"));
        fields.fold(failure.because(&error), Failure::hint)
    })
}

fn submit(command: &str, body: &Json, by: &ByMember, printer: &Printer) -> Outcome {
    let body = body_of(command, body)?;
    let store = keystore(&locate(by.home.data.as_deref()))?;
    let key = store.unlock(&by.key)?;
    let client = Client::connect(&by.node.url)?;
    let party = Party::new(client.clone(), key);
    let entry = party
        .sign_with_cosigners(NAME, &[(command, body)], &[])
        .map_err(ClientError::from)?;
    report(&client.submit(&entry)?, printer)
}

fn propose(
    title: &str,
    admit: Option<&Path>,
    commands: &[String],
    by: &ByMember,
    printer: &Printer,
) -> Outcome {
    let mut actions = Vec::new();
    if let Some(card) = admit {
        let card = Card::read(card)?;
        let name = party_name(&card.party, by, printer)?;
        let member = json!({"party": card.party, "name": name});
        let role = json!({"party": card.party, "role": "steward"});
        let validator =
            json!({"party": card.party, "node-key": card.node_key, "address": card.address});
        for (command, body) in [
            ("member.add", member),
            ("role.grant", role),
            ("validator.add", validator),
        ] {
            actions.push(encode_action(command, &body_of(command, &body)?));
        }
    }
    let (pairs, rest) = commands.as_chunks::<2>();
    if !rest.is_empty() || (pairs.is_empty() && actions.is_empty()) {
        return Err(
            Failure::unusable("a proposal is made of commands, each followed by its body").hint(
                "for instance: stele network propose --title \"New shares\" committee.refresh '{}'",
            ),
        );
    }
    for [command, body] in pairs {
        let body: Json = serde_json::from_str(body).map_err(|error| {
            Failure::unusable(format!("the body of {} is not JSON", clean(command))).because(&error)
        })?;
        actions.push(encode_action(command, &body_of(command, &body)?));
    }
    let actions: Vec<_> = actions.iter().map(hex::encode).collect();
    let body = json!({"title": title, "actions": actions});
    submit("proposal.open", &body, by, printer)
}

/// The name that a party has registered with.
fn party_name(party: &str, by: &ByMember, printer: &Printer) -> Result<String, Failure> {
    let found = connect(&by.node.url, None, printer)?.get_json(&format!("/v1/parties/{party}"));
    let found = found.map_err(|error| {
        Failure::from(error).hint(
            "the new member registers itself first: stele party register --key operator --data ITS-FOLDER --name \"...\"",
        )
    })?;
    let name = found["name"].as_str().unwrap_or_default();
    Ok(if name.is_empty() { party } else { name }.to_owned())
}

fn proposals(number: Option<u64>, url: &str, printer: &Printer) -> Outcome {
    let client = connect(url, None, printer)?;
    let Some(number) = number else {
        let page = client.get_json("/v1/network/proposals")?;
        if printer.is_json() {
            printer.json(&page)?;
            return Ok(Exit::Done);
        }
        let items = page["items"].as_array().cloned().unwrap_or_default();
        if items.is_empty() {
            printer.data("no proposals yet")?;
        }
        for item in &items {
            printer.data(line(item, printer))?;
        }
        return Ok(Exit::Done);
    };
    let one = client.get_json(&format!("/v1/network/proposals/{number}"))?;
    if printer.is_json() {
        printer.json(&one)?;
        return Ok(Exit::Done);
    }
    printer.data(line(&one, printer))?;
    for action in one["actions"].as_array().into_iter().flatten() {
        let command = clean(action["command"].as_str().unwrap_or_default());
        printer.data(format_args!(
            "  {command} {}",
            clean(&action["body"].to_string())
        ))?;
    }
    for (word, field) in [("for", "approvals"), ("against", "rejections")] {
        for member in one[field].as_array().into_iter().flatten() {
            let name = clean(member["name"].as_str().unwrap_or_default());
            printer.data(format_args!("  {word:<8}{name}"))?;
        }
    }
    Ok(Exit::Done)
}

fn line(proposal: &Json, printer: &Printer) -> String {
    let status = proposal["status"].as_str().unwrap_or_default();
    let tone = match status {
        "accepted" => Tone::Good,
        "rejected" => Tone::Bad,
        _ => Tone::Accent,
    };
    let count = |field: &str| proposal[field].as_array().map_or(0, Vec::len);
    let needed = if status == "open" {
        format!(", {} needed", proposal["needed"].as_u64().unwrap_or(0))
    } else {
        String::new()
    };
    let mut line = format!(
        "{:>4}  {:<9}  {} for, {} against{needed}  {}",
        proposal["number"].as_u64().unwrap_or(0),
        printer.word(tone, status),
        count("approvals"),
        count("rejections"),
        clean(proposal["title"].as_str().unwrap_or_default()),
    );
    if status == "open" {
        let until = proposal["until_ms"].as_u64().unwrap_or(0);
        line += &format!(" (until {})", utc(until));
    }
    line
}

/// A change of the committee in one line, if one is under way or has just failed.
pub fn change_line(change: &Json) -> Option<String> {
    let number = |field: &str| change[field].as_u64().unwrap_or(0);
    let validators = change["validators"].as_array().map_or(0, Vec::len);
    match change["status"].as_str()? {
        "pending" => Some(format!(
            "the committee is changing to {validators} validators (round {}): {} have dealt, {} have confirmed",
            number("round"),
            number("dealt"),
            number("confirmed"),
        )),
        "failed" => Some(format!(
            "the last change of the committee (round {}) failed; the committee is as it was",
            number("round")
        )),
        _ => None,
    }
}
