//! Cells of spreadsheets: text that people typed, as the attribute it was meant to be.

use serde_json::Value as Json;

use super::decimal::Digits;
use super::{Kind, Template, dates};
use crate::identifier::Identifier;
use crate::record::{Attribute, Form};

impl Template {
    /// The attribute that a cell means. What cannot be read stays text, so that
    /// [`Template::fill`] names it.
    ///
    /// Dates may be written 2026/1/5, 2026.1.5, 20260105 or 2026年1月5日; moments without an offset
    /// are China Standard Time; lists are separated by `;` or JSON; groups are JSON; enumerations
    /// may be given by label; references in any spelling. An empty cell means no attribute: that is
    /// for the caller, who knows whether cells can be left out.
    pub fn coerce(&self, name: &str, cell: &str) -> Attribute {
        let read = self.attribute(name).and_then(|attribute| read(&attribute.item.kind, cell));
        let kept = || Attribute { form: Form::Text, text: cell.to_owned() };
        read.and_then(|json| Attribute::from_json(&json).ok()).unwrap_or_else(kept)
    }
}

/// The cell's value; none when it is not of the type.
fn read(kind: &Kind, cell: &str) -> Option<Json> {
    let text = cell.trim();
    let read = match kind {
        Kind::String(_) => cell.to_owned(),
        Kind::Integer { .. } => return integer(text).map(Json::from),
        Kind::Boolean => return boolean(text).map(Json::from),
        Kind::Decimal(_) => decimal(text)?,
        Kind::Date => date(text)?,
        Kind::Datetime => moment(text)?,
        Kind::Time => time_of_day(text)?,
        Kind::Enumeration(choices) => {
            let named = |label: &Option<String>| label.as_deref() == Some(text);
            let by_value = choices.iter().find(|choice| choice.value == text);
            let by_label = || {
                choices.iter().find(|choice| named(&choice.labels.zh) || named(&choice.labels.en))
            };
            by_value.or_else(by_label)?.value.clone()
        }
        Kind::Url => text.to_owned(),
        Kind::Reference { .. } => Identifier::parse(text).ok()?.spelling().to_owned(),
        Kind::List(bounds) => return list(&bounds.items, text),
        Kind::Group(_) | Kind::File => return object(text),
    };
    Some(Json::String(read))
}

/// A whole number; spreadsheets write some of them with a fraction of zeros.
fn integer(text: &str) -> Option<i64> {
    let digits = Digits::read(text).filter(|digits| digits.fraction.is_empty())?;
    digits.canonical().parse().ok()
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "是" => Some(true),
        "false" | "0" | "no" | "n" | "否" => Some(false),
        _ => None,
    }
}

/// A decimal number that may have a plus, leading zeros or nothing before the point.
fn decimal(text: &str) -> Option<String> {
    let (minus, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let rest = rest.trim_start_matches('0');
    let zero = if rest.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
    let written = text.bytes().any(|byte| byte.is_ascii_digit());
    let number = format!("{minus}{zero}{rest}");
    (written && Digits::read(&number).is_some()).then_some(number)
}

/// A day in one of the ways people write it; midnight behind it is dropped.
fn date(text: &str) -> Option<String> {
    let text = text.split_once([' ', 'T']).map_or(text, |(day, time)| {
        if time.trim_matches(['0', ':', '.']).is_empty() { day } else { text }
    });
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let date = format!("{}-{}-{}", text.get(..4)?, text.get(4..6)?, text.get(6..)?);
        return dates::day(&date).map(|_| date);
    }
    let mut parts = text.trim_end_matches('日').split(['-', '/', '.', '年', '月']);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let right = digits(year, 4) && year.len() == 4 && digits(month, 2) && digits(day, 2);
    let date = format!("{year}-{month:0>2}-{day:0>2}");
    (right && parts.next().is_none() && dates::day(&date).is_some()).then_some(date)
}

/// A moment: a day, a time of day and perhaps an offset.
fn moment(text: &str) -> Option<String> {
    if dates::moment(text).is_some() {
        return Some(text.to_owned());
    }
    let (day, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let time = time.trim();
    let offset_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (time, offset) = time.split_at(offset_at);
    let offset = if offset.is_empty() { CELL_OFFSET } else { offset };
    let moment = format!("{}T{}{offset}", date(day)?, time_of_day(time.trim())?);
    dates::moment(&moment).is_some().then_some(moment)
}

/// A time of day; seconds may be left out.
fn time_of_day(text: &str) -> Option<String> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next().unwrap_or("00");
    let time = format!("{hour:0>2}:{minute:0>2}:{second:0>2}");
    (parts.next().is_none() && dates::time_of_day(&time).is_some()).then_some(time)
}

/// JSON, or cells separated by semicolons.
fn list(items: &Kind, text: &str) -> Option<Json> {
    if text.starts_with('[') {
        return object(text);
    }
    let cells = text.split([';', '；']).map(str::trim).filter(|cell| !cell.is_empty());
    // What is no value of the type stays text here too.
    let values = cells.map(|cell| read(items, cell).unwrap_or_else(|| cell.into()));
    Some(values.collect())
}

fn object(text: &str) -> Option<Json> {
    let json: Option<Json> = serde_json::from_str(text).ok();
    json.filter(|json| json.is_array() || json.is_object())
}

/// Offset of moments whose cell has none: China Standard Time, because spreadsheets have no zones.
const CELL_OFFSET: &str = "+08:00";
