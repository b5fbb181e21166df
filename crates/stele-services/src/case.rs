//! A case, replayed from its events.
//!
//! The events are those of the register `service`, whichever way they came: from a node, from receipts, or from an
//! office's own file. A case is judged by the version of the definition under which it was opened; replaying it under
//! another one is an error, not another answer.

use std::collections::BTreeSet;

use stele_core::id::TimeMs;
use stele_registers::service::clock::Clock;
use stele_registers::service::{APPEAL_OUTCOMES, OUTCOMES, Status};

use crate::definition::Definition;
use crate::history::{CaseEvent, Fact, Illegal, ReplayError};

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The version that judges it.
    pub version: u64,
    /// The DID of the office that handles it.
    pub office: String,
    /// The step of the definition that it is at.
    pub step: usize,
    /// Its state.
    pub status: Status,
    /// What the applicant owes.
    pub missing: BTreeSet<String>,
    /// Whether the office has confirmed that nothing is missing.
    pub complete: bool,
    /// When the application was received.
    pub opened: TimeMs,
    /// When the last thing that the office had asked for came in.
    pub received: TimeMs,
    /// When the office last asked for something.
    pub asked: Option<TimeMs>,
    /// The period for the decision.
    pub clock: Clock,
    /// When and what the office decided.
    pub decision: Option<(TimeMs, String)>,
    /// What came of the appeal.
    pub settlement: Option<String>,
    /// When something last happened.
    pub latest: TimeMs,
}

impl Case {
    /// A case that begins with this event.
    ///
    /// # Errors
    /// [`Illegal`] unless it is a receipt under the definition's own version.
    pub fn open(definition: &Definition, event: &CaseEvent) -> Result<Self, Illegal> {
        let Fact::Opened { version, office } = &event.fact else {
            return Err(Illegal::NotOneBeginning);
        };
        let own = definition.file().version;
        if *version != own {
            return Err(Illegal::OtherVersion {
                case: *version,
                definition: own,
            });
        }
        let now = TimeMs::new(event.time);
        let mut case = Self {
            version: own,
            office: office.clone(),
            step: 0,
            status: Status::Open,
            missing: BTreeSet::new(),
            complete: false,
            opened: now,
            received: now,
            asked: None,
            clock: Clock::start(now, definition.rules()),
            decision: None,
            settlement: None,
            latest: now,
        };
        case.find_step(definition, 0);
        Ok(case)
    }

    /// The step that the present office does, from `first` on; the present step if the definition does not know the office.
    fn find_step(&mut self, definition: &Definition, first: usize) {
        let file = definition.file();
        let mut offices = file.offices.iter();
        let office = offices.find(|office| office.party.as_deref() == Some(&self.office));
        let Some(office) = office else {
            return;
        };
        let is_its = |step: &usize| file.steps[*step].office == office.code;
        let later = (first..file.steps.len()).find(is_its);
        if let Some(step) = later.or_else(|| (0..file.steps.len()).find(is_its)) {
            self.step = step;
        }
    }

    /// Whether silence has granted the application at `now`, recorded or not.
    pub fn is_granted_by_silence(&self, definition: &Definition, now: TimeMs) -> bool {
        let rules = definition.rules();
        let running_out = self.status.is_pending() && rules.deemed;
        self.status == Status::Deemed || running_out && self.clock.is_over(now, rules)
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`Illegal`]; the case is then as it was.
    pub fn apply(&mut self, definition: &Definition, event: &CaseEvent) -> Result<(), Illegal> {
        let mut next = self.clone();
        next.step_on(definition, event)?;
        *self = next;
        Ok(())
    }

    fn pending(&self, definition: &Definition, now: TimeMs) -> Result<(), Illegal> {
        ensure(self.status.is_pending(), Illegal::NotPending)?;
        ensure(
            !self.is_granted_by_silence(definition, now),
            Illegal::GrantedByLaw,
        )
    }

