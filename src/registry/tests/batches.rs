//! Batches: many records, all or none.

use serde_json::json;

use super::templates::{faults, made, register};
use super::*;
use crate::registrant::{Allocation, Quota};

fn batch(requests: Vec<Request>) -> Request {
    let commands = requests.into_iter().map(|request| request.command).collect();
    Request::new(Command::Batch(commands))
}

fn minted(serial: &str) -> Request {
    Request::new(Command::Mint {
        prefix: Prefix::parse("88.118").unwrap(),
        serial: None,
        draft: Draft::from_json(made(json!({"serial": serial})).as_bytes()).unwrap(),
    })
}

impl Fixture {
    fn receipts(&self, request: &Request) -> Vec<(String, u64, bool)> {
        let Receipt::Batch(receipts) = self.apply(request).unwrap() else { panic!() };
        let tell = |receipt| match receipt {
            Receipt::Record { stored, created, .. } => {
                (stored.record.identifier.to_string(), stored.record.version, created)
            }
            other => panic!("{other:?}"),
        };
        receipts.into_iter().map(tell).collect()
    }

    /// Gives the prefix a quota, as the ledger does not know it: for one test only.
    fn limit(&self, identifiers: u64) {
        let prefix = Prefix::parse("88.118").unwrap();
        let mut stored = crate::store::PREFIXES.get(&*self.store, &prefix).unwrap().unwrap();
        let quota = Quota { identifiers: Some(identifiers), ..Quota::default() };
        stored.content = Allocation { quota, ..Allocation::own() };
        let mut transaction = self.store.begin();
        crate::store::PREFIXES.put(&mut *transaction, &prefix, &stored);
        transaction.commit().unwrap();
    }
}

#[test]
fn items_may_refer_to_each_other_and_swap_values() {
    let node = Fixture::with_product();
    node.stored(&register("88.118/a", json!({"serial": "A"})));
    let request = batch(vec![
        register("88.118/b", json!({"serial": "A", "part_of": "88.118/c"})),
        register("88.118/a", json!({"serial": "B", "see": "88.118/b"})),
        register("88.118/c", json!({"serial": "C", "part_of": "88.118/b"})),
        minted("D"),
        minted("E"),
    ]);
    let told = node.receipts(&request);
    let told: Vec<_> =
        told.iter().map(|(id, version, new)| (id.as_str(), *version, *new)).collect();
    assert_eq!(
        told,
        [
            ("88.118/b", 1, true),
            ("88.118/a", 2, false),
            ("88.118/c", 1, true),
            ("88.118/P001", 1, true),
            ("88.118/P002", 1, true),
        ]
    );
    assert_eq!(node.check().findings, []);
}

#[test]
fn one_fault_and_nothing_is_written() {
    let node = Fixture::with_product();
    node.stored(&register("88.118/a", json!({"serial": "A"})));
    let before = node.registry.ledger_size();
    let request = batch(vec![
        minted("M"),
        register("88.118/b", json!({"serial": "A"})),
        register("88.118/c", json!({"serial": "C", "see": "88.118/nowhere"})),
        register("88.118/d", json!({"serial": "C", "see": "88.118/c"})),
        register("88.118/e", json!({"colour": "red"})),
        register("88.118/B", json!({"serial": "X"})),
        retire("88.118/none"),
        put("88.118/a", P100, Condition::Absent),
        put("20.500/1", P100, Condition::Always),
        register("88.118/f", json!({"serial": "F", "part_of": "88.118/e"})),
    ]);
    let found = faults(node.apply(&request));
    let found: Vec<_> = found.iter().map(|(path, rule)| format!("{path} {rule}")).collect();
    assert_eq!(
        found,
        [
            "items[1].attributes.serial unique",
            "items[2].attributes.see reference",
            "items[3].attributes.serial unique",
            "items[4].attributes.colour unknown",
            "items[4].attributes.serial required",
            "items[5] twice",
            "items[6] absent",
            "items[7] condition",
            "items[8] responsible",
        ]
    );
    assert_eq!(node.registry.ledger_size(), before);
    assert_eq!(node.receipts(&batch(vec![minted("M")]))[0].0, "88.118/P001", "no number is lost");
    assert_eq!(node.check().findings, []);
}

#[test]
fn faults_are_bounded() {
    let node = Fixture::with_product();
    let many = (0..2_000).map(|n| register(&format!("88.118/{n}"), json!({}))).collect();
    let found = faults(node.apply(&batch(many)));
    assert_eq!(found.len(), crate::template::MAX_FAULTS + 1);
}

#[test]
fn a_repeated_batch_says_what_it_said() {
    let node = Fixture::with_product();
    let key = IdempotencyKey { key: "b".into(), request_digest: [1; 32] };
    let items = vec![minted("M"), register("88.118/a", json!({"serial": "A"}))];
    let request = Request { idempotency: Some(key), ..batch(items) };
    let first = node.receipts(&request);
    node.stored(&register("88.118/a", json!({"serial": "B"})));
    let size = node.registry.ledger_size();
    assert_eq!(node.receipts(&request), first);
    assert_eq!(node.registry.ledger_size(), size);
    // Asked for nothing, does nothing.
    let same = batch(vec![register("88.118/a", json!({"serial": "B"}))]);
    assert_eq!(node.receipts(&same), [("88.118/a".to_owned(), 2, false)]);
    assert_eq!(node.registry.ledger_size(), size);
    assert_eq!(node.check().findings, []);
}

#[test]
fn a_quota_passed_in_the_middle_stops_the_rest_or_all() {
    let node = Fixture::with_product();
    // The template is one of them.
    node.limit(4);
    let items = |from: usize, to: usize| -> Vec<Request> {
        (from..to).map(|n| put(&format!("88.118/{n}"), P100, Condition::Always)).collect()
    };
    let size = node.registry.ledger_size();
    let refused = node.apply(&batch(items(0, 4)));
    assert!(matches!(refused, Err(RegistryError::QuotaReached { limit: 4, .. })), "{refused:?}");
    assert_eq!(node.registry.ledger_size(), size);
    let outcomes = node.registry.apply_all(&node.admin, &items(0, 5), NOW_MS);
    let done: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(done, [true, true, true, false, false]);
    assert!(matches!(node.apply(&minted("M")), Err(RegistryError::QuotaReached { .. })));
}

#[test]
fn a_list_of_requests_sees_what_it_did_itself() {
    let node = Fixture::with_product();
    let requests = [
        register("88.118/a", json!({"serial": "A"})),
        register("88.118/b", json!({"serial": "B", "part_of": "88.118/a"})),
        register("88.118/a", json!({"serial": "C"})),
        register("88.118/c", json!({"serial": "A"})),
        register("88.118/d", json!({"serial": "B"})),
    ];
    let outcomes = node.registry.apply_all(&node.admin, &requests, NOW_MS);
    let done: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!([done[0], done[2], done[3]], [true; 3], "{outcomes:?}");
    assert_ne!(done[1], done[4], "who waits for another may be overtaken");
    assert_eq!(node.check().findings, []);
}
