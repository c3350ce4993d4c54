//! The registry as one would keep it on paper: maps and nothing beside them. Whatever the registry
//! finds by an index or keeps a count of is looked for here in all there is.

use std::collections::{BTreeMap, BTreeSet};

use super::asks::{Ask, Filled, Who};
use super::{Access, AllocationState, Condition, Step, TransferStep};

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
    transfers: Vec<Offer>,
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

struct Offer {
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

    // Prefixes.

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

    // Records.

    pub fn holder(&self, key: &str) -> Option<&'static str> {
        let apart = self.records.get(key).and_then(|kept| kept.apart);
        let zone = self.served(prefix_of(key)).and_then(|zone| self.prefixes.get(zone));
        apart.or(zone.and_then(|row| row.registrant))
    }

    fn expect_changeable(
        &self,
        zone: &str,
        holder: Option<&'static str>,
    ) -> Result<(), &'static str> {
        if self.prefixes[zone].state != AllocationState::Allocated {
            return Err("wrong-state");
        }
        self.expect_active(holder)
    }

    /// What a batch comes to, unless something is wrong with any item.
    fn steps(&self, who: Who, asks: &[Ask]) -> Result<Vec<Next>, &'static str> {
        let (mut steps, mut keys, mut faulty) = (Vec::new(), BTreeSet::new(), false);
        for ask in asks {
            if ask.key().is_some_and(|key| !keys.insert(key)) {
                faulty = true;
                continue;
            }
            match self.next(who, ask) {
                Ok(step) => steps.push(step),
                Err(kind @ ("refused" | "not-granted" | "quota")) => return Err(kind),
                Err(_) => faulty = true,
            }
        }
        if faulty || self.prove(&steps).is_err() { Err("faulty") } else { Ok(steps) }
    }

    fn next(&self, who: Who, ask: &Ask) -> Result<Next, &'static str> {
        if let Ask::Mint { prefix, filled } = ask {
            return self.mint(who, prefix, filled);
        }
        let key = ask.key().unwrap();
        let prefix = prefix_of(&key).to_owned();
        let zone = self.zone(&prefix)?;
        if self.templates.contains_key(&key) {
            return Err("wrong-state");
        }
        let current = self.current(&key);
        let holder = self.holder(&key);
        if !who.reaches(holder) {
            self.expect_grant(who, &key, ask)?;
        }
        self.expect_changeable(&zone, holder)?;
        let found = self.records.get(&key).map(|kept| kept.versions.len() as u64);
        check_condition(ask.condition(), found)?;
        let expect_active = || match current {
            Some(version) if !version.active => Err("retired"),
            version => Ok(version),
        };
        let version = match ask {
            Ask::Put { filled, .. } => {
                expect_active()?;
                self.filled(filled, current)?
            }
            Ask::Patch { serial, size, follow, .. } => {
                let current = expect_active()?.ok_or("absent")?;
                self.patched(current, *serial, *size, follow.as_deref())?
            }
            Ask::Restore { version, .. } => {
                expect_active()?.ok_or("absent")?;
                let versions = &self.records[&key].versions;
                let place = usize::try_from(*version).unwrap().checked_sub(1).ok_or("absent")?;
                versions.get(place).ok_or("absent")?.clone()
            }
            _ => current.map(|_| Version::default()).ok_or("absent")?,
        };
        Ok(Next { key: Some(key), prefix, zone, version })
    }

    fn current(&self, key: &str) -> Option<&Version> {
        self.records.get(key).and_then(|kept| kept.versions.last())
    }

    fn filled(&self, filled: &Filled, current: Option<&Version>) -> Result<Version, &'static str> {
        let attributes = filled.attributes();
        let template = match &filled.template {
            None => None,
            Some(id) => {
                let version = self.choose(id, None, current)?;
                self.check(id, version, &attributes)?;
                Some((id.clone(), version))
            }
        };
        Ok(Version { active: true, template, attributes })
    }

    fn patched(
        &self,
        current: &Version,
        serial: Option<&'static str>,
        size: Option<Option<u8>>,
        follow: Option<&str>,
    ) -> Result<Version, &'static str> {
        let mut attributes = current.attributes.clone();
        attributes.extend(serial.map(|serial| ("serial".to_owned(), serial.to_owned())));
        match size {
            Some(Some(size)) => drop(attributes.insert("size".into(), size.to_string())),
            Some(None) => drop(attributes.remove("size")),
            None => {}
        }
        let own = current.template.as_ref();
        let wanted = match follow {
            Some(id) => Some((id, None)),
            None => own.map(|(id, version)| (id.as_str(), Some(*version))),
        };
        let mut template = None;
        if let Some((id, version)) = wanted {
            let version = self.choose(id, version, Some(current))?;
            self.check(id, version, &attributes)?;
            template = Some((id.to_owned(), version));
        }
        Ok(Version { active: true, template, attributes })
    }

    /// Which version of a template a record is to follow.
    fn choose(
        &self,
        id: &str,
        version: Option<u64>,
        current: Option<&Version>,
    ) -> Result<u64, &'static str> {
        let kind = self.templates.get(id).ok_or("faulty")?;
        let own = current.and_then(|current| current.template.as_ref());
        let own = own.filter(|(of, _)| of == id).map(|(_, version)| *version);
        let version = version.or(kind.published).or(own).ok_or("faulty")?;
        if kind.published.is_none() && own != Some(version) { Err("faulty") } else { Ok(version) }
    }

    /// That attributes are right by a version of a template.
    fn check(
        &self,
        id: &str,
        version: u64,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), &'static str> {
        let shape = self.templates[id].shapes[version as usize - 1];
        let right = shape != OTHER_NAME && attributes.contains_key("serial");
        if right { Ok(()) } else { Err("faulty") }
    }

    fn mint(&self, who: Who, prefix: &str, filled: &Filled) -> Result<Next, &'static str> {
        let zone = self.zone(prefix)?;
        let row = &self.prefixes[&zone];
        if !who.reaches(row.registrant) {
            return Err("refused");
        }
        self.expect_changeable(&zone, row.registrant)?;
        if row.quota.is_some_and(|quota| self.count(&zone) >= quota) {
            return Err("quota");
        }
        let version = self.filled(filled, None)?;
        if version.template.is_none() {
            return Err("faulty");
        }
        Ok(Next { key: None, prefix: prefix.to_owned(), zone, version })
    }

    /// That serials are unique and references lead to something, when all steps are done.
    fn prove(&self, steps: &[Next]) -> Result<(), &'static str> {
        let step_of = |key: &str| steps.iter().find(|step| step.key.as_deref() == Some(key));
        for (place, step) in steps.iter().enumerate() {
            let Some((template, _)) = &step.version.template else { continue };
            let same = |prefix: &str, version: &Version| {
                version.active
                    && prefix == step.prefix
                    && version.template.as_ref().is_some_and(|(id, _)| id == template)
                    && version.attributes.get("serial") == step.version.attributes.get("serial")
            };
            let earlier = steps[..place].iter().any(|other| same(&other.prefix, &other.version));
            let kept = self.records.iter().filter(|(key, _)| step_of(key).is_none());
            let mut others = kept.filter_map(|(key, kept)| Some((key, kept.versions.last()?)));
            if earlier || others.any(|(key, version)| same(prefix_of(key), version)) {
                return Err("faulty");
            }
            if let Some(target) = step.version.attributes.get("see") {
                let there = match step_of(target) {
                    Some(other) => other.version.active,
                    None if self.served(prefix_of(target)).is_none() => true,
                    None => self.current(target).is_some_and(|version| version.active),
                };
                if !there {
                    return Err("faulty");
                }
            }
        }
        Ok(())
    }

    /// Mints what is to be minted, and writes all unless a quota is passed.
    fn conclude(&mut self, steps: Vec<Next>) -> Result<Vec<Said>, &'static str> {
        let mut names: BTreeSet<String> = steps.iter().filter_map(|it| it.key.clone()).collect();
        let (mut written, mut added) = (Vec::new(), BTreeMap::new());
        for Next { key, prefix, zone, version } in steps {
            let key = key.unwrap_or_else(|| {
                let template = version.template.clone().unwrap().0;
                let last = self.minted.entry((template, prefix.clone())).or_default();
                loop {
                    *last += 1;
                    let key = format!("{prefix}/P{last:03}");
                    if !self.records.contains_key(&key) && names.insert(key.clone()) {
                        break key;
                    }
                }
            });
            if !self.records.contains_key(&key) {
                *added.entry(zone).or_insert(0) += 1;
            }
            written.push((key, version));
        }
        self.expect_room(&added)?;
        Ok(written.into_iter().map(|(key, version)| self.write(key, version)).collect())
    }

    fn expect_room(&self, added: &BTreeMap<String, u64>) -> Result<(), &'static str> {
        let full = |(zone, more): (&String, &u64)| {
            self.prefixes[zone].quota.is_some_and(|quota| self.count(zone) + more > quota)
        };
        if added.iter().any(full) { Err("quota") } else { Ok(()) }
    }

    fn write(&mut self, key: String, version: Version) -> Said {
        let versions = &mut self.records.entry(key.clone()).or_default().versions;
        if versions.last() == Some(&version) {
            return Said::Record(key, versions.len(), false, false);
        }
        versions.push(version);
        Said::Record(key, versions.len(), versions.len() == 1, true)
    }

    // Templates.

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

    // Grants.

    fn give(&mut self, who: Who, grant: Grant, attributes: &[&'static str]) -> Answer {
        let (granter, on_template, subject, access, grantee) = &grant;
        if !who.reaches(*granter) {
            return Err("refused");
        }
        let everyone = grantee.is_none();
        let whole = everyone && !on_template && attributes.is_empty();
        let wrong = match access {
            Access::Nothing => !whole,
            Access::View => false,
            Access::Edit => everyone,
        };
        let known = match on_template {
            true => self.names_of(subject),
            false => self.granted_names(*granter, subject),
        };
        let known = known.ok_or("faulty")?;
        if wrong || attributes.iter().any(|name| !known.contains(*name)) {
            return Err("faulty");
        }
        let attributes: BTreeSet<_> = attributes.iter().copied().collect();
        let given = self.grants.entry(grant);
        let fresh = || Given { attributes: BTreeSet::new(), revoked: true, version: 0 };
        let given = given.or_insert_with(fresh);
        if given.revoked || given.attributes != attributes {
            *given = Given { attributes, revoked: false, version: given.version + 1 };
        }
        Ok(Said::Document(given.version))
    }

    /// What a template that was ever published calls its attributes.
    fn names_of(&self, id: &str) -> Option<BTreeSet<String>> {
        let kind = self.templates.get(id)?;
        let published = kind.shapes.len() - usize::from(kind.has_draft);
        let first = if *kind.shapes.get(published.checked_sub(1)?)? == OTHER_NAME {
            "number"
        } else {
            "serial"
        };
        Some([first, "size", "see"].map(str::to_owned).into())
    }

    fn granted_names(&self, granter: Option<&'static str>, key: &str) -> Option<BTreeSet<String>> {
        let kept = self.records.get(key)?;
        let holder = match kept.apart {
            Some(apart) => Some(apart),
            None => self.prefixes[&self.zone(prefix_of(key)).ok()?].registrant,
        };
        let version = kept.versions.last().filter(|_| holder == granter)?;
        let mut names: BTreeSet<String> = version.attributes.keys().cloned().collect();
        let template = version.template.as_ref();
        names.extend(template.and_then(|(id, _)| self.names_of(id)).unwrap_or_default());
        Some(names)
    }

    /// The attributes that `own`, or anybody, may see or edit; none stands for all.
    fn allowed(
        &self,
        key: &str,
        own: Option<&'static str>,
        access: Access,
    ) -> Option<BTreeSet<&'static str>> {
        let on = |on_template: bool, subject: &str| -> Vec<(&Grant, &Given)> {
            let grants = self.grants.iter().filter(|(_, given)| !given.revoked);
            let holder = self.holder(key);
            grants
                .filter(|(it, _)| it.0 == holder && it.1 == on_template && it.2 == subject)
                .collect()
        };
        let mut grants = on(false, key);
        let template = self.current(key).and_then(|version| version.template.as_ref());
        if let Some((id, _)) = template.filter(|_| grants.is_empty()) {
            grants = on(true, id);
        }
        grants.retain(|((.., has, grantee), _)| {
            *has >= access && (grantee.is_none() || (own.is_some() && *grantee == own))
        });
        let all = grants.iter().any(|(_, given)| given.attributes.is_empty());
        (!all).then(|| grants.into_iter().flat_map(|(_, it)| it.attributes.clone()).collect())
    }

    /// That the holder grants what somebody else asks for.
    fn expect_grant(&self, who: Who, key: &str, ask: &Ask) -> Result<(), &'static str> {
        let Ask::Patch { serial, size, follow, .. } = ask else { return Err("refused") };
        let (Some(own), Some(_)) = (who.registrant(), self.current(key)) else {
            return Err("refused");
        };
        let allowed = self.allowed(key, Some(own), Access::Edit);
        if allowed.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err("refused");
        }
        let may = |name| allowed.as_ref().is_none_or(|allowed| allowed.contains(name));
        let beyond = follow.is_some()
            || (serial.is_some() && !may("serial"))
            || (size.is_some() && !may("size"));
        if beyond { Err("not-granted") } else { Ok(()) }
    }

    /// The attributes of the latest version that a registrant's people see, or anybody.
    pub fn visible(&self, key: &str, own: Option<&'static str>) -> BTreeSet<String> {
        let version = self.current(key).unwrap();
        let allowed = self.allowed(key, own, Access::View);
        let holds = own.is_some() && self.holder(key) == own;
        let hidden = |name: &str| {
            let owner_only = name == "size" && version.template.is_some();
            owner_only && !holds && !allowed.as_ref().is_none_or(|allowed| allowed.contains(name))
        };
        version.attributes.keys().filter(|name| !hidden(name)).cloned().collect()
    }

    // Transfers.

    fn offer(
        &mut self,
        who: Who,
        to: &'static str,
        prefixes: &[String],
        identifiers: &[String],
    ) -> Answer {
        let from = who.registrant();
        if !who.transfers(from) {
            return Err("refused");
        }
        let distinct: BTreeSet<_> = prefixes.iter().chain(identifiers).collect();
        let count = prefixes.len() + identifiers.len();
        if from == Some(to) || count == 0 || distinct.len() < count {
            return Err("faulty");
        }
        self.expect_active(Some(to))?;
        if !self.can_give(from, prefixes, identifiers) {
            return Err("faulty");
        }
        let (prefixes, identifiers) = (prefixes.to_vec(), identifiers.to_vec());
        self.transfers.push(Offer { state: "offered", from, to, prefixes, identifiers });
        Ok(Said::Document(1))
    }

    fn can_give(
        &self,
        from: Option<&'static str>,
        prefixes: &[String],
        identifiers: &[String],
    ) -> bool {
        let prefix = |prefix: &String| {
            let row = self.prefixes.get(prefix);
            row.is_some_and(|row| row.registrant == from && row.state == AllocationState::Allocated)
        };
        let identifier = |key: &String| {
            let Ok(zone) = self.zone(prefix_of(key)) else { return false };
            self.current(key).is_some_and(|version| version.active)
                && self.holder(key) == from
                && self.prefixes[&zone].state == AllocationState::Allocated
                && !self.templates.contains_key(key)
        };
        prefixes.iter().all(prefix) && identifiers.iter().all(identifier)
    }

    fn decide(&mut self, who: Who, place: usize, step: TransferStep) -> Answer {
        let Some(offer) = self.transfers.get(place) else {
            return Err(if who.transfers(who.registrant()) { "absent" } else { "refused" });
        };
        let side = if step == TransferStep::Cancel { offer.from } else { Some(offer.to) };
        if !who.transfers(side) {
            return Err("refused");
        }
        if offer.state != "offered" {
            return Err("wrong-state");
        }
        let accepted = step == TransferStep::Accept;
        if accepted {
            self.expect_active(Some(offer.to)).and(self.expect_active(offer.from))?;
            if !self.can_give(offer.from, &offer.prefixes, &offer.identifiers) {
                return Err("wrong-state");
            }
            let (to, prefixes) = (offer.to, offer.prefixes.clone());
            for key in offer.identifiers.clone() {
                let zone = self.served(prefix_of(&key)).unwrap();
                let follows = self.prefixes[zone].registrant == Some(to);
                let kept = self.records.get_mut(&key).unwrap();
                kept.apart = (!follows).then_some(to);
                kept.versions.push(kept.versions.last().unwrap().clone());
            }
            for prefix in prefixes {
                let row = self.prefixes.get_mut(&prefix).unwrap();
                row.registrant = Some(to);
                row.version += 1;
            }
        }
        self.transfers[place].state = "decided";
        Ok(Said::Document(2))
    }
}

pub(super) fn prefix_of(key: &str) -> &str {
    key.split_once('/').unwrap().0
}

fn check_condition(condition: Condition, found: Option<u64>) -> Result<(), &'static str> {
    match (condition, found) {
        (Condition::Absent, Some(_)) => Err("exists"),
        (Condition::Present, None) => Err("mismatch"),
        (Condition::Version(wanted), found) if found != Some(wanted) => Err("mismatch"),
        _ => Ok(()),
    }
}

/// Whether a version of this shape may come after one of that.
fn may_follow(before: usize, shape: usize) -> bool {
    (before == OTHER_NAME) == (shape == OTHER_NAME) && shape >= before
}

/// The shape whose first attribute has another name.
pub(super) const OTHER_NAME: usize = 2;