    fn step_on(&mut self, definition: &Definition, event: &CaseEvent) -> Result<(), Illegal> {
        let (now, rules) = (TimeMs::new(event.time), definition.rules());
        let own = definition.file().version;
        ensure(
            self.version == own,
            Illegal::OtherVersion {
                case: self.version,
                definition: own,
            },
        )?;
        ensure(now >= self.latest, Illegal::TimeRunsBack)?;
        self.latest = now;
        match &event.fact {
            Fact::Opened { .. } => return Err(Illegal::NotOneBeginning),
            Fact::Requested { items } => {
                self.pending(definition, now)?;
                self.request(definition, items, now)?;
            }
            Fact::Supplied { items } => {
                self.pending(definition, now)?;
                for item in items {
                    let owed = self.missing.remove(item);
                    ensure(owed, Illegal::NotMissing(item.clone()))?;
                }
                if self.missing.is_empty() {
                    self.status = Status::Open;
                    self.received = now;
                    self.clock.resume(now, rules);
                }
            }
            Fact::Confirmed => {
                self.pending(definition, now)?;
                ensure(!self.complete, Illegal::Complete)?;
                ensure(self.missing.is_empty(), Illegal::StillMissing)?;
                self.complete = true;
            }
            Fact::Extended { count } => {
                self.pending(definition, now)?;
                let running = self.clock.due(rules).is_some_and(|due| now < due);
                let allowed = (1..=rules.extension_max).contains(count);
                let once = self.clock.extension == 0;
                ensure(running && allowed && once, Illegal::NoExtension)?;
                self.clock.extension = *count;
            }
            Fact::HandedOver { to } => {
                self.pending(definition, now)?;
                ensure(*to != self.office, Illegal::SameOffice)?;
                self.office.clone_from(to);
                self.find_step(definition, self.step + 1);
            }
            Fact::Decided { outcome } => {
                self.pending(definition, now)?;
                known(outcome, OUTCOMES)?;
                self.status = Status::Decided;
                self.missing.clear();
                self.decision = Some((now, outcome.clone()));
            }
            Fact::Withdrawn => {
                self.pending(definition, now)?;
                self.status = Status::Withdrawn;
            }
            Fact::Deemed => {
                ensure(self.status.is_pending(), Illegal::NotPending)?;
                ensure(rules.deemed, Illegal::NotDeemed)?;
                ensure(self.clock.is_over(now, rules), Illegal::NotDue)?;
                self.status = Status::Deemed;
            }
            Fact::Appealed => {
                let decided = match (self.status, &self.decision) {
                    (Status::Decided, Some((time, _))) => *time,
                    _ => return Err(Illegal::NoDecision),
                };
                let due = rules.appeal_due(decided).ok_or(Illegal::NoAppeal)?;
                ensure(now < due, Illegal::AppealOver)?;
                self.status = Status::Appealed;
            }
            Fact::Settled { outcome } => {
                ensure(self.status == Status::Appealed, Illegal::NoOpenAppeal)?;
                known(outcome, APPEAL_OUTCOMES)?;
                self.status = Status::Settled;
                self.settlement = Some(outcome.clone());
            }
            Fact::Closed => {
                ensure(self.is_at_end(definition, now), Illegal::CannotClose)?;
                self.status = Status::Closed;
            }
        }
        Ok(())
    }

    fn request(
        &mut self,
        definition: &Definition,
        items: &[String],
        now: TimeMs,
    ) -> Result<(), Illegal> {
        let rules = definition.rules();
        ensure(!self.complete, Illegal::Complete)?;
        for (index, item) in items.iter().enumerate() {
            let fits = rules.items.contains(item) && !items[..index].contains(item);
            ensure(fits, Illegal::UnknownItem(item.clone()))?;
        }
        let in_time = rules.check_due(self.received).is_none_or(|due| now < due);
        ensure(in_time, Illegal::CheckOver)?;
        self.clock.stop(now, rules);
        self.status = Status::Waiting;
        self.asked = Some(now);
        self.missing.extend(items.iter().cloned());
        Ok(())
    }

    fn is_at_end(&self, definition: &Definition, now: TimeMs) -> bool {
        match (self.status, &self.decision) {
            (Status::Withdrawn | Status::Deemed | Status::Settled, _) => true,
            (Status::Decided, Some((time, _))) => {
                let due = definition.rules().appeal_due(*time);
                due.is_none_or(|due| now >= due)
            }
            _ => false,
        }
    }
}

fn ensure(holds: bool, otherwise: Illegal) -> Result<(), Illegal> {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn known(outcome: &str, outcomes: &[&str]) -> Result<(), Illegal> {
    ensure(
        outcomes.contains(&outcome),
        Illegal::UnknownOutcome(outcome.to_owned()),
    )
}

/// The case that these events make.
///
/// # Errors
/// [`ReplayError`] names the first event that cannot be.
pub fn replay(definition: &Definition, events: &[CaseEvent]) -> Result<Case, ReplayError> {
    let at = |index| move |illegal| ReplayError { index, illegal };
    let first = events
        .first()
        .ok_or(Illegal::NotOneBeginning)
        .map_err(at(0))?;
    let mut case = Case::open(definition, first).map_err(at(0))?;
    for (index, event) in events.iter().enumerate().skip(1) {
        case.apply(definition, event).map_err(at(index))?;
    }
    Ok(case)
}

/// What the applicant, the office and anybody may do at `now`, as commands of the register.
pub fn choices(definition: &Definition, case: &Case, now: TimeMs) -> Vec<&'static str> {
    let rules = definition.rules();
    let some_item = rules.items.iter().take(1).cloned().collect::<Vec<_>>();
    let candidates = [
        (
            "case.supply",
            Fact::Supplied {
                items: case.missing.iter().cloned().collect(),
            },
        ),
        ("case.withdraw", Fact::Withdrawn),
        ("case.deem", Fact::Deemed),
        ("appeal.lodge", Fact::Appealed),
        ("items.request", Fact::Requested { items: some_item }),
        ("items.confirm", Fact::Confirmed),
        ("period.extend", Fact::Extended { count: 1 }),
        ("handover.offer", Fact::HandedOver { to: String::new() }),
        (
            "decision.make",
            Fact::Decided {
                outcome: OUTCOMES[0].to_owned(),
            },
        ),
        (
            "appeal.decide",
            Fact::Settled {
                outcome: APPEAL_OUTCOMES[0].to_owned(),
            },
        ),
        ("case.close", Fact::Closed),
    ];
    let may = |(command, fact): (&'static str, Fact)| {
        let empty = matches!(&fact, Fact::Supplied { items } | Fact::Requested { items } if items.is_empty());
        let event = CaseEvent {
            time: now.get(),
            fact,
        };
        (!empty && case.clone().apply(definition, &event).is_ok()).then_some(command)
    };
    candidates.into_iter().filter_map(may).collect()
}
