//! Transfers: both sides consent, everything changes hands at once or nothing does.

use std::sync::Arc;

use super::allocation::{name, prefix, wrong_state};
use super::*;
use crate::access::Asker;
use crate::registrant::{Step, TransferStep};
use crate::resolver::Outcome;
use crate::store::{ColumnId, Direction, all_keys};

/// Two registrants: acme holds 88.118.8 with two identifiers, zhang holds 88.118.9.
struct Market {
    node: Fixture,
    acme: Actor,
    zhang: Actor,
}

fn market() -> Market {
    let node = fixture();
    for (id, text) in [("acme", "88.118.8"), ("zhang", "88.118.9")] {
        node.active(id);
        node.allocated(text, Some(id));
    }
    let acme = node.actor("acme-admin", Role::RegistrantAdministrator, Some("acme"));
    let zhang = node.actor("zhang-admin", Role::RegistrantAdministrator, Some("zhang"));
    let market = Market { node, acme, zhang };
    for identifier in ["88.118.8/1", "88.118.8/2"] {
        market.put(&market.acme, identifier, P100).unwrap();
    }
    market
}

impl Market {
    fn put(&self, by: &Actor, identifier: &str, body: &str) -> Result<Receipt, RegistryError> {
        self.node.registry.apply(by, &put(identifier, body, Condition::Always), NOW_MS)
    }

    fn offer(
        &self,
        by: &Actor,
        to: &str,
        prefixes: &[&str],
        identifiers: &[&str],
    ) -> Result<String, RegistryError> {
        let command = TransferCommand::Offer {
            to: name(to),
            prefixes: prefixes.iter().map(|text| prefix(text)).collect(),
            identifiers: identifiers.iter().map(|it| Identifier::parse(it).unwrap()).collect(),
        };
        let request = Request::new(Command::Transfer(command));
        match self.node.registry.apply(by, &request, NOW_MS)? {
            Receipt::Document { id, .. } => Ok(id),
            other => panic!("{other:?}"),
        }
    }

    fn step(&self, by: &Actor, id: &str, step: TransferStep) -> Result<Receipt, RegistryError> {
        let command = TransferCommand::Step { id: id.to_owned(), step };
        self.node.registry.apply(by, &Request::new(Command::Transfer(command)), NOW_MS)
    }

    fn refused(&self, by: &Actor, id: &str, step: TransferStep) {
        let outcome = self.step(by, id, step);
        assert!(matches!(outcome, Err(RegistryError::Refused(_))), "{outcome:?}");
    }

    /// Rows that say who holds which records apart.
    fn apart_rows(&self) -> usize {
        let mut rows = 0;
        let visit = &mut |key: &[u8], _: &[u8]| {
            rows += usize::from(key[0] == 2);
            std::ops::ControlFlow::Continue(())
        };
        let store = &self.node.store;
        store.scan(ColumnId::Indexes, all_keys(), Direction::Forward, visit).unwrap();
        rows
    }
}

#[test]
fn identifiers_change_hands_when_both_sides_want_it() {
    let market = market();
    let id = market.offer(&market.acme, "zhang", &[], &["88.118.8/1"]).unwrap();
    market.refused(&market.acme, &id, TransferStep::Accept);
    market.refused(&market.node.admin, &id, TransferStep::Accept);
    market.refused(&market.zhang, &id, TransferStep::Cancel);
    market.put(&market.acme, "88.118.8/1", P200).unwrap();
    let before = market.put(&market.zhang, "88.118.8/1", P100);
    assert!(matches!(before, Err(RegistryError::Refused(_))));
    market.step(&market.zhang, &id, TransferStep::Accept).unwrap();

    let after = market.put(&market.acme, "88.118.8/1", P100);
    assert!(matches!(after, Err(RegistryError::Refused(_))));
    market.put(&market.acme, "88.118.8/2", P200).unwrap();
    market.put(&market.zhang, "88.118.8/1", P100).unwrap();
    let Outcome::Record(answer) = market.node.outcome("88.118.8/1", &Asker::Public) else {
        panic!()
    };
    assert!(answer.stored.record.held_apart);
    assert_eq!(answer.stored.record.registrant, "zhang");
    assert_eq!(market.apart_rows(), 1);
    assert_eq!(wrong_state(market.step(&market.zhang, &id, TransferStep::Accept)), "accepted");
    // Sold back, it follows its prefix again.
    let back = market.offer(&market.zhang, "acme", &[], &["88.118.8/1"]).unwrap();
    market.step(&market.acme, &back, TransferStep::Accept).unwrap();
    market.put(&market.acme, "88.118.8/1", P200).unwrap();
    assert_eq!(market.apart_rows(), 0);
    assert_eq!(market.node.check().findings, []);
}

