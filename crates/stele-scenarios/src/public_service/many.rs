//! Many simple cases, for the figures.

use std::time::Instant;

use serde_json::json;
use stele_services::{Letter, commitment};

use super::Story;
use super::commands::{attempt_one, case_reference};
use super::offices::Town;
use super::services::Services;
use super::story::opening_of;
use super::wallet::open_with;
use crate::frame::{Run, ScenarioError};
use crate::kit::{Office, accepted, outcome, per_second, random};

/// How many.
const CASES: usize = 50;
/// What each applicant is called, with a number behind it; must not be on the chain.
pub(super) const RESIDENT: &str = "Fictional-Resident";

pub(super) fn decide(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
    services: &Services,
) -> Result<(), ScenarioError> {
    run.step("decide-many", |run| {
        let (definition, office) = (&services.residence, &town.citizens_office);
        for number in 0..CASES {
            run.at(number, CASES);
            let applicant = Office::new(run, "A resident");
            let case_id = random::bytes();
            let papers = ["application", "identification"].map(|paper| {
                let paper = format!("{paper} of {RESIDENT}-{number}");
                commitment(&random::bytes(), paper.as_bytes())
            });
            let command = opening_of(definition, &town.town, Some(office), &case_id, &papers);
            let begin = Instant::now();
            let opened = open_with(run, story, &applicant, &command)?;
            accepted("an application", outcome(&opened))?;
            let case = case_reference(&applicant.party.id(), &case_id).to_string();
            let letter = Letter { case: case.clone(), outcome: "granted".to_owned(), reasons: Vec::new(), explanation: String::new() };
            let sound = letter.check(definition).is_ok();
            run.check(sound, "a letter that may be sent", || "another".to_owned())?;
            let decision = json!({"case": case, "outcome": "granted", "reasons": letter.commitment(&random::bytes()).to_string()});
            let decided = attempt_one(run, story, office, &[], "decision.make", &decision)?;
            let took = begin.elapsed();
            accepted("a decision", outcome(&decided))?;
            story.deciding += took;
            story.waits.push(took);
            story.blocks.push(decided.height.saturating_sub(opened.height));
            story.simple.push(vec![opened.entry_id, decided.entry_id]);
        }
        let rate = per_second(CASES, story.deciding);
        Ok(((), format!("{CASES} residence certificates were applied for and granted, one after the other, {rate:.0} a second, each by a pseudonym of its own.")))
    })
}
