//! Counters of the one writer: numbers that grow, exact across restarts.
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
        // All rows are read before any number changes, so that a failing disk changes none.
        for change in changes {
            match change {
                CountChange::Add { .. } => {}
                CountChange::Raise { counter, .. } => drop(self.number(store, counter)?),
                CountChange::Move { from, to, .. } => {
                    self.number(store, from)?;
                    self.number(store, to)?;
                }
            }
        }
        for change in changes {
            match change {
                CountChange::Add { counter, amount, .. } => {
                    self.change(store, counter, |number| number.saturating_add(*amount))?;
                }
                CountChange::Raise { counter, to } => {
                    self.change(store, counter, |number| number.max(*to))?;
                }
                CountChange::Move { from, to, amount } => {
                    self.change(store, from, |number| number.saturating_sub(*amount))?;
                    self.change(store, to, |number| number.saturating_add(*amount))?;
                }
            }
        }
        Ok(())
    }

    fn change(
        &mut self,
        store: &dyn Store,
        counter: &str,
        next: impl Fn(u64) -> u64,
    ) -> Result<(), StoreError> {
        let number = next(self.number(store, counter)?);
        self.numbers.insert(counter.to_owned(), number);
        self.changed.insert(counter.to_owned());
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
