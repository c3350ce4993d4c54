//! Planning: registering, changing and retiring identifiers.

use std::sync::Arc;

use super::prefixes::Zone;
use super::steps::{Step, Subject};
use super::templated::Contents;
use super::{Plan, Planning};
use crate::access::{Action, Authority};
use crate::identifier::Identifier;
use crate::record::{Draft, Patch, Record, Status};
use crate::registrant::{Allocation, RegistrantId};
use crate::registry::{Command, Condition, RegistryError};
use crate::store::{RECORDS, StoredRecord, VERSIONS, VersionKey};

/// The record that a command is about.
pub(super) struct Target<'a> {
    pub identifier: &'a Identifier,
    condition: Condition,
    pub current: Option<StoredRecord>,
    /// The node's prefix that the identifier counts under.
    pub zone: Arc<Zone>,
    pub allocation: Allocation,
}

impl Planning<'_> {
    /// A change to one record.
    pub(super) fn record(mut self, command: &Command) -> Result<Plan, RegistryError> {
        let step = self.step(command)?;
        self.conclude(vec![step], false)
    }

    /// What a command makes of a record, checked as far as the record itself goes.
    pub(super) fn step(&mut self, command: &Command) -> Result<Step, RegistryError> {
        match command {
            Command::Put { identifier, draft, condition } => {
                self.put(identifier, draft, *condition)
            }
            Command::Patch { identifier, patch, condition } => {
                self.patch(identifier, patch, *condition)
            }
            Command::Retire { identifier, condition } => self.retire(identifier, *condition),
            Command::Mint { prefix, serial, draft } => {
                self.mint_step(prefix, serial.as_deref(), draft)
            }
            Command::Restore { identifier, version, condition } => {
                self.restore(identifier, *version, *condition)
            }
            _ => Err(RegistryError::WrongState {
                subject: "the item".into(),
                state: "no change to a record".into(),
                remedy: "batches hold put, patch, retire and mint".into(),
            }),
        }
    }

    fn put(
        &mut self,
        identifier: &Identifier,
        draft: &Draft,
        condition: Condition,
    ) -> Result<Step, RegistryError> {
        let target = self.target(identifier, condition)?;
        let action = if target.current.is_some() { Action::Update } else { Action::Register };
        let authority = self.authorise(action, &target)?;
        self.check_new(&target)?;
        target.check_condition()?;
        if !target.allocation.may_reinstate {
            target.check_not_retired()?;
        }
        let contents = self.contents(draft, target.record())?;
        self.next(target, authority, Status::Active, contents)
    }

    fn patch(
        &mut self,
        identifier: &Identifier,
        patch: &Patch,
        condition: Condition,
    ) -> Result<Step, RegistryError> {
        let target = self.target(identifier, condition)?;
        let authority = match self.authorise(Action::Update, &target) {
            Err(RegistryError::Refused(refusal)) => {
                let (holder, current) = (target.holder(), target.current.as_ref());
                let authority = self.authorise_edit(holder.as_ref(), current, patch, refusal)?;
                self.expect_changeable(&target.zone, holder.as_ref())?;
                authority
            }
            authority => authority?,
        };
        target.check_condition()?;
        target.check_not_retired()?;
        let contents = self.patched(patch, &target.present()?.record)?;
        self.next(target, authority, Status::Active, contents)
    }

    fn retire(
        &mut self,
        identifier: &Identifier,
        condition: Condition,
    ) -> Result<Step, RegistryError> {
        let target = self.target(identifier, condition)?;
        let authority = self.authorise(Action::Retire, &target)?;
        target.check_condition()?;
        target.present()?;
        self.next(target, authority, Status::Retired, Contents::default())
    }

    fn restore(
        &mut self,
        identifier: &Identifier,
        version: u64,
        condition: Condition,
    ) -> Result<Step, RegistryError> {
        let target = self.target(identifier, condition)?;
        let authority = self.authorise(Action::Update, &target)?;
        target.check_condition()?;
        target.check_not_retired()?;
        let current = &target.present()?.record;
        let earlier = if version == current.version {
            Some(target.present()?.clone())
        } else {
            let key = VersionKey { key: identifier.key().clone(), version };
            VERSIONS.get(&*self.registry.store, &key)?
        };
        let subject = || format!("{identifier} version {version}");
        let earlier = earlier.ok_or_else(|| RegistryError::Absent(subject()))?.record;
        if earlier.status == Status::Retired {
            return Err(RegistryError::WrongState {
                subject: subject(),
                state: "a tombstone".into(),
                remedy: "restore a version from before it was retired".into(),
            });
        }
        let contents = self.restored(&earlier, current)?;
        self.next(target, authority, Status::Active, contents)
    }

    /// The step that gives a target its next version.
    fn next(
        &mut self,
        target: Target<'_>,
        authority: Authority,
        status: Status,
        contents: Contents,
    ) -> Result<Step, RegistryError> {
        let before = match &target.current {
            Some(current) => self.filing_of(&current.record)?,
            None => None,
        };
        let subject = Subject::Named(target.identifier.clone());
        let Target { current, zone, allocation, .. } = target;
        Ok(Step { subject, current, zone, allocation, authority, status, contents, before })
    }

    /// Reads the record and the prefix it counts under; both must stay as they are.
    fn target<'a>(
        &mut self,
        identifier: &'a Identifier,
        condition: Condition,
    ) -> Result<Target<'a>, RegistryError> {
        let target = self.target_of_any_kind(identifier, condition)?;
        if self.head(identifier.key())?.is_some() {
            return Err(RegistryError::WrongState {
                subject: identifier.to_string(),
                state: "a template".into(),
                remedy: "change it under /api/v1/templates".into(),
            });
        }
        Ok(target)
    }

    /// As `target`, for the record of a template too.
    pub(super) fn target_of_any_kind<'a>(
        &mut self,
        identifier: &'a Identifier,
        condition: Condition,
    ) -> Result<Target<'a>, RegistryError> {
        let prefix = identifier.prefix();
        let zone = Arc::new(self.zone_of(&prefix)?);
        let allocation = zone.allocation.clone();
        let current = RECORDS.get(&*self.registry.store, identifier.key())?;
        self.guards.push(RECORDS.guard(identifier.key()));
        Ok(Target { identifier, condition, current, zone, allocation })
    }

    /// Whether the actor may do it, and whether it can be done below the prefix now.
    fn authorise(&mut self, action: Action, of: &Target<'_>) -> Result<Authority, RegistryError> {
        let holder = of.holder();
        let authority = self.actor.authorise(action, &of.identifier.prefix(), holder.as_ref())?;
        self.expect_changeable(&of.zone, holder.as_ref())?;
        Ok(authority)
    }

    /// Limits that only new identifiers must keep.
    fn check_new(&self, target: &Target<'_>) -> Result<(), RegistryError> {
        match target.current {
            None => self.check_length(target.identifier),
            Some(_) => Ok(()),
        }
    }

    /// Refuses identifiers longer than this node registers.
    pub(super) fn check_length(&self, identifier: &Identifier) -> Result<(), RegistryError> {
        let octets = identifier.spelling().len();
        let limit = self.registry.settings.identifier_octets;
        if octets > limit {
            return Err(RegistryError::TooLong { octets, limit });
        }
        Ok(())
    }
}