#[test]
fn prefixes_change_hands_with_all_that_is_below() {
    let market = market();
    let id = market.offer(&market.acme, "zhang", &["88.118.8"], &[]).unwrap();
    market.step(&market.zhang, &id, TransferStep::Accept).unwrap();
    market.put(&market.zhang, "88.118.8/1", P200).unwrap();
    let lost = market.put(&market.acme, "88.118.8/1", P100);
    assert!(matches!(lost, Err(RegistryError::Refused(_))));
    let asker = Asker::Actor(Arc::new(market.acme.clone()));
    let Outcome::Record(answer) = market.node.outcome("88.118.8/1", &asker) else { panic!() };
    assert_eq!(answer.kind, crate::record::ViewKind::PUBLIC, "nor does it see all of it");
    assert_eq!(market.node.check().findings, []);
}

#[test]
fn offers_end_when_one_side_does_not_want_them() {
    let market = market();
    for (by, step, state) in [
        (&market.zhang, TransferStep::Decline, "declined"),
        (&market.acme, TransferStep::Cancel, "cancelled"),
    ] {
        let id = market.offer(&market.acme, "zhang", &["88.118.8"], &[]).unwrap();
        market.step(by, &id, step).unwrap();
        for (by, step) in [
            (&market.zhang, TransferStep::Accept),
            (&market.zhang, TransferStep::Decline),
            (&market.acme, TransferStep::Cancel),
        ] {
            assert_eq!(wrong_state(market.step(by, &id, step)), state);
        }
    }
    let absent = market.step(&market.zhang, "99999999", TransferStep::Accept);
    assert!(matches!(absent, Err(RegistryError::Absent(_))));
}

#[test]
fn nobody_offers_what_is_not_theirs() {
    let market = market();
    let offer = |prefixes: &[&str], identifiers: &[&str]| {
        market.offer(&market.acme, "zhang", prefixes, identifiers)
    };
    let identifiers = ["88.118.8/1", "88.118.9/1", "88.118.8/none"];
    let Err(RegistryError::Faulty(faults)) = offer(&["88.118.9", "88.118"], &identifiers) else {
        panic!()
    };
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["prefixes[0]", "prefixes[1]", "identifiers[1]", "identifiers[2]"]);
    assert!(matches!(offer(&[], &[]), Err(RegistryError::Faulty(_))));
    assert!(matches!(offer(&["88.118.8", "88.118.8"], &[]), Err(RegistryError::Faulty(_))));
    let many: Vec<_> = (0..=1_000).map(|number| format!("88.118.8/{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(matches!(offer(&[], &many), Err(RegistryError::Faulty(_))));
    let to_self = market.offer(&market.acme, "acme", &["88.118.8"], &[]);
    assert!(matches!(to_self, Err(RegistryError::Faulty(_))));
    let to_nobody = market.offer(&market.acme, "nobody", &["88.118.8"], &[]);
    assert!(matches!(to_nobody, Err(RegistryError::Absent(_))));
    let operator = market.node.actor("worker", Role::Operator, Some("acme"));
    let by_operator = market.offer(&operator, "zhang", &["88.118.8"], &[]);
    assert!(matches!(by_operator, Err(RegistryError::Refused(_))));
}

/// What is done to the goods between offer and acceptance stands against the acceptance, whole.
/// Something that happens, and how.
type Happening<'a> = (&'a str, &'a dyn Fn(&Market));

#[test]
fn acceptance_looks_at_everything_again() {
    let steps: [Happening<'_>; 5] = [
        ("prefix suspended", &|it| drop(it.node.step_prefix("88.118.8", Step::Suspend).unwrap())),
        ("prefix closed", &|it| drop(it.node.step_prefix("88.118.8", Step::Close).unwrap())),
        ("giver suspended", &|it| drop(it.node.step_registrant("acme", Step::Suspend).unwrap())),
        ("taker suspended", &|it| drop(it.node.step_registrant("zhang", Step::Suspend).unwrap())),
        ("identifier retired", &|it| drop(it.node.apply(&retire("88.118.8/2")).unwrap())),
    ];
    for (what, between) in steps {
        let market = market();
        let identifiers = ["88.118.8/1", "88.118.8/2"];
        let id = market.offer(&market.acme, "zhang", &[], &identifiers).unwrap();
        between(&market);
        wrong_state(market.step(&market.zhang, &id, TransferStep::Accept));
        assert_eq!(market.apart_rows(), 0, "{what}");
    }
    // Given away twice, taken once.
    let market = market();
    let first = market.offer(&market.acme, "zhang", &["88.118.8"], &[]).unwrap();
    let second = market.offer(&market.acme, "zhang", &[], &["88.118.8/1"]).unwrap();
    market.step(&market.zhang, &first, TransferStep::Accept).unwrap();
    let late = wrong_state(market.step(&market.zhang, &second, TransferStep::Accept));
    assert_eq!(late, "out of date");
}
