//! Finding over rows written by hand.

use super::*;
use crate::access::Role;
use crate::resolver::fixture::{PUMP, Rows, START_MS};

/// All pages of a query, each of `limit` records, as identifiers.
fn all(resolver: &Resolver, query: &Query, asker: &Asker, limit: usize) -> Vec<String> {
    let find = resolver.prepare(query.clone(), asker).unwrap();
    let (mut found, mut from) = (Vec::new(), None);
    for _ in 0..1_000 {
        let page = resolver.find_page(&find, asker, from.as_ref(), limit, usize::MAX).unwrap();
        assert!(page.answers.len() <= limit && page.rows <= MAX_ROWS);
        let spelled = |answer: &Answer| answer.stored.record.identifier.spelling().to_owned();
        found.extend(page.answers.iter().map(spelled));
        let Some(next) = page.next else { return found };
        let next = Place::from_bytes(&next.to_bytes()).unwrap();
        assert!(from.as_ref() != Some(&next), "a page goes on");
        from = Some(next);
    }
    panic!("no end")
}

fn prefix(text: &str) -> Option<Prefix> {
    Some(Prefix::parse(text).unwrap())
}

fn pumps(prefix_text: &str, conditions: &[&str]) -> Query {
    Query {
        prefix: prefix(prefix_text),
        template: Some(Identifier::parse(PUMP).unwrap()),
        conditions: conditions.iter().map(|text| Condition::parse(text).unwrap()).collect(),
        ..Query::default()
    }
}

/// Pumps of three prefixes; powers 1 to 9, models by power modulo 3.
fn rows() -> Rows {
    let mut rows = Rows::new();
    for power in 1..=9 {
        let identifier = format!("88.118.{}/p{power}", power % 3);
        rows.pump(&identifier, &format!("M-{}", power % 2), power, &format!("{power}.50"));
    }
    rows
}

#[test]
fn attributes_are_matched_exactly_and_in_ranges() {
    let rows = rows();
    let (resolver, auditor) = (rows.resolver(), rows.asker(Role::Auditor, None));
    let find = |under: &str, conditions: &[&str]| {
        let mut previous = None;
        for limit in [1, 2, 100] {
            let found = all(&resolver, &pumps(under, conditions), &auditor, limit);
            assert!(previous.is_none() || previous.as_ref() == Some(&found), "{found:?}");
            previous = Some(found);
        }
        let found = previous.unwrap();
        found.iter().map(|text| text.rsplit('p').next().unwrap().parse().unwrap()).collect()
    };
    let find = |under: &str, conditions: &[&str]| -> Vec<u32> { find(under, conditions) };
    assert_eq!(find("88.118.1", &["power:4"]), [4]);
    assert_eq!(find("88.118.1", &["power:1..7"]), [1, 4]);
    assert_eq!(find("88.118.1", &["power:1..=7"]), [1, 4, 7]);
    assert_eq!(find("88.118.1", &["power:2.."]), [4, 7]);
    assert_eq!(find("88.118.1", &["power:..4"]), [1]);
    assert_eq!(find("88.118.1", &["power:..=-4"]), [0; 0]);
    assert_eq!(find("88.118.1", &["power:7..1"]), [0; 0]);
    assert_eq!(find("88.118.1", &["power:.."]), [1, 4, 7]);
    let max = format!("power:..={}", i64::MAX);
    assert_eq!(find("88.118.1", &[&max]), [1, 4, 7]);
    assert_eq!(find("88.118", &["power:2..=7"]), [3, 6, 4, 7, 2, 5], "prefix by prefix");
    assert_eq!(find("88", &["model:M-0", "power:..6"]), [4, 2]);
    assert_eq!(find("88.118", &["price:4.5"]), [4], "equal values have equal text");
    assert_eq!(find("88.118", &["price:4.500..5.51"]), [4, 5]);
    assert_eq!(find("88.118.1", &[]), [1, 4, 7], "all of the template");
    assert_eq!(find("88.119", &["power:4"]), [0; 0]);
}

