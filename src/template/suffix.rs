//! Coding rules: how the suffixes of new identifiers are made.
//!
//! A suffix is literal text, the date, a counter, a serial that the caller gives and check
//! characters over what stands before them. The rule keeps no state: who asks brings the time and
//! the counter, and learns from [`SuffixRule::counter_scope`] which counter to count.

use time::{OffsetDateTime, UtcOffset};

use super::Fault;
use super::check_character::CheckCharacter;
use super::pattern::Pattern;

/// How suffixes of new identifiers are made.
#[derive(Clone, Debug)]
pub struct SuffixRule {
    pub(super) parts: Vec<Part>,
    pub(super) reset: Reset,
    pub(super) offset: UtcOffset,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Text(String),
    Date(Vec<DateStep>),
    Counter { digits: usize, start: u64 },
    Serial { max_length: usize, pattern: Option<Pattern> },
    Check(CheckCharacter),
}

/// When the counter begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reset {
    Never,
    Year,
    Month,
    Day,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateStep {
    Year,
    ShortYear,
    Month,
    Day,
    Hour,
    DayOfYear,
    Week,
    Separator(char),
}

impl SuffixRule {
    /// The suffix at `now_ms` (since 1970). `counter` and `serial` are needed where the rule has
    /// such a part. A counter with too many digits is exhausted: a fault.
    pub fn render(
        &self,
        now_ms: u64,
        counter: Option<u64>,
        serial: Option<&str>,
    ) -> Result<String, Fault> {
        let now = self.local(now_ms);
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Date(steps) => write_date(steps, now, &mut out),
                Part::Counter { digits, .. } => out.push_str(&counted(*digits, counter)?),
                Part::Serial { max_length, pattern } => {
                    out.push_str(checked_serial(serial, *max_length, pattern.as_ref())?);
                }
                Part::Check(algorithm) => {
                    let check = algorithm.compute(&out).map_err(|character| {
                        let message = "the check character is not defined for this character";
                        Fault::new("suffix.check", "check", character, message)
                    })?;
                    out.push_str(&check);
                }
            }
        }
        if out.len() > MAX_SUFFIX_OCTETS {
            let message = format!("{} octets; at most {MAX_SUFFIX_OCTETS} are possible", out.len());
            return Err(Fault::new("suffix", "length", &out, message));
        }
        Ok(out)
    }

    /// The name of the period whose counter counts at `now_ms`: empty when it never restarts,
    /// else `2026`, `2026-01` or `2026-01-05`. None when the rule has no counter.
    pub fn counter_scope(&self, now_ms: u64) -> Option<String> {
        self.first_counter()?;
        let now = self.local(now_ms);
        let (year, month) = (now.year(), u8::from(now.month()));
        Some(match self.reset {
            Reset::Never => String::new(),
            Reset::Year => format!("{year:04}"),
            Reset::Month => format!("{year:04}-{month:02}"),
            Reset::Day => format!("{year:04}-{month:02}-{:02}", now.day()),
        })
    }

    /// The number that a counter begins with; none when the rule has no counter.
    pub fn first_counter(&self) -> Option<u64> {
        self.parts.iter().find_map(|part| match part {
            Part::Counter { start, .. } => Some(*start),
            _ => None,
        })
    }

    /// Whether the caller has to bring a serial.
    pub fn needs_serial(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Serial { .. }))
    }

    /// The time as the rule's clocks show it; the end of year 9999 for what lies behind it.
    fn local(&self, now_ms: u64) -> OffsetDateTime {
        let seconds = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX).min(LAST_SECOND);
        OffsetDateTime::from_unix_timestamp(seconds)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .to_offset(self.offset)
    }
}

impl Part {
    pub(super) fn most_octets(&self) -> usize {
        match self {
            Part::Text(text) => text.len(),
            Part::Date(steps) => steps.iter().map(|step| step.width()).sum(),
            Part::Counter { digits, .. } => *digits,
            Part::Serial { max_length, .. } => *max_length,
            Part::Check(algorithm) => algorithm.length(),
        }
    }
}

