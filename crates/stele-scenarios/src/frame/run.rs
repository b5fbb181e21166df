//! One run: what a scenario gets to do its work, and the clock, counters and files behind it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stele_client::Client;
use stele_core::receipt::{Verified, verify};

use super::actor::Finality;
use super::folder::Folder;
use super::report::{Block, Evidence, Figure, Report, StepReport};
use super::{Scenario, ScenarioError};

/// What the caller of a run chooses.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A folder of the user's own input (`--input`). What is named here must be usable.
    pub input: Option<PathBuf>,
    /// A folder that holds the data sets (`--data`); see [`crate::data`].
    pub data: Option<PathBuf>,
    /// The seed of all that is generated; drawn at random when left out.
    pub seed: Option<u64>,
    /// Where the report goes: a folder, made if it is missing; what an earlier run left there is replaced.
    pub report: PathBuf,
}

/// How a step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressState {
    /// It begins.
    Started,
    /// So much of it is done.
    At {
        /// How many are done.
        done: usize,
        /// Of how many.
        total: usize,
    },
    /// It ended.
    Ended {
        /// Whether everything in it held.
        ok: bool,
        /// What it did, or why it failed.
        detail: String,
    },
    /// It had nothing to do.
    Omitted {
        /// Why.
        reason: String,
    },
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The step's declared name.
    pub step: &'static str,
    /// Its number, from 0.
    pub index: usize,
    /// How many steps there are.
    pub steps: usize,
    /// How it stands.
    pub state: ProgressState,
}

/// What a scenario gets to do its work.
pub struct Run<'a> {
    client: Client,
    options: Options,
    seed: u64,
    declared: &'static [&'static str],
    next: usize,
    current: &'static str,
    folder: Folder,
    steps: Vec<StepReport>,
    omitted: Vec<(&'static str, String)>,
    blocks: Vec<Block>,
    figures: Vec<Figure>,
    evidence: Vec<Evidence>,
    input: String,
    finality: Finality,
    verified: Vec<Duration>,
    bytes: Vec<usize>,
    progress: &'a dyn Fn(Progress),
}

/// Runs a scenario to its end and writes its report. A step that fails is part of the report, and so is a scenario that could
/// not begin.
///
/// # Errors
/// [`ScenarioError::Write`] when the report cannot be written.
pub fn run(
    scenario: &dyn Scenario,
    client: Client,
    options: Options,
    progress: &dyn Fn(Progress),
) -> Result<Report, ScenarioError> {
    let started_ms = now_ms();
    let seed = options.seed.unwrap_or_else(random);
    let network = client.network().clone();
    let folder = Folder::create(&options.report)?;
    let mut run = Run {
        client,
        seed,
        declared: scenario.steps(),
        next: 0,
        current: "",
        folder,
        steps: Vec::new(),
        omitted: Vec::new(),
        blocks: Vec::new(),
        figures: Vec::new(),
        evidence: Vec::new(),
        input: String::new(),
        finality: Finality::default(),
        verified: Vec::new(),
        bytes: Vec::new(),
        options,
        progress,
    };
    let result = scenario.run(&mut run);
    let skip_reason = run.close(result)?;
    let report = Report {
        scenario: scenario.name(),
        title: scenario.title(),
        purpose: scenario.purpose(),
        skip_reason,
        steps: run.steps,
        omitted: run.omitted,
        figures: run.figures,
        evidence: run.evidence,
        input: run.input,
        seed,
        started_ms,
        finished_ms: now_ms(),
        network,
    };
    run.folder.write_report(&report)?;
    Ok(report)
}

