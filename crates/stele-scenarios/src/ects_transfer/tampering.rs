//! Papers that were altered or put together, and the search for what must not be on the chain.

use serde_json::Value as Json;
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::integrity::json::jcs;

use super::file::{Certified, TransferFile, certify_decision, failed};
use super::papers::{ADDITIONAL, AGREEMENT_KIND, Decision};
use super::recognition::{self, renewed};
use super::verifier::judge;
use super::{Scene, Story, agreement, transcript};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{accepted, prove, refused, show_refusals};

/// Rows of refusals of whole files.
pub(super) struct Refusals {
    pub rows: Vec<Vec<Cell>>,
}

impl Refusals {
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// A file that the verifier has to refuse by this rule.
    pub fn file(
        &mut self,
        run: &Run<'_>,
        scene: &Scene,
        what: &str,
        code: &str,
        file: &TransferFile,
    ) -> Result<(), ScenarioError> {
        let verdict = judge(file, &scene.question(), run.client().network());
        self.rows.push(refused(what, code, verdict)?);
        Ok(())
    }

    /// Shows them; returns how many there are.
    pub fn show(self, run: &mut Run<'_>, caption: &str) -> usize {
        let count = self.rows.len();
        show_refusals(run, caption, self.rows);
        count
    }
}

/// The same paper with another value at a place in it.
pub(super) fn altered(paper: &str, at: &str, value: &str) -> Result<String, ScenarioError> {
    let broken = |what: String| ScenarioError::broken("a paper to alter", what);
    let mut json: Json = serde_json::from_str(paper).map_err(|error| broken(error.to_string()))?;
    let place = json.pointer_mut(at).ok_or_else(|| broken(at.to_owned()))?;
    if *place == *value {
        return Err(broken(format!("{at} is {value} already")));
    }
    *place = match place {
        Json::Number(_) => value
            .parse::<u64>()
            .map(Json::from)
            .map_err(|error| broken(error.to_string()))?,
        _ => value.into(),
    };
    jcs(&json).map_err(failed)
}

/// A grade of a table other than this one.
pub(super) fn another<'a>(scene: &'a Scene, table: usize, grade: &str) -> &'a str {
    let grades = &scene.table(table).0.table.grades;
    let other = grades.iter().find(|share| share.grade != grade);
    other.map_or("", |share| &share.grade)
}

pub(super) fn refuse(
    run: &mut Run<'_>,
    scene: &mut Scene,
    story: &Story,
    other: &Story,
) -> Result<(), ScenarioError> {
    run.step("refuse-altered-papers", |run| {
        let good = &story.file;
        let mut refusals = Refusals::new();
        let part = "/credentialSubject/hasClaim/hasPart/0";
        let with_transcript = |at: &str, value: &str| {
            let mut file = good.clone();
            file.transcript.paper = altered(&good.transcript.paper, &format!("{part}{at}"), value)?;
            Ok::<_, ScenarioError>(file)
        };
        let grade = &story.transcript.plain.courses[0].grade;
        let better = another(scene, 1, grade);
        let file = with_transcript("/provenBy/grade/noteLiteral/en", better)?;
        refusals.file(run, scene, "Another grade in the transcript", "integrity.signature-bad", &file)?;
        let file = with_transcript("/specifiedBy/creditPoint/point", "12.5")?;
        refusals.file(run, scene, "More credits in the transcript", "integrity.signature-bad", &file)?;

        let recognised = &story.decision.decision.recognised[0];
        let kinder = another(scene, 0, &recognised.grade).to_owned();
        let mut file = good.clone();
        file.decision.paper = altered(&good.decision.paper, "/decision/recognised/0/grade", &kinder)?;
        refusals.file(run, scene, "Another grade in the decision", "trust.not-committed", &file)?;
        "{}".clone_into(&mut file.decision.paper);
        refusals.file(run, scene, "A decision that says nothing", "ects.unreadable", &file)?;
        let mut file = good.clone();
        file.agreements[1].paper = altered(&good.agreements[1].paper, "/courses/0/tenths", "100")?;
        refusals.file(run, scene, "More credits in the agreement", "ects.not-attested", &file)?;

        // The university itself puts in another grade and commits to it: well signed, accredited, and wrong.
        let mut favour: Decision = story.decision.clone();
        favour.decision.recognised[0].grade = kinder;
        let claim = "The sending university committed to a decision with a grade that the tables do not give";
        let decision = commit_decision(run, scene, &favour, claim)?;
        let file = TransferFile { decision, ..renewed(run, good)? };
        refusals.file(run, scene, "A favour: the university itself puts in another grade", "ects.decision-differs", &file)?;
        let mut short = story.decision.clone();
        short.decision.recognised.pop();
        let claim = "The sending university committed to a decision that leaves a course out";
        let decision = commit_decision(run, scene, &short, claim)?;
        let file = TransferFile { decision, ..renewed(run, good)? };
        refusals.file(run, scene, "The university recognises fewer credits than were agreed", "ects.decision-differs", &file)?;

        // One course was not passed: the decision is honest, and it moves 25 ECTS.
        let (mut stay, _) = agreement::begin(run, scene)?;
        agreement::amend(run, scene, &mut stay)?;
        let mut passed = stay.agreed().0.clone();
        passed.courses.pop();
        let (partly, _) = transcript::make(run, scene, &stay, &passed)?;
        let (partly, _) = recognition::make(run, scene, stay, partly)?;
        refusals.file(run, scene, "An honest decision over 25 ECTS: one course was not passed", "ects.credits", &partly.file)?;

        let foreign = TransferFile { transcript: other.file.transcript.clone(), ..good.clone() };
        refusals.file(run, scene, "With the transcript of another student", "ects.other-student", &foreign)?;
        let foreign = TransferFile { agreements: other.file.agreements.clone(), ..good.clone() };
        refusals.file(run, scene, "With the agreement of another student", "ects.other-student", &foreign)?;
        let mut swapped = good.clone();
        swapped.transcript.proof.clone_from(&other.file.transcript.proof);
        refusals.file(run, scene, "With the proof of another transcript", "trust.not-committed", &swapped)?;
        let mut network = run.client().network().clone();
        let key = SigningKey::from_seed(Suite::Ed25519, &[7; 32]);
        network.key = key.map_err(|error| ScenarioError::broken("a key", error.to_string()))?.public().clone();
        let verdict = judge(good, &scene.question(), &network);
        refusals.rows.push(refused("Under another network\u{2019}s key", "trust.receipt", verdict)?);
        let damaged = refuse_damaged(run, scene, good)?;
        accepted("the untouched file", judge(good, &scene.question(), run.client().network()))?;
        let count = refusals.show(run, "Altered papers");
        Ok(((), format!("{count} files in which something was altered or put in were refused, also where the university itself had signed it; so was the file with one bit flipped in any of its {damaged} parts.")))
    })
}

