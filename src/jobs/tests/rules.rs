//! Imports under rules: templates, minting, references, quotas.

use std::collections::BTreeSet;

use super::*;
use crate::registrant::{Allocation, Quota};
use crate::registry::{Condition, TemplateCommand};
use crate::store::PREFIXES;
use crate::template::Template;

const PRODUCT: &str = "88.118/t/product";

impl Node {
    /// A node with a template of which serials are unique and sizes whole numbers.
    fn with_product() -> Self {
        let node = Self::new();
        let definition = json!({
            "labels": {"en": "Product"},
            "attributes": [
                {"index": 2000, "name": "serial", "type": "string", "labels": {"en": "Serial"},
                 "required": true, "unique": true, "indexed": true, "max_length": 20},
                {"index": 2001, "name": "size", "type": "integer", "labels": {"en": "Size"},
                 "indexed": true},
                {"index": 2002, "name": "part_of", "type": "reference",
                 "labels": {"en": "Part of"}, "template": PRODUCT},
            ],
            "suffix": {"parts": [{"text": "P"}, {"counter": {"digits": 5}}]},
        });
        let template = Template::from_json(definition.to_string().as_bytes()).unwrap();
        let (identifier, condition) = (Identifier::parse(PRODUCT).unwrap(), Condition::Always);
        let template = Arc::new(template);
        let draft = TemplateCommand::Draft { identifier, template, condition };
        node.turn_template(draft);
        let identifier = Identifier::parse(PRODUCT).unwrap();
        node.turn_template(TemplateCommand::Publish { identifier, condition });
        node
    }

    fn turn_template(&self, command: TemplateCommand) {
        let request = Request::new(Command::Template(command));
        self.registry.apply(&self.admin, &request, NOW_MS).unwrap();
    }

    fn result(&self, id: &JobId) -> String {
        let (file, length, _) = self.jobs.result(&self.admin, id).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file.unwrap(), &mut text).unwrap();
        assert_eq!(text.len() as u64, length);
        text
    }
}

fn minting() -> ImportTask {
    ImportTask { template: Some(PRODUCT.into()), prefix: Some("88.118".into()), ..csv() }
}

#[test]
fn cells_become_what_the_template_says() {
    let node = Node::with_product();
    let table = "identifier,serial,size\n88.118/1,s1,12\n88.118/2,s2,twelve\n88.118/3,,3\n\
                 88.118/4,s1,4\n";
    let task = ImportTask { template: Some(PRODUCT.into()), ..csv() };
    let view = node.end(&node.import(task, table.as_bytes()));
    assert_eq!((view.progress.tally.created, view.progress.tally.failed), (1, 3), "{view:?}");
    let rejects = node.rejects(&view.job.id);
    let told = |line: &str| rejects.lines().any(|row| row.contains(line));
    assert!(told("3,attributes.size,type"), "{rejects}");
    assert!(told("4,attributes.serial,required"), "{rejects}");
    assert!(told("5,attributes.serial,unique"), "{rejects}");
    node.checked_entries();
}

#[test]
fn values_that_must_be_unique_are_so_within_a_bundle() {
    let node = Node::with_product();
    let mut table = String::new();
    for number in 0..600 {
        let line = json!({"identifier": format!("88.118/N{number}"), "template": PRODUCT,
            "attributes": {"serial": format!("s{}", number / 3), "size": number}});
        table.push_str(&format!("{line}\n"));
    }
    let view = node.end(&node.import(ndjson(), table.as_bytes()));
    assert_eq!((view.progress.tally.created, view.progress.tally.failed), (200, 400));
    node.checked_entries();
}

