//! Days as the law counts them: local days, working days, and the ends of periods.
//!
//! The rules are those of sections 187 to 193 of the German Civil Code, to which section 31 of the Administrative
//! Procedure Act (VwVfG) refers; Regulation (EEC, Euratom) No 1182/71 counts alike for days, weeks and months:
//!
//! - the day of the event is not counted (section 187(1));
//! - a period of days ends with its last day, one of weeks with the same weekday, one of months with the day of the same
//!   number (section 188(2)), or with the month's last day where that number is missing (section 188(3));
//! - an end on a Saturday, Sunday or public holiday moves to the next working day (section 193, section 31(3) VwVfG).
//!
//! A register knows neither time zones nor holidays, so all of them are data: a [`Calendar`] belongs to one version of one
//! definition. Nobody can move a holiday under a running case.

use stele_core::calendar::{date, days_since_1970, month_days};
use stele_core::cbor::{DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::id::TimeMs;

/// The most public holidays of one calendar: more than twenty years of them.
pub const FREE_DAYS_MAX: usize = 512;
/// The most changes of local time in one calendar: summer time over thirty years.
pub const CLOCK_CHANGES_MAX: usize = 64;
/// Added to minutes east of UTC, so that an unsigned number holds them.
pub const OFFSET_BIAS_MINUTES: u64 = 1440;
/// The last day that a calendar may name: the year 2500 is out of its reach.
pub const DAY_MAX: u64 = 190_000;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// A day of a local calendar, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

impl Day {
    /// The day with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The day of a Gregorian date; `None` before 1970, after 9999, or when there is no such date.
    pub fn from_date(year: u64, month: u64, day: u64) -> Option<Self> {
        if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
            return None;
        }
        let (year, month, day) = (year as i64, month as i64, i64::try_from(day).ok()?);
        let exists = (1..=month_days(year, month)).contains(&day);
        exists.then(|| Self::of(year, month, day))
    }

    /// A date that is not before 1970.
    fn of(year: i64, month: i64, day: i64) -> Self {
        Self(u64::try_from(days_since_1970(year, month, day)).unwrap_or(0))
    }

    /// Year, month and day of the month.
    pub fn date(self) -> (u64, u64, u64) {
        let (year, month, day) = date(self.clamped());
        (year as u64, month as u64, day as u64)
    }

    /// The number for [`stele_core::calendar`], which has no bounds of its own. No block's time reaches so far.
    fn clamped(self) -> i64 {
        const FAR: u64 = 1 << 40;
        self.0.min(FAR) as i64
    }

    /// The day of the week, 1 for Monday to 7 for Sunday (ISO 8601).
    pub const fn weekday(self) -> u64 {
        // 1970-01-01 was a Thursday.
        (self.0 % 7 + 3) % 7 + 1
    }

    /// The day `count` days later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// The same day of the month `count` months later, or the last day of that month (section 188(3) of the Civil Code).
    #[must_use]
    pub fn plus_months(self, count: u64) -> Self {
        let (year, month, day) = date(self.clamped());
        // Periods are short; the bound keeps any argument from overflowing.
        let months = month - 1 + count.min(1 << 40) as i64;
        let (year, month) = (year + months / 12, months % 12 + 1);
        Self::of(year, month, day.min(month_days(year, month)))
    }
}

/// What a period is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Calendar days; the end moves to a working day.
    Days,
    /// Weeks; the end moves to a working day.
    Weeks,
    /// Months; the end moves to a working day.
    Months,
    /// Working days alone.
    WorkingDays,
}

impl Unit {
    /// The words, in the order of the variants.
    pub const NAMES: &[&str] = &["days", "weeks", "months", "working-days"];
    const ALL: [Self; 4] = [Self::Days, Self::Weeks, Self::Months, Self::WorkingDays];

    /// The word for it.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The unit that a word names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// The longest period in this unit.
    pub const fn count_max(self) -> u64 {
        match self {
            Self::Days => 1830,
            Self::Weeks => 260,
            Self::Months => 60,
            Self::WorkingDays => 500,
        }
    }
}

/// A length of time as a law gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// How many; 0 means that there is no such period.
    pub count: u64,
    /// Of what.
    pub unit: Unit,
}

