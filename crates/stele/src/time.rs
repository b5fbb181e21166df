//! Milliseconds since 1970 as people read them. Years up to 9999; later times stay a number.

use stele_core::calendar;

const MS_OF_DAY: u64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z.
const MS_MAX: u64 = 253_402_300_799_999;

/// `2026-01-01 00:01:00.000 UTC`.
pub fn utc(ms: u64) -> String {
    if ms > MS_MAX {
        return format!("{ms} ms after 1970");
    }
    let (days, ms_of_day) = (ms / MS_OF_DAY, ms % MS_OF_DAY);
    let (year, month, day) = calendar::date(days as i64);
    let seconds = ms_of_day / 1000;
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:03} UTC",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        ms_of_day % 1000
    )
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
