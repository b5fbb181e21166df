//! Sending the generated documents through the capture interface.

use std::time::Instant;

use super::documents::Document;
use super::{Measured, epcis};
use crate::{Run, ScenarioError};

pub(super) fn generated(
    run: &mut Run<'_>,
    documents: &[Document],
    measured: &mut Measured,
) -> Result<(), ScenarioError> {
    run.step("capture-events", |run| {
        let begin = Instant::now();
        for (done, document) in documents.iter().enumerate() {
            run.at(done, documents.len());
            if let Err(reason) = epcis::capture(run.client(), &document.json)? {
                return Err(ScenarioError::broken(format!("{} to be captured", document.name), reason));
            }
            measured.events += document.events().len();
        }
        measured.capturing = begin.elapsed();
        let detail = format!(
            "{} documents with {} events sent to /epcis/capture; every job ended well, so every event\u{2019}s commitment is final.",
            documents.len(),
            measured.events
        );
        Ok(((), detail))
    })
}
