//! The registry against a plain model of it: requests by chance, the same answers, and at the end
//! the same records, holders, views, finds and counts.

mod asks;
mod plain;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::allocation::{name, prefix};
use super::templates::identifier;
use super::*;
use crate::access::Asker;
use crate::record::{Record, View};
use crate::registrant::{
    Access, AllocationState, Grant, GrantSubject, Grantee, Step, Terms, TransferStep,
};
use crate::resolver::{Condition as Asked, Query, Wanted};
use crate::store::{Direction, PREFIXES as ROWS, RECORDS, VERSIONS, VersionKey, all_keys};
use crate::template::Template;
use asks::{Ask, Dice, SERIALS, Who};
use plain::{Answer, OTHER_NAME, Plain, Row, Said, Version, prefix_of};

/// `SEED=7` in the environment repeats the sequences of that seed.
#[test]
fn a_plain_model_says_the_same() {
    let chance = || RandomState::new().hash_one(0);
    let seed = std::env::var("SEED").map_or_else(|_| chance(), |seed| seed.parse().unwrap());
    let mut told = BTreeMap::new();
    for sequence in 0..SEQUENCES {
        let seed = seed.wrapping_add(sequence);
        println!("SEED={seed}");
        Play::begin(seed).run(&mut told);
    }
    println!("{told:?}");
    // Chance that never gets anywhere proves nothing.
    for kind in OFTEN {
        assert!(told.contains_key(kind), "{kind} is not among {told:?}");
    }
}

/// One sequence of requests.
struct Play {
    node: Fixture,
    actors: Vec<(Who, Actor)>,
    plain: Plain,
    dice: Dice,
    asked: Vec<String>,
}

impl Play {
    fn begin(seed: u64) -> Self {
        let node = fixture();
        let mut plain = Plain::default();
        let row = |registrant, version| {
            let state = AllocationState::Allocated;
            Row { state, registrant, quota: None, version }
        };
        plain.prefixes.insert("88.118".into(), row(None, 1));
        for (id, text) in [("acme", "88.118.8"), ("zhang", "88.118.9")] {
            node.active(id);
            node.allocated(text, Some(id));
            plain.registrants.insert(id, (3, true));
            plain.prefixes.insert(text.into(), row(Some(id), 3));
        }
        let mut actors = vec![(Who::Admin, node.admin.clone())];
        actors.push((Who::Reviewer, node.actor("reviewer", Role::Reviewer, None)));
        for who in [Who::Acme, Who::Zhang] {
            let role = Role::RegistrantAdministrator;
            let name = format!("{who:?}-admin");
            actors.push((who, node.actor(&name, role, who.registrant())));
        }
        Self { node, actors, plain, dice: Dice { seed, offers: 0 }, asked: Vec::new() }
    }

    fn run(mut self, told: &mut BTreeMap<String, u64>) {
        for (who, ask) in asks::first() {
            self.ask(who, &ask, told);
        }
        for _ in 0..REQUESTS {
            self.dice.offers = self.plain.transfers.len();
            let (who, ask) = self.dice.turn();
            self.ask(who, &ask, told);
        }
        self.compare();
    }

    fn ask(&mut self, who: Who, ask: &Ask, told: &mut BTreeMap<String, u64>) {
        self.asked.push(format!("{who:?}: {ask:?}"));
        let asks = match ask {
            Ask::All(asks) => &asks[..],
            ask => std::slice::from_ref(ask),
        };
        let request =
            |ask: &Ask| Request { reason: "as agreed".into(), ..Request::new(ask.command()) };
        let requests: Vec<_> = asks.iter().map(request).collect();
        let actor = self.actors.iter().find(|(other, _)| *other == who).map(|(_, actor)| actor);
        let outcomes = self.node.registry.apply_all(actor.unwrap(), &requests, NOW_MS);
        assert_eq!(outcomes.len(), asks.len());
        for (single, outcome) in asks.iter().zip(outcomes) {
            let expected = self.plain.ask(who, single);
            let kind = expected.as_ref().map_or_else(|kind| *kind, |_| "done");
            let word = format!("{ask:?}").split([' ', '(']).next().unwrap().to_owned();
            *told.entry(format!("{word} {kind}")).or_default() += 1;
            let answer: Answer = outcome.as_ref().map_err(kind_of).map(said);
            assert_eq!(answer, expected, "{single:?} of\n{}\n{outcome:?}", self.story());
        }
    }

    fn story(&self) -> String {
        self.asked.join("\n")
    }

    /// Compares everything there is.
    fn compare(&self) {
        self.compare_records();
        self.compare_prefixes();
        self.compare_templates();
        self.compare_finds();
        let report = self.node.check();
        assert_eq!(report.findings, [], "{}", self.story());
    }

