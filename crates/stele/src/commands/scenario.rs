//! `stele scenario`: listing and running scenarios, here and for the node's gallery.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use stele_client::Client;
use stele_node::{Node, NodeConfig, ScenarioInfo, ScenarioProgress, ScenarioRunner};
use stele_scenarios::{Options, Progress, ProgressState, Report, Scenario};

use crate::cli::{ScenarioArgs, ScenarioWhat};
use crate::failure::{Exit, Failure, Outcome};
use crate::printer::{Printer, Tone, clean};

/// Lists or runs scenarios.
///
/// # Errors
/// An unknown scenario, no node, a report that cannot be written. A scenario that fails is an answer: exit code 1.
pub fn run(args: &ScenarioArgs, printer: &Printer) -> Outcome {
    match &args.what {
        ScenarioWhat::List => list(printer),
        ScenarioWhat::Run {
            name,
            input,
            data,
            seed,
            output,
            url,
            token,
        } => {
            let scenario = stele_scenarios::find(name).ok_or_else(|| {
                let names: Vec<_> = stele_scenarios::all()
                    .iter()
                    .map(|scenario| scenario.name())
                    .collect();
                Failure::unusable(format!("there is no scenario `{}`", clean(name)))
                    .hint(format!("the scenarios are {}", names.join(", ")))
            })?;
            for folder in [input, data].into_iter().flatten() {
                if !folder.is_dir() {
                    return Err(Failure::unusable(format!(
                        "{} is no folder",
                        folder.display()
                    )));
                }
            }
            let report = output
                .clone()
                .unwrap_or_else(|| PathBuf::from(format!("stele-report-{name}")));
            let options = Options {
                input: input.clone(),
                data: data.clone(),
                seed: *seed,
                report,
            };
            let folder = options.report.clone();
            let report = match url {
                Some(url) => {
                    let client = Client::connect(url)?;
                    let client = token
                        .as_deref()
                        .map_or_else(|| client.clone(), |token| client.with_token(token));
                    run_on(&*scenario, client, options, printer)?
                }
                None => run_on_own_node(&*scenario, options, printer)?,
            };
            show(&report, &folder, printer)
        }
    }
}

fn list(printer: &Printer) -> Outcome {
    let scenarios: Vec<_> = stele_scenarios::all()
        .iter()
        .map(|scenario| info(&**scenario))
        .collect();
    if printer.is_json() {
        printer.json(&serde_json::to_value(&scenarios).expect("plain data"))?;
        return Ok(Exit::Done);
    }
    for scenario in &scenarios {
        printer.data(format_args!(
            "{}  {}",
            printer.word(Tone::Accent, &scenario.name),
            scenario.title
        ))?;
        printer.data(format_args!("  {}", scenario.purpose))?;
        printer.data(format_args!("  input: {}", scenario.input))?;
        printer.data(format_args!("  steps: {}", scenario.steps.join(", ")))?;
    }
    printer.hint("`stele scenario run NAME` runs one on a node of its own");
    Ok(Exit::Done)
}

fn info(scenario: &dyn Scenario) -> ScenarioInfo {
    ScenarioInfo {
        name: scenario.name().to_owned(),
        title: scenario.title().to_owned(),
        purpose: scenario.purpose().to_owned(),
        input: scenario.input().to_owned(),
        steps: scenario
            .steps()
            .iter()
            .map(|step| (*step).to_owned())
            .collect(),
    }
}

fn run_on(
    scenario: &dyn Scenario,
    client: Client,
    options: Options,
    printer: &Printer,
) -> Result<Report, Failure> {
    let bar = RefCell::new(printer.progress());
    let tell = |progress: Progress| {
        let share = (progress.index as u64, progress.steps as u64);
        match &progress.state {
            ProgressState::Started => bar.borrow_mut().update(progress.step, share.0, share.1),
            ProgressState::At { done, total } => {
                bar.borrow_mut()
                    .update(progress.step, *done as u64, *total as u64)
            }
            ProgressState::Ended { ok, detail } => {
                bar.replace(printer.progress());
                let word = if *ok { "done  " } else { "failed" };
                printer.detail(format_args!("{word} {}: {}", progress.step, clean(detail)));
            }
            ProgressState::Omitted { reason } => {
                printer.detail(format_args!("omitted {}: {}", progress.step, clean(reason)))
            }
        }
    };
    stele_scenarios::run(scenario, client, options, &tell)
        .map_err(|error| Failure::of(Exit::Unusable, &error, error.hint()))
}

