//! The frame on a network of the published vectors: no node is asked.

use std::cell::RefCell;
use std::path::PathBuf;

use serde_json::Value as Json;
use stele_client::Client;
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite::PublicKey;
use stele_scenarios::{
    Block, Figure, Options, Progress, ProgressState, Report, Run, Scenario, ScenarioError, run,
};

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

fn client() -> Client {
    let text = std::fs::read_to_string(vectors().join("network-ed25519.json")).unwrap();
    let json: Json = serde_json::from_str(&text).unwrap();
    let key = hex::decode(json["key"].as_str().unwrap()).unwrap();
    let network = NetworkDescriptor {
        name: "A <network>".to_owned(),
        network: json["network_id"].as_str().unwrap().parse().unwrap(),
        key: PublicKey::from_cose_key(&key).unwrap(),
    };
    // Nothing listens there, and nothing is asked.
    Client::connect_to("http://127.0.0.1:1", network)
}

/// A valid receipt of that network.
fn receipt() -> Vec<u8> {
    let text = std::fs::read_to_string(vectors().join("receipts.json")).unwrap();
    let rows: Vec<Json> = serde_json::from_str(&text).unwrap();
    let good = rows.iter().find(|row| {
        row["network"] == "network-ed25519.json" && row["valid"] == true && row["file"].is_string()
    });
    std::fs::read(vectors().join(good.expect("a valid receipt")["file"].as_str().unwrap())).unwrap()
}

type Work = fn(&mut Run<'_>) -> Result<(), ScenarioError>;

struct Small(Work);

impl Scenario for Small {
    fn name(&self) -> &'static str {
        "small"
    }
    fn title(&self) -> &'static str {
        "Small & <plain>"
    }
    fn purpose(&self) -> &'static str {
        "Shows the frame."
    }
    fn input(&self) -> &'static str {
        "Nothing."
    }
    fn steps(&self) -> &'static [&'static str] {
        &["first-step", "second-step", "third-step"]
    }
    fn run(&self, run: &mut Run<'_>) -> Result<(), ScenarioError> {
        (self.0)(run)
    }
}

fn outcome(work: Work) -> (Report, tempfile::TempDir, Vec<Progress>) {
    let folder = tempfile::tempdir().unwrap();
    let told = RefCell::new(Vec::new());
    let options = Options {
        report: folder.path().to_owned(),
        seed: Some(7),
        ..Options::default()
    };
    let report = run(&Small(work), client(), options, &|progress| {
        told.borrow_mut().push(progress)
    })
    .unwrap();
    (report, folder, told.into_inner())
}

fn done(name: &'static str) -> impl FnOnce(&mut Run<'_>) -> Result<(), ScenarioError> {
    move |run| run.step(name, |_| Ok(((), format!("{name} done."))))
}

#[test]
fn a_run_leaves_a_report_that_stands_alone() {
    let (report, folder, told) = outcome(|run| {
        run.step("first-step", |run| {
            assert_eq!(run.seed(), 7);
            run.show(Block::Text("<script>alert(1)</script>".to_owned()));
            run.evidence("An entry is in the log", &receipt())?;
            Ok(((), "One <receipt>.".to_owned()))
        })?;
        run.omit("second-step", "There was nothing to do.");
        run.figure(Figure {
            id: "answers",
            value: 2.5,
            unit: "ms",
            goal: Some(2.0),
            better: "lower",
            peer: None,
            note: "guessed".to_owned(),
        });
        done("third-step")(run)
    });
    assert!(report.ok());
    let json: Json =
        serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(
        (&json["scenario"], &json["ok"], &json["skipped"]),
        (&"small".into(), &true.into(), &false.into())
    );
    assert_eq!(json["steps"].as_array().unwrap().len(), 2);
    assert_eq!(json["omitted"][0]["name"], "second-step");
    assert_eq!(json["figures"][0]["value"], 2.5);
    let file = json["evidence"][0]["receipt"].as_str().unwrap();
    assert_eq!(file, "01-an-entry-is-in-the-log.receipt");
    assert_eq!(std::fs::read(folder.path().join(file)).unwrap(), receipt());
    let joined = report.to_json(Some(folder.path()));
    assert!(std::path::Path::new(joined["evidence"][0]["receipt"].as_str().unwrap()).is_file());

    let page = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
    assert!(!page.contains("<script"), "text stays text");
    assert!(page.contains("Small &amp; &lt;plain&gt;") && page.contains("missed"));
    assert!(folder.path().join("network.json").is_file());

    let states: Vec<_> = told
        .iter()
        .map(|progress| (progress.index, &progress.state))
        .collect();
    assert_eq!(states[0], (0, &ProgressState::Started));
    assert!(matches!(states[2], (1, ProgressState::Omitted { .. })));
    assert!(matches!(
        states.last(),
        Some((2, ProgressState::Ended { ok: true, .. }))
    ));
}

