//! Deadlines of a case and the reminders before them, derived from its events at any time.

use stele_core::id::TimeMs;
use stele_registers::service::Status;
use stele_registers::service::calendar::Day;

use crate::case::Case;
use crate::definition::Definition;
use crate::file::RemindOf;

/// Which period ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadlineKind {
    /// The office's, to decide.
    Decide,
    /// The applicant's, to supply what is missing.
    Supply,
    /// The applicant's, to appeal.
    Appeal,
}

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressee {
    /// The office that handles the case.
    Office,
    /// The applicant.
    Applicant,
}

impl DeadlineKind {
    /// Who has to act.
    pub fn addressee(self) -> Addressee {
        match self {
            Self::Decide => Addressee::Office,
            Self::Supply | Self::Appeal => Addressee::Applicant,
        }
    }
}

/// A deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// Which period ends.
    pub kind: DeadlineKind,
    /// Its last day.
    pub last_day: Day,
    /// The first instant after it.
    pub due: TimeMs,
    /// Whether it is past.
    pub is_over: bool,
    /// Days from today to the last day; 0 on the last day and after.
    pub days_left: u64,
}

/// A reminder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminder {
    /// Of what.
    pub deadline: Deadline,
    /// The day of the reminder.
    pub on: Day,
    /// Whether that day has come.
    pub has_come: bool,
}

/// The deadlines of a case at `now`: those that run, and the office's when it is over.
pub fn deadlines(definition: &Definition, case: &Case, now: TimeMs) -> Vec<Deadline> {
    let (rules, calendar) = (definition.rules(), definition.calendar());
    let today = calendar.day_of(now);
    let deadline = |kind, last_day: Day| {
        let due = calendar.due(last_day);
        Deadline {
            kind,
            last_day,
            due,
            is_over: now >= due,
            days_left: last_day.get().saturating_sub(today.get()),
        }
    };
    let mut found = Vec::new();
    if let (true, Some(day)) = (case.status.is_pending(), case.clock.last_day(rules)) {
        found.push(deadline(DeadlineKind::Decide, day));
    }
    let supply = definition.file().periods.supply.as_ref();
    if let (Status::Waiting, Some(asked), Some(span)) = (case.status, case.asked, supply) {
        let day = definition.last_day(asked, span);
        found.push(deadline(DeadlineKind::Supply, day));
    }
    if let (Status::Decided, Some((decided, _))) = (case.status, &case.decision)
        && let Some(day) = rules.appeal_last_day(*decided)
    {
        found.push(deadline(DeadlineKind::Appeal, day));
    }
    found
}

/// The reminders that the definition wants before the deadlines of a case, ascending; none for what is past.
pub fn reminders(definition: &Definition, case: &Case, now: TimeMs) -> Vec<Reminder> {
    let today = definition.calendar().day_of(now);
    let running = deadlines(definition, case, now);
    let wanted = definition.file().periods.reminders.iter();
    let mut found: Vec<_> = wanted
        .flat_map(|reminder| {
            let kind = match reminder.of {
                RemindOf::Decide => DeadlineKind::Decide,
                RemindOf::Supply => DeadlineKind::Supply,
                RemindOf::Appeal => DeadlineKind::Appeal,
            };
            let matching = running
                .iter()
                .filter(move |one| one.kind == kind && !one.is_over);
            matching.map(|deadline| {
                let on = Day::new(deadline.last_day.get().saturating_sub(reminder.days_before));
                Reminder {
                    deadline: *deadline,
                    on,
                    has_come: today >= on,
                }
            })
        })
        .collect();
    found.sort_by_key(|reminder| reminder.on);
    found
}
