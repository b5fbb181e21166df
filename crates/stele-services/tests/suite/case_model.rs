//! The engine against a plain model that walks a wall calendar day by day and keeps its own idea of a case.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use stele_core::id::TimeMs;
use stele_registers::service::Status;
use stele_services::{Case, CaseEvent, Definition, Fact, Language, deadlines, replay, timeline};

use crate::support::{PARKING, at, json, read, with};

const HOUR: u64 = 3_600_000;
const ITEMS: [&str; 3] = ["identity", "zone", "keeper-consent"];

#[derive(Debug, Clone)]
struct Law {
    decide: u64,
    unit: &'static str,
    grants: bool,
    restart: bool,
    check: u64,
    extension: u64,
    appeal: u64,
    notice: u64,
}

fn law() -> impl Strategy<Value = Law> {
    let numbers = (1..15u64, 1..10u64, 0..4u64, 1..40u64, 0..6u64);
    let unit = prop_oneof![
        Just("days"),
        Just("weeks"),
        Just("months"),
        Just("working-days")
    ];
    (numbers, unit, any::<bool>(), any::<bool>()).prop_map(|(numbers, unit, grants, restart)| {
        let (decide, check, extension, appeal, notice) = numbers;
        Law {
            decide,
            unit,
            grants,
            restart,
            check,
            extension,
            appeal,
            notice,
        }
    })
}

fn definition(law: &Law, version: u64) -> Definition {
    let silence = if law.grants {
        "grants"
    } else {
        "means-nothing"
    };
    let missing = if law.restart { "restart" } else { "suspend" };
    let span =
        |count: u64, unit: &str| json!({"count": count, "unit": unit, "law": "Fictional law"});
    with(
        PARKING,
        &[
            ("/version", json!(version)),
            ("/periods/decide", span(law.decide, law.unit)),
            ("/periods/silence", json!(silence)),
            ("/periods/missing_items", json!(missing)),
            ("/periods/check", span(law.check, "days")),
            ("/periods/extension_max", json!(law.extension)),
            ("/periods/appeal", span(law.appeal, "days")),
            ("/periods/notified_after_days", json!(law.notice)),
        ],
    )
}

/// A wall calendar: the days from 1 January 2026 on, each with its date and whether offices work on it. Made by
/// walking, and from the file's own texts.
struct Wall {
    days: Vec<(u64, u64, u64, bool)>,
    /// The instant at which each day begins.
    begins: Vec<u64>,
}

impl Wall {
    fn new(file: &Json) -> Self {
        let holidays = file["calendar"]["holidays"].as_array().unwrap().iter();
        let holidays: BTreeSet<_> = holidays
            .map(|holiday| holiday["date"].as_str().unwrap())
            .collect();
        let (mut days, mut begins) = (Vec::new(), Vec::new());
        // 1 January 2026 is a Thursday and begins at 23:00 UTC of the day before.
        let (mut year, mut month, mut date, mut weekday) = (2026, 1, 1, 4);
        let mut begin = 1_767_222_000_000;
        while year < 2032 {
            let text = format!("{year:04}-{month:02}-{date:02}");
            days.push((
                year,
                month,
                date,
                weekday < 6 && !holidays.contains(text.as_str()),
            ));
            begins.push(begin);
            // Summer time in the European Union: from the last Sunday of March to the last of October.
            let last_sunday = weekday == 7 && date > 24;
            begin += match month {
                3 if last_sunday => 23,
                10 if last_sunday => 25,
                _ => 24,
            } * HOUR;
            let leap = year % 4 == 0;
            let lengths = [
                31,
                if leap { 29 } else { 28 },
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ];
            (weekday, date) = (weekday % 7 + 1, date + 1);
            if date > lengths[month as usize - 1] {
                (month, date) = (month + 1, 1);
            }
            if month == 13 {
                (year, month) = (year + 1, 1);
            }
        }
        Self { days, begins }
    }

    fn day(&self, time: u64) -> usize {
        (0..self.begins.len())
            .rev()
            .find(|day| self.begins[*day] <= time)
            .unwrap()
    }

    fn works(&self, day: usize) -> bool {
        self.days[day].3
    }

    /// The first instant after the period.
    fn due(&self, start: usize, count: u64, unit: &str, more: usize) -> u64 {
        let mut day = start;
        match unit {
            "working-days" => {
                let mut left = count as usize + more;
                while left > 0 {
                    day += 1;
                    left -= usize::from(self.works(day));
                }
            }
            "months" => {
                let wanted = self.days[start].2;
                for _ in 0..count {
                    let month = self.days[day].1;
                    while self.days[day].1 == month {
                        day += 1;
                    }
                    while self.days[day].2 < wanted && self.days[day + 1].2 != 1 {
                        day += 1;
                    }
                }
                day += more;
            }
            "weeks" => day += 7 * count as usize + more,
            _ => day += count as usize + more,
        }
        while !self.works(day) {
            day += 1;
        }
        self.begins[day + 1]
    }
}

