//! The scenario `diploma` from end to end, on the real ledger and registers.

mod small_node;

use std::collections::BTreeSet;

use serde_json::Value as Json;
use stele_core::receipt::verify;
use stele_scenarios::Scenario as _;
use stele_scenarios::diploma::Diploma;

#[test]
fn the_whole_story_holds_and_is_told_with_receipts() {
    let (report, folder) = small_node::ran(&Diploma);
    for step in &report.steps {
        assert!(step.ok, "{}: {}", step.name, step.detail);
    }
    assert!(report.ok() && report.omitted.is_empty());
    assert_eq!(report.steps.len(), Diploma.steps().len());

    let refusals = small_node::refusals(&report);
    assert!(
        refusals.iter().all(|(_, sentence)| sentence.ends_with('.')),
        "{refusals:?}"
    );
    let codes: BTreeSet<&str> = refusals.iter().map(|(code, _)| code.as_str()).collect();
    for code in [
        "credential.audience",
        "credential.nonce",
        "credential.holder-key-wrong",
        "credential.presentation-altered",
        "credential.issuance.compromised-key",
        "credential.issuance.foreign-key",
        "credential.issuance.not-accredited",
        "diploma.status-not-published",
        "identity.key-revoked",
        "status.revoked",
        "trust.key-compromised",
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
    let codes = report
        .figures
        .iter()
        .find(|figure| figure.id == "diploma-and-proof-qr-codes");
    assert!(codes.unwrap().value <= 2.0);

    // Nothing of a graduate is in what the chain holds.
    let mut seen = 0;
    for item in &report.evidence {
        let receipt = std::fs::read(folder.path().join(&item.file)).unwrap();
        verify(&receipt, &report.network).unwrap();
        for word in [&b"Example-4"[..], b"Comparative", b"Bachelor"] {
            assert!(
                !receipt.windows(word.len()).any(|window| window == word),
                "{}",
                item.claim
            );
        }
        seen += 1;
    }
    assert!(seen > 20, "{seen} receipts");
    let json: Json =
        serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(
        (&json["scenario"], &json["ok"]),
        (&"diploma".into(), &true.into())
    );
}
