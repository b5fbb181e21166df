//! What offices do with the case of the story: ask for what is missing, hand over, decide with reasons, and what a board makes of it.

use serde_json::{Value as Json, json};
use stele_core::id::TimeMs;
use stele_services::{Language, Letter, choices, commitment, replay};

use super::Story;
use super::commands::{Case, attempt_one};
use super::offices::Town;
use super::services::Services;
use super::state::{CaseState, case_key};
use super::story::events;
use super::wallet::PERSONAL;
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{
    Office, Refused, accepted, outcome, random, receipt_of_state, refused, show_refusals, when,
};

/// Something that somebody tries in the case, and the code by which it is refused.
struct Attempt<'a> {
    what: &'a str,
    code: &'a str,
    by: &'a Office,
    with: &'a [&'a Office],
    command: &'a str,
    more: Json,
}

/// Tries it; the row of the refusal.
fn tried(
    run: &mut Run<'_>,
    story: &mut Story,
    case: &Case,
    attempt: Attempt<'_>,
) -> Result<Vec<Cell>, ScenarioError> {
    let Attempt {
        what,
        code,
        by,
        with,
        command,
        more,
    } = attempt;
    let done = attempt_one(run, story, by, with, command, &case.about(more))?;
    refused(what, code, outcome(&done))
}

/// The case as the chain keeps it, with the receipt as evidence.
fn state(run: &mut Run<'_>, case: &Case, claim: &str) -> Result<CaseState, ScenarioError> {
    let (receipt, value) = receipt_of_state(run, "service", &case_key(&case.reference))?;
    run.evidence(claim, &receipt)?;
    CaseState::decode(value.as_deref().unwrap_or_default()).map_err(|error| {
        ScenarioError::broken(
            "a case as docs/registers/service.md describes it",
            error.to_string(),
        )
    })
}

fn a_hash() -> String {
    hex::encode(random::bytes::<32>())
}

pub(super) fn check(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
    services: &Services,
    case: &mut Case,
) -> Result<(), ScenarioError> {
    run.step("check-completeness", |run| {
        let (office, applicant) = (&town.citizens_office, case.applicant.clone());
        let missing = json!({"items": ["keeper-consent"]});
        case.act(run, story, office, &[], "items.request", missing.clone(), "The office asked for the keeper\u{2019}s consent; the clock stands still")?;
        let asked = state(run, case, "The case waits for one item, which the applicant owes")?;
        run.check(asked.status == "waiting" && asked.missing == ["keeper-consent"], "a case that waits for the consent", || format!("{asked:?}"))?;

        let supplied = |items: Json| json!({"items": items, "documents": [a_hash()]});
        let attempts = [
            Attempt { what: "An office of another town asks for more", code: "service.case.not-office", by: &town.elsewhere, with: &[], command: "items.request", more: missing.clone() },
            Attempt { what: "The office confirms that nothing is missing", code: "service.items.still-missing", by: office, with: &[], command: "items.confirm", more: json!({}) },
            Attempt { what: "The citizen supplies what nobody asked for", code: "service.items.not-missing", by: &applicant, with: &[], command: "case.supply", more: supplied(json!(["zone"])) },
            Attempt { what: "Somebody else supplies the consent", code: "service.case.not-applicant", by: &town.elsewhere, with: &[], command: "case.supply", more: supplied(json!(["keeper-consent"])) },
        ];
        let mut rows = Vec::new();
        for attempt in attempts {
            rows.push(tried(run, story, case, attempt)?);
        }

        let paper = format!("{} may use my car. Fictional keeper.", PERSONAL[0]).into_bytes();
        let salt = random::bytes();
        run.keep("keeper-consent.txt", &paper)?;
        run.keep("keeper-consent.salt", hex::encode(salt).as_bytes())?;
        let supply = json!({"items": ["keeper-consent"], "documents": [commitment(&salt, &paper).to_string()]});
        case.act(run, story, &applicant, &[], "case.supply", supply, "The citizen supplied the consent; the clock goes on")?;
        case.act(run, story, office, &[], "items.confirm", json!({}), "The office confirmed that nothing is missing")?;
        rows.push(tried(run, story, case, Attempt { what: "The office asks once more, to stop the clock", code: "service.items.complete", by: office, with: &[], command: "items.request", more: missing })?);
        show_refusals(run, "What nobody can do with the clock", rows);

        let (happened, _) = events(run, &case.entries)?;
        let replayed = replay(&services.parking, &happened).map_err(|error| ScenarioError::broken("a history that can be", error.illegal.to_string()))?;
        let due = replayed.clock.due(services.parking.rules()).map_or(0, TimeMs::get);
        let may = choices(&services.parking, &replayed, replayed.latest);
        let detail = format!("One item was missing, asked for by its code and supplied as a commitment. Due before {}; the office may now: {}.", when(due), may.join(", "));
        Ok(((), detail))
    })
}

