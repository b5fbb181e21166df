//! `stele party`: registering parties.

use serde_json::json;
use stele_client::Client;
use stele_core::suite::Suite;

use crate::cli::{PartyArgs, PartyWhat};
use crate::failure::{Exit, Outcome};
use crate::home::{keystore_or_new, locate};
use crate::printer::{Printer, Tone};

/// Registers a party.
///
/// # Errors
/// No node, no key, or a refusal.
pub fn run(args: &PartyArgs, printer: &Printer) -> Outcome {
    let PartyWhat::Register {
        key,
        name,
        kind,
        node,
        home,
    } = &args.what;
    let client = Client::connect(&node.url)?;
    let store = keystore_or_new(&locate(home.data.as_deref()))?;
    if !store.contains(key) {
        store.generate(key, Suite::Ed25519)?;
        printer.note(format_args!("made the key `{key}`"));
    }
    let party = client.register_party(store.unlock(key)?, kind, name.as_deref())?;
    let did = party.id().did();
    if printer.is_json() {
        printer.json(
            &json!({"party": did, "key": key, "kid": party.key().public().kid().to_string()}),
        )?;
    } else {
        printer.data(format_args!(
            "{} {did}",
            printer.word(Tone::Good, "registered")
        ))?;
    }
    printer.hint(format_args!(
        "it signs with: stele submit REGISTER COMMAND JSON --key {key}"
    ));
    Ok(Exit::Done)
}
