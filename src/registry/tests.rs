//! The registry over a store in memory.

mod allocation;
mod batches;
mod between;
mod grants;
mod minting;
mod model;
mod statistics;
mod templates;
mod transfers;

use std::sync::Arc;

use super::*;
use crate::access::{Access, Action, Actions, NewToken, Role};
use crate::identifier::{Identifier, Prefix};
use crate::record::{Draft, Patch, Status};
use crate::registrant::RegistrantId;
use crate::store::memory::MemoryStore;
use crate::store::{COUNTERS, Count, StoredRecord, identifier_counter};
use allocation::prefix;

struct Fixture {
    registry: Arc<Registry>,
    access: Access,
    store: Arc<dyn Store>,
    keys: Arc<NodeKeys>,
    resolver: Arc<Resolver>,
    admin: Actor,
}

const NOW_MS: u64 = 1_767_225_600_000;
const ADMIN_SECRET: &str = "a secret of the administrator";

fn fixture() -> Fixture {
    fixture_over(Arc::new(MemoryStore::default()))
}

fn fixture_over(store: Arc<dyn Store>) -> Fixture {
    let keys = Arc::new(NodeKeys::from_seeds(&[1; 32], [2; 32]));
    let first = Seed {
        origin: "node.example".into(),
        prefixes: vec![Prefix::parse("88.118").unwrap()],
        token: new_token(ADMIN_SECRET, "admin", Actions::all(), None),
    };
    assert!(seed(&*store, &keys, &first, NOW_MS).unwrap());
    assert!(!seed(&*store, &keys, &first, NOW_MS).unwrap(), "a node is seeded once");
    let resolver = Arc::new(Resolver::open(Arc::clone(&store), 1 << 20).unwrap());
    let clock = Clock::fixed(NOW_MS);
    let settings = Settings::default();
    let registry = Registry::open(
        Arc::clone(&store),
        Arc::clone(&resolver),
        Arc::clone(&keys),
        clock,
        settings,
    );
    let registry = registry.unwrap();
    let access = Access::new(Arc::clone(&store));
    let admin = access.authenticate(ADMIN_SECRET, NOW_MS).unwrap().unwrap();
    Fixture { registry: Arc::new(registry), access, store, keys, resolver, admin }
}

fn new_token(
    secret: &str,
    account: &str,
    actions: Actions,
    prefixes: Option<Vec<Prefix>>,
) -> NewToken {
    NewToken { secret: secret.into(), account: account.into(), actions, prefixes, expires_ms: None }
}

fn put(identifier: &str, body: &str, condition: Condition) -> Request {
    let identifier = Identifier::parse(identifier).unwrap();
    let draft = Draft::from_json(body.as_bytes()).unwrap();
    Request::new(Command::Put { identifier, draft, condition })
}

fn retire(identifier: &str) -> Request {
    let identifier = Identifier::parse(identifier).unwrap();
    Request::new(Command::Retire { identifier, condition: Condition::Always })
}

impl Fixture {
    fn apply(&self, request: &Request) -> Result<Receipt, RegistryError> {
        self.registry.apply(&self.admin, request, NOW_MS)
    }

    fn stored(&self, request: &Request) -> (Arc<StoredRecord>, bool, bool) {
        match self.apply(request).unwrap() {
            Receipt::Record { stored, created, changed } => (stored, created, changed),
            other => panic!("{other:?}"),
        }
    }

    /// An account and a token for it.
    fn actor(&self, name: &str, role: Role, registrant: Option<&str>) -> Actor {
        let secret = format!("the long secret of {name}");
        let registrant = registrant.map(|id| RegistrantId::parse(id).unwrap());
        let (account, password) = (name.to_owned(), None);
        let create = AccountCommand::Create { name: account, role, registrant, password };
        self.apply(&Request::new(Command::Account(create))).unwrap();
        let token = new_token(&secret, name, role.actions(), None);
        self.apply(&Request::new(Command::CreateToken(token))).unwrap();
        self.access.authenticate(&secret, NOW_MS).unwrap().unwrap()
    }

    fn check(&self) -> CheckReport {
        self.registry.close();
        check(&*self.store.snapshot(), &self.keys, &mut |_| {}).unwrap()
    }
}

const P100: &str = r#"{"attributes":{"model":"P-100","phases":3}}"#;
const P200: &str = r#"{"attributes":{"model":"P-200","colour":"red"}}"#;

