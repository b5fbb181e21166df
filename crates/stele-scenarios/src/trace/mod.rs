//! `trace`: olive oil from the press to the kitchen table, and a recall.
//!
//! Four fictional parties and an authority use one node as five organisations would use their own. Events go in by the EPCIS
//! 2.0 capture interface; the chain gets their commitments. Custody moves with both sides' signatures. Then the questions
//! that people ask of a supply chain are answered with receipts: where has this bottle been, was a record changed, who may
//! recall, and who holds the recalled lot. docs/scenarios/trace.md is its page.

mod capture;
mod check;
mod custody;
mod documents;
mod epcis;
mod figures;
mod given;
mod journey;
mod parties;
mod plan;
mod recall;
mod state;

use std::time::Duration;

use stele_core::id::Hash;

use self::documents::Document;
use self::plan::Plan;
use crate::{Run, Scenario, ScenarioError};

/// The scenario `trace`.
#[derive(Debug, Clone, Copy)]
pub struct Trace;

const STEPS: &[&str] = &[
    "register-parties",
    "accredit-authority",
    "generate-documents",
    "capture-events",
    "check-commitments",
    "capture-given-documents",
    "claim-items",
    "hand-over-custody",
    "trace-an-item",
    "detect-changes",
    "refuse-unaccredited-recall",
    "issue-recall",
    "find-holders",
    "close-recall",
];

impl Scenario for Trace {
    fn name(&self) -> &'static str {
        "trace"
    }

    fn title(&self) -> &'static str {
        "From the olive press to the kitchen table"
    }

    fn purpose(&self) -> &'static str {
        "A mill, a carrier and a shop that need not trust each other share the way of their goods in GS1 EPCIS 2.0. \
         Where has this bottle been, was a record changed, who holds a recalled lot: each answer comes with receipts that anyone \
         verifies offline."
    }

    fn input(&self) -> &'static str {
        "Generates the EPCIS 2.0 documents of a fictional olive mill, carrier and shop. Takes a folder of EPCIS 2.0 documents or \
         events (*.jsonld, *.json) with --input, or the data set epcis-examples."
    }

    fn steps(&self) -> &'static [&'static str] {
        STEPS
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), ScenarioError> {
        let parties = parties::register(run)?;
        parties::accredit(run, &parties)?;
        let (plan, documents) = generate(run)?;
        let mut measured = Measured::default();
        capture::generated(run, &documents, &mut measured)?;
        let chain = check::commitments(run, &documents)?;
        given::capture(run, &mut measured)?;
        custody::claim(run, &parties, &plan)?;
        custody::hand_over(run, &parties, &plan)?;
        let traced = journey::trace(run, &parties, &plan, &documents, &chain, &mut measured)?;
        journey::detect_changes(run, &traced)?;
        recall::refuse(run, &parties, &plan)?;
        recall::issue(run, &parties, &plan)?;
        recall::find_holders(run, &parties, &plan, &mut measured)?;
        recall::close(run, &parties)?;
        figures::add(run, &measured);
        Ok(())
    }
}

/// What the steps measured for the figures.
#[derive(Debug, Default)]
struct Measured {
    /// Events that were captured, and how long that took until all were final.
    events: usize,
    capturing: Duration,
    /// Documents and bare events given by the user or the data set, and those that were captured.
    given: Option<(usize, usize)>,
    /// From the question to the proven answer.
    journey: Duration,
    holders: Duration,
    /// Sizes of entry receipts without the entry, in bytes.
    slim_receipts: Vec<usize>,
}

fn generate(run: &mut Run<'_>) -> Result<(Plan, Vec<Document>), ScenarioError> {
    run.step("generate-documents", |run| {
        let plan = Plan::new(run.seed(), epcis::now_ms());
        let documents = documents::documents(&plan);
        let mut events = 0;
        for document in &documents {
            if let Err(violations) = stele_epcis::validate::validate(&document.json, stele_epcis::validate::Profile::Strict) {
                return Err(ScenarioError::broken(
                    format!("{} to be valid EPCIS 2.0", document.name),
                    violations[0].to_string(),
                ));
            }
            events += document.events().len();
            let text = serde_json::to_string_pretty(&document.json).expect("a document is plain data");
            run.keep(&format!("{}.jsonld", document.name), text.as_bytes())?;
        }
        run.describe_input(format!("{} EPCIS 2.0 documents generated for fictional parties", documents.len()));
        let bottles = plan.lots.iter().flat_map(|lot| lot.bottles()).count();
        let detail = format!(
            "{} documents with {events} events about {bottles} bottles in {} lots, {} cases and {} pallets, all valid.",
            documents.len(),
            plan.lots.len(),
            plan.lots.iter().map(|lot| lot.cases.len()).sum::<usize>(),
            plan.pallets.len()
        );
        Ok(((plan, documents), detail))
    })
}

fn hexes(items: &[Hash]) -> Vec<String> {
    items
        .iter()
        .map(|item| hex::encode(item.as_bytes()))
        .collect()
}
