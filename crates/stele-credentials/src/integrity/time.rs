//! Points in time as XML Schema writes them (`xsd:dateTimeStamp`, which RFC 3339 is a subset of).

/// Seconds since 1970 in UTC, rounded down.
pub type UnixSeconds = i64;

/// Reads a date and time with its zone; none if it is not one.
pub fn parse(text: &str) -> Option<UnixSeconds> {
    if text.len() > 64 || !text.is_ascii() {
        return None;
    }
    let (date, rest) = text.split_once(['T', 't'])?;
    let mut parts = date.splitn(3, '-');
    let year = parts.next()?;
    if !(4..=6).contains(&year.len()) || (year.len() > 4 && year.starts_with('0')) {
        return None;
    }
    let year = digits(year)?;
    let month = two(parts.next()?)?;
    let day = two(parts.next()?)?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone_at);
    let offset_minutes = zone_minutes(zone)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    digits(fraction)?;
    let mut parts = clock.splitn(3, ':');
    let (hour, minute, second) = (
        two(parts.next()?)?,
        two(parts.next()?)?,
        two(parts.next()?)?,
    );
    // A leap second (60) is the second after it, as POSIX counts.
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if day < 1 || day > days_in(year, month) {
        return None;
    }
    let days = days_since_1970(year, month, day);
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second - offset_minutes * 60)
}

/// Writes a time as RFC 3339 in UTC. Years before 0 and after 9999 are written as those.
pub fn format(time: UnixSeconds) -> String {
    let time = time.clamp(-62_167_219_200, 253_402_300_799);
    let (days, second) = (time.div_euclid(86_400), time.rem_euclid(86_400));
    // Howard Hinnant's civil_from_days, with years that begin in March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn digits(text: &str) -> Option<i64> {
    let good = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

fn two(text: &str) -> Option<i64> {
    (text.len() == 2).then(|| digits(text)).flatten()
}

fn zone_minutes(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 14 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant's days_from_civil.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2000-02-29T12:34:56.789+02:00"), Some(951_820_496));
        assert_eq!(parse("2023-02-24T23:36:38Z"), Some(1_677_281_798));
        for bad in [
            "2023-02-29T00:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01",
            "2023-01-01T24:00:00Z",
            "2023-1-01T00:00:00Z",
            "2023-01-01T00:00:00+15:00",
            "",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn times_read_back(time in -62_167_219_200_i64..253_402_300_799) {
            prop_assert_eq!(parse(&format(time)), Some(time));
        }

        #[test]
        fn any_text_is_read_or_not(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }
    }
}