/// Flips one bit in each part of a file, at a place of the seed's choice; none may pass. Returns how many parts there are.
fn refuse_damaged(
    run: &Run<'_>,
    scene: &mut Scene,
    good: &TransferFile,
) -> Result<usize, ScenarioError> {
    for part in 0..good.parts() {
        let mut file = good.clone();
        let mut changed = None;
        let numbers = &mut scene.numbers;
        file.change(part, |bytes| {
            let place = numbers.below(bytes.len());
            bytes[place] ^= 1;
            changed = Some(place);
        });
        let verdict = judge(&file, &scene.question(), run.client().network());
        run.check(
            verdict.is_err(),
            "a file with a flipped bit to be refused",
            || format!("it passed with part {part} changed at byte {changed:?}"),
        )?;
    }
    Ok(good.parts())
}

/// The sending university commits to whatever this says.
fn commit_decision(
    run: &mut Run<'_>,
    scene: &mut Scene,
    decision: &Decision,
    claim: &str,
) -> Result<Certified, ScenarioError> {
    let Scene { parties, chain, .. } = scene;
    let (certified, done) = certify_decision(run, chain, &parties.sending, decision)?;
    prove(run, &done, claim)?;
    Ok(certified)
}

/// Everything about the student that papers say and the chain must not.
fn personal(story: &Story) -> Vec<String> {
    let person = &story.stay.person;
    let mut words = vec![
        person.given.clone(),
        person.family.clone(),
        story.stay.agreed().0.id.clone(),
        story.transcript.plain.id.clone(),
        ADDITIONAL.to_owned(),
    ];
    for (agreement, _) in &story.stay.agreements {
        for course in &agreement.courses {
            words.extend([course.title.clone(), course.replaces.clone()]);
        }
    }
    words.sort_unstable();
    words.dedup();
    words
}

pub(super) fn search(
    run: &mut Run<'_>,
    scene: &mut Scene,
    story: &Story,
) -> Result<(), ScenarioError> {
    run.step("search-chain", |run| {
        let chain = &scene.chain;
        // A search that finds nothing anywhere says nothing: it has to find what is there.
        for present in [AGREEMENT_KIND, scene.parties.sending.scope, scene.parties.bureau.name.as_str()] {
            run.check(chain.holding(present).is_some(), "the search to find what the chain holds", || present.to_owned())?;
        }
        let words = personal(story);
        let papers = [&story.file.transcript.paper, &story.file.agreements[0].paper, &story.file.agreements[1].paper];
        for word in &words {
            run.check(papers.iter().any(|paper| paper.contains(word.as_str())), "words that stand in the papers", || word.clone())?;
            if let Some(entry) = chain.holding(word) {
                return Err(ScenarioError::broken(format!("no {word} on the chain"), entry.id().to_string()));
            }
        }
        let (entries, bytes) = (chain.entries.len(), chain.bytes_since(0));
        run.show(Block::Text(format!(
            "Searched for the student\u{2019}s name, {} course titles and the numbers of the papers: none of them is in any of {entries} signed entries.",
            words.len() - 4
        )));
        Ok(((), format!("{} words of the papers were searched for in {entries} entries of {bytes} bytes; none is there.", words.len())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_is_altered_in_one_place() {
        let paper = r#"{"a":[{"b":"1"}],"n":7}"#;
        assert_eq!(
            altered(paper, "/a/0/b", "2").unwrap(),
            r#"{"a":[{"b":"2"}],"n":7}"#
        );
        assert_eq!(
            altered(paper, "/n", "8").unwrap(),
            r#"{"a":[{"b":"1"}],"n":8}"#
        );
        assert!(
            altered(paper, "/a/0/b", "1").is_err(),
            "nothing would change"
        );
        assert!(altered(paper, "/x", "2").is_err());
    }
}
