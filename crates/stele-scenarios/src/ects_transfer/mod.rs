//! `ects-transfer`: 30 ECTS that move between two universities, and that anybody can count again.
//!
//! A student and two fictional universities sign a learning agreement and its change; the receiving university certifies a transcript as a
//! credential of the European Learning Model, the sending one recognises it by the tables of grades that both published beforehand.
//! The chain gets salted commitments and no word about a person. A verifier who trusts neither university converts every grade
//! itself, from files and receipts. Then papers are altered, tables swapped, signatures left out and offices made up; each refusal
//! is shown with its code and its sentence. docs/scenarios/ects-transfer.md is its page.

mod agreement;
mod chain;
mod figures;
mod file;
mod many;
mod offices;
mod papers;
mod parties;
mod recognition;
mod signers;
mod state;
mod swapped;
mod tampering;
mod transcript;
mod verifier;

use std::time::Duration;

use stele_credentials::education::ects::LearningAgreement;
use stele_credentials::education::model::{DiplomaSupplement, Student};

use crate::kit::{Office, now_s};
use crate::{Run, Scenario, ScenarioError};

/// The scenario `ects-transfer`.
#[derive(Debug, Clone, Copy)]
pub struct EctsTransfer;

const STEPS: &[&str] = &[
    "register-parties",
    "accredit-universities",
    "publish-tables",
    "sign-agreement",
    "change-agreement",
    "certify-transcript",
    "recognise",
    "verify-file",
    "pack-transcript",
    "transfer-many",
    "refuse-altered-papers",
    "refuse-missing-signers",
    "refuse-unaccredited-offices",
    "refuse-swapped-tables",
    "search-chain",
];

impl Scenario for EctsTransfer {
    fn name(&self) -> &'static str {
        "ects-transfer"
    }

    fn title(&self) -> &'static str {
        "30 ECTS that anybody can count again"
    }

    fn purpose(&self) -> &'static str {
        "A student takes 30 ECTS from one university to another. All three sign what was agreed; grades are converted by tables that both \
         universities published before anybody was graded. Whoever has the files and the network\u{2019}s key converts every grade anew, and \
         sees an altered grade, a table swapped afterwards, a missing signature and an office that nobody accredited."
    }

    fn input(&self) -> &'static str {
        "Generates two fictional universities with fictional tables of grades, and fictional students."
    }

    fn steps(&self) -> &'static [&'static str] {
        STEPS
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), ScenarioError> {
        let mut chain = chain::Chain::default();
        let parties = parties::register(run, &mut chain)?;
        let mut scene = Scene {
            numbers: papers::Numbers(run.seed()),
            parties,
            chain,
            tables: Vec::new(),
            measured: Measured::default(),
        };
        parties::accredit(run, &mut scene)?;
        agreement::publish_tables(run, &mut scene)?;
        let first = agreement::sign(run, &mut scene)?;
        let stay = agreement::change(run, &mut scene, first)?;
        let certified = transcript::certify(run, &mut scene, &stay)?;
        let story = recognition::recognise(run, &mut scene, stay, certified)?;
        recognition::verify_file(run, &mut scene, &story)?;
        transcript::pack(run, &mut scene, &story)?;
        let other = many::transfer(run, &mut scene)?;
        tampering::refuse(run, &mut scene, &story, &other)?;
        signers::refuse(run, &mut scene, &story)?;
        offices::refuse(run, &mut scene, &story)?;
        swapped::refuse(run, &mut scene, &story)?;
        tampering::search(run, &mut scene, &story)?;
        figures::add(run, &scene.measured);
        Ok(())
    }
}

/// What stands while the story goes on.
struct Scene {
    numbers: papers::Numbers,
    parties: parties::Parties,
    chain: chain::Chain,
    /// What the sending and the receiving university published, and the sending one's table for another field.
    tables: Vec<(papers::PublishedTable, file::Attested)>,
    measured: Measured,
}

impl Scene {
    fn table(&self, place: usize) -> &(papers::PublishedTable, file::Attested) {
        &self.tables[place]
    }

    /// What all three sign of an agreement: it names the tables.
    fn agreed(&self, agreement: &LearningAgreement) -> Result<papers::Agreed, ScenarioError> {
        let name = |place: usize| self.table(place).1.commitment().map(hex::encode);
        Ok(papers::Agreed {
            agreement: agreement.clone(),
            sending_table: name(0)?,
            receiving_table: name(1)?,
        })
    }

    /// What the verifier asks, now.
    fn question(&self) -> verifier::Question {
        verifier::Question {
            sending_scope: self.parties.sending.scope,
            receiving_scope: self.parties.receiving.scope,
            now: now_s(),
        }
    }
}

/// A student's stay as it was agreed, and agreed anew.
struct Stay {
    office: Office,
    person: Student,
    agreements: Vec<(LearningAgreement, file::Attested)>,
}

impl Stay {
    /// The agreement in force.
    fn agreed(&self) -> &(LearningAgreement, file::Attested) {
        &self.agreements[self.agreements.len() - 1]
    }
}

/// A transcript, as a plain struct and as it was signed.
struct Transcript {
    plain: DiplomaSupplement,
    signed: serde_json::Value,
    certified: file::Certified,
}

/// A stay from its beginning to its recognition.
struct Story {
    stay: Stay,
    transcript: Transcript,
    decision: papers::Decision,
    file: file::TransferFile,
}

/// What the steps measured for the figures.
#[derive(Debug, Default)]
struct Measured {
    /// Whole transfers, how long they took, and their bytes on the chain.
    transfers: usize,
    transferring: Duration,
    chain_bytes: usize,
    /// How long each verification of a whole file took, and how large the files were, in bytes.
    verifying: Vec<Duration>,
    files: Vec<usize>,
    /// The transcript as JSON, and its short form with and without the proof of issuance, in bytes.
    transcript: usize,
    code: usize,
    bare_code: usize,
    /// Credits that were moved in each transfer, in tenths.
    tenths: Vec<u64>,
}