impl Run<'_> {
    /// The node, with the operator's token where the caller has it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The seed of all that is generated.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The folder of the user's own input.
    pub fn input(&self) -> Option<&Path> {
        self.options.input.as_deref()
    }

    /// The folder that holds the data sets, if the caller named one.
    pub fn data(&self) -> Option<&Path> {
        self.options.data.as_deref()
    }

    /// Says what the input is, for the report.
    pub fn describe_input(&mut self, words: impl Into<String>) {
        self.input = words.into();
    }

    /// Takes the next declared step. `work` returns its result and the step's detail, a sentence with what it did. An error
    /// marks the step as failed and is handed on.
    ///
    /// # Errors
    /// Those of `work`.
    ///
    /// # Panics
    /// When `name` is not the next declared step: the scenario contradicts itself.
    pub fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Self) -> Result<(T, String), ScenarioError>,
    ) -> Result<T, ScenarioError> {
        self.advance(name);
        self.tell(ProgressState::Started);
        let begin = Instant::now();
        let result = work(self);
        let took = begin.elapsed();
        let (ok, detail, result) = match result {
            Ok((value, detail)) => (true, detail, Ok(value)),
            Err(error) => (false, error.to_string(), Err(error)),
        };
        let blocks = std::mem::take(&mut self.blocks);
        self.steps.push(StepReport {
            name,
            ok,
            detail: detail.clone(),
            took: Some(took),
            blocks,
        });
        self.tell(ProgressState::Ended { ok, detail });
        self.next += 1;
        result
    }

    /// Passes over the next declared step, which has nothing to do.
    ///
    /// # Panics
    /// As [`Run::step`].
    pub fn omit(&mut self, name: &'static str, reason: impl Into<String>) {
        self.advance(name);
        let reason = reason.into();
        self.tell(ProgressState::Omitted {
            reason: reason.clone(),
        });
        self.omitted.push((name, reason));
        self.next += 1;
    }

    /// Says how far the present step is.
    pub fn at(&self, done: usize, total: usize) {
        self.tell(ProgressState::At { done, total });
    }

    /// Shows something on the page, below the present step.
    pub fn show(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// Adds a figure.
    pub fn figure(&mut self, figure: Figure) {
        assert!(
            figure.better == "higher" || figure.better == "lower",
            "{} says which way is better",
            figure.id
        );
        self.figures.push(figure);
    }

    /// Verifies a receipt under the network's key and keeps it as the proof of `claim`. Returns what it proves and the name of
    /// its file.
    ///
    /// # Errors
    /// [`ScenarioError::Receipt`] when it does not verify, [`ScenarioError::Write`].
    pub fn evidence(
        &mut self,
        claim: impl Into<String>,
        receipt: &[u8],
    ) -> Result<(Verified, String), ScenarioError> {
        let claim = claim.into();
        let verified = self.verify(&claim, receipt)?;
        let file = self
            .folder
            .write_receipt(self.evidence.len() + 1, &claim, receipt)?;
        let place = match &verified.entry {
            Some(entry) => format!("entry {}", entry.log_index),
            None => format!("block {}", verified.certificate.header.height),
        };
        let step = self.current;
        self.evidence.push(Evidence {
            claim,
            file: file.clone(),
            step,
            bytes: receipt.len(),
            place,
        });
        Ok((verified, file))
    }

    /// Verifies a receipt under the network's key without keeping it.
    ///
    /// # Errors
    /// [`ScenarioError::Receipt`].
    pub fn verify(&mut self, claim: &str, receipt: &[u8]) -> Result<Verified, ScenarioError> {
        let begin = Instant::now();
        let verified = verify(receipt, self.client.network());
        self.verified.push(begin.elapsed());
        self.bytes.push(receipt.len());
        verified.map_err(|source| ScenarioError::Receipt {
            claim: claim.to_owned(),
            source,
        })
    }

    /// Writes a file beside the report, such as a generated document, and returns its name.
    ///
    /// # Errors
    /// [`ScenarioError::Write`].
    pub fn keep(&mut self, file: &str, bytes: &[u8]) -> Result<(), ScenarioError> {
        self.folder.write(file, bytes)
    }

    /// The times from submission to finality so far.
    pub fn finality(&mut self) -> &mut Finality {
        &mut self.finality
    }

    /// How long each verification took, and the size of each receipt.
    pub fn receipts(&self) -> (&[Duration], &[usize]) {
        (&self.verified, &self.bytes)
    }

    /// Fails unless something holds.
    ///
    /// # Errors
    /// [`ScenarioError::Broken`].
    pub fn check(
        &self,
        holds: bool,
        expected: &str,
        found: impl FnOnce() -> String,
    ) -> Result<(), ScenarioError> {
        if holds {
            Ok(())
        } else {
            Err(ScenarioError::broken(expected, found()))
        }
    }

    fn advance(&mut self, name: &'static str) {
        let declared = self.declared.get(self.next).copied();
        assert_eq!(
            declared,
            Some(name),
            "the scenario declares this as its next step"
        );
        self.current = name;
    }

    fn tell(&self, state: ProgressState) {
        let (step, index, steps) = (self.current, self.next, self.declared.len());
        (self.progress)(Progress {
            step,
            index,
            steps,
            state,
        });
    }

    /// Marks the steps that were not reached. Returns why the run was skipped, if it was.
    fn close(
        &mut self,
        result: Result<(), ScenarioError>,
    ) -> Result<Option<String>, ScenarioError> {
        match result {
            Ok(()) => {
                assert_eq!(
                    self.next,
                    self.declared.len(),
                    "the scenario took all its steps"
                );
                Ok(None)
            }
            Err(ScenarioError::Skipped(reason)) => Ok(Some(reason)),
            Err(error @ ScenarioError::Write { .. }) => Err(error),
            Err(error) => {
                // An error between two steps belongs to the one that it kept from beginning.
                let failed = self.steps.iter().any(|step| !step.ok);
                for (place, name) in self.declared[self.next..].iter().enumerate() {
                    let detail = match place {
                        0 if !failed => error.to_string(),
                        _ => "not reached".to_owned(),
                    };
                    let blocks = Vec::new();
                    self.steps.push(StepReport {
                        name,
                        ok: false,
                        detail,
                        took: None,
                        blocks,
                    });
                }
                Ok(None)
            }
        }
    }
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64
}

/// 48 bits: a seed that JSON readers and people can handle.
fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    u64::from_le_bytes(bytes) >> 16
}
