//! Where has this bottle been, and would anyone notice a changed record?

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value as Json, json};
use stele_core::calendar::{self, parse_date_time};
use stele_core::id::Hash;
use stele_core::receipt::verify;
use stele_core::suite::{SigningKey, Suite};
use stele_epcis::canonical::commitment;

use super::Measured;
use super::check::{Chain, Recorded};
use super::documents::{Document, place_words};
use super::epcis::{self, Opening};
use super::parties::Parties;
use super::plan::{BAND, Plan, Role, item, serial};
use super::state::{self, Item, Line};
use crate::frame::{Block, Cell, Curve, Run, ScenarioError};

/// Containers within containers that are followed.
const NESTING_MAX: usize = 8;

/// An event of the traced bottle, with all that proves it.
#[derive(Debug)]
pub(super) struct Traced {
    event: Json,
    opening: Opening,
    recorded: Recorded,
}

pub(super) fn trace(
    run: &mut Run<'_>,
    parties: &Parties,
    plan: &Plan,
    documents: &[Document],
    chain: &Chain,
    measured: &mut Measured,
) -> Result<Traced, ScenarioError> {
    run.step("trace-an-item", |run| {
        let bottle = plan.traced();
        let begin = Instant::now();
        let mut seen = BTreeSet::new();
        let mut stops = Vec::new();
        follow(run, bottle, i64::MIN, i64::MAX, NESTING_MAX, &mut seen, &mut stops)?;
        stops.sort_by_key(|stop| (stop.at_ms, stop.id.clone()));
        let (item, lines) = history(run, parties, bottle, &stops)?;
        measured.journey = begin.elapsed();

        let own = stops.iter().filter(|stop| stop.epc == bottle).count();
        check_history(run, parties, &item, &lines, own)?;
        let mut shown = Vec::new();
        for stop in &stops {
            let recorded = chain.of_event(&stop.id);
            let recorded = recorded.ok_or_else(|| {
                ScenarioError::broken("each event of the journey among the proven ones", stop.id.clone())
            })?;
            let by = role_of(documents, &stop.id).map_or("", Role::title);
            let place = stop.event["readPoint"]["id"].as_str().map(place_words).unwrap_or_default();
            let what = words(stop.event["bizStep"].as_str().unwrap_or("event"));
            let through = if stop.epc == bottle { String::new() } else { format!(", in {}", container(&stop.epc)) };
            shown.push((when(stop.at_ms), format!("{what}{through}"), format!("{place}, {by}"), Some(recorded.file.clone())));
        }
        run.show(Block::Timeline { caption: format!("Bottle {}", serial(bottle)), stops: shown });
        show_history(run, parties, bottle, &lines, &stops)?;
        show_rides(run, plan);
        slim(run, chain, measured)?;

        let first = stops.iter().find(|stop| stop.epc == bottle).expect("the bottle has events of its own");
        let recorded = chain.of_event(&first.id).expect("checked above").clone();
        let opening = epcis::openings(run.client(), &first.id)?.remove(0);
        let traced = Traced { event: opening.event.clone(), opening, recorded };
        let detail = format!(
            "Bottle {} by EPCIS query: {} events at {} places, its case and pallet followed while it was inside. By proof: {} lines of history, none missing, and its holder, {}.",
            serial(bottle),
            stops.len(),
            stops.iter().map(|stop| stop.event["readPoint"]["id"].to_string()).collect::<BTreeSet<_>>().len(),
            lines.len(),
            item.holder.map_or_else(|| "nobody".to_owned(), |holder| parties.name(&holder)),
        );
        Ok((traced, detail))
    })
}

struct Stop {
    id: String,
    at_ms: i64,
    /// The item or container whose event it is.
    epc: String,
    event: Json,
}