#[test]
fn conditions_decide() {
    let node = fixture();
    let absent = node.apply(&put("88.118.8/X", P100, Condition::Version(1)));
    assert!(matches!(absent, Err(RegistryError::VersionMismatch { found: None, .. })));
    let (stored, created, _) = node.stored(&put("88.118.8/x", P100, Condition::Absent));
    assert!(created && stored.record.version == 1);
    let again = node.apply(&put("88.118.8/X", P100, Condition::Absent));
    assert!(matches!(again, Err(RegistryError::Exists { version: 1, .. })));
    let (stored, created, changed) = node.stored(&put("88.118.8/X", P200, Condition::Version(1)));
    assert!(!created && changed && stored.record.version == 2);
    assert_eq!(stored.record.identifier.spelling(), "88.118.8/x", "the first spelling is kept");
    let stale = node.apply(&put("88.118.8/X", P100, Condition::Version(1)));
    assert!(matches!(stale, Err(RegistryError::VersionMismatch { found: Some(2), .. })));
}

#[test]
fn what_is_there_already_changes_nothing() {
    let node = fixture();
    let (first, ..) = node.stored(&put("88.118/1", P100, Condition::Always));
    let (second, created, changed) = node.stored(&put("88.118/1", P100, Condition::Always));
    assert_eq!(first.position, second.position);
    assert!(!created && !changed);
}

#[test]
fn attributes_keep_their_index() {
    let node = fixture();
    node.stored(&put("88.118/1", P100, Condition::Always));
    let (stored, ..) = node.stored(&put("88.118/1", P200, Condition::Always));
    let indexes: Vec<_> =
        stored.record.values.iter().map(|value| (value.kind.as_str(), value.index)).collect();
    assert_eq!(indexes, [("model", 2_000), ("colour", 2_002)]);
}

#[test]
fn patches_touch_what_they_name() {
    let node = fixture();
    node.stored(&put("88.118/1", P100, Condition::Always));
    let patch =
        r#"{"attributes":{"model":null,"weight":"1.50"},"values":[{"type":"EMAIL","data":"a@b"}]}"#;
    let (stored, ..) = node.stored(&Request::new(Command::Patch {
        identifier: Identifier::parse("88.118/1").unwrap(),
        patch: Patch::from_json(patch.as_bytes()).unwrap(),
        condition: Condition::Version(1),
    }));
    let kinds: Vec<_> = stored.record.values.iter().map(|value| value.kind.as_str()).collect();
    assert_eq!(kinds, ["EMAIL", "phases", "weight"].map(|kind| kind), "{kinds:?}");
}

#[test]
fn retired_identifiers_never_come_back() {
    let node = fixture();
    node.stored(&put("88.118/1", P100, Condition::Always));
    let (stored, ..) = node.stored(&retire("88.118/1"));
    assert_eq!((stored.record.status, stored.record.version), (Status::Retired, 2));
    let (_, _, changed) = node.stored(&retire("88.118/1"));
    assert!(!changed);
    let back = node.apply(&put("88.118/1", P100, Condition::Always));
    assert!(matches!(back, Err(RegistryError::Retired(_))));
    assert!(matches!(node.apply(&retire("88.118/2")), Err(RegistryError::Absent(_))));
}

#[test]
fn repetitions_say_what_was_said_first() {
    let node = fixture();
    let keyed = |body: &str, digest: u8| {
        let key = IdempotencyKey { key: "k".into(), request_digest: [digest; 32] };
        Request { idempotency: Some(key), ..put("88.118/1", body, Condition::Always) }
    };
    let (first, created, _) = node.stored(&keyed(P100, 1));
    node.stored(&put("88.118/1", P200, Condition::Always));
    let (again, created_again, _) = node.stored(&keyed(P100, 1));
    assert_eq!((first, created), (again, created_again));
    assert!(matches!(node.apply(&keyed(P200, 2)), Err(RegistryError::IdempotencyReuse(_))));
}

#[test]
fn tokens_reach_as_far_as_their_scope_and_stop_at_once() {
    let node = fixture();
    let scope = Some(vec![Prefix::parse("88.118.8").unwrap()]);
    let actions = [Action::Register].into_iter().collect();
    let token = new_token("secret of acme, long enough", "acme", actions, scope);
    node.apply(&Request::new(Command::CreateToken(token))).unwrap();
    let acme = node.access.authenticate("secret of acme, long enough", NOW_MS).unwrap().unwrap();
    let apply = |request: &Request| node.registry.apply(&acme, request, NOW_MS);
    apply(&put("88.118.8.1/1", P100, Condition::Always)).unwrap();
    let refused = |request: &Request| matches!(apply(request), Err(RegistryError::Refused(_)));
    assert!(refused(&put("88.118.80/1", P100, Condition::Always)), "another prefix");
    assert!(refused(&put("88.118.8.1/1", P200, Condition::Always)), "no right to update");
    assert!(refused(&retire("88.118.8.1/1")));
    assert!(refused(&Request::new(Command::RevokeToken { id: "x".into() })));

    // The plan was made while the token was good; the change must not pass after it ended.
    let plan = node.registry.plan(&acme, &put("88.118.8/9", P100, Condition::Always), NOW_MS);
    let Ok(Plan::Change(change)) = plan else { panic!() };
    let id =
        node.access.list(&node.admin).unwrap().into_iter().find(|token| token.account == "acme");
    let id = id.unwrap().id;
    node.apply(&Request::new(Command::RevokeToken { id })).unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    let done = Box::new(move |verdicts: Vec<Verdict>| send.send(verdicts).unwrap());
    node.registry.submit(vec![*change], done).unwrap();
    assert!(matches!(receive.recv().unwrap()[..], [Verdict::Conflict]));
    assert!(node.access.authenticate("secret of acme, long enough", NOW_MS).unwrap().is_none());
}

