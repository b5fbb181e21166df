//! Agreements that somebody did not sign, or that do not hold.

use super::agreement::three;
use super::file::{Attested, agree};
use super::papers::{self, AGREEMENT_KIND};
use super::recognition::{decided_by, fresh};
use super::tampering::Refusals;
use super::{Scene, Story};
use crate::frame::{Run, ScenarioError};
use crate::kit::{outcome, prove, refused};

pub(super) fn refuse(
    run: &mut Run<'_>,
    scene: &mut Scene,
    story: &Story,
) -> Result<(), ScenarioError> {
    run.step("refuse-missing-signers", |run| {
        let good = &story.file;
        let (agreement, agreed) = story.stay.agreed();
        let whole = scene.agreed(agreement)?;
        let mut refusals = Refusals::new();

        // The universities change the agreement behind the student's back: the register wants all who signed it.
        let behind = Attested::new(&scene.agreed(&papers::changed(agreement))?)?;
        let Scene { parties, chain, .. } = &mut *scene;
        let [sending, receiving, student] = three(parties, &story.stay.office);
        let command = behind.command(AGREEMENT_KIND, Some(agreed))?;
        let done = chain.attempt(run, sending, &[receiving.party.key()], command)?;
        let what = "A change that the student did not sign";
        refusals.rows.push(refused(what, "credential.document.other-signers", outcome(&done))?);
        prove(run, &done, &format!("{what}: on record as refused"))?;

        // As a new document it enters: anybody may sign anything together. The verifier misses the student, or a university.
        let mut lone = Vec::new();
        for (what, cosigner) in [
            ("An agreement that the student did not sign", receiving),
            ("An agreement that the receiving university did not sign", student),
        ] {
            let paper = Attested::new(&whole)?;
            let done = chain.apply(run, sending, &[cosigner.party.key()], paper.command(AGREEMENT_KIND, None)?)?;
            prove(run, &done, &format!("{what}: on record with two signatures"))?;
            lone.push((what, paper));
        }
        let mut over = whole.clone();
        over.agreement.courses[0].tenths += 50;
        let (over, _) = agree(run, chain, [sending, receiving, student], &over, None)?;
        let mut elsewhere = whole.clone();
        elsewhere.agreement.receiving.id = parties.bureau.did();
        elsewhere.agreement.receiving.name.clone_from(&parties.bureau.name);
        let (elsewhere, _) = agree(run, chain, [sending, &parties.bureau, student], &elsewhere, None)?;
        let (late, _) = agree(run, chain, [sending, receiving, student], &whole, None)?;
        for (what, paper) in lone {
            let mut file = good.clone();
            file.agreements = vec![fresh(run, &paper)?];
            refusals.file(run, scene, what, "ects.signer-missing", &file)?;
        }
        let mut file = good.clone();
        file.agreements = vec![fresh(run, &over)?];
        refusals.file(run, scene, "An agreement over 35 ECTS, signed by all", "ects.credits", &file)?;
        file.agreements = vec![fresh(run, &elsewhere)?];
        refusals.file(run, scene, "An agreement with somebody else than who certifies", "ects.other-university", &file)?;
        let mut by_late = decided_by(run, scene, story, &late, 0)?;
        by_late.agreements = vec![fresh(run, &late)?];
        refusals.file(run, scene, "An agreement that all three signed after the transcript, and a decision by it", "ects.agreement-too-late", &by_late)?;
        file.agreements = vec![good.agreements[0].clone()];
        refusals.file(run, scene, "The first agreement, without its change", "ects.replaced", &file)?;
        file.agreements = vec![good.agreements[1].clone()];
        refusals.file(run, scene, "The change, without what it replaced", "ects.other-source", &file)?;
        let count = refusals.show(run, "Agreements that do not hold");
        Ok(((), format!("{count} agreements were refused: one by the register, the others by the verifier, who wants all three signatures and exactly 30 ECTS.")))
    })
}
