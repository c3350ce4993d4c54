//! Registrants and prefixes: review, states, numbers, quotas, dates, and what is answered.

use std::sync::Arc;

use super::*;
use crate::access::Asker;
use crate::registrant::{AllocationState, Profile, RegistrantState, Step, Terms};
use crate::resolver::{Lookup, Outcome, Protocol, Query, Subject};

pub(super) const CODES: [&str; 3] =
    ["91110108589104047H", "91350100M000100Y43", "91110108MA00NP019P"];

impl Fixture {
    pub(super) fn asked(&self, command: Command) -> Result<Receipt, RegistryError> {
        self.apply(&Request { reason: "as agreed".into(), ..Request::new(command) })
    }

    pub(super) fn enter(&self, id: &str, code: Option<&str>) -> Result<Receipt, RegistryError> {
        let profile = Profile {
            name_zh: "西安泵业有限公司".into(),
            unified_code: code.map(str::to_owned),
            ..Profile::default()
        };
        self.asked(Command::Registrant(RegistrantCommand::Apply { id: name(id), profile }))
    }

    pub(super) fn step_registrant(&self, id: &str, step: Step) -> Result<Receipt, RegistryError> {
        self.asked(Command::Registrant(RegistrantCommand::Step { id: name(id), step }))
    }

    /// A registrant that may hold prefixes.
    pub(super) fn active(&self, id: &str) {
        self.enter(id, None).unwrap();
        self.step_registrant(id, Step::Review).unwrap();
        self.step_registrant(id, Step::Approve).unwrap();
    }

    pub(super) fn wish(
        &self,
        text: &str,
        registrant: Option<&str>,
    ) -> Result<Receipt, RegistryError> {
        let registrant = registrant.map(name);
        let wish = Wish::Exactly(prefix(text));
        let application = Application { wish, registrant, terms: Terms::default() };
        self.asked(Command::Prefix(PrefixCommand::Apply(application)))
    }

    pub(super) fn step_prefix(&self, text: &str, step: Step) -> Result<Receipt, RegistryError> {
        let (prefix, terms) = (prefix(text), Terms::default());
        self.asked(Command::Prefix(PrefixCommand::Step { prefix, step, terms }))
    }

    /// A prefix that is in use.
    pub(super) fn allocated(&self, text: &str, registrant: Option<&str>) {
        self.wish(text, registrant).unwrap();
        self.step_prefix(text, Step::Review).unwrap();
        self.step_prefix(text, Step::Approve).unwrap();
    }

    fn amend(&self, text: &str, terms: Terms) {
        let (prefix, condition) = (prefix(text), Condition::Always);
        self.asked(Command::Prefix(PrefixCommand::Amend { prefix, terms, condition })).unwrap();
    }

    fn count(&self, text: &str) -> u64 {
        // Counters are written with the change that moves them.
        self.resolver.identifier_count(&prefix(text)).unwrap()
    }

    pub(super) fn outcome(&self, identifier: &str, asker: &Asker) -> Outcome {
        let identifier = Identifier::parse(identifier).unwrap();
        let subject = Subject::Identifier(identifier.key());
        self.resolver.resolve(&Lookup { subject, asker, protocol: Protocol::Http }).unwrap()
    }

    fn found(&self, query: Query, asker: &Asker) -> usize {
        let find = self.resolver.prepare(query, asker).unwrap();
        let page = self.resolver.find_page(&find, asker, None, 10, usize::MAX).unwrap();
        page.answers.len()
    }

    fn passes(&self, identifier: &str) -> Result<Receipt, RegistryError> {
        self.apply(&put(identifier, P100, Condition::Always))
    }
}

pub(super) fn name(id: &str) -> RegistrantId {
    RegistrantId::parse(id).unwrap()
}

pub(super) fn prefix(text: &str) -> Prefix {
    Prefix::parse(text).unwrap()
}

pub(super) fn wrong_state(outcome: Result<Receipt, RegistryError>) -> String {
    match outcome {
        Err(RegistryError::WrongState { state, .. }) => state,
        other => panic!("{other:?}"),
    }
}

