//! Templates and the records that follow them.

use serde_json::{Value as Json, json};

use super::*;
use crate::store::{ColumnId, Direction, all_keys};
use crate::template::Template;

pub(super) const PRODUCT: &str = "88.118/t/product";

/// A template with something of everything that is filed.
pub(super) fn product() -> Json {
    json!({
        "labels": {"en": "Product"},
        "attributes": [
            {"index": 2000, "name": "serial", "type": "string", "labels": {"en": "Serial"},
             "required": true, "unique": true, "indexed": true, "max_length": 20},
            {"index": 2001, "name": "made", "type": "date", "labels": {"en": "Made"},
             "indexed": true},
            {"index": 2002, "name": "part_of", "type": "reference", "labels": {"en": "Part of"},
             "template": PRODUCT},
            {"index": 2003, "name": "see", "type": "reference", "labels": {"en": "See"}},
        ],
        "suffix": {"parts": [{"text": "P"}, {"counter": {"digits": 3}}]},
    })
}

pub(super) fn identifier(text: &str) -> Identifier {
    Identifier::parse(text).unwrap()
}

pub(super) fn faults(outcome: Result<Receipt, RegistryError>) -> Vec<(String, String)> {
    match outcome {
        Err(RegistryError::Faulty(faults)) => {
            faults.into_iter().map(|fault| (fault.path, fault.rule)).collect()
        }
        other => panic!("{other:?}"),
    }
}

pub(super) fn fault(path: &str, rule: &str) -> Vec<(String, String)> {
    vec![(path.to_owned(), rule.to_owned())]
}

impl Fixture {
    pub(super) fn draft(&self, text: &str, definition: &Json) -> Result<Receipt, RegistryError> {
        let template = Template::from_json(definition.to_string().as_bytes());
        let template = Arc::new(template.map_err(RegistryError::Faulty)?);
        let (identifier, condition) = (identifier(text), Condition::Always);
        let command = TemplateCommand::Draft { identifier, template, condition };
        self.apply(&Request::new(Command::Template(command)))
    }

    pub(super) fn publish(&self, text: &str) -> Result<Receipt, RegistryError> {
        let (identifier, condition) = (identifier(text), Condition::Always);
        let command = TemplateCommand::Publish { identifier, condition };
        self.apply(&Request::new(Command::Template(command)))
    }

    pub(super) fn withdraw(&self, text: &str) -> Result<Receipt, RegistryError> {
        let (identifier, condition) = (identifier(text), Condition::Always);
        let command = TemplateCommand::Withdraw { identifier, condition };
        self.apply(&Request::new(Command::Template(command)))
    }

    /// A node with the product template published.
    pub(super) fn with_product() -> Self {
        let node = fixture();
        node.draft(PRODUCT, &product()).unwrap();
        node.publish(PRODUCT).unwrap();
        node
    }

    pub(super) fn rows(&self, column: ColumnId) -> usize {
        let mut rows = 0;
        let count = &mut |_: &[u8], _: &[u8]| {
            rows += 1;
            std::ops::ControlFlow::Continue(())
        };
        self.store.scan(column, all_keys(), Direction::Forward, count).unwrap();
        rows
    }

    fn filed(&self) -> [usize; 3] {
        [ColumnId::Indexes, ColumnId::Unique, ColumnId::References].map(|column| self.rows(column))
    }
}

/// A product with these attributes.
pub(super) fn made(attributes: Json) -> String {
    json!({"template": PRODUCT, "attributes": attributes}).to_string()
}

pub(super) fn register(text: &str, attributes: Json) -> Request {
    put(text, &made(attributes), Condition::Always)
}

fn patch(text: &str, body: Json) -> Request {
    let patch = Patch::from_json(body.to_string().as_bytes()).unwrap();
    let (identifier, condition) = (identifier(text), Condition::Always);
    Request::new(Command::Patch { identifier, patch, condition })
}

