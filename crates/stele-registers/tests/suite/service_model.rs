//! Cases against a plain model: days are walked one by one, and states stand in an enumeration of their own.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use stele_core::id::{Hash, TimeMs};
use stele_core::suite::SigningKey;
use stele_registers::service::calendar::{Calendar, ClockChange, Day, Period, Unit};
use stele_registers::service::{Status, case, case_ref, definition, service_ref};

use crate::world::{START_MS, World, did, key, party};

const DAY_MS: u64 = 86_400_000;
const START_DAY: u64 = START_MS / DAY_MS;
const CODES: [&str; 3] = ["a", "b", "c"];

/// Year, month and day of the month, walked from 1970-01-01.
fn walk_to(day: u64) -> (u64, u64, u64) {
    let mut date = (1970, 1, 1);
    for _ in 0..day {
        date = next_date(date);
    }
    date
}

fn next_date((year, month, date): (u64, u64, u64)) -> (u64, u64, u64) {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
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
    if date < lengths[month as usize - 1] {
        (year, month, date + 1)
    } else if month < 12 {
        (year, month + 1, 1)
    } else {
        (year + 1, 1, 1)
    }
}

/// What a slow clerk with a wall calendar counts.
#[derive(Debug, Clone)]
struct Wall {
    weekend: BTreeSet<u64>,
    free: BTreeSet<u64>,
}

impl Wall {
    fn works(&self, day: u64) -> bool {
        // 4 January 1970, day 3, was a Sunday.
        let weekday = (day + 4) % 7;
        let weekday = if weekday == 0 { 7 } else { weekday };
        !self.weekend.contains(&weekday) && !self.free.contains(&day)
    }

    fn last_day(&self, start: u64, count: u64, unit: Unit, more: u64) -> u64 {
        let mut day = start;
        match unit {
            Unit::WorkingDays => {
                let mut left = count + more;
                while left > 0 {
                    day += 1;
                    left -= u64::from(self.works(day));
                }
            }
            Unit::Days => (0..count + more).for_each(|_| day += 1),
            Unit::Weeks => (0..count * 7 + more).for_each(|_| day += 1),
            Unit::Months => {
                let wanted = walk_to(start).2;
                for _ in 0..count {
                    // To the first of the next month, then on to the wanted day, or to the month's last.
                    let mut date = walk_to(day);
                    let month = date.1;
                    while date.1 == month {
                        (day, date) = (day + 1, next_date(date));
                    }
                    while date.2 < wanted && next_date(date).2 != 1 {
                        (day, date) = (day + 1, next_date(date));
                    }
                }
                day += more;
            }
        }
        while !self.works(day) {
            day += 1;
        }
        day
    }
}

fn wall() -> impl Strategy<Value = Wall> {
    let weekend = proptest::collection::btree_set(1..=7u64, 0..=3);
    let free = proptest::collection::btree_set(START_DAY..START_DAY + 400, 0..40);
    (weekend, free).prop_map(|(weekend, free)| Wall { weekend, free })
}