#[test]
fn a_failed_step_ends_the_run_and_later_steps_are_not_reached() {
    let (report, folder, _) = outcome(|run| {
        done("first-step")(run)?;
        run.step("second-step", |run| {
            run.check(1 + 1 == 3, "three", || "two".to_owned())?;
            Ok(((), String::new()))
        })
    });
    assert!(!report.ok() && report.skip_reason.is_none());
    let details: Vec<_> = report
        .steps
        .iter()
        .map(|step| (step.ok, step.detail.as_str()))
        .collect();
    assert_eq!(
        details,
        [
            (true, "first-step done."),
            (false, "expected three, found two"),
            (false, "not reached")
        ]
    );
    let page = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
    assert!(page.contains("Failed"));
}

#[test]
fn an_error_between_steps_belongs_to_the_next_one() {
    let (report, _folder, _) = outcome(|run| {
        done("first-step")(run)?;
        Err(ScenarioError::broken("quiet", "noise"))
    });
    assert_eq!(report.steps[1].detail, "expected quiet, found noise");
    assert_eq!(report.steps[2].detail, "not reached");
}

#[test]
fn skipped_is_neither_passed_nor_failed() {
    let (report, _folder, _) = outcome(|_| {
        Err(ScenarioError::Skipped(
            "The data set is not here.".to_owned(),
        ))
    });
    assert!(!report.ok());
    let json = report.to_json(None);
    assert_eq!(
        (&json["ok"], &json["skipped"]),
        (&false.into(), &true.into())
    );
    assert_eq!(json["skip_reason"], "The data set is not here.");
    assert_eq!(json["steps"].as_array().unwrap().len(), 0);
}

#[test]
fn a_receipt_that_does_not_verify_ends_the_run() {
    let (report, folder, _) = outcome(|run| {
        run.step("first-step", |run| {
            let mut altered = receipt();
            let last = altered.len() - 1;
            altered[last] ^= 1;
            run.evidence("A forged claim", &altered)?;
            Ok(((), String::new()))
        })
    });
    assert!(!report.ok() && report.evidence.is_empty());
    assert!(
        report.steps[0].detail.contains("A forged claim"),
        "{}",
        report.steps[0].detail
    );
    let kept = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(Result::ok);
    assert!(
        kept.map(|file| file.file_name())
            .all(|name| !name.to_string_lossy().ends_with(".receipt"))
    );
}

#[test]
#[should_panic(expected = "declares this as its next step")]
fn a_step_out_of_order_is_our_own_mistake() {
    outcome(|run| done("second-step")(run));
}

#[test]
fn names_are_unique_and_every_scenario_is_found() {
    for scenario in stele_scenarios::all() {
        assert_eq!(
            stele_scenarios::find(scenario.name()).unwrap().title(),
            scenario.title()
        );
        let steps = scenario.steps();
        assert!(
            steps
                .iter()
                .all(|step| steps.iter().filter(|other| *other == step).count() == 1)
        );
    }
    assert!(stele_scenarios::find("no-such-scenario").is_none());
}
