//! The scenario `machine-identity` from end to end, on the real ledger and registers.

mod small_node;

use std::collections::BTreeSet;

use serde_json::Value as Json;
use stele_core::receipt::verify;
use stele_scenarios::Scenario as _;
use stele_scenarios::machine_identity::MachineIdentity;

#[test]
fn the_whole_story_holds_and_is_told_with_receipts() {
    let (report, folder) = small_node::ran(&MachineIdentity);
    for step in &report.steps {
        assert!(step.ok, "{}: {}", step.name, step.detail);
    }
    assert!(report.ok() && report.omitted.is_empty());
    assert_eq!(report.steps.len(), MachineIdentity.steps().len());

    let refusals = small_node::refusals(&report);
    assert!(
        refusals.iter().all(|(_, sentence)| sentence.ends_with('.')),
        "{refusals:?}"
    );
    let codes: BTreeSet<&str> = refusals.iter().map(|(code, _)| code.as_str()).collect();
    for code in [
        "credential.audience",
        "credential.claim-missing",
        "credential.holder-key-wrong",
        "credential.issuance.compromised-key",
        "credential.issuance.not-accredited",
        "credential.nonce",
        "identity.device.no-countersignature",
        "identity.device.not-owner",
        "identity.key-revoked",
        "identity.member.ended",
        "identity.member.not-enrolled",
        "identity.member.other-key",
        "machine.key-replaced",
        "machine.not-enrolled",
        "machine.other-device",
        "machine.other-maker",
        "machine.other-owner",
        "machine.other-serial",
        "machine.retired",
        "paper.receipt-of-another",
        "paper.status-not-published",
        "status.revoked",
        "trust.key-compromised",
        "trust.not-committed",
        "trust.proof-malformed",
        "trust.receipt",
    ] {
        assert!(codes.contains(code), "{code} is not among {codes:?}");
    }

    for figure in &report.figures {
        assert!(figure.value > 0.0, "{}", figure.id);
    }
    // No serial number is in what the chain holds: it commits to them.
    let mut seen = 0;
    for item in &report.evidence {
        let receipt = std::fs::read(folder.path().join(&item.file)).unwrap();
        verify(&receipt, &report.network).unwrap();
        let word = b"FSW-2026";
        let found = receipt.windows(word.len()).any(|window| window == word);
        assert!(!found, "{}", item.claim);
        seen += 1;
    }
    assert!(seen > 40, "{seen} receipts");
    let json: Json =
        serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(
        (&json["scenario"], &json["ok"]),
        (&"machine-identity".into(), &true.into())
    );
}
