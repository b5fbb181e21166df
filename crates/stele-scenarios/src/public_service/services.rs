//! The town's services: checked, published by their hash, and changed without reaching a running case.

use serde_json::{Value as Json, json};
use stele_services::{Definition, check, publish_command, replay};

use super::Story;
use super::commands::{Case, act, attempt_one, service_reference};
use super::offices::Town;
use super::state::{CaseState, VersionState, case_key, definition_key};
use super::story::{events, opening_of};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{Office, Refused, outcome, random, receipt_of_state, refused, show_refusals};

const PARKING: &str = include_str!("../../../../services/parking-permit.json");
const BUSINESS: &str = include_str!("../../../../services/business-registration.json");
const RESIDENCE: &str = include_str!("../../../../services/residence-certificate.json");

/// The services as they are published now.
pub(super) struct Services {
    pub parking: Definition,
    pub business: Definition,
    pub residence: Definition,
}

/// The shipped file with the town's own offices in it.
fn with_offices(text: &str, offices: &[(&str, &Office)]) -> Result<Json, ScenarioError> {
    let mut file: Json = serde_json::from_str(text)
        .map_err(|error| ScenarioError::broken("a service file", error.to_string()))?;
    for office in file["offices"].as_array_mut().into_iter().flatten() {
        let own = offices.iter().find(|(code, _)| office["code"] == *code);
        if let Some((_, own)) = own {
            office["party"] = own.did().into();
        }
    }
    Ok(file)
}

/// Checks a file and reads it.
fn read(file: &Json) -> Result<(Vec<u8>, Definition), ScenarioError> {
    let bytes = serde_json::to_vec_pretty(file).unwrap_or_default();
    let definition = Definition::read(&bytes).map_err(|findings| {
        ScenarioError::broken("a service file without findings", format!("{findings:?}"))
    })?;
    Ok((bytes, definition))
}

/// Publishes a version and keeps its file for the report. Returns the cells of its row.
fn publish_one(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
    file: &Json,
) -> Result<(Definition, Vec<Cell>), ScenarioError> {
    let (bytes, definition) = read(file)?;
    let (id, version) = (&definition.file().id, definition.file().version);
    run.keep(&format!("{id}-{version}.json"), &bytes)?;
    let command = publish_command(&definition);
    let claim = format!("{} published version {version} of {id}", town.town.name);
    let (_, receipt_file) = act(
        run,
        story,
        &town.town,
        &[],
        "definition.publish",
        &command,
        &claim,
    )?;

    let service = service_reference(&town.town.party.id(), &definition);
    let (receipt, value) = receipt_of_state(run, "service", &definition_key(&service, version))?;
    let state = VersionState::decode(value.as_deref().unwrap_or_default())
        .map_err(|error| ScenarioError::broken("a version of a service", error.to_string()))?;
    let same = state.document == definition.document() && state.withdrawn.is_none();
    run.check(same, "the hash of the service file", || {
        format!("{state:?}")
    })?;
    run.evidence(
        format!("Version {version} of {id} stands in the state by its file\u{2019}s hash"),
        &receipt,
    )?;
    let periods = &definition.file().periods;
    let period = periods.decide.as_ref().map_or("none".to_owned(), |one| {
        format!("{} {}", one.count, one.unit)
    });
    let silence = if definition.rules().deemed {
        "grants"
    } else {
        "means nothing"
    };
    let row = vec![
        Cell::Text(format!(
            "{} ({id}, version {version})",
            definition.file().title.en
        )),
        period.into(),
        silence.into(),
        Cell::Link("receipt".to_owned(), receipt_file),
    ];
    Ok((definition, row))
}

pub(super) fn publish(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
) -> Result<Services, ScenarioError> {
    run.step("publish-services", |run| {
        let citizens = ("citizens-office", &town.citizens_office);
        let parking = with_offices(PARKING, &[citizens, ("road-traffic-office", &town.traffic_office)])?;
        let business = with_offices(BUSINESS, &[("trade-office", &town.trade_office)])?;
        let residence = with_offices(RESIDENCE, &[("residents-office", &town.citizens_office)])?;

        let mut hasty = parking.clone();
        hasty["periods"]["silence"] = "grants".into();
        hasty["periods"]["decide"] = Json::Null;
        let findings = check(&serde_json::to_vec(&hasty).unwrap_or_default());
        let verdict = match findings.first() {
            Some(finding) => Err(Refused::new(finding.code, &finding.sentence)),
            None => Ok(()),
        };
        let row = refused("A file in which silence grants at the end of no period", "service-file.period", verdict)?;
        show_refusals(run, "What the check finds before anything is published", vec![row]);

        let (parking, first) = publish_one(run, story, town, &parking)?;
        let (business, second) = publish_one(run, story, town, &business)?;
        let (residence, third) = publish_one(run, story, town, &residence)?;
        run.show(Block::Table {
            caption: "What the town offers; the texts are files, the chain has their hashes and periods".to_owned(),
            head: vec!["Service", "Period for the decision", "Silence", "Proof"],
            rows: vec![first, second, third],
        });
        let services = Services { parking, business, residence };
        Ok((services, "Three services that ship with Stele are checked, filled in with the town\u{2019}s offices and published by their hashes.".to_owned()))
    })
}

