//! Coding rules: how the suffixes of new identifiers are made.
//!
//! A suffix is literal text, the date, a counter, a serial that the caller gives and check
//! characters over what stands before them. The rule keeps no state: who asks brings the time and
//! the counter, and learns from [`SuffixRule::counter_scope`] which counter to count.

use time::{OffsetDateTime, UtcOffset};

use super::check_character::CheckCharacter;
use super::dates;
use super::fault::{Fault, Faults, Path};
use super::members::Members;
use super::pattern::{MAX_PATTERN_CHARACTERS, Pattern};
use serde_json::Value as Json;

/// How suffixes of new identifiers are made.
#[derive(Clone, Debug)]
pub struct SuffixRule {
    parts: Vec<Part>,
    reset: Reset,
    offset: UtcOffset,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Date(Vec<DateStep>),
    Counter { digits: usize, start: u64 },
    Serial { max_length: usize, pattern: Option<Pattern> },
    Check(CheckCharacter),
}

/// When the counter begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reset {
    Never,
    Year,
    Month,
    Day,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DateStep {
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

    pub(super) fn parse(json: &Json, place: Path<'_>, faults: &Faults) -> Option<Self> {
        let mut members = Members::open(json, place, faults)?;
        let reset = match members.text("reset", 8) {
            None | Some("never") => Reset::Never,
            Some("year") => Reset::Year,
            Some("month") => Reset::Month,
            Some("day") => Reset::Day,
            Some(_) => {
                members.fault("reset", "enumeration", "must be never, year, month or day");
                Reset::Never
            }
        };
        let offset = members.text("offset", 6).unwrap_or(DEFAULT_OFFSET);
        let offset = dates::offset_seconds(offset)
            .and_then(|seconds| UtcOffset::from_whole_seconds(i32::try_from(seconds).ok()?).ok());
        if offset.is_none() {
            members.fault("offset", "type", "must be Z or an offset such as +08:00");
        }
        let list = members.list("parts", MAX_PARTS);
        let place = *members.place();
        let place = place.name("parts");
        let parts: Vec<Part> = (0..)
            .zip(list)
            .filter_map(|(position, json)| part(json, place.position(position), faults))
            .collect();
        members.close();
        let rule = Self { parts, reset, offset: offset? };
        if rule.parts.len() == list.len() {
            rule.check(&place, faults);
        }
        Some(rule)
    }

    /// Names what would make the rule's suffixes invalid or equal.
    fn check(&self, place: &Path<'_>, faults: &Faults) {
        let count = |wanted: fn(&Part) -> bool| self.parts.iter().filter(|p| wanted(p)).count();
        let counters = count(|part| matches!(part, Part::Counter { .. }));
        let serials = count(|part| matches!(part, Part::Serial { .. }));
        if counters + serials == 0 {
            faults.add(place, "required", "", "needs a counter or a serial, or all are the same");
        }
        if counters > 1 || serials > 1 {
            faults.add(place, "unique", "", "at most one counter and one serial are possible");
        }
        if counters > 0 && self.named_period() < self.reset {
            let message = "the counter restarts, but no date part names the period (weeks do not): \
                           the same suffix would come again";
            faults.add(place, "reset", "", message);
        }
        let octets: usize = self.parts.iter().map(Part::most_octets).sum();
        if octets > MAX_SUFFIX_OCTETS {
            let message = format!("{octets} octets; at most {MAX_SUFFIX_OCTETS} are possible");
            faults.add(place, "length", octets, message);
        }
        let mut before = String::new();
        for (position, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(text) => before.push_str(text),
                Part::Check(algorithm) => {
                    if let Err(character) = algorithm.compute(&before) {
                        let message = "not defined for a character that stands before";
                        faults.add(&place.position(position), "check", character, message);
                    }
                }
                _ => {}
            }
        }
    }

    /// The shortest period that the date parts tell apart.
    fn named_period(&self) -> Reset {
        let mut steps: Vec<DateStep> = Vec::new();
        for part in &self.parts {
            // Beside a week, the year is that of the week and not of the calendar.
            if let Part::Date(part) = part
                && !part.contains(&DateStep::Week)
            {
                steps.extend(part);
            }
        }
        let has = |step| steps.contains(&step);
        let year = has(DateStep::Year) || has(DateStep::ShortYear);
        let day = has(DateStep::DayOfYear) || has(DateStep::Month) && has(DateStep::Day);
        match (year, has(DateStep::Month), day) {
            (false, ..) => Reset::Never,
            (true, _, true) => Reset::Day,
            (true, true, false) => Reset::Month,
            (true, false, false) => Reset::Year,
        }
    }
}