impl Period {
    /// Whether the count is within what a definition may ask for.
    pub const fn is_allowed(self) -> bool {
        self.count <= self.unit.count_max()
    }

    pub(super) fn encode(self, out: &mut Encoder) {
        out.array(2).uint(self.count).text(self.unit.name());
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.array_of(2, "a period of two parts")?;
        let count = decoder.uint()?;
        let offset = decoder.position();
        let unit = Unit::from_name(decoder.text(16)?).ok_or(DecodeError {
            offset,
            kind: ErrorKind::Expected("a unit"),
        })?;
        Ok(Self { count, unit })
    }
}

/// From an instant on, local time is so many minutes ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockChange {
    /// The first instant.
    pub from: TimeMs,
    /// Minutes east of UTC, plus [`OFFSET_BIAS_MINUTES`].
    pub offset_biased: u64,
}

impl ClockChange {
    fn offset_ms(self) -> i64 {
        // Checked to be small by `Calendar::is_sound`.
        (i64::try_from(self.offset_biased).unwrap_or(0) - OFFSET_BIAS_MINUTES as i64) * MINUTE_MS
    }
}

/// Weekends, public holidays and local time of one place, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Days of every week on which no period ends, 1 for Monday to 7 for Sunday, ascending; at most six.
    pub weekend: Vec<u64>,
    /// Public holidays, ascending.
    pub free_days: Vec<Day>,
    /// The last day for which the holidays are known. After it only weekends are free.
    pub until: Day,
    /// Local time, ascending; the first also holds before it begins.
    pub clock: Vec<ClockChange>,
}

impl Calendar {
    /// Whether the lists are ascending, within their limits, and leave a working day in each week.
    pub fn is_sound(&self) -> bool {
        let ascending = |days: &[u64]| days.windows(2).all(|pair| pair[0] < pair[1]);
        let free: Vec<u64> = self.free_days.iter().map(|day| day.get()).collect();
        let changes: Vec<u64> = self.clock.iter().map(|change| change.from.get()).collect();
        ascending(&self.weekend)
            && self.weekend.len() <= 6
            && self.weekend.iter().all(|day| (1..=7).contains(day))
            && ascending(&free)
            && free.len() <= FREE_DAYS_MAX
            && self.until.get() <= DAY_MAX
            && free.last().is_none_or(|last| *last <= self.until.get())
            && ascending(&changes)
            && (1..=CLOCK_CHANGES_MAX).contains(&changes.len())
            && changes.iter().all(|from| *from <= DAY_MAX * DAY_MS as u64)
            // The extremes of UTC-12 and UTC+14 are in use.
            && self.clock.iter().all(|change| (OFFSET_BIAS_MINUTES - 840..=OFFSET_BIAS_MINUTES + 840).contains(&change.offset_biased))
    }

    /// The local day of an instant.
    pub fn day_of(&self, time: TimeMs) -> Day {
        let change = self
            .clock
            .iter()
            .rev()
            .find(|change| change.from <= time)
            .or(self.clock.first());
        let offset = change.map_or(0, |change| change.offset_ms());
        let local = i64::try_from(time.get())
            .unwrap_or(i64::MAX)
            .saturating_add(offset);
        Day(u64::try_from(local.div_euclid(DAY_MS)).unwrap_or(0))
    }

    /// The first instant of a local day.
    pub fn start_of(&self, day: Day) -> TimeMs {
        let midnight = i64::try_from(day.get())
            .unwrap_or(i64::MAX)
            .saturating_mul(DAY_MS);
        for (index, change) in self.clock.iter().enumerate() {
            let from = if index == 0 {
                0
            } else {
                i64::try_from(change.from.get()).unwrap_or(i64::MAX)
            };
            let start = from.max(midnight.saturating_sub(change.offset_ms()));
            let next = self.clock.get(index + 1);
            if next.is_none_or(|next| i64::try_from(next.from.get()).is_ok_and(|next| start < next))
            {
                return TimeMs::new(u64::try_from(start).unwrap_or(0));
            }
        }
        TimeMs::new(u64::try_from(midnight).unwrap_or(0))
    }

    /// Whether no period ends on this day.
    pub fn is_free(&self, day: Day) -> bool {
        self.weekend.contains(&day.weekday()) || self.free_days.binary_search(&day).is_ok()
    }

