//! More students, for the figures.

use std::time::Instant;

use super::{Scene, Story, agreement, recognition, transcript};
use crate::frame::{Run, ScenarioError};
use crate::kit::accepted;

/// How many more students there are.
const STUDENTS: usize = 12;

/// Moves the credits of more students, one after the other. Returns the last of them.
pub(super) fn transfer(run: &mut Run<'_>, scene: &mut Scene) -> Result<Story, ScenarioError> {
    run.step("transfer-many", |run| {
        let from = scene.chain.entries.len();
        let begin = Instant::now();
        let mut stories = Vec::with_capacity(STUDENTS);
        for place in 0..STUDENTS {
            run.at(place, STUDENTS);
            let (mut stay, _) = agreement::begin(run, scene)?;
            agreement::amend(run, scene, &mut stay)?;
            let (transcript, _) = transcript::make(run, scene, &stay, &stay.agreed().0)?;
            let (story, _) = recognition::make(run, scene, stay, transcript)?;
            stories.push(story);
        }
        scene.measured.transferring = begin.elapsed();
        scene.measured.transfers = STUDENTS;
        scene.measured.chain_bytes = scene.chain.bytes_since(from) / STUDENTS;
        for story in &stories {
            accepted("each file", recognition::verify(run, scene, &story.file))?;
        }
        let last = stories.pop().ok_or_else(|| ScenarioError::broken("a student", "none"))?;
        let entries = (scene.chain.entries.len() - from) / STUDENTS;
        let detail = format!(
            "{STUDENTS} more students, {entries} entries each: registration, agreement, change, transcript, decision. Every file verifies with exactly 30 ECTS."
        );
        Ok((last, detail))
    })
}
