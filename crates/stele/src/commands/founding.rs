//! `stele network card|plan|new`: founding a network among organisations.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use stele_core::genesis::Genesis;
use stele_network::FoundingPlan;
use stele_network::ceremony::{CeremonyError, FoundingError, FoundingProgress, Standing};
use stele_node::founding::{
    FOUNDING_FILE_BYTES_MAX, Plan, PlanError, found_from_bundle, found_with_others, make_plan,
    read_card, write_card,
};
use stele_node::{Bundle, Home, NodeError};
use stele_registers::Registry;

use super::network::read_bundle;
use super::{read_input, write_file};
use crate::failure::{Exit, Failure, Outcome};
use crate::printer::{Printer, Tone, clean};

/// How often those who wait are told for whom.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// After this long without a word a founder is said to be silent.
const SILENT: Duration = Duration::from_secs(10);

fn unusable(path: &Path, error: &PlanError) -> Failure {
    Failure::unusable(format!("{} cannot be used", path.display()))
        .because(error)
        .hint(error.hint())
}

/// Makes the founder's card of a folder.
///
/// # Errors
/// A [`Failure`].
pub fn card(
    name: &str,
    address: &str,
    listen: Option<SocketAddr>,
    data: &Path,
    output: Option<&Path>,
    printer: &Printer,
) -> Outcome {
    let listen = listen.map_or_else(|| listen_at(address), Ok)?;
    let card = Home::new(data).make_card(name, address, listen)?;
    let text = write_card(&card);
    save(output, &text, printer)?;
    if let Some(path) = output {
        let node_key = hex::encode(card.founder.node_key);
        if printer.is_json() {
            printer.json(&json!({"card": path, "node_key": node_key, "data": data}))?;
        } else {
            printer.data(format_args!(
                "The card of \"{}\" is in {}; it holds no secret.\n\n  node key  {node_key}\n  listens   {listen}\n\n\
                 Send it to the founder who makes the plan.",
                clean(name), path.display(),
            ))?;
        }
    }
    Ok(Exit::Done)
}

/// The place to listen that fits an address.
fn listen_at(address: &str) -> Result<SocketAddr, Failure> {
    if let Ok(listen) = address.parse() {
        return Ok(listen);
    }
    let port = address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let port: u16 = port.ok_or_else(|| {
        Failure::unusable(format!("{address} is no address of a node"))
            .hint("write `host:port`, such as validator.example:7100")
    })?;
    Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
}

/// Makes a founding plan of cards.
///
/// # Errors
/// A [`Failure`].
pub fn plan(name: &str, cards: &[PathBuf], output: Option<&Path>, printer: &Printer) -> Outcome {
    let cards: Result<Vec<_>, Failure> = cards
        .iter()
        .map(|path| {
            let bytes = read_input(path, FOUNDING_FILE_BYTES_MAX)?;
            read_card(&bytes).map_err(|error| unusable(path, &error))
        })
        .collect();
    let plan = make_plan(name, cards?, &Registry::standard()).map_err(|error| {
        Failure::unusable("these cards make no network")
            .because(&error)
            .hint(error.hint())
    })?;
    save(output, &plan.write(), printer)?;
    let agreed = plan.agreed();
    match output {
        None => printer.note(format_args!("fingerprint  {}", agreed.fingerprint())),
        Some(_) => show(
            agreed,
            "Send the plan to all founders. Each runs `stele network new` with it and compares the fingerprint.",
            printer,
        )?,
    }
    Ok(Exit::Done)
}

fn save(output: Option<&Path>, text: &str, printer: &Printer) -> Result<(), Failure> {
    match output {
        Some(path) => write_file(path, text.as_bytes(), false),
        None => printer.bytes(text.as_bytes()),
    }
}

fn plan_json(plan: &FoundingPlan) -> Json {
    let founders = plan.founders.iter().map(|founder| {
        json!({
            "name": founder.member.name, "address": founder.address, "node_key": hex::encode(founder.node_key),
        })
    });
    json!({
        "name": plan.name, "fingerprint": plan.fingerprint(), "founders": founders.collect::<Vec<_>>(),
    })
}