#[test]
fn templates_are_drafted_published_and_withdrawn() {
    let node = fixture();
    let record = || {
        let key = identifier(PRODUCT).key().clone();
        crate::store::RECORDS.get(&*node.store, &key).unwrap().map(|stored| stored.record)
    };
    node.draft(PRODUCT, &product()).unwrap();
    assert!(record().is_none());
    let early = node.apply(&register("88.118/1", json!({"serial": "A"})));
    assert_eq!(faults(early), fault("template", "state"));
    assert!(matches!(node.withdraw(PRODUCT), Err(RegistryError::WrongState { .. })));
    let again = node.draft(PRODUCT, &product()).unwrap();
    assert!(matches!(again, Receipt::Document { version: 1, .. }), "nothing changed: {again:?}");

    node.publish(PRODUCT).unwrap();
    let shown = record().unwrap();
    assert_eq!(shown.values[0].kind, "TEMPLATE_DEFINITION");
    assert_eq!(shown.attribute_map()["version"].text, "1");
    let same = node.draft(PRODUCT, &product()).unwrap();
    assert!(matches!(same, Receipt::Document { version: 2, .. }), "nothing to draft: {same:?}");
    assert!(matches!(node.publish(PRODUCT), Err(RegistryError::WrongState { .. })));
    for request in [put(PRODUCT, P100, Condition::Always), retire(PRODUCT)] {
        assert!(matches!(node.apply(&request), Err(RegistryError::WrongState { .. })));
    }
    node.stored(&register("88.118/1", json!({"serial": "A"})));

    let mut worse = product();
    worse["attributes"][0]["name"] = "number".into();
    assert_eq!(faults(node.draft(PRODUCT, &worse)), fault("attributes.serial", "renamed"));
    node.withdraw(PRODUCT).unwrap();
    assert_eq!(record().unwrap().status, Status::Retired);
    let late = node.apply(&register("88.118/2", json!({"serial": "B"})));
    assert_eq!(faults(late), fault("template", "state"));
    node.stored(&register("88.118/1", json!({"serial": "C"})));
    node.stored(&patch("88.118/1", json!({"attributes": {"serial": "D"}})));

    let mut next = product();
    next["attributes"][1]["required"] = true.into();
    node.draft(PRODUCT, &next).unwrap();
    node.publish(PRODUCT).unwrap();
    let shown = record().unwrap();
    assert_eq!((shown.status, shown.version), (Status::Active, 3));
    assert_eq!(shown.attribute_map()["version"].text, "2");
    node.stored(&patch("88.118/1", json!({"attributes": {"serial": "E"}})));
    let newer = node.apply(&patch("88.118/1", json!({"template_version": 2})));
    assert_eq!(faults(newer), fault("attributes.made", "required"));
    let body = json!({"template_version": 2, "attributes": {"made": "2026-01-05"}});
    let (stored, ..) = node.stored(&patch("88.118/1", body));
    assert_eq!(stored.record.template(), Some((PRODUCT, 2)));
    let older = node.apply(&patch("88.118/1", json!({"template_version": 1})));
    assert_eq!(faults(older), fault("template_version", "older"));
    assert_eq!(node.check().findings, []);
}

