//! Rules broken one by one, and the shipped templates.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::codec::canonical_json;
use crate::record::{Attribute, Form};
use crate::snapshot;

/// Attributes as a registration has them.
fn attributes(json: &Json) -> BTreeMap<String, Attribute> {
    let members = json.as_object().unwrap().iter();
    members.map(|(name, json)| (name.clone(), Attribute::from_json(json).unwrap())).collect()
}

fn template(json: &Json) -> Template {
    Template::from_json(json.to_string().as_bytes())
        .unwrap_or_else(|faults| panic!("{faults:#?}\n{json}"))
}

/// `path rule` of every fault of a definition.
fn definition_faults(json: &Json) -> Vec<String> {
    let faults = Template::from_json(json.to_string().as_bytes()).unwrap_err();
    faults.into_iter().map(|fault| format!("{} {}", fault.path, fault.rule)).collect()
}

/// `path rule` of every fault of a record.
fn record_faults(template: &Template, json: &Json) -> Vec<String> {
    let faults = template.fill(attributes(json), &BTreeMap::new()).unwrap_err();
    faults.into_iter().map(|fault| format!("{} {}", fault.path, fault.rule)).collect()
}

/// A definition with these attributes; indexes and labels are added.
fn definition(attributes: Json) -> Json {
    let mut attributes = attributes;
    for (position, attribute) in attributes.as_array_mut().unwrap().iter_mut().enumerate() {
        let members = attribute.as_object_mut().unwrap();
        members.entry("index").or_insert((2_000 + position).into());
        members.entry("labels").or_insert(json!({"en": "x"}));
    }
    json!({"labels": {"en": "x"}, "attributes": attributes})
}

fn one(attribute: Json) -> Json {
    definition(json!([attribute]))
}

#[test]
fn every_fault_of_a_definition_is_named_at_once() {
    let choice = json!({"value": "a", "labels": {"zh": "甲"}});
    let json = json!({
        "labels": {},
        "industry": "39C",
        "colour": "red",
        "carrier": "yes",
        "attributes": [
            {"index": 1_999, "name": "a b", "type": "string", "labels": {"en": "x"}},
            {"index": 2_001, "name": "b", "type": "text", "labels": {"en": "x"}},
            {"index": 2_001, "name": "c", "type": "string", "labels": {"fr": "x"}},
            {"index": 2_002, "name": "d", "type": "string", "pattern": "(", "labels": {"en": "x"},
             "view": "all", "role": "colour"},
            {"index": 2_003, "name": "e", "type": "integer", "minimum": 2, "maximum": 1,
             "min_length": 3, "labels": {"en": "x"}},
            {"index": 2_003, "name": "E", "type": "enumeration", "values": [choice, choice],
             "labels": {"en": "x"}},
            {"index": 2_004, "name": "f", "type": "decimal", "minimum": 0.5, "digits": 39,
             "labels": {"en": "x"}},
        ],
        "suffix": {"parts": [{"check": "mod9"}]},
    });
    let expected = [
        "labels required",
        "industry pattern",
        "carrier type",
        "attributes[0].index type",
        "attributes[0].name pattern",
        "attributes[1].type enumeration",
        "attributes[2].labels.fr unknown",
        "attributes[2].labels required",
        "attributes[3].view enumeration",
        "attributes[3].pattern pattern",
        "attributes[3].role enumeration",
        "attributes[4].minimum maximum",
        "attributes[4].min_length unknown",
        "attributes[5].values unique",
        "attributes[5].index unique",
        "attributes[5].name unique",
        "attributes[6].digits type",
        "attributes[6].minimum type",
        "suffix.parts[0].check enumeration",
        "colour unknown",
    ];
    assert_eq!(definition_faults(&json), expected);
}

#[test]
fn definitions_are_bounded() {
    let fault = |bytes: &[u8]| Template::from_json(bytes).unwrap_err().remove(0).rule;
    assert_eq!(fault(&vec![b' '; MAX_DEFINITION_BYTES + 1]), "length");
    assert_eq!(fault(b"{"), "json");
    assert_eq!(fault("[".repeat(MAX_DEFINITION_BYTES).as_bytes()), "json");
    assert_eq!(fault(b"[]"), "type");
    let many: Json = (0..=MAX_ATTRIBUTES).map(|_| json!(0)).collect();
    let json = json!({"labels": {"en": "x"}, "attributes": many});
    assert_eq!(definition_faults(&json), ["attributes length"]);
    let json = json!({"labels": {"en": "x"}, "attributes": []});
    assert_eq!(definition_faults(&json), ["attributes length"]);
    let patterns =
        (0..=100).map(|n| json!({"name": format!("a{n}"), "type": "string", "pattern": "a"}));
    assert_eq!(
        definition_faults(&definition(patterns.collect())),
        ["attributes[100].pattern length"]
    );
}

