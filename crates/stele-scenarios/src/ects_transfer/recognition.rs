//! The decision, row by row, and the verifier's own count.

use std::time::Instant;

use stele_credentials::education::ects::{Convention, convert};
use stele_credentials::jose::Signer as _;

use super::agreement::{percent, tenths, total};
use super::file::{Attested, Sources, TransferFile, certify_decision, failed};
use super::papers::{Decision, PublishedTable, TENTHS};
use super::verifier::{Known, Question, judge};
use super::{Scene, Stay, Story, Transcript};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{Refused, accepted, prove, when};

/// The decision that follows from a stay and its transcript.
pub(super) fn decide(
    scene: &Scene,
    stay: &Stay,
    transcript: &Transcript,
) -> Result<Decision, ScenarioError> {
    let (agreement, attested) = stay.agreed();
    let [sending, receiving] = [scene.table(0), scene.table(1)];
    let sources = Sources {
        agreement: (agreement, attested),
        transcript: (&transcript.plain, &transcript.certified),
        sending: (&sending.0, &sending.1),
        receiving: (&receiving.0, &receiving.1),
    };
    sources.decide()
}

/// The sending university decides, and the student collects all receipts.
pub(super) fn make(
    run: &mut Run<'_>,
    scene: &mut Scene,
    stay: Stay,
    transcript: Transcript,
) -> Result<(Story, stele_client::Final), ScenarioError> {
    let decision = decide(scene, &stay, &transcript)?;
    let Scene { parties, chain, .. } = scene;
    let (certified, done) = certify_decision(run, chain, &parties.sending, &decision)?;
    let agreements = stay.agreements.iter().map(|(_, attested)| attested);
    let file = TransferFile {
        agreements: agreements
            .map(|paper| fresh(run, paper))
            .collect::<Result<_, _>>()?,
        tables: [
            fresh(run, &scene.table(0).1)?,
            fresh(run, &scene.table(1).1)?,
        ],
        transcript: transcript.certified.clone(),
        decision: certified,
    };
    let story = Story {
        stay,
        transcript,
        decision,
        file,
    };
    Ok((story, done))
}

/// The same paper with a receipt of how it stands now.
pub(super) fn fresh(run: &Run<'_>, paper: &Attested) -> Result<Attested, ScenarioError> {
    let mut paper = paper.clone();
    paper.refresh(run)?;
    Ok(paper)
}

/// The same file with receipts of how everything stands now.
pub(super) fn renewed(run: &Run<'_>, file: &TransferFile) -> Result<TransferFile, ScenarioError> {
    let mut file = file.clone();
    for paper in file.agreements.iter_mut().chain(&mut file.tables) {
        paper.refresh(run)?;
    }
    Ok(file)
}

/// The same file with a decision of the sending university that rests on this agreement, and on its table at this place.
pub(super) fn decided_by(
    run: &mut Run<'_>,
    scene: &mut Scene,
    story: &Story,
    agreed: &Attested,
    table: usize,
) -> Result<TransferFile, ScenarioError> {
    let [sending, receiving] = [scene.table(table), scene.table(1)];
    let sources = Sources {
        agreement: (&story.stay.agreed().0, agreed),
        transcript: (&story.transcript.plain, &story.transcript.certified),
        sending: (&sending.0, &sending.1),
        receiving: (&receiving.0, &receiving.1),
    };
    let decision = sources.decide()?;
    let Scene { parties, chain, .. } = scene;
    let (certified, _) = certify_decision(run, chain, &parties.sending, &decision)?;
    let mut file = renewed(run, &story.file)?;
    file.decision = certified;
    Ok(file)
}

pub(super) fn recognise(
    run: &mut Run<'_>,
    scene: &mut Scene,
    stay: Stay,
    transcript: Transcript,
) -> Result<Story, ScenarioError> {
    run.step("recognise", |run| {
        let (story, done) = make(run, scene, stay, transcript)?;
        let office = &scene.parties.sending.office;
        prove(run, &done, &format!("{} committed to the recognition decision", office.name))?;
        run.keep("decision.json", story.file.decision.paper.as_bytes())?;
        run.keep("decision.proof", &story.file.decision.proof)?;
        run.keep("sending.jwk.json", office.party.key().public_key().to_jwk().to_string().as_bytes())?;
        let decision = &story.decision.decision;
        let (away, home) = (&scene.table(1).0, &scene.table(0).0);
        let mut rows = Vec::new();
        for course in &decision.recognised {
            let give = |convention| convert(&course.original_grade, &away.table, &home.table, convention).map_err(failed);
            let (best, lowest) = (give(Convention::Best)?, give(Convention::Lowest)?);
            let overlapping = if best == lowest { best } else { format!("{best} to {lowest}") };
            rows.push(vec![
                course.title.as_str().into(),
                tenths(course.tenths.into()).into(),
                course.original_grade.as_str().into(),
                band(away, &course.original_grade).into(),
                overlapping.into(),
                Cell::Good(course.grade.clone()),
                band(home, &course.grade).into(),
                course.replaces.as_str().into(),
            ]);
        }
        run.show(Block::Table {
            caption: "The conversion: a grade\u{2019}s band from the top, in both tables; the grade that holds the middle of the band is given".to_owned(),
            head: vec!["Course", "ECTS", "Grade away", "Its band", "Overlaps at home", "Grade at home", "Its band", "Replaces"],
            rows,
        });
        let moved = moved(&story);
        run.check(moved == TENTHS, "exactly 30 ECTS to be recognised", || tenths(moved))?;
        let detail = format!(
            "{} ECTS recognised in {} courses, none left open; {} was not agreed on and counts for nothing at home.",
            tenths(moved), decision.recognised.len(), decision.additional.join(", ")
        );
        Ok((story, detail))
    })
}

