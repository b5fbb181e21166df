//! A checked service file, with the rules that the chain applies.

use stele_core::id::{Hash, TimeMs, sha256};
use stele_registers::service::calendar::{
    Calendar, ClockChange, Day, OFFSET_BIAS_MINUTES, Period, Unit,
};
use stele_registers::service::clock::Rules;

use crate::check;
use crate::dates;
use crate::file::{MissingItems, ServiceFile, Silence, Span, Text};
use crate::finding::Finding;

/// A service file in which nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    file: ServiceFile,
    document: Hash,
    rules: Rules,
}

impl Definition {
    /// Reads and checks a service file.
    ///
    /// # Errors
    /// Everything that is wrong with it; at least one finding.
    pub fn read(bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let file = check::read(bytes)?;
        let rules = rules(&file);
        Ok(Self {
            document: Hash::from_bytes(sha256(&[bytes])),
            file,
            rules,
        })
    }

    /// The file's content.
    pub fn file(&self) -> &ServiceFile {
        &self.file
    }

    /// SHA-256 of the file's bytes: the `document` on the chain.
    pub fn document(&self) -> Hash {
        self.document
    }

    /// What the chain applies.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Days and local time.
    pub fn calendar(&self) -> &Calendar {
        &self.rules.calendar
    }

    /// What citizens call an item; the code itself if the definition does not know it.
    pub fn item_title(&self, code: &str) -> Option<&Text> {
        let file = &self.file;
        let credentials = file
            .credentials
            .iter()
            .map(|need| (&need.code, &need.title));
        let fields = file.form.iter().map(|field| (&field.code, &field.title));
        let documents = file.documents.iter().map(|need| (&need.code, &need.title));
        let mut items = credentials.chain(fields).chain(documents);
        items.find(|(own, _)| *own == code).map(|(_, title)| title)
    }

    /// The last day of a period that the chain does not keep, for an event at `from`.
    pub(crate) fn last_day(&self, from: TimeMs, span: &Span) -> Day {
        let calendar = self.calendar();
        calendar.last_day(calendar.day_of(from), period(Some(span)), 0)
    }
}

/// The codes of everything that an application may need, in the order of the file.
pub(crate) fn item_codes(file: &ServiceFile) -> Vec<&str> {
    let credentials = file.credentials.iter().map(|need| need.code.as_str());
    let fields = file.form.iter().map(|field| field.code.as_str());
    let documents = file.documents.iter().map(|need| need.code.as_str());
    credentials.chain(fields).chain(documents).collect()
}

pub(crate) fn period(span: Option<&Span>) -> Period {
    match span {
        // The unit has been checked.
        Some(span) => Period {
            count: span.count,
            unit: Unit::from_name(&span.unit).unwrap_or(Unit::Days),
        },
        None => Period {
            count: 0,
            unit: Unit::Days,
        },
    }
}

/// The calendar of a file whose dates have been checked; what is not a date is left out.
pub(crate) fn calendar(file: &ServiceFile) -> Calendar {
    let calendar = &file.calendar;
    let holidays = calendar.holidays.iter();
    let clock = calendar.local_time.iter().filter_map(|change| {
        let minutes = dates::offset_minutes(&change.offset)?;
        Some(ClockChange {
            from: dates::instant(&change.from)?,
            offset_biased: u64::try_from(minutes + OFFSET_BIAS_MINUTES as i64).ok()?,
        })
    });
    let mut weekend: Vec<_> = calendar.weekend.iter().map(|day| *day as u64).collect();
    weekend.sort_unstable();
    Calendar {
        weekend,
        free_days: holidays
            .filter_map(|holiday| dates::date(&holiday.date))
            .collect(),
        until: dates::date(&calendar.until).unwrap_or(Day::new(0)),
        clock: clock.collect(),
    }
}

fn rules(file: &ServiceFile) -> Rules {
    let periods = &file.periods;
    Rules {
        decide: period(periods.decide.as_ref()),
        deemed: periods.silence == Silence::Grants,
        restart: periods.missing_items == MissingItems::Restart,
        check: period(periods.check.as_ref()),
        extension_max: periods.extension_max,
        appeal: period(periods.appeal.as_ref()),
        notice_days: periods.notified_after_days,
        items: item_codes(file).into_iter().map(str::to_owned).collect(),
        calendar: calendar(file),
    }
}
