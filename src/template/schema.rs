//! The JSON Schema of a template's `attributes` object, so that anybody's validator agrees with
//! [`Template::fill`] on what a record's attributes look like.
//!
//! Three things it cannot say: whether a reference's record exists, whether a unique value is
//! taken, and that items of a list which differ only in trailing zeros of decimals are equal.

use serde_json::{Map, Value as Json, json};

use super::decimal_pattern::{at_least, at_most, shape};
use super::kind::file_members;
use super::{
    DecimalBounds, Item, Kind, Labels, ListBounds, MAX_REFERENCE_CHARACTERS, MAX_URL_CHARACTERS,
    StringBounds, Template,
};

impl Template {
    /// The schema (JSON Schema 2020-12) with `id` as its `$id`.
    pub fn json_schema(&self, id: &str) -> Json {
        let usable = self.attributes.iter().filter(|attribute| !attribute.disabled);
        let mut schema = object(usable.map(|attribute| &attribute.item));
        let mut add = |name: &str, member| schema.insert(name.to_owned(), member);
        add("$schema", "https://json-schema.org/draft/2020-12/schema".into());
        add("$id", id.into());
        describe(&self.labels, self.definition.as_ref(), add);
        if !self.groups.is_empty() {
            let groups = self.groups.iter();
            let groups: Map<String, Json> =
                groups.map(|(name, group)| (name.clone(), object(&group.items).into())).collect();
            schema.insert("$defs".into(), groups.into());
        }
        schema.into()
    }
}

/// The schema of an object with these members and no others.
fn object<'a>(items: impl IntoIterator<Item = &'a Item>) -> Map<String, Json> {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for item in items {
        let mut schema = kind(&item.kind);
        describe(&item.labels, item.definition.as_ref(), |name, member| {
            schema.insert(name.to_owned(), member)
        });
        properties.insert(item.name.clone(), schema.into());
        if item.required {
            required.push(Json::from(item.name.as_str()));
        }
    }
    let mut schema = map(json!({"type": "object", "additionalProperties": false}));
    schema.insert("properties".into(), properties.into());
    schema.insert("required".into(), required.into());
    schema
}

/// Titles and descriptions: English where the standard's words take one text, all in `x-labels`.
fn describe(
    labels: &Labels,
    definition: Option<&Labels>,
    mut add: impl FnMut(&str, Json) -> Option<Json>,
) {
    add("title", labels.en().into());
    add("x-labels", json!({"zh": labels.zh(), "en": labels.en()}));
    if let Some(definition) = definition {
        add("description", definition.en().into());
    }
}

fn kind(kind: &Kind) -> Map<String, Json> {
    map(match kind {
        Kind::String(bounds) => string(bounds),
        Kind::Integer { minimum, maximum } => {
            json!({"type": "integer", "minimum": minimum, "maximum": maximum})
        }
        Kind::Decimal(bounds) => decimal(bounds),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Date => pattern("date", &format!("^{DAY}$")),
        Kind::Datetime => {
            let offset = format!("(?:Z|[+-]{HOUR}:[0-5][0-9])");
            pattern("date-time", &format!("^{DAY}T{TIME}(?:\\.[0-9]{{1,9}})?{offset}$"))
        }
        // The format "time" asks for an offset.
        Kind::Time => json!({"type": "string", "pattern": format!("^{TIME}$")}),
        Kind::Enumeration(choices) => {
            let values: Vec<&str> = choices.iter().map(|choice| choice.value.as_str()).collect();
            json!({"type": "string", "enum": values})
        }
        Kind::Url => {
            let pattern = format!("^(?:{HTTP}|{URN}|{DID}):[^ {CONTROLS}]+$");
            json!({"type": "string", "maxLength": MAX_URL_CHARACTERS, "pattern": pattern})
        }
        Kind::Reference { template } => {
            let arc = format!("[^./{CONTROLS}]+");
            let pattern = format!("^{arc}(?:\\.{arc})*/[^{CONTROLS}]+$");
            let mut schema = json!({
                "type": "string",
                "maxLength": MAX_REFERENCE_CHARACTERS,
                "pattern": pattern,
                "not": {"pattern": "^(?:[hH][dD][lL]:|[hH][tT][tT][pP][sS]?://)"},
            });
            if let Some(template) = template {
                schema["x-template"] = template.spelling().into();
            }
            schema
        }
        Kind::File => object(file_members()).into(),
        Kind::List(bounds) => list(bounds),
        Kind::Group(group) => match &group.name {
            Some(name) => json!({"$ref": format!("#/$defs/{name}")}),
            None => object(&group.items).into(),
        },
    })
}

fn string(bounds: &StringBounds) -> Json {
    let (min_length, max_length) = (bounds.min_length, bounds.max_length);
    let mut schema = json!({"type": "string", "minLength": min_length, "maxLength": max_length});
    if let Some(pattern) = &bounds.pattern {
        schema["pattern"] = pattern.as_str().into();
    }
    schema
}

fn decimal(bounds: &DecimalBounds) -> Json {
    let minimum = bounds.minimum.as_ref().map(at_least);
    let maximum = bounds.maximum.as_ref().map(at_most);
    let range: Vec<Json> =
        minimum.into_iter().chain(maximum).map(|pattern| json!({"pattern": pattern})).collect();
    let shape = shape(bounds.digits, bounds.fraction_digits);
    let mut schema = json!({"type": "string", "pattern": shape});
    if !range.is_empty() {
        schema["allOf"] = range.into();
    }
    if let Some(unit) = &bounds.unit {
        schema["x-unit"] = unit.as_str().into();
    }
    schema
}

fn list(bounds: &ListBounds) -> Json {
    json!({
        "type": "array",
        "items": kind(&bounds.items),
        "minItems": bounds.min_items,
        "maxItems": bounds.max_items,
        "uniqueItems": bounds.unique_items,
    })
}

fn pattern(format: &str, pattern: &str) -> Json {
    json!({"type": "string", "format": format, "pattern": pattern})
}

fn map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

/// Days of the calendar: 31, 30 and 28 days, and 29 February of leap years.
const DAY: &str = "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])\
                   |(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))\
                   |(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])\
                   |(?:[02468][048]|[13579][26])00)-02-29)";

const HOUR: &str = "(?:[01][0-9]|2[0-3])";

const TIME: &str = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";

const HTTP: &str = "[hH][tT][tT][pP][sS]?";
const URN: &str = "[uU][rR][nN]";
const DID: &str = "[dD][iI][dD]";

/// The control characters, to stand in a class.
const CONTROLS: &str = "\\u0000-\\u001f\\u007f-\\u009f";