/// Every state with every step, in the way they are reached over the API.
#[test]
fn steps_out_of_order_are_refused() {
    use Step::*;
    let node = fixture();
    let paths: [(RegistrantState, &[Step]); 5] = [
        (RegistrantState::Applied, &[]),
        (RegistrantState::UnderReview, &[Review]),
        (RegistrantState::Active, &[Review, Approve]),
        (RegistrantState::Suspended, &[Review, Approve, Suspend]),
        (RegistrantState::Closed, &[Close]),
    ];
    for (number, (state, path)) in paths.into_iter().enumerate() {
        for step in Step::ALL {
            let id = format!("r-{number}-{}", step.as_str());
            node.enter(&id, None).unwrap();
            path.iter().for_each(|step| drop(node.step_registrant(&id, *step).unwrap()));
            let outcome = node.step_registrant(&id, step);
            match state.after(step) {
                Some(_) => drop(outcome.unwrap()),
                None => assert_eq!(wrong_state(outcome), state.as_str()),
            }
        }
    }
    let paths: [(AllocationState, &[Step]); 6] = [
        (AllocationState::Applied, &[]),
        (AllocationState::UnderReview, &[Review]),
        (AllocationState::Rejected, &[Review, Reject]),
        (AllocationState::Allocated, &[Review, Approve]),
        (AllocationState::Suspended, &[Review, Approve, Suspend]),
        (AllocationState::Closed, &[Review, Approve, Close]),
    ];
    for (number, (state, path)) in paths.into_iter().enumerate() {
        for step in Step::ALL {
            let text = format!("88.118.{number}{}", step as u8);
            node.wish(&text, None).unwrap();
            path.iter().for_each(|step| drop(node.step_prefix(&text, *step).unwrap()));
            let outcome = node.step_prefix(&text, step);
            match state.after(step) {
                Some(_) => drop(outcome.unwrap()),
                None => assert_eq!(wrong_state(outcome), state.as_str()),
            }
        }
    }
    assert_eq!(node.check().findings, []);
}

#[test]
fn steps_against_somebody_need_a_reason() {
    let node = fixture();
    node.enter("acme", None).unwrap();
    let step = |step| {
        let id = name("acme");
        node.apply(&Request::new(Command::Registrant(RegistrantCommand::Step { id, step })))
    };
    step(Step::Review).unwrap();
    let Err(RegistryError::Faulty(faults)) = step(Step::Reject) else { panic!() };
    assert_eq!((faults[0].path.as_str(), faults[0].rule.as_str()), ("reason", "required"));
    node.step_registrant("acme", Step::Reject).unwrap();
    let kept = node.resolver.document::<crate::registrant::Registrant>("acme").unwrap().unwrap();
    assert_eq!(kept.content.state, RegistrantState::Applied, "back to its applicant");
    assert_eq!(kept.content.remark.as_deref(), Some("as agreed"));
}

#[test]
fn unified_codes_are_checked_and_nobody_elses() {
    let node = fixture();
    let wrong = node.enter("acme", Some("91110108579104047H"));
    let Err(RegistryError::Faulty(faults)) = wrong else { panic!("{wrong:?}") };
    assert_eq!(faults[0].path, "unified_code");
    node.enter("acme", Some(CODES[0])).unwrap();
    let again = node.enter("acme", Some(CODES[1]));
    assert!(matches!(again, Err(RegistryError::Taken(_))), "the name");
    let lower = CODES[0].to_ascii_lowercase();
    let taken = node.enter("zhang", Some(&lower));
    assert!(matches!(taken, Err(RegistryError::Taken(_))), "the code");
    node.step_registrant("acme", Step::Close).unwrap();
    node.enter("zhang", Some(CODES[0])).unwrap();

    let update = |changes: serde_json::Value, condition| {
        let changes = changes.as_object().unwrap().clone();
        let id = name("zhang");
        node.asked(Command::Registrant(RegistrantCommand::Update { id, changes, condition }))
    };
    update(serde_json::json!({"unified_code": CODES[1]}), Condition::Version(1)).unwrap();
    node.enter("wang", Some(CODES[0])).unwrap();
    let stale = update(serde_json::json!({"name_en": "Z"}), Condition::Version(1));
    assert!(matches!(stale, Err(RegistryError::VersionMismatch { .. })));
    let unknown = update(serde_json::json!({"colour": "red"}), Condition::Always);
    assert!(matches!(unknown, Err(RegistryError::Faulty(_))));
    assert_eq!(node.check().findings, []);
}