fn show(plan: &FoundingPlan, next: &str, printer: &Printer) -> Result<(), Failure> {
    if printer.is_json() {
        return printer.json(&plan_json(plan));
    }
    let count = plan.founders.len();
    let mut text = format!(
        "A plan to found \"{}\" with {count} founders; the network goes on while at most {} of them fail or lie.\n\n",
        clean(&plan.name),
        (count - 1) / 3,
    );
    for founder in &plan.founders {
        let key = hex::encode(&founder.node_key[..4]);
        text += &format!(
            "  {key}  {:<24}  {}\n",
            clean(&founder.address),
            clean(&founder.member.name)
        );
    }
    text += &format!(
        "\n  fingerprint  {}\n\n{next}",
        printer.word(Tone::Accent, &plan.fingerprint())
    );
    printer.data(text)
}

/// Whether two fingerprints are the same, however they are spaced.
fn is_same(given: &str, fingerprint: &str) -> bool {
    let plain = |text: &str| {
        let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        kept.collect::<String>().to_ascii_lowercase()
    };
    plain(given) == plain(fingerprint)
}

/// Founds a network with others, or only shows the plan.
///
/// # Errors
/// A [`Failure`].
pub fn new(
    path: &Path,
    data: &Path,
    fingerprint: Option<&str>,
    bundle: Option<&Path>,
    printer: &Printer,
) -> Outcome {
    let registry = Arc::new(Registry::standard());
    let bytes = read_input(path, FOUNDING_FILE_BYTES_MAX)?;
    let plan = Plan::read(&bytes, &registry).map_err(|error| unusable(path, &error))?;
    let agreed = plan.agreed();
    let Some(given) = fingerprint else {
        let next = format!(
            "Nothing has been done. Compare the fingerprint with the other founders by telephone; then all run\n  \
             stele network new --plan {} --data {} --fingerprint \"{}\"",
            path.display(),
            data.display(),
            agreed.fingerprint(),
        );
        show(agreed, &next, printer)?;
        return Ok(Exit::Done);
    };
    if !is_same(given, &agreed.fingerprint()) {
        return Err(Failure::no(format!(
            "this plan has the fingerprint {}, not the one given",
            agreed.fingerprint()
        ))
        .hint("somebody holds another plan: take the one that the others have"));
    }
    let home = Home::new(data);
    if let Some(bundle) = bundle {
        let bundle = read_bundle(bundle)?;
        found_from_bundle(&home, &plan, &registry, &bundle)?;
        return done(&bundle.genesis, data, false, printer);
    }
    if let Some((_, listen)) = home.founder()? {
        // The links would fail without a word that an operator understands.
        let free = TcpListener::bind(listen);
        free.map_err(|error| {
            Failure::unusable(format!("could not listen on {listen}"))
                .because(&error)
                .hint("end the program that listens there, or make the card again with another --listen")
        })?;
    }
    let mut teller = Teller::new(agreed, printer);
    let founded = found_with_others(&home, &plan, &registry, &mut |progress| {
        teller.tell(&progress);
    });
    let founded = founded.map_err(|error| failed(error, agreed))?;
    let Bundle { genesis, .. } = &founded.bundle;
    done(genesis, data, founded.before, printer)
}

/// Names the founder who is to blame by its name.
fn failed(error: NodeError, plan: &FoundingPlan) -> Failure {
    let hint = error.hint().map(str::to_owned);
    match error {
        NodeError::Founding(FoundingError::Ceremony(CeremonyError::Culprit { culprit, what })) => {
            let mut founders = plan.founders.iter();
            let founder = founders.find(|founder| founder.node_key == culprit);
            let name = founder.map_or("a stranger", |founder| &founder.member.name);
            let failure = Failure::no(format!("{} sent {what}", clean(name)));
            hint.into_iter().fold(failure, Failure::hint)
        }
        other => other.into(),
    }
}

