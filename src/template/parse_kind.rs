//! Reading the types of attributes and members, groups among them.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::decimal::{Decimal, MAX_DIGITS};
use super::fault::Path;
use super::members::{Members, plain};
use super::parse::{MAX_LABEL_CHARACTERS, Reader};
use super::pattern::{MAX_PATTERN_CHARACTERS, MAX_PATTERNS, Pattern};
use super::{
    Choice, DecimalBounds, Group, Item, Kind, ListBounds, MAX_ATTRIBUTES, MAX_CHOICES, MAX_DEPTH,
    MAX_INDEXED_CHARACTERS, MAX_LIST_ITEMS, MAX_STRING_CHARACTERS, StringBounds,
};
use crate::identifier::Identifier;

impl<'a> Reader<'a> {
    /// A type and its bounds. `depth` counts the lists and groups around it.
    pub fn kind(&self, members: &mut Members<'_>, depth: usize) -> Option<Kind> {
        let word = members.required_text("type", 16)?;
        Some(match word {
            "string" => self.string(members)?,
            "integer" => integer(members)?,
            "decimal" => decimal(members)?,
            "boolean" => Kind::Boolean,
            "date" => Kind::Date,
            "datetime" => Kind::Datetime,
            "time" => Kind::Time,
            "enumeration" => self.enumeration(members)?,
            "url" => Kind::Url,
            "reference" => reference(members)?,
            "file" => Kind::File,
            "list" => self.list(members, depth)?,
            "group" => self.group(members, depth)?,
            _ => {
                let message = "must be string, integer, decimal, boolean, date, datetime, time, \
                               enumeration, url, reference, file, list or group";
                members.fault("type", "enumeration", message);
                return None;
            }
        })
    }

    fn string(&self, members: &mut Members<'_>) -> Option<Kind> {
        let min_length = members.count("min_length", MAX_STRING_CHARACTERS).unwrap_or(0);
        let max_length = members.count("max_length", MAX_STRING_CHARACTERS);
        let max_length = max_length.unwrap_or(MAX_STRING_CHARACTERS);
        if min_length > max_length {
            members.fault("min_length", "maximum", "must not be above max_length");
        }
        let pattern = members.text("pattern", MAX_PATTERN_CHARACTERS);
        if pattern.is_some() {
            self.patterns.set(self.patterns.get() + 1);
            if self.patterns.get() > MAX_PATTERNS {
                members.fault("pattern", "length", format!("at most {MAX_PATTERNS} patterns"));
                return None;
            }
        }
        let pattern = pattern.map(Pattern::new).transpose();
        if let Err(reason) = &pattern {
            members.fault("pattern", "pattern", reason);
        }
        Some(Kind::String(StringBounds { min_length, max_length, pattern: pattern.ok()? }))
    }

    fn enumeration(&self, members: &mut Members<'_>) -> Option<Kind> {
        let list = members.list("values", MAX_CHOICES);
        let place = *members.place();
        let place = place.name("values");
        let mut choices = Vec::with_capacity(list.len());
        for (position, json) in list.iter().enumerate() {
            let mut members = Members::open(json, place.position(position), self.faults)?;
            let value = members.required_text("value", MAX_INDEXED_CHARACTERS);
            members.required("labels");
            let labels = members.labels("labels", MAX_LABEL_CHARACTERS);
            members.close();
            let (Some(value), Some(labels)) = (value, labels) else { continue };
            choices.push(Choice { value: value.to_owned(), labels });
        }
        choices.sort_by(|one, two| one.value.cmp(&two.value));
        for pair in choices.windows(2) {
            if let [one, two] = pair
                && one.value == two.value
            {
                self.faults.add(&place, "unique", &one.value, "the value stands there twice");
            }
        }
        Some(Kind::Enumeration(choices))
    }

    fn list(&self, members: &mut Members<'_>, depth: usize) -> Option<Kind> {
        let min_items = members.count("min_items", MAX_LIST_ITEMS).unwrap_or(0);
        let max_items = members.count("max_items", MAX_LIST_ITEMS).unwrap_or(MAX_LIST_ITEMS);
        if min_items > max_items {
            members.fault("min_items", "maximum", "must not be above max_items");
        }
        let unique_items = members.flag("unique_items");
        let json = members.required("items")?;
        if depth >= MAX_DEPTH {
            members.fault("items", "depth", too_deep());
            return None;
        }
        let place = *members.place();
        let mut inner = Members::open(json, place.name("items"), self.faults)?;
        let items = self.kind(&mut inner, depth + 1);
        inner.close();
        Some(Kind::List(Box::new(ListBounds { items: items?, min_items, max_items, unique_items })))
    }

