//! Statistics: exact for what is registered, by outcome for what is looked up.

use super::*;
use crate::access::Asker;
use crate::resolver::{Lookup, OUTCOMES, Protocol, Subject};
use crate::store::{Direction, STATISTICS, StatisticsKey, StatisticsRow, all_keys};

fn rows(store: &dyn Store) -> Vec<(StatisticsKey, StatisticsRow)> {
    let mut rows = Vec::new();
    STATISTICS
        .scan(store, all_keys(), Direction::Forward, |key, row| {
            rows.push((key, row));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

#[test]
fn what_happens_is_counted_by_prefix_day_protocol_and_outcome() {
    let node = fixture();
    for number in 0..5 {
        node.stored(&put(&format!("88.118.3/{number}"), P100, Condition::Always));
    }
    node.stored(&put("88.118.3/0", P100, Condition::Always));
    node.stored(&put("88.118.3/0", P200, Condition::Always));
    node.stored(&retire("88.118.3/1"));
    let refused = node.apply(&put("88.118.3/1", P100, Condition::Always));
    assert!(refused.is_err());
    let ask = |text: &str, protocol, times| {
        let identifier = Identifier::parse(text).unwrap();
        let subject = Subject::Identifier(identifier.key());
        for _ in 0..times {
            let lookup = Lookup { subject, asker: &Asker::Public, protocol };
            // As the edges do: what memory cannot tell is asked for again.
            if node.resolver.resolve_hot(&lookup).is_none() {
                node.resolver.resolve(&lookup).unwrap();
            }
        }
    };
    ask("88.118.3/0", Protocol::Dns, 3);
    ask("88.118.3/0", Protocol::Http, 2);
    ask("88.118.3/1", Protocol::Dns, 1);
    ask("88.118.3/none", Protocol::Dns, 4);
    ask("20.500/foreign", Protocol::Http, 6);
    let prefix = Prefix::parse("88.118").unwrap();
    let lookup = Lookup {
        subject: Subject::Prefix(&prefix),
        asker: &Asker::Public,
        protocol: Protocol::Dns,
    };
    node.resolver.resolve(&lookup).unwrap();
    node.registry.close();
    let mut counts = StatisticsRow::default().lookups;
    let cell = |protocol: Protocol, outcome: &str| {
        let outcome = OUTCOMES.iter().position(|known| *known == outcome).unwrap();
        protocol as usize * OUTCOMES.len() + outcome
    };
    counts[cell(Protocol::Dns, "record")] = 3;
    counts[cell(Protocol::Http, "record")] = 2;
    counts[cell(Protocol::Dns, "retired")] = 1;
    counts[cell(Protocol::Dns, "absent")] = 4;
    let zone = StatisticsRow { registrations: 5, changes: 1, retirements: 1, lookups: counts };
    let mut foreign = StatisticsRow::default();
    foreign.lookups[cell(Protocol::Http, "not_responsible")] = 6;
    let key = |prefix: Option<&Prefix>| StatisticsKey { prefix: prefix.cloned(), day: 20_454 };
    assert_eq!(rows(&*node.store), [(key(None), foreign), (key(Some(&prefix)), zone)]);
    assert_eq!(node.check().findings, []);
}

#[test]
fn counts_go_on_after_a_restart() {
    let node = fixture();
    node.stored(&put("88.118/1", P100, Condition::Always));
    node.registry.close();
    let resolver = Arc::new(Resolver::open(Arc::clone(&node.store), 1 << 20).unwrap());
    let (keys, clock) = (Arc::clone(&node.keys), Clock::fixed(NOW_MS));
    let settings = Settings::default();
    let again = Registry::open(Arc::clone(&node.store), resolver, keys, clock, settings).unwrap();
    again.apply(&node.admin, &put("88.118/2", P100, Condition::Always), NOW_MS).unwrap();
    again.close();
    let rows = rows(&*node.store);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].1.registrations, 2);
}