fn done(genesis: &Genesis, data: &Path, before: bool, printer: &Printer) -> Outcome {
    let network = genesis.network_id().to_string();
    let key = hex::encode(genesis.network_key.to_cose_key());
    if printer.is_json() {
        printer.json(
            &json!({"network_id": network, "key": key, "name": genesis.name, "data": data}),
        )?;
    } else {
        let how = if before {
            "was founded before, and all founders have it now"
        } else {
            "is founded"
        };
        printer.data(format_args!(
            "{}  The network \"{}\" {how}.\n\n  network   {network}\n  key       {key}\n  data      {}\n\n\
             Start the validator:\n  stele up --data {}",
            printer.word(Tone::Good, "Done."), clean(&genesis.name), data.display(), data.display(),
        ))?;
    }
    Ok(Exit::Done)
}

/// Says on stderr how the founding goes: what has changed, and now and then for whom this founder waits.
struct Teller<'a> {
    printer: &'a Printer,
    names: BTreeMap<[u8; 32], String>,
    said: BTreeMap<[u8; 32], Standing>,
    own: Option<Standing>,
    waits_since: Instant,
}

impl<'a> Teller<'a> {
    fn new(plan: &FoundingPlan, printer: &'a Printer) -> Self {
        let names = plan
            .founders
            .iter()
            .map(|founder| (founder.node_key, clean(&founder.member.name)));
        Self {
            printer,
            names: names.collect(),
            said: BTreeMap::new(),
            own: None,
            waits_since: Instant::now(),
        }
    }

    fn tell(&mut self, progress: &FoundingProgress) {
        for note in &progress.notes {
            self.printer.note(clean(note));
        }
        for (key, (standing, _)) in &progress.others {
            let before = self.said.insert(*key, *standing);
            if before != Some(*standing) && *standing != Standing::Unheard {
                self.waits_since = Instant::now();
                let name = &self.names[key];
                self.printer
                    .note(format_args!("{name} {}", words(*standing)));
            }
        }
        if self.own != Some(progress.standing) {
            self.own = Some(progress.standing);
            self.waits_since = Instant::now();
            self.printer.note(match progress.standing {
                Standing::Signed => "this founder's share is on the disk, and block 0 is signed",
                Standing::Founded => {
                    "the network is on this founder's disk; stopping now does no harm here"
                }
                _ => "the ceremony begins; it may be stopped and run again at any time",
            });
        }
        if self.waits_since.elapsed() >= TELL_EVERY {
            self.waits_since = Instant::now();
            let waits = progress
                .others
                .iter()
                .filter_map(|(key, (standing, silent))| {
                    let why = match (standing, silent) {
                        (Standing::Founded, _) => return None,
                        (_, Some(silent)) if *silent >= SILENT => {
                            format!("silent for {} s", silent.as_secs())
                        }
                        (standing, _) => words(*standing).to_owned(),
                    };
                    Some(format!("{} ({why})", self.names[key]))
                });
            let waits: Vec<_> = waits.collect();
            if !waits.is_empty() {
                self.printer
                    .note(format_args!("waiting for {}", waits.join(", ")));
            }
        }
    }
}

fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::Unheard => "was not heard yet",
        Standing::OtherPlan => "holds another plan; compare the fingerprints",
        Standing::Stopped => "has stopped",
        Standing::Dealing => "is there",
        Standing::Signed => "holds its share and has signed block 0",
        Standing::Founded => "has the network on its disk",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_compared_without_their_spaces() {
        assert!(is_same("3f2a 91bc", "3f2a 91bc"));
        assert!(is_same("3F2A-91BC ", "3f2a 91bc"));
        assert!(!is_same("3f2a 91bd", "3f2a 91bc"));
        assert!(!is_same("", "3f2a 91bc"));
    }

    #[test]
    fn a_node_listens_where_its_address_says() {
        let at = |address: &str| listen_at(address).map(|listen| listen.to_string()).ok();
        assert_eq!(at("127.0.0.1:7100").as_deref(), Some("127.0.0.1:7100"));
        assert_eq!(at("mill.example:7100").as_deref(), Some("0.0.0.0:7100"));
        assert_eq!(at("mill.example"), None);
    }
}
