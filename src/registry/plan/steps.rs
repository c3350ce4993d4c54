//! Planning: from what is wanted of records to the one change that does it.
//!
//! A step is what a command makes of one record. The steps of a change are proved against the
//! store and against each other, then numbers are minted, then they become effects, index rows and
//! counts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::minting::Minting;
use super::prefixes::Zone;
use super::records::holder;
use super::templated::Contents;
use super::{Plan, Planning, Receipt};
use crate::access::Authority;
use crate::identifier::{CanonicalKey, Identifier, Prefix};
use crate::record::{Record, Status, Value};
use crate::registrant::Allocation;
use crate::registry::RegistryError;
use crate::registry::entry::record_change;
use crate::registry::filing::{Filing, difference};
use crate::registry::submit::{CountChange, Effect, RowChange};
use crate::store::{RECORDS, StoredRecord, UNIQUE, UniqueKey, identifier_counter, key_bytes};
use crate::template::{Fault, IndexKey, TypedReference};

/// What a command makes of a record.
pub(super) struct Step {
    pub subject: Subject,
    pub current: Option<StoredRecord>,
    /// The node's prefix that the identifier counts under.
    pub zone: Arc<Zone>,
    pub allocation: Allocation,
    pub authority: Authority,
    pub status: Status,
    pub contents: Contents,
    /// What the current version is filed under.
    pub before: Option<Filing>,
}

/// Which record a step is about.
pub(super) enum Subject {
    /// The one with this identifier.
    Named(Identifier),
    /// One whose identifier is yet to be made.
    Minted(Minting),
}

/// What a change writes beside its ledger entries.
#[derive(Default)]
pub(super) struct Extent {
    pub rows: Vec<RowChange>,
    pub counts: Vec<CountChange>,
}

/// The steps of a change, by their identifiers.
struct Steps<'a> {
    all: &'a [Step],
    /// Places of named steps; left empty when there is one step only.
    places: HashMap<&'a CanonicalKey, usize>,
    /// Unique values met so far, and whose they are.
    taken: HashMap<Vec<u8>, usize>,
    /// Records referred to: the template they follow, none when nothing active is there.
    targets: HashMap<CanonicalKey, Option<Option<CanonicalKey>>>,
}

