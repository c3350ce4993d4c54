//! Reading JSON objects member by member, so that every fault is named and not only the first.

use std::ops::RangeInclusive;

use serde_json::{Map, Value as Json};

use super::Labels;
use super::fault::{Faults, Path};

/// The members of one JSON object that are still to be read.
pub(super) struct Members<'a> {
    object: &'a Map<String, Json>,
    place: Path<'a>,
    faults: &'a Faults,
    known: Vec<&'static str>,
}

impl<'a> Members<'a> {
    /// Opens an object; anything else is a fault.
    pub fn open(json: &'a Json, place: Path<'a>, faults: &'a Faults) -> Option<Self> {
        let Json::Object(object) = json else {
            faults.add(&place, "type", json, "must be an object");
            return None;
        };
        Some(Self { object, place, faults, known: Vec::new() })
    }

    /// Where the object stands.
    pub fn place(&self) -> &Path<'a> {
        &self.place
    }

    /// Names a fault of one member.
    pub fn fault(&self, name: &str, rule: &str, message: impl std::fmt::Display) {
        let value = self.object.get(name).map(plain).unwrap_or_default();
        self.faults.add(&self.place.name(name), rule, value, message);
    }

    /// A member that may be left out.
    pub fn optional(&mut self, name: &'static str) -> Option<&'a Json> {
        self.known.push(name);
        self.object.get(name)
    }

    /// A member that must be there.
    pub fn required(&mut self, name: &'static str) -> Option<&'a Json> {
        let member = self.optional(name);
        if member.is_none() {
            self.fault(name, "required", format!("{name:?} is missing"));
        }
        member
    }

    /// A text of 1 to `most` characters.
    pub fn text(&mut self, name: &'static str, most: usize) -> Option<&'a str> {
        let member = self.optional(name)?;
        let text = member.as_str().filter(|text| (1..=most).contains(&text.chars().count()));
        if text.is_none() {
            self.fault(name, "type", format!("must be a string of 1 to {most} characters"));
        }
        text
    }

    /// As [`Members::text`], and it must be there.
    pub fn required_text(&mut self, name: &'static str, most: usize) -> Option<&'a str> {
        self.required(name)?;
        self.text(name, most)
    }

    /// `true` or `false`; false when left out.
    pub fn flag(&mut self, name: &'static str) -> bool {
        let Some(member) = self.optional(name) else { return false };
        member.as_bool().unwrap_or_else(|| {
            self.fault(name, "type", "must be true or false");
            false
        })
    }

    /// A whole number within a range.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let member = self.optional(name)?;
        let number = member.as_i64().filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.fault(name, "type", format!("must be a whole number from {least} to {most}"));
        }
        number
    }

    /// A count from 0 to `most`.
    pub fn count(&mut self, name: &'static str, most: usize) -> Option<usize> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.integer(name, 0..=most).and_then(|number| usize::try_from(number).ok())
    }

    /// A list that must be there, of 1 to `most` items.
    pub fn list(&mut self, name: &'static str, most: usize) -> &'a [Json] {
        let Some(member) = self.required(name) else { return &[] };
        match member.as_array() {
            Some(items) if (1..=most).contains(&items.len()) => items,
            Some(items) => {
                let count = items.len();
                let message = format!("{count} entries, but 1 to {most} are possible");
                self.faults.add(&self.place.name(name), "length", count, message);
                &[]
            }
            None => {
                self.fault(name, "type", "must be a list");
                &[]
            }
        }
    }

    /// A text in Chinese, English or both, each of at most `most` characters.
    pub fn labels(&mut self, name: &'static str, most: usize) -> Option<Labels> {
        let json = self.optional(name)?;
        let mut members = Members::open(json, self.place.name(name), self.faults)?;
        let mut language = |name| members.text(name, most).map(str::to_owned);
        let labels = Labels { zh: language("zh"), en: language("en") };
        members.close();
        if labels.zh.is_none() && labels.en.is_none() {
            self.fault(name, "required", "needs \"zh\" or \"en\", or both");
            return None;
        }
        Some(labels)
    }

    /// Names members that nobody asked for.
    pub fn close(self) {
        for name in self.object.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let message = format!("unknown; possible here: {}", self.known.join(", "));
            self.fault(name, "unknown", message);
        }
    }
}

/// JSON as a fault shows it.
pub(super) fn plain(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}