fn unit() -> impl Strategy<Value = Unit> {
    prop_oneof![
        Just(Unit::Days),
        Just(Unit::Weeks),
        Just(Unit::Months),
        Just(Unit::WorkingDays)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn periods_end_where_a_slow_clerk_says(
        wall in wall(), start in START_DAY..START_DAY + 800, count in 0..30u64, unit in unit(), more in 0..20u64,
    ) {
        let calendar = Calendar {
            weekend: wall.weekend.iter().copied().collect(),
            free_days: wall.free.iter().map(|day| Day::new(*day)).collect(),
            until: Day::new(START_DAY + 1000),
            clock: vec![ClockChange { from: TimeMs::new(0), offset_biased: 1440 }],
        };
        prop_assert!(calendar.is_sound());
        let end = calendar.last_day(Day::new(start), Period { count, unit }, more);
        prop_assert_eq!(end.get(), wall.last_day(start, count, unit, more));
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// So many hours go by.
    Wait(u64),
    Request(Vec<usize>),
    Supply(Vec<usize>),
    Confirm,
    Extend(u64),
    Decide,
    Deem,
    Withdraw,
    Lodge,
    Settle,
    Close,
    Transfer,
}

fn step() -> impl Strategy<Value = Step> {
    let items = || proptest::sample::subsequence(vec![0, 1, 2], 1..=3);
    prop_oneof![
        4 => (1..30u64).prop_map(Step::Wait),
        4 => (1..400u64).prop_map(Step::Wait),
        4 => items().prop_map(Step::Request),
        2 => items().prop_map(Step::Supply),
        // Everything that is missing then.
        4 => Just(Step::Supply(Vec::new())),
        1 => Just(Step::Confirm),
        3 => (0..5u64).prop_map(Step::Extend),
        2 => Just(Step::Decide),
        4 => Just(Step::Deem),
        1 => Just(Step::Withdraw),
        3 => Just(Step::Lodge),
        2 => Just(Step::Settle),
        2 => Just(Step::Close),
        2 => Just(Step::Transfer),
    ]
}

#[derive(Debug, Clone)]
struct Law {
    decide: u64,
    unit: Unit,
    deemed: bool,
    restart: bool,
    check: u64,
    extension: u64,
    appeal: u64,
    notice: u64,
}

fn law() -> impl Strategy<Value = Law> {
    let numbers = (1..12u64, 0..10u64, 0..4u64, 0..3u64, 0..5u64);
    (numbers, unit(), any::<bool>(), any::<bool>()).prop_map(|(numbers, unit, deemed, restart)| {
        let (decide, check, extension, appeal, notice) = numbers;
        Law {
            decide,
            unit,
            deemed,
            restart,
            check,
            extension,
            appeal,
            notice,
        }
    })
}

/// The case as the model sees it; times in ms, UTC being local time.
#[derive(Debug, Clone)]
struct Model {
    status: Status,
    missing: BTreeSet<usize>,
    complete: bool,
    received: u64,
    start_day: u64,
    stopped: Option<u64>,
    suspended_days: BTreeSet<u64>,
    extension: u64,
    decided: Option<u64>,
    /// Whether the second office has it.
    moved: bool,
}

impl Model {
    fn due(&self, law: &Law, wall: &Wall) -> Option<u64> {
        let working = law.unit == Unit::WorkingDays;
        let days = self.suspended_days.iter();
        let more = days.filter(|day| !working || wall.works(**day)).count() as u64;
        let count = law.decide + self.extension;
        let last = wall.last_day(self.start_day, count, law.unit, more);
        self.stopped.is_none().then_some((last + 1) * DAY_MS)
    }

    fn late(&self, law: &Law, wall: &Wall, now: u64) -> bool {
        self.due(law, wall).is_some_and(|due| now >= due)
    }

    /// Judges one step at `now` and takes it.
    fn take(&mut self, step: &Step, law: &Law, wall: &Wall, now: u64) -> bool {
        let waiting = matches!(self.status, Status::Open | Status::Waiting);
        let pending = waiting && !(law.deemed && self.late(law, wall, now));
        let decided_day = self.decided.map(|time| time / DAY_MS + law.notice);
        let appeal_due = decided_day
            .filter(|_| law.appeal > 0)
            .map(|day| (wall.last_day(day, law.appeal, Unit::Months, 0) + 1) * DAY_MS);
        match step {
            Step::Wait(_) => true,
            Step::Request(items) => {
                let limit = wall.last_day(self.received / DAY_MS, law.check, Unit::Days, 0);
                let in_time = law.check == 0 || now < (limit + 1) * DAY_MS;
                let good = pending && !self.complete && in_time;
                if good {
                    if self.stopped.is_none() && !self.late(law, wall, now) {
                        self.stopped = Some(now);
                    }
                    self.status = Status::Waiting;
                    self.missing.extend(items);
                }
                good
            }
            Step::Supply(items) => {
                let good = pending && items.iter().all(|item| self.missing.contains(item));
                if good {
                    items.iter().for_each(|item| {
                        self.missing.remove(item);
                    });
                    if self.missing.is_empty() {
                        self.status = Status::Open;
                        self.received = now;
                        self.go_on(law, now);
                    }
                }
                good
            }
            Step::Confirm => {
                let good = pending && !self.complete && self.missing.is_empty();
                self.complete |= good;
                good
            }
            Step::Extend(count) => {
                let running = self.stopped.is_none() && !self.late(law, wall, now);
                let good = pending
                    && running
                    && *count > 0
                    && *count <= law.extension
                    && self.extension == 0;
                if good {
                    self.extension = *count;
                }
                good
            }
            Step::Decide => {
                if pending {
                    (self.status, self.decided) = (Status::Decided, Some(now));
                    self.missing.clear();
                }
                pending
            }
            Step::Deem => {
                let good = waiting && law.deemed && self.late(law, wall, now);
                if good {
                    self.status = Status::Deemed;
                }
                good
            }
            Step::Withdraw => {
                if pending {
                    self.status = Status::Withdrawn;
                }
                pending
            }
            Step::Lodge => {
                let good =
                    self.status == Status::Decided && appeal_due.is_some_and(|due| now < due);
                if good {
                    self.status = Status::Appealed;
                }
                good
            }
            Step::Settle => {
                let good = self.status == Status::Appealed;
                if good {
                    self.status = Status::Settled;
                }
                good
            }
            Step::Close => {
                let good = match self.status {
                    Status::Withdrawn | Status::Deemed | Status::Settled => true,
                    Status::Decided => appeal_due.is_none_or(|due| now >= due),
                    _ => false,
                };
                if good {
                    self.status = Status::Closed;
                }
                good
            }
            Step::Transfer => {
                self.moved ^= pending;
                pending
            }
        }
    }

    fn go_on(&mut self, law: &Law, now: u64) {
        let Some(stopped) = self.stopped.take() else {
            return;
        };
        if law.restart {
            self.start_day = now / DAY_MS;
            self.suspended_days.clear();
        } else {
            let days = stopped / DAY_MS..=now / DAY_MS;
            self.suspended_days
                .extend(days.filter(|day| *day > self.start_day));
        }
    }
}

fn command(step: &Step, other: &SigningKey) -> Option<(&'static str, Json)> {
    let codes = |items: &[usize]| -> Json { items.iter().map(|item| CODES[*item]).collect() };
    let hash = Hash::from_bytes([8; 32]).to_string();
    Some(match step {
        Step::Wait(_) => return None,
        Step::Request(items) => ("items.request", json!({"items": codes(items)})),
        Step::Supply(items) => (
            "case.supply",
            json!({"items": codes(items), "documents": [hash]}),
        ),
        Step::Confirm => ("items.confirm", json!({})),
        Step::Extend(count) => ("period.extend", json!({"count": count, "reasons": hash})),
        Step::Decide => (
            "decision.make",
            json!({"outcome": "partly", "reasons": hash}),
        ),
        Step::Deem => ("case.deem", json!({})),
        Step::Withdraw => ("case.withdraw", json!({})),
        Step::Lodge => ("appeal.lodge", json!({"grounds": hash})),
        Step::Settle => (
            "appeal.decide",
            json!({"outcome": "dismissed", "reasons": hash}),
        ),
        Step::Close => ("case.close", json!({})),
        Step::Transfer => ("handover.transfer", json!({"to": did(other)})),
    })
}

fn publish(law: &Law, wall: &Wall) -> Json {
    json!({
        "service_id": "model", "version": 1, "document": Hash::from_bytes([1; 32]).to_string(), "scope": "XX",
        "decide_count": law.decide, "decide_unit": law.unit.name(), "deemed": law.deemed, "restart": law.restart,
        "check_count": law.check, "check_unit": "days", "extension_max": law.extension,
        "appeal_count": law.appeal, "appeal_unit": "months", "notice_days": law.notice, "items": CODES,
        "weekend": wall.weekend, "free_days": wall.free, "calendar_until": START_DAY + 5000,
        "clock_from": [0], "clock_offset": [1440],
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn register_and_model_agree(law in law(), wall in wall(), steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        let [authority, first, second, citizen] = [10, 11, 12, 13].map(|n| world.register(n));
        for (who, action) in [
            (&authority, "publish"), (&first, "decide"), (&second, "decide"), (&authority, "appeal"),
        ] {
            let body = json!({"subject": did(who), "action": format!("service/{action}"), "scope": "XX"});
            world.ok(&key(1), &[], "identity/accreditation.grant", body);
        }
        world.ok(&authority, &[], "service/definition.publish", publish(&law, &wall));
        let service = service_ref(&party(&authority), "model");
        let document = Hash::from_bytes([1; 32]).to_string();
        world.ok(&citizen, &[], "service/case.open", json!({
            "case_id": document, "service": service.to_string(), "version": 1, "document": document,
            "application": document, "office": did(&first),
        }));
        let reference = case_ref(&party(&citizen), &Hash::from_bytes([1; 32]));
        let rules = definition(world.view("service"), &service, 1).unwrap().unwrap().rules;
        let mut model = Model {
            status: Status::Open, missing: BTreeSet::new(), complete: false, received: world.time,
            start_day: world.time / DAY_MS, stopped: None, suspended_days: BTreeSet::new(), extension: 0,
            decided: None, moved: false,
        };
        for mut step in steps {
            match &mut step {
                Step::Wait(hours) => {
                    world.time += *hours * 3_600_000;
                    continue;
                }
                Step::Supply(items) if items.is_empty() => items.extend(&model.missing),
                _ => {}
            }
            if matches!(&step, Step::Supply(items) if items.is_empty()) {
                continue;
            }
            let (office, other) = if model.moved { (&second, &first) } else { (&first, &second) };
            let signer = match step {
                Step::Supply(_) | Step::Withdraw | Step::Lodge => &citizen,
                Step::Settle => &authority,
                Step::Deem => &key(2),
                _ => office,
            };
            let cosigners = if matches!(step, Step::Transfer) { vec![other] } else { Vec::new() };
            let (name, mut body) = command(&step, other).expect("waiting is no command");
            body["case"] = json!(reference.to_string());
            let now = world.time + 1000;
            let outcome = world.many(signer, &cosigners, "service", &[(name, body)]);
            let expected = model.take(&step, &law, &wall, now);
            prop_assert_eq!(outcome.is_ok(), expected, "{:?} at {}: {:?}, {:?}", step, now, outcome, model);
            let found = case(world.view("service"), &reference).unwrap().unwrap();
            prop_assert_eq!(found.status, model.status);
            let missing: Vec<_> = model.missing.iter().map(|item| CODES[*item]).collect();
            prop_assert_eq!(&found.missing, &missing);
            prop_assert_eq!(found.office, party(if model.moved { &second } else { &first }));
            if found.status.is_pending() {
                prop_assert_eq!(found.clock.due(&rules).map(TimeMs::get), model.due(&law, &wall));
            }
        }
    }
}