pub(super) fn hand_over(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
    case: &mut Case,
) -> Result<(), ScenarioError> {
    run.step("hand-over", |run| {
        let (from, to) = (&town.citizens_office, &town.traffic_office);
        let elsewhere = [&town.elsewhere];
        let attempts = [
            Attempt {
                what: "An office hands the case over without the other one",
                code: "service.handover.not-countersigned",
                by: from,
                with: &[],
                command: "handover.transfer",
                more: json!({"to": to.did()}),
            },
            Attempt {
                what: "To an office of another town",
                code: "service.office.not-accredited",
                by: from,
                with: &elsewhere,
                command: "handover.transfer",
                more: json!({"to": town.elsewhere.did()}),
            },
            Attempt {
                what: "The receiving office decides before it has the case",
                code: "service.case.not-office",
                by: to,
                with: &[],
                command: "decision.make",
                more: json!({"outcome": "granted", "reasons": a_hash()}),
            },
            Attempt {
                what: "The citizen claims a grant by silence",
                code: "service.deem.not-by-law",
                by: &case.applicant.clone(),
                with: &[],
                command: "case.deem",
                more: json!({}),
            },
        ];
        let mut rows = Vec::new();
        for attempt in attempts {
            rows.push(tried(run, story, case, attempt)?);
        }
        let claim = format!(
            "{} handed the case over to {}, and both signed",
            from.name, to.name
        );
        case.act(
            run,
            story,
            from,
            &[to],
            "handover.transfer",
            json!({"to": to.did()}),
            &claim,
        )?;
        let after = state(
            run,
            case,
            "The road traffic office is responsible for the case",
        )?;
        run.check(
            after.office == to.party.id(),
            "the receiving office",
            || format!("{after:?}"),
        )?;
        show_refusals(run, "One office is responsible at any time", rows);
        Ok((
            (),
            format!("{claim}: who is responsible is never in doubt."),
        ))
    })
}

pub(super) fn decide(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
    services: &Services,
    case: &mut Case,
) -> Result<(), ScenarioError> {
    run.step("decide-with-reasons", |run| {
        let (office, definition) = (&town.traffic_office, &services.parking);
        let letter = |reasons: &[&str], explanation: &str| Letter {
            case: case.reference.to_string(),
            outcome: "refused".to_owned(),
            reasons: reasons.iter().map(|code| (*code).to_owned()).collect(),
            explanation: explanation.to_owned(),
        };
        let checked = |letter: &Letter| letter.check(definition).map_err(|error| Refused::new(error.code(), &error.to_string()));
        let mut rows = vec![
            refused("A refusal without a ground", "service-letter.no-reason", checked(&letter(&[], "We do not want to.")))?,
            refused("A refusal on a ground that the law does not name", "service-letter.unknown-reason", checked(&letter(&["too-many-cars"], "There are enough cars.")))?,
        ];
        let explanation = format!("{}: {}.", PERSONAL[0], PERSONAL[6]);
        let letter = letter(&["not-the-user"], &explanation);
        accepted("the letter", checked(&letter))?;
        let salt = random::bytes();
        let decision = json!({"outcome": "refused", "reasons": letter.commitment(&salt).to_string()});
        let done = case.act(run, story, office, &[], "decision.make", decision.clone(), "The office refused the application, with a commitment to its reasons")?;
        let decided = TimeMs::new(done.time_ms);
        run.keep("letter.json", &letter.bytes())?;
        run.keep("letter.salt", hex::encode(salt).as_bytes())?;
        run.keep("letter.txt", letter.text(definition, Language::En, decided).as_bytes())?;

        let attempts = [
            Attempt { what: "The office decides a second time", code: "service.case.not-pending", by: office, with: &[], command: "decision.make", more: decision },
            Attempt { what: "The office closes the case at once", code: "service.case.cannot-close", by: office, with: &[], command: "case.close", more: json!({}) },
            Attempt { what: "Somebody else appeals", code: "service.case.not-applicant", by: &town.elsewhere, with: &[], command: "appeal.lodge", more: json!({"grounds": a_hash()}) },
        ];
        for attempt in attempts {
            rows.push(tried(run, story, case, attempt)?);
        }
        let after = state(run, case, "The case is decided: refused")?;
        run.check(after.status == "decided" && after.outcome.as_deref() == Some("refused"), "a refusal", || format!("{after:?}"))?;
        show_refusals(run, "What a decision needs, and what it ends", rows);
        let appeal = definition.rules().appeal_due(decided).map_or(0, TimeMs::get);
        let detail = format!("Refused on a ground of the definition, explained in a letter that stays between office and citizen. An appeal is in time before {}.", when(appeal));
        Ok(((), detail))
    })
}

pub(super) fn appeal(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
    case: &mut Case,
) -> Result<(), ScenarioError> {
    run.step("appeal", |run| {
        let (office, applicant) = (&town.traffic_office, case.applicant.clone());
        let grounds = format!("{} lives there and uses the car every day.", PERSONAL[0]);
        let grounds = commitment(&random::bytes(), grounds.as_bytes()).to_string();
        case.act(run, story, &applicant, &[], "appeal.lodge", json!({"grounds": grounds}), "The citizen appealed in time, with a commitment to the grounds")?;
        let settle = || json!({"outcome": "allowed", "reasons": a_hash()});
        let row = tried(run, story, case, Attempt { what: "The office decides about its own decision", code: "service.appeal.not-accredited", by: office, with: &[], command: "appeal.decide", more: settle() })?;
        case.act(run, story, &town.board, &[], "appeal.decide", settle(), "The board allowed the appeal")?;
        let more = tried(run, story, case, Attempt { what: "The citizen appeals once more", code: "service.appeal.no-decision", by: &applicant, with: &[], command: "appeal.lodge", more: json!({"grounds": a_hash()}) })?;
        case.act(run, story, office, &[], "case.close", json!({}), "The office closed the case after the appeal was decided")?;
        let after = state(run, case, "The case is closed")?;
        run.check(after.status == "closed", "a closed case", || format!("{after:?}"))?;
        show_refusals(run, "Who decides about an appeal", vec![row, more]);
        let board = &town.board.name;
        run.show(Block::Text(format!("{board} allowed the appeal; what follows from it, the permit as a credential, goes the way that the scenario diploma shows.")));
        Ok(((), format!("{board}, accredited for appeals in this country, allowed the appeal; the case is closed with {} lines of history.", after.lines)))
    })
}
