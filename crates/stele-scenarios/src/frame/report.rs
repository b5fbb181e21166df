//! What a run leaves behind, as data.

use std::time::Duration;

use serde_json::{Value as Json, json};
use stele_core::receipt::NetworkDescriptor;

/// A step that was taken, or not reached.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Its declared name.
    pub name: &'static str,
    /// Whether everything in it held.
    pub ok: bool,
    /// What it did, or why it failed, in a sentence.
    pub detail: String,
    /// How long it took; `None` when it was not reached.
    pub took: Option<Duration>,
    /// What the page shows under it.
    pub blocks: Vec<Block>,
}

/// A measured number.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Kebab-case, the same for ever.
    pub id: &'static str,
    /// The number.
    pub value: f64,
    /// Its unit, such as `ms` or `events/s`.
    pub unit: &'static str,
    /// What it should reach, if anything.
    pub goal: Option<f64>,
    /// `higher` or `lower`: which way is better.
    pub better: &'static str,
    /// What another system reaches, in words.
    pub peer: Option<String>,
    /// How it was measured.
    pub note: String,
}

impl Figure {
    /// Whether the goal is reached; `None` without a goal.
    pub fn reached(&self) -> Option<bool> {
        let goal = self.goal?;
        Some(if self.better == "higher" {
            self.value >= goal
        } else {
            self.value <= goal
        })
    }
}

/// A claim and the receipt that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What is proven, in a sentence.
    pub claim: String,
    /// The receipt's file name within the report's folder.
    pub file: String,
    /// The step that produced it.
    pub step: &'static str,
    /// Its size, in bytes.
    pub bytes: usize,
    /// The log index of the proven entry, or the block under which a state is proven.
    pub place: String,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// An identifier, set in a fixed width.
    Code(String),
    /// Words that link to a file of the report.
    Link(String, String),
    /// Held: shown with a tick.
    Good(String),
    /// Refused or recalled: shown in the colour of refusals.
    Bad(String),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A part of a stacked bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it counts.
    pub label: String,
    /// How many.
    pub count: u64,
}

/// A line over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it shows.
    pub label: String,
    /// Time of day or similar, and value.
    pub points: Vec<(String, f64)>,
}

/// Something to show on the page below a step. The JSON report has the steps' details instead.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A table.
    Table {
        /// What it shows.
        caption: String,
        /// Its header.
        head: Vec<&'static str>,
        /// Its rows, each as long as the header.
        rows: Vec<Vec<Cell>>,
    },
    /// What happened, in order: when, what, where and by whom, and the proof's file.
    Timeline {
        /// What it shows.
        caption: String,
        /// When, what, where and by whom, proof.
        stops: Vec<(String, String, String, Option<String>)>,
    },
    /// Parts of a whole.
    Shares {
        /// What it shows.
        caption: String,
        /// The parts.
        bars: Vec<Bar>,
    },
    /// A small line chart.
    Chart {
        /// What it shows.
        caption: String,
        /// The unit of its values.
        unit: &'static str,
        /// The band that values should stay in.
        band: Option<(f64, f64)>,
        /// The lines.
        curves: Vec<Curve>,
    },
}

/// What a run leaves behind.
#[derive(Debug, Clone)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it shows.
    pub purpose: &'static str,
    /// Why it was skipped; `None` when it ran.
    pub skip_reason: Option<String>,
    /// All declared steps; those after a failed one were not reached.
    pub steps: Vec<StepReport>,
    /// Declared steps that had nothing to do, and why.
    pub omitted: Vec<(&'static str, String)>,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What was proven.
    pub evidence: Vec<Evidence>,
    /// What the input was, in a sentence.
    pub input: String,
    /// The seed of all that was generated.
    pub seed: u64,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// When it ended.
    pub finished_ms: u64,
    /// The network it ran on.
    pub network: NetworkDescriptor,
}

impl Report {
    /// Whether it ran and everything held.
    pub fn ok(&self) -> bool {
        self.skip_reason.is_none() && self.steps.iter().all(|step| step.ok)
    }

    /// The report in the shape that all scenarios share. `receipt` is `folder` joined with the receipt's file name, so that
    /// `stele verify` takes it from where the caller stands; with `None` it is the bare file name.
    pub fn to_json(&self, folder: Option<&std::path::Path>) -> Json {
        let place = |file: &str| match folder {
            Some(folder) => folder.join(file).display().to_string(),
            None => file.to_owned(),
        };
        let steps: Vec<Json> = self
            .steps
            .iter()
            .map(|step| json!({"name": step.name, "ok": step.ok, "detail": step.detail}))
            .collect();
        let figures: Vec<Json> = self.figures.iter().map(figure_json).collect();
        let evidence: Vec<Json> = self
            .evidence
            .iter()
            .map(|item| json!({"claim": item.claim, "receipt": place(&item.file)}))
            .collect();
        let omitted: Vec<Json> = self
            .omitted
            .iter()
            .map(|(name, reason)| json!({"name": name, "reason": reason}))
            .collect();
        json!({
            "scenario": self.scenario,
            "ok": self.ok(),
            "skipped": self.skip_reason.is_some(),
            "steps": steps,
            "figures": figures,
            "evidence": evidence,
            "skip_reason": self.skip_reason,
            "omitted": omitted,
            "input": self.input,
            "seed": self.seed,
            "started_ms": self.started_ms,
            "finished_ms": self.finished_ms,
            "network": network_json(&self.network),
            "network_file": place("network.json"),
            "page": place("index.html"),
        })
    }
}

fn figure_json(figure: &Figure) -> Json {
    json!({
        "id": figure.id,
        "value": rounded(figure.value),
        "unit": figure.unit,
        "goal": figure.goal.map(rounded),
        "better": figure.better,
        "peer": figure.peer,
        "note": figure.note,
    })
}

/// At most three decimals: no timer is better than that. A whole number is written as one.
fn rounded(value: f64) -> Json {
    let value = (value * 1000.0).round() / 1000.0;
    if value.fract() == 0.0 && value.abs() < 9e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// A network descriptor as docs/format.md section 8 writes it.
pub(crate) fn network_json(network: &NetworkDescriptor) -> Json {
    json!({
        "format": "stele-network/1",
        "name": network.name,
        "network_id": network.network.to_string(),
        "key": hex::encode(network.key.to_cose_key()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_written_whole() {
        assert_eq!(rounded(2048.0), json!(2048));
        assert_eq!(rounded(0.12345), json!(0.123));
    }

    #[test]
    fn a_goal_is_reached_in_its_direction() {
        let mut figure = Figure {
            id: "x",
            value: 3.0,
            unit: "ms",
            goal: Some(2.0),
            better: "lower",
            peer: None,
            note: String::new(),
        };
        assert_eq!(figure.reached(), Some(false));
        figure.better = "higher";
        assert_eq!(figure.reached(), Some(true));
        figure.goal = None;
        assert_eq!(figure.reached(), None);
    }
}