#[test]
fn what_cannot_be_indexed_is_not() {
    for (attribute, rule) in [
        (json!({"name": "a", "type": "string", "unique": true}), "attributes[0].unique indexed"),
        (
            json!({"name": "a", "type": "string", "max_length": 256, "indexed": true}),
            "attributes[0].indexed indexed",
        ),
        (
            json!({"name": "a", "type": "list", "items": {"type": "date"}, "indexed": true}),
            "attributes[0].indexed indexed",
        ),
        (json!({"name": "a", "type": "file", "role": "name"}), "attributes[0].role type"),
        (json!({"name": "a", "type": "string", "role": "expiryTime"}), "attributes[0].role type"),
    ] {
        assert_eq!(definition_faults(&one(attribute)), [rule]);
    }
    let roles = json!([
        {"name": "a", "type": "string", "role": "name"},
        {"name": "b", "type": "string", "role": "name"},
    ]);
    assert_eq!(definition_faults(&definition(roles)), ["attributes[1].role unique"]);
}

#[test]
fn groups_may_not_hold_themselves_or_nest_too_deep() {
    let member =
        |name: &str| json!([{"name": "m", "type": "group", "group": name, "labels": {"en": "x"}}]);
    let mut json = one(json!({"name": "a", "type": "group", "group": "one"}));
    json["groups"] = json!({"one": member("two"), "two": member("three"), "three": member("one")});
    assert_eq!(definition_faults(&json), ["groups.three[0].group cycle"]);
    json["groups"] = json!({"one": member("two")});
    assert_eq!(definition_faults(&json), ["groups.one[0].group unknown"]);

    let nested = |depth: usize| {
        let mut items = json!({"type": "date"});
        for _ in 1..depth {
            items = json!({"type": "list", "items": items});
        }
        one(json!({"name": "a", "type": "list", "items": items}))
    };
    template(&nested(MAX_DEPTH));
    let faults = definition_faults(&nested(MAX_DEPTH + 1));
    assert!(faults.len() == 1 && faults[0].ends_with("items depth"), "{faults:?}");

    let mut json = one(json!({"name": "a", "type": "group", "group": "g0"}));
    for depth in 0..20 {
        json["groups"][format!("g{depth}")] = member(&format!("g{}", depth + 1));
    }
    json["groups"]["g20"] = json!([{"name": "m", "type": "date", "labels": {"en": "x"}}]);
    assert!(definition_faults(&json).iter().all(|fault| fault.ends_with("depth")));
}

/// Checks that a record with this value of this type has one fault.
fn check_broken(attribute: Json, value: Json, expected: &str) {
    let mut definition = attribute.clone();
    definition["name"] = "a".into();
    let template = template(&one(definition));
    assert_eq!(record_faults(&template, &json!({"a": value})), [expected], "{attribute}");
}

#[test]
fn every_rule_for_single_values_can_be_broken() {
    for (attribute, value, expected) in [
        (json!({"type": "string"}), json!(5), "attributes.a type"),
        (json!({"type": "string", "min_length": 2}), json!("泵"), "attributes.a min_length"),
        (json!({"type": "string", "max_length": 1}), json!("水泵"), "attributes.a max_length"),
        (json!({"type": "string", "pattern": "[A-Z]+"}), json!("Ab"), "attributes.a pattern"),
        (json!({"type": "integer"}), json!("5"), "attributes.a type"),
        (json!({"type": "integer"}), json!(u64::MAX), "attributes.a maximum"),
        (json!({"type": "integer", "minimum": 5}), json!(4), "attributes.a minimum"),
        (json!({"type": "integer", "maximum": 5}), json!(6), "attributes.a maximum"),
        (json!({"type": "decimal"}), json!(5), "attributes.a type"),
        (json!({"type": "decimal"}), json!("05"), "attributes.a type"),
        (
            json!({"type": "decimal", "digits": 3, "fraction_digits": 1}),
            json!("100"),
            "attributes.a digits",
        ),
        (
            json!({"type": "decimal", "fraction_digits": 1}),
            json!("1.10"),
            "attributes.a fraction_digits",
        ),
        (json!({"type": "decimal", "minimum": "-1.5"}), json!("-1.6"), "attributes.a minimum"),
        (json!({"type": "decimal", "maximum": "9.9"}), json!("10"), "attributes.a maximum"),
        (json!({"type": "boolean"}), json!("true"), "attributes.a type"),
        (json!({"type": "date"}), json!("2026-02-29"), "attributes.a type"),
        (json!({"type": "datetime"}), json!("2026-01-05T08:00:00"), "attributes.a type"),
        (json!({"type": "time"}), json!("24:00:00"), "attributes.a type"),
        (json!({"type": "url"}), json!("javascript:alert(1)"), "attributes.a type"),
        (json!({"type": "url"}), json!("https://a b"), "attributes.a type"),
        (json!({"type": "reference"}), json!("88.118"), "attributes.a reference"),
        (json!({"type": "reference"}), json!("hdl:88.118/x"), "attributes.a reference"),
    ] {
        check_broken(attribute, value, expected);
    }
}