/// The case as the model sees it.
#[derive(Debug, Clone)]
struct Model {
    status: Status,
    missing: BTreeSet<String>,
    complete: bool,
    received: u64,
    start: usize,
    stopped: Option<u64>,
    still: BTreeSet<usize>,
    extension: u64,
    decided: u64,
}

impl Model {
    fn due(&self, law: &Law, wall: &Wall) -> Option<u64> {
        let counts = |day: &&usize| law.unit != "working-days" || wall.works(**day);
        let more = self.still.iter().filter(counts).count();
        let due = wall.due(self.start, law.decide + self.extension, law.unit, more);
        self.stopped.is_none().then_some(due)
    }

    fn take(&mut self, fact: &Fact, law: &Law, wall: &Wall, now: u64) -> bool {
        let waiting = matches!(self.status, Status::Open | Status::Waiting);
        let late = self.due(law, wall).is_some_and(|due| now >= due);
        let pending = waiting && !(law.grants && late);
        let appeal_over = || {
            let notified = wall.day(self.decided) + law.notice as usize;
            now >= wall.due(notified, law.appeal, "days", 0)
        };
        let good = match fact {
            Fact::Requested { .. } => {
                let check = wall.due(wall.day(self.received), law.check, "days", 0);
                pending && !self.complete && now < check
            }
            Fact::Supplied { items } => {
                pending && items.iter().all(|item| self.missing.contains(item))
            }
            Fact::Confirmed => pending && !self.complete && self.missing.is_empty(),
            Fact::Extended { count } => {
                let allowed = *count > 0 && *count <= law.extension && self.extension == 0;
                pending && allowed && !late && self.stopped.is_none()
            }
            Fact::Decided { .. } | Fact::Withdrawn => pending,
            Fact::Deemed => waiting && law.grants && late,
            Fact::Appealed => self.status == Status::Decided && !appeal_over(),
            Fact::Settled { .. } => self.status == Status::Appealed,
            Fact::Closed => match self.status {
                Status::Withdrawn | Status::Deemed | Status::Settled => true,
                Status::Decided => appeal_over(),
                _ => false,
            },
            Fact::Opened { .. } | Fact::HandedOver { .. } => false,
        };
        if good {
            self.change(fact, law, wall, now, late);
        }
        good
    }

    fn change(&mut self, fact: &Fact, law: &Law, wall: &Wall, now: u64, late: bool) {
        match fact {
            Fact::Requested { items } => {
                self.missing.extend(items.iter().cloned());
                self.status = Status::Waiting;
                if self.stopped.is_none() && !late {
                    self.stopped = Some(now);
                }
            }
            Fact::Supplied { items } => {
                items.iter().for_each(|item| {
                    self.missing.remove(item);
                });
                if self.missing.is_empty() {
                    (self.status, self.received) = (Status::Open, now);
                    if let Some(stopped) = self.stopped.take() {
                        if law.restart {
                            self.start = wall.day(now);
                            self.still.clear();
                        } else {
                            let days = wall.day(stopped)..=wall.day(now);
                            self.still.extend(days.filter(|day| *day > self.start));
                        }
                    }
                }
            }
            Fact::Confirmed => self.complete = true,
            Fact::Extended { count } => self.extension = *count,
            Fact::Decided { .. } => {
                (self.status, self.decided) = (Status::Decided, now);
                self.missing.clear();
            }
            Fact::Deemed => self.status = Status::Deemed,
            Fact::Withdrawn => self.status = Status::Withdrawn,
            Fact::Appealed => self.status = Status::Appealed,
            Fact::Settled { .. } => self.status = Status::Settled,
            _ => self.status = Status::Closed,
        }
    }
}