impl DateStep {
    fn width(self) -> usize {
        match self {
            DateStep::Year => 4,
            DateStep::DayOfYear => 3,
            DateStep::Separator(_) => 1,
            _ => 2,
        }
    }
}

/// Writes the date. Beside a week, the year is that of the ISO week (ISO 8601).
fn write_date(steps: &[DateStep], now: OffsetDateTime, out: &mut String) {
    use std::fmt::Write;
    let (week_year, week, _) = now.to_iso_week_date();
    let year = if steps.contains(&DateStep::Week) { week_year } else { now.year() };
    for step in steps {
        // Writing to a string cannot fail.
        let _ = match step {
            DateStep::Year => write!(out, "{year:04}"),
            DateStep::ShortYear => write!(out, "{:02}", year.rem_euclid(100)),
            DateStep::Month => write!(out, "{:02}", u8::from(now.month())),
            DateStep::Day => write!(out, "{:02}", now.day()),
            DateStep::Hour => write!(out, "{:02}", now.hour()),
            DateStep::DayOfYear => write!(out, "{:03}", now.ordinal()),
            DateStep::Week => write!(out, "{week:02}"),
            DateStep::Separator(separator) => write!(out, "{separator}"),
        };
    }
}

fn counted(digits: usize, counter: Option<u64>) -> Result<String, Fault> {
    let Some(counter) = counter else {
        return Err(Fault::new("suffix.counter", "required", "", "the rule needs a counter"));
    };
    let text = format!("{counter:0digits$}");
    if text.len() > digits {
        let message = format!("exhausted: the rule has {digits} digits for its counter");
        return Err(Fault::new("suffix.counter", "exhausted", counter, message));
    }
    Ok(text)
}

fn checked_serial<'a>(
    serial: Option<&'a str>,
    max_length: usize,
    pattern: Option<&Pattern>,
) -> Result<&'a str, Fault> {
    let fault = |rule, message: &str| {
        Err(Fault::new("suffix.serial", rule, serial.unwrap_or_default(), message))
    };
    let Some(text) = serial.filter(|serial| !serial.is_empty()) else {
        return fault("required", "the rule needs a serial");
    };
    if text.chars().count() > max_length {
        return fault("max_length", &format!("at most {max_length} characters are possible"));
    }
    if text.chars().any(char::is_control) {
        return fault("pattern", "holds a control character");
    }
    match pattern.filter(|pattern| !pattern.matches(text)) {
        Some(pattern) => fault("pattern", &format!("must match {}", pattern.as_str())),
        None => Ok(text),
    }
}

/// Most octets of a suffix: an identifier has at most 255, a prefix at most 64.
pub(super) const MAX_SUFFIX_OCTETS: usize = 190;

/// 9999-12-30T23:59:59Z: a day before the last, so that every offset stays within four digits.
const LAST_SECOND: i64 = 253_402_214_399;

#[cfg(test)]
mod tests {
    use super::super::fault::{Faults, Path};
    use super::*;
    use crate::identifier::Identifier;
    use serde_json::{Value as Json, json};

    fn rule(json: &Json) -> SuffixRule {
        let faults = Faults::default();
        let rule = SuffixRule::parse(json, Path::root("suffix"), &faults);
        assert_eq!(faults.into_vec(), []);
        rule.unwrap()
    }

    /// 2026-01-05T08:30:00+08:00.
    const NOW_MS: u64 = 1_767_573_000_000;

