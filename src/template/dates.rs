//! Days, moments and times of day as RFC 3339 §5.6 writes them.

use time::{Date, Month};

/// The day in `YYYY-MM-DD`.
pub(super) fn day(text: &str) -> Option<Date> {
    let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
    let [.., b'-', _, _, b'-', _, _] = bytes else { return None };
    let year = number(&bytes[..4])?;
    let month = Month::try_from(u8::try_from(number(&bytes[5..7])?).ok()?).ok()?;
    let day = u8::try_from(number(&bytes[8..])?).ok()?;
    Date::from_calendar_date(i32::from(year), month, day).ok()
}

/// The second of the day in `HH:MM:SS`.
pub(super) fn time_of_day(text: &str) -> Option<u32> {
    let bytes: &[u8; 8] = text.as_bytes().try_into().ok()?;
    let [_, _, b':', _, _, b':', _, _] = bytes else { return None };
    let (hour, minute) = (number(&bytes[..2])?, number(&bytes[3..5])?);
    let second = number(&bytes[6..])?;
    let right = hour < 24 && minute < 60 && second < 60;
    right.then(|| u32::from(hour) * 3_600 + u32::from(minute) * 60 + u32::from(second))
}

/// Seconds since 1970 and nanoseconds of `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)`.
pub(super) fn moment(text: &str) -> Option<(i64, u32)> {
    let date = day(text.get(..10)?)?;
    let rest = text.get(10..)?.strip_prefix('T')?;
    let second = time_of_day(rest.get(..8)?)?;
    let (nanoseconds, offset) = match rest.get(8..)?.strip_prefix('.') {
        None => (0, rest.get(8..)?),
        Some(rest) => {
            let end = rest.bytes().position(|byte| !byte.is_ascii_digit())?;
            if !(1..=9).contains(&end) {
                return None;
            }
            let digits: u32 = rest[..end].parse().ok()?;
            (digits * 10u32.pow(9 - end as u32), &rest[end..])
        }
    };
    let days = i64::from(date.to_julian_day()) - JULIAN_DAY_OF_1970;
    let seconds = days * 86_400 + i64::from(second) - offset_seconds(offset)?;
    Some((seconds, nanoseconds))
}

/// Seconds east of Greenwich of `Z` or `±HH:MM`.
pub(super) fn offset_seconds(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let bytes: &[u8; 6] = text.as_bytes().try_into().ok()?;
    let [sign @ (b'+' | b'-'), _, _, b':', _, _] = bytes else { return None };
    let (hours, minutes) = (number(&bytes[1..3])?, number(&bytes[4..])?);
    let seconds = i64::from(hours) * 3_600 + i64::from(minutes) * 60;
    let seconds = (hours < 24 && minutes < 60).then_some(seconds)?;
    Some(if *sign == b'-' { -seconds } else { seconds })
}

/// At most four ASCII digits.
fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0'))
    })
}

/// Julian day number of 1970-01-01.
const JULIAN_DAY_OF_1970: i64 = 2_440_588;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_days_of_the_calendar() {
        for right in ["2026-01-05", "2024-02-29", "2000-02-29", "0000-01-01", "9999-12-31"] {
            assert!(day(right).is_some(), "{right}");
        }
        for wrong in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-04-31",
            "2026-1-5",
            "2026/01/05",
            "26-01-05",
            "2026-01-05 ",
            "",
            "２026-01-05",
            "+026-01-05",
        ] {
            assert!(day(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn moments_are_counted_from_1970() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("1970-01-01T08:00:00+08:00", (0, 0)),
            ("1969-12-31T23:59:59.5Z", (-1, 500_000_000)),
            ("2001-09-09T01:46:40.000000001Z", (1_000_000_000, 1)),
        ] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        for wrong in [
            "2026-01-05",
            "2026-01-05T08:00:00",
            "2026-01-05 08:00:00Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T23:59:60Z",
            "2026-01-05T08:00:00.Z",
            "2026-01-05T08:00:00.1234567891Z",
            "2026-01-05T08:00:00+8:00",
            "2026-01-05T08:00:00+24:00",
            "2026-01-05T08:00:00z",
            "泵",
        ] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
        assert_eq!(time_of_day("23:59:59"), Some(86_399));
        assert!(["24:00:00", "23:60:00", "1:00:00", "23-59-59"].map(time_of_day) == [None; 4]);
    }
}
