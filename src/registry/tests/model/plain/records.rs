//! The plain model's records: what a request makes of them, alone and in batches.

use std::collections::{BTreeMap, BTreeSet};

use super::super::asks::{Ask, Filled, Who};
use super::super::{AllocationState, Condition};
use super::{Next, OTHER_NAME, Plain, Said, Version, prefix_of};

impl Plain {
    pub fn holder(&self, key: &str) -> Option<&'static str> {
        let apart = self.records.get(key).and_then(|kept| kept.apart);
        let zone = self.served(prefix_of(key)).and_then(|zone| self.prefixes.get(zone));
        apart.or(zone.and_then(|row| row.registrant))
    }

    pub(super) fn expect_changeable(
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
    pub(super) fn steps(&self, who: Who, asks: &[Ask]) -> Result<Vec<Next>, &'static str> {
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

    pub(super) fn next(&self, who: Who, ask: &Ask) -> Result<Next, &'static str> {
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

    pub(super) fn current(&self, key: &str) -> Option<&Version> {
        self.records.get(key).and_then(|kept| kept.versions.last())
    }

    pub(super) fn filled(
        &self,
        filled: &Filled,
        current: Option<&Version>,
    ) -> Result<Version, &'static str> {
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

    pub(super) fn patched(
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
    pub(super) fn choose(
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
    pub(super) fn check(
        &self,
        id: &str,
        version: u64,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), &'static str> {
        let shape = self.templates[id].shapes[version as usize - 1];
        let right = shape != OTHER_NAME && attributes.contains_key("serial");
        if right { Ok(()) } else { Err("faulty") }
    }

    pub(super) fn mint(
        &self,
        who: Who,
        prefix: &str,
        filled: &Filled,
    ) -> Result<Next, &'static str> {
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
    pub(super) fn prove(&self, steps: &[Next]) -> Result<(), &'static str> {
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
    pub(super) fn conclude(&mut self, steps: Vec<Next>) -> Result<Vec<Said>, &'static str> {
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

    pub(super) fn expect_room(&self, added: &BTreeMap<String, u64>) -> Result<(), &'static str> {
        let full = |(zone, more): (&String, &u64)| {
            self.prefixes[zone].quota.is_some_and(|quota| self.count(zone) + more > quota)
        };
        if added.iter().any(full) { Err("quota") } else { Ok(()) }
    }

    pub(super) fn write(&mut self, key: String, version: Version) -> Said {
        let versions = &mut self.records.entry(key.clone()).or_default().versions;
        if versions.last() == Some(&version) {
            return Said::Record(key, versions.len(), false, false);
        }
        versions.push(version);
        Said::Record(key, versions.len(), versions.len() == 1, true)
    }
}

fn check_condition(condition: Condition, found: Option<u64>) -> Result<(), &'static str> {
    match (condition, found) {
        (Condition::Absent, Some(_)) => Err("exists"),
        (Condition::Present, None) => Err("mismatch"),
        (Condition::Version(wanted), found) if found != Some(wanted) => Err("mismatch"),
        _ => Ok(()),
    }
}
