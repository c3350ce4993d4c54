//! Values against their types. What is checked here is what [`super::schema`] describes.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};

use super::decimal::Digits;
use super::fault::{Faults, Path};
use super::kind::file_members;
use super::members::plain;
use super::{
    DecimalBounds, Item, Kind, ListBounds, MAX_REFERENCE_CHARACTERS, MAX_URL_CHARACTERS,
    StringBounds, TypedReference, dates,
};
use crate::codec::canonical_json;
use crate::identifier::{Identifier, IdentifierError};

/// Checks the values of one attribute and brings them into the form they are stored in.
pub(super) struct Checker<'a> {
    pub faults: &'a Faults,
    pub references: &'a mut Vec<TypedReference>,
    /// Index of the attribute.
    pub attribute: u32,
}

impl Checker<'_> {
    pub fn wrong_type(&self, kind: &Kind, value: &str, place: &Path<'_>) {
        self.faults.add(place, "type", value, format_args!("must be {}", kind.expected()));
    }

    /// A value of JSON, which may hold others.
    pub fn json(&mut self, kind: &Kind, json: &mut Json, place: &Path<'_>) {
        match (kind, &mut *json) {
            (Kind::List(bounds), Json::Array(items)) => self.list(bounds, items, place),
            (Kind::Group(group), Json::Object(members)) => {
                self.group(&group.items, members, place);
            }
            (Kind::File, Json::Object(members)) => self.group(file_members(), members, place),
            (Kind::List(_) | Kind::Group(_) | Kind::File, _) => {
                self.wrong_type(kind, &plain(json), place);
            }
            (Kind::Integer { .. }, Json::Number(number)) => {
                self.text(kind, &mut number.to_string(), place);
            }
            (Kind::Boolean, Json::Bool(_)) => {}
            (Kind::Integer { .. } | Kind::Boolean, _) => {
                self.wrong_type(kind, &plain(json), place);
            }
            (_, Json::String(text)) => self.text(kind, text, place),
            _ => self.wrong_type(kind, &json.to_string(), place),
        }
    }

    /// A single value in its text.
    pub fn text(&mut self, kind: &Kind, text: &mut String, place: &Path<'_>) {
        let right = match kind {
            Kind::String(bounds) => return self.string(bounds, text, place),
            Kind::Integer { minimum, maximum } => {
                return self.integer(kind, (*minimum, *maximum), text, place);
            }
            Kind::Decimal(bounds) => return self.decimal(kind, bounds, text, place),
            Kind::Reference { template } => return self.reference(template.as_ref(), text, place),
            Kind::Enumeration(choices) => {
                let by_value = |choice: &super::Choice| choice.value.as_str().cmp(text.as_str());
                if choices.binary_search_by(by_value).is_err() {
                    let first: Vec<&str> =
                        choices.iter().take(SHOWN_CHOICES).map(|c| c.value.as_str()).collect();
                    let more = if choices.len() > SHOWN_CHOICES { " …" } else { "" };
                    let message = format_args!("must be one of {}{more}", first.join(", "));
                    self.faults.add(place, "enumeration", &*text, message);
                }
                true
            }
            Kind::Boolean => matches!(text.as_str(), "true" | "false"),
            Kind::Date => dates::day(text).is_some(),
            Kind::Datetime => dates::moment(text).is_some(),
            Kind::Time => dates::time_of_day(text).is_some(),
            Kind::Url => is_url(text),
            Kind::File | Kind::List(_) | Kind::Group(_) => false,
        };
        if !right {
            self.wrong_type(kind, text, place);
        }
    }

    fn string(&self, bounds: &StringBounds, text: &str, place: &Path<'_>) {
        let length = text.chars().count();
        if length < bounds.min_length {
            let message =
                format_args!("{length} characters; at least {} are needed", bounds.min_length);
            self.faults.add(place, "min_length", text, message);
        }
        if length > bounds.max_length {
            let message =
                format_args!("{length} characters; at most {} are possible", bounds.max_length);
            self.faults.add(place, "max_length", text, message);
        }
        if let Some(pattern) = &bounds.pattern
            && !pattern.matches(text)
        {
            self.faults.add(
                place,
                "pattern",
                text,
                format_args!("must match {}", pattern.as_str()),
            );
        }
    }

    fn integer(&self, kind: &Kind, bounds: (i64, i64), text: &str, place: &Path<'_>) {
        let Ok(number) = text.parse::<i128>() else { return self.wrong_type(kind, text, place) };
        let (minimum, maximum) = bounds;
        if number < i128::from(minimum) {
            self.faults.add(place, "minimum", text, format_args!("must be at least {minimum}"));
        }
        if number > i128::from(maximum) {
            self.faults.add(place, "maximum", text, format_args!("must be at most {maximum}"));
        }
    }

    fn decimal(&self, kind: &Kind, bounds: &DecimalBounds, text: &mut String, place: &Path<'_>) {
        let Some(digits) = Digits::read(text) else { return self.wrong_type(kind, text, place) };
        let whole = bounds.digits - bounds.fraction_digits;
        if digits.whole_digits() > whole {
            let message = format_args!("at most {whole} digits are possible before the point");
            self.faults.add(place, "digits", &*text, message);
        }
        if digits.written > bounds.fraction_digits {
            let most = bounds.fraction_digits;
            let message = format_args!("at most {most} digits are possible behind the point");
            self.faults.add(place, "fraction_digits", &*text, message);
        }
        if let Some(minimum) = &bounds.minimum
            && digits.compare(&minimum.digits()).is_lt()
        {
            let message = format_args!("must be at least {}", minimum.as_str());
            self.faults.add(place, "minimum", &*text, message);
        }
        if let Some(maximum) = &bounds.maximum
            && digits.compare(&maximum.digits()).is_gt()
        {
            let message = format_args!("must be at most {}", maximum.as_str());
            self.faults.add(place, "maximum", &*text, message);
        }
        if digits.canonical_length() != text.len() {
            *text = digits.canonical();
        }
    }

    fn reference(&mut self, template: Option<&Identifier>, text: &str, place: &Path<'_>) {
        match plain_reference(text) {
            Ok(target) => self.references.push(TypedReference {
                path: place.to_string(),
                attribute: self.attribute,
                target,
                template: template.map(|template| template.key().clone()),
            }),
            Err(reason) => self.faults.add(place, "reference", text, reason),
        }
    }

    fn list(&mut self, bounds: &ListBounds, items: &mut [Json], place: &Path<'_>) {
        let count = items.len();
        if count < bounds.min_items {
            let message = format_args!("{count} items; at least {} are needed", bounds.min_items);
            self.faults.add(place, "min_items", count, message);
        }
        if count > bounds.max_items {
            let message = format_args!("{count} items; at most {} are possible", bounds.max_items);
            self.faults.add(place, "max_items", count, message);
        }
        let mut seen = HashSet::new();
        for (position, item) in items.iter_mut().enumerate() {
            let place = place.position(position);
            self.json(&bounds.items, item, &place);
            if bounds.unique_items && !seen.insert(canonical_json(item)) {
                self.faults.add(&place, "unique_items", plain(item), "stands in the list twice");
            }
        }
    }

    fn group(&mut self, items: &[Item], members: &mut Map<String, Json>, place: &Path<'_>) {
        let mut known = 0;
        for item in items {
            let place = place.name(&item.name);
            match members.get_mut(&item.name) {
                Some(member) => {
                    known += 1;
                    self.json(&item.kind, member, &place);
                }
                None if item.required => {
                    let message =
                        format_args!("{:?} is missing: the template requires it", item.name);
                    self.faults.add(&place, "required", "", message);
                }
                None => {}
            }
        }
        if known == members.len() {
            return;
        }
        for (name, member) in members.iter() {
            if !items.iter().any(|item| item.name == *name) {
                let message = "unknown: the group has no such member";
                self.faults.add(&place.name(name), "unknown", plain(member), message);
            }
        }
    }
}

/// Reads a reference, which is `prefix/suffix` in no other spelling: what is stored is what is
/// shown everywhere.
fn plain_reference(text: &str) -> Result<Identifier, String> {
    if text.chars().count() > MAX_REFERENCE_CHARACTERS {
        return Err(format!("at most {MAX_REFERENCE_CHARACTERS} characters are possible"));
    }
    let starts = |scheme: &str| {
        text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    if ["hdl:", "http://", "https://"].into_iter().any(starts) {
        let parsed = Identifier::parse(text).map_err(|error| error.to_string())?;
        return Err(format!("write it plainly: {parsed}"));
    }
    Identifier::literal(text).map_err(|error: IdentifierError| error.to_string())
}

/// Whether a text is an address that a browser may be sent to.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let known = URL_SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let forbidden = |c: char| c.is_control() || c == ' ';
    known
        && !rest.is_empty()
        && !rest.contains(forbidden)
        && text.chars().count() <= MAX_URL_CHARACTERS
}

/// Schemes of addresses.
pub(super) const URL_SCHEMES: [&str; 4] = ["http", "https", "urn", "did"];

/// How many values of an enumeration a message names.
const SHOWN_CHOICES: usize = 20;