#[test]
fn a_suspended_registrant_changes_nothing() {
    let node = fixture();
    node.active("acme");
    node.allocated("88.118.8", Some("acme"));
    let acme = node.actor("acme-admin", Role::RegistrantAdministrator, Some("acme"));
    let by_acme = |request: &Request| node.registry.apply(&acme, request, NOW_MS);
    by_acme(&put("88.118.8/1", P100, Condition::Absent)).unwrap();
    let elsewhere = by_acme(&put("88.118/1", P100, Condition::Absent));
    assert!(matches!(elsewhere, Err(RegistryError::Refused(_))));
    // Who it is was reviewed; its contacts are its own.
    let update = |changes: serde_json::Value| {
        let changes = changes.as_object().unwrap().clone();
        let (id, condition) = (name("acme"), Condition::Always);
        let command = RegistrantCommand::Update { id, changes, condition };
        by_acme(&Request::new(Command::Registrant(command)))
    };
    update(serde_json::json!({"contacts": [{"name": "王工"}]})).unwrap();
    assert_eq!(wrong_state(update(serde_json::json!({"name_zh": "别家"}))), "active");

    node.step_registrant("acme", Step::Suspend).unwrap();
    assert_eq!(wrong_state(by_acme(&put("88.118.8/1", P200, Condition::Always))), "suspended");
    assert_eq!(wrong_state(update(serde_json::json!({"contacts": []}))), "suspended");
    assert_eq!(wrong_state(node.passes("88.118.8/1")), "suspended", "nor others for it");
    assert!(matches!(node.outcome("88.118.8/1", &Asker::Public), Outcome::Record(_)));
    node.step_registrant("acme", Step::Resume).unwrap();
    by_acme(&put("88.118.8/1", P200, Condition::Always)).unwrap();
    assert_eq!(node.check().findings, []);
}

#[test]
fn numbers_are_given_out_once() {
    let node = fixture();
    node.passes("88.118.2/1").unwrap();
    node.wish("88.118.3", None).unwrap();
    let next = || {
        let wish = Wish::NextBelow(prefix("88.118"));
        let application = Application { wish, registrant: None, terms: Terms::default() };
        let request = Request::new(Command::Prefix(PrefixCommand::Apply(application)));
        match node.apply(&request) {
            Ok(Receipt::Prefix { prefix }) => prefix.to_string(),
            other => panic!("{other:?}"),
        }
    };
    // 2 has an identifier and 3 was applied for.
    assert_eq!([next(), next(), next()], ["88.118.1", "88.118.4", "88.118.5"]);
    let given = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| [next(), next(), next()])).collect();
        let mut given: Vec<_> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        given.sort();
        given.dedup();
        given
    });
    assert_eq!(given.len(), 24, "{given:?}");
    // Labels are text.
    node.wish("88.118.03", None).unwrap();
    assert!(matches!(node.wish("88.118.03", None), Err(RegistryError::Taken(_))));
    // What was turned down may be applied for again; what was closed never.
    node.step_prefix("88.118.3", Step::Review).unwrap();
    node.step_prefix("88.118.3", Step::Reject).unwrap();
    node.allocated("88.118.3", None);
    node.step_prefix("88.118.3", Step::Close).unwrap();
    assert!(matches!(node.wish("88.118.3", None), Err(RegistryError::Taken(_))));
}

