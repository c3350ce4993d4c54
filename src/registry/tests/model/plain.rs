//! The registry as one would keep it on paper: maps and nothing beside them. Whatever the registry
//! finds by an index or keeps a count of is looked for here in all there is.

mod deals;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use super::asks::{Ask, Who};
use super::{Access, AllocationState, Step};

/// What came of a request: what was made, or what kind of refusal it met.
pub(super) type Answer = Result<Said, &'static str>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Key, version, whether it is new and whether anything changed.
    Record(String, usize, bool, bool),
    Document(u64),
    Prefix(String),
    Batch(Vec<Said>),
}

#[derive(Default)]
pub(super) struct Plain {
    pub records: BTreeMap<String, Kept>,
    pub prefixes: BTreeMap<String, Row>,
    pub templates: BTreeMap<String, Kind>,
    /// Versions, and whether they may act.
    pub registrants: BTreeMap<&'static str, (u64, bool)>,
    grants: BTreeMap<Grant, Given>,
    pub transfers: Vec<Offer>,
    /// The last number minted by a template below a prefix.
    minted: BTreeMap<(String, String), u64>,
    /// The last number given out below a prefix.
    numbers: BTreeMap<String, u64>,
}

/// A record: its versions, and who holds it apart from its prefix.
#[derive(Default)]
pub(super) struct Kept {
    pub versions: Vec<Version>,
    pub apart: Option<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub active: bool,
    pub template: Option<(String, u64)>,
    pub attributes: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub state: AllocationState,
    pub registrant: Option<&'static str>,
    pub quota: Option<u64>,
    pub version: u64,
}

/// A template.
#[derive(Default)]
pub(super) struct Kind {
    /// The shapes of its versions, the last of which may be a draft.
    pub shapes: Vec<usize>,
    pub has_draft: bool,
    pub published: Option<u64>,
    pub withdrawn: bool,
    pub version: u64,
}

/// Granter, whether the subject is a template, the subject, the access, and to whom.
type Grant = (Option<&'static str>, bool, String, Access, Option<&'static str>);

struct Given {
    attributes: BTreeSet<&'static str>,
    revoked: bool,
    version: u64,
}

pub(super) struct Offer {
    state: &'static str,
    from: Option<&'static str>,
    to: &'static str,
    prefixes: Vec<String>,
    identifiers: Vec<String>,
}

/// The next version of a record, whose identifier may have to be minted yet.
struct Next {
    key: Option<String>,
    prefix: String,
    zone: String,
    version: Version,
}

impl Plain {
    pub fn ask(&mut self, who: Who, ask: &Ask) -> Answer {
        if who.registrant().is_some_and(|own| !self.registrants[own].1) {
            return Err("wrong-state");
        }
        match ask {
            Ask::Batch(asks) => {
                let steps = self.steps(who, asks)?;
                self.conclude(steps).map(Said::Batch)
            }
            Ask::Draft { id, shape } => self.draft(who, id, *shape),
            Ask::Publish { id } => self.publish(who, id),
            Ask::Withdraw { id } => self.withdraw(who, id),
            Ask::Wish { prefix, registrant } => self.apply(who, prefix.clone(), *registrant),
            Ask::NextBelow { parent, registrant } => {
                if !who.reaches(*registrant) {
                    return Err("refused");
                }
                self.expect_active(*registrant)?;
                let number = self.next_free(parent);
                let said = self.apply(who, format!("{parent}.{number}"), *registrant)?;
                self.numbers.insert(parent.clone(), number);
                Ok(said)
            }
            Ask::Step { prefix, step } => self.step_prefix(who, prefix, *step),
            Ask::Amend { prefix, quota } => {
                let row = self.decided(who, prefix)?;
                if matches!(row.state, AllocationState::Closed | AllocationState::Rejected) {
                    return Err("wrong-state");
                }
                let row = Row { quota: *quota, version: row.version + 1, ..row };
                self.prefixes.insert(prefix.clone(), row);
                Ok(Said::Prefix(prefix.clone()))
            }
            Ask::Registrant { id, active } => {
                if !who.reviews() {
                    return Err("refused");
                }
                let (version, now) = self.registrants[id];
                if now == *active {
                    return Err("wrong-state");
                }
                self.registrants.insert(id, (version + 1, *active));
                Ok(Said::Document(version + 1))
            }
            Ask::Offer { to, prefixes, identifiers } => self.offer(who, to, prefixes, identifiers),
            Ask::Decide { offer, step } => self.decide(who, *offer, *step),
            Ask::Give { granter, on_template, subject, access, grantee, attributes } => {
                let grant = (*granter, *on_template, subject.clone(), *access, *grantee);
                self.give(who, grant, attributes)
            }
            Ask::Revoke { granter, on_template, subject, access, grantee } => {
                if !who.reaches(*granter) {
                    return Err("refused");
                }
                let grant = (*granter, *on_template, subject.clone(), *access, *grantee);
                let given = self.grants.get_mut(&grant).ok_or("absent")?;
                given.version += u64::from(!given.revoked);
                given.revoked = true;
                Ok(Said::Document(given.version))
            }
            ask => {
                let step = self.next(who, ask)?;
                self.prove(std::slice::from_ref(&step))?;
                Ok(self.conclude(vec![step])?.remove(0))
            }
        }
    }