#[test]
fn records_may_refer_to_those_before_them() {
    let node = Node::with_product();
    let mut table = String::new();
    for number in 0..300 {
        let whole = if number == 0 { 0 } else { number - 1 };
        let mut attributes = json!({"serial": format!("s{number}")});
        if number > 0 {
            attributes["part_of"] = format!("88.118/N{whole}").into();
        }
        let line = json!({"identifier": format!("88.118/N{number}"), "template": PRODUCT,
            "attributes": attributes});
        table.push_str(&format!("{line}\n"));
    }
    let line = json!({"identifier": "88.118/alone", "template": PRODUCT,
        "attributes": {"serial": "alone", "part_of": "88.118/nothing"}});
    table.push_str(&format!("{line}\n"));
    let view = node.end(&node.import(ndjson(), table.as_bytes()));
    assert_eq!((view.progress.tally.created, view.progress.tally.failed), (300, 1), "{view:?}");
    assert!(node.rejects(&view.job.id).contains("reference"));
    node.checked_entries();
}

#[test]
fn minted_identifiers_are_told_by_line_and_made_once() {
    let node = Node::with_product();
    let mut table = String::from("serial,size\n");
    (0..2_000).for_each(|number| table.push_str(&format!("s{number},{number}\n")));
    let dry = node.end(&node.import(ImportTask { dry_run: true, ..minting() }, table.as_bytes()));
    assert_eq!(dry.progress.tally.created, 2_000, "{dry:?}");
    let before = node.registry.ledger_size();
    let id = node.import(minting(), table.as_bytes());
    let mut remains = Vec::new();
    for share in 1..4 {
        node.wait(&id, |view| view.progress.tally.rows() >= share * 300);
        remains.push(node.remains());
    }
    let minted = |node: &Node| {
        let view = node.end(&id);
        assert_eq!(view.progress.tally.created, 2_000, "{view:?}");
        let text = node.result(&id);
        let mut rows = text.lines();
        assert_eq!(rows.next(), Some("line,identifier"));
        let identifiers: BTreeSet<&str> = rows.map(|row| row.split_once(',').unwrap().1).collect();
        assert_eq!(identifiers.len(), 2_000);
        assert_eq!(node.checked_entries() - before, 2_000);
        text
    };
    assert!(minted(&node).contains("\n2,88.118/P00001\r\n"), "a dry run takes no numbers");
    for (store, folder) in remains {
        minted(&Node::with(store, folder, 1 << 30));
    }
}

#[test]
fn a_quota_reached_in_the_middle_refuses_the_rest_and_no_more() {
    let node = Node::new();
    let prefix = Prefix::parse("88.118").unwrap();
    let mut stored = PREFIXES.get(&*node.store, &prefix).unwrap().unwrap();
    let quota = Quota { identifiers: Some(700), ..Quota::default() };
    stored.content = Allocation { quota, ..Allocation::own() };
    let mut transaction = node.store.begin();
    PREFIXES.put(&mut *transaction, &prefix, &stored);
    transaction.commit().unwrap();
    let mut table = String::new();
    for number in 0..1_500 {
        // Every third line changes the first record, which needs no room.
        let name = if number % 3 == 2 { 0 } else { number };
        let line = json!({"identifier": format!("88.118/N{name}"),
            "attributes": {"number": number}});
        table.push_str(&format!("{line}\n"));
    }
    let view = node.end(&node.import(ndjson(), table.as_bytes()));
    let Tally { created, updated, failed, .. } = view.progress.tally;
    assert_eq!((created, updated, failed), (700, 500, 300), "{view:?}");
    assert!(node.rejects(&view.job.id).contains("quota"));
}

#[test]
fn a_template_withdrawn_meanwhile_refuses_what_is_left() {
    let node = Node::with_product();
    let mut table = String::new();
    for number in 0..6_000 {
        let line = json!({"identifier": format!("88.118/N{number}"), "template": PRODUCT,
            "attributes": {"serial": format!("s{number}")}});
        table.push_str(&format!("{line}\n"));
    }
    let id = node.import(ndjson(), table.as_bytes());
    node.wait(&id, |view| view.progress.tally.created > 200);
    let (identifier, condition) = (Identifier::parse(PRODUCT).unwrap(), Condition::Always);
    node.turn_template(TemplateCommand::Withdraw { identifier, condition });
    let view = node.end(&id);
    let Tally { created, failed, .. } = view.progress.tally;
    assert_eq!(created + failed, 6_000);
    assert!(created >= 200 && failed > 0, "{view:?}");
    assert!(node.rejects(&id).contains("withdrawn"));
}