#[test]
fn what_is_not_indexed_or_of_another_type_is_a_fault() {
    let rows = rows();
    let (resolver, auditor) = (rows.resolver(), rows.asker(Role::Auditor, None));
    let faults = |query: &Query| match resolver.prepare(query.clone(), &auditor) {
        Err(FindError::Faulty(faults)) => faults,
        other => panic!("{other:?}"),
    };
    let faults_of = |conditions: &[&str]| faults(&pumps("88.118", conditions));
    assert!(faults_of(&["note:x"])[0].message.contains("model, power, price"));
    assert!(faults_of(&["nothing:.."])[0].message.contains("model, power, price"));
    let two = faults_of(&["power:many", "note:x"]);
    assert_eq!([&two[0].rule, &two[1].rule], ["type", "indexed"]);
    let template = Some(Identifier::parse("88.118/T-none").unwrap());
    assert_eq!(faults(&Query { template, ..Query::default() })[0].path, "template");
    let incomplete = Query { prefix: None, ..pumps("88.118", &["power:1"]) };
    assert!(matches!(resolver.prepare(incomplete, &auditor), Err(FindError::Incomplete)));
}

#[test]
fn what_cannot_be_read_cannot_be_found() {
    let mut rows = rows();
    let acme = rows.asker(Role::Application, Some("acme"));
    rows.pump("88.118.1/apart", "M-9", 50, "50");
    rows.hold_apart("88.118.1/apart", "bolt");
    let resolver = rows.resolver();
    let price = |under: &str| pumps(under, &["price:..1000"]);
    assert_eq!(all(&resolver, &price("88.118.1"), &acme, 9).len(), 3, "not what is held apart");
    let refused = |query: Query, asker: &Asker| resolver.prepare(query, asker).map(|_| ());
    assert!(matches!(refused(price("88.118.2"), &acme), Err(FindError::Refused(_))));
    assert!(matches!(refused(price("88.118"), &acme), Err(FindError::Refused(_))));
    assert!(matches!(refused(price("88.118.1"), &Asker::Public), Err(FindError::Anonymous)));
    let of = |name: &str| Query {
        registrant: Some(RegistrantId::parse(name).unwrap()),
        ..Query::default()
    };
    assert!(matches!(refused(of("bolt"), &acme), Err(FindError::Refused(_))));
    assert!(matches!(refused(of("acme"), &Asker::Public), Err(FindError::Anonymous)));
    assert!(refused(of("acme"), &acme).is_ok());
    let public = all(&resolver, &pumps("88.118", &["model:M-9"]), &Asker::Public, 9);
    assert_eq!(public, ["88.118.1/apart"], "public values are everybody's to ask for");
}

#[test]
fn registrants_have_their_prefixes_and_what_they_hold_apart() {
    let mut rows = rows();
    rows.hold_apart("88.118.1/p4", "bolt");
    rows.hold_apart("88.118.2/p2", "bolt");
    rows.hold_apart("88.118.0/p3", "acme");
    let (resolver, auditor) = (rows.resolver(), rows.asker(Role::Auditor, None));
    let held = |name: &str, under: Option<&str>, limit| {
        let registrant = Some(RegistrantId::parse(name).unwrap());
        let query = Query { registrant, prefix: under.and_then(prefix), ..Query::default() };
        all(&resolver, &query, &auditor, limit)
    };
    let bolt = ["88.118.2/p2", "88.118.2/p5", "88.118.2/p8", "88.118.1/p4"];
    for limit in [1, 3, 9] {
        assert_eq!(held("bolt", None, limit), bolt);
        assert_eq!(held("bolt", Some("88.118.1"), limit), ["88.118.1/p4"]);
        assert_eq!(held("acme", None, limit), ["88.118.1/p1", "88.118.1/p7", "88.118.0/p3"]);
    }
}