    /// The deepest served prefix; nothing is done below one that is under review.
    fn zone(&self, prefix: &str) -> Result<String, &'static str> {
        let mut next = Some(prefix);
        while let Some(prefix) = next {
            match self.prefixes.get(prefix).map(|row| row.state) {
                Some(state) if state.is_served() => return Ok(prefix.to_owned()),
                Some(AllocationState::UnderReview) => return Err("wrong-state"),
                _ => next = prefix.rsplit_once('.').map(|(parent, _)| parent),
            }
        }
        Err("not-responsible")
    }

    pub fn served(&self, prefix: &str) -> Option<&str> {
        let covers = |zone: &str| prefix == zone || prefix.starts_with(&format!("{zone}."));
        let served =
            self.prefixes.iter().filter(|(zone, row)| row.state.is_served() && covers(zone));
        served.map(|(zone, _)| zone.as_str()).max_by_key(|zone| zone.len())
    }

    pub fn count(&self, zone: &str) -> u64 {
        let below = |key: &&String| self.served(prefix_of(key)) == Some(zone);
        self.records.keys().filter(below).count() as u64
    }

    fn next_free(&self, parent: &str) -> u64 {
        let taken = |number: &u64| {
            let prefix = format!("{parent}.{number}");
            let below = format!("{prefix}.");
            let under = |key: &String| prefix_of(key) == prefix || key.starts_with(&below);
            self.prefixes.contains_key(&prefix) || self.records.keys().any(under)
        };
        let first = self.numbers.get(parent).map_or(1, |last| last + 1);
        (first..).find(|number| !taken(number)).unwrap()
    }

    fn apply(&mut self, who: Who, prefix: String, registrant: Option<&'static str>) -> Answer {
        if !who.reaches(registrant) {
            return Err("refused");
        }
        self.expect_active(registrant)?;
        self.check_parent(who, &prefix, registrant)?;
        let version = match self.prefixes.get(&prefix) {
            None => 1,
            Some(row) if row.state == AllocationState::Rejected => row.version + 1,
            Some(_) => return Err("taken"),
        };
        let state = AllocationState::Applied;
        self.prefixes.insert(prefix.clone(), Row { state, registrant, quota: None, version });
        Ok(Said::Prefix(prefix))
    }

    fn check_parent(
        &self,
        who: Who,
        prefix: &str,
        registrant: Option<&'static str>,
    ) -> Result<(), &'static str> {
        let above = prefix.rsplit_once('.').map(|(parent, _)| self.zone(parent));
        let zone = match above {
            None | Some(Err("not-responsible")) if who == Who::Admin => return Ok(()),
            None => return Err("not-responsible"),
            Some(zone) => zone?,
        };
        let row = &self.prefixes[&zone];
        if row.state != AllocationState::Allocated {
            return Err("wrong-state");
        }
        if row.registrant.is_some() && row.registrant != registrant {
            Err("refused")
        } else {
            Ok(())
        }
    }

    fn decided(&self, who: Who, prefix: &str) -> Result<Row, &'static str> {
        if !who.reviews() {
            return Err("refused");
        }
        self.prefixes.get(prefix).cloned().ok_or("absent")
    }

    fn step_prefix(&mut self, who: Who, prefix: &str, step: Step) -> Answer {
        let row = self.decided(who, prefix)?;
        let state = row.state.after(step).ok_or("wrong-state")?;
        if step == Step::Approve {
            self.expect_active(row.registrant)?;
            self.check_parent(who, prefix, row.registrant)?;
        }
        let row = Row { state, version: row.version + 1, ..row };
        self.prefixes.insert(prefix.to_owned(), row);
        Ok(Said::Prefix(prefix.to_owned()))
    }

    fn expect_active(&self, registrant: Option<&'static str>) -> Result<(), &'static str> {
        let active = registrant.is_none_or(|id| self.registrants[id].1);
        if active { Ok(()) } else { Err("wrong-state") }
    }

    fn kept(&self, who: Who, id: &str) -> Result<String, &'static str> {
        let zone = self.zone(prefix_of(id))?;
        let holder = self.prefixes[&zone].registrant;
        if !who.reaches(holder) {
            return Err("refused");
        }
        self.expect_changeable(&zone, holder)?;
        Ok(zone)
    }

    fn draft(&mut self, who: Who, id: &str, shape: usize) -> Answer {
        self.kept(who, id)?;
        let Some(kind) = self.templates.get_mut(id) else {
            if self.records.contains_key(id) {
                return Err("taken");
            }
            let kind = Kind { shapes: vec![shape], has_draft: true, version: 1, ..Kind::default() };
            self.templates.insert(id.to_owned(), kind);
            return Ok(Said::Document(1));
        };
        if (kind.has_draft || !kind.withdrawn) && kind.shapes.last() == Some(&shape) {
            return Ok(Said::Document(kind.version));
        }
        let mut shapes = kind.shapes.clone();
        if kind.has_draft {
            shapes.pop();
        }
        if shapes.last().is_some_and(|before| !may_follow(*before, shape)) {
            return Err("faulty");
        }
        shapes.push(shape);
        kind.shapes = shapes;
        kind.has_draft = true;
        kind.version += 1;
        Ok(Said::Document(kind.version))
    }

    fn publish(&mut self, who: Who, id: &str) -> Answer {
        let zone = self.kept(who, id)?;
        let kind = self.templates.get(id).ok_or("absent")?;
        if !kind.has_draft {
            return Err("wrong-state");
        }
        if !self.records.contains_key(id) {
            self.expect_room(&[(zone, 1)].into())?;
        }
        let kind = self.templates.get_mut(id).unwrap();
        let version = kind.shapes.len() as u64;
        kind.has_draft = false;
        kind.published = Some(version);
        kind.withdrawn = false;
        kind.version += 1;
        let said = Said::Document(kind.version);
        let attributes = [("version".to_owned(), version.to_string())].into();
        self.write(id.to_owned(), Version { active: true, template: None, attributes });
        Ok(said)
    }

    fn withdraw(&mut self, who: Who, id: &str) -> Answer {
        self.kept(who, id)?;
        let kind = self.templates.get_mut(id).ok_or("absent")?;
        if kind.withdrawn {
            return Ok(Said::Document(kind.version));
        }
        kind.published.take().ok_or("wrong-state")?;
        kind.withdrawn = true;
        kind.version += 1;
        let said = Said::Document(kind.version);
        self.write(id.to_owned(), Version::default());
        Ok(said)
    }
}

pub(super) fn prefix_of(key: &str) -> &str {
    key.split_once('/').unwrap().0
}

/// Whether a version of this shape may come after one of that.
fn may_follow(before: usize, shape: usize) -> bool {
    (before == OTHER_NAME) == (shape == OTHER_NAME) && shape >= before
}

/// The shape whose first attribute has another name.
pub(super) const OTHER_NAME: usize = 2;
