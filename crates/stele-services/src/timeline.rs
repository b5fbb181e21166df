//! A case's timeline for the citizen: what happened, what comes, in plain sentences.

use serde::Serialize;
use stele_core::id::TimeMs;
use stele_registers::service::Status;
use stele_registers::service::calendar::Day;

use crate::case::Case;
use crate::deadlines::{Deadline, DeadlineKind, deadlines};
use crate::definition::Definition;
use crate::file::Language;
use crate::history::{CaseEvent, Fact, ReplayError};
use crate::words::{self, Says};

/// Where a line lies in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// An event of the chain.
    Happened,
    /// What the law has made of the events by now, though no event says so.
    ByLaw,
    /// What is still to come.
    Coming,
}

/// A line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimelineLine {
    /// Where it lies in time.
    pub when: When,
    /// The local date, as `2026-12-25`.
    pub date: String,
    /// For an event its instant, in ms since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
    /// What happened, or comes.
    pub sentence: String,
}

fn iso(day: Day) -> String {
    let (year, month, date) = day.date();
    format!("{year:04}-{month:02}-{date:02}")
}

/// The timeline of a case as it looks at `now`, oldest line first.
///
/// # Errors
/// [`ReplayError`] names the first event that cannot be.
pub fn timeline(
    definition: &Definition,
    events: &[CaseEvent],
    language: Language,
    now: TimeMs,
) -> Result<Vec<TimelineLine>, ReplayError> {
    // An empty history has no lines, but it is no history either: `replay` says so.
    let case = crate::case::replay(definition, events)?;
    let mut lines = Vec::with_capacity(events.len() + 2);
    let mut before: Option<Case> = None;
    for event in events {
        let after = match before {
            None => Case::open(definition, event),
            Some(mut case) => case.apply(definition, event).map(|()| case),
        };
        // The same events have been replayed without an error.
        let Ok(after) = after else { break };
        let says = Says {
            definition,
            language,
        };
        lines.push(TimelineLine {
            when: When::Happened,
            date: iso(definition.calendar().day_of(TimeMs::new(event.time))),
            time: Some(event.time),
            sentence: happened(says, &event.fact, &after),
        });
        before = Some(after);
    }
    let says = Says {
        definition,
        language,
    };
    lines.extend(ahead(says, &case, now));
    Ok(lines)
}

fn happened(says: Says<'_>, fact: &Fact, after: &Case) -> String {
    let due = after.clock.last_day(says.definition.rules());
    match fact {
        Fact::Opened { office, .. } => says.opened(office, due),
        Fact::Requested { items } => says.requested(items, after.clock.stopped.is_some()),
        Fact::Supplied { items } => says.supplied(items, after.missing.len(), due),
        Fact::Confirmed => says.confirmed(),
        Fact::Extended { .. } => says.extended(due),
        Fact::HandedOver { to } => says.handed_over(to, after.step),
        Fact::Decided { outcome } => {
            let decided = after.decision.as_ref().map(|(time, _)| *time);
            let appeal = decided.and_then(|time| says.definition.rules().appeal_last_day(time));
            says.decided(outcome, appeal)
        }
        Fact::Deemed => says.deemed(),
        Fact::Appealed => says.appealed(),
        Fact::Settled { outcome } => says.settled(outcome),
        Fact::Withdrawn => says.withdrawn(),
        Fact::Closed => says.closed(),
    }
}

/// What the law has made of the case, and the deadlines ahead.
fn ahead(says: Says<'_>, case: &Case, now: TimeMs) -> Vec<TimelineLine> {
    let definition = says.definition;
    let granted = case.status.is_pending() && case.is_granted_by_silence(definition, now);
    let line = |deadline: &Deadline| {
        let by_law = granted && deadline.kind == DeadlineKind::Decide;
        let (when, sentence) = if by_law {
            (When::ByLaw, says.granted_by_law())
        } else if deadline.is_over {
            (When::ByLaw, says.overdue(deadline.kind, deadline.last_day))
        } else {
            let deemed = definition.rules().deemed;
            (
                When::Coming,
                says.coming(deadline.kind, deadline.last_day, deemed),
            )
        };
        TimelineLine {
            when,
            date: iso(deadline.last_day.plus(u64::from(deadline.is_over))),
            time: None,
            sentence,
        }
    };
    let mut found = deadlines(definition, case, now);
    if granted {
        found.retain(|deadline| deadline.kind == DeadlineKind::Decide);
    }
    found.sort_by_key(|deadline| deadline.last_day);
    let mut lines: Vec<_> = found.iter().map(line).collect();
    if case.status == Status::Appealed {
        let day = definition.calendar().day_of(now);
        lines.push(TimelineLine {
            when: When::Coming,
            date: iso(day),
            time: None,
            sentence: words::appeal_open(says.language).to_owned(),
        });
    }
    lines
}