    /// This day, or the next working day if it is free.
    pub fn working_day_from(&self, mut day: Day) -> Day {
        // Ends: a week has a working day, and only so many of them are holidays.
        while self.is_free(day) {
            day = day.plus(1);
        }
        day
    }

    /// How many days of `from..=to` count in this unit: all of them, or the working days.
    pub fn days_between(&self, from: Day, to: Day, unit: Unit) -> u64 {
        if to < from {
            return 0;
        }
        match unit {
            Unit::WorkingDays => {
                let days = from.get()..=to.get();
                days.filter(|day| !self.is_free(Day(*day))).count() as u64
            }
            _ => to.get() - from.get() + 1,
        }
    }

    /// The last day of a period whose event fell on `start`, lengthened by `more` days (working days in a period of
    /// those).
    pub fn last_day(&self, start: Day, period: Period, more: u64) -> Day {
        let raw = match period.unit {
            Unit::Days => start.plus(period.count),
            Unit::Weeks => start.plus(period.count.saturating_mul(7)),
            Unit::Months => start.plus_months(period.count),
            Unit::WorkingDays => return self.nth_working_day(start, period.count + more),
        };
        self.working_day_from(raw.plus(more))
    }

    /// The `count`-th working day after `start`; for 0 the first working day from `start` on.
    fn nth_working_day(&self, start: Day, count: u64) -> Day {
        let mut day = start;
        for _ in 0..count {
            day = self.working_day_from(day.plus(1));
        }
        self.working_day_from(day)
    }

