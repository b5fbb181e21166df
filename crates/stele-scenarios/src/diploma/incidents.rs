//! A diploma is revoked, and a stolen key is reported.

use stele_core::cbor::BodyBuilder;

use super::offices::submit;
use super::papers::Wallet;
use super::present::{accepted, ask, graduate, refused, show_refusals};
use super::shown::{Question, Shown, answer};
use super::state::KeyReport;
use super::status::Lists;
use super::verifier::{Refused, judge};
use super::{Scene, figures};
use crate::frame::{Run, ScenarioError};

/// The graduate whose diploma is revoked.
fn unlucky(scene: &Scene) -> Result<&Wallet, ScenarioError> {
    scene
        .wallets
        .get(1)
        .ok_or_else(|| ScenarioError::broken("a second graduate", "none"))
}

/// Revokes a diploma. Returns the time of the block that took the new list, in milliseconds since 1970.
pub(super) fn revoke(
    run: &mut Run<'_>,
    scene: &Scene,
    lists: &mut Lists,
) -> Result<u64, ScenarioError> {
    run.step("revoke-one", |run| {
        let wallet = unlucky(scene)?;
        let earlier = lists.proof(wallet.number);
        lists.revoke(wallet.number)?;
        let time = lists.publish(run, &scene.offices, "The faculty published the list in which one diploma is revoked")?;
        let rows = vec![refused("The revoked diploma, with the new list", "status.revoked", ask(run, scene, lists, wallet)?)?];
        accepted("another diploma under the new list", ask(run, scene, lists, graduate(scene)?)?)?;
        // An old list still proves what it says: the state at its own time. How old is too old is the verifier's choice.
        let question = Question::fresh();
        let old = Shown { status: earlier, ..answer(scene, lists, wallet, &question)? };
        let old = accepted("the old list as of its own time", judge(&old, &question, run.client().network()))?;
        run.check(old.status_as_of_ms <= time, "the old receipt to be older than the revocation", || old.status_as_of_ms.to_string())?;
        show_refusals(run, "After the revocation", rows);
        let detail = format!(
            "Diploma {} is revoked and refused, its neighbours are not; with the list from before it says: valid as of {}.",
            wallet.number,
            figures::when(old.status_as_of_ms)
        );
        Ok((time, detail))
    })
}

/// The receipt of the key's report, which a verifier may ask of any node.
pub(super) fn key_receipt(
    run: &Run<'_>,
    scene: &Scene,
) -> Result<(Vec<u8>, Option<Vec<u8>>), ScenarioError> {
    run.client()
        .verified_state("credential", &scene.batch.report_key)
        .map_err(ScenarioError::client("asking whether the key is reported"))
}

pub(super) fn report_key(
    run: &mut Run<'_>,
    scene: &Scene,
    lists: &Lists,
    since_ms: u64,
) -> Result<(), ScenarioError> {
    run.step("report-stolen-key", |run| {
        let offices = &scene.offices;
        let (before, value) = key_receipt(run, scene)?;
        run.check(value.is_none(), "no report yet", || "one".to_owned())?;
        run.evidence("Nobody has reported the faculty\u{2019}s key", &before)?;
        run.check(
            since_ms > scene.batch.time_ms,
            "a time after the batch",
            || since_ms.to_string(),
        )?;
        let kid = offices.issuing.party.key().public().kid();
        let body = BodyBuilder::new()
            .bytes("kid", kid.as_bytes())
            .uint("since", since_ms)
            .text("reason", "stolen from an office");
        let claim = format!(
            "{} reported the faculty\u{2019}s key as stolen",
            offices.university.name
        );
        submit(
            run,
            &offices.university,
            &[],
            "credential",
            ("key.compromised", body.build()),
            &claim,
        )?;
        let (after, value) = key_receipt(run, scene)?;
        let report = KeyReport::decode(value.as_deref().unwrap_or_default()).map_err(|error| {
            ScenarioError::broken(
                "a report as docs/registers/credential.md describes it",
                error.to_string(),
            )
        })?;
        run.check(
            report.since_ms == since_ms && report.by == offices.university.party.id(),
            "the report of the university",
            || format!("{report:?}"),
        )?;
        run.evidence(
            "The faculty\u{2019}s key is doubtful from a stated time on",
            &after,
        )?;
        let question = Question::fresh();
        for receipt in [before, after] {
            let shown = Shown {
                key_receipt: Some(receipt),
                ..answer(scene, lists, graduate(scene)?, &question)?
            };
            let found = accepted(
                "a diploma from before",
                judge(&shown, &question, run.client().network()),
            )?;
            run.check(
                found.key_as_of_ms.is_some(),
                "a judgement of the key",
                || "none".to_owned(),
            )?;
        }
        let detail = format!(
            "The key is doubtful from {} on. What was committed before, at {}, stays valid.",
            figures::when(since_ms),
            figures::when(scene.batch.time_ms)
        );
        Ok(((), detail))
    })
}

/// What a register said about an entry.
pub(super) fn outcome(done: &stele_client::Final) -> Result<(), Refused> {
    if done.outcome.applied {
        return Ok(());
    }
    let code = done.outcome.code.as_deref().unwrap_or_default();
    Err(Refused::new(
        code,
        done.outcome.detail.as_deref().unwrap_or_default(),
    ))
}
