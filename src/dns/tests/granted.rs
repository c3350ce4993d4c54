//! Attributes that are granted to everyone, as DNS shows them.

use serde_json::json;

use super::*;
use crate::dns::responder::Responder;
use crate::registrant::{GrantSubject, RegistrantId};
use crate::store::DocumentKind;
use crate::store::staged::{put_document, put_prefix, put_record};

#[test]
fn only_what_is_granted_to_everyone_is_shown() {
    let store = Arc::new(MemoryStore::default());
    put_prefix(&*store, "88.118", "acme");
    let hidden =
        |index, kind| Value { permissions: Permissions(0x0c), ..value(index, kind, "1", 60) };
    let values = vec![hidden(2_000, "cost"), value(2_001, "model", "P", 60), hidden(2_002, "plan")];
    put_record(&*store, &record("88.118/1", Status::Active, values).record);
    let resolver = Arc::new(Resolver::open(Arc::clone(&store) as _, 1 << 20).unwrap());
    let zones = Zones::new(&Settings::default(), &["192.0.2.1".parse().unwrap()]).unwrap();
    let responder =
        Responder::new(Arc::clone(&resolver), zones, Clock::fixed(1_000), Arc::new(|| 7));
    let texts = || {
        let question = query("1._id.118.88.id.example.", RecordType::TXT);
        let mut lines = lines(&ask(&responder, &question).answers);
        lines.sort();
        let data = lines.iter().map(|line| line.rsplit(' ').next().unwrap().to_owned());
        data.collect::<Vec<_>>()
    };
    assert_eq!(texts(), ["model=P"]);

    let acme = RegistrantId::parse("acme").unwrap();
    let subject = GrantSubject::Identifier("88.118/1".into());
    for (grantee, name, access, revoked, shown) in [
        (json!({"registrant": "beta"}), "registrant.beta", "edit", false, &["model=P"][..]),
        (json!("everyone"), "everyone", "view", false, &["cost=1", "model=P"]),
        (json!("everyone"), "everyone", "view", true, &["model=P"]),
        (json!("everyone"), "everyone", "view", false, &["cost=1", "model=P"]),
        (json!("everyone"), "everyone", "nothing", false, &["cost=1", "model=P"]),
    ] {
        let id = format!("{}{access}.{name}", subject.start(Some(&acme)));
        let grant = json!({"granter": "acme", "subject": {"identifier": "88.118/1"},
            "grantee": grantee, "attributes": ["cost"], "access": access, "revoked": revoked});
        put_document(&*store, DocumentKind::Grant, &id, &grant);
        resolver.forget_grants(&["acme".to_owned()]);
        assert_eq!(texts(), shown, "{grant}");
    }
}
