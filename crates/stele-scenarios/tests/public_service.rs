//! The scenario `public-service` from end to end, on the real ledger and registers.

mod small_node;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value as Json;
use stele_client::Client;
use stele_core::receipt::verify;
use stele_scenarios::public_service::PublicService;
use stele_scenarios::{Options, Report, Scenario as _, run};

const DAY_MS: u64 = 86_400_000;

fn ran(client: Client, report: &Path, input: Option<&Path>) -> Report {
    let options = Options {
        report: report.to_owned(),
        input: input.map(Path::to_owned),
        seed: Some(7),
        ..Options::default()
    };
    run(&PublicService, client, options, &|_| ()).unwrap()
}

fn told(report: &Report, folder: &Path) {
    for item in &report.evidence {
        let receipt = std::fs::read(folder.join(&item.file)).unwrap();
        verify(&receipt, &report.network).unwrap();
    }
}

#[test]
fn the_whole_story_holds_and_silence_grants_at_its_time() {
    let (first, second, third) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let ahead = Arc::new(AtomicU64::new(0));
    let client = small_node::start_ahead(ahead.clone());
    let report = ran(client.clone(), first.path(), None);
    for step in &report.steps {
        assert!(step.ok, "{}: {}", step.name, step.detail);
    }
    assert!(report.ok());
    let omitted: Vec<_> = report.omitted.iter().map(|(name, _)| *name).collect();
    assert_eq!(omitted, ["claim-silence"]);
    assert_eq!(report.steps.len() + 1, PublicService.steps().len());

    let refusals = small_node::refusals(&report);
    assert!(
        refusals.iter().all(|(_, sentence)| sentence.ends_with('.')),
        "{refusals:?}"
    );
    let codes: BTreeSet<&str> = refusals.iter().map(|(code, _)| code.as_str()).collect();
    for code in [
        "service-file.period",
        "service-letter.no-reason",
        "service-letter.unknown-reason",
        "service.appeal.no-decision",
        "service.appeal.not-accredited",
        "service.case.cannot-close",
        "service.case.granted-by-law",
        "service.case.not-applicant",
        "service.case.not-office",
        "service.case.not-pending",
        "service.case.other-document",
        "service.deem.not-by-law",
        "service.deem.not-due",
        "service.definition.withdrawn",
        "service.handover.not-countersigned",
        "service.history.other-version",
        "service.items.complete",
        "service.items.not-missing",
        "service.items.still-missing",
        "service.items.unknown",
        "service.office.not-accredited",
    ] {
        assert!(codes.contains(code), "{code} is not among {codes:?}");
    }
    for figure in &report.figures {
        assert!(figure.value > 0.0, "{}", figure.id);
    }
    assert!(
        report.evidence.len() > 40,
        "{} receipts",
        report.evidence.len()
    );
    told(&report, first.path());

    // The period has not ended: neither passed nor failed, and the case waits on.
    ahead.store(30 * DAY_MS, Ordering::Relaxed);
    let early = ran(client.clone(), second.path(), Some(first.path()));
    assert!(!early.ok() && early.skip_reason.is_some(), "{early:?}");

    // Three months, and the days until a working day comes. The node's clock is the ledger's time.
    ahead.store(100 * DAY_MS, Ordering::Relaxed);
    let late = ran(client, third.path(), Some(first.path()));
    assert!(late.ok(), "{:?}", late.steps);
    let steps: Vec<_> = late.steps.iter().map(|step| step.name).collect();
    assert_eq!(steps, ["claim-silence"]);
    assert_eq!(late.evidence.len(), 2);
    told(&late, third.path());
    let json: Json =
        serde_json::from_slice(&std::fs::read(third.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(
        (&json["scenario"], &json["ok"]),
        (&"public-service".into(), &true.into())
    );
}

#[test]
fn a_folder_without_a_waiting_case_is_named() {
    let (empty, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let report = ran(small_node::start(), folder.path(), Some(empty.path()));
    assert!(!report.ok());
    let detail = &report.steps[0].detail;
    assert!(detail.contains("waiting-case.json"), "{detail}");
}