/// A node in a folder that is thrown away, for one run.
fn run_on_own_node(
    scenario: &dyn Scenario,
    options: Options,
    printer: &Printer,
) -> Result<Report, Failure> {
    let folder = tempfile::Builder::new()
        .prefix("stele-scenario-")
        .tempdir()
        .map_err(Failure::io("make a folder in", std::env::temp_dir()))?;
    let config = NodeConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        network_name: format!("Run of the scenario {}", scenario.name()),
        ..NodeConfig::new(folder.path().join("node"))
    };
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::unusable("could not start the runtime").because(&error))?;
    let node = runtime.block_on(Node::start(config, None))?;
    printer.detail(format_args!("a node of its own at {}", node.url()));
    let result = Client::connect(node.url())
        .map_err(Failure::from)
        .and_then(|client| run_on(scenario, client.with_token(node.token()), options, printer));
    let closed = runtime.block_on(node.shutdown());
    let report = result?;
    closed?;
    Ok(report)
}

fn show(report: &Report, folder: &Path, printer: &Printer) -> Outcome {
    let json = report.to_json(Some(folder));
    if printer.is_json() {
        printer.json(&json)?;
    } else {
        text(report, &json, folder, printer)?;
    }
    let skipped = report.skip_reason.is_some();
    Ok(if report.ok() && !skipped {
        Exit::Done
    } else {
        Exit::No
    })
}

fn text(report: &Report, json: &Json, folder: &Path, printer: &Printer) -> Result<(), Failure> {
    let (tone, word) = match (&report.skip_reason, report.ok()) {
        (Some(_), _) => (Tone::Accent, "skipped"),
        (None, true) => (Tone::Good, "passed"),
        (None, false) => (Tone::Bad, "failed"),
    };
    printer.data(format_args!(
        "{} {}: {}",
        printer.word(tone, word),
        report.scenario,
        report.title
    ))?;
    if let Some(reason) = &report.skip_reason {
        printer.data(format_args!("  {}", clean(reason)))?;
    }
    for step in &report.steps {
        let mark = if step.ok {
            printer.word(Tone::Good, "done  ")
        } else {
            printer.word(Tone::Bad, "failed")
        };
        printer.data(format_args!(
            "  {mark} {:<14} {}",
            step.name,
            clean(&step.detail)
        ))?;
    }
    for (name, reason) in &report.omitted {
        printer.data(format_args!("  omitted {name:<13} {}", clean(reason)))?;
    }
    for figure in json["figures"].as_array().into_iter().flatten() {
        let text = |member: &str| figure[member].as_str().unwrap_or_default().to_owned();
        printer.data(format_args!(
            "  {:<28} {} {}",
            text("id"),
            figure["value"],
            text("unit")
        ))?;
    }
    printer.data(format_args!(
        "  {} receipts; report {}",
        report.evidence.len(),
        folder.join("index.html").display()
    ))?;
    if let Some(first) = report.evidence.first() {
        let (receipt, network) = (folder.join(&first.file), folder.join("network.json"));
        printer.hint(format_args!(
            "stele verify {} --network {}",
            receipt.display(),
            network.display()
        ));
    }
    Ok(())
}

/// Runs scenarios for the node's gallery. Reports go into the node's folder, so that they outlive the run.
#[derive(Debug)]
pub struct GalleryRunner {
    /// The folder of reports.
    pub reports: PathBuf,
}

impl ScenarioRunner for GalleryRunner {
    fn list(&self) -> Vec<ScenarioInfo> {
        stele_scenarios::all()
            .iter()
            .map(|scenario| info(&**scenario))
            .collect()
    }

    fn run(
        &self,
        name: &str,
        client: Client,
        progress: &dyn Fn(ScenarioProgress),
    ) -> Result<Json, String> {
        let scenario =
            stele_scenarios::find(name).ok_or_else(|| format!("there is no scenario {name}"))?;
        let folder = self.reports.join(name);
        let options = Options {
            report: folder.clone(),
            ..Options::default()
        };
        let tell = |at: Progress| {
            let detail = match &at.state {
                ProgressState::Started => "begins".to_owned(),
                ProgressState::At { done, total } => format!("{done} of {total}"),
                ProgressState::Ended { detail, .. } => detail.clone(),
                ProgressState::Omitted { reason } => format!("omitted: {reason}"),
            };
            progress(ScenarioProgress {
                step: at.index,
                name: at.step.to_owned(),
                detail,
            });
        };
        let report = stele_scenarios::run(&*scenario, client, options, &tell)
            .map_err(|error| error.to_string())?;
        let mut json = report.to_json(None);
        // The node serves the run's files from there.
        json["folder"] = folder.display().to_string().into();
        Ok(json)
    }
}
