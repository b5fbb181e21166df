//! Who may not issue, and what stays when the issuer is gone.

use stele_client::ClientError;
use stele_core::cbor::BodyBuilder;
use stele_credentials::trust::IssuanceProof;

use super::Scene;
use super::commitment::commit_body;
use super::incidents::{key_receipt, outcome};
use super::offices::{SCOPE, attempt, prove, submit};
use super::papers::Wallet;
use super::present::{accepted, ask, graduate, refused, show_refusals};
use super::shown::{Question, Shown, answer};
use super::status::Lists;
use super::verifier::{Refused, judge};
use crate::frame::{Run, ScenarioError};
use crate::kit::random;

pub(super) fn refuse_outside(run: &mut Run<'_>, scene: &Scene) -> Result<(), ScenarioError> {
    run.step("refuse-outside-accreditation", |run| {
        let offices = &scene.offices;
        let mut rows = Vec::new();
        let own_key = offices.faculty.party.key().public().kid();
        let academy_key = offices.academy.party.key().public().kid();
        for (office, kid, scope, code, what) in [
            (&offices.faculty, own_key, "XX/hospitals", "credential.issuance.not-accredited", "The faculty issues for hospitals"),
            (&offices.academy, academy_key, SCOPE, "credential.issuance.not-accredited", "An academy issues that nobody accredited"),
            (&offices.faculty, academy_key, SCOPE, "credential.issuance.foreign-key", "The faculty commits for a key that is not its own"),
        ] {
            let root = random::bytes();
            let done = attempt(run, office, &[], "credential", ("issuance.commit", commit_body(&root, 1, &kid, scope)))?;
            rows.push(refused(what, code, outcome(&done))?);
            prove(run, &done, &format!("{what}: on record as refused"))?;
            let [key, _] = IssuanceProof::state_keys(&office.party.id(), &root, &kid);
            let (receipt, value) = run.client().verified_state("credential", &key).map_err(ScenarioError::client("reading the state"))?;
            run.check(value.is_none(), "no batch in the state", || "one".to_owned())?;
            run.evidence(format!("{what}: the batch is absent from the state"), &receipt)?;
        }
        let count = rows.len();
        show_refusals(run, "What the register refused", rows);
        Ok(((), format!("{count} commitments outside an accreditation are on record as refused, and proven absent from the state.")))
    })
}

pub(super) fn close(run: &mut Run<'_>, scene: &Scene, lists: &Lists) -> Result<(), ScenarioError> {
    run.step("close-faculty", |run| {
        let offices = &scene.offices;
        let faculty = &offices.faculty;
        let body = BodyBuilder::new().text("reason", "merged into another faculty").build();
        let claim = format!("{} closed, and all its keys ended", faculty.name);
        submit(run, faculty, &[], "identity", ("party.deactivate", body), &claim)?;
        let body = commit_body(&random::bytes(), 1, &faculty.party.key().public().kid(), SCOPE);
        let verdict = match attempt(run, faculty, &[], "credential", ("issuance.commit", body)) {
            Ok(done) => outcome(&done),
            Err(ScenarioError::Client { source: ClientError::Refused(problem), .. }) => Err(Refused::new(&problem.code, &problem.detail)),
            Err(error) => return Err(error),
        };
        show_refusals(run, "After the faculty closed", vec![refused("It commits to one more diploma", "identity.key-revoked", verdict)?]);

        // With what the graduate carried home, and with receipts that any node of the network makes anew.
        let wallet = graduate(scene)?;
        accepted("the old diploma", ask(run, scene, lists, wallet)?)?;
        let (receipt, _) = run.client().verified_state("credential", &scene.batch.issuance_key).map_err(ScenarioError::client("reading the receipt of the batch"))?;
        run.evidence("The batch still stands in the state after its issuer is gone", &receipt)?;
        let renewed = renewed(wallet, receipt)?;
        let question = Question::fresh();
        let shown = Shown { proof: renewed, key_receipt: Some(key_receipt(run, scene)?.0), ..answer(scene, lists, wallet, &question)? };
        let found = accepted("the old diploma with a new receipt", judge(&shown, &question, run.client().network()))?;
        run.check(found.issued.issuer == faculty.party.id(), "the closed faculty as issuer", || found.issued.issuer.did())?;
        Ok(((), format!("{} is closed and can sign nothing more; its diplomas verify with the old receipt and with a new one.", faculty.name)))
    })
}

/// The same proof of issuance with another receipt.
fn renewed(wallet: &Wallet, receipt: Vec<u8>) -> Result<Vec<u8>, ScenarioError> {
    let proof = IssuanceProof::decode(&wallet.proof)
        .map_err(|refusal| ScenarioError::broken("a proof", refusal.to_string()))?;
    Ok(IssuanceProof { receipt, ..proof }.encode())
}
