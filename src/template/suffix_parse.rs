//! Reading coding rules, and refusing those whose suffixes would be invalid or come twice.

use serde_json::Value as Json;
use time::UtcOffset;

use super::check_character::CheckCharacter;
use super::dates;
use super::fault::{Faults, Path};
use super::members::Members;
use super::pattern::{MAX_PATTERN_CHARACTERS, Pattern};
use super::suffix::{DateStep, MAX_SUFFIX_OCTETS, Part, Reset, SuffixRule};

impl SuffixRule {
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
        if !list.is_empty() && rule.parts.len() == list.len() {
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

/// China Standard Time.
pub(super) const DEFAULT_OFFSET: &str = "+08:00";

/// Most parts of a rule.
const MAX_PARTS: usize = 16;

/// Counters of this many digits fit in 64 bits.
const MAX_COUNTER_DIGITS: i64 = 18;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Fault;
    use serde_json::json;

    fn faults_of(json: &Json) -> Vec<Fault> {
        let faults = Faults::default();
        let _ = SuffixRule::parse(json, Path::root("suffix"), &faults);
        faults.into_vec()
    }

    #[test]
    fn wrong_rules_are_named() {
        let counter = json!({"counter": {"digits": 2}});
        for (rule, expected) in [
            (json!({"parts": []}), "suffix.parts length"),
            (json!({"parts": [{"text": "a"}]}), "suffix.parts required"),
            (json!({"parts": [counter, counter]}), "suffix.parts unique"),
            (json!({"parts": [counter, {}]}), "suffix.parts[1] required"),
            (json!({"parts": [counter, {"text": "a", "date": "yy"}]}), "suffix.parts[1] required"),
            (json!({"parts": [counter, {"text": "a\n"}]}), "suffix.parts[1].text pattern"),
            (json!({"parts": [counter, {"date": "yyyy mm"}]}), "suffix.parts[1].date pattern"),
            (json!({"parts": [counter, {"check": "crc"}]}), "suffix.parts[1].check enumeration"),
            (
                json!({"parts": [{"text": "SN"}, counter, {"check": "mod10"}]}),
                "suffix.parts[2] check",
            ),
            (
                json!({"parts": [{"counter": {"digits": 19}}]}),
                "suffix.parts[0].counter.digits type",
            ),
            (json!({"parts": [{"counter": {}}]}), "suffix.parts[0].counter.digits required"),
            (
                json!({"parts": [{"counter": {"digits": 2, "start": 100}}]}),
                "suffix.parts[0].counter.start maximum",
            ),
            (
                json!({"parts": [{"serial": {"max_length": 5, "pattern": "("}}]}),
                "suffix.parts[0].serial.pattern pattern",
            ),
            (json!({"parts": [counter], "reset": "day"}), "suffix.parts reset"),
            (
                json!({"parts": [counter, {"date": "yyyyww"}], "reset": "year"}),
                "suffix.parts reset",
            ),
            (json!({"parts": [counter, {"date": "yyMM"}], "reset": "day"}), "suffix.parts reset"),
            (json!({"parts": [counter], "reset": "hour"}), "suffix.reset enumeration"),
            (json!({"parts": [counter], "offset": "8"}), "suffix.offset type"),
            (json!({"parts": [counter, {"text": "a".repeat(189)}]}), "suffix.parts length"),
            (json!({"parts": [counter], "colour": 1}), "suffix.colour unknown"),
        ] {
            let faults = faults_of(&rule);
            let named: Vec<String> =
                faults.iter().map(|fault| format!("{} {}", fault.path, fault.rule)).collect();
            assert_eq!(named, [expected], "{rule}");
        }
    }
}