/// Collects the events of `epc` in a time, and those of what it was packed into while it was inside.
fn follow(
    run: &mut Run<'_>,
    epc: &str,
    from: i64,
    to: i64,
    depth: usize,
    seen: &mut BTreeSet<String>,
    stops: &mut Vec<Stop>,
) -> Result<(), ScenarioError> {
    if depth == 0 {
        return Ok(());
    }
    let events = epcis::events_of(run.client(), epc)?;
    let mut inside: Option<(String, i64)> = None;
    for event in events {
        let at_ms = event["eventTime"]
            .as_str()
            .and_then(parse_date_time)
            .unwrap_or_default();
        let id = event["eventID"].as_str().unwrap_or_default().to_owned();
        // Before its containers are followed: an event that names both belongs to the inner one.
        if (from..=to).contains(&at_ms) && seen.insert(id.clone()) {
            let (epc, event) = (epc.to_owned(), event.clone());
            stops.push(Stop {
                id,
                at_ms,
                epc,
                event,
            });
        }
        let is_child = event["childEPCs"]
            .as_array()
            .is_some_and(|children| children.iter().any(|child| child == epc));
        if event["type"] == "AggregationEvent" && is_child {
            let parent = event["parentID"].as_str().unwrap_or_default().to_owned();
            match (event["action"].as_str(), inside.take()) {
                (Some("ADD"), _) => inside = Some((parent, at_ms)),
                (Some("DELETE"), Some((parent, since))) => {
                    follow(
                        run,
                        &parent,
                        since.max(from),
                        at_ms.min(to),
                        depth - 1,
                        seen,
                        stops,
                    )?;
                }
                (_, still) => inside = still,
            }
        }
    }
    match inside {
        Some((parent, since)) => follow(run, &parent, since.max(from), to, depth - 1, seen, stops),
        None => Ok(()),
    }
}

/// The proven state of an item and every line of its history, each with its receipt.
fn history(
    run: &mut Run<'_>,
    parties: &Parties,
    epc: &str,
    stops: &[Stop],
) -> Result<(Item, Vec<(Line, String)>), ScenarioError> {
    let hash = item(epc);
    let reading = || ScenarioError::client("reading an item");
    let (receipt, value) = run
        .client()
        .verified_state("trace", &state::item_key(&hash))
        .map_err(reading())?;
    let head = Item::decode(&value.unwrap_or_default()).map_err(unreadable)?;
    let holder = head
        .holder
        .map_or_else(|| "nobody".to_owned(), |holder| parties.name(&holder));
    run.evidence(
        format!(
            "Bottle {} is held by {holder}; its history has {} lines",
            serial(epc),
            head.lines
        ),
        &receipt,
    )?;
    let mut lines = Vec::new();
    for number in 0..head.lines {
        let (receipt, value) = run
            .client()
            .verified_state("trace", &state::line_key(&hash, number))
            .map_err(reading())?;
        let line = Line::decode(&value.unwrap_or_default()).map_err(unreadable)?;
        let claim = format!(
            "Line {number} of the history of bottle {}: {} by {}",
            serial(epc),
            told(&line, stops)?,
            parties.name(&line.by)
        );
        let (_, file) = run.evidence(claim, &receipt)?;
        lines.push((line, file));
    }
    Ok((head, lines))
}

/// What a line tells. A line about an event names it by a hash; the EPCIS answer must have the event.
fn told(line: &Line, stops: &[Stop]) -> Result<String, ScenarioError> {
    if line.what != "event" {
        return Ok(line.what.clone());
    }
    let named = |stop: &&Stop| line.other.as_ref() == Some(&state::event_ref(&line.by, &stop.id));
    match stops.iter().find(named) {
        Some(stop) => Ok(format!(
            "event {}",
            stop.event["bizStep"].as_str().unwrap_or("without a step")
        )),
        None => Err(ScenarioError::broken(
            "each event of the proven history in the EPCIS answer",
            format!("none with the reference {:?}", line.other),
        )),
    }
}

/// The proven history agrees with the EPCIS answer and with what the parties signed.
fn check_history(
    run: &Run<'_>,
    parties: &Parties,
    item: &Item,
    lines: &[(Line, String)],
    own: usize,
) -> Result<(), ScenarioError> {
    run.check(
        item.maker == Some(parties.mill.id),
        "the mill as the maker",
        || format!("{:?}", item.maker),
    )?;
    run.check(
        item.holder == Some(parties.shop.id),
        "the shop as the holder",
        || format!("{:?}", item.holder),
    )?;
    let hands: Vec<_> = lines
        .iter()
        .filter(|(line, _)| line.what == "hand-over")
        .map(|(line, _)| (line.by, line.other))
        .collect();
    let to = |party: &crate::Actor| Some(Hash::from_bytes(*party.id.as_bytes()));
    let expected = vec![
        (parties.mill.id, to(&parties.carrier)),
        (parties.carrier.id, to(&parties.shop)),
    ];
    run.check(
        hands == expected,
        "two hand-overs, mill to carrier to shop",
        || format!("{hands:?}"),
    )?;
    let proven = lines
        .iter()
        .filter(|(line, _)| line.what == "event")
        .count();
    run.check(
        own == proven,
        "as many events by query as in the proven history",
        || format!("{own} and {proven}"),
    )
}

