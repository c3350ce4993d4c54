//! Listing a prefix, page by page.

use std::ops::ControlFlow;

use super::Resolver;
use crate::access::Asker;
use crate::identifier::{CanonicalKey, Prefix};
use crate::record::Status;
use crate::store::{Direction, RECORDS, StoreError, StoredRecord};

/// A page of identifiers in canonical order.
#[derive(Clone, Debug)]
pub struct Page {
    /// The identifiers.
    pub records: Vec<StoredRecord>,
    /// Where the next page begins: the last identifier of this one; none on the last page.
    pub next: Option<String>,
}

impl Resolver {
    /// Up to `limit` records behind `after`, under `prefix` and the prefixes below it or of the
    /// whole node, as far as the asker gets them; active and retired ones unless one status is
    /// asked for. Blocks on the disk.
    pub fn list(
        &self,
        prefix: Option<&Prefix>,
        after: Option<&CanonicalKey>,
        limit: usize,
        status: Option<Status>,
        asker: &Asker,
    ) -> Result<Page, StoreError> {
        let mut range = prefix.map_or_else(CanonicalKey::all, Prefix::covered_keys);
        if let Some(after) = after {
            let mut start = after.as_bytes().to_vec();
            start.push(0);
            range.start = range.start.max(start);
        }
        let mut records: Vec<StoredRecord> = Vec::with_capacity(limit.min(1_000));
        let mut next = None;
        if range.start >= range.end {
            return Ok(Page { records, next });
        }
        RECORDS.scan(&*self.store, range, Direction::Forward, |_, stored| {
            let Some(stored) = self.as_it_stands(stored, asker) else {
                return ControlFlow::Continue(());
            };
            if status.is_some_and(|status| stored.record.status != status) {
                return ControlFlow::Continue(());
            }
            if records.len() == limit {
                next = records.last().map(|last| last.record.identifier.spelling().to_owned());
                return ControlFlow::Break(());
            }
            records.push(stored);
            ControlFlow::Continue(())
        })?;
        Ok(Page { records, next })
    }
}
