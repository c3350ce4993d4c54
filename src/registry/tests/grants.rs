//! Grants against everything that happens at the same time.

use std::sync::Mutex;

use super::between::{Between, Side};
use super::*;
use crate::access::Asker;
use crate::record::{Record, ViewKind};
use crate::registrant::{
    Access as Allowing, Grant, GrantSubject, Grantee, GroupId, MAX_GRANTS_ON_SUBJECT, RegistrantId,
};
use crate::resolver::{Lookup, Outcome, Protocol, Subject};
use crate::store::DocumentKind;
use crate::store::staged::{put_document, put_prefix, put_record, put_registrant, value};

const BETA_SECRET: &str = "a secret of the beta motors";
const X: &str = "88.119/X";

/// A node whose prefix 88.119 is acme's, and an application of beta.
fn world() -> (Fixture, Actor) {
    world_over(fixture())
}

fn world_over(node: Fixture) -> (Fixture, Actor) {
    for id in ["acme", "beta"] {
        put_registrant(&*node.store, id);
    }
    put_prefix(&*node.store, "88.119", "acme");
    node.resolver.reload_zones().unwrap();
    put_record(&*node.store, &record("1"));
    let account = serde_json::json!({"role": "application", "registrant": "beta"});
    put_document(&*node.store, DocumentKind::Account, "beta", &account);
    let token = new_token(BETA_SECRET, "beta", Role::Application.actions(), None);
    node.apply(&Request::new(Command::CreateToken(token))).unwrap();
    let beta = node.access.authenticate(BETA_SECRET, NOW_MS).unwrap().unwrap();
    (node, beta)
}

fn record(cost: &str) -> Record {
    Record {
        identifier: Identifier::literal(X).unwrap(),
        values: vec![value(2_000, "open", "x", 0x0e), value(2_001, "cost", cost, 0x0c)],
        version: 1,
        status: Status::Active,
        registrant: "acme".into(),
        held_apart: false,
        actor: "acme".into(),
        reason: String::new(),
        created_ms: NOW_MS,
        modified_ms: NOW_MS,
    }
}

fn acme() -> Option<RegistrantId> {
    RegistrantId::parse("acme").ok()
}

fn to(registrant: &str) -> Grantee {
    Grantee::Registrant(RegistrantId::parse(registrant).unwrap())
}

fn grant(grantee: Grantee, access: Allowing) -> Grant {
    let subject = GrantSubject::Identifier(X.into());
    let attributes = Vec::new();
    Grant { granter: acme(), subject, grantee, attributes, access, revoked: false }
}

fn give(grant: &Grant) -> Request {
    Request::new(Command::Grant(GrantCommand::Give(grant.clone())))
}

fn revoke(grant: &Grant) -> Request {
    Request::new(Command::Grant(GrantCommand::Revoke { id: grant.id() }))
}

fn keep(group: &str, members: &[&str]) -> Request {
    let members = members.iter().map(|&member| member.to_owned()).collect();
    let (id, condition) = (GroupId::parse(group).unwrap(), Condition::Always);
    Request::new(Command::Grant(GrantCommand::KeepGroup { id, members, condition }))
}

fn remove(group: &str) -> Request {
    let (id, condition) = (GroupId::parse(group).unwrap(), Condition::Always);
    Request::new(Command::Grant(GrantCommand::RemoveGroup { id, condition }))
}

