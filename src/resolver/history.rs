//! The versions of a record.

use std::ops::ControlFlow;

use super::Resolver;
use crate::identifier::CanonicalKey;
use crate::store::{Direction, RECORDS, StoreError, StoredRecord, VERSIONS, VersionKey, key_bytes};

impl Resolver {
    /// Up to `limit` versions, newest first, all older than `before` if that is given; empty when
    /// the identifier was never registered. Blocks on the disk.
    pub fn history(
        &self,
        key: &CanonicalKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let mut entries = Vec::new();
        let latest = RECORDS.get(&*self.store, key)?;
        let before = before.unwrap_or(u64::MAX);
        entries.extend(latest.filter(|latest| latest.record.version < before && limit > 0));
        let at = |version| key_bytes(&VersionKey { key: key.clone(), version });
        VERSIONS.scan(&*self.store, at(0)..at(before), Direction::Backward, |_, stored| {
            // A change between the two reads shows its version in both columns.
            let seen = entries
                .last()
                .is_some_and(|last: &StoredRecord| last.record.version <= stored.record.version);
            if entries.len() >= limit {
                return ControlFlow::Break(());
            }
            if !seen {
                entries.push(stored);
            }
            ControlFlow::Continue(())
        })?;
        Ok(entries)
    }
}