    fn compare_records(&self) {
        let (store, resolver) = (&*self.node.store, &self.node.resolver);
        assert_eq!(self.node.rows(RECORDS.id()), self.plain.records.len(), "{}", self.story());
        for (text, kept) in &self.plain.records {
            let key = identifier(text).key().clone();
            let record = RECORDS.get(store, &key).unwrap().unwrap().record;
            let mut versions = Vec::new();
            for version in 1..record.version {
                let at = VersionKey { key: key.clone(), version };
                versions.push(version_of(&VERSIONS.get(store, &at).unwrap().unwrap().record));
            }
            versions.push(version_of(&record));
            assert_eq!(versions, kept.versions, "{text}\n{}", self.story());
            assert_eq!(record.held_apart, kept.apart.is_some(), "{text}\n{}", self.story());
            let holder = resolver.holder_of(&record);
            let holder = holder.as_ref().map(RegistrantId::as_str);
            assert_eq!(holder, self.plain.holder(text), "{text}\n{}", self.story());
            for (own, asker) in self.askers() {
                let kind = resolver.view(&record, &asker).unwrap();
                let view = View { record: &record, kind: &kind };
                let seen = view.values().map(|value| value.kind.clone());
                let seen: BTreeSet<_> = seen.filter(|it| NAMES.contains(&it.as_str())).collect();
                let expected = self.plain.visible(text, own);
                assert_eq!(seen, expected, "{text} to {own:?}\n{}", self.story());
            }
        }
    }

    /// Anybody, and the people of each registrant.
    fn askers(&self) -> Vec<(Option<&'static str>, Asker)> {
        let named = self.actors.iter().filter(|(who, _)| who.registrant().is_some());
        let named = named.map(|(who, actor)| (who.registrant(), Arc::new(actor.clone())));
        let named = named.map(|(own, actor)| (own, Asker::Actor(actor)));
        named.chain([(None, Asker::Public)]).collect()
    }