#[test]
fn numbers_and_names_of_templates_are_their_own() {
    let node = fixture();
    node.stored(&put("88.118/taken", P100, Condition::Always));
    assert!(matches!(node.draft("88.118/taken", &product()), Err(RegistryError::Taken(_))));
    assert!(matches!(node.draft("20.500/x", &product()), Err(RegistryError::NotResponsible(_))));
    std::thread::scope(|scope| {
        for number in 0..6 {
            let node = &node;
            scope.spawn(move || node.draft(&format!("88.118/t{number}"), &product()).unwrap());
        }
    });
    let resolver = &node.registry.resolver;
    let mut numbers: Vec<_> = resolver.templates("", None, 100).unwrap();
    assert_eq!(numbers.len(), 6);
    numbers.sort_by_key(|(_, stored)| stored.content.number);
    let numbers: Vec<_> = numbers.iter().map(|(_, stored)| stored.content.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    let draft = node.apply(&put("88.118/t3", P100, Condition::Always));
    assert!(matches!(draft, Err(RegistryError::WrongState { .. })), "a draft keeps its name");
    let reader = [Action::Register, Action::Update].into_iter().collect();
    let token = new_token("secret of acme, long enough", "acme", reader, None);
    node.apply(&Request::new(Command::CreateToken(token))).unwrap();
    let acme = node.access.authenticate("secret of acme, long enough", NOW_MS).unwrap().unwrap();
    let publish = TemplateCommand::Publish {
        identifier: identifier("88.118/t3"),
        condition: Condition::Always,
    };
    let request = Request::new(Command::Template(publish));
    let refused = node.registry.apply(&acme, &request, NOW_MS);
    assert!(matches!(refused, Err(RegistryError::Refused(_))));
}

#[test]
fn rows_follow_their_records() {
    let node = Fixture::with_product();
    node.stored(&register("88.118/a", json!({"serial": "A", "made": "2026-01-05"})));
    assert_eq!(node.filed(), [3, 1, 0]);
    let b = json!({"serial": "B", "part_of": "88.118/A", "see": "20.500/elsewhere"});
    node.stored(&register("88.118/b", b));
    assert_eq!(node.filed(), [5, 2, 2]);
    node.stored(&patch("88.118/b", json!({"attributes": {"see": "88.118/a", "made": null}})));
    assert_eq!(node.filed(), [5, 2, 1]);
    node.stored(&put("88.118/b", P100, Condition::Always));
    assert_eq!(node.filed(), [3, 1, 0], "what follows no template is filed nowhere");
    node.stored(&register("88.118/b", json!({"serial": "B"})));
    node.stored(&retire("88.118/a"));
    assert_eq!(node.filed(), [2, 1, 0]);
    node.stored(&patch("88.118/b", json!({"attributes": {"serial": "A"}})));
    let report = node.check();
    assert_eq!(report.findings, []);
    assert_eq!(report.rows["unique"], 1);
}

#[test]
fn every_fault_is_named_at_once() {
    let node = Fixture::with_product();
    node.stored(&register("88.118/a", json!({"serial": "A"})));
    node.stored(&put("88.118/free", P100, Condition::Always));
    let attributes = json!({"serial": 7, "made": "yesterday", "colour": "red"});
    let found = faults(node.apply(&register("88.118/b", attributes)));
    let rules: Vec<_> = found.iter().map(|(path, rule)| format!("{path} {rule}")).collect();
    assert_eq!(
        rules,
        ["attributes.colour unknown", "attributes.made type", "attributes.serial type"]
    );
    let attributes = json!({"serial": "A", "part_of": "88.118/free", "see": "88.118/none"});
    let found = faults(node.apply(&register("88.118/b", attributes)));
    let rules: Vec<_> = found.iter().map(|(path, rule)| format!("{path} {rule}")).collect();
    assert_eq!(
        rules,
        ["attributes.serial unique", "attributes.part_of reference", "attributes.see reference"]
    );
    let own = json!({"serial": "C", "part_of": "88.118/self", "see": "88.118/free"});
    node.stored(&register("88.118/self", own));
    node.stored(&retire("88.118/free"));
    let found =
        faults(node.apply(&patch("88.118/a", json!({"attributes": {"see": "88.118/free"}}))));
    assert_eq!(found, fault("attributes.see", "reference"));
    let body = json!({"template": "88.118/none", "attributes": {}}).to_string();
    let unknown = node.apply(&put("88.118/x", &body, Condition::Always));
    assert_eq!(faults(unknown), fault("template", "unknown"));
    let body = json!({"template": PRODUCT, "template_version": 9, "attributes": {}}).to_string();
    let unknown = node.apply(&put("88.118/x", &body, Condition::Always));
    assert_eq!(faults(unknown), fault("template_version", "unknown"));
    let reserved = r#"{"values":[{"type":"template_definition","data":"{}"}]}"#;
    assert!(Draft::from_json(reserved.as_bytes()).is_err());
}

#[test]
fn large_attributes_are_refused() {
    let node = Fixture::with_product();
    let long = "x".repeat(crate::record::MAX_VALUE_BYTES);
    let found = faults(node.apply(&register("88.118/a", json!({"serial": long}))));
    assert_eq!(found, fault("attributes.serial", "max_length"));
    let body = made(json!({"serial": "x".repeat(10 << 20)}));
    assert!(matches!(Draft::from_json(body.as_bytes()), Err(DraftError::TooLarge(_))));
}

#[test]
fn values_out_of_use_stay() {
    let node = Fixture::with_product();
    node.stored(&register("88.118/a", json!({"serial": "A", "made": "2026-01-05"})));
    let mut next = product();
    next["attributes"][1]["disabled"] = true.into();
    node.draft(PRODUCT, &next).unwrap();
    node.publish(PRODUCT).unwrap();
    let (stored, ..) = node.stored(&register("88.118/a", json!({"serial": "B"})));
    assert_eq!(stored.record.attribute_map()["made"].text, "2026-01-05");
    assert_eq!(stored.record.template(), Some((PRODUCT, 2)));
    let anew = node.apply(&register("88.118/b", json!({"serial": "C", "made": "2026-01-05"})));
    assert_eq!(faults(anew), fault("attributes.made", "disabled"));
    assert_eq!(node.check().findings, []);
}

#[test]
fn of_two_writers_one_gets_the_unique_value() {
    let node = Fixture::with_product();
    for round in 0..20 {
        let serial = format!("S{round}");
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let write = |writer: &str| {
                let request =
                    register(&format!("88.118/{writer}-{round}"), json!({"serial": serial}));
                let node = &node;
                scope.spawn(move || node.apply(&request))
            };
            let (one, two) = (write("one"), write("two"));
            vec![one.join().unwrap(), two.join().unwrap()]
        });
        let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((done.len(), refused.len()), (1, 1));
        assert_eq!(
            faults(refused.into_iter().next().unwrap()),
            fault("attributes.serial", "unique")
        );
    }
    assert_eq!(node.check().findings, []);
}

