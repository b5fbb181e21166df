//! Prints the documents of a fictional journey, one per line; with `--answers` also what a repository answers after
//! capturing them.
//!
//! `cargo run -p stele-epcis --example epcis_generate [SEED] [--answers]`
#![allow(clippy::print_stdout)]

use std::sync::Arc;

use stele_epcis::anchor::NoAnchor;
use stele_epcis::generate::{Plan, generate};
use stele_epcis::{Behaviour, EpcisService, EventStore, Parameters};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seed = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(1);
    let made = generate(&Plan {
        seed,
        ..Plan::default()
    });
    for document in &made.documents {
        println!("{}", document.document);
    }
    if !arguments.iter().any(|a| a == "--answers") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let store = EventStore::open(folder.path().join("events.db"))?;
    let service = EpcisService::new(store, Arc::new(NoAnchor), Arc::new(|| 1_800_000_000_000));
    for document in &made.documents {
        service.capture(
            document.document.to_string().as_bytes(),
            Behaviour::Rollback,
        )?;
    }
    let bottle = &made.lots[0].bottles[0];
    for query in [
        vec![],
        vec![("MATCH_anyEPC", bottle.as_str())],
        vec![("EQ_bizStep", "shipping"), ("orderBy", "eventTime")],
        vec![("EQ_bizStep", "destroying")],
    ] {
        let answer = service.query("SimpleEventQuery", &Parameters::from_pairs(query)?)?;
        println!("{}", answer.body.unwrap_or_default());
    }
    Ok(())
}
