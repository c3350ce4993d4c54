//! The check of counters: every prefix counts exactly the identifiers that lie below it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::Checking;
use crate::identifier::Prefix;
use crate::store::{
    COUNTERS, ColumnId, Direction, PREFIXES, RECORDS, StoreError, all_keys, identifier_counter,
};

impl Checking<'_> {
    /// That every served prefix counts the records for which it is the deepest served one, and no
    /// other prefix counts any. Reads keys only; rows that do not decode are told of elsewhere.
    pub(super) fn counters(&mut self) -> Result<(), StoreError> {
        let mut expected = self.counts()?;
        self.walk(&COUNTERS, |checking, counter, count| {
            let Some(text) = counter.strip_prefix(IDENTIFIERS) else { return Ok(()) };
            let there = Prefix::parse(text).ok().and_then(|prefix| expected.remove(&prefix));
            let there = there.unwrap_or_default();
            if count.0 != there {
                let fault = format!("counts {} identifiers, where there are {there}", count.0);
                checking.fault(ColumnId::Counters, counter, &fault);
            }
            Ok(())
        })?;
        let mut uncounted: Vec<_> = expected.into_iter().filter(|(_, there)| *there > 0).collect();
        uncounted.sort();
        for (prefix, there) in uncounted {
            let fault = format!("counts nothing, where there are {there} identifiers");
            self.fault(ColumnId::Counters, &identifier_counter(&prefix), &fault);
        }
        Ok(())
    }

    /// How many records lie below each served prefix and below no served one under it.
    fn counts(&self) -> Result<HashMap<Prefix, u64>, StoreError> {
        let mut counts = HashMap::new();
        let column = ColumnId::Prefixes;
        self.read.scan(column, all_keys(), Direction::Forward, &mut |key, row| {
            let prefix = PREFIXES.decode_key(key);
            if let (Ok(prefix), Ok(stored)) = (prefix, PREFIXES.decode(key, row))
                && stored.content.state.is_served()
            {
                counts.insert(prefix, 0);
            }
            ControlFlow::Continue(())
        })?;
        // Keys of one prefix follow each other.
        let mut last: Option<(Prefix, Option<Prefix>)> = None;
        self.read.scan(RECORDS.id(), all_keys(), Direction::Forward, &mut |key, _| {
            let Ok(key) = RECORDS.decode_key(key) else { return ControlFlow::Continue(()) };
            let prefix = key.prefix();
            if last.as_ref().is_none_or(|(of, _)| *of != prefix) {
                let mut zone = Some(prefix.clone());
                while zone.as_ref().is_some_and(|zone| !counts.contains_key(zone)) {
                    zone = zone.and_then(|zone| zone.parent());
                }
                last = Some((prefix, zone));
            }
            let zone = last.as_ref().and_then(|(_, zone)| zone.as_ref());
            if let Some(count) = zone.and_then(|zone| counts.get_mut(zone)) {
                *count += 1;
            }
            ControlFlow::Continue(())
        })?;
        Ok(counts)
    }
}

/// What the names of these counters begin with.
const IDENTIFIERS: &str = "identifiers/";