#[test]
fn times_are_found_through_the_journal() {
    let mut rows = Rows::new();
    for number in 0..50u64 {
        rows.now_ms = START_MS + number * 60_000;
        rows.pump(&format!("88.118.1/n{number}"), "M", 1, "1");
    }
    rows.now_ms = START_MS + 100 * 60_000;
    rows.pump("88.118.1/n7", "M", 2, "1");
    let (resolver, auditor) = (rows.resolver(), rows.asker(Role::Auditor, None));
    let minutes = |from: u64, until: u64| {
        let at = |minute| Some(START_MS + minute * 60_000);
        Period { from_ms: at(from), until_ms: at(until) }
    };
    let find = |query: Query| {
        let found = all(&resolver, &query, &auditor, 2);
        found.iter().map(|text| text.rsplit('n').next().unwrap().parse().unwrap()).collect()
    };
    let find = |query: Query| -> Vec<u64> { find(query) };
    let modified = |period| Query { modified: period, ..Query::default() };
    let created = |period| Query { created: period, ..Query::default() };
    assert_eq!(find(modified(minutes(6, 9))), [6, 8], "7 was changed later");
    assert_eq!(find(modified(minutes(49, 200))), [49, 7]);
    assert_eq!(find(created(minutes(6, 9))), [6, 7, 8], "half open");
    assert_eq!(find(created(minutes(200, 300))), [0; 0]);
    let both = Query { created: minutes(0, 9), ..modified(minutes(60, 200)) };
    assert_eq!(find(both), [7]);
    let elsewhere = Query { prefix: prefix("88.118.2"), ..modified(minutes(0, 200)) };
    assert_eq!(find(elsewhere), [0; 0]);
    let of_template = Query { modified: minutes(48, 200), ..pumps("88.118", &["model:M"]) };
    let mut found = find(of_template);
    found.sort_unstable();
    assert_eq!(found, [7, 48, 49]);
}

#[test]
fn work_is_bounded_and_goes_on() {
    let mut rows = Rows::new();
    for number in 0..MAX_ROWS + 500 {
        rows.put(&format!("88.118.1/{number:06}"), Vec::new(), Status::Active);
    }
    rows.put("88.118.1/999999", Vec::new(), Status::Retired);
    let (resolver, auditor) = (rows.resolver(), rows.asker(Role::Auditor, None));
    let query = Query { status: Some(Status::Retired), ..Query::default() };
    let find = resolver.prepare(query.clone(), &auditor).unwrap();
    let page = resolver.find_page(&find, &auditor, None, 1, usize::MAX).unwrap();
    assert_eq!((page.answers.len(), page.rows), (0, MAX_ROWS));
    assert!(page.next.is_some());
    assert_eq!(all(&resolver, &query, &auditor, 1), ["88.118.1/999999"]);
}

#[test]
fn cursors_stay_where_they_are_when_records_come_and_go() {
    for query in [pumps("88.118", &["power:0.."]), Query::default(), pumps("88.118", &[])] {
        let mut rows = Rows::new();
        for number in (0..40).step_by(2) {
            rows.pump(&format!("88.118.1/{number:02}"), "M", number, "1");
        }
        let (resolver, auditor) = (rows.resolver(), rows.asker(Role::Auditor, None));
        let find = resolver.prepare(query.clone(), &auditor).unwrap();
        let first = resolver.find_page(&find, &auditor, None, 10, usize::MAX).unwrap();
        let next = first.next.unwrap();
        // One before and one behind the place, and the place itself is gone from where it was.
        rows.pump("88.118.1/05", "M", 5, "1");
        rows.pump("88.118.1/21", "M", 21, "1");
        rows.pump("88.118.1/18", "M", 118, "1");
        let rest = resolver.find_page(&find, &auditor, Some(&next), 100, usize::MAX).unwrap();
        let rest = rest.answers.iter().map(|answer| answer.stored.record.identifier.suffix());
        let rest: Vec<&str> = rest.collect();
        assert_eq!(rest[..3], ["20", "21", "22"], "{query:?}");
        assert!(!rest.contains(&"05"));
    }
}

