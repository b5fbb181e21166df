//! Offices that may not recognise anything.

use stele_credentials::integrity::json::jcs;
use stele_credentials::trust::IssuanceProof;

use super::chain::attest;
use super::file::{certify_decision, commit_one, failed};
use super::papers::{DECISION_TYPE, Decision};
use super::tampering::Refusals;
use super::{Scene, Story};
use crate::frame::{Run, ScenarioError};
use crate::kit::{Office, outcome, prove, random, receipt_of_state, refused};

/// The decision as another office would make it.
fn by(decision: &Decision, office: &Office) -> Decision {
    let mut decision = decision.clone();
    decision.decision.issuer.id = office.did();
    decision.decision.issuer.name.clone_from(&office.name);
    decision
}

pub(super) fn refuse(
    run: &mut Run<'_>,
    scene: &mut Scene,
    story: &Story,
) -> Result<(), ScenarioError> {
    run.step("refuse-unaccredited-offices", |run| {
        let good = &story.file;
        let mut refusals = Refusals::new();
        let Scene { parties, chain, .. } = &mut *scene;
        let (bureau, receiving) = (&parties.bureau, &parties.receiving);
        let home = parties.sending.scope;
        for (what, office) in [
            ("A bureau recognises that nobody accredited", bureau),
            ("The receiving university recognises for the other country", &receiving.office),
        ] {
            let paper = serde_json::to_value(by(&story.decision, office))
                .map_err(|error| ScenarioError::broken("a paper", error.to_string()))?;
            let paper = jcs(&paper).map_err(failed)?;
            let key = office.party.key();
            let (command, _, root) = commit_one(key, DECISION_TYPE, home, paper.as_bytes());
            let done = chain.attempt(run, office, &[], command)?;
            refusals.rows.push(refused(what, "credential.issuance.not-accredited", outcome(&done))?);
            prove(run, &done, &format!("{what}: on record as refused"))?;
            let [state_key, _] = IssuanceProof::state_keys(&office.party.id(), &root, &key.public().kid());
            let (receipt, value) = receipt_of_state(run, "credential", &state_key)?;
            run.check(value.is_none(), "no decision in the state", || "one".to_owned())?;
            run.evidence(format!("{what}: absent from the state"), &receipt)?;
        }

        // Signing a document is open to everybody; it makes no decision of it.
        let done = chain.apply(run, bureau, &[], attest(DECISION_TYPE, &random::bytes(), None))?;
        prove(run, &done, "The bureau signed its decision as a plain document")?;
        let decision = by(&story.decision, bureau);
        let paper = serde_json::to_value(&decision).map_err(|error| ScenarioError::broken("a paper", error.to_string()))?;
        let mut bare = good.clone();
        bare.decision.paper = jcs(&paper).map_err(failed)?;
        bare.decision.key = bureau.party.key().public().to_cose_key();
        bare.decision.proof = Vec::new();
        let mut borrowed = bare.clone();
        borrowed.decision.proof.clone_from(&good.decision.proof);

        // In its own country the receiving university may certify, also what it is not asked for.
        let own = by(&story.decision, &receiving.office);
        let mut abroad = good.clone();
        (abroad.decision, _) = certify_decision(run, chain, receiving, &own)?;
        refusals.file(run, scene, "The bureau\u{2019}s decision without a proof of issuance", "trust.proof-malformed", &bare)?;
        refusals.file(run, scene, "The bureau\u{2019}s decision with the university\u{2019}s proof", "trust.not-committed", &borrowed)?;
        refusals.file(run, scene, "The receiving university recognises itself, at its own accreditation", "trust.outside-scope", &abroad)?;
        let count = refusals.show(run, "Offices that may not recognise");
        Ok(((), format!("{count} recognitions by others than the accredited home university were refused, two of them by the register, on record.")))
    })
}
