//! `diploma`: a paper that stays good after its issuer is gone.
//!
//! A fictional ministry, a university below it and a faculty below that issue diplomas as SD-JWT VC. The chain gets one salted root
//! over a batch and one root over the status lists, and no word about a person. A graduate shows two fields; the verifier
//! needs the network's key and nothing else. Then things go wrong, one after the other, and each refusal is shown with its
//! code and its sentence. docs/scenarios/diploma.md is its page.

mod closing;
mod commitment;
mod figures;
mod incidents;
mod offices;
mod papers;
mod present;
mod shown;
mod state;
mod status;
mod theft;
mod verifier;

use std::time::Duration;

use crate::{Run, Scenario, ScenarioError};

/// The scenario `diploma`.
#[derive(Debug, Clone, Copy)]
pub struct Diploma;

const STEPS: &[&str] = &[
    "register-offices",
    "accredit-chain",
    "issue-diplomas",
    "commit-batch",
    "publish-status",
    "hand-over-proofs",
    "present-two-fields",
    "refuse-misuse",
    "verify-all",
    "revoke-one",
    "steal-key",
    "report-stolen-key",
    "refuse-forgeries",
    "refuse-outside-accreditation",
    "close-faculty",
];

impl Scenario for Diploma {
    fn name(&self) -> &'static str {
        "diploma"
    }

    fn title(&self) -> &'static str {
        "A diploma that outlives its faculty"
    }

    fn purpose(&self) -> &'static str {
        "A faculty that its university and a ministry accredited issues diplomas. A graduate shows two fields of one, offline; the \
         verifier learns that it was issued by whom and when, under a key that was good then. It stays so when the key is stolen and \
         the faculty closes, and nobody\u{2019}s personal data is on the chain."
    }

    fn input(&self) -> &'static str {
        "Generates a fictional ministry, university and faculty and 200 fictional graduates."
    }

    fn steps(&self) -> &'static [&'static str] {
        STEPS
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), ScenarioError> {
        let mut measured = Measured::default();
        let offices = offices::register(run)?;
        offices::accredit(run, &offices)?;
        let mut lists = status::Lists::new();
        let mut wallets = papers::issue(run, &offices, &lists, &mut measured)?;
        let batch = commitment::commit(run, &offices, &mut wallets)?;
        status::publish(run, &offices, &mut lists, &mut measured)?;
        commitment::hand_over(run, &batch, &mut wallets, &mut measured)?;
        let scene = Scene {
            offices,
            wallets,
            batch,
        };
        present::two_fields(run, &scene, &lists)?;
        present::refuse_misuse(run, &scene, &lists)?;
        present::verify_all(run, &scene, &lists, &mut measured)?;
        let doubtful_from = incidents::revoke(run, &scene, &mut lists)?;
        let forgery = theft::steal(run, &scene, &lists)?;
        incidents::report_key(run, &scene, &lists, doubtful_from)?;
        theft::refuse_forgeries(run, &scene, &lists, &forgery)?;
        closing::refuse_outside(run, &scene)?;
        closing::close(run, &scene, &lists)?;
        figures::add(run, &measured);
        Ok(())
    }
}

/// What stands when the diplomas are out.
struct Scene {
    offices: offices::Offices,
    wallets: Vec<papers::Wallet>,
    batch: commitment::Committed,
}

/// What the steps measured for the figures.
#[derive(Debug, Default)]
struct Measured {
    /// Diplomas that were issued and committed, and how long signing them took.
    issued: usize,
    issuing: Duration,
    /// Presentations that were verified in full, and how long that took.
    verified: usize,
    verifying: Duration,
    /// Sizes of the credentials, of their proofs, and of the status shards, in bytes.
    credentials: Vec<usize>,
    proofs: Vec<usize>,
    shards: Vec<usize>,
}