#[test]
fn foreign_prefixes_are_not_served() {
    let node = fixture();
    let foreign = node.apply(&put("20.500/1", P100, Condition::Always));
    assert!(matches!(foreign, Err(RegistryError::NotResponsible(_))));
}

#[test]
fn a_batch_sees_itself() {
    let node = fixture();
    let requests = [
        put("88.118/1", P100, Condition::Absent),
        put("88.118/1", P200, Condition::Version(1)),
        put("88.118/1", P200, Condition::Absent),
        put("88.118/2", P100, Condition::Absent),
    ];
    let outcomes = node.registry.apply_all(&node.admin, &requests, NOW_MS);
    assert!(outcomes[0].is_ok() && outcomes[1].is_ok() && outcomes[3].is_ok(), "{outcomes:?}");
    assert!(matches!(outcomes[2], Err(RegistryError::Exists { version: 2, .. })), "{outcomes:?}");
}

#[test]
fn a_long_batch_keeps_the_order_of_each_identifier() {
    let node = fixture();
    let mut requests = Vec::new();
    for number in 0..1_500 {
        let body = format!(r#"{{"attributes":{{"number":{number}}}}}"#);
        requests.push(put(&format!("88.118/{number}"), &body, Condition::Absent));
        if number % 400 == 0 {
            requests.push(put("88.118/again", &body, Condition::Always));
        }
    }
    let outcomes = node.registry.apply_all(&node.admin, &requests, NOW_MS);
    assert!(outcomes.iter().all(Result::is_ok));
    let versions: Vec<_> = outcomes
        .iter()
        .flatten()
        .filter_map(|receipt| match receipt {
            Receipt::Record { stored, .. } => Some(&stored.record),
            _ => None,
        })
        .filter(|record| record.identifier.suffix() == "again")
        .map(|record| (record.version, record.values[0].text().unwrap().to_owned()))
        .collect();
    let expected = [(1, "0"), (2, "400"), (3, "800"), (4, "1200")];
    assert_eq!(versions, expected.map(|(version, number)| (version, number.to_owned())));
}

#[test]
fn concurrent_writers_lose_nothing_and_the_store_checks() {
    let node = fixture();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let node = &node;
            scope.spawn(move || {
                for round in 0..50 {
                    let body = format!(r#"{{"attributes":{{"by":{writer},"round":{round}}}}}"#);
                    node.stored(&put("88.118/shared", &body, Condition::Always));
                    let own = format!("88.118/{writer}-{}", "long".repeat(round));
                    node.stored(&put(&own, &body, Condition::Absent));
                }
            });
        }
    });
    let (shared, ..) = node.stored(&put("88.118/shared", P100, Condition::Always));
    assert_eq!(shared.record.version, 8 * 50 + 1, "every change made a version");
    let report = node.check();
    assert_eq!(report.findings, []);
    assert_eq!(report.rows["records"], 8 * 50 + 1);
    // A prefix, an account and a token came first.
    assert_eq!(report.ledger_entries, 3 + 8 * 50 * 2 + 1);
}

#[test]
fn a_check_finds_what_was_tampered_with() {
    let node = fixture();
    let (stored, ..) = node.stored(&put("88.118/1", P100, Condition::Always));
    node.stored(&put("88.118/1", P200, Condition::Always));
    node.registry.close();
    let mut forged = StoredRecord::clone(&stored);
    forged.record.values[0].data = b"P-999".to_vec();
    let mut transaction = node.store.begin();
    let key = crate::store::VersionKey { key: forged.record.identifier.key().clone(), version: 1 };
    crate::store::VERSIONS.put(&mut *transaction, &key, &forged);
    transaction.commit().unwrap();
    let report = check(&*node.store.snapshot(), &node.keys, &mut |_| {}).unwrap();
    let faults: Vec<_> = report.findings.iter().map(|finding| finding.fault.as_str()).collect();
    assert!(faults[0].contains("commits to other data"), "{faults:?}");
}

