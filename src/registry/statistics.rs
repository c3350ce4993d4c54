//! Statistics of the one writer: what is registered, in the same transaction; what was looked up,
//! every few seconds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Receipt;
use crate::identifier::Prefix;
use crate::record::Status;
use crate::resolver::Resolver;
use crate::store::{STATISTICS, StatisticsKey, StatisticsRow, Store, StoreError, Transaction};

/// The rows touched so far.
pub(super) struct Statistics {
    resolver: Arc<Resolver>,
    /// What the node's days begin by, ahead of UTC.
    offset_minutes: i32,
    rows: HashMap<StatisticsKey, StatisticsRow>,
    /// Rows that are behind.
    changed: HashSet<StatisticsKey>,
    collected_ms: u64,
}

impl Statistics {
    pub(super) fn new(resolver: Arc<Resolver>, offset_minutes: i32) -> Self {
        let (rows, changed) = (HashMap::new(), HashSet::new());
        Self { resolver, offset_minutes, rows, changed, collected_ms: 0 }
    }

    /// Counts a change that is in the transaction.
    pub(super) fn count(&mut self, store: &dyn Store, receipt: &Receipt) -> Result<(), StoreError> {
        let Receipt::Record { stored, created, changed: true } = receipt else { return Ok(()) };
        let record = &stored.record;
        let zone = self.resolver.zone_of(&record.identifier.prefix());
        let prefix = zone.map(|zone| zone.prefix.clone());
        let row = self.row(store, prefix, record.modified_ms)?;
        let count = match (created, record.status) {
            (true, _) => &mut row.registrations,
            (false, Status::Retired) => &mut row.retirements,
            (false, Status::Active) => &mut row.changes,
        };
        *count = count.saturating_add(1);
        Ok(())
    }

    /// Takes what was looked up, if it is time, or at once when it is the last time.
    pub(super) fn collect(
        &mut self,
        store: &dyn Store,
        now_ms: u64,
        last: bool,
    ) -> Result<(), StoreError> {
        if !last && now_ms.saturating_sub(self.collected_ms) < COLLECT_INTERVAL_MS {
            return Ok(());
        }
        self.collected_ms = now_ms;
        for (prefix, counts) in self.resolver.take_lookups() {
            let row = self.row(store, prefix, now_ms)?;
            for (sum, count) in row.lookups.iter_mut().zip(counts) {
                *sum = sum.saturating_add(count);
            }
        }
        Ok(())
    }

    /// Puts the rows that are behind into the transaction.
    pub(super) fn write(&mut self, transaction: &mut dyn Transaction) {
        for key in self.changed.drain() {
            if let Some(row) = self.rows.get(&key) {
                STATISTICS.put(transaction, &key, row);
            }
        }
        if self.rows.len() >= MAX_ROWS {
            self.rows.clear();
        }
    }

    fn row(
        &mut self,
        store: &dyn Store,
        prefix: Option<Prefix>,
        ms: u64,
    ) -> Result<&mut StatisticsRow, StoreError> {
        let key = StatisticsKey { prefix, day: day(ms, self.offset_minutes) };
        if !self.rows.contains_key(&key) {
            let stored = STATISTICS.get(store, &key)?.unwrap_or_default();
            self.rows.insert(key.clone(), stored);
        }
        if !self.changed.contains(&key) {
            self.changed.insert(key.clone());
        }
        Ok(self.rows.entry(key).or_default())
    }
}

/// The day of a moment, in days since 1970-01-01, for a place so many minutes ahead of UTC.
fn day(ms: u64, offset_minutes: i32) -> u32 {
    let local = i128::from(ms) + i128::from(offset_minutes) * 60_000;
    u32::try_from(local.max(0) / 86_400_000).unwrap_or(u32::MAX)
}

/// How often look-ups are added, in milliseconds; what is counted in between is lost in a crash.
const COLLECT_INTERVAL_MS: u64 = 10_000;

/// Rows kept in memory before they are read again.
const MAX_ROWS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_where_the_node_is() {
        let midnight_in_beijing = 1_767_196_800_000; // 2026-01-01T00:00:00+08:00
        assert_eq!(day(midnight_in_beijing, 480), 20_454);
        assert_eq!(day(midnight_in_beijing - 1, 480), 20_453);
        assert_eq!(day(midnight_in_beijing, 0), 20_453);
        assert_eq!(day(0, -720), 0);
        assert_eq!(day(u64::MAX, 840), u32::MAX);
    }
}