impl Planning<'_> {
    /// The change that all steps come to; a plan that changes nothing when there is nothing to do.
    pub(super) fn conclude(
        mut self,
        steps: Vec<Step>,
        is_batch: bool,
    ) -> Result<Plan, RegistryError> {
        let faults = self.prove(&steps, &HashSet::new())?;
        if !faults.is_empty() {
            return Err(RegistryError::Faulty(
                faults.into_iter().map(|(_, fault)| fault).collect(),
            ));
        }
        self.compose(steps, is_batch)
    }

    /// As [`Planning::conclude`], of steps that are proved.
    pub(super) fn compose(
        mut self,
        steps: Vec<Step>,
        is_batch: bool,
    ) -> Result<Plan, RegistryError> {
        let mut names = HashSet::new();
        if is_batch {
            names.extend(steps.iter().filter_map(Step::key).cloned());
        }
        let (mut effects, mut extent) = (Vec::with_capacity(steps.len()), Extent::default());
        let mut authority = None;
        for mut step in steps {
            let identifier = match step.subject {
                Subject::Named(identifier) => identifier,
                Subject::Minted(ref minting) => {
                    let (identifier, count) = self.mint(minting, &names)?;
                    extent.counts.extend(count);
                    if is_batch {
                        names.insert(identifier.key().clone());
                    }
                    identifier
                }
            };
            let parts = Parts {
                identifier,
                current: step.current.take(),
                zone: &step.zone.prefix,
                allocation: &step.allocation,
                status: step.status,
                contents: step.contents,
                before: step.before,
            };
            effects.push(self.effect(parts, step.authority.account(), &mut extent));
            // All steps are by one actor, whose rights hang on the same rows.
            authority = Some(step.authority);
        }
        let unchanged = effects.iter().all(|effect| matches!(effect, Effect::Nothing(_)));
        if let (true, None) = (unchanged, &self.repetition) {
            let receipts = effects.into_iter().filter_map(Effect::into_receipt).collect();
            let receipt = self.request.receipt(receipts).ok_or(RegistryError::Busy)?;
            return Ok(Plan::Done(receipt));
        }
        // No step, no change: batches are never empty.
        let authority = authority.ok_or(RegistryError::Busy)?;
        Ok(self.change(authority, effects).reaching(extent))
    }

    /// The effect that gives a record its next version, and the rows and counts that go with it.
    pub(super) fn effect(
        &self,
        mut parts: Parts<'_>,
        account: &str,
        extent: &mut Extent,
    ) -> Effect {
        let (status, wanted) = (parts.status, &parts.contents.values);
        let as_asked = |stored: &StoredRecord| {
            stored.record.status == status && stored.record.values == *wanted
        };
        if let Some(current) = parts.current.take_if(|current| as_asked(current)) {
            let stored = Arc::new(current);
            return Effect::Nothing(Receipt::Record { stored, created: false, changed: false });
        }
        if parts.current.is_none() {
            extent.counts.push(CountChange::Add {
                counter: identifier_counter(parts.zone),
                amount: 1,
                limit: parts.allocation.quota.identifiers,
            });
        }
        let key = parts.identifier.key();
        let rows = |filing: Option<&Filing>| filing.map_or_else(Vec::new, |it| it.rows(key));
        let after = rows(parts.contents.filing.as_ref());
        extent.rows.extend(difference(rows(parts.before.as_ref()), after));
        let record = self.next_record(&parts, account);
        let Parts { contents, current, .. } = parts;
        let record = Record { values: contents.values, ..record };
        Effect::Record(Box::new(record_change(&self.registry.keys, record, current)))
    }

    /// A record's next version, without its values.
    fn next_record(&self, parts: &Parts<'_>, account: &str) -> Record {
        let current = parts.current.as_ref().map(|stored| &stored.record);
        let registrant = match (holder(current, parts.allocation), current) {
            (Some(holder), _) => holder.as_str().to_owned(),
            (None, Some(current)) => current.registrant.clone(),
            (None, None) => account.to_owned(),
        };
        Record {
            identifier: current.map_or(&parts.identifier, |current| &current.identifier).clone(),
            values: Vec::new(),
            version: current.map_or(1, |current| current.version + 1),
            status: parts.status,
            registrant,
            held_apart: current.is_some_and(|current| current.held_apart),
            actor: account.to_owned(),
            reason: self.request.reason.clone(),
            created_ms: current.map_or(self.now_ms, |current| current.created_ms),
            // A clock that was set back must not make a version older than the one it replaces.
            modified_ms: current.map_or(0, |current| current.modified_ms).max(self.now_ms),
        }
    }

    /// What no step can know by itself: that unique values are free and references lead somewhere.
    /// Faults come with the places of their steps; nothing is said of references to the identifiers
    /// in `at_fault`.
    pub(super) fn prove(
        &mut self,
        all: &[Step],
        at_fault: &HashSet<CanonicalKey>,
    ) -> Result<Vec<(usize, Fault)>, RegistryError> {
        let (taken, targets) = (HashMap::new(), HashMap::new());
        let mut steps = Steps { all, places: HashMap::new(), taken, targets };
        if all.len() > 1 {
            let keyed = |(place, step)| Step::key(step).map(|key| (key, place));
            steps.places.extend(all.iter().enumerate().filter_map(keyed));
        }
        let mut faults = Vec::new();
        for (place, step) in all.iter().enumerate() {
            let Some(filing) = &step.contents.filing else { continue };
            for (key, filed) in filing.unique_keys(&step.prefix()) {
                let fault = self.find_taken(&mut steps, place, &key)?;
                faults.extend(fault.map(|owner| (place, step.not_unique(filed, &owner))));
            }
            for reference in &filing.references {
                if at_fault.contains(reference.target.key()) {
                    continue;
                }
                let wrong = self.find_dangling(&mut steps, step, reference)?;
                faults.extend(wrong.map(|message| {
                    (place, Fault::new(&reference.path, "reference", &reference.target, message))
                }));
            }
        }
        Ok(faults)
    }

    /// Whose a unique value is; none when the step may have it.
    fn find_taken(
        &mut self,
        steps: &mut Steps<'_>,
        place: usize,
        key: &UniqueKey,
    ) -> Result<Option<String>, RegistryError> {
        self.guards.push(UNIQUE.guard(key));
        if steps.all.len() > 1
            && let Some(other) = steps.taken.insert(key_bytes(key), place)
        {
            let other = steps.all.get(other).and_then(Step::key).map(CanonicalKey::text);
            return Ok(Some(other.unwrap_or("another item of this batch").to_owned()));
        }
        let Some(owner) = UNIQUE.get(&*self.registry.store, key)? else { return Ok(None) };
        if steps.all.get(place).and_then(Step::key) == Some(&owner) || steps.gives_up(&owner, key) {
            return Ok(None);
        }
        Ok(Some(owner.text().to_owned()))
    }

    /// What is wrong with a reference; none when it leads to what it should.
    fn find_dangling(
        &mut self,
        steps: &mut Steps<'_>,
        step: &Step,
        reference: &TypedReference,
    ) -> Result<Option<String>, RegistryError> {
        let target = reference.target.key();
        let found = if step.key() == Some(target) {
            Some(step.template_key())
        } else if let Some(other) = steps.named(target) {
            (other.status == Status::Active).then(|| other.template_key())
        } else if self.registry.resolver.zone_of(&target.prefix()).is_none() {
            return Ok(None);
        } else if let Some(known) = steps.targets.get(target) {
            known.clone()
        } else {
            self.guards.push(RECORDS.guard(target));
            let stored = RECORDS.get(&*self.registry.store, target)?;
            let active = stored.filter(|stored| stored.record.status == Status::Active);
            let found = active.map(|stored| template_key(&stored.record.values));
            steps.targets.insert(target.clone(), found.clone());
            found
        };
        Ok(match (found, &reference.template) {
            (None, _) => Some("not registered here, or retired: register it first".into()),
            (Some(_), None) => None,
            (Some(found), Some(wanted)) if found.as_ref() == Some(wanted) => None,
            (Some(_), Some(wanted)) => Some(format!("must follow the template {}", wanted.text())),
        })
    }
}

