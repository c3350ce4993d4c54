//! Numbers that are given out, such as those of minted identifiers.
//!
//! A number is given out at the end of planning and kept in its counter's row by the change that
//! uses it, so that concurrent plans get different ones without waiting for each other. Plans that
//! come to nothing leave gaps. What is planned with a number guards the row that the number names:
//! should one be given out twice, because it was forgotten here, the second plan conflicts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::{COUNTERS, Store, StoreError};

/// The last numbers given out.
#[derive(Default)]
pub(super) struct Numbers {
    last: Mutex<HashMap<String, u64>>,
}

impl Numbers {
    /// The next number of a counter; `first` when it never counted. Blocks on the disk the first
    /// time.
    pub(super) fn take(
        &self,
        store: &dyn Store,
        counter: &str,
        first: u64,
    ) -> Result<u64, StoreError> {
        let mut last = self.lock();
        if let Some(number) = last.get_mut(counter) {
            *number = number.saturating_add(1).max(first);
            return Ok(*number);
        }
        let stored = COUNTERS.get(store, &counter.to_owned())?;
        let number = stored.map_or(first, |count| count.0.saturating_add(1).max(first));
        if last.len() >= MAX_COUNTERS {
            last.clear();
        }
        last.insert(counter.to_owned(), number);
        Ok(number)
    }

    /// Takes a number back that nothing came of, if no other was given out since.
    pub(super) fn give_back(&self, counter: &str, number: u64) {
        let mut last = self.lock();
        match last.get_mut(counter) {
            Some(given) if *given == number && number > 0 => *given -= 1,
            Some(given) if *given == number => drop(last.remove(counter)),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counters kept in memory before they are read again.
const MAX_COUNTERS: usize = 100_000;
