//! What is said of records below prefixes that are suspended or closed.

use hickory_proto::op::{Edns, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsCode;

use super::*;
use crate::registrant::AllocationState;

/// A responder over records below a prefix in this state, whose records are hidden or not.
fn with_prefix(state: AllocationState, hidden_when_suspended: bool) -> Responder {
    let store = Arc::new(MemoryStore::default());
    let mut changes = store.begin();
    let row = StoredPrefix {
        position: Position { log: 1, index: 0 },
        version: 1,
        created_ms: 0,
        modified_ms: 0,
        content: Allocation { state, hidden_when_suspended, ..Allocation::own() },
    };
    PREFIXES.put(&mut *changes, &Prefix::parse("88.118").unwrap(), &row);
    let long = format!("88.118/{}", "l".repeat(70));
    for identifier in ["88.118/a", "88.118.8/b", long.as_str()] {
        let stored = record(identifier, Status::Active, vec![value(2_000, "model", "P-100", 60)]);
        let key = stored.record.identifier.key().clone();
        if !fits_label(key.suffix()) {
            let name = NameKey { prefix: key.prefix(), digest: key.short_digest() };
            NAMES.put(&mut *changes, &name, &key);
        }
        RECORDS.put(&mut *changes, &key, &stored);
    }
    changes.commit().unwrap();
    let resolver = Arc::new(Resolver::open(store, 1 << 20).unwrap());
    let zones = Zones::new(&Settings::default(), &["192.0.2.1".parse().unwrap()]).unwrap();
    Responder::new(resolver, zones, Clock::fixed(1_000), Arc::new(|| 7))
}

fn texts(responder: &Responder, name: &str) -> (ResponseCode, Vec<String>, Option<Vec<u8>>) {
    let mut question = query(name, RecordType::TXT);
    let mut edns = Edns::new();
    edns.set_max_payload(1_232);
    question.edns = Some(edns);
    let reply = ask(responder, &question);
    let explanation = reply.edns.as_ref().and_then(|edns| edns.option(EdnsCode::Unknown(15)));
    let explanation = explanation.map(|option| Vec::<u8>::try_from(option).unwrap());
    let answers = lines(&reply.answers);
    let data = answers.iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    (reply.metadata.response_code, data, explanation)
}

#[test]
fn closed_prefixes_have_tombstones() {
    let responder = with_prefix(AllocationState::Closed, false);
    // The second answer comes from memory.
    for _ in 0..2 {
        for name in ["a._id.118.88.id.example.", "b._id.8.118.88.id.example."] {
            let (code, data, _) = texts(&responder, name);
            assert_eq!((code, data), (ResponseCode::NoError, vec!["status=retired".to_owned()]));
        }
    }
    let (code, data, _) = texts(&responder, "c._id.118.88.id.example.");
    assert_eq!((code, data), (ResponseCode::NXDomain, vec![]));
}

#[test]
fn hidden_records_are_withheld_and_explained() {
    let responder = with_prefix(AllocationState::Suspended, true);
    let long = Identifier::literal(&format!("88.118/{}", "l".repeat(70))).unwrap();
    let digest = crate::dns::name::name_of(
        long.key(),
        &crate::dns::name::Name::parse("id.example.").unwrap(),
    );
    let digest = digest.unwrap().to_string();
    // Nothing tells names that exist from those that do not.
    for name in ["a._id.118.88.id.example.", "none._id.8.118.88.id.example.", &digest] {
        let (code, data, explanation) = texts(&responder, name);
        assert_eq!((code, data), (ResponseCode::NoError, vec![]), "{name}");
        assert_eq!(explanation.as_deref(), Some(&[0, 18][..]), "{name}");
    }
    let plain = ask(&responder, &query("a._id.118.88.id.example.", RecordType::TXT));
    assert!(plain.edns.is_none() && plain.answers.is_empty());
}

#[test]
fn suspended_prefixes_answer_unless_told_otherwise() {
    let responder = with_prefix(AllocationState::Suspended, false);
    let (code, data, explanation) = texts(&responder, "a._id.118.88.id.example.");
    assert_eq!((code, data), (ResponseCode::NoError, vec!["model=P-100".to_owned()]));
    assert_eq!(explanation, None);
}