fn fact() -> impl Strategy<Value = Fact> {
    let items = || {
        proptest::sample::subsequence(ITEMS.to_vec(), 1..=3)
            .prop_map(|items| items.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    prop_oneof![
        4 => items().prop_map(|items| Fact::Requested { items }),
        2 => items().prop_map(|items| Fact::Supplied { items }),
        // Everything that is missing then.
        6 => Just(Fact::Supplied { items: Vec::new() }),
        1 => Just(Fact::Confirmed),
        3 => (0..5u64).prop_map(|count| Fact::Extended { count }),
        1 => Just(Fact::Decided { outcome: "refused".into() }),
        2 => Just(Fact::Deemed),
        1 => Just(Fact::Withdrawn),
        2 => Just(Fact::Appealed),
        2 => Just(Fact::Settled { outcome: "partly".into() }),
        2 => Just(Fact::Closed),
    ]
}

/// Puts what is missing into a supply of everything; `None` when nothing is.
fn completed(fact: Fact, case: &Case) -> Option<Fact> {
    match fact {
        Fact::Supplied { items } if items.is_empty() => {
            let items: Vec<_> = case.missing.iter().cloned().collect();
            (!items.is_empty()).then_some(Fact::Supplied { items })
        }
        other => Some(other),
    }
}

fn steps() -> impl Strategy<Value = Vec<(u64, Fact)>> {
    proptest::collection::vec(
        (
            prop_oneof![2 => 0..6u64, 2 => 0..60u64, 1 => 0..900u64],
            fact(),
        ),
        1..40,
    )
}

/// Histories beginning on this instant: 9 March 2026 in the afternoon, or any hour of the following two years.
fn begin() -> impl Strategy<Value = u64> {
    (0..17_520u64).prop_map(|hours| 1_773_068_400_000 + hours * HOUR)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn engine_and_model_agree(law in law(), begin in begin(), steps in steps()) {
        let definition = definition(&law, 1);
        let wall = Wall::new(&json(PARKING));
        let mut events = vec![CaseEvent { time: begin, fact: Fact::Opened { version: 1, office: "did:stele:x".into() } }];
        let mut case = replay(&definition, &events).unwrap();
        let mut model = Model {
            status: Status::Open, missing: BTreeSet::new(), complete: false, received: begin, start: wall.day(begin),
            stopped: None, still: BTreeSet::new(), extension: 0, decided: 0,
        };
        let mut now = begin;
        for (hours, fact) in steps {
            now += hours * HOUR;
            let Some(fact) = completed(fact, &case) else { continue };
            let event = CaseEvent { time: now, fact };
            let before = case.clone();
            let outcome = case.apply(&definition, &event);
            let expected = model.take(&event.fact, &law, &wall, now);
            prop_assert_eq!(outcome.is_ok(), expected, "{:?}: {:?}, {:?}", event, outcome, model);
            if expected {
                events.push(event);
            } else {
                prop_assert_eq!(&case, &before, "a refused event leaves no trace");
            }
            prop_assert_eq!(case.status, model.status);
            prop_assert_eq!(&case.missing, &model.missing);
            if case.status.is_pending() {
                let due = case.clock.due(definition.rules()).map(TimeMs::get);
                prop_assert_eq!(due, model.due(&law, &wall), "{:?}", model);
            }
            let now = TimeMs::new(now);
            for deadline in deadlines(&definition, &case, now) {
                prop_assert_eq!(deadline.is_over, now >= deadline.due);
                prop_assert!(wall.works(wall.day(deadline.due.get() - 1)), "a period ends on a working day");
            }
        }
        prop_assert_eq!(&replay(&definition, &events).unwrap(), &case, "a history is all there is");
        for language in [Language::En, Language::De] {
            let lines = timeline(&definition, &events, language, TimeMs::new(now)).unwrap();
            prop_assert!(lines.len() >= events.len());
            prop_assert!(lines.iter().all(|line| line.sentence.len() > 10));
        }
    }

    /// Whatever version 2 says, a case under version 1 has the same answers, and version 2 does not judge it.
    #[test]
    fn a_new_version_does_not_touch_a_running_case(one in law(), two in law(), begin in begin(), steps in steps()) {
        let (first, second) = (definition(&one, 1), definition(&two, 2));
        let mut events = vec![CaseEvent { time: begin, fact: Fact::Opened { version: 1, office: "did:stele:x".into() } }];
        let mut case = replay(&first, &events).unwrap();
        let mut now = begin;
        for (hours, fact) in steps {
            now += hours * HOUR;
            let Some(fact) = completed(fact, &case) else { continue };
            let event = CaseEvent { time: now, fact };
            let before = case.clone();
            let under_second = case.apply(&second, &event).unwrap_err();
            prop_assert_eq!(under_second.code(), "service.history.other-version");
            prop_assert_eq!(&case, &before);
            if case.apply(&first, &event).is_ok() {
                events.push(event);
            }
        }
        // The file of version 1 is read again, after the second was published, by somebody who has only these bytes.
        let text = serde_json::to_value(first.file()).unwrap();
        prop_assert_eq!(&replay(&read(&text), &events).unwrap(), &case);
        let refused = replay(&second, &events).unwrap_err();
        prop_assert_eq!((refused.index, refused.illegal.code()), (0, "service.history.other-version"));
    }
}

#[test]
fn a_case_over_christmas() {
    let definition = with(PARKING, &[]);
    let opened = |time| CaseEvent {
        time,
        fact: Fact::Opened {
            version: 1,
            office: "did:stele:x".into(),
        },
    };
    // Tuesday 15 December 2026; 25 December is a Friday, 26 a Saturday, 1 January a Friday.
    let case = replay(&definition, &[opened(at(&definition, 2026, 12, 15, 10))]).unwrap();
    let last = case.clock.last_day(definition.rules()).unwrap();
    assert_eq!(last.date(), (2026, 12, 30));
}
