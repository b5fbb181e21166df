//! What all scenarios share: declared steps, measured figures, verified receipts and one report.

mod actor;
mod error;
mod folder;
mod html;
mod report;
mod run;
mod scenario;

pub(crate) use actor::percentile;
pub use actor::{Actor, Finality, Submitted};
pub use error::ScenarioError;
pub use report::{Bar, Block, Cell, Curve, Evidence, Figure, Report, StepReport};
pub use run::{Options, Progress, ProgressState, Run, run};
pub use scenario::Scenario;
