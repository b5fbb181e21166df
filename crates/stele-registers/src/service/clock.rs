//! The rules of a definition that the chain itself applies, and the clock of a case under them.
//!
//! The clock starts with the receipt of the application. It stands still while the applicant owes what the office asked
//! for. The day of the request and the day on which the last missing item came in do not count (section 209 of the German
//! Civil Code, as the courts read it); each such day lengthens the period by one. Where the law says that the period begins
//! with the complete documents (section 42a(2) VwVfG), the definition says `restart`, and the clock starts anew.

use stele_core::cbor::{DecodeError, Decoder, Encoder};
use stele_core::id::TimeMs;

use super::calendar::{Calendar, Day, Period};
use super::{CODE_BYTES_MAX, ITEMS_MAX};
use crate::history::{read_opt_uint, write_opt_uint};

/// The most days until a decision counts as notified.
pub const NOTICE_DAYS_MAX: u64 = 31;

/// What a definition decides for the chain; everything else in it is for people and programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Within which time the office decides; count 0 where no law says so.
    pub decide: Period,
    /// Whether silence until then is a grant.
    pub deemed: bool,
    /// Whether the clock starts anew with the complete application, instead of going on.
    pub restart: bool,
    /// Within which time after receipt the office may ask for missing items; count 0 for no limit.
    pub check: Period,
    /// By how many units of `decide` the office may lengthen the period, once.
    pub extension_max: u64,
    /// Within which time after notification the applicant may appeal; count 0 where there is no appeal.
    pub appeal: Period,
    /// On which day after the decision it counts as notified (section 41(2) VwVfG: the fourth).
    pub notice_days: u64,
    /// The codes of all items that an application may need.
    pub items: Vec<String>,
    /// Days and local time.
    pub calendar: Calendar,
}

impl Rules {
    /// The last day on which an appeal is in time, for a decision at `decided`; `None` where there is no appeal.
    pub fn appeal_last_day(&self, decided: TimeMs) -> Option<Day> {
        let notified = self.calendar.day_of(decided).plus(self.notice_days);
        (self.appeal.count > 0).then(|| self.calendar.last_day(notified, self.appeal, 0))
    }

    /// The first instant at which an appeal is late.
    pub fn appeal_due(&self, decided: TimeMs) -> Option<TimeMs> {
        self.appeal_last_day(decided)
            .map(|day| self.calendar.due(day))
    }

    /// The first instant at which asking for missing items is late, for what came in at `received`.
    pub fn check_due(&self, received: TimeMs) -> Option<TimeMs> {
        let received = self.calendar.day_of(received);
        (self.check.count > 0)
            .then(|| self.calendar.last_day(received, self.check, 0))
            .map(|day| self.calendar.due(day))
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.array(9);
        self.decide.encode(out);
        out.bool(self.deemed).bool(self.restart);
        self.check.encode(out);
        out.uint(self.extension_max);
        self.appeal.encode(out);
        out.uint(self.notice_days).array(self.items.len());
        for item in &self.items {
            out.text(item);
        }
        self.calendar.encode(out);
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.array_of(9, "rules of nine parts")?;
        Ok(Self {
            decide: Period::decode(decoder)?,
            deemed: decoder.bool()?,
            restart: decoder.bool()?,
            check: Period::decode(decoder)?,
            extension_max: decoder.uint()?,
            appeal: Period::decode(decoder)?,
            notice_days: decoder.uint()?,
            items: {
                let count = decoder.array(ITEMS_MAX)?;
                (0..count)
                    .map(|_| decoder.text(CODE_BYTES_MAX).map(str::to_owned))
                    .collect::<Result<_, _>>()?
            },
            calendar: Calendar::decode(decoder)?,
        })
    }
}

/// The clock of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// When the period began: the receipt of the application, or of its last missing item.
    pub started: TimeMs,
    /// Since when it stands still.
    pub stopped: Option<TimeMs>,
    /// By how many days (working days in a period of those) standing still has lengthened the period.
    pub suspended: u64,
    /// The last day that `suspended` has looked at; the first one is the day of the start, which never counts.
    pub counted: Day,
    /// By how many units the office has lengthened the period.
    pub extension: u64,
}

impl Clock {
    /// A clock that starts now.
    pub fn start(now: TimeMs, rules: &Rules) -> Self {
        Self {
            started: now,
            stopped: None,
            suspended: 0,
            counted: rules.calendar.day_of(now),
            extension: 0,
        }
    }

    /// The last day of the period as it stands; `None` where no law limits it, or while the clock stands still.
    pub fn last_day(&self, rules: &Rules) -> Option<Day> {
        if self.stopped.is_some() || rules.decide.count == 0 {
            return None;
        }
        let start = rules.calendar.day_of(self.started);
        let period = Period {
            count: rules.decide.count + self.extension,
            unit: rules.decide.unit,
        };
        Some(rules.calendar.last_day(start, period, self.suspended))
    }

    /// The first instant after the period.
    pub fn due(&self, rules: &Rules) -> Option<TimeMs> {
        self.last_day(rules).map(|day| rules.calendar.due(day))
    }

    /// Whether the period is over at `now`.
    pub fn is_over(&self, now: TimeMs, rules: &Rules) -> bool {
        self.due(rules).is_some_and(|due| now >= due)
    }

    /// Stops the clock because the applicant owes something. A period that is over stays over.
    pub fn stop(&mut self, now: TimeMs, rules: &Rules) {
        if self.stopped.is_none() && !self.is_over(now, rules) {
            self.stopped = Some(now);
        }
    }

    /// Lets the clock go on: nothing is owed any more.
    pub fn resume(&mut self, now: TimeMs, rules: &Rules) {
        let Some(stopped) = self.stopped.take() else {
            return;
        };
        if rules.restart {
            let extension = self.extension;
            *self = Self::start(now, rules);
            self.extension = extension;
            return;
        }
        let calendar = &rules.calendar;
        let to = calendar.day_of(now);
        let from = calendar.day_of(stopped).max(self.counted.plus(1));
        self.suspended += calendar.days_between(from, to, rules.decide.unit);
        self.counted = self.counted.max(to);
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.array(5).uint(self.started.get());
        write_opt_uint(out, self.stopped.map(TimeMs::get));
        out.uint(self.suspended)
            .uint(self.counted.get())
            .uint(self.extension);
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.array_of(5, "a clock of five parts")?;
        Ok(Self {
            started: TimeMs::new(decoder.uint()?),
            stopped: read_opt_uint(decoder)?.map(TimeMs::new),
            suspended: decoder.uint()?,
            counted: Day::new(decoder.uint()?),
            extension: decoder.uint()?,
        })
    }
}