#[test]
fn a_check_counts_the_identifiers_of_every_prefix() {
    let node = fixture();
    for identifier in ["88.118/1", "88.118.8/1", "88.118.8.1/1"] {
        node.stored(&put(identifier, P100, Condition::Always));
    }
    node.allocated("88.118.8", None);
    node.stored(&put("88.118.8/2", P100, Condition::Always));
    node.stored(&retire("88.118.8/2"));
    assert_eq!(node.check().findings, []);
    let mut transaction = node.store.begin();
    let own = ["88.118", "88.118.8", "20.500"].map(|text| identifier_counter(&prefix(text)));
    COUNTERS.put(&mut *transaction, &own[0], &Count(2));
    COUNTERS.delete(&mut *transaction, &own[1]);
    COUNTERS.put(&mut *transaction, &own[2], &Count(1));
    transaction.commit().unwrap();
    let findings = node.check().findings;
    let found: Vec<_> = findings.iter().map(|it| (it.place.as_str(), it.fault.as_str())).collect();
    let expected = [
        (own[2].as_str(), "counts 1 identifiers, where there are 0"),
        (own[0].as_str(), "counts 2 identifiers, where there are 1"),
        (own[1].as_str(), "counts nothing, where there are 3 identifiers"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_new_generation_says_where_the_old_one_stood() {
    let node = fixture();
    node.stored(&put("88.118/1", P100, Condition::Always));
    node.registry.close();
    let keys = Arc::new(NodeKeys::from_seeds(&[3; 32], [4; 32]));
    let log = begin_generation(&*node.store, &keys, NOW_MS).unwrap();
    assert_eq!((log.generation, log.origin.as_str()), (2, "node.example/log/2"));
    let report = check(&*node.store.snapshot(), &keys, &mut |_| {}).unwrap();
    assert_eq!((report.findings, report.ledger_entries), (vec![], 5));
    assert_eq!(report.unproved_logs, ["node.example/log/1"], "its salts are gone");
}

/// Every byte that a few changes put into every column: an accidental change of a format fails.
#[test]
fn raw_columns_are_as_recorded() {
    let node = fixture();
    let full = r#"{
        "values": [
            {"type": "URL", "data": "https://example.com/p/100", "ttl": 600},
            {"index": 100, "type": "HS_ADMIN", "permissions": "1100",
             "data": {"format": "admin", "value": {
                 "handle": "0.NA/88.118", "index": 200, "permissions": "011111110011"}},
             "references": [{"handle": "88.118/1", "index": 1}]}
        ],
        "attributes": {"model": "P-100", "phases": 3, "tested": true, "tags": ["a", "b"]}
    }"#;
    let key = IdempotencyKey { key: "k-1".into(), request_digest: [7; 32] };
    let reason = "first delivery".to_owned();
    let request = put("88.118.8/sn-001", full, Condition::Absent);
    node.stored(&Request { idempotency: Some(key), reason, ..request });
    node.stored(&put("88.118.8/SN-001", P200, Condition::Version(1)));
    node.stored(&put(&format!("88.118.8/泵{}", "x".repeat(63)), P100, Condition::Absent));
    node.stored(&retire("88.118.8/SN-001"));
    let scope = Some(vec![Prefix::parse("88.118.8").unwrap()]);
    let actions = [Action::Register, Action::Update].into_iter().collect();
    let token = new_token("secret of acme, long enough", "acme", actions, scope);
    node.apply(&Request::new(Command::CreateToken(token))).unwrap();
    node.draft(templates::PRODUCT, &templates::product()).unwrap();
    node.publish(templates::PRODUCT).unwrap();
    let attributes = serde_json::json!({"serial": "A", "made": "2026-01-05", "see": "20.500/x"});
    let draft = Draft::from_json(templates::made(attributes).as_bytes()).unwrap();
    let (prefix, serial) = (Prefix::parse("88.118").unwrap(), None);
    let key = IdempotencyKey { key: "k-2".into(), request_digest: [8; 32] };
    let batch = Command::Batch(vec![Command::Mint { prefix, serial, draft }]);
    node.apply(&Request { idempotency: Some(key), ..Request::new(batch) }).unwrap();
    node.registry.close();
    let mut text = String::new();
    for column in crate::store::ColumnId::ALL {
        let mut rows = 0;
        let mut lines = String::new();
        let visit = &mut |key: &[u8], row: &[u8]| {
            rows += 1;
            let hex = data_encoding::HEXLOWER;
            lines.push_str(&format!("  {} {}\n", hex.encode(key), hex.encode(row)));
            std::ops::ControlFlow::Continue(())
        };
        let forward = crate::store::Direction::Forward;
        node.store.scan(column, crate::store::all_keys(), forward, visit).unwrap();
        text.push_str(&format!("{} {rows}\n{lines}", column.name()));
    }
    crate::snapshot::compare("tests/snapshots/raw-columns.txt", &text);
}
