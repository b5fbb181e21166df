//! Before and during the stay: tables of grades, the learning agreement, and its change.

use stele_credentials::education::ects::LearningAgreement;

use super::chain::Chain;
use super::file::{Attested, agree};
use super::papers::{self, PublishedTable, TABLE_KIND, TENTHS, agreed_tenths};
use super::parties::{self, Parties, University};
use super::{Scene, Stay};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{Office, prove};

/// A university signs a table, perhaps instead of an older one.
pub(super) fn publish(
    run: &mut Run<'_>,
    chain: &mut Chain,
    office: &Office,
    table: &PublishedTable,
    replaces: Option<&Attested>,
    claim: &str,
) -> Result<(Attested, String), ScenarioError> {
    let attested = Attested::new(table)?;
    let command = attested.command(TABLE_KIND, replaces)?;
    let (_, file) = chain.prove(run, office, &[], command, claim)?;
    Ok((attested, file))
}

pub(super) fn publish_tables(run: &mut Run<'_>, scene: &mut Scene) -> Result<(), ScenarioError> {
    run.step("publish-tables", |run| {
        run.describe_input("Two fictional universities with fictional tables of grades, generated");
        let Scene { parties, chain, numbers, tables, .. } = scene;
        let published = papers::tables(parties, numbers);
        let offices = [("sending", &parties.sending), ("receiving", &parties.receiving)];
        for (table, (side, university)) in published.into_iter().zip(offices) {
            let office = &university.office;
            let claim = format!("{} published its table of grades", office.name);
            let (mut attested, file) = publish(run, chain, office, &table, None, &claim)?;
            attested.refresh(run)?;
            run.keep(&format!("table-{side}.json"), attested.paper.as_bytes())?;
            run.keep(&format!("table-{side}.salt"), hex::encode(attested.salt).as_bytes())?;
            show(run, university, &table, &file);
            tables.push((table, attested));
        }
        let office = &parties.sending.office;
        let other = papers::of_another_field(&tables[0].0);
        let claim = format!("{} published its table of grades for another field", office.name);
        let (attested, _) = publish(run, chain, office, &other, None, &claim)?;
        tables.push((other, attested));
        Ok(((), "Both tables lie beside this report as files, with the salts of their hashes on the chain; the convention of conversion stands in them. They are fictional.".to_owned()))
    })
}

fn show(run: &mut Run<'_>, university: &University, table: &PublishedTable, receipt: &str) {
    let total = total(table);
    let mut before = 0;
    let rows = table.table.grades.iter().map(|share| {
        let from = before;
        before += u64::from(share.students);
        vec![
            share.grade.as_str().into(),
            share.students.to_string().into(),
            format!("{} to {} %", percent(from, total), percent(before, total)).into(),
        ]
    });
    let mut rows: Vec<Vec<Cell>> = rows.collect();
    rows.push(vec![
        "All".into(),
        total.to_string().into(),
        Cell::Link("receipt".to_owned(), receipt.to_owned()),
    ]);
    run.show(Block::Table {
        caption: format!(
            "Passing grades at {}, best first (fictional)",
            university.office.name
        ),
        head: vec!["Grade", "Students", "From the top"],
        rows,
    });
}

/// All students of a table.
pub(super) fn total(table: &PublishedTable) -> u64 {
    let each = table.table.grades.iter();
    each.map(|share| u64::from(share.students)).sum()
}

/// A share with one decimal, rounded to the nearest: for people only, nothing is decided by it.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let permille = (2000 * part + whole) / (2 * whole.max(1));
    format!("{}.{}", permille / 10, permille % 10)
}

/// Who signs agreements: the sending university, countersigned by the receiving one and the student.
pub(super) fn three<'a>(parties: &'a Parties, student: &'a Office) -> [&'a Office; 3] {
    [&parties.sending.office, &parties.receiving.office, student]
}