#[test]
fn every_rule_for_lists_and_groups_can_be_broken() {
    let group = json!([
        {"name": "x", "type": "integer", "required": true, "labels": {"en": "x"}},
        {"name": "y", "type": "date", "labels": {"en": "x"}},
    ]);
    let digest = "0".repeat(64);
    for (attribute, value, expected) in [
        (json!({"type": "list", "items": {"type": "date"}}), json!("x"), "attributes.a type"),
        (json!({"type": "list", "items": {"type": "date"}}), json!({"a": 1}), "attributes.a type"),
        (json!({"type": "list", "items": {"type": "date"}}), json!([1]), "attributes.a[0] type"),
        (
            json!({"type": "list", "items": {"type": "integer"}, "min_items": 2}),
            json!([1]),
            "attributes.a min_items",
        ),
        (
            json!({"type": "list", "items": {"type": "integer"}, "max_items": 1}),
            json!([1, 2]),
            "attributes.a max_items",
        ),
        (
            json!({"type": "list", "items": {"type": "decimal"}, "unique_items": true}),
            json!(["1.5", "2", "1.50"]),
            "attributes.a[2] unique_items",
        ),
        (
            json!({"type": "group", "attributes": group}),
            json!({"y": "2026-01-05"}),
            "attributes.a.x required",
        ),
        (
            json!({"type": "group", "attributes": group}),
            json!({"x": 1, "z": 2}),
            "attributes.a.z unknown",
        ),
        (json!({"type": "group", "attributes": group}), json!([]), "attributes.a type"),
        (
            json!({"type": "file"}),
            json!({"url": "https://h/", "algorithm": "md5", "digest": digest}),
            "attributes.a.algorithm enumeration",
        ),
    ] {
        check_broken(attribute, value, expected);
    }
}

#[test]
fn every_fault_of_a_record_is_named_at_once() {
    let template = template(&definition(json!([
        {"name": "b", "type": "date", "required": true},
        {"name": "c", "type": "list", "items": {"type": "integer"}},
        {"name": "old", "type": "string", "disabled": true, "required": true},
    ])));
    let record = json!({"a": 1, "c": [1, "x", true], "old": "y", "z": 1});
    let expected = [
        "attributes.a unknown",
        "attributes.b required",
        "attributes.c[1] type",
        "attributes.c[2] type",
        "attributes.old disabled",
        "attributes.z unknown",
    ];
    assert_eq!(record_faults(&template, &record), expected);
}

#[test]
fn disabled_attributes_stay_where_they_are() {
    let template = template(&definition(json!([
        {"name": "new", "type": "integer"},
        {"name": "old", "type": "string", "max_length": 9, "disabled": true, "unique": true},
    ])));
    let stored = attributes(&json!({"old": "kept", "new": 1}));
    for given in [json!({"new": 2}), json!({"new": 2, "old": "kept"})] {
        let filled = template.fill(attributes(&given), &stored).unwrap();
        let kept = filled.values.iter().find(|value| value.name == "old").unwrap();
        assert_eq!((kept.index, kept.attribute.text.as_str()), (2_001, "kept"));
        assert_eq!(filled.keys.len(), 1);
    }
    let faults = template.fill(attributes(&json!({"old": "changed"})), &stored).unwrap_err();
    assert_eq!(faults[0].rule, "disabled");
}

