//! Refusals: with a code, and a sentence that a clerk understands.

use stele_client::{ClientError, Final};
use stele_credentials::Refusal;

use crate::frame::{Block, Cell, Run, ScenarioError};

/// Why somebody says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub code: String,
    pub sentence: String,
}

impl Refused {
    pub fn new(code: &str, sentence: &str) -> Self {
        Self {
            code: code.to_owned(),
            sentence: sentence.to_owned(),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.sentence())
    }
}

/// What a register said about a final entry.
///
/// # Errors
/// The rule that refused.
pub(crate) fn outcome(done: &Final) -> Result<(), Refused> {
    if done.outcome.applied {
        return Ok(());
    }
    let code = done.outcome.code.as_deref().unwrap_or_default();
    let sentence = done.outcome.detail.as_deref().unwrap_or_default();
    Err(Refused::new(code, sentence))
}

/// As [`outcome`], for an attempt that the node may turn away before it enters a block.
///
/// # Errors
/// What is no refusal.
pub(crate) fn sent(
    attempt: Result<Final, ScenarioError>,
) -> Result<Result<(), Refused>, ScenarioError> {
    match attempt {
        Ok(done) => Ok(outcome(&done)),
        Err(ScenarioError::Client {
            source: ClientError::Refused(problem),
            ..
        }) => Ok(Err(Refused::new(&problem.code, &problem.detail))),
        Err(error) => Err(error),
    }
}

/// What was accepted; a refusal is an error.
///
/// # Errors
/// [`ScenarioError::Broken`].
pub(crate) fn accepted<T>(what: &str, verdict: Result<T, Refused>) -> Result<T, ScenarioError> {
    verdict.map_err(|refused| {
        ScenarioError::broken(
            format!("{what} to be accepted"),
            format!("{}: {}", refused.code, refused.sentence),
        )
    })
}

/// The row of a refusal by the expected rule.
///
/// # Errors
/// [`ScenarioError::Broken`] when it was accepted, or refused by another rule.
pub(crate) fn refused<T>(
    what: &str,
    code: &str,
    verdict: Result<T, Refused>,
) -> Result<Vec<Cell>, ScenarioError> {
    let found = match verdict {
        Err(refused) if refused.code == code => {
            return Ok(vec![
                what.into(),
                Cell::Code(refused.code),
                Cell::Bad(refused.sentence),
            ]);
        }
        Err(refused) => format!("{}: {}", refused.code, refused.sentence),
        Ok(_) => "it was accepted".to_owned(),
    };
    Err(ScenarioError::broken(
        format!("{what} to be refused by {code}"),
        found,
    ))
}

/// Shows refusals on the page.
pub(crate) fn show_refusals(run: &mut Run<'_>, caption: &str, rows: Vec<Vec<Cell>>) {
    run.show(Block::Table {
        caption: caption.to_owned(),
        head: vec!["What was tried", "Code", "What the clerk reads"],
        rows,
    });
}
