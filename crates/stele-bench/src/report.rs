//! The one shape of figures (docs/design/): what was measured, its goal, and beside whom.

use serde::Serialize;

use crate::machine::Machine;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Its name, the same for ever.
    pub id: &'static str,
    /// What was measured; `null` when it could not be.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: &'static str,
    /// What it should be.
    pub goal: Option<f64>,
    /// Which way is better.
    pub better: Better,
    /// Beside whom it stands.
    pub peer: Option<String>,
    /// How it was measured, or why not.
    pub note: String,
}

impl Figure {
    /// A figure without goal and peer.
    pub fn new(
        id: &'static str,
        value: f64,
        unit: &'static str,
        better: Better,
        note: impl Into<String>,
    ) -> Self {
        Self {
            id,
            value: Some(value),
            unit,
            goal: None,
            better,
            peer: None,
            note: note.into(),
        }
    }

    /// A figure that could not be measured.
    pub fn missing(
        id: &'static str,
        unit: &'static str,
        better: Better,
        why: impl Into<String>,
    ) -> Self {
        Self {
            id,
            value: None,
            unit,
            goal: None,
            better,
            peer: None,
            note: why.into(),
        }
    }

    /// Sets the goal.
    pub fn goal(mut self, goal: f64) -> Self {
        self.goal = Some(goal);
        self
    }

    /// Names the peer.
    pub fn peer(mut self, peer: impl Into<String>) -> Self {
        self.peer = Some(peer.into());
        self
    }

    /// Whether the goal is met; `None` without goal or value.
    pub fn met(&self) -> Option<bool> {
        let (value, goal) = (self.value?, self.goal?);
        Some(match self.better {
            Better::Higher => value >= goal,
            Better::Lower => value <= goal,
        })
    }
}

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The benchmark's name.
    pub bench: &'static str,
    /// The machine.
    pub machine: Machine,
    /// The commit that was built, where it is known.
    pub commit: String,
    /// The figures.
    pub figures: Vec<Figure>,
}

impl Report {
    /// The figures as a Markdown table.
    pub fn to_markdown(&self) -> String {
        let mut out = format!(
            "{}\n\n| figure | measured | goal | | how |\n|---|---:|---:|---|---|\n",
            self.machine
        );
        for figure in &self.figures {
            let number = |value: f64| match value.abs() {
                size if size >= 1000.0 => group(value),
                size if size >= 10.0 => format!("{value:.1}"),
                _ => format!("{value:.3}"),
            };
            let measured = figure.value.map_or_else(
                || "not measured".to_owned(),
                |value| format!("{} {}", number(value), figure.unit),
            );
            let goal = figure
                .goal
                .map(|goal| format!("{} {}", number(goal), figure.unit))
                .unwrap_or_default();
            let met = match figure.met() {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "",
            };
            out.push_str(&format!(
                "| `{}` | {measured} | {goal} | {met} | {} |\n",
                figure.id, figure.note
            ));
        }
        out
    }
}

fn group(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
