//! A statutory period at whose end silence is a grant: nobody can claim it early, and anybody once it is over.

use std::path::Path;

use serde_json::{Value as Json, json};
use stele_core::id::{EntryId, Hash, TimeMs};
use stele_services::timeline::When;
use stele_services::{
    Addressee, CaseEvent, Definition, Fact, Language, commitment, reminders, replay, timeline,
};

use super::Story;
use super::commands::{Case, attempt_one, case_reference};
use super::offices::Town;
use super::services::Services;
use super::state::{CaseState, case_key};
use super::story::{events, opening_of};
use super::wallet::open_with;
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{
    Office, Refused, accepted, now_ms, outcome, prove, random, receipt_of_state, refused,
    show_refusals, when,
};

/// What a later run needs to find the case again.
const WAITING: &str = "waiting-case.json";

fn iso((year, month, day): (u64, u64, u64)) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

/// What the rules make of a fact at an instant.
fn at(
    definition: &Definition,
    happened: &[CaseEvent],
    time: u64,
    fact: Fact,
) -> Result<(), Refused> {
    let event = CaseEvent { time, fact };
    let case = replay(definition, happened).map_err(|error| error.illegal);
    case.and_then(|mut case| case.apply(definition, &event))
        .map_err(|illegal| Refused::new(illegal.code(), &illegal.to_string()))
}

pub(super) fn wait(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
    services: &Services,
) -> Result<(), ScenarioError> {
    run.step("wait-in-silence", |run| {
        let (definition, office) = (&services.business, &town.trade_office);
        let applicant = Office::new(run, "A citizen who starts a business");
        let case_id = random::bytes();
        let papers = ["application", "identification", "tax clearance", "certificate of conduct"].map(|paper| commitment(&random::bytes(), paper.as_bytes()));
        let command = opening_of(definition, &town.town, Some(office), &case_id, &papers);
        let done = open_with(run, story, &applicant, &command)?;
        accepted("the registration of a business", outcome(&done))?;
        prove(run, &done, "A business was registered, with all papers; the period of three months runs")?;
        let mut case = Case { reference: case_reference(&applicant.party.id(), &case_id), applicant, entries: vec![done.entry_id] };
        case.act(run, story, office, &[], "items.confirm", json!({}), "The office confirmed that nothing is missing in the registration")?;

        let early = attempt_one(run, story, &case.applicant.clone(), &[], "case.deem", &case.about(json!({})))?;
        let mut rows = vec![refused("The citizen claims the grant on the first day", "service.deem.not-due", outcome(&early))?];
        prove(run, &early, "The claim of a grant before its time is on record as refused")?;

        let (happened, _) = events(run, &case.entries)?;
        let replayed = replay(definition, &happened).map_err(|error| ScenarioError::broken("a history that can be", error.illegal.to_string()))?;
        let due = replayed.clock.due(definition.rules()).map_or(0, TimeMs::get);
        rows.push(refused("By the same rules, in the last millisecond of the period", "service.deem.not-due", at(definition, &happened, due - 1, Fact::Deemed))?);
        accepted("a grant by silence in the first millisecond after the period", at(definition, &happened, due, Fact::Deemed))?;
        let late = Fact::Decided { outcome: "refused".to_owned() };
        rows.push(refused("By the same rules, the office decides once the period is over", "service.case.granted-by-law", at(definition, &happened, due, late))?);
        show_refusals(run, "Silence is a grant, at its time", rows);

        let reminded = reminders(definition, &replayed, TimeMs::new(now_ms()));
        let reminded: Vec<_> = reminded
            .iter()
            .map(|one| {
                let to = match one.deadline.kind.addressee() {
                    Addressee::Office => "the office",
                    Addressee::Applicant => "the citizen",
                };
                vec![Cell::Text(iso(one.on.date())), to.into(), format!("decide by {}", iso(one.deadline.last_day.date())).into()]
            })
            .collect();
        run.check(reminded.len() == 3, "three reminders of the period", || reminded.len().to_string())?;
        run.show(Block::Table { caption: "Reminders, derived from the events; nothing has to be stored or can be forgotten".to_owned(), head: vec!["On", "To", "Of"], rows: reminded });
        let then = timeline(definition, &happened, Language::En, TimeMs::new(due)).map_err(|error| ScenarioError::broken("a timeline", error.illegal.to_string()))?;
        let by_law = then.iter().find(|line| line.when == When::ByLaw);
        let by_law = by_law.ok_or_else(|| ScenarioError::broken("a line about what the law has made of silence", "none"))?;

        let entries: Vec<String> = case.entries.iter().map(EntryId::to_string).collect();
        let waiting = json!({"service": "business-registration-1.json", "case": case.reference.to_string(), "entries": entries, "due_ms": due});
        run.keep(WAITING, waiting.to_string().as_bytes())?;
        let detail = format!("Nobody can claim the grant before {}. From then on the phone says: {} A later run with --input of this folder records it.", when(due), by_law.sentence);
        Ok(((), detail))
    })
}

