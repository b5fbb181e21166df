//! Periods and calendar of a service file.

use std::collections::BTreeSet;

use stele_registers::service::calendar::{CLOCK_CHANGES_MAX, DAY_MAX, FREE_DAYS_MAX, Unit};
use stele_registers::service::clock::NOTICE_DAYS_MAX;

use super::Checker;
use super::rules::*;
use crate::dates;
use crate::definition::calendar;
use crate::file::{RemindOf, Silence, Span};

impl Checker<'_> {
    fn span(&mut self, path: &str, span: Option<&Span>, more: u64) {
        let Some(span) = span else {
            return;
        };
        self.plain(&format!("{path}/law"), &span.law);
        let Some(unit) = Unit::from_name(&span.unit) else {
            let sentence = format!("“{}” is no unit.", span.unit);
            return self.add(BAD_UNIT, &format!("{path}/unit"), sentence);
        };
        let fits = span.count > 0 && span.count.saturating_add(more) <= unit.count_max();
        let sentence = "The period is empty or too long.";
        self.need(fits, BAD_LENGTH, &format!("{path}/count"), sentence);
    }

    pub(super) fn periods(&mut self) {
        let periods = &self.file.periods;
        self.span(
            "/periods/decide",
            periods.decide.as_ref(),
            periods.extension_max,
        );
        self.span("/periods/check", periods.check.as_ref(), 0);
        self.span("/periods/supply", periods.supply.as_ref(), 0);
        self.span("/periods/appeal", periods.appeal.as_ref(), 0);
        let notice = periods.notified_after_days <= NOTICE_DAYS_MAX;
        let sentence = "A decision would count as notified too late.";
        self.need(notice, BAD_LENGTH, "/periods/notified_after_days", sentence);
        if periods.decide.is_none() {
            let silent = periods.silence == Silence::MeansNothing;
            let sentence = "Silence can grant nothing without a period for the decision.";
            self.need(silent, NO_PERIOD, "/periods/silence", sentence);
            let sentence = "There is no period that could be lengthened.";
            let path = "/periods/extension_max";
            self.need(periods.extension_max == 0, NO_PERIOD, path, sentence);
        }
        for (index, reminder) in periods.reminders.iter().enumerate() {
            let there = match reminder.of {
                RemindOf::Decide => periods.decide.is_some(),
                RemindOf::Supply => periods.supply.is_some(),
                RemindOf::Appeal => periods.appeal.is_some(),
            };
            let path = format!("/periods/reminders/{index}");
            let sentence = "There is no period of which to remind.";
            self.need(there, NO_PERIOD, &path, sentence);
            let fits = reminder.days_before <= Unit::Days.count_max();
            let path = format!("{path}/days_before");
            self.need(fits, BAD_LENGTH, &path, "The reminder comes too early.");
        }
    }

    pub(super) fn calendar(&mut self) {
        let written = &self.file.calendar;
        let weekend: BTreeSet<_> = written.weekend.iter().collect();
        let works = weekend.len() == written.weekend.len() && weekend.len() <= 6;
        let sentence = "A day is named twice, or no working day is left.";
        self.need(works, NO_WORKING_DAY, "/calendar/weekend", sentence);
        let until = dates::date(&written.until).filter(|day| day.get() <= DAY_MAX);
        let sentence = "This is no date that can be reckoned with.";
        self.need(until.is_some(), BAD_DATE, "/calendar/until", sentence);
        let many = written.holidays.len() <= FREE_DAYS_MAX;
        self.need(
            many,
            TOO_MANY,
            "/calendar/holidays",
            "There are more than 512 holidays.",
        );
        let mut last = None;
        for (index, holiday) in written.holidays.iter().enumerate() {
            let path = format!("/calendar/holidays/{index}/date");
            let Some(day) = dates::date(&holiday.date) else {
                self.add(BAD_DATE, &path, format!("“{}” is no date.", holiday.date));
                continue;
            };
            let sentence = "The holidays are not in order.";
            self.need(
                last.is_none_or(|last| day > last),
                NOT_ASCENDING,
                &path,
                sentence,
            );
            let sentence = "The holiday lies after the end of the calendar.";
            let within = until.is_none_or(|until| day <= until);
            self.need(within, AFTER_CALENDAR, &path, sentence);
            last = Some(day);
            self.plain(&format!("/calendar/holidays/{index}/name"), &holiday.name);
        }
        self.local_time();
        // What the chain would refuse must not pass here, whatever the reason.
        if self.findings.is_empty() && !calendar(self.file).is_sound() {
            self.add(BAD_DATE, "/calendar", "The calendar is not in order.");
        }
    }

    fn local_time(&mut self) {
        let changes = &self.file.calendar.local_time;
        let path = "/calendar/local_time";
        self.need(
            !changes.is_empty(),
            NOTHING,
            path,
            "Local time is not given.",
        );
        let many = changes.len() <= CLOCK_CHANGES_MAX;
        self.need(
            many,
            TOO_MANY,
            path,
            "Local time changes more than 64 times.",
        );
        let mut last = None;
        for (index, change) in changes.iter().enumerate() {
            let path = format!("{path}/{index}");
            let offset = dates::offset_minutes(&change.offset);
            let sentence = "This is no offset from UTC.";
            self.need(
                offset.is_some(),
                BAD_DATE,
                &format!("{path}/offset"),
                sentence,
            );
            let path = format!("{path}/from");
            let Some(from) = dates::instant(&change.from) else {
                self.add(BAD_DATE, &path, format!("“{}” is no instant.", change.from));
                continue;
            };
            let sentence = "The changes of local time are not in order.";
            self.need(
                last.is_none_or(|last| from > last),
                NOT_ASCENDING,
                &path,
                sentence,
            );
            last = Some(from);
        }
    }
}