#[test]
fn templates_withdrawn_meanwhile_make_a_conflict() {
    let node = Fixture::with_product();
    node.stored(&register("88.118/a", json!({"serial": "A"})));
    let part = json!({"serial": "B", "part_of": "88.118/a"});
    for (request, event) in [
        (register("88.118/b", part), retire("88.118/a")),
        (
            register("88.118/b", json!({"serial": "C"})),
            Request::new(Command::Template(TemplateCommand::Withdraw {
                identifier: identifier(PRODUCT),
                condition: Condition::Always,
            })),
        ),
    ] {
        let plan = node.registry.plan(&node.admin, &request, NOW_MS);
        let Ok(Plan::Change(change)) = plan else { panic!() };
        node.apply(&event).unwrap();
        let (send, receive) = std::sync::mpsc::channel();
        let done = Box::new(move |verdicts: Vec<Verdict>| send.send(verdicts).unwrap());
        node.registry.submit(vec![*change], done).unwrap();
        assert!(matches!(receive.recv().unwrap()[..], [Verdict::Conflict]));
        assert!(matches!(node.apply(&request), Err(RegistryError::Faulty(_))));
    }
    assert_eq!(node.check().findings, []);
}

#[test]
fn earlier_versions_come_back() {
    let node = Fixture::with_product();
    node.stored(&register("88.118/a", json!({"serial": "A", "made": "2026-01-05"})));
    node.stored(&register("88.118/a", json!({"serial": "B"})));
    let restore = |version| {
        let (identifier, condition) = (identifier("88.118/a"), Condition::Always);
        node.apply(&Request::new(Command::Restore { identifier, version, condition }))
    };
    node.stored(&register("88.118/b", json!({"serial": "A"})));
    assert_eq!(faults(restore(1)), fault("attributes.serial", "unique"));
    node.stored(&retire("88.118/b"));
    let Ok(Receipt::Record { stored, changed: true, .. }) = restore(1) else { panic!() };
    assert_eq!(stored.record.version, 3);
    assert_eq!(stored.record.attribute_map()["made"].text, "2026-01-05");
    assert!(matches!(restore(3), Ok(Receipt::Record { changed: false, .. })));
    assert!(matches!(restore(9), Err(RegistryError::Absent(_))));
    node.stored(&retire("88.118/a"));
    assert!(matches!(restore(1), Err(RegistryError::Retired(_))));
    assert_eq!(node.check().findings, []);
}

