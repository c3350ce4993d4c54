//! Counters of the one writer: numbers that only grow, exact across restarts.
//!
//! The writer keeps every counter it has touched in memory and reads its row once, so that quotas
//! hold within a batch and numbers minted out of order never fall back.

use std::collections::{HashMap, HashSet};

use super::RegistryError;
use super::submit::CountChange;
use crate::store::{COUNTERS, Count, Store, StoreError, Transaction};

/// The counters touched so far.
#[derive(Default)]
pub(super) struct Counts {
    numbers: HashMap<String, u64>,
    /// Counters whose rows are behind.
    changed: HashSet<String>,
}

impl Counts {
    /// Makes all changes, or none and says which limit stands against them.
    pub(super) fn admit(
        &mut self,
        store: &dyn Store,
        changes: &[CountChange],
    ) -> Result<(), RegistryError> {
        let mut sums: HashMap<&str, u64> = HashMap::new();
        for change in changes {
            let CountChange::Add { counter, amount, limit } = change else { continue };
            let sum = sums.entry(counter).or_default();
            *sum = sum.saturating_add(*amount);
            let after = self.number(store, counter)?.saturating_add(*sum);
            if let Some(limit) = limit.filter(|limit| after > *limit) {
                metrics::counter!("nameplate_registry_quota_refused_total").increment(1);
                let prefix = counter.rsplit('/').next().unwrap_or_default().to_owned();
                return Err(RegistryError::QuotaReached { prefix, limit });
            }
        }
        for change in changes {
            let (counter, number) = match change {
                CountChange::Add { counter, amount, .. } => {
                    (counter, self.number(store, counter)?.saturating_add(*amount))
                }
                CountChange::Raise { counter, to } => {
                    (counter, self.number(store, counter)?.max(*to))
                }
            };
            self.numbers.insert(counter.clone(), number);
            self.changed.insert(counter.clone());
        }
        Ok(())
    }

    /// Puts the rows that are behind into the transaction.
    pub(super) fn write(&mut self, transaction: &mut dyn Transaction) {
        for counter in self.changed.drain() {
            if let Some(&number) = self.numbers.get(&counter) {
                COUNTERS.put(transaction, &counter, &Count(number));
            }
        }
    }

    fn number(&mut self, store: &dyn Store, counter: &str) -> Result<u64, StoreError> {
        if let Some(&number) = self.numbers.get(counter) {
            return Ok(number);
        }
        if self.numbers.len() >= MAX_COUNTERS && self.changed.is_empty() {
            self.numbers.clear();
        }
        let stored = COUNTERS.get(store, &counter.to_owned())?;
        let number = stored.map_or(0, |count| count.0);
        self.numbers.insert(counter.to_owned(), number);
        Ok(number)
    }
}

/// Counters kept in memory before they are read again.
const MAX_COUNTERS: usize = 100_000;