/// A student registers under an identifier of this stay alone and all three sign.
pub(super) fn begin(
    run: &mut Run<'_>,
    scene: &mut Scene,
) -> Result<(Stay, stele_client::Final), ScenarioError> {
    let office = parties::pairwise(run, &mut scene.chain)?;
    let person = papers::student(&office.did(), &mut scene.numbers);
    let agreement = papers::agreement(&scene.parties, &office.did(), &mut scene.numbers);
    let agreed = scene.agreed(&agreement)?;
    let Scene { parties, chain, .. } = scene;
    let (attested, done) = agree(run, chain, three(parties, &office), &agreed, None)?;
    let agreements = vec![(agreement, attested)];
    let stay = Stay {
        office,
        person,
        agreements,
    };
    Ok((stay, done))
}

/// All three sign a change.
pub(super) fn amend(
    run: &mut Run<'_>,
    scene: &mut Scene,
    stay: &mut Stay,
) -> Result<stele_client::Final, ScenarioError> {
    let (old, attested) = stay.agreed();
    let changed = papers::changed(old);
    let agreed = scene.agreed(&changed)?;
    let Scene { parties, chain, .. } = scene;
    let signers = three(parties, &stay.office);
    let (attested, done) = agree(run, chain, signers, &agreed, Some(attested))?;
    stay.agreements.push((changed, attested));
    Ok(done)
}

fn keep(run: &mut Run<'_>, number: usize, attested: &Attested) -> Result<(), ScenarioError> {
    run.keep(
        &format!("agreement-{number}.json"),
        attested.paper.as_bytes(),
    )?;
    run.keep(
        &format!("agreement-{number}.salt"),
        hex::encode(attested.salt).as_bytes(),
    )
}

fn show_agreement(run: &mut Run<'_>, caption: &str, agreement: &LearningAgreement) {
    let rows = agreement.courses.iter().map(|course| {
        vec![
            course.title.as_str().into(),
            tenths(course.tenths.into()).into(),
            course.replaces.as_str().into(),
        ]
    });
    run.show(Block::Table {
        caption: caption.to_owned(),
        head: vec![
            "Course at the receiving university",
            "ECTS",
            "Replaces at home",
        ],
        rows: rows.collect(),
    });
}

/// Credits as people write them.
pub(super) fn tenths(tenths: u64) -> String {
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}

fn check_credits(run: &Run<'_>, agreement: &LearningAgreement) -> Result<(), ScenarioError> {
    let agreed = agreed_tenths(agreement);
    run.check(agreed == TENTHS, "exactly 30 ECTS to be agreed on", || {
        tenths(agreed)
    })
}

pub(super) fn sign(run: &mut Run<'_>, scene: &mut Scene) -> Result<Stay, ScenarioError> {
    run.step("sign-agreement", |run| {
        let (stay, done) = begin(run, scene)?;
        let (agreement, attested) = stay.agreed();
        check_credits(run, agreement)?;
        prove(run, &done, "Student and both universities signed the learning agreement")?;
        keep(run, 1, attested)?;
        show_agreement(run, "The learning agreement; the chain has its salted hash", agreement);
        let detail = "Three signatures in one entry, over one salted hash; the paper names both tables. The student signs with a key of this stay alone, which stands under no name.";
        Ok((stay, detail.to_owned()))
    })
}

pub(super) fn change(
    run: &mut Run<'_>,
    scene: &mut Scene,
    mut stay: Stay,
) -> Result<Stay, ScenarioError> {
    run.step("change-agreement", |run| {
        let done = amend(run, scene, &mut stay)?;
        let (agreement, attested) = stay.agreed();
        check_credits(run, agreement)?;
        prove(run, &done, "Student and both universities signed the change of the agreement")?;
        keep(run, 2, attested)?;
        show_agreement(run, "During the stay: one course is not given, another takes its place", agreement);
        Ok((stay, "A course fell through. All who signed the first agreement signed the second, which replaces it; 30 ECTS remain 30.".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_to_the_nearest() {
        for (part, whole, shown) in [
            (0, 7, "0.0"),
            (1, 3, "33.3"),
            (2, 3, "66.7"),
            (7, 7, "100.0"),
        ] {
            assert_eq!(percent(part, whole), shown);
        }
        assert_eq!(
            (tenths(75), tenths(300)),
            ("7.5".to_owned(), "30".to_owned())
        );
    }
}
