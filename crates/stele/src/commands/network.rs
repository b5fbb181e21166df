//! `stele network`: how the network of validators does, and joining it. Founding one is in `founding`.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use serde_json::{Value as Json, json};
use stele_core::id::PartyId;
use stele_core::suite::Suite;
use stele_network::keys::NodeKey;
use stele_node::auth::{Keystore, Unlock};
use stele_node::{Bundle, Home, OPERATOR_KEY};
use stele_registers::Registry;

use super::membership::{self, CARD, Card};
use super::{founding, read_input};
use crate::cli::{NetworkArgs, NetworkWhat};
use crate::failure::{Exit, Failure, Outcome};
use crate::home::connect;
use crate::printer::{Printer, Tone, clean};

/// The largest bundle: a genesis and a certificate.
const BUNDLE_BYTES_MAX: usize = 2 << 20;

/// Runs `network`.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &NetworkArgs, printer: &Printer) -> Outcome {
    match &args.what {
        NetworkWhat::Status { node } => status(&node.url, printer),
        NetworkWhat::Card {
            name,
            address,
            listen,
            data,
            output,
        } => founding::card(name, address, *listen, data, output.as_deref(), printer),
        NetworkWhat::Plan {
            cards,
            name,
            output,
        } => founding::plan(name, cards, output.as_deref(), printer),
        NetworkWhat::New {
            plan,
            data,
            fingerprint,
            bundle,
        } => founding::new(
            plan,
            data,
            fingerprint.as_deref(),
            bundle.as_deref(),
            printer,
        ),
        NetworkWhat::Join {
            bundle,
            data,
            listen,
            address,
        } => join(bundle, data, *listen, address.as_deref(), printer),
        what => membership::run(what, printer),
    }
}

fn status(url: &str, printer: &Printer) -> Outcome {
    let client = connect(url, None, printer)?;
    let status = client.get_json("/v1/network/status")?;
    let alarms = status["alarms"].as_array().cloned().unwrap_or_default();
    if printer.is_json() {
        printer.json(&status)?;
    } else {
        printer.data(table(&status, printer))?;
        for alarm in &alarms {
            let text = |field: &str| clean(alarm[field].as_str().unwrap_or_default());
            printer.data(format_args!(
                "\n{} {}\n  {}",
                printer.word(Tone::Bad, "alarm"),
                text("message"),
                text("hint")
            ))?;
        }
    }
    Ok(if alarms.is_empty() {
        Exit::Done
    } else {
        Exit::No
    })
}

fn table(status: &Json, printer: &Printer) -> String {
    let number = |field: &str| status[field].as_u64().unwrap_or(0);
    let mut lines = vec![format!(
        "{} at block {} of {}; committee {}, epoch {}, round {}; {} of {} must sign",
        clean(status["role"].as_str().unwrap_or_default()),
        number("height"),
        number("best_height"),
        number("committee"),
        number("epoch"),
        number("view"),
        number("quorum"),
        status["validators"].as_array().map_or(0, Vec::len),
    )];
    if let (Some(p50), Some(p99)) = (
        status["finality_p50_ms"].as_u64(),
        status["finality_p99_ms"].as_u64(),
    ) {
        lines.push(format!(
            "final after {p50} ms (median) and {p99} ms (99 of 100); {} entries wait",
            number("pool")
        ));
    }
    lines.push(String::new());
    if let Some(change) = membership::change_line(&status["change"]) {
        lines.insert(1, change);
    }
    for validator in status["validators"].as_array().into_iter().flatten() {
        let text = |field: &str| clean(validator[field].as_str().unwrap_or_default());
        let key: String = text("node_key").chars().take(8).collect();
        let heard = match (
            validator["me"].as_bool(),
            validator["heard_ms_ago"].as_u64(),
        ) {
            (Some(true), _) => "this node".to_owned(),
            (_, Some(ago)) if ago <= 5_000 => printer.word(Tone::Good, "live"),
            (_, Some(ago)) => printer.word(Tone::Bad, &format!("silent for {} s", ago / 1_000)),
            (_, None) => printer.word(Tone::Bad, "never heard"),
        };
        let height = validator["height"]
            .as_u64()
            .map_or("-".to_owned(), |height| height.to_string());
        lines.push(format!(
            "  {key:<8}  {:<22}  block {height:<10}  {heard}  {}",
            text("address"),
            text("name")
        ));
    }
    lines.join("\n")
}

/// Reads a `network.bundle`.
///
/// # Errors
/// A [`Failure`].
pub(super) fn read_bundle(path: &Path) -> Result<Bundle, Failure> {
    let bytes = read_input(path, BUNDLE_BYTES_MAX)?;
    Bundle::decode(&bytes).map_err(|reason| {
        Failure::unusable(format!("{} is no network bundle: {reason}", path.display()))
            .hint("take the file `network.bundle` from the folder of any node of the network")
    })
}

fn join(
    bundle: &Path,
    data: &Path,
    listen: SocketAddr,
    address: Option<&str>,
    printer: &Printer,
) -> Outcome {
    let bundle = read_bundle(bundle)?;
    let home = Home::new(data);
    if home.bundle().exists() || stele_ledger::ledger::Ledger::exists(&home.ledger()) {
        return Err(
            Failure::unusable(format!("{} holds a node already", data.display()))
                .hint("give another folder with --data"),
        );
    }
    // The node signs what is captured through it with a key of its own; it becomes a member's when the stewards take it in.
    let keystore = Keystore::open(home.keys(), Unlock::Secret(home.secret()?))?;
    if !keystore.contains(OPERATOR_KEY) {
        keystore.generate(OPERATOR_KEY, Suite::Ed25519)?;
    }
    let listen = if listen.port() == 0 {
        free(listen)?
    } else {
        listen
    };
    let key = NodeKey::generate();
    home.take_seat(&bundle, &Registry::standard(), &key, None, listen, &[])?;
    let card = Card {
        party: PartyId::of_first_key(&keystore.unlock(OPERATOR_KEY)?.public().kid()).did(),
        node_key: hex::encode(key.public()),
        address: address.map_or_else(|| listen.to_string(), str::to_owned),
    };
    let path = data.join(CARD);
    card.save(&path)?;
    if printer.is_json() {
        printer.data(json!({
            "party": card.party, "node_key": card.node_key, "address": card.address,
            "card": path, "data": data, "listen": listen.to_string(),
        }))?;
    } else {
        printer.data(format_args!(
            "A place to follow \"{}\" is ready in {}.\n\n  node key  {}\n  party     {}\n\n\
             To follow: let a validator list the node key among the `followers` in its validator/seat.json and start again.\n\
             To validate: register the party, and let a steward run\n  stele network propose --title \"...\" --admit {}\n\
             Then start the node:\n  stele up --data {}",
            clean(&bundle.genesis.name), data.display(), card.node_key, card.party, path.display(), data.display(),
        ))?;
    }
    Ok(Exit::Done)
}

fn free(listen: SocketAddr) -> Result<SocketAddr, Failure> {
    let found = TcpListener::bind(listen).and_then(|listener| listener.local_addr());
    found
        .map_err(|error| Failure::unusable(format!("could not listen on {listen}")).because(&error))
}