/// A wrong place can only begin a query elsewhere within what the query looks at.
#[test]
fn hostile_places_do_not_leave_the_query() {
    let rows = rows();
    let (resolver, public) = (rows.resolver(), Asker::Public);
    for query in [
        pumps("88.118.1", &["power:1..=4"]),
        Query { prefix: prefix("88.118.1"), ..Query::default() },
    ] {
        let find = resolver.prepare(query, &public).unwrap();
        for column in [ColumnId::Records, ColumnId::Indexes, ColumnId::Journal] {
            for key in [vec![], vec![0], vec![255; 40], b"\x0188.118.0/".to_vec(), vec![1; 9]] {
                let place = Place { column, key };
                let page = resolver.find_page(&find, &public, Some(&place), 9, usize::MAX).unwrap();
                let inside = |answer: &Answer| {
                    answer.stored.record.identifier.prefix().as_str() == "88.118.1"
                };
                assert!(page.answers.iter().all(inside));
            }
        }
    }
    assert!(Place::from_bytes(&[]).is_err() && Place::from_bytes(&[3, 1]).is_err());
}

#[test]
fn a_row_that_cannot_be_read_does_not_cost_the_others() {
    let rows = rows();
    let mut changes = rows.store.begin();
    let key = Identifier::parse("88.118.1/p4").unwrap().key().clone();
    changes.put(ColumnId::Records, key.as_bytes(), b"nonsense");
    changes.put(ColumnId::Indexes, b"\x0188.118.1\0broken", b"");
    changes.commit().unwrap();
    let (resolver, auditor) = (rows.resolver(), rows.asker(Role::Auditor, None));
    let found =
        all(&resolver, &Query { prefix: prefix("88.118.1"), ..Query::default() }, &auditor, 9);
    assert_eq!(found, ["88.118.1/p1", "88.118.1/p7"]);
    let found = all(&resolver, &pumps("88.118.1", &["power:0.."]), &auditor, 9);
    assert_eq!(found, ["88.118.1/p1", "88.118.1/p7"]);
}

/// A million records on the disk: a page looks at about as many rows as it shows.
#[test]
fn a_page_of_a_million_looks_at_its_own_rows() {
    use crate::store::{INDEXES, IndexKey, Present, RECORDS, RocksSettings, RocksStore};
    let folder = tempfile::tempdir().unwrap();
    let store = RocksStore::open(folder.path(), &RocksSettings::default()).unwrap();
    let mut rows = Rows::over(Arc::new(store));
    rows.pump("88.118.1/0000000", "M", 0, "1");
    let first = Identifier::parse("88.118.1/0000000").unwrap();
    let pump = RECORDS.get(&*rows.store, first.key()).unwrap().unwrap();
    let template = rows.resolver().template(7, 1).unwrap().unwrap();
    for thousand in 0..1_000u32 {
        let mut changes = rows.store.begin();
        for number in thousand * 1_000..(thousand + 1) * 1_000 {
            let suffix = format!("{number:07}");
            let (attribute, bytes) = template.index_bytes("power", &number.to_string()).unwrap();
            let tail = [&bytes[..], suffix.as_bytes()].concat();
            let prefix = Prefix::parse("88.118.1").unwrap();
            let key = IndexKey::Value { prefix, template: 7, attribute, tail };
            INDEXES.put(&mut *changes, &key, &Present);
            // Records where they are looked at.
            if (500_000..500_200).contains(&number) {
                let mut stored = pump.clone();
                stored.record.identifier =
                    Identifier::parse(&format!("88.118.1/{suffix}")).unwrap();
                stored.record.values[2].data = number.to_string().into();
                let key = stored.record.identifier.key().clone();
                RECORDS.put(&mut *changes, &key, &stored);
            }
        }
        changes.commit().unwrap();
    }
    let (resolver, auditor) = (rows.resolver(), rows.asker(Role::Auditor, None));
    for under in ["88.118.1", "88"] {
        let find = resolver.prepare(pumps(under, &["power:500000.."]), &auditor).unwrap();
        let page = resolver.find_page(&find, &auditor, None, 100, usize::MAX).unwrap();
        assert_eq!(page.answers.len(), 100);
        assert!(page.rows <= 102, "{} rows for a page of 100", page.rows);
        let next = resolver.find_page(&find, &auditor, page.next.as_ref(), 100, usize::MAX);
        let next = next.unwrap();
        assert_eq!(next.answers[0].stored.record.identifier.suffix(), "0500100");
        assert!(next.rows <= 102, "{} rows for a page of 100", next.rows);
    }
}
