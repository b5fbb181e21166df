//! Scenario runs that the console starts and watches.
//!
//! A scenario is an ordinary client of this node: it gets an address and the operator's token, nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use stele_client::Client;
use utoipa::ToSchema;

/// A scenario, as the gallery shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScenarioInfo {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What it shows.
    pub purpose: String,
    /// What it takes as input.
    pub input: String,
    /// The names of its steps.
    pub steps: Vec<String>,
}

/// Something that happened in a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScenarioProgress {
    /// The step, counted from 0.
    pub step: usize,
    /// Its name.
    pub name: String,
    /// What is being done.
    pub detail: String,
}

/// Runs scenarios. The binary brings it, so that the node knows none of them.
pub trait ScenarioRunner: Send + Sync {
    /// The scenarios there are.
    fn list(&self) -> Vec<ScenarioInfo>;

    /// Runs one to its end and returns its report.
    ///
    /// # Errors
    /// Why it could not run at all; a step that fails is part of the report.
    fn run(
        &self,
        name: &str,
        client: Client,
        progress: &dyn Fn(ScenarioProgress),
    ) -> Result<Value, String>;
}

/// How a run stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunView {
    /// The run's number, from 1.
    pub run: u64,
    /// `running`, `done` or `failed`.
    pub status: &'static str,
    /// When it started, in milliseconds since 1970.
    pub started_ms: u64,
    /// The newest progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ScenarioProgress>,
    /// The report, when it is done: steps, figures, evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub report: Option<Value>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The newest run of each scenario.
#[derive(Default)]
pub struct Runs {
    runner: Option<Arc<dyn ScenarioRunner>>,
    newest: Arc<Mutex<BTreeMap<String, RunView>>>,
}

impl Runs {
    /// Runs with the binary's runner, or none.
    pub fn new(runner: Option<Arc<dyn ScenarioRunner>>) -> Self {
        Self {
            runner,
            newest: Arc::default(),
        }
    }

    /// The scenarios there are.
    pub fn list(&self) -> Vec<ScenarioInfo> {
        self.runner
            .as_ref()
            .map(|runner| runner.list())
            .unwrap_or_default()
    }

    /// The newest run of a scenario.
    pub fn newest(&self, name: &str) -> Option<RunView> {
        self.newest.lock().get(name).cloned()
    }

    /// Starts a run on a thread of its own; `None` when the scenario is unknown, `Some(Err)` when one is running already.
    pub fn start(&self, name: &str, client: Client) -> Option<Result<RunView, RunView>> {
        let runner = Arc::clone(self.runner.as_ref()?);
        runner.list().iter().find(|info| info.name == name)?;
        let mut newest = self.newest.lock();
        if let Some(running) = newest.get(name).filter(|run| run.status == "running") {
            return Some(Err(running.clone()));
        }
        let view = RunView {
            run: newest.get(name).map_or(1, |run| run.run + 1),
            status: "running",
            started_ms: stele_ledger::ledger::system_time().get(),
            progress: None,
            report: None,
            error: None,
        };
        newest.insert(name.to_owned(), view.clone());
        let (name, runs) = (name.to_owned(), Arc::clone(&self.newest));
        let work = move || {
            let note = |progress: ScenarioProgress| {
                if let Some(run) = runs.lock().get_mut(&name) {
                    run.progress = Some(progress);
                }
            };
            let result = runner.run(&name, client, &note);
            if let Some(run) = runs.lock().get_mut(&name) {
                match result {
                    Ok(report) => (run.status, run.report) = ("done", Some(report)),
                    Err(error) => (run.status, run.error) = ("failed", Some(error)),
                }
            }
        };
        std::thread::Builder::new()
            .name("stele-scenario".to_owned())
            .spawn(work)
            .expect("the system starts a thread");
        Some(Ok(view))
    }
}