/// A case that waits since an earlier run.
struct Waiting {
    definition: Definition,
    case: Hash,
    entries: Vec<EntryId>,
}

impl Waiting {
    fn read(folder: &Path) -> Result<Self, ScenarioError> {
        let path = folder.join(WAITING);
        let wrong = |path: &Path, reason: String| ScenarioError::Input {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read(&path).map_err(|error| wrong(&path, error.to_string()))?;
        let json: Json =
            serde_json::from_slice(&text).map_err(|error| wrong(&path, error.to_string()))?;
        let entries = json["entries"].as_array().into_iter().flatten();
        let entries: Option<Vec<EntryId>> =
            entries.map(|entry| entry.as_str()?.parse().ok()).collect();
        let case = json["case"].as_str().and_then(|case| case.parse().ok());
        let file = json["service"].as_str().unwrap_or_default();
        let (Some(entries), Some(case)) = (entries, case) else {
            let reason = "this is not what an earlier run has left here".to_owned();
            return Err(wrong(&path, reason));
        };
        // Only the name counts: the file lies beside the one that names it.
        let file = folder.join(Path::new(file).file_name().unwrap_or_default());
        let bytes = std::fs::read(&file).map_err(|error| wrong(&file, error.to_string()))?;
        let definition = Definition::read(&bytes)
            .map_err(|findings| wrong(&file, format!("{} findings", findings.len())))?;
        Ok(Self {
            definition,
            case,
            entries,
        })
    }
}

/// Goes on with the case that an earlier run left waiting: if its period is over, records the grant.
pub(super) fn claim_earlier(
    run: &mut Run<'_>,
    folder: &Path,
    steps: &[&'static str],
) -> Result<(), ScenarioError> {
    run.describe_input("The waiting case of an earlier run on this network");
    let mut waiting = Waiting::read(folder)?;
    let Some((last, earlier)) = steps.split_last() else {
        return Ok(());
    };
    for step in earlier {
        run.omit(step, "an earlier run has done it");
    }
    run.step(last, |run| {
        let definition = &waiting.definition;
        let (happened, _) = events(run, &waiting.entries)?;
        let replayed = replay(definition, &happened).map_err(|error| ScenarioError::broken("a history that can be", error.illegal.to_string()))?;
        let due = replayed.clock.due(definition.rules()).map_or(0, TimeMs::get);
        // Anybody may record what the law has made of silence; the register compares the block's time.
        let operator = run.operator()?;
        let done = run.submit_any(&operator, &[], "service", &[("case.deem", json!({"case": waiting.case.to_string()}))])?;
        match done.refused.as_deref() {
            None => {}
            Some("service.deem.not-due") => return Err(ScenarioError::Skipped(format!("the period of the waiting case runs until {}", when(due)))),
            Some(code) => return Err(ScenarioError::broken("the grant to be recorded", format!("refused by {code}"))),
        }
        waiting.entries.push(done.entry);
        let receipt = run.client().receipt(&done.entry).map_err(ScenarioError::client("reading a receipt"))?;
        run.evidence("Silence has granted the application, recorded by somebody who is neither citizen nor office", &receipt)?;
        let (receipt, value) = receipt_of_state(run, "service", &case_key(&waiting.case))?;
        let state = CaseState::decode(value.as_deref().unwrap_or_default()).map_err(|error| ScenarioError::broken("a case", error.to_string()))?;
        let granted = state.status == "deemed" && state.outcome.as_deref() == Some("granted");
        run.check(granted, "a grant by silence", || format!("{state:?}"))?;
        run.evidence("The case stands as granted by silence", &receipt)?;
        let (happened, _) = events(run, &waiting.entries)?;
        let lines = timeline(definition, &happened, Language::En, TimeMs::new(due)).map_err(|error| ScenarioError::broken("a timeline", error.illegal.to_string()))?;
        let stops = lines.iter().map(|line| (line.date.clone(), line.sentence.clone(), "proven by a receipt".to_owned(), None));
        run.show(Block::Timeline { caption: "The case that silence granted".to_owned(), stops: stops.collect() });
        Ok(((), format!("The period ended at {} without a decision; the grant is recorded in block {}.", when(due), done.height)))
    })
}