#[test]
fn prefixes_lie_below_what_is_served_and_is_ones_own() {
    let node = fixture();
    node.active("acme");
    node.active("zhang");
    node.allocated("88.118.8", Some("acme"));
    let zhang = node.actor("zhang-admin", Role::RegistrantAdministrator, Some("zhang"));
    let wish = |text: &str, registrant: &str| {
        let (wish, registrant) = (Wish::Exactly(prefix(text)), Some(name(registrant)));
        let application = Application { wish, registrant, terms: Terms::default() };
        let request = Request::new(Command::Prefix(PrefixCommand::Apply(application)));
        node.registry.apply(&zhang, &request, NOW_MS)
    };
    wish("88.118.9", "zhang").unwrap();
    assert!(matches!(wish("88.118.10", "acme"), Err(RegistryError::Refused(_))), "for another");
    assert!(matches!(wish("88.118.8.1", "zhang"), Err(RegistryError::Refused(_))), "another's");
    assert!(matches!(wish("20.500", "zhang"), Err(RegistryError::NotResponsible(_))));
    assert!(matches!(
        wish(&format!("88.118.{}", "9".repeat(60)), "zhang"),
        Err(RegistryError::Faulty(_))
    ));
    node.wish("20.500", None).unwrap();
    node.enter("late", None).unwrap();
    assert_eq!(wrong_state(node.wish("88.118.11", Some("late"))), "applied");
    assert!(matches!(node.wish("88.118.11", Some("nobody")), Err(RegistryError::Absent(_))));
    assert!(matches!(node.wish("API.1", None), Err(RegistryError::Faulty(_))));
}

#[test]
fn an_approved_prefix_takes_its_identifiers_over() {
    let node = fixture();
    for identifier in ["88.118/1", "88.118.5/1", "88.118.5/2", "88.118.5.1/1", "88.118.50/1"] {
        node.passes(identifier).unwrap();
    }
    assert_eq!(node.count("88.118"), 5);
    node.allocated("88.118.5.1", None);
    assert_eq!((node.count("88.118"), node.count("88.118.5.1")), (4, 1));
    node.wish("88.118.5", None).unwrap();
    node.passes("88.118.5/3").unwrap();
    node.step_prefix("88.118.5", Step::Review).unwrap();
    assert_eq!(wrong_state(node.passes("88.118.5/4")), "under-review");
    assert_eq!(wrong_state(node.passes("88.118.5.2/1")), "under-review");
    node.passes("88.118.5.1/2").unwrap();
    // A change that was planned before the approval must not pass after it.
    let planned = put("88.118/2", P100, Condition::Absent);
    let Ok(Plan::Change(change)) = node.registry.plan(&node.admin, &planned, NOW_MS) else {
        panic!()
    };
    node.step_prefix("88.118.5", Step::Approve).unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    let done = Box::new(move |verdicts: Vec<Verdict>| send.send(verdicts).unwrap());
    node.registry.submit(vec![*change], done).unwrap();
    assert!(matches!(receive.recv().unwrap()[..], [Verdict::Conflict]));
    let counts = ["88.118", "88.118.5", "88.118.5.1"].map(|text| node.count(text));
    assert_eq!(counts, [2, 3, 2]);

    let quota = |most| Terms { identifiers: Some(Some(most)), ..Terms::default() };
    node.amend("88.118.5", quota(4));
    node.passes("88.118.5/4").unwrap();
    let full = node.passes("88.118.5/5");
    assert!(matches!(full, Err(RegistryError::QuotaReached { limit: 4, .. })), "{full:?}");
    node.passes("88.118.5/4").unwrap();
    node.amend("88.118.5", quota(5));
    node.passes("88.118.5/5").unwrap();
    assert_eq!(node.check().findings, []);
}

