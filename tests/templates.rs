//! The shipped templates' JSON Schemas, as python-jsonschema reads them, against our own checks:
//! both must say the same about every record, good or broken.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nameplate::record::Attribute;
use nameplate::template::{Item, Kind, Template, shipped};
use proptest::strategy::{Strategy, ValueTree};
use proptest::string::string_regex;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value as Json, json};

use crate::harness::{Chance, python};

#[test]
fn an_independent_validator_agrees() {
    let mut chance = Chance::announced("templates");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/templates");
    let folder = tempfile::tempdir().expect("a folder");
    for (name, definition) in shipped() {
        let template = Template::from_json(definition.as_bytes()).expect("a definition");
        let records: Vec<Json> =
            (0..RECORDS).map(|number| record(&template, number % 3, &mut chance)).collect();
        let file = folder.path().join("records.json");
        fs::write(&file, json!(records).to_string()).expect("writable");
        let schema = root.join(format!("{name}.schema.json"));
        let theirs = python(VALIDATE, &json!({"schema": schema, "records": file}));
        let theirs = theirs.as_array().expect("a list");
        assert_eq!(theirs.len(), records.len());
        let mut right = 0;
        for (record, theirs) in records.iter().zip(theirs) {
            let ours = verdict(&template, record);
            right += usize::from(ours.is_ok());
            assert_eq!(ours.is_ok(), theirs.is_null(), "{name}: {ours:?} {theirs}\n{record}");
        }
        println!("{name}: {right} of {} records are right", records.len());
        assert!((RECORDS / 5..RECORDS * 4 / 5).contains(&right), "both kinds are needed");
    }
}