    fn group(&self, members: &mut Members<'_>, depth: usize) -> Option<Kind> {
        let name = members.text("group", MAX_LABEL_CHARACTERS);
        let list = members.optional("attributes");
        if depth >= MAX_DEPTH {
            members.fault("type", "depth", too_deep());
            return None;
        }
        match (name, list) {
            (Some(name), None) => {
                let Some((name, _)) = self.named.get_key_value(name) else {
                    members.fault("group", "unknown", "\"groups\" has no such group");
                    return None;
                };
                if self.open.borrow().contains(&name.as_str()) {
                    members.fault("group", "cycle", "the group would hold itself");
                    return None;
                }
                let group = self.named_group(name, depth + 1)?;
                if depth + group.depth > MAX_DEPTH {
                    members.fault("group", "depth", too_deep());
                }
                Some(Kind::Group(group))
            }
            (None, Some(_)) => {
                let list = members.list("attributes", MAX_ATTRIBUTES);
                let place = *members.place();
                let items = self.items(list, place.name("attributes"), depth + 1);
                Some(Kind::Group(Arc::new(Group::new(None, items?))))
            }
            _ => {
                let message = "needs either \"group\" or \"attributes\"";
                members.fault("group", "required", message);
                None
            }
        }
    }

    /// A group that is defined for reuse; read when first met.
    pub fn named_group(&self, name: &'a str, depth: usize) -> Option<Arc<Group>> {
        if let Some(group) = self.groups.borrow().get(name) {
            return group.clone();
        }
        self.open.borrow_mut().push(name);
        let group = self.group_items(name, depth);
        self.open.borrow_mut().pop();
        let group = group.map(|items| Arc::new(Group::new(Some(name.to_owned()), items)));
        self.groups.borrow_mut().insert(name, group.clone());
        group
    }

    fn group_items(&self, name: &'a str, depth: usize) -> Option<Vec<Item>> {
        let root = Path::root("groups");
        let place = root.name(name);
        let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(right) {
            let message = "group names are 1 to 64 letters, digits, '_' and '-'";
            self.faults.add(&place, "pattern", name, message);
        }
        let list = self.named.get(name)?;
        let possible = 1..=MAX_ATTRIBUTES;
        let Some(list) = list.as_array().filter(|list| possible.contains(&list.len())) else {
            let message = format!("must be a list of 1 to {MAX_ATTRIBUTES} members");
            self.faults.add(&place, "type", plain(list), message);
            return None;
        };
        self.items(list, place, depth)
    }

    /// The members of a group; none when one is at fault.
    fn items(&self, list: &[Json], place: Path<'_>, depth: usize) -> Option<Vec<Item>> {
        let mut names = HashSet::new();
        let mut items = Vec::with_capacity(list.len());
        for (position, json) in list.iter().enumerate() {
            let place = place.position(position);
            let Some(mut members) = Members::open(json, place, self.faults) else { continue };
            let item = self.item(&mut members, depth);
            members.close();
            let Some(item) = item else { continue };
            if !names.insert(item.name.clone()) {
                let message = "another member has this name";
                self.faults.add(&place.name("name"), "unique", &item.name, message);
            }
            items.push(item);
        }
        (items.len() == list.len()).then_some(items)
    }
}

fn integer(members: &mut Members<'_>) -> Option<Kind> {
    let minimum = members.integer("minimum", i64::MIN..=i64::MAX).unwrap_or(i64::MIN);
    let maximum = members.integer("maximum", i64::MIN..=i64::MAX).unwrap_or(i64::MAX);
    if minimum > maximum {
        members.fault("minimum", "maximum", "must not be above maximum");
    }
    Some(Kind::Integer { minimum, maximum })
}

fn decimal(members: &mut Members<'_>) -> Option<Kind> {
    let unit = members.text("unit", 32).map(str::to_owned);
    let digits = members.integer("digits", 1..=MAX_DIGITS as i64);
    let digits = digits.map_or(MAX_DIGITS, |digits| digits.unsigned_abs() as usize);
    let fraction_digits = members.count("fraction_digits", MAX_DIGITS);
    let fraction_digits = fraction_digits.unwrap_or(DEFAULT_FRACTION_DIGITS.min(digits));
    if fraction_digits > digits {
        members.fault("fraction_digits", "maximum", "must not be above digits");
    }
    let mut bound = |name| {
        let text = members.text(name, 80)?;
        let bound = Decimal::parse(text);
        if bound.is_none() {
            members.fault(name, "type", "must be a decimal number as a string, such as \"0.5\"");
        }
        bound
    };
    let (minimum, maximum) = (bound("minimum"), bound("maximum"));
    if let (Some(minimum), Some(maximum)) = (&minimum, &maximum)
        && minimum.digits().compare(&maximum.digits()).is_gt()
    {
        members.fault("minimum", "maximum", "must not be above maximum");
    }
    Some(Kind::Decimal(DecimalBounds { unit, digits, fraction_digits, minimum, maximum }))
}

fn reference(members: &mut Members<'_>) -> Option<Kind> {
    let template = members.text("template", MAX_INDEXED_CHARACTERS).map(Identifier::literal);
    if let Some(Err(error)) = &template {
        members.fault("template", "type", error);
    }
    Some(Kind::Reference { template: template.transpose().ok()? })
}

fn too_deep() -> String {
    format!("lists and groups nest deeper than {MAX_DEPTH}")
}

/// Digits behind the point when the definition does not say.
const DEFAULT_FRACTION_DIGITS: usize = 6;
