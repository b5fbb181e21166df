//! Dates, instants and offsets as a service file writes them.

use stele_core::calendar::parse_date_time;
use stele_core::id::TimeMs;
use stele_registers::service::calendar::Day;

/// Reads exactly `width` digits from the start.
fn digits(text: &str, width: usize) -> Option<(u64, &str)> {
    let head = text.get(..width)?;
    let all = head.bytes().all(|byte| byte.is_ascii_digit());
    Some((all.then(|| head.parse().ok())??, &text[width..]))
}

/// `2026-12-25`.
pub(crate) fn date(text: &str) -> Option<Day> {
    let (day, rest) = date_prefix(text)?;
    rest.is_empty().then_some(day)
}

fn date_prefix(text: &str) -> Option<(Day, &str)> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    Some((Day::from_date(year, month, day)?, rest))
}

/// `2026-03-29T01:00:00Z`: of RFC 3339's ways to write an instant the one without offset and fraction.
pub(crate) fn instant(text: &str) -> Option<TimeMs> {
    let plain = text.len() == 20 && text.ends_with('Z') && date_prefix(text).is_some();
    let ms = parse_date_time(text).filter(|_| plain)?;
    u64::try_from(ms).ok().map(TimeMs::new)
}

/// `+02:00`, as minutes east of UTC.
pub(crate) fn offset_minutes(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let fits = hours <= 14 && minutes < 60 && rest.is_empty();
    fits.then(|| sign * i64::try_from(hours * 60 + minutes).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad() {
        assert_eq!(date("1970-01-02"), Some(Day::new(1)));
        assert_eq!(
            instant("1970-01-02T01:00:01Z"),
            Some(TimeMs::new(90_001_000))
        );
        assert_eq!(offset_minutes("-03:30"), Some(-210));
        for bad in [
            "",
            "2026-02-29",
            "2026-1-1",
            "2026-01-01x",
            "+026-01-01",
            "2026-13-01",
            "2026-01-é",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
        for bad in [
            "2026-01-01",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00+00:00",
            "2026-01-01T00:00Z",
        ] {
            assert_eq!(instant(bad), None, "{bad}");
        }
        for bad in ["", "02:00", "+2:00", "+15:00", "+02:60", "+02:00 ", "é"] {
            assert_eq!(offset_minutes(bad), None, "{bad}");
        }
    }
}
