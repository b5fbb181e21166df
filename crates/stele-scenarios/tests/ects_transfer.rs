//! The scenario `ects-transfer` from end to end, on the real ledger and registers.

mod small_node;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;
use stele_core::receipt::verify;
use stele_scenarios::ects_transfer::EctsTransfer;
use stele_scenarios::{Block, Cell, Report, Scenario as _};

fn tables(report: &Report) -> impl Iterator<Item = (&str, &[&'static str], &[Vec<Cell>])> {
    let blocks = report.steps.iter().flat_map(|step| &step.blocks);
    blocks.filter_map(|block| match block {
        Block::Table {
            caption,
            head,
            rows,
        } => Some((caption.as_str(), &head[..], &rows[..])),
        _ => None,
    })
}

fn json(folder: &Path, name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

/// How many students a table holds before a grade, up to and with it, and in all.
fn band(table: &Json, grade: &str) -> (u64, u64, u64) {
    let (mut before, mut found, mut all) = (0, None, 0);
    for share in table["table"]["grades"].as_array().unwrap() {
        let students = share["students"].as_u64().unwrap();
        all += students;
        if share["grade"] == grade {
            found = Some((before, before + students));
        }
        before += students;
    }
    let (from, to) = found.expect("the grade stands in the table");
    (from, to, all)
}

#[test]
fn the_whole_story_holds_and_is_told_with_receipts() {
    let (report, folder) = small_node::ran(&EctsTransfer);
    for step in &report.steps {
        assert!(step.ok, "{}: {}", step.name, step.detail);
    }
    assert!(report.ok() && report.omitted.is_empty());
    assert_eq!(report.steps.len(), EctsTransfer.steps().len());

    let refusals = small_node::refusals(&report);
    assert!(refusals.len() > 25, "{refusals:?}");
    assert!(
        refusals.iter().all(|(_, sentence)| sentence.ends_with('.')),
        "{refusals:?}"
    );
    let codes: BTreeSet<&str> = refusals.iter().map(|(code, _)| code.as_str()).collect();
    for code in [
        "credential.document.other-signers",
        "credential.issuance.not-accredited",
        "ects.agreement-too-late",
        "ects.credits",
        "ects.decision-differs",
        "ects.not-attested",
        "ects.other-source",
        "ects.other-student",
        "ects.other-university",
        "ects.receipt-too-old",
        "ects.replaced",
        "ects.signer-missing",
        "ects.table-not-agreed",
        "ects.table-too-late",
        "ects.unreadable",
        "integrity.signature-bad",
        "trust.not-committed",
        "trust.outside-scope",
        "trust.proof-malformed",
        "trust.receipt",
    ] {
        assert!(codes.contains(code), "{code} is not among {codes:?}");
    }

    for figure in &report.figures {
        assert!(figure.value > 0.0, "{}", figure.id);
    }
    let figure = |id: &str| {
        let found = report.figures.iter().find(|figure| figure.id == id);
        found.unwrap().value
    };
    assert!((figure("credits-moved") - 30.0).abs() < f64::EPSILON);
    assert!(figure("transcript-qr-codes") <= 2.0);

    // Nothing of the student is in what the chain holds.
    let transcript = json(folder.path(), "transcript.json");
    let subject = &transcript["credentialSubject"];
    let family = subject["familyName"]["en"].as_str().unwrap();
    let mut words: Vec<&str> = vec![family, transcript["id"].as_str().unwrap()];
    for part in subject["hasClaim"]["hasPart"].as_array().unwrap() {
        words.push(part["title"]["en"].as_str().unwrap());
    }
    assert_eq!(words.len(), 8);
    for item in &report.evidence {
        let receipt = std::fs::read(folder.path().join(&item.file)).unwrap();
        verify(&receipt, &report.network).unwrap();
        for word in &words {
            let found = receipt.windows(word.len()).any(|at| at == word.as_bytes());
            assert!(!found, "{word} in {}", item.claim);
        }
    }
    assert!(report.evidence.len() > 25, "{}", report.evidence.len());
    let written = json(folder.path(), "report.json");
    assert_eq!(
        (&written["scenario"], &written["ok"]),
        (&"ects-transfer".into(), &true.into())
    );

    every_grade_follows_from_the_files(folder.path());
    the_conversion_stands_row_by_row(&report, folder.path());
}

/// Counted again from the files alone, without the code that converted.
fn every_grade_follows_from_the_files(folder: &Path) {
    let (away, home) = (
        json(folder, "table-receiving.json"),
        json(folder, "table-sending.json"),
    );
    for table in [&away, &home] {
        assert!(table["note"].as_str().unwrap().starts_with("Fictional"));
    }
    assert_eq!(home["convention"], "middle");
    let decision = &json(folder, "decision.json")["decision"];
    let agreed = json(folder, "agreement-2.json");
    let recognised = decision["recognised"].as_array().unwrap();
    let tenths = |courses: &Json| -> u64 {
        let courses = courses.as_array().unwrap().iter();
        courses
            .map(|course| course["tenths"].as_u64().unwrap())
            .sum()
    };
    assert_eq!(tenths(&agreed["courses"]), 300);
    assert_eq!(tenths(&decision["recognised"]), 300);
    assert_eq!(decision["open"], Json::Array(Vec::new()));
    assert_eq!(decision["additional"].as_array().unwrap().len(), 1);
    for course in recognised {
        let (from, to, all) = band(&away, course["original_grade"].as_str().unwrap());
        let (start, end, of) = band(&home, course["grade"].as_str().unwrap());
        // The middle of the band away, (from + to) / 2 of all, lies in the band at home.
        let middle = (from + to) * of;
        assert!(
            2 * start * all < middle && middle <= 2 * end * all,
            "{course}"
        );
    }
}

fn the_conversion_stands_row_by_row(report: &Report, folder: &Path) {
    let decision = json(folder, "decision.json");
    let recognised = decision["decision"]["recognised"].as_array().unwrap();
    let (_, _, rows) = tables(report)
        .find(|(caption, _, _)| caption.starts_with("The conversion"))
        .unwrap();
    assert_eq!(rows.len(), recognised.len());
    for (row, course) in rows.iter().zip(recognised) {
        assert_eq!(row[0], Cell::Text(course["title"].as_str().unwrap().into()));
        assert_eq!(row[5], Cell::Good(course["grade"].as_str().unwrap().into()));
    }
}

#[test]
fn what_is_generated_follows_from_the_seed() {
    let courses = |folder: &tempfile::TempDir| {
        let transcript = json(folder.path(), "transcript.json");
        transcript["credentialSubject"]["hasClaim"]["hasPart"].clone()
    };
    let grades = |parts: &Json| -> Vec<String> {
        let parts = parts.as_array().unwrap().iter();
        parts
            .map(|part| part["provenBy"]["grade"]["noteLiteral"]["en"].to_string())
            .collect()
    };
    let ran = || small_node::ran(&EctsTransfer);
    let ((_, first), (_, second)) = (ran(), ran());
    assert_eq!(grades(&courses(&first)), grades(&courses(&second)));
}