fn show_history(
    run: &mut Run<'_>,
    parties: &Parties,
    epc: &str,
    lines: &[(Line, String)],
    stops: &[Stop],
) -> Result<(), ScenarioError> {
    let rows = lines
        .iter()
        .map(|(line, file)| {
            let to = line
                .other
                .filter(|_| line.what == "hand-over")
                .map(|other| {
                    format!(
                        " to {}",
                        parties.name(&stele_core::id::PartyId::from_bytes(*other.as_bytes()))
                    )
                });
            Ok(vec![
                words(&told(line, stops)?.replace('-', " ")).into(),
                format!("{}{}", parties.name(&line.by), to.unwrap_or_default()).into(),
                format!("block {}", line.height).into(),
                Cell::Link("receipt".to_owned(), file.clone()),
            ])
        })
        .collect::<Result<_, ScenarioError>>()?;
    run.show(Block::Table {
        caption: format!(
            "What the chain proves of bottle {}, complete and in order",
            serial(epc)
        ),
        head: vec!["What", "By", "In", "Proof"],
        rows,
    });
    Ok(())
}

fn show_rides(run: &mut Run<'_>, plan: &Plan) {
    let curves = plan
        .pallets
        .iter()
        .enumerate()
        .map(|(index, pallet)| Curve {
            label: format!("Pallet {}", index + 1),
            points: pallet
                .temperatures
                .iter()
                .map(|(at, celsius)| (clock(*at), *celsius))
                .collect(),
        });
    run.show(Block::Chart {
        caption: format!("On the road, as the carrier\u{2019}s probes told it; the oil should keep {} to {} \u{b0}C", BAND.0, BAND.1),
        unit: "\u{b0}C",
        band: Some(BAND),
        curves: curves.collect(),
    });
}

/// Sizes of the entries' receipts without the entries.
fn slim(run: &mut Run<'_>, chain: &Chain, measured: &mut Measured) -> Result<(), ScenarioError> {
    let ids: Vec<_> = chain.entries().map(|(id, _)| *id).collect();
    for id in ids {
        let path = format!("/v1/entries/{id}/receipt?entry=false");
        let receipt = run
            .client()
            .get_bytes(&path)
            .map_err(ScenarioError::client("reading a receipt"))?;
        run.verify("a receipt without its entry", &receipt)?;
        measured.slim_receipts.push(receipt.len());
    }
    Ok(())
}

pub(super) fn detect_changes(run: &mut Run<'_>, traced: &Traced) -> Result<(), ScenarioError> {
    run.step("detect-changes", |run| {
        let id = traced.event["eventID"].as_str().unwrap_or_default().to_owned();
        let proven = traced.recorded.commitments.iter().find(|(other, _)| *other == id).map(|(_, hash)| *hash);
        let proven = proven.ok_or_else(|| ScenarioError::broken("the event among the proven ones", id.clone()))?;
        let mut rows = Vec::new();
        let given = commitment(&traced.opening.salt, &traced.event).unwrap_or_default();
        run.check(given == proven, "the untouched event to fit its commitment", || hex::encode(given))?;
        rows.push(vec!["Nothing".into(), Cell::Code(short(&given)), Cell::Good("fits the proven commitment".to_owned())]);
        for (what, event) in changed_events(&traced.event) {
            let made = commitment(&traced.opening.salt, &event).unwrap_or_default();
            run.check(made != proven, "a changed event not to fit its commitment", || what.clone())?;
            rows.push(vec![what.into(), Cell::Code(short(&made)), Cell::Bad("does not fit".to_owned())]);
        }
        let mut salt = traced.opening.salt;
        salt[0] ^= 1;
        let made = commitment(&salt, &traced.event).unwrap_or_default();
        run.check(made != proven, "another salt not to fit", || "it fits".to_owned())?;
        rows.push(vec!["One bit of the salt".into(), Cell::Code(short(&made)), Cell::Bad("does not fit".to_owned())]);
        run.show(Block::Table {
            caption: "What was changed in the event, and its commitment then".to_owned(),
            head: vec!["Changed", "Commitment", "Result"],
            rows,
        });
        let tried = tamper(run, &traced.recorded.receipt)?;
        run.evidence("The untouched receipt of the recorded events verifies", &traced.recorded.receipt)?;
        let detail = format!(
            "A changed time, place or item in an event no longer fits its proven commitment; {tried} altered copies of its receipt and one under a foreign key were all refused."
        );
        Ok(((), detail))
    })
}