#[test]
fn a_check_finds_rows_that_disagree() {
    for column in [ColumnId::Indexes, ColumnId::Unique, ColumnId::References] {
        for forge in [false, true] {
            let node = Fixture::with_product();
            let a = json!({"serial": "A", "see": "88.118/a"});
            node.stored(&register("88.118/a", a));
            node.registry.close();
            let mut rows = Vec::new();
            let keep = &mut |key: &[u8], row: &[u8]| {
                rows.push((key.to_vec(), row.to_vec()));
                std::ops::ControlFlow::Break(())
            };
            node.store.scan(column, all_keys(), Direction::Forward, keep).unwrap();
            let (key, row) = rows.remove(0);
            let mut transaction = node.store.begin();
            if forge {
                transaction.put(column, &[&key[..], b"9"].concat(), &row);
            } else {
                transaction.delete(column, &key);
            }
            transaction.commit().unwrap();
            let report = check(&*node.store.snapshot(), &node.keys, &mut |_| {}).unwrap();
            assert!(report.faults > 0, "{column:?} {forge}");
        }
    }
}

/// Random changes by two writers: whatever came of them, the rows agree with the records.
#[test]
fn rows_agree_after_any_changes() {
    use proptest::test_runner::{Config, TestRunner};
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec((0u8..7, 0u8..5, 0u8..4, 0u8..6), 1..40);
    TestRunner::new(config)
        .run(&(steps.clone(), steps), |(one, two)| {
            let node = Fixture::with_product();
            std::thread::scope(|scope| {
                for steps in [&one, &two] {
                    let node = &node;
                    scope.spawn(move || {
                        for step in steps {
                            // Refusals are outcomes like any other.
                            let _ = node.apply(&any_change(*step));
                        }
                    });
                }
            });
            proptest::prop_assert_eq!(node.check().findings, []);
            Ok(())
        })
        .unwrap();
}

fn any_change((kind, name, serial, target): (u8, u8, u8, u8)) -> Request {
    let text = format!("88.118/{name}");
    let see = format!("88.118/{target}");
    let attributes = json!({"serial": serial.to_string(), "see": see});
    match kind {
        0 => register(&text, json!({"serial": serial.to_string(), "made": "2026-01-05"})),
        1 => register(&text, attributes),
        2 => patch(&text, json!({"attributes": {"serial": serial.to_string(), "see": null}})),
        3 => put(&text, P100, Condition::Always),
        4 if serial == 0 => retire(&text),
        4 => patch(&text, json!({"attributes": {"see": see}})),
        5 => {
            let (version, condition) = (u64::from(serial), Condition::Always);
            Request::new(Command::Restore { identifier: identifier(&text), version, condition })
        }
        _ => {
            let other = register(&see, json!({"serial": name.to_string(), "see": text}));
            let commands = [register(&text, attributes), other].map(|request| request.command);
            Request::new(Command::Batch(commands.into()))
        }
    }
}
