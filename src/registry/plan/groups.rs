//! Planning: groups of registrants.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::grants::touch_book;
use super::{Plan, Planning, Receipt};
use crate::access::Right;
use crate::ledger::EntryKind;
use crate::registrant::{
    Grantee, Group, GroupId, MAX_GROUPS, MAX_MEMBERS, Registrant, RegistrantId, name_start,
};
use crate::registry::submit::RowChange;
use crate::registry::{Condition, RegistryError};
use crate::store::{
    ColumnId, Direction, INDEXES, IndexKey, StoredDocument, find_document, key_bytes,
    scan_documents,
};
use crate::template::Fault;

impl Planning<'_> {
    pub(super) fn keep_group(
        mut self,
        id: &GroupId,
        members: &[String],
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_right(Right::Grants, id.keeper())?;
        self.guard_book(id.keeper());
        let document_id = id.document_id();
        let current = self.document::<Group>(&document_id)?;
        let there = present(current.as_ref());
        check_condition(condition, id, there)?;
        let (members, mut faults) = self.check_members(members)?;
        if there.is_none() {
            self.check_new_group(id, &mut faults)?;
        }
        if !faults.is_empty() {
            return Err(RegistryError::Faulty(faults));
        }
        let group = Group {
            keeper: id.keeper().cloned(),
            members: members.into_iter().collect(),
            removed: false,
        };
        if let Some(current) = current.as_ref().filter(|current| current.content == group) {
            return Ok(Plan::Done(Receipt::Document { id: document_id, version: current.version }));
        }
        self.put_group(authority, id, current, group)
    }

    pub(super) fn remove_group(
        mut self,
        id: &GroupId,
        condition: Condition,
    ) -> Result<Plan, RegistryError> {
        let authority = self.actor.authorise_right(Right::Grants, id.keeper())?;
        self.guard_book(id.keeper());
        self.guard_uses(id);
        let current = self.document::<Group>(&id.document_id())?;
        let there = present(current.as_ref());
        check_condition(condition, id, there)?;
        if there.is_none() {
            return Err(RegistryError::Absent(format!("group {id}")));
        }
        if let Some(grant) = self.grant_to(id)? {
            return Err(RegistryError::WrongState {
                subject: format!("group {id}"),
                state: format!("named by grant {grant}"),
                remedy: "revoke its grants first; a group without members gives nobody anything"
                    .to_owned(),
            });
        }
        let group = Group { keeper: id.keeper().cloned(), members: Vec::new(), removed: true };
        self.put_group(authority, id, current, group)
    }

    fn put_group(
        self,
        authority: crate::access::Authority,
        id: &GroupId,
        current: Option<StoredDocument<Group>>,
        group: Group,
    ) -> Result<Plan, RegistryError> {
        let document_id = id.document_id();
        let before: BTreeSet<&RegistrantId> =
            current.iter().flat_map(|current| &current.content.members).collect();
        let after: BTreeSet<&RegistrantId> = group.members.iter().collect();
        let row = |registrant: &RegistrantId, there: bool| {
            let key =
                IndexKey::Member { registrant: registrant.clone(), group: document_id.clone() };
            let row = there.then(Vec::new);
            RowChange { column: ColumnId::Indexes, key: key_bytes(&key), row }
        };
        let mut rows = vec![touch_book(id.keeper())];
        rows.extend(before.difference(&after).map(|gone| row(gone, false)));
        rows.extend(after.difference(&before).map(|new| row(new, true)));
        let effect =
            self.version(&authority).put(EntryKind::Grant, &document_id, current.as_ref(), &group);
        Ok(self.change(authority, vec![effect]).with_rows(rows))
    }

    /// The members in order, each once, and what is wrong with them.
    fn check_members(
        &self,
        members: &[String],
    ) -> Result<(BTreeSet<RegistrantId>, Vec<Fault>), RegistryError> {
        let (mut found, mut faults) = (BTreeSet::new(), Vec::new());
        if members.len() > MAX_MEMBERS {
            let message = format!("at most {MAX_MEMBERS}: make more groups");
            faults.push(Fault::new("members", "length", members.len(), message));
            return Ok((found, faults));
        }
        for (position, text) in members.iter().enumerate() {
            let path = format!("members[{position}]");
            match RegistrantId::parse(text) {
                Err(error) => faults.push(Fault::new(path, "type", text, error)),
                Ok(id) => {
                    let known = find_document::<Registrant>(&*self.registry.store, id.as_str())?;
                    if known.is_none() {
                        let message = format!("no registrant {id} is here");
                        faults.push(Fault::new(path, "exists", text, message));
                    }
                    found.insert(id);
                }
            }
        }
        Ok((found, faults))
    }

    /// Limits that only new groups must keep.
    fn check_new_group(&self, id: &GroupId, faults: &mut Vec<Fault>) -> Result<(), RegistryError> {
        let store = &*self.registry.store;
        if let Some(keeper) = id.keeper()
            && find_document::<Registrant>(store, keeper.as_str())?.is_none()
        {
            let message = format!("no registrant {keeper} is here");
            faults.push(Fault::new("id", "exists", id, message));
        }
        let mut count = 0;
        scan_documents::<Group>(store, &name_start(id.keeper()), None, |_, stored| {
            count += usize::from(!stored.content.removed);
            ControlFlow::Continue(())
        })?;
        if count >= MAX_GROUPS {
            let message = format!("there are {MAX_GROUPS} groups, the most: remove one");
            faults.push(Fault::new("id", "maximum", id, message));
        }
        Ok(())
    }

    /// Name of a grant in force to the group, if there is any.
    fn grant_to(&self, id: &GroupId) -> Result<Option<String>, RegistryError> {
        let grantee = Grantee::Group(id.clone()).text();
        let first = key_bytes(&IndexKey::Granted { grantee, grant: String::new() });
        let last = [&first[..], &[u8::MAX]].concat();
        let mut found = None;
        INDEXES.scan(&*self.registry.store, first..last, Direction::Forward, |key, _| {
            if let IndexKey::Granted { grant, .. } = key {
                found = Some(grant);
            }
            ControlFlow::Break(())
        })?;
        Ok(found)
    }
}

/// The group's version, if it is there.
fn present(current: Option<&StoredDocument<Group>>) -> Option<u64> {
    current.filter(|current| !current.content.removed).map(|current| current.version)
}

fn check_condition(
    condition: Condition,
    id: &GroupId,
    found: Option<u64>,
) -> Result<(), RegistryError> {
    let identifier = format!("group {id}");
    match (condition, found) {
        (Condition::Always, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => {
            Ok(())
        }
        (Condition::Absent, Some(version)) => Err(RegistryError::Exists { identifier, version }),
        (Condition::Version(wanted), found) if found == Some(wanted) => Ok(()),
        (Condition::Version(wanted), found) => {
            Err(RegistryError::VersionMismatch { identifier, wanted: Some(wanted), found })
        }
        (Condition::Present, None) => {
            Err(RegistryError::VersionMismatch { identifier, wanted: None, found })
        }
    }
}
