//! The plain model's dealings between registrants: grants and transfers.

use std::collections::BTreeSet;

use super::super::asks::{Ask, Who};
use super::super::{Access, AllocationState, TransferStep};
use super::{Answer, Given, Grant, OTHER_NAME, Offer, Plain, Said, prefix_of};

impl Plain {
    pub(super) fn give(&mut self, who: Who, grant: Grant, attributes: &[&'static str]) -> Answer {
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
    pub(super) fn names_of(&self, id: &str) -> Option<BTreeSet<String>> {
        let kind = self.templates.get(id)?;
        let published = kind.shapes.len() - usize::from(kind.has_draft);
        let first = if *kind.shapes.get(published.checked_sub(1)?)? == OTHER_NAME {
            "number"
        } else {
            "serial"
        };
        Some([first, "size", "see"].map(str::to_owned).into())
    }

    pub(super) fn granted_names(
        &self,
        granter: Option<&'static str>,
        key: &str,
    ) -> Option<BTreeSet<String>> {
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
    pub(super) fn allowed(
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
    pub(super) fn expect_grant(&self, who: Who, key: &str, ask: &Ask) -> Result<(), &'static str> {
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

    pub(super) fn offer(
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

    pub(super) fn can_give(
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

    pub(super) fn decide(&mut self, who: Who, place: usize, step: TransferStep) -> Answer {
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
