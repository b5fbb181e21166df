//! What a scenario says about itself, and does.

use super::{Run, ScenarioError};

/// A runnable, measured application of the platform.
pub trait Scenario: Send + Sync {
    /// Its name on the command line: kebab-case, never changed.
    fn name(&self) -> &'static str;

    /// Its name for people.
    fn title(&self) -> &'static str;

    /// What it shows, and for whom, in one or two sentences.
    fn purpose(&self) -> &'static str;

    /// What it takes as input, and what it generates when nothing is given.
    fn input(&self) -> &'static str;

    /// The names of its steps, kebab-case, in the order in which [`Scenario::run`] takes them.
    fn steps(&self) -> &'static [&'static str];

    /// Runs it.
    ///
    /// # Errors
    /// [`ScenarioError`] ends the run: it failed, or, with [`ScenarioError::Skipped`], could not begin.
    fn run(&self, run: &mut Run<'_>) -> Result<(), ScenarioError>;
}
