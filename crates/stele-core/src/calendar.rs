//! The Gregorian calendar and `date-time` of RFC 3339, as milliseconds since 1970; in UTC, without time zones.

/// A date-time in milliseconds since 1970-01-01T00:00:00Z; further digits of the fraction are cut off. Nothing for a text
/// that is not a date-time of RFC 3339 section 5.6. Leap seconds (`:60`) are refused: they have no number here.
pub fn parse_date_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let digits = |from: usize, count: usize| -> Option<i64> {
        let part = bytes.get(from..from + count)?;
        part.iter().try_fold(0, |value, digit| {
            digit
                .is_ascii_digit()
                .then(|| value * 10 + i64::from(digit - b'0'))
        })
    };
    let is = |at: usize, wanted: u8| {
        bytes
            .get(at)
            .is_some_and(|b| b.eq_ignore_ascii_case(&wanted))
    };
    if !(is(4, b'-') && is(7, b'-') && is(10, b'T') && is(13, b':') && is(16, b':')) {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
    let (hour, minute, second) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
    if year == 0 || !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut at = 19;
    let mut millis = 0;
    if is(at, b'.') {
        at += 1;
        let length = bytes[at..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if length == 0 {
            return None;
        }
        for i in 0..3 {
            millis = millis * 10 + if i < length { digits(at + i, 1)? } else { 0 };
        }
        at += length;
    }
    let offset_minutes = match bytes.get(at)? {
        b'Z' | b'z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && is(at + 3, b':') => {
            let (hours, minutes) = (digits(at + 1, 2)?, digits(at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let total = hours * 60 + minutes;
            if *sign == b'-' { -total } else { total }
        }
        _ => return None,
    };
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    Some((minutes * 60 + second) * 1000 + millis)
}

/// The date-time of `ms`, in UTC with milliseconds. The range is that of four-digit years; outside it the nearest end.
pub fn format_date_time(ms: i64) -> String {
    let ms = ms.clamp(-62_135_596_800_000, 253_402_300_799_999);
    let (days, of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = date(days);
    let (second, milli) = (of_day / 1000, of_day % 1000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{milli:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Whether the year has 366 days.
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The days of a month, 28 to 31.
pub fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, in the proleptic Gregorian calendar. Years start in March here, so the leap day comes last.
pub fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (month * 153 + 2) / 5
        + day
        - 1
        - 719_468
}

/// Year, month and day of a day counted from 1970-01-01: the inverse of [`days_since_1970`].
pub fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100);
    let month = (of_year * 5 + 2) / 153;
    let day = of_year - (month * 153 + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year_of_era + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2005-04-03T20:33:31.116000-06:00", 1_112_582_011_116),
            ("2020-02-29T23:59:59.9z", 1_583_020_799_900),
            ("1969-12-31t23:59:59.9999Z", -1),
            ("2000-03-01T00:00:00+14:00", 951_818_400_000),
        ] {
            assert_eq!(parse_date_time(text), Some(ms), "{text}");
        }
        for bad in [
            "2005-04-03",
            "2005-04-03T20:33:31",
            "2005-02-29T00:00:00Z",
            "2005-13-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2005-04-03T24:00:00Z",
            "2005-04-03T20:33:60Z",
            "2005-04-03T20:33:31.Z",
            "2005-04-03T20:33:31+24:00",
            "2005-04-03T20:33:31Z ",
            "2005-04-03 20:33:31Z",
            "２005-04-03T20:33:31Z",
            "",
        ] {
            assert_eq!(parse_date_time(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn times_round_trip(ms in -62_135_596_800_000i64..=253_402_300_799_999) {
            proptest::prop_assert_eq!(parse_date_time(&format_date_time(ms)), Some(ms));
        }
        #[test]
        fn any_text_is_judged(text in "\\PC{0,30}") {
            let _ = parse_date_time(&text);
        }
    }
}