#[test]
fn what_is_stored_is_in_one_form() {
    let template = template(&definition(json!([
        {"name": "z", "type": "decimal", "indexed": true},
        {"name": "y", "type": "list", "items": {"type": "decimal"}, "view": "owner"},
        {"name": "x", "type": "reference", "template": "88.118/META_1"},
        {"name": "w", "type": "list", "items": {"type": "reference"}},
    ])));
    let record = json!({"z": "7.50", "y": ["1.0", "-0.00"], "x": "88.1/a", "w": ["88.1/b"]});
    let filled = template.fill(attributes(&record), &BTreeMap::new()).unwrap();
    let texts: Vec<&str> = filled.values.iter().map(|v| v.attribute.text.as_str()).collect();
    assert_eq!(texts, ["7.5", "[\"1\",\"0\"]", "88.1/a", "[\"88.1/b\"]"]);
    let indexes: Vec<u32> = filled.values.iter().map(|value| value.index).collect();
    assert_eq!(indexes, [2_000, 2_001, 2_002, 2_003]);
    assert_eq!(filled.values[1].permissions, Permissions(0x0c));
    let paths: Vec<&str> = filled.references.iter().map(|r| r.path.as_str()).collect();
    assert_eq!(paths, ["attributes.w[0]", "attributes.x"]);
    let wanted = filled.references[1].template.as_ref().map(|key| key.text());
    assert_eq!(wanted, Some("88.118/META_1"));
    let (attribute, bytes) = template.index_bytes("z", "7.500").unwrap();
    let expected = IndexKey { attribute, unique: false, indexed: true, bytes };
    assert_eq!(filled.keys, [expected]);
    assert_eq!(template.index_bytes("x", "88.1/a").unwrap_err().rule, "indexed");
    assert_eq!(template.index_bytes("v", "1").unwrap_err().rule, "unknown");
    assert_eq!(template.index_bytes("z", "much").unwrap_err().rule, "type");
}

#[test]
fn a_published_template_binds_its_successors() {
    let published = json!([
        {"index": 2_000, "name": "a", "type": "string", "max_length": 9},
        {"index": 2_001, "name": "b", "type": "decimal", "unit": "mm"},
        {"index": 2_002, "name": "c", "type": "list", "items": {"type": "integer"}},
        {"index": 2_003, "name": "d", "type": "group", "group": "g"},
    ]);
    let group = |name: &str, kind: &str| {
        let members = json!([{"name": name, "type": kind, "labels": {"en": "x"}}]);
        json!({"g": members, "h": members})
    };
    let with_group = |attributes: &Json, group: Json| {
        let mut definition = definition(attributes.clone());
        definition["groups"] = group;
        template(&definition)
    };
    let before = with_group(&published, group("m", "date"));
    assert_eq!(before.check_successor(&before), Ok(()));
    let change = |position: usize, member: &str, value: Json| {
        let mut attributes = published.clone();
        attributes[position][member] = value;
        with_group(&attributes, group("m", "date"))
    };
    let rule = |after: &Template| after.check_successor(&before).unwrap_err().remove(0).rule;
    assert_eq!(rule(&change(0, "index", json!(2_009))), "removed");
    assert_eq!(rule(&change(0, "name", json!("other"))), "renamed");
    assert_eq!(rule(&change(0, "unique", json!(true))), "unique");
    assert_eq!(rule(&change(0, "indexed", json!(true))), "indexed");
    assert_eq!(rule(&change(1, "unit", json!("cm"))), "unit");
    assert_eq!(rule(&change(3, "group", json!("h"))), "retyped");
    assert_eq!(rule(&change(2, "items", json!({"type": "date"}))), "retyped");
    assert_eq!(rule(&with_group(&published, group("n", "date"))), "removed");
    assert_eq!(rule(&with_group(&published, group("m", "time"))), "retyped");
    assert_eq!(change(0, "disabled", json!(true)).check_successor(&before), Ok(()));
    assert_eq!(change(0, "max_length", json!(5)).check_successor(&before), Ok(()));
}