fn edit(cost: &str) -> Request {
    let patch = format!(r#"{{"attributes":{{"cost":"{cost}"}}}}"#);
    Request::new(Command::Patch {
        identifier: Identifier::parse(X).unwrap(),
        patch: Patch::from_json(patch.as_bytes()).unwrap(),
        condition: Condition::Always,
    })
}

/// Plans now, does something else, and submits.
fn overtaken(node: &Fixture, actor: &Actor, request: &Request, by: &[Request]) -> bool {
    let Ok(Plan::Change(change)) = node.registry.plan(actor, request, NOW_MS) else { panic!() };
    for request in by {
        node.apply(request).unwrap();
    }
    let (send, receive) = std::sync::mpsc::channel();
    let done = Box::new(move |verdicts: Vec<Verdict>| send.send(verdicts).unwrap());
    node.registry.submit(vec![*change], done).unwrap();
    match receive.recv().unwrap().remove(0) {
        Verdict::Conflict => true,
        Verdict::Committed(_) => false,
        Verdict::Failed(error) => panic!("{error}"),
    }
}

#[test]
fn an_edit_under_way_stops_when_its_grant_does() {
    let (node, beta) = world();
    let view = grant(to("beta"), Allowing::View);
    let edits = grant(to("beta"), Allowing::Edit);
    let by_group = grant(Grantee::Group(GroupId::parse("acme.g").unwrap()), Allowing::Edit);
    node.apply(&give(&edits)).unwrap();
    assert!(!overtaken(&node, &beta, &edit("2"), &[]), "nothing came between");
    assert!(overtaken(&node, &beta, &edit("3"), &[revoke(&edits)]));
    let refused = node.registry.apply(&beta, &edit("3"), NOW_MS);
    assert!(matches!(refused, Err(RegistryError::Refused(_))));
    node.apply(&give(&view)).unwrap();
    let refused = node.registry.apply(&beta, &edit("3"), NOW_MS);
    assert!(matches!(refused, Err(RegistryError::Refused(_))), "to see is not to edit");
    // By a group: its members count as of the commit.
    node.apply(&keep("acme.g", &["beta"])).unwrap();
    node.apply(&give(&by_group)).unwrap();
    assert!(overtaken(&node, &beta, &edit("4"), &[keep("acme.g", &[])]));
    node.apply(&keep("acme.g", &["beta"])).unwrap();
    // The node's own groups too.
    node.apply(&revoke(&by_group)).unwrap();
    let by_node = grant(Grantee::Group(GroupId::parse("all").unwrap()), Allowing::Edit);
    node.apply(&keep("all", &["beta"])).unwrap();
    node.apply(&give(&by_node)).unwrap();
    assert!(overtaken(&node, &beta, &edit("5"), &[keep("all", &[])]));
}

#[test]
fn a_grant_on_the_identifier_stops_edits_by_template() {
    let (node, beta) = world();
    let mut templated = record("1");
    templated.values.insert(0, value(1_000, "TEMPLATE", "88.119/t", 0x0e));
    templated.values.insert(1, value(1_001, "TEMPLATE_VERSION", "1", 0x0e));
    put_record(&*node.store, &templated);
    let head = serde_json::json!(
        {"number": 1, "identifier": "88.119/t", "latest": 2, "published": 1});
    put_document(&*node.store, DocumentKind::Template, "88.119/T", &head);
    let attribute = |index: u32, name: &str| {
        serde_json::json!({"index": index, "name": name, "type": "string",
            "labels": {"en": name}, "view": "owner"})
    };
    for (version, published) in [(1, true), (2, false)] {
        let attributes = [attribute(2000, "open"), attribute(2001, "cost")];
        let definition = serde_json::json!({"labels": {"en": "t"}, "attributes": attributes});
        let content = serde_json::json!({"published": published, "definition": definition});
        let id = crate::template::version_id(1, version);
        put_document(&*node.store, DocumentKind::TemplateVersion, &id, &content);
    }
    let by_template = Grant {
        subject: GrantSubject::Template("88.119/T".into()),
        attributes: vec!["cost".into()],
        ..grant(to("beta"), Allowing::Edit)
    };
    node.apply(&give(&by_template)).unwrap();
    assert!(!overtaken(&node, &beta, &edit("2"), &[]));
    let closed = grant(Grantee::Everyone, Allowing::Nothing);
    assert!(overtaken(&node, &beta, &edit("3"), &[give(&closed)]));
    assert!(node.registry.apply(&beta, &edit("3"), NOW_MS).is_err());
    node.apply(&revoke(&closed)).unwrap();
    node.registry.apply(&beta, &edit("3"), NOW_MS).unwrap();
}

#[test]
fn a_group_is_not_removed_under_a_grant() {
    let (node, _) = world();
    for group in ["acme.g", "all"] {
        node.apply(&keep(group, &["beta"])).unwrap();
        let given = grant(Grantee::Group(GroupId::parse(group).unwrap()), Allowing::View);
        assert!(overtaken(&node, &node.admin, &remove(group), &[give(&given)]), "{group}");
        let used = node.apply(&remove(group));
        assert!(matches!(used, Err(RegistryError::WrongState { .. })), "{used:?}");
        node.apply(&revoke(&given)).unwrap();
        assert!(overtaken(&node, &node.admin, &give(&given), &[remove(group)]), "{group}");
        let gone = node.apply(&give(&given));
        assert!(matches!(gone, Err(RegistryError::Faulty(_))), "{gone:?}");
        let absent = node.apply(&remove(group));
        assert!(matches!(absent, Err(RegistryError::Absent(_))), "{absent:?}");
        // A group of the same name begins anew, and its versions go on.
        let again = node.apply(&keep(group, &["beta"])).unwrap();
        assert!(matches!(again, Receipt::Document { version: 3, .. }), "{again:?}");
    }
}

#[test]
fn grants_on_a_subject_are_bounded() {
    let (node, _) = world();
    let members: Vec<String> = (0..=MAX_GRANTS_ON_SUBJECT).map(|n| format!("m{n}")).collect();
    members.iter().for_each(|id| put_registrant(&*node.store, id));
    let (last, rest) = members.split_last().unwrap();
    for member in rest {
        node.apply(&give(&grant(to(member), Allowing::View))).unwrap();
    }
    let one_more = give(&grant(to(last), Allowing::View));
    let Err(RegistryError::Faulty(faults)) = node.apply(&one_more) else { panic!() };
    assert_eq!(faults[0].rule, "maximum");
    let first = grant(to(&rest[0]), Allowing::View);
    node.apply(&give(&first)).unwrap();
    node.apply(&revoke(&first)).unwrap();
    node.apply(&one_more).unwrap();
    let refs: Vec<&str> = members.iter().map(String::as_str).collect();
    let Err(RegistryError::Faulty(faults)) = node.apply(&keep("acme.g", &refs)) else { panic!() };
    assert_eq!((faults[0].path.as_str(), faults[0].rule.as_str()), ("members", "length"));
}

#[test]
fn granters_with_more_grants_than_are_kept_are_read_from_the_store() {
    let (node, beta) = world();
    let beta = Asker::Actor(Arc::new(beta));
    for number in 0..5_001 {
        let subject = GrantSubject::Identifier(format!("88.119/{number}"));
        let given = Grant { subject, ..grant(Grantee::Everyone, Allowing::View) };
        let content = serde_json::to_value(&given).unwrap();
        put_document(&*node.store, DocumentKind::Grant, &given.id(), &content);
    }
    let kind = || node.resolver.view(&record("1"), &beta).unwrap();
    let given = grant(to("beta"), Allowing::View);
    for _ in 0..2 {
        assert_eq!(kind(), ViewKind::PUBLIC);
        node.apply(&give(&given)).unwrap();
        assert_ne!(kind(), ViewKind::PUBLIC);
        node.apply(&revoke(&given)).unwrap();
    }
}

/// Whether an asker sees the hidden attribute.
fn sees(resolver: &Resolver, asker: &Asker) -> bool {
    let identifier = Identifier::literal(X).unwrap();
    let (subject, protocol) = (Subject::Identifier(identifier.key()), Protocol::Http);
    let lookup = Lookup { subject, asker, protocol };
    let outcome = match resolver.resolve_hot(&lookup) {
        Some(outcome) => outcome,
        None => resolver.resolve(&lookup).unwrap(),
    };
    let Outcome::Record(answer) = outcome else { panic!("{outcome:?}") };
    answer.view().values().any(|value| value.is_type("cost"))
}

/// Somebody reads between the moment the writer forgets and its commit, and between the commit and
/// the moment anybody is told: the first must leave nothing behind, the second see what is.
#[test]
fn reads_around_a_commit_leave_nothing_stale() {
    let store = Arc::new(Between::default());
    let (node, beta) = world_over(fixture_over(Arc::clone(&store) as Arc<dyn Store>));
    let askers = [Asker::Public, Asker::Actor(Arc::new(beta))];
    let (seen, resolver) = (Arc::new(Mutex::new(Vec::new())), Arc::clone(&node.resolver));
    let (noted, asking) = (Arc::clone(&seen), askers.clone());
    store.look(move |side| {
        let all = asking.each_ref().map(|asker| sees(&resolver, asker));
        noted.lock().unwrap().push((side, all));
    });
    let everyone = grant(Grantee::Everyone, Allowing::View);
    let group = grant(Grantee::Group(GroupId::parse("acme.g").unwrap()), Allowing::View);
    let (nobody, beta, all) = ([false, false], [false, true], [true, true]);
    for (request, before, after) in [
        (give(&everyone), nobody, all),
        (revoke(&everyone), all, nobody),
        (keep("acme.g", &[]), nobody, nobody),
        (give(&group), nobody, nobody),
        (keep("acme.g", &["beta"]), nobody, beta),
        (keep("acme.g", &[]), beta, nobody),
        (keep("acme.g", &["beta"]), nobody, beta),
        (revoke(&group), beta, nobody),
    ] {
        seen.lock().unwrap().clear();
        node.apply(&request).unwrap();
        let told = askers.each_ref().map(|asker| sees(&node.resolver, asker));
        assert_eq!(told, after, "{request:?}");
        let around = seen.lock().unwrap().clone();
        assert_eq!(around[..2], [(Side::Before, before), (Side::After, after)], "{request:?}");
    }
}

/// Readers hammer the record while the grant comes and goes: whoever was told that it is gone
/// never sees by it again, and whoever was told that it is there does.
#[test]
fn nobody_sees_by_a_grant_that_is_known_to_be_gone() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (node, beta) = world();
    let beta = Asker::Actor(Arc::new(beta));
    let sees = |asker: &Asker| sees(&node.resolver, asker);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for asker in [&Asker::Public, &beta] {
            let (sees, done) = (&sees, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    sees(asker);
                }
            });
        }
        for round in 0..300 {
            let (grantee, everybody) = match round % 3 {
                0 => (Grantee::Everyone, true),
                1 => (to("beta"), false),
                _ => (Grantee::Group(GroupId::parse("acme.g").unwrap()), false),
            };
            node.apply(&keep("acme.g", &["beta"])).unwrap();
            let given = grant(grantee, Allowing::View);
            node.apply(&give(&given)).unwrap();
            assert_eq!((sees(&Asker::Public), sees(&beta)), (everybody, true), "{round}");
            let end = if round % 3 == 2 { keep("acme.g", &[]) } else { revoke(&given) };
            node.apply(&end).unwrap();
            assert_eq!((sees(&Asker::Public), sees(&beta)), (false, false), "{round}");
            node.apply(&revoke(&given)).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn older_versions_are_seen_by_the_grants_of_who_holds_the_record_today() {
    let (node, _) = world();
    let beta = RegistrantId::parse("beta").unwrap();
    let asker =
        Asker::Actor(Arc::new(node.access.authenticate(BETA_SECRET, NOW_MS).unwrap().unwrap()));
    let old = record("1");
    let resolver = &node.resolver;
    let view = |holder: Option<&RegistrantId>| resolver.view_held(&old, holder, &asker).unwrap();
    assert_eq!(view(acme().as_ref()), ViewKind::PUBLIC);
    assert_eq!(view(Some(&beta)), ViewKind::Full, "handed over to beta");
}

#[test]
fn a_check_compares_grants_groups_and_their_indexes() {
    use crate::store::{ColumnId, IndexKey, key_bytes};
    let node = fixture();
    for id in ["acme", "beta"] {
        put_registrant(&*node.store, id);
    }
    let id = Identifier::parse("88.118/1").unwrap();
    node.apply(&put("88.118/1", P100, Condition::Always)).unwrap();
    let subject = GrantSubject::Identifier(id.key().text().into());
    let given = Grant { granter: None, subject, ..grant(to("beta"), Allowing::View) };
    node.apply(&keep("all", &["acme", "beta"])).unwrap();
    node.apply(&give(&given)).unwrap();
    let report = node.check();
    let own = |report: &CheckReport| -> Vec<String> {
        let found = report.findings.iter().filter(|finding| !finding.place.contains("registrant/"));
        found.map(|finding| finding.fault.clone()).collect()
    };
    assert_eq!(own(&report), [""; 0]);
    let mut transaction = node.store.begin();
    let key = IndexKey::Granted { grantee: given.grantee.text(), grant: given.id() };
    transaction.delete(ColumnId::Indexes, &key_bytes(&key));
    let key = IndexKey::Granted { grantee: "everyone".into(), grant: given.id() };
    transaction.put(ColumnId::Indexes, &key_bytes(&key), b"");
    let key = |registrant: Option<RegistrantId>, group: &str| {
        key_bytes(&IndexKey::Member { registrant: registrant.unwrap(), group: group.into() })
    };
    transaction.delete(ColumnId::Indexes, &key(acme(), "_.all"));
    transaction.put(ColumnId::Indexes, &key(acme(), "_.none"), b"");
    transaction.commit().unwrap();
    let report = check(&*node.store.snapshot(), &node.keys, &mut |_| {}).unwrap();
    let mut faults = own(&report);
    faults.sort();
    assert_eq!(
        faults,
        [
            "its grantee's row in indexes is missing",
            "leads to no grant in force to this grantee",
            "leads to no group with this member",
            "the row of member acme in indexes is missing",
        ]
    );
}