/// What a decision recognises, in tenths of a credit.
fn moved(story: &Story) -> u64 {
    let each = story.decision.decision.recognised.iter();
    each.map(|course| u64::from(course.tenths)).sum()
}

/// A grade's band in words.
fn band(of: &PublishedTable, grade: &str) -> String {
    let total = total(of);
    let mut before = 0;
    for share in &of.table.grades {
        let with = before + u64::from(share.students);
        if share.grade == grade {
            return format!(
                "{} to {} % ({before} to {with} of {total})",
                percent(before, total),
                percent(with, total)
            );
        }
        before = with;
    }
    "none".to_owned()
}

/// Verifies a file, and measures it.
pub(super) fn verify(
    run: &Run<'_>,
    scene: &mut Scene,
    file: &TransferFile,
) -> Result<Known, Refused> {
    let question: Question = scene.question();
    let begin = Instant::now();
    let verdict = judge(file, &question, run.client().network());
    scene.measured.verifying.push(begin.elapsed());
    scene.measured.files.push(file.bytes());
    if let Ok(known) = &verdict {
        let each = known.recognised.iter();
        let tenths = each.map(|course| u64::from(course.tenths)).sum();
        scene.measured.tenths.push(tenths);
    }
    verdict
}

pub(super) fn verify_file(
    run: &mut Run<'_>,
    scene: &mut Scene,
    story: &Story,
) -> Result<(), ScenarioError> {
    run.step("verify-file", |run| {
        let known = accepted("the whole file", verify(run, scene, &story.file))?;
        let words = ["the first agreement, replaced", "the agreement in force", "the sending university\u{2019}s table", "the receiving university\u{2019}s table"];
        let papers = story.file.agreements.iter().chain(&story.file.tables);
        for (what, paper) in words.into_iter().zip(papers) {
            run.evidence(format!("Who signed {what}, as of the decision"), &paper.receipt)?;
        }
        for (what, paper) in [("transcript", &story.file.transcript), ("decision", &story.file.decision)] {
            let proof = stele_credentials::trust::IssuanceProof::decode(&paper.proof).map_err(failed)?;
            run.evidence(format!("The {what}: by whom, accredited by whom, when, and under which key"), &proof.receipt)?;
        }
        run.check(known.certified_ms <= known.decided_ms && known.decided_ms <= known.as_of_ms, "transcript, decision and receipts in this order", || format!("{} {} {}", known.certified_ms, known.decided_ms, known.as_of_ms))?;
        run.check(known.additional == story.decision.decision.additional, "the same additional courses", || known.additional.join(", "))?;
        run.check(known.transcript.student == story.stay.office.did(), "the student of the stay", || known.transcript.student.clone())?;
        let same = known.recognised == story.decision.decision.recognised;
        run.check(same, "the decision\u{2019}s grades by a count of one\u{2019}s own", || format!("{:?}", known.recognised))?;
        run.check(known.agreement == story.stay.agreed().0, "the changed agreement", || known.agreement.id.clone())?;
        let sum: u64 = known.recognised.iter().map(|course| u64::from(course.tenths)).sum();
        run.show(Block::Table {
            caption: "What the verifier knows, offline".to_owned(),
            head: vec!["What", "Found"],
            rows: vec![
                vec!["Certified by".into(), known.transcript.issuer.name.as_str().into()],
                vec!["Certified at".into(), when(known.certified_ms).into()],
                vec!["Recognised at".into(), when(known.decided_ms).into()],
                vec!["Agreement and tables in force as of".into(), Cell::Good(when(known.as_of_ms))],
                vec!["ECTS recognised".into(), Cell::Good(tenths(sum))],
                vec!["Grades converted anew".into(), Cell::Good(format!("{}, all the same", known.recognised.len()))],
            ],
        });
        let detail = format!("From {} bytes of files and receipts, and the network\u{2019}s key: three signatures on each agreement, both tables, both accreditations, every grade.", story.file.bytes());
        Ok(((), detail))
    })
}