#[test]
fn cells_are_read_as_people_write_them() {
    let choice = json!({"value": "food", "labels": {"zh": "食品", "en": "Food"}});
    let template = template(&definition(json!([
        {"name": "s", "type": "string"}, {"name": "i", "type": "integer"},
        {"name": "d", "type": "decimal"}, {"name": "b", "type": "boolean"},
        {"name": "day", "type": "date"}, {"name": "at", "type": "datetime"},
        {"name": "time", "type": "time"}, {"name": "e", "type": "enumeration", "values": [choice]},
        {"name": "r", "type": "reference"},
        {"name": "l", "type": "list", "items": {"type": "integer"}},
        {"name": "f", "type": "file"},
    ])));
    for (name, cell, form, text) in [
        ("s", " 007 ", Form::Text, " 007 "),
        ("i", "12", Form::Integer, "12"),
        ("i", "-12.00", Form::Integer, "-12"),
        ("i", "12.5", Form::Text, "12.5"),
        ("i", "twelve", Form::Text, "twelve"),
        ("d", "+007.50", Form::Text, "7.50"),
        ("d", "-.5", Form::Text, "-0.5"),
        ("d", "-", Form::Text, "-"),
        ("b", "是", Form::Boolean, "true"),
        ("b", "FALSE", Form::Boolean, "false"),
        ("b", "2", Form::Text, "2"),
        ("day", "2026/1/5", Form::Text, "2026-01-05"),
        ("day", "2026年1月5日", Form::Text, "2026-01-05"),
        ("day", "20260105", Form::Text, "2026-01-05"),
        ("day", "2026-01-05 00:00:00", Form::Text, "2026-01-05"),
        ("day", "2026/2/30", Form::Text, "2026/2/30"),
        ("at", "2026/1/5 8:30", Form::Text, "2026-01-05T08:30:00+08:00"),
        ("at", "2026-01-05T08:30:00Z", Form::Text, "2026-01-05T08:30:00Z"),
        ("time", "8:30", Form::Text, "08:30:00"),
        ("e", "食品", Form::Text, "food"),
        ("e", "Food", Form::Text, "food"),
        ("e", "drink", Form::Text, "drink"),
        ("r", "hdl:88.118/x", Form::Text, "88.118/x"),
        ("l", "1; 2；3", Form::Json, "[1,2,3]"),
        ("l", "[1,2]", Form::Json, "[1,2]"),
        ("l", "1;x", Form::Json, "[1,\"x\"]"),
        ("f", "{\"url\":\"https://h/\"}", Form::Json, "{\"url\":\"https://h/\"}"),
        ("f", "5", Form::Text, "5"),
        ("unknown", "x", Form::Text, "x"),
    ] {
        let expected = Attribute { form, text: text.to_owned() };
        assert_eq!(template.coerce(name, cell), expected, "{name} {cell}");
    }
}

#[test]
fn shipped_templates_fill_and_are_recorded() {
    for (name, text) in shipped() {
        let template = Template::from_json(text.as_bytes())
            .unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
        let example = format!("schemas/templates/examples/{name}.json");
        let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(example);
        let example: Json = serde_json::from_slice(&std::fs::read(example).unwrap()).unwrap();
        let filled = template.fill(attributes(&example), &BTreeMap::new());
        let filled = filled.unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
        assert_eq!(filled.values.len(), example.as_object().unwrap().len());
        assert!((8..=21).contains(&template.attributes().len()), "{name}");
        let labelled = |labels: &Labels| labels.zh() != labels.en();
        assert!(template.attributes().iter().all(|a| labelled(&a.item.labels)), "{name}");
        assert!(template.suffix().is_some() && template.industry().is_some(), "{name}");
        let schema = template.json_schema(&format!("urn:nameplate:template:{name}"));
        let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        snapshot::compare(&format!("schemas/templates/{name}.schema.json"), &schema);
    }
}

#[test]
fn definitions_come_back() {
    for (name, text) in shipped() {
        let template = Template::from_json(text.as_bytes()).unwrap();
        let canonical = canonical_json(&template.to_json());
        let again = Template::from_json(canonical.as_bytes()).unwrap();
        assert_eq!(again, template, "{name}");
        assert_eq!(canonical_json(&again.to_json()), canonical);
    }
    let said = json!({"name": "a", "type": "string", "required": false, "view": "public"});
    let unsaid = json!({"name": "a", "type": "string"});
    assert_eq!(template(&one(said)), template(&one(unsaid)));
}

proptest! {
    #[test]
    fn any_cell_is_read_or_reported(cell in ".{0,30}", position in 0usize..20) {
        for (_, text) in shipped() {
            let template = Template::from_json(text.as_bytes()).unwrap();
            let Some(attribute) = template.attributes().get(position) else { continue };
            let name = attribute.item.name.clone();
            let value = template.coerce(&name, &cell);
            let _ = template.fill(BTreeMap::from([(name, value)]), &BTreeMap::new());
        }
    }
}