/// A step on its way to an effect.
pub(super) struct Parts<'a> {
    pub identifier: Identifier,
    pub current: Option<StoredRecord>,
    pub zone: &'a Prefix,
    pub allocation: &'a Allocation,
    pub status: Status,
    pub contents: Contents,
    pub before: Option<Filing>,
}

impl Step {
    /// The identifier's key; none while it is not minted.
    pub(super) fn key(&self) -> Option<&CanonicalKey> {
        match &self.subject {
            Subject::Named(identifier) => Some(identifier.key()),
            Subject::Minted(_) => None,
        }
    }

    fn prefix(&self) -> Prefix {
        match &self.subject {
            Subject::Named(identifier) => identifier.prefix(),
            Subject::Minted(minting) => minting.prefix.clone(),
        }
    }

    /// The template that the record is to follow.
    fn template_key(&self) -> Option<CanonicalKey> {
        template_key(&self.contents.values)
    }

    fn not_unique(&self, filed: &IndexKey, owner: &str) -> Fault {
        let template = self.contents.template.as_ref();
        let mut attributes = template.iter().flat_map(|template| template.attributes());
        let attribute = attributes.find(|attribute| attribute.index == filed.attribute);
        let name = attribute.map_or("", |attribute| attribute.item.name.as_str());
        let value = self.contents.values.iter().find(|value| value.index == filed.attribute);
        let value = value.and_then(Value::text).unwrap_or_default();
        let message = format!("{owner} has this value already, and no two records may");
        Fault::new(format_args!("attributes.{name}"), "unique", value, message)
    }
}

impl Steps<'_> {
    fn named(&self, key: &CanonicalKey) -> Option<&Step> {
        self.places.get(key).and_then(|&place| self.all.get(place))
    }

    /// Whether the change takes a unique value from its owner.
    fn gives_up(&self, owner: &CanonicalKey, key: &UniqueKey) -> bool {
        let Some(step) = self.named(owner) else { return false };
        let filing = step.contents.filing.as_ref();
        !filing.is_some_and(|filing| filing.unique_keys(&key.prefix).any(|(kept, _)| kept == *key))
    }
}

impl Plan {
    /// The plan with the rows and counts that go with it; rows are removed before others are set,
    /// so that one record can take what another gives up.
    pub(super) fn reaching(mut self, extent: Extent) -> Self {
        if let Plan::Change(change) = &mut self {
            let (set, removed): (Vec<_>, Vec<_>) =
                extent.rows.into_iter().partition(|row| row.row.is_some());
            change.rows.extend(removed.into_iter().chain(set));
            change.counts.extend(extent.counts);
        }
        self
    }
}

/// The template that a record with these values follows.
fn template_key(values: &[Value]) -> Option<CanonicalKey> {
    let value = values.iter().find(|value| value.index == crate::record::TEMPLATE_INDEX)?;
    Some(Identifier::literal(value.text()?).ok()?.key().clone())
}
