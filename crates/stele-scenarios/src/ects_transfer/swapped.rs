//! Tables of grades that were changed, borrowed, or published when it was too late.

use super::agreement::publish;
use super::file::{Sources, certify_decision};
use super::papers::{PublishedTable, turned};
use super::recognition::{decided_by, fresh};
use super::tampering::{Refusals, altered};
use super::verifier::judge;
use super::{Scene, Story};
use crate::frame::{Run, ScenarioError};
use crate::kit::accepted;

/// The same table with nearly everybody at its end: by it, every grade becomes the lowest.
fn harsh(table: &PublishedTable) -> PublishedTable {
    let mut harsh = table.clone();
    for share in &mut harsh.table.grades {
        share.students = 1;
    }
    if let Some(lowest) = harsh.table.grades.last_mut() {
        lowest.students = 10_000;
    }
    harsh
}

pub(super) fn refuse(
    run: &mut Run<'_>,
    scene: &mut Scene,
    story: &Story,
) -> Result<(), ScenarioError> {
    run.step("refuse-swapped-tables", |run| {
        let good = &story.file;
        let mut refusals = Refusals::new();
        let mut file = good.clone();
        file.tables[1].paper = altered(&good.tables[1].paper, "/table/grades/0/students", "99999")?;
        refusals.file(run, scene, "Another number in the receiving university\u{2019}s table", "ects.not-attested", &file)?;
        let mut file = good.clone();
        file.tables[0].paper = altered(&good.tables[0].paper, "/convention", "best")?;
        refusals.file(run, scene, "Another convention in the sending university\u{2019}s table", "ects.not-attested", &file)?;

        // Published beforehand, too, but for another field: nobody agreed on it.
        let other = scene.table(2).1.clone();
        let mut file = decided_by(run, scene, story, &story.stay.agreed().1, 2)?;
        file.tables[0] = fresh(run, &other)?;
        refusals.file(run, scene, "A decision by the university\u{2019}s table for another field", "ects.table-not-agreed", &file)?;
        let mut file = good.clone();
        file.tables[0] = fresh(run, &other)?;
        refusals.file(run, scene, "The table for another field in the place of the agreed one", "ects.table-not-agreed", &file)?;

        // Published when the grades are known, and used for a decision that follows from it to the letter.
        let late = harsh(&scene.table(0).0);
        let Scene { parties, chain, .. } = &mut *scene;
        let sending = &parties.sending;
        let claim = format!("{} published another table after the transcript", sending.office.name);
        let (attested, _) = publish(run, chain, &sending.office, &late, None, &claim)?;
        let (agreement, agreed) = story.stay.agreed();
        let (receiving, published) = scene.table(1);
        let sources = Sources {
            agreement: (agreement, agreed),
            transcript: (&story.transcript.plain, &story.transcript.certified),
            sending: (&late, &attested),
            receiving: (receiving, published),
        };
        let decision = sources.decide()?;
        run.check(
            decision.decision.recognised != story.decision.decision.recognised,
            "a table that changes a grade",
            || "the same grades".to_owned(),
        )?;
        let Scene { parties, chain, .. } = &mut *scene;
        let (certified, _) = certify_decision(run, chain, &parties.sending, &decision)?;
        let mut file = good.clone();
        file.decision = certified;
        file.agreements = vec![fresh(run, &good.agreements[0])?, fresh(run, &good.agreements[1])?];
        file.tables = [fresh(run, &attested)?, fresh(run, &good.tables[1])?];
        refusals.file(run, scene, "A table published after the grades, and a decision that follows from it", "ects.table-too-late", &file)?;
        file.tables[0] = fresh(run, &good.tables[0])?;
        refusals.file(run, scene, "The same decision, shown with the old table", "ects.other-source", &file)?;

        let Scene { parties, chain, .. } = &mut *scene;
        let claim = format!("{} published a table in a university\u{2019}s name", parties.bureau.name);
        let (forged, _) = publish(run, chain, &parties.bureau, &late, None, &claim)?;
        file.tables[0] = fresh(run, &forged)?;
        refusals.file(run, scene, "A table in the university\u{2019}s name that a bureau published", "ects.signer-missing", &file)?;

        // A year later: next year's table replaces this one, and what was decided by this one stays.
        let next = turned(&scene.table(1).0);
        let Scene { parties, chain, .. } = &mut *scene;
        let claim = format!("{} published the next year\u{2019}s table", parties.receiving.office.name);
        publish(run, chain, &parties.receiving.office, &next, Some(&good.tables[1]), &claim)?;
        let mut file = good.clone();
        file.tables[1] = fresh(run, &good.tables[1])?;
        refusals.file(run, scene, "A receipt by which the table was replaced meanwhile", "ects.replaced", &file)?;
        let known = accepted("the file with its own receipts", judge(good, &scene.question(), run.client().network()))?;
        run.check(known.recognised == story.decision.decision.recognised, "the same grades as before", || format!("{:?}", known.recognised))?;
        let mut early = good.clone();
        early.tables[1].receipt.clone_from(&scene.table(1).1.receipt);
        refusals.file(run, scene, "A receipt from before the decision", "ects.receipt-too-old", &early)?;
        let count = refusals.show(run, "Swapped tables");
        Ok(((), format!("{count} files with changed, late, borrowed or outdated tables were refused; the file with its own receipts still verifies after next year\u{2019}s table.")))
    })
}

#[cfg(test)]
mod tests {
    use stele_credentials::education::ects::convert;

    use super::super::papers::{Numbers, example_tables};
    use super::*;

    /// Or the step would fail for a seed that draws grades which the other table leaves as they are.
    #[test]
    fn a_harsh_table_changes_every_grade_of_every_seed() {
        for seed in 0..300 {
            let [home, away] = example_tables(&mut Numbers(seed));
            let late = harsh(&home);
            for share in &away.table.grades {
                let by = |table: &PublishedTable| {
                    convert(&share.grade, &away.table, &table.table, table.convention).unwrap()
                };
                assert_ne!(by(&home), by(&late), "{} of seed {seed}", share.grade);
            }
        }
    }
}
