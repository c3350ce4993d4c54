//! The check of grants and groups: they and the rows by which they are found agree.

use std::ops::ControlFlow;

use super::Checking;
use crate::registrant::{Grant, Group, RegistrantId};
use crate::store::{
    ColumnId, Direction, Document, INDEXES, IndexKey, StoreError, StoredDocument, find_document,
    key_bytes, scan_documents,
};

impl Checking<'_> {
    /// Grants, groups, and the rows by which they are found, from both sides.
    pub(super) fn grants(&mut self) -> Result<(), StoreError> {
        self.documents_of::<Grant>(|checking, id, grant| {
            if grant.id() != id {
                checking.fault(ColumnId::Documents, id, "holds another grant");
            }
            let key = IndexKey::Granted { grantee: grant.grantee.text(), grant: id.to_owned() };
            if !grant.revoked && INDEXES.get(checking.read, &key)?.is_none() {
                let fault = "its grantee's row in indexes is missing";
                checking.fault(ColumnId::Documents, id, fault);
            }
            Ok(())
        })?;
        self.documents_of::<Group>(|checking, id, group| {
            for member in &group.members {
                let key = IndexKey::Member { registrant: member.clone(), group: id.to_owned() };
                if INDEXES.get(checking.read, &key)?.is_none() {
                    let fault = format!("the row of member {member} in indexes is missing");
                    checking.fault(ColumnId::Documents, id, &fault);
                }
            }
            Ok(())
        })?;
        let (read, mut keys) = (self.read, Vec::new());
        let mut from = IndexKey::of_grants();
        loop {
            // The walk over all indexes tells of rows that do not decode.
            let scanned = INDEXES.scan(read, from.clone(), Direction::Forward, |key, _| {
                keys.push(key);
                if keys.len() < STEP { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            let more = keys.len() == STEP && scanned.is_ok();
            if let Some(last) = keys.last() {
                from.start = key_bytes(last);
                from.start.push(0);
            }
            keys.drain(..).try_for_each(|key| self.index_of_grants(&key))?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Looks at a row of the indexes that is about a grant or a member.
    fn index_of_grants(&mut self, key: &IndexKey) -> Result<(), StoreError> {
        match key {
            IndexKey::Granted { grantee, grant } => {
                let stored = find_document::<Grant>(self.read, grant)?;
                let there = stored.is_some_and(|stored| {
                    !stored.content.revoked && stored.content.grantee.text() == *grantee
                });
                if !there {
                    let fault = "leads to no grant in force to this grantee";
                    self.fault(ColumnId::Indexes, grant, fault);
                }
            }
            IndexKey::Member { registrant, group } => {
                let stored = find_document::<Group>(self.read, group)?;
                let is_member = |group: StoredDocument<Group>| has(&group.content, registrant);
                if !stored.is_some_and(is_member) {
                    self.fault(ColumnId::Indexes, group, "leads to no group with this member");
                }
            }
            IndexKey::Value { .. } | IndexKey::Apart { .. } => {}
        }
        Ok(())
    }

    /// Looks at all documents of a kind.
    fn documents_of<T: Document>(
        &mut self,
        mut look: impl FnMut(&mut Self, &str, &T) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (read, mut failure) = (self.read, None);
        let scanned = scan_documents::<T>(read, "", None, |id, stored| {
            match look(self, &id, &stored.content) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        match failure.map_or(scanned, Err) {
            Err(error @ StoreError::Corrupt { .. }) => {
                self.fault(ColumnId::Documents, T::KIND.as_str(), &error.to_string());
                Ok(())
            }
            outcome => outcome,
        }
    }
}

fn has(group: &Group, member: &RegistrantId) -> bool {
    group.members.binary_search(member).is_ok()
}

/// Rows of the indexes read at once.
const STEP: usize = 1_000;