/// The second version: twice the time, and one more paper.
fn next_version(parking: &Definition) -> Result<Json, ScenarioError> {
    let mut file = serde_json::to_value(parking.file())
        .map_err(|error| ScenarioError::broken("a service file", error.to_string()))?;
    file["version"] = 2.into();
    file["periods"]["decide"]["count"] = 20.into();
    if let Some(documents) = file["documents"].as_array_mut() {
        documents.push(json!({
            "code": "no-garage",
            "title": {"en": "Declaration that you have no garage", "de": "Erkl\u{e4}rung, dass Sie keine Garage haben"},
            "why_no_credential": {"en": "Nobody keeps a register of garages.", "de": "Niemand f\u{fc}hrt ein Register der Garagen."},
        }));
    }
    Ok(file)
}

pub(super) fn change(
    run: &mut Run<'_>,
    story: &mut Story,
    town: &Town,
    services: &Services,
    case: &Case,
) -> Result<(), ScenarioError> {
    run.step("change-rule", |run| {
        let service = service_reference(&town.town.party.id(), &services.parking);
        let key = case_key(&case.reference);
        let state = |value: Option<Vec<u8>>| {
            CaseState::decode(value.as_deref().unwrap_or_default()).map_err(|error| ScenarioError::broken("a case as docs/registers/service.md describes it", error.to_string()))
        };
        let before = state(receipt_of_state(run, "service", &key)?.1)?;
        let (next, row) = publish_one(run, story, town, &next_version(&services.parking)?)?;
        run.show(Block::Table { caption: "The changed rule".to_owned(), head: vec!["Service", "Period for the decision", "Silence", "Proof"], rows: vec![row] });
        let command = json!({"service": service.to_string(), "version": 1});
        act(run, story, &town.town, &[], "definition.withdraw", &command, "The town withdrew version 1 for new cases")?;

        let mut rows = Vec::new();
        let mut open = |run: &mut Run<'_>, what: &str, code: &str, definition: &Definition, document: &Definition| {
            let applicant = Office::new(run, "Another citizen");
            let mut command = opening_of(definition, &town.town, Some(&town.citizens_office), &random::bytes(), &[]);
            command["document"] = document.document().to_string().into();
            let done = super::wallet::open_with(run, story, &applicant, &command)?;
            rows.push(refused(what, code, outcome(&done))?);
            Ok::<_, ScenarioError>(())
        };
        open(run, "A new application under version 1", "service.definition.withdrawn", &services.parking, &services.parking)?;
        open(run, "An application under version 2 by who read version 1", "service.case.other-document", &next, &services.parking)?;
        let (happened, _) = events(run, &case.entries)?;
        let verdict = replay(&next, &happened).map_err(|error| Refused::new(error.illegal.code(), &error.illegal.to_string()));
        rows.push(refused("The running case, judged by version 2", "service.history.other-version", verdict)?);
        let command = case.about(json!({"items": ["no-garage"]}));
        let done = attempt_one(run, story, &town.citizens_office, &[], "items.request", &command)?;
        rows.push(refused("The office asks for the new paper in the running case", "service.items.unknown", outcome(&done))?);
        show_refusals(run, "What a changed rule does not do", rows);

        let (receipt, value) = receipt_of_state(run, "service", &key)?;
        let after = state(value)?;
        run.check(after == before && after.version == 1, "the running case as it was", || format!("{after:?}"))?;
        run.evidence("The running case stands under version 1 after version 2 was published and version 1 withdrawn", &receipt)?;
        let replayed = replay(&services.parking, &happened).map_err(|error| ScenarioError::broken("the case", error.illegal.to_string()))?;
        let due = replayed.clock.due(services.parking.rules());
        let detail = format!("Version 2 takes 20 working days instead of 10 and asks for one more paper; the running case stays under version 1, to be decided before {}.", crate::kit::when(due.map_or(0, |due| due.get())));
        Ok(((), detail))
    })
}
