//! Grants and groups to be looked at: single ones, and lists page by page.

use std::ops::ControlFlow;

use super::Resolver;
use crate::registrant::{Grant, Grantee, Group, GroupId, RegistrantId, name_start};
use crate::store::{
    Direction, Document, INDEXES, IndexKey, StoreError, StoredDocument, find_document, key_bytes,
    scan_documents,
};

/// A page of documents by their names.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The documents.
    pub documents: Vec<(String, StoredDocument<T>)>,
    /// What to pass as `after` for the next page; none on the last.
    pub next: Option<String>,
}

impl<T> Listed<T> {
    fn new() -> Self {
        Self { documents: Vec::new(), next: None }
    }
}

impl Resolver {
    /// The grant of this name, if it is in force. Blocks on the disk.
    pub fn grant(&self, id: &str) -> Result<Option<StoredDocument<Grant>>, StoreError> {
        Ok(find_document::<Grant>(&*self.store, id)?.filter(|stored| !stored.content.revoked))
    }

    /// Up to `limit` grants in force whose names begin with `start` and come behind `after`; the
    /// page may hold fewer where many were revoked. Blocks on the disk.
    pub fn grants(
        &self,
        start: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listed<Grant>, StoreError> {
        self.listed(start, after, limit, |grant: &Grant| !grant.revoked)
    }

    /// Up to `limit` grants in force to a registrant and to groups that it is in, behind `after`.
    /// Blocks on the disk.
    pub fn granted_to(
        &self,
        registrant: &RegistrantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listed<Grant>, StoreError> {
        let (after_grantee, after_grant) = after.unwrap_or_default().split_once('~').unzip();
        let after_grantee = after_grantee.unwrap_or_default();
        let mut page: Listed<Grant> = Listed::new();
        let (mut grantees, more) = self.memberships(registrant, after_grantee)?;
        if !more {
            grantees.push(Grantee::Registrant(registrant.clone()).text());
        }
        for grantee in grantees {
            if *grantee < *after_grantee {
                continue;
            }
            let behind = after_grant.filter(|_| *grantee == *after_grantee);
            let mut ids = Vec::new();
            let first = behind.map_or_else(String::new, |grant| format!("{grant}\u{1}"));
            let key =
                |grant: String| key_bytes(&IndexKey::Granted { grantee: grantee.clone(), grant });
            let mut end = key(String::new());
            end.push(u8::MAX);
            INDEXES.scan(&*self.store, key(first)..end, Direction::Forward, |key, _| {
                if let IndexKey::Granted { grant, .. } = key {
                    ids.push(grant);
                }
                let full = page.documents.len() + ids.len() > limit;
                if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            for id in ids {
                if page.documents.len() == limit {
                    page.next = page
                        .documents
                        .last()
                        .map(|(id, stored)| format!("{}~{id}", stored.content.grantee.text()));
                    return Ok(page);
                }
                // One that was revoked between the two reads is left out.
                if let Some(stored) = self.grant(&id)? {
                    page.documents.push((id, stored));
                }
            }
            if more {
                page.next = Some(format!("{grantee}~\u{7f}"));
            }
        }
        Ok(page)
    }

    /// The group of this name. Blocks on the disk.
    pub fn group(&self, id: &GroupId) -> Result<Option<StoredDocument<Group>>, StoreError> {
        let group = find_document::<Group>(&*self.store, &id.document_id())?;
        Ok(group.filter(|stored| !stored.content.removed))
    }

    /// Up to `limit` groups of a keeper, or of all when `keeper` is none, whose documents' names
    /// come behind `after`. Blocks on the disk.
    pub fn groups(
        &self,
        keeper: Option<Option<&RegistrantId>>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listed<Group>, StoreError> {
        let start = keeper.map(name_start).unwrap_or_default();
        self.listed(&start, after, limit, |group: &Group| !group.removed)
    }

    /// Whether a registrant is one of those who get a grant. Blocks on the disk.
    pub fn is_grantee(&self, grant: &Grant, registrant: &RegistrantId) -> Result<bool, StoreError> {
        Ok(match &grant.grantee {
            Grantee::Everyone => true,
            Grantee::Registrant(one) => one == registrant,
            Grantee::Group(id) => self
                .group(id)?
                .is_some_and(|group| group.content.members.binary_search(registrant).is_ok()),
        })
    }

    /// The groups that a registrant is in, as grantees, from `first` on; and whether there are
    /// more than are looked at in one request.
    fn memberships(
        &self,
        registrant: &RegistrantId,
        first: &str,
    ) -> Result<(Vec<String>, bool), StoreError> {
        let (mut found, mut more) = (Vec::new(), false);
        let key = |group: &str| {
            let group = group.to_owned();
            key_bytes(&IndexKey::Member { registrant: registrant.clone(), group })
        };
        let start = if first.starts_with(REGISTRANT) {
            return Ok((found, more));
        } else {
            key(first.strip_prefix(GROUP).unwrap_or_default())
        };
        let mut end = key("");
        end.push(u8::MAX);
        INDEXES.scan(&*self.store, start..end, Direction::Forward, |key, _| {
            if let IndexKey::Member { group, .. } = key {
                found.push(format!("{GROUP}{group}"));
            }
            more = found.len() == MAX_MEMBERSHIPS;
            if more { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok((found, more))
    }

    fn listed<T: Document>(
        &self,
        start: &str,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<Listed<T>, StoreError> {
        let (mut page, mut rows, mut last) = (Listed::new(), 0, None);
        // A cursor from elsewhere leads nowhere.
        let after = after.filter(|after| after.starts_with(start));
        scan_documents::<T>(&*self.store, start, after, |id, stored| {
            if page.documents.len() == limit || rows == MAX_ROWS {
                page.next = last.take();
                return ControlFlow::Break(());
            }
            rows += 1;
            last = Some(id.clone());
            if wanted(&stored.content) {
                page.documents.push((id, stored));
            }
            ControlFlow::Continue(())
        })?;
        Ok(page)
    }
}

/// How grantees that are groups and registrants begin in names of grants; groups come first.
const GROUP: &str = "group.";
const REGISTRANT: &str = "registrant.";

/// Most rows looked at for one page.
const MAX_ROWS: usize = 10_000;

/// Most groups of a registrant looked at for one page.
const MAX_MEMBERSHIPS: usize = 1_000;