    /// The first instant after the last day: what is done before it is done in time.
    pub fn due(&self, last_day: Day) -> TimeMs {
        self.start_of(last_day.plus(1))
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.array(4).array(self.weekend.len());
        for day in &self.weekend {
            out.uint(*day);
        }
        out.array(self.free_days.len());
        for day in &self.free_days {
            out.uint(day.get());
        }
        out.uint(self.until.get()).array(self.clock.len());
        for change in &self.clock {
            out.array(2)
                .uint(change.from.get())
                .uint(change.offset_biased);
        }
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.array_of(4, "a calendar of four parts")?;
        let count = decoder.array(6)?;
        let weekend = (0..count)
            .map(|_| decoder.uint())
            .collect::<Result<_, _>>()?;
        let count = decoder.array(FREE_DAYS_MAX)?;
        let free_days = (0..count)
            .map(|_| decoder.uint().map(Day))
            .collect::<Result<_, _>>()?;
        let until = Day(decoder.uint()?);
        let count = decoder.array(CLOCK_CHANGES_MAX)?;
        let change = |decoder: &mut Decoder<'_>| {
            decoder.array_of(2, "a change of local time of two parts")?;
            Ok(ClockChange {
                from: TimeMs::new(decoder.uint()?),
                offset_biased: decoder.uint()?,
            })
        };
        let clock = (0..count)
            .map(|_| change(decoder))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            weekend,
            free_days,
            until,
            clock,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: u64, month: u64, day: u64) -> Day {
        Day::from_date(year, month, day).unwrap()
    }

    /// Bavaria around the turn of the years 2026 and 2027, in Central European Time.
    fn bavaria() -> Calendar {
        let free = [
            (2026, 12, 25),
            (2026, 12, 26),
            (2027, 1, 1),
            (2027, 1, 6),
            (2027, 3, 26),
            (2027, 3, 29),
        ];
        let change = |(year, month, at), hours: u64| ClockChange {
            from: TimeMs::new(day(year, month, at).get() * DAY_MS as u64 + 3_600_000),
            offset_biased: OFFSET_BIAS_MINUTES + 60 * hours,
        };
        Calendar {
            weekend: vec![6, 7],
            free_days: free.into_iter().map(|(y, m, d)| day(y, m, d)).collect(),
            until: day(2027, 12, 31),
            clock: vec![
                change((2026, 3, 29), 2),
                change((2026, 10, 25), 1),
                change((2027, 3, 28), 2),
            ],
        }
    }

    #[test]
    fn dates_and_weekdays() {
        assert_eq!(day(1970, 1, 1).get(), 0);
        assert_eq!(day(2026, 11, 28).weekday(), 6, "a Saturday");
        assert_eq!(day(2000, 2, 29).plus(1).date(), (2000, 3, 1));
        assert_eq!(Day::from_date(2100, 2, 29), None);
        assert_eq!(Day::from_date(1969, 12, 31), None);
        let mut number = 0;
        for year in 1970..2110 {
            for month in 1..=12 {
                for date in 1..=month_days(year as i64, month as i64) as u64 {
                    assert_eq!(Day(number).date(), (year, month, date));
                    assert_eq!(Day::from_date(year, month, date), Some(Day(number)));
                    number += 1;
                }
            }
        }
    }

    #[test]
    fn far_days_do_not_overflow() {
        for far in [Day(u64::MAX), Day(1 << 40), Day(0)] {
            let (year, month, date) = far.plus_months(u64::MAX).date();
            assert!(year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&date));
            assert!((1..=7).contains(&far.plus(u64::MAX).weekday()));
        }
    }

    #[test]
    fn ends_of_periods() {
        let calendar = bavaria();
        let end =
            |start: Day, count, unit| calendar.last_day(start, Period { count, unit }, 0).date();
        // Section 188(3): 31 January and a month is the end of February.
        assert_eq!(
            end(day(2027, 1, 31), 1, Unit::Months),
            (2027, 3, 1),
            "28 February 2027 is a Sunday"
        );
        assert_eq!(day(2028, 1, 31).plus_months(1).date(), (2028, 2, 29));
        assert_eq!(
            end(day(2026, 12, 4), 3, Unit::Weeks),
            (2026, 12, 28),
            "over Christmas and its weekend"
        );
        assert_eq!(end(day(2026, 12, 23), 3, Unit::WorkingDays), (2026, 12, 29));
        assert_eq!(end(day(2026, 12, 31), 1, Unit::Days), (2027, 1, 4));
        assert_eq!(end(day(2026, 11, 2), 10, Unit::Days), (2026, 11, 12));
    }

    #[test]
    fn local_midnight() {
        let calendar = bavaria();
        assert!(calendar.is_sound());
        for number in day(2026, 1, 1).get()..day(2027, 12, 31).get() {
            let start = calendar.start_of(Day(number));
            assert_eq!(calendar.day_of(start), Day(number));
            assert_eq!(
                calendar.day_of(TimeMs::new(start.get() - 1)),
                Day(number - 1)
            );
        }
        // 25 October 2026 has 25 hours, 28 March 2027 has 23.
        let length = |at: Day| calendar.start_of(at.plus(1)).get() - calendar.start_of(at).get();
        assert_eq!(length(day(2026, 10, 25)), 25 * 3_600_000);
        assert_eq!(length(day(2027, 3, 28)), 23 * 3_600_000);
    }

    #[test]
    fn a_clock_that_skips_midnight() {
        // At local midnight the clock goes from 00:00 to 01:00: the day begins with the jump.
        let change = TimeMs::new(100 * DAY_MS as u64 + 3 * 3_600_000);
        let calendar = Calendar {
            weekend: Vec::new(),
            free_days: Vec::new(),
            until: Day(1000),
            clock: vec![
                ClockChange {
                    from: TimeMs::new(0),
                    offset_biased: OFFSET_BIAS_MINUTES - 180,
                },
                ClockChange {
                    from: change,
                    offset_biased: OFFSET_BIAS_MINUTES - 120,
                },
            ],
        };
        assert_eq!(calendar.start_of(Day(100)), change);
        assert_eq!(calendar.day_of(change), Day(100));
    }

    #[test]
    fn unsound_calendars() {
        let broken: [fn(&mut Calendar); 8] = [
            |c| c.weekend = vec![1, 2, 3, 4, 5, 6, 7],
            |c| c.weekend = vec![7, 6],
            |c| c.weekend = vec![0],
            |c| c.free_days.reverse(),
            |c| c.until = Day(DAY_MAX + 1),
            |c| c.until = day(2026, 12, 1),
            |c| c.clock.clear(),
            |c| c.clock[0].offset_biased = 9999,
        ];
        for breaks in broken {
            let mut calendar = bavaria();
            breaks(&mut calendar);
            assert!(!calendar.is_sound(), "{calendar:?}");
        }
    }
}
