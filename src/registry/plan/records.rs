//! Planning: registering, changing and retiring identifiers.

use std::sync::Arc;

use super::{Plan, Planning, Receipt};
use crate::access::{Action, Authority};
use crate::identifier::{Identifier, Prefix};
use crate::record::{Draft, Patch, Record, Status, Value};
use crate::registrant::{Allocation, RegistrantId};
use crate::registry::entry::record_change;
use crate::registry::submit::{CountChange, Effect};
use crate::registry::{Condition, RegistryError};
use crate::store::{RECORDS, StoredRecord, identifier_counter};

/// What a command makes of a record.
struct Target<'a> {
    identifier: &'a Identifier,
    condition: Condition,
    current: Option<StoredRecord>,
    /// The node's prefix that the identifier counts under.
    zone: Prefix,
    allocation: Allocation,
}

impl Planning<'_> {
    pub(super) fn put(
        mut self,
        identifier: &Identifier,
        draft: &Draft,
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let target = self.target(identifier, condition)?;
        let action = if target.current.is_some() { Action::Update } else { Action::Register };
        let authority = self.authorise(action, &target)?;
        self.check_new(&target)?;
        target.check_condition()?;
        if !target.allocation.may_reinstate {
            target.check_not_retired()?;
        }
        let current = target.current.as_ref().map(|stored| &stored.record);
        let values = draft.clone().into_values(current, self.now_ms)?;
        self.finish(target, authority, Status::Active, values)
    }

    pub(super) fn patch(
        mut self,
        identifier: &Identifier,
        patch: &Patch,
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let target = self.target(identifier, condition)?;
        let authority = self.authorise(Action::Update, &target)?;
        target.check_condition()?;
        target.check_not_retired()?;
        let current = &target.present()?.record;
        let values = patch.clone().into_values(current, self.now_ms)?;
        self.finish(target, authority, Status::Active, values)
    }

    pub(super) fn retire(
        mut self,
        identifier: &Identifier,
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let target = self.target(identifier, condition)?;
        let authority = self.authorise(Action::Retire, &target)?;
        target.check_condition()?;
        target.present()?;
        self.finish(target, authority, Status::Retired, Vec::new())
    }

    /// Reads the record and the prefix it counts under; both must stay as they are.
    fn target<'a>(
        &mut self,
        identifier: &'a Identifier,
        condition: Condition,
    ) -> Result<Target<'a>, RegistryError> {
        let prefix = identifier.prefix();
        let (zone, allocation) = self.zone_of(&prefix)?;
        let current = RECORDS.get(&*self.registry.store, identifier.key())?;
        self.guards.push(RECORDS.guard(identifier.key()));
        Ok(Target { identifier, condition, current, zone, allocation })
    }

    /// Whether the actor may do it, and whether it can be done below the prefix now.
    fn authorise(&mut self, action: Action, of: &Target<'_>) -> Result<Authority, RegistryError> {
        let holder = of.holder();
        let authority = self.actor.authorise(action, &of.identifier.prefix(), holder.as_ref())?;
        self.expect_changeable(&of.zone, &of.allocation, holder.as_ref())?;
        Ok(authority)
    }

    /// Limits that only new identifiers must keep.
    fn check_new(&self, target: &Target<'_>) -> Result<(), RegistryError> {
        let octets = target.identifier.spelling().len();
        let limit = self.registry.settings.identifier_octets;
        if target.current.is_none() && octets > limit {
            return Err(RegistryError::TooLong { octets, limit });
        }
        Ok(())
    }

    /// The change that gives the target its next version, or none if it already is as asked.
    fn finish(
        self,
        target: Target<'_>,
        authority: Authority,
        status: Status,
        values: Vec<Value>,
    ) -> Result<Plan, RegistryError> {
        let as_asked = |stored: &StoredRecord| {
            stored.record.status == status && stored.record.values == values
        };
        if let Some(current) = target.current.clone().filter(as_asked) {
            let stored = Arc::new(current);
            let receipt = Receipt::Record { stored, created: false, changed: false };
            if self.repetition.is_none() {
                return Ok(Plan::Done(receipt));
            }
            return Ok(self.change(authority, vec![Effect::Nothing(receipt)]));
        }
        let record = self.record(&target, &authority, status, values);
        let count = target.current.is_none().then(|| CountChange::Add {
            counter: identifier_counter(&target.zone),
            amount: 1,
            limit: target.allocation.quota.identifiers,
        });
        let change = record_change(&self.registry.keys, record, target.current);
        let plan = self.change(authority, vec![Effect::Record(Box::new(change))]);
        Ok(plan.counting(count))
    }

    /// The target's next version.
    fn record(
        &self,
        target: &Target<'_>,
        authority: &Authority,
        status: Status,
        values: Vec<Value>,
    ) -> Record {
        let account = authority.account().to_owned();
        let current = target.current.as_ref().map(|stored| &stored.record);
        let registrant = match (target.holder(), current) {
            (Some(holder), _) => holder.as_str().to_owned(),
            (None, Some(current)) => current.registrant.clone(),
            (None, None) => account.clone(),
        };
        Record {
            identifier: current.map_or(target.identifier, |current| &current.identifier).clone(),
            values,
            version: current.map_or(1, |current| current.version + 1),
            status,
            registrant,
            held_apart: current.is_some_and(|current| current.held_apart),
            actor: account,
            reason: self.request.reason.clone(),
            created_ms: current.map_or(self.now_ms, |current| current.created_ms),
            // A clock that was set back must not make a version older than the one it replaces.
            modified_ms: current.map_or(0, |current| current.modified_ms).max(self.now_ms),
        }
    }
}

impl Target<'_> {
    /// Who holds the identifier; none for the node itself.
    fn holder(&self) -> Option<RegistrantId> {
        let apart = self.current.as_ref().filter(|stored| stored.record.held_apart);
        match apart {
            Some(stored) => RegistrantId::parse(&stored.record.registrant).ok(),
            None => self.allocation.registrant.clone(),
        }
    }

    fn present(&self) -> Result<&StoredRecord, RegistryError> {
        let absent = || RegistryError::Absent(self.identifier.spelling().to_owned());
        self.current.as_ref().ok_or_else(absent)
    }

    fn check_condition(&self) -> Result<(), RegistryError> {
        let identifier = || self.identifier.spelling().to_owned();
        let found = self.current.as_ref().map(|stored| stored.record.version);
        match (self.condition, found) {
            (Condition::Always, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => {
                Ok(())
            }
            (Condition::Absent, Some(version)) => {
                Err(RegistryError::Exists { identifier: identifier(), version })
            }
            (Condition::Present, None) => Err(RegistryError::VersionMismatch {
                identifier: identifier(),
                wanted: None,
                found,
            }),
            (Condition::Version(wanted), found) if found == Some(wanted) => Ok(()),
            (Condition::Version(wanted), found) => Err(RegistryError::VersionMismatch {
                identifier: identifier(),
                wanted: Some(wanted),
                found,
            }),
        }
    }

    fn check_not_retired(&self) -> Result<(), RegistryError> {
        let retired =
            self.current.as_ref().is_some_and(|stored| stored.record.status == Status::Retired);
        if retired {
            return Err(RegistryError::Retired(self.identifier.spelling().to_owned()));
        }
        Ok(())
    }
}