fn changed_events(event: &Json) -> Vec<(String, Json)> {
    let mut all = Vec::new();
    let mut change = |what: &str, pointer: &str, value: Json| {
        let mut copy = event.clone();
        if let Some(place) = copy.pointer_mut(pointer) {
            *place = value;
            all.push((what.to_owned(), copy));
        }
    };
    change(
        "The time of the event",
        "/eventTime",
        json!("2020-01-01T00:00:00Z"),
    );
    change(
        "The place",
        "/readPoint/id",
        json!("urn:epc:id:sgln:9521009.00100.1"),
    );
    change(
        "One item",
        "/outputEPCList/0",
        json!("urn:epc:id:sgtin:9521009.010500.1"),
    );
    change("The business step", "/bizStep", json!("destroying"));
    let mut extra = event.clone();
    extra["example:note"] = json!("added later");
    all.push(("A member added".to_owned(), extra));
    all
}

/// Flips one bit at many places of a receipt, cuts it short and checks it under another network's key: none may verify.
fn tamper(run: &mut Run<'_>, receipt: &[u8]) -> Result<usize, ScenarioError> {
    let network = run.client().network().clone();
    let mut codes = std::collections::BTreeMap::<&'static str, usize>::new();
    let mut tried = 0;
    let stride = (receipt.len() / 96).max(1);
    for at in (0..receipt.len()).step_by(stride) {
        let mut copy = receipt.to_vec();
        copy[at] ^= 1 << (at % 8);
        match verify(&copy, &network) {
            Ok(_) => {
                return Err(ScenarioError::broken(
                    "an altered receipt to be refused",
                    format!("byte {at} altered, and it verifies"),
                ));
            }
            Err(error) => *codes.entry(error.reason.code()).or_default() += 1,
        }
        tried += 1;
    }
    match verify(&receipt[..receipt.len() - 1], &network) {
        Ok(_) => {
            return Err(ScenarioError::broken(
                "a cut receipt to be refused",
                "it verifies",
            ));
        }
        Err(error) => *codes.entry(error.reason.code()).or_default() += 1,
    }
    let mut foreign = network.clone();
    let key = SigningKey::from_seed(Suite::Ed25519, &[7; 32]).expect("32 bytes are a seed");
    foreign.key = key.public().clone();
    match verify(receipt, &foreign) {
        Ok(_) => {
            return Err(ScenarioError::broken(
                "a receipt under a foreign key to be refused",
                "it verifies",
            ));
        }
        Err(error) => *codes.entry(error.reason.code()).or_default() += 1,
    }
    let rows = codes
        .iter()
        .map(|(code, count)| vec![Cell::Code((*code).to_owned()), count.to_string().into()])
        .collect();
    run.show(Block::Table {
        caption: "Why altered receipts were refused".to_owned(),
        head: vec!["Reason", "Copies"],
        rows,
    });
    Ok(tried + 1)
}

pub(super) fn unreadable(error: stele_core::cbor::DecodeError) -> ScenarioError {
    ScenarioError::broken(
        "a state value as docs/registers/trace.md describes it",
        error.to_string(),
    )
}

fn role_of(documents: &[Document], event_id: &str) -> Option<Role> {
    let found = documents.iter().find(|document| {
        document
            .events()
            .iter()
            .any(|event| event["eventID"] == event_id)
    });
    found.map(|document| document.role)
}

fn container(epc: &str) -> &'static str {
    if epc.starts_with("urn:epc:id:sscc:") {
        "its pallet"
    } else {
        "its case"
    }
}

fn words(step: &str) -> String {
    let spaced = step.replace('_', " ");
    let mut chars = spaced.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + chars.as_str()
    })
}

fn short(hash: &[u8; 32]) -> String {
    format!("{}\u{2026}", &hex::encode(hash)[..16])
}

/// `15 Nov, 06:00`.
fn when(ms: i64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, month, day) = calendar::date(ms.div_euclid(86_400_000));
    format!("{day} {}, {}", MONTHS[month as usize - 1], clock(ms))
}

fn clock(ms: i64) -> String {
    let minutes = ms.div_euclid(60_000).rem_euclid(1440);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}