impl Target<'_> {
    fn record(&self) -> Option<&Record> {
        self.current.as_ref().map(|stored| &stored.record)
    }

    /// Who holds the identifier; none for the node itself.
    pub(super) fn holder(&self) -> Option<RegistrantId> {
        holder(self.record(), &self.allocation)
    }

    fn present(&self) -> Result<&StoredRecord, RegistryError> {
        let absent = || RegistryError::Absent(self.identifier.spelling().to_owned());
        self.current.as_ref().ok_or_else(absent)
    }

    fn check_condition(&self) -> Result<(), RegistryError> {
        check_condition(self.identifier, self.condition, self.record().map(|record| record.version))
    }

    fn check_not_retired(&self) -> Result<(), RegistryError> {
        if self.record().is_some_and(|record| record.status == Status::Retired) {
            return Err(RegistryError::Retired(self.identifier.spelling().to_owned()));
        }
        Ok(())
    }
}

/// Who holds an identifier; none for the node itself.
pub(super) fn holder(current: Option<&Record>, allocation: &Allocation) -> Option<RegistrantId> {
    match current.filter(|record| record.held_apart) {
        Some(record) => RegistrantId::parse(&record.registrant).ok(),
        None => allocation.registrant.clone(),
    }
}

/// Whether a change may be made to what is at version `found`; none stands for nothing.
pub(super) fn check_condition(
    identifier: &Identifier,
    condition: Condition,
    found: Option<u64>,
) -> Result<(), RegistryError> {
    let identifier = || identifier.spelling().to_owned();
    match (condition, found) {
        (Condition::Always, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => {
            Ok(())
        }
        (Condition::Absent, Some(version)) => {
            Err(RegistryError::Exists { identifier: identifier(), version })
        }
        (Condition::Present, None) => {
            Err(RegistryError::VersionMismatch { identifier: identifier(), wanted: None, found })
        }
        (Condition::Version(wanted), found) if found == Some(wanted) => Ok(()),
        (Condition::Version(wanted), found) => Err(RegistryError::VersionMismatch {
            identifier: identifier(),
            wanted: Some(wanted),
            found,
        }),
    }
}