#[test]
fn a_quota_holds_in_the_middle_of_a_batch() {
    let node = fixture();
    node.allocated("88.118.8", None);
    node.amend("88.118.8", Terms { identifiers: Some(Some(3)), ..Terms::default() });
    let requests: Vec<_> =
        (0..5).map(|number| put(&format!("88.118.8/{number}"), P100, Condition::Always)).collect();
    let outcomes = node.registry.apply_all(&node.admin, &requests, NOW_MS);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    let refused = |outcome: &Result<Receipt, RegistryError>| {
        matches!(outcome, Err(RegistryError::QuotaReached { .. }))
    };
    assert_eq!(outcomes.iter().filter(|outcome| refused(outcome)).count(), 2);
    assert_eq!(node.count("88.118.8"), 3);
}

#[test]
fn a_suspended_prefix_stops_changes_and_resolves_unless_hidden() {
    let node = fixture();
    node.allocated("88.118.8", None);
    node.passes("88.118.8/1").unwrap();
    let admin = Asker::Actor(Arc::new(node.admin.clone()));
    assert!(matches!(node.outcome("88.118.8/1", &Asker::Public), Outcome::Record(_)));
    node.step_prefix("88.118.8", Step::Suspend).unwrap();
    assert_eq!(wrong_state(node.passes("88.118.8/1")), "suspended");
    assert_eq!(wrong_state(node.apply(&retire("88.118.8/1"))), "suspended");
    assert_eq!(wrong_state(node.wish("88.118.8.1", None)), "suspended");
    assert!(matches!(node.outcome("88.118.8/1", &Asker::Public), Outcome::Record(_)));
    node.amend("88.118.8", Terms { hidden_when_suspended: Some(true), ..Terms::default() });
    // Staff look first, and nobody finds in memory what they saw.
    assert!(matches!(node.outcome("88.118.8/1", &admin), Outcome::Record(_)));
    for identifier in ["88.118.8/1", "88.118.8/none"] {
        assert!(matches!(node.outcome(identifier, &Asker::Public), Outcome::Withheld));
    }
    let listed = |asker: &Asker| node.found(Query::default(), asker);
    assert_eq!((listed(&Asker::Public), listed(&admin)), (0, 1));
    node.step_prefix("88.118.8", Step::Resume).unwrap();
    assert!(matches!(node.outcome("88.118.8/1", &Asker::Public), Outcome::Record(_)));
    node.passes("88.118.8/2").unwrap();
}

#[test]
fn a_closed_prefix_answers_with_tombstones_from_memory_too() {
    let node = fixture();
    node.allocated("88.118.8", None);
    node.passes("88.118.8/1").unwrap();
    node.passes("88.118/1").unwrap();
    for _ in 0..2 {
        assert!(matches!(node.outcome("88.118.8/1", &Asker::Public), Outcome::Record(_)));
    }
    node.step_prefix("88.118.8", Step::Close).unwrap();
    for _ in 0..2 {
        let Outcome::Retired(answer) = node.outcome("88.118.8/1", &Asker::Public) else { panic!() };
        assert!(answer.stored.record.values.is_empty());
    }
    assert!(matches!(node.outcome("88.118.8/2", &Asker::Public), Outcome::Absent { .. }));
    assert!(matches!(node.outcome("88.118/1", &Asker::Public), Outcome::Record(_)));
    let active = Some(Status::Active);
    let in_use = node.found(Query { status: active, ..Query::default() }, &Asker::Public);
    assert_eq!(in_use, 1, "only 88.118/1 is in use");
    assert_eq!(wrong_state(node.passes("88.118.8/1")), "closed");
    assert_eq!(node.check().findings, []);
}

#[test]
fn allocations_begin_and_end() {
    let node = fixture();
    node.allocated("88.118.8", None);
    let between = |from: u64, until: u64| Terms {
        valid_from_ms: Some(Some(from)),
        valid_until_ms: Some(Some(until)),
        ..Terms::default()
    };
    node.amend("88.118.8", between(NOW_MS - 1, NOW_MS + 1));
    node.passes("88.118.8/1").unwrap();
    assert_eq!(node.resolver.expiring(30, NOW_MS), 1);
    node.amend("88.118.8", between(NOW_MS + 1, NOW_MS + 2));
    assert!(wrong_state(node.passes("88.118.8/1")).starts_with("valid from"));
    node.amend("88.118.8", between(NOW_MS - 2, NOW_MS));
    assert!(wrong_state(node.passes("88.118.8/1")).starts_with("out of date"));
    assert!(matches!(node.outcome("88.118.8/1", &Asker::Public), Outcome::Record(_)));
}