    fn compare_prefixes(&self) {
        let mut rows = BTreeMap::new();
        ROWS.scan(&*self.node.store, all_keys(), Direction::Forward, |key, stored| {
            let it = stored.content;
            let registrant =
                it.registrant.map(|id| if id == name("acme") { "acme" } else { "zhang" });
            let (state, quota) = (it.state, it.quota.identifiers);
            let row = Row { state, registrant, quota, version: stored.version };
            rows.insert(key.to_string(), row);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(rows, self.plain.prefixes, "{}", self.story());
        for (text, row) in rows.iter().filter(|(_, row)| row.state.is_served()) {
            let count = self.node.resolver.identifier_count(&prefix(text)).unwrap();
            assert_eq!(count, self.plain.count(text), "{text} {row:?}\n{}", self.story());
        }
    }

    fn compare_templates(&self) {
        for (text, kind) in &self.plain.templates {
            let head = self.node.resolver.template_head(identifier(text).key()).unwrap().unwrap();
            let (version, head) = (head.version, head.content);
            let found = (version, head.latest, head.published, head.withdrawn);
            let latest = kind.shapes.len() as u64;
            let expected = (kind.version, latest, kind.published, kind.withdrawn);
            assert_eq!(found, expected, "{text}\n{}", self.story());
        }
    }

    /// By template, by serial, by size, and by what is referred to.
    fn compare_finds(&self) {
        let published = |kind: &&plain::Kind| kind.shapes.len() > usize::from(kind.has_draft);
        let templates = self.plain.templates.iter().filter(|(_, kind)| published(kind));
        for (template, kind) in templates {
            self.compare_find(template, None);
            if kind.shapes[0] == OTHER_NAME {
                continue;
            }
            for serial in SERIALS {
                self.compare_find(template, Some(("serial", Wanted::Exactly(serial.into()))));
            }
            let (from, until) = (Some("2".to_owned()), Some("3".to_owned()));
            let wanted = Wanted::Range { from, until, with_end: false };
            self.compare_find(template, Some(("size", wanted)));
        }
        let asker = Asker::Actor(Arc::new(self.node.admin.clone()));
        for text in self.plain.records.keys() {
            let key = identifier(text).key().clone();
            let page = self.node.resolver.referrers(&key, &asker, None, 1_000).unwrap();
            let found = page.referrers.iter().map(|it| it.answer.stored.record.identifier.key());
            let found: BTreeSet<_> = found.map(|key| key.text().to_owned()).collect();
            let refers = |version: &Version| version.attributes.get("see") == Some(text);
            assert_eq!(found, self.those(refers), "refer to {text}\n{}", self.story());
        }
    }

    fn compare_find(&self, template: &str, wanted: Option<(&str, Wanted)>) {
        let asker = Asker::Actor(Arc::new(self.node.admin.clone()));
        let condition = wanted.clone();
        let condition = condition.map(|(it, wanted)| Asked { attribute: it.to_owned(), wanted });
        let query = Query {
            prefix: Some(prefix("88.118")),
            template: Some(identifier(template)),
            conditions: condition.into_iter().collect(),
            ..Query::default()
        };
        let find = self.node.resolver.prepare(query, &asker).unwrap();
        let page = self.node.resolver.find_page(&find, &asker, None, 1_000, usize::MAX).unwrap();
        let found = page.answers.iter().map(|it| it.stored.record.identifier.key());
        let found: BTreeSet<_> = found.map(|key| key.text().to_owned()).collect();
        let mut expected = self.those(|version| {
            let value = |it: &str| version.attributes.get(it).map(String::as_str);
            let meets = match &wanted {
                None => true,
                Some((it, Wanted::Exactly(text))) => value(it) == Some(text),
                Some((it, Wanted::Range { .. })) => value(it) == Some("2"),
            };
            meets && version.template.as_ref().is_some_and(|(id, _)| id == template)
        });
        expected.retain(|key| key.starts_with("88.118"));
        assert_eq!(found, expected, "{template} {wanted:?}\n{}", self.story());
    }

    /// The keys of records in use of whose latest version this holds; nothing is found below
    /// prefixes that are closed.
    fn those(&self, holds: impl Fn(&Version) -> bool) -> BTreeSet<String> {
        let open = |key: &str| {
            let zone = self.plain.served(prefix_of(key)).and_then(|it| self.plain.prefixes.get(it));
            zone.is_some_and(|row| row.state != AllocationState::Closed)
        };
        let latest = self.plain.records.iter().map(|(key, kept)| (key, kept.versions.last()));
        let wanted = latest.filter(|(key, version)| {
            version.is_some_and(|version| version.active && holds(version)) && open(key)
        });
        wanted.map(|(key, _)| key.clone()).collect()
    }
}

/// A stored version as the model has it.
fn version_of(record: &Record) -> Version {
    let attributes = record.attribute_map().into_iter();
    let attributes = attributes.filter(|(name, _)| NAMES.contains(&name.as_str()));
    Version {
        active: record.status == Status::Active,
        template: record.template().map(|(text, version)| (text.to_owned(), version)),
        attributes: attributes.map(|(name, attribute)| (name, attribute.text)).collect(),
    }
}

fn said(receipt: &Receipt) -> Said {
    match receipt {
        Receipt::Record { stored, created, changed } => {
            let (key, version) = (stored.record.identifier.key(), stored.record.version);
            Said::Record(key.text().to_owned(), version as usize, *created, *changed)
        }
        Receipt::Document { version, .. } => Said::Document(*version),
        Receipt::Prefix { prefix } => Said::Prefix(prefix.to_string()),
        Receipt::Batch(receipts) => Said::Batch(receipts.iter().map(said).collect()),
        Receipt::Token { .. } => panic!("{receipt:?}"),
    }
}

fn kind_of(error: &RegistryError) -> &'static str {
    match error {
        RegistryError::Refused(_) => "refused",
        RegistryError::NotGranted { .. } => "not-granted",
        RegistryError::Faulty(_) => "faulty",
        RegistryError::Taken(_) => "taken",
        RegistryError::WrongState { .. } => "wrong-state",
        RegistryError::Exists { .. } => "exists",
        RegistryError::VersionMismatch { .. } => "mismatch",
        RegistryError::Absent(_) => "absent",
        RegistryError::Retired(_) => "retired",
        RegistryError::NotResponsible(_) => "not-responsible",
        RegistryError::QuotaReached { .. } => "quota",
        other => panic!("{other:?}"),
    }
}

/// Attributes that the model knows of; `version` is that of a template's own record.
const NAMES: [&str; 4] = ["serial", "size", "see", "version"];

/// What happens in hundreds of sequences, or they are drawn badly.
const OFTEN: [&str; 17] = [
    "All done",
    "Batch done",
    "Batch faulty",
    "Decide done",
    "Give done",
    "Mint done",
    "Mint quota",
    "NextBelow done",
    "Offer done",
    "Patch done",
    "Patch not-granted",
    "Put done",
    "Put retired",
    "Restore done",
    "Step done",
    "Withdraw done",
    "Wish taken",
];

const SEQUENCES: u64 = 300;

const REQUESTS: usize = 60;