impl Part {
    fn most_octets(&self) -> usize {
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

/// One part: an object with exactly one member, named after its kind.
fn part(json: &Json, place: Path<'_>, faults: &Faults) -> Option<Part> {
    let mut members = Members::open(json, place, faults)?;
    let inner = place;
    let text = members.text("text", MAX_SUFFIX_OCTETS);
    let date = members.text("date", 32);
    let counter = members.optional("counter");
    let serial = members.optional("serial");
    let check = members.text("check", 16);
    members.close();
    let given = json.as_object().map_or(0, |members| members.len());
    if given != 1 {
        let message = "needs exactly one of text, date, counter, serial, check";
        faults.add(&place, "required", json, message);
        return None;
    }
    if let Some(text) = text {
        let right = !text.chars().any(char::is_control);
        if !right {
            faults.add(&inner.name("text"), "pattern", text, "holds a control character");
        }
        return right.then(|| Part::Text(text.to_owned()));
    }
    if let Some(date) = date {
        let steps = date_steps(date);
        if steps.is_none() {
            let message = "must be of yyyy, yy, MM, dd, HH, DDD, ww and the separators - . _";
            faults.add(&inner.name("date"), "pattern", date, message);
        }
        return steps.map(Part::Date);
    }
    if let Some(counter) = counter {
        return counter_part(counter, inner.name("counter"), faults);
    }
    if let Some(serial) = serial {
        return serial_part(serial, inner.name("serial"), faults);
    }
    let word = check?;
    let algorithm = CheckCharacter::parse(word);
    if algorithm.is_none() {
        let message = "must be mod10, mod11, mod37-36 or mod97";
        faults.add(&inner.name("check"), "enumeration", word, message);
    }
    algorithm.map(Part::Check)
}

fn counter_part(json: &Json, place: Path<'_>, faults: &Faults) -> Option<Part> {
    let mut members = Members::open(json, place, faults)?;
    members.required("digits");
    let digits = members.integer("digits", 1..=MAX_COUNTER_DIGITS);
    let start = members.integer("start", 0..=i64::MAX);
    let start = start.unwrap_or(1).unsigned_abs();
    let digits = usize::try_from(digits?).ok()?;
    if start.to_string().len() > digits {
        members.fault("start", "maximum", format!("must have at most {digits} digits"));
    }
    members.close();
    Some(Part::Counter { digits, start })
}

fn serial_part(json: &Json, place: Path<'_>, faults: &Faults) -> Option<Part> {
    let mut members = Members::open(json, place, faults)?;
    members.required("max_length");
    let max_length = members.integer("max_length", 1..=MAX_SUFFIX_OCTETS as i64);
    let pattern = members.text("pattern", MAX_PATTERN_CHARACTERS).map(Pattern::new).transpose();
    if let Err(reason) = &pattern {
        members.fault("pattern", "pattern", reason);
    }
    members.close();
    Some(Part::Serial { max_length: usize::try_from(max_length?).ok()?, pattern: pattern.ok()? })
}

fn date_steps(mut rest: &str) -> Option<Vec<DateStep>> {
    let mut steps = Vec::new();
    while let Some(first) = rest.chars().next() {
        let token = TOKENS.iter().find(|(token, _)| rest.starts_with(token));
        let (length, step) = match (token, first) {
            (Some((token, step)), _) => (token.len(), *step),
            (None, '-' | '.' | '_') => (1, DateStep::Separator(first)),
            _ => return None,
        };
        steps.push(step);
        rest = &rest[length..];
    }
    Some(steps)
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

/// Longer tokens before those they begin with.
const TOKENS: [(&str, DateStep); 7] = [
    ("yyyy", DateStep::Year),
    ("yy", DateStep::ShortYear),
    ("MM", DateStep::Month),
    ("DDD", DateStep::DayOfYear),
    ("dd", DateStep::Day),
    ("HH", DateStep::Hour),
    ("ww", DateStep::Week),
];

/// Most octets of a suffix: an identifier has at most 255, a prefix at most 64.
pub(super) const MAX_SUFFIX_OCTETS: usize = 190;

/// China Standard Time.
pub(super) const DEFAULT_OFFSET: &str = "+08:00";

/// Most parts of a rule.
const MAX_PARTS: usize = 16;

/// Counters of this many digits fit in 64 bits.
const MAX_COUNTER_DIGITS: i64 = 18;

/// 9999-12-30T23:59:59Z: a day before the last, so that every offset stays within four digits.
const LAST_SECOND: i64 = 253_402_214_399;