#[test]
fn retired_identifiers_come_back_where_the_prefix_says_so() {
    let node = fixture();
    node.allocated("88.118.8", None);
    node.passes("88.118.8/1").unwrap();
    node.apply(&retire("88.118.8/1")).unwrap();
    assert!(matches!(node.passes("88.118.8/1"), Err(RegistryError::Retired(_))));
    node.amend("88.118.8", Terms { may_reinstate: Some(true), ..Terms::default() });
    let (stored, created, _) = node.stored(&put("88.118.8/1", P100, Condition::Always));
    assert_eq!((stored.record.version, stored.record.status), (3, Status::Active));
    assert!(!created);
    assert_eq!(node.count("88.118.8"), 1);
}

#[test]
fn histories_are_walked_back() {
    let node = fixture();
    node.allocated("88.118.8", None);
    node.step_prefix("88.118.8", Step::Suspend).unwrap();
    let past =
        |from, limit| node.resolver.past_allocations(&prefix("88.118.8"), from, limit).unwrap();
    let states = |versions: &[crate::resolver::PastVersion]| {
        let state = |it: &crate::resolver::PastVersion| {
            (it.version, it.content["state"].as_str().unwrap().to_owned(), it.reason.clone())
        };
        versions.iter().map(state).collect::<Vec<_>>()
    };
    let told = |version, state: &str| (version, state.to_owned(), "as agreed".to_owned());
    let first = past(None, 3);
    assert_eq!(
        states(&first),
        [told(4, "suspended"), told(3, "allocated"), told(2, "under-review")]
    );
    assert_eq!(states(&past(first[2].previous, 3)), [told(1, "applied")]);
    // The entry of something else begins no history of this prefix.
    let other = node.resolver.allocation(&prefix("88.118")).unwrap().unwrap().position;
    assert!(past(Some(other), 3).is_empty());
}

#[test]
fn a_check_finds_documents_that_the_ledger_does_not_know() {
    let node = fixture();
    node.enter("acme", None).unwrap();
    node.registry.close();
    let key = crate::store::DocumentKey {
        kind: crate::store::DocumentKind::Registrant,
        id: "acme".into(),
    };
    let column = crate::store::Column::new(crate::store::ColumnId::Documents);
    let mut stored: crate::store::StoredDocument<crate::registrant::Registrant> =
        column.get(&*node.store, &key).unwrap().unwrap();
    stored.content.state = RegistrantState::Active;
    let mut transaction = node.store.begin();
    column.put(&mut *transaction, &key, &stored);
    transaction.commit().unwrap();
    let report = check(&*node.store.snapshot(), &node.keys, &mut |_| {}).unwrap();
    assert_eq!(report.faults, 1);
    assert_eq!(report.findings[0].place, "registrant/acme");
}

#[test]
fn a_prefix_changes_as_fast_as_its_quota_says() {
    let node = fixture();
    node.allocated("88.118.8", None);
    node.amend("88.118.8", Terms { writes_per_second: Some(Some(4)), ..Terms::default() });
    let outcomes: Vec<_> =
        (0..6).map(|number| node.passes(&format!("88.118.8/{number}"))).collect();
    assert!(outcomes[..4].iter().all(Result::is_ok), "{outcomes:?}");
    for outcome in &outcomes[4..] {
        let Err(RegistryError::TooFast { retry_after_ms, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(*retry_after_ms, 250);
    }
    node.passes("88.118/1").unwrap();
    let later = put("88.118.8/9", P100, Condition::Always);
    node.registry.apply(&node.admin, &later, NOW_MS + 250).unwrap();
}
