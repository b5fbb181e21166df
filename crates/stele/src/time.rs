//! Milliseconds since 1970 as people read them. Years up to 9999; later times stay a number.

const MS_OF_DAY: u64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z.
const MS_MAX: u64 = 253_402_300_799_999;

/// `2026-01-01 00:01:00.000 UTC`.
pub fn utc(ms: u64) -> String {
    if ms > MS_MAX {
        return format!("{ms} ms after 1970");
    }
    let (days, ms_of_day) = (ms / MS_OF_DAY, ms % MS_OF_DAY);
    let (year, month, day) = civil(days);
    let seconds = ms_of_day / 1000;
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:03} UTC",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        ms_of_day % 1000
    )
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar, by eras of 400 years that
/// begin in March, so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00.000 UTC");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00.000 UTC");
        assert_eq!(utc(1_767_225_660_000), "2026-01-01 00:01:00.000 UTC");
        assert_eq!(utc(4_107_542_399_999), "2100-02-28 23:59:59.999 UTC");
        assert_eq!(utc(4_107_542_400_000), "2100-03-01 00:00:00.000 UTC");
        assert_eq!(utc(super::MS_MAX), "9999-12-31 23:59:59.999 UTC");
        assert_eq!(utc(u64::MAX), format!("{} ms after 1970", u64::MAX));
    }
}