    #[test]
    fn suffixes_are_rendered_part_by_part() {
        let counter = json!({"counter": {"digits": 6, "start": 100}});
        let serial = json!({"serial": {"max_length": 9, "pattern": "[A-Z0-9]+"}});
        for (parts, offset, expected) in [
            (
                json!([{"text": "SN-"}, {"date": "yyyyMMdd"}, counter]),
                "+08:00",
                "SN-20260105000107",
            ),
            (json!([{"date": "yy.DDD-HH_"}, counter]), "+08:00", "26.005-08_000107"),
            (json!([{"date": "yyyyMMddHH"}, counter]), "-09:30", "2026010415000107"),
            (json!([{"date": "yyyyww"}, counter]), "Z", "202602000107"),
            (json!([{"text": "泵/"}, serial]), "Z", "泵/AB12"),
        ] {
            let rule = rule(&json!({"parts": parts, "offset": offset}));
            let suffix = rule.render(NOW_MS, Some(107), Some("AB12")).unwrap();
            assert_eq!(suffix, expected);
            assert!(Identifier::literal(&format!("88.118/{suffix}")).is_ok());
            assert_eq!(rule.needs_serial(), parts.to_string().contains("serial"));
            let first = parts.to_string().contains("counter").then_some(100);
            assert_eq!(rule.first_counter(), first);
            assert_eq!(rule.counter_scope(NOW_MS).is_some(), first.is_some());
        }
    }

    #[test]
    fn check_characters_cover_all_that_stands_before() {
        let parts = json!([{"counter": {"digits": 4}}, {"check": "mod10"}, {"check": "mod11"}]);
        let rule = rule(&json!({"parts": parts}));
        // 7894 and its Luhn digit 9, then ISO 7064 MOD 11-2 over 78949.
        let check = CheckCharacter::Mod11.compute("78949").unwrap();
        assert_eq!(rule.render(NOW_MS, Some(7_894), None).unwrap(), format!("78949{check}"));
    }

    #[test]
    fn counters_restart_with_their_period() {
        // 2025-12-31T23:59:59+08:00, a second before the year ends there.
        let before_ms = 1_767_196_799_000;
        for (reset, before, after) in [
            ("never", "", ""),
            ("year", "2025", "2026"),
            ("month", "2025-12", "2026-01"),
            ("day", "2025-12-31", "2026-01-01"),
        ] {
            let parts = json!([{"date": "yyyyMMdd"}, {"counter": {"digits": 3}}]);
            let rule = rule(&json!({"parts": parts, "reset": reset}));
            assert_eq!(rule.counter_scope(before_ms).as_deref(), Some(before));
            assert_eq!(rule.counter_scope(before_ms + 1_000).as_deref(), Some(after));
        }
    }

    #[test]
    fn weeks_carry_the_year_of_the_week() {
        let parts = json!([{"date": "yyyy-ww"}, {"text": "-"}, {"counter": {"digits": 1}}]);
        let rule = rule(&json!({"parts": parts}));
        // 2027-01-01 is in the 53rd week of 2026 (ISO 8601).
        let now_ms = 1_798_732_800_000;
        assert_eq!(rule.render(now_ms, Some(1), None).unwrap(), "2026-53-1");
    }

    #[test]
    fn what_cannot_be_rendered_is_a_fault() {
        let serial = json!({"serial": {"max_length": 4}});
        let parts = json!([{"counter": {"digits": 2}}, serial, {"check": "mod10"}]);
        let rule = rule(&json!({"parts": parts}));
        let fault = |counter, serial| rule.render(NOW_MS, counter, serial).unwrap_err().rule;
        assert_eq!(rule.render(NOW_MS, Some(99), Some("1")).unwrap().len(), 4);
        assert_eq!(fault(Some(100), Some("1")), "exhausted");
        assert_eq!(fault(None, Some("1")), "required");
        assert_eq!(fault(Some(1), None), "required");
        assert_eq!(fault(Some(1), Some("")), "required");
        assert_eq!(fault(Some(1), Some("12345")), "max_length");
        assert_eq!(fault(Some(1), Some("1\n")), "pattern");
        assert_eq!(fault(Some(1), Some("A")), "check");
        assert!(rule.render(u64::MAX, Some(1), Some("1")).is_ok());
    }
}