/// Says for each record what is wrong with it, or null.
const VALIDATE: &str = r#"
import json, sys, jsonschema
places = json.loads(sys.argv[1])
schema = json.load(open(places["schema"]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
def first(record):
    error = next(validator.iter_errors(record), None)
    return error and error.json_path + ": " + error.message[:200]
print(json.dumps([first(record) for record in json.load(open(places["records"]))]))
"#;

/// What we say about a record, from JSON on.
fn verdict(template: &Template, record: &Json) -> Result<(), String> {
    let mut attributes = BTreeMap::new();
    for (name, json) in record.as_object().expect("an object") {
        let attribute = Attribute::from_json(json).map_err(|error| error.to_string())?;
        attributes.insert(name.clone(), attribute);
    }
    let filled = template.fill(attributes, &BTreeMap::new());
    filled.map(drop).map_err(|faults| format!("{faults:?}"))
}

/// A record that is meant to be right, with so many changes made to it.
fn record(template: &Template, changes: usize, chance: &mut Chance) -> Json {
    let items = template.attributes().iter().filter(|a| !a.disabled).map(|a| &a.item);
    let mut record = group(items, chance);
    for _ in 0..changes {
        change(&mut record, chance);
    }
    record
}

fn group<'a>(items: impl IntoIterator<Item = &'a Item>, chance: &mut Chance) -> Json {
    let mut members = Map::new();
    for item in items {
        if item.required || chance.below(2) == 0 {
            members.insert(item.name.clone(), value(&item.kind, chance));
        }
    }
    members.into()
}

/// A value that is meant to be right.
fn value(kind: &Kind, chance: &mut Chance) -> Json {
    match kind {
        Kind::String(bounds) => match &bounds.pattern {
            Some(pattern) => matching(pattern.as_str(), chance),
            None => {
                let room = (bounds.max_length - bounds.min_length).min(12) as u64;
                let length = bounds.min_length as u64 + chance.below(room + 1);
                let mut text: String = (0..length)
                    .map(|_| *chance.pick(&['a', 'Z', '泵', ' ', '"', '\t', '😀']))
                    .collect();
                if chance.below(8) == 0 && length > 0 {
                    // The longest text possible.
                    text = "长".repeat(bounds.max_length);
                }
                text.into()
            }
        },
        Kind::Integer { minimum, maximum } => {
            let near = minimum.saturating_add(chance.below(20) as i64).min(*maximum);
            (*chance.pick(&[*minimum, *maximum, near])).into()
        }
        Kind::Decimal(bounds) => {
            let ends = [&bounds.minimum, &bounds.maximum];
            let end = chance.pick(&ends).as_ref().map(|end| end.as_str().to_owned());
            let whole = chance.below(100) as usize;
            let fraction = "0".repeat(chance.below(bounds.fraction_digits as u64 + 1) as usize);
            let point = if fraction.is_empty() { "" } else { "." };
            let number = format!("{}{point}{fraction}", whole % 10usize.pow(2));
            end.filter(|_| chance.below(4) == 0).unwrap_or(number).into()
        }
        Kind::Boolean => (chance.below(2) == 0).into(),
        Kind::Date => matching("(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9])", chance),
        Kind::Time => matching("([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", chance),
        Kind::Datetime => matching(
            "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9])T1[0-9]:00:00\
             (\\.[0-9]{1,9})?(Z|[+-]08:00)",
            chance,
        ),
        Kind::Enumeration(choices) => chance.pick(choices).value.as_str().into(),
        Kind::Url => matching("(https?|urn|DID):[a-z0-9/.?=泵-]{1,20}", chance),
        Kind::Reference { .. } => {
            matching("88(\\.[0-9]{1,4}){1,3}/[A-Za-z0-9泵 ./_-]{1,20}", chance)
        }
        Kind::File => {
            let digest = matching("[0-9a-f]{64}", chance);
            let algorithm = chance.pick(&["sha-256", "sm3"]);
            json!({"url": "https://h/f", "algorithm": algorithm, "digest": digest})
        }
        Kind::List(bounds) => {
            let most = bounds.max_items.min(bounds.min_items + 3) - bounds.min_items;
            let count = bounds.min_items as u64 + chance.below(most as u64 + 1);
            (0..count).map(|_| value(&bounds.items, chance)).collect()
        }
        Kind::Group(members) => group(&members.items, chance),
    }
}

/// A text that matches a pattern.
fn matching(pattern: &str, chance: &mut Chance) -> Json {
    let inner = pattern.trim_start_matches("^(?:").trim_end_matches(")$");
    let inner = if inner.len() == pattern.len() - 6 { inner } else { pattern };
    let seed: Vec<u8> = (0..4).flat_map(|_| chance.next().to_le_bytes()).collect();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = string_regex(inner).unwrap_or_else(|error| panic!("{inner}: {error}"));
    strategy.new_tree(&mut runner).expect("a text").current().into()
}

/// Changes something somewhere.
fn change(json: &mut Json, chance: &mut Chance) {
    match json {
        Json::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            let deeper = !names.is_empty() && chance.below(8) > 1;
            if deeper {
                let name = chance.pick(&names);
                change(members.get_mut(name).expect("a member"), chance);
            } else if !names.is_empty() && chance.below(2) == 0 {
                members.remove(chance.pick(&names).as_str());
            } else {
                members.insert(chance.pick(&["colour", "name", "x"]).to_string(), any(chance));
            }
        }
        Json::Array(items) => match (items.len() as u64, chance.below(4)) {
            (0, _) | (_, 0) => items.push(any(chance)),
            (count, 1) => {
                let twice = items[chance.below(count) as usize].clone();
                items.push(twice);
            }
            (count, _) => change(&mut items[chance.below(count) as usize], chance),
        },
        Json::String(text) if chance.below(3) > 0 => {
            let mut characters: Vec<char> = text.chars().collect();
            let at = chance.below(characters.len() as u64 + 1) as usize;
            if chance.below(2) == 0 && at < characters.len() {
                characters.remove(at);
            } else {
                characters.insert(at, *chance.pick(&CHARACTERS));
            }
            *text = characters.into_iter().collect();
            // Python's `$` also matches before a line feed at the end; ECMAScript's does not.
            while text.ends_with('\n') {
                text.pop();
            }
        }
        other => *other = any(chance),
    }
}

fn any(chance: &mut Chance) -> Json {
    // No number with a fraction: JSON Schema takes 1.0 for an integer, and we no decimals at all.
    let some = json!([
        null, true, 0, -1, 5, i64::MIN, i64::MAX, u64::MAX, "", "0", "-0", "-0.00", "1", "-1",
        "100",
        "100.01", "-90.000001", "0.001", "1e3", ".5", "5.", "007", "2024-02-29", "1900-02-29",
        "2026-13-01", "0000-01-01", "2026-01-05T08:30:00+08:00", "2026-01-05T08:30:60Z", "24:00:00",
        "https://h/", "HTTP:x", "javascript:x", "urn:", "88.1/a", "hdl:88.1/a", "https://h",
        "88..1/a",
        "/a", "88/", "9".repeat(39), "x".repeat(2_100), [], [1], ["a", "a"], {}, {"x": 1},
    ]);
    let some = some.as_array().expect("a list");
    chance.pick(some).clone()
}

const RECORDS: usize = 600;

/// What is put into texts to break them.
const CHARACTERS: [char; 16] =
    ['0', '9', '-', '.', '/', ':', 'T', 'Z', 'a', ' ', '\n', '\u{7f}', '泵', '１', '+', '\u{a0}'];
