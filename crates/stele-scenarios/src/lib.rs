//! Runnable, measured applications of the platform: the frame they share, their data sets and reports.
//!
//! A scenario is an outside program: it talks to a node over HTTP, through [`stele_client`], and has no private door. It runs
//! declared steps, measures figures and collects receipts. Each receipt is verified under the network's key the moment it
//! arrives; what fails ends the run. The outcome is a folder:
//!
//! | file | what |
//! |---|---|
//! | `report.json` | steps, figures and evidence in the one shape that all scenarios share |
//! | `index.html` | the same for people: one page, no scripts, nothing loaded from elsewhere |
//! | `network.json` | the network descriptor, under which every receipt verifies offline |
//! | `NN-what.receipt` | the receipts |
//!
//! - [`Scenario`] is what a scenario says about itself and does; [`Run`] is what it gets to do it.
//! - [`run`] runs one and writes its folder; [`all`] and [`find`] know them.
//! - [`data`] finds data sets that are not in the repository.

pub mod data;
pub mod diploma;
pub mod ects_transfer;
mod frame;
mod kit;
pub mod machine_identity;
pub mod public_service;
pub mod trace;

pub use frame::{
    Actor, Bar, Block, Cell, Curve, Evidence, Figure, Finality, Options, Progress, ProgressState,
    Report, Run, Scenario, ScenarioError, StepReport, Submitted, run,
};

/// All scenarios, in the order in which people should meet them.
pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![
        Box::new(trace::Trace),
        Box::new(diploma::Diploma),
        Box::new(ects_transfer::EctsTransfer),
        Box::new(machine_identity::MachineIdentity),
        Box::new(public_service::PublicService),
    ]
}

/// The scenario of this name.
pub fn find(name: &str) -> Option<Box<dyn Scenario>> {
    all().into_iter().find(|scenario| scenario.name() == name)
}
